"""Shell-like patterns of names: ``*``, ``?``, ``[a-z]``, ``[!x]`` and ``{this,that}``; a backslash before one
of these takes its meaning away. Matching takes time in proportion to both lengths multiplied, never more.

Not WAMP's patterns: those are in ``core.patterns``.
"""

from __future__ import annotations

import re
from typing import Final

from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["MOST_ALTERNATIVES", "MOST_CHARACTERS", "glob"]

MOST_CHARACTERS: Final = 1024
MOST_ALTERNATIVES: Final = 64
"""That the braces of one pattern come to."""

_PIECE: Final = re.compile(
    r"(?P<star>\*+)|(?P<any>\?)|\[(?P<set>!?[^]\\[]+)\]|\\(?P<plain>.)|(?P<text>[^][*?{}\\])", re.DOTALL
)
_BRACES: Final = re.compile(r"((?:[^{}\\]|\\.)*)\{((?:[^{}\\]|\\.)*)\}(.*)", re.DOTALL)
_COMMA: Final = re.compile(r",|((?:[^,\\]|\\.)+)", re.DOTALL)


def glob(pattern: str) -> re.Pattern[str]:
    """The pattern, for ``fullmatch``. Raises: Refused: ``invalid_argument``: it is none, or too much."""
    if len(pattern) > MOST_CHARACTERS:
        raise Refused(INVALID_ARGUMENT, f"a pattern has up to {MOST_CHARACTERS} characters")
    try:
        return re.compile("|".join(map(_expression, _alternatives(pattern))), re.DOTALL)
    except re.error:
        raise _malformed() from None


def _alternatives(pattern: str) -> list[str]:
    """The patterns without braces that one with braces stands for."""
    done, waiting = [], [pattern]
    while waiting:
        found = _BRACES.fullmatch(waiting[-1])
        one = waiting.pop()
        if found is None:
            done.append(one)
        else:
            before, inside, behind = found.groups()
            waiting += [f"{before}{choice}{behind}" for choice in _choices(inside)]
        if len(done) + len(waiting) > MOST_ALTERNATIVES:
            raise Refused(INVALID_ARGUMENT, f"a pattern's braces come to up to {MOST_ALTERNATIVES} patterns")
    return done


def _choices(inside: str) -> list[str]:
    """What the commas between braces separate."""
    choices = [""]
    for part in _COMMA.finditer(inside):
        if part[1] is None:
            choices.append("")
        else:
            choices[-1] += part[1]
    return choices


def _expression(pattern: str) -> str:
    """One without braces as a regular expression.

    What follows a star is looked for once, and not again: there the rest matches if it matches anywhere.
    """
    segments = [""]
    at = 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            raise _malformed()
        at = piece.end()
        if piece["star"]:
            segments.append("")
        else:
            segments[-1] += _one(piece)
    first, *others = segments
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{segment})" for segment in middle) + f".*{last}"


def _one(piece: re.Match[str]) -> str:
    """A regular expression for one character."""
    if piece["any"]:
        return "."
    if piece["set"]:
        if "--" in piece["set"]:
            raise _malformed()
        negation, members = ("^", piece["set"][1:]) if piece["set"][0] == "!" else ("", piece["set"])
        quoted = "".join(one if one == "-" else re.escape(one) for one in members)
        return f"[{negation}{quoted}]"
    return re.escape(piece["plain"] or piece["text"])


def _malformed() -> Refused:
    return Refused(INVALID_ARGUMENT, "the pattern is malformed")
