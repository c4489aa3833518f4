#!/bin/bash
# Two gateways over the same bricks: what one changes the other sees at once, although both answer from memory. A gateway that is stopped
# holds the other one up for no longer than a lease, and does not answer with what it remembered when it goes on.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
serve second "$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume "$VOLUME" --handle-key "$T/handle.key" --port 2050 \
    --export '*(rw,no_root_squash,insecure)' --no-rpcbind --state-file "$T/second.state"
await 30 nc -z 127.0.0.1 2050
python3 "$TOP/tests/system/two_gateways.py" "${PIDS[gateway]}" "$T/gateway.state"
