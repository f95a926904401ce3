"""What the scripts share: a server process, its accounts, a lean RawSocket client and a WebSocket one."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TICK = os.sysconf("SC_CLK_TCK")

HELLO, WELCOME, ABORT, GOODBYE, ERROR = 1, 2, 3, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, RESULT, REGISTER, REGISTERED, UNREGISTER, UNREGISTERED = 48, 50, 64, 65, 66, 67
INVOCATION, YIELD = 68, 70

CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1:backlog=4096"

[limits]
max_message_bytes = 16777216
max_connections_per_address = 100000
max_subscriptions = 100000
max_registrations = 100000
{limits}

[realms.realm1]
anonymous = "bench"

[realms.realm1.roles.bench]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
"""


# --- the server and what the kernel says of it


class Server:
    """radiod of this source tree, or that of ``root``, on a free port, pinned to one CPU; a context manager.

    ``limits`` goes into that table of its configuration, which is ``config``; ``realm`` behind everything.
    """

    def __init__(
        self, cpu: int = 0, limits: str = "", realm: str = "", config: str = CONFIG, root: Path = ROOT
    ) -> None:
        raise_file_limit()
        self._folder = Path(tempfile.mkdtemp(prefix="radiod-bench-"))
        self.port = free_port()
        file = self._folder / "radiod.toml"
        file.write_text(config.format(port=self.port, limits=limits) + realm)
        options = ["--nodaemon", "--pidfile=", f"--logfile={self.log}", "radiod", "--config", str(file)]
        self._process = subprocess.Popen(
            ["taskset", "-c", str(cpu), twistd(), *options],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid

    @property
    def log(self) -> Path:
        """Its log file."""
        return self._folder / "radiod.log"

    def __enter__(self) -> Server:
        try:
            wait_for_port(self.port, self._process)
        except BaseException:
            sys.stderr.write(self.log.read_text()[-2000:] if self.log.exists() else "")
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cpu(self) -> float:
        """Seconds of CPU used so far, user and system."""
        return cpu_seconds(self.pid)

    def resident_kib(self) -> int:
        """Resident memory."""
        return resident_kib(self.pid)


def twistd() -> str:
    """$RADIOD, else the one beside this Python, else the one that the Makefile installed."""
    beside = Path(sys.executable).with_name("twistd")
    return os.environ.get("RADIOD") or str(beside if beside.exists() else ROOT / ".venv/bin/twistd")


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Until the server accepts connections. Raises: RuntimeError: it ended, or does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        time.sleep(0.1)
    raise RuntimeError("the server does not listen")


def raise_file_limit() -> None:
    """As many open files as the system lets us, for this process and its children."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """CPU used by one process so far, user and system; ticks of 10 ms."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def children(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def machine_busy() -> float:
    """Seconds that all CPUs together have worked."""
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


class Neighbours:
    """How busy everybody else was since this was made, in per cent of one CPU."""

    def __init__(self, *pids: int) -> None:
        self._pids = (*pids, os.getpid())
        self._start = self._now()

    def _now(self) -> tuple[float, float]:
        return time.monotonic(), machine_busy() - sum(cpu_seconds(pid) for pid in self._pids)

    def percent(self) -> float:
        (then, before), (now, after) = self._start, self._now()
        return max(0.0, 100 * (after - before) / (now - then))


# --- the client


def frame(message: bytes) -> bytes:
    """A message as RawSocket carries it."""
    return len(message).to_bytes(4, "big") + message


class Refused(Exception):
    """The router answered with ERROR or ABORT; ``uri`` says why."""

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(f"{uri}: {text}")
        self.uri = uri


class Session:
    """One WAMP session over RawSocket and JSON, blocking.

    Request ids count 1, 2, 3 … over all requests of the session, as WAMP has it.
    """

    def __init__(self, port: int, *, realm: str = "realm1", join: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._last_id = 0
        hello = [HELLO, realm, {"roles": {r: {} for r in ("publisher", "subscriber", "caller", "callee")}}]
        self.socket.sendall(b"\x7f\xf1\0\0" + frame(json.dumps(hello).encode()))
        if join:
            self.join()

    def join(self) -> None:
        """Read the answers to both handshakes."""
        while len(self._rest) < 4:
            self._more()
        # The upper half of the second byte is what the server takes at most.
        assert self._rest[0] == 0x7F, self._rest
        assert self._rest[1] & 0xF == 1, self._rest
        self._rest = self._rest[4:]
        self.expect(WELCOME)

    def next_id(self) -> int:
        """The next request id."""
        self._last_id += 1
        return self._last_id

    def send(self, *message: Any) -> None:
        """Send one message."""
        self.socket.sendall(frame(json.dumps(message, separators=(",", ":")).encode()))

    def request(self, kind: int, *rest: Any) -> int:
        """Send a request with the next id. Returns: the id."""
        request = self.next_id()
        self.send(kind, request, *rest)
        return request

    def receive(self) -> list[Any]:
        """The next message."""
        while len(self._rest) < 4 or len(self._rest) < 4 + int.from_bytes(self._rest[:4], "big"):
            self._more()
        end = 4 + int.from_bytes(self._rest[:4], "big")
        message, self._rest = self._rest[4:end], self._rest[end:]
        return list(json.loads(message))

    def expect(self, kind: int) -> list[Any]:
        """The next message, of this kind. Raises: Refused."""
        message = self.receive()
        if message[0] == ERROR:
            raise Refused(message[4], str(message[5:]))
        if message[0] == ABORT:
            raise Refused(message[2], str(message[1]))
        if message[0] != kind:
            raise RuntimeError(f"expected message type {kind}, got {message}")
        return message

    def raw_frames(self, count: int) -> Iterator[bytes]:
        """The next ``count`` messages, as bytes."""
        for _ in range(count):
            while len(self._rest) < 4 or len(self._rest) < 4 + int.from_bytes(self._rest[:4], "big"):
                self._more()
            end = 4 + int.from_bytes(self._rest[:4], "big")
            message, self._rest = self._rest[4:end], self._rest[end:]
            yield message

    def skip(self, count: int, start: bytes) -> None:
        """Read ``count`` messages, look whether they begin with ``start`` (at most 4 bytes) and drop them."""
        data, at = self._rest, 0
        while count:
            if len(data) - at < 8:
                data, at = data[at:] + self._receive(), 0
                continue
            if not data.startswith(start, at + 4):
                raise RuntimeError(f"expected {start!r}…, got {data[at + 4 : at + 300]!r}")
            at += 4 + int.from_bytes(data[at : at + 4], "big")
            count -= 1
            if at > len(data):
                self._drop(at - len(data))
                data, at = b"", 0
        self._rest = data[at:]

    def has_nothing_more(self, seconds: float = 0.1) -> bool:
        """Whether all that came has been read, and nothing comes for a moment."""
        return not self._rest and not select.select([self.socket], [], [], seconds)[0]

    def _drop(self, size: int) -> None:
        scratch = memoryview(SCRATCH)
        while size:
            got = self.socket.recv_into(scratch, min(size, len(SCRATCH)))
            if not got:
                raise RuntimeError("the server hung up")
            size -= got

    def _more(self) -> None:
        self._rest += self._receive()

    def _receive(self) -> bytes:
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server hung up")
        return data

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


SCRATCH = bytearray(1 << 20)


def hearer(server: Server) -> Session:
    """One listener to ``bench``."""
    session = Session(server.port)
    session.request(SUBSCRIBE, {}, "bench")
    session.expect(SUBSCRIBED)
    return session


def publish(publisher: Session, crowd: Sequence[Session], events: int, payload: str, window: int) -> None:
    """Publish to ``bench``, at most ``window`` ahead of the slowest listener, until all have heard all."""
    begin = f"[{EVENT},".encode()
    for first in range(0, events, window):
        count = min(window, events - first)
        messages = [[PUBLISH, publisher.next_id(), {}, "bench", [payload]] for _ in range(count)]
        publisher.socket.sendall(b"".join(frame(json.dumps(message).encode()) for message in messages))
        for session in crowd:
            session.skip(count, begin)


class WebSocket:
    """One WAMP session over WebSocket and JSON, blocking; for servers that speak no RawSocket.

    ``receive_buffer`` is SO_RCVBUF: the smaller, the sooner a client that does not read stops its server.
    """

    def __init__(self, port: int, path: str = "/", *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        self._rest = b""
        self._last_id = 0
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        assert head.split(b" ", 2)[1] == b"101", head
        self.send(HELLO, "realm1", {"roles": {"subscriber": {}, "publisher": {}}})
        self.expect(WELCOME)

    def send(self, *message: Any) -> None:
        """Send one message."""
        data = json.dumps(message, separators=(",", ":")).encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        # A mask of zeros leaves the payload as it is.
        self.socket.sendall(b"\x81" + size + bytes(4) + data)

    def request(self, kind: int, *rest: Any) -> int:
        """Send a request with the next id. Returns: the id."""
        self._last_id += 1
        self.send(kind, self._last_id, *rest)
        return self._last_id

    def expect(self, kind: int) -> list[Any]:
        """The next message, of this kind."""
        while (message := self._message()) is None:
            self._more()
        if message[0] != kind:
            raise RuntimeError(f"expected message type {kind}, got {message}")
        return message

    def _message(self) -> list[Any] | None:
        """The next message, None until it is complete; control frames are not looked at."""
        while len(self._rest) >= 4:
            size, at = self._rest[1], 2
            if size == 126:
                size, at = int.from_bytes(self._rest[2:4], "big"), 4
            if len(self._rest) < at + size:
                break
            kind, data, self._rest = self._rest[0], self._rest[at : at + size], self._rest[at + size :]
            if kind == 0x81:
                return list(json.loads(data))
        return None

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise RuntimeError("the server hung up")
        self._rest += data

    @property
    def is_connected(self) -> bool:
        """Whether neither side has closed, by the kernel's account; nothing is read for it."""
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\1"

    def close(self) -> None:
        """Hang up."""
        self.socket.close()
