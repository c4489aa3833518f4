#!/bin/bash
# A copy that missed a change is never served, whatever is asked: not by the gateway that made the change, not by one that was idle then,
# and not by one that starts when only the stale copy is there (so that nothing but the absence of the other tells). Calls wait (JUKEBOX).
. "$(dirname "$0")/lib.sh"

second_gateway() {
    serve second "$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume "$VOLUME" --handle-key "$T/handle.key" --port 2050 \
        --export '*(rw,no_root_squash,insecure)' --no-rpcbind --state-file "$T/second.state"
    await 30 nc -z 127.0.0.1 2050
}
ask() { timeout 50 python3 "$TOP/tests/system/stale_read.py" "$1" "$2" "$T/handles"; }

start_volume 1 2
second_gateway
ask prepare 2049
ask warm 2049
ask warm 2050
say "the second copy is killed; the first one changes"
stop brick1 KILL
ask change 2049
sleep 2
stop brick0 KILL
start_brick 1 "${BRICKS[1]}"
sleep 3			# the gateways find it
say "only the stale copy is there"
ask waits 2049
say "the gateway that was idle during the change"
ask waits 2050
say "gateways that never saw the change"
stop gateway KILL
stop second
start_gateway
second_gateway
ask waits 2049
ask waits 2050
start_brick 0 "${BRICKS[0]}"
say "the changed copy is back"
ask good 2049
ask good 2050
stop gateway
stop second
stop brick0
stop brick1
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
