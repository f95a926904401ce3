"""A radiod of one channel without a socket, for the Python client's core: it counts, keeps, and is cut off.

Of WAMP only what the client asks: HELLO, SUBSCRIBE with a position, ``radiod.channel.get``, ``.history``,
``.open_write`` and ``.close_write``, CALL of ``echo``, PUBLISH, REGISTER; and it calls what is registered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from radiod_client._core import Core
from radiod_client._inbox import Inbox
from radiod_client._login import Login
from radiod_client._messages import CODECS
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

__all__ = ["Client", "Radio", "frame"]

MSGPACK = msgspec.msgpack


def frame(payload: bytes, opcode: Any = Opcode.BINARY, fin: bool = True) -> bytes:
    """As a server sends it."""
    return Frame(opcode, payload, fin).serialize(mask=False)


class Radio:
    """The server: what it keeps outlives its connections.

    Args:
        keeps: how many events its channel's history holds; 0: it has none, and counts.
    """

    def __init__(self, keeps: int = 1_000_000) -> None:
        self.keeps = keeps
        self.epoch = "aaa"
        self.events: list[int] = []
        self.abort: list[Any] | None = None
        self.asked: list[list[Any]] = []
        self.silent: set[int] = set()
        self.connections: list[Connection] = []
        self.refuses: Callable[[str, dict[str, Any]], str | None] = lambda procedure, options: None
        """Why it does not register a procedure."""
        self.is_wanted = False
        self.refusals: dict[str, str] = {}
        """By procedure or topic: what a request about it is refused with."""

    def want(self, is_wanted: bool, readers: int = 1) -> None:
        """Demand changes: writers are told."""
        self.is_wanted = is_wanted
        told = {"name": "numbers", "readers": readers if is_wanted else 0, "active": is_wanted}
        for connection in self.connections:
            if connection.is_writing and connection.hears_demand:
                connection.send(36, 8, 1, {}, [told])

    def publish(self, value: int) -> None:
        """One more event, for those who listen."""
        self.events.append(value)
        for connection in self.connections:
            if connection.is_listening:
                connection.event(len(self.events), value, {})

    def position(self) -> str:
        """Of the last event."""
        return f"{self.epoch}:{len(self.events)}"

    def page(self, after: str | None, limit: int, last: int = 0) -> dict[str, Any]:
        """What ``radiod.channel.history`` answers, as far as the client looks at it."""
        first = max(len(self.events) - min(last, self.keeps), 0)
        events = [{"position": f"{self.epoch}:{first + 1}"}] if last and first < len(self.events) else []
        return {"events": events, "position": after or self.position(), "recovered": True}

    def forget(self) -> None:
        """As after a crash: a new count."""
        self.epoch += "b"
        self.events = []


class Connection:
    """One connection of it: ``received`` takes bytes, ``output`` has what it sent and nobody read."""

    def __init__(self, radio: Radio) -> None:
        self._radio = radio
        self._protocol = ServerProtocol(subprotocols=["wamp.2.msgpack"])
        self.output = bytearray()
        self.is_listening = self.is_writing = self.hears_demand = False
        self.registrations: dict[int, str] = {}
        self._mark: dict[str, Any] = {}
        radio.connections.append(self)

    def cut(self) -> None:
        """It is gone."""
        if self in self._radio.connections:
            self._radio.connections.remove(self)

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif event.opcode is Opcode.BINARY:
                self._message(MSGPACK.decode(event.data))
        self.output += b"".join(self._protocol.data_to_send())

    def send(self, *message: Any) -> None:
        """One message to the client."""
        self.output += b"".join(self._protocol.data_to_send())
        self.output += frame(MSGPACK.encode(list(message)))

    def event(self, seq: int, value: int, details: dict[str, Any]) -> None:
        """An EVENT, with what is still to be said."""
        marked, self._mark = self._mark, {}
        self.send(36, 7, seq, {"_seq": seq, "_epoch": self._radio.epoch, **marked, **details}, [value])

    def _message(self, message: list[Any]) -> None:
        self._radio.asked.append(message)
        kind = message[0]
        if kind in self._radio.silent:
            return
        if kind == 1:
            if self._radio.abort is not None:
                self.send(3, *self._radio.abort)
            else:
                self.send(2, 123, {"realm": "radio", "roles": {}})
        elif kind == 32:
            self._subscribe(message)
        elif kind in (48, 64, 66):
            self._rpc(message)
        elif kind == 16:
            self._radio.publish(message[4][0])
            if message[2].get("acknowledge"):
                self.send(17, message[1], 99)
        elif kind == 34:
            self.is_listening = False
            self.send(35, message[1])
        elif kind == 6:
            self.send(6, {}, "wamp.close.goodbye_and_out")

    def _subscribe(self, message: list[Any]) -> None:
        radio = self._radio
        if message[3] in radio.refusals:
            self.send(8, 32, message[1], {}, radio.refusals[message[3]])
            return
        if message[3] == "radiod.channel.on_demand":
            self.hears_demand = True
            self.send(33, message[1], 8)
            return
        self.send(33, message[1], 7)
        self.is_listening = True
        after = message[2].get("_radiod_after")
        if after is None:
            return
        epoch, _, seq = after.rpartition(":")
        oldest = max(len(radio.events) - radio.keeps, 0)
        begin = int(seq) if epoch == radio.epoch else 0
        if epoch != radio.epoch or begin < oldest:
            self._mark = {"_recovered": False}
        for number in range(max(begin, oldest), len(radio.events)):
            self.event(number + 1, radio.events[number], {})

    def _rpc(self, message: list[Any]) -> None:
        if message[0] == 48:
            self._call(message)
        elif message[0] == 64:
            self._register(message)
        else:
            self.registrations.pop(message[2], None)
            self.send(67, message[1])

    def _register(self, message: list[Any]) -> None:
        _, request, options, procedure = message
        refusal = self._radio.refuses(procedure, options)
        if refusal is None:
            self.registrations[request] = procedure
            self.send(65, request, request)
        else:
            self.send(8, 64, request, {}, refusal)

    def invoke(self, procedure: str, request: int, *args: Any, **details: Any) -> None:
        """A call of one of the client's procedures."""
        registration = next(id for id, name in self.registrations.items() if name == procedure)
        self.send(68, request, registration, details, list(args))

    def _call(self, message: list[Any]) -> None:
        _, request, _, procedure, *rest = message
        args = rest[0] if rest else []
        radio = self._radio
        if procedure in radio.refusals:
            self.send(8, 48, request, {}, radio.refusals[procedure])
        elif procedure == "radiod.channel.get":
            told = {"position": radio.position(), "events": len(radio.events)}
            self.send(50, request, {}, [told])
        elif procedure == "radiod.channel.open_write":
            self.is_writing = True
            self.send(50, request, {}, [{"active": radio.is_wanted, "readers": int(radio.is_wanted)}])
        elif procedure == "radiod.channel.close_write":
            self.is_writing = False
            self.send(50, request, {}, [{"name": args[0]}])
        elif procedure == "radiod.channel.history" and radio.keeps:
            self.send(50, request, {}, [radio.page(*args[1:])])
        elif procedure == "radiod.channel.history":
            self.send(8, 48, request, {}, "wamp.error.history_unavailable")
        elif procedure == "echo":
            self.send(50, request, {}, args)
        else:
            self.send(8, 48, request, {}, "wamp.error.no_such_procedure")


class Client:
    """The client's core on a clock that stands, beside ``radio``."""

    def __init__(self, radio: Radio, login: Login | None = None) -> None:
        self.radio = radio
        self.now = 0.0
        self.states: list[str] = []
        self.started: list[Any] = []
        self.core = Core(
            "ws://radio/ws",
            CODECS["msgpack"],
            login or Login("radio"),
            clock=lambda: self.now,
            random=lambda: 1.0,
            on_state=self.states.append,
        )
        self.connection: Connection | None = None

    def start(self) -> Client:
        """Connect, as far as that goes."""
        self.core.start(lambda value, error: self.started.append(error))
        self.settle()
        return self

    def settle(self, step: int | None = None) -> None:
        """Exchange bytes until nobody has any more, ``step`` to a read."""
        while self.move(step):
            pass

    def move(self, step: int | None = None, most: int = 256) -> bool:
        """One read and one write. Returns: whether anything moved."""
        core = self.core
        if core.should_dial and self.connection is None:
            self.connection = Connection(self.radio)
            core.dialed()
        if self.connection is None:
            return False
        sent = core.outgoing()
        if sent:
            self.connection.received(sent)
        output = self.connection.output
        read = bytes(output[:step])
        del output[:step]
        if read:
            core.received(read)
            while core.work(most):
                pass
        if core.should_hang_up:
            self.cut()
        return bool(sent or read)

    def cut(self) -> None:
        """The connection breaks: what was not read is lost."""
        if self.connection is not None:
            self.connection.cut()
            self.connection = None
            self.core.lost()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and all that happens in it."""
        end = self.now + seconds
        while (due := self.core.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.core.tick()
            if self.core.should_hang_up:
                self.cut()
            self.settle()
        self.now = end

    def listen(self, queue: int = 1_000_000, **options: Any) -> Inbox:
        """Listen to the channel."""
        inbox = Inbox(queue)
        self.core.lasting.listen(
            "numbers", None, inbox, lambda value, error: self.started.append(error), **options
        )
        return inbox

    @staticmethod
    def taken(inbox: Inbox) -> list[Any]:
        """All samples that wait there."""
        found = []
        while (sample := inbox.take()) is not None:
            found.append(sample)
        return found
