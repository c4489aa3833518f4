#!/bin/bash
# A stock client's mount and NFS clients change the same directories for a minute, on stock bricks: nobody sees an error that no order of the
# calls explains, both see the same afterwards, and the copies are equal.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
start_glusterd
stock_volume 2 4
volume_gateway
mount_volume "$T/mnt" --entry-timeout=0
neighbours "${SECONDS_EACH:-60}"
heal_races
await_heal
same_after_races 2
say "stock clients and NFS clients side by side, and the copies are equal"
