#!/bin/bash
# A brick that hangs: its process is stopped, its file system is frozen, the network cuts it off. Its connection stays. Clients wait for it no
# longer than cluster.slow-copy-timeout, once, and go on with the other copy, without an error; it is taken back when it answers again; the
# marks blame exactly it.
. "$(dirname "$0")/lib.sh"

ip netns add far
ip link add near type veth peer name far netns far
ip addr add 10.98.0.1/24 dev near
ip link set near up
ip -n far addr add 10.98.0.2/24 dev far
ip -n far link set far up
ip -n far link set lo up
BRICKS=("$T/bricks/b0" "$T/bricks/b1")
start_brick 0 "${BRICKS[0]}"
image "${BRICKS[1]}" xfs 300
# A frozen file system would keep us from ending.
trap 'status=$?; fsfreeze -u "${BRICKS[1]}" 2>/dev/null || :; (exit $status) || at_exit; at_exit' EXIT
serve brick1 ip netns exec far "$BUILD/gatehouse-brick" --create --directory "${BRICKS[1]}" --volume-id "$VOLUME_ID" --port 49153 --volume "$VOLUME"
await 20 nc -z 10.98.0.2 49153
volfile 1 2 "${BRICKS[@]}" | awk -v RS='end-volume\n' -v ORS='end-volume\n' '/client-1\n/ && /protocol/ { sub("127.0.0.1", "10.98.0.2") } NF' \
    >"$T/volume.vol"
start_rpcbind
start_gateway
await_brick 0
await_brick 1

hang() {	# hang WHAT BEGIN END: commands that begin and end it
    "$TOP/tests/system/acknowledged" endure "$T/$1" 12 >"$T/$1.out" &
    local worker=$! slowest
    await 20 test -s "$T/$1"
    eval "$2"
    await_brick 1 down
    local before
    before=$(wc -l <"$T/$1")
    sleep 2
    [ "$(wc -l <"$T/$1")" -gt $((before + 50)) ] || fail "$1: nothing went on with the other brick"
    eval "$3"
    await_brick 1
    wait $worker || { cat "$T/$1.out"; fail "$1: the client saw an error"; }
    slowest=$(sed -n 's/.*slowest call took \([0-9]*\)\..*/\1/p' "$T/$1.out")
    say "$1: the slowest call took $slowest s"
    [ "$slowest" -le 8 ] || fail "$1: a call waited as if nobody had given up the brick"
    [ "$slowest" -ge 2 ] || fail "$1: nothing waited: this test proves nothing"
    "$TOP/tests/system/acknowledged" verify "$T/$1"
}
hang stopped 'kill -STOP ${PIDS[brick1]}' 'kill -CONT ${PIDS[brick1]}'
make_room() { python3 -c "
import sys; sys.path.insert(0, '$TOP/tests/system'); import nfs3
c = nfs3.Client(); top = c.mount('/demo')
for n in range(4): assert c.rename(top, 'w%d' % n, top, '$1%d' % n)['status'] == 0"; }
make_room stopped
hang frozen 'fsfreeze -f "${BRICKS[1]}"' 'fsfreeze -u "${BRICKS[1]}"'
make_room frozen
hang cut-off 'ip -n far link set far down' 'ip -n far link set far up'
[ "$(grep -c "does not answer.*client-1 " "$T/gateway.log")" -ge 3 ] || fail "the log does not say that the brick did not answer"
stop gateway
stop brick0
stop brick1
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
