"""The callees' side of calls between nodes: what callers' nodes ask for, and what has become of it.

A callee whose REGISTER is not answered yet, though other nodes know it already, must not be invoked: what
comes for its session waits, in order, until it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Final

from radiod.core.cluster.call_letters import (
    CallLetter,
    Declined,
    Dropped,
    Failed,
    Invoke,
    Reset,
    Stop,
    Yielded,
    pack,
    read_call,
    unpack,
)
from radiod.core.cluster.calls import ClusterDealer, calls_about
from radiod.core.cluster.foreign_calls import ForeignCall
from radiod.core.cluster.peers import Peers
from radiod.core.sessions.session import Session
from radiod.errors import CANCELED, MAX_CONCURRENCY, NO_SUCH_PROCEDURE, UNAVAILABLE, Refused
from radiod.wire.codecs import Payload

__all__ = ["MAX_HELD", "Visits"]

MAX_HELD: Final = 1000
"""Letters that wait for one session's REGISTER to be answered."""

ANOTHERS: Final = frozenset({MAX_CONCURRENCY, NO_SUCH_PROCEDURE, UNAVAILABLE})
"""Why one callee does not take a call that another one may."""


class Caller:
    """One node that calls: its pending calls by request, and the highest request that has come of it."""

    __slots__ = ("calls", "last")

    def __init__(self) -> None:
        self.calls: dict[int, ForeignCall] = {}
        self.last = 0


class Visits:
    """Takes all letters about calls of one realm. ``sessions``: id -> those of this node."""

    def __init__(
        self, realm: str, peers: Peers, dealer: ClusterDealer, sessions: Mapping[int, Session]
    ) -> None:
        self._peers = peers
        self._dealer = dealer
        self._sessions = sessions
        self._callers: dict[int, Caller] = {}
        # id of a session whose callees are not to be invoked yet -> from whom something came for them, what,
        # and whether it begins a call
        self._held: dict[int, deque[tuple[int, Invoke, bool]]] = {}
        self._about = calls_about(realm)
        peers.take(self._about, self._take)

    @property
    def pending(self) -> int:
        """Calls of others that are not answered."""
        return sum(len(caller.calls) for caller in self._callers.values())

    # --- letters

    def _take(self, node: int, data: bytes) -> None:
        letter = read_call(data)
        if letter is None:
            self._peers.note_malformed(self._about, node)
        elif isinstance(letter, Invoke):
            self._came(node, letter)
        elif isinstance(letter, Stop | Dropped):
            self._ended(node, letter)
        elif isinstance(letter, Reset):
            self._break(node)
        else:
            self._answered(node, letter)

    def _answered(self, node: int, letter: Yielded | Failed | Declined) -> None:
        self._dealer.answered(node, letter)

    def _came(self, node: int, letter: Invoke) -> None:
        caller = self._callers.setdefault(node, Caller())
        # A chunk, also one that comes behind the end of its call, has a number that was there before.
        is_new = letter.request > caller.last
        caller.last = max(caller.last, letter.request)
        held = self._held.get(letter.session)
        if held is None:
            self._invoke(node, letter, is_new)
        elif len(held) < MAX_HELD:
            held.append((node, letter, is_new))
        else:
            self._tell(
                node,
                Declined(letter.session, letter.request, UNAVAILABLE, "too many calls wait for the callee"),
            )

    def _invoke(self, node: int, letter: Invoke, is_new: bool) -> None:
        caller = self._callers[node]
        call = caller.calls.get(letter.request)
        payload = unpack(letter.payload)
        if call is not None:
            self._dealer.go_on(call, letter.details.get("progress", False), payload)
        elif is_new:
            self._begin(node, letter, caller, payload)

    def _begin(self, node: int, letter: Invoke, caller: Caller, payload: Payload) -> None:
        try:
            session = self._sessions.get(letter.session)
            callee = None
            if session is not None:
                callee = self._dealer.registrations.of(session).get(letter.registration)
            if callee is None:
                raise Refused(NO_SUCH_PROCEDURE, "the callee has unregistered it")
            tell = partial(self._tell, node)
            call = ForeignCall(
                letter.session, letter.request, dict(letter.details), payload, caller.calls, tell
            )
            self._dealer.invoke(call, callee)
        except Refused as refusal:
            if refusal.uri in ANOTHERS:
                self._tell(node, Declined(letter.session, letter.request, refusal.uri, refusal.text))
            else:
                told = pack(Payload.of(refusal.text))
                self._tell(node, Failed(letter.session, letter.request, refusal.uri, {}, told))

    def _ended(self, node: int, letter: Stop | Dropped) -> None:
        caller = self._callers.get(node)
        call = None if caller is None else caller.calls.get(letter.request)
        if call is None:
            self._forget_held(node, letter)
        elif isinstance(letter, Stop):
            self._dealer.stop(call, letter.mode, letter.reason)
        else:
            self._dealer.drop(call)

    def _forget_held(self, node: int, letter: Stop | Dropped) -> None:
        """A call has ended before its callee could be invoked."""
        for session, held in self._held.items():
            kept = [one for one in held if (one[0], one[1].request) != (node, letter.request)]
            if len(kept) < len(held):
                self._held[session] = deque(kept)
                if isinstance(letter, Stop) and letter.mode == "kill":
                    told = pack(Payload.of("the caller canceled the call"))
                    self._tell(node, Failed(session, letter.request, CANCELED, {}, told))
                return

    def _tell(self, node: int, letter: CallLetter) -> None:
        self._dealer.tell(node, letter)

    # --- callees

    def hold(self, session: Session) -> None:
        """A session's REGISTER is about to be answered; it is held once."""
        self._held.setdefault(session.id, deque())

    def release(self, session: Session) -> None:
        """It was answered, or will not be: what came meanwhile is done."""
        for node, letter, is_new in self._held.pop(session.id, ()):
            self._invoke(node, letter, is_new)

    # --- nodes

    def left(self, node: int) -> None:
        """A node is dead: nobody waits for what its callers have called."""
        caller = self._callers.pop(node, None)
        for session, held in self._held.items():
            self._held[session] = deque(one for one in held if one[0] != node)
        if caller is not None:
            self._stop(caller)

    def gap(self, node: int) -> None:
        """Letters of a node are missing: no call between the two can be relied on."""
        self._break(node)
        self._dealer.tell(node, Reset())

    def _break(self, node: int) -> None:
        caller = self._callers.get(node)
        for session, held in self._held.items():
            self._held[session] = deque(one for one in held if one[0] != node)
        if caller is not None:
            self._stop(caller)
        self._dealer.sever(node)

    def _stop(self, caller: Caller) -> None:
        for call in list(caller.calls.values()):
            self._dealer.stop(call, "killnowait", CANCELED)
