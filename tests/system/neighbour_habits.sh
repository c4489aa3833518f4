#!/bin/bash
# What GlusterFS's own client expects of bricks beyond plain files: locks that survive a new graph, attributes that a brick missed, times of
# access, and what it must not write.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster
start_rpcbind
image "$T/disk" xfs 500
mkdir "$T/disk/b"
ip addr add 192.0.2.1/32 dev lo
HOST_NAME=192.0.2.1 start_manager h1 --no-rpcbind
b=192.0.2.1:$T/disk/b
gh volume create two replica 2 "$b"/r{0,1} force
gh volume create dist "$b"/d{0,1,2} force
for volume in two dist; do
    gh volume set $volume nfs.disable on
    gh volume start $volume
    mkdir "$T/$volume"
    mount -t glusterfs -o entry-timeout=0,attribute-timeout=0 "192.0.2.1:/$volume" "$T/$volume"
    IMAGES+=("$T/$volume")
done

# Locks: held before the client's graph changes, and still held after.
: >"$T/two/locked"
: >"$T/two/flocked"
exec 8<>"$T/two/flocked"
flock -x 8
python3 - "$T/two/locked" "$T/ready" <<'END' &
import fcntl, sys, time
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
open(sys.argv[2], "w").close()
time.sleep(600)
END
holder=$!
await 10 test -e "$T/ready"
graphs() { grep -c 'switched to graph' /var/log/glusterfs/*two.log; }
taken() { ! python3 -c 'import fcntl, sys; fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 7)' "$T/two/locked" 2>/dev/null; }
switched() { [ "$(graphs)" -ge 2 ]; }
taken || fail "the lock is not held to begin with"
gh volume set two performance.write-behind off
await 20 switched
stat "$T/two" >/dev/null
taken || fail "fcntl's lock was lost when the client changed its graph"
! flock -n "$T/two/flocked" true || fail "flock's lock was lost when the client changed its graph"
kill $holder
exec 8>&-
gone() { ! taken && flock -n "$T/two/flocked" true; }
await 10 gone
say "locks outlive the client's graph"

# What only the bit-rot daemon may write.
! setfattr -n trusted.bit-rot.version -v 0x00 "$T/two/locked" 2>/dev/null || fail "a client wrote bit-rot's version"
printf x >"$T/two/byte"
[ "$(stat -c %b "$T/two/byte")" = 1 ] || fail "a file of one byte has $(stat -c %b "$T/two/byte") blocks"

# A directory without a gfid where the other copy has a file of that name: neither is the truth.
echo data >"$T/two/mixed"
rm "$T/disk/b/r0/mixed"
mkdir "$T/disk/b/r0/mixed"
refuses() { ! stat "$T/two/mixed" 2>/dev/null; }
await 5 refuses
say "a name of two types is an error"

# An attribute that was removed while a brick was away goes there, too, when it is back. No manager starts the brick meanwhile.
cd "$T/dist"
mkdir dir
setfattr -n user.old -v 1 dir
declare -A PID
for i in 0 1 2; do PID[$i]=$(ask "r['volumes'][0]['bricks'][$i]['pid']" volume status dist); done
stop manager-h1 KILL
for i in 0 1 2; do getfattr -n trusted.glusterfs.dht.mds "$T/disk/b/d$i/dir" >/dev/null 2>&1 || away=$i; done
kill -KILL "${PID[$away]}"
setfattr -x user.old dir
setfattr -n user.new -v 1 dir
cd /
HOST_NAME=192.0.2.1 start_manager h1 --no-rpcbind
await 20 online dist 3
synced() { ls "$T/dist" >/dev/null; stat "$T/dist/dir"; ! getfattr -n user.old "$T/disk/b/d$away/dir" >/dev/null 2>&1 && getfattr -n user.new "$T/disk/b/d$away/dir"; }
await 20 synced
say "an attribute that was removed is gone everywhere"
for volume in two dist; do umount "$T/$volume"; done
stop manager-h1
