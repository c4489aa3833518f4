#!/bin/bash
# Options of a volume that go to stock clients have the names that glusterd has, and go where glusterd puts them: a real one is told them all.
. "$(dirname "$0")/lib.sh"

for dir in /var/log /var/lib/glusterd; do mount -t tmpfs tmpfs $dir; done
mkdir -p /var/log/glusterfs /run/gluster "$T"/b{0,1}
ip link add v0 type veth peer name v1
ip addr add 192.0.2.1/24 dev v0
ip link set v0 up
ip link set v1 up
serve glusterd glusterd -N "--log-file=$T/glusterd-messages.log"
await 60 gluster --mode=script pool list
gluster --mode=script volume create vol replica 2 "192.0.2.1:$T/b0" "192.0.2.1:$T/b1" force

# What GlusterFS does not take of a replicated volume, and what has no default to try.
declare -A skip=([cluster.lock-migration]=1) example=(
    [cluster.data-self-heal-algorithm]=diff [cluster.extra-hash-regex]='(.*)~' [cluster.read-subvolume]=vol-client-1
    [performance.cache-size]=64MB [performance.cache-priority]='*.jpg:3' [performance.xattr-cache-list]=user.a,user.b
    [transport.address-family]=inet)
words=()
"$BUILD/tests/system/volfile_write" options >"$T/options"
while read -r name value _; do
    [ "$value" != - ] || value=${example[$name]:-}
    [ -z "${skip[$name]:-}" ] && [ -n "$value" ] || continue
    words+=("$name" "$value")
done <"$T/options"
[ ${#words[@]} -gt 150 ] || fail "only ${#words[@]} words of options"
gluster --mode=script volume set vol "${words[@]}"

cd /var/lib/glusterd/vols/vol
awk '/^ *type /{t = $2} /^ *option /{print t, $2}' trusted-vol.tcp-fuse.vol vol-shd.vol >"$T/glusterds"
while read -r name value type key; do
    [ -z "${skip[$name]:-}" ] && [ "$key" != - ] || continue
    grep -qxF "$type $key" "$T/glusterds" || fail "$name: glusterd does not write option $key into sections of type $type"
done <"$T/options"
say "$((${#words[@]} / 2)) options are glusterd's own, and go where it puts them"
