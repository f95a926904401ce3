"""Many listeners and publishers of channels with a history, in a process of its own that costs little.

``python -m chaos.cluster.herd`` reads what it is to do as JSON on a line, and plays until its input ends. It
tells as JSON, on a line each: when all listen, and in the end the figures. No event is decoded: numbers are
found by their places. Whoever loses a node goes on at another, listeners behind their positions.
"""

from __future__ import annotations

import heapq
import json
import select
import socket
import sys
import time
from array import array
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

__all__ = ["Herd", "Listener", "Member", "Publisher", "judge", "topics"]

GREETING = b"\x7f\xf1\0\0"
HELLO = b'[1,"radio",{"roles":{"publisher":{},"subscriber":{}}}]'
GOODBYE = b'[6,{},"wamp.close.goodbye_and_out"]'
LIFE = 10**7
"""An event is its publisher's session times this, and its number in it."""

AGAIN_S = 0.2
SETTLE_S = 30.0
SILENT_S = 10.0
MOST_NOTES = 20
"""Whoever gets no answer to a greeting, or none to what it asks, tries another node."""


def topics(count: int) -> list[str]:
    """Channels that nobody else has, durable ones and others in turn."""
    return [f"{'kept' if at % 2 else 'past'}.herd{at}" for at in range(count)]


class Member:
    """One session, at one node after the other."""

    def __init__(self, herd: Herd, node: int) -> None:
        self.herd = herd
        self.node = node
        self.sock: socket.socket | None = None
        self.data = b""
        self.is_joined = False
        self.is_ready = False
        self.moves = -1
        self.since = 0.0

    def connect(self) -> None:
        """Begin a session at its node."""
        self.moves += 1
        self.data = b""
        self.is_joined = self.is_ready = False
        sock = self.sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect_ex(self.herd.nodes[self.node])
        self.since = time.monotonic()
        self.herd.look_at(self, sock, select.EPOLLOUT)
        moves = self.moves
        self.herd.at(self.since + SILENT_S, lambda: self._give_up(moves))

    def _give_up(self, moves: int) -> None:
        """Nobody has answered."""
        if moves == self.moves and not self.is_ready:
            self.move(0)

    def opened(self) -> None:
        """There is a connection, or none."""
        assert self.sock is not None
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.move(AGAIN_S)
            return
        self.herd.look_at(self, self.sock, select.EPOLLIN)
        self._send(GREETING + len(HELLO).to_bytes(4, "big") + HELLO)

    def say(self, message: bytes) -> None:
        """Send a message."""
        self._send(len(message).to_bytes(4, "big") + message)

    def _send(self, data: bytes) -> None:
        if self.sock is None:
            return
        try:
            # Some hundred bytes: the socket takes them, or the node does not live.
            self.sock.sendall(data)
        except OSError:
            self.move(AGAIN_S)

    def move(self, seconds: float) -> None:
        """Go to another node, unless it is on its way already."""
        if self.sock is None:
            return
        self.herd.forget(self.sock)
        self.sock.close()
        self.sock = None
        self.is_joined = self.is_ready = False
        self.over()
        if not self.herd.is_over:
            others = [at for at in range(len(self.herd.nodes)) if at != self.node]
            self.node = self.herd.random.choice(others)
            self.herd.at(time.monotonic() + seconds, self.connect)

    def over(self) -> None:
        """A session is over."""

    def read(self) -> None:
        """Bytes came, or the end."""
        assert self.sock is not None
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.move(AGAIN_S)
            return
        data, at = self.data + data, 0
        if not self.is_joined and data[:1] == b"\x7f":
            at = 4
        while len(data) - at >= 4:
            size = int.from_bytes(data[at : at + 4], "big")
            end = at + 4 + size
            if end > len(data):
                break
            self.hear(data[at + 4 : end])
            at = end
            if self.sock is None:
                return
        self.data = data[at:]

    def hear(self, message: bytes) -> None:
        """One message."""
        if message.startswith(b"[2,"):
            self.is_joined = True
            self.joined()
        elif message.startswith(b"[6,"):
            self.herd.ends[message[message.rindex(b',"') + 2 : -2].decode()] += 1
            self.say(GOODBYE)
            self.move(0)
        elif message.startswith(b"[3,"):
            self.move(AGAIN_S)
        else:
            self.herd.trouble(f"{type(self).__name__} was told {message[:200]!r}")

    def joined(self) -> None:
        """It has been welcomed."""


class Listener(Member):
    """``tags``, ``seqs``: what it heard; ``epochs``: in turn; ``told``: how often it was told of loss.

    ``turns``: how many it had heard when it began to listen, at which node, and behind which position.
    """

    def __init__(self, herd: Herd, node: int, topic: str) -> None:
        super().__init__(herd, node)
        self.topic = topic
        self.tags = array("q")
        self.seqs = array("q")
        self.epochs: list[bytes] = []
        self.told = 0
        self.turns: list[tuple[int, int, str | None]] = []

    def joined(self) -> None:
        after = f"{self.epochs[-1].decode()}:{self.seqs[-1]}" if self.seqs else None
        self.turns.append((len(self.tags), self.node, after))
        options = {} if after is None else {"_radiod_after": after}
        self.say(json.dumps([32, 1, options, self.topic]).encode())

    def hear(self, message: bytes) -> None:
        if not message.startswith(b"[36,"):
            if message.startswith(b"[33,"):
                self.is_ready = True
                self.herd.took.append(time.monotonic() - self.since)
            elif message.startswith(b"[8,32,"):
                self.herd.refused += 1
                self.move(AGAIN_S)
            else:
                super().hear(message)
            return
        at = message.index(b'"_seq":') + 7
        self.seqs.append(int(message[at : _number_end(message, at)]))
        at = message.index(b'"_epoch":"') + 10
        epoch = message[at : message.index(b'"', at)]
        if not self.epochs or self.epochs[-1] != epoch:
            self.epochs.append(epoch)
        self.tags.append(int(message[message.rindex(b"[") + 1 : message.index(b"]", len(message) - 3)]))
        if b'"_lost"' in message or b'"_recovered":false' in message:
            self.told += 1
            self.herd.note(f"{self.topic}: told of loss {message[:400]!r}")


def _number_end(message: bytes, at: int) -> int:
    while 48 <= message[at] <= 57:
        at += 1
    return at


class Publisher(Member):
    """Publishes ``rate`` events a second, acknowledged. ``open``: request -> event without an answer.

    ``taken``: acknowledged; ``unanswered``: those whose session ended first.
    """

    def __init__(self, herd: Herd, node: int, topic: str, rate: float) -> None:
        super().__init__(herd, node)
        self.topic = topic
        self.rate = rate
        self.life = -1
        self.open: dict[int, int] = {}
        self.taken = array("q")
        self.unanswered = array("q")
        self.denied = array("q")
        self._number = 0

    def joined(self) -> None:
        self.life += 1
        self._number = 0
        self.is_ready = True
        if self.herd.is_publishing:
            self.begin()

    def begin(self) -> None:
        """Publish from now on, as long as this session lasts."""
        life = self.life
        self.herd.at(time.monotonic() + self.herd.random.random() / self.rate, lambda: self._publish(life))

    def _publish(self, life: int) -> None:
        if life != self.life or not self.is_ready or not self.herd.is_publishing:
            return
        self._number += 1
        tag = life * LIFE + self._number
        self.open[self._number] = tag
        self.say(b'[16,%d,{"acknowledge":true},"%s",[%d]]' % (self._number, self.topic.encode(), tag))
        self.herd.at(time.monotonic() + 1 / self.rate, lambda: self._publish(life))

    def hear(self, message: bytes) -> None:
        if message.startswith(b"[17,"):
            self.taken.append(self.open.pop(int(message[4 : message.index(b",", 4)])))
        elif message.startswith(b"[8,16,"):
            tag = self.open.pop(int(message[6 : message.index(b",", 6)]))
            self.herd.refused += 1
            if b"did not happen" in message:
                self.denied.append(tag)
        else:
            super().hear(message)

    def over(self) -> None:
        self.unanswered.extend(self.open.values())
        self.open.clear()


class Herd:
    """See the module. ``took``: seconds from connecting to SUBSCRIBED, of each session that listened."""

    def __init__(
        self, nodes: list[tuple[str, int]], channels: int, listeners: int, rate: float, seed: int
    ) -> None:
        self.nodes = nodes
        self.random = Random(seed)
        self.ends: Counter[str] = Counter()
        self.took: list[float] = []
        self.refused = 0
        self.troubles: list[str] = []
        self.notes: list[str] = []
        self.is_publishing = False
        self.is_over = False
        self._epoll = select.epoll()
        self._members: dict[int, Member] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        names = topics(channels)
        self.listeners = [
            Listener(self, at % len(nodes), names[at // listeners]) for at in range(channels * listeners)
        ]
        self.publishers = [
            Publisher(self, at % len(nodes), name, rate) for at, name in enumerate(names) if rate
        ]

    # --- the loop

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something then."""
        self._count += 1
        heapq.heappush(self._due, (when, self._count, what))

    def look_at(self, member: Member, sock: socket.socket, events: int) -> None:
        """Have a socket looked at."""
        if sock.fileno() in self._members:
            self._epoll.modify(sock, events)
        else:
            self._epoll.register(sock, events)
        self._members[sock.fileno()] = member

    def forget(self, sock: socket.socket) -> None:
        """Have it looked at no more."""
        self._members.pop(sock.fileno(), None)
        self._epoll.unregister(sock)

    def trouble(self, text: str) -> None:
        """Something that nobody may meet."""
        if len(self.troubles) < 5:
            self.troubles.append(text)

    def note(self, text: str) -> None:
        """What tells more of a fault."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append(text)

    def run(self, seconds: float, is_done: Callable[[], bool]) -> bool:
        """Play until it is so, for so long at most. Returns: whether it is so."""
        end = time.monotonic() + seconds
        self._epoll.register(sys.stdin, select.EPOLLIN)
        try:
            while not is_done():
                now = time.monotonic()
                if now > end:
                    return False
                while self._due and self._due[0][0] <= now:
                    heapq.heappop(self._due)[2]()
                wait = min(0.1, self._due[0][0] - now) if self._due else 0.1
                for descriptor, events in self._epoll.poll(max(0.0, wait)):
                    member = self._members.get(descriptor)
                    if member is None:
                        continue
                    if events & select.EPOLLOUT:
                        member.opened()
                    else:
                        member.read()
        finally:
            self._epoll.unregister(sys.stdin)
        return True

    def begin(self, seconds: float) -> float:
        """Have all listen, and hear something, so that each has a position.

        Returns: after how many seconds they listened; -1: they did not.
        """
        began = time.monotonic()
        members: list[Member] = [*self.listeners, *self.publishers]
        for member in members:
            member.connect()
        if not self.run(seconds, lambda: all(one.is_ready for one in members)):
            return -1.0
        took = time.monotonic() - began
        self.is_publishing = True
        for publisher in self.publishers:
            publisher.begin()
        is_heard = self.run(seconds, lambda: all(one.tags for one in self.listeners))
        return took if is_heard else -1.0

    def end(self) -> None:
        """Publish no more, and hear what is on its way."""
        self.is_publishing = False
        self.run(SETTLE_S, lambda: not any(one.open for one in self.publishers))
        self.run(SETTLE_S, self._is_all_heard)
        self.is_over = True

    def _is_all_heard(self) -> bool:
        most: dict[str, int] = {}
        for one in self.listeners:
            most[one.topic] = max(most.get(one.topic, 0), len(one.tags))
        return all(len(one.tags) == most[one.topic] and one.is_ready for one in self.listeners)

    def figures(self) -> dict[str, Any]:
        """What it came to."""
        return {
            **judge(self.listeners, self.publishers),
            "refused": self.refused,
            "moves": sum(one.moves for one in (*self.listeners, *self.publishers)),
            "slowest_s": round(max(self.took, default=0.0), 1),
            "ends": dict(self.ends),
            "troubles": self.troubles,
            "notes": [*self.notes, *faults(self.listeners)][:MOST_NOTES],
        }


def judge(listeners: list[Listener], publishers: list[Publisher]) -> dict[str, int]:
    """Compare what all listeners of each channel heard, and what its publisher was told."""
    sums: Counter[str] = Counter()
    by_topic: dict[str, list[Listener]] = {}
    for one in listeners:
        by_topic.setdefault(one.topic, []).append(one)
    for publisher in publishers:
        heard = by_topic[publisher.topic]
        order = max(heard, key=lambda one: len(one.tags))
        there = set(order.tags)
        sums["acknowledged"] += len(publisher.taken)
        sums["unanswered"] += len(publisher.unanswered)
        sums["missing"] += len(set(publisher.taken) - there)
        sums["denied"] += len(set(publisher.denied) & there)
        sums["reordered"] += _reordered(order)
        sums["epochs"] = max(sums["epochs"], len(order.epochs))
        for one in heard:
            sums["heard"] += len(one.tags)
            sums["told"] += one.told
            sums["repeated"] += len(one.tags) - len(set(one.tags))
            sums["lost"] += len(there - set(one.tags))
            is_same = one.tags == order.tags and one.seqs == order.seqs
            sums["otherwise"] += not is_same and len(one.tags) == len(order.tags)
    return {name: sums[name] for name in NAMES}


def faults(listeners: list[Listener]) -> list[str]:
    """Of each that heard something again, out of order, or not: where, and the sessions around it."""
    found = []
    most: dict[str, set[int]] = {}
    for one in listeners:
        most.setdefault(one.topic, set()).update(one.seqs)
    for at, one in enumerate(listeners):
        back = [(index, *pair) for index, pair in enumerate(pairwise(one.seqs), 1) if pair[0] >= pair[1]]
        lost = sorted(most[one.topic] - set(one.seqs))
        if back or lost:
            # Where it went back, or on without what it lost.
            places = [index for index, *_ in back] + [bisect(one.seqs, seq) for seq in lost[:5]]
            turns = [turn for turn in one.turns if any(abs(turn[0] - index) < 2 for index in places)]
            found.append(
                f"listener {at} of {one.topic}, {len(one.tags)} heard: back (index, from, to) {back[:5]};"
                f" {len(lost)} lost {lost[:5]}; sessions (heard, node, behind) {turns[:8]},"
                f" last {one.turns[-1:]}"
            )
    return found


def _reordered(listener: Listener) -> int:
    """Events behind later ones of the same session of their publisher, and places behind higher ones."""
    found = sum(one >= other for one, other in pairwise(listener.seqs))
    last: dict[int, int] = {}
    for tag in listener.tags:
        found += tag <= last.get(tag // LIFE, 0)
        last[tag // LIFE] = tag
    return found


NAMES = (
    "acknowledged", "heard", "lost", "missing", "repeated", "reordered", "otherwise", "told", "denied",
    "unanswered", "epochs",
)  # fmt: skip


def main() -> None:
    """See the module."""
    wanted = json.loads(sys.stdin.readline())
    nodes = [(host, port) for host, port in wanted["nodes"]]
    herd = Herd(nodes, wanted["channels"], wanted["listeners"], wanted["rate"], wanted["seed"])
    took = herd.begin(wanted["begin_s"])
    print(json.dumps({"began_s": round(took, 1)}), flush=True)
    if took >= 0:
        herd.run(wanted["most_s"], lambda: bool(select.select([sys.stdin], [], [], 0)[0]))
        herd.end()
    print(json.dumps(herd.figures()), flush=True)


if __name__ == "__main__":
    main()
