# tests/system/glusterd.sh: a real glusterd of the test's own and a volume of it, whose bricks are served by its daemons or by ours. Source it
# after lib.sh.
#
# glusterd takes no loopback address, so the bricks are at $HOST, on an interface that leads nowhere. Its directories are private. Brick N is
# ${BRICKS[N]}, whoever serves it; glusterd knows our daemon by its pid file and starts none of its own beside it.

HOST=192.0.2.1

gl() { gluster --mode=script "$@"; }

start_glusterd() {
    local dir
    for dir in /var/log /var/lib/glusterd; do mount -t tmpfs tmpfs $dir; done
    mkdir -p /var/log/glusterfs /run/gluster
    ip link add v0 type veth peer name v1
    ip addr add $HOST/24 dev v0
    ip link set v0 up
    ip link set v1 up
    run_glusterd
}
run_glusterd() {
    serve glusterd glusterd -N "--log-file=$T/glusterd-messages.log"
    await 60 gl pool list
}

# stock_volume REPLICA N: a volume of N bricks, started.
stock_volume() {
    local i words=()
    BRICKS=()
    for ((i = 0; i < $2; i++)); do
        BRICKS+=("$T/bricks/b$i")
        mkdir -p "${BRICKS[$i]}"
        words+=("$HOST:${BRICKS[$i]}")
    done
    [ "$1" = 1 ] || words=(replica "$1" "${words[@]}")
    gl volume create "$VOLUME" "${words[@]}" force
    gl volume start "$VOLUME"
    for ((i = 0; i < $2; i++)); do await 30 brick_up $i; done
}

dashed() { tr / - <<<"${BRICKS[$1]#/}"; }
brick_pid_file() { echo "/run/gluster/vols/$VOLUME/$HOST-$(dashed "$1").pid"; }
brick_port() {	# what glusterd gave its daemon; it stays that
    sed -n 's/^listen-port=//p' "/var/lib/glusterd/vols/$VOLUME/bricks/$HOST:-$(dashed "$1")"
}
brick_up() { nc -z $HOST "$(brick_port "$1")"; }

# leave_brick N [SIGNAL]: nobody serves brick N any more.
leave_brick() {
    local pid
    pid=$(cat "$(brick_pid_file "$1")")
    kill -"${2:-TERM}" "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    [ -z "${PIDS[brick$1]:-}" ] || { wait "${PIDS[brick$1]}" || true; unset "PIDS[brick$1]"; } 2>/dev/null
}

# our_brick N: our daemon serves brick N with glusterd's volfile, and signs in.
our_brick() {
    serve "brick$1" "$BUILD/gatehouse-brick" --volfile-server $HOST --volfile-id "$VOLUME.$HOST.$(dashed "$1")" --port "$(brick_port "$1")" \
        --pid-file "$(brick_pid_file "$1")" --option "posix.glusterd-uuid=$(sed -n 's/^UUID=//p' /var/lib/glusterd/glusterd.info)"
    await 20 brick_up "$1"
}

# stock_bricks: glusterd starts a daemon for each brick that nobody serves.
stock_bricks() {
    local i
    gl volume start "$VOLUME" force
    for i in "${!BRICKS[@]}"; do await 30 brick_up "$i"; done
}

# volume_gateway [OPTIONS]: our gateway serves glusterd's volume.
volume_gateway() {
    if "$BUILD/gatehouse-gateway" --help | grep -q -- --volfile-server; then
        VOLFILE_FROM=(--volfile-server $HOST --volfile-id "$VOLUME")
    else
        cp "/var/lib/glusterd/vols/$VOLUME/trusted-$VOLUME.tcp-fuse.vol" "$T/volume.vol"
    fi
    [ -n "${PIDS[rpcbind]:-}" ] || start_rpcbind
    start_gateway "$@"
}

# mount_volume DIR [OPTIONS]: a stock client's mount.
mount_volume() {
    local dir=$1
    shift
    mkdir -p "$dir"
    glusterfs -s $HOST --volfile-id "$VOLUME" --acl -l "$T/$(basename "$dir")-messages.log" "$@" "$dir"
    await 20 grep -q " $dir fuse.glusterfs" /proc/mounts
    IMAGES+=("$dir")
}

nothing_to_heal() {	# every brick is there and knows of nothing
    local info
    info=$(gl volume heal "$VOLUME" info) || return 1
    [ "$(grep -c '^Number of entries: 0$' <<<"$info")" = ${#BRICKS[@]} ]
}

# await_heal: by the stock self-heal daemon, which may not have found every brick yet. A second round forgets what the first one moved aside.
await_heal() {
    await 90 nothing_to_heal
    await 30 gl volume heal "$VOLUME"
    sleep 3
}

[ "${BRICKS_BY:-ours}" = glusterd ] || return 0

# The test's own words, for bricks of glusterd's.
stock_pids() {
    local i
    for i in "${!BRICKS[@]}"; do PIDS[brick$i]=$(cat "$(brick_pid_file "$i")"); done
}
start_volume() {
    start_glusterd
    stock_volume "$2" $(($1 * $2))
    [ "$2" = 1 ] || gl volume set "$VOLUME" cluster.quorum-type auto		# as in lib.sh's volfile
    stock_pids
    volume_gateway
}
start_brick() {
    stock_bricks
    stock_pids
}
