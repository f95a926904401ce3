"""Durable channels on the real server and disk: what was acknowledged survives, and starts that cannot be."""

import json
import sqlite3
import subprocess
import sys
import urllib.request

import pytest
from support import nursery
from support.config import configuration
from support.running import ROOT, TWISTD, environment, radiod
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

SECONDS = 60
DURABLE = """
[realms.radio.channels.log]
durable = true
"""


def publish(server, *numbers):
    for number in numbers:
        body = json.dumps({"topic": "log", "args": [number]}).encode()
        request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": "sample-key"})
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            assert "id" in json.load(answer)


def poll(server, query):
    with urllib.request.urlopen(f"{server.url}/listen/log?{query}", timeout=SECONDS) as answer:
        return json.load(answer)


def config(path):
    """Of a radiod with a durable channel, on which the key may publish."""
    return configuration(
        f'{DURABLE}\n[store]\npath = {json.dumps(str(path))}\n[realms.radio.keys.sample]\npublish = ["*"]'
    )


def test_a_restart_goes_on_with_the_same_positions(tmp_path):
    text = config(tmp_path / "store.sqlite")
    with radiod(tmp_path, text) as server:
        publish(server, 1, 2)
        first, second = poll(server, "last=2")
        assert server.stop() == 0
    with radiod(tmp_path, text) as server:
        publish(server, 3)
        assert poll(server, "last=3")[:2] == [first, second]
        (third,) = poll(server, f"after={second['position']}")
    assert third["position"] == second["position"].replace(":2", ":3")
    assert [first["data"], second["data"], third["data"]] == [1, 2, 3]


def test_a_created_channel_survives_a_kill_with_its_key_and_the_time_that_is_left(tmp_path):
    text = config(tmp_path / "store.sqlite")
    with radiod(tmp_path, text) as server:
        client = RawClient(server.port)
        options = {"durable": True, "lifetime": 600, "on_owner_leave": "keep"}
        created = client.ask([48, None, {}, "radiod.channel.create", ["new"], options])[3][0]
        client.ask([16, None, {"acknowledge": True}, "new", ["kept"]])
        short = client.ask([48, None, {}, "radiod.channel.create", ["short"], {**options, "lifetime": 0.1}])
        assert short[0] == 50
        server.process.kill()
        server.process.wait(SECONDS)
        client.close()
    with radiod(tmp_path, text) as server:
        client = RawClient(server.port)
        (found,) = client.ask([48, None, {}, "radiod.channel.get", ["new"]])[3]
        assert abs(found["expires"] - created["expires"]) < 1
        (past,) = client.ask([48, None, {}, "radiod.channel.history", ["new"]])[3]
        assert [event["args"] for event in past["events"]] == [["kept"]]
        assert client.ask([48, None, {}, "radiod.channel.get", ["short"]])[4] == "radiod.error.channel_closed"
        deleted = client.ask([48, None, {}, "radiod.channel.delete", ["new", created["control_key"]]])
        assert deleted[0] == 50
        client.close()
        assert server.stop() == 0
    with radiod(tmp_path, text) as server:
        client = RawClient(server.port)
        # Who was not there is told as others were.
        assert client.ask([48, None, {}, "radiod.channel.get", ["new"]])[4] == "radiod.error.channel_closed"
        client.close()


def test_the_command_line_names_a_store(tmp_path):
    for number in (1, 2):
        with radiod(
            tmp_path, configuration(DURABLE), None, "--store", str(tmp_path / "other.sqlite")
        ) as server:
            with urllib.request.urlopen(f"{server.url}/healthz", timeout=SECONDS) as answer:
                assert answer.status == 200
            assert "not implemented" not in server.log.read_text()
            assert number


def test_nothing_acknowledged_is_missing_after_any_of_three_kills():
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "durable.py"), "--rounds", "3"],
        capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def run(*arguments):
    return nursery.run(
        [*TWISTD, "-n", "--pidfile=", "radiod", "--listen", "tcp:0:interface=127.0.0.1", *arguments],
        capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip


def another_programs(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def damaged(path):
    path.write_bytes(b"no database" * 1000)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.mkdir(), "store.sqlite"),
        (another_programs, "another program"),
        (damaged, "not a SQLite database"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_and_status_1(tmp_path, spoil, words):
    path = tmp_path / "store.sqlite"
    spoil(path)
    done = run("--store", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("radiod: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_store_in_use_is_one_line_and_status_1(tmp_path):
    path = tmp_path / "store.sqlite"
    with radiod(tmp_path, configuration(), None, "--store", str(path)):
        done = run("--store", str(path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "in use by another program" in done.stderr


def test_a_durable_channel_without_a_store_is_one_line_and_status_1(tmp_path):
    file = tmp_path / "radiod.toml"
    file.write_text(configuration(DURABLE))
    done = run("--config", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "realms.radio.channels.log.durable: needs a store" in done.stderr


def test_what_was_published_before_sigterm_is_acknowledged(tmp_path):
    # In one read, and more than has a share of one turn, or of two.
    count = 1000
    with radiod(tmp_path, config(tmp_path / "store.sqlite")) as server:
        client = RawClient(server.port)
        client.say(*([16, None, {"acknowledge": True}, "log", [number]] for number in range(count)))
        # Who comes later is served later: the server has read all that.
        RawClient(server.port).close()
        server.process.terminate()
        assert [client.hear()[0] for _ in range(count)] == [17] * count
        assert client.hear_close() == 1012
        assert server.ended() == 0
