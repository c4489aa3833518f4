#!/bin/bash
# The packages: built, without errors to lintian, installed in a system of their own, and each unit's ExecStart run there by hand with no more
# privileges than the unit leaves it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/packages_lib.bash"

packages_built
say "$(cd "$DEB" && echo *.deb)"
if [ -d "$TOP/.git" ] || [ -f "$TOP/.git" ]; then
    git -C "$TOP" ls-files | grep -v '^\.' | sort >"$T/tracked"
    tar -tf "$BUILD"/gatehouse-*.tar.xz | sed 's|^[^/]*/||' | sort >"$T/archived"
    missing=$(comm -23 "$T/tracked" "$T/archived")
    [ -z "$missing" ] || fail "the archive lacks $missing"
fi
make -s -C "$BUILD" install DESTDIR="$T/install" >"$T/make-install.log" 2>&1
for program in $(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$(find "$T/install" -name gatehouse-manager.service)"); do
    [ -x "$T/install$program" ] || fail "the unit names $program, which is not there"
done
lintian --allow-root --fail-on error "$DEB"/*.deb
mount --make-rshared /
system_like_this
install_packages
umount -R "$R/run"
mount --rbind /run "$R/run"

say "units"
units=(gatehouse-manager.service gatehouse-gateway.service gatehouse-brick@.service)
for unit in "${units[@]}"; do
    in_system systemd-analyze verify --man=no "/lib/systemd/system/${unit/@/@demo}" 2>&1 | tee -a "$T/verify"
    in_system systemd-analyze security --offline=yes --threshold=40 "/lib/systemd/system/$unit" >"$T/security"
    say "$(tail -n 1 "$T/security")"
done
if grep gatehouse "$T/verify"; then fail "systemd-analyze verify complains"; fi

by_hand() {	# by_hand NAME UNIT [INSTANCE]
    local name=$1
    shift
    serve "$name" unshare --mount --propagation slave -- "$TOP/tests/system/as_unit" "$R" "$@"
}
gh() { in_system gatehouse --mode=script "$@"; }

say "the manager, and what it starts"
start_rpcbind
by_hand manager gatehouse-manager.service
await 20 gh version
image "$T/disk" xfs 400
mount --bind "$T/disk" "$R/srv/late"	# only now: a file system that is mounted while the manager runs
IMAGES+=("$R/srv/late")
here=$(hostname):
gh volume create demo replica 2 "$here"/srv/late/b{1,2} force
gh volume set demo nfs.rpc-auth-allow 127.0.0.1 nfs.root-squash off nfs.ports-insecure on
gh volume start demo
await 20 proof demo
[ -d "$T/disk/b1/.glusterfs" ] || fail "the brick is not on the file system that was mounted"
for pid in manager bricks/demo-srv-late-b1 gateway; do say "$pid: $(capabilities "$(cat "/run/gatehouse/$pid.pid")")"; done
[ "$(capabilities "$(cat /run/gatehouse/gateway.pid)")" = cap_net_bind_service ] || fail "the gateway has more privileges than it needs"
grep -q '^NoNewPrivs:.1' "/proc/$(cat /run/gatehouse/gateway.pid)/status"
gh volume set demo nfs.volume-access read-only	# SIGHUP: the gateway reads its files again
await 20 bash -c "! python3 $TOP/tests/system/packages_work.py demo"
gh volume reset demo nfs.volume-access
await 20 proof demo
for dir in /usr/brick /etc/brick /home/brick; do
    if gh volume create bad "$here$dir" force 2>"$T/refused"; then fail "$dir became a brick"; fi
    grep -q 'gatehouse-manager(8)' "$T/refused" || fail "$dir was refused with: $(cat "$T/refused")"
done

say "a brick and a gateway without a manager"
without_manager demo-srv-late-b1 "$R"
gh volume stop demo
stop manager
by_hand brick gatehouse-brick@.service demo
by_hand gateway gatehouse-gateway.service
await 20 proof demo
owner=$(in_system stat -c %U "/proc/${PIDS[gateway]}")
[ "$owner" = _gatehouse ] || fail "the gateway runs as $owner"
say "gateway: user $owner, $(capabilities "${PIDS[gateway]}")"
kill -USR1 "${PIDS[gateway]}"
await 10 test -s /run/gatehouse-gateway/state
kill -HUP "${PIDS[gateway]}"
await 10 grep -q reloaded "$T/gateway.log"
stop gateway
stop brick
