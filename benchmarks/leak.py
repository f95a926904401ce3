#!/usr/bin/env python3
"""Does radiod keep anything of sessions that are gone? Joins and leaves many times, and watches memory.

    ./leak.py [--cycles 100000] [--sample 10000] [--warm-up 20000] [--bound 3]

A cycle is one session over RawSocket: join, subscribe, register, publish, call and answer, leave. Topics and
procedures are named anew each time. Sessions leave in every way there is: see `LEAVING`. Ends with status 1
when resident memory after the last cycle is more than `--bound` per cent above that after the warm-up, when
files stay open, or when the server logged a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from harness import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVOCATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNREGISTER,
    UNREGISTERED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    YIELD,
    Server,
    Session,
    frame,
)

COHORT = 48
PAYLOAD = ["x" * 100]


class Visitor:
    """One session of a cycle; its next neighbour publishes to it and calls it."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.session = Session(port, join=False)
        self.got: Counter[int] = Counter()
        self.subscription = self.registration = 0
        self.invocation: int | None = None
        self.is_silent = False

    def settle(self) -> None:
        """Subscribe and register."""
        self.session.request(SUBSCRIBE, {}, f"leak.topic.{self.name}")
        self.session.request(SUBSCRIBE, {}, "leak.everybody")
        self.session.request(REGISTER, {}, f"leak.procedure.{self.name}")

    def settled(self) -> None:
        """Read the answers to that."""
        self.subscription = self.session.expect(SUBSCRIBED)[2]
        self.session.expect(SUBSCRIBED)
        self.registration = self.session.expect(REGISTERED)[2]

    def talk_to(self, neighbour: Visitor) -> None:
        """Publish to a neighbour, call it."""
        self.session.request(PUBLISH, {"acknowledge": True}, f"leak.topic.{neighbour.name}", PAYLOAD)
        self.session.request(CALL, {}, f"leak.procedure.{neighbour.name}", PAYLOAD)

    def until(self, wanted: dict[int, int]) -> None:
        """Read until so many messages of these types have come in all."""
        while any(self.got[kind] < count for kind, count in wanted.items()):
            message = self.session.receive()
            self.got[message[0]] += 1
            if message[0] == INVOCATION:
                self.invocation = message[1]
            elif message[0] == ERROR:
                raise RuntimeError(f"refused: {message}")

    def answer(self) -> None:
        """Answer the call that came."""
        self.session.send(YIELD, self.invocation, {}, PAYLOAD)


# --- ways to leave


def say_goodbye(visitor: Visitor) -> None:
    """GOODBYE, and wait for the other's."""
    visitor.session.send(GOODBYE, {}, "wamp.close.close_realm")
    visitor.session.expect(GOODBYE)
    visitor.session.close()


def tidy_up(visitor: Visitor) -> None:
    """End subscription and registration first."""
    visitor.session.request(UNSUBSCRIBE, visitor.subscription)
    visitor.session.expect(UNSUBSCRIBED)
    visitor.session.request(UNREGISTER, visitor.registration)
    visitor.session.expect(UNREGISTERED)
    say_goodbye(visitor)


def hang_up(visitor: Visitor) -> None:
    """Without a word; a silent callee leaves a caller waiting, its caller leaves with a call pending."""
    visitor.session.close()


def reset(visitor: Visitor) -> None:
    """As crashed machines do."""
    visitor.session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visitor.session.close()


def half_a_message(visitor: Visitor) -> None:
    """In the middle of one."""
    visitor.session.socket.sendall(frame(b'[16,99,{},"leak.topic",["never finished"]]')[:20])
    visitor.session.close()


def break_protocol(visitor: Visitor) -> None:
    """By saying what no client may say: the router aborts."""
    visitor.session.send(RESULT, 1, {})
    with contextlib.suppress(RuntimeError, OSError):
        while True:
            visitor.session.receive()
    visitor.session.close()


LEAVING: tuple[Callable[[Visitor], None], ...] = (
    say_goodbye,
    tidy_up,
    hang_up,
    reset,
    half_a_message,
    break_protocol,
)


def cycles(port: int, first: int) -> None:
    """COHORT sessions that come, talk and go together."""
    visitors = [Visitor(port, str(first + i)) for i in range(COHORT)]
    strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    strangers[0].sendall(b"\x7f\xf1\0\0")
    for visitor in visitors:
        visitor.session.join()
        visitor.settle()
    for visitor in visitors:
        visitor.settled()
    _talk(visitors, first)
    # Callers before the silent they wait for, then the other way round.
    order = visitors if first // COHORT % 2 else visitors[::-1]
    for i, visitor in enumerate(order):
        # A caller whose call was cancelled or an event has something unread: only some ways look at it.
        leave = LEAVING[(i + first // COHORT) % len(LEAVING)]
        leave(visitor) if visitor.got[RESULT] and not visitor.is_silent else hang_up(visitor)
    for stranger in strangers:
        stranger.close()


def _talk(visitors: list[Visitor], first: int) -> None:
    neighbours = [*visitors[1:], visitors[0]]
    for i, (visitor, neighbour) in enumerate(zip(visitors, neighbours, strict=True)):
        visitor.is_silent = i % 8 == 3
        visitor.talk_to(neighbour)
    visitors[0].session.request(PUBLISH, {}, "leak.everybody", [first])
    for i, visitor in enumerate(visitors):
        # The publisher itself does not receive what it says to everybody.
        visitor.until({EVENT: 2 if i else 1, INVOCATION: 1, PUBLISHED: 1})
        if not visitor.is_silent:
            visitor.answer()
    for visitor, neighbour in zip(visitors, neighbours, strict=True):
        if not neighbour.is_silent:
            visitor.until({RESULT: 1})


def open_files(pid: int) -> int:
    """How many files a process holds open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def at_rest(server: Server) -> None:
    """Until the server has done what there was to do."""
    used = -1.0
    while server.cpu() > used:
        used = server.cpu()
        time.sleep(0.5)


def sample(server: Server, done: int) -> dict[str, Any]:
    """What the server holds now; prints it as a row."""
    at_rest(server)
    row = {"cycles": done, "resident": server.resident_kib(), "files": open_files(server.pid)}
    cost = 1e6 * server.cpu() / done
    print(f"| {done:,} | {row['resident']:,} | {row['files']} | {cost:,.0f} |", flush=True)
    return row


def main() -> int:
    """Run, print a table, judge."""
    options = arguments()
    os.sched_setaffinity(0, {options.load_cpu})
    rows: list[dict[str, Any]] = []
    print("| cycles | resident KiB | open files | CPU µs per cycle |\n|---|---|---|---|")
    limits = f"call_timeout_s = {options.call_timeout}"
    with Server(options.server_cpu, limits) as server:
        done, due = 0, options.sample
        while done < options.cycles:
            cycles(server.port, done)
            done += COHORT
            if done >= due or done >= options.cycles:
                rows.append(sample(server, done))
                due += options.sample
        log = server.log.read_text()
    return judge(rows, log, options)


def judge(rows: list[dict[str, Any]], log: str, options: argparse.Namespace) -> int:
    """Say what is wrong. Returns: the exit status."""
    base = next((row for row in rows if row["cycles"] >= options.warm_up), rows[-1])
    growth = 100 * (rows[-1]["resident"] / base["resident"] - 1)
    count = rows[-1]["cycles"] - base["cycles"]
    each = 1024 * (rows[-1]["resident"] - base["resident"]) / count if count else 0.0
    print(f"\n{growth:+.2f} % over the last {count:,} cycles, {each:+.1f} bytes per cycle")
    wrong = []
    if not count:
        wrong.append(f"nothing to compare: no sample after {options.warm_up} cycles but the last")
    if growth > options.bound:
        wrong.append(f"memory grew by {growth:.2f} %, more than {options.bound} %")
    if rows[-1]["files"] > base["files"]:
        wrong.append(f"open files: {base['files']} -> {rows[-1]['files']}")
    if "Traceback" in log:
        wrong.append("the server logged a traceback:\n" + log[log.index("Traceback") :][:2000])
    for line in wrong:
        print("FAILED:", line)
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=10_000, help="cycles between two rows")
    parser.add_argument("--warm-up", type=int, default=20_000, help="cycles before memory counts")
    parser.add_argument("--bound", type=float, default=3.0, help="per cent that memory may grow after that")
    parser.add_argument("--call-timeout", type=float, default=60.0, help="the server's, in seconds")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
