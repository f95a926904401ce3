"""``radio replay``: a recording is published again, in its own time or another one."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from radiod_client.command.connection import channel_key, connected
from radiod_client.command.ending import Ending
from radiod_client.command.failures import Failed, one_line
from radiod_client.command.following import TICK_S
from radiod_client.command.listening import gap_text
from radiod_client.command.terminal import Notes, Rate
from radiod_client.errors import RadioError
from radiod_client.recordings import read_recording
from radiod_client.recordings.records import Record

__all__ = ["Pace", "replay"]


class Pace:
    """When each sample is due: as far from the first as in the recording, divided by the speed.

    Args:
        speed: 2 is twice as fast; 0 as fast as it goes.
        clock: seconds that only go forward.
    """

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def wait(self, record: Record) -> float:
        """Seconds until it is due; negative, if it is late."""
        now = self._clock()
        if self._speed == 0:
            return 0.0
        if self._first is None:
            self._first = (now, record.time)
        began, time_of_first = self._first
        return began + (record.time - time_of_first) / self._speed - now


def replay(options: Namespace, notes: Notes, ending: Ending) -> None:
    """To the recording's end, or as many as wanted."""
    key, pace, rate = channel_key(options), Pace(options.speed), Rate()
    records = read_recording(Path(options.file))
    first = next(records, None)
    if first is None:
        raise Failed(f"{options.file}: there is no sample in it")
    with connected(options, notes) as radio:
        channel = radio.channel(options.channel, key)
        record: Record | None = first
        while record is not None and (options.count is None or rate.count < options.count):
            if record.gap is not None:
                notes.say(f"in the recording {gap_text(record.gap, record.position)}")
            _wait(pace, record, rate, notes)
            try:
                channel.publish(record.data)
            except (RadioError, ValueError, TypeError) as error:
                where = record.position or "a sample"
                raise Failed(f"{where}: {one_line(error)}; {rate.count:,} were published before") from None
            rate.add(1, time.monotonic())
            record = next(records, None)
    notes.clear()
    notes.say(f"{rate.count:,} samples of {options.file} were published on {options.channel}")


def _wait(pace: Pace, record: Record, rate: Rate, notes: Notes) -> None:
    while True:
        wait = pace.wait(record)
        behind = f", {-wait:.1f} s late" if wait < -0.1 else ""
        notes.show(f"{rate.text(time.monotonic())}{behind}")
        if wait <= 0:
            return
        time.sleep(min(wait, TICK_S))
