"""What every format of a recording keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from radiod_client.recordings.records import Record, Start

__all__ = ["Recording"]


class Recording(Protocol):
    """A file that samples are written to, one after the other, by one process at a time.

    What ``write`` has returned from survives kill -9 of this process.
    """

    channel: str | None
    """Of which channel it is; None in a new one, and where the format has no place for it."""
    position: str | None
    """Behind its last sample, or where it began."""
    is_new: bool
    """Whether there is nothing in it yet."""

    def begin(self, start: Start) -> None:
        """Say in a new file where it begins."""

    def write(self, records: Sequence[Record]) -> None:
        """Put these behind what is there. Raises: OSError: and then nothing of a record is left half."""

    def close(self) -> None:
        """Put the file to rest, whole by itself."""
