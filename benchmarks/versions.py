"""Did a change cost anything? CPU and memory of this tree's server beside another version's, in turns.

python benchmarks/versions.py REVISION [--repeats 7] [--only fan-out,call,connect,idle]

REVISION is anything that git knows; its files are unpacked beside this run. In each repeat a fresh server of
either version has the same clients, and the two work in turn, a fraction of a second each, so that the
neighbours' noise is both's. A ratio is that of the sums of a repeat, this tree's above: the median of all
repeats, and the least and the greatest. Both run with the packages of this Python.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness import (
    CALL,
    INVOCATION,
    REGISTER,
    REGISTERED,
    RESULT,
    ROOT,
    YIELD,
    Server,
    Session,
    hearer,
    publish,
)

PAYLOAD = "x" * 200
WINDOW = 8
ROUNDS = 12
IDLE = 4000


class Work(NamedTuple):
    """What one round does on a server that is ready for it, and for how many operations."""

    do: Callable[[], None]
    operations: int


Case = Callable[[Server, ExitStack], Work]


def main() -> int:
    """Print the table. Returns: the exit status."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="radiod-versions-") as folder:
        trees = (ROOT, unpacked(options.revision, Path(folder)))
        print(f"this tree beside {options.revision}, {options.repeats} repeats")
        print("| | this | before | ratio | of single repeats |\n|---|---|---|---|---|")
        for name, case in CASES.items():
            if name.startswith(tuple(options.only)):
                report(name, [cpu(trees, case, turn) for turn in range(options.repeats)])
        if "idle".startswith(tuple(options.only)):
            report("idle: KiB a session", [idle(trees) for _ in range(options.repeats)])
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="This tree's server beside another version's.")
    parser.add_argument("revision")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="beginnings of names")
    return parser.parse_args()


def report(name: str, repeats: list[tuple[float, float]]) -> None:
    """One row."""
    this, before = (median(costs) for costs in zip(*repeats, strict=True))
    ratios = sorted(a / b for a, b in repeats)
    spread = f"{ratios[0]:.3f}…{ratios[-1]:.3f}"
    print(f"| {name} | {this:.2f} | {before:.2f} | {median(ratios):.3f} | {spread} |", flush=True)


def unpacked(revision: str, folder: Path) -> Path:
    """The files of a version, below ``folder``. Raises: CalledProcessError: git does not know it."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def cpu(trees: tuple[Path, Path], case: Case, repeat: int) -> tuple[float, float]:
    """µs of CPU for each operation of this tree's server, and of the other's."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(root=tree)) for tree in trees]
        works = [case(server, stack) for server in servers]
        for work in works:
            work.do()
        before = [server.cpu() for server in servers]
        for turn in range(ROUNDS):
            for work in works if (turn + repeat) % 2 else reversed(works):
                work.do()
        used = [server.cpu() - then for server, then in zip(servers, before, strict=True)]
        this, other = (
            cost * 1e6 / (ROUNDS * work.operations) for cost, work in zip(used, works, strict=True)
        )
        return this, other


def idle(trees: tuple[Path, Path]) -> tuple[float, float]:
    """KiB of resident memory for each session with one subscription."""
    used = []
    for tree in trees:
        with ExitStack() as stack:
            server = stack.enter_context(Server(root=tree))
            for _ in range(100):
                listener(server, stack)
            before = server.resident_kib()
            for _ in range(IDLE):
                listener(server, stack)
            used.append((server.resident_kib() - before) / IDLE)
    return used[0], used[1]


# --- work


def session(server: Server, stack: ExitStack) -> Session:
    """One that hangs up in the end."""
    found = Session(server.port)
    stack.callback(found.close)
    return found


def listener(server: Server, stack: ExitStack) -> Session:
    """One that hangs up in the end."""
    found = hearer(server)
    stack.callback(found.close)
    return found


def fan_out(listeners: int, events: int) -> Case:
    """Events to so many listeners; an operation is a delivery."""

    def ready(server: Server, stack: ExitStack) -> Work:
        crowd = [listener(server, stack) for _ in range(listeners)]
        publisher = session(server, stack)
        return Work(lambda: publish(publisher, crowd, events, PAYLOAD, WINDOW), events * listeners)

    return ready


def calls(server: Server, stack: ExitStack) -> Work:
    """Calls from one session to another, ``WINDOW`` at a time."""
    callee, caller = session(server, stack), session(server, stack)
    callee.request(REGISTER, {}, "bench")
    callee.expect(REGISTERED)

    def do() -> None:
        for _ in range(0, 1600, WINDOW):
            for _ in range(WINDOW):
                caller.request(CALL, {}, "bench", [PAYLOAD])
            for _ in range(WINDOW):
                callee.send(YIELD, callee.expect(INVOCATION)[1], {}, [1])
            for _ in range(WINDOW):
                caller.expect(RESULT)

    return Work(do, 1600)


def connects(server: Server, _: ExitStack) -> Work:
    """Sessions that come and go at once."""

    def do() -> None:
        for _ in range(250):
            Session(server.port).close()

    return Work(do, 250)


CASES: dict[str, Case] = {
    "fan-out to 1: µs a delivery": fan_out(1, 4000),
    "fan-out to 100: µs a delivery": fan_out(100, 800),
    "fan-out to 1,000: µs a delivery": fan_out(1000, 80),
    "call: µs": calls,
    "connect: µs a session": connects,
}

if __name__ == "__main__":
    raise SystemExit(main())
