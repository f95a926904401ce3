"""What an account may use: a plan."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["Over", "Plan", "Price"]

Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
Amount = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Over = Literal["refuse", "thin"]

Money = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Prices in ``currency``: ``base`` for a month; of 1,000 events or calls, a gigabyte (10⁹ bytes) and an
    hour of one connection; None: nothing is charged for it.
    """

    currency: str = "EUR"
    base: Money | None = None
    published: Money | None = None
    delivered: Money | None = None
    calls: Money | None = None
    bytes_in: Money | None = None
    bytes_out: Money | None = None
    seconds: Money | None = None


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of one account; what is absent (None) is unlimited.

    ``publish_rate``, ``call_rate``: a second; ``publish_burst``, ``call_burst``: at once, by default
    max(1, ⌈rate⌉); ``deliver_rate``: events a second for each listener, by thinning; ``…_day``, ``…_month``:
    of UTC; ``history_seconds``: how far back it may read; ``over``: what happens to open listeners when
    ``deliver_…`` or ``bytes_…`` is used up; ``self_rotate``: whether its holders may rotate their own keys.
    """

    publish_rate: Rate | None = None
    publish_burst: Count | None = None
    publish_day: Amount | None = None
    publish_month: Amount | None = None
    call_rate: Rate | None = None
    call_burst: Count | None = None
    deliver_rate: Rate | None = None
    deliver_day: Amount | None = None
    deliver_month: Amount | None = None
    bytes_day: Amount | None = None
    bytes_month: Amount | None = None
    connections: Amount | None = None
    channels: Amount | None = None
    buffer_size: Amount | None = None
    buffer_bytes: Amount | None = None
    history_seconds: Seconds | None = None
    over: Over = "refuse"
    self_rotate: bool = False
    price: Price | None = None
