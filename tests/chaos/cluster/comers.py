"""Sessions that come and go, by the million, in a process of their own, with little Python for each.

``python -m chaos.cluster.comers RATE STAY_S HOST:PORT …``: so many join each second, at the nodes in turn,
over RawSocket; each stays for up to twice that time. Most do nothing; some do one of ``DEEDS``. They say
goodbye, and join again as somebody else on the same connection, ``TURNS`` times; then one in two hangs up.
Every second it writes what it has done as one line of JSON; when its standard input ends it lets nobody in
any more, waits until all have left, and writes the last line.
"""

from __future__ import annotations

import heapq
import json
import os
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random

__all__ = ["CROWDS", "DEEDS", "LAST", "Comers"]

CROWDS = 8
"""Channels with presence that some listen to."""

LAST = 50
"""Topics with a retained event."""

JOIN_S = 15.0
"""How long a session may wait for its WELCOME."""

AWAY_S = 0.5
"""How long a node that refused a connection is left alone."""

EACH = 250
"""Of so many one does each of the deeds."""

TURNS = 20
"""Sessions of one connection, one after the other."""

CATCH_UP = 1.5
MOST_WAITING = 30
"""Who waits for a WELCOME: where nodes are slower than they come, they come later."""

LATER_S = 0.2
HANDSHAKE = bytes((0x7F, 0xF1, 0, 0))
WELCOME, ABORT, GOODBYE, ERROR = 2, 3, 6, 8


def frame(*message: object) -> bytes:
    """A message, in its frame."""
    data = json.dumps(message, separators=(",", ":")).encode()
    return len(data).to_bytes(4, "big") + data


ROLES = {"roles": {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}}
HELLO = frame(1, "radio", ROLES)
BYE = frame(6, {}, "wamp.close.close_realm")

DEEDS: tuple[Callable[[int], bytes], ...] = (
    lambda number: frame(32, 1, {}, f"crowd.{number // EACH % CROWDS}"),
    lambda number: frame(64, 1, {}, f"comer.{number}"),
    lambda number: frame(
        48, 1, {}, "radiod.channel.create", [f"made.{number}"], {"lifetime": 20, "history": {"size": 10}}
    ),
    lambda number: frame(
        16, 1, {"acknowledge": True, "retain": True}, f"last.{number // EACH % LAST}", [number]
    ),
    lambda number: frame(48, 1, {}, "wamp.session.add_testament", [f"gone.{number % 10}", [number], {}]),
    lambda number: frame(32, 1, {}, f"passing.{number}"),
)
"""Be present, register, create a channel, retain an event, leave a testament, subscribe."""


class Comer:
    """One connection, and the session that it has now.

    ``until``: when that leaves, or has waited too long; ``turns``: how many sessions there were before;
    ``is_leaving``: it is the last one, and has said goodbye.
    """

    __slots__ = ("door", "has_joined", "is_leaving", "number", "socket", "turns", "unread", "until")

    def __init__(self, number: int, door: int, connection: socket.socket, until: float) -> None:
        self.number = number
        self.door = door
        self.socket: socket.socket | None = connection
        self.until = until
        self.unread = b""
        self.has_joined = False
        self.is_leaving = False
        self.turns = 0


class Comers:
    """See the module. ``counts``: what was done."""

    def __init__(self, rate: float, stay_s: float, doors: list[tuple[str, int]], seed: int = 1) -> None:
        self._rate = rate
        self._stay_s = stay_s
        self._doors = doors
        self._away_until = [0.0] * len(doors)
        self._random = Random(seed)
        self._selector = selectors.DefaultSelector()
        self._leaving: list[tuple[float, int, Comer]] = []
        self._waiting = 0
        self._number = 0
        self._is_over = False
        # Who has joined again since: those who come besides are as many fewer.
        self._again = 0
        self.counts: Counter[str] = Counter()

    @property
    def present(self) -> int:
        """How many connections there are."""
        return len(self._leaving)

    def run(self, is_over: Callable[[], bool], tell: Callable[[Counter[str]], None]) -> None:
        """Until ``is_over``, and all have left."""
        began = last = told = time.monotonic()
        credit, has_ended = 0.0, False
        while not has_ended or self._leaving:
            now = time.monotonic()
            has_ended = self._is_over = has_ended or is_over()
            # What could not come while nobody let anybody in comes later, but not all at once.
            missing = (now - began) * self._rate - self.counts["joined"] - self._waiting
            credit += (now - last) * self._rate * (CATCH_UP if missing > self._rate else 1.0)
            last = now
            credit -= self._again
            self._again = 0
            while credit >= 1 and not has_ended:
                credit -= 1
                self._come(now)
            credit = max(credit, -self._rate)
            self._look()
            self._leave(time.monotonic())
            if now - told >= 1:
                told = now
                tell(self.counts)
        tell(self.counts)

    # --- coming

    def _come(self, now: float) -> None:
        doors = len(self._doors)
        there = [at for at in range(doors) if self._away_until[at] <= now]
        if not there or self._waiting >= MOST_WAITING:
            self.counts["put off"] += 1
            return
        self._number += 1
        door = there[self._number % len(there)]
        connection = socket.socket()
        connection.setblocking(False)
        comer = Comer(self._number, door, connection, now + JOIN_S)
        connection.connect_ex(self._doors[door])
        self._waiting += 1
        self._selector.register(connection, selectors.EVENT_WRITE, comer)
        heapq.heappush(self._leaving, (comer.until, comer.number, comer))

    def _look(self) -> None:
        for key, _ in self._selector.select(0.005):
            comer = key.data
            if key.events == selectors.EVENT_WRITE:
                self._connected(comer)
            else:
                self._read(comer)

    def _connected(self, comer: Comer) -> None:
        connection = comer.socket
        assert connection is not None
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._away_until[comer.door] = time.monotonic() + AWAY_S
            self._end(comer, "refused")
            return
        self._selector.modify(connection, selectors.EVENT_READ, comer)
        self._send(comer, HANDSHAKE + HELLO)

    def _send(self, comer: Comer, data: bytes) -> None:
        assert comer.socket is not None
        try:
            # Some hundred bytes fit into any connection's buffer.
            comer.socket.send(data)
        except OSError:
            self._end(comer, "hung up on")

    # --- what comes

    def _read(self, comer: Comer) -> None:
        assert comer.socket is not None
        try:
            data = comer.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._end(comer, "left" if comer.is_leaving else "hung up on")
            return
        data = comer.unread + data
        at = 0
        if not comer.has_joined and data[:1] == b"\x7f":
            if len(data) < len(HANDSHAKE):
                comer.unread = data
                return
            at = len(HANDSHAKE)
        while len(data) >= at + 4:
            end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            if len(data) < end:
                break
            if data[at] == 0:
                self._take(comer, data[at + 4 : end])
                if comer.socket is None:
                    return
            at = end
        comer.unread = data[at:]

    def _take(self, comer: Comer, message: bytes) -> None:
        code = int(message[1 : message.index(b",")])
        if code == WELCOME:
            self._joined(comer)
        elif code == GOODBYE:
            if not comer.has_joined:
                self.counts["left"] += 1  # and has said who comes next
            else:
                self._end(comer, "left" if comer.is_leaving else "sent away")
        elif code == ABORT:
            self._end(comer, f"aborted {json.loads(message)[2]}")
        elif code == ERROR:
            told = json.loads(message)
            self.counts[f"refused {told[4]}"] += 1

    def _joined(self, comer: Comer) -> None:
        comer.has_joined = True
        self._waiting -= 1
        self.counts["joined"] += 1
        comer.until = time.monotonic() + self._random.uniform(0, 2 * self._stay_s)
        # The one that is there leads to a look at ``until``.
        heapq.heappush(self._leaving, (comer.until, comer.number, comer))
        deed = comer.number % EACH
        if deed < len(DEEDS):
            self.counts["deeds"] += 1
            self._send(comer, DEEDS[deed](comer.number))

    # --- going

    def _leave(self, now: float) -> None:
        while self._leaving and self._leaving[0][0] <= now:
            due, _, comer = heapq.heappop(self._leaving)
            if comer.socket is None or due < comer.until:
                continue
            if not comer.has_joined:
                self._end(comer, "not let in")
            elif comer.is_leaving:
                self._end(comer, "unanswered")
            elif comer.turns < TURNS and not self._is_over:
                if self._waiting < MOST_WAITING:
                    self._next(comer, now)
                else:
                    comer.until = now + self._random.uniform(0, LATER_S)
                    heapq.heappush(self._leaving, (comer.until, comer.number, comer))
            elif comer.number % 2:
                self._end(comer, "went")
            else:
                comer.is_leaving = True
                comer.until = now + JOIN_S
                heapq.heappush(self._leaving, (comer.until, comer.number, comer))
                self._send(comer, BYE)

    def _next(self, comer: Comer, now: float) -> None:
        """Somebody else comes in one's place."""
        self._number += 1
        self._again += 1
        self._waiting += 1
        comer.number = self._number
        comer.turns += 1
        comer.has_joined = False
        comer.until = now + JOIN_S
        heapq.heappush(self._leaving, (comer.until, comer.number, comer))
        self._send(comer, BYE + HELLO)

    def _end(self, comer: Comer, how: str) -> None:
        if comer.socket is None:
            return
        self._selector.unregister(comer.socket)
        comer.socket.close()
        comer.socket = None
        self._waiting -= not comer.has_joined
        self.counts[how] += 1


def main(arguments: list[str]) -> None:
    """The command."""
    doors = [(host, int(port)) for host, _, port in (one.rpartition(":") for one in arguments[2:])]
    comers = Comers(float(arguments[0]), float(arguments[1]), doors)
    end = selectors.DefaultSelector()
    end.register(sys.stdin, selectors.EVENT_READ)
    comers.run(
        lambda: bool(end.select(0)) and not os.read(0, 4096),
        lambda counts: print(json.dumps(dict(counts)), flush=True),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
