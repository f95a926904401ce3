#!/usr/bin/env python3
"""What it costs to write the state of a server that stops, and to go on with it in the next process.

    ./state.py [--events 100000,1000000] [--topics 100] [--quick]

A radiod in memory keeps so many events of 100 bytes on topics of one pattern. Its state is captured, and a
new process reads it: from the start of the interpreter to the moment in which it could answer. Beside it the
obvious way, MessagePack of all events with all their options, read at once. CPU seconds but where it says
wall; the ratios are what can be compared between machines. Exit status 1 where 100,000 events cost more than
1.5 s, or 1,000,000 need more than 3 s to be there (`--quick`: nothing is judged).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

CONFIG: Final = """
[limits]
max_channels = 1000000
max_history_bytes = 17179869184

[realms.radio.channels."bench.*"]
history = { size = 1000000, seconds = 3600, bytes = 1000000000 }
"""

MOST_CPU_S: Final = (100_000, 1.5)
MOST_WALL_S: Final = (1_000_000, 3.0)

COLUMNS: Final = (
    *("events", "topics", "MB", "capture", "exec to restored", "of that restore", "wall"),
    *("50 read", "all read", "obvious way out", "in", "ratio"),
)


def main() -> int:
    """Measure, and print one table."""
    options = arguments()
    if options.child:
        return child(options.child)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    is_good = True
    for events in map(int, options.events.split(",")):
        row = measure(events, options.topics)
        print("| " + " | ".join(str(row[name]) for name in COLUMNS) + " |", flush=True)
        is_good &= events != MOST_CPU_S[0] or row["capture"] + row["of that restore"] <= MOST_CPU_S[1]
        is_good &= events != MOST_WALL_S[0] or row["exec to restored"] <= MOST_WALL_S[1]
    return 0 if is_good or options.quick else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", default="100000,1000000")
    parser.add_argument("--topics", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="1,000 events")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.events = "1000"
    return options


def measure(events: int, topics: int) -> dict[str, Any]:
    """One row."""
    from radiod.state.state import capture

    radio = filled(events, topics)
    begun = time.process_time()
    pieces = list(capture(radio))
    spent = time.process_time() - begun
    out, back = obvious(radio)
    with tempfile.NamedTemporaryFile() as file:
        file.writelines(pieces)
        file.flush()
        environment = {**os.environ, "STATE_BEGAN": repr(time.time())}
        command = [sys.executable, __file__, "--child", file.name]
        answer = subprocess.run(command, env=environment, check=True, capture_output=True)
        told = msgspec.json.decode(answer.stdout)
    return {
        "events": f"{events:,}",
        "topics": topics,
        "MB": round(sum(map(len, pieces)) / 1e6),
        "capture": round(spent, 2),
        **{name: round(value, 2) for name, value in told.items()},
        "obvious way out": round(out, 2),
        "in": round(back, 2),
        "ratio": f"{(out + back) / (spent + told['of that restore']):.0f}",
    }


def child(path: str) -> int:
    """The next process: says what it took."""
    began = float(os.environ["STATE_BEGAN"])
    from radiod.state.state import restore

    radio = made()
    data = Path(path).read_bytes()
    before = time.process_time()
    restore(radio, data)
    told = {"exec to restored": time.process_time(), "wall": time.time() - began}
    told["of that restore"] = time.process_time() - before
    histories = radio.realms["radio"].space.histories
    topics = histories.topics()
    before = time.process_time()
    history = histories.find(topics[0])
    assert len([history.at(at) for at in range(max(history.first, history.end - 50), history.end)]) > 0
    told["50 read"] = time.process_time() - before
    for topic in topics:
        histories.of(topic)
    told["all read"] = time.process_time() - before
    sys.stdout.buffer.write(msgspec.json.encode(told))
    return 0


def made() -> Any:
    """A radiod that nothing reaches."""
    from twisted.internet.testing import MemoryReactorClock

    from radiod import config
    from radiod.service.radio import Radio

    return Radio(config.Config.parse(CONFIG, Path()), MemoryReactorClock())


def filled(events: int, topics: int) -> Any:
    """The same, with so many events."""
    from radiod.wire.codecs import JSON, Payload
    from radiod.wire.options import PublishOptions

    radio = made()
    histories = radio.realms["radio"].space.histories
    content = b'["' + b"x" * 96 + b'"]'
    for number in range(events):
        history = histories.find(f"bench.{number % topics}")
        payload, options = Payload(JSON, content, b""), PublishOptions(acknowledge=True)
        histories.add(history, histories.number(history, number + 1, 1, payload, options, {}))
    return radio


def obvious(radio: Any) -> tuple[float, float]:
    """Seconds out and in, of all events with all their options."""
    from radiod.core.history.events import KeptEvent
    from radiod.wire.codecs import CODECS, Payload
    from radiod.wire.options import PublishOptions

    names = ["order", "time", "since", "topic", "epoch", "seq", "publication", "publisher", "details", "role"]
    histories = radio.realms["radio"].space.histories
    begun = time.process_time()
    rows = []
    for topic in histories.topics():
        for record in histories.of(topic):
            payload = record.payload
            row = {name: getattr(record, name) for name in names}
            row["payload"] = payload.codec.name, payload.args, payload.kwargs
            row["options"] = {name: getattr(record.options, name) for name in OPTIONS}
            rows.append(row)
    data = msgspec.msgpack.encode(rows)
    out = time.process_time() - begun
    begun = time.process_time()
    for row in msgspec.msgpack.decode(data):
        codec, args, kwargs = row.pop("payload")
        options = PublishOptions(**row.pop("options"))
        KeptEvent(payload=Payload(CODECS[codec], args, kwargs), options=options, **row)
    return out, time.process_time() - begun


OPTIONS: Final = (
    *("acknowledge", "exclude_me", "disclose_me", "retain", "exclude", "exclude_authid", "exclude_authrole"),
    *("eligible", "eligible_authid", "eligible_authrole", "key", "stream", "ppt_scheme", "enc_algo"),
)


if __name__ == "__main__":
    sys.exit(main())
