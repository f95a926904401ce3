"""``[plans.<name>]``: what accounts may use, with the fields and bounds of ``core.plans.Plan``."""

from __future__ import annotations

from msgspec import structs

from radiod.config.reading import Node
from radiod.core.plans import Amount, Count, Currency, Over, Price, Rate, Seconds, check_bursts
from radiod.core.plans import Plan as WholePlan

__all__ = ["Plan"]


class Plan(Node, frozen=True, kw_only=True):
    """``[plans.<name>]``"""

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
        check_bursts(self.publish_rate, self.publish_burst, self.call_rate, self.call_burst)

    def whole(self) -> WholePlan:
        """The plan that it says."""
        return WholePlan(**structs.asdict(self))
