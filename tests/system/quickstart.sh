#!/bin/bash
# The first command of the README, in its shapes, and what it says when something is in the way.
. "$(dirname "$0")/lib.sh"

cd "$TOP"
qs() { timeout 300 ./quickstart --no-install "$@"; }
nothing_left() {
    if rpcinfo -p 127.0.0.1 2>/dev/null | grep -q 10000[35]; then fail "quickstart left entries in the portmapper"; fi
    if pgrep -f "$BUILD/gatehouse-(brick|gateway)" >/dev/null; then fail "quickstart left processes"; fi
}

say "2 x 2"
qs --once | tee "$T/once.log"
grep -Eq '100003 +3 +tcp +2049' "$T/once.log" || fail "rpcinfo does not list NFS"
grep -q 'mount -t nfs -o vers=3,proto=tcp,nolock' "$T/once.log" || fail "no mount line"
nothing_left

say "3 x 1 embedded, and data that stays"
qs --once --embed --distribute 3 --replica 1 --dir "$T/kept" >"$T/embed.log"
qs --once --embed --distribute 3 --replica 1 --dir "$T/kept" >>"$T/embed.log"
if qs --once --embed --dir "$T/kept" 2>"$T/shape.log"; then fail "another shape was accepted"; fi
grep -q 'holds a volume of shape' "$T/shape.log" || fail "the refusal of another shape says: $(cat "$T/shape.log")"
nothing_left

say "a port in use"
serve holder nc -l -k 127.0.0.1 2049
await 10 nc -z 127.0.0.1 2049
if qs --once 2>"$T/port.log"; then fail "port 2049 was in use and quickstart went on"; fi
grep -q 'port 2049 is in use by nc' "$T/port.log" || fail "it says: $(cat "$T/port.log")"
