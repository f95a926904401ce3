"""Testaments: events that the router publishes for a session when it has gone.

Sessions are never detached here, so both scopes end together, ``detached`` first.
Source: WAMP specification, "Testament".
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from radiod.core.ports import Verdict
from radiod.core.sessions import Session
from radiod.errors import QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import PublishOptions

__all__ = ["Scope", "Testament", "add_testament", "flush_testaments", "last_will"]

Scope = Literal["detached", "destroyed"]


class Testament(Struct, frozen=True):
    """One event to come; ``verdict`` is what the session may do, decided when it made its testament."""

    scope: Scope
    topic: str
    payload: Payload
    options: PublishOptions
    verdict: Verdict


def add_testament(session: Session, testament: Testament, limit: int) -> None:
    """Add to what the session leaves behind. Raises: Refused: ``quota``: ``limit`` are there already."""
    testaments = session.testaments = session.testaments or []
    if len(testaments) >= limit:
        raise Refused(QUOTA, f"a session may leave {limit} testaments")
    testaments.append(testament)


def flush_testaments(session: Session, scope: Scope) -> None:
    """Forget the testaments of one scope."""
    session.testaments = [t for t in session.testaments or () if t.scope != scope] or None


def last_will(session: Session) -> list[Testament]:
    """What is to be published, in order."""
    return sorted(session.testaments or (), key=lambda testament: testament.scope != "detached")
