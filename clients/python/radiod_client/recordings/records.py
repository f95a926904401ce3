"""A sample as it stands in files and on stdout: JSON, one line each.

``{"position": "epoch:seq", "time": 1790000000.5, "data": …}``, with ``"gap": {"lost": n, "reason": …}`` where
something is missing right before; ``lost`` is null where nobody can know. Binary data and arrays are as in
WAMP's JSON: NUL and base64, see docs/arrays.md. JSON has no NaN: outside of arrays it becomes null.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from radiod_client._messages import _binary, _numpy
from radiod_client.samples import Gap, Sample

__all__ = ["Record", "Start", "as_json", "from_json", "json_text", "line_of", "parsed", "record_of"]


class Record(msgspec.Struct):
    """One sample of a recording. ``time``: seconds since 1970; ``rest``: what is beside ``data``."""

    position: str | None
    time: float
    data: Any
    gap: Gap | None = None
    rest: dict[str, Any] = {}


class Start(msgspec.Struct, frozen=True):
    """Where a recording began: of which channel, and behind which position."""

    channel: str
    position: str | None
    time: float


def record_of(sample: Sample, now: float) -> Record:
    """``now``: the time of its arrival, for samples that do not tell when they were published."""
    rest: dict[str, Any] = {}
    if len(sample.args) > 1:
        rest["args"] = sample.args
    if sample.args and sample.kwargs:
        rest["kwargs"] = sample.kwargs
    if sample.stream is not None:
        rest["stream"] = sample.stream
    time = sample.details.get("time")
    return Record(sample.position, now if time is None else time, sample.data, sample.gap, rest)


def as_json(value: Any) -> Any:
    """``value`` with what JSON lacks in WAMP's words."""
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _nul_base64(value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    encoded = _numpy(value)
    return value if encoded is None else as_json(encoded)


def _nul_base64(value: bytes | bytearray | memoryview) -> str:
    return "\0" + base64.b64encode(value).decode()


def from_json(value: Any) -> Any:
    """The other way: bytes are bytes again, and arrays what was published as arrays."""
    return _binary(value)


def json_text(value: Any) -> bytes:
    """``value`` as JSON on one line, without a line end. What nobody can write in JSON is its text."""
    return msgspec.json.encode(as_json(value), enc_hook=str)


def line_of(record: Record) -> bytes:
    """Its line, with the line end."""
    said: dict[str, Any] = {"position": record.position, "time": round(record.time, 6)}
    if record.gap is not None:
        said["gap"] = record.gap
    return json_text({**said, "data": record.data, **record.rest}) + b"\n"


def parsed(line: bytes) -> Record | Start:
    """What a line says. Raises: ValueError: it is none."""
    try:
        said = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    if not isinstance(said, dict):
        raise ValueError("expected an object")
    position, time = said.pop("position", None), said.pop("time", 0.0)
    if not isinstance(position, str | None) or not isinstance(time, int | float):
        raise ValueError("position is a text, and time a number")
    if "data" not in said:
        return Start(str(said.get("channel", "")), position, time)
    data, gap = from_json(said.pop("data")), said.pop("gap", None)
    try:
        read = None if gap is None else msgspec.convert(gap, Gap)
    except msgspec.ValidationError as error:
        raise ValueError(f"gap: {error}") from None
    return Record(position, time, data, read, from_json(said))
