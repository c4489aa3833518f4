#!/bin/bash
# Over stock bricks (glusterfsd on XFS), too, a power cut of all of them loses nothing that was acknowledged to a `sync` export.
. "$(dirname "$0")/lib.sh"

mkdir -p /run/gluster /var/log/glusterfs
stock_brick() {	# stock_brick N DIR
    printf 'volume px\n type storage/posix\n option directory %s\n option volume-id %s\nend-volume
volume lk\n type features/locks\n subvolumes px\nend-volume
volume ix\n type features/index\n option index-base %s/.glusterfs/indices\n subvolumes lk\nend-volume
volume %s\n type debug/io-stats\n subvolumes ix\nend-volume
volume srv\n type protocol/server\n option transport-type tcp\n option transport.socket.listen-port %d\n option auth.addr.%s.allow *\n subvolumes %s
end-volume\n' "$2" "$VOLUME_ID" "$2" "$2" $((49152 + $1)) "$2" "$2" >"$T/stock$1.vol"
    serve "stock$1" glusterfsd -N -f "$T/stock$1.vol" -l "$T/stock$1-messages.log" -p "$T/stock$1.pid"
    await 30 nc -z 127.0.0.1 $((49152 + $1))
}
start_rpcbind
BRICKS=()
for n in 0 1; do
    image "$T/m$n" xfs 400
    BRICKS+=("$T/m$n/brick")
    mkdir -p "${BRICKS[$n]}/.glusterfs/indices"
    setfattr -n trusted.glusterfs.volume-id -v "0x${VOLUME_ID//-/}" "${BRICKS[$n]}"
    stock_brick $n "${BRICKS[$n]}"
done
volfile 1 2 "${BRICKS[@]}" >"$T/volume.vol"
EXPORT="*(rw,no_root_squash,insecure,sync)" start_gateway
"$TOP/tests/system/acknowledged" work "$T/journal" &
worker=$!
sleep 6
for n in 0 1; do kill -STOP "${PIDS[stock$n]}"; done
for n in 0 1; do xfs_io -x -c shutdown "$T/m$n"; done
stop gateway KILL
for n in 0 1; do stop "stock$n" KILL; done
wait $worker || true
say "$(wc -l <"$T/journal") acknowledged operations before the cut"
[ "$(wc -l <"$T/journal")" -gt 60 ] || fail "too little happened before the cut"
for n in 0 1; do
    umount "$T/m$n"
    mount -o loop "$T/m$n.img" "$T/m$n"
    stock_brick $n "${BRICKS[$n]}"
done
EXPORT="*(rw,no_root_squash,insecure,sync)" start_gateway
"$TOP/tests/system/acknowledged" verify "$T/journal"
stop gateway
for n in 0 1; do stop "stock$n"; umount "$T/m$n"; done
