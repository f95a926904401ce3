"""``reload``: what the operator does with the server as a whole."""

from __future__ import annotations

from typing import Any

import click

from radiod.ctl.state import State, pass_state, with_json

__all__ = ["reload"]


@click.command()
@with_json
@pass_state
def reload(state: State) -> None:
    """Have the server read its configuration again: all of it acts, or nothing (exit status 1, and why)."""
    answer = state.call("radiod.admin.reload")
    state.tell(answer, lambda: _told(answer))


def _told(answer: dict[str, Any]) -> str:
    lines = [f"{name}  live" for name in answer["live"]]
    lines += [f"{name}  for new connections" for name in answer["new_connections"]]
    return "\n".join(lines) or "nothing new"
