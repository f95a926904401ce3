"""Listening: an inbox as an iterator that is awaited, on whichever loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Generator
from typing import Any, Protocol

from radiod_client._core import Core
from radiod_client._driver import Driver
from radiod_client._inbox import Inbox
from radiod_client._subscription import Subscription
from radiod_client.errors import Disconnected
from radiod_client.samples import Sample

__all__ = ["Host", "Listening", "Opening"]


class Host(Protocol):
    """What is asked of the Radio."""

    timeout: float

    @property
    def state(self) -> str: ...
    @property
    def driver(self) -> Driver: ...
    def _core(self) -> Core: ...
    def _flush(self) -> None: ...


class Opening:
    """A ``listen`` that has not begun: awaited it is the Listening, iterated over its samples."""

    def __init__(
        self,
        radio: Host,
        name: str,
        key: str | None,
        inbox: Inbox,
        after: str | None,
        last: int,
        buffer: dict[str, Any],
    ) -> None:
        self._radio = radio
        self._name = name
        self._key = key
        self._inbox = inbox
        self._past = (after, last)
        self._buffer = buffer

    def __await__(self) -> Generator[Any, None, Listening]:
        return self._open().__await__()

    async def _open(self) -> Listening:
        radio = self._radio
        core, answer = radio._core(), radio.driver.answer()
        after, last = self._past
        subscription = core.lasting.listen(
            self._name, self._key, self._inbox, answer.set, after=after, last=last, buffer=self._buffer
        )
        radio._flush()
        try:
            await answer.within(radio.timeout)
        except BaseException:
            core.lasting.unlisten(subscription, self._inbox)
            radio._flush()
            raise
        return Listening(radio, subscription, self._inbox)

    async def __aiter__(self) -> AsyncIterator[Sample]:
        async with await self as listening:
            async for sample in listening:
                yield sample


class Listening:
    """Samples of a channel, as they come."""

    def __init__(self, radio: Host, subscription: Subscription, inbox: Inbox) -> None:
        self._radio = radio
        self._subscription = subscription
        self._inbox = self.inbox = inbox
        self.is_closed = False
        self._first = subscription.position

    @property
    def position(self) -> str | None:
        """Behind the last sample that was taken: what a later ``listen(after=…)`` goes on from."""
        return self._inbox.position or self._first

    @property
    def lost(self) -> int:
        """How many samples all gaps together told as lost."""
        return self._inbox.lost

    async def get(self, timeout: float | None = None) -> Sample:
        """The next sample. Raises: TimeoutError; Disconnected: it was closed; CallError: access ended."""
        sample = self._inbox.take()
        if sample is not None:
            return sample
        return await self._next(timeout)

    async def _next(self, timeout: float | None = None) -> Sample:
        driver, inbox = self._radio.driver, self._inbox
        end = None if timeout is None else time.monotonic() + timeout
        sample = None
        while sample is None:
            answer = driver.answer()
            sample = inbox.take(answer.wake)
            if sample is None:
                try:
                    if end is None:
                        await answer
                    else:
                        error = TimeoutError(f"no sample within {timeout:g} s")
                        await answer.within(max(end - time.monotonic(), 0.0), error)
                except BaseException:
                    inbox.forget(answer.wake)
                    raise
                # None: somebody else was faster.
                sample = inbox.take_or_none()
        return sample

    def __aiter__(self) -> Listening:
        return self

    async def __anext__(self) -> Sample:
        try:
            sample = self._inbox.take_or_none()
            return await self._next() if sample is None else sample
        except Disconnected:
            if self.is_closed or self._radio.state in ("closing", "closed"):
                raise StopAsyncIteration from None
            raise

    async def close(self) -> None:
        """Listen no longer: whoever waits for a sample is told."""
        self.end()

    def end(self) -> None:
        """The same, in the loop's thread."""
        self.is_closed = True
        self._radio._core().lasting.unlisten(self._subscription, self._inbox)
        self._inbox.end(Disconnected("closed"))
        self._radio._flush()

    async def __aenter__(self) -> Listening:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
