#!/usr/bin/env python3
"""refusing.py JOURNAL REQUESTS ANSWERS STATUSES TIMES SECONDS: are answers true while one brick's disk refuses?

Six workers, each on a connection of its own and with names of its own, in directories of its own and in one that all share: create, write in
all stabilities, commit, truncate, chmod, rename (over files and between directories, too), link, remove, mkdir, rmdir. Each call is written
to the journal before it is sent and when it is answered; one that is not answered in time is sent again with the same xid. TIMES times the
disk is made to refuse ("refuse" on the pipe REQUESTS, "done" on ANSWERS), for SECONDS, and to take changes again ("relent").

Nobody may see another status than success and STATUSES (numbers with commas), and no call may stay without an answer. What was answered with
success must be there, what was refused must not have happened, and in the end everything can be changed at once. Prints complaints, and exits 1.
"""
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
from nfs3 import opaque, u32, u64

WORKERS, FILES, DIRS, SIZE = 6, 24, 6, 200000
ANSWER_WITHIN, PATIENCE = 10.0, 40.0
journal_name, requests, answers = sys.argv[1:4]
REFUSALS = {int(s) for s in sys.argv[4].split(",")}
TIMES, SECONDS = int(sys.argv[5]), float(sys.argv[6])
complaints, statuses, slowest = [], {}, [0.0, ""]
journal, lock = open(journal_name, "w"), threading.Lock()
over = threading.Event()
START = time.monotonic()


def note(*what):
    with lock:
        journal.write(json.dumps([round(time.monotonic() - START, 3), *what]) + "\n")


def complain(who, text):
    with lock:
        complaints.append("%.2f s, worker %s: %s" % (time.monotonic() - START, who, text))
        journal.write(json.dumps(["complaint", complaints[-1]]) + "\n")
    if len(complaints) > 30:
        over.set()


class File:
    def __init__(self, fh):
        self.fh, self.data, self.unsure, self.mode, self.names = fh, bytearray(), [], 0o644, set()

    def put(self, offset, data):
        if len(self.data) < offset + len(data):
            self.data += bytes(offset + len(data) - len(self.data))
        self.data[offset:offset + len(data)] = data


class Worker:
    def __init__(self, n):
        self.n, self.rng, self.serial = n, random.Random(n), 0
        self.c = nfs3.Client()
        self.c.sock.settimeout(ANSWER_WITHIN)
        self.root = self.c.mount("/demo")
        self.dirs, self.names, self.patience = {}, {}, 0

    # --- calls

    def send(self, proc, args, what):
        """One call, sent again with the same xid until it is answered. The Unpacker after the status; raises where there is no answer."""
        xid, start = self.c.xid + 1, time.monotonic()
        while True:
            try:
                u = self.c.call(100003, 3, proc, args, xid)
                break
            except OSError as e:
                note(self.n, "again", what, repr(e))
                if time.monotonic() - start > PATIENCE:
                    complain(self.n, "%s is not answered" % what)
                    raise
                self.c.connect()
                self.c.sock.settimeout(ANSWER_WITHIN)
                self.c.xid = max(self.c.xid, xid)
        return u.u32(), u

    def ask(self, proc, args, what, fine=(0,)):
        """(status, rest, put off): waits while it is told to, complains about any other status than is fine."""
        start, put_off = time.monotonic(), False
        note(self.n, "asks", what)
        while True:
            status, u = self.send(proc, args, what)
            if status != nfs3.JUKEBOX or time.monotonic() - start > PATIENCE:
                break
            put_off = True
            time.sleep(0.1)
        took = time.monotonic() - start
        note(self.n, "told", what, status)
        with lock:
            statuses[status] = statuses.get(status, 0) + 1
            statuses["put off"] = statuses.get("put off", 0) + put_off
            if took > slowest[0]:
                slowest[:] = [took, what]
        if status not in fine and status not in REFUSALS:
            complain(self.n, "%s: status %d after %.1f s" % (what, status, took))
        return status, u, put_off

    def lookup(self, d, name, fine=(0, nfs3.NOENT)):
        status, u, _ = self.ask(3, opaque(self.dirs[d]) + opaque(name), "LOOKUP %s/%s" % (d, name), fine)
        return status, u.opaque() if status == 0 else None

    def must_be(self, d, name):
        status, fh = self.lookup(d, name)
        there = (d, name) in self.names or (d + "/" + name) in self.dirs
        if (status == 0) != there:
            complain(self.n, "%s/%s %s, status %d" % (d, name, "is lost" if there else "is there, and should not be", status))
        elif there and (d, name) in self.names and fh != self.names[d, name].fh:
            complain(self.n, "%s/%s is another file" % (d, name))

    # --- changes: True when it was done

    def done(self, status, put_off, already):
        """After JUKEBOX the call is a new one, and may find its own work."""
        return status == 0 or (put_off and status == already)

    def make(self, d, name):
        status, u, put_off = self.ask(8, opaque(self.dirs[d]) + opaque(name) + u32(1) + self.c.sattr(mode=0o644),
                                      "CREATE %s/%s" % (d, name), (0, nfs3.EXIST))
        fh = u.post_fh() if status == 0 else None
        if status == nfs3.EXIST:
            if not put_off:
                complain(self.n, "CREATE %s/%s: there is one" % (d, name))
            fh = self.lookup(d, name)[1]
        if fh:
            self.names[d, name] = f = File(fh)
            f.names.add((d, name))
        return fh

    def make_dir(self, d, name):
        parent = self.dirs[d] if d else self.root
        status, u, put_off = self.ask(9, opaque(parent) + opaque(name) + self.c.sattr(mode=0o755), "MKDIR %s/%s" % (d, name), (0, nfs3.EXIST))
        if status == 0:
            self.dirs[d + "/" + name if d else name] = u.post_fh()
        elif status == nfs3.EXIST:
            if not put_off and name != "shared":
                complain(self.n, "MKDIR %s/%s: there is one" % (d, name))
            res = nfs3.patiently(self.c.lookup, parent, name)
            self.dirs[d + "/" + name if d else name] = res["fh"]
        return status == 0

    def write(self, f, what):
        offset = self.rng.randrange(SIZE) if self.rng.random() < 0.3 else self.rng.randrange(len(f.data) + 1)
        data, stable = self.rng.randbytes(self.rng.choice((1, 500, 4096, 30000))), self.rng.choice((0, 0, 1, 2))
        left = data
        while left:
            at = offset + len(data) - len(left)
            status, u, _ = self.ask(7, opaque(f.fh) + u64(at) + u32(len(left)) + u32(stable) + opaque(left),
                                    "WRITE %s %d+%d %d" % (what, at, len(left), stable))
            if status:
                f.unsure.append((at, at + len(left)))
                f.put(at, left)		# as long as this, perhaps
                return
            u.wcc()
            count = u.u32()
            f.put(at, left[:count])
            left = left[count:]
        if stable == 0 and self.ask(21, opaque(f.fh) + u64(0) + u32(0), "COMMIT " + what)[0]:
            f.unsure.append((0, len(f.data)))

    def set(self, f, what):
        if self.rng.random() < 0.5:
            mode = self.rng.choice((0o600, 0o640, 0o666))
            if self.ask(2, opaque(f.fh) + self.c.sattr(mode=mode) + u32(0), "SETATTR %s mode" % what)[0] == 0:
                f.mode = mode
            return
        size = self.rng.randrange(len(f.data) + 1)
        if self.ask(2, opaque(f.fh) + self.c.sattr(size=size) + u32(0), "SETATTR %s size %d" % (what, size))[0] == 0:
            f.data = f.data[:size]
            f.unsure = [(a, min(b, size)) for a, b in f.unsure if a < size]
        else:
            f.unsure.append((0, SIZE * 2))

    def drop(self, key):
        f = self.names.pop(key, None)
        if f:
            f.names.discard(key)

    def remove(self, d, name):
        status, _, put_off = self.ask(12, opaque(self.dirs[d]) + opaque(name), "REMOVE %s/%s" % (d, name), (0, nfs3.NOENT))
        if self.done(status, put_off, nfs3.NOENT):
            self.drop((d, name))
        elif status == nfs3.NOENT:
            complain(self.n, "REMOVE %s/%s: there is none" % (d, name))

    def rename(self, key, to):
        status, _, put_off = self.ask(14, b"".join(opaque(self.dirs[d]) + opaque(n) for d, n in (key, to)),
                                      "RENAME %s/%s %s/%s" % (key + to), (0, nfs3.NOENT))
        if self.done(status, put_off, nfs3.NOENT):
            f = self.names[key]
            self.drop(to)
            self.drop(key)
            self.names[to] = f
            f.names.add(to)
        elif status == nfs3.NOENT:
            complain(self.n, "RENAME %s/%s %s/%s: there is none" % (key + to))
        return status

    def link(self, key, to):
        f = self.names[key]
        status, _, put_off = self.ask(15, opaque(f.fh) + opaque(self.dirs[to[0]]) + opaque(to[1]), "LINK %s/%s %s/%s" % (key + to),
                                      (0, nfs3.EXIST))
        if self.done(status, put_off, nfs3.EXIST):
            self.names[to] = f
            f.names.add(to)

    def rename_dir(self, path):
        parent, name = path.rsplit("/", 1)
        new = "d%d" % self.next()
        status, _, put_off = self.ask(14, opaque(self.dirs[parent]) + opaque(name) + opaque(self.dirs[parent]) + opaque(new),
                                      "RENAME %s %s" % (path, new), (0, nfs3.NOENT))
        if not self.done(status, put_off, nfs3.NOENT):
            if status == nfs3.NOENT:
                complain(self.n, "RENAME %s: there is none" % path)
            return
        self.dirs[parent + "/" + new] = self.dirs.pop(path)
        for d, k in [key for key in self.names if key[0] == path]:
            f = self.names.pop((d, k))
            f.names.discard((d, k))
            self.names[parent + "/" + new, k] = f
            f.names.add((parent + "/" + new, k))

    def remove_dir(self, path):
        parent, name = path.rsplit("/", 1)
        status, _, put_off = self.ask(13, opaque(self.dirs[parent]) + opaque(name), "RMDIR " + path, (0, nfs3.NOENT))
        if self.done(status, put_off, nfs3.NOENT):
            del self.dirs[path]
        elif status == nfs3.NOENT:
            complain(self.n, "RMDIR %s: there is none" % path)

    # --- the story

    def next(self):
        self.serial += 1
        return self.serial

    def place(self):
        """A directory, and a new name in it."""
        d = self.rng.choice(list(self.dirs))
        return d, "w%d-%d" % (self.n, self.next())

    def step(self):
        mine, kind = [p for p in self.dirs if "/" in p], self.rng.random()
        key = self.rng.choice(list(self.names)) if self.names else None
        if kind < 0.07 and len(mine) < DIRS:
            name = "d%d" % self.next()
            if not self.make_dir("w%d" % self.n, name) and "w%d/%s" % (self.n, name) not in self.dirs:
                self.must_be("w%d" % self.n, name)
        elif kind < 0.12 and mine:
            path = self.rng.choice(mine)
            if any(d == path for d, _ in self.names):
                self.rename_dir(path)
            else:
                self.remove_dir(path)
        elif not key or (kind < 0.35 and len(self.names) < FILES):
            d, name = self.place()
            if not self.make(d, name):
                self.must_be(d, name)
        elif kind < 0.65:
            self.write(self.names[key], "%s/%s" % key)
        elif kind < 0.72:
            self.set(self.names[key], "%s/%s" % key)
        elif kind < 0.86:
            to = self.rng.choice(list(self.names)) if self.rng.random() < 0.4 else self.place()
            if self.names.get(to) is not self.names[key] and self.rename(key, to):
                self.must_be(*key)
                self.must_be(*to)
        elif kind < 0.92:
            self.link(key, self.place())
        else:
            self.remove(*key)

    def begin(self):
        self.make_dir("", "shared")
        self.make_dir("", "w%d" % self.n)

    def run(self):
        try:
            while not over.is_set():
                self.step()
        except Exception as e:
            complain(self.n, "stopped: %r" % e)

    # --- afterwards

    def verify_file(self, f, what):
        got, at = bytearray(), 0
        while True:
            status, u, _ = self.ask(6, opaque(f.fh) + u64(at) + u32(65536), "READ " + what)
            if status:
                return complain(self.n, "READ %s: status %d" % (what, status))
            attr = u.post_op()
            u.u32()
            eof, data = u.u32(), u.opaque()
            got += data
            at += len(data)
            if eof:
                break
        end = max([b for _, b in f.unsure], default=0)
        if len(got) != len(f.data) and not (end >= min(len(got), len(f.data)) and f.unsure):
            return complain(self.n, "%s has %d bytes, not %d" % (what, len(got), len(f.data)))
        want = bytearray(f.data[:len(got)])
        for a, b in f.unsure:
            want[a:b] = got[a:min(b, len(want))]
        if want != got[:len(want)]:
            k = next(i for i in range(len(want)) if want[i] != got[i])
            complain(self.n, "%s has other data at %d of %d" % (what, k, len(want)))
        if attr and attr["mode"] != f.mode:
            complain(self.n, "%s has mode %o, not %o" % (what, attr["mode"], f.mode))

    def verify(self):
        for d in self.dirs:
            want = {n for p, n in self.names if p == d} | {p.rsplit("/", 1)[1] for p in self.dirs if p.startswith(d + "/")}
            try:
                got = {n.decode() for n in self.c.list(self.dirs[d])}
            except AssertionError as e:
                complain(self.n, "READDIRPLUS %s: %s" % (d, e))
                continue
            if d == "shared":
                got = {n for n in got if n.startswith("w%d-" % self.n)}
            for name in got ^ want:
                complain(self.n, "%s/%s %s" % (d, name, "is listed, and should not be" if name in got else "is not listed"))
        for key, f in list(self.names.items()):
            self.must_be(*key)
            self.verify_file(f, "%s/%s" % key)

    def change_everything(self):
        """Nothing waits, nothing is refused any more."""
        before = statuses.get("put off", 0)
        dirs = list(self.dirs)
        for i, d in enumerate(dirs):
            name = "w%d-last-%d" % (self.n, i)
            if not self.make(d, name):
                complain(self.n, "CREATE %s/%s is refused for ever" % (d, name))
                continue
            to = (dirs[(i + 1) % len(dirs)], name + "-moved")
            self.rename((d, name), to)
        for key, f in list(self.names.items()):
            f.unsure = [(a, b) for a, b in f.unsure if b > 1]
            self.ask(7, opaque(f.fh) + u64(0) + u32(1) + u32(2) + opaque(b"!"), "WRITE %s/%s last" % key)
            f.put(0, b"!")
        for path in [p for p in self.dirs if "/" in p]:
            self.rename_dir(path)
        if statuses.get("put off", 0) > before:
            complain(self.n, "some changes wait though every disk is well")


def tell(word):
    note("nemesis", word)
    with open(requests, "w") as f:
        f.write(word + "\n")
    with open(answers) as f:
        f.readline()


workers = [Worker(n) for n in range(WORKERS)]
for w in workers:
    w.begin()
threads = [threading.Thread(target=w.run, daemon=True) for w in workers]
for t in threads:
    t.start()
time.sleep(1)
for _ in range(TIMES):
    tell("refuse")
    time.sleep(SECONDS)
    tell("relent")
    time.sleep(1.5)
over.set()
for t in threads:
    t.join(PATIENCE * 2)
    if t.is_alive():
        complain("?", "a worker does not end")
refused = sum(statuses.get(s, 0) for s in REFUSALS)
during = sum(v for k, v in statuses.items() if k != "put off")
REFUSALS.clear()
for act in ("verify", "change_everything", "verify"):
    for w in workers:
        try:
            getattr(w, act)()
        except Exception as e:
            complain(w.n, "%s: %r" % (act, e))
tell("end")
for text in complaints[:30]:
    print(text)
print("%d calls, %d refused, %d put off, slowest %.1f s (%s); %d complaints" %
      (during, refused, statuses.get("put off", 0), slowest[0], slowest[1], len(complaints)))
sys.exit(1 if complaints else 0)
