#!/bin/bash
# A thousand connections at once are served; idle ones cost no CPU; slow readers and half-open ones hold no memory beyond a bound; the gateway
# idles under 32 MiB and stays under 128 MiB with a million files looked up.
. "$(dirname "$0")/lib.sh"

EXPORT='*(rw,no_root_squash,insecure,async)' start_volume 2 2
resident() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/${PIDS[gateway]}/status"; }
say "idle: $(resident) MiB"
[ "$(resident)" -lt 32 ] || fail "the idle gateway holds $(resident) MiB"
ulimit -n 4096
python3 "$TOP/tests/system/many_clients.py" "${PIDS[gateway]}"
say "after a million lookups: $(resident) MiB"
[ "$(resident)" -lt 128 ] || fail "the gateway holds $(resident) MiB after a million lookups"
