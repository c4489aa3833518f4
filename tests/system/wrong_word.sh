#!/bin/bash
# One wrong word in the exports of one volume: it is refused before it is stored; where an older version has stored it, it costs its line
# alone, the others are served and can be changed; and commands tell when a gateway does not hold what is stored.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

image "$T/disk" xfs 400
start_rpcbind
HOST_NAME=127.0.0.1 start_manager h1
for v in demo two; do
    gh volume create $v "127.0.0.1:$T/disk/$v"
    gh volume set $v nfs.rpc-auth-allow 127.0.0.1 nfs.ports-insecure on nfs.root-squash off
    gh volume start $v
done
exported() { showmount --no-headers -e 127.0.0.1 | sort | tr -s ' ' | tr '\n' ','; }
shows() { [ "$(exported)" = "$1" ]; }
await 20 shows "/demo 127.0.0.1,/two 127.0.0.1,"

say "the manager refuses what a gateway would not serve"
refused 'option nfs.exports: unknown option "nosuchopt"' volume set demo nfs.exports '192.0.2.0/24(rw,nosuchopt)'
refused 'write "192.0.2.0/24(rw)"' volume set demo nfs.exports '192.0.2.0/24 (rw)'
[ "$(ask 'r["options"][0]["default"]' volume get demo nfs.exports)" = True ] || fail "it was stored all the same"
gh config check

say "stored by an older version: its line is not served, the other volume is, and a client of that can be shut out"
doc=$(grep -rl '<name>demo</name>\|name="demo"' "$T/h1/state/store/volumes" | head -n 1)
gh volume set demo nfs.exports '127.0.0.1(rw,insecure)'
sed 's/127\.0\.0\.1(rw,insecure)/127.0.0.1(rw,nosuchopt)/' "$doc" >"$T/doc.new"
grep -q nosuchopt "$T/doc.new" || fail "the document has no such line: $(cat "$doc")"
stop manager-h1
cp "$T/doc.new" "$doc"
HOST_NAME=127.0.0.1 start_manager h1
await 20 shows "/two 127.0.0.1,"
proof two
gh volume set two nfs.rpc-auth-allow 192.0.2.1
await 20 shows "/two 192.0.2.1,"
! proof two 2>/dev/null || fail "a revoked client still mounts"
{ gh config check || true; } | says 'volumes/demo: .*unknown option "nosuchopt"' || fail "config check: $(gh config check)"
{ gh exports test 127.0.0.1 /demo || true; } | says 'a line of it is wrong and is not served' || fail "exports test: $(gh exports test 127.0.0.1 /demo)"
told() { gh $1 2>&1 | says 'volume demo: .*unknown option "nosuchopt"'; }
await 20 told "volume status demo"
told "exports show" || fail "exports show does not tell"

say "a gateway that starts with it serves the others"
kill -KILL "$(cat "$T/h1/run/gateway.pid")"
await 20 shows "/two 192.0.2.1,"
gh volume reset demo nfs.exports
await 20 shows "/demo 127.0.0.1,/two 192.0.2.1,"
await 20 proof demo

say "a gateway that does not read what was written is told of"
kill -STOP "$(cat "$T/h1/run/gateway.pid")"
gh volume set two nfs.rpc-auth-allow none
stale() { gh volume status two 2>&1 | says 'has not read the exports as they are now'; }
await 20 stale
{ gh config check || true; } | says 'has not read the exports' || fail "config check does not tell"
kill -CONT "$(cat "$T/h1/run/gateway.pid")"
fresh() { ! stale; }
await 20 fresh
await 20 shows "/demo 127.0.0.1,"
gh config check
