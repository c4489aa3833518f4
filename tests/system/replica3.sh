#!/bin/bash
# Three copies: while each brick in turn is killed and started again clients see no error and hardly a delay; when two are killed together
# changes wait, and go on when one is back. All that was acknowledged is there, and the marks blame exactly the copies that missed something.
#
# One set of workers goes on in the same directories all the time: in the end each copy of those missed something, so they wait for the one
# that is whole. In fresh directories work must go on with any two bricks.
. "$(dirname "$0")/lib.sh"

start_volume 1 3
acknowledged() { WHERE=/demo/$1 "$TOP/tests/system/acknowledged" "${@:2}"; }
lines() { wc -l <"$T/$1"; }
python3 - "$TOP/tests/system" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
for name in ("always", "r0", "r1", "r2", "two"):
    assert c.mkdir(top, name, mode=0o755)["status"] == 0
END
acknowledged always endure "$T/always" 24 >"$T/always.out" &
always=$!
for n in 0 1 2; do
    say "killing brick $n"
    stop "brick$n" KILL
    acknowledged "r$n" endure "$T/r$n" 2 >"$T/r$n.out" || { cat "$T/r$n.out"; fail "a client saw an error"; }
    say "$(tail -n 1 "$T/r$n.out"), $(lines "r$n") lines"
    [ "$(lines "r$n")" -gt 60 ] || fail "nearly nothing went on with two copies of three"
    start_brick $n "${BRICKS[$n]}"
    await_brick $n
done
say "killing two bricks"
acknowledged two endure "$T/two" 10 >"$T/two.out" &
two=$!
await 20 test -s "$T/two"
sleep 1
stop brick0 KILL
stop brick2 KILL
sleep 0.5
before=$(lines two)
sleep 1.5
[ "$(lines two)" = "$before" ] || fail "changes were acknowledged without a quorum"
start_brick 2 "${BRICKS[2]}"
await_brick 2
sleep 2
[ "$(lines two)" -gt "$before" ] || fail "nothing went on with the quorum back"
start_brick 0 "${BRICKS[0]}"
for worker in $two $always; do wait $worker || { cat "$T"/*.out; fail "a client saw an error"; }; done
say "$(tail -qn 1 "$T/two.out" "$T/always.out"), $(lines always) lines"
for where in always r0 r1 r2 two; do acknowledged $where verify "$T/$where"; done
stop gateway
for n in 0 1 2; do stop "brick$n"; done
"$TOP/tests/system/marks" "$VOLUME" 3 "${BRICKS[@]}"
