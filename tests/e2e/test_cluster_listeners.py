"""Listeners behind proxies, and over TLS, whose node dies: they go on at another one, without a gap.

Three nodes beside three NATS servers. Each speaks TLS itself; nginx and HAProxy, configured as
docs/proxies.md says, with three servers in the place of one, speak it before them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from engine.nats.servers import Servers
from selenium.webdriver.support.wait import WebDriverWait
from support.bad_line import bad_line
from support.browsers import NEEDS_CHROMIUM, chromium
from support.cluster.running import Node, node
from support.config import configuration
from support.programs import Program
from support.proxies import haproxy, nginx
from support.running import Server, free_port, program, wait_until
from support.tls import certificate, for_threads
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

pytestmark = [pytest.mark.e2e, pytest.mark.soak]

SECONDS = 60.0
CHANNEL = "kept"
HELLO = [1, "radio", {"roles": {"subscriber": {}}}]
BROKEN = (OSError, ConnectionClosed, InvalidHandshake, requests.RequestException, EOFError)
"""Also a 503 of a proxy that has not noticed yet that a server is gone."""

CONFIG = """
realms.radio.channels.kept.history.size = 1000

[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"

[[listen]]
endpoint = "ssl:{tls}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
"""


class Three:
    """Nodes, a publisher that moves away from those that die, and what they are reached by."""

    def __init__(self, folder: Path, pem: Path) -> None:
        self.pem = pem
        self._folder = folder
        self._opened = contextlib.ExitStack()
        self._urls = self._opened.enter_context(Servers(folder / "nats", 3)).urls
        self.ports = {name: (free_port(), free_port()) for name in "abc"}
        self.nodes: dict[str, tuple[Node, contextlib.ExitStack]] = {}
        for name in self.ports:
            (folder / name).mkdir()
            self._start(name)
        for started, _ in self.nodes.values():
            started.wait_ready()
        self.published = 0
        self.position = ""

    def _start(self, name: str) -> None:
        port, tls = self.ports[name]
        text = configuration(CONFIG.format(port=port, tls=tls, pem=self.pem))
        stack = contextlib.ExitStack()
        self.nodes[name] = stack.enter_context(node(self._folder / name, name, self._urls, text, port)), stack

    def publish(self, count: int) -> None:
        """So many numbers, each acknowledged, at a node that is there."""
        port, _ = self.ports[next(iter(self.nodes))]
        with contextlib.closing(Program(port)) as publisher:
            for _ in range(count):
                publisher.publish(CHANNEL, self.published)
                self.published += 1

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """kill -9 of a node, which comes back when the block ends."""
        killed, stack = self.nodes.pop(name)
        killed.server.process.kill()
        killed.server.process.wait(SECONDS)
        stack.close()
        try:
            yield
        finally:
            self._start(name)
            self.nodes[name][0].wait_ready()

    def close(self) -> None:
        """All of it ends."""
        logs = "".join(started.log for started, _ in self.nodes.values())
        for _, stack in self.nodes.values():
            stack.close()
        self._opened.close()
        assert "Traceback" not in logs


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    folder = tmp_path_factory.mktemp("three")
    with contextlib.closing(Three(folder, certificate(folder))) as three:
        yield three


# --- what they are reached by


@contextlib.contextmanager
def themselves(three: Three, folder: Path) -> Iterator[int]:
    """Their own TLS ports, each connection to the next."""
    with bad_line(*(tls for _, tls in three.ports.values())) as line:
        yield line.port


def behind(proxy: Callable[..., list[str]], one: str, more: str) -> Any:
    """A proxy before them: ``one`` is the server in its configuration, ``more`` what stands for each."""

    @contextlib.contextmanager
    def front(three: Three, folder: Path) -> Iterator[int]:
        port = free_port()
        command = proxy(folder, port, 8080, three.pem)
        file = next(folder.glob("*.c*f*g*"), folder / "nginx.conf")
        text = file.read_text()
        assert one in text
        servers = "".join(more.format(name=name, port=port) for name, (port, _) in three.ports.items())
        file.write_text(text.replace(one, servers.strip()))
        with program(command, folder / "proxy.log") as process:
            server = Server(process, port, folder / "proxy.log")
            wait_until(lambda: _accepts(port), server.process, server.log)
            yield port

    return front


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


FRONTS = {
    "their own TLS": themselves,
    "nginx": pytest.param(
        behind(nginx, "server 127.0.0.1:8080;", "    server 127.0.0.1:{port};\n"),
        marks=pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx-light"),
    ),
    "haproxy": pytest.param(
        behind(haproxy, "server radiod 127.0.0.1:8080 check", "    server {name} 127.0.0.1:{port} check\n"),
        marks=pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy"),
    ),
}


# --- who listens


class Listener:
    """Goes on behind its position whenever its connection breaks. ``breaks``: how often that was."""

    def __init__(self, port: int, pem: Path, position: str) -> None:
        self.port, self.pem, self.position = port, pem, position
        self.breaks = 0
        self._samples: Iterator[tuple[str, Any]] | None = None

    def take(self, count: int) -> list[Any]:
        """The next so many."""
        taken: list[Any] = []
        end = time.monotonic() + SECONDS
        while len(taken) < count:
            assert time.monotonic() < end, f"{taken} of {count}"
            self._samples = self._samples or self.listen()
            try:
                self.position, value = next(self._samples)
            except (*BROKEN, StopIteration):
                self._samples = None
                self.breaks += 1
            else:
                taken.append(value)
        return taken

    def listen(self) -> Iterator[tuple[str, Any]]:
        """Positions and data, until the connection breaks."""
        raise NotImplementedError

    def get(self, accept: str, **query: Any) -> requests.Response:
        """A request for the channel."""
        answer = requests.get(
            f"https://localhost:{self.port}/listen/{CHANNEL}",
            {"after": self.position, **query},
            headers={"Accept": accept},
            stream=True,
            timeout=SECONDS,
            verify=str(self.pem),
        )
        answer.raise_for_status()
        return answer


class Wamp(Listener):
    """WAMP over WebSocket."""

    def listen(self) -> Iterator[tuple[str, Any]]:
        url = f"wss://localhost:{self.port}/ws"
        with connect(url, ssl=for_threads(self.pem), subprotocols=["wamp.2.json"], proxy=None) as wire:
            yield from _events(lambda message: wire.send(json.dumps(message)), wire.recv, self.position)


class RawSocket(Listener):
    """WAMP over RawSocket."""

    def listen(self) -> Iterator[tuple[str, Any]]:
        context = for_threads(self.pem)
        with (
            socket.create_connection(("127.0.0.1", self.port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wire,
            wire.makefile("rwb") as file,
        ):
            file.write(b"\x7f\xf1\0\0")
            file.flush()
            assert _read(file, 4)[:1] == b"\x7f"

            def send(message: Any) -> None:
                data = json.dumps(message).encode()
                file.write(len(data).to_bytes(4, "big") + data)
                file.flush()

            yield from _events(
                send, lambda: _read(file, int.from_bytes(_read(file, 4), "big")), self.position
            )


def _read(file: Any, size: int) -> bytes:
    data: bytes = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _events(
    send: Callable[[Any], object], receive: Callable[[], Any], after: str
) -> Iterator[tuple[str, Any]]:
    send(HELLO)
    assert json.loads(receive())[0] == 2
    send([32, 1, {"_radiod_after": after}, CHANNEL])
    while True:
        message = json.loads(receive())
        if message[0] == 36:
            details = message[3]
            assert not {"_recovered", "_lost"} & set(details), details
            yield f"{details['_epoch']}:{details['_seq']}", message[4][0]


class ServerSentEvents(Listener):
    """As an EventSource."""

    def listen(self) -> Iterator[tuple[str, Any]]:
        position = self.position
        with self.get("text/event-stream") as answer:
            for line in answer.iter_lines(chunk_size=1):
                name, _, value = line.decode().partition(": ")
                assert name != "event", line
                position = value if name == "id" else position
                if name == "data":
                    yield position, json.loads(value)


class LinesOfJson(Listener):
    """A stream of lines."""

    def listen(self) -> Iterator[tuple[str, Any]]:
        with self.get("application/x-ndjson") as answer:
            for line in filter(None, answer.iter_lines(chunk_size=1)):
                record = json.loads(line)
                if "data" in record:
                    assert set(record) == {"position", "data"}, record
                    yield record["position"], record["data"]


class Polls(Listener):
    """One poll after the other."""

    def listen(self) -> Iterator[tuple[str, Any]]:
        while True:
            with self.get("*/*", wait=1) as answer:
                assert "X-Radiod-Recovered" not in answer.headers
                records = answer.json() if answer.status_code == 200 else []
            for record in records:
                yield record["position"], record["data"]


LISTENERS = {kind.__doc__: kind for kind in (Wamp, ServerSentEvents, LinesOfJson, Polls)}


@pytest.mark.parametrize("kind", LISTENERS.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_whoever_listens_goes_on_at_another_node(three: Three, tmp_path: Path, front: Any, kind: Any) -> None:
    with front(three, tmp_path) as port:
        go_on(three, kind(port, three.pem, position_now(three)))


def test_rawsocket_over_tls_goes_on_at_another_node(three: Three, tmp_path: Path) -> None:
    with themselves(three, tmp_path) as port:
        go_on(three, RawSocket(port, three.pem, position_now(three)))


def position_now(three: Three) -> str:
    """Where the channel stands, and a first event in it."""
    three.publish(1)
    port, _ = three.ports[next(iter(three.nodes))]
    answer = requests.get(f"http://127.0.0.1:{port}/listen/{CHANNEL}", {"wait": 0}, timeout=SECONDS)
    return answer.headers["X-Radiod-Position"]


def go_on(three: Three, listener: Listener) -> None:
    """Kill each node in turn: one of them was the listener's, or it asked each of them."""
    first = three.published
    three.publish(10)
    taken = listener.take(10)
    for name in list(three.nodes):
        with three.without(name):
            three.publish(10)
            taken += listener.take(10)
    assert taken == list(range(first, three.published))
    assert listener.breaks or isinstance(listener, Polls)


@NEEDS_CHROMIUM
def test_the_live_page_goes_on_at_another_node(three: Three, tmp_path: Path) -> None:
    """It says which node it is at; where that dies it comes to another one, and misses nothing."""
    with bad_line(*(port for port, _ in three.ports.values())) as line, chromium(tmp_path) as driver:

        def page(script: str) -> Any:
            return driver.execute_script(f"return {script}")

        def until(is_so: Callable[[], Any]) -> None:
            WebDriverWait(driver, SECONDS, poll_frequency=0.1).until(lambda _: is_so())

        def home() -> str:
            text = str(page("document.querySelector('#version').textContent"))
            return (
                text.rpartition(" node ")[2]
                if page("document.documentElement.dataset.state") == "open"
                else ""
            )

        def shows(number: int) -> bool:
            return bool(page("document.querySelector('#data').textContent") == str(number))

        def samples() -> int:
            return int(page("document.documentElement.dataset.samples ?? 0"))

        driver.get(f"http://127.0.0.1:{line.port}/#{CHANNEL}")
        until(lambda: page("document.documentElement.dataset.channel") == CHANNEL and home() in three.nodes)
        for _ in range(2):
            three.publish(10)
            until(lambda: shows(three.published - 1))
            count, name = samples(), home()
            with three.without(name):
                three.publish(10)
                until(lambda: shows(three.published - 1))
                assert samples() == count + 10
                until(lambda: home() in three.nodes)
        # Chromium itself reports each connection that was refused; nothing else may be there.
        logged = driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's
        assert [entry for entry in logged if entry["source"] != "network"] == []
