"""The herd beside a scenario: it is begun, ended, and its figures are judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import IO, Any

from support.running import ROOT

from chaos.cluster.town import Town
from chaos.cluster.verdict import Play
from chaos.scene import must

__all__ = ["Herding"]

BEGIN_S = 60.0
MOST_S = 3600.0
BAD = ("lost", "missing", "repeated", "reordered", "otherwise", "told", "denied", "refused")
"""What none must be."""


class Herding:
    """A process with so many listeners of each of so many channels, and a publisher of ``rate`` events/s."""

    def __init__(self, channels: int = 100, listeners: int = 10, rate: float = 10.0) -> None:
        self.channels = channels
        self.listeners = listeners
        self.rate = rate
        self.began_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Herding:
        return self

    def __exit__(self, *about: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._pipe(self._process.stdout).close()

    def __str__(self) -> str:
        return (
            f"{self.channels * self.listeners} listeners, {self.channels * self.rate:g} acknowledged events/s"
        )

    def begin(self, town: Town, seed: int) -> None:
        """Begin, and wait until all listen. Raises: Finding: they do not in time."""
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.cluster.herd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        wanted = {
            "nodes": [[node.host, node.port] for node in town.nodes.values()],
            "channels": self.channels, "listeners": self.listeners, "rate": self.rate, "seed": seed,
            "begin_s": BEGIN_S, "most_s": MOST_S,
        }  # fmt: skip
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps(wanted).encode() + b"\n")
        pipe.flush()
        self.began_s = self._said()["began_s"]
        must(self.began_s >= 0, f"{self} do not all listen after {BEGIN_S:g} s")

    def judge(self, play: Play) -> None:
        """End it, and note what it came to."""
        assert self._process is not None
        self._pipe(self._process.stdin).close()
        said = self._said()
        for name in BAD:
            play.must(not said[name], f"the herd: {said[name]} {name}")
        play.must(said["epochs"] == 1, f"the herd: {said['epochs']} epochs")
        play.must(not said["troubles"], f"the herd: {said['troubles']}")
        play.notes += said.pop("notes")
        play.notes.append(f"{self} beside, who all listened after {self.began_s:g} s: {said}")

    def _said(self) -> Any:
        assert self._process is not None
        return json.loads(self._pipe(self._process.stdout).readline() or b'{"began_s": -1}')

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe
