"""``stats`` and ``top``: what the server does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from radiod.ctl import show
from radiod.ctl.session import Session
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import number, printable, size

__all__ = ["listener_table", "stats", "top"]

MOST_CHANNELS = 1000
"""Of so many channels the busiest are shown, to who may not ask which are."""

Rows = list[dict[str, Any]]
Shown = tuple[tuple[str, ...], list[list[str]], list[int]]
"""A table: titles, cells, and which columns stand to the right."""


@click.command()
@with_json
@pass_state
def stats(state: State) -> None:
    """The server's figures, once."""
    answer = state.call("radiod.server.stats")
    rows = [[name, value] for name, value in _flat("", answer)]
    state.tell(answer, lambda: show.columns(("figure", "value"), rows, [1]))


def _flat(prefix: str, figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", number(value) if isinstance(value, int | float) else str(value)


@click.command()
@click.option("--every", type=click.FloatRange(0.2), default=1.0, show_default=True, help="Seconds between.")
@click.option("--count", type=click.IntRange(1), help="End after so many times; where nobody looks, 1.")
@click.option("--channels", type=click.IntRange(0, 100), default=15, show_default=True, help="The busiest.")
@click.option("--listeners", type=click.IntRange(0, 100), default=10, show_default=True, help="The slowest.")
@with_json
@pass_state
def top(state: State, every: float, count: int | None, channels: int, listeners: int) -> None:
    """The server's figures, its busiest channels and slowest listeners, again and again, until Ctrl-C."""
    console = Console()
    if count is None and not console.is_terminal and not state.as_json:
        count = 1
    with state.session() as session:
        try:
            if state.as_json or not console.is_terminal:
                for one in _rounds(state, session, every, count, channels, listeners):
                    state.tell({**one.figures, "busiest": one.busiest, "slowest": one.slowest}, one.plain())
            else:
                with Live(console=console, screen=count is None, auto_refresh=False) as live:
                    for one in _rounds(state, session, every, count, channels, listeners):
                        live.update(one.screen(), refresh=True)
        except KeyboardInterrupt:
            return


class _Round:
    """What is shown at one time. ``slowest``: None: they are not for whoever asks."""

    def __init__(self, figures: dict[str, Any], busiest: Rows, slowest: Rows | None) -> None:
        self.figures = figures
        self.busiest = busiest
        self.slowest = slowest

    @property
    def _tables(self) -> list[Shown]:
        return [channel_table(self.busiest), *([listener_table(self.slowest)] if self.slowest else [])]

    def plain(self) -> str:
        """As text."""
        tables = [show.columns(*shown) for shown in self._tables]
        return "\n\n".join(["\n".join(_heads(self.figures)), *tables])

    def screen(self) -> Group:
        """On a terminal."""
        parts: list[Any] = [*map(Text, _heads(self.figures))]
        for shown in self._tables:
            parts += [Text(""), _drawn(*shown)]
        return Group(*parts)


def _rounds(
    state: State, session: Session, every: float, count: int | None, channels: int, listeners: int
) -> Iterator[_Round]:
    """One after the other."""
    before: dict[str, int] = {}
    left = count
    while left is None or left > 0:
        figures = session.call("radiod.server.stats")
        told = state.optional(session, "radiod.admin.channels", limit=max(channels, 1))
        if told is None:
            busiest, before = _compared(session, before)
        else:
            busiest = told["channels"]
        slow = state.optional(session, "radiod.admin.listeners", limit=max(listeners, 1))
        yield _Round(figures, busiest[:channels], None if slow is None else slow["listeners"][:listeners])
        left = None if left is None else left - 1
        if left != 0:
            time.sleep(every)


def _compared(session: Session, before: dict[str, int]) -> tuple[Rows, dict[str, int]]:
    """Channels with most events since the last time, at first since they came to be; and their events."""
    found: Rows = session.call("radiod.channel.list", limit=MOST_CHANNELS)["channels"]
    for one in found:
        one["recent"] = one["events"] - before.get(one["name"], 0)
    found.sort(key=lambda one: (-one["recent"], -one["readers"], one["name"]))
    return found, {one["name"]: one["events"] for one in found}


def _heads(figures: dict[str, Any]) -> list[str]:
    lag = figures["loop_lag"]
    return [
        f"up {number(round(figures['uptime']))} s   "
        f"connections {number(figures['counters']['port']['connections'])}   "
        f"sessions {number(figures['sessions'])}   channels {number(figures['channels'])}",
        f"published {number(round(figures['published_per_s'], 1))}/s   "
        f"delivered {number(round(figures['delivered_per_s'], 1))}/s   "
        f"out {size(figures['bytes_out_per_s'])}/s   "
        f"lost {number(sum(figures['dropped'].values()))}   queued {number(figures['queued'])}   "
        f"lag {lag['max'] * 1000:.1f} ms, mean {lag['mean'] * 1000:.1f} ms",
    ]


def channel_table(busiest: Rows) -> Shown:
    """The busiest channels: with rates, if somebody told them."""
    if busiest and "recent" in busiest[0]:
        names: tuple[str, ...] = ("readers", "events", "recent")
        titles: tuple[str, ...] = ("channel", "readers", "events", "new")
    else:
        names = ("readers", "published", "published_per_s", "delivered_per_s", "dropped_per_s")
        titles = ("channel", "readers", "events", "in/s", "out/s", "lost/s")
    cells = [[one["name"], *(_figure(one.get(name)) for name in names)] for one in busiest]
    return titles, cells, list(range(1, len(titles)))


def listener_table(slowest: Rows) -> Shown:
    """Who does not keep up."""
    titles = ("slow listener", "channel", "queued", "of", "bytes", "lost", "when full", "from")
    cells = [
        [
            one["authid"],
            "(private)" if one["channel"] is None else one["channel"],
            _figure(one["queued"]),
            _figure(one["size"] or None),
            size(one["queued_bytes"]),
            _figure(one["lost"]),
            one["policy"],
            one["peer"],
        ]
        for one in slowest
    ]
    return titles, cells, [2, 3, 4, 5]


def _figure(value: float | None) -> str:
    return "-" if value is None else number(round(value, 1))


def _drawn(titles: tuple[str, ...], cells: list[list[str]], right: list[int]) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(titles):
        justify: Any = "right" if index in right else "left"
        table.add_column(title, justify=justify, overflow="ellipsis", no_wrap=True)
    for row in cells:
        # Names are other people's: no markup either.
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
