"""``cluster``: the nodes that are one radio, as one of them knows them, and whether all know the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from radiod.ctl import show
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import number

__all__ = ["cluster"]

AGAIN_S = 1.0
"""Between two checks."""


@click.command()
@click.option("--check", is_flag=True, help="Compare what all nodes know of each other with what is so.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    help="Seconds for which --check is done again while something differs.",
)
@with_json
@pass_state
def cluster(state: State, check: bool, wait: float) -> None:
    """The nodes of the cluster, as the one that is asked knows them."""
    if not check:
        told = state.call("radiod.admin.cluster")
        state.tell(told, lambda: "\n\n".join(_parts(told)))
        return
    end = time.monotonic() + wait
    told = state.call("radiod.admin.cluster.check")
    while not told["is_same"] and time.monotonic() < end:
        time.sleep(AGAIN_S)
        told = state.call("radiod.admin.cluster.check")
    state.tell(told, lambda: "\n\n".join(_checked(told)))
    if not told["is_same"]:
        raise click.exceptions.Exit(1)


def _parts(told: dict[str, Any]) -> Iterator[str]:
    isolated = told["isolated_s"]
    condition = "reaches others" if isolated is None else f"ISOLATED for {isolated:.0f} s"
    if isolated is None and not told["nodes"]:
        condition = "knows no others"
    servers = [[what, address or "none"] for what, address in told["nats"].items()]
    rows = [["node", f"{told['node']}, of cluster {told['cluster']}: {condition}"]]
    rows += [[f"NATS, {what}", address] for what, address in servers]
    rows += [
        ["messages lost", number(told["lost"])],
        ["messages not sent", number(told["dropped"])],
        ["not understood", number(told["malformed"])],
        ["without room", number(told["overflowed"])],
    ]
    yield show.columns(("", ""), rows, [])
    nodes = [
        [one["node"], f"{one['silent_s']:.1f} s ago", "same" if one["same_config"] else "OTHER"]
        for one in told["nodes"]
    ]
    if nodes:
        yield show.columns(("other node", "heard", "configuration"), nodes, [])


def _checked(told: dict[str, Any]) -> Iterator[str]:
    rows = [
        [
            one["node"],
            " ".join(filter(None, (one["realm"], one["what"]))),
            one["of"],
            number(one["owned"]) if one["owned"] >= 0 else "?",
            number(one["mirrored"]),
            "same" if one["is_same"] else f"DIFFERS: {', '.join(one['differ'])}",
        ]
        for one in told["mirrors"]
    ]
    yield show.columns(("node", "knows", "of", "there", "known", ""), rows, [3, 4])
    if told["unanswered"]:
        yield f"did not answer: {', '.join(told['unanswered'])}"
