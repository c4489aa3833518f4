#!/bin/bash
# A stock brick's listing tells which file it remembers by a name, not which one is there, and its memory lags where two clients change one name at
# the same time. Here the names are swapped behind its back, which leaves it in the same state: our gateway tells the file that is there. (What such
# a brick then stores with a rename it stores for us as well: same_bricks.py.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
start_glusterd
stock_volume 2 2
mount_volume "$T/mnt"
mkdir "$T/mnt/d"
for name in a b; do echo "was $name" >"$T/mnt/d/$name"; done
touch -d @1000000000 "$T/mnt/d/a"
touch -d @1100000000 "$T/mnt/d/b"
ls -l "$T/mnt/d"
sleep 2			# delayed post-operations
for b in "${BRICKS[@]}"; do
    mv "$b/d/a" "$b/d/x"
    mv "$b/d/b" "$b/d/a"
    mv "$b/d/x" "$b/d/b"
done
mount_volume "$T/fresh"
ls -l "$T/fresh/d"
cat "$T/fresh/d/a"
[ "$(cat "$T/fresh/d/a")" = "was a" ] || fail "a stock client is not fooled by a stock brick's listing: is this still so?"

volume_gateway
export TOP VOLUME
python3 - <<'END'
import os, sys
sys.path.insert(0, os.environ["TOP"] + "/tests/system")
import nfs3

c = nfs3.Client()
root = c.mount("/" + os.environ["VOLUME"])
d = c.lookup(root, "d")["fh"]
for e in c.readdirplus(d)["entries"]:
    if e["name"] in (b"a", b"b"):
        found = c.lookup(d, e["name"].decode())
        data = c.read(e["fh"] or found["fh"], 0, 100)["data"]
        was, mtime = {b"a": (b"was b\n", 1100000000), b"b": (b"was a\n", 1000000000)}[e["name"]]
        assert data == was, "the listing's handle is another file's"
        assert found["attr"]["mtime"][0] == mtime, "a lookup tells the mtime of the file that was there"
        assert e["fh"] in (None, found["fh"]) and e["attr"] in (None, found["attr"]), (e, found)
        assert e["fileid"] == found["attr"]["fileid"], (e, found)
END
mv "$T/fresh/d/a" "$T/fresh/d/c"
stored=$(getfattr --absolute-names -h -e hex -n trusted.glusterfs.mdata "${BRICKS[0]}/d/c" | sed -n 's/.*=0x.\{50\}\(.\{16\}\).*/\1/p')
[ "$((0x$stored))" = 1000000000 ] || fail "a stock brick stores the times of the file that it renames: is this still so?"
say "names are what they are on the bricks"
