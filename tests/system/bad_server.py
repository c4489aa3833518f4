"""bad_server.py (hang|garbage|close|html PORT)...: servers that are no use: one accepts and never answers, one sends random results, one hangs up, one speaks HTTP."""
import os
import socket
import sys
import threading
import time


def serve(kind, port):
    s = socket.create_server(("0.0.0.0", port))
    while True:
        c, _ = s.accept()
        threading.Thread(target=talk, args=(kind, c), daemon=True).start()


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
                elif kind == "html":
                    c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            return


for kind, port in zip(sys.argv[1::2], sys.argv[2::2]):
    threading.Thread(target=serve, args=(kind, int(port)), daemon=True).start()
while True:
    time.sleep(3600)
