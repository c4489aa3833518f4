#!/bin/bash
# The network and the store are hostile to a manager: spoiled calls of every program, JSON without end, thousands of connections, readers that do
# not read, documents that are damaged in every way. It lives on, stays small, and answers "volume info" within two seconds meanwhile.
# SEED=N repeats a run; HOSTILE_SECONDS is its length.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

SEED=${SEED:-$RANDOM}
say "SEED=$SEED"
ulimit -n 8192
export ASAN_OPTIONS="quarantine_size_mb=4:detect_leaks=0:${ASAN_OPTIONS:-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
image "$T/disk" xfs 400
mkdir "$T/disk/b"
start() { HOST_NAME=127.0.0.1 start_manager h1 --no-rpcbind "$@"; }
start
b=127.0.0.1:$T/disk/b
store=$T/h1/state/store
gh volume create demo replica 2 "$b/0" "$b/1" force
gh volume start demo
await 20 online demo 2

say "a large volume: fifteen hundred bricks, whose answers and volfiles are long"
stop manager-h1 KILL
python3 - "$store/volumes/demo.xml" "$store/volumes/many.xml" <<'EOF'
import re, sys
text = open(sys.argv[1]).read()
host = re.search('host-id="([^"]*)"', text).group(1)
text = text.replace('name="demo"', 'name="many"', 1).replace(">started<", ">stopped<")
text = re.sub("<bricks>.*</bricks>", "<bricks>" + "".join('<brick host="h%d" host-id="%s" path="/very/long/path/to/a/brick/of/many/bricks/%d"/>' %
              (i, host[:-4] + "%04x" % (i % 300), i) for i in range(1500)) + "</bricks>", text, flags=re.S)
open(sys.argv[2], "w").write(text)
EOF
start
await 20 online demo 2
begun=$(date +%s%N)
gh volume info demo >/dev/null
gh --json volume status many >"$T/many.json"
[ $((($(date +%s%N) - begun) / 1000000)) -lt $((2000 * ${PATIENCE:-1})) ] || fail "a status of fifteen hundred bricks took too long"
python3 "$TOP/tests/system/manager_hostile.py" "$SEED" "${HOSTILE_SECONDS:-30}" "$T/h1" manager="${PIDS[manager-h1]}" || fail "SEED=$SEED"
online demo 2 || fail "bricks are down"

say "damaged documents: whatever they are, the manager starts, tells, and keeps what it knew"
stop manager-h1 KILL
cp -a "$store" "$T/good"
cat >"$T/damage.py" <<'EOF'
import os, random, sys
rng, store, good = random.Random(int(sys.argv[1])), sys.argv[2], open(sys.argv[3], "rb").read()
bombs = [b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaaaaaaaa">' + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b']><v>&j;</v>',
         b'<!DOCTYPE v SYSTEM "file:///dev/zero"><v/>', b"<a>" * 250000, b"<a>" * 180 + b"</a>" * 180, b"\xff\xfe" + good.decode().encode("utf-16-le"),
         b'<?xml version="1.0" encoding="UTF-7"?>' + good, b"\0" * 1000, b"", b"<", b"<volume", b"<volume " + b'a="" ' * 200000 + b"/>", b"<x/>" * 260000,
         good.replace(b"demo", b"d\xc3\x28mo"), good.replace(b"<options", b"<options " + b" ".join(b'a%d="1"' % i for i in range(70))), good + b"<!--" + b"x" * 1000000,
         good.replace(b"replica=\"2\"", b"replica=\"99999999999999999999\""), b"<!--" + b"-" * 900000, b"<volume xmlns='x'/>", b"x" * (1 << 20), good * 100]
def write(name, text):
    open(os.path.join(store, name), "wb").write(text)
for i, bomb in enumerate(bombs):
    write("volumes/bomb%d.xml" % i, bomb)
    write("hosts/bomb%d.xml" % i, bomb)
for i in range(200):
    text = bytearray(good.replace(b'name="demo"', b'name="cut%d"' % i, 1))
    kind = i % 4
    at, n = rng.randrange(len(text)), rng.choice([1, 1, 2, 10, 100])
    if kind == 0:
        del text[at:]
    elif kind == 1:
        del text[at:at + n]
    elif kind == 2:
        text[at:at + n] = bytes(rng.randrange(256) for _ in range(n))
    else:
        text[at:at] = text[at:at + n] * rng.choice([2, 50])
    write("volumes/cut%d.xml" % i, bytes(text))
os.makedirs(os.path.join(store, "volumes/dir.xml"))
os.symlink("/dev/zero", os.path.join(store, "volumes/zero.xml"))
os.mkfifo(os.path.join(store, "volumes/fifo.xml"))
write("volumes/large.xml", b" " * (3 << 20))
EOF
for ((round = 0; round < 3; round++)); do
    rm -rf "$store"
    cp -a "$T/good" "$store"
    python3 "$T/damage.py" $((SEED + round)) "$store" "$T/good/volumes/demo.xml"
    start
    await 20 online demo 2
    kill -0 "${PIDS[manager-h1]}" || fail "the manager has died"
    gh volume info demo | says "Status: Started"
    for what in "volume list" "volume info" "volume status" "config check" "exports show" "peer status"; do
        gh --json $what >"$T/answer" 2>&1 || true
        python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$T/answer" || fail "$what: no answer: $(head -c 300 "$T/answer")"
    done
    gh volume set demo user.round $round >/dev/null
    stop manager-h1 KILL
done
rm -rf "$store"
cp -a "$T/good" "$store"

say "host.xml damaged: it does not start, says where, and starts when it is mended"
cp "$T/h1/state/host.xml" "$T/host.xml"
for ((i = 0; i < $(stat -c %s "$T/host.xml"); i += 29)); do
    head -c $i "$T/host.xml" >"$T/h1/state/host.xml"
    status=0
    out=$("$BUILD/gatehouse-manager" --state-dir "$T/h1/state" --run-dir "$T/h1/run" --log-dir "$T/h1/log" 2>&1) || status=$?
    [ $status = 1 ] || fail "with $i bytes of host.xml: status $status: $out"
    grep -q "host.xml:[0-9]*:" <<<"$out" || fail "with $i bytes of host.xml it says: $out"
done
cp "$T/host.xml" "$T/h1/state/host.xml"
start
await 20 online demo 2
stop manager-h1
! grep -aE 'AddressSanitizer|runtime error:|SUMMARY:|Assertion' "$T/manager-h1.log" || fail "a sanitizer's report, SEED=$SEED"
