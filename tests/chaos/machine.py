"""What a machine does to its servers: no descriptors, a stop, everybody at once, another time."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz.pipes import RawSocket, http, request
from fuzz.target import Oracle
from support.config import configuration
from support.programs import Failed, Program
from support.running import Server

from chaos.kills import OWNER
from chaos.scene import CONFIG, Scene, Skipped, must, patient, watched

__all__ = ["answers", "clocks", "descriptors", "dialled", "stopped", "storm"]

HOUR = 3600
CLIENTS = 2000
SPARE = 12
"""Descriptors that the server may still open."""


def get(port: int, target: str = "/healthz") -> int:
    """The status of one request on a connection of its own. Raises: OSError: there was no answer."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request("GET", target))
        data = b""
        while (answer := http(data)[0]) is None:
            more = connection.recv(1 << 16)
            if not more:
                raise ConnectionError("no answer")
            data += more
        return answer[0]


def answers(server: Server) -> bool:
    """Whether it serves a newcomer."""
    with contextlib.suppress(OSError):
        return get(server.port) == 200
    return False


# --- descriptors


def descriptors(scene: Scene) -> str:
    """All descriptors are taken: those who are in are served, and newcomers later."""
    rounds = held = 0
    with watched(scene) as (server, oracle):
        pid = server.process.pid
        for rounds in scene.rounds():  # noqa: B007
            limit = oracle.target.descriptors() + SPARE
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
            strangers = [dialled(server.port, number) for number in range(3 * SPARE)]
            used = oracle.target.cpu()
            start = time.monotonic()
            for _ in range(10):
                oracle.check()
                time.sleep(0.1)
            share = (oracle.target.cpu() - used) / (time.monotonic() - start)
            must(share < 0.8, f"without descriptors the server spins: {share:.0%} of a core")
            held = max(held, oracle.target.descriptors())
            for stranger in strangers:
                stranger.close()
            patient(lambda: answers(server), "nobody is let in after descriptors ran out")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            oracle.check()
    return (
        f"{rounds + 1} times none left of {held}, {3 * SPARE} strangers at the door: those within were served"
    )


def dialled(port: int, number: int) -> socket.socket:
    """A connection, from one of some addresses, that asks for something."""
    connection = socket.socket()
    connection.settimeout(5)
    connection.bind((f"127.0.1.{1 + number % 200}", 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(request("GET", "/healthz"))
    return connection


# --- a stop


def stopped(scene: Scene) -> str:
    """SIGSTOP for longer than a ping waits, while events wait to be taken in; then SIGCONT."""
    config = configuration(base=CONFIG, ping_interval_s=1, ping_timeout_s=3)
    longest = 0.0
    count = 0
    with watched(scene, config) as (server, oracle):
        for count in scene.rounds():  # noqa: B007
            pause = scene.random.uniform(0.5, 5.0)
            longest = max(longest, pause)
            waiting = Waiting(server, oracle)
            with paused(server):
                waiting.say()
                time.sleep(pause)
            waiting.heard()
            # Pongs that came while nobody could read them count.
            patient(lambda: answers(server), "no answer after SIGCONT")
            for _ in range(5):
                oracle.check()
                time.sleep(0.3)
    told = f"{count + 1} stops of up to {longest:.1f} s, with pings that wait for 3 s"
    return f"{told}: nobody was cut off, no event was lost"


@contextlib.contextmanager
def paused(server: Server) -> Iterator[None]:
    """The server does not run."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


class Waiting:
    """Calls that are sent to a server that does not run."""

    CALLS = 50

    def __init__(self, server: Server, oracle: Oracle) -> None:
        self.pipe = RawSocket(server.port, "json")
        self.pipe.join("owner")
        self.bystander = oracle.bystander

    def say(self) -> None:
        """Send them; and answer the pings that the server had sent before it stood."""
        for number in range(1, self.CALLS + 1):
            self.pipe.say(b'[48,%d,{},"radiod.echo",[]]' % number)
        must(self.bystander.hear(0.1) == [], "the bystander heard what nobody published")

    def heard(self) -> None:
        """All of them are answered, in order. Raises: Finding."""
        try:
            answers = [self.pipe.next()[:2] for _ in range(self.CALLS)]
        except ConnectionError:
            answers = []
        wanted = [[50, number] for number in range(1, self.CALLS + 1)]
        must(answers == wanted, f"what was sent while the server stood was not answered: {answers[:3]}")
        self.pipe.close()


# --- a storm


def storm(scene: Scene) -> str:
    """2,000 connects at once, from many addresses; each asks for something, and all are answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CLIENTS + 200
    if hard < wanted:
        raise Skipped(f"{wanted} descriptors are needed, and {hard} allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    storms, slowest = 0, 0.0
    try:
        with watched(scene) as (server, oracle):
            for storms in scene.rounds():  # noqa: B007
                slowest = max(slowest, rush(server, oracle))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return f"{storms + 1} storms of {CLIENTS:,} connects: all answered, the last after {slowest:.1f} s"


def rush(server: Server, oracle: Oracle) -> float:
    """One storm. Returns: seconds until the last one was answered. Raises: Finding."""
    start = time.monotonic()
    clients = []
    for number in range(CLIENTS):
        client = socket.socket()
        client.setblocking(False)
        client.bind((f"127.0.2.{1 + number % 100}", 0))
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", server.port))
        clients.append(client)
    try:
        oracle.check()
        for client in clients:
            client.settimeout(20)
            client.sendall(request("GET", "/healthz"))
        oracle.check()
        for client in clients:
            must(client.recv(4096).startswith(b"HTTP/1.1 200"), "one of the storm was not answered")
        return time.monotonic() - start
    except OSError as error:
        must(False, f"one of the storm was not served: {error!r}")
        raise
    finally:
        for client in clients:
            client.close()


# --- the clock


def clocks(scene: Scene) -> str:
    """The wall clock jumps, forward and back, meanwhile; a call's timeout is as long as ever."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise Skipped("libfaketime is not installed")
    file = scene.folder / "clock"
    file.write_text("+0")
    variables = {
        "LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    jumps, slowest = 0, 0.0
    with watched(scene, variables=variables) as (server, oracle):
        callee, caller = Program(server.port, **OWNER), Program(server.port, **OWNER)
        with contextlib.closing(callee), contextlib.closing(caller):
            callee.register("own.slow")
            for jumps in scene.rounds(least=2):  # noqa: B007
                by = scene.random.choice((-1, 1)) * scene.random.choice((1, HOUR, 400 * 24 * HOUR))
                new = file.with_suffix(".new")
                new.write_text(f"{by:+d}")
                request = caller.begin_call("own.slow", timeout=300)
                new.rename(file)
                slowest = max(slowest, timed_out(caller, request))
                off = caller.call("radiod.server.stats")["time"] - time.time() - by
                must(abs(off) < 20, f"the server does not live by the clock of this scenario: {off} s")
                oracle.check()
    return f"{jumps + 1} jumps: a call of 300 ms timed out after {1000 * slowest:.0f} ms at most"


def timed_out(caller: Program, request: int) -> float:
    """Seconds until a call times out. Raises: Finding: it ends otherwise, or much too late."""
    start = time.monotonic()
    try:
        answer: Any = caller.result(request)
    except Failed as failure:
        answer = failure.uri
    except TimeoutError:
        answer = "nothing"
    took = time.monotonic() - start
    must(
        answer == "wamp.error.timeout" and took < 5,
        f"a call of 300 ms ended with {answer} after {took:.1f} s",
    )
    return took
