"""What an account's plan allows is taken before something is done, and given back if that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from radiod.core.allowances import Allowance
from radiod.core.realm.meter import Meter
from radiod.core.rights import Actor
from radiod.errors import OverLimit, Refused

__all__ = ["within"]

T = TypeVar("T")


def within(allowance: Allowance, meter: Meter, actor: Actor, uri: str, act: Callable[[], T]) -> T:
    """What ``act`` comes to, which publishes to this topic, or calls this procedure.

    Raises: OverLimit: the plan has no more: that is counted; Refused: as ``act``: nothing is used up.
    """
    try:
        allowance.take()
    except OverLimit:
        meter.refused(actor, uri)
        raise
    try:
        return act()
    except Refused:
        allowance.give_back()
        raise
