"""What happens to nodes and servers. Each scenario returns its figures, and raises Finding."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from engine.nats.servers import program

from chaos.cluster.crew import Crew, Door
from chaos.cluster.load import Load, Scale
from chaos.cluster.town import DEAD_AFTER_S, Node, Town, channels, pause, town
from chaos.cluster.verdict import SLACK_S, Play
from chaos.scene import Scene, Skipped, must

__all__ = ["all_down", "duck", "leader_killed", "leader_paused", "node_killed", "node_paused", "played"]

MOST = 20
PAUSED_S = 8.0
LEADER_PAUSED_S = 12.0
DARK_S = 10.0
READY_S = 6.0
SLOT_S = DEAD_AFTER_S + 4 + SLACK_S
"""How long a slot may be nobody's: as long as it takes for its holder's node to be dead, and some 2 s."""


def has_nats() -> None:
    """Raises: Skipped."""
    try:
        program()
    except BaseException as reason:
        if isinstance(reason, KeyboardInterrupt):
            raise
        raise Skipped(str(reason)) from None


def crew_of(scene: Scene, there: Town, scale: Scale) -> Crew:
    """The books of a cluster's load."""
    doors = [Door(node.name, node.host, node.port) for node in there.nodes.values()]
    crew = Crew(doors, scene.random, channels(scale.pasts), [f"live.{at}" for at in range(scale.topics)])
    for node in there.nodes:
        crew.began(node)
    return crew


@contextlib.contextmanager
def played(scene: Scene, scale: Scale | None = None, more: str = "") -> Iterator[Play]:
    """A cluster on loopback under load. ``more``: of the nodes' configuration."""
    has_nats()
    scale = scale or Scale()
    with town(scene.folder, more) as there, Load(crew_of(scene, there, scale), scale) as load:
        yield Play(there, load)


def start(play: Play, node: Node) -> None:
    """A node that was killed or stopped begins anew."""
    play.crew.began(node.name)
    node.start()
    node.wait_ready()


def node_killed(scene: Scene, scale: Scale | None = None) -> str:
    """kill -9 of a node; its clients go elsewhere, and come back."""
    with played(scene, scale) as play:
        # Some publishers wait for their own node.
        play.silence_s, play.is_lossy, play.slot_s = 60.0, False, SLOT_S
        # One lives all the time: its plain listeners hear all from the first to the last event.
        spared = scene.random.choice("abc")
        for _ in scene.rounds(most=MOST):
            node = play.town.nodes[scene.random.choice("abc".replace(spared, ""))]
            play.crew.died(node.name)
            node.kill()
            pause(scene.random.uniform(0.5, 7))
            play.heal(lambda node=node: start(play, node))  # type: ignore[misc]
            play.load.spread()
            pause(1)
        return play.end("kill -9 of a node")


def leader_killed(scene: Scene, scale: Scale | None = None) -> str:
    """kill -9 of the server that leads a log."""
    with played(scene, scale) as play:
        play.silence_s = 10.0
        for number in scene.rounds(most=MOST):
            server = play.town.leader("durable" if number % 2 else "history")
            server.kill()
            pause(scene.random.uniform(1, 9))
            play.heal(lambda server=server: play.town.servers.start([server]))  # type: ignore[misc]
        return play.end("kill -9 of the log leader's server")


def duck(scene: Scene, scale: Scale | None = None) -> str:
    """The server that leads a log is to end soon (lame duck), and is back two seconds after it has."""
    with played(scene, scale) as play:
        play.silence_s = 10.0
        for number in scene.rounds(most=MOST):
            server = play.town.leader("durable" if number % 2 else "history")
            server.lame_duck()
            pause(4)
            server.kill()
            pause(2)
            play.heal(lambda server=server: play.town.servers.start([server]))  # type: ignore[misc]
        return play.end("lame duck of the log leader's server")


def node_paused(scene: Scene, scale: Scale | None = None) -> str:
    """A node stands still for longer than the others wait for it."""
    with played(scene, scale) as play:
        for _ in scene.rounds(most=MOST):
            node = play.town.nodes[scene.random.choice("abc")]
            play.crew.away(node.name)
            node.pause()
            pause(PAUSED_S)

            def go_on(node: Node = node) -> None:
                node.go_on()
                play.crew.back(node.name)

            play.heal(go_on)
            play.load.spread()
            pause(1)
        play.notes.append(f"sessions closed: {dict(play.crew.ends)}")
        return play.end(f"SIGSTOP of a node for {PAUSED_S:g} s")


def leader_paused(scene: Scene, scale: Scale | None = None) -> str:
    """The server that leads a log stands still."""
    with played(scene, scale) as play:
        for number in scene.rounds(most=MOST):
            server = play.town.leader("durable" if number % 2 else "history")
            server.pause()
            pause(LEADER_PAUSED_S)
            play.heal(server.go_on)
        play.notes.append(f"sessions closed: {dict(play.crew.ends)}")
        return play.end(f"SIGSTOP of the log leader's server for {LEADER_PAUSED_S:g} s")


def all_down(scene: Scene, scale: Scale | None = None) -> str:
    """All servers are killed, and are back after a while."""
    with played(scene, scale) as play:
        play.silence_s, play.is_refused = DARK_S + 40, True
        # Nodes that hear nobody take each other for dead: all come as new ones, and nobody holds anything.
        for _ in scene.rounds(most=MOST):
            began = time.monotonic()
            for name in play.town.nodes:
                play.crew.away(name)
            for server in play.town.servers.all:
                server.kill()
            pause(DARK_S)
            unready(play, began, "abc")
            local = [one for one in play.crew.calls if one.began > began + 1 and one.caller == one.callee]
            play.must(local and all(one.outcome in ("ok", "") for one in local), "local calls did not go on")

            def back() -> None:
                play.town.servers.start()
                for name in play.town.nodes:
                    play.crew.back(name)

            play.heal(back)
        return play.end(f"all servers down for {DARK_S:g} s")


def unready(play: Play, began: float, names: str) -> None:
    """Nodes that reach nobody say so in time."""
    for name in names:
        moment = play.crew.doors[name].readiness.first(503, began)
        play.must(moment is not None, f"{name} was ready all the time")
        if moment is not None:
            took = moment - began
            play.must(took <= READY_S, f"{name} was not ready after {took:.1f} s only")


def no_node_ended(play: Play) -> None:
    """Raises: Finding."""
    for node in play.town.nodes.values():
        must(node.process.poll() is None, f"node {node.name} has ended: {node.tail()}")
