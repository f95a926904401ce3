"""Publishes as the article's generator does: one POST for each sample, then a pause.

python article_generator.py http://127.0.0.1:8080 sample-key
"""

import contextlib
import sys
import time

import requests
from town import samples

STEP_S = 0.2


def main(url, key):
    for data in samples():
        # The answer is not looked at: a wrong key is published with for ever, and nobody hears it.
        requests.post(
            f"{url}/publish", json={"network": "sample_net", "data": data}, headers={"API-KEY": key}
        )
        time.sleep(STEP_S)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:3])
