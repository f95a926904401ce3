"""The outlet that suits a transport: a plain socket is written to directly, anything else by its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.transport.formats import Format
from radiod.transport.outlets import Outlet, SocketOutlet, Source, StreamOutlet

__all__ = ["outlet_over"]


def outlet_over(
    fan_out: Source,
    transport: Any,
    format: Format,
    *,
    max_bytes: int = 1 << 62,
    on_cut: Callable[[], None],
    on_finished: Callable[[], None],
) -> Outlet:
    """The outlet that suits a transport, ready to be written to."""
    is_plain = hasattr(transport, "socket") and not hasattr(transport, "wrappedProtocol")
    kind = SocketOutlet if is_plain else StreamOutlet
    outlet = kind(
        fan_out, format, max_bytes=max_bytes, on_cut=on_cut, on_finished=on_finished, transport=transport
    )
    outlet.start()
    return outlet
