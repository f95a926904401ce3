"""What is large is built while nobody looks for garbage.

Each few hundred new lists Python looks at the newest for garbage, and now and then at everything there is. Of
the million lists that fit into a message none is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["LARGE", "undisturbed"]

T = TypeVar("T")

LARGE: Final = 1 << 15
"""Bytes that may hold so many lists that looking for garbage among them costs more than they do."""


def undisturbed(what: Callable[..., T], *args: object) -> T:
    """Call ``what``; garbage is looked for behind it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return what(*args)
    finally:
        if was_enabled:
            gc.enable()
