"""``reload``: what the operator does with the server as a whole."""

from __future__ import annotations

from typing import Any

import click

from radiod.ctl.state import State, pass_state, with_json

__all__ = ["drain", "reload"]


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


@click.command()
@click.option(
    "--over", type=click.FloatRange(0), metavar="SECONDS", help="By default operations.drain_s of the server."
)
@click.option("--cancel", is_flag=True, help="Let everybody in again.")
@with_json
@pass_state
def drain(state: State, over: float | None, cancel: bool) -> None:
    """Let nobody new in, and send away those who listen, evenly over some time.

    It answers when that has begun. The server stays drained until it is stopped, or --cancel.
    """
    if cancel:
        if over is not None:
            raise click.UsageError("--cancel takes no time")
        answer = state.call("radiod.admin.drain.cancel")
        state.tell(answer, "everybody is let in" if answer["was_draining"] else "it was not being drained")
        return
    answer = state.call("radiod.admin.drain", **({} if over is None else {"over": over}))
    state.tell(answer, f"{answer['listeners']} listeners end over {answer['over']:g} s, nobody new is let in")
