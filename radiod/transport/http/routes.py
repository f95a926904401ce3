"""What a path leads to, as the server sees it."""

from __future__ import annotations

from typing import Protocol

from radiod.transport.http.request import Request
from radiod.transport.inbox import Work

__all__ = ["Route", "Taker"]


class Taker(Protocol):
    """Takes a request's body piece by piece, as it comes. ``limit``: its most bytes."""

    limit: int

    def take(self, piece: bytes, is_over: bool) -> Work:
        """Do something with one more piece, step by step; ``is_over``: it is the last one.

        It may answer at any time; the body is not read on after that.
        """


class Route(Protocol):
    """Answers requests; ``web.routes.Route`` is one.

    ``label``: what its requests are counted under; no client can choose it.
    """

    label: str
    is_for_watchers: bool
    """Whether it is served where nothing else of the radio is."""
    is_for_operators: bool
    """Whether it is served where nothing but the page of operators is."""

    def taker(self, request: Request) -> Taker | None:
        """Who takes the body piece by piece; None: ``handle`` wants it whole. It may answer instead."""

    def handle(self, request: Request) -> None:
        """Answer, now or later. What it raises is answered with 500, and logged."""
