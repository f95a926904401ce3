"""``check-config`` and ``restore``: what needs no server, or must have none."""

from __future__ import annotations

from pathlib import Path

import click

from radiod.config import Config, ConfigError
from radiod.ctl.failures import Refusal
from radiod.ctl.state import State, pass_state, with_json

__all__ = ["check_config"]


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_json
@pass_state
def check_config(state: State, file: Path | None) -> None:
    """Read a configuration file as the server would, with its secrets; nothing else is touched."""
    path = file or state.config
    try:
        Config.load(path).check_durable()
    except ConfigError as error:
        raise Refusal("", str(error)) from None
    state.tell({"file": str(path), "ok": True}, f"{path}: fine")
