"""What must be so behind a trouble, besides that all works: everybody knows who is there, on every node."""

from __future__ import annotations

import asyncio
import time

from fuzz.target import Finding

from chaos.cluster.folk import Owner, Person, Watcher, Writer, booth
from chaos.cluster.load import Load
from chaos.cluster.sessions import CALL, Refusal, Session
from chaos.scene import patient

__all__ = ["settled", "unsettled"]

PATIENCE_S = 40.0
"""How long it takes is told with the figures."""

READERS_S = 1.0


def settled(load: Load, since: float) -> tuple[float, list[str]]:
    """Wait until everybody knows who is there, and ask all nodes.

    Returns: seconds since then, and what is wrong.
    """
    load.crew.is_still = True
    try:
        patient(lambda: not unsettled(load), "late", PATIENCE_S)
        took, wrong = time.monotonic() - since, load.soon(_ask(load), PATIENCE_S)
    except Finding:
        took, wrong = time.monotonic() - since, unsettled(load)
    load.crew.is_still = False
    return took, wrong


def there(load: Load) -> dict[str, dict[str, int]]:
    """Who listens to which booth: authid -> sessions, as ``Watcher.views``."""
    found: dict[str, dict[str, int]] = {booth(node): {} for node in load.crew.doors}
    for one in load.folk:
        if isinstance(one, Person) and one.authid:
            found[booth(one.home)][one.authid] = 1
    return found


def unsettled(load: Load) -> list[str]:
    """What somebody does not know yet."""
    truth, found = there(load), []
    for one in load.folk:
        if isinstance(one, Watcher):
            if not one.is_listening:
                found.append(f"{one.name} does not listen")
            elif one.views != truth:
                found.append(f"{one.name} sees {one.views} for {truth}")
        elif isinstance(one, Writer) and one.state != {name: bool(crowd) for name, crowd in truth.items()}:
            found.append(f"{one.name} knows {one.state}")
        elif isinstance(one, Person) and not one.authid:
            found.append(f"{one.name} does not listen")
        elif isinstance(one, Owner) and len(one.held) < 2:
            found.append(f"{one.name} owns {list(one.held)}")
    return found


async def _ask(load: Load) -> list[str]:
    """Ask each node who is there, which must be right at once, and how many listen, right within a second."""
    wrong = []
    truth = there(load)
    for node in load.crew.doors:
        async with load.session(node) as session:
            for name, crowd in truth.items():
                try:
                    told = (await session.answer(CALL, {}, "radiod.presence.get", [name]))[3][0]
                    readers = await _readers(session, name, len(crowd))
                except Refusal as refusal:
                    wrong.append(f"{node}, asked for {name}: {refusal}")
                    continue
                if told["users"] != crowd:
                    wrong.append(f"{node} says {told} of {name}, where {crowd} are")
                if readers != len(crowd):
                    wrong.append(f"{node} says that {readers} listen to {name}, where {crowd} do")
    return wrong if there(load) == truth else []


async def _readers(session: Session, name: str, expected: int) -> int:
    """How many listen, as a node knows once it knows it right: what changes is put together for 0.1 s."""
    until = time.monotonic() + READERS_S
    while True:
        readers = int((await session.answer(CALL, {}, "radiod.channel.get", [name]))[3][0]["readers"])
        if readers == expected or time.monotonic() > until:
            return readers
        await asyncio.sleep(0.05)
