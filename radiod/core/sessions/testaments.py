"""Testaments: events that the router publishes for a session when it has gone.

Sessions are never detached here, so both scopes end together, ``detached`` first.
Source: WAMP specification, "Testament".
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from radiod.core.ports import Verdict
from radiod.core.sessions.session import Session
from radiod.errors import QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import PublishOptions

__all__ = ["Scope", "Testament", "add_testament", "flush_testaments", "last_will"]

MAX_BYTES: Final = 1 << 20
"""Bytes that the testaments of one session may have together: payloads, black- and whitelists."""

Scope = Literal["detached", "destroyed"]


class Testament(Struct, frozen=True):
    """One event to come; ``verdict`` is what the session may do, decided when it made its testament."""

    scope: Scope
    topic: str
    payload: Payload
    options: PublishOptions
    verdict: Verdict

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.payload) + self.options.lists_size()


def add_testament(session: Session, testament: Testament, limit: int) -> None:
    """Add to what the session leaves behind.

    Raises: Refused: ``quota``: ``limit`` are there already, or all together would be too long.
    """
    testaments = session.testaments or []
    if len(testaments) >= limit:
        raise Refused(QUOTA, f"a session may leave {limit} testaments")
    if sum(one.size for one in testaments) + testament.size > MAX_BYTES:
        raise Refused(QUOTA, f"a session's testaments may have {MAX_BYTES} bytes")
    testaments.append(testament)
    session.testaments = testaments


def flush_testaments(session: Session, scope: Scope) -> None:
    """Forget the testaments of one scope."""
    session.testaments = [t for t in session.testaments or () if t.scope != scope] or None


def last_will(session: Session) -> list[Testament]:
    """What is to be published, in order."""
    return sorted(session.testaments or (), key=lambda testament: testament.scope != "detached")
