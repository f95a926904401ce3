"""Testaments: events that the router publishes for a session when it has gone.

Sessions are never detached here, so both scopes end together, ``detached`` first.
Source: WAMP specification, "Testament".
"""

from __future__ import annotations

from typing import Final, Literal

from radiod.core.promises import Promise
from radiod.core.rights import Verdict
from radiod.core.sessions.session import Session
from radiod.errors import QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["Scope", "Testament", "Testaments", "in_order"]

MAX_BYTES: Final = 1 << 20
"""Bytes that the testaments of one session may have together: payloads, black- and whitelists."""

Scope = Literal["detached", "destroyed"]


class Testament:
    """One event to come; ``verdict`` is what the session may do, decided when it made its testament."""

    __slots__ = ("options", "payload", "scope", "topic", "verdict")

    def __init__(
        self, scope: Scope, topic: str, payload: Payload, options: PublishOptions, verdict: Verdict
    ) -> None:
        self.scope: Scope = scope
        self.topic = topic
        self.payload = payload
        self.options = options
        self.verdict = verdict

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.payload) + self.options.lists_size()


class Testaments:
    """The testaments of one realm's sessions, of each at most ``limit``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_session: dict[Session, list[Testament]] = {}

    def __len__(self) -> int:
        """Sessions that leave any."""
        return len(self._by_session)

    def of(self, session: Session) -> list[Testament]:
        """What a session leaves, in the order of making."""
        return self._by_session.get(session, [])

    def check(self, session: Session, testament: Testament) -> None:
        """Whether a session may leave one more.

        Raises: Refused: ``quota``: there are too many already, or all together would be too long.
        """
        testaments = self.of(session)
        if len(testaments) >= self._limit:
            raise Refused(QUOTA, f"a session may leave {self._limit} testaments")
        if sum(one.size for one in testaments) + testament.size > MAX_BYTES:
            raise Refused(QUOTA, f"a session's testaments may have {MAX_BYTES} bytes")

    def add(self, session: Session, testament: Testament) -> Promise[None] | None:
        """Add to what the session leaves behind.

        Returns: kept when that is sure; None: it is.
        Raises: Refused: as ``check``.
        """
        self.check(session, testament)
        self._by_session[session] = [*self.of(session), testament]
        return None

    def flush(self, session: Session, scope: Scope) -> Promise[None] | None:
        """Forget the testaments of one scope. Returns: as ``add``."""
        self._keep(session, [one for one in self.of(session) if one.scope != scope])
        return None

    def drop(self, session: Session, testament: Testament) -> None:
        """Forget one testament."""
        self._keep(session, [one for one in self.of(session) if one is not testament])

    def _keep(self, session: Session, left: list[Testament]) -> None:
        self._by_session.pop(session, None)
        if left:
            self._by_session[session] = left

    def take(self, session: Session) -> list[Testament]:
        """What is to be published now that the session has left, in order."""
        return in_order(self._by_session.pop(session, []))


def in_order(testaments: list[Testament]) -> list[Testament]:
    """The testaments of one session as they are published."""
    return sorted(testaments, key=lambda testament: testament.scope != "detached")
