# tests/system/cli_lib.bash: the CLI and a manager that is not one; source it after lib.sh.

FIXTURES=$TOP/tests/unit/cli
unset NO_COLOR
mkdir -p /run/gatehouse "$T/fake"
cli() { "$BUILD/gatehouse" "$@"; }
# expect STATUS COMMAND...: its output in $T/out, its errors in $T/err.
expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
    [ $status = "$wanted" ] || fail "$*: status $status, not $wanted: $(cat "$T/out" "$T/err")"
}
says() { grep -qF -- "$1" "$T/${2:-err}" || fail "it does not say \"$1\", but: $(cat "$T/out" "$T/err")"; }
sentence() { [ "$(wc -l <"$T/err")" = 1 ] || fail "more or less than one sentence: $(cat "$T/err")"; }
answer() { cp "$FIXTURES/answers/$1.json" "$T/fake/answer"; echo "${2:-answer}" >"$T/fake/mode"; }
# on_terminal COMMAND: standard output and errors as a terminal has them.
on_terminal() { script -qec "$1" /dev/null; }

start_manager() {
    answer list
    serve manager python3 "$TOP/tests/system/fake_manager.py" /run/gatehouse/manager.sock "$T/fake"
    await 10 test -S /run/gatehouse/manager.sock
    await 10 cli volume list
}
