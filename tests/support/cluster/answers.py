"""What a router answers to which message: as far as somebody has to know it who waits for the answer."""

from __future__ import annotations

from typing import Any

__all__ = ["Answers"]

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, CALL, RESULT = 16, 48, 50
REQUESTS = {PUBLISH: 17, 32: 33, 34: 35, CALL: RESULT, 64: 65, 66: 67}
"""Code of a request -> of its answer."""

CLAIMING = ("wamp.session.add_testament", "radiod.channel.create", "radiod.channel.open_write")
"""Procedures; registrations are claimed, too."""

OPENING = {HELLO: {WELCOME, CHALLENGE}, AUTHENTICATE: {WELCOME}, GOODBYE: {GOODBYE}}


class Answers:
    """Messages on their way to nodes and back.

    Args:
        realms: a name of a realm in messages -> its name at the nodes.
    """

    def __init__(self, realms: dict[str, str]) -> None:
        self._realms = realms
        self._names = {there: here for here, there in realms.items()}
        # Whether something was said that stays when all sessions have gone.
        self.leaves_traces = False
        # Whether something was said whose end the nodes agree on, before they tell of it.
        self.makes_claims = False

    def going(self, message: Any) -> Any:
        """A message as the nodes shall read it."""
        match message:
            case [1, str(realm), *rest] if realm in self._realms:
                return [HELLO, self._realms[realm], *rest]
            case [16, _, dict(options), topic, *_] if str(topic).startswith("kept") or "retain" in options:
                self.leaves_traces = True
            case [64, *_]:
                self.makes_claims = True
            case [48, _, _, procedure, *_] if str(procedure).startswith(CLAIMING):
                self.makes_claims = True
        return message

    def coming(self, message: Any) -> Any:
        """A message as the client shall read it."""
        match message:
            case [2, session, {"realm": realm, **details}] if realm in self._names:
                return [WELCOME, session, {**details, "realm": self._names[realm]}]
        return message

    def is_asked(self, message: Any) -> bool:
        """Whether the router answers that, and not another client."""
        match message:
            case [1 | 5 | 6, *_] | [32 | 34 | 64 | 66, int(), *_]:
                return True
            case [16, int(), {"acknowledge": True}, *_]:
                return True
            case [48, int(), _, str(procedure), *_]:
                return procedure.startswith(("wamp.", "radiod."))
        return False

    def are_there(self, asked: list[Any], came: list[Any]) -> bool:
        """Whether all of these are answered, or it has ended."""
        if any(message[0] == ABORT for message in came if isinstance(message, list) and message):
            return True
        return all(any(_is_answer(message, answer) for answer in came) for message in asked)


def _is_answer(message: Any, answer: Any) -> bool:
    if message[0] in OPENING:
        return bool(answer[0] in OPENING[message[0]])
    code, request = message[:2]
    return bool(answer[:2] == [REQUESTS[code], request] or answer[:3] == [ERROR, code, request])
