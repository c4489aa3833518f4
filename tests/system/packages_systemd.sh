#!/bin/bash
# The packages under systemd itself, process 1 of name spaces of its own: installed, started with one command, a manager upgraded and killed over its
# bricks; what users need goes, what units forbid does not; removed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/packages_lib.bash"

packages_built
system_like_this
install_packages

GROUPS_ALL=$(awk '$2 !~ "^/sys/fs/cgroup" { next } $3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /name=systemd|(^|,)devices(,|$)/) { print $2 }' /proc/mounts)
OWN=$(basename "$T")
leave_groups() {
    local dir
    trap - ERR
    set +e
    [ "$1" = 0 ] || inside bash -c "tail -n 20 /var/log/gatehouse/*.log /var/log/gatehouse/bricks/*; journalctl -b --no-pager -u 'gatehouse-*'" >"$T/inside.log"
    kill -KILL "$(cat "$T/one" 2>/dev/null)" 2>/dev/null
    sleep 1
    for dir in $GROUPS_ALL; do find "$dir/$OWN" -depth -type d -exec rmdir {} \; 2>/dev/null; done
}
trap 'status=$?; leave_groups $status; (exit $status); at_exit' EXIT

boot() {	# in name spaces of its own
    local dir node
    mount --make-rprivate /
    for dir in proc sys dev tmp run; do umount -R -l "$R/$dir"; done
    mount -t proc proc "$R/proc"
    # Not its machine: settings of the kernel, which know no name spaces, and hardware are none of its business.
    mount --bind "$R/proc/sys" "$R/proc/sys"
    mount -o remount,bind,ro "$R/proc/sys"
    mount -t sysfs -o ro sysfs "$R/sys"
    for dir in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$R/$dir"; done
    chmod 1777 "$R/tmp"
    for node in null zero full random urandom tty; do cp -a /dev/$node "$R/dev/"; done
    ln -s /proc/self/fd "$R/dev/fd"
    ln -s pts/ptmx "$R/dev/ptmx"
    mkdir "$R/dev/shm" "$R/dev/pts"
    mount -t devpts devpts "$R/dev/pts"
    if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
        mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
    else
        mount -t tmpfs tmpfs "$R/sys/fs/cgroup"
        mkdir "$R"/sys/fs/cgroup/{systemd,devices,unified}
        mount -t cgroup -o none,name=systemd cgroup "$R/sys/fs/cgroup/systemd"
        mount -t cgroup -o devices cgroup "$R/sys/fs/cgroup/devices"
        mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup/unified"
    fi
    : >"$R/etc/fstab"
    for dir in networking systemd-networkd systemd-networkd-wait-online; do ln -sf /dev/null "$R/etc/systemd/system/$dir.service"; done
    cd "$R"
    pivot_root . mnt
    mount --make-rshared /	# as systemd does it itself where it is not told of a container
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd --system --unit=basic.target
}
inside() { nsenter -t "$(cat "$T/one")" -a -r -w -- "$@"; }
gh() { inside gatehouse --mode=script "$@"; }
is_up() { inside systemctl is-active --quiet basic.target; }
show() { inside systemctl show --value -p "$1" gatehouse-manager; }
online() { [ "$(gh volume status demo | grep -c ' Y  *[0-9]')" = 3 ]; }	# two bricks and the gateway
daemons() { inside bash -c 'cat /run/gatehouse/bricks/*.pid /run/gatehouse/gateway.pid'; }

# Control groups of our own, in which systemd sees its root.
enter() {
    local dir
    for dir in $GROUPS_ALL; do
        mkdir "$dir/$OWN"
        echo $BASHPID >"$dir/$OWN/cgroup.procs"
    done
    exec unshare --cgroup --mount --uts --ipc --pid --fork --kill-child -- bash -ec boot
}

can_boot() {
    local end=$((SECONDS + 90))
    export -f boot enter
    export GROUPS_ALL OWN R
    serve systemd bash -ec enter
    until pgrep -P "${PIDS[systemd]}" >"$T/one" && is_up 2>/dev/null; do
        kill -0 "${PIDS[systemd]}" 2>/dev/null && [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

sysctls() { sysctl -a 2>/dev/null | grep -E '^(fs\.(protected|file-max)|kernel\.(core|sysrq|printk))'; }
settings=$(sysctls)
image "$T/disk" xfs 400
can_boot || { say "skipped: systemd does not run in a name space here: $(tail -n 1 "$T/systemd.log")"; exit 0; }
[ "$(sysctls)" = "$settings" ] || fail "systemd changed the kernel's settings"


say "systemctl start gatehouse-manager"
inside systemctl start gatehouse-manager
[ "$(inside systemctl is-enabled gatehouse-manager)" = enabled ]
inside mount --bind "/mnt$T/disk" /srv/late	# only now: a file system that is mounted while the manager runs
gh volume create demo replica 2 "$(hostname):"/srv/late/b{1,2} force
gh volume set demo nfs.rpc-auth-allow 127.0.0.1 nfs.root-squash off nfs.ports-insecure on
gh volume start demo
await 20 proof demo
await 20 online
[ -d "$T/disk/b1/.glusterfs" ] || fail "the brick is not on the file system that was mounted"
for daemon in manager bricks/demo-srv-late-b1 gateway; do
    pid=$(inside cat "/run/gatehouse/$daemon.pid")
    say "$daemon: $(inside grep -h -E 'CapPrm|NoNewPrivs|Seccomp:' "/proc/$pid/status" | tr -s '\n\t' ' ')"
    if inside nsenter -t "$pid" -m touch /usr/written /etc/written 2>/dev/null; then fail "$daemon may write to the system"; fi
    [ -z "$(inside nsenter -t "$pid" -m ls /home 2>/dev/null)" ] || fail "$daemon sees homes"
done
for dir in /usr/brick /etc/brick /home/brick; do
    if gh volume create bad "$(hostname):$dir" force 2>"$T/refused"; then fail "$dir became a brick"; fi
    grep -q 'gatehouse-manager(8)' "$T/refused" || fail "$dir was refused with: $(cat "$T/refused")"
done
gh volume create scratch "$(hostname):/tmp/brick" force
inside test -d /tmp/brick || fail "a brick in /tmp is hidden from the host"

say "a manager that is upgraded, stopped or killed leaves bricks and gateway alone"
pids=$(daemons)
inside bash -c 'dpkg -i /var/debs/gatehouse*.deb' >>"$T/install.log" 2>&1
await 20 gh version
inside systemctl stop gatehouse-manager
proof demo
inside systemctl start gatehouse-manager
inside kill -KILL "$(show MainPID)"
await 20 gh version
await 20 proof demo
await 20 online
[ "$(show NRestarts)" = 1 ] || fail "systemd did not start it again"
[ "$(daemons)" = "$pids" ] || fail "the daemons were $pids and are $(daemons)"
if inside journalctl -b --no-pager -u gatehouse-manager | grep -i 'notification message'; then fail "a daemon spoke to systemd in the manager's place"; fi

if [ -c /dev/fuse ]; then
    say "a GlusterFS client: access lists, capabilities of files"
    mkdir -p "$T/mnt" /var/log/glusterfs
    serve fuse glusterfs -N --acl --capability -s 127.0.0.1 --volfile-id demo -l "$T/fuse-messages.log" "$T/mnt"
    await 20 mountpoint "$T/mnt"
    cp /bin/true "$T/mnt/program"
    chown 1000 "$T/mnt/program"
    setfacl -m u:1001:rx "$T/mnt/program"
    getfacl -p "$T/mnt/program" | grep -q '^user:1001:r-x'
    setcap cap_net_raw+ep "$T/mnt/program"
    getcap "$T/mnt/program" | grep -q cap_net_raw
    rm "$T/mnt/program"
    umount "$T/mnt"
fi

say "a brick and a gateway without a manager"
without_manager demo-srv-late-b1 "/proc/$(cat "$T/one")/root"
gh volume stop demo
inside systemctl stop gatehouse-manager
inside systemctl start gatehouse-brick@demo gatehouse-gateway
await 20 proof demo
inside systemctl reload gatehouse-gateway gatehouse-brick@demo
inside systemctl stop gatehouse-brick@demo gatehouse-gateway

say "removed"
inside systemctl start gatehouse-manager
gh volume start demo
inside apt-get remove -q -y gatehouse-manager >>"$T/install.log" 2>&1
gone() { [ -z "$(inside pgrep gatehouse)" ]; }
await 40 gone
inside test -e /var/lib/gatehouse/store/volumes/demo.xml || fail "the volume went with the package"
