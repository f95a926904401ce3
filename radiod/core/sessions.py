"""One peer's session: who it is, and what it holds in broker and dealer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radiod.core.ids import Counter

if TYPE_CHECKING:
    from radiod.core.broker import Listener
    from radiod.core.dealer import PendingCall, Registration
    from radiod.core.ports import Principal

__all__ = ["Session"]


class Session:
    """A session on a realm.

    ``outlet`` belongs to the outbox: the core never looks inside. ``subscriptions``: subscription id ->
    listener; ``registrations``: registration id -> registration; ``calls``: this caller's request -> pending
    call; ``invocations``: this callee's invocation request -> pending call.
    """

    __slots__ = (
        "calls",
        "id",
        "invocation_ids",
        "invocations",
        "is_open",
        "outlet",
        "principal",
        "registrations",
        "subscriptions",
    )

    def __init__(self, id: int, principal: Principal, outlet: Any) -> None:
        self.id = id
        self.principal = principal
        self.outlet = outlet
        self.is_open = True
        self.subscriptions: dict[int, Listener] = {}
        self.registrations: dict[int, Registration] = {}
        self.calls: dict[int, PendingCall] = {}
        self.invocations: dict[int, PendingCall] = {}
        self.invocation_ids = Counter()

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.principal.authid} ({self.principal.authrole})>"
