#!/bin/bash
# A directory of 100,000 names over XFS and ext4 bricks: no name skipped or repeated, also while others are deleted and the gateway
# restarts in between.
. "$(dirname "$0")/lib.sh"

export EXPORT='*(rw,no_root_squash,insecure,async)'
if [ "${BRICKS_BY:-ours}" = ours ]; then
    image "$T/m0" xfs 4000
    image "$T/m1" ext4 4000
    BRICKS=("$T/m0/brick" "$T/m1/brick")
    start_rpcbind
    start_brick 0 "${BRICKS[0]}"
    start_brick 1 "${BRICKS[1]}"
    volfile 2 1 "${BRICKS[@]}" >"$T/volume.vol"
    start_gateway
else
    image "$T/bricks" xfs 4000
    start_volume 2 1
fi
run() { python3 "$TOP/tests/system/listing.py" "$1" "$T/names"; }
run fill
run first-half
stop gateway KILL
start_gateway
run second-half
run delete-while-listing
say "every name once"
