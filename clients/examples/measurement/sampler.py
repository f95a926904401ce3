"""Measures fifty times a second, but only while somebody listens: python sampler.py http://127.0.0.1:8080"""

import contextlib
import math
import sys
import time

from radiod_client import Radio

PERIOD_S = 0.02


def measure(n):
    """What a sensor would say: a wave of one second."""
    return math.sin(2 * math.pi * n * PERIOD_S)


def main(url):
    with Radio(url) as radio, radio.channel("measurement").writer() as writer:
        n, due = 0, time.monotonic()
        while True:
            if not writer.wanted:
                print("nobody listens: resting", flush=True)
                writer.wait_wanted()
                print("somebody listens: measuring", flush=True)
                due = time.monotonic()
            writer.put({"n": n, "value": measure(n)})
            n, due = n + 1, due + PERIOD_S
            time.sleep(max(due - time.monotonic(), 0))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1])
