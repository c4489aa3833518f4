#!/bin/bash
# The CLI on a terminal: questions, colours, completion.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/system/cli_lib.bash"

start_manager
answer stop
expect 1 cli volume stop demo
says '--mode=script'
! grep -q volume-stop <(tail -n 1 "$T/fake/requests") || fail "it was asked for though nobody said yes"
expect 0 cli volume stop demo --mode=script
echo y | on_terminal "'$BUILD/gatehouse' volume stop demo" >"$T/out"
says '(y/n)' out
says 'volume stop: demo: success' out
! echo n | on_terminal "'$BUILD/gatehouse' volume delete demo" >"$T/out" || fail "no was taken for yes"
says 'nothing was done' out

answer status-unknown
on_terminal "'$BUILD/gatehouse' volume status" >"$T/out"
grep -q $'\033\\[32mY' "$T/out" || fail "no colours on a terminal"
for plain in "'$BUILD/gatehouse' volume status --no-color" "NO_COLOR=1 '$BUILD/gatehouse' volume status"; do
    ! on_terminal "$plain" | grep -q $'\033' || fail "colours: $plain"
done
expect 1 sh -c "'$BUILD/gatehouse' volume status >/dev/full"
says 'could not be written'
say "it asks on a terminal only, and colours are there only"

complete_words() { bash --norc -c '. "$0"; COMP_WORDS=("${@}"); COMP_CWORD=$(($# - 1)); _gatehouse; echo "${COMPREPLY[*]}"' \
    "$TOP/completions/gatehouse.bash" "$@"; }
PATH=$BUILD:$PATH
answer list
[ "$(complete_words gatehouse vol)" = volume ]
[ "$(complete_words gatehouse volume st)" = "start stop status" ]
[ "$(complete_words gatehouse volume start d)" = demo ]
[ "$(complete_words gatehouse --xml volume info '')" = "all arb demo plain" ]
printf '{"status": 0, "result": {"volumes": ["$(touch %s/pwned)", "`id`"]}}' "$T" >"$T/fake/answer"
complete_words gatehouse volume start '' >/dev/null
[ ! -e "$T/pwned" ] || fail "a volume's name was executed"
answer help
[ "$(complete_words gatehouse volume set demo cluster.)" = cluster.quorum-type ]
stop manager
[ "$(complete_words gatehouse volume start d)" = "" ]
[ "$(complete_words gatehouse volume set demo nfs.d)" != "" ]
[ "$(complete_words gatehouse --no)" = --no-color ]
say "completion knows words, volumes and options, and the words without a manager"
