"""``key``, ``account``, ``plan`` and ``user``: who has access, and to what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from radiod.ctl import show
from radiod.ctl.failures import Refusal
from radiod.ctl.session import Session
from radiod.ctl.state import Group, State, pass_state
from radiod.ctl.values import date, moment, read_secret, word
from radiod.errors import NO_SUCH_ACCOUNT

__all__ = ["account", "key", "plan", "user"]

SHOWN_ONCE = "(shown once: only its hash is kept)"
SIGNS = "(signing secret, shown once)"

PATHS = click.Path(path_type=Path, allow_dash=True)


def _given(**kwargs: Any) -> dict[str, Any]:
    """Those arguments that were given."""
    return {name: value for name, value in kwargs.items() if value not in (None, ())}


def _lists(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kwargs.items()}


def _what_a_key_has(command: Any) -> Any:
    """Options of ``key issue`` and ``key update``."""
    options = [
        click.option("--label", help="What people call it."),
        click.option("--publish", multiple=True, metavar="PATTERN", help="Channels it may publish on."),
        click.option("--listen", multiple=True, metavar="PATTERN", help="Channels it may listen to."),
        click.option("--call", multiple=True, metavar="PATTERN", help="Procedures it may call."),
        click.option("--register", multiple=True, metavar="PATTERN", help="Procedures it may answer."),
        click.option("--origin", "origins", multiple=True, help="Pages that may use it."),
        click.option("--address", "addresses", multiple=True, help="Networks that may use it, CIDR."),
        click.option("--from", "valid_from", type=moment, help="When it begins to open doors."),
        click.option("--until", "valid_until", type=moment, help="When it ends: 2027-12-31 or +90d."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


# --- keys


@click.group(cls=Group)
def key() -> None:
    """What opens doors."""


def _tell_secrets(state: State, answer: dict[str, Any], line: str) -> None:
    # Of a description "signing" may be there as well.
    secrets = [(answer.get("key"), SHOWN_ONCE), (answer.get("signing"), SIGNS)]
    lines = [f"{secret}  {remark}" for secret, remark in secrets if secret]
    state.tell(answer, "\n".join([line, *lines]))


@key.command("issue")
@click.option("--account", help="Who pays; by default the key itself.")
@_what_a_key_has
@click.option("--signed", is_flag=True, default=None, help="With a signing secret, too.")
@click.option("--in-realm", "realm", metavar="REALM", help="Its realm; by default the session's.")
@pass_state
def issue(state: State, **kwargs: Any) -> None:
    """Make a key, and show its secret once."""
    with state.session() as session:
        answer = session.call("radiod.admin.key.issue", **_lists(_given(**kwargs)))
        owner = state.optional(session, "radiod.admin.account.get", id=answer["account"])
    _tell_secrets(state, answer, show.key_line(answer, owner))


@key.command("list")
@click.option("--account", help="Of this account.")
@click.option("--state", "is_in", help="active, suspended or revoked.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_state
def list_keys(state: State, account: str | None, is_in: str | None, limit: int | None) -> None:
    """All keys."""
    with state.session() as session:
        asked = _given(account=account, state=is_in)
        keys = state.pages(session, "radiod.admin.key.list", "keys", limit, **asked)
    titles = ("key", "account", "state", "label", "rights", "until", "open")
    state.tell({"keys": keys}, lambda: show.columns(titles, map(show.key_row, keys), [6]) if keys else "")
    state.warn("what is open")


@key.command("get")
@click.argument("id")
@pass_state
def get_key(state: State, id: str) -> None:
    """One key; its secrets by their last four characters."""
    answer = state.call("radiod.admin.key.get", id=id)
    state.tell(answer, lambda: show.key_details(answer))
    state.warn("what is open", answer)


@key.command("update")
@click.argument("id")
@_what_a_key_has
@click.option("--signed", is_flag=True, default=None, help="With a new signing secret.")
@click.option("--no", "cleared", multiple=True, metavar="NAME", help="Take away: --no until, --no signing.")
@pass_state
def update(state: State, id: str, cleared: tuple[str, ...], **kwargs: Any) -> None:
    """Change what a key may do; what is given takes the place of what was there."""
    changes = _lists(_given(**kwargs))
    for name in cleared:
        changes |= _cleared(name)
    if not changes:
        raise click.UsageError("nothing to change")
    answer = state.call("radiod.admin.key.update", id=id, **changes)
    _tell_secrets(state, answer, show.key_details(answer))


def _cleared(name: str) -> dict[str, Any]:
    """What ``--no NAME`` means. Raises: UsageError."""
    if name in ("from", "until"):
        return {f"valid_{name}": None}
    if name == "signing":
        return {"signed": False}
    lists = {"publish", "listen", "call", "register", "origins", "addresses"}
    plural = {"origin": "origins", "address": "addresses"}.get(name, name)
    if plural in lists:
        return {plural: []}
    raise click.UsageError(f"--no {name}: it is none of from, until, signing, {', '.join(sorted(lists))}")


@key.command("rotate")
@click.argument("id")
@click.option(
    "--overlap", type=click.FloatRange(0), default=86400.0, show_default=True, help="Seconds for the old one."
)
@pass_state
def rotate(state: State, id: str, overlap: float) -> None:
    """Give a key a new secret; the old one goes on for a while."""
    answer = state.call("radiod.admin.key.rotate", id=id, overlap=overlap)
    ends = date(answer.get("expires"), "at once")
    _tell_secrets(state, answer, f"{answer['id']} has a new secret; the old ones end {ends}")


def _end(name: str, procedure: str, what: str) -> None:
    @key.command(name, help=what)
    @click.argument("id")
    @click.option("--reason", default="", help="For the audit, and whoever looks at the key.")
    @pass_state
    def end(state: State, id: str, reason: str) -> None:
        answer = state.call(procedure, id=id, reason=reason)
        state.tell(answer, lambda: show.ended(answer))


_end(
    "suspend",
    "radiod.admin.key.suspend",
    "End all that a key has open, and let nothing in until it is resumed.",
)


@key.command("resume")
@click.argument("id")
@pass_state
def resume_key(state: State, id: str) -> None:
    """Let a suspended key in again."""
    answer = state.call("radiod.admin.key.resume", id=id)
    state.tell(answer, lambda: show.ended(answer))


_end("revoke", "radiod.admin.key.revoke", "End a key, and all that it has open, for ever.")


# --- accounts


@click.group(cls=Group)
def account() -> None:
    """Who pays."""


@account.command("set")
@click.argument("id")
@click.option("--plan", help="The name of its plan; '' for none: unlimited.")
@click.option("--label", help="What people call it.")
@pass_state
def set_account(state: State, id: str, plan: str | None, label: str | None) -> None:
    """Make an account, or change it; what is not given stays as it was."""
    with state.session() as session:
        before = None
        if plan is None or label is None:
            before = _account_before(session, id)
        kept = before or {"plan": None, "label": ""}
        wanted = {"plan": kept["plan"] if plan is None else plan or None}
        wanted["label"] = kept["label"] if label is None else label
        answer = session.call("radiod.admin.account.set", id=id, **wanted)
    state.tell(answer, "")


def _account_before(session: Session, id: str) -> dict[str, Any] | None:
    """An account as it is; None: there is none."""
    try:
        found: dict[str, Any] = session.call("radiod.admin.account.get", id=id)
    except Refusal as refusal:
        if refusal.uri != NO_SUCH_ACCOUNT:
            raise
        return None
    return found


@account.command("list")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_state
def list_accounts(state: State, limit: int | None) -> None:
    """All accounts."""
    with state.session() as session:
        found = state.pages(session, "radiod.admin.account.list", "accounts", limit)
    rows = [[one["id"], one.get("label") or "-", one.get("plan") or "-", one["state"]] for one in found]
    titles = ("account", "label", "plan", "state")
    state.tell({"accounts": found}, lambda: show.columns(titles, rows) if rows else "")


@account.command("get")
@click.argument("id")
@pass_state
def get_account(state: State, id: str) -> None:
    """One account."""
    answer = state.call("radiod.admin.account.get", id=id)
    state.tell(answer, lambda: show.details(answer, "id"))


@account.command("suspend")
@click.argument("id")
@click.option("--reason", default="", help="For the audit, and whoever looks at the account.")
@pass_state
def suspend_account(state: State, id: str, reason: str) -> None:
    """End all that its keys and users have open, and let nothing in until it is resumed."""
    answer = state.call("radiod.admin.account.suspend", id=id, reason=reason)
    state.tell(answer, lambda: show.ended(answer))


@account.command("resume")
@click.argument("id")
@pass_state
def resume_account(state: State, id: str) -> None:
    """Let a suspended account in again."""
    answer = state.call("radiod.admin.account.resume", id=id)
    state.tell(answer, lambda: show.ended(answer))


# --- plans


@click.group(cls=Group)
def plan() -> None:
    """What an account may use."""


@plan.command("set")
@click.argument("name")
@click.argument("limits", nargs=-1, metavar="[LIMIT=VALUE]...")
@pass_state
def set_plan(state: State, name: str, limits: tuple[str, ...]) -> None:
    """Make a plan, or put another in its place: publish_rate=10 deliver_month=1000000 over=thin."""
    given: dict[str, Any] = {}
    for limit in limits:
        of, sign, value = limit.partition("=")
        if not sign or not of:
            raise click.UsageError(f"{limit!r} is not as publish_rate=10")
        given[of] = word(value)
    answer = state.call("radiod.admin.plan.set", name=name, **given)
    state.tell(answer, lambda: show.plan_line(answer))


@plan.command("list")
@pass_state
def list_plans(state: State) -> None:
    """All plans."""
    answer = state.call("radiod.admin.plan.list")
    state.tell(answer, lambda: "\n".join(map(show.plan_line, answer["plans"])))


@plan.command("delete")
@click.argument("name")
@pass_state
def delete_plan(state: State, name: str) -> None:
    """End a plan that no account has."""
    state.tell(state.call("radiod.admin.plan.delete", name=name), "")


# --- users


@click.group(cls=Group)
def user() -> None:
    """Who logs in by WAMP."""


@user.command("set")
@click.argument("authid")
@click.option("--role", required=True, help="A role of the configuration.")
@click.option("--account", help="Who pays.")
@click.option("--ticket", "asks", is_flag=True, help="Ask for a ticket.")
@click.option("--ticket-file", type=PATHS, help="A ticket from a file, - for stdin.")
@click.option("--scram-file", type=PATHS, help="A SCRAM verifier, JSON, from a file, - for stdin.")
@click.option("--cryptosign", multiple=True, metavar="HEX", help="A public key of Ed25519.")
@pass_state
def set_user(
    state: State,
    authid: str,
    role: str,
    account: str | None,
    asks: bool,
    ticket_file: Path | None,
    scram_file: Path | None,
    cryptosign: tuple[str, ...],
) -> None:
    """Make a user, or change one; of what proves who it is, what is not given stays."""
    ticket = None
    if asks or ticket_file is not None:
        ticket = read_secret(ticket_file, f"Ticket of {authid}", is_new=True)
    scram = None
    if scram_file is not None:
        scram = word(read_secret(scram_file, "SCRAM verifier"))
    given = _given(account=account, ticket=ticket, scram=scram, cryptosign=list(cryptosign) or None)
    state.tell(state.call("radiod.admin.user.set", authid=authid, role=role, **given), "")


@user.command("list")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_state
def list_users(state: State, limit: int | None) -> None:
    """All users that were made so; not those of the configuration."""
    with state.session() as session:
        found = state.pages(session, "radiod.admin.user.list", "users", limit)
    rows = [[one["authid"], one["role"], one.get("account") or "-", one["state"]] for one in found]
    titles = ("user", "role", "account", "state")
    state.tell({"users": found}, lambda: show.columns(titles, rows) if rows else "")


@user.command("suspend")
@click.argument("authid")
@click.option("--reason", default="", help="For the audit, and whoever looks at the user.")
@pass_state
def suspend_user(state: State, authid: str, reason: str) -> None:
    """End all that a user has open, and let nobody in as it until it is resumed."""
    answer = state.call("radiod.admin.user.suspend", authid=authid, reason=reason)
    state.tell(answer, lambda: show.ended(answer, "authid"))


@user.command("resume")
@click.argument("authid")
@pass_state
def resume_user(state: State, authid: str) -> None:
    """Let a suspended user in again."""
    answer = state.call("radiod.admin.user.resume", authid=authid)
    state.tell(answer, lambda: show.ended(answer, "authid"))


@user.command("delete")
@click.argument("authid")
@pass_state
def delete_user(state: State, authid: str) -> None:
    """End a user, and all that it has open."""
    answer = state.call("radiod.admin.user.delete", authid=authid)
    state.tell(answer, lambda: show.ended({**answer, "state": "deleted"}, "authid"))
