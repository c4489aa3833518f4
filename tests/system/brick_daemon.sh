#!/bin/bash
# gatehouse-brick: every fop on XFS and ext4, an orderly end, and one clear sentence for each way not to start.
. "$(dirname "$0")/lib.sh"

ID=11111111-2222-3333-4444-555555555555
brick() { "$BUILD/gatehouse-brick" "$@"; }

refused() {	# refused STATUS WORDS OPTIONS...: does not start, and says so
    local status=$1 words=$2 got=0
    shift 2
    timeout 20 "$BUILD/gatehouse-brick" "$@" >"$T/refused.log" 2>&1 || got=$?
    [ $got = "$status" ] || fail "expected status $status, not $got: $*"
    [ "$(wc -l <"$T/refused.log")" = 1 ] || fail "more than one line: $(cat "$T/refused.log")"
    grep -q "$words" "$T/refused.log" || fail "\"$words\" is not in: $(cat "$T/refused.log")"
}

for type in xfs ext4; do
    image "$T/$type" $type
    mkdir -p "$T/$type/b"
    refused 1 "is no brick: it has no trusted.glusterfs.volume-id, it is an empty directory on a mounted file system" \
        --directory "$T/$type/b" --volume-id $ID --port 49152
    serve $type "$BUILD/gatehouse-brick" --create --directory "$T/$type/b" --volume-id $ID --port 49152 --pid-file "$T/$type.pid"
    await 20 nc -z 127.0.0.1 49152
    [ "$(cat "$T/$type.pid")" = "${PIDS[$type]}" ] || fail "the pid file is wrong"
    "$BUILD/tests/system/brick_fops" 127.0.0.1 49152 "$T/$type/b"
    "$BUILD/tests/system/brick_fops" ::1 49152 "$T/$type/b" durable
    refused 1 "holds that port" --create --directory "$T/$type" --volume-id $ID --port 49152
    refused 1 "served by another process" --directory "$T/$type/b" --volume-id $ID --port 49160
    refused 1 "held by a daemon" --directory "$T/$type" --volume-id $ID --port 49160 --pid-file "$T/$type.pid"
    kill -TERM "${PIDS[$type]}"
    status=0
    wait "${PIDS[$type]}" || status=$?
    [ $status = 0 ] || fail "SIGTERM ended it with status $status"
    unset "PIDS[$type]"
    [ ! -e "$T/$type.pid" ] || fail "the pid file stayed"
done
mkdir "$T/plain" && touch "$T/plain/file"
refused 2 "either --directory" --port 49160
refused 2 "full path" --directory plain
refused 2 "goes with" --create --directory "$T/plain"
refused 1 "is a brick already" --create --directory "$T/xfs/b" --volume-id $ID --port 49160
refused 2 "uuid" --directory "$T/plain" --volume-id 17
refused 2 "there is no layer" --directory "$T/plain" --option cache.size=1
refused 1 "No such file" --directory "$T/none" --volume-id $ID --port 49160
refused 1 "another volume" --directory "$T/xfs/b" --volume-id 21111111-2222-3333-4444-555555555555 --port 49160
printf 'volume x\n type storage/posix\nend-volume\n' >"$T/odd.vol"
refused 1 "protocol/server" --volfile "$T/odd.vol"
say "serves, ends, and says why not"
