#!/usr/bin/env python3
"""How long one peer's request holds the reactor, kind by kind, and the ten longest.

    ./stalls.py                         all rows
    ./stalls.py --only list,history     rows whose names hold one of these words
    ./stalls.py --all                   prints every row, not only the ten longest
    ../.venv-compiled/bin/python stalls.py --root ../build/compiled      what make compiled has built

One ``twistd radiod`` with the limits that are shipped is full of other people's things: 1,000 sessions, each
on a channel that all of them hear and one of its own, 9,749 subscriptions of one session to patterns and
9,500 registrations, 990 channels and pages of history. Then one peer asks the worst of each kind.

A *stall* is the time between two polls of the reactor: nobody else is served meanwhile. It is taken inside
the server, by a poller that keeps the longest, in CPU time of the reactor's thread, since what else runs on
the machine is no stall. The least of --repeat runs counts.
"""

from __future__ import annotations

import argparse
import mmap
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import cbor2
import harness
import msgspec
from harness import (
    CALL,
    ERROR,
    EVENT,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    SUBSCRIBE,
    SUBSCRIBED,
    WELCOME,
    frame,
)

CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1:backlog=4096"

[limits]
# 1,000 sessions come from one address.
max_connections_per_address = 100000

[realms.realm1]
anonymous = "stranger"

[realms.realm1.roles.stranger]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.realm1.users.ticket]
role = "stranger"
ticket = "a ticket of twenty-five"

[realms.realm1.users.scram]
role = "stranger"
[realms.realm1.users.scram.scram]
kdf = "pbkdf2"
salt = "{salt}"
iterations = 10000
stored_key = "{zeros}"
server_key = "{zeros}"

[realms.realm1.keys.member]
key = "member-key"
publish = ["*"]
listen = ["*"]

[realms.realm1.channels."short.*"]
history = {{ size = 1000 }}

[realms.realm1.channels."long.*"]
history = {{ size = 1000, bytes = 16777216 }}

[realms.realm1.channels."seen.*"]
presence = true
"""
MIB = 1 << 20
LONGEST = MIB - 200
"""Bytes of a payload that fits into a message of ``max_message_bytes``."""
SESSIONS = 1_000
CODECS: dict[str, tuple[int, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "json": (1, msgspec.json.encode, msgspec.json.decode),
    "msgpack": (2, msgspec.msgpack.encode, msgspec.msgpack.decode),
    "cbor": (3, cbor2.dumps, cbor2.loads),
}


# --- in the server: twistd with another poller


class Poller:
    """A poller that notes the longest time between two polls, in ns of this thread's CPU."""

    def __init__(self, poller: Any, notes: mmap.mmap) -> None:
        self._poller = poller
        self._notes = notes
        self._then = time.thread_time_ns()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *args: Any) -> Any:
        spent = time.thread_time_ns() - self._then
        if spent > struct.unpack_from("Q", self._notes)[0]:
            struct.pack_into("Q", self._notes, 0, spent)
        found = self._poller.poll(*args)
        self._then = time.thread_time_ns()
        return found


def serve(notes: str, arguments: list[str]) -> None:
    """Be ``twistd``, and write the longest stall to the file ``notes``."""
    from twisted.internet import epollreactor

    epollreactor.install()
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    with open(notes, "r+b") as file:
        reactor._poller = Poller(reactor._poller, mmap.mmap(file.fileno(), 8))  # type: ignore[attr-defined]
    sys.argv = ["twistd", *arguments]
    run()


class Server:
    """Such a server on a free port and one CPU; a context manager."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.port = harness.free_port()
        config, notes = folder / "radiod.toml", folder / "notes"
        config.write_text(CONFIG.format(port=self.port, salt="00" * 16, zeros="00" * 32))
        notes.write_bytes(bytes(8))
        with notes.open("r+b") as file:
            self._notes = mmap.mmap(file.fileno(), 8)
        arguments = [
            "--nodaemon",
            "--pidfile=",
            f"--logfile={folder / 'log'}",
            "radiod",
            "--config",
            str(config),
        ]
        self._process = subprocess.Popen(
            ["taskset", "-c", "0", sys.executable, __file__, "--serve", str(notes), *arguments],
            # twistd looks for packages here before anywhere else.
            cwd=root,
            stdout=subprocess.DEVNULL,
        )
        harness.wait_for_port(self.port, self._process)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def forget(self) -> None:
        """Whatever stalled until now does not count."""
        self._notes[:] = bytes(8)

    def longest(self) -> float:
        """Milliseconds of the longest stall since then."""
        return int(struct.unpack("Q", self._notes[:])[0]) / 1e6


# --- clients


class Peer(harness.Session):
    """A session over RawSocket in one of the serializers."""

    def __init__(self, port: int, codec: str = "json", hello: dict[str, Any] | None = None) -> None:
        number, self.dump, self.load = CODECS[codec]
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._last_id = 0
        self.socket.sendall(bytes([0x7F, 0xF0 | number, 0, 0]))
        while len(self._rest) < 4:
            self._more()
        self._rest = self._rest[4:]
        roles = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
        self.send(harness.HELLO, "realm1", {"roles": roles, **(hello or {})})
        if hello is None:
            self.expect(WELCOME)

    def send(self, *message: Any) -> None:
        self.send_raw(self.dump(list(message)))

    def send_raw(self, message: bytes) -> None:
        assert len(message) <= MIB, len(message)
        self.socket.sendall(frame(message))

    def receive(self) -> list[Any]:
        return list(self.load(self.receive_raw()))

    def receive_raw(self) -> bytes:
        """The next message, as it came."""
        return next(self.raw_frames(1))

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call, and wait for the answer, whatever it is."""
        self.request(CALL, {}, procedure, list(args), kwargs)
        return self.receive()


def http(port: int, request: bytes) -> bytes:
    """One request on a connection of its own. Returns: the answer."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(1 << 18):
            answer += data
    return answer


def get(port: int, path: str) -> bytes:
    """One GET. Returns: the answer."""
    return http(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


class Deflated:
    """A session over WebSocket and JSON that is compressed."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover;"
            b" server_no_context_takeover\r\n"
            b"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._file.readline()
        assert b"permessage-deflate" in head, head
        self.send([harness.HELLO, "realm1", {"roles": {"caller": {}, "subscriber": {}}}])
        self.receive()

    def send(self, message: Any) -> None:
        deflate = zlib.compressobj(1, wbits=-15)
        data = deflate.compress(msgspec.json.encode(message)) + deflate.flush(zlib.Z_SYNC_FLUSH)
        data = data[:-4]
        size = len(data)
        if size < 126:
            head = bytes([0xC1, 0x80 | size])
        elif size < 65536:
            head = b"\xc1\xfe" + size.to_bytes(2, "big")
        else:
            head = b"\xc1\xff" + size.to_bytes(8, "big")
        # A mask of zeros leaves the payload as it is.
        self._socket.sendall(head + bytes(4) + data)

    def receive(self) -> int:
        """Bytes of the next message."""
        size = self._file.read(2)[1]
        if size > 125:
            size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
        return len(self._file.read(size))

    def close(self) -> None:
        self._file.close()
        self._socket.close()


# --- payloads


def filled(codec: str, thing: Callable[[int], Any], size: int = LONGEST) -> list[Any]:
    """So many things that the list takes about so many bytes in a serializer."""
    dump = CODECS[codec][1]
    each = len(dump([thing(n) for n in range(1000)])) / 1000
    # Numbers that grow take more bytes each: what is too long is cut.
    things = [thing(n) for n in range(int(size / each))]
    while len(dump(things)) > size:
        del things[-1 - len(things) // 50 :]
    return things


def letters(codec: str) -> list[Any]:
    """One text."""
    return ["x" * (LONGEST - 16)]


PAYLOADS: dict[str, Callable[[str], list[Any]]] = {
    "a text": letters,
    "a text of ä": lambda codec: ["ä" * (LONGEST // 2 - 8)],
    "a text of quotes": lambda codec: ['"' * ((LONGEST - 16) // (2 if codec == "json" else 1))],
    "integers": lambda codec: filled(codec, lambda n: n % 1000),
    "floats": lambda codec: filled(codec, lambda n: n / 7),
    "records": lambda codec: filled(
        codec, lambda n: {"id": n, "name": f"car {n}", "speed": n / 3, "at": None}
    ),
    "empty lists": lambda codec: filled(codec, lambda n: []),
    "empty dictionaries": lambda codec: filled(codec, lambda n: {}),
    "short texts": lambda codec: filled(codec, lambda n: f"{n:x}"),
}


# --- rows: what is asked, and the answers awaited

Row = Callable[[int], Iterator[Callable[[], object]]]
"""Prepares, and yields what is measured, once for each repetition."""

ROWS: dict[str, Row] = {}
REPEAT = 3


def row(name: str) -> Callable[[Row], Row]:
    """Enter a row into the table."""

    def enter(function: Row) -> Row:
        ROWS[name] = function
        return function

    return enter


def publishes(source: str, target: str, kind: str) -> Row:
    """A PUBLISH of 1 MiB in one serializer to a listener of another."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        publisher, listener = Peer(port, source), Peer(port, target)
        listener.request(SUBSCRIBE, {}, "transcoded")
        listener.expect(SUBSCRIBED)
        args = PAYLOADS[kind](source)
        for _ in range(REPEAT):
            message = publisher.dump(
                [PUBLISH, publisher.next_id(), {"acknowledge": True}, "transcoded", args]
            )

            def act(message: bytes = message) -> None:
                publisher.send_raw(message)
                if publisher.receive()[0] == PUBLISHED:
                    assert listener.receive_raw()

            yield act
        publisher.close()
        listener.close()

    return function


def echoes(codec: str, kind: str) -> Row:
    """A call of 1 MiB that comes back."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        caller = Peer(port, codec)
        args = PAYLOADS[kind](codec)
        for _ in range(REPEAT):
            message = caller.dump([CALL, caller.next_id(), {}, "radiod.echo", args])

            def act(message: bytes = message) -> None:
                caller.send_raw(message)
                caller.receive_raw()

            yield act
        caller.close()

    return function


for _kind in PAYLOADS:
    for _source in CODECS:
        ROWS[f"radiod.echo of 1 MiB, {_source}, {_kind}"] = echoes(_source, _kind)
        for _target in CODECS:
            ROWS[f"PUBLISH of 1 MiB, {_source} to {_target}, {_kind}"] = publishes(_source, _target, _kind)


def calls(procedure: str, *args: Any, codec: str = "json", **kwargs: Any) -> Row:
    """A call, and its answer, which may be of several messages."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        caller = Peer(port, codec)
        for _ in range(REPEAT):
            yield lambda: caller.call(procedure, *args, **kwargs)
        caller.close()

    return function


for _codec in CODECS:
    # fmt: off
    for _name, _arguments, _options in (
        ("wamp.session.list", (), {}),
        ("wamp.session.count", (), {}),
        ("wamp.subscription.list", (), {}),
        ("wamp.registration.list", (), {}),
        ("wamp.subscription.match", ("a" * 100,), {}),
        ("radiod.client.list", (), {"limit": 1000}),
        ("radiod.channel.list", (), {"limit": 1000}),
        ("radiod.rpc.list", (), {"limit": 1000}),
        ("radiod.presence.get", ("seen.1",), {"limit": 1000}),
        ("radiod.channel.history", ("short.1",), {"limit": 1000}),
        ("radiod.channel.history", ("long.1",), {"limit": 1000}),
        ("radiod.server.stats", (), {}),
    ):
        ROWS[f"{_name}{_arguments or ''}, {_codec}"] = calls(_name, *_arguments, codec=_codec, **_options)
    # fmt: on


def events(topic: str, codec: str) -> Row:
    """A page of 1,000 events."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        caller = Peer(port, codec)
        caller.request(SUBSCRIBE, {}, topic)
        subscription = caller.expect(SUBSCRIBED)[2]
        for _ in range(REPEAT):
            yield lambda: caller.call("wamp.subscription.get_events", subscription, limit=1000)
        caller.close()

    return function


def replays(topic: str, codec: str) -> Row:
    """SUBSCRIBE behind the first of 1,000 events."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        asker = Peer(port)
        page = asker.call("radiod.channel.history", topic, limit=1)
        position = page[3][0]["events"][0]["position"]
        for _ in range(REPEAT):
            listener = Peer(port, codec)

            def act(listener: Peer = listener) -> None:
                listener.request(SUBSCRIBE, {"_radiod_after": position}, topic)
                count = 0
                while count < 999:
                    count += listener.receive()[0] == EVENT

            yield act
            listener.close()
        asker.close()

    return function


for _codec in CODECS:
    for _topic in ("short.1", "long.1"):
        ROWS[f"wamp.subscription.get_events, {_topic}, {_codec}"] = events(_topic, _codec)
        ROWS[f"SUBSCRIBE behind 1,000 events, {_topic}, {_codec}"] = replays(_topic, _codec)


def in_bytes(codec: str, message: Callable[[int], bytes]) -> Row:
    """A message that no library would make; its answer is an error, most often."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        for _ in range(REPEAT):
            caller = Peer(port, codec)

            def act(caller: Peer = caller) -> None:
                caller.send_raw(message(caller.next_id()))
                caller.receive_raw()

            yield act
            caller.close()

    return function


# Nothing but empty sets in tags; nothing but lists of one depth; ratios in tags.
SETS = b"\x9a" + (260_000).to_bytes(4, "big") + b"\xd9\x01\x02\x80" * 260_000
DEEP = b"\x9a" + (17_000).to_bytes(4, "big") + (b"\x81" * 58 + b"\x80") * 17_000
CBOR_CALL = b"\x86\x18\x30\x01\xa0"
ROWS["radiod.presence.get(limit=sets in tags), cbor"] = in_bytes(
    "cbor", lambda n: CBOR_CALL + b"\x73radiod.presence.get\x80\xa1\x65limit" + SETS
)
ROWS["radiod.presence.get(limit=deep lists), cbor"] = in_bytes(
    "cbor", lambda n: CBOR_CALL + b"\x73radiod.presence.get\x80\xa1\x65limit" + DEEP
)
ROWS["radiod.echo(sets in tags), cbor"] = in_bytes(
    "cbor", lambda n: b"\x85\x18\x30\x01\xa0\x6bradiod.echo\x81" + SETS
)
ROWS["radiod.echo(deep lists), cbor"] = in_bytes(
    "cbor", lambda n: b"\x85\x18\x30\x01\xa0\x6bradiod.echo\x81" + DEEP
)
ROWS["CALL.Options of empty lists, cbor"] = in_bytes(
    "cbor",
    lambda n: (
        b"\x85\x18\x30\x01\xa1\x61x\x9a"
        + (10**6).to_bytes(4, "big")
        + b"\x80" * 10**6
        + b"\x6bradiod.echo\x80"
    ),
)
ROWS["CALL.Options of empty lists, msgpack"] = in_bytes(
    "msgpack",
    lambda n: (
        b"\x95\x30\x01\x81\xa1x\xdd" + (10**6).to_bytes(4, "big") + b"\x90" * 10**6 + b"\xabradiod.echo\x90"
    ),
)
ROWS["CALL.Options of empty lists, json"] = in_bytes(
    "json", lambda n: b'[48,1,{"x":[' + b"[]," * 340_000 + b'0]},"radiod.echo",[]]'
)


@row("PUBLISH with six lists of 10,000, under 249 prefixes")
def lists(port: int) -> Iterator[Callable[[], object]]:
    publisher = Peer(port)
    ids = list(range(1, 10_001))
    names = [f"n{one}" for one in ids]
    options = {"acknowledge": True}
    for list_of, values in (("", ids), ("_authid", names), ("_authrole", names)):
        options |= {f"exclude{list_of}": values, f"eligible{list_of}": values}
    for _ in range(REPEAT):

        def act() -> None:
            publisher.request(PUBLISH, options, "a" * 250, [])
            publisher.expect(PUBLISHED)

        yield act
    publisher.close()


@row("PUBLISH of 100 bytes to 1,000 listeners")
def fan_out(port: int) -> Iterator[Callable[[], object]]:
    publisher = Peer(port)
    for _ in range(REPEAT):

        def act() -> None:
            publisher.request(PUBLISH, {"acknowledge": True}, "all", ["x" * 100])
            publisher.expect(PUBLISHED)

        yield act
    publisher.close()


@row("PUBLISH of 1 MiB to 1,000 listeners")
def large_fan_out(port: int) -> Iterator[Callable[[], object]]:
    publisher = Peer(port)
    for _ in range(REPEAT):

        def act() -> None:
            publisher.request(PUBLISH, {"acknowledge": True}, "all", ["x" * (LONGEST - 16)])
            publisher.expect(PUBLISHED)

        yield act
    publisher.close()


@row("20,000 calls of radiod.echo in one write")
def many(port: int) -> Iterator[Callable[[], object]]:
    for _ in range(REPEAT):
        caller = Peer(port)
        data = b"".join(frame(b'[48,%d,{},"radiod.echo",[1]]' % (n + 1)) for n in range(20_000))

        def act(caller: Peer = caller, data: bytes = data) -> None:
            caller.socket.sendall(data)
            for _ in caller.raw_frames(20_000):
                pass

        yield act
        caller.close()


def leaves(kind: int, done: int, match: str) -> Row:
    """A session hangs up that has as much of something as it may."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        for _ in range(REPEAT):
            leaver = Peer(port)
            for number in range(10_000):
                leaver.request(kind, {"match": match}, f"left.{number}")
                if number % 500 == 499:
                    for _ in range(500):
                        leaver.expect(done)
            yield leaver.close

    return function


ROWS["10,000 subscriptions leave"] = leaves(SUBSCRIBE, SUBSCRIBED, "exact")
ROWS["10,000 subscriptions to prefixes leave"] = leaves(SUBSCRIBE, SUBSCRIBED, "prefix")
ROWS["10,000 registrations leave"] = leaves(REGISTER, REGISTERED, "exact")


def asks(kind: int, done: int, match: str, what: str) -> Row:
    """SUBSCRIBE and REGISTER beside 10,000 others."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        asker = Peer(port)
        for number in range(REPEAT):

            def act(number: int = number) -> None:
                asker.request(kind, {"match": match}, f"{what}{number}")
                asker.expect(done)

            yield act
        asker.close()

    return function


for _match, _what in (("prefix", "p."), ("wildcard", "w..x")):
    ROWS[f"SUBSCRIBE to a {_match} beside 10,000"] = asks(SUBSCRIBE, SUBSCRIBED, _match, _what)
    ROWS[f"REGISTER a {_match} beside 10,000"] = asks(REGISTER, REGISTERED, _match, _what)


@row("a channel with 1,000 listeners ends")
def channel_ends(port: int) -> Iterator[Callable[[], object]]:
    for number in range(REPEAT):
        owner = Peer(port)
        name = f"ends.{number}"
        control_key = owner.call("radiod.channel.create", name)[3][0]["control_key"]
        for each in CROWD:
            each.request(SUBSCRIBE, {}, name)
            each.expect(SUBSCRIBED)

        # The listeners did not ask to be told.
        yield partial(owner.call, "radiod.channel.delete", name, control_key)
        owner.close()


@row("radiod.channel.tune to 100,000 events")
def tune(port: int) -> Iterator[Callable[[], object]]:
    listener = Peer(port)
    listener.request(SUBSCRIBE, {}, "long.1")
    listener.expect(SUBSCRIBED)
    for _ in range(REPEAT):
        yield lambda: listener.call("radiod.channel.tune", "long.1", size=100_000, max_bytes=16 * MIB)
    listener.close()


@row("SUBSCRIBE with get_retained to 1,000 persons")
def presence(port: int) -> Iterator[Callable[[], object]]:
    for _ in range(REPEAT):
        listener = Peer(port)

        def act(listener: Peer = listener) -> None:
            listener.request(SUBSCRIBE, {"get_retained": True}, "radiod.presence.seen.1")
            listener.expect(SUBSCRIBED)
            listener.expect(EVENT)

        yield act
        listener.close()


@row("1 MiB inflated, and deflated for its answer")
def deflated(port: int) -> Iterator[Callable[[], object]]:
    caller = Deflated(port)
    args = filled("json", lambda n: {"id": n, "name": f"car {n}", "speed": n / 3})
    for number in range(REPEAT):

        def act(number: int = number) -> None:
            caller.send([CALL, number + 1, {}, "radiod.echo", args])
            caller.receive()

        yield act
    caller.close()


@row("a page of 1,000 events deflated")
def deflated_page(port: int) -> Iterator[Callable[[], object]]:
    caller = Deflated(port)
    for number in range(REPEAT):

        def act(number: int = number) -> None:
            caller.send([CALL, number + 1, {}, "radiod.channel.history", ["long.1"], {"limit": 1000}])
            caller.receive()

        yield act
    caller.close()


@row("PUBLISH of 1 MiB of records to a listener that is compressed")
def deflated_event(port: int) -> Iterator[Callable[[], object]]:
    listener, publisher = Deflated(port), Peer(port)
    listener.send([SUBSCRIBE, 1, {}, "deflated"])
    listener.receive()
    args = filled("json", lambda n: {"id": n, "name": f"car {n}", "speed": n / 3})
    for _ in range(REPEAT):

        def act() -> None:
            publisher.request(PUBLISH, {"acknowledge": True}, "deflated", args)
            publisher.expect(PUBLISHED)
            listener.receive()

        yield act
    listener.close()
    publisher.close()


def logs_in(method: str, signature: str) -> Row:
    """A login, or one that fails at its last step, which costs as much."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        for _ in range(REPEAT):

            def act() -> None:
                hello = {
                    "authmethods": [method],
                    "authid": method.removeprefix("wamp-"),
                    "authextra": {"nonce": NONCE},
                }
                peer = Peer(port, hello=hello)
                extra = {"nonce": peer.receive()[2].get("nonce"), "channel_binding": None}
                peer.send(5, signature, extra)
                peer.receive()
                peer.close()

            yield act

    return function


NONCE = "egVDf3DMJh0="
ROWS["login by ticket"] = logs_in("ticket", "a ticket of twenty-five")
ROWS["login by wamp-scram, wrong"] = logs_in("wamp-scram", "A" * 43 + "=")


@row("GET /channels")
def get_channels(port: int) -> Iterator[Callable[[], object]]:
    for _ in range(REPEAT):
        yield lambda: get(port, "/channels?limit=1000")


@row("GET /listen/short.1?last=1000")
def get_short(port: int) -> Iterator[Callable[[], object]]:
    for _ in range(REPEAT):
        yield lambda: get(port, "/listen/short.1?last=1000")


@row("GET /listen/long.1?last=1000")
def get_long(port: int) -> Iterator[Callable[[], object]]:
    for _ in range(REPEAT):
        yield lambda: get(port, "/listen/long.1?last=1000")


def posts(kind: str) -> Row:
    """An HTTP publish of 1 MiB."""

    def function(port: int) -> Iterator[Callable[[], object]]:
        body = msgspec.json.encode({"topic": "posted", "args": PAYLOADS[kind]("json")})
        head = (
            "POST /publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAPI-KEY: member-key\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        for _ in range(REPEAT):
            yield lambda: http(port, head.encode() + body)

    return function


for _kind in ("a text", "integers", "records", "empty dictionaries"):
    ROWS[f"POST /publish of 1 MiB, {_kind}"] = posts(_kind)


# --- the world

CROWD: list[Peer] = []


def fill(port: int) -> list[Peer]:
    """Other people's things. Returns: those that are to stay, besides ``CROWD``."""
    for number in range(SESSIONS):
        peer = Peer(port)
        for topic in ("all", f"own.{number}", "seen.1"):
            peer.request(SUBSCRIBE, {}, topic)
            peer.expect(SUBSCRIBED)
        # 99 of them own ten channels each: all are one user, who may have 1,000.
        for one in range(10 if number < 99 else 0):
            peer.call("radiod.channel.create", f"channel.{number}.{one}")
        CROWD.append(peer)
    much = Peer(port)
    for kind, done in ((SUBSCRIBE, SUBSCRIBED), (REGISTER, REGISTERED)):
        for number in range(9_500):
            prefix = ("prefix", f"p.{number}.") if number % 2 else ("wildcard", f"w..{number}")
            much.request(kind, {"match": prefix[0]}, prefix[1])
            much.expect(done)
        for size in range(1, 250 if kind == SUBSCRIBE else 1):
            much.request(kind, {"match": "prefix"}, "a" * size)
            much.expect(done)
    for topic, text in (("short.1", "x" * 100), ("long.1", "x" * 900)):
        for number in range(1_000):
            much.request(PUBLISH, {"acknowledge": True}, topic, [number, text], {"speed": number / 7})
            much.expect(PUBLISHED)
    return [much]


def measure(server: Server, canary: Peer, function: Row) -> float:
    """Milliseconds of the longest stall of one row, in the best of its repetitions."""
    best = float("inf")
    for act in function(server.port):
        settle(server, canary)
        server.forget()
        act()
        settle(server, canary)
        best = min(best, server.longest())
    return best


def settle(server: Server, canary: Peer) -> None:
    """What was asked before has been done, what closed has been closed."""
    for each in CROWD:
        # Events would fill their sockets.
        while not each.has_nothing_more(0):
            each.receive_raw()
    for _ in range(3):
        time.sleep(0.01)
        assert canary.call("radiod.echo", 1)[0] != ERROR


def main() -> None:
    global REPEAT
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="words of names, comma separated")
    parser.add_argument("--all", action="store_true", help="print every row")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--root", type=Path, default=harness.ROOT, help="the folder that radiod is in")
    options = parser.parse_args()
    REPEAT = options.repeat
    words = options.only.split(",")
    rows = {name: row for name, row in ROWS.items() if any(word in name for word in words)}
    harness.raise_file_limit()
    with ExitStack() as stack:
        import tempfile

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radiod-stalls-")))
        server = stack.enter_context(Server(options.root.resolve(), folder))
        os.sched_setaffinity(0, {1})
        kept = fill(server.port)
        canary = Peer(server.port)
        found: dict[str, float] = {}
        for name, function in rows.items():
            try:
                found[name] = measure(server, canary, function)
            except (OSError, RuntimeError, harness.Refused) as error:
                sys.stderr.write(f"{name}: {error!r}\n")
            if options.all and name in found:
                print(f"{found[name]:8.1f} ms  {name}", flush=True)
        for each in (*kept, canary, *CROWD):
            each.close()
    print(f"\nthe longest of {len(found)} kinds, ms of the reactor's CPU in one piece:")
    for name, longest in sorted(found.items(), key=lambda each: -each[1])[
        : len(found) if options.all else 10
    ]:
        print(f"{longest:8.1f}  {name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], sys.argv[3:])
    else:
        main()
