"""``publish``, ``listen`` and ``call``: the radio itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from radiod.core.uris import wanted
from radiod.ctl.session import Event, Session
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import arguments, printable, read_secret, word
from radiod.errors import Refused

__all__ = ["call", "channel_key", "listen", "print_events", "publish"]

PATHS = click.Path(path_type=Path, allow_dash=True)


def channel_key(file: Path | None) -> dict[str, Any]:
    """The option that shows a private channel's key."""
    return {} if file is None else {"_radiod_key": read_secret(file, "Key")}


@click.command()
@click.argument("channel")
@click.argument("values", nargs=-1, metavar="[VALUE|NAME=VALUE]...")
@click.option("--stdin", "from_stdin", is_flag=True, help="Publish each line of stdin as one event.")
@click.option("--retain", is_flag=True, help="Keep it for those who subscribe later.")
@click.option("--key-file", type=PATHS, help="The key of a private channel, - for stdin.")
@with_json
@pass_state
def publish(
    state: State, channel: str, values: tuple[str, ...], from_stdin: bool, retain: bool, key_file: Path | None
) -> None:
    """Publish one event: values are JSON, or text as it stands."""
    if from_stdin and (values or str(key_file) == "-"):
        raise click.UsageError("--stdin has the values")
    options = {**channel_key(key_file), **({"retain": True} if retain else {})}
    with state.session() as session:
        for args, kwargs in _payloads(values, from_stdin):
            told = {"channel": channel, "id": session.publish(channel, args, kwargs, options)}
            state.tell(told, "")


def _payloads(values: tuple[str, ...], from_stdin: bool) -> Iterable[tuple[list[Any], dict[str, Any]]]:
    if not from_stdin:
        yield arguments(values)
        return
    for line in sys.stdin:
        if line.strip():
            yield [word(line.rstrip("\r\n"))], {}


@click.command()
@click.argument("channels", nargs=-1, required=True, metavar="CHANNEL...")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@click.option("--after", metavar="POSITION", help="Begin behind this position, where there is a history.")
@click.option("--retained", is_flag=True, help="Begin with the retained event.")
@click.option("--key-file", type=PATHS, help="The key of a private channel, - for stdin.")
@with_json
@pass_state
def listen(
    state: State,
    channels: tuple[str, ...],
    count: int | None,
    after: str | None,
    retained: bool,
    key_file: Path | None,
) -> None:
    """Print events of channels, or of patterns such as 'weather.*', until Ctrl-C."""
    options = channel_key(key_file)
    if after is not None:
        options["_radiod_after"] = after
    if retained:
        options["get_retained"] = True
    with state.session() as session:
        names = {}
        for channel in channels:
            try:
                match, topic = wanted(channel)
            except Refused as refused:
                raise click.UsageError(refused.text) from None
            names[session.subscribe(topic, {"match": match, **options})] = channel
        print_events(state, session, names, count)


def print_events(state: State, session: Session, names: dict[int, str], count: int | None) -> None:
    """Print events as they come; ``names``: of the subscriptions, by their ids."""
    while count is None or count > 0:
        try:
            event = session.event()
        except KeyboardInterrupt:
            return
        if event is not None:
            _print(state, event, names.get(event.subscription, ""))
            count = None if count is None else count - 1
            sys.stdout.flush()


def _print(state: State, event: Event, name: str) -> None:
    details = event.details
    channel = details.get("topic") or name
    told: dict[str, Any] = {"channel": channel}
    if "_seq" in details:
        told["position"] = f"{details['_epoch']}:{details['_seq']}"
    told |= {key: details[f"_{key}"] for key in ("lost", "recovered") if f"_{key}" in details}
    told["data"] = event.data
    if not state.as_json and "lost" in told:
        click.echo(printable(f"radioctl: {told['lost']} events of {channel} are lost here"), err=True)
    if not state.as_json and told.get("recovered") is False:
        click.echo(printable(f"radioctl: after that position of {channel} not all is there"), err=True)
    state.tell(told, lambda: f"{channel}  {msgspec.json.encode(event.data).decode()}")


@click.command()
@click.argument("procedure")
@click.argument("values", nargs=-1, metavar="[VALUE|NAME=VALUE]...")
@with_json
@pass_state
def call(state: State, procedure: str, values: tuple[str, ...]) -> None:
    """Call a procedure: values are JSON, or text as it stands; secrets do not belong here."""
    args, kwargs = arguments(values)
    with state.session() as session:
        results, named = session.call_whole(procedure, args, kwargs)
    answer = {"args": results, "kwargs": named}
    if named or len(results) > 1:
        state.tell(answer, lambda: msgspec.json.encode(answer).decode())
    else:
        state.tell(answer, lambda: msgspec.json.encode(results[0]).decode() if results else "")
