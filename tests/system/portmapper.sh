#!/bin/bash
# rpcinfo, showmount and the portmapper say what they should: at the start, after rpcbind restarted, and after the end.
. "$(dirname "$0")/lib.sh"

start_rpcbind
mkdir -p "$T/b"
gateway() {
    serve gateway "$BUILD/gatehouse-gateway" --embed $(create_once "$T/b") --volume-id "$VOLUME_ID" --volume demo --handle-key "$T/handle.key" \
        --state-file "$T/gateway.state" --exports "$T/exports" "$T/b"
}
echo '/demo 127.0.0.0/8(rw,no_root_squash,insecure) ::1(ro,insecure)' >"$T/exports"

# A lock manager of this host's own kernel would look so: nobody's process has its port.
python3 - <<PY
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 700))
s.settimeout(10)
s.sendto(struct.pack(">14I", 1, 0, 2, 100000, 2, 1, 0, 0, 0, 0, 100021, 4, 6, 4045), ("127.0.0.1", 111))
assert struct.unpack(">7I", s.recv(100))[6] == 1
PY
gateway
nlm=("100021 +4 +tcp +4045")
registered() {
    local want
    rpcinfo -p 127.0.0.1 >"$T/rpcinfo"
    for want in "${nlm[@]}" '100003 +3 +tcp +2049' '100005 +1 +tcp +2049' '100005 +3 +tcp +2049' '100005 +1 +udp +2049' '100005 +3 +udp +2049'; do
        grep -Eq "$want" "$T/rpcinfo" || return 1
    done
}
await 30 registered
if grep -Eq '100021 .* 2049' "$T/rpcinfo"; then fail "somebody else's lock manager was joined: $(cat "$T/rpcinfo")"; fi
rpcinfo -t 127.0.0.1 100003 3
rpcinfo -u 127.0.0.1 100005 3
rpcinfo -T tcp6 ::1 100003 3
showmount -e 127.0.0.1 | tee "$T/showmount"
grep -Eq '^/demo +' "$T/showmount" || fail "showmount -e does not list /demo"
python3 - <<PY
import sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
fh = c.mount("/demo")
assert 16 <= len(fh) <= 64, len(fh)
made = c.mkdir(fh, "sub", mode=0o755)
assert made["status"] == 0, made
sub = c.mount("/demo/sub")
assert c.getattr(sub)["attr"]["fileid"] == made["attr"]["fileid"]
for path, want in (("/demo/none", 2), ("/nowhere", 2)):
    try:
        c.mount(path)
        raise SystemExit("%s could be mounted" % path)
    except OSError as e:
        assert e.errno in (want, 13), (path, e)
try:
    c.call(100003, 4, 0)
    raise SystemExit("version 4 was served")
except RuntimeError as e:
    assert e.args[0] == ("prog_mismatch", 3, 3), e
bad = bytearray(fh); bad[-1] ^= 1
assert c.getattr(bytes(bad))["status"] == nfs3.BADHANDLE
assert c.getattr(fh[:-1])["status"] == nfs3.BADHANDLE
PY
showmount -a 127.0.0.1 | grep -q ':/demo' || fail "showmount -a does not tell who mounted"
showmount -d 127.0.0.1 | grep -q '^/demo' || fail "showmount -d does not tell what is mounted"

say "rpcbind restarts"
stop rpcbind
rm -rf /run/rpcbind/*
start_rpcbind
nlm=('100021 +1 +tcp +2049' '100021 +3 +tcp +2049' '100021 +4 +tcp +2049' '100021 +1 +udp +2049' '100021 +3 +udp +2049' '100021 +4 +udp +2049')
await 60 registered

say "a bad exports file changes nothing, a good one all at once"
echo '/demo 127.0.0.0/8(rw,no_rot_squash)' >"$T/exports"
kill -HUP "${PIDS[gateway]}"
await 20 grep -q 'exports:1' "$T/gateway.log"
showmount -e 127.0.0.1 | grep -q '127.0.0.0/8' || fail "the bad file changed the exports"
echo '/demo 127.0.0.1(ro,insecure)' >"$T/exports"
kill -HUP "${PIDS[gateway]}"
read_only() {
    python3 - <<PY
import sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
sys.exit(c.mkdir(c.mount("/demo"), "x", mode=0o755)["status"] != nfs3.ROFS)
PY
}
await 20 read_only

say "and the end"
stop gateway
if rpcinfo -p 127.0.0.1 | grep -Eq '100003|100005|100021'; then fail "entries are left in the portmapper"; fi
