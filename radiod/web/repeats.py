"""Requests with an ``Idempotency-Key``: what was done is not done again, and answered as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.budgets.idempotency import Answers, Begun, Kept, Running, idempotency_key
from radiod.core.promises import Promise
from radiod.errors import INVALID_ARGUMENT, RUNTIME_ERROR, RadiodError, Refused, http_status
from radiod.web.answers import Request
from radiod.web.callers import Caller
from radiod.wire.answer import Answer

__all__ = ["HEADER", "Repeats"]

HEADER: Final = b"idempotency-key"

REPLAYED: Final = ("Idempotency-Replayed", "true")

SOON: Final = (409, 429)
"""Statuses of requests that may be sent again in a moment."""


class Repeats:
    """What routes whose requests do something share."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def once(
        self,
        request: Request,
        caller: Caller,
        act: Callable[[], Answer | Promise[Answer]],
        refuse: Callable[[Refused, int], Answer],
    ) -> Answer | Promise[Answer]:
        """What ``act`` comes to, unless the same request had an answer.

        Args:
            act: its promise comes to a ``RadiodError`` if nobody waits any more; that is not kept.
            refuse: says with this status why it is not done.
        """
        value = request.head.first(HEADER)
        if value is None:
            return act()
        try:
            begun = self._begin(request, caller, value)
        except Refused as refusal:
            return _refused(refusal, refuse)
        if isinstance(begun, Promise):
            return _later(begun, act, refuse)
        return _go_on(begun, act)

    def _begin(self, request: Request, caller: Caller, value: bytes) -> Begun:
        if len(request.head.all(HEADER)) > 1:
            raise Refused(INVALID_ARGUMENT, "more than one Idempotency-Key")
        holder = caller.realm.name, caller.id
        return self._answers.begin(holder, request.target.path, idempotency_key(value), request.body)


def _refused(refusal: Refused, refuse: Callable[[Refused, int], Answer]) -> Answer:
    status = http_status(refusal)
    return _with(refuse(refusal, status), *((("Retry-After", "1"),) if status in SOON else ()))


def _go_on(begun: Running | Kept, act: Callable[[], Answer | Promise[Answer]]) -> Answer | Promise[Answer]:
    if isinstance(begun, Kept):
        answer = begun.answer
        assert isinstance(answer, Answer)
        return _with(answer, REPLAYED)
    try:
        outcome = act()
    except BaseException:
        begun.release()
        raise
    if isinstance(outcome, Promise):
        return _kept_later(begun, outcome)
    _keep(begun, outcome)
    return outcome


def _later(
    begun: Promise[Running | Kept],
    act: Callable[[], Answer | Promise[Answer]],
    refuse: Callable[[Refused, int], Answer],
) -> Promise[Answer]:
    """Once all nodes agree on who does it."""
    later: Promise[Answer] = Promise()

    def known(outcome: Running | Kept | RadiodError) -> None:
        if isinstance(outcome, Refused):
            later.settle(_refused(outcome, refuse))
        elif isinstance(outcome, RadiodError):
            later.settle(outcome)
        else:
            try:
                answer = _go_on(outcome, act)
            except RadiodError as error:
                later.settle(error)
                return
            except BaseException:
                # Whoever waits must not wait for ever.
                later.settle(RadiodError(RUNTIME_ERROR, "the router failed on this request"))
                raise
            if isinstance(answer, Promise):
                answer.then(later.settle)
            else:
                later.settle(answer)

    begun.then(known)
    return later


def _kept_later(begun: Running, outcome: Promise[Answer]) -> Promise[Answer]:
    later: Promise[Answer] = Promise()

    def known(late: Answer | RadiodError) -> None:
        if isinstance(late, Answer):
            _keep(begun, late)
        else:
            begun.release()
        later.settle(late)

    outcome.then(known)
    return later


def _keep(begun: Running, answer: Answer) -> None:
    fields = sum(len(name) + len(value) for name, value in answer.fields)
    begun.answered(answer.status, answer, len(answer.content) + fields)


def _with(answer: Answer, *fields: tuple[str, str]) -> Answer:
    return Answer(answer.status, answer.content, answer.type, answer.cache, (*answer.fields, *fields))
