"""liar.py LISTEN-PORT TARGET-PORT SEED: stands between a gateway and a brick and, while it is told to lie, spoils what the brick says.

SIGUSR1 begins the lies, SIGUSR2 ends them (and drops the connections, so that a fresh one tells the truth). Calls of the gateway pass as
they are. A lie is one of: bits flipped, words replaced, cut short, grown, said twice, said for another call, a callback made up, a record
mark that does not fit, a byte at a time.
"""
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

LISTEN, TARGET, SEED = (int(a) for a in sys.argv[1:4])
HERE = os.path.dirname(os.path.abspath(__file__))
rng = random.Random(SEED)
lying = threading.Event()
pairs = []

callbacks = []
with open(os.path.join(HERE, "../unit/vectors/wire-vectors.txt")) as f:
    for line in f:
        if line.startswith("cbk_"):
            callbacks.append(bytes.fromhex(line.split()[1]))
WORDS = [0, 1, 0xffffffff, 0x7fffffff, 0x80000000, 0x10000, 0x100000, 3, 4096]


def marked(body):
    return struct.pack(">I", 0x80000000 | len(body)) + body


def spoil(body, keep):
    """A record whose first @keep bytes stay: the call's number, so that the lie reaches whoever asked."""
    body = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(keep, max(keep + 1, len(body)))
        if at >= len(body):
            break
        if rng.random() < 0.5:
            body[at] ^= 1 << rng.randrange(8)
        else:
            at &= ~3
            if at >= keep and at + 4 <= len(body):
                struct.pack_into(">I", body, at, rng.choice(WORDS))
    return bytes(body)


def lie(body):
    kind = rng.random()
    keep = rng.choice([8, 8, 24, 24])
    if kind < 0.55:
        return marked(spoil(body, keep))
    if kind < 0.65:
        return marked(body[:rng.randrange(4, max(5, len(body)))])
    if kind < 0.72:
        return marked(body + os.urandom(0) + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 64))))
    if kind < 0.78:
        return marked(body) * 2
    if kind < 0.82:
        return marked(struct.pack(">I", rng.randrange(1 << 32)) + body[4:])
    if kind < 0.94:
        return marked(spoil(rng.choice(callbacks), rng.choice([24, 40]))) + marked(body)
    if kind < 0.97:
        return b"".join(struct.pack(">I", 0) for _ in range(500)) + marked(body)
    return struct.pack(">I", rng.choice([0x80000003, 0xffffffff, 0x7fffffff])) + body


def exactly(sock, n):
    data = bytearray()
    while len(data) < n:
        got = sock.recv(n - len(data))
        if not got:
            raise ConnectionError
        data += got
    return bytes(data)


def calls(front, back):
    try:
        while True:
            data = front.recv(65536)
            if not data:
                break
            back.sendall(data)
    except OSError:
        pass
    close(front, back)


def replies(front, back):
    try:
        while True:
            mark = struct.unpack(">I", exactly(back, 4))[0]
            body = exactly(back, mark & 0x7fffffff)
            if not lying.is_set() or rng.random() < 0.6:
                front.sendall(marked(body))
            elif rng.random() < 0.01:
                for byte in marked(body)[:200]:
                    front.sendall(bytes([byte]))
                    time.sleep(0.001)
                front.sendall(marked(body)[200:])
            else:
                front.sendall(lie(body))
    except OSError:
        pass
    close(front, back)


def close(*socks):
    for s in socks:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def truth(*_):
    lying.clear()
    for pair in list(pairs):
        close(*pair)


signal.signal(signal.SIGUSR1, lambda *_: lying.set())
signal.signal(signal.SIGUSR2, truth)
listener = socket.create_server(("127.0.0.1", LISTEN))
while True:
    front, _ = listener.accept()
    try:
        back = socket.create_connection(("127.0.0.1", TARGET))
    except OSError:
        front.close()
        continue
    for s in (front, back):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pairs.append((front, back))
    threading.Thread(target=calls, args=(front, back), daemon=True).start()
    threading.Thread(target=replies, args=(front, back), daemon=True).start()
