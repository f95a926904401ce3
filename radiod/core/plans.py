"""What an account may use: a plan."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

__all__ = ["NAME", "NOTHING", "Plan"]

Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
Amount = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Over = Literal["refuse", "thin"]

Priced = Literal["base", "published", "delivered", "calls", "bytes_in", "bytes_out", "seconds"]
Price = dict[Priced, Annotated[float, Meta(ge=0, le=1_000_000_000)]]
"""What the ledger counts -> the price of 1,000 (of a gigabyte, of an hour); ``base``: of a month."""

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
"""Of the prices (ISO 4217)."""

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
"""What a plan may be called."""


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of one account; what is absent (None) is unlimited.

    ``publish_rate``, ``call_rate``: a second; ``publish_burst``, ``call_burst``: at once, by default
    max(1, ⌈rate⌉), and not without a rate; ``deliver_rate``: events a second for each listener, by thinning;
    ``…_day``, ``…_month``: of UTC; ``history_seconds``: how far back it may read; ``over``: what happens to
    open listeners when ``deliver_…`` or ``bytes_…`` is used up; ``self_rotate``: whether its holders may
    rotate their own keys; ``price``, ``currency``: for invoices.
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
    buffer_size: Count | None = None
    buffer_bytes: Count | None = None
    history_seconds: Seconds | None = None
    over: Over = "refuse"
    self_rotate: bool = False
    price: Price = {}
    currency: Currency | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError: there is a burst without its rate."""
        for kind, rate, burst in (
            ("publish", self.publish_rate, self.publish_burst),
            ("call", self.call_rate, self.call_burst),
        ):
            if burst is not None and rate is None:
                raise ValueError(f"{kind}_burst needs a {kind}_rate")


NOTHING: Final = Plan(
    publish_day=0, call_rate=0.001, call_burst=1, connections=0, channels=0, history_seconds=0.001
)
"""Of accounts whose plan nobody knows: nothing that costs anything."""
