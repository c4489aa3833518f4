#!/bin/bash
# Neighbour 5: Debian's Samba shares a volume of ours through vfs_glusterfs. smbclient puts, lists, renames and reads; the NFS client sees it, and
# the other way round.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

mount -t tmpfs tmpfs /var/log
for dir in /var/lib/samba /var/cache/samba; do mkdir -p $dir; mount -t tmpfs tmpfs $dir; done
mkdir -p /var/log/glusterfs /var/log/samba /run/samba /var/lib/samba/private /run/gluster
start_rpcbind
image "$T/disk" xfs 600
mkdir "$T/disk/b"
HOST_NAME=127.0.0.1 start_manager h1
b=127.0.0.1:$T/disk/b
gh volume create files replica 2 "$b"/{0,1,2,3} force
gh volume set files nfs.exports '*(rw,no_root_squash,insecure)'
gh volume set files performance.write-behind off performance.stat-prefetch off performance.quick-read off performance.open-behind off
gh volume start files

# The lines of gatehouse-smb(7), and what makes this Samba a private one.
cat >"$T/smb.conf" <<END
[global]
    server role = standalone server
    map to guest = Bad User
    guest account = root
    log file = $T/samba.log
    pid directory = /run/samba
    disable spoolss = yes
    load printers = no
    bind interfaces only = yes
    interfaces = lo
    smb2 leases = no
[files]
    path = /
    read only = no
    guest ok = yes
    vfs objects = glusterfs
    glusterfs:volume = files
    glusterfs:volfile_server = 127.0.0.1
    glusterfs:logfile = $T/vfs.log
    kernel share modes = no
    oplocks = no
    level2 oplocks = no
END
serve smbd smbd --foreground --no-process-group --configfile="$T/smb.conf"
await 20 nc -z 127.0.0.1 445
smb() { (cd "$T" && smbclient -N //127.0.0.1/files -c "$1") >"$T/smb.out" 2>&1 || { cat "$T/smb.out"; fail "smbclient: $1"; }; }
nfs() { python3 - "$TOP/tests/system" "$@"; }

head -c 3000000 /dev/urandom >"$T/one"
await 30 smbclient -N //127.0.0.1/files -c ls
smb "put one; mkdir folder; put one folder\\two; ls"
grep -q "one *A* *3000000" "$T/smb.out" || { cat "$T/smb.out"; fail "the list of files is wrong"; }
smb "rename folder\\two folder\\three; get folder\\three back"
cmp "$T/one" "$T/back"
say "SMB puts, lists, renames and reads"

cat >"$T/by_nfs.py" <<'END'
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import nfs3
c = nfs3.Client()
top = c.mount("/files")
folder = c.lookup(top, "folder")["fh"]
three = c.lookup(folder, "three")
assert three["status"] == 0, three
data, at = b"", 0
while at < 3000000:
    piece = c.read(three["fh"], at, 65536)["data"]
    assert piece
    data += piece
    at += len(piece)
print(hashlib.sha256(data).hexdigest())
made = c.create(top, "from-nfs")
assert made["status"] == 0
assert c.write(made["fh"], 0, b"written over NFS\n")["status"] == 0
assert c.rename(folder, "three", top, "moved-by-nfs")["status"] == 0
END
await 30 gateway_online files
sum=$(python3 "$T/by_nfs.py" "$TOP/tests/system")
[ "$sum" = "$(sha256sum <"$T/one" | cut -d' ' -f1)" ] || fail "NFS reads other bytes than SMB wrote"
smb "get from-nfs; get moved-by-nfs; ls folder\\*"
[ "$(cat "$T/from-nfs")" = "written over NFS" ] || fail "SMB does not read what NFS wrote"
cmp "$T/one" "$T/moved-by-nfs"
! grep -q three "$T/smb.out" || fail "SMB lists a name that NFS has moved"
smb "del from-nfs; del moved-by-nfs; rmdir folder; del one"
stop smbd
gh volume stop files
"$TOP/tests/system/marks" files 2 "$T/disk/b"/{0,1,2,3}
stop manager-h1
