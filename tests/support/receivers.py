"""A receiver of webhooks: a server of Python's own, in a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

__all__ = ["Receiver", "Request", "receiver"]


class Request:
    """What came. ``headers``: by names in lower case; ``peer``: address and port of the connection."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes, peer: Any) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.peer = peer


class Receiver:
    """Answers with ``status``, ``headers`` and ``body``; each of ``statuses``, if any, is taken first.

    ``release`` ends what is held: with ``is_silent`` nothing is answered, with ``is_slow`` only the head and
    ``body``, of which more is promised.
    """

    def __init__(self) -> None:
        self.status = 204
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_silent = self.is_slow = False
        self.release = threading.Event()
        self.requests: Queue[Request] = Queue()
        self.port = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Where it listens."""
        host = "127.0.0.1" if self.scheme == "http" else "localhost"
        return f"{self.scheme}://{host}:{self.port}/hook"

    def next(self) -> Request:
        """Wait for a request."""
        return self.requests.get(timeout=30)


@contextlib.contextmanager
def receiver(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver until the block ends. ``host``: an address of the loopback interface."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            made.requests.put(Request(self.path, headers, body, self.client_address))
            if made.is_silent:
                made.release.wait(30)
                self.close_connection = True
                return
            self._answer()

        do_GET = do_POST

        def _answer(self) -> None:
            self.send_response(made.statuses.pop(0) if made.statuses else made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.body) + (1 << 30) * made.is_slow))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(made.body)
                if made.is_slow:
                    made.release.wait(30)
                    self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, *_: Any) -> None:
            """A peer hung up, as it may."""

    server = Server((host, 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    if tls is not None:
        made.scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
