"""What is published: a running town, a recording of one, or one that is being recorded."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Ended", "Source", "Watched"]


class Ended(Exception):
    """The source has no more samples; the text says why, where that is worth a line."""


class Source(Protocol):
    """Attributes: ``name`` of the channel; ``step``: simulated seconds from sample to sample."""

    name: str
    step: float

    @property
    def time(self) -> float:
        """Simulated seconds."""

    def next(self) -> None:
        """Advance to the next sample. Raises: Ended."""

    def dump_state(self, format: str = "dense") -> dict[str, Any]:
        """The sample now, ready for JSON; changes nothing."""

    def forget_key(self) -> None:
        """Let the next sample of ``delta`` be a key frame."""

    def map(self) -> dict[str, Any]:
        """The streets, in the samples' order."""


class Watched:
    """A source that somebody looks on while it advances; to be derived from."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.step = source.name, source.step

    @property
    def time(self) -> float:
        """The source's."""
        return self._source.time

    def next(self) -> None:
        """Advance. Raises: Ended."""
        self._source.next()

    def dump_state(self, format: str = "dense") -> dict[str, Any]:
        """The source's."""
        return self._source.dump_state(format)

    def forget_key(self) -> None:
        """The source's."""
        self._source.forget_key()

    def map(self) -> dict[str, Any]:
        """The source's."""
        return self._source.map()
