#!/bin/bash
# A gateway that vanishes without a word (its host's network is cut) holds locks on the bricks. Another gateway waits for them no longer than
# bricks take to find out, then goes on. The one that was cut off comes back and works on.
. "$(dirname "$0")/lib.sh"

ip netns add head
ip link add bricks type veth peer name head netns head
ip addr add 10.98.0.1/24 dev bricks
ip link set bricks up
ip -n head addr add 10.98.0.2/24 dev head
ip -n head link set head up
ip -n head link set lo up
start_volume 1 2
sed 's/127\.0\.0\.1/10.98.0.1/' "$T/volume.vol" >"$T/far.vol"
serve far ip netns exec head "$BUILD/gatehouse-gateway" --volfile "$T/far.vol" --volume "$VOLUME" --handle-key "$T/handle.key" \
    --export '*(rw,no_root_squash,insecure)' --no-rpcbind --state-file "$T/far.state"
await 30 ip netns exec head nc -z 127.0.0.1 2049
cat >"$T/writer.py" <<'END'
import sys
import time
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
top = c.mount("/demo")
what = sys.argv[2]
if what == "make":
    assert c.create(top, "shared", mode=0o644)["status"] == 0
    assert c.mkdir(top, "dir", mode=0o755)["status"] == 0
fh, d = nfs3.patiently(c.lookup, top, "shared")["fh"], nfs3.patiently(c.lookup, top, "dir")["fh"]
if what == "endless":
    i = 0
    while True:
        i += 1
        c.write(fh, 0, b"far away" * 512, nfs3.UNSTABLE)
        c.create(d, "far%d" % i, mode=0o644)
c.sock.settimeout(100)
start = time.monotonic()
for attempt in range(3):
    assert nfs3.patiently(c.write, fh, 0, what.encode() + b"." * 4096)["status"] == 0
    assert nfs3.patiently(c.setattr, fh, mode=0o600 + attempt)["status"] == 0
    assert nfs3.patiently(c.create, d, "%s%d" % (what, attempt), mode=0o644)["status"] == 0
took = time.monotonic() - start
print("%s: %.1f s" % (what, took))
assert took < 60, "locks of a dead gateway were in the way for too long"
END
near() { python3 "$T/writer.py" "$TOP/tests/system" "$1"; }
near make
serve endless ip netns exec head python3 "$T/writer.py" "$TOP/tests/system" endless
sleep 1.5
say "the other gateway is cut off"
ip -n head link set head down
stop endless KILL
near near
say "it comes back"
ip -n head link set head up
back() { tac "$T/far.log" | grep -m 1 -E "volume is (up|down)" | grep -q "volume is up"; }
await 40 back
ip netns exec head python3 "$T/writer.py" "$TOP/tests/system" back
near again
stop far
stop gateway
stop brick0
stop brick1
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
