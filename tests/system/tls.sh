#!/bin/bash
# TLS between gateway and bricks, with stock bricks and with stock clients; who has no good certificate is refused with a sentence.
. "$(dirname "$0")/lib.sh"

mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster "$T/pki" "$T/other" "$T/mnt"
"$BUILD/tests/system/tls_files" "$T/pki" brick gateway friend stranger
"$BUILD/tests/system/tls_files" "$T/other" foreign
cp -r "$T/pki/brick" "$T/pki/late"
openssl req -new -key "$T/pki/late/glusterfs.key" -subj /CN=late -out "$T/late.csr"
printf "subjectAltName=IP:127.0.0.1\n" >"$T/late.ext"
openssl x509 -req -extfile "$T/late.ext" -in "$T/late.csr" -CA "$T/pki/ca.pem" -CAkey "$T/pki/ca.key" -days -1 -out "$T/pki/late/glusterfs.pem" 2>/dev/null

ssl() { printf 'ssl-own-cert=%s ssl-private-key=%s ssl-ca-list=%s' "$1/glusterfs.pem" "$1/glusterfs.key" "$T/pki/ca.pem"; }
ssl_options() {	# the lines of a volfile's section
    printf '    option transport.socket.ssl-enabled on\n'
    for pair in $(ssl "$1"); do printf '    option transport.socket.%s %s\n' "${pair%%=*}" "${pair#*=}"; done
}
tls_brick() { BRICK_OPTIONS="--ssl $(ssl "$T/pki/brick" | sed 's/ssl-/--ssl-/g') --ssl-allow gateway,friend" start_brick "$@"; }
tls_volfile() {	# tls_volfile DIRECTORY-OF-CERTIFICATE DIR...
    ssl_options "$1" >"$T/lines"
    volfile 1 $(($# - 1)) "${@:2}" | sed "/type protocol.client/r $T/lines"
}
logged() { await 30 grep "$2" "$T/$1.log"; }
work() {	# through the gateway: what is written is read
    python3 - "$1" <<PY
import os, sys
sys.path.insert(0, "$TOP/tests/system")
import nfs3
c = nfs3.Client()
d = c.mkdir(c.mount("/demo"), sys.argv[1])["fh"]
f = c.create(d, "file", mode=0o640)["fh"]
data = os.urandom(5 << 20)
for at in range(0, len(data), 1 << 20):
    assert c.write(f, at, data[at:at + (1 << 20)])["status"] == 0
for at in range(0, len(data), 1 << 20):
    assert c.read(f, at, 1 << 20)["data"] == data[at:at + (1 << 20)]
for i in range(300):
    assert c.create(d, "n%d" % i, mode=0o644)["status"] == 0
assert len(c.list(d)) == 301
PY
}

start_rpcbind
b=("$T/bricks/b0" "$T/bricks/b1")
tls_brick 0 "${b[0]}"
tls_brick 1 "${b[1]}"
tls_volfile "$T/pki/gateway" "${b[@]}" >"$T/volume.vol"
start_gateway
await_brick 0
await_brick 1
work ours
say "our gateway and our bricks"

mounted() { grep -q " $T/mnt fuse.glusterfs" /proc/mounts; }
if [ -c /dev/fuse ]; then
    tls_volfile "$T/pki/friend" "${b[@]}" >"$T/friend.vol"
    serve fuse glusterfs -N -f "$T/friend.vol" -l "$T/fuse-messages.log" "$T/mnt"
    await 20 mounted
    await 20 test -e "$T/mnt/ours/file"
    cp -r "$TOP/runtime" "$T/mnt/tree"
    diff -r "$TOP/runtime" "$T/mnt/tree"
    umount "$T/mnt"
    stop fuse
    tls_volfile "$T/pki/stranger" "${b[@]}" >"$T/stranger.vol"
    serve stranger glusterfs -N -f "$T/stranger.vol" -l "$T/stranger-messages.log" "$T/mnt"
    # the first brick that refuses it ends the mount
    await 20 grep -h 'a client is refused rule="ssl-allow does not list its certificate.s name".*certificate="stranger"' "$T"/brick{0,1}.log
    await 20 grep -q 'Authentication failed\|Permission denied' "$T/stranger-messages.log"
    stop stranger
    umount -l "$T/mnt" 2>/dev/null || true
    say "a stock mount on our bricks; another one, whose name is not allowed, is refused"
fi

stop gateway
gateway_says() {	# gateway_says CERTIFICATE WORDS: a gateway with this certificate does not get in, and says this, once
    tls_volfile "$1" "${b[@]}" >"$T/volume.vol"
    : >"$T/gateway.log"
    serve gateway "$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume demo --handle-key "$T/handle.key" --export '*(rw)'
    logged gateway "$2"
    sleep 2
    [ "$(grep -c "client-0 .*$2" "$T/gateway.log")" = 1 ] || fail "the gateway's log says it more than once"
    stop gateway
}
gateway_says "$T/pki/stranger" "errno=13"
gateway_says "$T/other/foreign" "reason=.the peer refuses us: it does not know the CA that signed our certificate"
logged brick0 'reason="the peer.s certificate CN=foreign (issuer CN=a cluster of tests): .*certificate'
tls_volfile "$T/pki/late" "${b[@]}" >"$T/volume.vol"
"$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume demo --handle-key "$T/handle.key" --export "*(rw)" >"$T/late.log" 2>&1 && fail "it started"
logged late "certificate $T/pki/late/glusterfs.pem (CN=late) expired on"
volfile 1 2 "${b[@]}" >"$T/volume.vol"
: >"$T/lines"
serve gateway "$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume demo --handle-key "$T/handle.key" --export '*(rw)'
logged gateway "perhaps it requires TLS"
logged brick0 "the peer speaks no TLS"
stop gateway
stop brick0
stop brick1
start_brick 0 "${b[0]}"
start_brick 1 "${b[1]}"
gateway_says "$T/pki/gateway" "perhaps it speaks no TLS"
logged brick0 "the peer speaks TLS, and none is spoken here"
kill -0 "${PIDS[brick0]}" "${PIDS[brick1]}" || fail "a brick died"
stop brick0
stop brick1
say "a stranger, a foreigner, one who is late, and one who speaks plainly: each hears why"

stock_brick() {	# stock_brick N DIR DIRECTORY-OF-CERTIFICATE
    {
        printf 'volume px\n type storage/posix\n option directory %s\n option volume-id %s\nend-volume\n' "$2" "$VOLUME_ID"
        printf 'volume lk\n type features/locks\n subvolumes px\nend-volume\n'
        printf 'volume idx\n type features/index\n option index-base %s/.glusterfs/indices\n' "$2"
        printf ' option xattrop-dirty-watchlist trusted.afr.dirty\n option xattrop-pending-watchlist trusted.afr.demo-\n'
        printf ' subvolumes lk\nend-volume\nvolume %s\n type debug/io-stats\n subvolumes idx\nend-volume\n' "$2"
        printf 'volume srv\n type protocol/server\n option transport-type tcp\n option transport.socket.listen-port %d\n' $((49152 + $1))
        printf ' option auth.addr.%s.allow *\n option auth.login.%s.ssl-allow gateway\n subvolumes %s\n' "$2" "$2" "$2"
        ssl_options "$3"
        printf 'end-volume\n'
    } >"$T/stock$1.vol"
    serve "glusterfsd$1" "${STOCK:-glusterfsd}" -N -f "$T/stock$1.vol" -l "$T/glusterfsd$1-messages.log" -p "$T/glusterfsd$1.pid"
    await 30 nc -z 127.0.0.1 $((49152 + $1))
}
stock_brick 0 "${b[0]}" "$T/pki/brick"
stock_brick 1 "${b[1]}" "$T/pki/late"
tls_volfile "$T/pki/gateway" "${b[@]}" >"$T/volume.vol"
: >"$T/gateway.log"
start_gateway
await_brick 0
logged gateway 'client-1 reason="the peer.s certificate CN=late (issuer CN=a cluster of tests): certificate has expired on '
stop glusterfsd1
stock_brick 1 "${b[1]}" "$T/pki/brick"
await_brick 1
work stock
stop gateway
gateway_says "$T/pki/stranger" "errno=13"
stop glusterfsd0
stop glusterfsd1
say "our gateway and stock bricks"

serve brick0 "$BUILD/gatehouse-brick" --volfile "$T/stock0.vol"
await 20 nc -z 127.0.0.1 49152
gateway_says "$T/pki/stranger" "errno=13"
logged brick0 'certificate="stranger"'
say "a stock brick's volfile says it to ours as well"
