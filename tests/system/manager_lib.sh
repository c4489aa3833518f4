# tests/system/manager_lib.sh: what tests of the manager and the CLI share. Source it after lib.sh.

# start_manager NAME [OPTIONS]: a manager whose files lie in $T/NAME; NAME is its host's name unless HOST_NAME says another.
start_manager() {
    local name=$1
    shift
    mkdir -p "$T/$name"
    serve "manager-$name" ${IN:-} "$BUILD/gatehouse-manager" --state-dir "$T/$name/state" --run-dir "$T/$name/run" --log-dir "$T/$name/log" \
        --host "${HOST_NAME:-$name}" --stop-daemons --brick-roots "$T" "$@"
    ON=$name await 20 gh version
}

# gh [WORDS]: the CLI, to the manager $ON (default h1).
gh() { "$BUILD/gatehouse" --mode=script --socket "$T/${ON:-h1}/run/manager.sock" "$@"; }

# ask XPATH-LIKE: a value of the CLI's JSON by a python expression over r. ask 'r["volumes"][0]["status"]' volume info demo
ask() {
    local expression=$1
    shift
    gh --json "$@" | python3 -c 'import json, sys; r = json.load(sys.stdin); r = r.get("result", r); print(eval(sys.argv[1]))' "$expression"
}

# refused SENTENCE WORDS...: the command fails with status 1, and says so.
refused() {
    local sentence=$1 out status=0
    shift
    out=$(gh "$@" 2>&1) || status=$?
    [ $status = 1 ] || fail "gatehouse $*: status $status, not 1: $out"
    grep -qF -- "$sentence" <<<"$out" || fail "gatehouse $*: said \"$out\" instead of \"$sentence\""
}

# online VOLUME N: N bricks of it are online.
online() { [ "$(ask 'sum(b["online"] for b in r["volumes"][0]["bricks"])' volume status "$1")" = "$2" ]; }
gateway_online() { [ "$(ask 'sum(g["online"] for g in r["volumes"][0]["gateways"])' volume status "$1")" = "${2:-1}" ]; }

# proof VOLUME [ADDRESS]: a user-space NFS client writes a tree and reads it back.
proof() { "$BUILD/tests/system/nfs_proof" "nfs://${2:-127.0.0.1}/$1?nfsport=2049&mountport=2049" "$TOP/runtime"; }

# says PATTERN: reads to the end, so that nobody is cut short who still writes.
says() { grep -- "$1" >/dev/null; }
