"""What every command of one call shares: which server, as whom, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from radiod.ctl.failures import Refusal
from radiod.ctl.finding import find
from radiod.ctl.session import Session
from radiod.ctl.values import printable, read_secret

__all__ = ["Group", "State", "pass_state", "with_json"]

F = TypeVar("F", bound=Callable[..., Any])


class State:
    """One call of ``radioctl``.

    ``as_json``: whether answers are JSON; ``unanswered``: nodes of a cluster of which pages tell nothing.
    """

    def __init__(
        self,
        *,
        config: Path = Path("radiod.toml"),
        socket: Path | None = None,
        url: str | None = None,
        realm: str | None = None,
        authid: str | None = None,
        ticket_file: Path | None = None,
        seconds: float = 60.0,
    ) -> None:
        self.config = config
        self.as_json = False
        self.unanswered: set[str] = set()
        self._socket = socket
        self._url = url
        self._realm = realm
        self._authid = authid
        self._ticket_file = ticket_file
        self._seconds = seconds

    @property
    def is_elsewhere(self) -> bool:
        """Whether the server may be on another machine."""
        return self._url is not None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session, for a while. Raises: UsageError, NoServer, Refusal."""
        if self._ticket_file is not None and self._authid is None:
            raise click.UsageError("--ticket-file goes with --authid")
        place = find(self.config, self._socket, self._url)
        ticket = None
        if self._authid is not None:
            ticket = read_secret(self._ticket_file, f"Ticket of {self._authid}")
        link = place.open(self._seconds)
        session = Session(
            link, self._realm or place.realm, authid=self._authid, ticket=ticket, seconds=self._seconds
        )
        try:
            yield session
        finally:
            session.close()

    def call(self, procedure: str, **kwargs: Any) -> Any:
        """Call one procedure of the router. Raises: UsageError, NoServer, Refusal."""
        with self.session() as session:
            return session.call(procedure, **kwargs)

    def pages(
        self, session: Session, procedure: str, name: str, limit: int | None, **kwargs: Any
    ) -> list[Any]:
        """What a procedure lists as ``name``, page by page; ``limit``: at most so many, None: all."""
        found: list[Any] = []
        after = kwargs.pop("after", None)
        while True:
            most = 1000 if limit is None else min(1000, limit - len(found))
            page = session.call(procedure, limit=most, after=after, **kwargs)
            found += page[name]
            self.unanswered.update(page.get("unanswered", ()))
            after = page.get("next")
            if after is None or (limit is not None and len(found) >= limit):
                return found

    def warn(self, what: str, answer: Mapping[str, Any] | None = None) -> None:
        """Say of which nodes pages, or one answer, tell nothing."""
        unanswered = self.unanswered.union((answer or {}).get("unanswered", ()))
        if unanswered:
            nodes = printable(", ".join(sorted(unanswered)))
            click.echo(f"radioctl: without {what} on nodes that do not answer: {nodes}", err=True)

    def tell(self, answer: Any, text: str | Callable[[], str]) -> None:
        """Write an answer: as JSON, or ``text``, if there is any."""
        if self.as_json:
            click.echo(printable(msgspec.json.encode(answer).decode()))
            return
        lines = text if isinstance(text, str) else text()
        if lines:
            click.echo(printable(lines))

    def optional(self, session: Session, procedure: str, **kwargs: Any) -> Any:
        """The same as ``session.call``, for what is only nice to know; None: it is not to be had."""
        try:
            return session.call(procedure, **kwargs)
        except Refusal:
            return None


def pass_state(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command's function the state as its first argument."""
    return click.make_pass_decorator(State, ensure=True)(function)


def _be_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(State).as_json = True


def with_json(command: F) -> F:
    """Give a command the switch ``--json``."""
    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=_be_json, is_eager=True, help="Answer in JSON."
    )
    return option(command)


class Group(click.Group):
    """Commands that all have ``--json``; they are listed in the order they were made."""

    def command(  # type: ignore[override] # of its overloads one is used
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """As ``click.Group.command``."""
        decorate: Any = super().command(*args, **kwargs)

        def make(function: Callable[..., Any]) -> click.Command:
            command: click.Command = decorate(with_json(function))
            return command

        return make

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, oldest first."""
        return list(self.commands)


Group.group_class = Group
