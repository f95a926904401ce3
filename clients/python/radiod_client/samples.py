"""What a listener gets."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = [
    "MOST_LAST",
    "SKIPPING",
    "Gap",
    "Sample",
    "before",
    "between",
    "numbered",
    "position_of",
    "samples_of",
]

SKIPPING = "x"
"""What the epoch begins with of a count that leaves numbers out."""

MOST_LAST = 1_000_000
"""As many samples as a history holds at most."""


class Gap(Struct, frozen=True):
    """Samples are missing right before the one that has this.

    ``reason``: ``buffer``, the server's buffer was full; ``queue``, this program was too slow; ``reconnect``,
    they were published while there was no connection, on a channel without history; ``history``, the history
    does not reach back far enough. ``lost`` is None where nobody can know.
    """

    lost: int | None
    reason: str

    def joined(self, later: Gap | None) -> Gap:
        """Both as one: how many together, and this one's reason."""
        if later is None:
            return self
        lost = None if self.lost is None or later.lost is None else self.lost + later.lost
        return Gap(lost, self.reason)


class Sample(Struct):
    """One event of a channel.

    ``details`` are the server's, ``gap`` says what is missing right before.
    """

    args: list[Any]
    kwargs: dict[str, Any]
    channel: str
    details: dict[str, Any]
    gap: Gap | None = None

    @property
    def data(self) -> Any:
        """The first argument: what was published."""
        return self.args[0] if self.args else (self.kwargs or None)

    @property
    def position(self) -> str | None:
        """Where it stands in its channel: use it as ``after``."""
        return position_of(self.details)

    @property
    def stream(self) -> Any:
        """The stream that it is a part of."""
        return self.details.get("_stream")


def position_of(details: dict[str, Any]) -> str | None:
    """``epoch:seq``, if the event is numbered."""
    seq, epoch = details.get("_seq"), details.get("_epoch")
    return None if seq is None or epoch is None else f"{epoch}:{seq}"


def samples_of(name: str, page: Any) -> list[Sample]:
    """What ``radiod.channel.history`` answered, as samples."""
    samples = []
    for event in page["events"]:
        epoch, _, seq = event["position"].rpartition(":")
        details = {"_epoch": epoch, "_seq": int(seq), "time": event["time"]}
        samples.append(Sample(event.get("args") or [], event.get("kwargs") or {}, name, details))
    return samples


def before(position: str) -> str:
    """The position in front of the sample at this one."""
    epoch, seq = numbered(position)
    return f"{epoch}:{max(seq - 1, 0)}"


def numbered(position: str) -> tuple[str, int]:
    """Epoch and number of a position."""
    epoch, _, seq = position.rpartition(":")
    return epoch, int(seq) if seq.isdecimal() else 0


def between(position: str | None, later: str | None) -> int | None:
    """How many samples are behind a position and before a later one; None: their numbers do not tell it.

    Several nodes that share a count leave numbers out; its epoch says so.
    """
    (epoch, seq), (known, last) = numbered(later or ":0"), numbered(position or ":0")
    if not epoch or epoch != known or epoch.startswith(SKIPPING):
        return None
    return max(seq - last - 1, 0)
