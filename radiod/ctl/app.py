"""The command line of ``radioctl``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from radiod import __version__
from radiod.ctl import access, books, channels, cluster, debugging, files, operations, radio, watching
from radiod.ctl.state import Group, State

__all__ = ["cli", "main"]

SHELLS = ("bash", "zsh", "fish")
# What is wrong with a file is said by who reads it.
PATHS = click.Path(path_type=Path, readable=False)


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RADIOCTL"}
)
@click.version_option(__version__, prog_name="radioctl")
@click.option(
    "--config", "-c", type=PATHS, default=Path("radiod.toml"), show_default=True, help="The server's file."
)
@click.option("--socket", type=PATHS, help="The server's admin socket, if not as the file says.")
@click.option("--url", help="A server elsewhere: ws:, wss:, rs: or rss:.")
@click.option("--authid", help="Who you are there; absent: nobody.")
@click.option(
    "--ticket-file", type=click.Path(path_type=Path, allow_dash=True), help="Proves it; - for stdin."
)
@click.option("--realm", help="By default the first of the file, else 'radio'.")
@click.option(
    "--timeout", "seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds."
)
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """Operate a running radiod.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no server. Secrets are asked for, or come from files.
    """
    context.obj = State(**options)


for command in (
    access.key,
    access.account,
    access.plan,
    access.user,
    channels.channel,
    radio.publish,
    radio.listen,
    radio.call,
    books.usage,
    books.audit,
    watching.stats,
    watching.top,
    debugging.metrics,
    debugging.debug,
    cluster.cluster,
    operations.reload,
    operations.drain,
    files.check_config,
    books.backup,
    files.restore,
):
    cli.add_command(command)


@cli.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what completes radioctl in a shell: eval "$(radioctl completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "radioctl", "_RADIOCTL_COMPLETE").source())


def main() -> None:
    """Run it, and exit."""
    cli.main(prog_name="radioctl")
