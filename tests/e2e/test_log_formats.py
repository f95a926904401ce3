"""What a running server writes to its log in each format, whatever clients show it and say."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from support.config import configuration
from support.indiscretions import EVIL_CLEANED, HUSH, configured, say_everything
from support.running import radiod

from radiod.logs.events import EVENTS

pytestmark = pytest.mark.e2e

SECONDS = 30
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 \[")


def parsed(log: Path) -> list[dict[str, object]]:
    """Every line of a log in JSON. Raises: ValueError: one is not."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_secret_is_written_and_no_line_is_forged(tmp_path: Path, format: str) -> None:
    with radiod(tmp_path, configured(tmp_path, format)) as server:
        admin = tmp_path / f"radiod-admin-{server.port}.sock"
        made = say_everything(server.port, admin)
        assert server.stop() == 0
        log = server.log.read_text()
    assert len(made) >= 8
    assert HUSH.findall(log) == []
    assert [secret for secret in made if secret in log] == []
    lines = log.split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    if format == "text":
        assert [line for line in lines if not LINE.match(line)] == []
        assert EVIL_CLEANED in log
        return
    told = parsed(server.log)
    assert {line["event"] for line in told} <= set(EVENTS)
    assert {"started", "stopped", "session_joined", "session_left", "login_refused", "key_refused"} <= {
        line["event"] for line in told
    }
    assert any(EVIL_CLEANED in str(line["text"]) for line in told)
    assert "forged" not in "".join(line[:7] for line in lines)


def test_the_first_line_has_the_format_and_so_has_the_last(tmp_path: Path) -> None:
    with radiod(tmp_path, configuration('[log]\nformat = "json"\n')) as server:
        assert server.stop() == 0
        told = parsed(server.log)
    assert any("starting up" in str(line["text"]) for line in told)
    assert told[-1]["text"] == "Server Shut Down."
    events = [line["event"] for line in told]
    assert events.index("listening") < events.index("started") < events.index("stopped")


def test_a_log_file_has_the_format(tmp_path: Path) -> None:
    file = tmp_path / "file.log"
    config = configuration('[log]\nformat = "json"\n')
    with radiod(tmp_path, config, twistd=(f"--logfile={file}",)) as server:
        assert server.stop() == 0
    assert "started" in [line["event"] for line in parsed(file)]


ADDRESSES = 1250
EACH = 8


def test_ten_thousand_wrong_keys_are_few_lines_and_an_exact_number(tmp_path: Path) -> None:
    """From so many addresses that none has to wait; one interval, however long it takes."""
    config = configuration('[log]\nformat = "json"\n', log_interval_s=600)
    ask = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: wrong\r\nContent-Length: 2\r\n\r\n{}"
    with radiod(tmp_path, config) as server:
        for number in range(ADDRESSES):
            source = (f"127.1.{number >> 8}.{number & 255}", 0)
            with socket.create_connection(("127.0.0.1", server.port), SECONDS, source) as client:
                client.sendall(ask * EACH)
                answers = b""
                while answers.count(b"HTTP/1.1 400 ") < EACH:
                    more = client.recv(65_536)
                    assert more, answers
                    answers += more
        counted = refusals(server.port)
        assert server.stop() == 0
        refused = [line for line in parsed(server.log) if line["event"] == "key_refused"]
    assert counted["wrong_keys"] == ADDRESSES * EACH == 10_000
    assert sum(int(str(line.get("left_out", 1))) for line in refused) == 10_000
    assert len(refused) <= 200
    assert len({str(line["peer"]).rpartition(":")[0] for line in refused}) > 60
    assert {line["method"] for line in refused} == {"api-key"}


def refusals(port: int) -> dict[str, int]:
    """What the statistics count as refused."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as wire:
        wire.sendall(b"\x7f\xf1\0\0")
        answer = b""
        for message in ([1, "radio", {"roles": {"caller": {}}}], [48, 1, {}, "radiod.server.stats"]):
            data = json.dumps(message).encode()
            wire.sendall(len(data).to_bytes(4, "big") + data)
        while b'"wrong_keys"' not in answer or not answer.endswith(b"]"):
            more = wire.recv(65_536)
            assert more, answer
            answer += more
    found = re.search(rb'"wrong_keys":(\d+)', answer)
    assert found is not None
    return {"wrong_keys": int(found[1])}
