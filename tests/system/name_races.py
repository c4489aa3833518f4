"""name_races.py SECONDS: see name_races.sh."""
import collections
import random
import sys
import threading
import time

from nfs3 import Client, patiently

CONNECTIONS, NAMES, DIRECTORIES = 16, 3, 4
OK, NOENT, EXIST, NOTDIR, ISDIR, JUKEBOX = 0, 2, 17, 20, 21, 10008
# The answers that each kind of call may give here besides JUKEBOX: all directories that handles name are live.
MAY = {
    "rename": {OK, NOENT, NOTDIR, ISDIR}, "mkdir": {OK, EXIST}, "create": {OK, EXIST}, "symlink": {OK, EXIST},
    "link": {OK, EXIST}, "remove": {OK, NOENT, ISDIR}, "rmdir": {OK, NOENT, NOTDIR}, "lookup": {OK, NOENT},
    "readdirplus": {OK},
}


def some_call(client, dice, dirs, unique):
    here, there = dice.choice(dirs), dice.choice(dirs)
    name, other = ("n%d" % dice.randrange(NAMES) for _ in range(2))
    kind = dice.choice(["rename", "rename", "rename"] + [k for k in MAY if k != "rename"])
    if kind == "rename":
        return kind, client.rename(here, name, there, other)["status"]
    if kind == "link":
        made = client.create(here, unique, mode=0o644)
        return kind, client.link(made["fh"], there, name)["status"] if made["status"] == OK else made["status"]
    if kind == "symlink":
        return kind, client.symlink(here, name, "target")["status"]
    if kind == "create":
        return kind, client.create(here, name, how=0, mode=0o644)["status"]
    if kind == "readdirplus":
        return kind, client.readdirplus(here)["status"]
    return kind, getattr(client, kind)(here, name)["status"]


def work(number, dirs, seen, until):
    client, dice, count = Client(), random.Random(number), 0
    while time.monotonic() < until:
        count += 1
        seen[some_call(client, dice, dirs, "u%d.%d" % (number, count))] += 1


def main():
    first = Client()
    root = first.mount("/demo")
    dirs = [root] + [patiently(first.mkdir, root, "live%d" % i, mode=0o755)["fh"] for i in range(DIRECTORIES - 1)]
    counts = [collections.Counter() for _ in range(CONNECTIONS)]
    until = time.monotonic() + float(sys.argv[1])
    threads = [threading.Thread(target=work, args=(i, dirs, counts[i], until)) for i in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    seen = sum(counts, collections.Counter())
    print(sorted(seen.items()))
    wrong = {k: n for k, n in seen.items() if k[1] not in MAY[k[0]] | {JUKEBOX}}
    if wrong:
        sys.exit("answers that no order of the calls gives: %s" % wrong)
    if not all(seen[kind, OK] for kind in MAY):
        sys.exit("some kind of call never succeeded")


main()
