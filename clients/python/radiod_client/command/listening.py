"""``radio listen``: a line of JSON for each sample."""

from __future__ import annotations

import time
from argparse import Namespace

from radiod_client import Gap, Sample
from radiod_client.command.connection import channel_key, connected
from radiod_client.command.ending import Ending
from radiod_client.command.following import follow
from radiod_client.command.terminal import Notes, Output, Rate
from radiod_client.recordings.records import json_text, line_of, record_of

__all__ = ["gap_text", "listen"]


def gap_text(gap: Gap, position: str | None) -> str:
    """What is missing, in words."""
    number = "an unknown number of samples" if gap.lost is None else f"{gap.lost:,} samples"
    one = "1 sample" if gap.lost == 1 else number
    verb = "is" if gap.lost == 1 else "are"
    return f"{one} {verb} missing before {position or 'this place'} ({gap.reason})"


def listen(options: Namespace, notes: Notes, ending: Ending) -> None:
    """Until there are as many as wanted, or for ever."""
    output, rate = Output(), Rate()
    is_shown = not output.is_terminal
    key = channel_key(options)
    with connected(options, notes) as radio:
        for sample in follow(radio, options.channel, key, options.after, options.last):
            if sample is None:
                output.check()
            else:
                output.write(_line(sample, options, notes))
                rate.add(1, time.monotonic())
            if is_shown:
                notes.show(rate.text(time.monotonic()))
            if rate.count == options.count:
                break
    notes.clear()


def _line(sample: Sample, options: Namespace, notes: Notes) -> bytes:
    if not options.data:
        return line_of(record_of(sample, time.time()))
    if sample.gap is not None:
        notes.say(gap_text(sample.gap, sample.position))
    return json_text(sample.data) + b"\n"
