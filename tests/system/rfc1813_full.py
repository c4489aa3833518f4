"""rfc1813_full.py: a brick's file system that is full, and one that became read-only. The last area: it fills the disk."""
from rfc1813 import *


def check_no_space(w):
    fh = w.file(data=b"x" * 4096)
    w.ask("fill")
    res = {"status": OK}
    for i in range(64):
        res = w.c.write(fh, i << 20, bytes([i]) * (1 << 20))
        if res["status"] != OK:
            break
    status(res, NOSPC, "WRITE to a full file system")
    true(res.get("wcc") and res["wcc"]["after"], "after on NOSPC")
    eq(w.c.read(fh, 0, 10)["status"], OK, "READ")
    status(w.c.getattr(fh), OK, "GETATTR")
    w.ask("empty")
    status(w.c.write(fh, 0, b"y" * 4096), OK, "WRITE when there is room again")
    status(w.c.remove(w.d, "f"), OK, "REMOVE")


def check_unstable_writes_and_no_space(w):
    """What does not fit is told by WRITE or by COMMIT, never swallowed."""
    fh = w.file()
    w.ask("fill")
    for i in range(64):
        res = w.c.write(fh, i << 20, bytes([i]) * (1 << 20), UNSTABLE)
        if res["status"] != OK:
            break
    else:
        res = w.c.commit(fh)
    status(res, (NOSPC, IO), "WRITE or COMMIT on a full file system")
    w.ask("empty")
    w.c.remove(w.d, "f")


def check_read_only_file_system(w):
    fh = w.file(data=b"data")
    w.ask("read_only")
    for what, res in (("WRITE", w.c.write(fh, 0, b"x")), ("CREATE", w.c.create(w.d, "new", GUARDED)), ("MKDIR", w.c.mkdir(w.d, "new")),
                      ("SYMLINK", w.c.symlink(w.d, "new", "t")), ("MKNOD", w.c.mknod(w.d, "new", FIFO)), ("REMOVE", w.c.remove(w.d, "f")),
                      ("RENAME", w.c.rename(w.d, "f", w.d, "g")), ("LINK", w.c.link(fh, w.d, "g")), ("SETATTR", w.c.setattr(fh, mode=0o600)),
                      ("SETATTR size", w.c.setattr(fh, size=0))):
        status(res, ROFS, what)
    eq(w.c.read(fh, 0, 10).get("data"), b"data", "READ")
