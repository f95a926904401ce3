"""``cluster``: the nodes that are one radio, as one of them knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from radiod.ctl import show
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import number

__all__ = ["cluster"]


@click.command()
@with_json
@pass_state
def cluster(state: State) -> None:
    """The nodes of the cluster, as the one that is asked knows them."""
    told = state.call("radiod.admin.cluster")
    state.tell(told, lambda: "\n\n".join(_parts(told)))


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
