"""What a channel keeps, a page at a time: as fast as it is wanted, and with the times of publishing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import structs

from radiod_client.errors import CallError
from radiod_client.samples import MOST_LAST, Gap, Sample, before, between, samples_of

__all__ = ["Past"]

LIMIT = 1000
NO_HISTORY = "wamp.error.history_unavailable"
Call = Callable[..., Any]


class Past:
    """The history of one channel.

    Args:
        call: of the Radio.
    """

    def __init__(self, call: Call, name: str, key: str | None) -> None:
        self._call = call
        self._name = name
        self._key = key
        self.pending: Gap | None = None
        """What is missing behind the last page, where no sample came to tell it."""

    def beginning(self, last: int) -> str | None:
        """The position in front of so many of the newest samples, at least one; None: nothing is counted."""
        self._join()
        try:
            position = self._call("radiod.channel.get", self._name).get("position")
        except CallError:
            # No channel yet: it has no past.
            return None
        if position is None:
            return None
        try:
            page = self._call("radiod.channel.history", self._name, None, 1, min(last, MOST_LAST))
        except CallError:
            return str(position)
        events = page["events"]
        return before(events[0]["position"]) if events else str(page["position"])

    def behind(self, position: str, *, is_promised: bool = True) -> Iterator[tuple[list[Sample], str]]:
        """Samples after ``position``, and where to go on behind them; nothing, if nothing is kept.

        Args:
            is_promised: whether what is not kept any more is a gap.
        """
        self._join()
        while True:
            try:
                page = self._call("radiod.channel.history", self._name, position, LIMIT)
            except CallError as error:
                if error.uri == NO_HISTORY:
                    return
                raise
            samples = samples_of(self._name, page)
            if page.get("recovered") is False and is_promised:
                missing = _missing(position, samples)
                self.pending = missing if self.pending is None else self.pending.joined(missing)
            if samples and self.pending is not None:
                samples[0] = structs.replace(samples[0], gap=self.pending)
                self.pending = None
            is_promised = True
            going_on = str(page["position"])
            if not samples and going_on == position:
                return
            position = going_on
            yield samples, position

    def _join(self) -> None:
        """A new session knows no private channel yet."""
        if self._key is not None:
            self._call("radiod.channel.join", self._name, self._key)


def _missing(position: str, samples: list[Sample]) -> Gap:
    """How much is gone between a position and the first sample that is still there."""
    return Gap((between(position, samples[0].position) if samples else None) or None, "history")
