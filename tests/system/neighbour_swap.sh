#!/bin/bash
# The bricks of a volume of glusterd's, with all that can be in them (quota's accounts, linktos, hard links, ACLs, special files, pending marks, objects
# without gfid2path), served by our daemon, and bricks that ours filled served by theirs: a client sees the same, nothing on disk is lost, and
# marks made under one are healed under the other.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
here=$TOP/tests/system
seen() {	# seen FILE: through a mount of its own
    mount_volume "$T/look"
    "$here/as_seen" "$T/look" >"$T/$1"
    umount "$T/look"
}
on_disk() { "$here/on_disk" "${BRICKS[@]}" >"$T/$1"; }
same() { diff "$T/$1" "$T/$2" | head -n 40 || true; cmp -s "$T/$1" "$T/$2" || fail "$1 and $2 differ"; }
fill() {	# fill DIR BRICK: a tree; BRICK misses the second half of it
    mkdir "$T/mnt/$1"
    for i in $(seq 12); do echo "$i" >"$T/mnt/$1/n$i"; mv "$T/mnt/$1/n$i" "$T/mnt/$1/m$i"; done
    "$here/change_tree" before "$T/mnt/$1/tree"
    leave_brick "$2"	# in order: after a KILL our brick takes the file system's times for what changed lately
    "$here/change_tree" after "$T/mnt/$1/tree"
    sleep 2
}
our_directory() {	# by directory, not by volfile: what quota's translator does our daemon does not, and says so
    serve "brick$1" "$BUILD/gatehouse-brick" --directory "${BRICKS[$1]}" --volume "$VOLUME" --volume-id "$ID" --port "$(brick_port "$1")" \
        --pid-file "$(brick_pid_file "$1")" --sign-in $HOST
    await 20 brick_up "$1"
}
leave_all() { for i in "${!BRICKS[@]}"; do leave_brick "$i"; done; }

start_glusterd
stock_volume 2 4
ID=$(sed -n 's/^volume-id=//p' "/var/lib/glusterd/vols/$VOLUME/info")
gl volume set "$VOLUME" cluster.self-heal-daemon off
gl volume quota "$VOLUME" enable
mount_volume "$T/mnt"
mkdir "$T/mnt/limited"
gl volume quota "$VOLUME" limit-usage /limited 10MB
cp -r "$TOP/runtime" "$T/mnt/limited/"
fill stock 1
[ -n "$(find "${BRICKS[0]}" "${BRICKS[2]}" -perm 1000 -type f)" ] || fail "no linkto was made"
grep -q limit-set <(getfattr --absolute-names -d -m . "${BRICKS[0]}/limited") || fail "no quota there"
for brick in "${BRICKS[@]}"; do
    for file in "$brick"/limited/runtime/*.c; do	# as from before there was gfid2path
        getfattr --absolute-names -m '^trusted.gfid2path' "$file" 2>/dev/null | sed -n 's/^trusted/&/p' | xargs -r -I{} setfattr -x {} "$file"
    done
done
stock_bricks
seen stock.seen
leave_all
on_disk stock.disk
for i in "${!BRICKS[@]}"; do our_directory "$i"; done
seen ours.seen
same stock.seen ours.seen
leave_all
on_disk ours.disk
same stock.disk ours.disk
say "our daemon serves what stock ones made"

for i in "${!BRICKS[@]}"; do our_directory "$i"; done
gl volume set "$VOLUME" cluster.self-heal-daemon on
await_heal
"$here/change_tree" check "$T/mnt/stock/tree"
gl volume set "$VOLUME" cluster.self-heal-daemon off
fill ours 2
our_directory 2
seen ours2.seen
leave_all
on_disk ours2.disk
stock_bricks
seen stock2.seen
same ours2.seen stock2.seen
leave_all
on_disk stock2.disk
for name in ours2 stock2; do	# what is new to the stock daemons they begin to account for
    grep -v '^trusted\.\(glusterfs\.quota\.[^=]*\(contri\|size\|dirty\)\|pgfid\.\)' "$T/$name.disk" >"$T/$name.plain"
done
same ours2.plain stock2.plain
stock_bricks
gl volume set "$VOLUME" cluster.self-heal-daemon on
await_heal
"$here/change_tree" check "$T/mnt/ours/tree"
rm -r "$T/mnt/limited"		# those without gfid2path go like all others
sleep 2
python3 "$here/same_bricks.py" 2 "${BRICKS[@]}"
say "stock daemons serve what ours made, and each heals what was missed under the other"
