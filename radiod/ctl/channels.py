"""``channel``: what there is to listen to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from radiod.ctl import show
from radiod.ctl.radio import print_events
from radiod.ctl.state import Group, State, pass_state
from radiod.ctl.values import date, number, read_secret

__all__ = ["channel"]

PATHS = click.Path(path_type=Path, allow_dash=True)

EVENTS = ("radiod.channel.on_create", "radiod.channel.on_delete")


@click.group(cls=Group)
def channel() -> None:
    """What there is to listen to."""


@channel.command("list")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_state
def list_channels(state: State, prefix: str, limit: int | None) -> None:
    """Public channels whose names begin with PREFIX."""
    with state.session() as session:
        found = state.pages(session, "radiod.channel.list", "channels", limit, prefix=prefix)
    rows = [
        [
            one["name"],
            number(one["readers"]),
            number(one["writers"]),
            number(one["events"]),
            date(one["expires"], "-"),
        ]
        for one in found
    ]
    titles = ("channel", "readers", "writers", "events", "until")
    state.tell({"channels": found}, lambda: show.columns(titles, rows, [1, 2, 3]) if rows else "")


@channel.command("create")
@click.argument("name")
@click.option("--lifetime", type=click.FloatRange(0, min_open=True), help="Seconds; absent: for ever.")
@click.option("--history", type=click.IntRange(1), help="How many events it keeps.")
@click.option("--durable", is_flag=True, help="Keep it, and its history, on the disk.")
@click.option("--presence", is_flag=True, help="Tell who listens.")
@click.option("--private", is_flag=True, help="For those who have its key.")
@click.option(
    "--key-file", type=PATHS, help="The key of a private channel, - for stdin; else the server makes one."
)
@pass_state
def create(
    state: State,
    name: str,
    lifetime: float | None,
    history: int | None,
    durable: bool,
    presence: bool,
    private: bool,
    key_file: Path | None,
) -> None:
    """Make a channel, which stays when radioctl has left; its control key is shown once."""
    asked: dict[str, Any] = {"on_owner_leave": "keep", "public": not private}
    asked |= {"lifetime": lifetime} if lifetime is not None else {}
    asked |= {"history": {"size": history}} if history is not None else {}
    asked |= {"durable": True} if durable else {}
    asked |= {"presence": True} if presence else {}
    if key_file is not None:
        if not private:
            raise click.UsageError("--key-file goes with --private")
        asked["key"] = read_secret(key_file, "Key")
    answer = state.call("radiod.channel.create", name=name, **asked)
    lines = [f"{answer['name']}   until {date(answer['expires'], 'it is deleted')}"]
    if answer.get("key") and key_file is None:
        lines.append(f"{answer['key']}  (key, shown once)")
    lines.append(f"{answer['control_key']}  (control key, shown once)")
    state.tell(answer, "\n".join(lines))


@channel.command("extend")
@click.argument("name")
@click.argument("lifetime", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@click.option("--control-key-file", type=PATHS, help="Absent: it is asked for; - for stdin.")
@pass_state
def extend(state: State, name: str, lifetime: float, control_key_file: Path | None) -> None:
    """Let a channel live so many seconds from now on."""
    control_key = read_secret(control_key_file, f"Control key of {name}")
    answer = state.call("radiod.channel.extend", name=name, lifetime=lifetime, control_key=control_key)
    state.tell(answer, lambda: f"{answer['name']}   until {date(answer['expires'])}")


@channel.command("delete")
@click.argument("name")
@click.option(
    "--control-key-file", type=PATHS, help="Where the role may not delete others' channels; - for stdin."
)
@pass_state
def delete(state: State, name: str, control_key_file: Path | None) -> None:
    """End a channel."""
    asked = {}
    if control_key_file is not None:
        asked["control_key"] = read_secret(control_key_file, "Control key")
    state.tell(state.call("radiod.channel.delete", name=name, **asked), "")


@channel.command("watch")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@pass_state
def watch(state: State, count: int | None) -> None:
    """Print channels as they come and go, until Ctrl-C."""
    with state.session() as session:
        names = {session.subscribe(topic, {}): topic for topic in EVENTS}
        print_events(state, session, names, count)
