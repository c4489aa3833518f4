#!/bin/bash
# A stock brick's listing tells which file it remembers by a name, not which one is there, and its memory lags where two clients change one name at
# the same time. Here two names are swapped behind its back, which leaves it in the same state: our gateway tells the file that is there. (What such
# a brick then stores with a rename it stores for us as well: same_bricks.py.) One that has lost a directory's handle this way still lists it for us.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
start_glusterd
stock_volume 1 2
brick=${BRICKS[0]}
mount_volume "$T/mnt"
mkdir "$T/mnt/d"
for i in $(seq 20); do echo "was f$i" >"$T/mnt/d/f$i"; done
mapfile -t there < <(ls "$brick/d")
a=${there[0]} b=${there[1]} c=${there[2]}
touch -d @1000000000 "$T/mnt/d/$a"
touch -d @1100000000 "$T/mnt/d/$b"
mv "$brick/d/$a" "$brick/d/x"
mv "$brick/d/$b" "$brick/d/$a"
mv "$brick/d/x" "$brick/d/$b"
mount_volume "$T/fresh" --entry-timeout=600 --attribute-timeout=600
ls -l "$T/fresh/d" >"$T/listing"
[ "$(cat "$T/fresh/d/$a")" = "was $a" ] || fail "a stock client is not fooled by a stock brick's listing: is this still so?"

volume_gateway
export TOP VOLUME
python3 - "$a" "$b" <<'END'
import os, sys
sys.path.insert(0, os.environ["TOP"] + "/tests/system")
import nfs3

a, b = sys.argv[1:]
c = nfs3.Client()
root = c.mount("/" + os.environ["VOLUME"])
d = c.lookup(root, "d")["fh"]
entries = {e["name"].decode(): e for e in c.entries(d)}
assert sorted(entries) == sorted("f%d" % i for i in range(1, 21)), sorted(entries)
for name, is_now, mtime in ((a, b, 1100000000), (b, a, 1000000000)):
    e, found = entries[name], c.lookup(d, name)
    assert c.read(e["fh"], 0, 100)["data"] == b"was %s\n" % is_now.encode(), "the listing's handle is another file's"
    assert e["attr"]["mtime"][0] == mtime, "the listing tells the mtime of the file that was there"
    assert found["attr"]["mtime"][0] == mtime, "a lookup tells the mtime of the file that was there"
    assert e["fh"] == found["fh"] and e["attr"] == found["attr"] == c.getattr(found["fh"])["attr"], (e, found)
    assert e["fileid"] == found["attr"]["fileid"], (e, found)
END
mv "$T/fresh/d/$a" "$T/fresh/d/$c"
stored=$(getfattr --absolute-names -h -e hex -n trusted.glusterfs.mdata "$brick/d/$c" | sed -n 's/.*=0x.\{50\}\(.\{16\}\).*/\1/p')
[ "$((0x$stored))" = 1000000000 ] || fail "a stock brick stores the times of the file that it renames: is this still so?"
ls "$T/fresh/d" >/dev/null
gfid=$(getfattr --absolute-names -h -e hex -n trusted.gfid "$brick/d" | sed -n 's/.*=0x//p')
rm "$brick/.glusterfs/${gfid:0:2}/${gfid:2:2}/${gfid:0:8}-${gfid:8:4}-${gfid:12:4}-${gfid:16:4}-${gfid:20}"
python3 - <<'END'
import os, sys
sys.path.insert(0, os.environ["TOP"] + "/tests/system")
import nfs3

c = nfs3.Client()
d = c.lookup(c.mount("/" + os.environ["VOLUME"]), "d")["fh"]
assert len(c.list(d)) == 19, c.list(d)
assert len(c.list(d, plus=False)) == 19, c.list(d, plus=False)
END
say "names are what they are on the bricks"
