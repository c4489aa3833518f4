#!/bin/bash
# RFC 1813, procedure by procedure and error by error, through the gateway over four brick daemons, and through an embedded one.
#
# The checks are Python functions (rfc1813.py runs them, one area a file). Those that need a daemon killed or a file system filled ask this
# script for it: a line on the requests pipe names one of the functions below, and "done" on the answers pipe says that it has ended.
. "$(dirname "$0")/lib.sh"

cat >"$T/exports" <<END
/demo 127.0.0.1(rw,no_root_squash,insecure) 127.0.0.2(ro,no_root_squash,insecure) 127.0.0.3(rw,insecure) \\
    127.0.0.4(rw,all_squash,anonuid=1234,anongid=2345,insecure) 127.0.0.5(rw,no_root_squash) \\
    127.0.0.8(rw,no_root_squash,insecure) ::1(rw,no_root_squash,insecure)
/demo/checked 127.0.0.9(rw,no_root_squash,insecure,subtree_check)
/demo/sub/below 127.0.0.6(rw,no_root_squash,insecure) 127.0.0.1(rw,no_root_squash,insecure)
END
export EXPORTS_FILE=$T/exports

restart_gateway() {
    stop gateway "${1:-KILL}"
    start_gateway
}
kill_brick() { stop "brick$1" KILL; }
revive_brick() { start_brick "$1" "${BRICKS[$1]}"; }
fill() { head -c 1G /dev/zero >"$SMALL/filler" 2>/dev/null || true; }
empty() { rm -f "$SMALL/filler"; }
# As after an error of the disk: a file system with files open for writing cannot be remounted otherwise.
read_only() {
    mount -o remount,errors=remount-ro "$SMALL"
    echo 1 >"/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$SMALL")")/trigger_fs_error"
}

# checks ARGUMENTS...: runs them and does what they ask for. A failed check is remembered; the others go on.
status=0
STOCK=
[ "${BRICKS_BY:-ours}" = ours ] || STOCK=--stock
checks() {
    rm -f "$T/requests" "$T/answers"
    mkfifo "$T/requests" "$T/answers"
    python3 "$TOP/tests/system/rfc1813.py" --requests "$T/requests" --answers "$T/answers" $STOCK "$@" ${ONLY:+--only "$ONLY"} &
    local pid=$! request
    exec 6<"$T/requests" 7>"$T/answers"
    while read -r -a request <&6; do
        "${request[@]}"
        echo done >&7
    done
    exec 6<&- 7>&-
    wait $pid || status=1
}

start_volume 2 2
checks --name "2x2" --bricks "$T/bricks" ${AREAS:-attr data names make dir rpc mount export retry fault}

[ "${BRICKS_BY:-ours}" = ours ] || exit $status

# A pair of brick daemons on a small file system.
SMALL=$T/full
image "$SMALL" ext4 64
VOLUME=full VOLUME_ID=0b8f6c1e-3c55-4d0e-8a0b-5d2f6f1c7a11
for i in 0 1; do start_brick $((4 + i)) "$SMALL/b$i"; done
volfile 1 2 "$SMALL/b0" "$SMALL/b1" | sed 's/port 49152/port 49156/; s/port 49153/port 49157/' >"$T/full.vol"
serve small-pair "$BUILD/gatehouse-gateway" --volfile "$T/full.vol" --handle-key "$T/full.key" --port 2051 --no-rpcbind \
    --export '*(rw,no_root_squash,insecure)' --state-file "$T/full.state"
await 30 nc -z 127.0.0.1 2051
checks --name "small pair" --port 2051 --volume full full

SMALL=$T/small
image "$SMALL" ext4 64
mkdir "$T/small/b"
sed 's/demo/small/' "$T/exports" >"$T/exports.small"
serve embedded "$BUILD/gatehouse-gateway" --embed --create --volume small --handle-key "$T/small.key" --exports "$T/exports.small" --port 2050 \
    --no-rpcbind --state-file "$T/small.state" "$T/small/b"
await 30 nc -z 127.0.0.1 2050
checks --name embedded --port 2050 --volume small ${EMBEDDED:-attr data names make dir export full}
exit $status
