"""Text as it may stand in a log: one line of bounded length, without characters that act on a terminal."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_LINE", "MAX_TRACEBACK", "clean", "clean_traceback"]

MAX_LINE: Final = 512
MAX_TRACEBACK: Final = 8192
"""Characters."""


def clean(text: str, most: int = MAX_LINE) -> str:
    """``text`` with every character that does not print as an escape; at most ``most`` of them."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)[: 2 * most]


def clean_traceback(text: str) -> str:
    """The same for many lines, of which the last ones tell most."""
    if len(text) > MAX_TRACEBACK:
        text = "…" + text[1 - MAX_TRACEBACK :]
    return "\n".join(clean(line, MAX_TRACEBACK) for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
