"""What every thread of this process does: files and names, no values."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Final

__all__ = ["MAX_FRAMES", "stacks"]

MAX_FRAMES: Final = 50
"""Of one thread, the innermost ones."""


def stacks(interrupted: FrameType | None = None) -> Iterator[str]:
    """A line for each thread, and for each of its calls, outermost first.

    ``interrupted``: what the calling thread did, where that is not what asks.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        is_ours = ident == threading.get_ident() and interrupted is not None
        calls = traceback.extract_stack(interrupted if is_ours else frame)
        yield f"thread {names.get(ident, ident)}, {len(calls)} calls:"
        for call in calls[-MAX_FRAMES:]:
            yield f"  {call.filename}:{call.lineno} {call.name}"
