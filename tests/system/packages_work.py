#!/usr/bin/env python3
"""What needs a brick's privileges, over NFS: every line below fails when one of them is missing.

packages_work.py VOLUME: the volume must be exported to this host, to ports of 1024 and above, without squashing.
"""
import sys

import nfs3
from nfs3 import Client, OK, ACCES

REG_UID, OTHER_UID, GROUP = 1000, 1001, 2000


def ok(reply, what):
    if reply["status"] != OK:
        sys.exit(f"packages_work: {what}: status {reply['status']}")
    return reply


def mode(client, fh):
    return ok(client.getattr(fh), "getattr")["attr"]["mode"] & 0o7777


def main():
    root, user = Client(), Client(uid=REG_UID, gid=REG_UID, groups=(GROUP,))
    top = root.mount("/" + sys.argv[1])
    there = root.lookup(top, "privileges")
    work = there["fh"] if there["status"] == OK else ok(root.mkdir(top, "privileges", mode=0o777), "mkdir")["fh"]
    # CAP_SETUID, CAP_SETGID: a brick acts for whoever calls.
    own = ok(user.create(work, "own", mode=0o600), "a user's create")["fh"]
    attr = ok(user.getattr(own), "getattr")["attr"]
    assert (attr["uid"], attr["gid"]) == (REG_UID, REG_UID), attr
    assert Client(uid=OTHER_UID, gid=OTHER_UID).read(own, 0, 10)["status"] == ACCES
    # CAP_CHOWN
    shared = ok(root.create(work, "shared", mode=0o600), "create")["fh"]
    ok(root.setattr(shared, uid=OTHER_UID, gid=GROUP, mode=0o640), "chown")
    ok(user.read(shared, 0, 10), "read by a member of the group")
    # CAP_DAC_OVERRIDE: user 0 goes wherever it wants, and a brick's own files lie behind directories of others.
    ok(root.write(own, 0, b"x" * 100), "root's write")
    ok(root.read(own, 0, 10), "root's read")
    closed = ok(user.mkdir(work, "closed", mode=0o700), "mkdir")["fh"]
    within = ok(user.create(closed, "within", mode=0o600), "create within")["fh"]
    ok(root.create(closed, "roots", mode=0o600), "root's create within")
    ok(user.rename(closed, "within", closed, "renamed"), "rename")
    # CAP_FOWNER
    ok(root.setattr(own, mode=0o604), "root's chmod")
    ok(root.setattr(own, mtime=(1000000000, 0)), "root's utimes")
    sticky = ok(root.mkdir(work, "sticky", mode=0o1777), "mkdir")["fh"]
    ok(user.create(sticky, "f", mode=0o600), "create")
    ok(Client(uid=REG_UID, gid=REG_UID).link(within, sticky, "linked"), "link")
    ok(root.remove(sticky, "f"), "root's remove from a sticky directory")
    # CAP_FSETID: the bit stays that user 0 sets for a group that is not its own.
    ok(root.setattr(shared, gid=GROUP + 1), "chgrp")
    ok(root.setattr(shared, mode=0o2750), "root's chmod g+s")
    assert mode(root, shared) == 0o2750, oct(mode(root, shared))
    # CAP_MKNOD
    ok(root.mknod(work, "null", nfs3.CHR, (1, 3), mode=0o666), "mknod c 1 3")
    ok(root.mknod(work, "disk", nfs3.BLK, (7, 0), mode=0o600), "mknod b 7 0")
    ok(user.mknod(work, "pipe", nfs3.FIFO, mode=0o600), "mkfifo")
    for name in ("own", "shared", "null", "disk", "pipe"):
        ok(root.remove(work, name), "remove")
    for directory, name in ((closed, "renamed"), (closed, "roots"), (sticky, "linked")):
        ok(root.remove(directory, name), "remove " + name)
    for name in ("closed", "sticky"):
        ok(root.rmdir(work, name), "rmdir " + name)
    print("packages_work: all of it held")


main()
