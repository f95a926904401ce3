"""The text that Prometheus reads, made of plain numbers.

Source: "Exposition formats" of Prometheus' documentation, text format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from radiod.core.histograms import Histogram

__all__ = ["CONTENT_TYPE", "COUNTER", "GAUGE", "HISTOGRAM", "Family", "Labels", "text"]

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

GAUGE: Final = "gauge"
COUNTER: Final = "counter"
HISTOGRAM: Final = "histogram"

Labels = tuple[str, ...]
"""Values, in the order of the family's label names."""

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


class Family:
    """All series of one name.

    Args:
        kind: one of ``GAUGE``, ``COUNTER``, ``HISTOGRAM``.
        labels: their names.
    """

    __slots__ = ("_samples", "help", "kind", "labels", "name")

    def __init__(self, name: str, kind: str, help: str, labels: Labels = ()) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self._samples: dict[Labels, float | Histogram] = {}

    def set(self, value: float | Histogram, *labels: str) -> None:
        """The value of one series; a second one of the same labels is added to the first."""
        assert len(labels) == len(self.labels), self.name
        before = self._samples.get(labels)
        if before is None or isinstance(value, Histogram) or isinstance(before, Histogram):
            self._samples[labels] = value
        else:
            self._samples[labels] = before + value

    def set_all(self, values: Mapping[str, float], *labels: str) -> None:
        """One series for each item, whose key is the last label's value."""
        for last, value in values.items():
            self.set(value, *labels, last)

    def __len__(self) -> int:
        """How many series it has; a histogram is one of them here."""
        return len(self._samples)

    def lines(self) -> Iterable[str]:
        """What is said of it; nothing without a series."""
        if not self._samples:
            return
        yield f"# HELP {self.name} {self.help.translate(HELP_ESCAPES)}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self._samples.items():
            pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, labels, strict=True)]
            if isinstance(value, Histogram):
                yield from _histogram(self.name, pairs, value)
            else:
                yield f"{self.name}{_braced(pairs)} {_number(value)}"


def text(families: Iterable[Family]) -> bytes:
    """All of them."""
    lines = [line for family in families for line in family.lines()]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _escaped(value: str) -> str:
    # Nearly always there is nothing to escape, and looking is cheaper.
    return value if value.isalnum() else value.translate(ESCAPES)


def _braced(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(value: float) -> str:
    # As an integer where it is one: a double of Go's reads both.
    return repr(value)


def _histogram(name: str, pairs: list[str], histogram: Histogram) -> Iterable[str]:
    count = 0
    # Whoever counts in another thread may do so now: the sum of what is read is what is told.
    bounds = [*map(repr, histogram.bounds), "+Inf"]
    for bound, one in zip(bounds, list(histogram.counts), strict=True):
        count += one
        labels = _braced([*pairs, f'le="{bound}"'])
        yield f"{name}_bucket{labels} {count}"
    yield f"{name}_sum{_braced(pairs)} {_number(histogram.sum)}"
    yield f"{name}_count{_braced(pairs)} {count}"
