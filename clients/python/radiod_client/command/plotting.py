"""``radio plot``: a channel or a recording as curves, in the terminal or as PNG."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from argparse import Namespace
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radiod_client.command.chart import chart
from radiod_client.command.connection import channel_key, connected
from radiod_client.command.ending import Ending, Stopped
from radiod_client.command.failures import Failed, Misused
from radiod_client.command.following import follow
from radiod_client.command.listening import gap_text
from radiod_client.command.terminal import Notes, Output
from radiod_client.recordings import read_recording
from radiod_client.recordings.numbers import curves
from radiod_client.recordings.records import Record, record_of

__all__ = ["Curves", "plot"]

REDRAW_S = 0.25
MOST_CURVES = 8


class Curves:
    """The newest values of each field; of arrays the newest array.

    Args:
        points: so many samples are kept of each.
    """

    def __init__(self, fields: list[str], points: int) -> None:
        self._fields = fields
        self._points = points
        self.times: dict[str, deque[float]] = {}
        self.values: dict[str, deque[float]] = {}
        self.arrays: dict[str, list[float]] = {}
        self.count = 0

    def add(self, record: Record) -> None:
        """One more sample; a gap before it breaks the curves."""
        self.count += 1
        found = curves(record.data, self._fields)
        if record.gap is not None:
            for name in self.values:
                self._put(name, record.time, math.nan)
        for name, value in found.items():
            if isinstance(value, list):
                self.arrays[name] = value
            elif name in self.values or len(self.values) < MOST_CURVES:
                self._put(name, record.time, value)

    def _put(self, name: str, time_of: float, value: float) -> None:
        self.times.setdefault(name, deque(maxlen=self._points)).append(time_of)
        self.values.setdefault(name, deque(maxlen=self._points)).append(value)

    def text(self, width: int, height: int) -> str:
        """All of them, one below the other."""
        drawn = {**self.values, **self.arrays}
        if not drawn:
            return (
                "nothing to draw yet"
                if self.count == 0
                else "no numbers in these samples: --field names some"
            )
        each = max((height - 1) // len(drawn), 4)
        return "\n".join(chart(list(values), width, each, name) for name, values in drawn.items())


def plot(options: Namespace, notes: Notes, ending: Ending) -> None:
    """Until there are as many as wanted, or the recording ends, or for ever; then the picture is there."""
    pyplot = _pyplot() if options.png is not None else None
    output = Output()
    is_live = output.is_terminal and pyplot is None
    drawn = Curves(options.field, options.points)
    next_time = 0.0
    try:
        for record in _records(options, notes):
            if record is not None:
                drawn.add(record)
                if record.gap is not None:
                    notes.say(gap_text(record.gap, record.position))
            notes.show(f"{drawn.count:,} samples")
            if is_live and time.monotonic() >= next_time:
                next_time = time.monotonic() + REDRAW_S
                output.write(b"\x1b[H\x1b[J" + _text(drawn) + b"\n")
    except Stopped:
        with ending.held():
            _finish(options, drawn, output, pyplot)
        raise
    _finish(options, drawn, output, pyplot)
    notes.clear()


def _finish(options: Namespace, drawn: Curves, output: Output, pyplot: Any) -> None:
    if pyplot is None:
        output.write((b"\x1b[H\x1b[J" if output.is_terminal else b"") + _text(drawn) + b"\n")
    else:
        _draw(pyplot, drawn, Path(options.png), options.channel or options.source)


def _text(drawn: Curves) -> bytes:
    width, height = shutil.get_terminal_size()
    encoding = sys.stdout.encoding or "utf-8"
    return drawn.text(width, height - 1).encode(encoding, "replace")


def _records(options: Namespace, notes: Notes) -> Iterator[Record | None]:
    """Samples as they come, and None from time to time."""
    if options.channel is None:
        yield from _of_file(options)
        return
    options.url = options.source
    key = channel_key(options)
    with connected(options, notes) as radio:
        count = 0
        for sample in follow(radio, options.channel, key, options.after, options.last):
            yield None if sample is None else record_of(sample, time.time())
            count += sample is not None
            if count == options.count:
                return


def _of_file(options: Namespace) -> Iterator[Record]:
    if "://" in options.source:
        raise Misused("plot: expected FILE, or URL and CHANNEL")
    for number, record in enumerate(read_recording(Path(options.source))):
        if options.count is not None and number >= options.count:
            return
        yield record


def _pyplot() -> Any:
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        return pyplot
    except ImportError:
        raise Failed("--png needs matplotlib: pip install 'radiod-client[plot]'") from None


def _draw(pyplot: Any, drawn: Curves, path: Path, title: str) -> None:
    """The picture, in one piece: whoever looks at the file meanwhile sees the one before."""
    names = [*drawn.values, *drawn.arrays]
    if not names:
        raise Failed("nothing to draw: no numbers came, or --field names others")
    figure, axes = pyplot.subplots(len(names), 1, figsize=(9, 2 + 2 * len(names)), squeeze=False)
    for name, axis in zip(names, axes[:, 0], strict=True):
        if name in drawn.values:
            began = drawn.times[name][0]
            axis.plot([each - began for each in drawn.times[name]], list(drawn.values[name]))
            axis.set_xlabel("seconds")
        else:
            axis.plot(drawn.arrays[name])
            axis.set_xlabel("element")
        axis.set_ylabel(name)
        axis.grid(True, alpha=0.3)
    axes[0, 0].set_title(title)
    figure.tight_layout()
    hidden = path.with_name(f".{path.name}.new")
    try:
        figure.savefig(hidden, format="png", dpi=100)
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
        pyplot.close(figure)
