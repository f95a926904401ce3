"""What ``python -m radiod.store`` does: check a store, save what can be read, copy it while it is used."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final

from radiod.store.findings import Findings, Stream, examine
from radiod.store.image import read_image
from radiod.store.opening import EPOCH_BYTES, explain
from radiod.store.records import LOST, StoredEvent, StoreError
from radiod.store.schema import begin, guard
from radiod.store.sums import channel_sum, event_sum, salt, stream_sum

__all__ = ["DAMAGED", "FAILED", "WHOLE", "backup", "check", "salvage"]

WHOLE: Final = 0
DAMAGED: Final = 1
FAILED: Final = 2

Say = Callable[[str], None]


def check(path: str, say: Say) -> int:
    """Tell what of a store is damaged; nothing is changed. Returns: ``WHOLE`` or ``DAMAGED``.

    Raises: StoreError: there is nothing that could be checked.
    """
    image = read_image(path)
    if image.is_in_use:
        say("in use by a running server: this is how it stands now")
    return _report(examine(image), say)


def salvage(path: str, new: str, say: Say) -> int:
    """Write what can be read of a store to a new file. Returns: as ``check``.

    Raises: StoreError: nothing could be read, or written; or a server uses it.
    """
    image = read_image(path)
    if image.is_in_use:
        raise StoreError("in use by a running server; stop it first, or use backup")
    findings = examine(image)
    _create(new, lambda: _write(findings, new))
    status = _report(findings, say)
    say(f"kept in {new}")
    return status


def backup(path: str, new: str, say: Say) -> int:
    """Copy a store as it stands now, a server that uses it notwithstanding. Returns: as ``check``."""
    image = read_image(path)
    findings = examine(image)

    def write() -> None:
        with open(new, "r+b") as file:
            file.write(image.data)
            file.flush()
            os.fsync(file.fileno())

    _create(new, write)
    status = _report(findings, say)
    say(f"copied to {new}")
    return status


def _report(findings: Findings, say: Say) -> int:
    for problem in findings.problems:
        say(f"damaged: {problem}")
    for loss in findings.losses:
        say(f"lost: {loss}")
    say(findings.summary)
    return DAMAGED if findings.problems or findings.losses else WHOLE


def _create(path: str, write: Callable[[], None]) -> None:
    """Make a file that was not there, whole or not at all, and readable for its owner only."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    try:
        write()
    except (OSError, sqlite3.Error) as error:
        os.unlink(path)
        raise StoreError(f"{path}: {explain(error)}") from None


def _write(findings: Findings, path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        begin(connection, findings.access.start)
        connection.executemany("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?)", _channels(findings))
        for id, stream in enumerate(findings.streams, 1):
            values = (id, stream.realm, stream.channel, _epoch(findings, stream), stream.last)
            connection.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?)", (*values, stream_sum(*values))
            )
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _events(id, stream)
            )
        _write_access(findings, connection)
        guard(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()


def _write_access(findings: Findings, connection: sqlite3.Connection) -> None:
    for name, row in (*findings.access.rows(), *(("audit", row) for row in findings.access.audit())):
        connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)


def _channels(findings: Findings) -> Iterator[tuple[Any, ...]]:
    for (realm, name), rest in findings.channels.items():
        yield realm, name, *rest, channel_sum(realm, name, *rest)


def _epoch(findings: Findings, stream: Stream) -> str:
    """Another one where nobody knows how far it had counted: no number may come twice."""
    is_known = stream.is_whole and not findings.problems
    return stream.epoch if is_known else secrets.token_hex(EPOCH_BYTES)


def _events(id: int, stream: Stream) -> Iterator[tuple[Any, ...]]:
    mark = salt(id, stream.realm, stream.channel)
    lost = {seq: _lost(seq) for seq in stream.damaged | stream.lost_before if 0 < seq <= 2**53}
    for seq, event in sorted((lost | stream.events).items()):
        yield (
            id,
            seq,
            event.time,
            event.publication,
            event.codec_name,
            event.args,
            event.kwargs,
            event.details_json,
            event.options_json,
            event_sum(mark, event),
        )


def _lost(seq: int) -> StoredEvent:
    """What says that there was an event."""
    return StoredEvent(
        epoch="",
        seq=seq,
        time=0.0,
        publication=0,
        codec_name=LOST,
        args=b"",
        kwargs=b"",
        details_json=b"",
        options_json=b"",
    )
