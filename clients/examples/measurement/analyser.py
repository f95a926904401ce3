"""Mean and spread of the last second; where it is too slow it skips, and says so: python analyser.py URL"""

import contextlib
import statistics
import sys
import time
from collections import deque

from radiod_client import Radio

WINDOW = 50


def main(url):
    window = deque(maxlen=WINDOW)
    with Radio(url) as radio:
        # A ring of middle size: of what we are too slow for, the oldest is dropped, here or at the server.
        for sample in radio.channel("measurement").listen(size=100, policy="ring", queue=100):
            if sample.gap:
                print(f"skipped {sample.gap.lost} ({sample.gap.reason})", flush=True)
            window.append(sample.data["value"])
            if len(window) == WINDOW and sample.data["n"] % WINDOW == 0:
                mean, spread = statistics.fmean(window), statistics.pstdev(window)
                print(f"{sample.data['n']}: mean {mean:+.3f}, spread {spread:.3f}", flush=True)
            time.sleep(0.001)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1])
