#!/usr/bin/env python3
"""What compression costs: server CPU and bytes for each delivery, and zlib's time for one message.

    ./deflate.py [--listeners 100] [--events 5000] [--size 1024] [--twistd .venv/bin/twistd]

Starts radiod for each way to listen and publishes samples of road traffic in JSON, 16 at a time. Beside that:
what Autobahn's own compression takes, which is done for every listener; what messages of other sizes take.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import select
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from autobahn.websocket.compress_deflate import PerMessageDeflate

from radiod.wire.deflate import deflated_frame
from radiod.wire.frames import TEXT, websocket_frame

ROOT = Path(__file__).resolve().parents[1]
OFFER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
TOPIC = "bench.topic"
WINDOW = 16
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure everything, print three tables."""
    options = arguments()
    samples = [sample(options.size, seed) for seed in range(64)]
    print("| listeners | server CPU, us per delivery | bytes per delivery |\n|---|---|---|")
    for name, offer in (("not compressed", ""), ("compressed", OFFER)):
        micros, size = fan_out(options, samples, offer)
        print(f"| {name} | {micros:.2f} | {size:.0f} |", flush=True)
    print("\n| Autobahn's compression of one message | us | bytes |\n|---|---|---|")
    for name, is_fresh in (("no context takeover", True), ("context takeover", False)):
        autobahns = PerMessageDeflate(True, is_fresh, is_fresh, 15, 15, None)
        print(f"| {name} | {timed(lambda data, way=autobahns: compressed(way, data), samples)} |")
    print(
        "\n| bytes of a message | as it is, us | compressed, us | bytes | level 6, memLevel 8, us | bytes |"
    )
    print("|---|---|---|---|---|---|")
    for size in (64, 100, 128, 200, 256, 512, 1024, 4096, 16384, 65536):
        messages = [sample(size, seed) for seed in range(8)]
        plain = timed(lambda data: websocket_frame(data, TEXT), messages).split(" | ")[0]
        print(f"| {size} | {plain} | {timed(shrunk, messages)} | {timed(with_more_memory, messages)} |")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--size", type=int, default=1024, help="payload bytes of one event")
    parser.add_argument("--twistd", default=str(ROOT / ".venv/bin/twistd"))
    return parser.parse_args()


def sample(size: int, seed: int) -> bytes:
    """A JSON text of about ``size`` bytes, never less, with numbers that look measured."""
    numbers = random.Random(seed)
    links: list[dict[str, object]] = []
    while True:
        links.append(
            {
                "id": len(links) + 1,
                "flow": round(numbers.uniform(0, 1800), 1),
                "speed": round(numbers.uniform(5, 120), 1),
                "density": round(numbers.uniform(0, 150), 2),
            }
        )
        text = json.dumps({"time": 1700000000 + seed, "links": links}, separators=(",", ":"))
        if len(text) >= size:
            return text[:size].encode() if size < 256 else text.encode()


def compressed(extension: PerMessageDeflate, data: bytes) -> bytes:
    """One message the way Autobahn sends it."""
    extension.start_compress_message()
    return bytes(extension.compress_message_data(data) + extension.end_compress_message())


def shrunk(data: bytes) -> bytes:
    """One message the way radiod sends it."""
    return deflated_frame(data, TEXT)


def with_more_memory(data: bytes) -> bytes:
    """One message as zlib compresses it unless told otherwise."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def timed(what: Callable[[bytes], bytes], messages: list[bytes]) -> str:
    """Median CPU of 9 runs in us for each message, and the mean of the bytes, as two cells."""
    runs = []
    for _ in range(9):
        start, count = time.process_time(), 0
        while time.process_time() - start < 0.02:
            for message in messages:
                what(message)
            count += len(messages)
        runs.append((time.process_time() - start) / count * 1e6)
    size = sum(len(what(message)) for message in messages) / len(messages)
    return f"{sorted(runs)[4]:.1f} | {size:.0f}"


def fan_out(options: argparse.Namespace, samples: list[bytes], offer: str) -> tuple[float, float]:
    """Returns: server CPU in us, and bytes, for each delivery."""
    with server(options.twistd) as (process, port), contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(joined(port, offer)) for _ in range(options.listeners)]
        publisher = stack.enter_context(joined(port, ""))
        for listener in listeners:
            listener.setblocking(False)
        before, count, size = cpu_seconds(process.pid), 0, 0
        while count < options.events:
            publish(publisher, [samples[(count + i) % len(samples)] for i in range(WINDOW)])
            count += WINDOW
            size += drained(listeners)
        time.sleep(0.1)
        size += drained(listeners)
        deliveries = count * options.listeners
        return (cpu_seconds(process.pid) - before) / deliveries * 1e6, size / deliveries


@contextlib.contextmanager
def server(twistd: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """radiod on one CPU and a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        *("taskset", "-c", "0", twistd, "--nodaemon", "--pidfile=", "--logfile=/dev/null", "radiod"),
        *("--config", str(ROOT / "benchmarks/peers/radiod/radiod.toml")),
        *("--listen", f"tcp:{port}:interface=127.0.0.1:backlog=4096"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        process.wait(15)


def publish(publisher: socket.socket, window: list[bytes]) -> None:
    """Have the events delivered; the publisher is the last to receive them."""
    publisher.sendall(
        b"".join(masked(b'[16,1,{"exclude_me":false},"%b",[%b]]' % (TOPIC.encode(), data)) for data in window)
    )
    waiting, tail = len(window), b""
    while waiting:
        data = tail + publisher.recv(1 << 16)
        waiting -= data.count(b'{"time"')
        tail = data[-6:]


def drained(listeners: list[socket.socket]) -> int:
    """Read whatever has come. Returns: its bytes."""
    size = 0
    while ready := select.select(listeners, [], [], 0)[0]:
        size += sum(len(listener.recv(1 << 18)) for listener in ready)
    return size


def masked(data: bytes) -> bytes:
    """A client's frame; a mask of zeros leaves the payload as it is."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


@contextlib.contextmanager
def joined(port: int, offer: str) -> Iterator[socket.socket]:
    """A WAMP session that has subscribed to the topic."""
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}"
            f"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n".encode()
        )
        answer = connection.recv(4096)
        assert (b"permessage-deflate" in answer) is bool(offer), answer
        roles = {"subscriber": {}, "publisher": {}}
        for message in ([1, "realm1", {"roles": roles}], [32, 1, {}, TOPIC]):
            connection.sendall(masked(json.dumps(message).encode()))
            connection.recv(4096)
        yield connection


def cpu_seconds(pid: int) -> float:
    """User and system time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    sys.exit(main())
