#!/bin/bash
# How many calls to bricks each NFS operation costs on 2x2, exactly: the number is part of the design, so a change of it must be meant.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
python3 "$TOP/tests/system/brick_calls.py" "${PIDS[gateway]}" "$T/gateway.state"
