"""Every form in which somebody hears a channel, as a client of it reads what came.

What a form heard is a list: samples in order, and ``Lost`` where it was told that events are missing. Samples
are read by the ``json``, ``msgpack`` and ``cbor2`` packages, never by radiod's own codecs.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, NamedTuple

from twisted.internet.testing import MemoryReactorClock

from radiod.service.radio import Radio
from support.cluster.far import Far
from support.memory import Wire, server_frames, upgrade
from support.peers import SERIALIZERS, TRANSPORTS, Peer, SerializedRawSocketWire, hello_roles

__all__ = ["FORMS", "Form", "Lost", "Publisher", "ShortWire"]

EVENT, SUBSCRIBED, RESULT = 36, 33, 50
HELLO = [1, "radio", {"roles": hello_roles()}]


class Lost(NamedTuple):
    """A word that so many events are missing at this place."""

    count: int


def heard(items: list[Any]) -> list[Any]:
    """``items`` with one number for losses that are side by side."""
    told: list[Any] = []
    for item in items:
        if isinstance(item, Lost) and told and isinstance(told[-1], Lost):
            item = Lost(told.pop().count + item.count)
        if item != Lost(0):
            told.append(item)
    return told


class Form:
    """One listener to ``topic`` from its start on. ``serializer``: whose words its samples come in."""

    serializer = "json"
    is_told = True

    def __init__(self, radio: Radio, reactor: MemoryReactorClock, topic: str) -> None:
        self.radio, self.reactor, self.topic = radio, reactor, topic

    def begin(self) -> None:
        """Listen, before anything is published."""

    def step(self) -> None:
        """One event was published."""

    def end(self) -> list[Any]:
        """Everything was published: what was heard."""
        raise NotImplementedError

    @cached_property
    def start(self) -> str:
        """Where the topic stood when somebody first wanted to know."""
        return self.stands()

    def stands(self) -> str:
        """The position of the topic's last event."""
        head, _, _ = self.get("?wait=0").received().decode().partition("\r\n\r\n")
        return dict(line.split(": ", 1) for line in head.split("\r\n")[1:])["X-Radiod-Position"]

    def get(self, query: str, headers: str = "") -> Wire:
        """A request for the channel."""
        wire = Wire(self.radio, self.reactor)
        wire.send(f"GET /listen/{self.topic}{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        wire.settle()
        return wire


# --- WAMP


class _Wamp(Form):
    """EVENTs."""

    transport = "websocket"
    options: dict[str, Any] = {}

    def join(self) -> Any:
        """A session."""
        wire = TRANSPORTS[self.transport](self.radio, self.reactor, serializer=SERIALIZERS[self.serializer])
        return Peer(wire, HELLO)

    def begin(self) -> None:
        self.peer = self.join()
        self.listen()

    def listen(self) -> None:
        """Subscribe."""
        self.peer.say([32, self.peer.next(), self.options, self.topic])

    def end(self) -> list[Any]:
        return self.samples(self.peer.heard())

    def samples(self, messages: list[Any]) -> list[Any]:
        """What EVENTs tell."""
        assert {message[0] for message in messages} <= {SUBSCRIBED, EVENT}, messages
        items: list[Any] = []
        for message in messages:
            if message[0] == EVENT:
                items += [Lost(message[3].get("_lost", 0)), message[4]]
        return heard(items)


class ShortWire(SerializedRawSocketWire):
    """A RawSocket client that takes 4096 bytes at a time."""

    def open(self) -> None:
        self.send(bytes([0x7F, 0x30 | self.serializer.number, 0, 0]))
        assert self.received()[:1] == b"\x7f"


class _Short(_Wamp):
    """WAMP where longer messages cannot be said."""

    def join(self) -> Any:
        return Peer(ShortWire(self.radio, self.reactor, serializer=SERIALIZERS[self.serializer]), HELLO)


class _LongPoll(_Wamp):
    """WAMP in the bodies of HTTP requests."""

    def post(self, path: str, body: bytes = b"") -> Wire:
        """A request, with a connection of its own."""
        wire = Wire(self.radio, self.reactor)
        wire.send(
            f"POST /lp/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        wire.settle()
        return wire

    def join(self) -> Any:
        asked = json.dumps({"protocols": [f"wamp.2.{self.serializer}"]}).encode()
        _, _, body = self.post("open", asked).received().partition(b"\r\n\r\n")
        self.name = json.loads(body)["transport"]
        self.send(HELLO)
        assert [message[0] for message in self.receive()] == [2]

    def send(self, message: Any) -> None:
        """One message."""
        answer = self.post(f"{self.name}/send", SERIALIZERS[self.serializer].dump(message)).received()
        assert answer.startswith(b"HTTP/1.1 204 "), answer

    def receive(self) -> list[Any]:
        """What waits; the request that finds nothing more is left to wait, as a client's would."""
        messages = []
        while True:
            head, _, body = self.post(f"{self.name}/receive").received().partition(b"\r\n\r\n")
            if not head:
                return messages
            messages.append(SERIALIZERS[self.serializer].load(body))

    def listen(self) -> None:
        self.send([32, 1, self.options, self.topic])

    def end(self) -> list[Any]:
        return self.samples(self.receive())


class _Replay(Form):
    """Begins when everything was published, behind the position before it."""

    def begin(self) -> None:
        self.start  # noqa: B018 # before the first event

    def end(self) -> list[Any]:
        self.options = {"_radiod_after": self.start}
        super().begin()
        self.reactor.advance(0)
        return super().end()  # type: ignore[safe-super]


class _Procedure(_Wamp):
    """Asks for the past."""

    def begin(self) -> None:
        self.start  # noqa: B018 # before the first event
        self.peer = self.join()

    def ask(self, procedure: str, *args: Any) -> tuple[list[Any], dict[str, Any]]:
        """Results of a call."""
        self.peer.say([48, self.peer.next(), {}, procedure, list(args)])
        answer = self.peer.hears()
        assert answer[:2] == [RESULT, self.peer.request], answer
        return answer[3], answer[4] if len(answer) > 4 else {}


class _History(_Procedure):
    """``radiod.channel.history``."""

    def end(self) -> list[Any]:
        ((page,), _) = self.ask("radiod.channel.history", self.topic, self.start)
        items: list[Any] = []
        for event in page["events"]:
            items += [Lost(event.get("lost", 0)), event["args"]]
        told = heard(items)
        lost = sum(item.count for item in told if isinstance(item, Lost))
        assert (page.get("lost", 0), page["recovered"]) == (lost, lost == 0)
        return told


class _GetEvents(_Procedure):
    """``wamp.subscription.get_events``, which does not tell where something is missing."""

    def begin(self) -> None:
        super().begin()
        self.peer.say([32, self.peer.next(), {}, self.topic])
        self.subscription = self.peer.hears()[2]

    def end(self) -> list[Any]:
        self.peer.heard()
        events, more = self.ask("wamp.subscription.get_events", self.subscription)
        first, *rest = [event["args"] for event in events]
        return heard([first, Lost(more.get("lost", 0)), *rest])


# --- the data alone


class _Plain(Form):
    """A plain WebSocket, which is told nothing but data."""

    is_told = False
    query = ""

    def begin(self) -> None:
        self.wire = Wire(self.radio, self.reactor)
        self.wire.send(upgrade(f"/listen/{self.topic}{self.query}"))
        head, _, self.begun = self.wire.received().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")

    def end(self) -> list[Any]:
        self.wire.settle()
        frames, rest = server_frames(self.begun + self.wire.received())
        assert rest == b""
        return [_args(json.loads(payload)) for opcode, payload in frames if opcode == 1]


class _Stream(Form):
    """Chunks of an HTTP response."""

    query = ""
    accept = ""

    def begin(self) -> None:
        self.wire = self.get(self.query, f"Accept: {self.accept}\r\n")
        head, _, self.body = self.wire.received().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")

    def end(self) -> list[Any]:
        self.wire.settle()
        data, text = self.body + self.wire.received(), b""
        while data:
            size, _, data = data.partition(b"\r\n")
            text, data = text + data[: int(size, 16)], data[int(size, 16) + 2 :]
        return heard(self.items(text.decode()))

    def items(self, text: str) -> list[Any]:
        """What the text tells."""
        raise NotImplementedError


class _ServerSentEvents(_Stream):
    """As an EventSource reads them."""

    accept = "text/event-stream"

    def items(self, text: str) -> list[Any]:
        items: list[Any] = []
        for block in text.split("\n\n"):
            fields = [line.partition(": ")[::2] for line in block.split("\n") if not line.startswith(":")]
            data = "\n".join(value for name, value in fields if name == "data")
            if data:
                is_loss = ("event", "lost") in fields
                items.append(Lost(int(data)) if is_loss else _args(json.loads(data)))
        return items


class _Lines(_Stream):
    """Lines of JSON."""

    accept = "application/x-ndjson"

    def items(self, text: str) -> list[Any]:
        return _records([json.loads(line) for line in text.split("\n") if line])


class _BehindPosition(Form):
    """Begins when everything was published, with a query that says behind what."""

    def begin(self) -> None:
        self.start  # noqa: B018 # before the first event

    def end(self) -> list[Any]:
        self.query = f"?after={self.start}"
        super().begin()
        return super().end()  # type: ignore[safe-super]


class _Poll(Form):
    """Polls for one event after the other, each from before it on."""

    def begin(self) -> None:
        self.items: list[Any] = []
        self.wire = self.get("")

    def step(self) -> None:
        self.wire.settle()
        self.items += _polled(self.wire.received())
        self.wire = self.get("")

    def end(self) -> list[Any]:
        return heard(self.items)


class _PollBehind(Form):
    """Asks for everything once it was published."""

    def begin(self) -> None:
        self.start  # noqa: B018 # before the first event

    def end(self) -> list[Any]:
        return heard(_polled(self.get(f"?after={self.start}").received()))


def _polled(answer: bytes) -> list[Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    lost = int(headers.get("X-Radiod-Lost", 0))
    assert ("X-Radiod-Recovered" in headers) is (lost > 0), headers
    items = _records(json.loads(body)) if body else []
    told = sum(item.count for item in items if isinstance(item, Lost))
    return [*items, Lost(lost - told)]


def _records(records: list[Any]) -> list[Any]:
    items: list[Any] = []
    for record in records:
        items.append(Lost(record.get("lost", 0)))
        if "data" in record:
            items.append(_args(record["data"]))
    return items


def _args(data: Any) -> list[Any]:
    return data["args"] if isinstance(data, dict) and set(data) == {"args", "kwargs"} else [data]


def _form(name: str, *kinds: type, **attributes: Any) -> tuple[str, type[Form]]:
    return name, type(name, kinds, attributes)


FORMS: dict[str, type[Form]] = dict(
    [
        *(
            _form(f"{what}{transport}, {serializer}", *kinds, transport=transport, serializer=serializer)
            for serializer in SERIALIZERS
            for transport, kind in (("websocket", _Wamp), ("rawsocket", _Wamp), ("long-poll", _LongPoll))
            for what, kinds in (("", (kind,)), ("replay, ", (_Replay, kind)))
        ),
        *(
            _form(f"{what}, {serializer}", *kinds, serializer=serializer)
            for serializer in SERIALIZERS
            for what, kinds in (
                ("history", (_History,)),
                ("get_events", (_GetEvents,)),
                ("rawsocket of 4 KiB", (_Short,)),
                ("replay, rawsocket of 4 KiB", (_Replay, _Short)),
            )
        ),
        _form("plain websocket", _Plain),
        _form("replay, plain websocket", _BehindPosition, _Plain),
        _form("server-sent events", _ServerSentEvents),
        _form("replay, server-sent events", _BehindPosition, _ServerSentEvents),
        _form("lines of json", _Lines),
        _form("replay, lines of json", _BehindPosition, _Lines),
        _form("poll", _Poll),
        _form("replay, poll", _PollBehind),
    ]
)
"""By name."""


# --- publishing


class Publisher:
    """Publishes bytes as ``args``, in one of the serializers or over HTTP."""

    def __init__(self, radio: Radio, reactor: MemoryReactorClock, sender: str) -> None:
        self._radio, self._reactor, self._sender = radio, reactor, sender
        if isinstance(radio, Far):
            # What is published here may be kept, and is not looked at on its way.
            radio.answers.leaves_traces = True
        if sender != "http":
            self._serializer = SERIALIZERS[sender]
            self._peer = Peer(TRANSPORTS["websocket"](radio, reactor, serializer=self._serializer), HELLO)

    def publish(self, topic: str, args: bytes, **options: Any) -> bool:
        """Publish. Returns: whether it happened; what cannot be passed on to anybody is refused here."""
        if self._sender == "http":
            body = b'{"topic":"%b","args":%b}' % (topic.encode(), args)
            wire = Wire(self._radio, self._reactor)
            fields = f"Host: localhost\r\nAPI-KEY: key\r\nContent-Length: {len(body)}"
            head = f"POST /publish HTTP/1.1\r\n{fields}\r\n\r\n"
            wire.send(head.encode() + body)
            answer = wire.received()
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            return b'"id"' in answer
        dump = self._serializer.dump
        items = [16, self._peer.next(), {"acknowledge": True, **options}, topic]
        if self._sender == "json":
            data = dump(items)[:-1] + b"," + args + b"]"
        else:
            array_of_five = b"\x95" if self._sender == "msgpack" else b"\x85"
            data = array_of_five + b"".join(map(dump, items)) + args
        self._peer.wire.say_written(items, data)
        answered = self._peer.hears()
        assert answered[0] == 17 or answered[4] == "wamp.error.invalid_argument", answered
        return bool(answered[0] == 17)
