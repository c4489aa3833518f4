#!/bin/bash
# refusing.sh [SHAPE BRICK FAULT [TIMES [SECONDS]]]: six workers while one brick's file system refuses changes, and takes them again.
#
# SHAPE is 2x2 or 1x3, BRICK the number of the brick, FAULT full or inodes. refusing.py tells what must hold; afterwards the marks on
# the disks must tell the truth. FILESYSTEM in the environment: another one than XFS (ext4 for inodes). Without arguments the first brick of a pair is full for a moment, which was the worst of all.
. "$(dirname "$0")/lib.sh"

shape=${1:-2x2} brick=${2:-0} fault=${3:-full} times=${4:-2} seconds=${5:-2}
filesystem=xfs statuses=28
[ "$fault" != inodes ] || filesystem=ext4
filesystem=${FILESYSTEM:-$filesystem}
mkfifo "$T/requests" "$T/answers"
for ((i = 0; i < ${shape%x*} * ${shape#*x}; i++)); do
    image "$T/disk$i" "$filesystem" 500
    mkdir "$T/disk$i/b"
done
BRICKS=()
for ((i = 0; i < ${shape%x*} * ${shape#*x}; i++)); do
    BRICKS+=("$T/disk$i/b")
    start_brick $i "${BRICKS[$i]}"
done
volfile "${shape%x*}" "${shape#*x}" "${BRICKS[@]}" >"$T/volume.vol"
start_rpcbind
start_gateway

disk=$T/disk$brick
refuse() {
    local size n=0
    mkdir -p "$disk/filler"
    if [ "$fault" = inodes ]; then
        python3 -c '
import itertools, os, sys
try:
    for n in itertools.count():
        os.mknod("%s/%d" % (sys.argv[1], n))
except OSError:
    pass' "$disk/filler"
        return
    fi
    for size in 256M 64M 16M 4M 1M 256K 64K 16K 4K; do
        while fallocate -l $size "$disk/filler/$((n++))" 2>/dev/null; do :; done
    done
}
relent() { rm -rf "$disk/filler"; }

python3 "$TOP/tests/system/refusing.py" "$T/journal" "$T/requests" "$T/answers" $statuses "$times" "$seconds" >"$T/checker" &
checker=$!
while read -r word <"$T/requests"; do
    [ "$word" = end ] || $word
    echo "done" >"$T/answers"
    [ "$word" != end ] || break
done
status=0
wait $checker || status=$?
sed "s/^/$NAME: $shape, brick $brick, $fault: /" "$T/checker"
[ $status = 0 ] || fail "what was answered is not so; the journal is journal"
stop gateway
for ((i = 0; i < ${#BRICKS[@]}; i++)); do stop "brick$i"; done
"$TOP/tests/system/marks" "$VOLUME" "${shape#*x}" "${BRICKS[@]}"
