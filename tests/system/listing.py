"""listing.py STEP STATE: the steps of listing.sh. STATE is a file that carries the listing across a restart of the gateway."""
import os
import pickle
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3

N = int(os.environ.get("NAMES", 100000))
step, state = sys.argv[1:]
client = nfs3.Client()
top = client.mount("/demo")


def pages(fh, cookie=0, verf=b"\0" * 8, plus=True):
    while True:
        page = nfs3.patiently(client.readdirplus if plus else client.readdir, fh, cookie, verf)
        assert page["status"] == 0, page
        verf = page["verf"]
        if page["entries"]:
            cookie = page["entries"][-1]["cookie"]
        yield [e["name"].decode() for e in page["entries"] if e["name"] not in (b".", b"..")], cookie, verf
        if page["eof"]:
            return


def exactly_once(names, want):
    assert len(names) == len(set(names)), "%d names are listed more than once" % (len(names) - len(set(names)))
    missing = set(want) - set(names)
    assert not missing, "%d names are missing, such as %s" % (len(missing), sorted(missing)[:3])


if step == "fill":
    big = client.mkdir(top, "big", mode=0o755)["fh"]

    failures = []

    def fill(part):
        try:
            fill_part(part)
        except Exception as e:
            failures.append("part %d: %r" % (part, e))

    def fill_part(part):
        mine = nfs3.Client()
        window, todo = [], iter(range(part, N, 4))
        done = False
        while not done or window:
            while not done and len(window) < 32:
                i = next(todo, None)
                if i is None:
                    done = True
                    break
                args = nfs3.opaque(big) + nfs3.opaque("name-%06d" % i) + nfs3.u32(1) + mine.sattr(mode=0o644)
                window.append(mine.send(100003, 3, 8, args))
            if window:
                u = nfs3.Unpacker(mine.record())
                window.remove(u.u32())
                u.fixed(20)
                status = u.u32()
                assert status == 0, status
    threads = [threading.Thread(target=fill, args=(p,)) for p in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("\n".join(failures))
    sys.exit(1 if failures else 0)

big = nfs3.patiently(client.lookup, top, "big")["fh"]
everything = ["name-%06d" % i for i in range(N)]
if step == "first-half":
    for plus in (False, True):
        exactly_once([n for page, _, _ in pages(big, plus=plus) for n in page], everything)
    names = []
    for page, cookie, verf in pages(big):
        names += page
        if len(names) > N // 2:
            break
    with open(state, "wb") as f:
        pickle.dump((names, cookie, verf), f)
elif step == "second-half":
    with open(state, "rb") as f:
        names, cookie, verf = pickle.load(f)
    for page, _, _ in pages(big, cookie, verf):
        names += page
    exactly_once(names, everything)
elif step == "delete-while-listing":
    names, other = [], nfs3.Client()
    gone = 0
    for page, _, _ in pages(big):
        names += page
        for name in page[::3]:		# names seen already and names still to come
            assert other.remove(big, name)["status"] == 0
            gone += 1
        late = "name-%06d" % (N - 1 - gone)
        if late not in names:
            other.remove(big, late)
    stayed = [n.decode() for n in client.list(big)]
    exactly_once(names, stayed)
