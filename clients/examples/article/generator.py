"""The same with our client: python generator.py http://127.0.0.1:8080 sample-key"""

import contextlib
import sys

from radiod_client import HttpPublisher, PublishRefused
from town import samples

STEP_S = 0.2


def main(url, key):
    # Keeps its period, goes on over a restart of the server, and rests while nobody listens.
    HttpPublisher(url, key, "sample_net").run(samples(), STEP_S, rest=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            main(*sys.argv[1:3])
        except PublishRefused as error:
            sys.exit(f"refused: {error}")
