"""The same with our client: python listener.py http://127.0.0.1:8080"""

import contextlib
import sys

from radiod_client import Radio


def main(url):
    with Radio(url) as radio:
        for sample in radio.channel("sample_net").listen():
            if sample.gap:
                print(f"missing: {sample.gap}", flush=True)
            print(sample.data, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1])
