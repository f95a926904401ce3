"""``radiod``: run the server, check a configuration, tell where the files of radiod are.

``radiod run --config FILE`` is ``twistd -n --pidfile= radiod --config FILE``. It needs no plugin cache of
Twisted's, which a read-only installation may lack, and tells where it was when the process is aborted.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Final, NoReturn

from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions
from twisted.scripts.twistd import runApp

from radiod import __version__

__all__ = ["main"]

PACKAGE: Final = Path(__file__).parent
SHARED: Final = Path("share", "radiod")
"""Where packages put what is for systemd and the like, below where Python is installed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns: the exit status."""
    given = _parser().parse_args(arguments)
    status: int = given.do(given)
    return status


# --- the command line


class _Parser(argparse.ArgumentParser):
    """Whatever is wrong is one line, as everywhere in radiod."""

    def error(self, message: str) -> NoReturn:
        """Tell it. Raises: SystemExit."""
        sys.exit(f"radiod: {message}; see {self.prog} --help")


def _parser() -> _Parser:
    parser = _Parser(prog="radiod", description="Your own data radio.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"radiod {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    run = commands.add_parser("run", help="run the server in the foreground", allow_abbrev=False)
    run.add_argument(
        "--config", "-c", metavar="FILE", help="TOML; without it realm 'radio' on 127.0.0.1:8080"
    )
    run.add_argument(
        "--listen", "-l", metavar="ENDPOINT", action="append", help="instead of the file's; repeatable"
    )
    run.add_argument("--store", metavar="FILE", help="instead of the file's; '' for memory")
    run.add_argument("--logfile", metavar="FILE", help="instead of the standard output")
    run.set_defaults(do=_run)
    check = commands.add_parser("check", help="check a configuration, and start nothing", allow_abbrev=False)
    check.add_argument("--config", "-c", metavar="FILE", required=True)
    check.add_argument(
        "--no-secrets", action="store_true", help="leave secrets in other files, and private keys, unread"
    )
    check.set_defaults(do=_check)
    paths = commands.add_parser("paths", help="tell where radiod's files are", allow_abbrev=False)
    paths.set_defaults(do=_paths)
    return parser


# --- run


class _RunOptions(ServerOptions):  # type: ignore[misc,unused-ignore] # Twisted's are not typed
    """twistd's, with one thing to run."""

    @property
    def subCommands(self) -> Iterator[tuple[str, None, Any, str]]:
        """radiod, found without looking for plugins."""
        from twisted.plugins.radiod_plugin import radiod

        self.loadedPlugins = {"radiod": radiod}
        yield ("radiod", None, lambda: radiod.options(), radiod.description)


def _run(given: argparse.Namespace) -> int:
    words = ["--nodaemon", "--pidfile="]
    words += [f"--logfile={given.logfile}"] if given.logfile is not None else []
    words.append("radiod")
    words += [f"--config={given.config}"] if given.config is not None else []
    words += [f"--store={given.store}"] if given.store is not None else []
    words += [f"--listen={endpoint}" for endpoint in given.listen or ()]
    options = _RunOptions()
    try:
        options.parseOptions(words)
    except usage.UsageError as error:
        sys.exit(f"radiod: {error}")
    # systemd's watchdog aborts what hangs: then everybody can read where that was.
    faulthandler.enable()
    runApp(options)
    return 0


# --- check


def _check(given: argparse.Namespace) -> int:
    from radiod.checking import checked
    from radiod.config import ConfigError

    try:
        told, warnings = checked(Path(given.config), secrets=not given.no_secrets)
    except ConfigError as error:
        sys.exit(f"radiod: {error}")
    for line in warnings:
        print(f"radiod: {line}", file=sys.stderr)
    print(told)
    return 0


# --- paths


def _paths(given: argparse.Namespace) -> int:
    found = {"version": __version__, "package": PACKAGE, "pages": PACKAGE / "web" / "pages"}
    packaging = _packaging()
    if packaging is not None:
        found["packaging"] = packaging
    for name, what in found.items():
        print(f"{name:9} {what}")
    return 0


def _packaging() -> Path | None:
    """The folder of units and examples: of the checkout, or where they were installed."""
    candidates = [PACKAGE.parent / "packaging", Path(sysconfig.get_path("data")) / SHARED]
    try:
        candidates += [
            Path(str(one.locate())).resolve().parent
            for one in files("radiod") or ()
            if one.name == "radiod.service"
        ]
    except PackageNotFoundError:
        """It runs from where it was unpacked."""
    return next((one for one in candidates if (one / "radiod.service").exists()), None)
