"""The Python client over a thousand cuts and a long time: nothing missed, nothing repeated, nothing kept."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import subprocess
import sys
import threading
import time

import pytest
import pytest_twisted
from radiod_client import Radio, aio, tx
from support.config import configuration
from support.python_clients import PYTHON, SECONDS, cut, wait_for
from support.running import radiod
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread

pytestmark = [pytest.mark.e2e, pytest.mark.soak]

CUTS = 1000
RATE = 500
LISTEN_S = float(os.environ.get("RADIOD_CLIENT_SOAK_S", "3600"))
CHANNELS = """
[realms.radio.channels.kept]
history = { size = 100000 }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    text = configuration(CHANNELS, max_connections=1000)
    with radiod(tmp_path_factory.mktemp("soak"), text) as server:
        yield server


class Publisher:
    """Numbers from 0, so many a second, each acknowledged; ``count`` were."""

    def __init__(self, url: str, channel: str, rate: int) -> None:
        self._url = url
        self._channel = channel
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        with Radio(self._url, timeout=SECONDS) as radio:
            channel = radio.channel(self._channel)
            while not self._stop.is_set():
                channel.publish(self.count)
                self.count += 1
                time.sleep(max(begun + self.count / self._rate - time.monotonic(), 0.0))


class Judge:
    """Takes what a listener gets, in its order."""

    def __init__(self) -> None:
        self.expected = 0
        self.lost = 0
        self.gaps: list[object] = []

    def take(self, sample) -> None:
        """Every number comes, or was told as missing right before the next; none comes twice."""
        gap = sample.gap
        if gap is not None:
            self.gaps.append(gap)
            assert gap.lost is not None
            self.lost += gap.lost
        assert sample.data == self.expected + (gap.lost if gap else 0)
        self.expected = sample.data + 1


def is_counted(radio, channel):
    """Whether the server has its subscription: from now on whatever is published comes, or is told."""
    return radio._driver.core.lasting.subscriptions[channel]._id


def last_one(server, radio, channel, count):
    """One more event, when the listener is there again: it tells what was missed before."""
    wait_for(lambda: is_counted(radio, channel))
    with Radio(server.url, timeout=SECONDS) as other:
        other.channel(channel).publish(count)


def blocking(server, channel, judge, cuts):
    with Radio(server.url, timeout=SECONDS) as radio:
        listening = radio.channel(channel).listen(size=100_000, queue=1_000_000)
        with Publisher(server.url, channel, RATE) as publisher:
            for n in range(cuts):
                cut(radio)
                time.sleep(n % 7 * 0.01)
        last_one(server, radio._radio, channel, publisher.count)
        while judge.expected <= publisher.count:
            judge.take(listening.get(SECONDS))
    return publisher.count


def on_asyncio(server, channel, judge, cuts):
    async def play():
        async with aio.Radio(server.url, timeout=SECONDS) as radio:
            listening = await radio.channel(channel).listen(size=100_000, queue=1_000_000)
            with Publisher(server.url, channel, RATE) as publisher:
                for n in range(cuts):
                    session = radio.session
                    radio._driver.transport.abort()
                    await asyncio.to_thread(
                        wait_for,
                        lambda was=session: radio.session not in (was, None) and radio.state == "open",
                    )
                    await asyncio.sleep(n % 7 * 0.01)
            await asyncio.to_thread(last_one, server, radio, channel, publisher.count)
            while judge.expected <= publisher.count:
                judge.take(await listening.get(SECONDS))
            return publisher.count

    return asyncio.run(play())


def on_twisted(server, channel, judge, cuts):
    async def play():
        async with tx.Radio(server.url, timeout=SECONDS) as radio:
            listening = await radio.channel(channel).listen(size=100_000, queue=1_000_000)
            with Publisher(server.url, channel, RATE) as publisher:
                for n in range(cuts):
                    session = radio.session
                    radio._inner.driver.transport.abort()
                    await deferToThread(
                        wait_for,
                        lambda was=session: radio.session not in (was, None) and radio.state == "open",
                    )
                    await task.deferLater(reactor, n % 7 * 0.01)
            await deferToThread(last_one, server, radio._inner, channel, publisher.count)
            while judge.expected <= publisher.count:
                judge.take(await listening.get(SECONDS))
            return publisher.count

    return play()


FACES = {"blocking": blocking, "asyncio": on_asyncio, "Twisted": on_twisted}


@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
@pytest.mark.parametrize("channel", ["kept", "uncounted"])
@pytest_twisted.ensureDeferred
async def test_a_thousand_cuts_under_500_events_a_second(server, face, channel):
    judge = Judge()
    count = face(server, channel, judge, CUTS)
    if inspect.isawaitable(count):
        count = await count
    print(f"{CUTS} cuts, {count} events, {len(judge.gaps)} gaps, {judge.lost} told as lost")
    if channel == "kept":
        assert judge.gaps == []
    else:
        assert judge.gaps
        assert {gap.reason for gap in judge.gaps} == {"reconnect"}


@pytest.mark.parametrize("channel", ["kept", "uncounted2"])
def test_a_hundred_cuts_before_the_first_event(server, channel):
    with Radio(server.url, timeout=SECONDS) as radio, Radio(server.url, timeout=SECONDS) as other:
        listening = radio.channel(channel).listen()
        for _ in range(100):
            cut(radio)
        wait_for(lambda: is_counted(radio._radio, channel))
        for n in range(3):
            other.channel(channel).publish(n)
        assert [(sample.data, sample.gap) for sample in (listening.get(SECONDS) for _ in range(3))] == [
            (0, None), (1, None), (2, None)
        ]  # fmt: skip


def test_pings_are_answered_while_the_program_computes(tmp_path):
    text = configuration(ping_interval_s=1, ping_timeout_s=2)
    with radiod(tmp_path, text) as server, Radio(server.url, timeout=SECONDS) as radio:
        session, end, count = radio.session, time.monotonic() + 20, 0
        listening = radio.channel("busy").listen()
        while time.monotonic() < end:
            count += sum(range(1000))
        assert radio.session == session
        with Radio(server.url) as other:
            other.channel("busy").publish(1)
        assert listening.get(SECONDS).data == 1


MEASURE = """
import asyncio, os, sys, threading, time
from pathlib import Path
from radiod_client import Radio, aio

def told(**more):
    status = Path("/proc/self/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    print(resident, threading.active_count(), len(os.listdir("/proc/self/fd")), *more.values(), flush=True)

"""
LISTEN = """
def blocking(url, channel, seconds):
    with Radio(url) as radio:
        end, count = time.monotonic(), 0
        for sample in radio.channel(channel).listen(size=10_000):
            assert sample.gap is None
            count += 1
            if time.monotonic() > end:
                told(count=count)
                end += 5
                seconds -= 5
                if seconds < 0:
                    break

async def on_asyncio(url, channel, seconds):
    async with aio.Radio(url) as radio:
        end, count = time.monotonic(), 0
        async for sample in await radio.channel(channel).listen(size=10_000):
            assert sample.gap is None
            count += 1
            if time.monotonic() > end:
                told(count=count)
                end += 5
                seconds -= 5
                if seconds < 0:
                    break

if sys.argv[1] == "blocking":
    blocking(sys.argv[2], sys.argv[3], float(sys.argv[4]))
else:
    asyncio.run(on_asyncio(sys.argv[2], sys.argv[3], float(sys.argv[4])))
"""
CONNECT = """
def blocking(url, turns):
    for n in range(turns):
        with Radio(url) as radio:
            radio.channel("x").subscribe(print)
        if n % (turns // 20) == turns // 20 - 1:
            told(turns=n)

async def on_asyncio(url, turns):
    for n in range(turns):
        async with aio.Radio(url) as radio:
            await radio.channel("x").subscribe(print)
        if n % (turns // 20) == turns // 20 - 1:
            told(turns=n)

if sys.argv[1] == "blocking":
    blocking(sys.argv[2], int(sys.argv[3]))
else:
    asyncio.run(on_asyncio(sys.argv[2], int(sys.argv[3])))
"""


def measured(code, *arguments):
    """Lines of numbers that the program told: KiB resident, threads, descriptors, and its count."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE + code, *arguments],
        stdout=subprocess.PIPE,
        env=PYTHON,
        text=True,
        check=True,
    )
    print(done.stdout)
    return [[int(number) for number in line.split()] for line in done.stdout.splitlines()]


def judge_memory(lines):
    """From the first fifth to the end: no more threads and descriptors, and no growth beyond noise."""
    behind = lines[len(lines) // 5 :]
    assert {line[1] for line in behind} == {behind[0][1]}
    assert max(line[2] for line in behind) <= behind[0][2] + 2
    half = len(behind) // 2
    first, second = (sorted(line[0] for line in part)[half // 2] for part in (behind[:half], behind[half:]))
    assert second - first < 1024, f"{first} KiB, then {second}"


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_memory_stays_where_it_is_while_it_listens(server, face):
    channel = f"long.{face}"
    with Publisher(server.url, channel, 1000) as publisher:
        lines = measured(LISTEN, face, server.url, channel, str(LISTEN_S))
    assert publisher.count > 100 * LISTEN_S
    judge_memory(lines)


@pytest.mark.parametrize("face", ["blocking", "asyncio"])
def test_ten_thousand_connections_leave_nothing(server, face):
    judge_memory(measured(CONNECT, face, server.url, "10000"))
    with contextlib.closing(Radio(server.url).connect()) as radio:
        wait_for(lambda: radio.call("wamp.session.count") == 1)
