"""``metrics`` and ``debug``: for whoever watches a server, and for whoever wants to know what ails it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from radiod.ctl import show
from radiod.ctl.failures import NoServer
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import number, size
from radiod.ctl.watching import listener_table

__all__ = ["debug", "metrics"]

HUNG = "if its loop hangs, kill -USR2 has the stacks written to its log"


@click.command()
@with_json
@pass_state
def metrics(state: State) -> None:
    """What Prometheus would read, without an endpoint for it."""
    text = state.call("radiod.admin.metrics")["text"]
    state.tell({"text": text}, text.rstrip("\n"))


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=15, show_default=True, help="Rows of each list."
)
@with_json
@pass_state
def debug(state: State, limit: int) -> None:
    """Stacks, memory, largest channels, slowest listeners: over the admin socket only."""
    try:
        told = state.call("radiod.admin.debug", limit=limit)
    except NoServer as silence:
        if silence.message.startswith("no answer"):
            raise NoServer(f"{silence.message}; {HUNG}") from None
        raise
    state.tell(told, lambda: "\n\n".join(_parts(told)))


def _parts(told: dict[str, Any]) -> Iterator[str]:
    yield show.columns(
        ("process", ""), [[name, _number(value)] for name, value in told["process"].items()], [1]
    )
    yield "\n".join(_collector(told["gc"]))
    objects = told["objects"]
    rows = [[kind, number(count)] for kind, count in objects["types"]]
    yield show.columns((f"objects ({number(objects['total'])} in all)", "count"), rows, [1])
    channels = [
        [
            "(private)" if one["name"] is None else one["name"],
            size(one["bytes"]),
            number(one["events"]),
            number(one["readers"]),
        ]
        for one in told["channels"]
    ]
    yield show.columns(("largest channel", "bytes", "events", "readers"), channels, [1, 2, 3])
    yield show.columns(*listener_table(told["listeners"]))
    yield "\n".join(told["stacks"])


def _collector(gc: dict[str, Any]) -> Iterator[str]:
    yield f"garbage collector {'on' if gc['enabled'] else 'off'}, {number(gc['uncollectable'])} uncollectable"
    for index, (stats, count, threshold) in enumerate(
        zip(gc["generations"], gc["counts"], gc["thresholds"], strict=True)
    ):
        yield (
            f"  generation {index}: {number(stats['collections'])} collections, "
            f"{number(stats['collected'])} collected, {number(count)} of {number(threshold)} until the next"
        )


def _number(value: float) -> str:
    return number(int(value)) if value == int(value) else f"{value:,.3f}"
