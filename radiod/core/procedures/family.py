"""What every family of the router's procedures is made of.

A family is a class with one attribute, ``procedures``: name -> parameters and handler. The handler takes the
calling session and the parameters by keyword; it answers one dictionary or a payload, perhaps later, or
raises ``Refused``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from radiod.core.arguments import Signature
from radiod.core.promises import Promise
from radiod.wire.codecs import Payload

__all__ = ["Answer", "Family", "Payloads", "Procedure"]

Answer = dict[str, Any] | Payload | Promise[dict[str, Any]] | Promise[Payload]
Payloads = Payload | Promise[Payload]
Procedure = tuple[Signature, Callable[..., Answer]]


class Family(Protocol):
    """Some procedures that belong together."""

    @property
    def procedures(self) -> dict[str, Procedure]:
        """Name -> parameters and handler."""
