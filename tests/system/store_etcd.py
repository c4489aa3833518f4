"""Drives etcd members and store probes: store_etcd.py PROBE DIRECTORY. Every answer of a store must come within 2 s.

Bounds are for a machine with nothing else to do; on a busy one they are longer by as much as it is overloaded.
"""
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

PROBE, T = sys.argv[1:]
PORTS = (2379, 2479, 2579)
ENV = dict(os.environ, ETCDCTL_API="3", GODEBUG="madvdontneed=1")
EEXIST, E2BIG, ETIMEDOUT, EHOSTUNREACH, ESTALE = 17, 7, 110, 113, 116


def say(text):
    print("store_etcd: %5.1f s: %s" % (time.monotonic() - begun, text), flush=True)


def slowness():
    return max(1, os.getloadavg()[0] / os.cpu_count() / 2)


def within(seconds, what, fn, *args):
    """Waits until fn(*args) is true; returns how long it took."""
    start = time.monotonic()
    while not fn(*args):
        assert time.monotonic() < start + seconds * slowness(), "%s: not within %s s" % (what, seconds)
        time.sleep(0.01)
    return time.monotonic() - start


class Member:
    def __init__(self, n, cluster, options=(), scheme="http"):
        self.url = "%s://127.0.0.1:%d" % (scheme, n)
        self.log = open("%s/member-%d.log" % (T, n), "ab")
        self.args = ["etcd", "--name", "m%d" % n, "--data-dir", "%s/etcd/m%d" % (T, n), "--listen-client-urls", self.url,
                     "--advertise-client-urls", self.url, "--listen-peer-urls", "http://127.0.0.1:%d" % (n + 1),
                     "--initial-advertise-peer-urls", "http://127.0.0.1:%d" % (n + 1), "--initial-cluster", cluster, *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.args, stdout=self.log, stderr=self.log, env=ENV)

    def signal(self, number):
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait()


class Probe:
    def __init__(self, name, *args):
        self.lines, self.arrived = [], threading.Condition()
        self.process = subprocess.Popen([PROBE, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=open("%s/probe-%s.log" % (T, name), "a"))
        threading.Thread(target=self.read, daemon=True).start()
        self.kept = self.waited()
        self.opened = self.answer(6)

    def read(self):
        for line in self.process.stdout:
            if line[0] != "!":
                with self.arrived:
                    self.lines.append(line.rstrip("\n"))
                    self.arrived.notify()

    def waited(self):
        """Seconds that it was ready to run, but had no processor."""
        with open("/proc/%d/schedstat" % self.process.pid) as f:
            return int(f.read().split()[1]) / 1e9

    def answer(self, seconds=2.0):
        start = time.monotonic()
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.lines, 60), "no answer"
            took = time.monotonic() - start
            assert took < seconds + self.waited() - self.kept, "an answer took %.1f s" % took
            word, _, rest = self.lines.pop(0).partition(" ")
        return (0 if word == "ok" else int(word)), rest

    def __call__(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.kept = self.waited()
        self.process.stdin.flush()
        return self.answer()

    def ok(self, *words):
        """Again when etcd is slow (a busy machine); then it may find that it has been done."""
        start, perhaps, ret, rest = time.monotonic(), False, *self(*words)
        while ret in (ETIMEDOUT, EHOSTUNREACH) and time.monotonic() < start + 8:
            perhaps, ret, rest = True, *self(*words)
        if perhaps and ret in (EEXIST, ESTALE):
            ret, rest = 0, self("get", words[1])[1].split(" ")[0]
        assert ret == 0, "%s: %d %s" % (words, ret, rest)
        return rest

    def fails(self, expected, *words):
        ret, rest = self(*words)
        assert ret in expected, "%s: %d %s" % (words, ret, rest)
        return rest

    def get(self, key):
        ret, rest = self("get", key)
        return rest.split(" ", 1)[1] if ret == 0 else None

    def silent(self):
        return int(self.ok("silent"))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(5) == 0


def etcdctl(*args):
    return subprocess.run(["etcdctl", "--endpoints", ",".join(m.url for m in members), *args], env=ENV, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=20).stdout


def in_etcd():
    kvs = json.loads(etcdctl("get", "--prefix", "/gatehouse/", "-w", "json")).get("kvs", [])
    return " ".join(sorted("%s=%d" % (base64.b64decode(kv["key"]).decode()[11:], kv["mod_revision"]) for kv in kvs))


def leader():
    status = json.loads(etcdctl("endpoint", "status", "-w", "json"))
    return next(m for m in members for s in status if s["Endpoint"] == m.url and s["Status"]["leader"] == s["Status"]["header"]["member_id"])


def sees(probe, key, text):
    return probe.get(key) == text


def puts(probe, key, text):
    """As a command does: anew from what stands there now."""
    ret, rest = probe("get", key)
    ret, rest = probe("put", key, text, rest.split(" ")[0] if ret == 0 else 0)
    return ret == 0


def two_stores():
    revision = a.ok("put", "volumes/v", "one", 0)
    took = within(1, "b sees what a put", sees, b, "volumes/v", "one")
    say("a change is seen by another store after %.0f ms" % (took * 1000))
    a.fails([EEXIST], "put", "volumes/v", "two", 0)
    b.ok("put", "volumes/v", "two", revision)
    a.fails([ESTALE], "put", "volumes/v", "three", revision)
    assert a.get("volumes/v") == "two"		# the refusal has brought what stands there
    a.fails([ESTALE], "delete", "volumes/v", revision)
    a.fails([EEXIST], "delete", "volumes/v", 0)
    a.ok("delete", "volumes/v", b("get", "volumes/v")[1].split(" ")[0])
    assert a.get("volumes/v") is None
    within(1, "b sees that it is gone", sees, b, "volumes/v", None)
    a.ok("big", "volumes/big", 1 << 20, 0)
    within(2, "b sees 1 MiB", lambda: a.ok("sum", "volumes/") == b.ok("sum", "volumes/"))
    assert "may have" in a.fails([E2BIG], "big", "volumes/bigger", (1 << 20) + 1, 0)
    for n in range(30):
        b.ok("big", "many/%d" % n, 700000, 0)	# more than one page of an answer may have
    c = Probe("c", URL)
    within(5, "c knows 20 MiB", lambda: c.ok("sum", "") == b.ok("sum", ""))
    within(5, "a sees 20 MiB", lambda: a.ok("list", "") == b.ok("list", ""))
    c.close()
    etcdctl("del", "--prefix", "/gatehouse/many/")
    within(2, "b sees what etcdctl does", lambda: b.ok("list", "many/") == "")


def announcements():
    a.ok("announce", "status/a", "first", 3)
    a.ok("announce", "status/a", "here", 3)
    b.ok("announce", "answers/1", "42", 2, 1)
    within(1, "b sees that a is there", sees, b, "status/a", "here")
    within(1, "a sees the answer", sees, a, "answers/1", "42")
    within(6, "what is announced once goes away", sees, a, "answers/1", None)
    within(1, "what is kept alive stays", sees, b, "status/a", "here")
    etcdctl("del", "/gatehouse/status/a")
    within(1, "what somebody deletes is announced again", lambda: sees(b, "status/a", "here") and "status/a" in in_etcd())
    for how, limit in (("killed", 6.5), ("closed", 1), ("withdrawn", 1)):
        c = Probe("c", URL)
        c.ok("announce", "status/c", "here", 4)
        within(1, "b sees c", sees, b, "status/c", "here")
        if how == "killed":
            time.sleep(3)			# it has been kept alive
            c.process.kill()
        elif how == "closed":
            c.close()
        else:
            c.ok("withdraw", "status/c")
            assert c.get("status/c") is None
        say("what a store announced is gone %.1f s after it was %s" % (within(limit, "c is gone", sees, b, "status/c", None), how))
        if how == "withdrawn":
            c.close()


def one_member():
    victim = leader()
    victim.signal(signal.SIGKILL)
    start = time.monotonic()
    within(6, "writing without the leader", puts, a, "volumes/v", "without")
    say("the leader was killed: the first write is through after %.1f s" % (time.monotonic() - start))
    within(1, "b sees it", sees, b, "volumes/v", "without")
    within(3, "all answers", lambda: a.silent() == 0 and b.silent() == 0)
    victim.start()
    within(10, "the member is back", lambda: etcdctl("endpoint", "health").count("successfully") in (0, 3))
    victim = next(m for m in members if m is not leader())
    victim.signal(signal.SIGSTOP)		# answers nothing, but refuses no connection
    for n in range(4):
        within(4, "writing past a member that hangs", puts, a, "volumes/v", "past%d" % n)
        within(4, "b sees it", sees, b, "volumes/v", "past%d" % n)
        time.sleep(0.5)
    victim.signal(signal.SIGCONT)


def no_quorum():
    for m in members[:2]:
        m.signal(signal.SIGSTOP)
    within(5, "one of three is known to be no etcd", lambda: a.silent() > 1000 and b.silent() > 1000)
    sentence = a.fails([ETIMEDOUT, EHOSTUNREACH], "put", "volumes/no", "x", 0)
    assert all("127.0.0.1:%d" % p in sentence for p in PORTS) and "has not answered for" in sentence, sentence
    say("no majority: " + sentence)
    for m in members[:2]:
        m.signal(signal.SIGCONT)
    within(6, "the majority is back", lambda: a.silent() == 0 and b.silent() == 0)
    # A lease may have run out meanwhile.
    within(6, "the stores agree, and a is announced", lambda: a.ok("list", "") == b.ok("list", "") and sees(b, "status/a", "here"))


def descriptors(probe):
    return len(os.listdir("/proc/%d/fd" % probe.process.pid))


def no_etcd():
    before = descriptors(a), a("get", "status/a")[1]
    start = time.monotonic()
    for m in members:
        m.signal(signal.SIGKILL)
    time.sleep(8)
    for p in (a, b):
        passed = (time.monotonic() - start) * 1000
        assert abs(p.silent() - passed) < 2500 * slowness(), (p.silent(), passed)
        assert p.get("volumes/v") == "past3" and p.get("status/a") == "here"
    sentence = a.fails([EHOSTUNREACH], "put", "volumes/v2", "x", 0)
    assert all("127.0.0.1:%d: Connection refused" % p in sentence for p in PORTS), sentence
    say("no etcd: " + sentence)
    a.fails([EHOSTUNREACH], "announce", "status/a", "still", 3)
    c = Probe("c", URL)				# a manager that starts now
    assert c.opened[0] == 0 and c.silent() > 0 and c.get("volumes/v") is None
    for m in members:
        m.start()
    within(15, "the stores answer again", lambda: not (a.silent() or b.silent() or c.silent()))
    within(5, "a new store has read everything", sees, c, "volumes/v", "past3")
    within(5, "what is announced is there again", lambda: all(sees(p, "status/a", "still") for p in (a, b, c)) and "status/a" in in_etcd())
    within(3, "writing", puts, c, "volumes/v", "again")
    within(1, "b sees it", sees, b, "volumes/v", "again")
    within(5, "all agree", lambda: in_etcd() == " ".join(sorted(b.ok("list", "").split())))
    c.close()
    assert descriptors(a) < before[0] + 8, "descriptors leak"


def compacted():
    c = Probe("c", "etcd://127.0.0.1:%d" % PORTS[2])	# knows one member only
    within(2, "c knows all", lambda: c.ok("list", "") == a.ok("list", ""))
    members[2].signal(signal.SIGKILL)
    within(6, "a writes", puts, a, "volumes/w", "0")
    for n in range(1, 20):
        within(3, "a writes", puts, a, "volumes/w", str(n))
        a.ok("put", "volumes/x%d" % n, "x", 0)
    a.ok("delete", "volumes/x7", a("get", "volumes/x7")[1].split(" ")[0])
    a.ok("delete", "volumes/big", a("get", "volumes/big")[1].split(" ")[0])
    revision = int(json.loads(etcdctl("get", "none", "-w", "json"))["header"]["revision"])
    etcdctl("compact", str(revision))
    within(3, "c knows that it knows nothing new", lambda: c.silent() > 0)
    assert c.get("volumes/w") is None and c("get", "volumes/big")[0] == 0
    members[2].start()
    within(15, "c is as etcd is after a compaction", lambda: " ".join(sorted(c.ok("list", "").split())) == in_etcd())
    assert c.get("volumes/big") is None
    with open("%s/probe-c.log" % T) as log:
        assert "compacted its history" in log.read()
    within(2, "a writes", puts, a, "volumes/w", "last")
    within(1, "c follows on", sees, c, "volumes/w", "last")
    c.close()


def replaced():
    """The same endpoints, but an etcd that knows nothing: its revisions are older than what the stores have."""
    within(5, "both know what will be gone", lambda: a.get("volumes/w") == b.get("volumes/w") == "last")
    for m in members:
        m.signal(signal.SIGKILL)
        shutil.rmtree("%s/etcd/m%s" % (T, m.url.rpartition(":")[2]))
    for m in members:
        m.start()
    within(20, "what was known is gone", lambda: a.get("volumes/w") is None and b.get("volumes/w") is None)
    within(5, "what is announced comes back", lambda: sees(a, "status/a", "still") and sees(b, "status/a", "still"))
    within(5, "writing", puts, a, "volumes/v", "new")
    within(1, "b sees it", sees, b, "volumes/v", "new")
    within(5, "all agree", lambda: in_etcd() == " ".join(sorted(a.ok("list", "").split())) == " ".join(sorted(b.ok("list", "").split())))


def tls():
    files = {n: "%s/tls/%s" % (T, n) for n in ("ca.pem", "other.pem", "server.pem", "server.key", "manager.pem", "manager.key",
                                               "elsewhere.pem", "elsewhere.key")}

    def member(port, name):
        return Member(port, "m%d=http://127.0.0.1:%d" % (port, port + 1), ("--cert-file", files[name + ".pem"], "--key-file",
                      files[name + ".key"], "--client-cert-auth", "--trusted-ca-file", files["ca.pem"]), "https")

    def opens(*args):
        p = Probe("tls", *args)
        if p.opened[0] == 0 and p.silent() == 0:
            p.close()
            return True
        p.process.kill()
        refusals.append(p.opened[1])
        return False

    refusals = []
    server = member(3379, "server")
    good = ("etcds://127.0.0.1:3379", files["ca.pem"], files["manager.pem"], files["manager.key"])
    within(15, "a store under TLS", opens, *good)
    p, q = Probe("tls", *good), Probe("tls2", *good)
    p.ok("put", "volumes/v", "secret", 0)
    within(1, "another sees it", sees, q, "volumes/v", "secret")
    p.ok("announce", "status/p", "here", 3)
    within(1, "another sees it", sees, q, "status/p", "here")
    refusals.clear()
    for args, words in (((good[0], files["other.pem"], *good[2:]), ("127.0.0.1:3379", files["other.pem"])),
                        ((good[0], files["ca.pem"]), ("127.0.0.1:3379", "our certificate (we have none)")),
                        ((good[0], T + "/none.pem", *good[2:]), (T + "/none.pem",)),
                        ((good[0], files["ca.pem"], T + "/none.pem", files["manager.key"]), (T + "/none.pem",)),
                        ((good[0], files["ca.pem"], files["manager.pem"], files["server.key"]), (files["server.key"],))):
        assert not opens(*args), args
        say("TLS: " + refusals[-1])
        assert all(w in refusals[-1] for w in words), (args, refusals[-1])
    assert not opens("etcd://127.0.0.1:3379")
    other = member(3479, "elsewhere")
    within(10, "a server of another name is refused", lambda: not opens("etcds://127.0.0.1:3479", *good[1:]) and
           "127.0.0.1:3479: its certificate" in refusals[-1])
    say("TLS: " + refusals[-1])
    other.signal(signal.SIGKILL)
    p.close()
    q.close()
    server.signal(signal.SIGKILL)


begun = time.monotonic()
CLUSTER = ",".join("m%d=http://127.0.0.1:%d" % (p, p + 1) for p in PORTS)
URL = "etcd://" + ",".join("127.0.0.1:%d" % p for p in PORTS)
members = [Member(p, CLUSTER) for p in PORTS]
within(30, "etcd is up", lambda: etcdctl("get", "none", "-w", "json").startswith("{"))
a = Probe("a", URL)
b = Probe("b", "etcd://127.0.0.1:%d,127.0.0.1:%d,localhost:%d" % (PORTS[1], PORTS[2], PORTS[0]))
for part in (two_stores, announcements, one_member, no_quorum, no_etcd, compacted, replaced):
    say(part.__name__)
    part()
a.close()
b.close()
for m in members:
    m.signal(signal.SIGKILL)
say("tls")
tls()
say("done")
