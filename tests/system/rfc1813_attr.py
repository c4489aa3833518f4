"""rfc1813_attr.py: NULL, GETATTR, SETATTR, ACCESS, FSSTAT, FSINFO and PATHCONF."""
from rfc1813 import *


def check_null(w):
    u = w.c.nfs(0, b"")
    eq(len(u.data) - u.at, 0, "NULL's result")


def check_getattr_of_a_new_file(w):
    fh = w.file(data=b"hello", mode=0o640)
    a = w.attr(fh)
    eq((a["type"], a["mode"], a["nlink"], a["uid"], a["gid"], a["size"]), (REG, 0o640, 1, 0, 0, 5), "attributes")
    d = w.attr(w.d)
    eq(d["type"], DIR, "type of a directory")
    eq(d["fsid"], a["fsid"], "one fsid")
    true(a["fileid"] != d["fileid"] and a["fileid"] > 0, "file ids are unique")
    eq(w.c.lookup(w.d, "f")["attr"], w.attr(fh), "LOOKUP and GETATTR agree")


def check_nlink_of_directories(w):
    before = w.attr(w.d)["nlink"]
    w.dir("a")
    true(before in (1, 2) and w.attr(w.d)["nlink"] in (1, before + 1), "nlink of a directory counts subdirectories, or is constant")


def check_setattr_mode(w):
    fh = w.file()
    status(w.c.setattr(fh, mode=0o100604), OK, "mode with type bits")
    eq(w.attr(fh)["mode"], 0o604, "mode has no type bits")
    for mode in (0, 0o6777, 0o5777, 0o4711, 0o1777):
        res = status(w.c.setattr(fh, mode=mode), OK, "mode %o" % mode)
        eq(res["wcc"]["after"]["mode"], mode, "mode in the reply")
        eq(w.attr(fh)["mode"], mode, "mode")


def check_setattr_changes_ctime_and_tells_before(w):
    fh = w.file()
    before = w.attr(fh)
    res = status(w.c.setattr(fh, mode=0o600), OK, "SETATTR")
    after = res["wcc"]["after"]
    true(after and after["ctime"] > before["ctime"], "ctime moved")
    eq(after["mtime"], before["mtime"], "mtime")
    pre = res["wcc"]["before"]
    if pre:
        eq((pre["size"], pre["mtime"], pre["ctime"]), (before["size"], before["mtime"], before["ctime"]), "before")
    eq(w.attr(fh), after, "after")


def check_setattr_nothing(w):
    fh = w.file(mode=0o640)
    res = status(w.c.setattr(fh), OK, "an empty sattr3")
    eq(res["wcc"]["after"]["mode"], 0o640, "mode")


def check_setattr_guard(w):
    fh = w.file()
    ctime = w.attr(fh)["ctime"]
    res = status(w.c.setattr(fh, guard=(ctime[0], ctime[1] ^ 1), mode=0o600), NOT_SYNC, "wrong guard, nanoseconds")
    true(res["wcc"]["after"], "after on NOT_SYNC")
    status(w.c.setattr(fh, guard=(ctime[0] + 1, ctime[1]), mode=0o600), NOT_SYNC, "wrong guard, seconds")
    eq(w.attr(fh)["mode"], 0o644, "mode after a failed guard")
    status(w.c.setattr(fh, guard=ctime, mode=0o600), OK, "right guard")
    status(w.c.setattr(fh, guard=ctime, mode=0o644), NOT_SYNC, "the same guard again")
    status(w.c.setattr(fh, guard=ctime, size=100), NOT_SYNC, "guarded truncation")
    eq(w.attr(fh)["size"], 0, "size after a failed guard")


def check_setattr_size(w):
    fh = w.file(data=b"0123456789")
    for size in (4, 8, 0, 1 << 33):
        before = w.attr(fh)
        res = status(w.c.setattr(fh, size=size), OK, "size %d" % size)
        eq(res["wcc"]["after"]["size"], size, "size in the reply")
        true(res["wcc"]["after"]["mtime"] > before["mtime"], "mtime moves with the size")
        if size == 8:
            eq(w.c.read(fh, 0, 100)["data"], b"0123\0\0\0\0", "what was cut is zero when it comes back")
    true(w.attr(fh)["used"] < 1 << 20, "a sparse file uses little")


def check_setattr_size_of_others(w):
    status(w.c.setattr(w.d, size=0), (ISDIR, INVAL), "size of a directory")
    link = w.c.symlink(w.d, "l", "there")["fh"]
    status(w.c.setattr(link, size=0), INVAL, "size of a symlink")


def check_setattr_huge_sizes(w):
    fh = w.file()
    for size in (1 << 63, (1 << 64) - 1):
        status(w.c.setattr(fh, size=size), (FBIG, INVAL), "size %#x" % size)
    true(w.c.setattr(fh, size=(1 << 63) - 1)["status"] in (OK, FBIG, INVAL), "size 2^63-1")
    status(w.c.getattr(fh), OK, "the file afterwards")


def check_times_from_the_client(w):
    fh = w.file()
    status(w.c.setattr(fh, atime=(1, 2), mtime=(4000000000, 999999999)), OK, "client's times")
    a = w.attr(fh)
    eq((a["atime"], a["mtime"]), ((1, 2), (4000000000, 999999999)), "times")
    status(w.c.setattr(fh, mtime=(5, 6)), OK, "mtime alone")
    a = w.attr(fh)
    eq((a["atime"], a["mtime"]), ((1, 2), (5, 6)), "atime stays")
    status(w.c.setattr(fh, atime=(7, 8)), OK, "atime alone")
    a = w.attr(fh)
    eq((a["atime"], a["mtime"]), ((7, 8), (5, 6)), "mtime stays")
    true(w.c.setattr(fh, mtime=(1, 1000000000))["status"] in (OK, INVAL), "nanoseconds beyond a second")
    true(w.attr(fh)["mtime"][1] < 1000000000, "nanoseconds stay below a second")


def check_times_from_the_server(w):
    fh = w.file()
    status(w.c.setattr(fh, atime=(1, 2), mtime=(3, 4)), OK, "client's times")
    status(w.c.setattr(fh, atime="now", mtime="now"), OK, "server's times")
    a = w.attr(fh)
    for which in ("atime", "mtime"):
        true(abs(a[which][0] - time.time()) < 60, "%s is now" % which)


def check_times_of_directories_and_symlinks(w):
    link = w.c.symlink(w.d, "l", "there")["fh"]
    sub = w.dir()
    for fh in (link, sub):
        status(w.c.setattr(fh, mtime=(5, 6), atime=(7, 8)), OK, "times")
        a = w.attr(fh)
        eq((a["mtime"], a["atime"]), ((5, 6), (7, 8)), "times")
    eq(w.c.readlink(link)["target"], b"there", "the link")


def check_times_by_others(w):
    fh = w.file(client=w.user, mode=0o666)
    status(w.other.setattr(fh, mtime=(1, 1), atime=(1, 1)), (PERM, ACCES), "client's times by a non-owner who may write")
    status(w.other.setattr(fh, mtime="now", atime="now"), OK, "server's times by a non-owner who may write")
    status(w.user.setattr(fh, mode=0o444), OK, "chmod")
    status(w.other.setattr(fh, mtime="now", atime="now"), (ACCES, PERM), "server's times by a non-owner who may not write")
    status(w.user.setattr(fh, mtime="now", atime="now"), OK, "server's times by the owner of a read-only file")
    status(w.user.setattr(fh, mtime=(3, 3)), OK, "client's time by the owner of a read-only file")


def check_chmod_by_others(w):
    fh = w.file(client=w.user, mode=0o666)
    res = status(w.other.setattr(fh, mode=0o777), PERM, "chmod by a non-owner")
    true(res["wcc"]["after"], "after on PERM")
    eq(w.attr(fh)["mode"], 0o666, "mode")
    status(w.user.setattr(fh, mode=0o700), OK, "chmod by the owner")


def check_chown_rules(w):
    fh = w.file(client=w.user)
    member = w.client(1000, 1000, (2000, 2001))
    status(w.user.setattr(fh, uid=1001), PERM, "giving a file away")
    status(w.user.setattr(fh, gid=2000), PERM, "to a group one is not in")
    status(member.setattr(fh, gid=2000), OK, "to a supplementary group")
    eq(w.attr(fh)["gid"], 2000, "group")
    status(w.user.setattr(fh, uid=1000), OK, "to oneself")
    status(w.other.setattr(fh, uid=1001), PERM, "taking a file")
    for who in (w.c, w.user):
        status(who.setattr(fh, uid=0xffffffff), INVAL, "to nobody's id")
        status(who.setattr(fh, gid=0xffffffff), INVAL, "to no group's id")
    status(w.other.setattr(fh, gid=1001), PERM, "taking a file's group")
    status(w.c.setattr(fh, uid=1001, gid=7), OK, "by root")
    eq((w.attr(fh)["uid"], w.attr(fh)["gid"]), (1001, 7), "owner")


def check_setgid_needs_membership(w):
    fh = w.file(client=w.user)
    status(w.c.setattr(fh, gid=3000), OK, "to a group that the owner is not in")
    status(w.user.setattr(fh, mode=0o2755), (OK, PERM), "set-gid by one who is not in the group")
    eq(w.attr(fh)["mode"] & 0o2000, 0, "set-gid")
    status(w.client(1000, 1000, (3000,)).setattr(fh, mode=0o2755), OK, "set-gid by a member")
    eq(w.attr(fh)["mode"], 0o2755, "mode")


def check_set_id_cleared(w):
    def with_set_id(name):
        fh = w.file(name, b"data", w.user, mode=0o666)
        status(w.user.setattr(fh, mode=0o6777), OK, "set-id")
        eq(w.attr(fh)["mode"], 0o6777, "mode")
        return fh
    fh = with_set_id("write")
    wrote = status(w.other.write(fh, 0, b"evil"), OK, "write")
    eq(w.attr(fh)["mode"], 0o777, "after a write by another")
    eq(wrote["wcc"]["after"]["mode"], 0o777, "in the write's reply")
    fh = with_set_id("owner")
    status(w.user.write(fh, 0, b"more"), OK, "write")
    eq(w.attr(fh)["mode"], 0o777, "after a write by the owner")
    fh = with_set_id("truncate")
    status(w.other.setattr(fh, size=1), OK, "truncate")
    eq(w.attr(fh)["mode"], 0o777, "after a truncation by another")
    fh = with_set_id("chgrp")
    status(w.client(1000, 1000, (2000,)).setattr(fh, gid=2000), OK, "chgrp")
    eq(w.attr(fh)["mode"], 0o777, "after a chgrp by the owner")
    fh = with_set_id("read")
    status(w.other.read(fh, 0, 10), OK, "read")
    eq(w.attr(fh)["mode"], 0o6777, "after a read")


def check_set_id_with_chown_in_one_call(w):
    fh = w.file(client=w.user)
    status(w.c.setattr(fh, uid=1001, gid=1001, mode=0o4755), OK, "root sets owner and set-id at once")
    eq((w.attr(fh)["mode"], w.attr(fh)["uid"]), (0o4755, 1001), "the mode asked for wins")


FILE_BITS = READ | MODIFY | EXTEND


def check_access_of_files(w):
    fh = w.file(client=w.user, mode=0o640)
    for client, want in ((w.user, FILE_BITS), (w.client(7, 1000), READ), (w.client(7, 7, (5, 1000)), READ), (w.other, 0), (w.c, FILE_BITS)):
        res = status(client.access(fh), OK, "ACCESS")
        eq(res["access"], want, "bits of %s" % (client.cred,))
        true(res["attr"], "attributes")
    status(w.c.setattr(fh, mode=0o751), OK, "chmod")
    for client, want in ((w.user, FILE_BITS | EXECUTE), (w.client(7, 1000), READ | EXECUTE), (w.other, EXECUTE), (w.c, FILE_BITS | EXECUTE)):
        eq(client.access(fh)["access"] & ~(LOOKUP | DELETE), want, "bits of %s, 0751" % (client.cred,))
    status(w.c.setattr(fh, mode=0o077), OK, "chmod")
    eq(w.client(1000, 1000).access(fh)["access"] & (READ | EXECUTE), 0, "the owner's bits count for the owner")


def check_access_of_directories(w):
    fh = w.dir(client=w.user, mode=0o750)
    full = READ | LOOKUP | MODIFY | EXTEND | DELETE
    for client, want in ((w.user, full), (w.client(7, 1000), READ | LOOKUP), (w.client(7, 7, (1000,)), READ | LOOKUP), (w.other, 0), (w.c, full)):
        eq(client.access(fh)["access"] & ~EXECUTE, want, "bits of %s" % (client.cred,))
    status(w.c.setattr(fh, mode=0o733), OK, "chmod")
    eq(w.other.access(fh)["access"] & ~EXECUTE, LOOKUP | MODIFY | EXTEND | DELETE, "0733 to others")
    status(w.c.setattr(fh, mode=0o766), OK, "chmod")
    eq(w.other.access(fh)["access"] & (LOOKUP | EXECUTE), 0, "LOOKUP needs x")


def check_access_answers_what_was_asked(w):
    fh = w.file(mode=0o777)
    for mask in (0, READ, MODIFY, READ | EXECUTE, EXTEND):
        eq(w.c.access(fh, mask)["access"], mask, "mask %#x" % mask)
    eq(w.c.access(fh, 0xffffffff)["access"] & ~0x3f, 0, "bits that nobody defined")


def check_access_of_a_symlink(w):
    link = w.c.symlink(w.d, "l", "there")["fh"]
    res = status(w.user.access(link), OK, "ACCESS")
    true(res["access"] & READ, "anybody reads a symlink")


def check_directory_search_permission(w):
    sub = w.dir("sub", w.user, mode=0o700)
    made = w.user.create(sub, "f", GUARDED, mode=0o666)
    status(made, OK, "CREATE by the owner")
    status(w.other.lookup(sub, "f"), ACCES, "LOOKUP without x")
    status(w.other.create(sub, "g", GUARDED, mode=0o666), ACCES, "CREATE without w")
    status(w.other.remove(sub, "f"), ACCES, "REMOVE without w")
    status(w.other.readdir(sub), ACCES, "READDIR without r")
    status(w.other.readdirplus(sub), ACCES, "READDIRPLUS without r")
    status(w.other.rename(sub, "f", w.d, "f"), ACCES, "RENAME out of it")
    status(w.other.link(made["fh"], sub, "h"), (ACCES, PERM), "LINK into it")
    status(w.c.setattr(sub, mode=0o711), OK, "chmod")
    status(w.other.lookup(sub, "f"), OK, "LOOKUP with x")
    status(w.other.mkdir(sub, "m", mode=0o777), ACCES, "MKDIR without w")
    status(w.other.symlink(sub, "s", "t"), ACCES, "SYMLINK without w")
    status(w.other.mknod(sub, "p", FIFO), ACCES, "MKNOD without w")


def check_fsstat(w):
    fh = w.file(data=b"x")
    for what, handle in (("the root", w.top), ("a directory", w.d), ("a file", fh)):
        res = status(w.c.fsstat(handle), OK, "FSSTAT of " + what)
        true(res["attr"], "attributes of " + what)
        true(res["tbytes"] >= res["fbytes"] >= res["abytes"] > 0, "bytes of " + what)
        true(res["tfiles"] >= res["ffiles"] >= res["afiles"] > 0, "files of " + what)


def check_fsinfo(w):
    for handle in (w.top, w.file()):
        res = status(w.c.fsinfo(handle), OK, "FSINFO")
        true(res["attr"], "attributes")
        eq((res["rtmax"], res["wtmax"]), (1 << 20, 1 << 20), "rtmax and wtmax")
        true(0 < res["rtpref"] <= res["rtmax"] and 0 < res["wtpref"] <= res["wtmax"] and res["dtpref"] >= 4096, "preferred sizes")
        true(res["rtmult"] and res["wtmult"], "multiples")
        eq(res["properties"] & 0x1b, 0x1b, "links, symlinks, homogeneous, can set time")
        true(res["maxfilesize"] >= 1 << 40, "maximal size")
        eq(res["time_delta"], (0, 1), "granularity of times")


def check_pathconf(w):
    res = status(w.c.pathconf(w.file()), OK, "PATHCONF")
    true(res["attr"], "attributes")
    eq((res["name_max"], res["no_trunc"], res["chown_restricted"], res["case_insensitive"], res["case_preserving"]), (255, 1, 1, 0, 1), "values")
    true(res["linkmax"] > 1, "linkmax")
