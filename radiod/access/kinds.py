"""Which kinds of books a server has: others, where several nodes share them."""

from __future__ import annotations

from typing import NamedTuple

from radiod.access.accounts import AccountBook
from radiod.access.changes import Desk
from radiod.access.keys import KeyBook
from radiod.access.plans import PlanBook
from radiod.access.users import UserBook

__all__ = ["Kinds"]


class Kinds(NamedTuple):
    """The books of a server that is alone, and what takes their changes, unless others are named."""

    accounts: type[AccountBook] = AccountBook
    plans: type[PlanBook] = PlanBook
    keys: type[KeyBook] = KeyBook
    users: type[UserBook] = UserBook
    desk: type[Desk] = Desk
