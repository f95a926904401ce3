"""Where in a trace somebody is: the two headers of W3C Trace Context, read and written.

What is malformed is as if it were not there, and nobody is told. https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

__all__ = ["Context", "context_of"]

# Of a later version more may follow, behind a hyphen.
PARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)
STATE_KEY: Final = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
# Printable ASCII but for the comma and the equals sign, and no space at the end.
STATE_VALUE: Final = r"[ -+\x2d-<>-~]{0,255}[!-+\x2d-<>-~]"
STATE: Final = re.compile(rf"[ \t]*(?:{STATE_KEY}={STATE_VALUE})?[ \t]*")

MOST_STATE: Final = 512
"""Characters of ``tracestate`` that the specification asks everybody to pass on: longer ones are dropped."""
MOST_MEMBERS: Final = 32

SAMPLED: Final = 1


class Context(NamedTuple):
    """``trace``: 32, ``span``: 16 digits in hex; ``state``: what vendors add, or nothing."""

    trace: str
    span: str
    flags: int
    state: str

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began wants it to be recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """As the header has it."""
        return f"00-{self.trace}-{self.span}-{self.flags:02x}"

    def of(self, span: str) -> Context:
        """For what happens within this span."""
        return self._replace(span=span)


def context_of(traceparent: Any, tracestate: Any = None) -> Context | None:
    """What the two say; None: nothing that can be read."""
    found = PARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == "00" and rest is not None:
        return None
    # Of flags that a later version may have, nothing is known.
    return Context(trace, span, int(flags, 16) & SAMPLED, _state(tracestate) if tracestate else "")


def _state(given: Any) -> str:
    if not isinstance(given, str) or len(given) > MOST_STATE:
        return ""
    members = given.split(",")
    if len(members) > MOST_MEMBERS or not all(STATE.fullmatch(member) for member in members):
        return ""
    return ",".join(member.strip(" \t") for member in members if member.strip(" \t"))
