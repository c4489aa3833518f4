#!/bin/bash
# During an untar each brick in turn is killed with SIGKILL and started again: the client sees no error, and afterwards the marks on
# disk blame exactly the copies that missed something.
. "$(dirname "$0")/lib.sh"

start_volume 2 2
mkdir -p "$T/src"
(cd "$TOP" && tar cf - runtime rpc rpcgen xlators tests/unit tests/system) | tar xf - -C "$T/src"
for i in 1 2 3 4 5 6; do cp -r "$T/src/xlators" "$T/src/more$i"; done
tar -C "$T" -cf "$T/src.tar" src

guest 1 "
set -e
for round in 1 2 3; do
    mkdir round\$round; cd round\$round
    tar xf $T/src.tar
    cd ..
    echo \$round >$T/guest1/round
done
sync
diff -r round1/src $T/src
diff -r round3/src $T/src
"
await 120 test -d "${BRICKS[0]}/round1" -o -d "${BRICKS[2]}/round1"
for n in 0 1 2 3; do
    say "killing brick $n"
    stop "brick$n" KILL
    sleep 3
    start_brick $n "${BRICKS[$n]}"
    sleep 2
    [ ! -s "$T/guest1/status" ] || break
done
guest_wait 1 900
say "the client saw no error, and its data is whole"
sleep 3		# delayed post-operations settle
stop gateway
for n in 0 1 2 3; do stop "brick$n"; done
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
