"""What breaks the rule of costs, is known to, and is not mended yet: how much it may cost until it is.

Each run prints what of this it met. Take a line out with the change that mends it; add none without a reason.
"""

from __future__ import annotations

import re

__all__ = ["allowance"]

DENSE = r".*lists|.*maps|.*of one|many of depth 60|tagged .*|extensions|timestamps"
"""Of nothing but containers, or tags."""

KNOWN: tuple[tuple[str, float, str], ...] = (
    (
        rf"^(cbor|msgpack) PUBLISH.*: ({DENSE})$",
        6.0,
        "payloads of nothing but containers: scanned and decoded again for each other serializer",
    ),
    (
        rf"^(cbor|msgpack) (wamp|radiod)\.\S+\(\S+=({DENSE})\)$",
        3.0,
        "arguments of nothing but containers: scanned twice, and built",
    ),
    (
        rf"^(cbor|msgpack) [A-Z]+\.\w+: ({DENSE})$",
        2.0,
        "heads of nothing but containers: built before they are refused",
    ),
    (
        r"(wamp\.subscription\.get_events|radiod\.channel\.history)",
        2.5,
        "a page of 1,000 events is put into the serializer of whoever asked in one piece",
    ),
)
"""Pattern of names, factor of the limit, reason."""


def allowance(name: str) -> tuple[float, str]:
    """(factor of the limit, reason); 1 and nothing for what has to keep to the rule."""
    for pattern, factor, reason in KNOWN:
        if re.search(pattern, name):
            return factor, reason
    return 1.0, ""
