"""Functions that others call, over all of a Radio's sessions: offered, and run in the loop or in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from radiod_client._driver import Driver
from radiod_client._invocation import Call
from radiod_client._lasting import Lasting
from radiod_client._pool import Pool
from radiod_client._registration import Registration
from radiod_client._running import Running
from radiod_client.errors import Disconnected
from radiod_client.services import Offer

__all__ = ["Home", "Host", "Registered", "Serving", "register_all"]


class Host(Protocol):
    """What is asked of the Radio."""

    timeout: float

    @property
    def driver(self) -> Driver: ...
    def _flush(self) -> None: ...
    async def _until_writable(self) -> None: ...


class Home(Protocol):
    """Another loop than the Radio's, for users' coroutines."""

    def start(self, coroutine: Any) -> Callable[[], object]:
        """Run it there, from any thread. Returns: what cancels it."""

    async def until(self, when: Callable[[Callable[[], None]], None]) -> None:
        """There: wait until what was given to ``when`` is called, in any thread."""


class Serving:
    """What runs calls of one Radio; made in its loop's thread.

    Args:
        home: where coroutines run, if not in that loop.
    """

    def __init__(self, radio: Host, home: Home | None = None) -> None:
        self._radio = radio
        self._home = home
        self._thread = threading.get_ident()
        self._pool = Pool()
        self._running: set[Running] = set()

    def callee(self, offer: Offer) -> Callable[[Call], None]:
        """What takes calls of a procedure."""

        def begin(call: Call) -> None:
            running = Running(offer.procedure, offer.function, offer.traceback, call, self)
            self._running.add(running)
            call.on_end = lambda: self._running.discard(running)
            call.on_cancel = running.cancel
            is_in_loop = self._radio.driver.runs_functions and not offer.is_generator
            if offer.is_async or is_in_loop:
                self.start(running, running.run_async())
            else:
                self._pool.submit(running.run)

        return begin

    # The port, as functions that run see it.

    def post(self, action: Callable[[], None]) -> None:
        """Have the network's thread do something, and write what comes of it."""
        self._in_thread(self._do, action)

    def _do(self, action: Callable[[], None]) -> None:
        action()
        self._radio._flush()

    def _in_thread(self, action: Callable[..., None], *args: Any) -> None:
        if threading.get_ident() == self._thread:
            action(*args)
        else:
            self._radio.driver.from_thread(action, *args)

    def when_there_is_room(self, then: Callable[[], None]) -> None:
        """Have ``then`` called when what was posted is on its way."""
        self._in_thread(self._tell, then)

    def _tell(self, then: Callable[[], None]) -> None:
        if self._radio.driver.can_write.is_open:
            then()
        else:
            self._radio.driver.spawn(self._tell_later(then))

    async def _tell_later(self, then: Callable[[], None]) -> None:
        try:
            await self._wait()
        finally:
            then()

    async def _wait(self) -> None:
        try:
            await self._radio._until_writable()
        except Disconnected:
            # Whoever waits finds out by being canceled.
            return

    async def room(self) -> None:
        """The same, where coroutines run."""
        if self._home is None:
            # A generator that never waits leaves nobody else a turn.
            await self._radio.driver.turn()
            await self._wait()
        else:
            await self._home.until(self.when_there_is_room)

    def start(self, running: Running, coroutine: Any) -> None:
        """Run a coroutine where coroutines run."""
        if self._home is None:
            self._in_thread(self._spawn, running, coroutine)
        else:
            self._begun(running, self._home.start(coroutine))

    def _spawn(self, running: Running, coroutine: Any) -> None:
        self._begun(running, self._radio.driver.spawn(coroutine).cancel)

    def _begun(self, running: Running, stop: Callable[[], object]) -> None:
        running.stop = stop
        if running.canceled.is_set():
            stop()

    def close(self) -> list[threading.Thread]:
        """Nobody is answered any more. Returns: threads that end when they are free."""
        for running in list(self._running):
            running.abandon()
        return self._pool.close()


class Registered:
    """Procedures that are offered, over reconnections too."""

    def __init__(self, radio: Host, registrations: list[Registration]) -> None:
        self._radio = radio
        self._registrations = registrations

    @property
    def procedures(self) -> list[str]:
        """Those that are still offered: others may have taken some over."""
        return [each.procedure for each in self._registrations if not each.is_over]

    async def close(self) -> None:
        """Offer them no longer. Calls that are under way go on."""
        for each in self._registrations:
            if not each.is_over:
                each.leave()
        self._radio._flush()


async def register_all(
    radio: Host, lasting: Lasting, serving: Serving, offers: list[Offer], force: bool
) -> Registered:
    """All of them, or none. Raises: CallError: one of them is refused."""
    answer = radio.driver.answer()
    waiting = {offer.procedure for offer in offers}

    def taker(procedure: str) -> Callable[[Any, BaseException | None], None]:
        def then(registration: Any, error: BaseException | None) -> None:
            waiting.discard(procedure)
            if error is not None or not waiting:
                answer.set(None, error)

        return then

    registrations = [
        lasting.register(
            offer.procedure,
            serving.callee(offer),
            taker(offer.procedure),
            signature=offer.signature,
            force=force,
        )
        for offer in offers
    ]
    registered = Registered(radio, registrations)
    radio._flush()
    try:
        await answer.within(radio.timeout)
    except BaseException:
        await registered.close()
        raise
    return registered
