#!/bin/bash
# Two copies and an arbiter: the third brick keeps names and marks, but no data. Work goes on with any two bricks; nothing is read from the
# arbiter; and when it is the only good one of two that are there, changes of data and reads wait (JUKEBOX) until a good copy is back.
. "$(dirname "$0")/lib.sh"

start_arbiter() {
    mkdir -p "${BRICKS[2]}"
    serve brick2 "$BUILD/gatehouse-brick" $(create_once "${BRICKS[2]}") --arbiter --directory "${BRICKS[2]}" --volume-id "$VOLUME_ID" --port 49154 --volume "$VOLUME"
    await 20 nc -z 127.0.0.1 49154
}
BRICKS=("$T/bricks/b0" "$T/bricks/b1" "$T/bricks/b2")
start_brick 0 "${BRICKS[0]}"
start_brick 1 "${BRICKS[1]}"
start_arbiter
volfile 1 3 "${BRICKS[@]}" | sed 's|type cluster/replicate|&\n    option arbiter-count 1|' >"$T/volume.vol"
start_rpcbind
start_gateway
acknowledged() { WHERE=/demo/$1 "$TOP/tests/system/acknowledged" "${@:2}"; }
python3 - "$TOP/tests/system" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
for name in ("r0", "r1", "r2"):
    assert c.mkdir(top, name, mode=0o755)["status"] == 0
user = nfs3.Client(uid=1000, gid=1000)
f = c.create(top, "f", mode=0o644)["fh"]
assert c.write(f, 0, b"first" * 1000)["status"] == 0
assert c.setattr(f, mode=0o6777)["status"] == 0
assert user.write(f, 0, b"x")["status"] == 0
assert c.getattr(f)["attr"]["mode"] & 0o6000 == 0, "set-id bits after a user's write"
assert c.setattr(f, size=3000)["status"] == 0
END
for n in 0 1 2; do
    say "killing brick $n"
    stop "brick$n" KILL
    acknowledged "r$n" endure "$T/r$n" 3 >"$T/r$n.out" || { cat "$T/r$n.out"; fail "a client saw an error"; }
    say "$(tail -n 1 "$T/r$n.out"), $(wc -l <"$T/r$n") lines"
    [ "$(wc -l <"$T/r$n")" -gt 60 ] || fail "nearly nothing went on with two of three"
    if [ $n = 2 ]; then start_arbiter; else start_brick $n "${BRICKS[$n]}"; fi
    await_brick $n
    acknowledged "r$n" verify "$T/r$n"
done
[ -z "$(find "${BRICKS[2]}" -path '*/.glusterfs' -prune -o -type f -size +0 -print)" ] || fail "the arbiter keeps data"
say "the arbiter is the only good one that is there"
cat >"$T/sole.py" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
c.sock.settimeout(25)
top = c.mount("/demo")
f = nfs3.patiently(c.lookup, top, "f")["fh"] if sys.argv[2] != "waits" else open(sys.argv[3], "rb").read()
if sys.argv[2] == "change":
    assert nfs3.patiently(c.write, f, 0, b"second")["status"] == 0
    open(sys.argv[3], "wb").write(f)
elif sys.argv[2] == "waits":
    for what, res in (("read", c.read(f, 0, 10)), ("write", c.write(f, 0, b"third")), ("truncation", c.setattr(f, size=1)),
                      ("getattr", c.getattr(f))):
        assert res["status"] == nfs3.JUKEBOX, (what, res)
else:
    data = nfs3.patiently(c.read, f, 0, 6)["data"]
    assert data == b"second", data
    assert nfs3.patiently(c.getattr, f)["attr"]["size"] == 3000
END
sole() { python3 "$T/sole.py" "$TOP/tests/system" "$1" "$T/f.handle"; }
stop brick1 KILL
await_brick 1 down
sole change
stop brick0 KILL
start_brick 1 "${BRICKS[1]}"
await_brick 1
sole waits
stop gateway
start_gateway
await_brick 1
await_brick 2
sole waits
start_brick 0 "${BRICKS[0]}"
await_brick 0
sole good
stop gateway
for n in 0 1 2; do stop "brick$n"; done
"$TOP/tests/system/marks" --arbiter "$VOLUME" 3 "${BRICKS[@]}"
