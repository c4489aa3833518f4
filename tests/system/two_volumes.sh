#!/bin/bash
# One gateway, several volumes, one kernel client that mounted two of them (over one connection, as Linux does). A volume without bricks
# does not hold up the other; SIGHUP adds and removes volumes and exchanges the graph of one under load; what is wrong changes nothing.
. "$(dirname "$0")/lib.sh"

dir=$T/volumes
mkdir -p "$dir"
says() { grep -q -- "$1" "$T/gateway.log"; }
reload() {	# and waits until it is done
    local n
    n=$(grep -c 'volumes and exports reloaded\|nothing was reloaded' "$T/gateway.log" || true)
    kill -HUP "${PIDS[gateway]}"
    await 30 bash -c "[ \$(grep -c 'volumes and exports reloaded\|nothing was reloaded' $T/gateway.log) -gt $n ]"
}
# brick NAME N; volume NAME N...: a volume of these bricks, spread over them
brick() { VOLUME=$1 VOLUME_ID=$(id_of "$1") start_brick "$2" "$T/$1-b$2"; }
id_of() { printf '6f1c3d0a-52e4-4c0b-9d7e-%012d' "$(printf '%d' "'${1:1:1}")"; }
volume() {
    local name=$1 n
    shift
    for n in "$@"; do
        printf 'volume %s-client-%d\n    type protocol/client\n    option remote-host 127.0.0.1\n    option remote-port %d\n' "$name" "$n" $((49152 + n))
        printf '    option volume-id %s\n    option remote-subvolume %s\nend-volume\n' "$(id_of "$name")" "$T/$name-b$n"
    done
    printf 'volume %s-dht\n    type cluster/distribute\n    option layout-timeout 30\n    subvolumes' "$name"
    printf " $name-client-%d" "$@"
    printf '\nend-volume\nvolume %s\n    type features/utime\n    subvolumes %s-dht\nend-volume\n' "$name" "$name"
}
state() {	# state EXPRESSION: of the dump d, printed
    rm -f "$T/gateway.state"
    kill -USR1 "${PIDS[gateway]}"
    await 20 test -s "$T/gateway.state"
    python3 -c "import json; d = json.load(open('$T/gateway.state')); v = {x['name']: x for x in d['volumes']}; print($1)"
}
rounds() {	# rounds N NAME: until the client made N more of them
    local n
    n=$(cat "$T/$2.rounds" 2>/dev/null || echo 0)
    await 120 bash -c "[ \$(cat $T/$2.rounds) -ge $((n + $1)) ]"
}
guest_says() { grep -q -- "$1" "$T/guest1/output"; }

brick one 0
brick two 1
brick two 2
brick three 3
volume one 0 >"$dir/one.vol"
volume two 1 >"$dir/two.vol"
printf '/one *(rw,no_root_squash,insecure)\n/two *(rw,no_root_squash,insecure,ino32)\n/three/sub *(rw,no_root_squash,insecure)\n' >"$dir/exports"
start_rpcbind
serve gateway "$BUILD/gatehouse-gateway" --volumes "$dir" --state-file "$T/gateway.state"
await 30 rpcinfo -t 127.0.0.1 100003 3
[ "$(showmount --no-headers -e 127.0.0.1 | sort | tr -s ' ' | tr '\n' ',')" = "/one *,/two *," ] || fail "showmount does not list both: $(showmount -e 127.0.0.1)"
[ "$(stat -c '%a %s' "$dir/one.key")" = "600 32" ] && ! cmp -s "$dir/one.key" "$dir/two.key" || fail "no keys of their own"
says 'the export has no effect: its volume is not served.*line=3 path="/three/sub"' || fail "it does not tell of an export without a volume"
say "both are served"

VOLUME=one
guest 1 "mkdir -p /mnt/two; mount.nfs 10.99.0.1:/two /mnt/two -o vers=3,proto=tcp,mountproto=tcp,hard,timeo=100,retrans=3,nolock || exit 40
rounds() { for n in \$(seq 10000); do [ -e $T/\$1 ] && break
    for f in 1 2 3; do echo \$n \$f >\$2/f\$f && sync \$2/f\$f && [ \"\$(cat \$2/f\$f)\" = \"\$n \$f\" ] || exit 42; done
    echo \$n >$T/\$1.rounds; done; echo \$1 ended; }
echo kept >/mnt/two/kept; echo kept >kept; ls -i /mnt/two/kept >$T/inode
echo both mounted; sync
until [ -e $T/down ]; do sleep 0.1; done
for i in \$(seq 40); do (echo \$i >/mnt/two/w\$i) & writers=\"\$writers \$!\"; done
(rounds stop1 /mnt/nfs) || exit \$?
wait \$writers; [ \$(cat /mnt/two/w* | wc -l) = 40 ] && [ \"\$(cat /mnt/two/kept)\" = kept ] && echo two is back
(rounds stop2 /mnt/two) & pid=\$!
wait \$pid || exit \$?
cat /mnt/nfs/kept 2>&1 | grep -q 'Stale file handle' && echo one is stale
mkdir -p /mnt/three; mount.nfs 10.99.0.1:/three/sub /mnt/three -o vers=3,proto=tcp,mountproto=tcp,nolock || exit 43
echo here >/mnt/three/file || exit 44
umount /mnt/three /mnt/two; cd /; umount -l /mnt/nfs; mount -t tmpfs tmpfs /mnt/nfs
true"
await 90 guest_says "both mounted"
read -r inode _ <"$T/inode"
[ "$inode" -gt 0 ] && [ "$inode" -le $((0xffffffff)) ] || fail "ino32 shows file number $inode"
[ "$(state 'len(v["one"]["clients"]), len(v["two"]["clients"]), [m["path"] for m in v["two"]["mounts"]], v["one"]["up"]')" = "1 1 ['/two'] True" ] ||
    fail "the state does not tell the client: $(cat "$T/gateway.state")"

say "one goes on while two has no bricks"
handle=$(PYTHONPATH=$TOP/tests/system python3 -c 'from nfs3 import Client; print(Client().mount("/two").hex())')
stop brick1 KILL
await 30 says 'volume is down.*volume=two'
python3 "$TOP/tests/system/two_volumes.py" "$handle"
touch "$T/down"
rounds 5 stop1
touch "$T/stop1"
[ "$(state 'v["one"]["up"], v["two"]["up"]')" = "True False" ] || fail "the state does not tell that two is down"
brick two 1
await 60 guest_says "two is back"

say "a graph is exchanged under load; a broken volfile changes nothing, a broken line of exports costs that line"
rounds 1 stop2
cp "$dir/two.vol" "$T/two.good"
printf 'volume x\n    type protocol/client\n    option\n' >>"$dir/two.vol"
sed 's,^/one .*,/one *(quick),' "$dir/exports" >"$T/exports.bad"
cp "$dir/exports" "$T/exports.good"
cp "$T/exports.bad" "$dir/exports"
reload
says "the volume's new file is not taken, the old one stays volume=two.*two.vol:[12][0-9]*: expected" || fail "it does not say where the volfile is wrong"
says 'a line of the exports is wrong and is not served.*exports:1: unknown option' || fail "it does not say where the exports are wrong"
"$BUILD/gatehouse-gateway" --volumes "$dir" --check >"$T/check" && fail "--check finds nothing wrong"
grep -q 'two.vol:[12][0-9]*: ' "$T/check" && grep -q 'exports:1: unknown option "quick"' "$T/check" || fail "--check: $(cat "$T/check")"
cp "$T/exports.good" "$dir/exports"
volume two 1 2 >"$dir/two.vol"
reload
says 'the volume has another graph volume=two up=yes' || fail "the graph was not exchanged"
volume two 1 2 | sed 's/layout-timeout 30/layout-timeout 20/' >"$dir/two.vol"
reload
says "the volume's options changed volume=two options=1" || fail "a live option was not set"
rounds 3 stop2
[ "$(state 'v["two"]["graphs"]')" = 1 ] || fail "the old graph stayed"

say "three comes, one goes"
volume three 3 >"$dir/three.vol"
mkdir "$T/three-b3/sub"
rm "$dir/one.vol"
reload
[ "$(showmount --no-headers -e 127.0.0.1 | sort | tr -s ' ' | tr '\n' ',')" = "/three/sub *,/two *," ] || fail "showmount: $(showmount -e 127.0.0.1)"
[ "$(state 'sorted(v)')" = "['three', 'two']" ] || fail "the state does not tell who is served"
rounds 1 stop2
touch "$T/stop2"
guest_wait 1 120
guest_says "one is stale" || fail "handles of a removed volume: $(cat "$T/guest1/output")"
[ "$(cat "$T/three-b3/sub/file")" = here ] || fail "the file is not in the third volume"
! says 'calls in flight did not end' || fail "calls were lost"

say "may they mount, and why"
ask() { "$BUILD/gatehouse-gateway" --volumes "$dir" --test-export "$@"; }
ask '192.0.2.7 /three/sub/x' | grep -q "may mount /three/sub/x: $dir/exports:3 exports /three/sub to \*: reading and writing (rw)" || fail "--test-export"
ask '192.0.2.7 /three' >"$T/why" && fail "the root of three is not exported"
grep -q 'may not mount /three: .* exports neither it nor a directory above it' "$T/why" || fail "--test-export: $(cat "$T/why")"
ask 'localhost:4000 /two' --test-export '192.0.2.7 /two/x' --json | python3 -c 'import json, sys
for line in sys.stdin: d = json.loads(line); assert d["allowed"] and d["line"] == 2 and d["options"]["ino32"], d' || fail "--json"
"$BUILD/gatehouse-gateway" --exports "$dir/exports" --test-export '192.0.2.7' 2>/dev/null && fail "half a question is answered"
[ $? = 2 ] || fail "half a question is refused with another status"
python3 "$TOP/tests/system/two_volumes.py"
"$BUILD/gatehouse-gateway" --volumes "$dir" --check || fail "--check finds something wrong"
stop gateway
say "several volumes, each for itself"
