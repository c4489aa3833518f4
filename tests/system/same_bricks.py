#!/usr/bin/env python3
"""same_bricks.py REPLICA BRICK...: are the bricks of each replica set identical, whole, and without a mark that waits for a heal?

Compared for every object: kind, mode, owner, gfid, size and content, link target, device number, the mtime that clients see (in
trusted.glusterfs.mdata; a heal of names leaves ctime alone), and all extended attributes but those that are a brick's own. On each brick by
itself: no counter in trusted.afr.* is raised, the heal index is empty, each object has its gfid handle and each handle its object, and each name
of a file its trusted.gfid2path (stock bricks leave some of names that are gone). Prints what it found, at most 40 lines; exit status 1.

After races of stock clients STOCK_BRICKS names those bricks that a stock daemon served. Then names may stay in entry-changes: a stock client puts one
there before it changes a directory, and leaves it there when the only copy that gave it a lock then refuses the change. The times of linktos, which nobody
is shown, may differ: a stock brick goes on from those it remembers of an earlier linkto of the file. And of a few files on stock bricks the mtime may
differ and gfid2path be missing, and a directory may have lost its handle: what a stock brick does to the file or directory it remembers by a name
(neighbour_memory.sh).
"""
import hashlib
import os
import re
import stat
import struct
import sys

ZERO_UUID = "00000000-0000-0000-0000-000000000001"
# A brick's own matters: what it accounts or keeps for itself, and what is looked at by itself.
OWN = re.compile(r"trusted\.(afr\..*|gfid2path\..*|pgfid\..*|glusterfs\.(mdata|volume-id|quota\..*)|SGI_ACL_.*)$")
STOCK = os.environ.get("STOCK_BRICKS", "").split()
EXCUSED_MAX = 5		# files
offences, excused = [], []


def offend(brick, rel, what):
    offences.append("%s: %s: %s" % (brick, rel or "/", what))


def excuse(bricks, brick, rel, what):
    """One of @bricks is a stock daemon's, and its memory may be the reason."""
    if any(b in STOCK for b in bricks):
        excused.append((rel, "%s: %s: %s (a stock brick's memory)" % (brick, rel, what)))
    else:
        offend(brick, rel, what)


def text(gfid):
    h = gfid.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def handle(brick, gfid):
    return os.path.join(brick, ".glusterfs", gfid[:2], gfid[2:4], gfid)


def attributes(path):
    return {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}


def content(path, st):
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            return st.st_size, hashlib.sha256(f.read()).hexdigest()
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    return st.st_rdev if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode) else None


def times(attrs):
    raw = attrs.get("trusted.glusterfs.mdata")
    return {"mtime": struct.unpack(">qq", raw[25:41]) if raw else "not stored"}


def check_handle(brick, rel, st, gfid):
    own = handle(brick, gfid)
    try:
        there = os.lstat(own)
    except OSError:
        return excuse([brick] if stat.S_ISDIR(st.st_mode) else [], brick, rel, "no handle %s" % gfid)
    if stat.S_ISDIR(st.st_mode):
        target = os.readlink(own) if stat.S_ISLNK(there.st_mode) else "(no link)"
        if not os.path.exists(own) or not os.path.samefile(own, os.path.join(brick, rel)):
            offend(brick, rel, "handle %s leads elsewhere: %s" % (gfid, target))
    elif (there.st_ino, there.st_dev) != (st.st_ino, st.st_dev):
        offend(brick, rel, "handle %s is another file" % gfid)


def check_path(brick, rel, attrs):
    parent = text(os.getxattr(os.path.join(brick, os.path.dirname(rel)), "trusted.gfid"))
    want = os.fsencode(parent + "/" + os.path.basename(rel))
    if not any(n.startswith("trusted.gfid2path.") and v == want for n, v in attrs.items()):
        excuse([brick], brick, rel, "no gfid2path for this name")


def describe(brick, rel, links):
    path = os.path.join(brick, rel)
    st = os.lstat(path)
    attrs = attributes(path)
    gfid = text(attrs["trusted.gfid"]) if "trusted.gfid" in attrs else None
    if gfid is None:
        offend(brick, rel, "no gfid")
    else:
        check_handle(brick, rel, st, gfid)
    for name, value in attrs.items():
        if name.startswith("trusted.afr.") and any(value):
            offend(brick, rel, "%s = %s" % (name, value.hex()))
    if not stat.S_ISDIR(st.st_mode):
        links.setdefault((st.st_ino, st.st_nlink), []).append(rel)
        check_path(brick, rel, attrs)
    d = {"kind and mode": oct(st.st_mode), "owner": (st.st_uid, st.st_gid), "gfid": gfid, "content": content(path, st)}
    if not (STOCK and "trusted.glusterfs.dht.linkto" in attrs and stat.S_IMODE(st.st_mode) == stat.S_ISVTX):
        d.update(times(attrs))
    d.update({n: v for n, v in attrs.items() if not OWN.match(n)})
    return d


def tree(brick):
    """Every object of a brick: path to description."""
    found, links, todo = {}, {}, [""]
    while todo:
        rel = todo.pop()
        found[rel] = describe(brick, rel, links)
        full = os.path.join(brick, rel)
        if os.path.isdir(full) and not os.path.islink(full):
            todo += [os.path.join(rel, n) for n in os.listdir(full) if (rel, n) != ("", ".glusterfs")]
    for (_, nlink), names in links.items():
        if len(names) != nlink - 1:
            offend(brick, names[0], "%d links, but %d names" % (nlink, len(names)))
    return found


def check_handles(brick, found):
    """Handles without an object, and the heal index. What lies in landfill keeps its handles until it is emptied in the background."""
    known = {d["gfid"] for d in found.values()}
    top = os.path.join(brick, ".glusterfs")
    doomed = {os.lstat(os.path.join(d, n)).st_ino for d, _, names in os.walk(os.path.join(top, "landfill")) for n in names}
    for a in os.listdir(top):
        if not re.fullmatch("[0-9a-f]{2}", a):
            continue
        for b in os.listdir(os.path.join(top, a)):
            for gfid in os.listdir(os.path.join(top, a, b)):
                own = os.path.join(top, a, b, gfid)
                gone = os.lstat(own).st_ino in doomed or (os.path.islink(own) and not os.path.exists(own))
                if gfid not in known and gfid != ZERO_UUID and not gone:
                    offend(brick, os.path.join(".glusterfs", a, b, gfid), "a handle without an object")
    for kind in ("xattrop", "dirty", "entry-changes"):
        where = os.path.join(top, "indices", kind)
        left = [n for n in (os.listdir(where) if os.path.isdir(where) else []) if not n.startswith(kind + "-")]
        for n in left:
            if kind == "entry-changes" and not os.listdir(os.path.join(where, n)):
                continue		# names came and went; the next heal of the directory removes it
            if kind == "entry-changes" and STOCK:
                print("%s: %s: a stock client's change failed, and it did not take back its name; nothing is to be healed" % (brick, n))
                continue
            offend(brick, os.path.join(".glusterfs/indices", kind, n), "waits for a heal")


def compare(first, other, trees):
    for rel in sorted(set(trees[first]) | set(trees[other])):
        if rel not in trees[first] or rel not in trees[other]:
            offend(other if rel in trees[first] else first, rel, "missing")
            continue
        a, b = trees[first][rel], trees[other][rel]
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                what = "%s: %r here, %r on the first" % (key, b.get(key), a.get(key))
                files = isinstance(a["content"], tuple) and key == "mtime" and "not stored" not in (a.get(key), b.get(key))
                excuse([first, other] if files else [], other, rel, what)


def main():
    replica, bricks = int(sys.argv[1]), sys.argv[2:]
    trees = {b: tree(b) for b in bricks}
    for b in bricks:
        check_handles(b, trees[b])
    for s in range(0, len(bricks), replica):
        for other in bricks[s + 1:s + replica]:
            compare(bricks[s], other, trees)
    if len({rel for rel, _ in excused}) > EXCUSED_MAX:
        offences.extend(text for _, text in excused)
    print("\n".join(offences[:40] or [text for _, text in excused]))
    print("same_bricks: %d bricks, %d objects, %d offences" % (len(bricks), sum(map(len, trees.values())), len(offences)))
    sys.exit(1 if offences else 0)


main()
