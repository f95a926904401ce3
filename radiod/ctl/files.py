"""``check-config`` and ``restore``: what needs no server, or must have none."""

from __future__ import annotations

from pathlib import Path

import click

from radiod.config import ConfigError
from radiod.ctl.failures import Refusal
from radiod.ctl.finding import store_of
from radiod.ctl.state import State, pass_state, with_json
from radiod.ctl.values import printable
from radiod.store.records import StoreError
from radiod.store.restoring import restore as restore_store

__all__ = ["check_config", "restore"]


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--no-secrets", is_flag=True, help="Leave secrets in other files, and private keys, unread.")
@with_json
@pass_state
def check_config(state: State, file: Path | None, no_secrets: bool) -> None:
    """Say whether a server could start with a configuration file; the same as radiod check."""
    # It brings the whole server, for which no other command should wait.
    from radiod.checking import checked

    path = file or state.config
    try:
        told, warnings = checked(path, secrets=not no_secrets)
    except ConfigError as error:
        raise Refusal("", str(error)) from None
    if not state.as_json:
        for line in warnings:
            click.echo(printable(f"radioctl: {line}"), err=True)
    state.tell({"file": str(path), "ok": True, "warnings": warnings}, told)


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), help="The store, if not as the file says.")
@click.confirmation_option("--yes", prompt="Put the backup in the place of the store?", help="Do not ask.")
@with_json
@pass_state
def restore(state: State, backup: Path, store: Path | None) -> None:
    """Put a backup in the place of the store, and keep what was there; the server must be stopped."""
    path = store.absolute() if store is not None else store_of(state.config)
    try:
        before = restore_store(str(backup), str(path))
    except StoreError as error:
        raise Refusal("", str(error)) from None
    kept = "" if before is None else f"; what was there is {before} now"
    state.tell({"path": str(path), "before": before}, f"{path}: restored{kept}")
