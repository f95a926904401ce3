"""The command line of ``radio``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeAlias

from radiod_client._version import VERSION

__all__ = ["parser"]

EPILOG = """exit codes: 0 done; 1 refused, lost, or a file cannot be written; 2 the command line is wrong;
3 no server; 4 the login is refused; 130 Ctrl-C; 143 SIGTERM; 141 stdout was closed"""
SECRET = "file:PATH or env:NAME"


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    made = argparse.ArgumentParser(
        prog="radio", description="Listen to a radiod, and publish, at a terminal.", epilog=EPILOG
    )
    made.add_argument("--version", action="version", version=VERSION)
    verbs = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_listen(verbs)
    _add_publish(verbs)
    _add_call(verbs)
    _add_record(verbs)
    _add_replay(verbs)
    _add_plot(verbs)
    return made


Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _verb(verbs: Verbs, name: str, text: str, *, has_channel: bool = True) -> argparse.ArgumentParser:
    """A verb with the options that say who we are."""
    made = verbs.add_parser(name, help=text, description=text, epilog=EPILOG)
    login = made.add_argument_group("connection and login")
    login.add_argument("--realm", default="radio", help="default: radio")
    login.add_argument("--authid", metavar="NAME", help="who we are")
    login.add_argument("--ticket", metavar="SOURCE", help=f"{SECRET}: our ticket")
    login.add_argument("--secret", metavar="SOURCE", help=f"{SECRET}: our secret (WAMP-CRA)")
    login.add_argument("--password", metavar="SOURCE", help=f"{SECRET}: our password (SCRAM)")
    login.add_argument("--private-key", metavar="SOURCE", help=f"{SECRET}: hexadecimal (cryptosign)")
    login.add_argument("--ca", metavar="FILE", help="certificates to trust, instead of the system's")
    if has_channel:
        login.add_argument("--key", metavar="SOURCE", help=f"{SECRET}: key of a private channel")
    return made


def _add_past(made: argparse.ArgumentParser) -> None:
    past = made.add_mutually_exclusive_group()
    past.add_argument("--after", metavar="P", help="a position: begin behind it")
    past.add_argument("--last", metavar="N", type=_count(0), default=0, help="begin with so many of the past")


def _add_number(made: argparse.ArgumentParser) -> None:
    made.add_argument("--count", metavar="N", type=_count(1), help="end after so many samples")


def _add_listen(verbs: Verbs) -> None:
    made = _verb(verbs, "listen", "a line of JSON on stdout for each sample")
    made.add_argument("url", metavar="URL")
    made.add_argument("channel", metavar="CHANNEL")
    made.add_argument("--data", action="store_true", help="only what was published; gaps on stderr")
    _add_number(made)
    _add_past(made)


def _add_publish(verbs: Verbs) -> None:
    made = _verb(verbs, "publish", "publish a sample, or each line of stdin")
    made.add_argument("url", metavar="URL")
    made.add_argument("channel", metavar="CHANNEL")
    made.add_argument(
        "data", metavar="DATA", nargs="?", help="JSON or text; without it, lines of JSON on stdin"
    )
    made.add_argument("--text", action="store_true", help="DATA, or each line, is text and no JSON")
    made.add_argument("--retain", action="store_true", help="whoever comes later gets it, too")


def _add_call(verbs: Verbs) -> None:
    made = _verb(
        verbs,
        "call",
        "call a procedure; its result is a line of JSON, behind those of its progress",
        has_channel=False,
    )
    made.add_argument("url", metavar="URL")
    made.add_argument("procedure", metavar="PROCEDURE")
    made.add_argument("argument", metavar="ARGUMENT", nargs="*", help="JSON or text")
    made.add_argument("--kwarg", metavar="NAME=VALUE", action="append", default=[], help="a named argument")
    made.add_argument("--timeout", metavar="S", type=_seconds, default=20.0, help="default: 20")


def _add_record(verbs: Verbs) -> None:
    made = _verb(verbs, "record", "record a channel; into a file that is there already it goes on")
    made.add_argument("url", metavar="URL")
    made.add_argument("channel", metavar="CHANNEL")
    made.add_argument("file", metavar="FILE", help="….ndjson, .csv, .sqlite or .parquet")
    _add_number(made)
    _add_past(made)


def _add_replay(verbs: Verbs) -> None:
    made = _verb(verbs, "replay", "publish a recording")
    made.add_argument("file", metavar="FILE", help="….ndjson, .csv, .sqlite or .parquet")
    made.add_argument("url", metavar="URL")
    made.add_argument("channel", metavar="CHANNEL")
    made.add_argument(
        "--speed", metavar="K", type=_speed, default=1.0, help="2: twice as fast; 0: as fast as it goes"
    )
    _add_number(made)


def _add_plot(verbs: Verbs) -> None:
    made = _verb(verbs, "plot", "curves of a channel or a recording, in the terminal or as PNG")
    made.add_argument("source", metavar="URL|FILE")
    made.add_argument("channel", metavar="CHANNEL", nargs="?")
    made.add_argument("--field", metavar="PATH", action="append", default=[], help="for example car.speed")
    made.add_argument("--png", metavar="FILE", help="into a file, at the end")
    made.add_argument(
        "--points", metavar="N", type=_count(2), default=2000, help="so many samples; default 2000"
    )
    _add_number(made)
    _add_past(made)


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least or len(text) > 15:
            raise argparse.ArgumentTypeError(f"expected a number from {least} up, not {text!r}")
        return int(text)

    return count


def _seconds(text: str) -> float:
    return _number(text, is_zero_fine=False)


def _speed(text: str) -> float:
    return _number(text, is_zero_fine=True)


def _number(text: str, *, is_zero_fine: bool) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and (found > 0 or (is_zero_fine and found == 0))):
        raise argparse.ArgumentTypeError(f"expected a positive number, not {text!r}")
    return found
