#!/bin/bash
# A volume of a real glusterd, with every translator that it puts into a brick: our client learns the port from it and every fop behaves.
. "$(dirname "$0")/lib.sh"

for dir in /var/log /var/lib/glusterd; do mount -t tmpfs tmpfs $dir; done
mkdir -p /var/log/glusterfs /run/gluster "$T/b0"
ip link add v0 type veth peer name v1
ip addr add 192.0.2.1/24 dev v0
ip link set v0 up
ip link set v1 up
serve glusterd glusterd -N "--log-file=$T/glusterd-messages.log"
await 60 gluster --mode=script pool list
gluster --mode=script volume create vol "192.0.2.1:$T/b0" force
gluster --mode=script volume set vol features.cache-invalidation on
gluster --mode=script volume start vol
"$BUILD/tests/system/brick_fops" 192.0.2.1 0 "$T/b0"
"$BUILD/tests/system/brick_fops" 192.0.2.1 0 "$T/b0" durable
gluster --mode=script volume stop vol force
say "found by glusterd's portmapper, and all fops behave"
