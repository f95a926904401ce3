"""The radiod that is fuzzed: a real twistd, what it costs, and the oracle that is asked after each burst."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from support.config import configuration
from support.running import Server, radiod

from fuzz.pipes import Pipe, RawSocket, WebSocket

__all__ = ["CONFIG", "Finding", "Oracle", "Target", "running", "speed", "speed_now"]

CONFIG = configuration(
    """
[realms.radio.roles.open]
register = ["a", "a.*", "procedure.*", "kept.*", "sample_net"]
deny = ["own.*"]
hold_publishers = false

[realms.radio.roles.owner]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.users.owner]
role = "owner"
ticket = "owner-ticket"

[realms.radio.channels.sample_net]
history = {}

[realms.radio.channels."kept.*"]
history = { size = 50000, seconds = 86400 }
""",
    max_history_bytes=16 << 20,
    max_retained_bytes=4 << 20,
)
"""Anonymous sessions may do much, but nothing under ``own.``, which is the oracle's.

Nor may they register everything: who may do all four things with everything may end others' sessions, too.
"""

CALIBRATION_S = 0.0024
"""CPU time of ``_work`` on the machine that the limits were set on, idle."""

MEMORY_KIB = 160 << 10
"""What one round may add to the resident memory: the bounds of the configuration above, and slack."""

DESCRIPTORS = 8
LOG_BYTES = 2 << 20
"""Of one round: 64 KiB in each interval of the log's, and what is said at start and end."""

LOG_LINE = 4096
TEXT = re.compile(rb"[^\x20-\x7e\n\t\x80-\xff]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
"""What does not belong into a log: control characters, C1 in UTF-8, separators of lines and paragraphs."""


class Finding(Exception):
    """The server did what it must not."""


def speed(rounds: int = 9) -> float:
    """How much slower this machine is than the one that the limits were set on; at least 1.

    The least of several: what else runs here makes single ones longer, and never shorter.
    """
    return max(1.0, min(_work() for _ in range(rounds)) / CALIBRATION_S)


def speed_now() -> float:
    """The same at this moment: of a tenth of a second, with whatever disturbs it."""
    return max(1.0, sum(_work() for _ in range(30)) / 30 / CALIBRATION_S)


def _work() -> float:
    start = time.thread_time()
    table: dict[str, int] = {}
    for number in range(20_000):
        key = str(number & 0xFFF)
        table[key] = table.get(key, 0) + len(key)
    return time.thread_time() - start


class Target:
    """One running server, and what can be seen of it from outside."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = server.port
        self._proc = Path(f"/proc/{server.process.pid}")

    def cpu(self) -> float:
        """Seconds that the reactor's thread has run on a CPU; exact while it waits."""
        return int((self._proc / "schedstat").read_text().split()[0]) / 1e9

    def resident_kib(self) -> int:
        """Resident memory."""
        return self.server.resident_kib()

    def descriptors(self) -> int:
        """Open file descriptors."""
        return len(os.listdir(self._proc / "fd"))

    def log(self) -> bytes:
        """All of the log so far."""
        return self.server.log.read_bytes()


@contextlib.contextmanager
def running(folder: Path, config: str = CONFIG) -> Iterator[Target]:
    """A server until the block ends."""
    with radiod(folder, config) as server:
        yield Target(server)


class Oracle:
    """Who is not attacking: a publisher, a bystander who listens to it, and a canary with a RawSocket.

    ``check`` raises Finding; each call also publishes, and looks for, the next few events.
    """

    EVENTS = 5

    def __init__(self, target: Target) -> None:
        self.target = target
        self.publisher = RawSocket(target.port, "msgpack")
        self.publisher.join("owner")
        self.bystander = WebSocket(target.port, "cbor")
        self.bystander.join("owner")
        answer = self.bystander.ask([32, 1, {}, "own.events"])
        assert answer[0] == 33, answer
        self.canary = RawSocket(target.port, "json")
        self.canary.join("owner")
        self._published = 0
        self._seen = 0
        self._memory: int | None = None
        self._descriptors: int | None = None
        self._read = 0

    def warmed(self) -> None:
        """From now on memory and descriptors count."""
        self._memory, self._descriptors = self.target.resident_kib(), self.target.descriptors()

    def check(self) -> None:
        """Raises: Finding: somebody noticed the attack."""
        if (status := self.target.server.process.poll()) is not None:
            raise Finding(f"the server has ended with status {status}")
        try:
            self._pass_events()
            answer = self.canary.ask([48, self._published // self.EVENTS, {}, "radiod.echo", ["there"]])
        except (OSError, AssertionError) as error:
            raise Finding(f"a bystander is not served: {type(error).__name__} {error}") from None
        if answer[0] != 50 or answer[3] != ["there"]:
            raise Finding(f"the canary heard {answer}")
        self._check_log()

    def _pass_events(self) -> None:
        for _ in range(self.EVENTS):
            self._published += 1
            answer = self.publisher.ask(
                [16, self._published, {"acknowledge": True}, "own.events", [self._published]]
            )
            assert answer[0] == 17, answer
        while self._seen < self._published:
            event = self.bystander.next()
            self._seen += 1
            if event[0] != 36 or event[4] != [self._seen] or "_lost" in event[3]:
                raise Finding(f"instead of event {self._seen} the bystander got {event}")

    def _check_log(self) -> None:
        with self.target.server.log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        if self._read > LOG_BYTES:
            raise Finding(f"{self._read} bytes of log")
        for line in data.split(b"\n"):
            if b"Traceback (most recent" in line or b"Unhandled" in line:
                raise Finding(f"a traceback in the log: {data[-2000:].decode(errors='replace')}")
            if len(line) > LOG_LINE:
                raise Finding(f"{len(line)} bytes in one line of the log: {line[:300]!r}")
            if TEXT.search(line):
                raise Finding(f"a line of the log is not clean: {line[:1000]!r}")

    def check_end(self, seconds: float = 15.0) -> None:
        """Once nobody attacks any more: memory and descriptors are what they were. Raises: Finding."""
        assert self._memory is not None
        assert self._descriptors is not None
        end = time.monotonic() + seconds
        # Connections that were cut in the middle of something go by a deadline.
        while self.target.descriptors() > self._descriptors + DESCRIPTORS and time.monotonic() < end:
            time.sleep(0.2)
        more = self.target.descriptors() - self._descriptors
        if more > DESCRIPTORS:
            raise Finding(f"{more} descriptors more than before, {seconds:g} s after the attack")
        grown = self.target.resident_kib() - self._memory
        if grown > MEMORY_KIB:
            raise Finding(f"{grown} KiB more than before are resident after the attack")
        self.check()

    def latency(self) -> float:
        """Seconds of one round trip of the canary's, by the transport's PING."""
        return self.canary.pinged()

    def settled(self, pipe: Pipe, turns: int = 5) -> list[bytes]:
        """All that the server had to say to ``pipe`` at once: nothing came while others had so many answers.

        What it will say later, for something else or because of a clock, is not waited for.
        """
        found: list[bytes] = []
        calm = 0
        while calm < turns:
            self.latency()
            more = pipe.hear(0)
            found += more
            calm = 0 if more else calm + 1
        return found
