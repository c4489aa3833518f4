"""tests/system/state.py: what the gateway's state dump (SIGUSR1, --state-file) tells."""
import os
import signal
import time


def brick_calls(pid, path):
    """How many calls all protocol/client translators of gateway PID have made so far."""
    before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
    os.kill(pid, signal.SIGUSR1)
    end = time.monotonic() + 20
    while not os.path.exists(path) or os.stat(path).st_mtime_ns == before:
        assert time.monotonic() < end, "no state dump was written"
        time.sleep(0.02)
    time.sleep(0.1)
    total, inside = 0, False
    with open(path) as f:
        for line in f:
            if line.startswith("[translator "):
                inside = False
            if line.strip() == "type=protocol/client":
                inside = True
            if inside and line.startswith("calls."):
                total += int(line.split("=")[1])
    return total
