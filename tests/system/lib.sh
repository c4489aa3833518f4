# tests/system/lib.sh: what every system test uses. Source it first; it makes a private world and cleans it up.
#
# A test runs in a network and mount namespace of its own (so ports 111 and 2049 are free and nothing leaks out), as root, with a scratch
# directory $T. Servers are started with `serve NAME COMMAND...` (log in $T/NAME.log) and ended by their process id at the end.
# A failing command ends the test with its place; `say` prints progress; `fail` ends it with a sentence.

set -Eeuo pipefail
shopt -s inherit_errexit

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
NAME=$(basename "$0" .sh)

if [ -z "${GATEHOUSE_TEST_NS:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "$NAME: needs root" >&2; exit 1; }
    export GATEHOUSE_TEST_NS=1
    exec unshare --net --mount --pid --fork --mount-proc --kill-child -- bash "$0" "$@"
fi

T=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-$NAME.XXXXXX")
declare -A PIDS=()
declare -a IMAGES=()

say() { printf '%s: %s\n' "$NAME" "$*"; }
fail() { printf '%s: FAILED: %s\n' "$NAME" "$*" >&2; exit 1; }

at_exit() {
    local status=$? name mnt
    trap - EXIT ERR
    set +e
    for name in "${!PIDS[@]}"; do kill -TERM "${PIDS[$name]}" 2>/dev/null; done
    sleep 0.2
    for name in "${!PIDS[@]}"; do kill -KILL "${PIDS[$name]}" 2>/dev/null; done
    wait 2>/dev/null
    for mnt in "${IMAGES[@]}"; do umount -l "$mnt" 2>/dev/null; done
    if [ $status -ne 0 ]; then
        echo "--- $NAME failed with status $status; the ends of its logs:" >&2
        for name in "$T"/*.log "$T"/*/console; do
            [ -s "$name" ] && { echo "--- ${name#"$T"/}" >&2; tail -n 25 "$name" >&2; }
        done
    fi
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$T"
    exit $status
}
trap at_exit EXIT
trap 'echo "$NAME: line $LINENO: \"$BASH_COMMAND\" failed" >&2' ERR

ip link set lo up
# A connection must not come by a local port that a brick is about to listen on.
echo "20000 49151" >/proc/sys/net/ipv4/ip_local_port_range
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/rpcbind /var/lib/nfs
mount -t tmpfs tmpfs /var/lib/nfs
chown _rpc /run/rpcbind 2>/dev/null || true

# serve NAME COMMAND...: in the background, log in $T/NAME.log, pid in ${PIDS[NAME]}.
serve() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$T/$name.log" 2>&1 &
    PIDS[$name]=$!
}

# stop NAME [SIGNAL]: and waits until it is gone.
stop() {
    local pid=${PIDS[$1]}
    kill -"${2:-TERM}" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done	# glusterd's children are none of ours
    unset "PIDS[$1]"
}

# await SECONDS COMMAND...: until it succeeds. The bound is for hangs only, so it may be generous.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for: $*"
        sleep 0.1
    done
}

start_rpcbind() {
    serve rpcbind rpcbind -f -w
    await 20 rpcinfo -p 127.0.0.1
}

# image DIR TYPE [MiB]: a loop-mounted file system of its own at DIR.
image() {
    local dir=$1 type=$2 size=${3:-512}
    mkdir -p "$dir"
    [ -e "$dir.img" ] || { truncate -s "${size}M" "$dir.img"; case $type in
        xfs) mkfs.xfs -q "$dir.img" ;;
        ext4) mkfs.ext4 -q -F "$dir.img" ;;
        btrfs) mkfs.btrfs -q "$dir.img" ;;
    esac; }
    mount -o loop "$dir.img" "$dir"
    IMAGES+=("$dir")
}

VOLUME=${VOLUME:-demo}
VOLFILE_FROM=()
VOLUME_ID=${VOLUME_ID:-6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f}

# create_once DIR...: --create as long as the directory is no brick, nothing later.
create_once() { getfattr -n trusted.glusterfs.volume-id "$@" >/dev/null 2>&1 || echo --create; }

# start_brick N DIR: brick number N of the volume on port 49152+N.
start_brick() {
    mkdir -p "$2"
    serve "brick$1" "$BUILD/gatehouse-brick" $(create_once "$2") --directory "$2" --volume-id "$VOLUME_ID" --brick-name "$2" \
        --port $((49152 + $1)) --option "*.xattrop-pending-watchlist=trusted.afr.$VOLUME-" ${BRICK_OPTIONS:-}
    await 20 nc -z 127.0.0.1 $((49152 + $1))
}

# volfile DISTRIBUTE REPLICA DIR...: the gateway's volume file, on standard output.
volfile() {
    local d=$1 r=$2 i j n=0 sets=""
    shift 2
    for dir in "$@"; do
        printf 'volume %s-client-%d\n    type protocol/client\n    option remote-host 127.0.0.1\n' "$VOLUME" $n
        printf '    option remote-port %d\n    option remote-subvolume %s\nend-volume\n' $((49152 + n)) "$dir"
        n=$((n + 1))
    done
    for ((i = 0; i < d; i++)); do
        [ "$r" -gt 1 ] || { sets+=" $VOLUME-client-$i"; continue; }
        printf 'volume %s-replicate-%d\n    type cluster/replicate\n    option quorum-type auto\n    subvolumes' "$VOLUME" $i
        for ((j = 0; j < r; j++)); do printf ' %s-client-%d' "$VOLUME" $((i * r + j)); done
        printf '\nend-volume\n'
        sets+=" $VOLUME-replicate-$i"
    done
    printf 'volume %s-dht\n    type cluster/distribute\n    subvolumes%s\nend-volume\n' "$VOLUME" "$sets"
    printf 'volume %s\n    type features/utime\n    subvolumes %s-dht\nend-volume\n' "$VOLUME" "$VOLUME"
}

# start_gateway [OPTIONS]: serves $T/volume.vol, or what VOLFILE_FROM says, as /$VOLUME; EXPORTS_FILE or EXPORT say to whom, else it is everybody
# without squashing.
start_gateway() {
    local allowed=(--export "${EXPORT:-*(rw,no_root_squash,insecure)}") from=("${VOLFILE_FROM[@]}")
    [ -z "${EXPORTS_FILE:-}" ] || allowed=(--exports "$EXPORTS_FILE")
    [ ${#from[@]} -gt 0 ] || from=(--volfile "$T/volume.vol")
    serve gateway "$BUILD/gatehouse-gateway" "${from[@]}" --volume "$VOLUME" --handle-key "$T/handle.key" \
        "${allowed[@]}" --state-file "$T/gateway.state" "$@"
    await 30 rpcinfo -t 127.0.0.1 100003 3
    await 30 showmount -e 127.0.0.1
}

# await_brick N [up|down]: until the gateway has found out.
await_brick() {
    local end=$((SECONDS + 40))
    until tac "$T/gateway.log" | grep -m 1 -E "brick is (up|down).*volume=$VOLUME-client-$1 " | grep -q "brick is ${2:-up}"; do
        [ $SECONDS -lt $end ] || fail "the gateway does not see that brick $1 is ${2:-up}"
        sleep 0.05
    done
}

# start_volume DISTRIBUTE REPLICA [DIRECTORY]: bricks, rpcbind and a gateway; brick directories in BRICKS.
start_volume() {
    local d=$1 r=$2 base=${3:-$T/bricks} i
    BRICKS=()
    for ((i = 0; i < d * r; i++)); do BRICKS+=("$base/b$i"); done
    for ((i = 0; i < d * r; i++)); do start_brick $i "${BRICKS[$i]}"; done
    volfile "$d" "$r" "${BRICKS[@]}" >"$T/volume.vol"
    [ -n "${PIDS[rpcbind]:-}" ] || start_rpcbind
    start_gateway
}

# --- a real Linux NFS client ---------------------------------------------------------------------------------------

GUEST_NET=10.99.0
guests_network() {	# the bridge; once
    ip link show br0 >/dev/null 2>&1 && return
    ip link add br0 type bridge forward_delay 0
    ip addr add $GUEST_NET.1/24 dev br0
    ip link set br0 up
}

# guest I SCRIPT [OPTIONS]: boots client I (1..8), which mounts $GUEST_NET.1:/$VOLUME at /mnt/nfs and runs SCRIPT there as root; waits not.
guest() {
    local i=$1 script=$2 options=${3:-} dir=$T/guest$1
    guests_network
    mkdir -p "$dir"
    rm -f "$dir/status"
    printf '%s\n' "$script" >"$dir/job.sh"
    ip link del "tap$i" 2>/dev/null || true		# what is left of a killed client may hold the old one a while yet
    ip tuntap add dev "tap$i" mode tap
    ip link set "tap$i" master br0 up
    serve "guest$i" linux.uml mem=${GUEST_MEM:-512M} rootfstype=hostfs root=/dev/root rw quiet init="$TOP/tests/system/guest-init" \
        umid="c$i" uml_dir="$dir" con=null con0=null,fd:1 \
        "vec0:transport=tap,ifname=tap$i,depth=128,gro=1,mac=02:ac:ce:00:00:0$i" \
        "guest=$i" "dir=$dir" "export=/$VOLUME" "opts=${options:-vers=3,proto=tcp,mountproto=tcp,hard,timeo=100,retrans=3,nolock}"
}

# guest_wait I SECONDS: until its job ended; the job must have ended with 0.
guest_wait() {
    local dir=$T/guest$1 end=$((SECONDS + $2))
    until [ -s "$dir/status" ]; do
        [ $SECONDS -lt $end ] || fail "client $1 did not finish its job in $2 s"
        kill -0 "${PIDS[guest$1]}" 2>/dev/null || [ -s "$dir/status" ] || fail "client $1 died"
        sleep 0.2
    done
    [ "$(cat "$dir/status")" = 0 ] || fail "client $1: job ended with status $(cat "$dir/status"): $(tail -n 15 "$dir/output" 2>/dev/null)"
}

# in_guest I SECONDS SCRIPT: boots, runs, waits.
in_guest() { guest "$1" "$3"; guest_wait "$1" "$2"; stop "guest$1" KILL; }

# BRICKS_BY=glusterd: the same test on a volume of a real glusterd, with its daemons instead of ours.
[ "${BRICKS_BY:-ours}" = ours ] || . "$TOP/tests/system/lib_glusterd"
