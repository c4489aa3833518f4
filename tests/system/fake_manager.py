"""fake_manager.py SOCKET DIRECTORY: answers commands as DIRECTORY/answer says, in the way that DIRECTORY/mode says; both are read for each call.

Modes: answer; slow SECONDS; noise (random bytes); text (a reply whose text is no JSON); deep (JSON nested beyond reason); unknown (no such
program); huge (a record that claims to be 2 GiB); long (a text beyond 1 MiB); close; silent. What was asked is kept in DIRECTORY/requests, a line each.
"""
import os
import socket
import struct
import sys
import threading
import time

PATH, DIRECTORY = sys.argv[1:]


def read(name):
    with open(os.path.join(DIRECTORY, name), "rb") as f:
        return f.read()


def exactly(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def record(conn):
    data, last = b"", False
    while not last:
        mark = struct.unpack(">I", exactly(conn, 4))[0]
        last = bool(mark >> 31)
        data += exactly(conn, mark & 0x7fffffff)
    return data


def opaque(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def send(conn, body):
    conn.sendall(struct.pack(">I", 0x80000000 | len(body)) + body)


def serve(conn):
    call = record(conn)
    xid, kind, version, program, vers, proc, flavour, length = struct.unpack(">8I", call[:32])
    body = call[32 + (length + 3) // 4 * 4 + 8:]
    size = struct.unpack(">I", body[:4])[0]
    assert (kind, version, program, vers, proc) == (0, 2, 1735738475, 1, 1)
    with open(os.path.join(DIRECTORY, "requests"), "ab") as f:
        f.write(body[4:4 + size] + b"\n")
    mode, *rest = read("mode").decode().split()
    accepted = struct.pack(">6I", xid, 1, 0, 0, 0, 0)
    if mode == "slow":
        time.sleep(float(rest[0]))
    if mode in ("answer", "slow"):
        send(conn, accepted + opaque(read("answer")))
    elif mode == "noise":
        conn.sendall(b"\x80\0\0\x40" + os.urandom(4096))
    elif mode == "text":
        send(conn, accepted + opaque(b"\x1b[31mhello"))
    elif mode == "deep":
        send(conn, accepted + opaque(b"[" * 1000000))
    elif mode == "long":
        send(conn, accepted + opaque(b"x" * (1100 << 10)))
    elif mode == "unknown":
        send(conn, struct.pack(">6I", xid, 1, 0, 0, 0, 1))
    elif mode == "huge":
        conn.sendall(b"\xff\xff\xff\xff" + bytes(4096))
    elif mode == "silent":
        time.sleep(60)


def connection(conn):
    try:
        while True:
            serve(conn)
            if read("mode").split()[0] == b"close":
                break
    except (EOFError, OSError):
        pass
    conn.close()


listener = socket.socket(socket.AF_UNIX)
listener.bind(PATH)
os.chmod(PATH, 0o600)
listener.listen(16)
while True:
    threading.Thread(target=connection, args=(listener.accept()[0],), daemon=True).start()
