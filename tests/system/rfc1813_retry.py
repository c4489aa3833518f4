"""rfc1813_retry.py: calls that come again, with the gateway alive and after it was killed."""
from rfc1813 import *


def calls(w, c, tag):
    """Each procedure that a retransmission must not run twice, as (what, procedure, arguments)."""
    fh = w.c.lookup(w.d, "base").get("fh") or w.file("base")
    for name in ("gone", "from"):
        w.c.create(w.d, name + tag, GUARDED, mode=0o644)
    w.c.mkdir(w.d, "empty" + tag)
    here = lambda name: opaque(w.d) + opaque(name + tag)
    return (("CREATE unchecked", 8, here("cu") + u32(UNCHECKED) + c.sattr(mode=0o600)), ("CREATE guarded", 8, here("cg") + u32(GUARDED) + c.sattr(mode=0o600)),
            ("CREATE exclusive", 8, here("cx") + u32(EXCLUSIVE) + b"verifier"), ("MKDIR", 9, here("md") + c.sattr(mode=0o700)),
            ("SYMLINK", 10, here("sl") + c.sattr() + opaque("target")), ("MKNOD", 11, here("mn") + u32(FIFO) + c.sattr(mode=0o600)),
            ("LINK", 15, opaque(fh) + here("ln")), ("REMOVE", 12, here("gone")), ("RMDIR", 13, here("empty")),
            ("RENAME", 14, here("from") + here("to")), ("SETATTR", 2, opaque(fh) + c.sattr(mode=0o640) + u32(0)))


def result(c, proc, args, xid):
    data = c.call(100003, 3, proc, args, xid).data
    return data[24:]


def check_retransmission(w):
    for i, (what, proc, args) in enumerate(calls(w, w.c, "")):
        first = result(w.c, proc, args, 0x10000 + i)
        eq(first[:4], u32(0), what)
        eq(result(w.c, proc, args, 0x10000 + i), first, what + " again")
        again = Client(port=w.port)
        eq(result(again, proc, args, 0x10000 + i), first, what + " over a new connection")
        if what not in ("CREATE unchecked", "CREATE exclusive", "SETATTR"):
            true(result(w.c, proc, args, 0x20000 + i)[:4] in (u32(EXIST), u32(NOENT)), what + " with another xid is another call")


def check_retransmission_of_failures(w):
    w.file("exists")
    args = opaque(w.d) + opaque("exists") + u32(GUARDED) + w.c.sattr()
    first = result(w.c, 8, args, 0x30000)
    eq(first[:4], u32(EXIST), "CREATE")
    status(w.c.remove(w.d, "exists"), OK, "REMOVE")
    eq(result(w.c, 8, args, 0x30000), first, "the same answer, although it would succeed now")


def check_same_xid_is_not_enough(w):
    args = lambda name: opaque(w.d) + opaque(name) + w.c.sattr(mode=0o755)
    eq(result(w.c, 9, args("one"), 0x40000)[:4], u32(0), "MKDIR")
    eq(result(w.c, 9, args("two"), 0x40000)[:4], u32(0), "MKDIR of another name")
    other = w.client(source="127.0.0.8")
    eq(result(other, 9, args("one"), 0x40000)[:4], u32(EXIST), "MKDIR by another client")
    eq(sorted(w.c.list(w.d)), [b"one", b"two"], "names")


def check_sent_twice_at_once(w):
    """Both before the first answer: it is done once, and answered as done."""
    c = w.c
    for i, (what, proc, args) in enumerate(calls(w, c, "!")):
        c.send(100003, 3, proc, args, 0x50000 + i)
        c.send(100003, 3, proc, args, 0x50000 + i)
        answers = [c.record()[4:]]
        c.sock.settimeout(0.1)
        try:
            answers.append(c.record()[4:])
        except OSError:
            pass            # the duplicate may be dropped while the first is at work
        c.connect()
        true(all(a[20:24] == u32(0) for a in answers), "%s sent twice at once: %s" % (what, [a[20:24] for a in answers]))


def check_retransmission_after_the_gateway_was_killed(w):
    c = w.c
    todo = [call for call in calls(w, c, "+") if call[0] not in ("REMOVE", "RMDIR", "RENAME")]
    first = {}
    for i, (what, proc, args) in enumerate(todo):
        u = c.call(100003, 3, proc, args, 0x60000 + i)
        eq(u.u32(), OK, what)
        first[what] = u.post_fh() if proc in (8, 9, 10, 11) else None
    inodes = len(w.c.list(w.d))
    time.sleep(0.15)        # a client needs longer than that to come back
    w.ask("restart_gateway")
    w.reconnect()
    for i, (what, proc, args) in enumerate(todo):
        u = c.call(100003, 3, proc, args, 0x60000 + i)
        got = u.u32()
        true(got == OK, "%s again after the gateway was killed: %s" % (what, NAMES.get(got, got)))
        if got == OK and first[what]:
            eq(u.post_fh(), first[what], what + ": the same object")
    for i, (what, proc, args) in enumerate(todo):
        if what not in ("CREATE unchecked", "CREATE exclusive", "LINK", "SETATTR"):
            eq(result(c, proc, args, 0x70000 + i)[:4], u32(EXIST), what + " with another xid afterwards")
    eq(len(w.c.list(w.d)), inodes, "number of names")
    eq(w.attr(w.c.lookup(w.d, "base")["fh"])["nlink"], 2, "nlink of what was linked")
