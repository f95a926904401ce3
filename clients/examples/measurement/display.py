"""The newest value, once a second: the rest does not even travel. python display.py http://127.0.0.1:8080"""

import contextlib
import sys

from radiod_client import Radio


def main(url):
    with Radio(url) as radio:
        for sample in radio.channel("measurement").listen(min_interval=1, latest=True):
            print(f"{sample.data['n']}: {sample.data['value']:+.3f}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1])
