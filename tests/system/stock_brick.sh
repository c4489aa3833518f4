#!/bin/bash
# What our brick leaves on disk is GlusterFS's: the attributes are there, and the real glusterfsd serves the files from the directory.
. "$(dirname "$0")/lib.sh"

start_volume 1 1
python3 - <<PY
import sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
d = c.mkdir(top, "dir", mode=0o755)["fh"]
f = c.create(d, "file", mode=0o640)["fh"]
assert c.write(f, 0, b"written through NFS\n")["status"] == 0
assert c.symlink(d, "link", "file")["status"] == 0
assert c.link(f, top, "hard")["status"] == 0
PY
b=${BRICKS[0]}
stop gateway
stop brick0
for key in trusted.gfid trusted.glusterfs.mdata; do
    getfattr --absolute-names -h -e hex -n $key "$b/dir/file" "$b/dir" >>"$T/attributes.log"
done
getfattr --absolute-names -e hex -d -m . "$b" | tee -a "$T/attributes.log"
grep -q "trusted.glusterfs.volume-id=0x$(echo "$VOLUME_ID" | tr -d -)" "$T/attributes.log" || fail "the volume-id is not there"
getfattr --absolute-names -e hex -n trusted.glusterfs.dht "$b/dir" | grep -q '0x00000000000000000000000[0-9a-f]*ffffffff\|0x[0-9a-f]*00000000ffffffff' || fail "no layout"

cat >"$T/stock.vol" <<VOL
volume px
    type storage/posix
    option directory $b
    option volume-id $VOLUME_ID
end-volume
volume lk
    type features/locks
    subvolumes px
end-volume
volume $b
    type debug/io-stats
    subvolumes lk
end-volume
volume srv
    type protocol/server
    option transport-type tcp
    option transport.socket.listen-port 49152
    option auth.addr.$b.allow *
    subvolumes $b
end-volume
VOL
mkdir -p /run/gluster /var/log/glusterfs
serve glusterfsd glusterfsd -N -f "$T/stock.vol" -l "$T/glusterfsd-messages.log" -p "$T/glusterfsd.pid"
await 30 nc -z 127.0.0.1 49152
start_gateway
python3 - <<PY
import sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
d = c.lookup(top, "dir")
assert d["status"] == 0, d
f = c.lookup(d["fh"], "file")
assert f["status"] == 0, f
assert c.read(f["fh"], 0, 100)["data"] == b"written through NFS\n"
assert f["attr"]["mode"] & 0o777 == 0o640 and f["attr"]["nlink"] == 2, f
assert c.readlink(c.lookup(d["fh"], "link")["fh"])["target"] == b"file"
assert sorted(c.list(d["fh"])) == [b"file", b"link"]
assert c.create(d["fh"], "by-stock", mode=0o644)["status"] == 0
PY
stop gateway
stop glusterfsd
start_brick 0 "$b"
start_gateway
python3 - <<PY
import sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
d = c.lookup(c.mount("/demo"), "dir")["fh"]
assert sorted(c.list(d)) == [b"by-stock", b"file", b"link"]
assert c.lookup(d, "by-stock")["status"] == 0
PY
say "the real glusterfsd served our brick, and we served it again"
