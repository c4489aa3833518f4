"""many_clients.py GATEWAY-PID: the steps of many_clients.sh."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3

pid = int(sys.argv[1])


def resident_mib():
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def cpu_seconds():
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


first = nfs3.Client()
top = first.mount("/demo")
made = first.create(top, "one", mode=0o644)
assert made["status"] == 0, made
data = os.urandom(1 << 20)
assert first.write(made["fh"], 0, data)["status"] == 0

clients = [nfs3.Client() for _ in range(1000)]
before = resident_mib()
sent = [(c, c.send(100003, 3, 1, nfs3.opaque(top))) for c in clients]
for c, xid in sent:
    u = c.receive(xid)
    assert u.u32() == 0
print("1000 connections answered; %.1f MiB more than before" % (resident_mib() - before))

begun = cpu_seconds()
time.sleep(5)
spent = cpu_seconds() - begun
print("idle for 5 s: %.2f s of CPU" % spent)
assert spent < 0.25, "idle clients cost CPU"

# Half-open: a record that was begun and is never finished, with a large length announced.
before = resident_mib()
for c in clients[:500]:
    c.sock.sendall(nfs3.u32(0x80000000 | 0x00100000) + b"\0" * 40)
time.sleep(1)
grown = resident_mib() - before
print("500 half-open records of 1 MiB announced: %.1f MiB more" % grown)
assert grown < 40, "half-open records hold memory that nobody sent"
for c in clients[:500]:
    c.sock.close()

# Slow readers: ask for much, read nothing.
before = resident_mib()
args = nfs3.opaque(made["fh"]) + nfs3.u64(0) + nfs3.u32(1 << 20)
slow = clients[500:520]
for c in slow:
    c.sock.setblocking(False)
    try:
        for _ in range(200):
            c.send(100003, 3, 6, args)
    except BlockingIOError:
        pass
time.sleep(3)
grown = resident_mib() - before
print("20 slow readers asked for 200 MiB each: %.1f MiB more" % grown)
assert grown < 20 * 8 + 40, "slow readers hold more than 8 MiB each"
assert first.getattr(top)["status"] == 0
for c in clients[500:]:
    c.sock.close()

# A refused record: longer than the limit, the connection ends and nothing is allocated.
bad = nfs3.Client()
bad.sock.sendall(nfs3.u32(0x80000000 | 0x7fffffff))
bad.sock.settimeout(20)
assert bad.sock.recv(1) == b"", "a record of 2 GiB was accepted"

# A million different names looked up; 100,000 of them exist, more than the gateway keeps in mind.
c = nfs3.Client()
for i in range(0, 100000, 100):
    xids = [c.send(100003, 3, 8, nfs3.opaque(top) + nfs3.opaque("f%d" % (i + k)) + nfs3.u32(0) + c.sattr(mode=0o644)) for k in range(100)]
    for _ in xids:
        c.record()
for i in range(0, 1000000, 128):
    message = b""
    for k in range(128):
        body = nfs3.u32(i + k + 7) + nfs3.u32(0) + nfs3.u32(2) + nfs3.u32(100003) + nfs3.u32(3) + nfs3.u32(3) + c.auth() + \
            nfs3.opaque(top) + nfs3.opaque("f%d" % (i + k))
        message += nfs3.u32(0x80000000 | len(body)) + body
    c.sock.sendall(message)
    for _ in range(128):
        c.record()
print("a million names looked up: %.1f MiB" % resident_mib())
