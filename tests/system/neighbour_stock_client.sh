#!/bin/bash
# Neighbour 1: stock clients on volumes of ours. GlusterFS's FUSE client and fio's gfapi find volumes by the manager and work on a distributed, a
# 2x2 and an arbiter volume; a brick is killed under them: no error, and the marks are right.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/file_work.sh"
. "$(dirname "$0")/manager_lib.sh"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster
start_rpcbind
image "$T/disk" xfs 1500
mkdir "$T/disk/b"
ip addr add 192.0.2.1/32 dev lo
HOST_NAME=192.0.2.1 start_manager h1 --no-rpcbind
b=192.0.2.1:$T/disk/b
gh volume create dist "$b"/d{0,1,2,3}
gh volume create two replica 2 "$b"/r{0,1,2,3} force
gh volume create arb replica 3 arbiter 1 "$b"/a{0,1,2} force

renames() {	# names that move between subvolumes, and a directory full of names
    mkdir "$1"
    for i in $(seq 1 40); do echo "$i" >"$1/name$i"; done
    for i in $(seq 1 40); do mv "$1/name$i" "$1/other$((i * 7))"; done
    for i in $(seq 1 40); do [ "$(cat "$1/other$((i * 7))")" = "$i" ]; done
    [ "$(ls "$1" | wc -l)" = 40 ]
    for i in $(seq 1 1500); do : >"$1/many$i"; done
    [ "$(ls "$1" | wc -l)" = 1540 ]
    rm -r "$1"
}

for volume in dist two arb; do
    gh volume start $volume
    mkdir "$T/$volume"
    mount -t glusterfs -o acl "192.0.2.1:/$volume" "$T/$volume"
    IMAGES+=("$T/$volume")
    exercise "$T/$volume/dir"
    locks_and_attributes "$T/$volume/more"
    renames "$T/$volume/names"
    say "FUSE works on $volume"
    (cd "$T" && fio --name=gfapi --ioengine=gfapi --volume=$volume --brick=192.0.2.1 --filename=fio.$volume --rw=randrw --bs=16k --size=8m \
        --verify=crc32c --do_verify=1 --output="$T/fio.$volume") || { cat "$T/fio.$volume"; fail "fio by gfapi failed on $volume"; }
    say "gfapi works on $volume"
done

# Without a manager nobody starts the brick again, so that it stays away for a while.
declare -A PID
for volume in two arb; do PID[$volume]=$(ask 'r["volumes"][0]["bricks"][1]["pid"]' volume status $volume); done
stop manager-h1 KILL
for volume in two arb; do
    kill -KILL "${PID[$volume]}"
    exercise "$T/$volume/degraded"
    renames "$T/$volume/names"
done
HOST_NAME=192.0.2.1 start_manager h1 --no-rpcbind
for volume in two arb; do
    await 30 online $volume "$(ask 'len(r["volumes"][0]["bricks"])' volume status $volume)"
    exercise "$T/$volume/again"
    diff -r "$TOP/runtime" "$T/$volume/degraded/tree"
    say "a brick killed: FUSE saw no error on $volume"
done
for volume in dist two arb; do umount "$T/$volume"; gh volume stop $volume; done
"$TOP/tests/system/marks" two 2 "$T/disk/b"/r{0,1,2,3}
"$TOP/tests/system/marks" --arbiter arb 3 "$T/disk/b"/a{0,1,2}
stop manager-h1
