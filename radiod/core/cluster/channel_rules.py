"""What becomes of a channel when its time is over, or its owner is gone: the same on every node."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from radiod.core.channels.registry import RETURN_S
from radiod.core.cluster.channel_records import ChannelRecord

__all__ = ["DELETED", "EXPIRED", "OWNER_LEFT", "disowned", "gives_way", "next_look"]

DELETED: Final = "deleted"
EXPIRED: Final = "expired"
OWNER_LEFT: Final = "owner_left"
"""Why a channel has ended: what ``radiod.channel.on_delete`` says."""


def disowned(record: ChannelRecord, now: float, *, is_away: bool) -> ChannelRecord | str:
    """What a channel is without its owner, who is gone; or why it ends.

    ``now``: seconds since 1970; ``is_away``: the owner's node stops, and it may come back to another.
    """
    rule = record.settings.on_owner_leave
    waits: float | None = None
    if not record.is_open:
        return OWNER_LEFT
    if rule == "delete":
        if not is_away:
            return OWNER_LEFT
        # Of durable ones nobody expects that they end.
        waits = None if record.settings.is_durable else now + RETURN_S
    elif rule != "keep":
        waits = now + float(rule)
    return structs.replace(record, node=0, session=0, waits=waits, orphaned=record.orphaned + 1)


def gives_way(record: ChannelRecord, to: ChannelRecord) -> bool:
    """Whether a channel that waits for its owner ends for another of its name: one of the same user.

    Some create a channel anew whenever they have come back, as if it had ended with them.
    """
    settings = record.settings
    is_waiting = record.waits is not None and settings.on_owner_leave == "delete"
    return is_waiting and settings.user is not None and settings.user == to.settings.user


def next_look(record: ChannelRecord) -> float | None:
    """When its time will be over, if nothing happens, in seconds since 1970; None: never."""
    times = [time for time in (record.expires, record.waits) if time is not None]
    return min(times) if times else None
