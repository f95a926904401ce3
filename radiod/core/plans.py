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

Price = dict[str, float]
"""What the ledger counts -> the price of 1,000 (of a gigabyte, of an hour); ``base``: of a month."""


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of one account; what is absent (None) is unlimited.

    ``publish_rate``, ``call_rate``: a second; ``publish_burst``, ``call_burst``: at once, by default
    max(1, ⌈rate⌉), and not without a rate; ``deliver_rate``: events a second for each listener, by thinning;
    ``…_day``, ``…_month``: of UTC; ``history_seconds``: how far back it may read; ``over``: what happens to
    open listeners when ``deliver_…`` or ``bytes_…`` is used up; ``self_rotate``: whether its holders may
    rotate their own keys.
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
    price: Price = {}

    def __post_init__(self) -> None:
        for kind in ("publish", "call"):
            if getattr(self, f"{kind}_burst") is not None and getattr(self, f"{kind}_rate") is None:
                raise ValueError(f"{kind}_burst needs a {kind}_rate")
