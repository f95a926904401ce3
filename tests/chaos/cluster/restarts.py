"""A rolling restart of everything, and engines that lose their data or offer another storage."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from functools import partial
from typing import Any

from engine.nats.servers import Server

from chaos.cluster.herding import Herding
from chaos.cluster.load import Load, Scale
from chaos.cluster.logged_book import Place
from chaos.cluster.scenarios import crew_of, has_nats, played, start
from chaos.cluster.sessions import PUBLISH, SUBSCRIBE, Refusal
from chaos.cluster.town import Town, pause, town
from chaos.cluster.verdict import Play
from chaos.scene import Scene, must, patient

__all__ = ["in_memory", "rolling", "wiped"]

DRAIN_S = 4.0
ROLLING = Scale(pasts=2, publishers=1, listeners=2, rate=5.0, topics=1, plain_rate=5.0, calls=1.0)
"""Beside the herd, which is what there is much of."""

REFUSED_S = 30.0


def rolling(scene: Scene, scale: Scale | None = None, herd: Herding | None = None) -> str:
    """Each node is drained, stopped and started, and each server restarted, one after the other."""
    more = f"[operations]\ndrain_s = {DRAIN_S:g}\n"
    with played(scene, scale or ROLLING, more) as play, herd or Herding() as beside:
        beside.begin(play.town, scene.random.randrange(10**6))
        for _ in scene.rounds(most=3):
            for node in play.town.nodes.values():
                node.stop()
                play.heal(lambda node=node: start(play, node))  # type: ignore[misc]
                play.load.spread()
                pause(1)
            for server in play.town.servers.all:
                server.lame_duck()
                pause(3)
                server.kill()
                play.heal(lambda server=server: play.town.servers.start([server]))  # type: ignore[misc]
        play.times //= 2 * len(play.town.nodes)
        ends = Counter(" ".join(why.split()[:2]) for why in play.crew.ends.elements())
        play.notes.append(f"sessions ended: {dict(ends)}")
        beside.judge(play)
        return play.end("a rolling restart of all nodes and servers")


def wiped(scene: Scene, scale: Scale | None = None) -> str:
    """All data of the servers is lost while nodes run: new epochs, and everybody is told."""
    with played(scene, scale) as play:
        play.is_new_epoch = play.is_refused = True
        play.silence_s = 40.0
        for _ in scene.rounds(most=20):
            places = {topic: book.order[-1][0] for topic, book in play.crew.books.items()}
            for name in play.town.nodes:
                play.crew.away(name)
            for server in play.town.servers.all:
                server.kill()
            for server in play.town.servers.all:
                server.wipe()

            def back() -> None:
                play.town.servers.start()
                for name in play.town.nodes:
                    play.crew.back(name)

            play.heal(back)
            patient(partial(has_begun_anew, play, places), "no channel has a new epoch", REFUSED_S)
            for node in play.town.nodes:
                for topic, place in places.items():
                    told = play.load.soon(_resume(play.load, node, topic, place), 30)
                    play.must(told is False, f"{node} goes on behind a place of the lost {topic}: {told}")
        epochs = {topic: len(book.epochs) for topic, book in play.crew.books.items()}
        play.must(all(count > play.times for count in epochs.values()), f"epochs: {epochs}")
        old = [reader for book in play.crew.books.values() for reader in book.readers if not reader.changed]
        play.must(not old, f"{len(old)} listeners never had an event of a new epoch")
        play.notes.append(f"epochs of each channel: {epochs}")
        return play.end("all data of the servers lost")


def has_begun_anew(play: Play, places: dict[str, Place]) -> bool:
    """Whether the last event of each channel is of another epoch than these places."""
    books = play.crew.books
    return all(books[topic].order[-1][0].epoch != place.epoch for topic, place in places.items())


def in_memory(scene: Scene, scale: Scale | None = None) -> str:
    """Somebody has made the streams before, in memory: they are refused by name, and never used."""
    has_nats()
    with town(scene.folder, prepare=False) as there:
        there.servers.start()
        scale = scale or Scale(listeners=0, publishers=0, calls=1.0, has_folk=False)
        made = [_offer(there.servers.all[0], kind) for kind in ("history", "durable")]
        for node in there.nodes.values():
            node.start()
        for node in there.nodes.values():
            node.wait_ready()
        with Load(crew_of(scene, there, scale), scale) as load:
            refused = load.soon(_publish(load, "a"), REFUSED_S * 3)
        for node in there.nodes.values():
            log = node.log.read_text()
            must("Traceback" not in log, f"a traceback in the log of {node.name}")
        told = [line for line in there.lines() if "storage" in line]
        for name in made:
            must(any(name in line for line in told), f"nobody names {name}: {there.lines()[-5:]}")
        held = [messages(there, name) for name in made]
        must(held == [0, 0], f"a stream in memory was used: {held}")
        figures = f"named in {len(told)} lines, {refused} publishes refused, none stored"
        return f"{len(made)} streams in memory: {figures}"


async def _resume(load: Load, node: str, topic: str, place: Place) -> Any:
    """What the first event says behind a place of an epoch that is lost."""
    first: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    async with load.session(node) as session:
        session.on_event = lambda message: None if first.done() else first.set_result(message)
        await session.answer(SUBSCRIBE, {"_radiod_after": f"{place.epoch}:{place.seq}"}, topic)
        return (await asyncio.wait_for(first, 10))[3].get("_recovered")


async def _publish(load: Load, node: str) -> int:
    """One event on each channel, which must be refused. Returns: how many were."""
    refused = 0
    async with load.session(node) as session:
        for topic in load.crew.books:
            try:
                await session.answer(PUBLISH, {"acknowledge": True}, topic, [1])
            except Refusal as refusal:
                must(refusal.uri == "radiod.error.unavailable", f"refused otherwise: {refusal}")
                refused += 1
    must(refused == len(load.crew.books), f"{refused} of {len(load.crew.books)} were refused")
    return refused


def messages(there: Town, stream: str) -> int:
    """How many messages a stream has."""
    for server in there.servers.all:
        found = json.loads(server.look("jsz?streams=1") or "{}")
        for account in found.get("account_details", []):
            for one in account["stream_detail"]:
                if one["name"] == stream:
                    return int(one["state"]["messages"])
    return -1


def _offer(server: Server, kind: str) -> str:
    """Make the stream of a kind of channels, in memory. Returns: its name."""
    name = f"radiod-radiod-log-radio-{kind}-32768"
    config = {
        "name": name, "subjects": [f"radiod.radiod.log.radio.{kind}-32768.>"], "storage": "memory",
        "num_replicas": 3, "retention": "limits", "discard": "old",
    }  # fmt: skip
    patient(
        lambda: "error" not in _ask(server, f"$JS.API.STREAM.CREATE.{name}", config), f"{name} is not made"
    )
    return name


def _ask(server: Server, subject: str, message: Any) -> Any:
    """One request to NATS."""
    data = json.dumps(message).encode()
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), 10)) as connection:
        connection.sendall(b'CONNECT {"verbose":false}\r\nSUB in.box 1\r\n')
        connection.sendall(b"PUB %s in.box %d\r\n%s\r\n" % (subject.encode(), len(data), data))
        told = b""
        while b"MSG in.box" not in told or not told.endswith(b"}\r\n"):
            more = connection.recv(1 << 16)
            must(more, f"NATS hung up: {told[-200:]!r}")
            told += more
    return json.loads(told[told.index(b"{", told.index(b"MSG in.box")) :])
