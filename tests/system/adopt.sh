#!/bin/bash
# Directories that were in use before they became bricks: files and directories get their gfid when they are first looked up, all copies the
# same one. So does what a brick left half made when it was killed.
. "$(dirname "$0")/lib.sh"

for n in 0 1; do
    mkdir -p "$T/bricks/b$n/dir/sub"
    echo hello >"$T/bricks/b$n/dir/plain"
    : >"$T/bricks/b$n/dir/sub/empty"
done
start_volume 1 2
cat >"$T/adopt.py" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
d = c.lookup(top, "dir")
assert d["status"] == 0, d
sub = c.lookup(d["fh"], "sub")
assert sub["status"] == 0, sub
assert c.create(sub["fh"], "empty", how=1, mode=0o644)["status"] == nfs3.EXIST
assert c.lookup(sub["fh"], "empty")["status"] == 0
plain = c.lookup(d["fh"], "plain")
assert plain["status"] == 0 and c.read(plain["fh"], 0, 100)["data"] == b"hello\n", plain
if len(sys.argv) > 2:
    assert c.create(top, "half", mode=0o644)["status"] == 0
assert sorted(c.list(d["fh"])) == [b"plain", b"sub"]
END
python3 "$T/adopt.py" "$TOP/tests/system"
say "a brick that was killed before the new file had its gfid"
python3 "$T/adopt.py" "$TOP/tests/system" half
stop gateway
gfid() { getfattr --absolute-names --only-values -n trusted.gfid "$1" | od -An -tx1 | tr -d ' \n'; }
same() { [ "$(gfid "${BRICKS[0]}/$1")" = "$(gfid "${BRICKS[1]}/$1")" ] || fail "$1 has two gfids"; }
for name in dir dir/sub dir/sub/empty dir/plain half; do same $name; done
stop brick1
was=$(gfid "${BRICKS[1]}/half")
setfattr -x trusted.gfid "${BRICKS[1]}/half"
rm "${BRICKS[1]}/.glusterfs/${was:0:2}/${was:2:2}/${was:0:8}-${was:8:4}-${was:12:4}-${was:16:4}-${was:20}"
start_brick 1 "${BRICKS[1]}"
start_gateway
python3 "$T/adopt.py" "$TOP/tests/system" half
stop gateway
[ "$(gfid "${BRICKS[0]}/half")" = "$was" ] || fail "the whole copy has another gfid than before"
stop brick0
stop brick1
for n in 0 1; do	# both half made: nobody can tell what it was to be
    rm -f "${BRICKS[$n]}/.glusterfs/${was:0:2}/${was:2:2}/${was:0:8}-${was:8:4}-${was:12:4}-${was:16:4}-${was:20}"
    setfattr -x trusted.gfid "${BRICKS[$n]}/half" 2>/dev/null || true
    start_brick $n "${BRICKS[$n]}"
done
start_gateway
python3 "$T/adopt.py" "$TOP/tests/system" half
stop gateway
same half
