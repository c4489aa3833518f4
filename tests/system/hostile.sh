#!/bin/bash
# The network is hostile: spoiled calls to the gateway and to bricks, storms of locks, connections and open files, a brick that lies, a portmapper
# that lies. Every process lives on, stays small, and serves honest clients meanwhile. SEED=N repeats a run; HOSTILE_SECONDS is its length.
# With BUILD at a tree configured with --enable-sanitizers, their reports fail the test as well.
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-$RANDOM}
SECONDS_OF_EACH=${HOSTILE_SECONDS:-36}
say "SEED=$SEED"
export ASAN_OPTIONS="quarantine_size_mb=4:detect_leaks=0:malloc_context_size=8:${ASAN_OPTIONS:-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
ulimit -n 8192
hostile() { python3 "$TOP/tests/system/hostile.py" "$@"; }

# A gateway of its own behind a liar, and a portmapper that answers nonsense while it starts.
serve fake-rpcbind python3 "$TOP/tests/system/hostile.py" rpcbind "$SEED"
await 20 nc -z 127.0.0.1 111
start_brick 2 "$T/bricks/b2"
start_brick 3 "$T/bricks/b3"
serve liar python3 "$TOP/tests/system/liar.py" 49162 49154 "$SEED"
await 20 nc -z 127.0.0.1 49162
VOLUME=liar volfile 1 2 "$T/bricks/b2" "$T/bricks/b3" | sed -e 's/remote-port 49152/remote-port 49162/' -e 's/remote-port 49153/remote-port 49155/' \
    >"$T/liar.vol"
gateway2() {
    serve gateway2 "$BUILD/gatehouse-gateway" --volfile "$T/liar.vol" --volume liar --handle-key "$T/handle.key" --port 2050 \
        --export "*(rw,no_root_squash,insecure)" --state-file "$T/gateway2.state" "$@"
    await 40 hostile honest 2050 liar
}
gateway2
sleep 2
stop gateway2
stop fake-rpcbind
gateway2 --no-rpcbind

start_volume 1 2
hostile attack "$SEED" "$SECONDS_OF_EACH" "$BUILD" gateway="${PIDS[gateway]}" gateway2="${PIDS[gateway2]}" brick0="${PIDS[brick0]}" \
    brick1="${PIDS[brick1]}" brick2="${PIDS[brick2]}" brick3="${PIDS[brick3]}" liar="${PIDS[liar]}" b0="$T/bricks/b0" || fail "SEED=$SEED"
for s in gateway gateway2 brick0 brick1 brick2 brick3; do
    stop $s
    ! grep -E 'AddressSanitizer|runtime error:|LeakSanitizer|SUMMARY:|Assertion' "$T/$s.log" || fail "$s: a sanitizer's report, SEED=$SEED"
done
