#!/bin/bash
# Two gateways on the same bricks change the same directories and files while one of them is killed again and again: nobody hangs on the
# locks of a dead one, every name that was acknowledged is there, and the copies are the same afterwards.
. "$(dirname "$0")/lib.sh"

second_gateway() {
    serve second "$BUILD/gatehouse-gateway" --volfile "$T/volume.vol" --volume "$VOLUME" --handle-key "$T/handle.key" --port 2050 \
        --export '*(rw,no_root_squash,insecure)' --no-rpcbind --state-file "$T/second.state"
    await 30 nc -z 127.0.0.1 2050
}
start_volume 2 2
second_gateway
cat >"$T/rivals.py" <<'END'
"""Workers on both gateways: own names in shared directories, and one shared file. Each knows which of its names must exist."""
import os
import random
import sys
import threading
import time
sys.path.insert(0, sys.argv[1])
import nfs3
from nfs3 import patiently

end = time.monotonic() + float(sys.argv[2])
first = nfs3.Client()
top = first.mount("/demo")
dirs = [first.mkdir(top, "d%d" % i, mode=0o755)["fh"] for i in range(3)]
shared = first.create(dirs[0], "shared", mode=0o644)["fh"]
trouble, history, names, perhaps, slowest, operations = [], [], {}, set(), [0.0], [0]


def work(port, n):
    rng, mine, serial = random.Random(port * 10 + n), {}, 0
    c = nfs3.Client(port=port)

    def ask(call, *args, **kw):
        """As a kernel's client does: a new number after JUKEBOX, the same one over a new connection. A removal that was repeated may say NOENT."""
        start, repeated, xid = time.monotonic(), False, rng.getrandbits(32)
        if call.__name__ in ("create", "mkdir", "rename", "remove", "rmdir", "link"):
            kw["xid"] = xid
        while True:
            try:
                res = call(*args, **kw)
                if res["status"] != nfs3.JUKEBOX:
                    break
                if "xid" in kw:
                    kw["xid"] = rng.getrandbits(32)
                time.sleep(0.1)
            except OSError:
                repeated = True
                time.sleep(0.1)
                try:
                    c.connect()
                except OSError:
                    pass
            if time.monotonic() > start + 60:
                trouble.append("%s hangs" % call.__name__)
                return res
        slowest[0] = max(slowest[0], time.monotonic() - start)
        operations[0] += 1
        if repeated:
            history.append("%s %r: %d, sent twice" % (call.__name__, [a for a in args if isinstance(a, str)], res["status"]))
        if repeated and call.__name__ in ("rename", "remove", "rmdir") and res["status"] == nfs3.NOENT:
            return res
        if repeated and call.__name__ == "link" and res["status"] == nfs3.EXIST:	# others link the same file all the time
            return res
        if repeated and call.__name__ == "rename":
            # A gateway that dies half way leaves two names of one file; the repetition finds that they are the same and does nothing.
            perhaps.add(args[1].encode())
        if res["status"]:
            trouble.append("%d/%d %s %r: %d" % (port, n, call.__name__, args[1:4:2], res["status"]))
        return res

    while time.monotonic() < end:
        serial += 1
        kind = rng.choice(("create", "rename", "rename", "remove", "shared", "link", "mkdir"))
        if kind in ("create", "mkdir") or not mine:
            at, name = rng.randrange(3), "%d-%d-%d" % (port, n, serial)
            ask(c.mkdir if kind == "mkdir" else c.create, dirs[at], name, mode=0o755)
            mine[(at, name)] = kind
        elif kind == "rename" and set(mine.values()) != {"mkdir"}:
            old, new = rng.choice(sorted(k for k in mine if mine[k] != "mkdir")), (rng.randrange(3), "%d-%d-%d" % (port, n, serial))
            ask(c.rename, dirs[old[0]], old[1], dirs[new[0]], new[1])
            mine[new] = mine.pop(old)
        elif kind == "remove":
            old = rng.choice(sorted(mine))
            ask(c.rmdir if mine[old] == "mkdir" else c.remove, dirs[old[0]], old[1])
            del mine[old]
        elif kind == "shared":
            ask(c.write, shared, rng.randrange(5) * 1000, bytes([n + port % 7]) * 3000, rng.choice((nfs3.UNSTABLE, nfs3.FILE_SYNC)))
        else:
            at, name = rng.randrange(3), "%d-%d-%d" % (port, n, serial)
            ask(c.link, shared, dirs[at], name)
            mine[(at, name)] = "link"
    names[(port, n)] = mine


threads = [threading.Thread(target=work, args=(port, n)) for port in (2049, 2050) for n in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
expected = [set() for _ in dirs]
expected[0].add(b"shared")
for mine in names.values():
    for at, name in mine:
        expected[at].add(name.encode())
for at, d in enumerate(dirs):
    found = first.list(d)
    if set(found) - perhaps != expected[at] or len(found) != len(set(found)):
        trouble.append("d%d: lost %r, too many %r" % (at, sorted(expected[at] - set(found))[:5], sorted(set(found) - expected[at])[:5]))
links = patiently(first.getattr, shared)["attr"]["nlink"]
want = 1 + sum(kind == "link" for mine in names.values() for kind in mine.values())
if not want <= links <= want + len(perhaps):
    trouble.append("the shared file has %d links, not %d" % (links, want))
print("%d operations, the slowest took %.1f s" % (operations[0], slowest[0]))
for line in trouble[:20] + (history if trouble else []):
    print(line)
sys.exit(1 if trouble or slowest[0] > 15 else 0)
END
timeout 100 python3 "$T/rivals.py" "$TOP/tests/system" 20 >"$T/rivals.out" &
rivals=$!
for i in 1 2 3 4; do
    sleep 3
    stop second KILL
    sleep 0.5
    second_gateway
done
wait $rivals || { cat "$T/rivals.out"; fail "the rivals saw trouble"; }
say "$(cat "$T/rivals.out")"
stop second
stop gateway
for n in 0 1 2 3; do stop "brick$n"; done
"$TOP/tests/system/marks" "$VOLUME" 2 "${BRICKS[@]}"
