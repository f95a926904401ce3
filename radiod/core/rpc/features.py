"""What callees must have announced for some calls, and what depends on it in an INVOCATION."""

from __future__ import annotations

from typing import Final

from radiod.core.sessions.session import UNSTOPPABLE_CHUNKS
from radiod.errors import FEATURE_NOT_SUPPORTED, Refused
from radiod.wire.options import CallOptions

__all__ = ["CALLEES_OWN", "CANCELING", "PASSTHRU", "PROGRESSIVE_RESULTS", "REROUTE", "check_callee"]

CANCELING: Final = "callee.call_canceling"
PROGRESSIVE_RESULTS: Final = "callee.progressive_call_results"
CHUNKS: Final = frozenset({"callee.progressive_call_invocations", CANCELING})
REROUTE: Final = "callee.call_reroute"
PASSTHRU: Final = "callee.payload_passthru_mode"
CALLEES_OWN: Final = ("receive_progress", "timeout")
"""Details of an INVOCATION that depend on what its callee announced."""


def check_callee(features: frozenset[str], options: CallOptions) -> None:
    """Whether a callee takes a call with these options. Raises: Refused: ``feature_not_supported``."""
    if options.progress and not (features >= CHUNKS or UNSTOPPABLE_CHUNKS in features):
        raise Refused(FEATURE_NOT_SUPPORTED, "the callee takes no progressive call invocations")
    if options.is_passed_through and PASSTHRU not in features:
        raise Refused(FEATURE_NOT_SUPPORTED, "the callee takes no payload in passthru mode")
