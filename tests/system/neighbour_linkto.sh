#!/bin/bash
# A stock client's removal hits the linkto of a file that was renamed over what it removes (it takes no lock on names, so no chance is needed for it):
# through our gateway what is listed can be had all the same, and the directory removed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
start_glusterd
stock_volume 1 2
mount_volume "$T/a" --entry-timeout=600 --attribute-timeout=600
mount_volume "$T/b"
mkdir "$T/a/d"
for i in $(seq 20); do echo "$i" >"$T/a/d/f$i"; done
new=$(ls "${BRICKS[0]}/d" | head -n 1)
old=$(ls "${BRICKS[1]}/d" | head -n 1)
cat "$T/a/d/$old" >"$T/seen"
mv "$T/b/d/$new" "$T/b/d/$old"
[ -e "${BRICKS[1]}/d/$old" ] || fail "the renamed file has no linkto"
rm "$T/a/d/$old"
[ ! -e "${BRICKS[1]}/d/$old" ] || fail "a stock client did not remove the linkto: is this still so?"
[ -s "${BRICKS[0]}/d/$old" ] || fail "the file itself is gone"

volume_gateway
export TOP VOLUME
python3 - "$old" "${new#f}" <<'END'
import os, sys
sys.path.insert(0, os.environ["TOP"] + "/tests/system")
import nfs3

name, content = sys.argv[1], sys.argv[2] + "\n"
c = nfs3.Client()
root = c.mount("/" + os.environ["VOLUME"])
d = c.lookup(root, "d")["fh"]
assert c.lookup(d, name)["status"] == 2
assert name.encode() in c.list(d)
found = c.lookup(d, name)
assert found["status"] == 0, found
fh = found["fh"]
assert c.read(fh, 0, 100)["data"] == content.encode(), c.read(fh, 0, 100)
for n in c.list(d):
    assert c.remove(d, n.decode())["status"] == 0, n
assert c.rmdir(root, "d")["status"] == 0
END
for b in "${BRICKS[@]}"; do [ ! -e "$b/d" ] || fail "$b/d is still there"; done
say "what stock clients lost is found"
