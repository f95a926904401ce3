"""When a state was written, and how long ago that is in another process."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

__all__ = ["BYTE_ORDER", "Moment", "now"]

BYTE_ORDER: Final = sys.byteorder

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Moment(Struct, frozen=True):
    """``time``: seconds since 1970; ``boot``: what names this run of the machine; ``up``: its seconds."""

    time: float
    boot: str
    up: float

    def since(self, then: Moment) -> float:
        """Seconds since then, never less than 0: by the clock that nobody sets, if it is the same run."""
        if self.boot and self.boot == then.boot:
            return max(0.0, self.up - then.up)
        return max(0.0, self.time - then.time)


def now() -> Moment:
    """This moment."""
    try:
        boot = _BOOT.read_text().strip()
    except OSError:
        boot = ""
    return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))
