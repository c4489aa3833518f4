"""bad_server.py (hang|garbage|close|html|nonsense|huge PORT)...: servers that are no use.

One accepts and never answers, one sends random results, one hangs up, one speaks HTTP, one has a volume file that is none, one has one that
is longer than anything.
"""
import os
import socket
import struct
import sys
import threading
import time


def serve(kind, port):
    s = socket.create_server(("0.0.0.0", port))
    while True:
        c, _ = s.accept()
        threading.Thread(target=talk, args=(kind, c), daemon=True).start()


def string(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def answer(kind, call):
    """What glusterd would say to DUMP and GETSPEC, but for the file."""
    prog, proc = struct.unpack_from(">I4xI", call, 16)
    if prog == 123451501 and proc == 1:
        body = struct.pack(">QiiI", 0, 0, 0, 1) + string(b"Gluster Handshake") + struct.pack(">QQI", 14398633, 2, 0)
    else:
        text = b"volume x\n    type protocol/client\n    option\n" if kind == "nonsense" else b"#" * (8 << 20)
        body = struct.pack(">ii", len(text), 0) + string(text) + struct.pack(">I", 0)
    reply = call[4:8] + struct.pack(">5I", 1, 0, 0, 0, 0) + body
    return struct.pack(">I", 0x80000000 | len(reply)) + reply


def talk(kind, c):
    with c:
        if kind == "close":
            return
        try:
            while True:
                call = c.recv(65536)
                if not call:
                    return
                if kind == "garbage":	# of the right length and for the right call
                    c.sendall(b"\x80\x00\x00\x58" + call[4:8] + b"\0\0\0\1" + bytes(16) + b"\xff" * 8 + os.urandom(56))
                elif kind in ("nonsense", "huge"):
                    c.sendall(answer(kind, call))
                elif kind == "html":
                    c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return


for kind, port in zip(sys.argv[1::2], sys.argv[2::2]):
    threading.Thread(target=serve, args=(kind, int(port)), daemon=True).start()
while True:
    time.sleep(3600)
