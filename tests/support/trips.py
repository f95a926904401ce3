"""What one message passes on its way through a whole radio in memory: calls, and rooms (files of radiod).

Each trip is made twice and measured the second time, so that what happens only once does not count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.internet.testing import MemoryReactorClock

import radiod
from radiod.service.service import Radio

from .config import parsed
from .memory import WebSocketWire, Wire

__all__ = ["TRIPS", "Trip", "make_trips"]

RADIOD = f"{Path(radiod.__file__).parent}/"

CONFIG = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.keys.sample]
key = "sample-key"
publish = ["weather", "remembered"]

[realms.radio.channels.remembered]
history = { size = 100 }
"""


@dataclass
class Trip:
    """``calls``: Python functions of radiod that were called, ``rooms``: the files that they stand in."""

    calls: int = 0
    rooms: set[str] = field(default_factory=set)

    @property
    def core_rooms(self) -> int:
        """How many of the rooms lie in the core."""
        return sum(room.startswith("core/") for room in self.rooms)

    def follow(self, what: Callable[[], object]) -> None:
        """Do ``what``, and note what it passes."""
        sys.setprofile(self._note)
        try:
            what()
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(RADIOD):
            self.calls += 1
            self.rooms.add(file.removeprefix(RADIOD))


class Site:
    """A radio with two listeners, somebody who asks, and a callee."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        # What a trip passes depends on the configuration: all of it stands above.
        self.radio = Radio(parsed(CONFIG, base=""), self.reactor)
        self.listeners = [self.joined(), self.joined()]
        for listener in self.listeners:
            listener.say([32, None, {}, "weather"], [32, None, {}, "remembered"])
        self.callee = self.joined()
        self.callee.say([64, None, {}, "add"])
        self.asker = self.joined()
        self.clear()

    def joined(self) -> WebSocketWire:
        """A new connection with a session."""
        wire = WebSocketWire(self.radio, self.reactor)
        wire.join()
        return wire

    def clear(self) -> None:
        """Forget what has been heard."""
        for wire in (*self.listeners, self.callee, self.asker):
            wire.heard()

    def asking(self, message: list[Any]) -> Trip:
        """The trip of the asker's message, from the bytes that come to the bytes that go."""
        trip = Trip()
        trip.follow(lambda: self.asker.say(message))
        return trip


def publish(site: Site) -> Trip:
    """To two listeners of a topic that nobody declared."""
    trip = site.asking([16, None, {}, "weather", ["rain"]])
    assert all(event[0] == 36 for listener in site.listeners for event in listener.heard())
    return trip


def publish_acknowledged(site: Site) -> Trip:
    """The same, and the publisher is told."""
    trip = site.asking([16, None, {"acknowledge": True}, "weather", ["rain"]])
    assert site.asker.heard()[0][0] == 17
    return trip


def publish_with_history(site: Site) -> Trip:
    """On a channel that keeps its events."""
    return site.asking([16, None, {}, "remembered", ["rain"]])


def subscribe(site: Site) -> Trip:
    """To a topic that nobody listens to yet."""
    trip = site.asking([32, None, {}, "news"])
    subscribed = site.asker.heard()[0]
    assert subscribed[0] == 33
    site.asker.say([34, None, subscribed[2]])
    return trip


def call(site: Site) -> Trip:
    """As far as the callee."""
    trip = site.asking([48, None, {}, "add", [1, 2]])
    [invocation] = site.callee.heard()
    site.callee.say([70, invocation[1], {}, [3]])
    assert site.asker.heard()[0][0] == 50
    return trip


def answer(site: Site) -> Trip:
    """A callee's answer, as far as the caller."""
    site.asker.say([48, None, {}, "add", [1, 2]])
    [invocation] = site.callee.heard()
    trip = Trip()
    trip.follow(lambda: site.callee.say([70, invocation[1], {}, [3]]))
    assert site.asker.heard()[0][0] == 50
    return trip


def publish_over_http(site: Site) -> Trip:
    """One POST with an API key."""
    wire = Wire(site.radio, site.reactor)
    body = b'{"network": "weather", "data": {"text": "rain"}}'
    head = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: sample-key\r\nContent-Length: %d\r\n\r\n"
    trip = Trip()
    trip.follow(lambda: wire.send(head % len(body) + body))
    answer = wire.received()
    assert b" 200 OK" in answer, answer
    return trip


def lose_connection(site: Site) -> Trip:
    """Of somebody with two subscriptions."""
    wire = site.joined()
    wire.say([32, None, {}, "weather"], [32, None, {}, "remembered"])
    trip = Trip()
    trip.follow(wire.hang_up)
    site.reactor.advance(0)
    return trip


TRIPS: dict[str, Callable[[Site], Trip]] = {
    "PUBLISH": publish,
    "PUBLISH, acknowledged": publish_acknowledged,
    "PUBLISH, with history": publish_with_history,
    "SUBSCRIBE": subscribe,
    "CALL": call,
    "YIELD": answer,
    "HTTP publish": publish_over_http,
    "connection lost": lose_connection,
}


def make_trips() -> dict[str, Trip]:
    """Every trip by its name."""
    site = Site()
    trips = {}
    for name, make in TRIPS.items():
        for _ in range(2):
            trips[name] = make(site)
            site.clear()
    return trips
