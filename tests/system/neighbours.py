#!/usr/bin/env python3
"""neighbours.py work MOUNT EXPORT SECONDS: a file system's clients (in the mount) and NFS clients change the same directories at the same time.
EXPORT that is a directory is a second mount instead: what stock clients do to each other.
neighbours.py look WHERE FILE: what there is afterwards, seen from a mount or an export. neighbours.py compare FILE FILE: a stock client's and ours.

Two of each kind make, write, rename, link and remove the same few names, files and directories. An answer that no order of these calls can give
is an error. Afterwards all that there is must look the same from both sides, and each file must hold what one call wrote, whole,
or nothing. FILES is how many names there are in each directory (300): with 8 nearly every call meets another one's. (Two stock clients hang each
other then: GlusterFS issue 3089. And of a file with several names one may be hidden from us afterwards: cluster/distribute/README.md, "A linkto that was
lost".) A stock client has to look from a fresh mount: it caches content by mtime, and the later of two writes may have the earlier time. And at stock
bricks that were started anew: what they remember of a name may be another file (neighbour_memory.sh). We look while they do.
"""
import errno
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3

seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
SIZE, TOPS, NAMES, SUBS = 16384, [os.environ.get("TREE", "t") + str(i) for i in range(3)], ["f%d" % i for i in range(int(os.environ.get("FILES", 300)))], ["d0", "d1"]
# What another client may have done in between; EINVAL: a directory moved into itself.
FINE = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ESTALE, errno.EISDIR, errno.ENOTDIR, errno.EINVAL}
lock, done, wrong, slow = threading.Lock(), {}, {}, [0.0]


class Fuse:
    def __init__(self, mount, kind="fuse"):
        self.mount, self.kind = mount, kind

    def path(self, where, name=""):
        return os.path.join(self.mount, *where, name)

    def put(self, where, name, data, truncate):
        fd = os.open(self.path(where, name), os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if truncate else 0), 0o644)
        try:
            assert os.pwrite(fd, data, 0) == len(data)
        finally:
            os.close(fd)

    def rename(self, where, name, to, new):
        os.rename(self.path(where, name), self.path(to, new))

    def link(self, where, name, to, new):
        os.link(self.path(where, name), self.path(to, new))

    def remove(self, where, name):
        os.unlink(self.path(where, name))

    def mkdir(self, where, name):
        os.mkdir(self.path(where, name))

    def rmdir(self, where, name):
        os.rmdir(self.path(where, name))

    def change(self, where, name, mode, mtime):
        os.chmod(self.path(where, name), mode)
        os.utime(self.path(where, name), (mtime, mtime))

    def list(self, where):
        return sorted(os.listdir(self.path(where)))

    def stat(self, where, name):
        st = os.lstat(self.path(where, name))
        return (st.st_mode, st.st_uid, st.st_gid, 0 if st.st_mode & 0o40000 else st.st_nlink,
                None if st.st_mode & 0o40000 else st.st_size, st.st_mtime_ns)

    def read(self, where, name):
        with open(self.path(where, name), "rb") as f:
            return f.read()


class Nfs:
    kind = "nfs"

    def __init__(self, export):
        self.c = nfs3.Client()
        self.top = self.c.mount(export)
        self.told = {}	# by listings

    def ask(self, function, *args, **kw):
        res = nfs3.patiently(function, *args, **kw)
        if res["status"]:
            raise OSError({nfs3.STALE: errno.ESTALE, nfs3.NOTEMPTY: errno.ENOTEMPTY}.get(res["status"], res["status"]), "NFS " + function.__name__)
        return res

    def at(self, where):
        fh = self.top
        for name in where:
            fh = self.ask(self.c.lookup, fh, name)["fh"]
        return fh

    def put(self, where, name, data, truncate):
        made = self.ask(self.c.create, self.at(where), name, mode=0o644, **({"size": 0} if truncate else {}))
        fh = made["fh"] or self.at([*where, name])
        assert self.ask(self.c.write, fh, 0, data)["count"] == len(data)

    def rename(self, where, name, to, new):
        self.ask(self.c.rename, self.at(where), name, self.at(to), new)

    def link(self, where, name, to, new):
        self.ask(self.c.link, self.at([*where, name]), self.at(to), new)

    def remove(self, where, name):
        self.ask(self.c.remove, self.at(where), name)

    def mkdir(self, where, name):
        self.ask(self.c.mkdir, self.at(where), name, mode=0o755)

    def rmdir(self, where, name):
        self.ask(self.c.rmdir, self.at(where), name)

    def change(self, where, name, mode, mtime):
        self.ask(self.c.setattr, self.at([*where, name]), mode=mode, mtime=(mtime, 0))

    def list(self, where):
        entries = self.c.entries(self.at(where))
        self.told = {e["name"].decode(): e["fh"] for e in entries}
        return sorted(e["name"].decode() for e in entries)

    def stat(self, where, name):
        found = self.ask(self.c.lookup, self.at(where), name)
        a = self.ask(self.c.getattr, found["fh"])["attr"]
        if self.told.get(name) not in (None, found["fh"]):
            raise OSError(errno.EBADMSG, "NFS: the listing told another file's handle")
        kind = {nfs3.REG: 0o100000, nfs3.DIR: 0o40000}.get(a["type"], 0)
        return (kind | a["mode"], a["uid"], a["gid"], 0 if kind == 0o40000 else a["nlink"], None if kind == 0o40000 else a["size"],
                a["mtime"][0] * 10 ** 9 + a["mtime"][1])

    def read(self, where, name):
        return self.ask(self.c.read, self.at([*where, name]), 0, 2 * SIZE)["data"]


def side_at(where, kind="fuse"):
    return Fuse(where, kind) if os.path.isdir(where) else Nfs(where)


def one(side, rng):
    def place():
        return [rng.choice(TOPS)] + ([rng.choice(SUBS)] if rng.random() < 0.3 else [])
    op = rng.choice(("put", "put", "put", "rename", "rename", "rename", "link", "remove", "remove", "mkdir", "rmdir", "rename_dir", "change", "list"))
    where, name, to, new = place(), rng.choice(NAMES), place(), rng.choice(NAMES)
    if op == "put":
        side.put(where, name, bytes([rng.randrange(1, 256)]) * SIZE, rng.random() < 0.5)
    elif op in ("rename", "link"):
        getattr(side, op)(where, name, to, new)
    elif op == "remove":
        if side.kind != os.environ.get("NOREMOVE"):
            side.remove(where, name)
    elif op in ("mkdir", "rmdir"):
        getattr(side, op)(where[:1], rng.choice(SUBS))
    elif op == "rename_dir":
        side.rename(where[:1], rng.choice(SUBS), to[:1], rng.choice(SUBS))
    elif op == "change":
        side.change(where, name, rng.choice((0o600, 0o644, 0o640)), rng.randrange(10 ** 9))
    else:
        side.list(where[:1])	# a name may be there twice: a rename from one subvolume to another is under way
    return op


def work(side, n, seconds):
    rng, end = random.Random(seed + n), time.monotonic() + seconds
    while time.monotonic() < end:
        begun, state = time.monotonic(), rng.getstate()
        try:
            what = one(side, rng)
        except OSError as e:
            rng2 = random.Random()
            rng2.setstate(state)
            what = e.errno in FINE or "errno %s: %s" % (errno.errorcode.get(e.errno, e.errno), e)
        except Exception as e:
            what = "%s: %s" % (type(e).__name__, e)
        with lock:
            slow[0] = max(slow[0], time.monotonic() - begun)
            done[side.kind] = done.get(side.kind, 0) + 1
            if isinstance(what, str) and ":" in what:
                wrong.setdefault("%s: %.100s" % (side.kind, what), []).append(time.strftime("%T"))


def tree(side):
    """Every name: to its attributes and content."""
    found, todo = {}, [[t] for t in TOPS]
    while todo:
        where = todo.pop()
        for name in side.list(where):
            key = "/".join([*where, name])
            try:
                found[key] = side.stat(where, name)
                if found[key][0] & 0o40000:
                    todo.append([*where, name])
                else:
                    data = side.read(where, name)
                    whole = data == data[:1] * len(data) and len(data) in (0, SIZE)
                    found[key] += (data[:1].hex() if whole else "torn: %d bytes, %s" % (len(data), sorted({*data})),)
            except OSError as e:
                found[key] = ("%s" % e,)
    return found


def on_bricks(key):
    """The name on each brick that has it: (is it a linkto, gfid)."""
    paths = [os.path.join(brick, key) for brick in os.environ.get("BRICKS", "").split()]
    return [(os.lstat(p).st_mode & 0o7777 == 0o1000, os.getxattr(p, "trusted.gfid")) for p in paths if os.path.isfile(p)]


def hidden(key, a, b):
    """One of a file's several names whose linkto a stock client removed: it lists it, but does not find it (unless the listing has told it of
    the file); we do not show it."""
    if a is None or b is not None:
        return False
    found = on_bricks(key)
    return ("Errno 2]" in a[0] if len(a) == 1 else a[3] > 1) and found and not any(linkto for linkto, _ in found)


def twice(key):
    """Two files of one name, each on a replica set of its own: the name was made again after a stock client had lost the first one's linkto."""
    return len({gfid for linkto, gfid in on_bricks(key) if not linkto}) > 1


def other_mtime(a, b):
    """Files alike but for it: stock bricks store the wrong one now and then (same_bricks.py), and go on telling the right one until they forget it."""
    return a is not None and b is not None and len(a) == len(b) == 7 and a[:5] + a[6:] == b[:5] + b[6:]


def compare(a, b):
    """What a stock client saw, and what we told."""
    bad = 0
    older = [key for key in a if a[key] != b.get(key) and other_mtime(a[key], b.get(key))]
    if 0 < len(older) < 6:
        print("neighbours: a stock brick forgot the mtime of %s" % ", ".join(older))
        b.update((key, a[key]) for key in older)
    lost = [key for key in a if hidden(key, a[key], b.get(key)) or (a[key] != b.get(key) and twice(key))]
    if 0 < len(lost) < 3:
        print("neighbours: stock clients lost the linkto of %s" % ", ".join(lost))
        for key in lost:
            del a[key]
            b.pop(key, None)
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key) or any("torn" in str(v) or "Errno" in str(v) for v in a[key]):
            print("%s:\n    fuse %s\n    nfs  %s" % (key, a.get(key), b.get(key)))
            bad += 1
    print("neighbours: %d objects, %d look different" % (len(a), bad))
    return bad


def work_all(mount, export, seconds):
    for top in TOPS:
        os.makedirs(os.path.join(mount, top), exist_ok=True)
    sides = [side_at(mount), side_at(export, "other"), side_at(mount), side_at(export, "other")]
    threads = [threading.Thread(target=work, args=(side, n, seconds)) for n, side in enumerate(sides)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("neighbours: %s, the slowest took %.1f s, seed %d" % (", ".join("%d calls by %s" % (n, k) for k, n in sorted(done.items())), slow[0], seed))
    for what, when in sorted(wrong.items()):
        print("%d times %s (%s ... %s)" % (len(when), what, when[0], when[-1]))
    return len(wrong)


def look(where, file):
    with open(file, "w") as f:
        json.dump(tree(side_at(where)), f)


def load(file):
    with open(file) as f:
        return json.load(f)


def main(command, *args):
    if command == "work":
        return work_all(args[0], args[1], float(args[2]))
    if command == "look":
        return look(*args)
    return compare(load(args[0]), load(args[1]))


sys.exit(1 if main(*sys.argv[1:]) else 0)
