# tests/system/packages_lib.bash: what tests of the packages share. Source it after lib.sh.

DEB=$BUILD/deb R=$T/system
export DEBIAN_FRONTEND=noninteractive

# Built anew when a source is newer. Two tests may want it at once.
packages_built() {
    local sources=(bricks completions configure.ac debian gateway man Makefile.am mgmt rpc rpcgen runtime systemd xlators)
    exec 8>"$BUILD/deb.lock"
    flock 8
    if ! ls "$DEB"/*.changes >/dev/null 2>&1 || (cd "$TOP" && find "${sources[@]}" -type f ! -name '*.o' -newer "$(echo "$DEB"/*.changes)") | grep -q .; then
        say "make deb"
        make -s -C "$BUILD" deb >"$T/make-deb.log" 2>&1
    fi
    exec 8>&-
}

# A system like this one at $R, in memory: what is installed there goes with the test.
system_like_this() {
    local dir
    mkdir -p "$T/layer" "$R"
    mount -t tmpfs -o size=1g tmpfs "$T/layer"
    mkdir "$T/layer/up" "$T/layer/work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$T/layer/up,workdir=$T/layer/work" "$R"
    IMAGES+=("$T/layer" "$R")
    for dir in proc sys dev; do mount --rbind /$dir "$R/$dir"; done
    mount -t tmpfs tmpfs "$R/tmp"
    mount -t tmpfs tmpfs "$R/run"
    mkdir "$R/run/lock"
    rm -rf "$R/var/lib/gatehouse" "$R/var/log/gatehouse" "$R/etc/gatehouse"
    mkdir -p "$R/srv/late"
    echo "127.0.1.1 $(hostname)" >>"$R/etc/hosts"
}

in_system() { chroot "$R" "$@"; }

# apt install ./gatehouse*.deb, as an administrator would.
install_packages() {
    mkdir "$R/var/debs"
    cp "$DEB"/*.deb "$R/var/debs/"
    printf '#!/bin/sh\nexit 101\n' >"$R/usr/sbin/policy-rc.d"
    chmod +x "$R/usr/sbin/policy-rc.d"
    in_system bash -c 'cd /var/debs && apt-get install -q -y --no-install-recommends ./gatehouse*.deb' >"$T/install.log" 2>&1
    rm "$R/usr/sbin/policy-rc.d"
}

# proof VOLUME: an NFS client writes a tree and reads it back; then what needs privileges.
proof() {
    "$BUILD/tests/system/nfs_proof" "nfs://127.0.0.1/$1?nfsport=2049&mountport=2049" "$TOP/runtime"
    python3 "$TOP/tests/system/packages_work.py" "$1"
}

# capabilities PID: by name, of a process.
capabilities() { capsh --decode="$(sed -n 's/^CapPrm:\t//p' "/proc/$1/status")" | sed 's/.*=//'; }

# What a volume is made of when no manager runs it: brick-demo.vol and volumes/ in /etc/gatehouse, from the files of the volume demo, whose first
# brick is $1. ROOT is where /run is seen.
without_manager() {
    local brick=$1 root=$2 etc=$R/etc/gatehouse port=49300
    mkdir -p "$etc/volumes"
    awk -v "port=$port" '/transport.socket.listen-port/ { next } { print } /type protocol\/server/ { print "    option transport.socket.listen-port " port }' \
        "$root/run/gatehouse/bricks/$brick.vol" >"$etc/brick-demo.vol"
    awk -v "port=$port" '{ print } /type protocol\/client/ { print "    option remote-port " port }' "$root/run/gatehouse/gateway/demo.vol" \
        >"$etc/volumes/demo.vol"
    cp "$root/run/gatehouse/gateway/exports" "$etc/volumes/"
    in_system bash -c 'cd /etc/gatehouse/volumes && chgrp _gatehouse demo.vol exports && chmod 640 demo.vol exports'
}
