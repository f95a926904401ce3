"""Writing in programs that wait: channels that are open for it, and runs of samples that belong together."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from radiod_client import _writing

__all__ = ["Stream", "Writer"]

T = TypeVar("T")


class Host(Protocol):
    """What is asked of the Radio."""

    def _check_process(self) -> None: ...
    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...


class Writer:
    """A channel that is open for writing, over reconnections too."""

    def __init__(self, radio: Host, writer: _writing.Writer) -> None:
        self._radio = radio
        self._writer = writer

    @property
    def wanted(self) -> bool:
        """Whether anybody listens: what the server said last."""
        return self._writer.wanted

    @property
    def readers(self) -> int:
        """How many listened when the server said so last: when the first came, or the last had gone."""
        return self._writer.readers

    def wait_wanted(self, timeout: float | None = None) -> bool:
        """Wait until somebody listens. Returns: False: nobody did within so many seconds.

        Raises: Disconnected: it was closed; CallError: it may be written to no longer.
        """
        return self._radio._run(self._writer.wait_wanted(timeout))

    def put(self, data: Any, wait: bool = False, *, acknowledge: bool = True) -> bool:
        """Publish a sample if anybody listens. Returns: False: nobody does, and nothing was sent.

        Args:
            wait: until somebody does.
        Raises: as ``publish``, and as ``wait_wanted``.
        """
        self._radio._check_process()
        if not (wait or self._writer.wanted or self._writer.is_closed):
            # Without a word to the network's thread: this is what a source does most of the time.
            return False
        return self._radio._run(self._writer.put(data, wait, acknowledge=acknowledge))

    def close(self) -> None:
        """Write no longer."""
        self._radio._run(self._writer.close())

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """Samples that belong together: each listener sees ``sample.stream``, ``{id, counter, begin, end}``."""

    def __init__(self, radio: Host, stream: _writing.Stream) -> None:
        self.id = stream.id
        self._radio = radio
        self._stream = stream

    def put(self, data: Any, *, end: bool = False, acknowledge: bool = True) -> None:
        """Publish the next sample; ``end``: it is the last.

        Raises: as ``publish``; ValueError: the stream has ended.
        """
        self._radio._run(self._stream.put(data, end=end, acknowledge=acknowledge))

    def close(self) -> None:
        """Say that it has ended, by an event without data, if it has begun and no sample said so."""
        self._radio._run(self._stream.close())

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._radio._run(self._stream.__aexit__(*raised))
