#!/bin/bash
# A power cut of all bricks at once loses nothing that was acknowledged: creates, renames, removes, stable writes, commits; on XFS and on
# ext4. The control run with `async` must lose something, or this proves nothing.
. "$(dirname "$0")/lib.sh"

start_rpcbind
power_cut() {	# power_cut TYPE EXPORT-OPTIONS: leaves the number of losses in LOSSES
    local type=$1 n base=$T/$1-${2##*,}
    mkdir -p "$base"
    BRICKS=()
    for n in 0 1 2 3; do
        image "$base/m$n" "$type" 400
        BRICKS+=("$base/m$n/brick")
        start_brick $n "${BRICKS[$n]}"
    done
    volfile 2 2 "${BRICKS[@]}" >"$T/volume.vol"
    EXPORT="*(rw,no_root_squash,insecure,$2)" start_gateway
    "$TOP/tests/system/acknowledged" work "$base/journal" &
    local worker=$!
    sleep 6
    for n in 0 1 2 3; do xfs_io -x -c shutdown "$base/m$n"; done	# the log that was not forced is dropped
    stop gateway KILL
    for n in 0 1 2 3; do stop "brick$n" KILL; done
    wait $worker || true
    say "$type $2: $(wc -l <"$base/journal") acknowledged operations before the cut"
    [ "$(wc -l <"$base/journal")" -gt 100 ] || fail "too little happened before the cut"
    for n in 0 1 2 3; do
        umount "$base/m$n"
        mount -o loop "$base/m$n.img" "$base/m$n"
        start_brick $n "${BRICKS[$n]}"
    done
    EXPORT="*(rw,no_root_squash,insecure,$2)" start_gateway
    LOSSES=0
    "$TOP/tests/system/acknowledged" verify "$base/journal" || LOSSES=1
    stop gateway
    for n in 0 1 2 3; do stop "brick$n"; umount "$base/m$n"; done
}

for type in xfs ext4; do
    power_cut $type sync
    [ $LOSSES = 0 ] || fail "$type: what was acknowledged is lost"
    say "$type: nothing acknowledged was lost"
done
power_cut xfs async
[ $LOSSES = 1 ] || fail "the control run with async lost nothing: this test proves nothing"
say "the control run with async lost something, as it must"
