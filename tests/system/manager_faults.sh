#!/bin/bash
# What goes wrong around a manager: other users of its host, ports that are taken, full disks, documents and names that are none, commands that
# come together or are cut off. Nothing of it ends the manager, loses a volume, or needs more than what the sentence says.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

image "$T/disk" xfs 400
mkdir "$T/disk/b"
mkdir -p "$T/h1/state" "$T/h1/run"
chmod 755 "$T"
mount -t tmpfs -o size=2m tmpfs "$T/h1/state"
mount -t tmpfs -o size=2m tmpfs "$T/h1/run"
IMAGES+=("$T/h1/state" "$T/h1/run")
start() { HOST_NAME=127.0.0.1 start_manager h1 --no-rpcbind --trust-network "$@"; }
start
b=127.0.0.1:$T/disk/b
store=$T/h1/state/store
rpc() { python3 "$TOP/tests/system/manager_rpc.py" "$@"; }
as_nobody() { AS_NOBODY=1 rpc "$@"; }
alive() { kill -0 "${PIDS[manager-h1]}" || fail "the manager has died"; }
fill() { dd if=/dev/zero of="$1/fill" bs=4k 2>/dev/null || true; }
bricks_running() { pgrep -f "$BUILD/gatehouse-brick.*$T/h1.*/${1:-}" | wc -l; }	# of a volume, or all

gh volume create demo replica 2 "$b/0" "$b/1" force
gh volume start demo

# A brick that waits out its back-off is started at once by force: its pauses have grown to seconds when its directory comes back.
mv "$T/disk/b/0" "$T/disk/b/away"
kill -KILL "$(ask 'r["volumes"][0]["bricks"][0]["pid"]' volume status demo)"
tired() { [ "$(grep -c 'in_ms=[0-9]\{4,\}' "$T/manager-h1.log")" -ge 2 ]; }
await 30 tired
mv "$T/disk/b/away" "$T/disk/b/0"
gh volume start demo force >/dev/null
online demo 2 || fail "start force does not start a brick that waits out its back-off"
say "start force ends a back-off"

say "other users of this host: no login, no brick's volfile, no brick of their own"
rpc getspec gateway/demo | grep -q password || fail "root does not get the gateway's volfile"
rpc getspec demo | grep -q password || fail "root does not get the trusted client's volfile"
dashes=$(tr / - <<<"${T#/}/disk/b/0")
rpc getspec "demo.127.0.0.1.$dashes" | grep -q storage/posix || fail "root does not get a brick's volfile"
as_nobody getspec demo | grep -q protocol/client || fail "others do not get a client's volfile"
! as_nobody getspec demo | grep -q password || fail "others get the login"
[ -z "$(as_nobody getspec gateway/demo)$(as_nobody getspec shd/demo)$(as_nobody getspec "demo.127.0.0.1.$dashes")" ] || fail "others get what is root's"
[ "$(rpc signin /by/hand 50000)" = 0 ]
[ "$(rpc port /by/hand)" = 50000 ]
[ "$(as_nobody signin /by/others 50001)" != 0 ] || fail "others sign in"
[ "$(as_nobody signin /by/hand 50001)" != 0 ] || fail "others redirect a brick"
[ "$(rpc port /by/others)" = -1 ]
[ "$(rpc port /by/hand)" = 50000 ]

say "a brick whose port is taken by another process gets another one, and nobody is sent to that process"
port=$(ask 'r["volumes"][0]["bricks"][0]["port"]' volume status demo)
pid=$(ask 'r["volumes"][0]["bricks"][0]["pid"]' volume status demo)
serve thief python3 -c "
import os, socket, time
os.kill($pid, 9)
while True:
    try:
        s = socket.create_server(('0.0.0.0', $port)); break
    except OSError:
        pass
print('has it', flush=True)
time.sleep(600)"
await 20 grep -q "has it" "$T/thief.log"
online_elsewhere() {
    local now
    now=$(rpc port "$T/disk/b/0")
    [ "$now" != "$port" ] || fail "clients are sent to another process"
    [ "$now" != -1 ]
}
await 20 online_elsewhere
online demo 2
stop thief

say "volumes come and go quickly, and two commands at once"
for ((i = 0; i < 6; i++)); do gh volume stop demo >/dev/null; gh volume start demo >/dev/null 2>&1; done
await 30 online demo 2
for ((i = 0; i < 12; i++)); do
    gh volume set demo user.x$i $i >/dev/null & pids[i]=$!
    gh volume stop demo >/dev/null 2>&1 & others[i]=$!
    gh volume start demo force >/dev/null 2>&1 & more[i]=$!
done
for p in "${pids[@]}"; do wait $p || fail "a set was refused for others"; done
wait "${others[@]}" "${more[@]}" || true
[ "$(ask 'sum(o["name"].startswith("user.x") for o in r["volumes"][0]["options"])' volume info demo)" = 12 ] || fail "sets were lost"
gh volume start demo force >/dev/null
await 30 online demo 2
[ "$(bricks_running)" = 2 ] || fail "$(bricks_running) brick processes run"
gh volume start demo force >/dev/null & p=$!
refused "is started" volume delete demo
wait $p

say "what could not be read again is not written"
rpc command "$T/h1/run/manager.sock" '{"command":"volume-set","name":"demo","options":[{"name":"user.a","value":"\uffff"}]}' | grep -q "cannot be written down"
rpc command "$T/h1/run/manager.sock" '{"command":"volume-set","name":"demo","options":[{"name":"user.\u0001","value":"a"}]}' | grep -q "control characters"
rpc command "$T/h1/run/manager.sock" '{"command":"volume-create","name":"odd","bricks":["'"$b"'/\uffff"]}' | grep -q '"status":22' || true
gh volume set demo user.y 1 >/dev/null
rpc probe '{"store":"etcd://192.0.2.1:2379","by":"x","name":"a\u0001"}' | grep -q '"status": 22' || fail "a probe with a name that is none is taken"
rpc probe '{"store":"etcd://192.0.2.1:2379","by":"x","name":""}' | grep -q '"status": 22' || fail "a probe with an empty name is taken"
rpc probe '{"store":"etcd://192.0.2.1:2379","by":"x","name":"h1"}' | grep -q 'volumes of its own'
[ "$(ask 'len(r["volumes"])' volume list)" = 1 ]

say "brick paths with odd characters"
mkdir "$T/disk/b/ö \"quoted\" \$(x) \\ ; # (1)"
gh volume create odd "$b/ö \"quoted\" \$(x) \\ ; # (1)/b" force >/dev/null
gh volume start odd >/dev/null
online odd 1 || fail "$(gh volume status odd)"
gh volume log odd | says serving
refused "backquotes" volume create odd2 "$b/\`touch $T/x\`"
gh volume stop odd >/dev/null
gh volume delete odd >/dev/null

say "full disks: what cannot be written changes nothing, and is written when there is room"
fill "$T/h1/state"
refused "No space left" volume set demo user.z "$(printf 'x%.0s' {1..4000})"
ask 'r["volumes"][0]["name"]' volume info demo | grep -qx demo
stop manager-h1 KILL
start
await 20 online demo 2
rm "$T/h1/state/fill"
gh volume set demo user.z 1 >/dev/null
gh volume stop demo >/dev/null
rm -f "$T"/h1/run/bricks/*
fill "$T/h1/run"
gh volume start demo >/dev/null 2>&1 || true
! online demo 2 || fail "a brick runs without its volfile"
rm "$T/h1/run/fill"
await 20 online demo 2
alive

say "the end: in the middle of a create, and of a start; no brick is left"
mkdir "$T/disk/c"
for ((i = 0; i < 5; i++)); do
    gh volume create cut$i "127.0.0.1:$T/disk/c/$i" force >/dev/null 2>&1 &
    gh volume start cut$i >/dev/null 2>&1 &
    gh volume stop demo >/dev/null 2>&1 &
    gh volume start demo force >/dev/null 2>&1 &
    sleep 0.0$((RANDOM % 10))
    begun=$SECONDS
    stop manager-h1
    [ $((SECONDS - begun)) -lt 15 ] || fail "the manager took $((SECONDS - begun)) s to end"
    [ "$(bricks_running)" = 0 ] || fail "$(bricks_running) bricks are left after the end"
    ! grep -E 'AddressSanitizer|runtime error:|Assertion' "$T/manager-h1.log" || fail "see above"
    start
done
gh config check
gh volume start demo force >/dev/null 2>&1 || true
await 20 online demo 2

say "a daemon with other settings is replaced, and can be stopped meanwhile"
stop manager-h1 KILL
mapfile -t old < <(pgrep -f "$BUILD/gatehouse-brick.*$T/h1.*/demo-")
kill -STOP "${old[@]}"
start --log-dir "$T/h1/log2"
await 10 grep -q "other settings is stopped first.*of demo" "$T/manager-h1.log"
gh volume stop demo >/dev/null 2>&1
kill -CONT "${old[@]}"
none() { [ "$(bricks_running demo-)" = 0 ]; }
await 10 none
sleep 1
none || fail "a brick was started while it was to be stopped"

say "documents that are too deep, and names that are none"
stop manager-h1
python3 - "$store/volumes" <<'EOF'
import os, sys
def doc(inner):
    i = "6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f"
    return ('<volume name="deep" id="%s" version="1"><state>created</state><layout replica="1"/><bricks><brick host="h" host-id="%s" path="/b"/></bricks>'
            '<options/><secrets><handle-key>%s</handle-key><login username="%s" password="%s"/></secrets>%s</volume>' % (i, i, "00" * 32, i, i, inner)).encode()
os.chdir(sys.argv[1])
open("deep.xml", "wb").write(doc("<x>" * 200 + "</x>" * 200))
open("wide.xml", "wb").write(doc("<x/>" * 200000))
open(b"\xff\xfe.xml", "wb").write(doc(""))
open("a b.xml", "wb").write(doc(""))
EOF
start
alive
[ "$(ask '[v for v in r["volumes"] if not v.startswith("cut")]' volume list)" = "['deep', 'demo', 'wide']" ] || fail "$(gh volume list)"
{ gh config check || true; } | says "deep in each other"
{ gh config check || true; } | says "letters, digits"
stop manager-h1
