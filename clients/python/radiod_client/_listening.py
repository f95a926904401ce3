"""Listening on asyncio: the core's callbacks as futures, and an inbox as an iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, Protocol

from radiod_client._core import Core
from radiod_client._inbox import Inbox
from radiod_client._subscription import Subscription
from radiod_client.errors import CallTimeout, Disconnected, RadioError
from radiod_client.samples import Sample

__all__ = ["Answer", "Listening", "Opening"]


class Host(Protocol):
    """What is asked of the Radio."""

    timeout: float

    @property
    def state(self) -> str: ...
    def _core(self) -> Core: ...
    def _flush(self) -> None: ...


class Answer:
    """The core's callback as a future."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def set(self, value: Any, error: RadioError | None) -> None:
        """The answer, or the error in its place."""
        if not self.future.done():
            if error is None:
                self.future.set_result(value)
            else:
                self.future.set_exception(error)

    async def within(self, seconds: float) -> Any:
        """Raises: CallTimeout."""
        try:
            return await asyncio.wait_for(self.future, seconds)
        except asyncio.TimeoutError:
            raise CallTimeout("wamp.error.timeout", [f"no answer within {seconds:g} s"]) from None


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
        radio, answer = self._radio, Answer()
        core = radio._core()
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
        if timeout is None:
            return await self._next()
        try:
            return await asyncio.wait_for(self._next(), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no sample within {timeout:g} s") from None

    async def _next(self) -> Sample:
        loop = asyncio.get_running_loop()
        while True:
            wake = loop.create_future()
            sample = self._inbox.take(lambda wake=wake: wake.done() or wake.set_result(None))  # type: ignore[misc]
            if sample is not None:
                return sample
            await wake

    def __aiter__(self) -> Listening:
        return self

    async def __anext__(self) -> Sample:
        try:
            sample = self._inbox.take()
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
