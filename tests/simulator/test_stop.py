"""A signal may come at any moment of a wait."""

import subprocess
import sys

from simulator.stop import Stop

PROGRAM = """
import signal
import sys

from simulator.stop import Stop

lines = 0


def trace(frame, event, _):
    global lines
    if event == "line":
        lines -= 1
        if lines == 0:
            signal.raise_signal(signal.SIGTERM)
    return trace


for place in range(1, 1000):
    stop, lines = Stop(), place
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    sys.settrace(trace)
    is_set = stop.wait(0.0)
    sys.settrace(None)
    if lines > 0:
        break
    assert is_set, place
print(place)
"""


def test_a_signal_stops_a_wait_in_whatever_line_it_comes():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3


def test_it_waits_so_long_and_no_longer_than_until_it_is_set():
    stop = Stop()
    assert (stop.is_set(), stop.wait(-1.0), stop.wait(0.01)) == (False, False, False)
    stop.set()
    stop.set()
    assert [stop.wait(60.0) for _ in range(3)] == [True, True, True]
    assert stop.is_set()
