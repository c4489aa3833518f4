"""two_volumes.py HANDLE: /two, whose handle it is, has no bricks, /one has: calls of one must not wait behind those of two on the same connection.
two_volumes.py: what one client may get of a gateway that exports /two whole, with ino32, and of /three a directory only.
"""
import sys
import time

from nfs3 import ACCES, BADHANDLE, JUKEBOX, NOENT, OK, STALE, XDEV, Client, opaque


def eq(got, want, what):
    assert got == want, "%s: got %r, not %r" % (what, got, want)


def refused(path):
    try:
        c.mount(path)
    except OSError as e:
        return e.errno
    return OK


def entries(fh):
    for page in c.readdirplus(fh), c.readdir(fh):
        assert page["status"] == OK and page["eof"], page
        yield from page["entries"]


def side_by_side(two):
    """100 calls that cannot be served, and after each of them one that can, over one connection."""
    one, longest = c.mount("/one"), 0
    for i in range(100):
        c.send(100003, 3, 3, opaque(two) + opaque("n%d" % i))
        begin = time.monotonic()
        eq(c.create(one, "side%d" % i, mode=0o644)["status"], OK, "CREATE in one")
        longest = max(longest, time.monotonic() - begin)
    eq(c.lookup(two, "last")["status"], JUKEBOX, "LOOKUP in two")
    assert longest < 8, "one waited %.1f s" % longest


c = Client()
if len(sys.argv) > 1:
    side_by_side(bytes.fromhex(sys.argv[1]))
    sys.exit()
eq(refused("/three"), ACCES, "the root of three, which is not exported")
eq(refused("/three/su"), ACCES, "what is not exported either")
eq(refused("/nowhere"), NOENT, "no volume")
eq(refused("/three/sub/none"), NOENT, "nothing below the export")
sub, two = c.mount("/three/sub"), c.mount("//two/")

up = c.lookup(sub, "..")
eq((up["status"], up["attr"]["fileid"]), (OK, c.getattr(sub)["attr"]["fileid"]), ".. of the exported directory")
for e in entries(sub):
    if e["name"] in (b".", b".."):
        eq(e["fileid"], up["attr"]["fileid"], "the number of %r" % e["name"])

c.mkdir(two, "numbers", mode=0o755)
d = c.lookup(two, "numbers")["fh"]
for i in range(50):
    c.create(d, "n%d" % i, mode=0o644)
shown = {}
for e in entries(d):
    assert 0 < e["fileid"] < 1 << 32, e
    eq(shown.setdefault(e["name"], e["fileid"]), e["fileid"], "READDIR and READDIRPLUS")
for i in range(50):
    eq(c.lookup(d, "n%d" % i)["attr"]["fileid"], shown[b"n%d" % i], "LOOKUP and READDIR")
assert len(set(shown.values())) == 52
assert c.getattr(sub)["attr"]["fileid"] >> 32, "without ino32 they have 64 bits"

eq(c.rename(d, "n1", sub, "n1")["status"], XDEV, "RENAME into another volume")
eq(c.getattr(two[:8] + bytes(16) + two[24:])["status"], STALE, "a handle of a volume that nobody knows")
eq(c.getattr(two[:8] + sub[8:24] + two[24:])["status"], BADHANDLE, "a handle that was turned into another volume's")
print("handles lead to their volumes")
