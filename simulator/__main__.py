"""``python -m simulator``: compute a town's traffic and broadcast it.

python -m simulator --town grid:10x10 --network sample_net --url http://127.0.0.1:8080/publish --key …
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from simulator.broadcast import Broadcast
from simulator.choice import choose
from simulator.controls import Controls
from simulator.options import Usage, key, parse, secret
from simulator.pace import Pace
from simulator.plot import Plotted
from simulator.publish import Publisher, PublishError
from simulator.recording import Recorded, Replay
from simulator.scenario import apply_scenario
from simulator.simulation import Simulator
from simulator.source import Ended, Source
from simulator.stop import Stop

MAX_WARNINGS = 10
"""Lines about what looks wrong in a town; a large one has thousands of the same kind."""

PROGRESS = 5.0
"""Seconds between two lines about a long warm-up."""


Air = Callable[[Source, Stop], int]
"""Publishes a source until it is stopped. Returns: the exit status."""


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped. Returns: the exit status: 0 stopped, 1 refused by the server, 2 wrong usage."""
    stopped = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with contextlib.ExitStack() as stack:
        try:
            options = parse(arguments)
            inner = source_of(options)
            publish = air_of(options, inner)
            source = observed(inner, options, stack)
        except (Usage, ValueError) as error:
            return told(error, 2)
        if isinstance(inner, Simulator):
            warm_up(inner, options.warm_up, stopped)
        try:
            return publish(source, stopped)
        except PublishError as error:
            return told(f"the server refuses: {error}", 1)
        except Ended as ended:
            return told(ended, 0)


def told(line: object, status: int) -> int:
    """Say why it ends, unless there is nothing to say. Returns: ``status``."""
    if str(line):
        print(f"simulator: {line}", file=sys.stderr)
    return status


def source_of(options: argparse.Namespace) -> Simulator | Replay:
    """The town, or the recording. Raises: ValueError."""
    if options.replay is not None:
        return Replay(options.replay, options.network)
    simulator = Simulator(
        choose(options.town, options.units),
        options.network or "sample_net",
        options.step,
        options.seed,
        options.engine,
        dt=options.dt,
        fast=options.fast,
        agents=options.vehicles,
    )
    if options.scenario is not None:
        apply_scenario(simulator, options.scenario)
    # Small formats are there for their size.
    told = {"vehicles"} if options.vehicles else set()
    simulator.tells = frozenset(told | ({"speeds"} if options.format == "dense" else set()))
    return simulator


def observed(inner: Simulator | Replay, options: argparse.Namespace, stack: contextlib.ExitStack) -> Source:
    """The source, with all who look on while time passes. Raises: ValueError: they cannot."""
    source: Source = inner
    if options.plot is not None and isinstance(inner, Simulator):
        plotted = Plotted(inner, options.plot, options.plot_as)
        stack.callback(plotted.close)
        source = plotted
    if options.record is not None:
        recorded = Recorded(source, options.record, options.format)
        stack.callback(recorded.close)
        source = recorded
    return source


def air_of(options: argparse.Namespace, inner: Simulator | Replay) -> Air:
    """How it is published. Raises: Usage, ValueError: it cannot be, whatever the server says."""
    if options.dry_run:
        return lambda source, stopped: print_samples(source, options, stopped)
    if options.wamp is not None:
        return by_wamp(options, inner)
    publisher = Publisher(options.url, key(options))

    def by_http(source: Source, stopped: Stop) -> int:
        Broadcast(source, publisher, options, stopped).run()
        return 0

    return by_http


def by_wamp(options: argparse.Namespace, inner: Simulator | Replay) -> Air:
    """By WAMP, with what may be done to ``inner`` offered there. Raises: as ``air_of``."""
    try:
        from simulator import wamp
        from simulator.station import Station
    except ModuleNotFoundError as missing:
        raise Usage(f"--wamp needs {missing.name}: pip install radiod") from None
    ticket = "" if options.ticket_file is None else secret("--ticket-file", options.ticket_file)
    login = wamp.Login(options.wamp, options.realm, options.user, ticket)
    engine = "replay" if isinstance(inner, Replay) else options.engine

    def on_air(source: Source, stopped: Stop) -> int:
        from twisted.internet import reactor as found

        reactor: Any = found
        if stopped.is_set():
            return 0
        pace = Pace(source.step, options.speed, reactor.seconds)
        how = {"format": options.format, "samples": options.samples, "always": options.always}
        air = wamp.Air(
            source,
            lambda send: Station(source, pace, send, reactor, **how),
            lambda station: Controls(inner, station, engine),
            login,
            reactor,
        )
        status, line = wamp.run(air, reactor)
        return told(line, status)

    return on_air


def warm_up(
    simulator: Simulator,
    seconds: float,
    stopped: Stop,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Say what was repaired and what looks wrong in the town, and let ``seconds`` pass.

    While that takes long, say how far it is.
    """
    for name in ("repairs", "warnings"):
        lines = getattr(simulator.town, name)
        for line in lines[:MAX_WARNINGS]:
            print(f"simulator: {line}", file=sys.stderr)
        if len(lines) > MAX_WARNINGS:
            more = len(lines) - MAX_WARNINGS
            print(f"simulator: and {more} more of the kind; town.{name} has them all", file=sys.stderr)
    told = clock()
    while simulator.time < seconds and not stopped.is_set():
        simulator.next()
        if clock() > told + PROGRESS:
            told = clock()
            print(f"simulator: warm-up: {simulator.time:.0f} of {seconds:.0f} s", file=sys.stderr, flush=True)


def print_samples(source: Source, options: argparse.Namespace, stopped: Stop) -> int:
    """Samples as JSON lines, as fast as they come; until nobody reads them any more."""
    printed = 0
    try:
        while not stopped.is_set() and (not options.samples or printed < options.samples):
            print(json.dumps(source.dump_state(options.format)), flush=True)
            source.next()
            printed += 1
    except BrokenPipeError:
        # What is still buffered must not fail once more when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
