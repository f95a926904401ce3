"""Misses nothing, however long the disk takes: python recorder.py http://127.0.0.1:8080 measurement.csv"""

import contextlib
import csv
import sys

from radiod_client import Radio


def main(url, path):
    with Radio(url) as radio, open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["n", "value", "missing"])
        # size=0: the server keeps as many for us as it may; queue: and so do we.
        for sample in radio.channel("measurement").listen(size=0, queue=1_000_000):
            missing = sample.gap.lost if sample.gap else 0
            rows.writerow([sample.data["n"], sample.data["value"], missing])
            file.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:3])
