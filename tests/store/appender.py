"""A child process for test_kill.py: appends for ever, and says on stdout what has been acknowledged.

    python appender.py PATH OUTSTANDING KEEP

Goes on where the file stands. Writes one line "seq" for each acknowledged event, after ``done(None)`` only.
"""

import os
import sys
from queue import SimpleQueue

from radiod.store.sqlite import SqliteStore

REALM, CHANNEL, EPOCH = "radio", "news", "first"


def event_of(seq):
    """What the event of that number holds; some are larger than a page."""
    return {
        "epoch": EPOCH,
        "seq": seq,
        "time": 1000.0 + seq,
        "publication": seq * 7,
        "codec_name": "json",
        "args": b"%d" % seq * (1 + seq * 7919 % 1000),
        "kwargs": b"",
        "details_json": b"{}",
        "options_json": b"{}",
    }


def main(path, outstanding, keep):
    calls = SimpleQueue()
    store = SqliteStore(path, calls.put, cut_seconds=0.0)
    store.open()
    position = store.positions().get((REALM, CHANNEL))
    seq = 0 if position is None else position.seq
    store.start()
    while True:
        while store.waiting < outstanding:
            seq += 1
            store.append(REALM, CHANNEL, **event_of(seq), done=lambda error, seq=seq: tell(error, seq))
            store.trim(REALM, CHANNEL, EPOCH, seq - keep + 1)
        calls.get()()


def tell(error, seq):
    if error is not None:
        raise SystemExit(str(error))
    os.write(1, b"%d\n" % seq)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
