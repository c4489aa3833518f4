"""rfc1813_mount.py: the MOUNT protocol, versions 1 and 3, over TCP and UDP (RFC 1813 appendix I)."""
from rfc1813 import *

import socket

MOUNT = 100005


class Udp(Client):
    def connect(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(self.source or ("127.0.0.1", 0))
        self.sock.connect(self.address)
        self.sock.settimeout(20)

    def send(self, prog, vers, proc, args, xid=None):
        self.xid = (self.xid + 1) & 0xffffffff
        self.sock.send(u32(self.xid) + u32(0) + u32(2) + u32(prog) + u32(vers) + u32(proc) + self.auth() + args)
        return self.xid

    def record(self):
        return self.sock.recv(65536)


def mnt(client, path, vers=3):
    u = client.call(MOUNT, vers, 1, opaque(path))
    res = {"status": u.u32()}
    if res["status"] == 0:
        res["fh"] = u.opaque()
        res["flavors"] = [u.u32() for _ in range(u.u32())]
    return res


def dump(client, vers=3):
    u, got = client.call(MOUNT, vers, 2), []
    while u.u32():
        got.append((u.opaque(), u.opaque()))
    return got


def exports(client, vers=3):
    u, got = client.call(MOUNT, vers, 5), {}
    while u.u32():
        path, groups = u.opaque(), []
        while u.u32():
            groups.append(u.opaque())
        got[path] = groups
    return got


def transports(w):
    return (("TCP", Client(port=w.port)), ("UDP", Udp(port=w.port)))


def check_null(w):
    for what, client in transports(w):
        for vers in (1, 3):
            u = client.call(MOUNT, vers, 0)
            eq(len(u.data), u.at, "NULL of version %d over %s" % (vers, what))


def check_mnt(w):
    for what, client in transports(w):
        res = status(mnt(client, w.path), OK, "MNT over " + what)
        true(0 < len(res["fh"]) <= 64, "a handle of at most 64 bytes")
        true(1 in res["flavors"], "AUTH_SYS is among the flavors")
        eq(w.attr(res["fh"])["fileid"], w.attr(w.top)["fileid"], "the root")
        status(mnt(client, w.path + "/"), OK, "MNT with a slash at the end")


def check_mnt_of_subdirectories(w):
    sub = w.dir("sub")
    for what, client in transports(w):
        res = status(mnt(client, w.path + "/" + w.name + "/sub"), OK, "MNT of a subdirectory over " + what)
        eq(w.attr(res["fh"])["fileid"], w.attr(sub)["fileid"], "its handle")


def check_mnt_errors(w):
    w.file()
    w.c.symlink(w.d, "l", ".")
    base = w.path + "/" + w.name
    for path, want in ((base + "/none", NOENT), (base + "/f", NOTDIR), (base + "/f/x", (NOTDIR, NOENT)), (base + "/l", (NOTDIR, NOENT, ACCES, INVAL)),
                       ("/nowhere", (NOENT, ACCES)), ("", (NOENT, ACCES, INVAL)), ("demo", (OK, NOENT, ACCES, INVAL)), ("/", (NOENT, ACCES)),
                       (w.path + "x", (NOENT, ACCES)), (w.path + "/" + "x" * 256, NAMETOOLONG), (w.path + "/.glusterfs", (NOENT, ACCES, INVAL, PERM)),
                       (b"/demo\0/x", (NOENT, ACCES, INVAL))):
        for what, client in transports(w):
            status(mnt(client, path), want, "MNT of %.40r over %s" % (path, what))
    for path in (w.path + "/../..", w.path + "/" + w.name + "/../../../..", w.path + "/.."):
        res = mnt(w.c, path)
        if res["status"] == OK:
            eq(w.attr(res["fh"])["fileid"], w.attr(w.top)["fileid"], "MNT of %r stays inside" % path)


def check_version_1(w):
    for what, client in transports(w):
        status(mnt(client, w.path, 1), ACCES, "MNT of version 1 over " + what)
        eq(exports(client, 1), exports(client, 3), "EXPORT of version 1 over " + what)
        eq(dump(client, 1), dump(client, 3), "DUMP of version 1 over " + what)
        client.call(MOUNT, 1, 3, opaque(w.path))
        client.call(MOUNT, 1, 4)


def check_dump_and_umnt(w):
    me = lambda client: sorted(path for host, path in dump(client) if host == b"127.0.0.8")
    for what, client in (("TCP", Client(port=w.port, source=("127.0.0.8", 0))), ("UDP", Udp(port=w.port, source=("127.0.0.8", 0)))):
        sub = ("%s/%s" % (w.path, w.name)).encode()
        status(mnt(client, w.path), OK, "MNT")
        status(mnt(client, sub), OK, "MNT")
        status(mnt(client, sub), OK, "MNT again")
        eq(me(client), sorted([w.path.encode(), sub]), "DUMP over " + what)
        u = client.call(MOUNT, 3, 3, opaque(sub))
        eq(len(u.data), u.at, "UMNT's result")
        eq(me(client), [w.path.encode()], "DUMP after UMNT over " + what)
        client.call(MOUNT, 3, 3, opaque("/never/mounted"))
        status(mnt(client, sub), OK, "MNT")
        u = client.call(MOUNT, 3, 4)
        eq(len(u.data), u.at, "UMNTALL's result")
        eq(me(client), [], "DUMP after UMNTALL over " + what)
    status(mnt(w.c, w.path), OK, "MNT")
    Client(port=w.port, source=("127.0.0.8", 0)).call(MOUNT, 3, 4)
    true(any(host == b"127.0.0.1" for host, _ in dump(w.c)), "UMNTALL removes only the caller's entries")


def check_refused_mounts_are_not_listed(w):
    mnt(w.c, w.path + "/none-such")
    true(all(b"none-such" not in path for _, path in dump(w.c)), "DUMP")


def check_export(w):
    for what, client in transports(w):
        got = exports(client)
        true(w.path.encode() in got and (w.path + "/sub/below").encode() in got, "EXPORT over %s: %s" % (what, got))
        true(b"127.0.0.1" in got.get(w.path.encode(), []), "its clients")


def check_nfs_is_not_on_udp_half_way(w):
    """NFS over UDP is either served or refused as an unknown program; a call never hangs the server."""
    client = Udp(port=w.port)
    client.sock.settimeout(1)
    try:
        client.call(100003, 3, 0)
    except RuntimeError as e:
        eq(e.args[0], ("accept_stat", 1), "NFS over UDP")
    except OSError:
        pass
    for garbage in (b"", b"x", bytes(24), os.urandom(1000)):
        client.sock.send(garbage)
    status(mnt(Udp(port=w.port), w.path), OK, "MNT afterwards")
