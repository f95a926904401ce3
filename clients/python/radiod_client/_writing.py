"""Writing, on whichever loop: channels that are open for it, and runs of samples that belong together."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator
from typing import Any, Protocol

from radiod_client import _writers
from radiod_client._listening import Host
from radiod_client.errors import RadioError

__all__ = ["Stream", "Writer", "WriterOpening", "stream_id"]


class Target(Protocol):
    """What is asked of the channel."""

    name: str

    async def _publish(
        self,
        args: list[Any],
        acknowledge: bool,
        retain: bool = False,
        stream: dict[str, Any] | None = None,
    ) -> int | None: ...


class WriterOpening:
    """A ``writer()`` that has not begun: awaited, or used by ``async with``, it is the Writer."""

    def __init__(self, radio: Host, channel: Target, key: str | None, is_owned: bool) -> None:
        self._radio = radio
        self._channel = channel
        self._key = key
        self._is_owned = is_owned
        self._writer: Writer | None = None

    def __await__(self) -> Generator[Any, None, Writer]:
        return self._open().__await__()

    async def _open(self) -> Writer:
        radio = self._radio
        core, answer = radio._core(), radio.driver.answer()
        writer = core.lasting.writers.open(self._channel.name, self._key, answer.set)
        radio._flush()
        try:
            await answer.within(radio.timeout)
        except BaseException:
            core.lasting.writers.close(writer, self._is_owned)
            radio._flush()
            raise
        return Writer(radio, self._channel, writer, self._is_owned)

    async def __aenter__(self) -> Writer:
        self._writer = await self
        return self._writer

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            await self._writer.close()


class Writer:
    """A channel that is open for writing, over reconnections too."""

    def __init__(self, radio: Host, channel: Target, writer: _writers.Writer, is_owned: bool) -> None:
        self._radio = radio
        self._channel = channel
        self._writer = writer
        self._is_owned = is_owned

    @property
    def wanted(self) -> bool:
        """Whether anybody listens: what the server said last."""
        return self._writer.wanted

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or taken away."""
        return self._writer.is_over

    @property
    def readers(self) -> int:
        """How many listened when the server said so last: when the first came, or the last had gone."""
        return self._writer.readers

    async def wait_wanted(self, timeout: float | None = None) -> bool:
        """Wait until somebody listens. Returns: False: nobody did within so many seconds.

        Raises: Disconnected: it was closed; CallError: it may be written to no longer.
        """
        answer = self._radio.driver.answer()
        self._writer.when_wanted(answer.set)
        try:
            await answer.within(timeout)
        except TimeoutError:
            return False
        finally:
            self._writer.forget(answer.set)
        return True

    async def put(self, data: Any, wait: bool = False, *, acknowledge: bool = True) -> bool:
        """Publish a sample if anybody listens. Returns: False: nobody does, and nothing was sent.

        Args:
            wait: until somebody does.
        Raises: as ``publish``, and as ``wait_wanted``.
        """
        if self._writer.error is not None:
            raise self._writer.error
        if not self._writer.wanted:
            if not wait:
                return False
            await self.wait_wanted()
        await self._channel._publish([data], acknowledge)
        return True

    async def close(self) -> None:
        """Write no longer."""
        self._radio._core().lasting.writers.close(self._writer, self._is_owned)
        self._radio._flush()

    async def __aenter__(self) -> Writer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Stream:
    """Samples that belong together: each listener sees ``sample.stream``, ``{id, counter, begin, end}``."""

    def __init__(self, channel: Target, id: str | int | None) -> None:
        self.id = stream_id(id)
        self._channel = channel
        self._is_begun = self._is_over = False

    async def put(self, data: Any, *, end: bool = False, acknowledge: bool = True) -> None:
        """Publish the next sample; ``end``: it is the last.

        Raises: as ``publish``; ValueError: the stream has ended.
        """
        if self._is_over:
            raise ValueError(f"the stream {self.id!r} has ended")
        mark: dict[str, Any] = {"id": self.id, "end": True} if end else {"id": self.id}
        await self._channel._publish([data], acknowledge, stream=mark)
        self._is_begun, self._is_over = True, end

    async def close(self) -> None:
        """Say that it has ended, by an event without data, if it has begun and no sample said so."""
        if self._is_begun and not self._is_over:
            self._is_over = True
            await self._channel._publish([], True, stream={"id": self.id, "end": True})

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self.close()
        else:
            # What was raised inside is what the program is to see.
            with contextlib.suppress(RadioError):
                await self.close()


def stream_id(id: str | int | None) -> str | int:
    """One that is made up if none is given. Raises: ValueError: no id of a stream."""
    if id is None:
        return secrets.token_hex(8)
    is_text = isinstance(id, str) and 1 <= len(id) <= 64
    is_number = isinstance(id, int) and not isinstance(id, bool) and abs(id) <= 2**53
    if not (is_text or is_number):
        raise ValueError("id: expected a text of 1 to 64 characters, or an integer up to 2**53")
    return id
