#!/bin/bash
# What our brick leaves on disk is GlusterFS's: the attributes are there, and the real glusterfsd serves the files from the directory.
. "$(dirname "$0")/lib.sh"

start_volume 2 1
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
stop gateway
stop brick0
stop brick1
b=${BRICKS[0]}
[ -e "$b/dir/file" ] || b=${BRICKS[1]}
getfattr --absolute-names -h -e hex -d -m . "$b" "$b/dir" "$b/dir/file" | tee "$T/attributes.log"
has() { grep -q "$1" "$T/attributes.log" || fail "$1 is not among the attributes"; }
has "trusted.glusterfs.volume-id=0x$(echo "$VOLUME_ID" | tr -d -)"
has 'trusted.gfid=0x00000000000000000000000000000001'
has 'trusted.glusterfs.mdata=0x01'
has 'trusted.gfid2path.'
has 'trusted.glusterfs.dht=0x[0-9a-f]\{32\}'

mkdir -p /run/gluster /var/log/glusterfs
stock_brick() {	# stock_brick N DIR
    cat >"$T/stock$1.vol" <<VOL
volume px
    type storage/posix
    option directory $2
    option volume-id $VOLUME_ID
end-volume
volume lk
    type features/locks
    subvolumes px
end-volume
volume $2
    type debug/io-stats
    subvolumes lk
end-volume
volume srv
    type protocol/server
    option transport-type tcp
    option transport.socket.listen-port $((49152 + $1))
    option auth.addr.$2.allow *
    subvolumes $2
end-volume
VOL
    serve "glusterfsd$1" glusterfsd -N -f "$T/stock$1.vol" -l "$T/glusterfsd$1-messages.log" -p "$T/glusterfsd$1.pid"
    await 30 nc -z 127.0.0.1 $((49152 + $1))
}
stock_brick 0 "${BRICKS[0]}"
stock_brick 1 "${BRICKS[1]}"
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
stop glusterfsd0
stop glusterfsd1
start_brick 0 "${BRICKS[0]}"
start_brick 1 "${BRICKS[1]}"
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
