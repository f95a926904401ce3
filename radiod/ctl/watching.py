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

__all__ = ["stats", "top"]

MOST_CHANNELS = 1000
"""Of so many channels the busiest are shown."""


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
@with_json
@pass_state
def top(state: State, every: float, count: int | None, channels: int) -> None:
    """The server's figures and its busiest channels, again and again, until Ctrl-C."""
    console = Console()
    if count is None and not console.is_terminal and not state.as_json:
        count = 1
    with state.session() as session:
        try:
            if state.as_json or not console.is_terminal:
                for figures, busiest in _rounds(session, every, count, channels):
                    state.tell({**figures, "busiest": busiest}, _plain(figures, busiest))
            else:
                with Live(console=console, screen=count is None, auto_refresh=False) as live:
                    for figures, busiest in _rounds(session, every, count, channels):
                        live.update(_screen(figures, busiest), refresh=True)
        except KeyboardInterrupt:
            return


Round = tuple[dict[str, Any], list[dict[str, Any]]]


def _rounds(session: Session, every: float, count: int | None, channels: int) -> Iterator[Round]:
    """Figures, and the channels with most events since the last time, at first since they came to be."""
    before: dict[str, int] = {}
    left = count
    while left is None or left > 0:
        figures = session.call("radiod.server.stats")
        found = session.call("radiod.channel.list", limit=MOST_CHANNELS)["channels"]
        for one in found:
            one["recent"] = one["events"] - before.get(one["name"], 0)
        before = {one["name"]: one["events"] for one in found}
        found.sort(key=lambda one: (-one["recent"], -one["readers"], one["name"]))
        yield figures, found[:channels]
        left = None if left is None else left - 1
        if left != 0:
            time.sleep(every)


def _heads(figures: dict[str, Any]) -> list[str]:
    return [
        f"up {number(round(figures['uptime']))} s   "
        f"connections {number(figures['counters']['port']['connections'])}   "
        f"sessions {number(figures['sessions'])}   channels {number(figures['channels'])}",
        f"published {number(round(figures['published_per_s'], 1))}/s   "
        f"delivered {number(round(figures['delivered_per_s'], 1))}/s   "
        f"out {size(figures['bytes_out_per_s'])}/s   "
        f"lost {number(sum(figures['dropped'].values()))}   queued {number(figures['queued'])}   "
        f"lag {figures['loop_lag']['max'] * 1000:.1f} ms",
    ]


TITLES = ("channel", "readers", "events", "new")


def _cells(busiest: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [one["name"], *(number(one[name]) for name in ("readers", "events", "recent"))] for one in busiest
    ]


def _plain(figures: dict[str, Any], busiest: list[dict[str, Any]]) -> str:
    table = show.columns(TITLES, _cells(busiest), [1, 2, 3])
    return "\n".join([*_heads(figures), "", table])


def _screen(figures: dict[str, Any], busiest: list[dict[str, Any]]) -> Group:
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(TITLES):
        table.add_column(title, justify="right" if index else "left", overflow="ellipsis", no_wrap=True)
    for cells in _cells(busiest):
        # Names are other people's: no markup either.
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return Group(*map(Text, _heads(figures)), Text(""), table)
