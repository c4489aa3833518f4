#!/bin/bash
# A brick is one directory of one file system: what stands at its path when its disk is not mounted is refused, whatever it looks like, and the brick comes
# back by itself with the disk. A copy of the directory needs a command. And `volume status` tells what is wrong with daemons that run: one hangs, its
# disk is full, its file system is dead.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

start_rpcbind
image "$T/d0" xfs 400
image "$T/d1" ext4 64
HOST_NAME=127.0.0.1 start_manager h1
mkdir "$T/d0/brick" "$T/d1/brick"
b0=127.0.0.1:$T/d0/brick
gh volume create demo replica 2 "$b0" "127.0.0.1:$T/d1/brick" force
gh volume set demo storage.health-check-interval 1
gh volume start demo
await 20 online demo 2
document=$T/h1/state/store/volumes/demo.xml
[ "$(grep -c ' identity="' "$document")" = 2 ] || fail "the volume's document does not say which directories were marked"
brick() { ask "r['volumes'][0]['bricks'][$1].get('$2')" volume status demo; }
says_of_0() { brick 0 reason | grep -qF -- "$1"; }

say "a disk that goes while its brick runs"
umount -l "$T/d0"
await 20 says_of_0 "is its disk mounted?"
grep -q "it said last: ended reason=.*the directory is gone" "$T/manager-h1.log" || fail "the brick does not say why it ended"
mkdir "$T/d0/brick"
gh volume start demo force # tries at once
await 40 says_of_0 "has no trusted.glusterfs.volume-id, it is an empty directory on the root file system"
[ -z "$(getfattr -d -m . "$T/d0/brick" 2>/dev/null)$(ls -A "$T/d0/brick")" ] || fail "the empty directory was marked"
rmdir "$T/d0/brick"
mount -o loop "$T/d0.img" "$T/d0"
await 40 online demo 2

say "a copy of the directory"
pid=$(brick 0 pid)
mv "$T/d0/brick" "$T/d0/old"
cp -a "$T/d0/old" "$T/d0/brick"
await 20 says_of_0 "is not the directory that was recorded for this brick"
refused "is no brick of any volume" brick accept "$b0/x"
setfattr -x trusted.glusterfs.volume-id "$T/d0/brick"
refused "holds no brick's data: it has no trusted.glusterfs.volume-id" brick accept "$b0"
setfattr -n trusted.glusterfs.volume-id -v "$(getfattr --only-values -e hex -n trusted.glusterfs.volume-id "$T/d0/old" 2>/dev/null | od -An -v -tx1 |
    tr -d ' \n' | sed 's/^/0x/')" "$T/d0/brick"
gh brick accept "$b0"
await 20 online demo 2
[ "$(brick 0 pid)" != "$pid" ] || fail "the brick is the old process"

say "a brick without a record"
stop manager-h1 KILL
sed -i 's/ identity="[^"]*"//' "$document"
! grep -q ' identity="' "$document"
HOST_NAME=127.0.0.1 start_manager h1
recorded() { [ "$(grep -c ' identity="' "$document")" = 2 ]; }
await 30 recorded

say "daemons that hang"
await 20 gateway_online demo
pid=$(brick 0 pid)
gateway=$(ask 'r["volumes"][0]["gateways"][0]["pid"]' volume status demo)
kill -STOP "$pid" "$gateway"
await 30 says_of_0 "hung for"
gateway_hung() { ask 'r["volumes"][0]["gateways"][0]["reason"]' volume status demo | grep -q "hung for [0-9]* s: its process $gateway"; }
await 30 gateway_hung
[ "$(brick 0 online)" = False ] || fail "a hung brick is shown online"
kill -CONT "$pid" "$gateway"
await 30 online demo 2
await 30 gateway_online demo

say "a full disk"
dd if=/dev/zero of="$T/d1/filler" bs=1M 2>/dev/null || true
full() { brick 1 trouble | grep -qF "its file system is full"; }
await 20 full
gh volume status demo | grep -q "its file system is full" || fail "the table does not tell of the full disk"
grep -q "the brick is in trouble.*is full" "$T"/h1/log/bricks/*-d1-brick.log || fail "the brick's log does not tell of the full disk"
rm "$T/d1/filler"
not_full() { [ "$(brick 1 trouble)" = None ]; }
await 20 not_full
grep -q "the brick's trouble is over.*is full" "$T"/h1/log/bricks/*-d1-brick.log || fail "the brick's log does not tell that there is room"

say "a dead file system"
xfs_io -x -c shutdown "$T/d0"
await 30 says_of_0 "it serves nothing: "
[ "$(brick 0 online)" = False ] || fail "a brick on a dead file system is shown online"
say "refused, back by itself, accepted by command; hung, full and dead are told"
