"""Peers that vanish without a packet are gone soon on every transport; those that are only silent stay.

The vanishing is real: the peers live in a network namespace, which is cut off. On loopback kernels answer for
their processes, which is what the silent ones do here.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from support.config import configuration
from support.memory import upgrade
from support.namespaces import Impossible, Namespace
from support.programs import Failed, Program
from support.running import environment, free_port, radiod
from support.tls import certificate

pytestmark = pytest.mark.e2e

INTERVAL = TIMEOUT = 2
SECONDS = 40
"""Patience; without any of this it takes a quarter of an hour, or two."""

ROUNDS = 5
"""How often to wait for a ping and its timeout: longer than probes of a peer that reads nothing are apart."""

CONFIG = configuration(ping_interval_s=INTERVAL, ping_timeout_s=TIMEOUT, log_interval_s=0.1)
MORE = re.compile(r"and ([0-9,]+) more of this kind")
HELLO = msgspec.json.encode([1, "radio", {"roles": {"subscriber": {}, "callee": {}}}])
HERE = Path(__file__).parent


def raw_frame(payload, kind=0):
    return bytes([kind]) + len(payload).to_bytes(3, "big") + payload


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, "the server hung up"
        data += more
    return data


def raw_hear(connection):
    """The kind and the payload of the next RawSocket frame."""
    head = exactly(connection, 4)
    return head[0], exactly(connection, int.from_bytes(head[1:], "big"))


def raw_session(connection, name):
    """A RawSocket session that listens to ``name``, and answers calls of ``name``."""
    connection.sendall(b"\x7f\xf1\x00\x00" + raw_frame(HELLO))
    assert exactly(connection, 4) == b"\x7f\xb1\x00\x00"
    for message in ([32, 1, {}, name], [64, 2, {}, name]):
        connection.sendall(raw_frame(msgspec.json.encode(message)))
    for code in (2, 33, 65):
        kind, payload = raw_hear(connection)
        assert (kind, json.loads(payload)[0]) == (0, code)


def answer_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(1)
        assert more, head
        head += more
    return head


def listener(connection, name, accept):
    """``GET /listen/…``; a stream has begun when its head is there, a poll cannot be seen to wait."""
    request = f"GET /listen/{name}?wait=60 HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
    connection.sendall(request.encode())
    if accept != "*/*":
        assert b" 200 " in answer_head(connection)


def websocket(connection, name):
    connection.sendall(upgrade(f"/listen/{name}"))
    assert b" 101 " in answer_head(connection)


def wamp_websocket(connection, name):
    connection.sendall(upgrade("/ws", "wamp.2.json"))
    assert b" 101 " in answer_head(connection)
    for message in (HELLO, msgspec.json.encode([32, 1, {}, name])):
        connection.sendall(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message)


def long_poll(connection, name):
    def post(path, body):
        head = f"POST /lp/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    def answer():
        head = answer_head(connection)
        size = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-l")
            ),
            0,
        )
        return exactly(connection, size)

    post("open", b'{"protocols": ["wamp.2.json"]}')
    transport = json.loads(answer())["transport"]
    for message in (HELLO, msgspec.json.encode([32, 1, {}, name])):
        post(f"{transport}/send", message)
        answer()
        post(f"{transport}/receive", b"")
        answer()
    # A receive that waits while its client vanishes.
    post(f"{transport}/receive", b"")


def pinging_session(connection, name):
    """A RawSocket session whose peer knows pings, and says so."""
    raw_session(connection, name)
    connection.sendall(raw_frame(b"x", 1))
    assert raw_hear(connection) == (2, b"x")


PEERS = {
    "rawsocket": raw_session,
    "rawsocket that pings": pinging_session,
    "sse": lambda connection, name: listener(connection, name, "text/event-stream"),
    "ndjson": lambda connection, name: listener(connection, name, "application/x-ndjson"),
    "poll": lambda connection, name: listener(connection, name, "*/*"),
    "websocket": websocket,
    "wamp over websocket": wamp_websocket,
    "long-poll": long_poll,
}
OVER_TLS = ("rawsocket", "sse", "websocket")


@contextmanager
def namespace() -> Iterator[Namespace]:
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces: ip is not installed")
    with ExitStack() as stack:
        try:
            network = stack.enter_context(Namespace())
        except Impossible as reason:
            pytest.skip(f"no network namespaces: {reason}")
        yield network


def listeners(program, topic):
    """How many listen to a topic."""
    subscription = program.call("wamp.subscription.lookup", topic)
    if subscription is None:
        return 0
    try:
        return program.call("wamp.subscription.count_subscribers", subscription)
    except Failed:
        # The last one has left in between.
        return 0


def wait_for(is_so, what):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.parametrize("busy", [False, True], ids=["nothing to say", "events going on"])
def test_whoever_vanishes_is_gone_soon_on_every_transport(tmp_path, busy):
    tls = free_port()
    with namespace() as network:
        more = [
            f"tcp:{(plain := free_port())}:interface={network.here}",
            f"ssl:{tls}:privateKey={certificate(tmp_path)}:interface={network.here}",
        ]
        arguments = [word for endpoint in more for word in ("--listen", endpoint)]
        with radiod(tmp_path, CONFIG, None, *arguments) as server:
            connections, topics = [], []
            for number, (kind, begin) in enumerate(PEERS.items()):
                connections.append(connection := network.dial(plain))
                topics.append(f"gone.{number}")
                begin(connection, topics[-1])
                if kind in OVER_TLS:
                    topics.append(f"gone.{number}.tls")
                    secure = over_tls(network.dial(tls))
                    connections.append(secure)
                    begin(secure, topics[-1])
            with closing(Program(server.port)) as program:
                wait_for(
                    lambda: all(listeners(program, topic) == 1 for topic in topics), "some never listened"
                )
                with pytest.raises(Failed, match="procedure_already_exists"):
                    program.register("gone.0")
                network.vanish()
                began = time.monotonic()
                remaining = set(topics)

                def all_gone():
                    if busy:
                        for topic in remaining:
                            program.publish(topic, "x" * 1000)
                    remaining.difference_update(
                        topic for topic in list(remaining) if not listeners(program, topic)
                    )
                    return not remaining

                wait_for(all_gone, remaining)
                print("gone after", time.monotonic() - began)
                program.register("gone.0")
            for connection in connections:
                connection.close()
    # After the end, which writes what was held back of the log.
    log = server.log.read_text()
    assert "Traceback" not in log
    # RawSocket twice, and over TLS; those at the same moment are one line and a number.
    told = [MORE.search(line) for line in log.splitlines() if "it has vanished" in line]
    assert sum(1 if more is None else int(more[1]) for more in told) >= 2


def over_tls(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection)


# --- silent, but there


class Idle:
    """A stock client that waits; what it prints is read by a thread."""

    def __init__(self, *command: str, directory: Path = HERE) -> None:
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=directory,
            env=environment(),
        )
        self._words: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._words.extend(line.strip() for line in self._process.stdout)

    def words(self) -> list[str]:
        return [word for word in list(self._words) if word in ("READY", "HEARD", "LEFT")]

    def everything(self) -> list[str]:
        return list(self._words)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(SECONDS)


def cut_for_silence(server):
    """How long it takes: a RawSocket peer that knows pings, but leaves one unanswered, is cut."""
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
        pinging_session(connection, "silent")
        kind, payload = raw_hear(connection)
        assert (kind, len(payload) > 0) == (1, True)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def stalled(server, topic):
    """An event stream whose peer reads nothing more."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", server.port))
    listener(connection, topic, "text/event-stream")
    return connection


def over_unix(path, topic):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    connection.connect(str(path))
    raw_session(connection, topic)
    return connection


def test_whoever_is_only_silent_stays(tmp_path):
    path = tmp_path / "socket"
    with radiod(tmp_path, CONFIG, None, "--listen", f"unix:{path}") as server, ExitStack() as stack:
        python = [sys.executable, str(HERE / "clients" / "autobahn_idle.py")]
        commands = [[*python, framework, str(server.port)] for framework in ("twisted", "asyncio")]
        if shutil.which("node") is not None and (HERE / "js" / "node_modules" / "autobahn").is_dir():
            commands.append(["node", "--no-warnings", str(HERE / "js" / "idle.js"), str(server.port)])
        clients = [stack.enter_context(closing(Idle(*command))) for command in commands]
        silent = stack.enter_context(closing(socket.create_connection(("127.0.0.1", server.port), SECONDS)))
        raw_session(silent, "silent.raw")
        local = stack.enter_context(closing(over_unix(path, "silent.unix")))
        stack.enter_context(closing(stalled(server, "silent.stream")))
        with closing(Program(server.port)) as program:
            wait_for(
                lambda: all(client.words() == ["READY"] for client in clients),
                [client.everything() for client in clients],
            )
            # More than the kernel takes: from here on its probes come at ever longer intervals.
            for _ in range(100):
                program.publish("silent.stream", "x" * 100_000)
        for _ in range(ROUNDS):
            cut_for_silence(server)
        with closing(Program(server.port)) as program:
            assert [listeners(program, f"silent.{kind}") for kind in ("raw", "unix", "stream")] == [1, 1, 1]
            for topic, connection in (("silent.raw", silent), ("silent.unix", local)):
                program.publish(topic, 1)
                assert json.loads(raw_hear(connection)[1])[0] == 36
            program.publish("idle", 1)
            wait_for(
                lambda: all(client.words()[:2] == ["READY", "HEARD"] for client in clients),
                [client.everything() for client in clients],
            )
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "it has vanished" not in log
    assert log.count("it does not answer pings") == ROUNDS
