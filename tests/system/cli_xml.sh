#!/bin/bash
# What reads `gluster --xml` reads ours: the same XPath expressions over what GlusterFS 10.3 said and over what we say of the same volumes.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/system/cli_lib.bash"

start_manager
while read -r name words; do
    answer "$name"
    case $(xmllint --xpath 'string(cliOutput/opRet)' "$FIXTURES/gluster/$name.xml") in 0) status=0 ;; *) status=1 ;; esac
    expect $status cli --xml $words --mode=script
    cp "$T/out" "$T/$name.xml"
    python3 "$TOP/tests/system/cli_xml.py" "$FIXTURES/gluster/$name.xml" "$T/$name.xml"
done <<'LIST'
info volume info
info-one volume info demo
info-none volume info
info-unknown volume info nosuch
list volume list
list-none volume list
status volume status demo
status-down volume status demo
status-detail volume status demo detail
status-clients volume status demo clients
status-not-started volume status demo
create volume create demo replica 2 127.1.1.1:/b/1 127.1.1.1:/b/2 127.1.1.1:/b/3 127.1.1.1:/b/4 force
create-again volume create demo 127.1.1.1:/b/9 force
start volume start demo
stop volume stop demo
delete volume delete demo
set volume set demo performance.cache-size 64MB
set-unknown volume set demo nosuch.option 1
get volume get demo performance.cache-size
get-unknown volume get demo nosuch.option
reset volume reset demo
peer-status peer status
peer-status-down peer status
peer-none peer status
pool-list pool list
pool-list-down pool list
peer-probe peer probe 127.1.1.2
peer-detach peer detach 127.1.1.2
LIST
for name in info info-one info-none list list-none create start stop delete set get reset peer-status peer-status-down pool-list peer-probe; do
    cmp "$FIXTURES/gluster/$name.xml" "$T/$name.xml"
done
[ "$(xmllint --xpath 'string(cliOutput/volStatus/volumes/volume/node[path="/b/2"]/pid)' "$T/status-down.xml")" = -1 ]
say "XPath expressions of gluster --xml find the same in ours"

cat >"$T/fake/answer" <<'JSON'
{"status": 0, "result": {"volumes": [{"name": "<a href=\"x\">&amp;]]>", "id": "\u001b[2J\u009b\ufffe", "status": "Started", "bricks":
[{"name": "\"'<", "host_id": "\"/><x y=\""}], "options": [{"name": "%s%n", "value": "Köln\u202e"}]}]}}
JSON
expect 0 cli --xml volume info
xmllint --noout "$T/out"
[ "$(xmllint --xpath 'string(cliOutput/volInfo/volumes/volume/name)' "$T/out")" = '<a href="x">&amp;]]>' ]
[ "$(xmllint --xpath 'string(cliOutput/volInfo/volumes/volume/bricks/brick/@uuid)' "$T/out")" = '"/><x y="' ]
say "names that would break XML do not"
