"""stale_read.py PHASE PORT HANDLES: a copy that missed a change is never served, whatever is asked.

prepare   makes files and directories, all copies up
warm      asks for all of it, so that the gateway remembers (before the change)
change    changes each in another way, while one copy is away
waits     only the copy that missed the changes is there: every question about what changed is answered JUKEBOX
good      the changed copy is back: the new state, and nothing else
"""
import os
import pickle
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
from nfs3 import JUKEBOX, NOENT, OK, STALE, patiently

phase, port, saved = sys.argv[1], int(sys.argv[2]), sys.argv[3]
c = nfs3.Client(port=port)
c.sock.settimeout(25)
wrong = []


def ok(res):
    assert res["status"] == OK, res
    return res


def want(res, status, what):
    status = status if isinstance(status, tuple) else (status,)
    if res["status"] not in status:
        wrong.append("%s: status %d, not %s" % (what, res["status"], status))
    return res


def names(fh, plus):
    page = (c.readdirplus if plus else c.readdir)(fh)
    return page["status"], sorted(e["name"] for e in page.get("entries", ()))


def prepare():
    h = {"top": c.mount("/demo")}
    h["d"] = ok(c.mkdir(h["top"], "d", mode=0o755))["fh"]
    h["still"] = ok(c.mkdir(h["top"], "still", mode=0o755))["fh"]
    for name in ("data", "size", "mode", "owner", "gone", "old", "moved", "replacing", "victim", "linked"):
        h[name] = ok(c.create(h["d"], name, mode=0o644))["fh"]
        ok(c.write(h[name], 0, b"before-" + name.encode()))
    h["sym"] = ok(c.symlink(h["d"], "sym", "before"))["fh"]
    h["sub"] = ok(c.mkdir(h["d"], "sub", mode=0o755))["fh"]
    h["perm"] = ok(c.mkdir(h["d"], "perm", mode=0o755))["fh"]
    ok(c.create(h["perm"], "inside", mode=0o644))
    h["quiet"] = ok(c.create(h["still"], "quiet", mode=0o644))["fh"]
    ok(c.write(h["quiet"], 0, b"quiet"))
    with open(saved, "wb") as f:
        pickle.dump(h, f)


def warm():
    for name, fh in h.items():
        want(c.getattr(fh), OK, "getattr " + name)
        c.access(fh)
        c.lookup(h["d"], name)
    for plus in (False, True):
        assert names(h["d"], plus)[0] == OK
    ok(c.read(h["data"], 0, 100))


def change():
    ok(patiently(c.write, h["data"], 0, b"AFTER!"))
    ok(patiently(c.setattr, h["size"], size=3))
    ok(patiently(c.setattr, h["mode"], mode=0o600))
    ok(patiently(c.setattr, h["owner"], uid=1234))
    ok(patiently(c.remove, h["d"], "gone"))
    ok(patiently(c.rename, h["d"], "old", h["d"], "new"))
    ok(patiently(c.rename, h["d"], "moved", h["top"], "moved"))
    ok(patiently(c.rename, h["d"], "replacing", h["d"], "victim"))
    ok(patiently(c.link, h["linked"], h["d"], "second"))
    ok(patiently(c.setattr, h["perm"], mode=0o700))
    h["created"] = ok(patiently(c.create, h["d"], "created", mode=0o644))["fh"]
    ok(patiently(c.mkdir, h["sub"], "deeper", mode=0o755))
    with open(saved, "wb") as f:
        pickle.dump(h, f)


def waits():
    want(c.read(h["data"], 0, 100), JUKEBOX, "read of the changed file")
    want(c.read(h["size"], 0, 100), JUKEBOX, "read of the shortened file")
    for name in ("data", "size", "mode", "owner", "d", "sub", "perm", "top", "linked"):
        want(c.getattr(h[name]), JUKEBOX, "getattr " + name)
    for name in ("mode", "owner", "perm"):
        want(c.access(h[name]), JUKEBOX, "access " + name)
    for name in ("data", "gone", "old", "new", "moved", "victim", "replacing", "created", "second", "never"):
        want(c.lookup(h["d"], name), JUKEBOX, "lookup " + name)
    want(c.lookup(h["top"], "moved"), JUKEBOX, "lookup of the moved name")
    want(c.lookup(h["sub"], "deeper"), JUKEBOX, "lookup of the new directory")
    for name in ("gone", "victim", "created", "moved"):
        res = c.getattr(h[name])
        want(res, JUKEBOX, "getattr of the handle of " + name)
    for name in ("d", "sub", "top"):
        for plus in (False, True):
            status, got = names(h[name], plus)
            if status != JUKEBOX:
                wrong.append("listing %s (plus %d): status %d, %r" % (name, plus, status, got))
    want(c.write(h["data"], 0, b"x"), JUKEBOX, "write")
    want(c.setattr(h["data"], mode=0o640), JUKEBOX, "setattr")
    want(c.remove(h["d"], "data"), JUKEBOX, "remove")
    want(c.create(h["d"], "other", mode=0o644), JUKEBOX, "create")
    want(c.create(h["d"], "gone", how=1, mode=0o644), JUKEBOX, "create of the removed name")
    want(c.getattr(h["quiet"]), (OK, JUKEBOX), "getattr of what did not change")


def good():
    def data(name):
        return patiently(c.read, h[name], 0, 100).get("data")

    def attr(name):
        return ok(patiently(c.getattr, h[name]))["attr"]

    def same(got, expected, what):
        if got != expected:
            wrong.append("%s: %r, not %r" % (what, got, expected))

    same(data("data"), b"AFTER!-data", "content")
    same(data("size"), b"bef", "content of the shortened file")
    same(attr("mode")["mode"] & 0o777, 0o600, "mode")
    same(attr("owner")["uid"], 1234, "owner")
    same(attr("perm")["mode"] & 0o777, 0o700, "the directory's mode")
    for name in ("gone", "old", "moved", "replacing"):
        want(patiently(c.lookup, h["d"], name), NOENT, "lookup " + name)
    for name in ("gone", "victim"):
        want(patiently(c.getattr, h[name]), STALE, "handle of " + name)
    for name in ("new", "created", "second", "victim", "data"):
        want(patiently(c.lookup, h["d"], name), OK, "lookup " + name)
    want(patiently(c.lookup, h["top"], "moved"), OK, "lookup of the moved name")
    expected = sorted((b".", b"..", b"data", b"size", b"mode", b"owner", b"new", b"victim", b"linked", b"second", b"created",
                       b"sym", b"sub", b"perm"))
    for plus in (False, True):
        ok(patiently(c.readdirplus if plus else c.readdir, h["d"]))
        same(names(h["d"], plus)[1], expected, "listing, plus %d" % plus)
    same(data("quiet"), b"quiet", "what did not change")


if phase == "prepare":
    prepare()
else:
    with open(saved, "rb") as f:
        h = pickle.load(f)
    {"warm": warm, "change": change, "waits": waits, "good": good}[phase]()
for line in wrong:
    print("%s: %s" % (phase, line))
sys.exit(1 if wrong else 0)
