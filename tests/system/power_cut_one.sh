#!/bin/bash
# A power cut of one brick of each pair: the other one goes on, the one that lost what was not forced is taken back, and nothing that was
# acknowledged is lost, whichever of the two it was; a copy that lost something is blamed for it.
. "$(dirname "$0")/lib.sh"

start_rpcbind
BRICKS=()
for n in 0 1 2 3; do
    image "$T/m$n" xfs 400
    BRICKS+=("$T/m$n/brick")
    start_brick $n "${BRICKS[$n]}"
done
volfile 2 2 "${BRICKS[@]}" >"$T/volume.vol"
EXPORT="*(rw,no_root_squash,insecure,sync)" start_gateway
cut() {	# cut ROUND BRICK...
    local n round=$1
    shift
    WHERE=/demo "$TOP/tests/system/acknowledged" endure "$T/journal$round" 12 >"$T/endure$round" &
    local worker=$!
    sleep 3
    for n in "$@"; do
        kill -STOP "${PIDS[brick$n]}"	# or it would still answer with its file system's EIO
        xfs_io -x -c shutdown "$T/m$n"	# the log that was not forced is dropped
        stop "brick$n" KILL
    done
    sleep 2
    for n in "$@"; do
        umount "$T/m$n"
        mount -o loop "$T/m$n.img" "$T/m$n"
        start_brick $n "${BRICKS[$n]}"
    done
    wait $worker || { cat "$T/endure$round"; fail "a client saw an error"; }
    say "$round: $(tail -n 1 "$T/endure$round"), $(wc -l <"$T/journal$round") lines"
    "$TOP/tests/system/acknowledged" verify "$T/journal$round"
    python3 -c "
import sys; sys.path.insert(0, '$TOP/tests/system'); import nfs3
c = nfs3.Client(); top = c.mount('/demo')
for n in range(4): assert nfs3.patiently(c.rename, top, 'w%d' % n, top, '$round-%d' % n)['status'] == 0"
}
cut second 1 3
cut first 0 2
stop gateway
for n in 0 1 2 3; do stop "brick$n"; done
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
for n in 0 1 2 3; do umount "$T/m$n"; done
