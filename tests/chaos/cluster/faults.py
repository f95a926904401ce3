"""Faults of all kinds, one after the other, of a cluster that is to be as before each time.

One node and one server are never killed: whatever they gather, they keep.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

from engine.nats.servers import Server

from chaos.cluster.nets import Cables
from chaos.cluster.scenarios import DARK_S, LEADER_PAUSED_S, PAUSED_S, start
from chaos.cluster.town import Node, pause
from chaos.cluster.verdict import Play
from chaos.scene import patient

__all__ = ["LASTING_NODE", "LASTING_SERVER", "Faults"]

LASTING_NODE, LASTING_SERVER = "a", "b"
CUT_S = 15.0

BACK_S = 150.0
"""For a server that must catch up: one that was cut off may lag by two minutes."""


class Faults:
    """Draws them: each kind once before any comes again. ``done``: how many of each there were.

    Args:
        cables: None: nothing can be cut.
    """

    def __init__(self, play: Play, random: Random, cables: Cables | None) -> None:
        self._play = play
        self._random = random
        self._cables = cables
        self.done: Counter[str] = Counter()
        self._kinds: dict[str, Callable[[], None]] = {
            "kill -9 of a node": self._kill_node,
            "a node stopped and started": self._restart_node,
            "SIGSTOP of a node": self._pause_node,
            "kill -9 of a server": self._kill_server,
            "lame duck": self._duck,
            "SIGSTOP of a server": self._pause_server,
            "all servers down": self._dark,
        }
        if cables is not None:
            self._kinds["a node and its server cut off"] = self._cut

    def draw(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What comes next, and next."""
        while True:
            kinds = list(self._kinds)
            self._random.shuffle(kinds)
            for kind in kinds:
                yield kind, self._kinds[kind]

    # --- nodes

    def _node(self, *, may_last: bool = True) -> Node:
        nodes = self._play.town.nodes
        names = [name for name in nodes if may_last or name != LASTING_NODE]
        return nodes[self._random.choice(names)]

    def _kill_node(self) -> None:
        node = self._node(may_last=False)
        self._play.crew.died(node.name)
        node.kill()
        pause(self._random.uniform(0.5, 7))
        self._play.heal(lambda: start(self._play, node))

    def _restart_node(self) -> None:
        node = self._node(may_last=False)
        node.stop()
        self._play.heal(lambda: start(self._play, node))

    def _pause_node(self) -> None:
        node = self._node()
        self._play.crew.away(node.name)
        node.pause()
        pause(PAUSED_S)

        def go_on() -> None:
            node.go_on()
            self._play.crew.back(node.name)

        self._play.heal(go_on)

    # --- servers

    def _server(self, *, may_last: bool = True) -> Server:
        servers = self._play.town.servers.all
        return self._random.choice([one for one in servers if may_last or one.name != LASTING_SERVER])

    def _back(self, *servers: Server) -> None:
        for server in servers:
            server.start()
        for server in servers:
            patient(lambda server=server: server.is_healthy, f"server {server.name} is not ready", BACK_S)

    def _kill_server(self) -> None:
        server = self._server(may_last=False)
        server.kill()
        pause(self._random.uniform(1, 9))
        self._play.heal(lambda: self._back(server))

    def _duck(self) -> None:
        server = self._server(may_last=False)
        server.lame_duck()
        pause(4)
        server.kill()
        pause(2)
        self._play.heal(lambda: self._back(server))

    def _all_away(self) -> None:
        """Which nodes reach a server that stands still is not known: each may be taken for dead."""
        for name in self._play.town.nodes:
            self._play.crew.away(name)

    def _all_back(self) -> None:
        for name in self._play.town.nodes:
            self._play.crew.back(name)

    def _pause_server(self) -> None:
        server = self._server()
        self._all_away()
        server.pause()
        pause(LEADER_PAUSED_S)

        def go_on() -> None:
            server.go_on()
            self._all_back()

        self._play.heal(go_on)

    def _dark(self) -> None:
        servers = [one for one in self._play.town.servers.all if one.name != LASTING_SERVER]
        lasting = self._play.town.servers[LASTING_SERVER]
        self._all_away()
        for server in servers:
            server.kill()
        lasting.pause()
        pause(DARK_S)

        def back() -> None:
            lasting.go_on()
            self._back(*servers)
            self._all_back()

        self._play.heal(back)

    # --- the network

    def _cut(self) -> None:
        assert self._cables is not None
        cables, crew = self._cables, self._play.crew
        side = self._random.choice(list(self._play.town.nodes))
        crew.away(side)
        began = time.monotonic()
        cables.cut(side)
        pause(max(0.0, began + CUT_S - time.monotonic()))

        def heal() -> None:
            cables.heal(side)
            crew.back(side)

        self._play.heal(heal)
