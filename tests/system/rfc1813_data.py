"""rfc1813_data.py: READ, WRITE, COMMIT and READLINK."""
from rfc1813 import *

import threading


def check_read_and_eof(w):
    fh = w.file(data=b"0123456789")
    for offset, count, data, eof in ((0, 10, b"0123456789", True), (0, 9, b"012345678", False), (0, 100, b"0123456789", True),
                                     (5, 5, b"56789", True), (9, 1, b"9", True), (10, 1, b"", True), (11, 5, b"", True), (1 << 40, 5, b"", True)):
        res = status(w.c.read(fh, offset, count), OK, "READ %d+%d" % (offset, count))
        eq((res["count"], res["data"], res["eof"]), (len(data), data, eof), "READ %d+%d" % (offset, count))
        true(res["attr"] and res["attr"]["size"] == 10, "attributes")


def check_read_nothing(w):
    fh = w.file(data=b"0123456789")
    res = status(w.c.read(fh, 3, 0), OK, "READ of 0 bytes")
    eq((res["count"], res["data"], res["eof"]), (0, b"", False), "READ of 0 bytes")
    eq(w.c.read(fh, 10, 0)["eof"], True, "READ of 0 bytes at the end")
    status(w.other.setattr(fh, mode=0), (PERM, ACCES), "chmod")
    secret = w.file("secret", b"x", mode=0o600)
    status(w.other.read(secret, 0, 0), ACCES, "READ of 0 bytes without permission")


def check_read_huge_offsets(w):
    fh = w.file(data=b"x")
    for offset in ((1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 63) - 10):
        res = status(w.c.read(fh, offset, 4096), OK, "READ at %#x" % offset)
        if res["status"] == 0:
            eq((res["count"], res["eof"]), (0, True), "READ at %#x" % offset)


def check_read_more_than_rtmax(w):
    data = os.urandom(1 << 20)
    fh = w.file(data=data)
    status(w.c.write(fh, 1 << 20, b"tail"), OK, "WRITE")
    for count in ((1 << 20) + 1, 0xffffffff):
        res = status(w.c.read(fh, 0, count), OK, "READ of %#x" % count)
        n = res["count"]
        true(0 < n <= (1 << 20) + 4 and res["data"] == (data + b"tail")[:n] and res["eof"] == (n == (1 << 20) + 4), "READ of %#x" % count)


def check_read_of_others(w):
    status(w.c.read(w.d, 0, 10), (INVAL, ISDIR), "READ of a directory")
    link = w.c.symlink(w.d, "l", "there")["fh"]
    status(w.c.read(link, 0, 10), INVAL, "READ of a symlink")
    fifo = w.c.mknod(w.d, "fifo", FIFO, mode=0o666)["fh"]
    res = status(w.c.read(fifo, 0, 10), INVAL, "READ of a fifo")
    status(w.c.write(fifo, 0, b"x"), INVAL, "WRITE to a fifo")
    true(res["attr"], "attributes on an error")


def check_read_holes(w):
    fh = w.file()
    status(w.c.write(fh, 1 << 32, b"end"), OK, "WRITE beyond 4 GiB")
    eq(w.c.read(fh, (1 << 32) - 5, 100)["data"], b"\0" * 5 + b"end", "the end")
    eq(w.c.read(fh, 1 << 20, 4096)["data"], bytes(4096), "a hole")
    a = w.attr(fh)
    eq(a["size"], (1 << 32) + 3, "size")
    true(a["used"] < 1 << 20, "used")


def check_read_permission(w):
    fh = w.file(data=b"text", client=w.user, mode=0o600)
    status(w.other.read(fh, 0, 10), ACCES, "READ by another")
    for mode, who, want in ((0, w.user, OK), (0o400, w.user, OK), (0o200, w.user, OK), (0o711, w.other, OK), (0o710, w.client(7, 1000), OK),
                            (0o610, w.client(7, 7, (1000,)), OK), (0o710, w.other, ACCES), (0o722, w.other, ACCES), (0, w.c, OK)):
        status(w.c.setattr(fh, mode=mode), OK, "chmod")
        res = status(who.read(fh, 0, 10), want, "READ of mode %03o by %s" % (mode, who.cred))
        if want == OK and res["status"] == OK:
            eq(res["data"], b"text", "data")


def check_write_permission(w):
    fh = w.file(client=w.user, mode=0o644)
    for mode, who, want in ((0o644, w.other, ACCES), (0, w.user, OK), (0o400, w.user, OK), (0o444, w.user, OK), (0o666, w.other, OK),
                            (0o060, w.other, ACCES), (0o060, w.client(7, 1000), OK), (0o060, w.client(7, 7, (1000,)), OK),
                            (0o777 & ~0o222, w.other, ACCES), (0, w.c, OK)):
        status(w.c.setattr(fh, mode=mode), OK, "chmod")
        res = status(who.write(fh, 0, b"x"), want, "WRITE to mode %03o by %s" % (mode, who.cred))
        true(res["wcc"]["after"], "after, mode %03o by %s" % (mode, who.cred))
        status(who.setattr(fh, size=1), want, "truncation of mode %03o by %s" % (mode, who.cred))


def check_write_and_wcc(w):
    fh = w.file(data=b"0123456789")
    before = w.attr(fh)
    res = status(w.c.write(fh, 5, b"xxxxxxxxxx"), OK, "WRITE")
    eq(res["count"], 10, "count")
    after = res["wcc"]["after"]
    eq(after and after["size"], 15, "size after")
    true(after["mtime"] > before["mtime"] and after["ctime"] > before["ctime"], "times moved")
    pre = res["wcc"]["before"]
    if pre:
        eq((pre["size"], pre["mtime"], pre["ctime"]), (10, before["mtime"], before["ctime"]), "before")
    eq(w.c.read(fh, 0, 100)["data"], b"01234xxxxxxxxxx", "data")
    eq(w.attr(fh), after, "attributes agree with the reply")


def check_write_stability_levels(w):
    fh = w.file()
    verifiers = set()
    for stable in (UNSTABLE, DATA_SYNC, FILE_SYNC):
        res = status(w.c.write(fh, 0, b"x", stable), OK, "WRITE %d" % stable)
        true(stable <= res["committed"] <= FILE_SYNC, "committed is at least what was asked for (%d)" % stable)
        verifiers.add(res["verf"])
    for args in ((0, 0), (0, 1), (1, 0), (100, 100), ((1 << 63) - 1, 1), ((1 << 64) - 1, 0)):
        res = status(w.c.commit(fh, *args), OK, "COMMIT %s" % (args,))
        verifiers.add(res["verf"])
        true(res["wcc"]["after"], "after in COMMIT")
    eq(len(verifiers), 1, "number of verifiers")
    try:
        status(w.c.write(fh, 0, b"x", 3), INVAL, "stability 3")
    except RuntimeError as e:
        eq(e.args[0], ("accept_stat", 4), "stability 3")


def check_write_nothing(w):
    fh = w.file(data=b"abc")
    before = w.attr(fh)
    res = status(w.c.write(fh, 100, b""), OK, "WRITE of 0 bytes")
    eq(res.get("count"), 0, "count")
    eq((w.attr(fh)["size"], w.attr(fh)["mtime"]), (3, before["mtime"]), "size and mtime")
    status(w.other.write(fh, 0, b""), ACCES, "WRITE of 0 bytes without permission")


def check_write_sizes(w):
    fh = w.file()
    data = os.urandom((1 << 20) + 4096)
    res = status(w.c.write(fh, 0, data[:1 << 20]), OK, "WRITE of wtmax")
    eq(res["count"], 1 << 20, "count")
    res = status(w.c.write(fh, 1, data), (OK, INVAL), "WRITE of more than wtmax")
    if res["status"] == 0:
        eq(w.attr(fh)["size"], 1 + res["count"], "what the count says is written")
        eq(w.c.read(fh, 1, 1 << 20)["data"], data[:min(res["count"], 1 << 20)], "data")
    w.c.connect()


def check_write_count_and_data_differ(w):
    for count, data, want in ((2, b"abcd", b"ab"), (10, b"abcd", b"")):
        fh = w.file("f%d" % count)
        try:
            u = w.c.nfs(7, opaque(fh) + u64(0) + u32(count) + u32(2) + opaque(data))
            result = u.u32()
            true(result in (OK, INVAL), "count %d with %d bytes: %d" % (count, len(data), result))
            w.c.last = None
        except RuntimeError as e:
            eq(e.args[0], ("accept_stat", 4), "refusal")
        true(w.c.read(fh, 0, 100)["data"] in (b"", want), "nothing but the data is written")


def check_write_huge_offsets(w):
    fh = w.file(data=b"x")
    for offset in ((1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 63) - 3):
        res = status(w.c.write(fh, offset, b"12345"), (FBIG, INVAL), "WRITE at %#x" % offset)
        true(res["wcc"]["after"], "after at %#x" % offset)
    eq(w.attr(fh)["size"], 1, "size")


def check_write_to_others(w):
    status(w.c.write(w.d, 0, b"x"), (INVAL, ISDIR), "WRITE to a directory")
    link = w.c.symlink(w.d, "l", "there")["fh"]
    status(w.c.write(link, 0, b"x"), INVAL, "WRITE to a symlink")
    status(w.c.commit(w.d), (OK, INVAL, ISDIR), "COMMIT of a directory")


def check_reading_does_not_change(w):
    fh = w.file(data=b"x" * 1000)
    before = w.attr(fh)
    w.c.read(fh, 0, 1000)
    after = w.attr(fh)
    eq((after["mtime"], after["ctime"]), (before["mtime"], before["ctime"]), "times")


def check_readlink(w):
    for i, target in enumerate((b"t", b"/absolute/../path", b"\xff\xfe\x80", b"x" * 1023, b"a b\nc")):
        made = status(w.c.symlink(w.d, "l%d" % i, target), OK, "SYMLINK to %r" % target[:20])
        res = status(w.c.readlink(made["fh"]), OK, "READLINK")
        eq(res["target"], target, "target")
        eq(res["attr"] and (res["attr"]["type"], res["attr"]["size"]), (LNK, len(target)), "attributes")


def check_readlink_of_others(w):
    for what, fh in (("a file", w.file()), ("a directory", w.d), ("a fifo", w.c.mknod(w.d, "p", FIFO)["fh"])):
        res = status(w.c.readlink(fh), INVAL, "READLINK of " + what)
        true(res["attr"], "attributes on an error")


def at_once(w, n, each):
    """each(client, i) from n threads with a connection each; what they returned."""
    results, failed = [], []

    def work(k):
        try:
            client = Client(port=w.port)
            for i in range(20):
                results.append(each(client, k * 100 + i))
        except Exception as e:
            failed.append(repr(e))
    threads = [threading.Thread(target=work, args=(k,)) for k in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failed, [], "failures of the threads")
    return results


def nothing_in_between(results, what):
    """"before" is only told when the change was atomic: no other change then lies between before and after."""
    afters = [r["wcc"]["after"]["ctime"] for r in results]
    for r in results:
        before, after = r["wcc"]["before"], r["wcc"]["after"]["ctime"]
        if before:
            between = [t for t in afters if before["ctime"] < t < after]
            true(not between, "%s: %d changes of others lie between before and after" % (what, len(between)))
            if between:
                break


def check_before_is_atomic(w):
    fh = w.file()
    nothing_in_between(at_once(w, 4, lambda c, i: status(c.write(fh, i * 10, b"x" * 10, UNSTABLE), OK, "WRITE")), "WRITE")
    nothing_in_between(at_once(w, 4, lambda c, i: status(c.setattr(fh, size=i), OK, "SETATTR")), "SETATTR of the size")
    nothing_in_between(at_once(w, 4, lambda c, i: status(c.setattr(fh, mode=i & 0o777), OK, "SETATTR")), "SETATTR of the mode")
    sub = w.dir()
    nothing_in_between(at_once(w, 4, lambda c, i: status(c.create(sub, "c%d" % i, GUARDED), OK, "CREATE")), "CREATE")
    nothing_in_between(at_once(w, 4, lambda c, i: status(c.remove(sub, "c%d" % i), OK, "REMOVE")), "REMOVE")
    eq(w.c.list(sub), [], "names")
