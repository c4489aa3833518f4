"""hostile.py rpcbind SEED | honest PORT VOLUME | attack SEED SECONDS BUILD NAME=PID... b0=DIR: see hostile.sh."""
import faulthandler
import functools
import os
import random
import resource
import signal
import socket
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import nfs3
from nfs3 import opaque, u32, u64

WORDS = [0, 1, 0xffffffff, 0x7fffffff, 0x80000000, 0x10000, 0x10001, 0x110000, 255, 256, 65, 17, 4096]
FOPS, FOPS_VERSION, GATE, HANDSHAKE = 0x13d005, 400, 0x67617465 + 0x13d005, 0xdbb4a9
NFS, MOUNT = 100003, 100005
ROOT_GFID = b"\0" * 15 + b"\1"
HONEST_SECONDS = 20	# a bound for a starved client on a busy machine, not a performance


def marked(body):
    return u32(0x80000000 | len(body)) + body


def mutate(rng, message):
    """One to a few changes anywhere in a valid message; the first word, its number, stays."""
    m = bytearray(message)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        kind = rng.random()
        if len(m) < 12:
            break
        at = rng.randrange(4, len(m))
        if kind < 0.35:
            m[at] ^= 1 << rng.randrange(8)
        elif kind < 0.75:
            at &= ~3
            if at + 4 <= len(m):
                struct.pack_into(">I", m, at, rng.choice(WORDS))
        elif kind < 0.85:
            del m[at:]
        elif kind < 0.92:
            m[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4, 40, 1000])))
        elif kind < 0.97:
            del m[at:at + rng.choice([1, 4, 16])]
        else:
            m += m[at:] * rng.randrange(1, 20)
    return bytes(m)


def frame(rng, body):
    """The record as one fragment, as many, with empty ones between, or under a mark that lies."""
    kind = rng.random()
    if kind < 0.75:
        return marked(body)
    if kind < 0.9:
        out, at = b"", 0
        while at < len(body):
            n = min(rng.choice([1, 3, 7, 64, 1000]), len(body) - at)
            out += u32(n | (0x80000000 if at + n == len(body) else 0)) + body[at:at + n]
            at += n
        return out
    if kind < 0.95:
        return u32(0) * rng.choice([1, 100, 5000]) + marked(body)
    return u32(rng.choice([0xffffffff, 0x7fffffff, 0x80000000, 0x80110001, 0x80000000 | len(body) + 9])) + body


class Attacker:
    """A connection that is opened again whenever the server has had enough of it."""

    def __init__(self, port, hello=b""):
        self.port, self.hello, self.sock = port, hello, None

    def send(self, data):
        try:
            if not self.sock:
                self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=1)
                self.sock.sendall(self.hello)
            self.sock.sendall(data)
            self.drain()
        except OSError:
            self.close()

    def drain(self):
        self.sock.setblocking(False)
        while self.sock:
            try:
                if not self.sock.recv(1 << 20):
                    self.close()
            except BlockingIOError:
                self.sock.settimeout(1)
                return

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None


# --- valid calls to begin with --------------------------------------------------------------------------------------

class Recorder(nfs3.Client):
    def send(self, prog, vers, proc, args, xid=None):
        self.kept.append(u32(7) + u32(0) + u32(2) + u32(prog) + u32(vers) + u32(proc) + self.auth() + args)
        return super().send(prog, vers, proc, args, xid)


def record_nfs(volume):
    """One valid call of each procedure, inside a directory made for the purpose."""
    c = Recorder()
    c.kept = []
    top = c.mount("/" + volume)
    d = c.mkdir(top, "attack", mode=0o777)["fh"]
    c.kept = []
    f = c.create(d, "file", mode=0o666)["fh"]
    e = c.mkdir(d, "dir", mode=0o777)["fh"]
    link = c.symlink(d, "link", "target" * 20)["fh"]
    c.mknod(d, "fifo", 7, mode=0o600)
    c.mknod(d, "dev", 3, rdev=(1, 3), mode=0o600)
    for stable in range(3):
        c.write(f, 100 * stable, b"x" * 1000, stable)
    c.getattr(f), c.setattr(f, mode=0o644, size=3000, atime="now", mtime=(1, 2)), c.lookup(d, "file"), c.access(f), c.readlink(link)
    c.read(f, 0, 65536), c.link(f, e, "hard"), c.rename(e, "hard", d, "hard2"), c.remove(d, "hard2")
    c.mkdir(d, "gone", mode=0o700), c.rmdir(d, "gone"), c.create(d, "excl", 2, b"12345678")
    c.readdir(d), c.readdirplus(d), c.readdirplus(d, dircount=1, maxcount=1), c.readdirplus(d, dircount=0xffffffff, maxcount=0xffffffff)
    c.fsstat(d), c.fsinfo(d), c.commit(f), c.call(NFS, 3, 20, opaque(d)), c.call(NFS, 3, 0)
    for vers in 1, 3:
        for proc, args in (0, b""), (1, opaque("/" + volume)), (2, b""), (3, opaque("/" + volume + "/attack")), (4, b""), (5, b""):
            c.call(MOUNT, vers, proc, args)
    # names of every byte, and no names at all
    for name in [bytes([b]) for b in range(256)] + [b"", b".", b"..", b"a/b", b"x" * 255, b"x" * 256, b"y" * 5000]:
        for proc in (3, 8, 9, 12, 13):
            args = opaque(d) + opaque(name) + (u32(0) if proc == 8 else b"") + (c.sattr() if proc in (8, 9) else b"")
            if name not in (b".", b"..") and rng_keep.random() < 0.1 or len(name) != 1:
                try:
                    c.call(NFS, 3, proc, args)
                except RuntimeError:
                    pass		# longer than any name: garbage
    # callers that no kernel takes for one
    for uid, gid in (0xffffffff, 0xffffffff), (1000, 0xffffffff), (0xffffffff, 0), (65536, 65536):
        c.cred = (uid, gid, (0xffffffff,))
        c.create(d, "by%d-%d" % (uid, gid), mode=0o600), c.mkdir(d, "dir%d-%d" % (uid, gid), mode=0o700), c.readdirplus(d)
    return c.kept


rng_keep = random.Random(1)


def setvolume(brick, uuid):
    pairs = [("remote-subvolume", brick), ("process-uuid", uuid), ("fops-version", "1298437"), ("clnt-lk-version", "1"),
             ("gatehouse.extension", "1"), ("opversion", "100000")]
    flat = u32(len(pairs))
    for key, value in pairs:
        key, value = key.encode(), value.encode() + b"\0"
        flat += u32(len(key)) + u32(len(value)) + key + b"\0" + value
    cred = u32(0x5f398) + u32(40) + b"\0" * 32 + u32(4) + b"\0\0\0\1" + u32(0) + u32(0)
    return u32(4) + u32(0) + u32(2) + u32(HANDSHAKE) + u32(2) + u32(1) + cred + opaque(flat)


def record_fops(directory):
    """The recorded calls of stock clients, about objects that exist on this brick."""
    gfids = [ROOT_GFID]
    for name in "attack", "attack/file", "attack/dir", "attack/link":
        gfids.append(os.getxattr(os.path.join(directory, name), "trusted.gfid", follow_symlinks=False))
    kept = []
    for line in open(os.path.join(HERE, "../unit/vectors/wire-vectors.txt")):
        word = line.split()
        if not line.startswith("#") and word[0].endswith(".call"):
            raw = bytes.fromhex(word[1])
            prog = struct.unpack_from(">I", raw, 12)[0]
            args = 24 + 8 + struct.unpack_from(">I", raw, 28)[0] + 8
            kept.append(raw)
            if prog != FOPS:
                continue
            for gfid in gfids:
                real = raw[:args] + gfid + raw[args + 16:]
                kept.append(real)
                kept.append(real[:12] + u32(GATE) + u32(1) + real[20:])
                if word[0] in ("write.call", "read.call", "readdirp.call", "fxattrop_pre_op.call"):
                    kept.append(real[:args + 16] + struct.pack(">q", -2) + real[args + 24:])
    for proc in 100, 101:
        kept.append(raw[:12] + u32(GATE) + u32(1) + u32(proc) + raw[24:args] + ROOT_GFID + u32(7) + u32(0))
    return kept


@functools.lru_cache
def vector(name):
    with open(os.path.join(HERE, "../unit/vectors/wire-vectors.txt")) as f:
        return next(bytes.fromhex(line.split()[1]) for line in f if line.startswith(name + ".call "))


def fop(name, owner, gfid=ROOT_GFID, **change):
    raw = vector(name)
    n = struct.unpack_from(">I", raw, 28)[0]
    args = 32 + n + 8
    owner_len = struct.unpack_from(">I", raw, 32 + 32)[0]
    raw = raw[:68] + owner.to_bytes(owner_len, "big") + raw[68 + owner_len:args] + gfid + raw[args + 16:]
    if "cmd" in change:
        raw = raw[:args + 16] + u32(change["cmd"]) + u32(change["type"]) + raw[args + 24:]
    return raw


# --- honest clients --------------------------------------------------------------------------------------------------

class Honest(threading.Thread):
    def __init__(self, volume):
        super().__init__(daemon=True)
        self.client = nfs3.Client()
        self.dir = self.client.mkdir(self.client.mount("/" + volume), "honest", mode=0o755)["fh"]
        self.worst, self.rounds, self.error, self.stopping = 0.0, 0, None, False

    def one(self, call, *args, **kw):
        begun = time.monotonic()
        res = nfs3.patiently(call, *args, seconds=HONEST_SECONDS, **kw)
        self.worst = max(self.worst, time.monotonic() - begun)
        assert res["status"] == 0, (call, res)
        return res

    def round(self, i):
        c, name, data = self.client, "n%d" % i, os.urandom(5000)
        fh = self.one(c.create, self.dir, name, mode=0o644)["fh"]
        self.one(c.write, fh, 0, data)
        assert self.one(c.read, fh, 0, 8192)["data"] == data
        names = [e["name"] for e in self.one(c.readdirplus, self.dir)["entries"]]
        assert name.encode() in names, names
        self.one(c.remove, self.dir, name)

    def run(self):
        try:
            while not self.stopping:
                self.round(self.rounds)
                self.rounds += 1
                time.sleep(0.02)
        except Exception as e:
            self.error = repr(e)


# --- the attacks: each runs until its time is over ----------------------------------------------------------------------

class War:
    def __init__(self, seed, seconds, processes, directory):
        self.seed, self.end, self.processes, self.directory = seed, 0, processes, directory
        self.seconds = seconds
        self.sent = 0

    def until(self, share):
        return time.monotonic() + self.seconds * share

    def spoiled(self, name, port, messages, end, hello=None):
        rng = random.Random("%d %s" % (self.seed, name))
        connections = [Attacker(port, hello(i) if hello else b"") for i in range(8)]
        while time.monotonic() < end:
            a = rng.choice(connections)
            a.send(b"".join(frame(rng, mutate(rng, rng.choice(messages))) for _ in range(rng.choice([1, 1, 10]))))
            self.sent += 1
            if rng.random() < 0.02:		# gone in the middle of a record
                a.send(marked(rng.choice(messages))[:rng.randrange(1, 60)])
                a.close()
        for a in connections:
            a.close()

    def replies_to_servers(self, port, end):
        rng = random.Random("%d replies" % self.seed)
        a = Attacker(port)
        while time.monotonic() < end:
            a.send(marked(u32(rng.randrange(1 << 32)) + u32(1) + u32(0) * rng.randrange(20)))
            time.sleep(0.001)

    def datagrams(self, messages, end):
        rng = random.Random("%d udp" % self.seed)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while time.monotonic() < end:
            try:
                s.sendto(mutate(rng, rng.choice(messages))[:60000], ("127.0.0.1", 2049))
            except OSError:
                pass
            if rng.random() < 0.1:
                time.sleep(0.002)

    def half_open(self, ports, end):
        """Many connections that begin a record and say no more, or begin a large one."""
        held = []
        for i in range(900):
            try:
                s = socket.create_connection(("127.0.0.1", ports[i % len(ports)]), timeout=5)
                s.sendall([b"", b"\x80", u32(0x80100000), u32(0x80100000) + b"x" * 20000, u32(0x00000010)][i % 5])
                held.append(s)
            except OSError:
                pass
        while time.monotonic() < end:
            time.sleep(0.1)
        for s in held:
            s.close()

    def deaf(self, messages, end):
        """Asks for much and reads nothing."""
        read = [m for m in messages if m[12:16] == u32(NFS) and m[20:24] in (u32(6), u32(17))]
        held = []
        for i in range(40):
            s = socket.create_connection(("127.0.0.1", 2049), timeout=5)
            s.setblocking(False)
            held.append(s)
        while time.monotonic() < end:
            for s in held:
                try:
                    s.send(b"".join(map(marked, read)) * 20)
                except OSError:
                    pass
            time.sleep(0.05)
        for s in held:
            s.close()

    def brick_hello(self, uuid):
        return marked(setvolume(self.directory, uuid))

    def lock_storm(self, end):
        """Readers hold, thousands of writers wait, on few connections and on many, and then all vanish; again and again."""
        n = 0
        while time.monotonic() < end:
            n += 1
            held = [Attacker(49152, self.brick_hello("storm-%d-%d" % (n, i))) for i in range(12)]
            for i, a in enumerate(held):
                if i < 2:
                    a.send(b"".join(marked(fop("inodelk_metadata_lock", 1 + k + 10000 * i, cmd=6, type=0)) for k in range(800)))
                else:
                    for k in range(0, 2000, 200):
                        a.send(b"".join(marked(fop("inodelk_metadata_lock", 100000 * i + k + j, cmd=7, type=1)) for j in range(200)))
            time.sleep(0.3)
            for a in held[2:]:
                a.close()
            time.sleep(0.1)
            for a in held[:2]:
                a.close()
        return n

    def open_storm(self, end):
        """One client opens directories without end; many connections share one process-uuid."""
        a = [Attacker(49152, self.brick_hello("opener")) for _ in range(20)]
        many = marked(fop("opendir", 1)) * 500
        while time.monotonic() < end:
            for one in a:
                one.send(many)
            time.sleep(0.05)
        for one in a:
            one.close()

    def liar(self, end):
        """The gateway behind the liar is asked all the time; it may answer errors, or nothing in time, but must live."""
        os.kill(self.processes["liar"], signal.SIGUSR1)
        rng = random.Random("%d liar" % self.seed)
        c = top = None
        while time.monotonic() < end:
            try:
                if not c:
                    c = nfs3.Client(port=2050)
                    c.sock.settimeout(1)
                    top = c.mount("/liar")
                name = "n%d" % rng.randrange(20)
                made = c.create(top, name, mode=0o644)
                fh = made.get("fh") or c.lookup(top, name).get("fh")
                if fh:
                    c.write(fh, 0, b"z" * 3000), c.read(fh, 0, 8192), c.setattr(fh, mode=0o600), c.getattr(fh)
                c.mkdir(top, "d" + name), c.symlink(top, "l" + name, "there"), c.rename(top, name, top, "m" + name)
                c.readdirplus(top), c.readdir(top), c.fsstat(top), c.access(top), c.readlink(top), c.remove(top, "m" + name)
                c.rmdir(top, "d" + name), c.remove(top, "l" + name)
            except Exception:
                if c:
                    c.sock.close()
                c = None
        os.kill(self.processes["liar"], signal.SIGUSR2)


def rss(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


class Watch(threading.Thread):
    def __init__(self, processes):
        super().__init__(daemon=True)
        self.processes, self.first, self.peak, self.dead = processes, {}, {}, None

    def run(self):
        while True:
            for name, pid in self.processes.items():
                try:
                    now = rss(pid)
                    if not now:
                        raise FileNotFoundError
                except (FileNotFoundError, ProcessLookupError):
                    self.dead = self.dead or name
                    continue
                self.first.setdefault(name, now)
                self.peak[name] = max(now, self.peak.get(name, 0))
            time.sleep(0.2)


def attack(seed, seconds, build, processes, directory):
    volume = "demo"
    honest = Honest(volume)
    messages = record_nfs(volume)
    fops = record_fops(directory)
    watch = Watch(processes)
    watch.start()
    honest.start()
    war = War(seed, seconds, processes, directory)
    threads = []

    def go(f, *args):
        t = threading.Thread(target=f, args=args, daemon=True)
        t.start()
        threads.append(t)

    def phase(name, share, *jobs):
        if os.environ.get("HOSTILE_ONLY", name) != name:
            return
        end = war.until(share)
        for f, *args in jobs:
            go(f, *args, end)
        for t in threads:
            t.join(seconds * share + 180)	# for hangs only: one burst takes its time on a busy machine
            if t.is_alive():
                faulthandler.dump_traceback()
            assert not t.is_alive(), "%s: an attacker is stuck" % name
        threads.clear()
        print("%-28s honest rounds %d, worst %.2f s, MiB %s" % (name, honest.rounds, honest.worst, watch.peak), flush=True)
        assert not watch.dead, "%s died in the phase of %s" % (watch.dead, name)
        assert not honest.error, "the honest client, in the phase of %s: %s" % (name, honest.error)

    hello = lambda i: war.brick_hello("fuzz-%d" % (i % 3)) if i else b""
    phase("spoiled calls", 0.3,
          (lambda end: war.spoiled("nfs", 2049, messages, end),), (lambda end: war.spoiled("brick", 49152, fops, end, hello),),
          (war.datagrams, messages), (war.replies_to_servers, 2049), (war.replies_to_servers, 49152), (war.liar,))
    phase("half-open and deaf", 0.2, (war.half_open, [2049, 49152]), (war.deaf, messages), (war.liar,))
    phase("locks and open files", 0.3, (war.lock_storm,), (war.open_storm,),
          (lambda end: war.spoiled("brick2", 49153, fops, end, lambda i: b""),))
    phase("handshakes", 0.2, (lambda end: war.spoiled("hello", 49152, [setvolume(directory, "x%d" % i) for i in range(9)], end),),
          (lambda end: war.spoiled("nfs again", 2049, messages, end),), (war.liar,))
    honest.stopping = True
    honest.join(HONEST_SECONDS * 6)
    assert not honest.error and not honest.is_alive(), honest.error
    assert honest.rounds >= 5, "the honest client was served %d rounds only" % honest.rounds
    honest_once(2050, "liar", patience=60)
    bound = 700 if "fsanitize" in open(os.path.join(build, "Makefile")).read() else 200
    for name in processes:
        grown = watch.peak[name] - watch.first[name]
        assert name == "liar" or grown <= bound, "%s grew by %d MiB" % (name, grown)
    assert not watch.dead, watch.dead
    print("all alive after %d bursts; grown by %s MiB" % (war.sent, {n: watch.peak[n] - watch.first[n] for n in processes}))


def honest_once(port, volume, patience=10):
    """One file made, written and read; asked again while the gateway finds its bricks."""
    end = time.monotonic() + patience
    while True:
        try:
            c = nfs3.Client(port=port)
            c.sock.settimeout(5)
            top = c.mount("/" + volume)
            name = "once%d" % random.randrange(1 << 30)
            fh = c.create(top, name, mode=0o644)["fh"]
            assert c.write(fh, 0, b"true")["status"] == 0
            assert c.read(fh, 0, 10)["data"] == b"true"
            return
        except (OSError, KeyError, AssertionError, RuntimeError) as e:
            if time.monotonic() > end:
                raise SystemExit("%s on port %d is not served: %r" % (volume, port, e))
            time.sleep(0.3)


# --- a portmapper that lies ----------------------------------------------------------------------------------------------

def fake_rpcbind(seed):
    rng = random.Random(seed)
    server = socket.create_server(("127.0.0.1", 111))
    while True:
        s, _ = server.accept()
        try:
            while True:
                call = s.recv(65536)
                if not call:
                    break
                answer = call[4:8] + u32(1) + u32(0) * 4 + bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
                s.sendall(frame(rng, rng.choice([answer, mutate(rng, answer), call[4:], u32(0) * 7, answer + b"\xff" * 3000])))
        except OSError:
            pass
        s.close()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    what, *args = sys.argv[1:]
    if what == "rpcbind":
        fake_rpcbind(int(args[0]))
    elif what == "honest":
        honest_once(int(args[0]), args[1])
    else:
        words = dict(a.split("=", 1) for a in args[3:])
        directory = words.pop("b0")
        attack(int(args[0]), float(args[1]), args[2], {n: int(p) for n, p in words.items()}, directory)


if __name__ == "__main__":
    main()
