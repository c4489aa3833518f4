#!/bin/bash
# A real GlusterFS mount works on our bricks: alone, and two times two with one brick killed under it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/file_work.sh"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs /run/gluster "$T/mnt"

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
