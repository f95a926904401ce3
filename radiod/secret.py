"""A secret of the configuration: compared in constant time, never shown."""

from __future__ import annotations

import hmac

__all__ = ["Secret"]


class Secret:
    """Holds a ticket or key."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret('…')"

    def reveal(self) -> str:
        """The secret itself, for what cannot do with a comparison."""
        return self._text

    def matches(self, candidate: str) -> bool:
        """True when ``candidate`` is the secret; takes as long when it is not."""
        return hmac.compare_digest(self._text.encode(), candidate.encode("utf-8", "surrogatepass"))
