"""tests/system/nfs3.py: a small NFSv3 client on raw sockets, for tests that must see every field of a reply.

Straight from RFC 5531 and RFC 1813. A Client keeps one TCP connection; call() returns an Unpacker after the RPC header; the methods
below return dictionaries whose "status" is the nfsstat3. Retransmission is in the caller's hands: call(..., xid=N).
"""
import os
import socket
import struct

OK, PERM, NOENT, IO, NXIO, ACCES, EXIST, XDEV, NODEV, NOTDIR, ISDIR, INVAL, FBIG, NOSPC, ROFS, MLINK, NAMETOOLONG, NOTEMPTY, DQUOT, STALE = \
    0, 1, 2, 5, 6, 13, 17, 18, 19, 20, 21, 22, 27, 28, 30, 31, 63, 66, 69, 70
BADHANDLE, NOT_SYNC, BAD_COOKIE, NOTSUPP, TOOSMALL, SERVERFAULT, BADTYPE, JUKEBOX = range(10001, 10009)
UNSTABLE, DATA_SYNC, FILE_SYNC = 0, 1, 2
UNCHECKED, GUARDED, EXCLUSIVE = 0, 1, 2
REG, DIR, BLK, CHR, LNK, SOCK, FIFO = range(1, 8)
READ, LOOKUP, MODIFY, EXTEND, DELETE, EXECUTE = 1, 2, 4, 8, 16, 32


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def opaque(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return u32(len(data)) + data + b"\0" * (-len(data) % 4)


class Unpacker:
    def __init__(self, data):
        self.data, self.at = data, 0

    def u32(self):
        self.at += 4
        return struct.unpack_from(">I", self.data, self.at - 4)[0]

    def u64(self):
        self.at += 8
        return struct.unpack_from(">Q", self.data, self.at - 8)[0]

    def opaque(self):
        n = self.u32()
        self.at += n + -n % 4
        return self.data[self.at - n - -n % 4:self.at - -n % 4]

    def fixed(self, n):
        self.at += n
        return self.data[self.at - n:self.at]

    def time(self):
        return (self.u32(), self.u32())

    def fattr(self):
        a = {k: self.u32() for k in ("type", "mode", "nlink", "uid", "gid")}
        a["size"], a["used"] = self.u64(), self.u64()
        a["rdev"] = (self.u32(), self.u32())
        a["fsid"], a["fileid"] = self.u64(), self.u64()
        a["atime"], a["mtime"], a["ctime"] = self.time(), self.time(), self.time()
        return a

    def post_op(self):
        return self.fattr() if self.u32() else None

    def wcc(self):
        pre = {"size": self.u64(), "mtime": self.time(), "ctime": self.time()} if self.u32() else None
        return {"before": pre, "after": self.post_op()}

    def post_fh(self):
        return self.opaque() if self.u32() else None


class Client:
    """source is (address, port) to call from, so that one test can be many clients."""
    def __init__(self, host="127.0.0.1", port=2049, uid=0, gid=0, groups=(), source=None):
        self.address, self.source = (host, port), source
        self.cred = (uid, gid, tuple(groups))
        self.xid = int.from_bytes(os.urandom(4), "big")
        self.sock = self.last = None
        self.connect()

    def connect(self):
        if self.sock:
            self.sock.close()
        self.sock = socket.create_connection(self.address, timeout=60, source_address=self.source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def auth(self):
        uid, gid, groups = self.cred
        body = u32(0) + opaque("test") + u32(uid) + u32(gid) + u32(len(groups)) + b"".join(map(u32, groups))
        return u32(1) + opaque(body) + u32(0) + u32(0)

    def send(self, prog, vers, proc, args, xid=None):
        self.xid = (self.xid + 1) & 0xffffffff
        xid = self.xid if xid is None else xid
        message = u32(xid) + u32(0) + u32(2) + u32(prog) + u32(vers) + u32(proc) + self.auth() + args
        self.sock.sendall(u32(0x80000000 | len(message)) + message)
        return xid

    def _exactly(self, n):
        data = bytearray()
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                raise ConnectionError("the server closed the connection")
            data += got
        return bytes(data)

    def record(self):
        data = b""
        while True:
            mark = struct.unpack(">I", self._exactly(4))[0]
            data += self._exactly(mark & 0x7fffffff)
            if mark & 0x80000000:
                return data

    def receive(self, xid):
        while True:
            u = Unpacker(self.record())
            if u.u32() == xid:
                break
        assert u.u32() == 1, "not a reply"
        if u.u32() != 0:
            why = u.u32()
            raise RuntimeError(("rpc_mismatch", u.u32(), u.u32()) if why == 0 else ("auth_error", u.u32()))
        u.u32()
        u.opaque()
        accept = u.u32()
        if accept == 2:
            raise RuntimeError(("prog_mismatch", u.u32(), u.u32()))
        if accept:
            raise RuntimeError(("accept_stat", accept))
        return u

    def call(self, prog, vers, proc, args=b"", xid=None):
        return self.receive(self.send(prog, vers, proc, args, xid))

    def nfs(self, proc, args, xid=None):
        """The last reply must have been read to its end: a longer one is wrong, too."""
        last, self.last = self.last, None
        assert last is None or last.at == len(last.data), "a reply has %d bytes more than it should" % (len(last.data) - last.at)
        self.last = self.call(100003, 3, proc, args, xid)
        return self.last

    def mount(self, path):
        u = self.call(100005, 3, 1, opaque(path))
        status = u.u32()
        if status:
            raise OSError(status, "MNT " + path)
        return u.opaque()

    def getattr(self, fh):
        u = self.nfs(1, opaque(fh))
        status = u.u32()
        return {"status": status, "attr": None if status else u.fattr()}

    @staticmethod
    def sattr(mode=None, uid=None, gid=None, size=None, atime=None, mtime=None):
        def time(t):
            return u32(0) if t is None else u32(1) if t == "now" else u32(2) + u32(t[0]) + u32(t[1])
        out = b"".join(u32(0) if v is None else u32(1) + u32(v) for v in (mode, uid, gid))
        return out + (u32(0) if size is None else u32(1) + u64(size)) + time(atime) + time(mtime)

    def setattr(self, fh, guard=None, **attrs):
        g = u32(0) if guard is None else u32(1) + u32(guard[0]) + u32(guard[1])
        u = self.nfs(2, opaque(fh) + self.sattr(**attrs) + g)
        return {"status": u.u32(), "wcc": u.wcc()}

    def lookup(self, fh, name):
        u = self.nfs(3, opaque(fh) + opaque(name))
        status = u.u32()
        if status:
            return {"status": status, "dir": u.post_op()}
        return {"status": 0, "fh": u.opaque(), "attr": u.post_op(), "dir": u.post_op()}

    def access(self, fh, mask=0x3f):
        u = self.nfs(4, opaque(fh) + u32(mask))
        status, attr = u.u32(), u.post_op()
        return {"status": status, "attr": attr, "access": 0 if status else u.u32()}

    def readlink(self, fh):
        u = self.nfs(5, opaque(fh))
        status, attr = u.u32(), u.post_op()
        return {"status": status, "attr": attr, "target": None if status else u.opaque()}

    def read(self, fh, offset, count):
        u = self.nfs(6, opaque(fh) + u64(offset) + u32(count))
        status, attr = u.u32(), u.post_op()
        if status:
            return {"status": status, "attr": attr}
        n, eof = u.u32(), u.u32()
        return {"status": 0, "attr": attr, "count": n, "eof": bool(eof), "data": u.opaque()}

    def write(self, fh, offset, data, stable=FILE_SYNC):
        u = self.nfs(7, opaque(fh) + u64(offset) + u32(len(data)) + u32(stable) + opaque(data))
        status, wcc = u.u32(), u.wcc()
        if status:
            return {"status": status, "wcc": wcc}
        return {"status": 0, "wcc": wcc, "count": u.u32(), "committed": u.u32(), "verf": u.fixed(8)}

    def _made(self, u):
        status = u.u32()
        if status:
            return {"status": status, "wcc": u.wcc()}
        return {"status": 0, "fh": u.post_fh(), "attr": u.post_op(), "wcc": u.wcc()}

    def create(self, fh, name, how=0, verf=b"", xid=None, **attrs):
        args = opaque(fh) + opaque(name) + u32(how) + (verf if how == 2 else self.sattr(**attrs))
        return self._made(self.nfs(8, args, xid))

    def mkdir(self, fh, name, xid=None, **attrs):
        return self._made(self.nfs(9, opaque(fh) + opaque(name) + self.sattr(**attrs), xid))

    def symlink(self, fh, name, target, xid=None, **attrs):
        return self._made(self.nfs(10, opaque(fh) + opaque(name) + self.sattr(**attrs) + opaque(target), xid))

    def mknod(self, fh, name, kind, rdev=(0, 0), xid=None, **attrs):
        args = opaque(fh) + opaque(name) + u32(kind)
        if kind in (BLK, CHR, SOCK, FIFO):
            args += self.sattr(**attrs)
        if kind in (BLK, CHR):
            args += u32(rdev[0]) + u32(rdev[1])
        return self._made(self.nfs(11, args, xid))

    def remove(self, fh, name, xid=None):
        u = self.nfs(12, opaque(fh) + opaque(name), xid)
        return {"status": u.u32(), "wcc": u.wcc()}

    def rmdir(self, fh, name, xid=None):
        u = self.nfs(13, opaque(fh) + opaque(name), xid)
        return {"status": u.u32(), "wcc": u.wcc()}

    def rename(self, from_fh, from_name, to_fh, to_name, xid=None):
        u = self.nfs(14, opaque(from_fh) + opaque(from_name) + opaque(to_fh) + opaque(to_name), xid)
        return {"status": u.u32(), "from": u.wcc(), "to": u.wcc()}

    def link(self, fh, to_fh, name, xid=None):
        u = self.nfs(15, opaque(fh) + opaque(to_fh) + opaque(name), xid)
        return {"status": u.u32(), "attr": u.post_op(), "wcc": u.wcc()}

    def readdir(self, fh, cookie=0, verf=b"\0" * 8, count=65536):
        u = self.nfs(16, opaque(fh) + u64(cookie) + verf + u32(count))
        status, attr = u.u32(), u.post_op()
        if status:
            return {"status": status, "attr": attr}
        verf, entries = u.fixed(8), []
        while u.u32():
            entries.append({"fileid": u.u64(), "name": u.opaque(), "cookie": u.u64()})
        return {"status": 0, "attr": attr, "verf": verf, "entries": entries, "eof": bool(u.u32())}

    def readdirplus(self, fh, cookie=0, verf=b"\0" * 8, dircount=65536, maxcount=131072):
        u = self.nfs(17, opaque(fh) + u64(cookie) + verf + u32(dircount) + u32(maxcount))
        status, attr = u.u32(), u.post_op()
        if status:
            return {"status": status, "attr": attr}
        verf, entries = u.fixed(8), []
        while u.u32():
            entries.append({"fileid": u.u64(), "name": u.opaque(), "cookie": u.u64(), "attr": u.post_op(), "fh": u.post_fh()})
        return {"status": 0, "attr": attr, "verf": verf, "entries": entries, "eof": bool(u.u32())}

    def fsstat(self, fh):
        u = self.nfs(18, opaque(fh))
        status, attr = u.u32(), u.post_op()
        names = ("tbytes", "fbytes", "abytes", "tfiles", "ffiles", "afiles")
        if status:
            return {"status": status, "attr": attr}
        return {"status": 0, "attr": attr, **{n: u.u64() for n in names}, "invarsec": u.u32()}

    def fsinfo(self, fh):
        u = self.nfs(19, opaque(fh))
        status, attr = u.u32(), u.post_op()
        names = ("rtmax", "rtpref", "rtmult", "wtmax", "wtpref", "wtmult", "dtpref")
        if status:
            return {"status": status, "attr": attr}
        res = {"status": 0, "attr": attr, **{n: u.u32() for n in names}}
        return {**res, "maxfilesize": u.u64(), "time_delta": u.time(), "properties": u.u32()}

    def pathconf(self, fh):
        u = self.nfs(20, opaque(fh))
        status, attr = u.u32(), u.post_op()
        names = ("linkmax", "name_max", "no_trunc", "chown_restricted", "case_insensitive", "case_preserving")
        return {"status": status, "attr": attr, **({} if status else {n: u.u32() for n in names})}

    def commit(self, fh, offset=0, count=0):
        u = self.nfs(21, opaque(fh) + u64(offset) + u32(count))
        status, wcc = u.u32(), u.wcc()
        return {"status": status, "wcc": wcc, "verf": None if status else u.fixed(8)}

    def entries(self, fh, plus=True, **limits):
        """Every entry, page by page, without . and .."""
        cookie, verf, found = 0, b"\0" * 8, []
        while True:
            page = (self.readdirplus if plus else self.readdir)(fh, cookie, verf, **limits)
            assert page["status"] == 0, page
            verf = page["verf"]
            found += [e for e in page["entries"] if e["name"] not in (b".", b"..")]
            if page["eof"]:
                return found
            cookie = page["entries"][-1]["cookie"]

    def list(self, fh, plus=True, **limits):
        return [e["name"] for e in self.entries(fh, plus, **limits)]


def patiently(function, *args, seconds=120, **kw):
    """Repeats a call as a hard mount does: while it is told JUKEBOX, or the server is away."""
    import time
    end = time.monotonic() + seconds
    while True:
        try:
            res = function(*args, **kw)
            if res["status"] != JUKEBOX or time.monotonic() > end:
                return res
        except (ConnectionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
            try:
                function.__self__.connect()
            except OSError:
                pass
        time.sleep(0.1)
