"""A proxy that passes bytes on, and swallows an answer when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Swallowing"]


class Swallowing:
    """In front of a server on ``upstream``, from the beginning of its block to the end.

    ``swallow`` has the next answer get lost: its client gets a closed connection instead, and no other one
    until ``go_on``.
    """

    def __init__(self, upstream: int) -> None:
        self.has_swallowed = threading.Event()
        self._is_asked = False
        self._is_open = threading.Event()
        self._is_open.set()
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def swallow(self) -> None:
        """The next answer; ``has_swallowed`` is set then."""
        self._is_asked = True

    def go_on(self) -> None:
        """Connections are passed on again."""
        self._is_open.set()

    def __enter__(self) -> Swallowing:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open.set()
        for each in [self._listener, *self._sockets]:
            _close(each)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._is_open.wait()
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                _close(client)
                continue
            self._sockets.append(server)
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, target, source is server))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self._is_asked:
                    self._is_asked = False
                    self._is_open.clear()
                    self.has_swallowed.set()
                    break
                target.sendall(data)
        _close(source)
        _close(target)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Whoever waits in it wakes up.
        one.shutdown(socket.SHUT_RDWR)
    one.close()
