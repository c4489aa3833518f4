#!/bin/bash
# A real GlusterFS mount works on our bricks: alone, and two times two with one brick killed under it.
. "$(dirname "$0")/lib.sh"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster "$T/mnt"

exercise() {	# exercise DIR: what people do in a directory
    local d=$1
    mkdir "$d"
    cp -r "$TOP/runtime" "$d/tree"
    diff -r "$TOP/runtime" "$d/tree"
    echo one >"$d/a"
    mv "$d/a" "$d/b"
    ln "$d/b" "$d/c"
    [ "$(stat -c %h "$d/b")" = 2 ]
    ln -s b "$d/l"
    [ "$(readlink "$d/l")" = b ] && [ "$(cat "$d/l")" = one ]
    chmod 600 "$d/b"
    chown 5:6 "$d/b"
    [ "$(stat -c %a:%u:%g "$d/b")" = 600:5:6 ]
    touch -d @1000000000 "$d/b"
    [ "$(stat -c %Y "$d/b")" = 1000000000 ]
    setfattr -n user.k -v value "$d/b"
    [ "$(getfattr --only-values -n user.k "$d/b")" = value ]
    setfattr -x user.k "$d/b"
    truncate -s 100000 "$d/b"
    [ "$(stat -c %s "$d/b")" = 100000 ]
    head -c 3000000 /dev/urandom >"$T/random"
    cp "$T/random" "$d/random"
    cmp "$T/random" "$d/random"
    mkfifo "$d/fifo"
    mkdir -p "$d/x/y/z"
    mv "$d/x/y" "$d/y"
    for i in $(seq 1 200); do : >"$d/y/$i"; done
    [ "$(ls "$d/y" | wc -l)" = 201 ]
    flock -n "$d/b" true
    exec 9<>"$d/open"
    rm "$d/open"
    echo still >&9
    exec 9>&-
    rm -r "$d/y" "$d/x"
    [ ! -e "$d/y" ]
}

mounted() { grep -q " $1 fuse.glusterfs" /proc/mounts; }

start_brick 0 "$T/bricks/b0"
printf 'volume c\n    type protocol/client\n    option remote-host 127.0.0.1\n    option remote-port 49152\n    option remote-subvolume %s\nend-volume\n' \
    "$T/bricks/b0" >"$T/one.vol"
serve one glusterfs -N -f "$T/one.vol" -l "$T/one-messages.log" "$T/mnt"
await 20 mounted "$T/mnt"
exercise "$T/mnt/dir"
umount "$T/mnt"
stop one
stop brick0
say "a mount of one brick works"

for i in 0 1 2 3; do start_brick $i "$T/four/b$i"; done
volfile 2 2 "$T"/four/b{0,1,2,3} >"$T/four.vol"
serve four glusterfs -N -f "$T/four.vol" -l "$T/four-messages.log" "$T/mnt"
await 20 mounted "$T/mnt"
exercise "$T/mnt/dir"
stop brick3 KILL
exercise "$T/mnt/degraded"
start_brick 3 "$T/four/b3"
exercise "$T/mnt/again"
diff -r "$TOP/runtime" "$T/mnt/degraded/tree"
umount "$T/mnt"
stop four
say "a mount of two times two works, and with a brick killed"
