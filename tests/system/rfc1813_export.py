"""rfc1813_export.py: who may do what (exports), and file handles that nobody gave out.

The clients are addresses of the loopback network; rfc1813.sh's exports file says what each of them may.
"""
from rfc1813 import *

READ_ONLY, ROOT_SQUASHED, ALL_SQUASHED, SECURE, BELOW_ONLY, STRANGER = ("127.0.0.%d" % n for n in range(2, 8))
CHECKED = "127.0.0.9"


def mutations(w, c, fh, other):
    """Every procedure that changes something."""
    return (("SETATTR", lambda: c.setattr(fh, mode=0o600)), ("SETATTR size", lambda: c.setattr(fh, size=0)), ("WRITE", lambda: c.write(fh, 0, b"x")),
            ("CREATE", lambda: c.create(w.d, "new", UNCHECKED)), ("CREATE guarded", lambda: c.create(w.d, "new", GUARDED)),
            ("CREATE exclusive", lambda: c.create(w.d, "new", EXCLUSIVE, bytes(8))),
            ("CREATE over a file", lambda: c.create(w.d, "f", UNCHECKED, size=0)),
            ("MKDIR", lambda: c.mkdir(w.d, "new")), ("SYMLINK", lambda: c.symlink(w.d, "new", "t")), ("MKNOD", lambda: c.mknod(w.d, "new", FIFO)),
            ("REMOVE", lambda: c.remove(w.d, "f")), ("RMDIR", lambda: c.rmdir(w.d, "sub")), ("RENAME", lambda: c.rename(w.d, "f", w.d, "new")),
            ("LINK", lambda: c.link(fh, w.d, "new")))


def readings(w, c, fh):
    return (("GETATTR", lambda: c.getattr(fh)), ("LOOKUP", lambda: c.lookup(w.d, "f")), ("ACCESS", lambda: c.access(fh)),
            ("READ", lambda: c.read(fh, 0, 10)), ("READDIR", lambda: c.readdir(w.d)), ("READDIRPLUS", lambda: c.readdirplus(w.d)),
            ("FSSTAT", lambda: c.fsstat(fh)), ("FSINFO", lambda: c.fsinfo(fh)), ("PATHCONF", lambda: c.pathconf(fh)))


def check_read_only(w):
    fh, sub = w.file(data=b"data"), w.dir("sub")
    c = w.client(source=READ_ONLY)
    eq(w.attr(c.mount(w.path))["fileid"], w.attr(w.top)["fileid"], "MNT")
    for what, call in mutations(w, c, fh, sub):
        status(call(), ROFS, what)
    for what, call in readings(w, c, fh):
        status(call(), OK, what)
    eq(c.access(fh)["access"] & (MODIFY | EXTEND), 0, "ACCESS of a file")
    eq(c.access(w.d)["access"] & (MODIFY | EXTEND | DELETE), 0, "ACCESS of a directory")
    eq(w.c.read(fh, 0, 10)["data"], b"data", "nothing changed")
    eq(sorted(w.c.list(w.d)), [b"f", b"sub"], "names")


def check_root_squash(w):
    root = w.client(source=ROOT_SQUASHED)
    secret = w.file("secret", b"x", mode=0o600)
    status(root.read(secret, 0, 1), ACCES, "root reads what only root may")
    status(root.write(secret, 0, b"y"), ACCES, "root writes it")
    status(root.setattr(secret, mode=0o666), (PERM, ACCES), "root's chmod")
    status(root.setattr(secret, uid=65534), (PERM, ACCES), "root's chown")
    eq(root.access(secret)["access"], 0, "root's ACCESS")
    made = status(root.create(w.d, "f", GUARDED, mode=0o600), OK, "CREATE")
    eq((made["attr"]["uid"], made["attr"]["gid"]), (65534, 65534), "the new file's owner")
    user = w.client(1000, 1000, source=ROOT_SQUASHED)
    made = status(user.create(w.d, "g", GUARDED, mode=0o600), OK, "CREATE by a user")
    eq((made["attr"]["uid"], made["attr"]["gid"]), (1000, 1000), "a user stays who he is")
    group = w.file("group", b"x", mode=0o640)
    status(w.client(1000, 0, source=ROOT_SQUASHED).read(group, 0, 1), ACCES, "group 0 is squashed")
    status(w.client(1000, 1000, (0,), source=ROOT_SQUASHED).read(group, 0, 1), ACCES, "group 0 among the supplementary ones is squashed")
    status(root.mknod(w.d, "null", CHR, (1, 3)), (PERM, ACCES), "MKNOD of a device")


def check_all_squash(w):
    for uid in (0, 1000):
        c = w.client(uid, uid, (0, 1000), source=ALL_SQUASHED)
        made = status(c.create(w.d, "f%d" % uid, GUARDED, mode=0o600), OK, "CREATE")
        eq((made["attr"]["uid"], made["attr"]["gid"]), (1234, 2345), "owner of what uid %d makes" % uid)
    fh = w.file("own", b"x", w.user, mode=0o600)
    status(w.client(1000, 1000, source=ALL_SQUASHED).read(fh, 0, 1), ACCES, "READ of one's own unsquashed file")
    group = w.file("group", b"x", mode=0o640)
    status(w.c.setattr(group, gid=1000), OK, "chgrp")
    status(w.client(1000, 1000, (1000,), source=ALL_SQUASHED).read(group, 0, 1), ACCES, "supplementary groups are squashed, too")


def check_secure_ports(w):
    try:
        w.client(source=SECURE).mount(w.path)
        note("MNT from an unprivileged port succeeded")
    except OSError as e:
        true(e.errno in (ACCES, PERM), "MNT from an unprivileged port: %d" % e.errno)
    status(w.client(source=SECURE).getattr(w.d), (ACCES, PERM), "GETATTR from an unprivileged port")
    c = Client(port=w.port, source=(SECURE, 700 + w.port % 200))
    eq(w.attr(c.mount(w.path))["type"], DIR, "MNT from a privileged port")
    status(c.getattr(w.d), OK, "GETATTR from a privileged port")
    c.sock.close()


def check_strangers(w):
    fh, sub = w.file(data=b"data"), w.dir("sub")
    c = w.client(source=STRANGER)
    for path in (w.path, w.path + "/" + w.name, w.path + "/sub/below"):
        try:
            c.mount(path)
            note("MNT of %s by a stranger succeeded" % path)
        except OSError as e:
            eq(e.errno, ACCES, "MNT of %s by a stranger" % path)
    for what, call in mutations(w, c, fh, sub) + readings(w, c, fh):
        res = status(call(), ACCES, what + " by a stranger")
        true(not res.get("attr") and not (res.get("wcc") or {}).get("after"), what + ": a stranger is told nothing")
    eq(w.c.read(fh, 0, 10)["data"], b"data", "nothing changed")


def below(w):
    """The exported subdirectory, made when missing, and its handle by its own export."""
    outer = w.c.mkdir(w.top, "sub", mode=0o755).get("fh") or w.c.lookup(w.top, "sub")["fh"]
    w.c.mkdir(outer, "below", mode=0o777)
    c = w.client(source=BELOW_ONLY)
    return c, c.mount(w.path + "/sub/below")


def check_exported_subdirectory(w):
    c, root = below(w)
    for path in (w.path, w.path + "/sub", w.path + "/sub/below/../.."):
        try:
            got = c.mount(path)
            eq(c.getattr(got)["attr"]["fileid"], c.getattr(root)["attr"]["fileid"], "MNT of %s" % path)
            note("MNT of %s succeeded" % path)
        except OSError as e:
            true(e.errno in (ACCES, NOENT, INVAL), "MNT of %s: %d" % (path, e.errno))
    eq(c.getattr(c.lookup(root, "..")["fh"])["attr"]["fileid"], c.getattr(root)["attr"]["fileid"], ".. of the export's root is itself")
    for call in (c.readdir, c.readdirplus):
        ids = {e["name"]: e["fileid"] for e in call(root)["entries"]}
        eq(ids.get(b".."), c.getattr(root)["attr"]["fileid"], ".. in the listing of the export's root")
    for name in ("inner", w.name):
        made = c.mkdir(root, name, mode=0o755)
    status(c.lookup(made["fh"], ".."), OK, ".. below the root")
    eq(c.getattr(c.lookup(made["fh"], "..")["fh"])["attr"]["fileid"], c.getattr(root)["attr"]["fileid"], ".. below the root")
    status(c.getattr(w.d), ACCES, "a handle of the whole volume's export")
    eq(w.attr(w.c.mount(w.path + "/sub/below"))["fileid"], c.getattr(root)["attr"]["fileid"], "the same directory for who may both")


def check_no_way_out_of_a_subdirectory(w):
    """A directory that was moved out of the export, and the one whose name the export had."""
    c, root = below(w)
    moved = status(c.mkdir(root, "moved-" + w.name, mode=0o755), OK, "MKDIR")["fh"]
    inner = w.c.lookup(w.c.lookup(w.top, "sub")["fh"], "below")["fh"]
    status(w.c.rename(inner, "moved-" + w.name, w.d, "moved"), OK, "moving it out")
    status(c.lookup(moved, ".."), (STALE, ACCES), ".. of a directory that was moved out")
    dots = [e for e in c.readdirplus(moved)["entries"] if e["name"] == b".."]
    true(not any(e.get("fh") or e.get("attr") for e in dots), ".. in its listing tells nothing: %r" % dots)
    outer = w.c.lookup(w.top, "sub")["fh"]
    status(w.c.rename(outer, "below", outer, "was-" + w.name), OK, "the root gets another name")
    status(w.c.mkdir(outer, "below", mode=0o777), OK, "another directory gets the root's name")
    c.mount(w.path + "/sub/below")
    status(c.lookup(root, ".."), (STALE, ACCES), ".. of the directory that was the root")


def check_subtree_check(w):
    top = w.c.lookup(w.top, "checked").get("fh") or w.c.mkdir(w.top, "checked", mode=0o777)["fh"]
    shut = status(w.c.mkdir(top, "shut-" + w.name, mode=0o711), OK, "MKDIR")["fh"]
    fh = status(w.c.create(shut, "f:x", GUARDED, mode=0o666), OK, "CREATE")["fh"]
    status(w.c.link(fh, w.d, "outside"), OK, "LINK to outside")
    c = w.client(source=CHECKED)
    user = w.client(1000, 1000, source=CHECKED)
    root = c.mount(w.path + "/checked")
    d = status(c.lookup(root, "shut-" + w.name), OK, "LOOKUP of a directory")["fh"]
    f = status(c.lookup(d, "f:x"), OK, "LOOKUP of a file")["fh"]
    for what, call in (("of the root", lambda: c.getattr(root)), ("of a directory", lambda: c.getattr(d)), ("of a file", lambda: c.getattr(f)),
                       ("by a user who may pass", lambda: user.getattr(f))):
        status(call(), OK, "GETATTR " + what)
    status(w.c.setattr(shut, mode=0o700), OK, "the directory is shut")
    status(user.getattr(f), ACCES, "GETATTR of a file behind a directory that the caller may not pass")
    status(c.getattr(f), OK, "GETATTR of it by root")
    status(w.c.rename(shut, "f:x", w.d, "f"), OK, "the file is moved out")
    status(c.getattr(f), (STALE, ACCES), "GETATTR of a file that was moved out")
    status(c.write(f, 0, b"x"), (STALE, ACCES), "WRITE to it")
    status(w.c.rename(top, "shut-" + w.name, w.d, "shut"), OK, "the directory is moved out")
    status(c.readdir(d), (STALE, ACCES), "READDIR of a directory that was moved out")
    status(c.getattr(root), OK, "GETATTR of the root")


def check_dots_in_a_path(w):
    w.c.mkdir(w.top, "dots", mode=0o755)
    for path, like in (("/.", ""), ("/./dots", "/dots"), ("/dots/.", "/dots"), ("/././dots/./", "/dots")):
        eq(w.attr(w.c.mount(w.path + path))["fileid"], w.attr(w.c.mount(w.path + like))["fileid"], "MNT of %s" % path)
    for path in ("/..", "/dots/..", "/./.."):
        try:
            w.c.mount(w.path + path)
            note("MNT of %s succeeded" % path)
        except OSError as e:
            true(e.errno in (ACCES, NOENT, INVAL), "MNT of %s: %d" % (path, e.errno))


def check_two_exports_of_one_volume(w):
    c, root = below(w)
    made = status(c.create(root, "file-" + w.name, GUARDED, mode=0o644), OK, "CREATE through the inner export")
    outer = w.c.lookup(w.c.lookup(w.top, "sub")["fh"], "below")["fh"]
    found = status(w.c.lookup(outer, "file-" + w.name), OK, "LOOKUP through the outer export")
    if found["status"] == OK:
        eq((found["attr"]["fileid"], found["attr"]["fsid"]), (made["attr"]["fileid"], made["attr"]["fsid"]), "file id and fsid by both ways")
    inner = w.c.mount(w.path + "/sub/below")
    w.file()
    status(w.c.rename(w.d, "f", inner, "g"), XDEV, "RENAME from one export into another")
    status(w.c.link(w.c.lookup(w.d, "f")["fh"], inner, "g"), XDEV, "LINK from one export into another")


def check_ipv6(w):
    c = w.client(host="::1")
    top = c.mount(w.path)
    status(c.create(w.d, "six", GUARDED, mode=0o644), OK, "CREATE over IPv6")
    eq(c.getattr(top)["attr"]["fileid"], w.attr(w.top)["fileid"], "the root over IPv6")


def check_forged_handles(w):
    fh = w.file()
    true(len(fh) <= 64, "length")
    for i in range(len(fh)):
        forged = fh[:i] + bytes([fh[i] ^ 0x10]) + fh[i + 1:]
        status(w.c.getattr(forged), BADHANDLE, "a handle with byte %d changed" % i)
    for what, forged in (("an empty one", b""), ("one byte", fh[:1]), ("one cut by a byte", fh[:-1]), ("one cut in half", fh[:32]),
                         ("zeros", bytes(len(fh))), ("one that is longer", (fh + b"\0" * 64)[:64] if len(fh) < 64 else fh[:-4]), ("NFSv2's", bytes(32))):
        status(w.c.getattr(forged), BADHANDLE, what)
    eq(refused_with(w.c.getattr, fh + bytes(65 - len(fh))), ("accept_stat", 4), "65 bytes")


def check_forged_handles_in_every_procedure(w):
    bad, fh, c = bytes(60), w.file(), w.c
    for what, call in (("SETATTR", lambda: c.setattr(bad, mode=0)), ("LOOKUP", lambda: c.lookup(bad, "x")), ("ACCESS", lambda: c.access(bad)),
                       ("READLINK", lambda: c.readlink(bad)), ("READ", lambda: c.read(bad, 0, 1)), ("WRITE", lambda: c.write(bad, 0, b"x")),
                       ("CREATE", lambda: c.create(bad, "x")), ("MKDIR", lambda: c.mkdir(bad, "x")), ("SYMLINK", lambda: c.symlink(bad, "x", "t")),
                       ("MKNOD", lambda: c.mknod(bad, "x", FIFO)), ("REMOVE", lambda: c.remove(bad, "x")), ("RMDIR", lambda: c.rmdir(bad, "x")),
                       ("RENAME from", lambda: c.rename(bad, "x", w.d, "y")), ("RENAME to", lambda: c.rename(w.d, "f", bad, "y")),
                       ("LINK of", lambda: c.link(bad, w.d, "y")), ("LINK into", lambda: c.link(fh, bad, "y")), ("READDIR", lambda: c.readdir(bad)),
                       ("READDIRPLUS", lambda: c.readdirplus(bad)), ("FSSTAT", lambda: c.fsstat(bad)), ("FSINFO", lambda: c.fsinfo(bad)),
                       ("PATHCONF", lambda: c.pathconf(bad)), ("COMMIT", lambda: c.commit(bad))):
        status(call(), BADHANDLE, what)


def check_handles_of_another_volume(w):
    if w.port == 2049:
        return          # the other volume is served when the embedded one is checked
    other = Client(port=2049)
    top = other.mount("/demo")
    status(w.c.getattr(top), (BADHANDLE, STALE), "a handle of another volume")
    status(other.getattr(w.top), (BADHANDLE, STALE), "and the other way round")
