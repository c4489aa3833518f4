#!/bin/bash
# The CLI without a manager, with one that is slow, and with some that are broken: always one sentence, and a status that tells.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/system/cli_lib.bash"

expect 1 cli volume list
says 'systemctl start gatehouse-manager'
sentence
expect 1 cli volume list --json
python3 -c 'import json,sys; a = json.load(open(sys.argv[1])); assert a["status"] == 111 and "systemctl" in a["error"]' "$T/out"
expect 1 cli --xml volume list
[ "$(xmllint --xpath 'string(cliOutput/opRet)' "$T/out")" = -1 ]
expect 1 cli volume list --socket "$T/$(printf 'long%.0s' {1..40})"
says 'at most 107 bytes'
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/gatehouse/manager.sock")'
expect 1 cli volume list
says 'does not run'
rm /run/gatehouse/manager.sock
say "without a manager it says how to start one"

start_manager
expect 1 setpriv --reuid=65534 --clear-groups "$BUILD/gatehouse" volume list
says 'you are not root'
sentence

answer status-unknown
expect 0 cli volume status --json
python3 -c 'import json,sys; a, b = (json.load(open(f)) for f in sys.argv[1:]); assert a == b, a' "$T/out" "$T/fake/answer"
expect 0 cli volume status
says 'host 2001:db8::2 is not reachable'
tail -n 1 "$T/fake/requests" | grep -qx '{"command":"volume-status"}'

answer list 'slow 2.5'
on_terminal "'$BUILD/gatehouse' volume list" >"$T/out"
says 'waiting for the manager: 2 s' out
says demo out
expect 0 cli volume list
[ ! -s "$T/err" ] || fail "progress without a terminal: $(cat "$T/err")"
answer list 'slow 5'
begun=$(date +%s%N)
expect 1 cli volume list --timeout=1
[ $(($(date +%s%N) - begun)) -lt 2500000000 ] || fail "--timeout=1 took longer"
says 'no answer for 1 s'
sentence
for mode in noise text deep unknown huge long close; do
    answer list $mode
    expect 1 cli volume list --timeout=5
    sentence
    [ ! -s "$T/out" ] || fail "$mode: it shows something: $(cat "$T/out")"
    ! grep -q $'\033' "$T/err" || fail "$mode: a control character got through"
done
expect 1 cli volume list
says 'so the command may be done or not'
say "slow and broken managers end in one sentence"
