"""rfc1813_fault.py: handles and verifiers across restarts, bricks that are away."""
from rfc1813 import *


def holders(w, name):
    """Numbers of the bricks that hold a file of the check's directory."""
    found = []
    for i in range(4):
        path = "%s/b%d/%s/%s" % (w.options.bricks, i, w.name, name)
        if os.path.exists(path) and not os.stat(path).st_mode & 0o1000:
            found.append(i)
    return found


def file_on(w, brick):
    for i in range(40):
        fh = w.file("on%d-%d" % (brick, i), b"data")
        if brick in holders(w, "on%d-%d" % (brick, i)):
            return "on%d-%d" % (brick, i), fh
    raise AssertionError("no name hashes to brick %d" % brick)


def soon(function, want, *args, **kw):
    """The call once the gateway has noticed; a killed process is noticed at once, a started one after a reconnect."""
    end = time.monotonic() + 30
    while True:
        res = function(*args, **kw)
        if res["status"] == want or time.monotonic() > end:
            return res
        time.sleep(0.05)


def meet(w, brick):
    """Until the gateway writes to a brick that was started again. What is written before, its other copy alone has to answer for."""
    end = time.monotonic() + 30
    i = 0
    while time.monotonic() < end:
        name = "meet%d-%d" % (brick, i)
        w.file(name, b"x")
        if brick in holders(w, name):
            return
        i += 1
        time.sleep(0.02)
    raise AssertionError("the gateway does not meet brick %d again" % brick)


def check_restart_of_the_gateway(w):
    fh = w.file()
    wrote = status(w.c.write(fh, 0, b"unstable", UNSTABLE), OK, "WRITE")
    page = w.c.readdir(w.top, count=300)
    w.ask("restart_gateway")
    w.reconnect()
    eq(w.attr(fh)["size"], 8, "the handle works after a restart")
    done = status(w.c.commit(fh), OK, "COMMIT")
    true(done["verf"] != wrote["verf"], "the write verifier changed with the gateway")
    status(w.c.readdir(w.top, page["entries"][-1]["cookie"], page["verf"]), OK, "a listing goes on after a restart")
    status(w.c.write(fh, 0, b"x"), OK, "WRITE")
    w.ask("restart_gateway", "TERM")
    w.reconnect()
    true(w.c.commit(fh)["verf"] != done["verf"], "and after an orderly restart")


def check_restart_of_a_brick(w):
    for brick in (1, 3):
        name, fh = file_on(w, brick)
        wrote = status(w.c.write(fh, 0, b"unstable", UNSTABLE), OK, "WRITE")
        eq(w.c.commit(fh)["verf"], wrote["verf"], "COMMIT's verifier before")
        wrote = status(w.c.write(fh, 0, b"unstable", UNSTABLE), OK, "WRITE")
        w.ask("kill_brick", brick)
        w.ask("revive_brick", brick)
        end = time.monotonic() + 20     # until the gateway has met the new brick; the other copy answers meanwhile
        while status(w.c.commit(fh), OK, "COMMIT").get("verf") == wrote["verf"] and time.monotonic() < end:
            time.sleep(0.05)
        true(time.monotonic() < end, "the write verifier changed with brick %d" % brick)
        soon(w.c.write, OK, fh, 0, b"stable")


def check_second_brick_away(w):
    name, fh = file_on(w, 1)
    w.ask("kill_brick", 1)
    status(w.c.write(fh, 0, b"DATA"), OK, "WRITE")
    eq(w.c.read(fh, 0, 10)["data"], b"DATA", "READ")
    for what, res in (("CREATE", w.c.create(w.d, "new", GUARDED, mode=0o644)), ("MKDIR", w.c.mkdir(w.d, "dir")),
                      ("RENAME", w.c.rename(w.d, name, w.d, "renamed")), ("LINK", w.c.link(fh, w.d, "linked")), ("SETATTR", w.c.setattr(fh, mode=0o600)),
                      ("REMOVE", w.c.remove(w.d, "renamed")), ("RMDIR", w.c.rmdir(w.d, "dir")), ("READDIR", w.c.readdir(w.d)),
                      ("COMMIT", w.c.commit(fh)), ("FSSTAT", w.c.fsstat(fh))):
        status(res, OK, what)
    w.ask("revive_brick", 1)
    meet(w, 1)


def check_first_brick_away(w):
    name, fh = file_on(w, 0)
    w.c.write(fh, 0, b"data")
    w.ask("kill_brick", 0)
    for what, call in (("WRITE", lambda: w.c.write(fh, 0, b"XXXX")), ("SETATTR", lambda: w.c.setattr(fh, mode=0o600)),
                       ("SETATTR size", lambda: w.c.setattr(fh, size=1)), ("REMOVE", lambda: w.c.remove(w.d, name)),
                       ("LINK", lambda: w.c.link(fh, w.d, "l"))):
        status(call(), JUKEBOX, what)
    made = status(w.c.mkdir(w.d, "dir"), (OK, JUKEBOX), "MKDIR")    # the pair that holds the name's place may be the other one
    for what, call in (("GETATTR", lambda: w.c.getattr(fh)), ("LOOKUP", lambda: w.c.lookup(w.d, name)), ("READ", lambda: w.c.read(fh, 0, 10)),
                       ("ACCESS", lambda: w.c.access(fh)), ("READDIR", lambda: w.c.readdir(w.d)), ("READDIRPLUS", lambda: w.c.readdirplus(w.d)),
                       ("FSSTAT", lambda: w.c.fsstat(fh))):
        status(call(), OK, what)
    eq(w.c.read(fh, 0, 10).get("data"), b"data", "data")
    other, ofh = file_on_others(w)
    status(w.c.write(ofh, 0, b"x"), OK, "WRITE to a file of the other pair")
    w.ask("revive_brick", 0)
    status(soon(w.c.write, OK, fh, 0, b"back"), OK, "WRITE when it is back")
    eq(w.c.read(fh, 0, 10)["data"], b"back", "data")
    if made["status"] == OK:
        for i in range(8):
            status(soon(w.c.create, OK, made["fh"], "f%d" % i), OK, "CREATE in the directory made meanwhile")
        eq(len(w.c.list(made["fh"])), 8, "names in it")


def file_on_others(w):
    """A file whose name does not hash to the pair that is away."""
    for i in range(40):
        made = w.c.create(w.d, "elsewhere%d" % i, GUARDED, mode=0o644)
        if made["status"] == OK:
            return "elsewhere%d" % i, made["fh"]
        status(made, JUKEBOX, "CREATE")
    raise AssertionError("no name hashes to the other pair")
