#!/bin/bash
# One host: volumes by command. What is refused and why; bricks that die; a manager that dies; documents that are damaged or newer; options live.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

start_rpcbind
image "$T/disk" xfs 400
mkdir "$T/disk/b"
HOST_NAME=127.0.0.1 start_manager h1
b=127.0.0.1:$T/disk/b

say "refusals"
refused "is not part of this cluster" volume create demo other:/b/1
refused "not a multiple of the replica count" volume create demo replica 2 "$b/1"
refused "on one host" --mode=interactive volume create demo replica 2 "$b/1" "$b/2"
refused "root file system" volume create demo 127.0.0.1:/var/lib/gatehouse-brick
refused "mount point" volume create demo "127.0.0.1:$T/disk"
refused "make its parent first" volume create demo "$b/no/such"
refused "named twice" volume create demo "$b/1" "$b/1"
refused "letters, digits" volume create de.mo "$b/1"
refused "does not exist" volume start demo
[ -z "$(ls "$T/disk/b")" ] || fail "a refused volume left something: $(ls "$T/disk/b")"

say "a volume's life"
gh volume create demo replica 2 "$b"/{0,1,2,3} force
refused "exists already" volume create demo "$b/9"
refused "lies inside" volume create two "$b/0/x"
refused "is not started" volume stop demo
gh volume start demo
refused "Volume demo already started" volume start demo
refused "stop it first" volume delete demo
online demo 4 || fail "not all bricks are online after the start"
await 20 gateway_online demo
gh volume set demo nfs.rpc-auth-allow 127.0.0.1 nfs.root-squash off nfs.ports-insecure on
await 20 proof demo
gh volume status demo
gh volume status demo detail
gh volume info demo

say "a brick that dies is started again, and told of"
pid=$(ask 'r["volumes"][0]["bricks"][1]["pid"]' volume status demo)
kill -KILL "$pid"
await 20 online demo 4
[ "$(ask 'r["volumes"][0]["bricks"][1]["restarts"]' volume status demo)" = 1 ] || fail "the restart is hidden"
mv "$T/disk/b/3" "$T/disk/b/away"
kill -KILL "$(ask 'r["volumes"][0]["bricks"][3]["pid"]' volume status demo)"
await 20 grep -q "restarts=3" "$T/manager-h1.log"
ask 'r["volumes"][0]["bricks"][3]["reason"]' volume status demo | grep -q "$T/disk/b/3" || fail "status does not say why the brick is down"
mv "$T/disk/b/away" "$T/disk/b/3"
await 40 online demo 4

say "a manager that is killed leaves bricks running; the next one takes them over"
pids=$(ask '[b["pid"] for b in r["volumes"][0]["bricks"]]' volume status demo)
stop manager-h1 KILL
proof demo
HOST_NAME=127.0.0.1 start_manager h1
await 20 online demo 4
[ "$(ask '[b["pid"] for b in r["volumes"][0]["bricks"]]' volume status demo)" = "$pids" ] || fail "bricks were started anew"

say "options"
refused "did you mean" volume set demo cluster.quorom-type auto
refused "nfs.volume-access" volume set demo nfs.volume-access sometimes
gh volume set demo storage.reserve 5 nfs.volume-access read-only
await 20 grep -q "options_changed" "$T"/h1/log/bricks/*.log
await 20 bash -c "! $BUILD/tests/system/nfs_proof 'nfs://127.0.0.1/demo?nfsport=2049&mountport=2049' $TOP/runtime"
[ "$(ask 'r["options"][0]["value"]' volume get demo storage.reserve)" = 5 ]
gh volume reset demo nfs.volume-access
await 20 proof demo
gh volume set demo nfs.rpc-auth-reject 127.0.0.1
await 20 bash -c "! $BUILD/tests/system/nfs_proof 'nfs://127.0.0.1/demo?nfsport=2049&mountport=2049' $TOP/runtime"
{ gh exports test 127.0.0.1 /demo || true; } | grep "noaccess" >/dev/null || fail "a rejected client is not told why"
gh volume reset demo nfs.rpc-auth-reject
await 20 proof demo
gh exports show
gh exports test 127.0.0.1 /demo

say "documents: what is not known is preserved, what is damaged changes nothing"
stop manager-h1
doc=$T/h1/state/store/volumes/demo.xml
cp "$doc" "$T/good.xml"
sed -i 's|<state>|<tiering speed="9"/><state>|' "$doc"
HOST_NAME=127.0.0.1 start_manager h1
await 20 online demo 4
gh volume set demo storage.reserve 6
grep -q '<tiering speed="9"/>' "$doc" || fail "an element of a newer version was dropped"
stop manager-h1
sed -i 's|<state>started|<state>running|' "$doc"
HOST_NAME=127.0.0.1 start_manager h1
{ gh config check || true; } | grep -E 'demo.*:[0-9]+: element state.*expected created, started or stopped' || fail "config check does not say where the document is damaged"
refused "damaged" volume stop demo
stop manager-h1
cp "$T/good.xml" "$doc"

say "a brick directory of another volume"
HOST_NAME=127.0.0.1 start_manager h1
await 20 online demo 4
gh volume stop demo
setfattr -n trusted.glusterfs.volume-id -v 0x00112233445566778899aabbccddeeff "$T/disk/b/2"
gh volume start demo
sleep 1
ask 'r["volumes"][0]["bricks"][2]["reason"]' volume status demo | grep -qi "volume" || fail "a wrong volume-id is not told of"
gh volume stop demo
gh volume delete demo
[ "$(ask 'len(r["volumes"])' volume list)" = 0 ]
refused "was a brick of a volume that is not known here" volume create again "$b/0"
gh volume create again "$b/0" force
stop manager-h1
