#!/usr/bin/env python3
"""What others see while one peer asks for all it can get.

    ./fairness.py                   all cases
    ./fairness.py --only lists,leave --repeat 3
    ./fairness.py --root DIR        the server of another source tree, to compare

In each case one session sends something expensive, all at once; meanwhile a canary, another session, calls
``radiod.echo`` again and again, a millisecond apart. "server" is the server's CPU from the attack to its last
answer, the canary's calls included; p50, p99 and worst are the canary's round trips in that time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import harness
from harness import CALL, ERROR, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE, SUBSCRIBED, Server, Session, frame

PAUSE_S = 0.001
REALM = '\n[realms.realm1.channels."h.*"]\nhistory = { size = 1000 }\n'
Attack = Callable[[Session], None]


def prepare_channels(port: int) -> list[Session]:
    """1,000 channels, by the ten sessions that own them."""
    owners = [Session(port) for _ in range(10)]
    for number, owner in enumerate(owners):
        for one in range(100):
            owner.request(CALL, {}, "radiod.channel.create", [f"channel.{number}.{one}"])
            owner.expect(RESULT)
    return owners


def prepare_history(port: int) -> list[Session]:
    """40,000 kept events of 40 topics."""
    writer = Session(port)
    for number in range(40_000):
        writer.request(PUBLISH, {}, f"h.{number % 40}", [number])
        if number % 500 == 499:
            writer.request(PUBLISH, {"acknowledge": True}, "done", [])
            writer.expect(PUBLISHED)
    return [writer]


def prepare_prefixes(port: int) -> list[Session]:
    """Subscriptions to 249 prefixes of one topic."""
    listener = Session(port)
    for size in range(1, 250):
        listener.request(SUBSCRIBE, {"match": "prefix"}, "a" * size)
        listener.expect(SUBSCRIBED)
    return [listener]


def nothing(port: int) -> list[Session]:
    """No preparation."""
    return []


def calls(
    session: Session, count: int, procedure: str, args: list[object], options: dict[str, object]
) -> None:
    """Many calls in one write, and all their answers."""
    data = b""
    for _ in range(count):
        message = [CALL, session.next_id(), {}, procedure, args, options]
        data += frame(harness.json.dumps(message, separators=(",", ":")).encode())
    session.socket.sendall(data)
    for _ in session.raw_frames(count):
        pass


def ask_lists(session: Session) -> None:
    """1,024 calls of ``radiod.channel.list`` for 1,000 channels."""
    calls(session, 1024, "radiod.channel.list", [], {"limit": 1000})


def ask_events(session: Session) -> None:
    """60 calls for one of 40,000 events."""
    session.request(SUBSCRIBE, {"match": "prefix"}, "h.")
    subscription = session.expect(SUBSCRIBED)[2]
    calls(session, 60, "wamp.subscription.get_events", [subscription], {"limit": 1})


def publish_to_many(session: Session) -> None:
    """One PUBLISH with six lists of 10,000 names."""
    ids = list(range(1, 10_001))
    names = [f"n{one}" for one in ids]
    # fmt: off
    options = {
        "acknowledge": True, "exclude": ids, "exclude_authid": names, "exclude_authrole": names,
        "eligible": ids, "eligible_authid": names, "eligible_authrole": names,
    }
    # fmt: on
    session.request(PUBLISH, options, "a" * 250, [])
    session.expect(PUBLISHED)


def leave(session: Session) -> None:
    """10,000 subscriptions end with their session."""
    for number in range(10_000):
        session.request(SUBSCRIBE, {}, f"topic.{number}")
        session.expect(SUBSCRIBED)
    go_marker.set()
    session.close()
    time.sleep(1)


def echo(session: Session) -> None:
    """20,000 cheap calls."""
    calls(session, 20_000, "radiod.echo", [1], {})


go_marker = multiprocessing.Event()
CASES: dict[str, tuple[Callable[[int], list[Session]], Attack]] = {
    "lists": (prepare_channels, ask_lists),
    "events": (prepare_history, ask_events),
    "publish": (prepare_prefixes, publish_to_many),
    "leave": (nothing, leave),
    "echo": (nothing, echo),
}


def attack(port: int, what: Attack, ready: multiprocessing.synchronize.Event) -> None:
    """Run one attack in a process of its own."""
    session = Session(port)
    ready.set()
    what(session)


def measure(name: str) -> dict[str, float]:
    """One case, on a fresh server."""
    prepare, what = CASES[name]
    go_marker.clear()
    with Server(realm=REALM) as server:
        kept = prepare(server.port)
        canary = Session(server.port)
        trips: list[float] = []
        ready = multiprocessing.Event()
        attacker = multiprocessing.Process(target=attack, args=(server.port, what, ready))
        attacker.start()
        (go_marker if name == "leave" else ready).wait()
        before, began = server.cpu(), time.monotonic()
        while attacker.is_alive():
            trips.append(trip(canary))
        cpu = server.cpu() - before
        seconds = time.monotonic() - began
        for one in (*kept, canary):
            one.close()
    trips.sort()
    return {
        "server_s": cpu,
        "seconds": seconds,
        "p50_ms": 1000 * statistics.median(trips),
        "p99_ms": 1000 * trips[int(0.99 * (len(trips) - 1))],
        "worst_ms": 1000 * trips[-1],
        "trips": len(trips),
    }


def trip(canary: Session) -> float:
    """Seconds of one round trip."""
    time.sleep(PAUSE_S)
    then = time.perf_counter()
    canary.request(CALL, {}, "radiod.echo", [1])
    message = canary.receive()
    assert message[0] in (RESULT, ERROR), message
    return time.perf_counter() - then


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--root", type=Path, default=harness.ROOT)
    options = parser.parse_args()
    harness.ROOT = options.root.resolve()
    for name in options.only.split(","):
        rows = [measure(name) for _ in range(options.repeat)]
        row = {key: statistics.median(one[key] for one in rows) for key in rows[0]}
        told = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
        print(f"{name:8} {told}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
