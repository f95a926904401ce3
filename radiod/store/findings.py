"""What a store's file still holds, and what it has lost: for ``check`` and ``salvage``.

Where its structure is sound its rows are read by SQLite, else wherever they lie (``cells``). Whether a row is
what was written its checksum tells in both cases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from radiod.store.cells import Text, rows
from radiod.store.holdings import AUDIT, AUDIT_START, Holdings, classify
from radiod.store.image import Image
from radiod.store.journal import spans
from radiod.store.opening import explain
from radiod.store.records import LOST, StoredEvent, StoreError
from radiod.store.schema import identify, read_text
from radiod.store.sums import NONSENSE, channel_sum, is_whole, salt, stream_sum
from radiod.store.tables import KEPT, USAGE
from radiod.store.wal import LogState

__all__ = ["Findings", "Stream", "examine"]

MAX_PROBLEMS: Final = 5
CHANNEL, STREAM, EVENT, NAME = "channel", "stream", "event", "name"


class Stream:
    """One channel's history.

    ``is_whole``: whether its name and count are what was written. ``events``: those that are, by number;
    ``damaged``: the numbers of those that are not; ``lost_before``: those that an earlier salvage gave up.
    """

    def __init__(self, id: int, realm: str, channel: str, epoch: str, seq: int, is_whole: bool) -> None:
        self.id = id
        self.realm = realm
        self.channel = channel
        self.epoch = epoch
        self.seq = seq
        self.is_whole = is_whole
        self.events: dict[int, StoredEvent] = {}
        self.damaged: set[int] = set()
        self.lost_before: set[int] = set()

    def add(self, seq: int, event: StoredEvent, sum: int | None) -> None:
        """Take one row, which may be there more than once."""
        if not is_whole(event, salt(self.id, self.realm, self.channel), sum):
            if seq not in self.events:
                self.damaged.add(seq)
        elif event.codec_name == LOST:
            self.lost_before.add(seq)
        else:
            self.events[seq] = event
            self.damaged.discard(seq)

    @property
    def last(self) -> int:
        """How far the channel has counted, as far as that can be told."""
        numbers = (*self.events, *self.lost_before, *(seq for seq in self.damaged if 0 < seq <= 2**53))
        return max(self.seq, max(numbers, default=0))

    @property
    def missing(self) -> str:
        """Numbers between the first and the last that no row has, for people."""
        first, last = min(self.events, default=0), max(self.events, default=0)
        known = sorted(
            seq for seq in {*self.events, *self.damaged, *self.lost_before} if first <= seq <= last
        )
        gaps = [(before + 1, after - 1) for before, after in pairwise(known) if after > before + 1]
        return ", ".join(str(start) if start == end else f"{start}-{end}" for start, end in gaps)

    def __str__(self) -> str:
        return f"{self.realm} {self.channel}"


class Findings:
    """What was found.

    ``problems``: of the file's structure, a line for each; while there are none, what is missing beyond
    ``losses`` never was. ``losses``: what was stored and cannot be had any more, a line for each.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.losses: list[str] = []
        # realm, name -> settings, hash of the control key, expires
        self.channels: dict[tuple[str, str], tuple[str, bytes | None, float | None]] = {}
        self.streams: list[Stream] = []
        self.access = Holdings()

    @property
    def summary(self) -> str:
        """What is there, on one line."""
        events = sum(len(stream.events) for stream in self.streams)
        return (
            f"{len(self.channels)} created channels, {len(self.streams)} histories, {events} events"
            f"{self.access.summary} are whole"
        )


def examine(image: Image) -> Findings:
    """Look through a whole store. Raises: StoreError: it is none, or a newer radiod's."""
    if not (image.pages or image.others):
        raise StoreError("the file is empty; radiod begins a new store in it")
    problems = list(image.problems)
    found, stranger = _by_structure(image, problems)
    if problems or image.log in (LogState.DAMAGED, LogState.DOUBTFUL):
        found = list(_by_cells(image))
    findings = Findings(problems)
    is_ours = _sort(findings, found)
    if stranger is not None and not is_ours:
        raise stranger
    if stranger is not None:
        problems.append("the file's head is damaged")
    return findings


_Found = tuple[str, Sequence[Any]]


def _by_structure(image: Image, problems: list[str]) -> tuple[list[_Found], StoreError | None]:
    """All rows, as SQLite finds them, and why the file may be none of radiod's.

    ``problems`` gets what SQLite complains of.
    """
    data = bytearray(image.data)
    # As if it had no log, which is applied.
    data[18:20] = b"\1\1"
    connection = sqlite3.connect(":memory:")
    connection.text_factory = read_text
    try:
        connection.deserialize(bytes(data))
        version = identify(connection)
        checked = connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})").fetchall()
        lines = "\n".join(text for (text,) in checked).splitlines()
        problems.extend([line for line in lines if line != "ok" and "***" not in line][:MAX_PROBLEMS])
        if problems or version == 0:
            return [], None
        return list(_read(connection, version)), None
    except StoreError as error:
        if "newer" in str(error):
            raise
        problems.append(str(error))
        return [], error
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        problems.append(explain(error))
        return [], None
    finally:
        connection.close()


def _read(connection: sqlite3.Connection, version: int) -> Iterator[_Found]:
    end: list[Any] = [None] if version == 1 else []
    for table, kind in (("channels", CHANNEL), ("streams", STREAM), ("events", EVENT)):
        for row in connection.execute(f"SELECT * FROM {table}"):
            yield kind, [*row, *end]
    if version >= 3:
        for name in (*(table.name for table in (*KEPT.values(), USAGE)), AUDIT, AUDIT_START):
            for row in connection.execute(f"SELECT * FROM {name}"):
                yield name, row


def _by_cells(image: Image) -> Iterator[_Found]:
    """All rows that have the shape of ours."""
    for id, values in rows(image.pages, image.others):
        found = _classify(id, [read_text(value) if type(value) is Text else value for value in values])
        if found is not None:
            yield found


def _classify(id: int | None, values: list[Any]) -> _Found | None:
    return classify(id, values) or _classify_event(id, values)


def _classify_event(id: int | None, values: list[Any]) -> _Found | None:
    kinds = [type(value) for value in values]
    if id is not None:
        if len(values) in (5, 6) and kinds[:5] == [type(None), str, str, str, int]:
            return STREAM, [id, *values[1:], *[None] * (6 - len(values))]
    elif len(values) in (5, 6) and kinds[:3] == [str, str, str]:
        values[4] = float(values[4]) if type(values[4]) is int else values[4]
        return CHANNEL, [*values, *[None] * (6 - len(values))]
    elif len(values) in (9, 10) and kinds[:2] == [int, int]:
        values[2] = float(values[2]) if type(values[2]) is int else values[2]
        return EVENT, [*values, *[None] * (10 - len(values))]
    elif kinds == [str, str, int]:
        return NAME, values
    return None


def _sort(findings: Findings, found: Iterable[_Found]) -> bool:
    """Tell what is whole from what is not. Returns: whether any checksum says that this is a store."""
    by_kind: dict[str, list[Sequence[Any]]] = {CHANNEL: [], STREAM: [], EVENT: [], NAME: []}
    for kind, values in found:
        if kind not in by_kind:
            findings.access.take(kind, tuple(values))
        elif kind != EVENT or type(values[0]) is type(values[1]) is int:
            by_kind[kind].append(values)
    is_ours = findings.access.is_any
    findings.access.judge(is_certain=not findings.problems)
    findings.losses += findings.access.losses
    is_ours = _take_channels(findings, by_kind[CHANNEL]) or is_ours
    streams = _streams(by_kind[STREAM], by_kind[NAME])
    is_ours = _take_events(findings, streams, by_kind[EVENT]) or is_ours
    return is_ours or any(stream.is_whole for stream in streams.values())


def _take_channels(findings: Findings, rows: list[Sequence[Any]]) -> bool:
    damaged: dict[tuple[str, str], None] = {}
    for *values, sum in rows:
        realm, name = values[:2]
        if _is(channel_sum, values, sum):
            findings.channels[realm, name] = (values[2], values[3], values[4])
        else:
            damaged[realm, name] = None
    for realm, name in damaged:
        if (realm, name) not in findings.channels:
            findings.losses.append(f"channel {_text(realm)} {_text(name)}: its settings and its control key")
    return bool(findings.channels)


def _streams(rows: list[Sequence[Any]], names: list[Sequence[Any]]) -> dict[int, Stream]:
    """Id -> stream; of those whose row is damaged or gone, by what the index says, or the row as it is."""
    streams: dict[int, Stream] = {}
    for *values, sum in rows:
        id, realm, channel, epoch, seq = values
        stream = Stream(id, realm, channel, epoch, seq, is_whole=_is(stream_sum, values, sum))
        known = streams.get(stream.id)
        if known is None or (stream.is_whole, stream.seq) > (known.is_whole, known.seq):
            streams[stream.id] = stream
    for realm, channel, id in names:
        known = streams.get(id)
        if known is None or (not known.is_whole and not _is_text(known.realm, known.channel)):
            streams[id] = Stream(id, realm, channel, "", 0, is_whole=False)
    return streams


def _take_events(findings: Findings, streams: dict[int, Stream], rows: list[Sequence[Any]]) -> bool:
    strays: dict[int, set[int]] = {}
    for id, seq, *rest, sum in rows:
        stream = streams.get(id)
        if stream is None:
            strays.setdefault(id, set()).add(seq)
        else:
            stream.add(seq, StoredEvent.of_row(stream.epoch, (seq, *rest)), sum)
    for stream in streams.values():
        _judge(findings, stream)
    for numbers in strays.values():
        findings.losses.append(f"events {spans(sorted(numbers))} of a channel whose name cannot be read")
    return any(stream.events for stream in streams.values())


def _judge(findings: Findings, stream: Stream) -> None:
    if not (stream.is_whole or stream.events):
        numbers = spans(sorted(stream.damaged))
        name = f"{_text(stream.realm)} {_text(stream.channel)}"
        findings.losses.append(f"history {name}, if that is its name{': ' if numbers else ''}{numbers}")
        return
    findings.streams.append(stream)
    if not stream.is_whole:
        findings.losses.append(f"history {stream}: how far it has counted")
    if stream.damaged:
        findings.losses.append(f"history {stream}: events {spans(sorted(stream.damaged))}")
    if findings.problems:
        if stream.missing:
            findings.losses.append(
                f"history {stream}: {stream.missing} not found (lost, or refused when published)"
            )
        findings.losses.append(f"history {stream}: what came after {stream.last}, if anything did")


def _is(sum_of: Any, values: list[Any], sum: int | None) -> bool:
    """Whether a row is what was written; None: it was written without a sum."""
    try:
        return sum is None or sum_of(*values) == sum
    except (AttributeError, *NONSENSE):
        return False


def _is_text(*values: Any) -> bool:
    return all(isinstance(value, str) and value.isprintable() for value in values)


def _text(value: Any) -> str:
    """A name that may be damaged, on one line."""
    return value if _is_text(value) else ascii(value)
