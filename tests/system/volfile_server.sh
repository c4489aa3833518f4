#!/bin/bash
# A volume whose file comes from a stock glusterd: glusterd may be away when the gateway starts and come later, hang, or talk rubbish; changes
# of the volume's options arrive while it serves.
. "$(dirname "$0")/lib.sh"

for dir in /var/log /var/lib/glusterd; do mount -t tmpfs tmpfs $dir; done
mkdir -p /var/log/glusterfs /run/gluster "$T/b0" "$T/b1"
ip link add v0 type veth peer name v1
ip addr add 192.0.2.1/24 dev v0
ip link set v0 up
ip link set v1 up
start_glusterd() {
    serve glusterd glusterd -N "--log-file=$T/glusterd-messages.log"
    await 60 gluster --mode=script pool list
}
says() { grep -q -- "$1" "$T/$2.log"; }
fetch() {	# fetch NAME SERVERS [OPTIONS]: a gateway that asks them for volume "vol"
    local name=$1 servers=$2
    shift 2
    serve "$name" "$BUILD/gatehouse-gateway" --volfile-server "$servers" --volfile-id vol --export '*(rw,no_root_squash,insecure)' \
        --handle-key "$T/handle.key" --state-file "$T/$name.state" "$@"
}

start_glusterd
gluster --mode=script volume create vol replica 2 "192.0.2.1:$T/b0" "192.0.2.1:$T/b1" force
gluster --mode=script volume start vol
stop glusterd

say "servers that are away, that hang and that talk rubbish cost a sentence each; the gateway comes up when a good one does"
serve bad python3 "$TOP/tests/system/bad_server.py" hang 24010 garbage 24011 close 24012 html 24013 nonsense 24014 huge 24015
for port in 24010 24011 24012 24013 24014 24015; do await 20 nc -z 192.0.2.1 $port; done
start_rpcbind
fetch gateway 192.0.2.1:24010,192.0.2.1:24011 --volfile-server "192.0.2.1:24012,192.0.2.1:24013 192.0.2.1:24014,192.0.2.1:24015,192.0.2.1"
await 60 says 'server=192.0.2.1:24010 reason="it does not answer"' gateway
await 60 says 'server=192.0.2.1:24011 reason="its answer makes no sense"' gateway
await 60 says 'server=192.0.2.1:24012 reason="it closed the connection"' gateway
await 60 says 'server=192.0.2.1:24013 reason="its answer makes no sense"' gateway
await 60 says "the volume's file is not taken.*volume vol of 192.0.2.1:4: expected an option's name, found the end of the file" gateway
await 60 says 'server=192.0.2.1:24015 reason="its answer makes no sense"' gateway
await 60 says 'server=192.0.2.1:24007 reason="nobody listens there"' gateway
kill -0 "${PIDS[gateway]}" || fail "the gateway gave up"
! showmount -e 127.0.0.1 2>/dev/null || fail "it serves what it does not know"
start_glusterd
await 90 showmount -e 127.0.0.1
VOLUME=vol
in_guest 1 120 'echo hello >/mnt/nfs/file; sync; cat /mnt/nfs/file; mkdir /mnt/nfs/dir'
[ "$(cat "$T/b0/file")" = hello ] || fail "the file is not on the brick"

say "a changed option comes by itself"
gluster --mode=script volume set vol cluster.eager-lock off
await 30 says "the volume's options changed volume=vol options=1" gateway

say "bricks are added, and the gateway takes another graph"
mkdir "$T/b2" "$T/b3"
gluster --mode=script volume add-brick vol "192.0.2.1:$T/b2" "192.0.2.1:$T/b3" force
await 60 says 'the volume has another graph volume=vol up=yes reason=".* is new"' gateway

say "an unknown volume is an error that names it"
"$BUILD/gatehouse-gateway" --volfile-server 192.0.2.1 --volfile-id nowhere --port 2050 --no-rpcbind --export '*' \
    --handle-key "$T/handle.key" 2>"$T/unknown.log" && fail "served a volume that does not exist"
says '192.0.2.1:24007 has no volume named "nowhere"' unknown || fail "it does not say what is wrong"

say "glusterd may go away and come back; what changed meanwhile is found"
stop glusterd
await 30 says "the volume server is lost, the volume is served as it was" gateway
in_guest 2 120 'cat /mnt/nfs/file'
start_glusterd
gluster --mode=script volume set vol cluster.eager-lock on
await 60 bash -c "[ \$(grep -c 'options changed volume=vol' $T/gateway.log) = 2 ]"
[ "$(grep -c 'the volume.s file cannot be had yet' "$T/gateway.log")" -lt 40 ] || fail "it says the same again and again"
gluster --mode=script volume stop vol force
say "served from glusterd's word"
