"""``python -m radiod.store``: look at a store's file, and save what can be saved."""

from __future__ import annotations

import argparse
import sys

from radiod.store.records import StoreError
from radiod.store.repair import FAILED, backup, check, salvage

__all__ = ["main"]

STATUS = "Exit status: 0 everything is whole, 1 something is damaged or lost, 2 it could not be done."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; what it finds goes to the standard output, what keeps it from that to the other."""
    options = _parser().parse_args(arguments)

    def say(line: str) -> None:
        print(f"{options.file}: {line}", flush=True)

    try:
        if options.command == "check":
            return check(options.file, say)
        return (salvage if options.command == "salvage" else backup)(options.file, options.new, say)
    except StoreError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m radiod.store", description=__doc__, epilog=STATUS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("check", "tell what is damaged; changes nothing"),
        ("salvage", "write what can be read to a new file; the old one stays as it is"),
        ("backup", "copy the store, also while a server uses it"),
    ):
        command = commands.add_parser(name, help=what, description=what, epilog=STATUS)
        command.add_argument("file", help="the store")
        if name != "check":
            command.add_argument("new", help="a file that is not there yet")
    return parser


if __name__ == "__main__":
    sys.exit(main())
