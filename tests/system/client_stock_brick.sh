#!/bin/bash
# Our protocol/client drives every fop of a real glusterfsd; with durable calls it forces the log of the brick's file system after each change.
. "$(dirname "$0")/lib.sh"

b=$T/brick
mkdir -p "$b/.glusterfs" /run/gluster
mount -t tmpfs tmpfs /var/log
mkdir -p /var/log/glusterfs
setfattr -n trusted.glusterfs.volume-id -v 0x11111111222233334444555555555555 "$b"
section() { printf 'volume %s\n    type %s\n%s    subvolumes %s\nend-volume\n' "$@"; }
{
    printf 'volume px\n    type storage/posix\n    option directory %s\n' "$b"
    printf '    option volume-id 11111111-2222-3333-4444-555555555555\nend-volume\n'
    section ac features/access-control "" px
    section lk features/locks "" ac
    section idx features/index "    option index-base $b/.glusterfs/indices
    option xattrop-dirty-watchlist trusted.afr.dirty
    option xattrop-pending-watchlist trusted.afr.vol-
" lk
    section mybrick debug/io-stats "" idx
    section srv protocol/server "    option transport-type tcp
    option transport.socket.listen-port 49152
    option auth.addr.mybrick.allow *
" mybrick
} >"$T/brick.vol"
serve glusterfsd glusterfsd -N -f "$T/brick.vol" -l "$T/glusterfsd-messages.log" -p "$T/glusterfsd.pid"
await 30 nc -z 127.0.0.1 49152
"$BUILD/tests/system/brick_fops" 127.0.0.1 49152 mybrick
"$BUILD/tests/system/brick_fops" 127.0.0.1 49152 mybrick durable
[ -z "$(find "$b" -name '.gatehouse-commit*')" ] || fail "the scratch file is still to be seen"
say "a stock brick answers as it should"
