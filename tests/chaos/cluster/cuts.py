"""A node and its NATS server are cut off from the others, in network namespaces."""

from __future__ import annotations

import time
from typing import Any

from engine.nats.servers import Server

from chaos.cluster.load import Load, Scale
from chaos.cluster.nets import Cables, cabled_town
from chaos.cluster.scenarios import crew_of, has_nats, unready
from chaos.cluster.sessions import CALL, PUBLISH
from chaos.cluster.town import DEAD_AFTER_S, Town, pause
from chaos.cluster.verdict import Play
from chaos.scene import Scene, must, patient

__all__ = ["cut_long", "cut_short"]

SHORT_S, LONG_S = 15.0, 60.0
COLD = "past.cold{}"
"""One for each cut: nobody at its minority has asked for it."""

COLD_EVENTS = 50
SOON_S = 30.0
AFTER_S = 30.0
"""Behind a heal another server is killed: one that was cut off may lag behind by two minutes."""


def cut_short(scene: Scene, scale: Scale | None = None) -> str:
    """15 s: the leader's side, then a follower's."""
    return _cuts(scene, SHORT_S, scale)


def cut_long(scene: Scene, scale: Scale | None = None) -> str:
    """60 s, and 30 s after the heal another server is killed."""
    return _cuts(scene, LONG_S, scale, is_hit_again=True)


def _cuts(scene: Scene, seconds: float, scale: Scale | None, is_hit_again: bool = False) -> str:
    has_nats()
    scale = scale or Scale()
    with cabled_town(scene.folder) as (there, cables), Load(crew_of(scene, there, scale), scale) as load:
        play = Play(there, load, silence_s=seconds + 25, is_refused=True, minority=True)
        # Who loses the connection to its own server at the same moment waits for others as long again.
        play.call_s += DEAD_AFTER_S / 2
        for number in scene.rounds(least=2, most=20):
            leader = there.leader()
            side = leader if number % 2 == 0 else _follower(there, leader)
            _cut(play, cables, side.name, seconds)
            if is_hit_again:
                pause(AFTER_S)
                _hit_again(play, side)
        return play.end(
            f"a node and its server cut off for {seconds:g} s (the log leader's, a follower's in turn)"
        )


def _follower(there: Town, leader: Server) -> Server:
    return next(one for one in there.servers.all if one is not leader)


def _cut(play: Play, cables: Cables, side: str, seconds: float) -> None:
    """Cut, look at both sides, heal, and ask the cold node at once."""
    load, crew = play.load, play.crew
    other = next(name for name in play.town.nodes if name != side)
    began = time.monotonic()
    crew.away(side)
    cables.cut(side)
    pause(seconds / 2)
    numbers = load.soon(_publish_cold(load, other), 60)
    pause(max(0.0, began + seconds - time.monotonic()))
    unready(play, began, side)
    # It comes back as a new node.
    holdings = [one for one in crew.holdings if one.node == side and one.began > began + 1]
    play.must(not holdings, f"the minority registered {len(holdings)} times")

    def heal() -> None:
        cables.heal(side)
        healed = time.monotonic()
        crew.back(side)
        _ask_cold(play, side, numbers, healed)

    play.heal(heal)


async def _publish_cold(load: Load, node: str) -> list[int]:
    """Publish at the majority what nobody at the other side has asked for yet. Returns: the numbers."""
    load.cold += 1
    numbers = list(range(COLD_EVENTS))
    async with load.session(node) as session:
        for number in numbers:
            await session.answer(PUBLISH, {"acknowledge": True}, COLD.format(load.cold), [number])
    return numbers


def _ask_cold(play: Play, node: str, numbers: list[int], healed: float) -> None:
    """The past of a channel that the node did not follow: refused, or all of it."""
    refused = 0

    def asked() -> Any:
        nonlocal refused
        answer = play.load.soon(_history(play.load, node), 60)
        refused += answer is None
        return answer

    found = patient(asked, f"{node} does not tell the history", SOON_S)
    took = time.monotonic() - healed
    play.must(found == numbers, f"{node} told {len(found)} of {len(numbers)} events: {found[:5]}")
    play.notes.append(
        f"{node}, cold, told the whole history {took:.1f} s after the heal, and refused {refused} times"
    )


async def _history(load: Load, node: str) -> list[int] | None:
    async with load.session(node) as session:
        answer = await session.ask(CALL, {}, "radiod.channel.history", [COLD.format(load.cold), None, 1000])
    if answer[0] == 8:
        must(answer[4] == "radiod.error.unavailable", f"a history was refused: {answer}")
        return None
    return [event["args"][0] for event in answer[3][0]["events"]]


def _hit_again(play: Play, side: Server) -> None:
    """Another server dies while the one that was cut off may lag."""
    other = next(one for one in play.town.servers.all if one is not side)
    other.kill()
    pause(8)
    play.heal(lambda: play.town.servers.start([other]))
    play.times -= 1
