"""rfc1813_dir.py: READDIR and READDIRPLUS: limits, cookies, verifier, dots."""
from rfc1813 import *


def fill(w, n):
    names = [b"name-%03d-%s" % (i, b"x" * (i % 60)) for i in range(n)]
    for i, name in enumerate(names):
        made = w.c.mkdir(w.d, name) if i % 10 == 0 else w.c.create(w.d, name, GUARDED, mode=0o644)
        assert made["status"] == 0, made
    return sorted(names)


def directory_bytes(entries):
    """What dircount counts: fileid, name, cookie."""
    return sum(8 + 4 + len(e["name"]) + -len(e["name"]) % 4 + 8 for e in entries)


def pages(w, plus, **limits):
    cookie, verf, got = 0, bytes(8), []
    call = w.c.readdirplus if plus else w.c.readdir
    for _ in range(1000):
        page = call(w.d, cookie, verf, **limits)
        if page["status"]:
            status(page, OK, "page")
            return got
        got.append((page, len(w.c.last.data) - 28))     # an RPC reply's header is 24 bytes, the status 4
        if page["eof"]:
            return got
        if not page["entries"]:
            note("a page without entries and without eof")
            return got
        cookie, verf = page["entries"][-1]["cookie"], page["verf"]
    note("the listing does not end")
    return got


def check_readdir_limits(w):
    names = fill(w, 100)
    for count in (400, 512, 1024, 4096, 8192, 1 << 20, 0xffffffff):
        got = pages(w, False, count=count)
        true(all(size <= count for _, size in got), "no reply beyond %d: %d" % (count, max(size for _, size in got)))
        eq(sorted(e["name"] for page, _ in got for e in page["entries"] if e["name"] not in (b".", b"..")), names, "names with count %d" % count)
        true(all(page["attr"] for page, _ in got), "attributes of the directory")


def check_readdirplus_limits(w):
    names = fill(w, 100)
    for dircount, maxcount in ((512, 8192), (8192, 700), (100000, 1024), (256, 1 << 20), (0xffffffff, 0xffffffff), (4096, 4096)):
        got = pages(w, True, dircount=dircount, maxcount=maxcount)
        what = "dircount %d, maxcount %d" % (dircount, maxcount)
        true(all(size <= maxcount for _, size in got), what + ": no reply beyond maxcount: %d" % max(size for _, size in got))
        true(all(directory_bytes(page["entries"]) <= dircount or len(page["entries"]) == 1 for page, _ in got), what + ": names within dircount")
        eq(sorted(e["name"] for page, _ in got for e in page["entries"] if e["name"] not in (b".", b"..")), names, "names with " + what)


def check_too_small(w):
    fill(w, 10)
    for count in (0, 1, 64, 100):
        res = status(w.c.readdir(w.d, count=count), TOOSMALL, "READDIR of %d bytes" % count)
        true(res["attr"], "attributes on TOOSMALL")
        res = status(w.c.readdirplus(w.d, dircount=8192, maxcount=count), TOOSMALL, "READDIRPLUS of %d bytes" % count)
    res = w.c.readdirplus(w.d, dircount=1, maxcount=8192)
    true(res["status"] == TOOSMALL or res["status"] == OK and res["entries"], "dircount 1: TOOSMALL, or at least one entry")
    res = w.c.readdirplus(w.d, dircount=0, maxcount=8192)
    true(res["status"] == TOOSMALL or res["status"] == OK and res["entries"], "dircount 0: TOOSMALL, or at least one entry")


def check_too_small_for_a_long_name(w):
    w.file(b"n" * 255)
    for call in (lambda **at: w.c.readdir(w.d, count=300, **at), lambda **at: w.c.readdirplus(w.d, dircount=8192, maxcount=400, **at)):
        cookie, verf, seen = 0, bytes(8), []
        for _ in range(5):
            page = call(cookie=cookie, verf=verf)
            if page["status"] or page["eof"]:
                break
            seen += [e["name"] for e in page["entries"]]
            if not page["entries"]:
                note("a page without entries and without eof")
                break
            cookie, verf = page["entries"][-1]["cookie"], page["verf"]
        true(page["status"] == TOOSMALL or b"n" * 255 in seen, "a name that does not fit is TOOSMALL, not left out")


def check_empty_directory(w):
    for call in (w.c.readdir, w.c.readdirplus):
        page = status(call(w.d), OK, "an empty directory")
        eq((sorted(e["name"] for e in page["entries"]), page["eof"]), ([b".", b".."], True), "its entries")


def check_dots(w):
    sub = w.dir("sub")
    for call in (w.c.readdir, w.c.readdirplus):
        ids = {e["name"]: e["fileid"] for e in call(sub)["entries"]}
        eq((ids.get(b"."), ids.get(b"..")), (w.attr(sub)["fileid"], w.attr(w.d)["fileid"]), "file ids of . and ..")
        entries = call(w.top)["entries"]
        ids = {e["name"]: e["fileid"] for e in entries}
        top = w.attr(w.top)["fileid"]
        eq((ids.get(b"."), ids.get(b"..")), (top, top), "file ids of . and .. in the root")
        eq([e["name"] for e in entries].count(b".."), 1, "number of ..")
    for e in w.c.readdirplus(w.top)["entries"]:
        if e["name"] in (b".", b".."):
            if e["attr"]:
                eq(e["attr"]["fileid"], top, "attributes of %r in the root" % e["name"])
            if e["fh"]:
                eq(w.attr(e["fh"])["fileid"], top, "the handle of %r in the root" % e["name"])


def check_entries_agree_with_getattr(w):
    fill(w, 30)
    w.c.symlink(w.d, "s", "t"), w.c.mknod(w.d, "p", FIFO)
    plain = {e["name"]: e["fileid"] for e in w.c.readdir(w.d)["entries"]}
    for e in w.c.readdirplus(w.d)["entries"]:
        eq(plain.get(e["name"]), e["fileid"], "file id of %r" % e["name"])
        if e["name"] in (b".", b".."):
            continue
        # Attributes are optional: those of a directory that has copies on several subvolumes need more than a listing.
        spread = w.options.bricks and w.c.lookup(w.d, e["name"])["attr"]["type"] == DIR
        true(spread or e["attr"] and e["fh"], "attributes and handle of %r" % e["name"])
        if e["fh"] and e["attr"]:
            eq(e["attr"], w.attr(e["fh"]), "attributes of %r" % e["name"])
            eq(e["attr"]["fileid"], e["fileid"], "file id of %r in its attributes" % e["name"])
            eq(e["fh"], w.c.lookup(w.d, e["name"])["fh"], "handle of %r" % e["name"])


def check_cookies_are_positions(w):
    fill(w, 40)
    page = w.c.readdir(w.d)
    entries, verf = page["entries"], page["verf"]
    eq(len({e["cookie"] for e in entries}), len(entries), "cookies are unique")
    true(all(e["cookie"] for e in entries), "no cookie is 0")
    for i in (0, 1, 2, 10, 39, 41):
        for call in (w.c.readdir, w.c.readdirplus):
            rest = status(call(w.d, entries[i]["cookie"], verf), OK, "from cookie %d" % i)
            eq([e["name"] for e in rest.get("entries", [])], [e["name"] for e in entries[i + 1:]], "the rest from cookie %d" % i)
    end = status(w.c.readdir(w.d, entries[-1]["cookie"], verf), OK, "from the end")
    eq((end["entries"], end["eof"]), ([], True), "from the end")


def check_verifier(w):
    fill(w, 20)
    page = w.c.readdir(w.d, count=512)
    cookie, verf = page["entries"][-1]["cookie"], page["verf"]
    eq(w.c.readdirplus(w.d)["verf"], verf, "READDIRPLUS has the same verifier")
    w.file("new")
    status(w.c.remove(w.d, "new"), OK, "REMOVE")
    eq(w.c.readdir(w.d)["verf"], verf, "it stays when the directory changes")
    status(w.c.readdir(w.d, cookie, verf), OK, "the listing goes on")
    for i in (0, 7):
        wrong = verf[:i] + bytes([verf[i] ^ 1]) + verf[i + 1:]
        res = status(w.c.readdir(w.d, cookie, wrong), BAD_COOKIE, "READDIR with a wrong verifier")
        true(res["attr"], "attributes on BAD_COOKIE")
        status(w.c.readdirplus(w.d, cookie, wrong), BAD_COOKIE, "READDIRPLUS with a wrong verifier")
    status(w.c.readdir(w.d, 0, bytes(8)), OK, "a new listing")


def check_cookies_that_nobody_gave(w):
    fill(w, 20)
    verf = w.c.readdir(w.d)["verf"]
    for cookie in ((1 << 64) - 1, 1 << 63, (1 << 62) + 12345, 3, 999999):
        for call in (w.c.readdir, w.c.readdirplus):
            res = status(call(w.d, cookie, verf), (OK, BAD_COOKIE), "cookie %#x" % cookie)
    status(w.c.readdir(w.d), OK, "a listing afterwards")


def check_listing_while_removing(w):
    names = fill(w, 60)
    cookie, verf, seen = 0, bytes(8), []
    for _ in range(100):
        page = status(w.c.readdir(w.d, cookie, verf, count=600), OK, "page")
        for e in page["entries"]:
            if e["name"] in (b".", b".."):
                continue
            seen.append(e["name"])
            if w.c.remove(w.d, e["name"])["status"]:
                status(w.c.rmdir(w.d, e["name"]), OK, "removal")
        if page["eof"]:
            break
        cookie, verf = page["entries"][-1]["cookie"], page["verf"]
    eq(sorted(seen), names, "each name once")


def check_not_a_directory(w):
    fh = w.file()
    for call in (w.c.readdir, w.c.readdirplus):
        status(call(fh), NOTDIR, "listing a file")
        status(call(w.c.lookup(w.d, "l").get("fh") or w.c.symlink(w.d, "l", "t")["fh"]), NOTDIR, "listing a symlink")


def check_listing_needs_no_search_permission(w):
    sub = w.dir("sub", mode=0o744)
    status(w.c.create(sub, "f", GUARDED), OK, "CREATE")
    true(b"f" in [e["name"] for e in status(w.user.readdir(sub), OK, "READDIR with r alone").get("entries", [])], "names with r alone")
    page = status(w.user.readdirplus(sub), (OK, ACCES), "READDIRPLUS with r alone")
    if page["status"] == OK:
        true(b"f" in [e["name"] for e in page["entries"]], "names with r alone, READDIRPLUS")
