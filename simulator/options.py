"""The command line of ``python -m simulator``: what may be asked for, and what goes together."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from simulator.choice import names
from simulator.engines import ENGINES
from simulator.pace import MAX_SPEED
from simulator.packing import FORMATS

__all__ = ["Usage", "key", "parse", "secret"]

MAX_STEP: Final = 86400.0
"""Simulated seconds: a longer step between samples would not be interruptible in reasonable time."""

TOWN: Final = {
    "town": "grid:10x10",
    "step": 5.0,
    "warm_up": 0.0,
    "seed": 0,
    "engine": "ltm",
    "dt": 1.0,
    "fast": False,
}
"""Of a town that is computed; a recording has its own."""

URL: Final = "http://127.0.0.1:8080/publish"


class Usage(Exception):
    """The command line is wrong; one line says how."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. Raises: Usage."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A simulated town as a source.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    _town(parser.add_argument_group("the town"))
    _air(parser.add_argument_group("where it is published"))
    _files(parser.add_argument_group("files"))
    try:
        options, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise Usage(str(error)) from None
    if unknown:
        raise Usage(f"unknown argument {unknown[0]}")
    _check_replay(options)
    _check_air(options)
    _check_numbers(options)
    return options


def _town(group: Any) -> None:
    add = group.add_argument
    add("--town", help=f"{names()} (grid:10x10)")
    add("--units", help="of a tntp town: m|km|ft|mi,s|min|h")
    add("--scenario", type=Path, metavar="FILE", help="lights, green waves, closed streets (TOML)")
    add("--engine", choices=tuple(ENGINES), help="the model (ltm)")
    add("--fast", action="store_true", default=None, help="compile its step; needs radiod[fast]")
    add("--dt", type=float, help="seconds of one step of the engine (1)")
    add("--seed", type=int, help="of demand and lights (0)")
    add("--warm-up", type=float, help="simulated seconds before the first sample (0)")
    add("--step", type=float, help="simulated seconds between samples (5)")


def _air(group: Any) -> None:
    add = group.add_argument
    add("--network", help="channel to publish on (sample_net)")
    add("--format", choices=FORMATS, default="dense", help="of the samples")
    add("--vehicles", action="store_true", help="every single vehicle is in the samples, too")
    add("--speed", type=float, default=10.0, help="simulated seconds in one real second")
    add("--samples", type=int, default=0, help="stop after so many; 0: never")
    add("--url", help=f"where to publish by HTTP ({URL})")
    add("--key", help="API key; better: --key-file, or RADIOD_KEY in the environment")
    add("--key-file", type=Path)
    add(
        "--wamp", metavar="URL", help="where to publish by WAMP instead, ws(s)://; controls are offered there"
    )
    add("--realm", help="of WAMP (radio)")
    add("--user", metavar="NAME", help="whose ticket it is")
    add("--ticket-file", type=Path)
    add("--always", action="store_true", help="by WAMP: publish all samples, even if nobody listens")
    add("--dry-run", action="store_true", help="print samples instead of publishing them")


def _files(group: Any) -> None:
    add = group.add_argument
    add("--record", type=Path, metavar="FILE", help="write all samples to a file")
    add("--replay", type=Path, metavar="FILE", help="publish what was recorded, instead of a town")
    add("--plot", type=Path, metavar="DIR", help="draw the town at the end; needs matplotlib")
    add("--plot-as", choices=("png", "svg"), default="png")


def _check_replay(options: argparse.Namespace) -> None:
    """And the town's defaults, where there is one."""
    given = [name for name in (*TOWN, "units", "scenario") if getattr(options, name) is not None]
    if options.replay is not None and given:
        raise Usage(f"--{given[0].replace('_', '-')}: a recording has its own; not with --replay")
    if options.replay is not None and options.plot is not None:
        raise Usage("--plot: of a town; not with --replay")
    for name, default in TOWN.items():
        if getattr(options, name) is None:
            setattr(options, name, default)


def _check_air(options: argparse.Namespace) -> None:
    http = [name for name in ("url", "key", "key_file") if getattr(options, name) is not None]
    wamp = [name for name in ("realm", "user", "ticket_file") if getattr(options, name) is not None]
    if options.wamp is None and (wamp or options.always):
        raise Usage(f"--{(wamp or ['always'])[0].replace('_', '-')}: only with --wamp")
    if options.wamp is not None and http:
        raise Usage(f"--{http[0].replace('_', '-')}: of HTTP; not with --wamp")
    if (options.user is None) is not (options.ticket_file is None):
        raise Usage("--user and --ticket-file: both or none")
    options.url = options.url or URL
    options.realm = options.realm or "radio"


def _check_numbers(options: argparse.Namespace) -> None:
    if not 0 < options.speed <= MAX_SPEED or options.samples < 0 or options.seed < 0:
        raise Usage("--speed must be above 0, --samples and --seed at least 0")
    if not 0 <= options.warm_up <= 1e6:
        raise Usage("--warm-up must be from 0 to 1000000 seconds")
    if not 0 < options.step <= MAX_STEP:
        raise Usage(f"--step must be above 0 and at most {MAX_STEP:.0f}")
    if not 0 < options.dt <= MAX_STEP:
        raise Usage(f"--dt must be above 0 and at most {MAX_STEP:.0f}")


def key(options: argparse.Namespace) -> str:
    """The API key, from wherever it was given. Raises: Usage: nowhere, or unreadable."""
    if options.key_file is not None:
        found = secret("--key-file", options.key_file)
    else:
        found = options.key or os.environ.get("RADIOD_KEY") or ""
    if not found:
        raise Usage("an API key is needed: --key-file, RADIOD_KEY or --key")
    return found


def secret(flag: str, path: Path) -> str:
    """What stands in a file, without the end of its line. Raises: Usage: unreadable."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{flag} {path}: {type(error).__name__}") from None
