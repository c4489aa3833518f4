"""rfc1813_make.py: CREATE in its three modes, MKDIR, SYMLINK and MKNOD."""
from rfc1813 import *


def made_well(w, res, what, before=None):
    status(res, OK, what)
    true(res.get("fh") and res.get("attr"), what + ": handle and attributes")
    after = res["wcc"]["after"]
    true(after, what + ": after")
    if before:
        true(after["mtime"] > before["mtime"] and after["ctime"] > before["ctime"], what + ": the directory's times")
        pre = res["wcc"]["before"]
        if pre:
            eq((pre["mtime"], pre["ctime"]), (before["mtime"], before["ctime"]), what + ": before")
    if res.get("fh"):
        eq(w.attr(res["fh"]), res["attr"], what + ": GETATTR agrees")
    return res


def check_every_maker(w):
    for what, call, kind in (("CREATE", lambda: w.user.create(w.d, "c", GUARDED, mode=0o4640), REG), ("MKDIR", lambda: w.user.mkdir(w.d, "d", mode=0o711), DIR),
                             ("SYMLINK", lambda: w.user.symlink(w.d, "s", "there"), LNK), ("MKNOD", lambda: w.user.mknod(w.d, "p", FIFO, mode=0o600), FIFO)):
        before = w.attr(w.d)
        res = made_well(w, call(), what, before)
        a = res["attr"]
        eq((a["type"], a["uid"], a["gid"]), (kind, 1000, 1000), what + ": type and owner")
        if what != "SYMLINK":
            eq(a["mode"], {"CREATE": 0o4640, "MKDIR": 0o711, "MKNOD": 0o600}[what], what + ": mode")
        eq(a["nlink"] >= 1, True, what + ": nlink")
        res = status(call(), EXIST, what + " again")
        true(res["wcc"]["after"], what + ": after on EXIST")
    eq(w.attr(w.d)["mode"], 0o777, "the directory's own mode")


def check_initial_attributes(w):
    made = made_well(w, w.c.create(w.d, "f", GUARDED, mode=0o600, uid=1000, gid=2000, size=100, atime=(1, 2), mtime=(3, 4)), "CREATE")
    a = made["attr"]
    eq((a["mode"], a["uid"], a["gid"], a["size"], a["atime"], a["mtime"]), (0o600, 1000, 2000, 100, (1, 2), (3, 4)), "CREATE's attributes")
    a = made_well(w, w.c.mkdir(w.d, "d", mode=0o710, uid=1000, gid=2000, mtime=(3, 4)), "MKDIR")["attr"]
    eq((a["mode"], a["uid"], a["gid"], a["mtime"]), (0o710, 1000, 2000, (3, 4)), "MKDIR's attributes")
    a = made_well(w, w.c.symlink(w.d, "s", "t", uid=1000, gid=2000), "SYMLINK")["attr"]
    eq((a["uid"], a["gid"]), (1000, 2000), "SYMLINK's attributes")
    a = made_well(w, w.c.mknod(w.d, "n", FIFO, mode=0o600, uid=1000, gid=2000), "MKNOD")["attr"]
    eq((a["mode"], a["uid"], a["gid"]), (0o600, 1000, 2000), "MKNOD's attributes")
    a = made_well(w, w.user.create(w.d, "own", GUARDED, mode=0o600, uid=1000, gid=1000), "CREATE with one's own ids")["attr"]
    eq((a["uid"], a["gid"]), (1000, 1000), "own ids")


def check_foreign_owner_is_refused(w):
    for what, call in (("CREATE", lambda: w.user.create(w.d, "c", GUARDED, mode=0o600, uid=0)), ("MKDIR", lambda: w.user.mkdir(w.d, "d", uid=0, mode=0o755)),
                       ("CREATE for a group", lambda: w.user.create(w.d, "e", GUARDED, mode=0o600, gid=0))):
        res = status(call(), (PERM, ACCES, OK), what)
        if res["status"] == OK:
            eq((res["attr"]["uid"], res["attr"]["gid"]), (1000, 1000), what + ": owner")


def check_set_gid_directories(w):
    sub = w.dir("g")
    status(w.c.setattr(sub, gid=2000), OK, "chgrp")
    status(w.c.setattr(sub, mode=0o2777), OK, "chmod")
    eq(w.user.create(sub, "f", GUARDED, mode=0o644)["attr"]["gid"], 2000, "a new file's group")
    a = w.user.mkdir(sub, "d", mode=0o755)["attr"]
    eq((a["gid"], a["mode"] & 0o2000), (2000, 0o2000), "a new directory's group and set-gid")
    eq(w.user.symlink(sub, "s", "t")["attr"]["gid"], 2000, "a new symlink's group")
    eq(w.user.mknod(sub, "n", FIFO)["attr"]["gid"], 2000, "a new fifo's group")


def check_unchecked_over_a_file(w):
    fh = w.file(data=b"0123456789", mode=0o640)
    res = made_well(w, w.c.create(w.d, "f", UNCHECKED, mode=0o777), "no size")
    eq((res["fh"], res["attr"]["size"]), (fh, 10), "without a size nothing is cut")
    res = made_well(w, w.c.create(w.d, "f", UNCHECKED, mode=0o777, size=0), "size 0")
    eq((res["fh"], res["attr"]["size"]), (fh, 0), "size 0 truncates")
    eq(w.attr(fh)["uid"], 0, "the owner stays")
    true(w.c.lookup(w.d, "f")["fh"] == fh, "the file is the same one")


def check_unchecked_over_anothers_file(w):
    fh = w.file(data=b"0123456789", client=w.user, mode=0o644)
    status(w.other.create(w.d, "f", UNCHECKED, mode=0o644, size=0), ACCES, "truncation without permission")
    eq((w.attr(fh)["size"], w.attr(fh)["mode"], w.attr(fh)["uid"]), (10, 0o644, 1000), "nothing changed")
    status(w.other.create(w.d, "f", UNCHECKED, mode=0o777), (OK, ACCES), "without a size")
    eq((w.attr(fh)["size"], w.attr(fh)["mode"], w.attr(fh)["uid"]), (10, 0o644, 1000), "nothing changed")
    status(w.user.setattr(fh, mode=0o444), OK, "chmod")
    status(w.user.create(w.d, "f", UNCHECKED, mode=0o644, size=0), OK, "truncation by the owner of a read-only file")


def check_unchecked_over_others(w):
    w.dir("d"), w.c.symlink(w.d, "s", "target"), w.c.mknod(w.d, "p", FIFO)
    for name in ("d", "s", "p"):
        status(w.c.create(w.d, name, UNCHECKED, mode=0o644, size=0), (EXIST, ISDIR, INVAL, OK), "over " + name)
        status(w.c.create(w.d, name, GUARDED, mode=0o644), EXIST, "guarded over " + name)
        status(w.c.create(w.d, name, EXCLUSIVE, b"12345678"), EXIST, "exclusive over " + name)
    eq([w.c.lookup(w.d, n)["attr"]["type"] for n in ("d", "s", "p")], [DIR, LNK, FIFO], "types")
    status(w.c.lookup(w.d, "target"), NOENT, "a symlink is not followed")


def check_exclusive(w):
    verf = bytes(range(0xf0, 0xf8))
    before = w.attr(w.d)
    made = made_well(w, w.c.create(w.d, "x", EXCLUSIVE, verf), "EXCLUSIVE", before)
    eq((made["attr"]["type"], made["attr"]["size"]), (REG, 0), "type and size")
    again = status(w.c.create(w.d, "x", EXCLUSIVE, verf), OK, "the same verifier")
    eq(again.get("fh"), made["fh"], "the same file")
    for i in range(8):
        for bit in (1, 0x80):
            wrong = verf[:i] + bytes([verf[i] ^ bit]) + verf[i + 1:]
            status(w.c.create(w.d, "x", EXCLUSIVE, wrong), EXIST, "verifier differs in bit %#x of byte %d" % (bit, i))
    eq(w.attr(made["fh"])["fileid"], made["attr"]["fileid"], "still there")
    status(w.c.setattr(made["fh"], mode=0o600, atime="now", mtime="now"), OK, "the client's SETATTR")
    a = w.attr(made["fh"])
    true(abs(a["mtime"][0] - time.time()) < 60 and abs(a["atime"][0] - time.time()) < 60, "times after it")


def check_exclusive_verifiers(w):
    for i, verf in enumerate((bytes(8), b"\xff" * 8, b"\0\0\0\1\x80\0\0\0", b"\x7f\xff\xff\xff\x3b\x9a\xca\0")):
        made = status(w.c.create(w.d, "x%d" % i, EXCLUSIVE, verf), OK, "verifier %r" % verf)
        eq(w.c.create(w.d, "x%d" % i, EXCLUSIVE, verf).get("fh"), made.get("fh"), "again %r" % verf)
        status(w.c.create(w.d, "x%d" % i, EXCLUSIVE, verf[:7] + bytes([verf[7] ^ 1])), EXIST, "another than %r" % verf)
    w.file()
    status(w.c.create(w.d, "f", EXCLUSIVE, bytes(8)), EXIST, "zero verifier over a file made otherwise")


def check_exclusive_by_a_user(w):
    made = status(w.user.create(w.d, "x", EXCLUSIVE, b"abcdefgh"), OK, "EXCLUSIVE")
    eq((made["attr"]["uid"], made["attr"]["gid"]), (1000, 1000), "owner")
    status(w.user.create(w.d, "x", EXCLUSIVE, b"abcdefgh"), OK, "again")
    status(w.user.setattr(made["fh"], mode=0o444, mtime="now", atime="now"), OK, "SETATTR after it")
    status(w.user.write(made["fh"], 0, b"x"), OK, "WRITE to the read-only file just made")


def check_create_modes_beyond(w):
    eq(refused_with(w.c.nfs, 8, opaque(w.d) + opaque("x") + u32(3) + w.c.sattr()), ("accept_stat", 4), "createmode3 3")


def check_mknod_types(w):
    for kind, rdev in ((CHR, (1, 3)), (BLK, (259, 1048575)), (SOCK, (0, 0)), (FIFO, (0, 0))):
        res = made_well(w, w.c.mknod(w.d, "n%d" % kind, kind, rdev, mode=0o620), "MKNOD %d" % kind)
        eq((res["attr"]["type"], res["attr"]["mode"]), (kind, 0o620), "type and mode")
        if kind in (CHR, BLK):
            eq(res["attr"]["rdev"], rdev, "device numbers")
        eq(w.c.lookup(w.d, "n%d" % kind)["attr"]["type"], kind, "type by LOOKUP")
        status(w.c.remove(w.d, "n%d" % kind), OK, "REMOVE")
    for kind in (REG, DIR, LNK):
        res = status(w.c.mknod(w.d, "bad", kind), BADTYPE, "MKNOD %d" % kind)
        true(res["wcc"]["after"], "after on BADTYPE")
    for kind in (0, 8, 0xffffffff):
        try:
            status(w.c.mknod(w.d, "bad", kind), BADTYPE, "MKNOD %d" % kind)
        except RuntimeError as e:
            eq(e.args[0], ("accept_stat", 4), "MKNOD %d" % kind)
    status(w.c.lookup(w.d, "bad"), NOENT, "nothing was made")


def check_mknod_by_a_user(w):
    for kind, want in ((CHR, (PERM, ACCES)), (BLK, (PERM, ACCES)), (SOCK, OK), (FIFO, OK)):
        status(w.user.mknod(w.d, "n%d" % kind, kind, (1, 3), mode=0o666), want, "MKNOD %d" % kind)


def check_symlink_targets(w):
    status(w.c.symlink(w.d, "zero", b""), (INVAL, NOENT, ACCES), "an empty target")
    status(w.c.symlink(w.d, "nul", b"a\0b"), (INVAL, ACCES), "a target with NUL")
    try:
        status(w.c.symlink(w.d, "long", b"x" * 5000), NAMETOOLONG, "a target of 5000 bytes")
    except RuntimeError as e:
        eq(e.args[0], ("accept_stat", 4), "a target of 5000 bytes")
    status(w.c.symlink(w.d, "most", b"x" * 4095), (OK, NAMETOOLONG), "a target of 4095 bytes")
    for name in ("zero", "nul", "long"):
        status(w.c.lookup(w.d, name), NOENT, name)
