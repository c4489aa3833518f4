"""brick_calls.py GATEWAY-PID STATE-FILE: counts brick calls for each NFS operation, over 20 operations each, and compares with what is meant.

Counted are the calls of all protocol/client translators in the gateway's state dump, after a pause in which background work (unlocks,
delayed post-operations) has ended. A fraction comes from names that hash elsewhere.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
import state

PID, STATE = int(sys.argv[1]), sys.argv[2]
N = 20
# What is meant: (lowest, highest) brick calls of one operation. Where the two are apart, names decide: one that hashes to another
# subvolume than its file's costs a linkto. A write alone pays for the lock that the writes after it use.
MEANT = {
    "getattr": (0, 0.2), "lookup": (0, 2.3), "lookup of nothing": (2, 2.5), "access": (0, 2.3), "readlink": (0, 0.3),
    "read": (1, 1.2), "write unstable": (10, 12.5), "commit": (2, 2.5), "write stable": (8, 10.5),
    "setattr mode": (4, 4.5), "setattr size": (8, 10.5), "create": (4, 4.7), "remove": (4, 6.7), "mkdir": (18, 21),
    "rmdir": (26, 35), "symlink": (4, 4.7), "link": (6, 14), "rename": (28, 52), "readdirplus": (2, 4.5), "fsstat": (4, 6.5),
}


def brick_calls():
    return state.brick_calls(PID, STATE)


client = nfs3.Client()
top = client.mount("/demo")
d = client.mkdir(top, "d", mode=0o755)["fh"]
e = client.mkdir(top, "e", mode=0o755)["fh"]
files = [client.create(d, "file%d" % i, mode=0o644)["fh"] for i in range(N)]
for fh in files:
    assert client.write(fh, 0, b"x" * 4096)["status"] == 0
plain = client.mkdir(top, "plain", mode=0o755)["fh"]	# hard links would cost a look at each, to find names that a rename left behind
for i in range(N):
    assert client.create(plain, "file%d" % i, mode=0o644)["status"] == 0
client.symlink(d, "link", "target")
link = client.lookup(d, "link")["fh"]

OPERATIONS = [
    ("getattr", lambda i: client.getattr(files[i])),
    ("lookup", lambda i: client.lookup(d, "file%d" % i)),
    ("lookup of nothing", lambda i: client.lookup(d, "nothing%d" % i)),
    ("access", lambda i: client.access(files[i])),
    ("readlink", lambda i: client.readlink(link)),
    ("read", lambda i: client.read(files[i], 0, 4096)),
    ("write unstable", lambda i: client.write(files[i], 0, b"y" * 4096, nfs3.UNSTABLE)),
    ("commit", lambda i: client.commit(files[i])),
    ("write stable", lambda i: client.write(files[i], 0, b"y" * 4096)),
    ("setattr mode", lambda i: client.setattr(files[i], mode=0o600)),
    ("setattr size", lambda i: client.setattr(files[i], size=100)),
    ("create", lambda i: client.create(d, "new%d" % i, mode=0o644)),
    ("remove", lambda i: client.remove(d, "new%d" % i)),
    ("mkdir", lambda i: client.mkdir(d, "dir%d" % i, mode=0o755)),
    ("rmdir", lambda i: client.rmdir(d, "dir%d" % i)),
    ("symlink", lambda i: client.symlink(d, "sym%d" % i, "there")),
    ("link", lambda i: client.link(files[i], d, "hard%d" % i)),
    ("rename", lambda i: client.rename(d, "hard%d" % i, e, "moved%d" % i)),
    ("readdirplus", lambda i: client.readdirplus(plain)),
    ("fsstat", lambda i: client.fsstat(top)),
]
wrong = []
print("| NFS operation | brick calls on 2x2 |")
print("|---|---|")
for name, operation in OPERATIONS:
    time.sleep(1.6)
    before = brick_calls()
    for i in range(N):
        res = operation(i)
        assert res["status"] in (0, nfs3.NOENT), (name, i, res)
    time.sleep(1.6)
    cost = (brick_calls() - before) / N
    print("| %s | %.1f |" % (name, cost))
    if name in MEANT and not MEANT[name][0] <= cost <= MEANT[name][1]:
        wrong.append("%s costs %.2f brick calls, meant are %g to %g" % (name, cost, *MEANT[name]))
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
