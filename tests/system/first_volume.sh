#!/bin/bash
# The README's first volume, command by command as it is printed there, up to a user's file on a kernel client's mount; and a lock on a mount
# without "nolock", which has to end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

printed() { sed -n "s/^    \($1.*\)/\1/p" "$TOP/README.md" | head -n 1; }
# as_here: the README's names and places, in this test's network.
as_here() { sed "s,\$(hostname),$GUEST_NET.1,g; s,/srv/,$T/srv/,g; s,192\.0\.2\.0/24,$GUEST_NET.0/24,"; }
run() { # as printed, but for the manager's socket
    local line
    line=$(printed "gatehouse volume $1 demo" | as_here)
    [ -n "$line" ] || fail "the README prints no \"gatehouse volume $1 demo\""
    say "$line"
    eval "gh ${line#gatehouse } 2>&1" | tee -a "$T/said" || fail "it failed"
}

start_rpcbind
guests_network
mkdir -p "$T/srv/disk1" "$T/srv/disk2"
image "$T/srv/disk1" xfs 350
image "$T/srv/disk2" xfs 350
HOST_NAME=$GUEST_NET.1 start_manager h1
run create
run set
run start
await 30 gateway_online demo
if grep -q 'may create anything' "$T/said"; then fail "the printed commands are warned of"; fi

options=$(printed "mount -t nfs" | sed 's/.* -o \([^ ]*\) .*/\1/')
[ "$options" = vers=3,proto=tcp,nolock ] || fail "the README mounts with other options: $options"
VOLUME=demo in_guest 1 120 "
user() { setpriv --reuid 1000 --regid 1000 --clear-groups \"\$@\"; }
user sh -c 'echo mine >/mnt/nfs/file' || exit 41
[ \"\$(stat -c %u:%g /mnt/nfs/file) \$(user cat /mnt/nfs/file)\" = '1000:1000 mine' ] || exit 42
echo hosts: files >/run/nsswitch.conf	# rpc.statd asks for names; no name server is here
mount --bind /run/nsswitch.conf /etc/nsswitch.conf
mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak /run/rpcbind
chown -R statd /var/lib/nfs
chown _rpc /run/rpcbind
rpcbind -w || exit 43
rpc.statd --no-notify || exit 44
mkdir /mnt/lock
mount.nfs $GUEST_NET.1:/demo /mnt/lock -o vers=3,proto=tcp || exit 45
grep ' /mnt/lock nfs ' /proc/mounts | grep -q local_lock=none || exit 46
begun=\$(date +%s%N)
said=\$(user timeout -s KILL 60 flock -w 5 /mnt/lock/file true 2>&1) && exit 47
echo \"the lock: \$said after \$(((\$(date +%s%N) - begun) / 1000000)) ms\"
[ \$((\$(date +%s%N) - begun)) -lt 5000000000 ] || exit 48
echo \"\$said\" | grep -q 'No locks available' || exit 49
umount /mnt/lock
true"
grep 'the lock:' "$T/guest1/output"

say "a root that nobody may write to is told of"
gh volume create shut "$GUEST_NET.1:$T/srv/disk1/other"
gh volume start shut >"$T/warned" 2>&1
grep -q 'no NFS client may create anything at the root of shut: it belongs to 0:0' "$T/warned" || fail "volume start says: $(cat "$T/warned")"
