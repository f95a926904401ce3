"""Stock clients of Server-Sent Events on Node: where the connection breaks, they go on where they were."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import requests
from support.running import Server

HERE = Path(__file__).parent / "js"
SECONDS = 30

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules" / "eventsource").is_dir(), reason="npm packages are missing"
    ),
]


class Line:
    """A line to the server that can be cut, and tells what was asked over it."""

    def __init__(self, port: int) -> None:
        self._backend = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._backend))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if data.startswith(b"GET "):
                    self.heads.append(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Break every connection off."""
        broken, self._open = self._open, []
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()


@pytest.fixture(scope="module")
def server(shared_world):
    kept = "[realms.radio.channels.other_net]\nhistory = { size = 100 }\n"
    return shared_world.serve(kept)


def publish(server: Server, count: int) -> None:
    body = {"network": "other_net", "data": {"n": count}}
    answer = requests.post(
        f"{server.url}/publish", json=body, headers={"API-KEY": "sample-key"}, timeout=SECONDS
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("client", "told"), [("polyfill", b"lastEventId="), ("eventsource", b"last-event-id: ")]
)
def test_a_client_misses_nothing_when_its_connection_breaks(server: Server, client: str, told: bytes) -> None:
    publish(server, 1)
    line = Line(server.port)
    url = f"http://127.0.0.1:{line.port}/listen/other_net"
    process = subprocess.Popen(
        ["node", "--no-warnings", "events.mjs", client, f"{url}?last=1"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        # The polyfill tells of each broken connection there.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    guard = threading.Timer(SECONDS, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        assert process.stdout.readline().endswith('{"n": 1}\n')
        line.cut()
        publish(server, 2)
        publish(server, 3)
        heard = [process.stdout.readline().partition(" ")[2] for _ in range(2)]
        assert heard == ['{"n": 2}\n', '{"n": 3}\n']
        assert told in line.heads[-1].lower() if told.islower() else told in line.heads[-1]
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        line.close()
