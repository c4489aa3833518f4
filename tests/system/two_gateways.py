"""two_gateways.py PID STATE-FILE: gateway a (port 2049, PID) remembers; whatever b (port 2050) changes, a must tell right after b's answer."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
import state

PID, STATE = int(sys.argv[1]), sys.argv[2]
OK, NOENT, ACCES, STALE = 0, 2, 13, 70

a, b = nfs3.Client(port=2049), nfs3.Client(port=2050)
user = nfs3.Client(port=2049, uid=1000, gid=1000)
top = a.mount("/demo")


def brick_calls():
    return state.brick_calls(PID, STATE)


def ok(res):
    assert res["status"] == OK, res
    return res


def expect(res, status, what):
    assert res["status"] == status, "%s: status %d, not %d" % (what, res["status"], status)


def warm(d, names, handles):
    """a knows all of it, twice: once asked, once from memory."""
    for _ in range(2):
        ok(a.getattr(d))
        for name in names:
            a.lookup(d, name)
        for fh in handles:
            ok(a.getattr(fh))
            a.access(fh)
            user.access(fh)
        user.lookup(d, names[0])


def remembers():
    d = ok(b.mkdir(top, "remembers", mode=0o755))["fh"]
    f = ok(b.create(d, "f", mode=0o644))["fh"]
    warm(d, ["f", "absent"], [f])
    before, start = brick_calls(), time.monotonic()
    warm(d, ["f", "absent"], [f])
    calls = brick_calls() - before
    assert calls == 0 or time.monotonic() - start > 2, "%d brick calls for what was known" % calls


def tells_before():
    """A directory's attributes from before a change of ours, on two subvolumes: where nobody else came between."""
    d = ok(a.mkdir(top, "before", mode=0o755))["fh"]
    told = 0
    for made in (lambda: a.create(d, "f", mode=0o644)["wcc"], lambda: a.mkdir(d, "sub", mode=0o755)["wcc"],
                 lambda: a.rename(d, "f", d, "g")["from"], lambda: a.remove(d, "g")["wcc"],
                 lambda: a.rmdir(d, "sub")["wcc"]):
        known = ok(a.getattr(d))["attr"]
        wcc = made()
        for what in ("size", "mtime", "ctime"):
            assert wcc["before"] is None or wcc["before"][what] == known[what], (wcc, known)
        assert wcc["after"] == ok(a.getattr(d))["attr"], wcc
        told += wcc["before"] is not None
    assert told, "no change told what the directory was before"	# some leases may have run out on a busy machine
    known = ok(a.getattr(d))["attr"]
    ok(b.create(d, "by b", mode=0o644))
    wcc = ok(a.create(d, "by a", mode=0o644))["wcc"]
    assert wcc["before"] is None or wcc["before"]["mtime"] != known["mtime"], wcc


def changes(i):
    d = ok(b.mkdir(top, "d%d" % i, mode=0o755))["fh"]
    f, g, h = (ok(b.create(d, name, mode=0o644))["fh"] for name in ("f", "g", "h"))
    sub = ok(b.mkdir(d, "sub", mode=0o755))["fh"]
    everything = ["f", "g", "h", "sub", "new", "moved", "dir", "sym", "hard"]

    warm(d, everything, [f, g, h, sub])
    ok(b.write(f, 0, b"x" * 1000))
    assert ok(a.getattr(f))["attr"]["size"] == 1000, "size after a write"
    ok(b.setattr(f, mode=0o600))
    assert ok(a.getattr(f))["attr"]["mode"] & 0o777 == 0o600, "mode"
    assert ok(user.access(f))["access"] & 1 == 0, "access after the mode changed"
    ok(b.setattr(f, size=10))
    assert ok(a.getattr(f))["attr"]["size"] == 10, "size after a truncation"

    warm(d, everything, [f, g, h, sub])
    old = ok(a.getattr(d))["attr"]
    ok(b.create(d, "new", mode=0o644))
    expect(a.lookup(d, "new"), OK, "a new name")
    assert ok(a.getattr(d))["attr"]["mtime"] != old["mtime"], "the directory's time after a create"
    ok(b.remove(d, "g"))
    expect(a.lookup(d, "g"), NOENT, "a removed name")
    expect(a.getattr(g), STALE, "a removed file")

    warm(d, everything, [f, h, sub])
    ok(b.rename(d, "f", d, "moved"))
    expect(a.lookup(d, "f"), NOENT, "the old name")
    warm(d, everything, [f, h, sub])
    ok(b.rename(d, "moved", d, "h"))
    expect(a.lookup(d, "moved"), NOENT, "the old name after a rename over another file")
    expect(a.getattr(h), STALE, "what was replaced")
    assert ok(a.lookup(d, "h"))["attr"]["fileid"] == ok(a.getattr(f))["attr"]["fileid"], "the name that was replaced"

    warm(d, everything, [f, sub])
    ok(b.link(f, d, "hard"))
    assert ok(a.getattr(f))["attr"]["nlink"] == 2, "links"
    expect(a.lookup(d, "hard"), OK, "the link")
    ok(b.symlink(d, "sym", "target"))
    expect(a.lookup(d, "sym"), OK, "the symlink")
    ok(b.mkdir(d, "dir", mode=0o755))
    expect(a.lookup(d, "dir"), OK, "the new directory")
    warm(d, everything, [f, sub])
    ok(b.rmdir(d, "sub"))
    expect(a.lookup(d, "sub"), NOENT, "the removed directory's name")
    expect(a.getattr(sub), STALE, "the removed directory")

    expect(user.lookup(d, "h"), OK, "a name for a user")
    ok(b.setattr(d, mode=0o700))
    expect(user.lookup(d, "h"), ACCES, "a name in a directory that was closed")
    expect(user.lookup(d, "absent"), ACCES, "an absent name there")
    ok(b.setattr(d, mode=0o755))
    expect(user.lookup(d, "h"), OK, "a name in a directory that was opened")


def race():
    """Another client of a asks all the time, so that answers are on their way when b's change is told."""
    d = ok(b.mkdir(top, "race", mode=0o755))["fh"]
    f = ok(b.create(d, "f", mode=0o644))["fh"]
    running = True

    def ask():
        c = nfs3.Client(port=2049)
        while running:
            c.getattr(f)
            c.lookup(d, "f")
            c.lookup(d, "n")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for i in range(1, 150):
            ok(b.write(f, 0, b"y" * i, nfs3.UNSTABLE))
            assert ok(a.getattr(f))["attr"]["size"] == i, "round %d: the size is old" % i
            ok(b.create(d, "n", mode=0o644))
            expect(a.lookup(d, "n"), OK, "round %d: the new name" % i)
            ok(b.remove(d, "n"))
            expect(a.lookup(d, "n"), NOENT, "round %d: the removed name" % i)
    finally:
        running = False
        for t in threads:
            t.join()


def stopped():
    d = ok(b.mkdir(top, "stopped", mode=0o755))["fh"]
    f = ok(b.create(d, "f", mode=0o644))["fh"]
    warm(d, ["f"], [f])
    os.kill(PID, signal.SIGSTOP)
    try:
        start = time.monotonic()
        ok(b.write(f, 0, b"z" * 77, nfs3.UNSTABLE))
        took = time.monotonic() - start
    finally:
        os.kill(PID, signal.SIGCONT)
    assert ok(a.getattr(f))["attr"]["size"] == 77, "what was remembered before it was stopped"
    assert took < 10, "a stopped gateway held the other up for %.1f s" % took
    print("a stopped gateway held a write up for %.1f s" % took)


remembers()
tells_before()
for n in range(5):
    changes(n)
race()
stopped()
