"""What users of the Python client may write, in its faces; mypy reads this, nobody runs it.

Where a line must be wrong it is ignored by its error's code, and mypy reports an ignored line that is right.
"""

from __future__ import annotations

import ssl
from typing import Any, assert_type

from radiod_client import CallError, Gap, HttpPublisher, LoginRefused, Radio, Sample, aio, tx
from twisted.internet.defer import Deferred


def blocking() -> None:
    states: list[str] = []
    with Radio(
        "https://example.com",
        authid="joe",
        password="secret",
        timeout=5,
        on_state=states.append,
        tls=ssl.create_default_context(),
    ) as radio:
        assert_type(radio.session, int | None)
        channel = radio.channel("sample_net", key=None)
        for sample in channel.listen(last=3, queue=10, policy="ring"):
            assert_type(sample, Sample)
            assert_type(sample.gap, Gap | None)
            assert_type(sample.position, str | None)
            data: dict[str, float] = sample.data
            print(data)
        with channel.listen() as listening:
            assert_type(listening.get(timeout=1.5), Sample)
            assert_type(listening.lost, int)
        assert_type(channel.publish({"speed": 3.5}), int | None)
        with channel.writer() as writer:
            assert_type(writer.wanted, bool)
            assert_type(writer.readers, int)
            assert_type(writer.wait_wanted(3), bool)
            assert_type(writer.put([1, 2], wait=True), bool)
        with channel.stream() as stream:
            stream.put(1)
        channel.stream(1.5)  # type: ignore[arg-type]
        assert_type(channel.history(limit=5), list[Sample])
        assert_type(channel.latest(), Sample | None)
        assert_type(channel.info(), dict[str, Any])
        mine = radio.create("mine", single_writer=True, on_owner_leave="keep")
        assert_type(mine.control_key, str)
        assert_type(mine.extend(60), float | None)
        assert_type(radio.call("add", 1, b=2, timeout=3.0), Any)
    Radio()  # type: ignore[call-arg]
    channel.listen(size="large")  # type: ignore[arg-type]


async def on_asyncio() -> None:
    async with aio.Radio("ws://localhost:8080", ticket="t", authid="joe") as radio:
        channel = radio.channel("sample_net")
        async for sample in channel.listen():
            assert_type(sample, Sample)
        listening = await channel.listen(after="epoch:3")
        assert_type(await listening.get(2), Sample)
        assert_type(await channel.publish(1, acknowledge=False), int | None)
        async with channel.writer() as writer:
            assert_type(await writer.put(1), bool)
            assert_type(await writer.wait_wanted(), bool)
        kept = await channel.writer()
        await kept.close()
        async with channel.stream("run 7") as stream:
            await stream.put(1, end=True)


async def on_twisted() -> None:
    async with tx.Radio("https://example.com", authid="joe", ticket="x", endpoint=None) as radio:
        channel = radio.channel("sample_net")
        async for sample in channel.listen(last=3):
            assert_type(sample, Sample)
        listening = await channel.listen()
        assert_type(listening.get(timeout=1), Deferred[Sample])
        assert_type(listening.close(), Deferred[None])
        assert_type(channel.publish({}, acknowledge=False), Deferred[int | None])
        channel.publish()  # type: ignore[call-arg]
        assert_type(channel.latest(), Deferred[Sample | None])
        assert_type(radio.create("x"), Deferred[tx.Created])
        async with channel.writer() as writer:
            assert_type(writer.put(1), Deferred[bool])
        assert_type(radio.close(), Deferred[None])


def over_http() -> None:
    with HttpPublisher("https://example.com", "key", "sample_net", timeout=5) as publisher:
        assert_type(publisher.publish({"speed": 1}), int)
        assert_type(publisher.run([{}], 1.0, rest=True), int)
        assert_type(publisher.readers, int | None)
    on_treq = tx.HttpPublisher("https://example.com", "key", "sample_net")
    assert_type(on_treq.publish({}), Deferred[int])
    assert_type(on_treq.run(lambda: {}, 0.5), Deferred[int])


def errors(error: Exception) -> str:
    if isinstance(error, CallError):
        return error.uri
    return error.reason if isinstance(error, LoginRefused) else ""
