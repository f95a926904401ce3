"""Runs: rounds of all parts in shares of the time, with servers of their own; seeds and findings.

The seed of a burst is ``<seed>/<part>/<number>``, and the burst is made from it alone.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from fuzz import access, messages, octets, rights, sinks
from fuzz.cost import Costs
from fuzz.rule import Rule
from fuzz.strict import Decoders, Listeners
from fuzz.target import Finding, Oracle, running, speed, speed_now
from fuzz.world import World

__all__ = ["PARTS", "Run", "Seed", "main"]

LEAST = 3
"""Bursts of each part that are played even if starting its servers has taken all of its time."""

LEAST_COST_S = 5.0
WARM = 5
"""Bursts after which memory and descriptors count."""

ROUND_S = 90.0
"""A longer time is that many rounds: servers start anew, and so memory means something."""


class Seed:
    """``<number>``, or ``<number>/<part>/<burst>`` for one burst alone."""

    def __init__(self, text: str) -> None:
        number, _, rest = text.partition("/")
        self.number = int(number) if number else Random().randrange(1, 10**9)
        self.part, _, burst = rest.partition("/")
        self.burst = burst

    def bursts(self, part: str, first: int = 0) -> Iterator[tuple[str, Random]]:
        """(its whole seed, what it is made from), without an end; of one burst alone, that one."""
        number = first
        while True:
            name = f"{self.number}/{part}/{self.burst or number}"
            yield name, Random(name)
            if self.burst:
                return
            number += 1


class Run:
    """One round. ``findings`` are texts for people; ``done`` tells what was done."""

    def __init__(self, seed: Seed, folder: Path, rule: Rule) -> None:
        self.seed = seed
        self.folder = folder
        self.rule = rule
        self.findings: list[str] = []
        self.done: list[str] = []

    def found(self, name: str, error: Exception, more: str = "") -> None:
        """Remember what went wrong."""
        what = str(error) if isinstance(error, Finding) else traceback.format_exc()
        self.findings.append(f"{what}\n{more}\n  again: make fuzz FUZZ_SEED={name}")

    def bursts(self, part: str, end: float, play: Callable[[Random], None]) -> None:
        """Play bursts until the time is over, or one fails; a few in any case."""
        count = 0
        for name, random in self.seed.bursts(part):
            if count >= LEAST and time.monotonic() > end and not self.seed.burst:
                break
            try:
                play(random)
            except Exception as error:
                self.found(name, error)
                break
            count += 1
        self.done.append(f"{part}: {count} bursts")

    # --- parts

    def messages(self, end: float) -> None:
        """Random messages; a burst that fails is made smaller on a new server."""
        with running(self.folder) as target:
            oracle = Oracle(target)
            count = 0
            for name, random in self.seed.bursts("messages"):
                if count > LEAST + WARM and time.monotonic() > end and not self.seed.burst:
                    break
                actors = messages.burst(random)
                try:
                    messages.play(actors, oracle)
                    if count == WARM:
                        oracle.warmed()
                except Exception as error:
                    self.found(name, error, self._smallest(actors))
                    return
                count += 1
            self._end(oracle, "messages", count > WARM)
        self.done.append(f"messages: {count} bursts of 8 connections")

    def _smallest(self, actors: list[messages.Actor]) -> str:
        end = time.monotonic() + 20

        def fails(trial: list[messages.Actor]) -> bool:
            if time.monotonic() > end:
                return False
            with running(self.folder) as target:
                try:
                    messages.play(trial, Oracle(target))
                except Exception:
                    return True
                return False

        if not fails(actors):
            return "  (not by itself on a new server)"
        return "\n".join(map(str, messages.fewer(actors, fails)))

    def _end(self, oracle: Oracle, part: str, is_warm: bool = True) -> None:
        if is_warm:
            try:
                oracle.check_end()
            except Exception as error:
                self.found(f"{self.seed.number}/{part}", error)

    def octets(self, end: float) -> None:
        """Mutated bytes."""
        with running(self.folder) as target:
            oracle = Oracle(target)
            octets.play(octets.burst(Random(0)), Random(0), oracle)
            oracle.warmed()
            self.bursts("octets", end, lambda random: octets.play(octets.burst(random), random, oracle))
            if not self.findings:
                self._end(oracle, "octets")

    def cost(self, end: float) -> None:
        """What inputs cost, in a world that is full."""
        with running(self.folder) as target:
            world = World(target)
            oracle = Oracle(target)
            costs = Costs(target, oracle, self.rule, world)
            only = self.seed.burst
            try:
                costs.run(Random(f"{self.seed.number}/cost"), max(LEAST_COST_S, end - time.monotonic()), only)
            except Exception as error:
                self.found(f"{self.seed.number}/cost", error)
            self.done += [f"known, and not mended yet: {one}" for one in costs.known]
            self.done += [
                f"cost: {len(costs.measured)} measured, {len(costs.bursts)} bursts",
                *costs.report(),
            ]
            for cost in costs.faults():
                self.findings.append(
                    f"{cost}: {'; '.join(cost.faults)}\n  again: make fuzz FUZZ_SEED='0/cost/{cost.name}'"
                )

    def rights(self, end: float) -> None:
        """A private world that nobody can tell, and roles by a reference."""
        with (
            running(self.folder, rights.WORLD) as bare,
            running(self.folder, rights.WORLD + rights.PRIVATE) as full,
        ):
            twins = rights.Twins(bare, full)

            def play(random: Random) -> None:
                for _ in range(10):
                    twins.stir(random)
                    twins.compare(random)
                twins.check()

            # What was stirred before counts, too: all of a round is one burst.
            self.bursts("twins", (time.monotonic() + end) / 2, play)
        random = Random(f"{self.seed.number}/roles")
        roles = rights.random_roles(random)
        with running(self.folder, rights.roles_config(roles)) as target:
            oracle = Oracle(target)
            self.bursts("roles", end, lambda random: rights.compare_roles(oracle, roles, random))

    def sinks(self, end: float) -> None:
        """Texts that act, in every field."""
        with running(self.folder) as target:
            oracle = Oracle(target)

            def play(random: Random) -> None:
                sinks.play_wamp(random, oracle)
                sinks.play_http(random, oracle)

            self.bursts("sinks", end, play)

    def access(self, end: float) -> None:
        """The books: an operator's calls, and strangers' keys and tokens."""
        with running(self.folder, access.config(self.folder)) as target:
            oracle = Oracle(target)
            books = access.Books(self.folder, oracle)

            def play(random: Random) -> None:
                books.operate(random)
                books.knock(random)
                oracle.check()

            self.bursts("access", end, play)
            books.check_end()

    def strict(self, end: float) -> None:
        """What is passed on, by the decoders of other languages."""
        decoders = Decoders()
        if not decoders.has_node:
            self.done.append("strict: without Node")
        try:
            with running(self.folder) as target:
                oracle = Oracle(target)
                listeners = Listeners(oracle, decoders)

                def play(random: Random) -> None:
                    for _ in range(4):
                        listeners.play(random)
                    oracle.check()

                self.bursts("strict", end, play)
                self.done.append(
                    f"strict: {listeners.passed} payloads passed on, {listeners.refused} refused"
                )
        finally:
            decoders.close()


PARTS: dict[str, tuple[float, Callable[[Run, float], None]]] = {
    "messages": (0.17, Run.messages),
    "octets": (0.11, Run.octets),
    "cost": (0.31, Run.cost),
    "rights": (0.12, Run.rights),
    "sinks": (0.08, Run.sinks),
    "access": (0.09, Run.access),
    "strict": (0.12, Run.strict),
}
"""name -> its share of the time, and what runs it."""

OF = {"twins": "rights", "roles": "rights"}


def main(seconds: float, text: str) -> int:
    """Run it all. Returns: the exit status, 1 if anything was found."""
    seed = Seed(text)
    factor = speed()
    print(f"seed {seed.number}; limits are multiplied by {factor:.2f} on this machine", flush=True)
    findings: list[str] = []
    end, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or (time.monotonic() + ROUND_S / 2 < end and not findings and not seed.part):
        part = seed if rounds == 0 else Seed(str(seed.number + rounds))
        findings += _round(part, min(ROUND_S, seconds), Rule(factor, speed_now))
        rounds += 1
    for finding in findings:
        print(f"\nFOUND {finding}")
    print(f"\n{rounds} rounds, {len(findings)} findings" if findings else f"\n{rounds} rounds, nothing found")
    return bool(findings)


def _round(seed: Seed, seconds: float, rule: Rule) -> list[str]:
    findings: list[str] = []
    end = time.monotonic()
    for name, (share, play) in PARTS.items():
        if seed.part and name != OF.get(seed.part, seed.part):
            continue
        end += share * seconds
        with tempfile.TemporaryDirectory() as folder:
            run = Run(seed, Path(folder), rule)
            try:
                play(run, end)
            except Exception as error:
                run.found(f"{seed.number}/{name}", error)
            print(*run.done, sep="\n", flush=True)
            findings += run.findings
    return findings
