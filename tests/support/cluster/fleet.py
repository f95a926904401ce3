"""Real nodes for whole suites: started once for each configuration, and lent to one test after the other."""

from __future__ import annotations

import contextlib
import itertools
import tomllib
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

from engine.nats.servers import Servers

from support.cluster.far import Far
from support.cluster.front import Front, front
from support.cluster.probing import KEPT, Probes
from support.cluster.running import Node, nodes
from support.config import configuration, written
from support.features import log_is_clean

__all__ = ["Fleet"]

REALMS = 40
"""Copies of the realm that tests play in, at one cluster: used up only by tests that leave traces."""

MOST_KEPT = 1
"""Clusters that are kept for the next test."""

SILENT_S = 15.0
"""Probes answer no pings: a node asks after 30 s, and hangs up 20 s later."""

PROBED = f"""
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.channels."{KEPT}"]
history = {{ size = 10 }}
"""


class Cluster:
    """Nodes with a configuration, and copies of its realm ``radio`` for those who want one for themselves."""

    def __init__(self, running: list[Node], copies: list[str]) -> None:
        self.nodes = running
        self.realms = deque(copies)
        self._probes = self._open()
        self._read = [0] * len(running)

    def _open(self) -> Probes:
        return Probes([node.server.port for node in self.nodes])

    @property
    def probes(self) -> Probes:
        """Those of this cluster, anew if nobody has had use for them for long."""
        if self._probes.silent_s > SILENT_S:
            self._probes.close()
            self._probes = self._open()
        return self._probes

    def logged(self) -> str:
        """What the nodes have logged since the last look."""
        texts = []
        for at, node in enumerate(self.nodes):
            text = node.log
            texts.append(text[self._read[at] :])
            self._read[at] = len(text)
        return "".join(texts)

    def end(self) -> None:
        """Stop the probes."""
        self._probes.close()


class Fleet:
    """NATS servers, and beside them nodes, as tests ask for them; all end with the ``with`` block."""

    def __init__(self, folder: Path, number: int, realms: int = REALMS) -> None:
        self._folder = folder
        self._number = number
        self._realms = realms
        self._names = (f"c{number}" for number in itertools.count())
        self._stack = contextlib.ExitStack()
        # Those that are kept for the next test, with what ends them.
        self._kept: dict[str, tuple[Cluster, contextlib.ExitStack]] = {}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for text in list(self._kept):
            self._end(text)
        self._stack.close()

    @contextlib.contextmanager
    def serve(self, text: str) -> Iterator[Front]:
        """Nodes with that configuration, behind one address."""
        with self._nodes(text) as running, front(running) as served:
            yield served

    @contextlib.contextmanager
    def lend(self, text: str, *, is_alone: bool) -> Iterator[Far]:
        """Nodes with that configuration, in the place of a radiod in memory.

        Args:
            is_alone: nodes of its own, else a realm of its own, which ``radio`` stands for in messages.
        Raises: AssertionError: in the end: something in a node has failed.
        """
        with contextlib.ExitStack() as stack:
            if is_alone:
                cluster, realm = Cluster(stack.enter_context(self._nodes(with_probes(text))), []), "radio"
                stack.callback(cluster.end)
            else:
                cluster = self._shared(text)
                realm = cluster.realms.popleft()
            far = Far([node.server for node in cluster.nodes], cluster.probes, {"radio": realm})
            try:
                yield far
            finally:
                far.close()
                # By then each node has seen who hung up; what that gave back others can have from here on.
                cluster.probes.go_round(is_claimed=False)
                if far.answers.makes_claims:
                    cluster.probes.go_round(is_logged=False)
            assert log_is_clean(logged := cluster.logged()), logged
            if not far.answers.leaves_traces:
                cluster.realms.append(realm)

    def _shared(self, text: str) -> Cluster:
        if text in self._kept and not self._kept[text][0].realms:
            self._end(text)
        if text not in self._kept:
            while len(self._kept) >= MOST_KEPT:
                self._end(next(iter(self._kept)))
            copies = [f"radio_{number}" for number in range(self._realms)]
            with contextlib.ExitStack() as stack:
                running = stack.enter_context(self._nodes(with_copies(text, copies)))
                cluster = Cluster(running, copies)
                stack.callback(cluster.end)
                self._kept[text] = cluster, stack.pop_all()
        return self._kept[text][0]

    def _end(self, text: str) -> None:
        _, stack = self._kept.pop(text)
        stack.close()

    @cached_property
    def _servers(self) -> Servers:
        return self._stack.enter_context(Servers(self._folder / "nats", self._number))

    @contextlib.contextmanager
    def _nodes(self, text: str) -> Iterator[list[Node]]:
        name = next(self._names)
        folder = self._folder / name
        folder.mkdir()
        with nodes(folder, self._servers.urls, self._number, text, f'name = "{name}"\n') as running:
            yield running


def with_probes(text: str) -> str:
    """A configuration in whose realm ``radio`` there is a channel for what the probes log."""
    given = tomllib.loads(text)
    channels = given["realms"]["radio"].get("channels", {})
    radio = {**given["realms"]["radio"], "channels": {**channels, KEPT: {"history": {"size": 10}}}}
    return written({**given, "realms": {**given["realms"], "radio": radio}})


def with_copies(text: str, names: list[str]) -> str:
    """A configuration whose first realm is that of the probes, with copies of its realm ``radio`` behind it.

    Copies have no keys: a key belongs to one realm. Nor have they aliases, which are the first realm's.
    """
    given = tomllib.loads(text)
    realms = given.pop("realms")
    original = {name: value for name, value in realms.pop("radio").items() if name != "keys"}
    channels = original.get("channels", {})
    original["channels"] = {name: value for name, value in channels.items() if "aliases" not in value}
    probed = tomllib.loads(configuration(PROBED, base=""))["realms"]
    return written({**given, "realms": {**probed, **dict.fromkeys(names, original), **realms}})
