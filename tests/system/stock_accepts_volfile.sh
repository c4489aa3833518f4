#!/bin/bash
# What the manager writes for a volume is what stock GlusterFS reads: our bricks run from their volfiles, a stock client mounts from its own, with
# few and with all of its translators, a stock self-heal daemon heals, and our gateway serves the same files from its own.
. "$(dirname "$0")/lib.sh"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster "$T/mnt" "$T/nfs"

DIRS=("$T/bricks/b 0" "$T/bricks/b1" "$T/bricks/b\"2" "$T/bricks/b3" "$T/bricks/b\\4" "$T/bricks/b5")
BRICKS=("${DIRS[@]/#/127.0.0.1:}")
OPTIONS=(network.ping-timeout=5s nfs.ports-insecure=on nfs.root-squash=off cluster.quorum-type=auto)
write() { "$BUILD/tests/system/volfile_write" "$1" demo 3 1 49152 "${OPTIONS[@]}" "${@:2}" "${BRICKS[@]}"; }

mounted() { grep -q " $T/mnt fuse.glusterfs" /proc/mounts; }
mount_stock() {	# mount_stock NAME OPTION=VALUE...
    write client "${@:2}" >"$T/$1.vol"
    serve "$1" glusterfs -N -f "$T/$1.vol" -l "$T/$1-messages.log" "$T/mnt"
    await 30 mounted
}
# A value that GlusterFS refuses is an error in its log. (It is silent about options that it does not have: see stock_options.sh.)
understood() {
    ! grep -E ' E \[.*(options|graph)\.[cy]:' "$T/$1-messages.log" || fail "GlusterFS complains of the volfile $1"
}
unmount_stock() {
    umount "$T/mnt"
    stop "$1"
    understood "$1"
}
mark() {	# mark DIR ID: as a manager does with what it makes a brick; once
    getfattr -n trusted.glusterfs.volume-id "$1" >/dev/null 2>&1 && return
    mkdir "$1/.glusterfs"
    setfattr -n trusted.glusterfs.volume-id -v "0x$2" "$1"
    setfattr -n trusted.gfid -v 0x00000000000000000000000000000001 "$1"
}
start() {
    mkdir -p "${DIRS[$1]}"
    write "$1" >"$T/brick$1.vol"
    mark "${DIRS[$1]}" "$(sed -n 's/.*option volume-id //p' "$T/brick$1.vol" | head -n 1 | tr -d '" -')"
    serve "brick$1" "$BUILD/gatehouse-brick" --volfile "$T/brick$1.vol" --port $((49152 + $1))
    await 20 nc -z 127.0.0.1 $((49152 + $1))
}

for i in 0 1 2 3 4 5; do start $i; done
mount_stock plain
cp -r "$TOP/runtime" "$T/mnt/tree"
diff -r "$TOP/runtime" "$T/mnt/tree"
getfattr -n trusted.glusterfs.volume-id "${DIRS[0]}" >/dev/null
unmount_stock plain
say "a stock client works on a volume of two sets with arbiters"

all=()
for o in write-behind read-ahead readdir-ahead io-cache open-behind quick-read nl-cache stat-prefetch client-io-threads; do
    all+=("performance.$o=on")
done
mount_stock layers "${all[@]}" performance.cache-size=64MiB performance.md-cache-timeout=10s cluster.read-subvolume=demo-client-0
diff -r "$TOP/runtime" "$T/mnt/tree"
echo layers >"$T/mnt/layers"
write gateway >"$T/volume.vol"
write exports >"$T/exports"
start_rpcbind
EXPORTS_FILE=$T/exports start_gateway
"$BUILD/tests/system/nfs_proof" 'nfs://127.0.0.1/demo?nfsport=2049&mountport=2049' "$TOP/xlators"
[ "$(nfs-cat 'nfs://127.0.0.1/demo/layers?nfsport=2049&mountport=2049')" = layers ]
unmount_stock layers
say "with all of its translators, too, and our gateway serves the same volume"

# The first brick of each set misses a change.
stop brick0
stop brick3
mount_stock degraded
for i in 0 1 2 3 4 5 6 7; do echo "healed $i" >"$T/mnt/heal-$i"; done
unmount_stock degraded
start 0
start 3
write self-heal >"$T/heal.vol"
serve heal glusterfs -N -f "$T/heal.vol" -l "$T/heal-messages.log" --process-name glustershd
healed() {
    local i
    for i in 0 1 2 3 4 5 6 7; do grep -qsx "healed $i" "${DIRS[0]}/heal-$i" "${DIRS[3]}/heal-$i" || return 1; done
}
await 60 healed
understood heal
say "a stock self-heal daemon heals from its own"
