#!/bin/bash
# Every brick is restarted in turn by SIGTERM while clients work: no error. Then the gateway is ended by SIGTERM in the middle of it all: what
# was in flight is answered, it exits with 0 and leaves nothing with the portmapper, and clients go on with its successor.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
"$TOP/tests/system/acknowledged" endure "$T/journal" 25 >"$T/endure" &
worker=$!
sleep 1
for n in 0 1 2 3; do
    stop "brick$n"
    sleep 0.5
    start_brick $n "${BRICKS[$n]}"
    await_brick $n
    sleep 1
done
say "the gateway ends"
pid=${PIDS[gateway]}
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 0 ] || fail "the gateway ended with status $status"
! rpcinfo -p 127.0.0.1 | grep -E '10000[35] ' || fail "the portmapper still knows it"
grep -c "dropped" "$T/gateway.log" && fail "calls in flight were dropped"
start_gateway
wait $worker || { cat "$T/endure"; fail "a client saw an error"; }
say "$(tail -n 1 "$T/endure"), $(wc -l <"$T/journal") lines"
"$TOP/tests/system/acknowledged" verify "$T/journal"
stop gateway
for n in 0 1 2 3; do stop "brick$n"; done
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
