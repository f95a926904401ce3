"""A child process for test_kill.py: changes access for ever, and says on stdout what has been answered.

    python changer.py PATH OUTSTANDING

Goes on where the file stands. Change number n issues the key n and revokes the one before, and every change
counts usage. One line "change n" or "usage n" for each, once it was answered, and not before.
"""

import os
import sys
from queue import SimpleQueue

from radiod.core.access.records import Act, KeyRecord, SecretRecord, UsageRow
from radiod.store.access import SqliteAccess
from radiod.store.sqlite import SqliteStore

HOUR, CHANNELS = 3600, 3


def key_of(number, state):
    return KeyRecord(
        id=f"k_{number}",
        account="acme",
        realm="radio",
        listen=("x" * (number * 7919 % 3000),),
        state=state,
        created=1.0,
        created_by="socket:0",
    )


def secret_of(number):
    return SecretRecord(digest=number.to_bytes(32), key=f"k_{number}", hint="last", created=1.0)


def changes_of(number):
    return [key_of(number - 1, "revoked"), key_of(number, "active"), secret_of(number)]


def usage_of(number):
    """What was counted by then, in each of some channels."""
    return [
        UsageRow(hour=HOUR, account="acme", key="k", channel=str(n), published=number)
        for n in range(CHANNELS)
    ]


def main(path, outstanding):
    calls = SimpleQueue()
    store = SqliteStore(path, calls.put)
    store.open()
    access = SqliteAccess(store)
    number = max(0, len(access.load().keys) - 1)
    store.start()
    while True:
        while store.waiting < outstanding:
            number += 1
            act = Act(time=1.0, actor="socket:0", address="", action="key.issue", object=f"k_{number}")
            tell(access.change(changes_of(number), act), f"change {number}")
            tell(access.count(usage_of(number)), f"usage {number}")
        calls.get()()


def tell(promise, line):
    def answered(error):
        if error is not None:
            raise SystemExit(str(error))
        os.write(1, f"{line}\n".encode())

    promise.then(answered)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
