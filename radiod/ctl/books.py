"""``usage`` and ``audit``: who used what, and who changed what; ``backup``."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from radiod.core.access.grouping import COUNTS
from radiod.core.sheets import sheet
from radiod.ctl import show
from radiod.ctl.invoices import invoices, lines_of
from radiod.ctl.session import Session
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import date, moment, number, printable
from radiod.ctl.values import month as month_of

__all__ = ["audit", "backup", "usage"]

BY: Final = ("hour", "day", "month", "account", "key", "channel")

PAGE: Final = 1000


@click.command()
@click.option("--account", help="Of this account.")
@click.option("--key", help="Of this key.")
@click.option("--channel", help="Of this channel.")
@click.option("--month", type=month_of, help="Of this month, UTC: 2026-11.")
@click.option("--since", type=moment, help="From then on.")
@click.option("--until", type=moment, help="Before that.")
@click.option("--by", multiple=True, type=click.Choice(BY), help="What rows are told apart by: account.")
@click.option("--format", "form", type=click.Choice(("table", "csv", "jsonl", "invoice")), default="table")
@with_json
@pass_state
def usage(
    state: State,
    month: tuple[float, float] | None,
    since: float | None,
    until: float | None,
    by: tuple[str, ...],
    form: str,
    **of: str | None,
) -> None:
    """What was used, also what is not yet on the disk."""
    if month is not None and (since is not None or until is not None):
        raise click.UsageError("--month is --since and --until")
    if month is not None:
        since, until = month
    if form == "invoice":
        _bill(state, month, by, of)
        return
    asked = {**of, "since": since, "until": until, "by": list(by or ("account",))}
    given = {name: value for name, value in asked.items() if value is not None}
    with state.session() as session:
        rows = state.pages(session, "radiod.admin.usage", "rows", None, **given)
    columns = by or ("account",)
    if form == "csv":
        click.echo(printable(sheet([*columns, *COUNTS], rows, line_end="\n")), nl=False)
    elif form == "jsonl":
        for row in rows:
            click.echo(printable(msgspec.json.encode(row).decode()))
    else:
        state.tell({"rows": rows}, lambda: show.usage_lines(rows, columns))
    # An invoice that is too low would look like any other.
    state.warn("what was used")


def _bill(
    state: State, month: tuple[float, float] | None, by: tuple[str, ...], of: dict[str, str | None]
) -> None:
    """What each account owes for a month."""
    if month is None or by or of["key"] or of["channel"]:
        raise click.UsageError("an invoice is of one --month, and of all or one --account")
    since, until = month
    given = {} if of["account"] is None else {"account": of["account"]}
    with state.session() as session:
        asked = {"since": since, "until": until, "by": ["account"], **given}
        rows = state.pages(session, "radiod.admin.usage", "rows", None, **asked)
        bills = invoices(state, session, since, of["account"], rows)
    state.tell({"invoices": bills}, lambda: lines_of(bills))
    state.warn("what was used")
    if not bills:
        click.echo("radioctl: nothing to pay: no plan of these accounts has a price", err=True)


@click.command()
@click.option("--after", type=click.IntRange(0), help="Entries with a higher number; absent: the last ones.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; of the last ones 20.")
@with_json
@pass_state
def audit(state: State, after: int | None, limit: int | None) -> None:
    """Who, from where, did what to whom."""
    with state.session() as session:
        if after is None:
            entries = list(_last(session, limit or 20))
        else:
            entries = state.pages(session, "radiod.admin.audit", "entries", limit, after=after)
    titles = ("number", "time", "who", "from", "did", "to", "with")
    state.tell(
        {"entries": entries}, lambda: show.columns(titles, map(_entry, entries), [0]) if entries else ""
    )


def _last(session: Session, count: int) -> deque[dict[str, Any]]:
    """The last entries: the server tells them from the first one on."""
    entries: deque[dict[str, Any]] = deque(maxlen=count)
    after: int | None = 0
    while after is not None:
        page = session.call("radiod.admin.audit", after=after, limit=PAGE)
        entries += page["entries"]
        after = page["next"]
    return entries


def _entry(entry: dict[str, Any]) -> list[str]:
    with_what = msgspec.json.encode(entry["detail"]).decode() if entry["detail"] else ""
    return [
        number(entry["seq"]),
        date(entry["time"]),
        entry["actor"],
        entry["address"],
        entry["action"],
        entry["object"],
        with_what,
    ]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@with_json
@pass_state
def backup(state: State, path: Path) -> None:
    """Copy the server's store, as of now, into a new file on the server's machine."""
    if state.is_elsewhere and not path.is_absolute():
        raise click.UsageError("on another machine a path begins with /")
    answer = state.call("radiod.admin.backup", path=str(path.absolute()))
    state.tell(answer, lambda: f"{answer['path']}  {number(answer['bytes'])} bytes")
