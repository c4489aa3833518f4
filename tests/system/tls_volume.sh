#!/bin/bash
# TLS by two commands: certificates, and a volume that wants them. The gateway and a stock client work; who has no certificate does not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

cp -r /etc/ssl "$T/ssl"
mount --bind "$T/ssl" /etc/ssl
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster "$T/mnt"
start_rpcbind
image "$T/disk" xfs 400
mkdir "$T/disk/b"
ip addr add 192.0.2.1/32 dev lo
"$BUILD/gatehouse" tls init directory "$T/ca" node2 | tee "$T/init"
"$BUILD/gatehouse" tls init directory "$T/ca" node2 | grep "it was there already" >/dev/null || fail "a second init does not say what was there"
[ "$(stat -c %a "$T/ca/ca.key" /etc/ssl/glusterfs.key "$T/ca/node2/glusterfs.key" | sort -u)" = 600 ] || fail "keys can be read by others"

HOST_NAME=192.0.2.1 start_manager h1
gh volume create demo replica 2 192.0.2.1:"$T"/disk/b/{0,1} force
gh volume set demo client.ssl on server.ssl on auth.ssl-allow "$(hostname),node2" nfs.exports '*(rw,no_root_squash,insecure)'
gh volume start demo
refused "stop volume demo first" volume set demo server.ssl off
await 20 gateway_online demo
await 30 proof demo
say "the gateway works under TLS"
if nc -z 192.0.2.1 49152; then
    python3 - <<'END'
import socket
s = socket.create_connection(("192.0.2.1", 49152), 5)
s.settimeout(20)
s.sendall(bytes.fromhex("80000028" "00000001" "00000000" "00000002" "075bcd15" "00000001" "00000001") + b"\0" * 16)
try:
    assert not s.recv(100), "a brick under TLS answered without it"
except ConnectionResetError:
    pass
END
fi
if [ -c /dev/fuse ]; then
    mount -t glusterfs 192.0.2.1:/demo "$T/mnt" || { tail -n 40 /var/log/glusterfs/*.log; fail "a stock client cannot mount"; }
    IMAGES+=("$T/mnt")
    cp -r "$TOP/runtime" "$T/mnt/by-fuse"
    diff -r "$TOP/runtime" "$T/mnt/by-fuse"
    umount "$T/mnt"
    say "a stock client works under TLS"
    cp "$T/ca/node2"/glusterfs.* /etc/ssl/          # a host that is named, too
    mount -t glusterfs 192.0.2.1:/demo "$T/mnt" || { tail -n 40 /var/log/glusterfs/*.log; fail "a stock client cannot mount"; }
    diff -r "$TOP/runtime" "$T/mnt/by-fuse"
    umount "$T/mnt"
fi

say "a certificate of somebody else"
"$BUILD/gatehouse" tls init directory "$T/other-ca" into "$T/ssl-other" 2>"$T/out" && fail "made in a directory that is not there"
grep -q "ssl-other" "$T/out"
mkdir "$T/ssl-other"
"$BUILD/gatehouse" tls init directory "$T/other-ca" into "$T/ssl-other" >/dev/null
cp "$T/ssl-other"/glusterfs.* /etc/ssl/
gh volume stop demo
gh volume start demo            # bricks and gateway take the files that are there now, and they are of one kind
await 20 proof demo

say "management under TLS, too"
gh volume stop demo
stop manager-h1
cp -r /usr/lib/ssl "$T/usr-ssl"         # where Debian's GlusterFS looks when no option tells it
mount --bind "$T/usr-ssl" /usr/lib/ssl
cp /etc/ssl/glusterfs.* /usr/lib/ssl/
mkdir -p /var/lib/glusterd
mount -t tmpfs tmpfs /var/lib/glusterd
: >/var/lib/glusterd/secure-access
HOST_NAME=192.0.2.1 start_manager h1
grep -q "tls=yes" "$T/manager-h1.log"
gh volume start demo
await 20 gateway_online demo
await 30 proof demo
if [ -c /dev/fuse ]; then
    mount -t glusterfs 192.0.2.1:/demo "$T/mnt" || { tail -n 40 /var/log/glusterfs/*.log; fail "a stock client cannot mount with secure-access"; }
    diff -r "$TOP/runtime" "$T/mnt/by-fuse"
    umount "$T/mnt"
    rm /var/lib/glusterd/secure-access
    if timeout 20 mount -t glusterfs 192.0.2.1:/demo "$T/mnt"; then fail "a client without TLS was given a volume"; fi
fi
stop manager-h1
