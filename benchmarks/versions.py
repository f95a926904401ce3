"""Did a change cost anything? CPU and memory of this tree's server beside another version's, in turns.

python benchmarks/versions.py REVISION [--repeats 7] [--only fan-out,call,connect,idle]

REVISION is anything that git knows; its files are unpacked beside this run. Each turn starts a fresh server
of one version and of the other; who is first changes from turn to turn. A ratio is that of the medians, this
tree's above; its spread is that of the turns' own ratios. Both run with the packages of this Python.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from harness import (
    CALL,
    EVENT,
    INVOCATION,
    PUBLISH,
    REGISTER,
    REGISTERED,
    RESULT,
    ROOT,
    SUBSCRIBE,
    SUBSCRIBED,
    YIELD,
    Neighbours,
    Server,
    Session,
    frame,
)

PAYLOAD = "x" * 200
WINDOW = 8
SESSIONS = 1000


def main() -> int:
    """Print the table. Returns: the exit status."""
    options = arguments()
    cases = {name: case for name, case in CASES.items() if any(name.startswith(one) for one in options.only)}
    with tempfile.TemporaryDirectory(prefix="radiod-versions-") as folder:
        trees = {"this": ROOT, "other": unpacked(options.revision, Path(folder))}
        neighbours = Neighbours()
        found: dict[str, dict[str, list[float]]] = {name: {"this": [], "other": []} for name in cases}
        for turn in range(options.repeats):
            for name, case in cases.items():
                for which in sorted(trees, reverse=bool(turn % 2)):
                    with Server(root=trees[which]) as server:
                        found[name][which].append(case(server))
        print(f"this tree beside {options.revision}, {options.repeats} turns; ", end="")
        print(f"{neighbours.percent():.0f} % of a processor was others' (servers and load count as such)")
    print("| | this | before | ratio | turns |\n|---|---|---|---|---|")
    for name, costs in found.items():
        this, other = (median(costs[which]) for which in ("this", "other"))
        turns = sorted(a / b for a, b in zip(costs["this"], costs["other"], strict=True))
        print(f"| {name} | {this:.2f} | {other:.2f} | {this / other:.3f} | {turns[0]:.3f}…{turns[-1]:.3f} |")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="This tree's server beside another version's.")
    parser.add_argument("revision")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="beginnings of names")
    return parser.parse_args()


def unpacked(revision: str, folder: Path) -> Path:
    """The files of a version, below ``folder``. Raises: CalledProcessError: git does not know it."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


# --- what is measured, each on a server of its own


def fan_out(listeners: int, events: int) -> Callable[[Server], float]:
    """µs of CPU a delivery."""

    def measure(server: Server) -> float:
        crowd = [hearer(server) for _ in range(listeners)]
        publisher = Session(server.port)
        publish(publisher, crowd, events // 5)
        before = server.cpu()
        publish(publisher, crowd, events)
        used = server.cpu() - before
        for one in (*crowd, publisher):
            one.close()
        return used * 1e6 / (events * listeners)

    return measure


def hearer(server: Server) -> Session:
    """One listener."""
    session = Session(server.port)
    session.request(SUBSCRIBE, {}, "bench")
    session.expect(SUBSCRIBED)
    return session


def publish(publisher: Session, crowd: list[Session], events: int) -> None:
    """Publish, at most ``WINDOW`` ahead of the slowest listener; all have heard all when it returns."""
    begin = f"[{EVENT},".encode()
    for first in range(0, events, WINDOW):
        count = min(WINDOW, events - first)
        messages = [[PUBLISH, publisher.next_id(), {}, "bench", [PAYLOAD]] for _ in range(count)]
        publisher.socket.sendall(b"".join(frame(json.dumps(message).encode()) for message in messages))
        for session in crowd:
            session.skip(count, begin)


def call(server: Server) -> float:
    """µs of CPU a call from one session to another, 8 at a time."""
    callee, caller = Session(server.port), Session(server.port)
    callee.request(REGISTER, {}, "bench")
    callee.expect(REGISTERED)

    def calls(count: int) -> None:
        for _ in range(0, count, WINDOW):
            for _ in range(WINDOW):
                caller.request(CALL, {}, "bench", [PAYLOAD])
            for _ in range(WINDOW):
                callee.send(YIELD, callee.expect(INVOCATION)[1], {}, [1])
            for _ in range(WINDOW):
                caller.expect(RESULT)

    calls(1000)
    before = server.cpu()
    calls(8000)
    return (server.cpu() - before) * 1e6 / 8000


def connect(server: Server) -> float:
    """µs of CPU a session, from its connection to its end."""
    for _ in range(200):
        Session(server.port).close()
    before = server.cpu()
    for _ in range(SESSIONS):
        Session(server.port).close()
    Session(server.port).close()
    return (server.cpu() - before) * 1e6 / SESSIONS


def idle(server: Server) -> float:
    """KiB of resident memory a session with one subscription."""
    first = [hearer(server) for _ in range(100)]
    before = server.resident_kib()
    crowd = [hearer(server) for _ in range(SESSIONS)]
    used = server.resident_kib() - before
    for one in (*first, *crowd):
        one.close()
    return used / SESSIONS


CASES: dict[str, Callable[[Server], float]] = {
    "fan-out to 1: µs a delivery": fan_out(1, 20000),
    "fan-out to 100": fan_out(100, 4000),
    "fan-out to 1,000": fan_out(1000, 400),
    "call: µs": call,
    "connect: µs a session": connect,
    "idle: KiB a session": idle,
}

if __name__ == "__main__":
    raise SystemExit(main())
