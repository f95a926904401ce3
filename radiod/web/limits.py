"""What clients over HTTP are told of the plans of their accounts: what is allowed, and what is left.

``RateLimit-Policy`` and ``RateLimit``: draft-ietf-httpapi-ratelimit-headers-10. A policy is named as its
limit is in a plan; ``t``, like ``Retry-After``, is when there will be more, not when there will be all.
"""

from __future__ import annotations

from typing import Any, Protocol

from radiod.core.allowances import Allowance, Allowances
from radiod.core.promises import Promise
from radiod.core.rights import Actor
from radiod.core.timers import Clock
from radiod.web.routes import Outcome
from radiod.wire.answer import Answer

__all__ = ["Told", "tell", "telling"]


class Told(Protocol):
    """What fields are told with; a request is one."""

    def tell(self, name: str, value: str) -> None: ...


def telling(request: Told, actor: Actor, of: str, outcome: Outcome) -> Outcome:
    """The same answer; whoever has a plan is told with it what that allows, and what is left then.

    ``of``: what was asked for, ``publish`` or ``call``.
    """
    holder = actor.principal.holder
    allowances = None if holder is None else holder.account.allowances
    if allowances is None:
        return outcome
    if not isinstance(outcome, Promise):
        tell(request, allowances, of)
        return outcome
    later: Promise[Answer] = Promise()

    def known(late: Any) -> None:
        tell(request, allowances, of)
        later.settle(late)

    outcome.then(known)
    return later


def tell(request: Told, allowances: Allowances, of: str) -> None:
    """Tell what is allowed, and what is left now; nothing where there are no limits."""
    allowance: Allowance = getattr(allowances, of)
    policies, limits = _items(allowance, allowances.clock)
    if policies:
        request.tell("RateLimit-Policy", ", ".join(policies))
        request.tell("RateLimit", ", ".join(limits))


def _items(allowance: Allowance, clock: Clock) -> tuple[list[str], list[str]]:
    policies, limits = [], []
    bucket = allowance.bucket
    if bucket is not None:
        seconds = clock.seconds()
        policies.append(f'"{allowance.name}";q={bucket.burst};w={bucket.window}')
        limits.append(f'"{allowance.name}";r={bucket.left(seconds)};t={bucket.wait(seconds)}')
    now = clock.time()
    for quota in (allowance.day, allowance.month):
        if quota is not None and quota.limit is not None:
            left = quota.left(now)
            policies.append(f'"{quota.name}";q={quota.limit};w={quota.end - quota.begin}')
            limits.append(f'"{quota.name}";r={left};t={quota.wait(now)}')
    return policies, limits
