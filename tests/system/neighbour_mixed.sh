#!/bin/bash
# Replica sets of one stock brick and one of ours, in glusterd's volume: our daemon is found by its sign-in, also after glusterd was restarted; the
# stock self-heal daemon heals from our brick and onto it, and the copies are equal. Then stock and NFS clients work on them at the same time, for SECONDS_EACH
# (15; the minute with SECONDS_EACH=60).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_glusterd"

[ -c /dev/fuse ] || { say "skipped: there is no /dev/fuse here"; exit 0; }
tree() { bash "$TOP/tests/system/change_tree" "$1" "$T/$2"; }
same() { same_bricks 2; }

start_glusterd
stock_volume 2 4
leave_brick 1
leave_brick 2
our_brick 1
our_brick 2
stop glusterd
run_glusterd
signed_in_twice() { [ "$(grep -c 'signed in' "$T/brick1.log")" = 2 ] && [ "$(grep -c 'signed in' "$T/brick2.log")" = 2 ]; }
await 30 signed_in_twice
[ "$(pgrep -c glusterfsd)" = 2 ] || fail "glusterd started a brick beside ours"
mount_volume "$T/mnt" --entry-timeout=0
for round in "ours 1 2" "stock 0 3"; do
    read -r whose a b <<<"$round"
    tree before "mnt/$whose"
    sleep 2		# our brick stores times a second later
    leave_brick "$a" KILL
    leave_brick "$b" KILL
    tree after "mnt/$whose"
    ! nothing_to_heal || fail "nobody says that copies differ"
    if [ "$whose" = ours ]; then our_brick 1; our_brick 2; else stock_bricks; fi
    await_heal
    same
    tree check "mnt/$whose"
    say "healed after the $whose were away"
done

volume_gateway
neighbours "${SECONDS_EACH:-15}"
heal_races
await_heal
same_after_races 2
say "stock clients and NFS clients on mixed sets, and the copies are equal"
