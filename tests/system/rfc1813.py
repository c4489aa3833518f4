"""rfc1813.py: runs the checks of the areas named on the command line and prints one line for each that failed. Exit status 1 if any did.

A check is a function check_NAME(w) in rfc1813_AREA.py. It gets the World: clients, the export's root, and a fresh directory w.d that everybody
may write. Expectations are eq(), status() and true(), which note a failure and let the check go on.
"""
import argparse
import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nfs3
from nfs3 import *

NAMES = {v: k for k, v in vars(nfs3).items() if k.isupper() and isinstance(v, int) and (v >= 10001 or k in (
    "OK PERM NOENT IO NXIO ACCES EXIST XDEV NODEV NOTDIR ISDIR INVAL FBIG NOSPC ROFS MLINK NAMETOOLONG NOTEMPTY DQUOT STALE").split())}
failures = []
current = [""]


def note(what):
    failures.append((current[0], what))
    print("FAILED %s: %s" % (current[0], what), flush=True)


def eq(got, want, what):
    if got != want:
        note("%s: got %.200r, want %.200r" % (what, got, want))


def true(value, what):
    if not value:
        note(what)


def status(res, want, what):
    """The status is want, or one of them where the RFC leaves a choice. Returns the result."""
    wanted = want if isinstance(want, tuple) else (want,)
    if res["status"] not in wanted:
        note("%s: status %s, want %s" % (what, NAMES.get(res["status"], res["status"]), " or ".join(NAMES[x] for x in wanted)))
    return res


def refused_with(function, *args, **kw):
    """How the RPC layer refused a call, as a tuple, or None if it did not."""
    try:
        function(*args, **kw)
    except RuntimeError as e:
        return e.args[0]
    return None


class World:
    def __init__(self, options):
        self.options = options
        self.port, self.path = options.port, "/" + options.volume
        self.c = Client(port=self.port)
        self.top = self.c.mount(self.path)
        self.clients = {}
        self.n = 0

    def client(self, uid=0, gid=None, groups=(), source=None, host="127.0.0.1"):
        """A client that is shared by all who ask for the same."""
        key = (uid, uid if gid is None else gid, tuple(groups), source, host)
        if key not in self.clients:
            self.clients[key] = Client(host, self.port, key[0], key[1], groups, source and (source, 0))
        return self.clients[key]

    @property
    def user(self):
        return self.client(1000)

    @property
    def other(self):
        return self.client(1001)

    def fresh(self, name):
        self.n += 1
        self.name = "%02d-%s" % (self.n, name)
        made = self.c.mkdir(self.top, self.name, mode=0o777)
        assert made["status"] == 0, made
        self.d = made["fh"]

    def file(self, name="f", data=b"", client=None, **attrs):
        """A new file's handle."""
        client = client or self.c
        made = client.create(self.d, name, GUARDED, **{"mode": 0o644, **attrs})
        assert made["status"] == 0, made
        if data:
            wrote = client.write(made["fh"], 0, data)
            assert wrote["status"] == 0 and wrote["count"] == len(data), wrote
        return made["fh"]

    def dir(self, name="dir", client=None, **attrs):
        made = (client or self.c).mkdir(self.d, name, **{"mode": 0o777, **attrs})
        assert made["status"] == 0, made
        return made["fh"]

    def attr(self, fh):
        res = self.c.getattr(fh)
        assert res["status"] == 0, res
        return res["attr"]

    def ask(self, *words):
        """Lets the script do something to the daemons, and waits until it has."""
        self.requests.write(" ".join(map(str, words)) + "\n")
        self.requests.flush()
        assert self.answers.readline() == "done\n", "the script could not: %s" % (words,)

    def reconnect(self):
        for client in [self.c, *self.clients.values()]:
            client.connect()
            client.last = None


def run(world, area):
    module = importlib.import_module("rfc1813_" + area)
    for name, function in list(vars(module).items()):
        if not name.startswith("check_") or world.options.only not in area + "." + name:
            continue
        current[0] = "%s %s.%s" % (world.options.name, area, name[6:])
        begun = time.monotonic()
        try:
            world.fresh(name[6:40])
            function(world)
        except Exception as e:
            where = traceback.extract_tb(e.__traceback__)
            line = [f for f in where if "rfc1813_" in f.filename][-1:] or where[-1:]
            note("line %d: %s: %.300s" % (line[0].lineno, type(e).__name__, e))
            world.reconnect()
        world.count += 1
        if os.environ.get("VERBOSE"):
            print("%s %.2f s" % (current[0], time.monotonic() - begun))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="")
    parser.add_argument("--port", type=int, default=2049)
    parser.add_argument("--volume", default="demo")
    parser.add_argument("--bricks", default="")
    parser.add_argument("--requests")
    parser.add_argument("--answers")
    parser.add_argument("--only", default="")
    parser.add_argument("--stock", action="store_true", help="the bricks make no promises: some attributes would cost a call of their own")
    parser.add_argument("areas", nargs="+")
    options = parser.parse_args()
    begun = time.monotonic()
    requests = open(options.requests, "w") if options.requests else None
    answers = open(options.answers) if options.answers else None
    world = World(options)
    world.requests, world.answers, world.count = requests, answers, 0
    for area in options.areas:
        run(world, area)
    failed = len({name for name, _ in failures})
    print("%s: %d checks, %d failed, %.1f s" % (options.name, world.count, failed, time.monotonic() - begun))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    sys.modules["rfc1813"] = sys.modules["__main__"]
    main()
