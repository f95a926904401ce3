"""What a running server writes to a real journal."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.indiscretions import EVIL_CLEANED, HUSH, configured, say_everything
from support.private_journal import PrivateJournal
from support.running import TWISTD, environment, free_port, program, wait_until

from radiod.logs.events import EVENTS

pytestmark = pytest.mark.e2e

SECONDS = 20
STREAM = 'export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/$$/fd/1); exec "$@"'
AS_SYSTEMD = ("systemd-cat", "--identifier=another", "sh", "-c", STREAM, "-")
"""Starts a program as systemd does: its standard output is the journal's, and it is told so."""


@pytest.fixture(scope="module")
def journal() -> Iterator[PrivateJournal]:
    with PrivateJournal() as journal:
        yield journal


@contextlib.contextmanager
def radiod(journal: PrivateJournal, folder: Path, format: str, *before: str) -> Iterator[int]:
    """Run one that sees the journal. Yields: its port, whose admin socket is ``folder``'s."""
    port = free_port()
    config = folder / "radiod.toml"
    config.write_text(configured(folder, format))
    twistd = [*before, *TWISTD, "-n", "--pidfile=", "radiod", "--config", str(config)]
    command = journal.inside(*twistd, "--listen", f"tcp:{port}:interface=127.0.0.1")
    log = folder / "log"
    with program(command, log, env=environment()) as process:
        wait_until(lambda: answers(port), process, log)
        yield port
        process.terminate()
        process.wait(SECONDS)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def written(journal: PrivateJournal, port: int) -> list[dict[str, Any]]:
    """All of the server that listened on this port."""
    (started,) = [
        entry for entry in journal.entries("RADIOD_EVENT=started") if f":{port}/" in entry["MESSAGE"]
    ]
    return journal.entries(f"_PID={started['_PID']}")


def test_no_secret_is_written_and_no_entry_is_forged(tmp_path: Path, journal: PrivateJournal) -> None:
    with radiod(journal, tmp_path, "journal") as port:
        made = say_everything(port, tmp_path / "radiod-admin.sock")
    assert (tmp_path / "log").read_text() == ""
    entries = written(journal, port)
    assert entries[-1]["MESSAGE"] == "Server Shut Down."
    # The command line and the like are the journal's own to tell.
    told = [{key: value for key, value in entry.items() if not key.startswith("_")} for entry in entries]
    texts = json.dumps(told, ensure_ascii=False)
    assert HUSH.findall(texts) == []
    assert [secret for secret in made if secret in texts] == []
    assert {entry["SYSLOG_IDENTIFIER"] for entry in told} == {"radiod"}
    assert {entry["RADIOD_EVENT"] for entry in told} <= set(EVENTS)
    assert all(entry["MESSAGE"].isprintable() for entry in told)
    assert any(EVIL_CLEANED in entry["MESSAGE"] for entry in told)
    assert not any(entry["MESSAGE"].startswith("forged") for entry in told)


def test_who_was_refused_can_be_searched_for(tmp_path: Path, journal: PrivateJournal) -> None:
    with radiod(journal, tmp_path, "auto", *AS_SYSTEMD) as port:
        say_everything(port, tmp_path / "radiod-admin.sock")
    entries = written(journal, port)
    assert {entry["_TRANSPORT"] for entry in entries} == {"journal"}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"radiod"}
    # No second time: the text begins with what was said.
    assert [entry["MESSAGE"] for entry in entries if re.match(r"\d{4}-\d\d-\d\d", entry["MESSAGE"])] == []
    pid = f"_PID={entries[0]['_PID']}"
    refused = journal.entries("RADIOD_EVENT=login_refused", "RADIOD_AUTHID=joe", pid)
    entry = next(entry for entry in refused if entry["RADIOD_METHOD"] == "ticket")
    assert entry["RADIOD_REALM"] == "radio"
    assert entry["RADIOD_PEER"].startswith("tcp:127.2.")
    assert entry["RADIOD_URI"].startswith("wamp.error.")
    assert entry["PRIORITY"] == "6"
    keys = journal.entries("RADIOD_EVENT=key_refused", pid)
    assert {"api-key", "authorization", "signature"} <= {entry.get("RADIOD_METHOD") for entry in keys}
    warned = journal.entries("RADIOD_EVENT=webhook_failed", pid)
    assert {(entry["PRIORITY"], entry["RADIOD_REALM"]) for entry in warned} == {("4", "radio")}
