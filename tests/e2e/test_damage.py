"""Stores that were damaged, moved or are full, and the real server on them."""

import contextlib
import json
import os
import resource
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support import nursery
from support.config import configuration
from support.programs import Failed, Program
from support.running import ROOT, environment, radiod

pytestmark = pytest.mark.e2e

SECONDS = 60
LOG = """
realms.radio.keys.sample.publish = ["*"]
realms.radio.channels.log.durable = true
"""


def serving(folder, path):
    return radiod(folder, configuration(f"{LOG}\nstore.path = {json.dumps(str(path))}"))


def fill(folder, path, count=9):
    """A store with some events. Returns: their positions."""
    with serving(folder, path) as server, contextlib.closing(Program(server.port)) as program:
        for number in range(1, count + 1):
            program.publish("log", f"event-{number}")
        events = program.call("radiod.channel.history", "log")["events"]
        assert server.stop() == 0
    return [event["position"] for event in events]


def change(path, text):
    data = path.read_bytes()
    assert data.count(text) == 1
    path.write_bytes(data.replace(text, bytes([text[0] ^ 1]) + text[1:]))


def tool(*arguments):
    done = nursery.run(
        [sys.executable, "-m", "radiod.store", *map(str, arguments)],
        capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def behind(server, position):
    """Go on behind a position, in every way. Returns: what comes, and whether nothing is missing."""
    program, publisher = Program(server.port), Program(server.port)
    program.listen("log", _radiod_after=position)
    live = f"live-{publisher.id}"
    publisher.publish("log", live)
    publisher.close()
    came, is_whole = [], True
    while live not in came:
        event = program.event()
        came.append(event.data)
        is_whole = is_whole and event.details.get("_recovered", True)
    page = program.call("radiod.channel.history", "log", after=position)
    assert [event["args"][0] for event in page["events"]] == came
    assert page["recovered"] == is_whole
    url = f"{server.url}/listen/log?after={position}"
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        assert [one["data"] for one in json.load(answer)] == came
    request = urllib.request.Request(url, headers={"Accept": "text/event-stream"})
    with urllib.request.urlopen(request, timeout=SECONDS) as stream:
        lines = []
        while not any(live in line for line in lines):
            lines.append(stream.readline().decode())
    assert all(any(one in line for line in lines) for one in came)
    program.close()
    return came, is_whole


def test_an_event_with_a_changed_letter_is_told_as_lost(tmp_path):
    path = tmp_path / "store.sqlite"
    positions = fill(tmp_path, path)
    change(path, b"event-5")
    with serving(tmp_path, path) as server:
        assert "damaged events of radio log are lost: 5" in server.log.read_text()
        numbers = [f"event-{number}" for number in range(1, 10) if number != 5]
        for at, expected in ((0, False), (3, False), (4, True), (8, True)):
            came, is_whole = behind(server, positions[at])
            seq = at + 1
            assert [one for one in came if "live" not in one] == [
                one for one in numbers if int(one[6:]) > seq
            ]
            assert is_whole is expected
        assert server.stop() == 0
    assert tool("check", path)[0] == 1
    new = tmp_path / "new.sqlite"
    status, said = tool("salvage", path, new)
    assert (status, "lost: history radio log: events 5\n" in said) == (1, True)
    with serving(tmp_path, new) as server:
        assert behind(server, positions[3])[1] is False
        assert behind(server, positions[4])[1] is True


def test_a_file_that_is_cut_off_is_one_line_and_can_be_salvaged(tmp_path):
    path = tmp_path / "store.sqlite"
    positions = fill(tmp_path, path, 30)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(AssertionError) as refused, serving(tmp_path, path):
        pass
    (line,) = [one for one in str(refused.value).splitlines() if one.startswith("radiod: ")]
    assert f"'python -m radiod.store check {path}' tells what is lost, 'salvage' keeps the rest" in line
    new = tmp_path / "new.sqlite"
    status, said = tool("salvage", path, new)
    assert status == 1
    assert "damaged: the file is cut off" in said
    with serving(tmp_path, new) as server:
        assert behind(server, positions[-1])[1] is False


def refused(program):
    try:
        program.publish("log", "more")
    except Failed as failure:
        return failure.uri
    return None


def http_status(server):
    body = json.dumps({"topic": "log", "args": ["by http"]}).encode()
    request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": "sample-key"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_file_moved_beneath_the_server_is_said_once_and_publishers_are_told(tmp_path):
    path = tmp_path / "store.sqlite"
    with serving(tmp_path, path) as server, contextlib.closing(Program(server.port)) as program:
        program.publish("log", 1)
        path.rename(f"{path}.away")
        for _ in range(3):
            assert refused(program) == "radiod.error.unavailable"
        assert http_status(server) == 503
        assert server.log.read_text().count("was moved, deleted or replaced") == 1
        Path(f"{path}.away").rename(path)
        assert refused(program) is None
        assert http_status(server) == 200
        assert "writes again" in server.log.read_text()


def test_a_full_disk_refuses_until_there_is_room(tmp_path):
    path = tmp_path / "store.sqlite"
    with serving(tmp_path, path) as server, contextlib.closing(Program(server.port)) as program:
        program.publish("log", 1)
        size = Path(f"{path}-wal").stat().st_size
        # No file of the server may grow; its log is one that stays.
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        assert refused(program) == "radiod.error.unavailable"
        assert http_status(server) == 503
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        assert refused(program) is None
        events = program.call("radiod.channel.history", "log")["events"]
        assert [event["args"] for event in events] == [[1], ["more"]]
        server.process.kill()
        server.process.wait(SECONDS)
    with serving(tmp_path, path) as server, contextlib.closing(Program(server.port)) as program:
        events = program.call("radiod.channel.history", "log")["events"]
        assert [event["args"] for event in events] == [[1], ["more"]]


def test_a_backup_while_it_is_written_is_whole(tmp_path):
    path, copy = tmp_path / "store.sqlite", tmp_path / "copy.sqlite"
    with serving(tmp_path, path) as server, contextlib.closing(Program(server.port)) as program:
        waiting = [program.begin_publish("log", "x" * 3000) for _ in range(50)]
        for _ in range(40):
            program.answer(waiting.pop(0))
            waiting.extend(program.begin_publish("log", "x" * 3000) for _ in range(20))
        status, said = tool("backup", path, copy)
        assert status == 0, said
        for request in waiting:
            program.answer(request)
        assert tool("check", path)[0] == 0
        assert "in use by a running server" in tool("check", path)[1]
        assert tool("salvage", path, tmp_path / "new")[0] == 2
    assert tool("check", copy)[0] == 0
    with serving(tmp_path, copy) as server, contextlib.closing(Program(server.port)) as program:
        assert "it is a copy of one that was in use" in server.log.read_text()
        # What had been acknowledged before it was made.
        assert len(program.call("radiod.channel.history", "log", limit=1000)["events"]) >= 40
