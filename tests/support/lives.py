"""Radiods in memory, one after the other: what one was the next goes on with."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.testing import MemoryReactorClock

from radiod.core.realm.realm import Realm
from radiod.service.radio import Radio
from radiod.state.moments import Moment
from radiod.state.state import capture, restore
from support.config import BASE, parsed
from support.memory import HELLO, WebSocketWire, Wire

__all__ = ["AWAY", "THEN", "Life"]

THEN = Moment(time=1000.0, boot="b", up=100.0)
"""When a process stops."""

AWAY = 1.0
"""Seconds until the next one has started."""


class Life:
    """One process, and clients that come and go. ``notes``: of the state that it was started with."""

    def __init__(self, text: str = "", *, base: str = BASE, **limits: Any) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.text = text
        self.radio = Radio(parsed(text, base=base, **limits), self.reactor)
        self.notes: list[str] = []
        # What the thread of a store has for this one.
        self.calls: list[Any] = []
        # Connections that stay.
        self.owners: list[Any] = []

    @property
    def realm(self) -> Realm:
        """The realm that clients join."""
        return self.radio.realms["radio"]

    # --- from one to the next

    def stop(self) -> bytes:
        """What it was."""
        for realm in self.radio.realms.values():
            realm.close()
        return b"".join(capture(self.radio, THEN))

    def next(self, text: str | None = None, *, away: float = AWAY, base: str = BASE, **limits: Any) -> Life:
        """The process after this one. ``text``: another configuration; ``away``: seconds in between."""
        life = Life(self.text if text is None else text, base=base, **limits)
        life.go_on(self.stop(), away)
        return life

    def go_on(self, data: bytes, away: float = AWAY) -> None:
        """Be what another one was."""
        at = Moment(THEN.time + away, THEN.boot, THEN.up + away)
        self.notes = restore(self.radio, data, at)
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.reactor.advance(seconds)
        self.reactor.advance(0)

    # --- clients

    def join(self, authid: str | None = None) -> Any:
        """A connection with a session, of a user with a ticket if that is one."""
        wire = WebSocketWire(self.radio, self.reactor)
        if authid is None:
            wire.join()
        else:
            wire.ask([1, "radio", {**HELLO[2], "authid": authid, "authmethods": ["ticket"]}])
            assert wire.ask([5, f"{authid}-ticket", {}])[0] == 2
        return wire

    def ask(self, request: bytes) -> Any:
        """A connection of its own that has sent this, and was not read yet."""
        wire = Wire(self.radio, self.reactor)
        wire.send(request)
        return wire

    def publish(self, topic: str, *numbers: Any, key: str | None = None, **options: Any) -> None:
        """Events, by somebody who leaves."""
        wire = self.join()
        if key is not None:
            options["_radiod_key"] = key
        wire.say(*([16, None, options, topic, [number]] for number in numbers))
        wire.hang_up()

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """What a procedure answers, to somebody who stays: the results, or the error's URI."""
        wire = self.join()
        self.owners.append(wire)
        answer = wire.ask([48, None, {}, procedure, list(args), kwargs])
        return answer[3] if answer[0] == 50 else answer[4]

    # --- looking

    def position(self, topic: str) -> str:
        """Where a topic is, which is counted from now on."""
        return str(self.realm.space.histories.track(topic).position)

    def held(self, topic: str) -> list[Any]:
        """What its history has: the first argument of each event."""
        return [
            msgspec.json.decode(record.payload.args)[0] for record in self.realm.space.histories.of(topic)
        ]

    def recovered(self, topic: str, after: str, *then: Any) -> list[Any]:
        """What a listener gets behind a position, and of what is published then.

        None first where it is told that something is missing.
        """
        wire = self.join()
        wire.say([32, None, {"_radiod_after": after}, topic])
        if then:
            self.publish(topic, *then)
        heard = [message for message in wire.heard() if message[0] == 36]
        wire.hang_up()
        told = [message[4][0] for message in heard]
        return [None, *told] if any(one[3].get("_recovered") is False for one in heard) else told

    def retained(self, topic: str, authid: str | None = None) -> list[Any]:
        """What a late listener gets."""
        wire = self.join(authid)
        wire.say([32, None, {"get_retained": True}, topic])
        return [message[4][0] for message in wire.heard() if message[0] == 36]

    def shown(self) -> Any:
        """All that a state may change, at a glance."""
        return [
            (
                [(one.topic, one.position, len(one)) for one in realm.space.histories],
                list(realm.space.broker.retained),
                len(realm.channels),
                list(realm.channels.closed),
                self.radio.tokens.secret,
                len(self.radio.answers),
            )
            for realm in self.radio.realms.values()
        ]
