"""An hour of everything: many topics, sessions by the million, faults without end, and a census after each.

What is so is asked of the nodes (``radioctl cluster --check``), and of those who play: they know what they
have done. Memory is looked at all the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.target import Finding
from support.running import ROOT, environment

from chaos.cluster.comers import CROWDS
from chaos.cluster.faults import LASTING_NODE, LASTING_SERVER, Faults
from chaos.cluster.load import Load, Scale
from chaos.cluster.masses import Coming, Crowd, Many, Subscriber, Watcher
from chaos.cluster.memory import Memory, rise
from chaos.cluster.nets import Cables, cabled_town
from chaos.cluster.scenarios import crew_of, has_nats
from chaos.cluster.town import DEAD_AFTER_S, Town, pause, town
from chaos.cluster.truth import Truth
from chaos.cluster.verdict import Play
from chaos.scene import Scene, Skipped, must, patient

__all__ = ["hour"]

HOUR_S = 3600.0
WHOLE_RUN_S = 1800.0
"""From which on all topics are there; fewer in less."""

TOPICS = 100_000
JOINS = 1_000_000
RATE = JOINS / HOUR_S * 1.04
"""Joins a second: some more than it takes, as faults cost time."""

STAY_S = 2.0
SESSIONS = 4
"""Of each node that have its share of the topics."""

PEOPLE = 3
"""Of each node, who are at all the crowds' places."""

SCALE = Scale(
    pasts=2, publishers=1, listeners=2, rate=4.0, topics=2, plain_rate=4.0, calls=1.0, has_folk=False
)
MORE = "[operations]\ndrain_s = 4\n"
SILENCE_S, CONVERGE_S = 300.0, 150.0
WHOLE_S, CENSUS_S = 900.0, 120.0
CALL_S = 1.5 * DEAD_AFTER_S + 1
"""As in ``cuts``: who loses the connection to its own server by the same cut waits for others longer."""

PAUSE_S = 2.0, 18.0
LEFT_S = 240.0

NODE_MIB, SERVER_MIB = 600.0, 600.0
"""The most that one may ever have."""

GROWTH_MIB, GROWTH = 25.0, 0.06
"""By how much, or by what share, the line may rise in the second half of the time."""

MOST_CLAIMS = 200
"""That are left when all who came have gone."""


def hour(scene: Scene) -> str:
    """All kinds of faults under a million joins; so much less in less than an hour."""
    has_nats()
    with contextlib.ExitStack() as stack:
        there, cables = stack.enter_context(_town(scene.folder))
        load = stack.enter_context(Load(crew_of(scene, there, SCALE), SCALE))
        play = Play(there, load, silence_s=SILENCE_S, is_refused=True, converge_s=CONVERGE_S, call_s=CALL_S)
        load.converge_s = CONVERGE_S
        return _Hour(scene, play, cables).play()


@contextlib.contextmanager
def _town(folder: Path) -> Iterator[tuple[Town, Cables | None]]:
    """With cables, where these can be had."""
    with contextlib.ExitStack() as stack:
        cables: Cables | None = None
        try:
            there, cables = stack.enter_context(cabled_town(folder, MORE))
        except Skipped:
            there = stack.enter_context(town(folder, MORE))
        yield there, cables


class _Hour:
    """One run."""

    def __init__(self, scene: Scene, play: Play, cables: Cables | None) -> None:
        self._scene = scene
        self._play = play
        self._town = play.town
        self._faults = Faults(play, scene.random, cables)
        crew, nodes = play.crew, list(self._town.nodes)
        count = max(600, round(TOPICS * min(1.0, scene.seconds / WHOLE_RUN_S)))
        self._topics = {
            node: [f"many.{topic}" for topic in range(at, count, len(nodes))] for at, node in enumerate(nodes)
        }
        self._watchers = [Watcher(crew, f"watcher {node}", node) for node in nodes]
        self._people = [
            Crowd(crew, f"person {node}{at}", node, [f"crowd.{crowd}" for crowd in range(CROWDS)])
            for node in nodes
            for at in range(PEOPLE)
        ]
        self._subscribers = [
            Subscriber(crew, f"many {node}{at}", node, self._topics[node][at::SESSIONS])
            for node in nodes
            for at in range(SESSIONS)
        ]
        self._censuses = 0
        self._entries = 0
        self._claims = 0
        self._coming: Coming | None = None

    @property
    def _many(self) -> list[Many]:
        return [*self._watchers, *self._people, *self._subscribers]

    def play(self) -> str:
        """See the module. Returns: the figures. Raises: Finding."""
        for player in self._many:
            self._play.load.add(player)
        took = self._whole(WHOLE_S)
        self._tell(f"{sum(map(len, self._topics.values()))} topics subscribed in {took:.1f} s")
        self._census("at the beginning")
        coming = self._coming = Coming(RATE, STAY_S, list(self._play.crew.doors.values()))
        try:
            with Memory(self._pids) as memory:
                self._trouble()
                coming.end(120)
                self._whole(WHOLE_S)
                self._quiet(memory)
        finally:
            coming.kill()
        return self._judge(memory)

    def _pids(self) -> dict[str, int]:
        pids = {f"node {name}": node.process.pid for name, node in self._town.nodes.items()}
        pids |= {f"server {one.name}": one.pid for one in self._town.servers.all}
        if self._coming is not None:
            pids["comers"] = self._coming.pid
        return pids | {"load": os.getpid()}

    def _tell(self, text: str) -> None:
        """A line on the way: an hour is long."""
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)

    # --- the time

    def _trouble(self) -> None:
        """Faults until the time is over."""
        end = time.monotonic() + self._scene.seconds
        assert self._coming is not None
        for kind, do in self._faults.draw():
            pause(self._scene.random.uniform(*PAUSE_S))
            if time.monotonic() >= end:
                return
            must(not self._coming.has_failed, "the comers' program has failed")
            began = time.monotonic()
            do()
            self._faults.done[kind] += 1
            healed = time.monotonic()
            self._census(kind)
            missing = sum(not one.is_whole for one in self._many)
            self._tell(
                f"{kind}: {healed - began:.1f} s, all works again {self._play.converged[-1]:.1f} s,"
                f" census {time.monotonic() - healed:.1f} s, {self._entries} entries, {self._claims} claims;"
                f" {self._coming.counts.get('joined', 0)} joins; {missing} subscribe anew"
            )

    def _whole(self, seconds: float) -> float:
        """Wait until all who have many topics have them. Returns: seconds."""
        began = time.monotonic()

        def is_whole() -> bool:
            return all(one.is_whole for one in self._many)

        try:
            patient(is_whole, "", seconds)
        except Finding:
            missing = [one.name for one in self._many if not one.is_whole]
            crew = self._play.crew
            raise Finding(
                f"after {seconds:g} s not all have their topics: {missing};"
                f" {dict(crew.refusals)} {dict(crew.ends)}"
            ) from None
        return time.monotonic() - began

    def _census(self, when: str) -> None:
        """Ask a node, while all go on, whether all nodes know of each other what is so. Raises: Finding."""
        node = self._scene.random.choice(list(self._town.nodes))
        told = self._checked(node)
        found = json.loads(told.stdout or "{}")
        wrong = [one for one in found.get("mirrors", []) if not one["is_same"]]
        must(
            told.returncode == 0,
            f"census of {node}, {when}: {wrong} {found.get('unanswered')} {told.stderr[-500:]}",
        )
        rows = found["mirrors"]
        self._censuses += 1
        self._entries = sum(max(0, one["owned"]) for one in rows)
        self._claims = max(one["owned"] for one in rows if one["what"] == "claims")
        names = {one["node"] for one in rows}
        must(names == set(self._town.nodes), f"census of {node}, {when}: only {names} are there")

    def _checked(self, node: str) -> subprocess.CompletedProcess[str]:
        socket = self._scene.folder / f"{node}.sock"
        command = ["--socket", str(socket), "cluster", "--check", "--json", "--wait", str(CENSUS_S)]
        return subprocess.run(
            [sys.executable, "-m", "radiod.ctl", *command],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=4 * CENSUS_S, check=False,
        )  # fmt: skip

    # --- the end

    def _quiet(self, memory: Memory) -> None:
        """Nobody comes any more: what is left is what those who stay have. Raises: Finding."""
        truth = Truth(self._play.load, self._watchers, self._people, self._topics)
        try:
            patient(lambda: not truth.wrong(self._scene.random), "", LEFT_S)
        except Finding:
            raise Finding(f"at the end: {truth.wrong(self._scene.random)}") from None
        self._census("at the end")
        must(self._claims <= MOST_CLAIMS, f"{self._claims} claims are left")
        self._tell("all is as those who stay know it")
        memory.write(Path(os.environ.get("CHAOS_RESULTS", str(self._scene.folder))) / "cluster-hour.csv")

    def _judge(self, memory: Memory) -> str:
        play, must_ = self._play, self._play.must
        for name, points in memory.points.items():
            if name.startswith(("node", "server")):
                most = NODE_MIB if name.startswith("node") else SERVER_MIB
                must_(memory.most(name) <= most, f"{name} had {memory.most(name):.0f} MiB")
            if name in (f"node {LASTING_NODE}", f"server {LASTING_SERVER}"):
                allowed = max(GROWTH_MIB, GROWTH * points[0][1])
                grown = rise(points)
                must_(grown <= allowed, f"{name} has grown by {grown:.1f} MiB in the second half")
        must_(not any(one.odd for one in self._watchers if not one.lost), "sessions came twice")
        play.notes += list(self._figures(memory))
        return play.end("faults of all kinds")

    def _figures(self, memory: Memory) -> Iterator[str]:
        assert self._coming is not None
        counts = self._coming.counts
        yield f"{memory.seconds:.0f} s; {dict(self._faults.done)}"
        yield f"comers: {counts}"
        heard = [dict(one.heard) | {"lost": one.lost} for one in self._watchers]
        yield f"watchers heard {heard}"
        yield (f"{self._censuses} censuses, the last of {self._entries} entries, {self._claims} claims")
        for name, points in memory.points.items():
            mib = [value for _, value in points]
            share = 100 * memory.cpu[name] / max(memory.seconds, 1)
            yield (
                f"{name}: {mib[0]:.0f} MiB at first, {mib[-1]:.0f} in the end, {max(mib):.0f} at most,"
                f" line {rise(points):+.1f} in the second half; {share:.0f} % of a core"
            )
