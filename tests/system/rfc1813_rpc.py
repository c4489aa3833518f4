"""rfc1813_rpc.py: the RPC layer (RFC 5531): versions, programs, procedures, credentials, fragments."""
from rfc1813 import *

NFS, MOUNT = 100003, 100005
NO_CRED = u32(0) + u32(0)


def raw(w, payload, client=None, patience=10):
    """Sends the bytes as one record; the reply as an Unpacker after the xid, or None when the server hung up."""
    client = client or Client(port=w.port)
    client.sock.settimeout(patience)
    client.sock.sendall(u32(0x80000000 | len(payload)) + payload)
    try:
        u = Unpacker(client.record())
    except (ConnectionError, OSError):
        return None
    finally:
        client.sock.settimeout(60)
    u.u32()
    return u


def message(prog=NFS, vers=3, proc=0, cred=NO_CRED, verf=NO_CRED, args=b"", rpcvers=2, mtype=0):
    return u32(4711) + u32(mtype) + u32(rpcvers) + u32(prog) + u32(vers) + u32(proc) + cred + verf + args


def accepted(u):
    """(accept_stat, ...) of an accepted reply; for PROG_MISMATCH low and high follow."""
    if u is None or u.u32() != 1 or u.u32() != 0:
        return None
    u.u32(), u.opaque()
    stat = u.u32()
    return (stat, u.u32(), u.u32()) if stat == 2 else (stat,)


def denied(u):
    """(reject_stat, ...) of a denied reply."""
    if u is None or u.u32() != 1 or u.u32() != 1:
        return None
    stat = u.u32()
    return (stat, u.u32(), u.u32()) if stat == 0 else (stat, u.u32())


def sys_cred(machine=b"m", uid=0, gid=0, groups=(), cut=None, count=None):
    body = u32(0) + opaque(machine) + u32(uid) + u32(gid) + u32(len(groups) if count is None else count) + b"".join(map(u32, groups))
    return u32(1) + opaque(body if cut is None else body[:cut])


def check_xid_comes_back(w):
    c = Client(port=w.port)
    for xid in (0, 1, 0xffffffff):
        c.call(NFS, 3, 0, xid=xid)


def check_rpc_version(w):
    for version in (0, 1, 3, 0xffffffff):
        eq(denied(raw(w, message(rpcvers=version))), (0, 2, 2), "RPC version %d" % version)


def check_programs_and_versions(w):
    eq(accepted(raw(w, message(prog=100099))), (1,), "an unknown program")
    eq(accepted(raw(w, message(prog=0))), (1,), "program 0")
    for vers in (0, 1, 2, 4, 99):
        eq(accepted(raw(w, message(vers=vers))), (2, 3, 3), "NFS version %d" % vers)
    for vers in (0, 4):
        eq(accepted(raw(w, message(prog=MOUNT, vers=vers))), (2, 1, 3), "MOUNT version %d" % vers)
    true(accepted(raw(w, message(prog=MOUNT, vers=2))) in ((0,), (2, 1, 3)), "MOUNT version 2")


def check_procedures(w):
    for proc in (22, 23, 1000, 0xffffffff):
        eq(accepted(raw(w, message(proc=proc))), (3,), "NFS procedure %d" % proc)
    for proc in (6, 7, 0xffffffff):
        eq(accepted(raw(w, message(prog=MOUNT, proc=proc))), (3,), "MOUNT procedure %d" % proc)


def check_garbage_arguments(w):
    cred = sys_cred()
    for proc in range(1, 22):
        for args in (b"", u32(0xffffffff), u32(65) + bytes(68), opaque(w.d)[:-4]):
            eq(accepted(raw(w, message(proc=proc, cred=cred, args=args), w.c)), (4,), "procedure %d with %d bytes" % (proc, len(args)))
    eq(accepted(raw(w, message(prog=MOUNT, proc=1, cred=cred, args=u32(5000) + bytes(5000)), w.c)), (4,), "MNT of a path of 5000 bytes")
    status(w.c.getattr(w.d), OK, "a call afterwards on the same connection")


def check_null_needs_no_credentials(w):
    for flavor in (0, 1, 6, 99):
        cred = sys_cred() if flavor == 1 else u32(flavor) + u32(0)
        u = raw(w, message(cred=cred))
        true(u is not None, "an answer to NULL with flavor %d" % flavor)
    eq(accepted(raw(w, message())), (0,), "NULL with AUTH_NONE")


def check_auth_none(w):
    secret = w.file(data=b"secret", mode=0o600)
    u = raw(w, message(proc=6, args=opaque(secret) + u64(0) + u32(10)))
    refusal = denied(u)
    if refusal:
        true(refusal[0] == 1 and refusal[1] in (1, 2, 5), "AUTH_NONE refused as %s" % (refusal,))
        return
    u.at = 4
    eq(accepted(u), (0,), "AUTH_NONE accepted")
    eq(u.u32(), ACCES, "AUTH_NONE is nobody, not root")


def check_odd_credentials(w):
    args = opaque(w.d)
    for what, cred in (("an unknown flavor", u32(99) + u32(0)), ("AUTH_SHORT", u32(2) + u32(0)), ("RPCSEC_GSS", u32(6) + opaque(bytes(20))),
                       ("GlusterFS's flavor", u32(5) + opaque(bytes(24))), ("17 groups", sys_cred(groups=range(17))),
                       ("a machine name of 256 bytes", sys_cred(machine=b"x" * 256)), ("an empty AUTH_SYS", u32(1) + u32(0)),
                       ("AUTH_SYS cut short", sys_cred(groups=(1, 2, 3), cut=20)), ("more groups than bytes", sys_cred(count=16))):
        refusal = denied(raw(w, message(proc=1, cred=cred, args=args)))
        true(refusal and refusal[0] == 1 and refusal[1] in (1, 2, 5), "%s: %s, want AUTH_ERROR" % (what, refusal))
    u = raw(w, message(proc=1, cred=u32(1) + u32(404) + bytes(404), args=args), patience=0.5)
    true(u is None or denied(u) or accepted(Unpacker(u.data[:])) is None, "a credential of 404 bytes is refused")
    for what, cred in (("16 groups", sys_cred(groups=range(1, 17))), ("a machine name of 255 bytes", sys_cred(machine=b"x" * 255)),
                       ("no machine name", sys_cred(machine=b""))):
        eq(accepted(raw(w, message(proc=1, cred=cred, args=args))), (0,), what)


def check_sixteen_groups_count(w):
    fh = w.file(data=b"x", mode=0o040)
    status(w.c.setattr(fh, gid=4016), OK, "chgrp")
    status(w.client(1000, 1000, range(4001, 4017)).read(fh, 0, 1), OK, "READ by the sixteenth group")
    status(w.client(1000, 1000, range(4001, 4016)).read(fh, 0, 1), ACCES, "READ without it")


def check_fragments(w):
    c = Client(port=w.port)
    payload = message(proc=1, cred=sys_cred(), args=opaque(w.d))
    c.sock.sendall(b"".join(u32(1) + payload[i:i + 1] for i in range(len(payload) - 1)) + u32(0x80000001) + payload[-1:])
    eq(accepted(Unpacker(c.record()[4:])), (0,), "fragments of one byte")
    c.sock.sendall(u32(0) + u32(len(payload)) + payload + u32(0) + u32(0x80000000))
    eq(accepted(Unpacker(c.record()[4:])), (0,), "empty fragments around it")
    for i in range(0, len(payload) + 4, 7):
        c.sock.sendall((u32(0x80000000 | len(payload)) + payload)[i:i + 7])
        time.sleep(0.001)
    eq(accepted(Unpacker(c.record()[4:])), (0,), "a record in pieces of seven bytes")
    c.sock.sendall((u32(0x80000000 | len(payload)) + payload) * 50)
    for _ in range(50):
        eq(accepted(Unpacker(c.record()[4:])), (0,), "fifty calls at once")


def check_records_that_are_no_calls(w):
    for what, payload in (("nothing", b""), ("four bytes", bytes(4)), ("a reply", message(mtype=1)), ("another type", message(mtype=7)),
                          ("half a header", message()[:18])):
        c = Client(port=w.port)
        c.sock.sendall(u32(0x80000000 | len(payload)) + payload)
        c.sock.settimeout(0.05)
        try:
            c.sock.recv(100)
        except OSError:
            pass
    c = Client(port=w.port)
    c.sock.sendall(u32(0x7fffffff) + bytes(100))
    c.sock.settimeout(5)
    try:
        eq(c.sock.recv(100), b"", "a record of 2 GiB ends the connection")
    except ConnectionError:
        pass
    status(w.c.getattr(w.d), OK, "the server afterwards")


def check_hanging_up_in_the_middle(w):
    payload = message(proc=1, cred=sys_cred(), args=opaque(w.d))
    for cut in (1, 4, 10, len(payload)):
        c = Client(port=w.port)
        c.sock.sendall((u32(0x80000000 | len(payload)) + payload)[:cut])
        c.sock.close()
    status(w.c.getattr(w.d), OK, "the server afterwards")


NLM, NOLOCKS = 100021, 2


def nlm_args(vers, proc):
    """The arguments of a call for a lock, as the version has them; the cookie is "tell"."""
    wide = u64 if vers == 4 else u32
    lock = opaque("client") + opaque(bytes(32)) + opaque("owner") + u32(77) + wide(0) + wide(10)
    return opaque("tell") + {1: u32(1) + lock, 2: u32(1) + u32(1) + lock + u32(0) + u32(3), 3: u32(1) + u32(1) + lock, 4: lock, 5: u32(1) + lock,
                             20: opaque("client") + opaque(bytes(32)) + opaque("owner") + u32(1) + u32(1) + u32(0),
                             21: opaque("client") + opaque(bytes(32)) + opaque("owner") + u32(1) + u32(1) + u32(0),
                             22: u32(1) + u32(1) + lock + u32(0) + u32(3)}[proc]


def over_udp(port, payload):
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(payload, ("127.0.0.1", port))
        u = Unpacker(s.recv(9000))
    u.u32()
    return u


def check_no_locks(w):
    """Whoever asks for a lock is told at once that there are none, so that no process waits for ever."""
    for vers in (1, 3, 4):
        for proc in (1, 2, 3, 4, 5) + ((20, 21, 22) if vers > 1 else ()):
            for how, u in (("TCP", raw(w, message(NLM, vers, proc, args=nlm_args(vers, proc)))),
                           ("UDP", over_udp(w.port, message(NLM, vers, proc, args=nlm_args(vers, proc))))):
                what = "NLM version %d procedure %d over %s" % (vers, proc, how)
                eq(accepted(u), (0,), what)
                eq((u.opaque(), u.u32()), (b"tell", NOLOCKS), what)
        for proc in (0, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + ((23,) if vers > 1 else ()):
            eq(accepted(raw(w, message(NLM, vers, proc, args=opaque("tell")))), (0,), "NLM version %d procedure %d" % (vers, proc))
        eq(accepted(raw(w, message(NLM, vers, 2, args=opaque("tell") + u32(1)))), (4,), "NLM version %d: half a LOCK" % vers)
        eq(accepted(raw(w, message(NLM, vers, 16))), (3,), "NLM version %d: no procedure" % vers)
    eq(accepted(raw(w, message(NLM, 2, 0))), (2, 1, 4), "NLM version 2")
