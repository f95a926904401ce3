"""What can be wrong with the file of a recording."""

from __future__ import annotations

__all__ = ["NoFormat", "RecordingError"]


class RecordingError(Exception):
    """It is no recording, somebody else writes to it, or its format needs a package that is not there."""


class NoFormat(RecordingError):
    """No format has names like this."""
