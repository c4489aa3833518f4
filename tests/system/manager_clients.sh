#!/bin/bash
# Who is connected to a volume's bricks, and what the commands that look into a running volume say when it does not run: clients, logs, exports
# test, config check.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

image "$T/disk" xfs 400
mkdir "$T/disk/b"
HOST_NAME=127.0.0.1 start_manager h1 --no-rpcbind
b=127.0.0.1:$T/disk/b
gh volume create demo replica 2 "$b/0" "$b/1" force | says "May attach to the bricks: daemons of this cluster$"

say "before it runs"
[ "$(ask '[x.get("clients") for x in r["volumes"][0]["bricks"]]' volume status demo clients)" = "[None, None]" ]
{ gh volume log demo 2>&1 || true; } | says "has no log yet" || fail "volume log: $(gh volume log demo 2>&1)"
{ gh exports test 127.0.0.1 /demo 2>&1 || true; } | says "is not started" || fail "exports test: $(gh exports test 127.0.0.1 /demo 2>&1)"
refused "does not exist" volume log nowhere
refused "is no brick of volume demo" volume log demo "$b/7"
refused "does not exist" volume status nowhere clients

say "clients: the gateway, its process-uuid, and bytes that grow"
gh volume start demo
gh volume set demo nfs.rpc-auth-allow 127.0.0.1 nfs.root-squash off nfs.ports-insecure on
await 20 gateway_online demo
await 20 proof demo
client() { ask "max((c[\"$2\"] for c in r[\"volumes\"][0][\"bricks\"][$1].get(\"clients\", [])), default=0)" volume status demo clients; }
before=$(client 0 bytes_read)
[ "$before" -gt 100000 ] || fail "brick 0 has read $before bytes of its clients"
[ "$(client 1 bytes_written)" -gt 1000 ]
ask 'r["volumes"][0]["bricks"][0]["clients"][0]["host"]' volume status demo clients | grep -qE '^127\.0\.0\.1:[0-9]+$'
proof demo
[ "$(client 0 bytes_read)" -gt "$before" ] || fail "the bytes do not grow"
gh volume status demo clients

say "a brick that stands still costs half a second, not the answer"
pid=$(ask 'r["volumes"][0]["bricks"][1]["pid"]' volume status demo)
kill -STOP "$pid"
begun=$(date +%s%N)
out=$(gh volume status demo clients 2>&1)
took=$((($(date +%s%N) - begun) / 1000000))
kill -CONT "$pid"
[ $took -lt 2000 ] || fail "it took $took ms"
grep -q "nothing could be learnt of its clients" <<<"$out" || fail "a brick that does not tell is not told of: $out"

say "a stranger is no client of a brick, until auth.allow names it"
knock() {	# SETVOLUME as anybody can send it: errno of the answer
    python3 - "$TOP/tests/system" "$T/disk/b/0" <<'EOF'
import sys, socket, struct
sys.path.insert(0, sys.argv[1])
import hostile
s = socket.create_connection(("127.0.0.1", 49152))
s.sendall(hostile.marked(hostile.setvolume(sys.argv[2], "stranger")))
s.settimeout(10)
answer = b""
while len(answer) < 36:
    answer += s.recv(4096)
print(struct.unpack_from(">iI", answer, 28)[1])
EOF
}
[ "$(knock)" = 13 ] || fail "a stranger is answered errno $(knock), not EACCES"
gh volume log demo "$b/0" | says "gatehouse volume set VOLUME auth.allow ADDRESS" || fail "the refusal gives no cure: $(gh volume log demo "$b/0")"
gh volume status demo | says "May attach to the bricks: daemons of this cluster$" || fail "$(gh volume status demo)"
gh volume set demo auth.allow 127.0.0.1
gh volume status demo | says "and the addresses 127.0.0.1" || fail "$(gh volume status demo)"
let_in() { [ "$(knock)" = 0 ]; }
await 10 let_in

say "clients that lie about themselves do not hide the others"
python3 - "$TOP/tests/system" "$T/disk/b/0" <<'EOF' &
import sys, socket, time
sys.path.insert(0, sys.argv[1])
import hostile
held = []
for i, uuid in enumerate(["\x01\x02\"\\", "x" * 1024, "\u00ff\u00fe" * 20]):
    s = socket.create_connection(("127.0.0.1", 49152))
    s.sendall(hostile.marked(hostile.setvolume(sys.argv[2], uuid)))
    held.append(s)
time.sleep(30)
EOF
PIDS[liars]=$!
four() { [ "$(ask 'len(r["volumes"][0]["bricks"][0]["clients"])' volume status demo clients)" = 4 ]; }
await 20 four
[ "$(client 0 op_version)" -ge 100000 ] || fail "op_version $(client 0 op_version)"
stop liars KILL

say "logs: shown and rotated, also of a volume that does not run"
gh volume log demo "$b/0" | says serving
gh volume log rotate demo "$b/0" >/dev/null 2>&1 || gh volume log demo rotate >/dev/null
gh volume stop demo
gh volume log demo "$b/1" | says "stopping" || fail "the log of a brick that was stopped is not shown"
for ((i = 0; i < 3; i++)); do gh volume log demo rotate >/dev/null; gh volume start demo >/dev/null; gh volume stop demo >/dev/null; done
[ "$(cat "$T"/h1/log/bricks/*b-0.log* | grep -c " serving ")" -ge 4 ] || fail "a rotation lost what was kept before: $(ls -l "$T"/h1/log/bricks)"
{ gh exports test 127.0.0.1 /demo 2>&1 || true; } | says "gatehouse volume start demo" || fail "exports test of a stopped volume gives no cure"
{ gh exports test 127.0.0.1 /nowhere 2>&1 || true; } | says "no volume nowhere" || fail "exports test of no volume"
gh volume set demo nfs.disable on
gh volume start demo
{ gh exports test 127.0.0.1 /demo 2>&1 || true; } | says "nfs.disable" || fail "exports test of a volume that NFS has nothing to do with"
gh volume stop demo
gh config check
gh volume delete demo
