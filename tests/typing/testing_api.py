"""What programs that embed radiod may write with ``radiod.testing``; mypy reads this, nobody runs it.

Where a line must be wrong it is ignored by its error's code, and mypy reports an ignored line that is right.
"""

from __future__ import annotations

from typing import Any, assert_type

from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
    FakeClock,
    Peer,
    RecordingOutbox,
    Sent,
    SequentialIds,
    make_principal,
    make_realm,
)


def a_realm_on_fakes() -> None:
    clock, outbox = FakeClock(start=5.0, epoch=0.0), RecordingOutbox()
    realm = make_realm(outbox, clock, name="radio", ids=SequentialIds(), undeclared_topics=False)
    clock.advance(1.5)
    assert_type(clock.seconds(), float)
    alice, bob = Peer(realm, outbox, "alice"), Peer(realm, outbox, "bob", "listener", permissions=ALLOW_NONE)
    alice.send(16, 1, {}, "a.topic", ["text"], {"key": 1})
    assert_type(bob.received(), list[list[Any]])
    assert_type(alice.ask(32, 2, {}, "a.topic"), list[Any])
    assert_type(outbox.take(), list[Sent])
    assert_type(outbox.take(alice.session), list[Sent])
    bob.leave()


def rights() -> None:
    allowed: Allow = ALLOW_ALL
    make_principal("alice", "listener", allowed, memberships=("staff",))
    make_principal(permissions="all")  # type: ignore[arg-type]
    make_principal(memberships=["staff"])  # type: ignore[arg-type]


def what_is_refused() -> None:
    make_realm(FakeClock())  # type: ignore[arg-type]
    make_realm(RecordingOutbox(), FakeClock(), SequentialIds())  # type: ignore[arg-type, call-arg]
    FakeClock(start="now")  # type: ignore[arg-type]
    RecordingOutbox().take("alice")  # type: ignore[arg-type]
