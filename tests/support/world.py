"""What the fixture ``world`` gives: radiods, in memory or real ones, and clients for them."""

from __future__ import annotations

import tomllib
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from radiod.core.realm.realm import Realm
from radiod.service.radio import Radio
from support.cluster.fleet import Fleet
from support.config import BASE, configuration, parsed
from support.memory import HELLO, WebSocketWire, Wire
from support.running import Server, radiod

__all__ = ["World"]


class World:
    """A radiod in memory, as ``start`` says, else with the base of all tests; real ones with ``serve``.

    Time in memory stands still until a test lets it pass. Leaving the block ends whatever ``serve`` and
    ``enter`` began, the last first.
    """

    def __init__(self, folders: Any, fleet: Fleet | None = None) -> None:
        """``folders``: pytest's ``tmp_path_factory``; ``fleet``: nodes that stand for each radiod."""
        self._folders = folders
        self.fleet = fleet
        self._opened = ExitStack()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._opened.__exit__(*failure)

    # --- in memory

    @cached_property
    def reactor(self) -> Any:
        """What the radiod in memory runs on: a clock that the test turns."""
        return MemoryReactorClock()

    @cached_property
    def radio(self) -> Radio:
        """The radiod in memory."""
        return Radio(parsed(), self.reactor)

    def start(self, text: str = "", *, base: str = BASE, reactor: Any = None, **limits: Any) -> World:
        """A radiod in memory, configured as ``support.config.configuration`` says. Returns: this world."""
        if self.fleet is not None:
            # Requests over HTTP are those of the first realm: who has keys needs it for itself.
            is_alone = "keys" in tomllib.loads(text).get("realms", {}).get("radio", {})
            given = configuration(text, base=base, **limits)
            self.radio = self.reactor = self.enter(self.fleet.lend(given, is_alone=is_alone))
            return self
        self.reactor = reactor or MemoryReactorClock()
        self.radio = Radio(parsed(text, base=base, **limits), self.reactor)
        return self

    @property
    def realm(self) -> Realm:
        """The realm that clients join."""
        return self.radio.realms["radio"]

    def connect(self, kind: Any = Wire, *args: Any, **options: Any) -> Any:
        """A connection; of kind ``Wire`` it has no protocol yet."""
        return kind(self.radio, self.reactor, *args, **options)

    def join(self, kind: Any = WebSocketWire, hello: Any = HELLO) -> Any:
        """A connection with an anonymous session."""
        wire = self.connect(kind)
        wire.join(hello)
        return wire

    def ask(self, request: bytes, kind: Any = Wire) -> Any:
        """A connection of its own that has sent this, and was not read yet."""
        wire = self.connect(kind)
        wire.send(request)
        return wire

    def wait(self, seconds: float) -> None:
        """Let time pass, and the server finish its turn."""
        self.reactor.advance(seconds)
        self.reactor.advance(0)

    # --- real

    @cached_property
    def folder(self) -> Path:
        """For files: configurations and logs of ``serve`` are there."""
        return Path(self._folders.mktemp("world"))

    def serve(
        self, text: str = "", *arguments: str, base: str = BASE, port: int | None = None, **limits: Any
    ) -> Server:
        """A real radiod, which ends with the test. ``arguments``: of its command line."""
        if self.fleet is not None and not arguments and port is None:
            return self.enter(self.fleet.serve(configuration(text, base=base, **limits)))
        return self.enter(radiod(self.folder, configuration(text, base=base, **limits), port, *arguments))

    def enter(self, opened: AbstractContextManager[Any]) -> Any:
        """What a ``with`` statement would give; it ends with the test."""
        return self._opened.enter_context(opened)
