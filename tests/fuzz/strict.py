"""Accepted here ⇒ a strict decoder of every other language accepts it.

What radiod takes reaches listeners of each serializer; what they get is decoded in Python and in Node.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import cbor2
import msgpack

from fuzz.pipes import LOAD, SERIALIZERS, WebSocket
from fuzz.target import Finding, Oracle
from fuzz.values import Maker, Pairs, encoded

__all__ = ["Decoders", "Listeners", "strictly"]

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "e2e" / "js" / "node_modules"


class Decoders:
    """Python's, and a Node that lives as long as this does; without Node, Python's alone."""

    def __init__(self) -> None:
        self._node: subprocess.Popen[bytes] | None = None
        self.has_node = shutil.which("node") is not None and (PACKAGES / "cbor-x").is_dir()
        if self.has_node:
            # Node looks for packages beside the program's file.
            source = (HERE / "decoders.mjs").read_text()
            command = ["node", "--input-type=module", "-e", source]
            self._node = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PACKAGES.parent
            )

    def check(self, passed: list[tuple[str, bytes]]) -> None:
        """``passed``: what was passed on, with its serializer. Raises: Finding: one of them refuses it."""
        for serializer, data in passed:
            try:
                strictly(serializer, data)
            except Exception as error:
                raise Finding(
                    f"Python's {serializer} refuses what was passed on: {error!r}: {data.hex()}"
                ) from None
        if self._node is None:
            return
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        for serializer, data in passed:
            self._node.stdin.write(f"{serializer} {data.hex()}\n".encode())
            self._node.stdin.flush()
            answer = self._node.stdout.readline().decode().strip()
            if answer != "ok":
                raise Finding(f"Node's {serializer} refuses what was passed on: {answer}: {data.hex()}")

    def close(self) -> None:
        """End Node."""
        if self._node is not None:
            assert self._node.stdin is not None
            self._node.stdin.close()
            self._node.wait(10)


def strictly(serializer: str, data: bytes) -> Any:
    """Decode as the strictest would. Raises: whatever the decoder does."""
    if serializer == "json":
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    if serializer == "msgpack":
        value = msgpack.unpackb(data, strict_map_key=True, raw=False)
    else:
        value = cbor2.loads(data)
    _look(value, KEYS[serializer])
    return value


KEYS: dict[str, tuple[type, ...]] = {
    "msgpack": (str,),
    # Passed on as they are, as docs/protocol.md says.
    "cbor": (str, int, float, bool, type(None)),
}


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond a double")
    return value


def _look(value: Any, keys: tuple[type, ...]) -> None:
    """Raises: ValueError: a key of another kind, or half a character."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, keys):
                raise ValueError(f"a key that not every decoder takes: {key!r}")
            _look(key, keys)
            _look(item, keys)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _look(item, keys)
    elif isinstance(value, str):
        value.encode()


class Listeners:
    """Sessions that hear what publishers of each serializer say."""

    def __init__(self, oracle: Oracle, decoders: Decoders) -> None:
        self.oracle = oracle
        self.decoders = decoders
        port = oracle.target.port
        self.ears = [WebSocket(port, name) for name in SERIALIZERS]
        for ear in self.ears:
            ear.join("owner")
            assert ear.ask([32, 1, {"match": "prefix"}, "own.said"])[0] == 33
        self.plain = WebSocket(port, "json", path="/listen/a.said")
        self.mouths: dict[str, tuple[WebSocket, int]] = {}
        self.passed = self.refused = 0

    def mouth(self, serializer: str) -> tuple[WebSocket, int]:
        """A publisher, and its next request."""
        if serializer not in self.mouths or self.mouths[serializer][0].is_closed:
            mouth = WebSocket(self.oracle.target.port, serializer)
            mouth.join("owner")
            self.mouths[serializer] = (mouth, 1)
        return self.mouths[serializer]

    def play(self, random: Random, count: int = 15) -> None:
        """Publish, and call, random payloads. Raises: Finding."""
        serializer = random.choice(SERIALIZERS)
        maker = Maker(random, serializer)
        mouth, request = self.mouth(serializer)
        mouth.say(*(_message(maker, request + number) for number in range(count)))
        answers = self.oracle.settled(mouth)
        self.mouths[serializer] = (mouth, request + count)
        taken = sum(LOAD[serializer](answer)[0] in (17, 50) for answer in answers)
        self.passed += taken
        self.refused += len(answers) - taken
        passed = [(serializer, answer) for answer in answers]
        passed += [(ear.serializer, data) for ear in self.ears for data in self.oracle.settled(ear)]
        # A plain listener's frames hold the data alone, which need be no list.
        passed += [("json", b"[" + data + b"]") for data in self.oracle.settled(self.plain)]
        self.decoders.check(passed)


def _message(maker: Maker, request: int) -> bytes:
    random = maker.random
    payload: list[Any] = [[maker.value()]]
    if random.random() < 0.3:
        payload.append(Pairs([(maker.text(), maker.value())]))
    if random.random() < 0.2:
        return encoded(maker.serializer, [48, request, {}, "radiod.echo", *payload])
    topic = random.choice(("own.said", "own.said", "a.said"))
    return encoded(maker.serializer, [16, request, {"acknowledge": True}, topic, *payload])
