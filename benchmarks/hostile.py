#!/usr/bin/env python3
"""What one stranger could do to a server, input by input, and what is left of it.

    ./hostile.py                        all rows
    ./hostile.py --only form,pipeline
    ./hostile.py --repo DIR             the server of another source tree, with its own twistd if it has one

Each row has a server of its own with the limits that are shipped, unless its row says otherwise. A canary,
another session in a process of its own, calls ``radiod.echo`` every 5 ms. Of each row are printed: bytes that
the attacker sent; the server's CPU, less what the canary takes; the canary's longest wait; by how much the
server's resident memory was above that of before, at its highest; and what became of it.

A row is over when its function has what it waits for and the server does nothing more, or after --patience.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import multiprocessing.synchronize
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

import fairness
import harness
from harness import CALL, ERROR, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE, SUBSCRIBED, Refused, Server, Session

CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"

[store]
path = "store.sqlite"

[limits]
{limits}

[realms.realm1]
anonymous = "stranger"

[realms.realm1.roles.stranger]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.realm1.keys.member]
key = "member-key"
publish = ["*"]

[realms.realm1.channels."h.*"]
history = {{ size = 1000 }}

[realms.realm1.channels."big.*"]
history = {{ size = 1000, bytes = 16777216 }}

[realms.realm1.channels."kept.*"]
durable = true
history = {{ size = 10, seconds = 86400 }}
"""
MIB = 1 << 20
PAUSE_S = 0.005
QUIET_S = 0.5
"""A server that takes less than 10 ms of CPU beside the canary's in so long has nothing to do."""
COLLIDING = 2**61 - 1


class Attack:
    """One row under way: what it may use, and what it reports."""

    def __init__(self, server: Server, patience: float) -> None:
        self.server = server
        self.port = server.port
        self.patience = patience
        self.sent = 0
        self.told = ""
        self._open: list[socket.socket] = []

    def connect(self) -> socket.socket:
        """A connection that is closed when the row is over."""
        connection = socket.create_connection(("127.0.0.1", self.port), 30)
        connection.settimeout(self.patience)
        self._open.append(connection)
        return connection

    def session(self) -> Session:
        """A session of a stranger, likewise."""
        session = Session(self.port)
        session.socket.settimeout(self.patience)
        self._open.append(session.socket)
        return session

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send, and count."""
        self.sent += len(data)
        with contextlib.suppress(OSError):
            connection.sendall(data)

    def heard(self, connection: socket.socket) -> str:
        """What comes next, in a word."""
        with contextlib.suppress(OSError):
            data = connection.recv(1 << 16)
            if not data:
                return "cut"
            return f"HTTP {data[9:12].decode()}" if data.startswith(b"HTTP") else "answered"
        return "no answer in time"

    def post(
        self, path: str, body: bytes, kind: str = "application/json", key: str = ""
    ) -> tuple[int, bytes]:
        """One POST on a connection of its own. Returns: status, body; 0: no answer."""
        self.sent += len(body)
        return post(self.port, path, body, kind, key, self.patience)

    def open_still(self) -> int:
        """How many connections the server has not closed; what they were sent is read."""
        alive = 0
        for connection in self._open:
            connection.setblocking(False)
            try:
                while connection.recv(1 << 16):
                    pass
            except BlockingIOError:
                alive += 1
            except OSError:
                pass
        return alive

    def quiet(self, idle: float) -> None:
        """Wait until the server does no more than ``idle`` seconds of CPU a second, as the canary costs."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            before = cpu(self.server.pid)
            time.sleep(QUIET_S)
            if cpu(self.server.pid) - before <= idle * QUIET_S + 0.01:
                return
        self.told += "; still at work when this was stopped"

    def close(self) -> None:
        """Hang up everywhere."""
        for connection in self._open:
            connection.close()


def post(
    port: int, path: str, body: bytes, kind: str = "application/json", key: str = "", seconds: float = 30
) -> tuple[int, bytes]:
    """One POST on a connection of its own. Returns: status, body; 0: no answer."""
    headers = {"Content-Type": kind} | ({"API-KEY": key} if key else {})
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""


Prepare = Callable[[int], list[Session]]
Row = Callable[[Attack], None]
ROWS: dict[str, tuple[Row, Prepare, str]] = {}


def row(name: str, prepare: Prepare = fairness.nothing, limits: str = "") -> Callable[[Row], Row]:
    """Enter a function into the table."""

    def enter(function: Row) -> Row:
        ROWS[name] = (function, prepare, limits)
        return function

    return enter


# --- one request, the whole loop


def colliding(size: int) -> bytes:
    """A CBOR map of about so many bytes, all of whose keys have one hash in Python."""
    count = size // 13
    keys = (b"\xc2\x4a" + (1 + (n + 9) * COLLIDING).to_bytes(10, "big") + b"\0" for n in range(count))
    return b"\xb9" + count.to_bytes(2, "big") + b"".join(keys)


def cbor_session(attack: Attack, hello: bytes) -> socket.socket:
    """RawSocket with CBOR, HELLO sent."""
    connection = attack.connect()
    connection.sendall(b"\x7f\xf3\0\0")
    connection.recv(4)
    attack.send(connection, harness.frame(hello))
    return connection


# [1, "realm1", {"roles": {"caller": {}}, "x": …}]
HELLO_CBOR = b"\x83\x01\x66realm1\xa2\x65roles\xa1\x66caller\xa0\x61x"


@row("cbor-hello")
def cbor_hello(attack: Attack) -> None:
    """HELLO with a CBOR map of 127 kB whose keys collide, before login"""
    connection = cbor_session(attack, HELLO_CBOR + colliding(127_000))
    attack.told = attack.heard(connection)


@row("cbor-call")
def cbor_call(attack: Attack) -> None:
    """CALL with such a map of 323 kB"""
    connection = cbor_session(attack, HELLO_CBOR + b"\0")
    connection.recv(1 << 16)
    call = b"\x85\x18\x30\x01\xa0\x6bradiod.echo\x81" + colliding(323_000)
    attack.send(connection, harness.frame(call))
    attack.told = attack.heard(connection)


@row("cbor-lp")
def cbor_lp(attack: Attack) -> None:
    """HELLO with such a map of 323 kB over /lp"""
    _, body = attack.post("/lp/open", b'{"protocols":["wamp.2.cbor"]}')
    transport = json.loads(body)["transport"]
    status, _ = attack.post(f"/lp/{transport}/send", HELLO_CBOR + colliding(323_000))
    attack.told = f"HTTP {status}"


@row("form")
def form(attack: Attack) -> None:
    """a form of 1 MB, 300 forms within forms, to no path"""
    body = b"".join(
        b"--%b\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (b"b%d" % (n - 1) if n else b"x", n)
        for n in range(300)
    )
    body += b"\n" * (1_000_000 - len(body))
    status, _ = attack.post("/no/such", body, "multipart/form-data; boundary=x")
    attack.told = f"HTTP {status}"


def prepare_megabyte(port: int) -> list[Session]:
    """1 MB of events that are kept."""
    writer = Session(port)
    for _ in range(100):
        writer.request(PUBLISH, {"acknowledge": True}, "big.1", ["x" * 10_000])
        writer.expect(PUBLISHED)
    return [writer]


@row("pipeline", prepare_megabyte)
def pipeline(attack: Attack) -> None:
    """1,500 GETs of a history of 1 MB in one write, no answer read"""
    connection = attack.connect()
    get = b"GET /listen/big.1?last=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    attack.send(connection, 1_500 * get)
    attack.told = "stopped reading"


def asked(ask: Callable[[Session], None], what: str) -> Row:
    """A row of what ``fairness`` asks for."""

    def function(attack: Attack) -> None:
        ask(attack.session())
        attack.told = "all answered"

    function.__doc__ = what
    return function


row("lists", fairness.prepare_channels)(
    asked(fairness.ask_lists, "1,024 calls of radiod.channel.list(limit=1000) in one write, 1,000 channels")
)
row("events", fairness.prepare_history)(
    asked(fairness.ask_events, "60 calls of get_events(limit=1) in one write, 40,000 kept events")
)
row("publish", fairness.prepare_prefixes)(
    asked(fairness.publish_to_many, "a PUBLISH with six lists of 10,000, under 249 prefixes")
)
row("calls")(asked(fairness.echo, "20,000 calls of radiod.echo in one write"))


def prepare_leaver(port: int) -> list[Session]:
    """A session of 10,000 subscriptions."""
    leaver = Session(port)
    for number in range(10_000):
        leaver.request(SUBSCRIBE, {}, f"topic.{number}")
        leaver.expect(SUBSCRIBED)
    LEAVER.append(leaver)
    return [leaver]


LEAVER: list[Session] = []


@row("leave", prepare_leaver)
def leave(attack: Attack) -> None:
    """a session with 10,000 subscriptions leaves"""
    LEAVER.pop().close()


@row("dense")
def dense(attack: Attack) -> None:
    """CALL of radiod.presence.get with 240,000 empty sets in tags of CBOR"""
    connection = cbor_session(attack, HELLO_CBOR + b"\0")
    connection.recv(1 << 16)
    sets = b"\x9a" + (240_000).to_bytes(4, "big") + b"\xd9\x01\x02\x80" * 240_000
    attack.send(
        connection, harness.frame(b"\x86\x18\x30\x01\xa0\x73radiod.presence.get\x80\xa1\x65limit" + sets)
    )
    attack.told = attack.heard(connection)


# --- one listener, everybody's publishers


def publishes(attack: Attack, count: int) -> str:
    """Acknowledged publishes of somebody else: how many are refused, how long the longest takes."""
    publisher = attack.session()
    refused, longest = 0, 0.0
    for _ in range(count):
        then = time.monotonic()
        publisher.request(PUBLISH, {"acknowledge": True}, "hello", [1])
        try:
            publisher.expect(PUBLISHED)
        except Refused:
            refused += 1
        longest = max(longest, time.monotonic() - then)
    return f"{refused} of {count} publishes of others refused, the longest took {longest:.2f} s"


@row("raise")
def raise_by_http(attack: Attack) -> None:
    """GET /listen/hello?policy=raise&size=1&min_interval=86400"""
    listener = attack.connect()
    path = b"/listen/hello?policy=raise&size=1&min_interval=86400"
    head = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    attack.send(listener, head)
    attack.told = f"{attack.heard(listener)}; {publishes(attack, 20)}"


@row("wait")
def wait_by_prefix(attack: Attack) -> None:
    """SUBSCRIBE to every topic with policy wait"""
    listener = attack.session()
    options = {"match": "prefix", "_radiod_buffer": {"policy": "wait", "size": 1, "min_interval": 86400}}
    listener.request(SUBSCRIBE, options, "")
    try:
        listener.expect(SUBSCRIBED)
        told = "subscribed"
    except Refused as refusal:
        told = refusal.uri
    attack.told = f"{told}; {publishes(attack, 3)}"


PAYLOADS = {
    "half a character": b'["\\ud800"]',
    "no UTF-8": b'["\xff"]',
    "5,000 digits": b"[" + b"9" * 5_000 + b"]",
    "1,000 lists": b"[" + b"[" * 1_000 + b"]" * 1_000 + b"]",
    "__proto__": b'[{"__proto__":{"x":1}}]',
    "1e400": b"[1e400]",
}


@row("payloads")
def payloads(attack: Attack) -> None:
    """payloads that end other people's programs"""
    taken = []
    for name, payload in PAYLOADS.items():
        # Its own session: what is refused may end one.
        publisher = attack.session()
        head = f'[{PUBLISH},{publisher.next_id()},{{"acknowledge":true}},"hello",'.encode()
        attack.send(publisher.socket, harness.frame(head + payload + b"]"))
        with contextlib.suppress(Refused, RuntimeError):
            publisher.expect(PUBLISHED)
            taken.append(name)
    attack.told = f"passed on: {', '.join(taken) or 'none'}, of {len(PAYLOADS)}"


# --- bounds


@row("unfinished")
def unfinished(attack: Attack) -> None:
    """200 connections, each with 900 kB of a message of 1 MB, and one byte more a second for 15 s"""
    for _ in range(200):
        session = attack.session()
        attack.send(session.socket, (1_000_000).to_bytes(4, "big") + bytes(900_000))
    drip(attack, 15)


@row("unfinished-lp")
def unfinished_lp(attack: Attack) -> None:
    """60 /lp transports, each with 900 kB of a send of 1 MB before login"""
    for _ in range(60):
        _, body = attack.post("/lp/open", b'{"protocols":["wamp.2.json"]}')
        path = f"/lp/{json.loads(body)['transport']}/send"
        connection = attack.connect()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n".encode()
        attack.send(connection, head + bytes(900_000))
    drip(attack, 15)


def drip(attack: Attack, seconds: float) -> None:
    """One byte more on each connection, each second."""
    for _ in range(int(seconds)):
        time.sleep(1)
        for connection in attack._open:
            with contextlib.suppress(OSError):
                connection.send(b"\0")
    attack.told = (
        f"{attack.open_still()} of {len(attack._open)} connections still there after {seconds:.0f} s"
    )


@row("buffers")
def buffers(attack: Attack) -> None:
    """a session that reads nothing, 300 subscriptions with buffers of 16 MiB, 190 MB of events"""
    deaf, publisher = attack.session(), attack.session()
    settings = {"size": 0, "max_bytes": 16 * MIB}
    for number in range(300):
        deaf.request(SUBSCRIBE, {"_radiod_buffer": settings}, f"t.{number}")
        deaf.expect(SUBSCRIBED)
    for number in range(3_000):
        publisher.request(PUBLISH, {"acknowledge": True}, f"t.{number % 300}", ["x" * 64_000])
        publisher.expect(PUBLISHED)
    attack.sent = 3_000 * 64_000
    attack.told = "all publishes acknowledged"


@row("pattern-history", limits="max_history_bytes = 67108864")
def pattern_history(attack: Attack) -> None:
    """200 topics under a pattern with a history, 1 MB each; max_history_bytes = 64 MiB"""
    publisher = attack.session()
    for number in range(200 * 16):
        publisher.request(PUBLISH, {"acknowledge": True}, f"big.{number % 200}", ["x" * 62_500])
        publisher.expect(PUBLISHED)
    attack.sent = 3_200 * 62_500
    attack.told = "all publishes acknowledged"


@row("durable-names", limits="max_channels = 100")
def durable_names(attack: Attack) -> None:
    """a role makes 101 durable topics, where 100 are kept, and another role's acknowledged events"""
    body = b'{"network":"kept.member","data":{"n":1}}'
    assert attack.post("/publish", body, key="member-key")[0] == 200
    stranger, refused = attack.session(), 0
    for number in range(101):
        stranger.request(PUBLISH, {"acknowledge": True}, f"kept.{number}", [1])
        try:
            stranger.expect(PUBLISHED)
        except Refused:
            refused += 1
    stranger.request(CALL, {}, "radiod.channel.history", ["kept.member"])
    try:
        events = len(stranger.expect(RESULT)[3][0]["events"])
    except Refused:
        events = 0
    attack.told = f"{refused} refused; {events} of the other's 1 event still there"


def create(session: Session, name: str, **more: object) -> bool:
    """Create a channel that nobody can end. Returns: whether it was."""
    session.request(CALL, {}, "radiod.channel.create", [name], {"on_owner_leave": "keep", **more})
    try:
        session.expect(RESULT)
    except Refused:
        return False
    return True


@row("channel-names")
def channel_names(attack: Attack) -> None:
    """an anonymous user creates channels that stay, 90 for each session"""
    made = 0
    for _ in range(112):
        session = Session(attack.port)
        made += sum(create(session, f"n.{made}.{number}") for number in range(90))
        session.close()
    attack.told = f"{made:,} of 10,000 names taken"


@row("history-promise")
def history_promise(attack: Attack) -> None:
    """one create promises itself 92 % of the realm's histories"""
    made = create(attack.session(), "mine", history={"size": 900_000, "bytes": 64 * MIB})
    attack.told = "created" if made else "refused"


@row("lp-opens")
def lp_opens(attack: Attack) -> None:
    """5,100 /lp transports of strangers that say HELLO, then another's"""
    hello = b'[1,"realm1",{"roles":{"caller":{}}}]'
    connection = http.client.HTTPConnection("127.0.0.1", attack.port, timeout=attack.patience)
    opened = 0
    for _ in range(5_100):
        connection.request("POST", "/lp/open", b'{"protocols":["wamp.2.json"]}')
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            opened += 1
            connection.request("POST", f"/lp/{json.loads(body)['transport']}/send", hello)
            connection.getresponse().read()
    connection.close()
    status, _ = attack.post("/lp/open", b'{"protocols":["wamp.2.json"]}')
    attack.told = f"{opened:,} opened; the next one: HTTP {status}"


@row("connections")
def connections(attack: Attack) -> None:
    """1,000 connections of one address"""
    for _ in range(1_000):
        with contextlib.suppress(OSError):
            attack.connect()
    time.sleep(0.5)
    attack.told = f"{attack.open_still():,} stay open"


@row("guesses")
def guesses(attack: Attack) -> None:
    """wrong API keys for 5 s, 16 connections at once"""
    head = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: wrong\r\nContent-Length: 2\r\n\r\n{}"
    waiting = {attack.connect(): 0 for _ in range(16)}
    for connection in waiting:
        attack.send(connection, head)
    count, end = 0, time.monotonic() + 5
    while waiting and time.monotonic() < end:
        for connection in select.select(list(waiting), [], [], 0.2)[0]:
            if not connection.recv(1 << 16):
                del waiting[connection]
                continue
            count += 1
            attack.send(connection, head)
    lines = sum("key" in line for line in attack.server.log.read_text().splitlines())
    attack.told = f"{count / 5:,.0f} a second answered, {lines} lines of log"


@row("backlog")
def backlog(attack: Attack) -> None:
    """250 connects at once"""
    poll, began, late = select.epoll(), time.monotonic(), 0
    for _ in range(250):
        one = socket.socket()
        one.setblocking(False)
        attack._open.append(one)
        one.connect_ex(("127.0.0.1", attack.port))
        poll.register(one, select.EPOLLOUT)
    left = 250
    while left and time.monotonic() - began < 20:
        for number, _ in poll.poll(1):
            poll.unregister(number)
            left -= 1
            late += time.monotonic() - began > 0.9
    attack.told = f"{late + left} of 250 waited for a second or more"


# --- measuring


class Canary:
    """Round trips of somebody else, in a process of its own; ``worst`` is the longest one since ``reset``."""

    def __init__(self, port: int) -> None:
        self._longest = multiprocessing.Value("d", 0.0)
        self._since = multiprocessing.Value("d", 0.0)
        self._ended = multiprocessing.Event()
        self._process = multiprocessing.Process(target=self._run, args=(port,), daemon=True)
        self._process.start()

    def _run(self, port: int) -> None:
        session = Session(port)
        session.socket.settimeout(600)
        while not self._ended.is_set():
            time.sleep(PAUSE_S)
            then = time.monotonic()
            self._since.value = then
            session.request(CALL, {}, "radiod.echo", [1])
            assert session.receive()[0] in (RESULT, ERROR)
            self._longest.value = max(self._longest.value, time.monotonic() - then)
            self._since.value = 0.0

    def reset(self) -> None:
        """Forget what was."""
        self._longest.value = 0.0

    def worst(self) -> float:
        """Seconds; of a trip that is not over as many as it has taken."""
        waits = time.monotonic() - self._since.value if self._since.value else 0.0
        return float(max(self._longest.value, waits))

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._process.join(5)
        self._process.kill()


def cpu(pid: int) -> float:
    """Seconds of CPU of all threads of a process that live, to the nanosecond: ticks are too coarse here."""
    return (
        sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def peak_kib(pid: int) -> int:
    """The most that was resident since it was forgotten."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])


def forget_peak(pid: int) -> None:
    """From now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def measure(name: str, patience: float) -> str:
    """One row, on a fresh server: a line of a table."""
    function, prepare, limits = ROWS[name]
    with Server(config=CONFIG, limits=limits) as server:
        # Before anything is opened: a process that is forked holds its parent's connections open.
        canary = Canary(server.port)
        kept = prepare(server.port)
        time.sleep(1)
        before = cpu(server.pid)
        time.sleep(1)
        idle = cpu(server.pid) - before
        forget_peak(server.pid)
        resident = server.resident_kib()
        canary.reset()
        attack = Attack(server, patience)
        before, began = cpu(server.pid), time.monotonic()
        try:
            function(attack)
        except (OSError, RuntimeError) as error:
            attack.told += f"ended: {error}"
        attack.quiet(idle)
        seconds = time.monotonic() - began
        spent = max(0.0, cpu(server.pid) - before - idle * seconds)
        grown = max(0, peak_kib(server.pid) - resident) / 1024
        worst = 1000 * canary.worst()
        attack.close()
        canary.close()
        for one in kept:
            one.close()
    sent = f"{attack.sent:,}" if attack.sent else ""
    what = " ".join((function.__doc__ or "").split())
    return f"| {name} | {what} | {sent} | {spent:.3f} | {worst:,.0f} | {grown:+,.0f} | {attack.told} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--repo", type=Path, default=harness.ROOT)
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for one row")
    options = parser.parse_args()
    harness.ROOT = options.repo.resolve()
    own = harness.ROOT / ".venv/bin/twistd"
    if own.exists():
        os.environ.setdefault("RADIOD", str(own))
    print("| row | what is sent | bytes | CPU, s | longest wait, ms | memory, MiB | what became of it |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in options.only.split(","):
        print(measure(name, options.patience), flush=True)


if __name__ == "__main__":
    main()
