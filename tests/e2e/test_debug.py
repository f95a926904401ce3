"""What ails a server: ``radioctl debug``, ``metrics`` and ``top`` over the admin socket of a real one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import nursery
from support.config import configuration
from support.running import Server, environment, radiod
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

SECONDS = 60
NOBODY = 65_534

CONFIG = """
[admin]
socket = "control.sock"

[realms.radio.roles.mighty]
subscribe = ["*"]
publish = ["*"]
call = ["*", "radiod.admin.*"]
register = ["*"]

[realms.radio.users.boss]
role = "mighty"
ticket = "boss-ticket"
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that others may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with radiod(folder, configuration(CONFIG)) as server:
        yield server


@pytest.fixture(scope="module")
def slow(server: Server) -> Iterator[RawClient]:
    """Listens, and reads nothing."""
    with contextlib.closing(RawClient(server.port, receive_buffer=4096, agent="Slow")) as slow:
        slow.ask([32, 1, {}, "weather.island"])
        with contextlib.closing(RawClient(server.port)) as writer:
            history = {"size": 50}
            writer.ask([48, None, {}, "radiod.channel.create", ["weather.island"], {"history": history}])
            for _ in range(20):
                writer.say(*([16, None, {}, "weather.island", ["x" * 10_000]] for _ in range(50)))
                writer.ask([48, None, {}, "radiod.echo"])
            yield slow


def radioctl(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "radiod.ctl", "--socket", str(folder / "control.sock"), *words]
    done = nursery.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_a_developer_is_told(folder: Path, server: Server, slow: RawClient) -> None:
    told = json.loads(radioctl(folder, "debug", "--json"))
    assert any(line.startswith("thread MainThread") for line in told["stacks"])
    assert told["process"]["process_resident_memory_bytes"] > 1 << 20
    assert told["objects"]["total"] > 10_000
    assert told["channels"][0]["name"] == "weather.island"
    assert told["channels"][0]["events"] == 50
    (listener,) = told["listeners"]
    assert (listener["agent"], listener["channel"], listener["is_blocked"]) == (
        "Slow",
        "weather.island",
        True,
    )
    text = radioctl(folder, "debug")
    for title in (
        "garbage collector on",
        "objects (",
        "largest channel",
        "slow listener",
        "thread MainThread",
    ):
        assert title in text


def test_top_knows_who_is_slow(folder: Path, server: Server, slow: RawClient) -> None:
    text = radioctl(folder, "top")
    assert "slow listener" in text
    assert "lag" in text
    rounds = [
        json.loads(line)
        for line in radioctl(folder, "top", "--json", "--count", "2", "--every", "1").splitlines()
    ]
    assert rounds[1]["slowest"][0]["channel"] == "weather.island"
    assert rounds[1]["busiest"][0]["published_per_s"] is not None


def test_metrics_are_there_without_an_endpoint_for_them(folder: Path, server: Server) -> None:
    text = radioctl(folder, "metrics")
    assert "radiod_build_info{version=" in text
    promtool = shutil.which("promtool")
    assert promtool is not None, "promtool is in the package prometheus"
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_no_role_is_told_over_a_network(server: Server) -> None:
    with contextlib.closing(RawClient(server.port, login=("boss", "boss-ticket"))) as boss:
        answer = boss.ask([48, None, {}, "radiod.admin.debug"])
        assert answer[4:] == [
            "wamp.error.not_authorized",
            ["radiod.admin.debug is for sessions on the admin socket"],
        ]
        assert boss.ask([48, None, {}, "radiod.admin.metrics"])[0] == 50


def test_the_socket_is_for_its_owner_alone(folder: Path, server: Server) -> None:
    path = folder / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == os.geteuid()
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(str(path))
    if os.geteuid() == 0:
        connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        command = ["/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable, "-c", connect]
        theirs = subprocess.run(
            [*command, str(path)],
            user=NOBODY,
            group=NOBODY,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        assert "PermissionError" in theirs.stderr
