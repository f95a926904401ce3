"""``python -m simulator``: compute a town's traffic and broadcast it.

python -m simulator --town grid:10x10 --network sample_net --url http://127.0.0.1:8080/publish --key …
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from simulator.choice import choose, names
from simulator.maps import parts, topic
from simulator.publish import Publisher, PublishError
from simulator.simulation import Simulator

MAX_PAUSE = 5.0
"""Seconds: the longest pause between attempts to reach the server."""

MAX_WARNINGS = 10
"""Lines about what looks wrong in a town; a large one has thousands of the same kind."""

PROGRESS = 5.0
"""Seconds between two lines about a long warm-up."""

MAX_STEP = 86400.0
"""Simulated seconds: a longer step between samples would not be interruptible in reasonable time."""


class Usage(Exception):
    """The command line is wrong; one line says how."""


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped. Returns: the exit status: 0 stopped, 1 refused by the server, 2 wrong usage."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        options = parse(arguments)
        simulator = Simulator(
            choose(options.town, options.units), options.network, options.step, options.seed
        )
        publisher = None if options.dry_run else Publisher(options.url, key(options))
    except (Usage, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    warm_up(simulator, options.warm_up, stopped)
    if publisher is None:
        return print_samples(simulator, options, stopped)
    try:
        Broadcast(simulator, publisher, options, stopped).run()
    except PublishError as error:
        print(f"simulator: the server refuses: {error}", file=sys.stderr)
        return 1
    return 0


def warm_up(
    simulator: Simulator,
    seconds: float,
    stopped: threading.Event,
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


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. Raises: Usage."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A simulated town as a source.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--town", default="grid:10x10", help=names())
    parser.add_argument("--units", help="of a tntp town: m|km|ft|mi,s|min|h")
    parser.add_argument("--network", default="sample_net", help="channel to publish on")
    parser.add_argument("--url", default="http://127.0.0.1:8080/publish")
    parser.add_argument("--key", help="API key; better: --key-file, or RADIOD_KEY in the environment")
    parser.add_argument("--key-file", type=Path)
    parser.add_argument("--step", type=float, default=5.0, help="simulated seconds between samples")
    parser.add_argument("--speed", type=float, default=10.0, help="simulated seconds in one real second")
    parser.add_argument(
        "--warm-up", type=float, default=0.0, help="simulated seconds before the first sample"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=("dense", "legacy"), default="dense")
    parser.add_argument("--samples", type=int, default=0, help="stop after so many; 0: never")
    parser.add_argument("--dry-run", action="store_true", help="print samples instead of publishing them")
    try:
        options, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise Usage(str(error)) from None
    if unknown:
        raise Usage(f"unknown argument {unknown[0]}")
    if not 0 < options.speed <= 1e6 or options.samples < 0 or options.seed < 0:
        raise Usage("--speed must be above 0, --samples and --seed at least 0")
    if not 0 <= options.warm_up <= 1e6:
        raise Usage("--warm-up must be from 0 to 1000000 seconds")
    if not 0 < options.step <= MAX_STEP:
        raise Usage(f"--step must be above 0 and at most {MAX_STEP:.0f}")
    return options


def key(options: argparse.Namespace) -> str:
    """The API key, from wherever it was given. Raises: Usage: nowhere, or unreadable."""
    if options.key_file is not None:
        try:
            found = options.key_file.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Usage(f"--key-file {options.key_file}: {type(error).__name__}") from None
    else:
        found = options.key or os.environ.get("RADIOD_KEY")
    if not found:
        raise Usage("an API key is needed: --key-file, RADIOD_KEY or --key")
    return str(found)


def print_samples(simulator: Simulator, options: argparse.Namespace, stopped: threading.Event) -> int:
    """Samples as JSON lines, as fast as they come; until nobody reads them any more."""
    printed = 0
    try:
        while not stopped.is_set() and (not options.samples or printed < options.samples):
            print(json.dumps(simulator.dump_state(options.format)), flush=True)
            simulator.next()
            printed += 1
    except BrokenPipeError:
        # What is still buffered must not fail once more when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class Broadcast:
    """Publishes a sample at every slot of a fixed schedule; slots that were missed are skipped."""

    def __init__(
        self,
        simulator: Simulator,
        publisher: Publisher,
        options: argparse.Namespace,
        stopped: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._simulator = simulator
        self._publisher = publisher
        self._format = options.format
        self._samples = options.samples
        self._period = options.step / options.speed
        self._stopped = stopped
        self._failures = 0
        self._has_map = False

    def run(self) -> None:
        """Until stopped, or all samples are out. Raises: PublishError: the server will not have them."""
        due = self._clock()
        published = 0
        while not self._stopped.wait(max(0.0, due - self._clock())):
            if self._publish():
                published += 1
                if published == self._samples:
                    return
            self._simulator.next()
            # The schedule stands whatever publishing took; what lies in the past is given up.
            late = self._clock() - due
            due += self._period * max(1, -(-late // self._period))

    def _publish(self) -> bool:
        """True when the sample is out; after a failure, pause."""
        name = self._simulator.name
        try:
            if not (self._has_map and self._publisher.is_connected):
                # A server that was restarted has forgotten the map.
                self._has_map = False
                # The first part last: who has it finds the others.
                for number, part in reversed(list(enumerate(parts(self._simulator.map()), 1))):
                    self._publisher.publish_topic(topic(name, number), [part])
                self._has_map = True
            self._publisher.publish(name, self._simulator.dump_state(self._format))
        except PublishError as error:
            if error.is_final:
                raise
            self._pause(str(error), error.retry_after)
        except (OSError, http.client.HTTPException) as error:
            self._pause(f"{type(error).__name__}: {error}", None)
        else:
            self._failures = 0
            return True
        return False

    def _pause(self, reason: str, seconds: float | None) -> None:
        """Wait, longer each time, at random so that many sources do not return at once."""
        self._failures += 1
        backoff = min(MAX_PAUSE, 0.1 * 2.0**self._failures) * random.uniform(0.5, 1.0)
        pause = min(seconds, 60.0) if seconds is not None else backoff
        print(f"simulator: not published ({reason}); again in {pause:.1f} s", file=sys.stderr, flush=True)
        self._stopped.wait(pause)


if __name__ == "__main__":
    sys.exit(main())
