"""What asyncio's face and Twisted's have in common: the core's rules, kept on a loop; answers, tasks, gates.

Coroutines of ``aio``, ``_channel`` and ``_listening`` wait for nothing but what a Driver gives them, so that
they run on either loop.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol
from urllib.parse import urlsplit

from radiod_client._core import Core
from radiod_client._login import Login
from radiod_client._messages import Codec
from radiod_client.errors import CallTimeout

__all__ = ["CLOSE_S", "Answer", "Driver", "Gate", "Task", "Transport", "late"]

CLOSE_S = 1.0
"""Seconds that a connection has for what was written last."""


class Answer(Protocol):
    """The core's callback as something that is awaited, by one."""

    def set(self, value: Any, error: BaseException | None) -> None:
        """The answer, or the error in its place; the first one counts."""

    def wake(self) -> None:
        """An answer that says nothing."""

    def __await__(self) -> Generator[Any, None, Any]: ...

    async def within(self, seconds: float | None, error: Exception | None = None) -> Any:
        """Raises: ``error``, or CallTimeout: it did not come in time."""


class Task(Protocol):
    """A coroutine that runs by itself."""

    def cancel(self) -> object: ...


class Timer(Protocol):
    """Something that happens later."""

    def cancel(self) -> object: ...


class Transport(Protocol):
    """One connection."""

    def write(self, data: bytes) -> None: ...
    def close(self) -> None:
        """Behind what was written, which has CLOSE_S for it."""

    def abort(self) -> None: ...
    def pause(self) -> None:
        """Read nothing more."""

    def resume(self) -> None: ...


def late(seconds: float | None) -> CallTimeout:
    """No answer came."""
    return CallTimeout("wamp.error.timeout", [f"no answer within {seconds:g} s"])


class Gate:
    """Open or shut; those who come while it is shut wait."""

    def __init__(self, answer: Callable[[], Answer], is_open: bool = False) -> None:
        self._answer = answer
        self._waiting: list[Answer] = []
        self.is_open = is_open

    def open(self) -> None:
        """All may pass."""
        self.is_open = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.wake()

    def shut(self) -> None:
        """Nobody may, until it opens again."""
        self.is_open = False

    async def passed(self, seconds: float, error: Exception) -> None:
        """Raises: ``error``: it stayed shut."""
        if not self.is_open:
            answer = self._answer()
            self._waiting.append(answer)
            try:
                await answer.within(seconds, error)
            finally:
                if answer in self._waiting:
                    self._waiting.remove(answer)


class Driver:
    """Keeps the core's rules on a loop, in whose thread all of it is called.

    Its subclasses have the loop: how to connect, and what ``Answer`` and ``Task`` are there.
    """

    canceled: type[BaseException]
    """What is raised in a coroutine that is canceled."""
    runs_functions = False
    """Whether functions that others call run in the loop, too, and not in threads."""

    def __init__(
        self,
        url: str,
        codec: Codec,
        login: Login,
        connect_timeout: float,
        on_state: Callable[[str], None] | None,
    ) -> None:
        self.address = urlsplit(url)
        self.transport: Transport | None = None
        self.can_write = Gate(self.answer, True)
        """Open while what is written goes out."""
        self.closed = Gate(self.answer)
        self._on_state = on_state
        self._dialing: Task | None = None
        self._timer: Timer | None = None
        self._turn: Timer | None = None
        self._due = 0.0
        self.core = Core(
            url,
            codec,
            login,
            clock=time.monotonic,
            random=random.random,
            connect_timeout=connect_timeout,
            on_state=self._enter,
        )

    # What the loop has.

    def answer(self) -> Answer:
        """Something to wait for."""
        raise NotImplementedError

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Task:
        """Have it run by itself, from the next turn on, until ``cancel_tasks``."""
        raise NotImplementedError

    def cancel_tasks(self) -> None:
        """All that ``spawn`` began, but not the one that asks."""
        raise NotImplementedError

    def soon(self, action: Callable[..., object], *args: Any) -> None:
        """In the next turn."""
        raise NotImplementedError

    async def turn(self) -> None:
        """Until the loop has looked at its sockets."""
        raise NotImplementedError

    def from_thread(self, action: Callable[..., object], *args: Any) -> None:
        """In the loop's thread, soon: from any other, and for nothing once the loop is gone."""
        raise NotImplementedError

    async def settled(self) -> None:
        """Until the sockets are gone."""
        raise NotImplementedError

    def _call_at(self, due: float, action: Callable[[], None]) -> Timer:
        raise NotImplementedError

    async def _connect(self) -> None:
        """Have ``made`` called. Raises: whatever went wrong."""
        raise NotImplementedError

    def _reason(self, error: BaseException) -> str:
        """What went wrong, for people."""
        return str(error)

    # What is the same everywhere.

    def flush(self) -> None:
        """Do what the core wants done: behind whatever it was told."""
        core = self.core
        core.is_stirred = False
        data = core.outgoing()
        if data and self.transport is not None:
            self.transport.write(data)
        if core.should_hang_up:
            self._hang_up()
        if core.should_dial and self._dialing is None:
            self._dialing = self.spawn(self._dial())
        self._set_timer()

    def _set_timer(self) -> None:
        due, is_closed = self.core.deadline(), self.core.state == "closed"
        if self._timer is not None and (is_closed or (due is not None and due < self._due)):
            self._timer.cancel()
            self._timer = None
        # A timer that comes too early finds that out by itself.
        if due is not None and self._timer is None and not is_closed:
            self._due, self._timer = due, self._call_at(due, self._tick)
        if is_closed and self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _tick(self) -> None:
        self._timer = None
        self.core.tick()
        self.flush()

    def _hang_up(self) -> None:
        dialing, self._dialing = self._dialing, None
        transport, self.transport = self.transport, None
        if dialing is not None:
            dialing.cancel()
        if transport is not None:
            transport.close()
        self.can_write.open()
        self.core.lost()

    async def _dial(self) -> None:
        try:
            await self._connect()
        except self.canceled:
            return
        except Exception as error:
            self._dialing = None
            self.core.lost(self._reason(error))
            self.flush()

    def made(self, transport: Transport) -> None:
        """There is a connection."""
        if self._dialing is None or self.transport is not None:
            # It was given up meanwhile.
            transport.abort()
            return
        self._dialing = None
        self.transport = transport
        self.can_write.open()
        self.core.dialed()
        self.flush()

    def received(self, transport: Transport, data: bytes) -> None:
        """Bytes came; the end of an old connection is nothing to the next."""
        if transport is self.transport:
            self.core.received(data)
            if self._turn is None:
                self._work()

    def _work(self) -> None:
        transport = self.transport
        was_working, self._turn = self._turn is not None, None
        if self.core.work():
            # Those who listen have a turn before the next; and meanwhile nothing more is read.
            if transport is not None:
                transport.pause()
            self._turn = self._call_at(time.monotonic(), self._work)
        elif was_working and transport is not None:
            transport.resume()
        if self.core.is_stirred:
            self.flush()
        else:
            self._settle()

    def _settle(self) -> None:
        """Behind a turn that brought events, and nothing else."""

    def lost(self, transport: Transport, error: BaseException | None) -> None:
        """The connection is gone: what came before is handled first."""
        if transport is not self.transport:
            return
        while self.core.work():
            pass
        self.transport = None
        self.can_write.open()
        self.core.lost("the connection was lost" if error is None else self._reason(error))
        self.flush()

    def stop(self) -> None:
        """At once, without a word."""
        for handle in (self._timer, self._turn, self._dialing):
            if handle is not None:
                handle.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _enter(self, state: str) -> None:
        if state == "closed":
            self.closed.open()
        if self._on_state is not None:
            self.soon(self._on_state, state)
