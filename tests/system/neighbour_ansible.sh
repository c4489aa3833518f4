#!/bin/bash
# Ansible's own modules for GlusterFS make, set, start and remove a volume of ours by the name "gluster", and find nothing to do the second time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/manager_lib.sh"

type ansible-playbook >/dev/null 2>&1 || fail "ansible is missing"
image "$T/disk" xfs 300
mkdir -p "$T/disk/b" "$T/bin" /run/gatehouse
ln -s "$BUILD/gatehouse" "$T/bin/gluster"
export PATH=$T/bin:$PATH HOME=$T ANSIBLE_LOCAL_TEMP=$T/ansible ANSIBLE_NOCOWS=1 ANSIBLE_RETRY_FILES_ENABLED=0 LC_ALL=C.UTF-8
ip addr add 192.0.2.1/32 dev lo
start_rpcbind
serve manager-h1 "$BUILD/gatehouse-manager" --state-dir "$T/state" --run-dir /run/gatehouse --log-dir "$T/log" --host 192.0.2.1 \
    --stop-daemons --no-rpcbind
await 20 gluster volume list
gluster --version | head -n 1 | grep -q '^glusterfs 1[0-9]\.[0-9]' || fail "the version is not what tools expect"

cat >"$T/play.yml" <<END
- hosts: localhost
  connection: local
  gather_facts: false
  vars: { ansible_python_interpreter: /usr/bin/python3 }
  tasks:
  - gluster.gluster.gluster_peer: { state: present, nodes: [192.0.2.1] }
  - gluster.gluster.gluster_volume:
      { state: present, name: demo, bricks: $T/disk/b/brick1, host: 192.0.2.1, cluster: [192.0.2.1],
        options: { nfs.rpc-auth-allow: 127.0.0.1, performance.cache-size: 64MB } }
  - gluster.gluster.gluster_volume: { state: started, name: demo }
END
cat >"$T/end.yml" <<END
- hosts: localhost
  connection: local
  gather_facts: false
  vars: { ansible_python_interpreter: /usr/bin/python3 }
  tasks:
  - gluster.gluster.gluster_volume: { state: stopped, name: demo }
  - gluster.gluster.gluster_volume: { state: absent, name: demo }
END
play() { ansible-playbook -i localhost, "$1" >"$T/play.log" 2>&1 || { cat "$T/play.log"; fail "$1 failed"; }; }
changes() { sed -n 's/.*changed=\([0-9]*\).*/\1/p' "$T/play.log"; }
play "$T/play.yml"
[ "$(changes)" -ge 1 ] || fail "nothing was done"
[ "$(gluster --xml volume info demo | xmllint --xpath 'string(//statusStr)' -)" = Started ]
say "Ansible made and started a volume"
play "$T/play.yml"
[ "$(changes)" = 0 ] || { cat "$T/play.log"; fail "Ansible finds something to change the second time"; }
play "$T/end.yml"
[ -z "$(gluster volume list 2>/dev/null)" ] || fail "the volume is still there"
say "the second time nothing changed; then it was removed"
stop manager-h1
