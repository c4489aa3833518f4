"""tests/system/state.py: what the gateway's state dump (SIGUSR1, --state-file) tells."""
import json
import os
import signal
import time


def read(path):
    with open(path) as f:
        return json.load(f)


def brick_calls(pid, path):
    """How many calls all protocol/client translators of gateway PID have made so far."""
    before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
    os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + 20
    while not os.path.exists(path) or os.stat(path).st_mtime_ns == before:
        assert time.monotonic() < end, "no state dump was written"
        time.sleep(0.02)
    time.sleep(0.1)
    return sum(sum(t["calls"].values()) for v in read(path)["volumes"] for t in v["translators"] if t["type"] == "protocol/client")
