"""manager_hostile.py SEED SECONDS DIRECTORY NAME=PID...: spoiled and overwhelming talk to a manager; see manager_hostile.sh.

DIRECTORY is the manager's (run/manager.sock, state/store). What spoils messages is hostile.py's.
"""
import json
import os
import random
import resource
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hostile import Attacker, Watch, frame, marked, mutate
from manager_rpc import DUMP, GATE, HANDSHAKE, PORT, PORTMAP, Manager, flat
from nfs3 import opaque, u32

ANSWER_S = 2.0
PATIENCE = float(os.environ.get("PATIENCE", "1"))	# of a machine that is busy with other things


def call(program, proc, args):
    return u32(7) + u32(0) + u32(2) + u32(program[0]) + u32(program[1]) + u32(proc) + u32(0) * 4 + args


def tcp_messages(bricks):
    """One valid call, at least, of every procedure."""
    kept = [call(DUMP, 0, b""), call(DUMP, 1, b"\0" * 8), call(DUMP, 2, b"")]
    xdata = flat([("min-op-version", "1"), ("max-op-version", "110000"), ("brick_name", bricks[0])])
    keys = ["demo", "/demo", "many", "gateway/demo", "shd/demo", "demo.127.0.0.1." + bricks[0][1:].replace("/", "-"), "no", "", "a" * 4000, "x/y.z"]
    for key in keys:
        kept += [call(HANDSHAKE, 2, u32(f) + opaque(key) + opaque(xdata)) for f in (0, 1)]
    kept += [call(HANDSHAKE, p, opaque(xdata)) for p in (1, 5, 6, 7)] + [call(HANDSHAKE, 3, b""), call(HANDSHAKE, 4, opaque("uid") + u32(1))]
    for brick in bricks + ["/by/hand", "", "/" + "x" * 900]:
        kept += [call(PORTMAP, 1, opaque(brick)), call(PORTMAP, 4, opaque(brick) + u32(50000) + u32(1)), call(PORTMAP, 5, opaque(brick) + u32(50000) + u32(0))]
    kept += [call(PORTMAP, 2, u32(p)) for p in (0, 49152, 50000, 0xffffffff)]
    for store in "etcd://192.0.2.1:2379", "dir:/tmp", "etcd://`x`", "":
        kept.append(call(GATE, 2, opaque(json.dumps({"store": store, "by": "x", "name": "y"}))))
    return kept + [call(GATE, 2, opaque(t)) for t in odd_json()]


def odd_json():
    deep = "[" * 100000, '{"a":' * 50000 + "1" + "}" * 50000, "[" * 31 + "]" * 31
    return list(deep) + ["", "{}", "null", "[]", '"x"', "{", '{"command":null}', '{"command":"volume-info","name":{}}', '{"command":"\\u0000"}', b"\xff\xfe",
                         '{"command":"volume-info"}' + " " * 1000000, "[" + "1," * 300000 + "1]", '{"command":"' + "x" * 1000000 + '"}']


READING = ["volume-list", "volume-info", "volume-status", "volume-get", "volume-help", "volume-log", "peer-status", "pool-list", "exports-show",
           "exports-test", "config-check", "version", "no-such-command"]
CHANGING = ["volume-create", "volume-start", "volume-stop", "volume-delete", "volume-set", "volume-reset", "peer-probe", "peer-detach"]


def odd_value(rng):
    return rng.choice([None, True, 0, -1, 1 << 62, 1e300, "", "demo", "many", "a\x01b", "\uffff", "\ud83d\ude00", "`id`", "a\nb", "x" * 5000, "../x", [], {}, ["demo"],
                       [[1], [2]], {"name": "user.a", "value": "1"}, [{"name": "user.a", "value": 7}], [{"name": "nfs.disable", "value": "x"}],
                       ["127.0.0.1:/nowhere/b"], "127.0.0.1:/x", "show", "rotate", "all"])


def odd_command(rng):
    """Any command with members of any kind. The volumes that the honest client looks at are never named by what changes."""
    request = {"command": rng.choice(READING + CHANGING)}
    for member in rng.sample(["name", "replica", "arbiter", "bricks", "force", "detail", "clients", "options", "option", "action", "brick", "lines", "host",
                              "client", "path"], rng.randrange(8)):
        request[member] = odd_value(rng)
    if request["command"] in CHANGING and request.get("name") in ("demo", "many"):
        request["name"] = "none"
    return json.dumps(request)


class LocalAttacker(Attacker):
    """The same over the unix socket."""
    def __init__(self, path):
        super().__init__(0)
        self.path = path

    def send(self, data):
        try:
            if not self.sock:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(1)
                self.sock.connect(self.path)
            self.sock.sendall(data)
            self.drain()
        except OSError:
            self.close()


class Honest(threading.Thread):
    """Looks at a volume all the time, and measures."""
    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.worst, self.rounds, self.error, self.stopping = path, 0.0, 0, None, False

    def once(self):
        begun = time.monotonic()
        m = Manager(self.path)
        answer = m.command({"command": "volume-info", "name": "demo"})
        m.sock.close()
        took = time.monotonic() - begun
        assert answer["status"] == 0 and answer["result"]["volumes"][0]["status"] == "Started", answer
        self.worst = max(self.worst, took)
        assert took < ANSWER_S * PATIENCE, "volume info took %.1f s" % took

    def run(self):
        try:
            while not self.stopping:
                self.once()
                self.rounds += 1
                time.sleep(0.02)
        except Exception as e:
            self.error = repr(e)


class War:
    def __init__(self, seed, seconds, directory, bricks):
        self.seed, self.seconds, self.bricks = seed, seconds, bricks
        self.socket = directory + "/run/manager.sock"
        self.sent = 0

    def spoiled(self, name, attackers, messages, end):
        rng = random.Random("%d %s" % (self.seed, name))
        while time.monotonic() < end:
            a = rng.choice(attackers)
            kind = rng.random()
            message = rng.choice(messages)
            if len(message) > 100000 and kind > 0.05:	# the long ones seldom
                continue
            a.send(b"".join(frame(rng, message if kind < 0.2 else mutate(rng, message)) for _ in range(rng.choice([1, 1, 10]))))
            self.sent += 1
            if kind > 0.98:			# gone in the middle of a record
                a.send(marked(message)[:rng.randrange(1, 60)])
                a.close()
        for a in attackers:
            a.close()

    def commands(self, name, end):
        rng = random.Random("%d %s" % (self.seed, name))
        attackers = [LocalAttacker(self.socket) for _ in range(4)]
        while time.monotonic() < end:
            text = odd_command(rng).encode("utf-8", "surrogatepass")
            if rng.random() < 0.5:
                at = rng.randrange(len(text))
                text = rng.choice([text[:at], text[:at] + bytes([rng.randrange(256)]) + text[at + 1:], text[:at] + text[at:] * 2])
            rng.choice(attackers).send(marked(call(GATE, 1, opaque(text))))
            self.sent += 1
            time.sleep(0.001)
        for a in attackers:
            a.close()

    def half_open(self, count, end):
        held = []
        for i in range(count):
            try:
                s = socket.create_connection(("127.0.0.1", PORT), timeout=1)
                s.sendall([b"", b"\x80", u32(0x80100000), u32(0x80100000) + b"x" * 20000, u32(16)][i % 5])
                held.append(s)
            except OSError:
                pass
            if time.monotonic() > end:
                break
        while time.monotonic() < end:
            time.sleep(0.1)
        for s in held:
            s.close()
        self.held = len(held)

    def deaf(self, end):
        """Asks for the long volfile and the long status and reads nothing."""
        xdata = flat([("min-op-version", "1"), ("max-op-version", "110000")])
        spec = marked(call(HANDSHAKE, 2, u32(1) + opaque("many") + opaque(xdata))) * 20
        status = marked(call(GATE, 1, opaque('{"command":"volume-status","name":"many"}'))) * 10
        held = [(socket.create_connection(("127.0.0.1", PORT), timeout=5), spec) for _ in range(60)]
        for _ in range(10):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.socket)
            held.append((s, status))
        for s, _ in held:
            s.setblocking(False)
        while time.monotonic() < end:
            for s, data in held:
                try:
                    s.send(data)
                except OSError:
                    pass
            time.sleep(0.05)
        for s, _ in held:
            s.close()

    def greedy(self, name, end):
        """Asks for the long volfile all the time, and reads it."""
        xdata = flat([("min-op-version", "1"), ("max-op-version", "110000")])
        spec = marked(call(HANDSHAKE, 2, u32(1) + opaque("many") + opaque(xdata))) * 5
        a = Attacker(PORT)
        while time.monotonic() < end:
            a.send(spec)
        a.close()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    seed, seconds, directory, *words = sys.argv[1:]
    seed, seconds = int(seed), float(seconds)
    processes = {n: int(p) for n, p in (w.split("=") for w in words)}
    path = directory + "/run/manager.sock"
    info = Manager(path).command({"command": "volume-info", "name": "demo"})
    bricks = [b["path"] for b in info["result"]["volumes"][0]["bricks"]]
    war, honest, watch = War(seed, seconds, directory, bricks), Honest(path), Watch(processes)
    watch.start()
    honest.start()

    def phase(name, share, *jobs):
        end = time.monotonic() + seconds * share
        threads = [threading.Thread(target=f, args=(*args, end), daemon=True) for f, *args in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join(seconds * share + 30)
            assert not t.is_alive(), "%s: an attacker is stuck" % name
        print("%-24s honest rounds %d, worst %.2f s, MiB %s" % (name, honest.rounds, honest.worst, watch.peak), flush=True)
        assert not watch.dead, "%s died in the phase of %s" % (watch.dead, name)
        assert not honest.error, "the honest client, in the phase of %s: %s" % (name, honest.error)

    messages = tcp_messages(bricks)
    local = [call(GATE, 1, opaque(t)) for t in odd_json()]
    phase("spoiled calls", 0.35, (lambda end: war.spoiled("tcp", [Attacker(PORT) for _ in range(8)], messages, end),),
          (lambda end: war.spoiled("local", [LocalAttacker(path) for _ in range(4)], local, end),), (war.commands, "commands"))
    phase("half-open and deaf", 0.3, (war.half_open, 5000), (war.deaf,), (war.commands, "commands again"))
    phase("greedy", 0.2, *[(war.greedy, "greedy%d" % i) for i in range(6)])
    phase("all at once", 0.15, (war.half_open, 500), (lambda end: war.spoiled("tcp2", [Attacker(PORT) for _ in range(8)], messages, end),),
          (war.greedy, "greedy"), (war.commands, "commands at last"))
    honest.stopping = True
    honest.join(30)
    honest.once()
    assert honest.rounds >= 5, "the honest client was served %d rounds only" % honest.rounds
    for name in processes:
        grown = watch.peak[name] - watch.first[name]
        assert grown <= int(os.environ.get("GROWS", "200")), "%s grew by %d MiB" % (name, grown)
    print("all alive after %d bursts and %d connections held; grown by %s MiB" % (war.sent, war.held, {n: watch.peak[n] - watch.first[n] for n in processes}))


if __name__ == "__main__":
    main()
