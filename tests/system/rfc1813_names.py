"""rfc1813_names.py: names in every procedure that takes one, LOOKUP, REMOVE, RMDIR, RENAME and LINK, and handles of what is gone."""
from rfc1813 import *

LONGEST = b"n" * 255


def makers(w, name):
    """Every procedure that makes a name, as (what, call)."""
    fh = w.c.lookup(w.d, "f").get("fh") or w.file()
    w.c.create(w.d, "from", UNCHECKED, mode=0o644)
    return (("CREATE unchecked", lambda: w.c.create(w.d, name, UNCHECKED, mode=0o644)),
            ("CREATE guarded", lambda: w.c.create(w.d, name, GUARDED, mode=0o644)),
            ("CREATE exclusive", lambda: w.c.create(w.d, name, EXCLUSIVE, b"12345678")),
            ("MKDIR", lambda: w.c.mkdir(w.d, name, mode=0o755)),
            ("SYMLINK", lambda: w.c.symlink(w.d, name, "t")),
            ("MKNOD", lambda: w.c.mknod(w.d, name, FIFO, mode=0o644)),
            ("LINK", lambda: w.c.link(fh, w.d, name)),
            ("RENAME", lambda: w.c.rename(w.d, "from", w.d, name)))


def users(w, name):
    """Every procedure that looks for a name."""
    return (("LOOKUP", lambda: w.c.lookup(w.d, name)), ("REMOVE", lambda: w.c.remove(w.d, name)),
            ("RMDIR", lambda: w.c.rmdir(w.d, name)), ("RENAME from", lambda: w.c.rename(w.d, name, w.d, "to")))


def names_in(w, fh=None):
    return sorted(w.c.list(fh or w.d))


def check_forbidden_names(w):
    for name in (b"a/b", b"/", b"a\0b", b"\0", b"", b"../x"):
        for what, call in makers(w, name):
            status(call(), (INVAL, ACCES), "%s %r" % (what, name))
        for what, call in users(w, name):
            status(call(), (INVAL, ACCES, NOENT), "%s %r" % (what, name))
    eq(names_in(w), [b"f", b"from"], "names")


def check_dot_names(w):
    for name in (b".", b".."):
        for what, call in makers(w, name):
            status(call(), (EXIST, INVAL, ACCES, ISDIR, NOTEMPTY), "%s %r" % (what, name))
        for what, call in users(w, name)[1:]:
            status(call(), (EXIST, INVAL, ACCES, ISDIR, NOTEMPTY), "%s %r" % (what, name))
    eq(names_in(w), [b"f", b"from"], "names")


def check_too_long_names(w):
    for name in (b"x" * 256, b"x" * 1000):
        for what, call in makers(w, name) + users(w, name):
            status(call(), NAMETOOLONG, "%s of %d bytes" % (what, len(name)))
    try:        # a server may decode no more than it could ever use
        status(w.c.mkdir(w.d, b"x" * 100000), NAMETOOLONG, "MKDIR of 100000 bytes")
    except RuntimeError as e:
        eq(e.args[0], ("accept_stat", 4), "MKDIR of 100000 bytes")


def check_good_names(w):
    fh = w.file()
    for name in (LONGEST, b"\xff\xfe\x80", b"sp ace", b"new\nline", b"...", b"\\", b"\xc3\xa4", b"*", b"-rf", "\u00e4".encode("latin-1")):
        for i, (what, call) in enumerate(makers(w, name)):
            status(call(), OK, "%s %r" % (what, name[:20]))
            found = status(w.c.lookup(w.d, name), OK, "LOOKUP after %s %r" % (what, name[:20]))
            true(name in names_in(w), "%r is listed after %s" % (name[:20], what))
            remove = w.c.rmdir if what == "MKDIR" else w.c.remove
            status(remove(w.d, name), OK, "removal after %s %r" % (what, name[:20]))
            status(w.c.lookup(w.d, name), NOENT, "LOOKUP of what is removed")
            if found["status"] == OK and what != "LINK":
                status(w.c.getattr(found["fh"]), STALE, "GETATTR of what is removed, %s" % what)
    eq(w.attr(fh)["nlink"], 1, "nlink")


def check_names_of_our_own_format(w):
    """Names that the bricks use for themselves must not be reachable, and not be in the way."""
    for name in (b".glusterfs", b".trashcan", b"trusted.x", b".shard"):
        res = w.c.lookup(w.top, name)
        if name == b".glusterfs":
            true(res["status"] != OK, "LOOKUP of .glusterfs in the root")
            for what, call in (("MKDIR", w.c.mkdir(w.top, name)), ("CREATE", w.c.create(w.top, name, GUARDED)), ("REMOVE", w.c.rmdir(w.top, name))):
                true(call["status"] != OK, what + " .glusterfs in the root")
    true(b".glusterfs" not in w.c.list(w.top), ".glusterfs is not listed")
    status(w.c.mkdir(w.d, b".glusterfs", mode=0o755), OK, ".glusterfs elsewhere is a name like others")
    status(w.c.rmdir(w.d, b".glusterfs"), OK, "RMDIR of it")


def check_lookup(w):
    fh = w.file(mode=0o604)
    res = status(w.c.lookup(w.d, "f"), OK, "LOOKUP")
    eq(res["fh"], fh, "one handle for one object")
    true(res["attr"] and (res["dir"] or w.options.stock), "attributes of object and directory")
    res = status(w.c.lookup(w.d, "none"), NOENT, "LOOKUP of nothing")
    true(res["dir"], "attributes of the directory on NOENT")
    status(w.c.lookup(fh, "x"), NOTDIR, "LOOKUP in a file")
    link = w.c.symlink(w.d, "l", ".")["fh"]
    status(w.c.lookup(link, "x"), NOTDIR, "LOOKUP in a symlink")


def check_lookup_dots(w):
    sub = w.dir("sub")
    eq(w.attr(status(w.c.lookup(sub, "."), OK, ".")["fh"])["fileid"], w.attr(sub)["fileid"], ". is the directory")
    eq(w.attr(status(w.c.lookup(sub, ".."), OK, "..")["fh"])["fileid"], w.attr(w.d)["fileid"], ".. is its parent")
    eq(w.attr(status(w.c.lookup(w.top, ".."), OK, "..")["fh"])["fileid"], w.attr(w.top)["fileid"], ".. of the root is the root")
    status(w.c.lookup(w.file(), ".."), NOTDIR, ".. in a file")
    other = w.dir("other")
    status(w.c.rename(w.d, "sub", other, "moved"), OK, "RENAME")
    eq(w.attr(w.c.lookup(sub, "..")["fh"])["fileid"], w.attr(other)["fileid"], ".. after a rename")


def check_remove(w):
    fh = w.file(data=b"x")
    before = w.attr(w.d)
    res = status(w.c.remove(w.d, "f"), OK, "REMOVE")
    after, pre = res["wcc"]["after"], res["wcc"]["before"]
    true(after and after["mtime"] > before["mtime"], "the directory's mtime moved")
    if pre:
        eq((pre["mtime"], pre["ctime"]), (before["mtime"], before["ctime"]), "before")
    res = status(w.c.remove(w.d, "f"), NOENT, "REMOVE again")
    true(res["wcc"]["after"], "after on NOENT")
    w.dir("sub")
    status(w.c.remove(w.d, "sub"), (ISDIR, PERM), "REMOVE of a directory")
    status(w.c.remove(fh, "x"), (STALE, NOTDIR), "REMOVE in a removed file")
    status(w.c.lookup(w.d, "sub"), OK, "the directory stays")


def check_rmdir(w):
    sub = w.dir("sub")
    status(w.c.create(sub, "f", GUARDED), OK, "CREATE")
    res = status(w.c.rmdir(w.d, "sub"), (NOTEMPTY, EXIST), "RMDIR of a full directory")
    true(res["wcc"]["after"], "after on NOTEMPTY")
    status(w.c.remove(sub, "f"), OK, "REMOVE")
    status(w.c.rmdir(w.d, "sub"), OK, "RMDIR")
    status(w.c.rmdir(w.d, "sub"), NOENT, "RMDIR again")
    w.file()
    status(w.c.rmdir(w.d, "f"), NOTDIR, "RMDIR of a file")
    w.c.symlink(w.d, "l", ".")
    status(w.c.rmdir(w.d, "l"), NOTDIR, "RMDIR of a symlink")


def check_stale_file(w):
    fh = w.file(data=b"x")
    status(w.c.remove(w.d, "f"), OK, "REMOVE")
    for what, res in (("GETATTR", w.c.getattr(fh)), ("SETATTR", w.c.setattr(fh, mode=0o600)), ("ACCESS", w.c.access(fh)),
                      ("READLINK", w.c.readlink(fh)), ("READ", w.c.read(fh, 0, 1)), ("WRITE", w.c.write(fh, 0, b"y")),
                      ("COMMIT", w.c.commit(fh)), ("LINK", w.c.link(fh, w.d, "l")), ("FSSTAT", w.c.fsstat(fh)),
                      ("FSINFO", w.c.fsinfo(fh)), ("PATHCONF", w.c.pathconf(fh))):
        status(res, (STALE, OK) if what in ("FSSTAT", "FSINFO", "PATHCONF") else STALE, what)
    eq(names_in(w), [], "names")


def check_stale_directory(w):
    fh, d = w.dir("sub"), w.file("f")
    status(w.c.rmdir(w.d, "sub"), OK, "RMDIR")
    for what, res in (("GETATTR", w.c.getattr(fh)), ("LOOKUP", w.c.lookup(fh, "x")), ("LOOKUP .", w.c.lookup(fh, ".")),
                      ("CREATE", w.c.create(fh, "x", GUARDED)), ("MKDIR", w.c.mkdir(fh, "x")), ("SYMLINK", w.c.symlink(fh, "x", "t")),
                      ("MKNOD", w.c.mknod(fh, "x", FIFO)), ("REMOVE", w.c.remove(fh, "x")), ("RMDIR", w.c.rmdir(fh, "x")),
                      ("RENAME from", w.c.rename(fh, "x", w.d, "y")), ("RENAME to", w.c.rename(w.d, "f", fh, "y")),
                      ("LINK", w.c.link(d, fh, "y")), ("READDIR", w.c.readdir(fh)), ("READDIRPLUS", w.c.readdirplus(fh))):
        status(res, STALE, what)


def check_a_name_made_again_is_another_object(w):
    old = w.file()
    status(w.c.remove(w.d, "f"), OK, "REMOVE")
    new = w.file()
    true(old != new, "handles differ")
    status(w.c.getattr(old), STALE, "the old handle")


def check_not_in_a_file(w):
    fh, f = w.file("g"), w.file("f")
    for what, res in (("CREATE", w.c.create(fh, "x", GUARDED)), ("MKDIR", w.c.mkdir(fh, "x")), ("SYMLINK", w.c.symlink(fh, "x", "t")),
                      ("MKNOD", w.c.mknod(fh, "x", FIFO)), ("REMOVE", w.c.remove(fh, "x")), ("RMDIR", w.c.rmdir(fh, "x")),
                      ("RENAME from", w.c.rename(fh, "x", w.d, "y")), ("RENAME to", w.c.rename(w.d, "f", fh, "y")),
                      ("LINK", w.c.link(f, fh, "y")), ("READDIR", w.c.readdir(fh)), ("READDIRPLUS", w.c.readdirplus(fh))):
        status(res, NOTDIR, what)


def check_rename_simple(w):
    fh, sub = w.file(data=b"x"), w.dir("sub")
    before = w.attr(w.d)
    res = status(w.c.rename(w.d, "f", sub, "g"), OK, "RENAME")
    true(res["from"]["after"] and res["to"]["after"] and res["from"]["after"]["mtime"] > before["mtime"], "wcc of both")
    if res["from"]["before"]:
        eq(res["from"]["before"]["mtime"], before["mtime"], "before")
    eq(w.c.lookup(sub, "g")["fh"], fh, "the handle stays")
    eq(w.c.read(fh, 0, 10)["data"], b"x", "the handle works")
    res = status(w.c.rename(w.d, "f", sub, "h"), NOENT, "RENAME of nothing")
    true(res["from"]["after"] and res["to"]["after"], "after of both on NOENT")


def check_rename_over_a_file(w):
    for i in range(6):      # names that hash to different subvolumes
        a, b = w.file("a%d" % i, b"a"), w.file("b%d" % i, b"b")
        status(w.c.rename(w.d, "a%d" % i, w.d, "b%d" % i), OK, "file over file")
        eq(w.c.lookup(w.d, "b%d" % i).get("fh"), a, "the target is the source")
        status(w.c.lookup(w.d, "a%d" % i), NOENT, "the source's name")
        status(w.c.getattr(b), STALE, "what was replaced")
    eq(len(names_in(w)), 6, "number of names")


def check_rename_over_a_directory(w):
    a, b = w.dir("a"), w.dir("b")
    status(w.c.create(a, "x", GUARDED), OK, "CREATE")
    status(w.c.rename(w.d, "a", w.d, "b"), OK, "directory over an empty one")
    eq(w.c.lookup(w.d, "b")["fh"], a, "the target is the source")
    status(w.c.getattr(b), STALE, "what was replaced")
    status(w.c.lookup(a, "x"), OK, "what is in it")
    w.dir("c")
    status(w.c.rename(w.d, "c", w.d, "b"), (NOTEMPTY, EXIST), "directory over a full one")
    eq(names_in(w), [b"b", b"c"], "names")


def check_rename_kinds_must_match(w):
    w.file("f"), w.dir("d"), w.c.symlink(w.d, "l", "d")
    status(w.c.rename(w.d, "f", w.d, "d"), (ISDIR, EXIST), "file over directory")
    status(w.c.rename(w.d, "d", w.d, "f"), (NOTDIR, EXIST), "directory over file")
    status(w.c.rename(w.d, "d", w.d, "l"), (NOTDIR, EXIST), "directory over symlink")
    eq(names_in(w), [b"d", b"f", b"l"], "names")
    status(w.c.rename(w.d, "f", w.d, "l"), OK, "file over symlink")
    eq(w.c.lookup(w.d, "l")["attr"]["type"], REG, "type")


def check_rename_into_own_subtree(w):
    a = w.dir("a")
    b = w.c.mkdir(a, "b", mode=0o755)["fh"]
    status(w.c.rename(w.d, "a", a, "c"), INVAL, "into itself")
    status(w.c.rename(w.d, "a", b, "c"), INVAL, "below itself")
    status(w.c.rename(a, "b", w.d, "a"), (NOTEMPTY, EXIST), "over its parent")


def check_rename_to_the_same(w):
    fh = w.file("a", b"x")
    status(w.c.rename(w.d, "a", w.d, "a"), OK, "to itself")
    eq(w.c.lookup(w.d, "a").get("fh"), fh, "it is still there")
    for i in range(6):
        status(w.c.link(fh, w.d, "b%d" % i), OK, "LINK")
        status(w.c.rename(w.d, "a", w.d, "b%d" % i), OK, "to another name of the same file")
        eq((w.c.lookup(w.d, "a").get("fh"), w.c.lookup(w.d, "b%d" % i).get("fh")), (fh, fh), "both names stay")
    eq(w.attr(fh)["nlink"], 7, "nlink")
    sub = w.dir("sub")
    status(w.c.rename(w.d, "sub", w.d, "sub"), OK, "a directory to itself")
    status(w.c.getattr(sub), OK, "it is still there")


def check_link(w):
    fh = w.file(data=b"x")
    before = w.attr(w.d)
    res = status(w.c.link(fh, w.d, "l"), OK, "LINK")
    eq(res["attr"] and res["attr"]["nlink"], 2, "nlink in the reply")
    true(res["wcc"]["after"] and res["wcc"]["after"]["mtime"] > before["mtime"], "the directory's mtime")
    eq(w.c.lookup(w.d, "l").get("fh"), fh, "the same handle")
    res = status(w.c.link(fh, w.d, "l"), EXIST, "LINK again")
    true(res["attr"] and res["wcc"]["after"], "attributes on EXIST")
    status(w.c.remove(w.d, "f"), OK, "REMOVE of the first name")
    eq((w.c.read(fh, 0, 9)["data"], w.attr(fh)["nlink"]), (b"x", 1), "data and nlink")
    status(w.c.link(w.dir("sub"), w.d, "hard"), (ISDIR, PERM, INVAL), "LINK of a directory")
    link = w.c.symlink(w.d, "s", "t")["fh"]
    status(w.c.link(link, w.d, "s2"), OK, "LINK of a symlink")
    eq(w.c.lookup(w.d, "s2")["attr"]["type"], LNK, "it is a symlink")


def check_sticky_directory(w):
    sub = w.dir("sticky", mode=0o1777)
    a = w.user.create(sub, "a", GUARDED, mode=0o666)
    status(a, OK, "CREATE")
    eq(w.attr(sub)["mode"], 0o1777, "mode")
    for what, res in (("REMOVE", w.other.remove(sub, "a")), ("RENAME from", w.other.rename(sub, "a", sub, "b"))):
        status(res, (PERM, ACCES), what)
    status(w.other.create(sub, "mine", GUARDED), OK, "CREATE by the other")
    status(w.other.rename(sub, "mine", sub, "a"), (PERM, ACCES), "RENAME over another's file")
    status(w.user.mkdir(sub, "dir", mode=0o777), OK, "MKDIR")
    status(w.other.rmdir(sub, "dir"), (PERM, ACCES), "RMDIR")
    eq(w.c.lookup(sub, "a").get("fh"), a["fh"], "the file stays")
    status(w.user.rename(sub, "a", sub, "b"), OK, "RENAME by the owner")
    status(w.user.remove(sub, "b"), OK, "REMOVE by the owner")
    own = w.dir("own", w.user, mode=0o1777)
    status(w.other.create(own, "x", GUARDED), OK, "CREATE in another's sticky directory")
    status(w.user.remove(own, "x"), OK, "REMOVE by the directory's owner")


def check_modes_that_bricks_use_as_marks(w):
    """A user's file may look like a pointer (sticky, no permissions, empty) or like one on the move (set-gid and sticky)."""
    for i in range(8):
        name = "odd%d" % i
        fh = w.file(name, client=w.user)
        status(w.user.setattr(fh, mode=0o1000 if i % 2 else 0o3644), OK, "chmod")
        eq(status(w.c.lookup(w.d, name), OK, "LOOKUP").get("fh"), fh, "handle")
        true(name.encode() in names_in(w), "%s is listed" % name)
        true(name.encode() in w.c.list(w.d, plus=False), "%s is listed by READDIR" % name)
        status(w.c.create(w.d, name, GUARDED), EXIST, "CREATE")
        status(w.user.write(fh, 0, b"data"), OK, "WRITE")
        eq(w.user.read(fh, 0, 10).get("data"), b"data", "READ")
        status(w.user.setattr(fh, size=0), OK, "truncation")
        status(w.user.rename(w.d, name, w.d, "new" + name), OK, "RENAME")
        eq(status(w.c.lookup(w.d, "new" + name), OK, "LOOKUP after RENAME").get("fh"), fh, "handle after RENAME")
        status(w.c.lookup(w.d, name), NOENT, "the old name")
        status(w.user.remove(w.d, "new" + name), OK, "REMOVE")
        status(w.c.getattr(fh), STALE, "GETATTR after REMOVE")
    eq(names_in(w), [], "names")


def check_many_names_over_each_other(w):
    """Renames and removals between names of both subvolumes leave exactly what they should."""
    want = {}
    for i in range(24):
        fh = w.file("a%d" % i, b"%d" % i)
        target = "b%d" % (i % 7)
        status(w.c.rename(w.d, "a%d" % i, w.d, target), OK, "RENAME to " + target)
        want[target.encode()] = (fh, b"%d" % i)
    for name in sorted(want)[:3]:
        status(w.c.remove(w.d, name), OK, "REMOVE")
        status(w.c.getattr(want.pop(name)[0]), STALE, "GETATTR of what was removed")
    eq(names_in(w), sorted(want), "names")
    for name, (fh, data) in want.items():
        eq((w.c.lookup(w.d, name).get("fh"), w.c.read(fh, 0, 10).get("data"), w.attr(fh)["nlink"]), (fh, data, 1), "what %s names" % name.decode())


def check_rename_of_full_directories(w):
    a, b = w.dir("a"), w.dir("b")
    inner = w.c.mkdir(a, "inner", mode=0o755)["fh"]
    files = [w.c.create(inner, "f%d" % i, GUARDED, mode=0o644)["fh"] for i in range(8)]
    status(w.c.rename(a, "inner", b, "moved"), OK, "RENAME")
    eq(sorted(w.c.list(inner)), sorted(b"f%d" % i for i in range(8)), "names in it")
    eq(w.c.list(a), [], "where it was")
    eq(w.attr(w.c.lookup(inner, "..")["fh"])["fileid"], w.attr(b)["fileid"], "its parent")
    for i, fh in enumerate(files):
        eq(w.c.lookup(inner, "f%d" % i).get("fh"), fh, "handle")


def check_user_moves_anothers_directory(w):
    """Moving a directory changes its "..", so POSIX lets a directory that one may not write stay where it is."""
    here, there = w.dir("here"), w.dir("there")
    made = w.user.mkdir(here, "mine", mode=0o755)
    status(w.other.rename(here, "mine", there, "mine"), (ACCES, PERM, OK), "RENAME by one who may not write the directory")
    status(w.user.getattr(made["fh"]), OK, "GETATTR")
