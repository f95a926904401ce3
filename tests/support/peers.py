"""WAMP clients at byte level, over either transport and in any serializer.

The bytes are made and read by the ``json``, ``msgpack`` and ``cbor2`` packages, never by radiod's own codecs.
Messages are plain lists, as on the wire; ``Peer`` counts request ids and gives the messages their verbs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

import cbor2
import msgpack
from twisted.internet.testing import MemoryReactorClock

from radiod.service.radio import Radio
from support.cluster.far import Far
from support.config import parsed
from support.memory import RawSocketWire, WampWire, WebSocketWire, client_frame
from support.world import World

__all__ = [
    "SERIALIZERS",
    "TRANSPORTS",
    "Peer",
    "Router",
    "SerializedRawSocketWire",
    "SerializedWebSocketWire",
    "hello_roles",
]

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, CANCEL, RESULT = 48, 49, 50
REGISTER, REGISTERED, UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = 64, 65, 66, 67, 68, 69, 70

VIOLATION = "wamp.error.protocol_violation"

EPOCH = 1_790_000_000.0
"""The date at which time begins here, in seconds since 1970."""


class Serializer:
    """One serializer as a client has it."""

    def __init__(
        self, name: str, number: int, dump: Callable[[Any], bytes], load: Callable[[bytes], Any]
    ) -> None:
        self.name = name
        self.number = number
        self.dump = dump
        self.load = load
        self.opcode = 1 if name == "json" else 2

    def binary(self, data: bytes) -> Any:
        """What stands for binary data in a payload."""
        return "\0" + base64.b64encode(data).decode() if self.name == "json" else data


def _unpack(data: bytes) -> Any:
    # Lists may be keys in MessagePack, but not in Python.
    return msgpack.unpackb(data, strict_map_key=False, object_pairs_hook=lambda pairs: dict(_hashable(pairs)))


def _hashable(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return [(tuple(key) if isinstance(key, list) else key, value) for key, value in pairs]


SERIALIZERS = {
    serializer.name: serializer
    for serializer in (
        Serializer("json", 1, lambda value: json.dumps(value).encode(), json.loads),
        Serializer("msgpack", 2, msgpack.packb, _unpack),
        Serializer("cbor", 3, cbor2.dumps, cbor2.loads),
    )
}


class _Serialized(WampWire):
    """Messages in the serializer given."""

    def __init__(self, radio: Any, *args: Any, serializer: Serializer) -> None:
        self.serializer = serializer
        self._inbox: list[Any] = []
        # Real nodes answer when they can (``support.cluster.far``).
        self._far = radio if isinstance(radio, Far) else None
        super().__init__(radio, *args)

    def say(self, *messages: Any) -> None:
        """Send messages, all in one segment."""
        going = messages if self._far is None else map(self._far.answers.going, messages)
        self._say(messages, map(self.serializer.dump, going))

    def say_written(self, message: Any, data: bytes) -> None:
        """Send one message as ``data`` has it. ``message``: what of it the router looks at."""
        self._say((message,), [data])

    def _say(self, messages: tuple[Any, ...], written: Iterable[bytes]) -> None:
        self.transport.protocol.dataReceived(b"".join(map(self.frame, written)))
        if self._far is not None:
            self._far.wait_for_answers(self, messages)
        self.settle()

    def heard(self) -> list[Any]:
        """Messages received since the last call."""
        heard, self._inbox = self.inbox(), []
        return heard if self._far is None else list(map(self._far.answers.coming, heard))

    def inbox(self) -> list[Any]:
        """Messages that came and were not heard yet."""
        self._unread += self.received()
        self._inbox += [self.serializer.load(data) for data in self.unframe()]
        return self._inbox


class SerializedWebSocketWire(_Serialized, WebSocketWire):
    """WAMP over WebSocket: JSON in text frames, the others in binary ones."""

    def open(self) -> None:
        """Upgrade with the serializer's subprotocol."""
        self.subprotocol = f"wamp.2.{self.serializer.name}"
        super().open()

    def frame(self, data: bytes) -> bytes:
        """A masked frame."""
        return client_frame(0x80 | self.serializer.opcode, data)

    def unframe(self) -> list[bytes]:
        """The messages; data of the wrong kind is an error of the server."""
        frames = [(opcode, payload) for opcode, payload in self.frames() if opcode < 8]
        assert {opcode for opcode, _ in frames} <= {self.serializer.opcode}
        return [payload for _, payload in frames]


class SerializedRawSocketWire(_Serialized, RawSocketWire):
    """WAMP over RawSocket."""

    def open(self) -> None:
        """The four bytes there and back."""
        self.send(bytes([0x7F, 0xF0 | self.serializer.number, 0, 0]))
        assert self.received() == bytes([0x7F, 0xB0 | self.serializer.number, 0, 0])


TRANSPORTS = {"websocket": SerializedWebSocketWire, "rawsocket": SerializedRawSocketWire}


# What stock clients announce: all they can do.
ANNOUNCED = {
    "publisher": (
        "publisher_identification",
        "publisher_exclusion",
        "subscriber_blackwhite_listing",
        "payload_passthru_mode",
        "payload_transparency",
    ),
    "subscriber": (
        "publisher_identification",
        "pattern_based_subscription",
        "publication_trustlevels",
        "subscription_revocation",
        "event_history",
        "payload_passthru_mode",
        "payload_transparency",
    ),
    "caller": (
        "caller_identification",
        "call_timeout",
        "call_canceling",
        "progressive_call_results",
        "progressive_call_invocations",
        "payload_passthru_mode",
        "payload_transparency",
    ),
    "callee": (
        "caller_identification",
        "call_trustlevels",
        "pattern_based_registration",
        "shared_registration",
        "call_timeout",
        "call_canceling",
        "call_reroute",
        "progressive_call_results",
        "progressive_call_invocations",
        "registration_revocation",
        "payload_passthru_mode",
        "payload_transparency",
    ),
}


def hello_roles(without: Iterable[str] = ()) -> dict[str, Any]:
    """HELLO.Details.roles of a stock client; ``without``: features to leave out, each as "role.feature"."""
    left_out = set(without)
    return {
        role: {"features": {name: True for name in names if f"{role}.{name}" not in left_out}}
        for role, names in ANNOUNCED.items()
    }


class Peer:
    """One client with a session; everything it sends and hears is a list."""

    def __init__(self, wire: Any, hello: list[Any], ticket: str | None = None) -> None:
        self.wire = wire
        self.request = 0
        answer = wire.ask(hello)
        if ticket is not None:
            assert answer[:2] == [CHALLENGE, "ticket"], answer
            answer = wire.ask([AUTHENTICATE, ticket, {}])
        assert answer[0] == WELCOME, answer
        _, self.session, self.welcome = answer

    # --- the wire

    def say(self, *messages: Any) -> None:
        """Send messages as they are."""
        self.wire.say(*messages)

    def heard(self) -> list[Any]:
        """Everything that came since the last look."""
        return self.wire.heard()

    def hears(self) -> Any:
        """The one message that came."""
        messages = self.heard()
        assert len(messages) == 1, messages
        return messages[0]

    @property
    def is_ended(self) -> bool:
        """True once the server ended the connection; look after ``heard``."""
        return bool(self.wire.is_ended)

    def hang_up(self) -> None:
        """Lose the connection."""
        self.wire.hang_up()
        self.wire.settle()

    def binary(self, data: bytes) -> Any:
        """What stands for binary data in a payload of this client."""
        return self.wire.serializer.binary(data)

    def next(self) -> int:
        """The next request id."""
        self.request += 1
        return self.request

    def _ask(self, code: int, *rest: Any) -> Any:
        """Send a request with the next id; returns the answer, which must be the only message to come."""
        self.say([code, self.next(), *rest])
        return self.hears()

    # --- publishing and subscribing

    def subscribe(self, topic: str, **options: Any) -> Any:
        """SUBSCRIBED, or ERROR."""
        return self._ask(SUBSCRIBE, options, topic)

    def listen(self, topic: str, **options: Any) -> int:
        """Subscribe; returns the subscription."""
        answer = self.subscribe(topic, **options)
        assert answer[:2] == [SUBSCRIBED, self.request], answer
        return int(answer[2])

    def unsubscribe(self, subscription: int) -> Any:
        """UNSUBSCRIBED, or ERROR."""
        return self._ask(UNSUBSCRIBE, subscription)

    def publish(self, topic: str, *payload: Any, **options: Any) -> Any:
        """PUBLISHED, or ERROR."""
        return self._ask(PUBLISH, {"acknowledge": True, **options}, topic, *payload)

    def tell(self, topic: str, *payload: Any, **options: Any) -> int:
        """Publish; returns the publication. The event itself must not come back."""
        code, request, publication = self.publish(topic, *payload, **options)
        assert (code, request) == (PUBLISHED, self.request)
        return int(publication)

    # --- calling

    def call(self, procedure: str, *payload: Any, **options: Any) -> int:
        """Begin a call; returns its request."""
        self.say([CALL, self.next(), options, procedure, *payload])
        return self.request

    def result(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call what the router answers at once; returns the first positional result."""
        answer = self._ask(CALL, {}, procedure, list(args), kwargs)
        assert answer[:2] == [RESULT, self.request], answer
        return answer[3][0] if len(answer) > 3 and answer[3] else None

    def refusal(self, procedure: str, *args: Any, **kwargs: Any) -> str:
        """Call what the router refuses at once; returns the error's URI."""
        answer = self._ask(CALL, {}, procedure, list(args), kwargs)
        assert answer[:3] == [ERROR, CALL, self.request], answer
        return str(answer[4])

    def cancel(self, request: int, **options: Any) -> None:
        """Cancel a call."""
        self.say([CANCEL, request, options])

    # --- answering

    def register(self, procedure: str, **options: Any) -> Any:
        """REGISTERED, or ERROR."""
        return self._ask(REGISTER, options, procedure)

    def serve(self, procedure: str, **options: Any) -> int:
        """Register; returns the registration."""
        answer = self.register(procedure, **options)
        assert answer[:2] == [REGISTERED, self.request], answer
        return int(answer[2])

    def unregister(self, registration: int) -> Any:
        """UNREGISTERED, or ERROR."""
        return self._ask(UNREGISTER, registration)

    def invoked(self) -> int:
        """The request of the one INVOCATION that came."""
        message = self.hears()
        assert message[0] == INVOCATION, message
        return int(message[1])

    def answer(self, invocation: int, *payload: Any, **options: Any) -> None:
        """Send YIELD."""
        self.say([YIELD, invocation, options, *payload])

    def fail(self, invocation: int, uri: str, *payload: Any, **details: Any) -> None:
        """Send ERROR for an INVOCATION."""
        self.say([ERROR, INVOCATION, invocation, details, uri, *payload])


class Router:
    """The radiod in memory of a world, and clients of one kind for it."""

    def __init__(self, world: World, transport: str, serializer: str) -> None:
        self.world, self.radio, self.reactor = world, world.radio, world.reactor
        # Dates go with the clock that the test turns.
        self.radio.clock.time = lambda: EPOCH + self.reactor.seconds()
        self.transport = transport
        self.serializer = SERIALIZERS[serializer]

    @property
    def procedures(self) -> list[str]:
        """Names of all that the router answers itself."""
        radio = Radio(parsed(), MemoryReactorClock()) if isinstance(self.radio, Far) else self.radio
        return list(radio.realms["radio"].procedures.table)

    def connect(self, serializer: str | None = None, kind: Any = None) -> Any:
        """A connection without a session; ``kind``: of wire."""
        words = SERIALIZERS[serializer] if serializer else self.serializer
        return self.world.connect(kind or TRANSPORTS[self.transport], serializer=words)

    def join(
        self,
        authid: str | None = None,
        *,
        realm: str = "radio",
        without: Iterable[str] = (),
        serializer: str | None = None,
        kind: Any = None,
        **details: Any,
    ) -> Peer:
        """A client with a session: anonymous, or as ``authid`` with the ticket "<authid>-ticket".

        ``without``: features that it does not announce, each as "role.feature".
        """
        hello: dict[str, Any] = {"roles": hello_roles(without), **details}
        ticket = None
        if authid is not None:
            hello |= {"authmethods": ["ticket"], "authid": authid}
            ticket = f"{authid}-ticket"
        return Peer(self.connect(serializer, kind), [HELLO, realm, hello], ticket)

    def peers(self, count: int, **kwargs: Any) -> list[Peer]:
        """That many anonymous clients."""
        return [self.join(**kwargs) for _ in range(count)]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.wait(seconds)
