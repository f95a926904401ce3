"""What stands in for a radiod in memory, and for its reactor: nodes, each connection to the next of them.

Tests of ``tests/features`` say and hear bytes at wires (``support.memory``). In memory all that follows
from what is said has happened when ``say`` returns. So it is here: answers are waited for, and then until the
nodes have nothing more to tell each other.
"""

from __future__ import annotations

import select
import socket
import time
from types import SimpleNamespace
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress

from support.cluster.answers import Answers
from support.cluster.balancing import Balancer
from support.cluster.probing import Probes
from support.running import Server

__all__ = ["Far", "FarConnection"]

SECONDS = 10
"""How long an answer may take."""

ROUNDS = 2
"""Of probes, at least: what comes of a thing may have to go there and back."""

MOST_ROUNDS = 50

OPENINGS = (b"GET /ws", b"\x7f")
"""What clients of WAMP say first: nobody else hears of that."""


class Wire(Protocol):
    """What is asked of a wire here."""

    is_closed: bool

    def inbox(self) -> list[Any]:
        """The messages that came and were not heard yet."""


class FarConnection:
    """One connection, as if it were the server's protocol of one in memory."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self._socket: socket.socket | None = None
        self._node = 0
        self._is_opening = False
        # Who waits for the answer to a request over HTTP.
        self.is_asked = False
        self.transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """As Twisted's protocols have it."""
        self.transport = transport
        transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Hand on what a client has sent."""
        self._far.make_up(self)
        if self._socket is None:
            self._connect(data)
        assert self._socket is not None
        is_opening = data.startswith(OPENINGS)
        self.is_asked = is_opening or _is_answered_soon(data)
        self._far.has_news |= not is_opening
        try:
            self._socket.sendall(data)
        except OSError:
            self.transport.loseConnection()

    def _connect(self, data: bytes) -> None:
        self._node = self._far.balancer.choose(data)
        self._is_opening = Balancer.is_opening(data)
        self._socket = socket.create_connection(("127.0.0.1", self._far.ports[self._node]), SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._far.connections[self._socket] = self

    def read(self) -> None:
        """Take what has come. The socket has something to say."""
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self.transport.loseConnection()
            return
        self.is_asked = False
        if self._is_opening:
            self._far.balancer.learn(self._node, data)
        self.transport.write(data)

    def connectionLost(self, reason: object) -> None:
        """The client has hung up, or the node."""
        if self._socket is not None:
            self._far.connections.pop(self._socket, None)
            self._socket.close()
            self.is_asked = False
            self._far.has_news = True

    def pauseProducing(self) -> None:
        """Read nothing more of what the node sends."""
        self._far.connections.pop(self._socket, None)  # type: ignore[arg-type]

    def resumeProducing(self) -> None:
        """Read on."""
        if self._socket is not None:
            self._far.connections[self._socket] = self

    def stopProducing(self) -> None:
        """As Twisted's producers have it."""


class Far:
    """Nodes, as a test in memory has its radio (``port``, ``clock``) and its reactor (``advance``).

    Args:
        realms: a name of a realm in messages -> its name at the nodes.
    """

    def __init__(self, servers: list[Server], probes: Probes, realms: dict[str, str]) -> None:
        self.ports = [server.port for server in servers]
        self.balancer = Balancer(len(servers))
        self.connections: dict[socket.socket, FarConnection] = {}
        self.answers = Answers(realms)
        self.clock = SimpleNamespace()
        # Whether anything was said of which others may hear.
        self.has_news = True
        # Whose it is, when that may wait: nobody else is there.
        self._put_off: FarConnection | None = None
        self.port = self
        self._probes = probes

    # --- the radio

    def buildProtocol(self, address: IAddress) -> FarConnection:
        """A connection to the next node."""
        return FarConnection(self)

    # --- the reactor

    def seconds(self) -> float:
        """Real time goes on by itself."""
        return time.monotonic()

    def advance(self, seconds: float) -> None:
        """Let time pass; then wait until nobody has anything more to tell."""
        if seconds:
            self._pass(seconds)
        self._until(lambda: not any(each.is_asked for each in self.connections.values()))
        has_come = self._read()
        if self._put_off is not None and not has_come and not seconds:
            return
        self._put_off = None
        if has_come or self.has_news:
            self._settle()

    def make_up(self, connection: FarConnection) -> None:
        """Somebody says something: what was put off comes first, unless it is the same one."""
        if self._put_off is not None and self._put_off is not connection:
            self._put_off = None
            self._settle()
        self._put_off = None

    def _settle(self) -> None:
        self.has_news = False
        for number in range(MOST_ROUNDS):
            # What has to go there first may be claimed there.
            is_claimed = number == 1 and self.answers.makes_claims
            self._probes.go_round(self.answers.leaves_traces, is_claimed)
            if not self._read() and number + 1 >= ROUNDS:
                return
        raise AssertionError("the nodes never come to an end")

    def _pass(self, seconds: float) -> None:
        """Let real time pass, as a test has said; whoever is asked for a sign of life gives it."""
        self.has_news = True
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(min(left, 1))
            if left > 1:
                self._probes.go_round()

    def wait_for_answers(self, wire: Wire, messages: tuple[Any, ...]) -> None:
        """Wait until what was asked at a wire is answered."""
        asked = [message for message in messages if self.answers.is_asked(message)]
        self._until(lambda: wire.is_closed or self.answers.are_there(asked, wire.inbox()))
        if len(asked) == len(messages) and len(self.connections) == 1 and not _ends(wire.inbox()):
            (self._put_off,) = self.connections.values()

    def _until(self, is_so: Any) -> None:
        end = time.monotonic() + SECONDS
        while not is_so() and time.monotonic() < end:
            self._read(0.5)

    def _read(self, seconds: float = 0) -> bool:
        """Take what has come to all connections. Returns: whether anything had."""
        has_come = False
        while found := select.select(list(self.connections), [], [], 0 if has_come else seconds)[0]:
            has_come = True
            for one in found:
                if one in self.connections:
                    self.connections[one].read()
        return has_come

    def close(self) -> None:
        """Hang up, all of them."""
        for connection in list(self.connections.values()):
            connection.transport.loseConnection()


def _is_answered_soon(request: bytes) -> bool:
    """Whether a request over HTTP waits for nobody: streams begin at once, and the past is there."""
    head, _, fields = request.partition(b"\r\n")
    if head.startswith(b"POST "):
        return b"/receive " not in head
    return head.startswith(b"GET ") and (b"?" in head or b"Upgrade:" in fields or b"Accept:" in fields)


def _ends(messages: list[Any]) -> bool:
    """Whether something ends with one of these: more may come of that."""
    return any(isinstance(message, list) and message[:1] in ([3], [6]) for message in messages)
