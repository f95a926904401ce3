"""What stands in the place of a frame that cannot be made."""

from __future__ import annotations

__all__ = ["Unsaid"]


class Unsaid(bytes):
    """The event cannot be said in this format, for that ``reason``. Empty."""

    reason: str

    def __new__(cls, reason: str) -> Unsaid:
        unsaid = super().__new__(cls)
        unsaid.reason = reason
        return unsaid
