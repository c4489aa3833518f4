"""tests/system/manager_rpc.py: what a manager serves, from Python: GlusterFS's programs and the probe on TCP, commands on the unix socket.

As a program: manager_rpc.py WHAT ARGUMENTS..., which the shell tests use; see main().
"""
import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
from nfs3 import Unpacker, opaque, u32

DUMP, HANDSHAKE, PORTMAP, GATE = (123451501, 1), (14398633, 2), (34123456, 1), (1735738475, 1)
PORT = 24007


def flat(pairs):
    out = u32(len(pairs))
    for key, value in pairs:
        key, value = key.encode(), value.encode() + b"\0"
        out += u32(len(key)) + u32(len(value)) + key + b"\0" + value
    return out


class Manager(nfs3.Client):
    """@path: the unix socket instead of TCP."""
    def __init__(self, path=None, host="127.0.0.1", source=None):
        self.path = path
        super().__init__(host, PORT, source=source)

    def connect(self):
        if not self.path:
            return super().connect()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def getspec(self, key, flags=0):
        u = self.call(*HANDSHAKE, 2, u32(flags) + opaque(key) + opaque(flat([("min-op-version", "1"), ("max-op-version", "110000")])))
        ret, err = u.u32(), u.u32()
        return (-err, "") if ret == 0xffffffff else (0, u.opaque().decode())

    def port(self, brick):
        u = self.call(*PORTMAP, 1, opaque(brick))
        ret = u.u32()
        u.u32(), u.u32()
        return -1 if ret else u.u32()

    def signin(self, brick, port):
        return self.call(*PORTMAP, 4, opaque(brick) + u32(port) + u32(os.getpid())).u32()

    def signout(self, brick, port):
        return self.call(*PORTMAP, 5, opaque(brick) + u32(port) + u32(0)).u32()

    def ask(self, proc, request):
        text = request if isinstance(request, (bytes, str)) else json.dumps(request)
        return json.loads(self.call(*GATE, proc, opaque(text)).opaque())

    def command(self, request):
        return self.ask(1, request)

    def probe(self, request):
        return self.ask(2, request)


def privileged(host="127.0.0.1", source="127.0.0.1"):
    for port in range(1023, 600, -1):
        try:
            return Manager(host=host, source=(source, port))
        except OSError:
            pass
    raise SystemExit("no privileged port")


def main():
    what, *args = sys.argv[1:]
    if os.environ.get("AS_NOBODY"):
        "x".encode("idna")      # while it can still be found
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    if what == "getspec":
        print(Manager().getspec(args[0])[1], end="")
    elif what == "signin":
        print(Manager().signin(args[0], int(args[1])))
    elif what == "port":
        print(Manager().port(args[0]))
    elif what == "probe":
        print(json.dumps(privileged(*args[1:]).probe(json.loads(args[0]))))
    elif what == "command":
        print(json.dumps(Manager(args[0]).command(args[1])))


if __name__ == "__main__":
    main()
