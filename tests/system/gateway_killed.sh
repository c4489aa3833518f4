#!/bin/bash
# The gateway is killed with SIGKILL and started again during a large write with fsync, and during an untar: the client goes on by
# itself and all is whole.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
mkdir -p "$T/src"
(cd "$TOP" && tar cf - runtime rpc rpcgen xlators tests) | tar xf - -C "$T/src"
tar -C "$T" -cf "$T/src.tar" src
head -c 96M /dev/urandom >"$T/large"

guest 1 "
set -e
dd if=$T/large of=large bs=1M conv=fsync status=none
cmp large $T/large
for round in 1 2 3; do mkdir r\$round; tar xf $T/src.tar -C r\$round; done
sync
echo 3 >/proc/sys/vm/drop_caches
cmp large $T/large
for round in 1 2 3; do diff -r r\$round/src $T/src; done
"
kill_gateway() {
    stop gateway KILL
    sleep 1
    start_gateway
}
large_has() { [ "$(cat "${BRICKS[@]/%//large}" 2>/dev/null | wc -c)" -gt "$1" ]; }
await 180 large_has 8000000
say "killing the gateway during the write"
kill_gateway
await 300 test -d "${BRICKS[0]}/r1/src" -o -d "${BRICKS[2]}/r1/src"
for n in 1 2; do
    sleep 2
    say "killing the gateway during the untar ($n)"
    kill_gateway
done
guest_wait 1 900
say "the client went on by itself and all is whole"
