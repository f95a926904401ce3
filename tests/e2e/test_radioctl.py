"""``radioctl`` on real servers: a seller's first day, other ways in, and what it says without a way."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request

import pytest
from support import nursery
from support.config import configuration
from support.running import ROOT, environment, free_port, radiod
from support.sweeps import sweep
from support.tls import certificate
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
SHOP = """
[store]
path = "radiod.sqlite"

[realms.radio]
anonymous = "listener"

[realms.radio.roles.boss]
call = ["*", "radiod.admin.*"]

[realms.radio.roles.clerk]
call = ["*", "radiod.*"]
subscribe = ["*"]
publish = ["*"]

[realms.radio.users.anna]
role = "boss"
ticket = "anna-ticket"

[realms.radio.users.bert]
role = "clerk"
ticket = "bert-ticket"

[realms.radio.channels."weather.harbour"]
"""


class Shop:
    """A server, and ``radioctl`` as its operator calls it, from anywhere."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"radiod-{self.port}.log"

    def server(self, *more):
        return radiod(self.folder, configuration(SHOP, base=""), self.port, *more)

    @property
    def config(self):
        return self.folder / f"radiod-{self.port}.toml"

    def run(self, *words, stdin="", variables=None):
        """(exit status, stdout, stderr)."""
        done = nursery.run(
            [sys.executable, "-m", "radiod.ctl", "--config", str(self.config), *map(str, words)],
            **{"input": stdin, "capture_output": True, "text": True, "timeout": SECONDS, "cwd": ROOT},
            env={**environment(), **(variables or {})},
        )
        return done.returncode, done.stdout, done.stderr

    def told(self, *words, **options):
        """What a command that is done tells."""
        status, out, err = self.run(*words, **options)
        assert (status, err) == (0, "")
        return out

    def json(self, *words, **options):
        return json.loads(self.told(*words, "--json", **options))

    def listen(self, stack, key, channel="weather.harbour"):
        """A plain WebSocket of the key's holder."""
        url = f"ws://127.0.0.1:{self.port}/listen/{channel}"
        return stack.enter_context(connect(url, additional_headers={"API-KEY": key}, compression=None))

    def published(self, key, data):
        body = json.dumps({"network": "weather.harbour", "data": {"n": data}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/publish", body, {"API-KEY": key}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def issued(text):
    """(id, secret) of what ``key issue`` tells."""
    found = re.fullmatch(r"(k_\w{12})  .*\n(rdk_\w{49})  \(shown once: only its hash is kept\)\n", text)
    assert found is not None, text
    return found.groups()


def test_a_sellers_first_day(shop):
    month = time.strftime("%Y-%m", time.gmtime())
    with shop.server(), contextlib.ExitStack() as stack:
        limits = "publish_rate=10", "publish_burst=20", "deliver_month=1000000", "connections=5"
        assert shop.told("plan", "set", "basic", *limits) == (
            "basic   publish_rate 10/s · publish_burst 20 · deliver_month 1,000,000 · connections 5\n"
        )
        assert shop.told("account", "set", "acme", "--plan", "basic", "--label", "ACME Ltd") == ""
        words = ("--listen", "weather.*", "--until", "2127-12-31", "--label", "dashboard")
        told = shop.told("key", "issue", "--account", "acme", *words)
        id, secret = issued(told)
        assert told.startswith(
            f"{id}  ACME Ltd, plan basic   listen weather.*   until 2127-12-31 00:00 UTC\n{secret}  ("
        )
        listeners = [shop.listen(stack, secret) for _ in range(3)]
        for number in range(4):
            assert shop.told("publish", "weather.harbour", json.dumps({"wind": number})) == ""
            for listener in listeners:
                assert json.loads(listener.recv(SECONDS))["args"] == [{"wind": number}]
        rows = shop.told("usage", "--account", "acme", "--month", month).splitlines()
        assert rows[0] == "account  published  delivered   dropped  bytes out  hours connected"
        assert rows[1].split()[:4] == ["acme", "0", "12", "0"]
        assert shop.json("usage", "--by", "key", "--account", "acme")["rows"][0]["delivered"] == 12
        assert shop.told("key", "revoke", id, "--reason", "contract ended") == (
            f"{id} revoked; 3 connections ended\n"
        )
        for listener in listeners:
            with pytest.raises(ConnectionClosed) as closed:
                listener.recv(SECONDS)
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "revoked")
        did = [(entry["action"], entry["object"]) for entry in shop.json("audit")["entries"]]
        assert did == [("plan.set", "basic"), ("account.set", "acme"), ("key.issue", id), ("key.revoke", id)]
        assert {entry["actor"] for entry in shop.json("audit")["entries"]} == {f"socket:{os.getuid()}"}
        lines = shop.told("key", "list").splitlines()
        assert lines[1].split()[:4] == [id, "acme", "revoked", "(contract"]
        assert secret not in shop.log.read_text()


def test_keys_from_the_first_to_the_last_secret(shop):
    with shop.server():
        id, secret = issued(shop.told("key", "issue", "--publish", "weather.*"))
        assert shop.published(secret, 1) == 200
        told = shop.told("key", "rotate", id, "--overlap", "0")
        second = re.search(r"rdk_\w{49}", told)[0]
        assert shop.published(second, 2) == 200
        with pytest.raises(urllib.error.HTTPError):
            shop.published(secret, 3)
        assert shop.told("key", "suspend", id) == f"{id} suspended; 0 connections ended\n"
        with pytest.raises(urllib.error.HTTPError) as refused:
            shop.published(second, 4)
        assert json.load(refused.value)["reason"] == "suspended"
        assert shop.told("key", "resume", id) == f"{id} active\n"
        assert shop.published(second, 5) == 200
        shop.told("key", "update", id, "--publish", "other", "--label", "moved")
        with pytest.raises(urllib.error.HTTPError):
            shop.published(second, 6)
        assert shop.json("key", "get", id)["publish"] == ["other"]


def test_users_log_in_with_tickets_that_nobody_saw(shop):
    with shop.server():
        words = ("user", "set", "carla", "--role", "clerk", "--ticket-file", "-")
        assert shop.told(*words, stdin="carla-ticket\n") == ""
        ticket = shop.folder / "ticket"
        ticket.write_text("carla-ticket")
        url = ("--url", f"ws://127.0.0.1:{shop.port}", "--authid", "carla", "--ticket-file", ticket)
        assert shop.told(*url, "publish", "a", "1") == ""
        assert shop.told("user", "suspend", "carla") == "carla suspended; 0 connections ended\n"
        assert shop.run(*url, "publish", "a", "1")[0] == 1
        shop.told("user", "resume", "carla")
        assert shop.told(*url, "publish", "a", "1") == ""
        shop.told("user", "delete", "carla")
        assert shop.run(*url, "publish", "a", "1")[0] == 1
        assert "carla-ticket" not in shop.log.read_text()


@pytest.mark.parametrize("scheme", sweep(["wss", "rs", "ws", "rss"], 2))
def test_elsewhere_it_needs_a_role_that_names_the_procedures(shop, scheme):
    file, tls = certificate(shop.folder), free_port()
    listen = ("--listen", f"ssl:{tls}:privateKey={file}:interface=127.0.0.1")
    url = {
        "ws": f"ws://127.0.0.1:{shop.port}",
        "rs": f"rs://127.0.0.1:{shop.port}",
        "wss": f"wss://localhost:{tls}/ws",
        "rss": f"rss://localhost:{tls}",
    }[scheme]
    trust = {"SSL_CERT_FILE": str(file)}
    with shop.server(*listen):
        anna = ("--url", url, "--authid", "anna", "--ticket-file", "-")
        issued(shop.told(*anna, "key", "issue", stdin="anna-ticket", variables=trust))
        assert (
            shop.json(*anna, "audit", stdin="anna-ticket", variables=trust)["entries"][0]["actor"] == "anna"
        )
        bert = ("--url", url, "--authid", "bert", "--ticket-file", "-")
        status, out, err = shop.run(*bert, "key", "list", stdin="bert-ticket", variables=trust)
        assert (status, out) == (1, "")
        assert err.startswith("radioctl: wamp.error.not_authorized: role clerk may not call radiod.admin.")
        assert shop.run(*anna, "key", "list", stdin="wrong", variables=trust)[0] == 1
        # Nobody in particular may listen.
        assert shop.run("--url", url, "key", "list", variables=trust)[0] == 1
        if scheme in ("wss", "rss"):
            status, _, err = shop.run(*anna, "key", "list", stdin="anna-ticket")
            assert status == 3
            assert "certificate" in err


@pytest.mark.parametrize("scheme", ["socket", "ws", "rs"])
def test_it_listens_until_the_server_stops(shop, scheme):
    where = [] if scheme == "socket" else ["--url", f"{scheme}://127.0.0.1:{shop.port}"]
    with shop.server() as server:
        command = [sys.executable, "-m", "radiod.ctl", "--config", str(shop.config), *where]
        listener = nursery.Popen(
            [*command, "listen", "weather.*", "--json"],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT},
            env=environment(),
        )
        with listener:
            end = time.monotonic() + SECONDS
            while not shop.json("channel", "list")["channels"][0]["readers"]:
                assert time.monotonic() < end
            lines = "".join(f'{{"n": {number}, "text": "{"x" * 40_000}"}}\n' for number in range(20))
            told = shop.told("publish", "weather.harbour", "--stdin", "--json", stdin=lines)
            assert len(told.splitlines()) == 20
            for number in range(20):
                event = json.loads(listener.stdout.readline())
                assert (event["channel"], event["data"]["n"]) == ("weather.harbour", number)
            assert server.stop() == 0
            assert listener.wait(SECONDS) == 3
            assert json.loads(listener.stderr.read())["message"].startswith("the server ")


def test_a_backup_comes_back(shop):
    copy = shop.folder / "copy.sqlite"
    with shop.server() as server:
        id, secret = issued(shop.told("key", "issue", "--publish", "weather.*"))
        assert shop.told("backup", copy) == f"{copy}  {copy.stat().st_size:,} bytes\n"
        status, _, err = shop.run("backup", copy)
        assert (status, err.split(": ")[1]) == (1, "wamp.error.invalid_argument")
        shop.told("key", "revoke", id)
        status, out, err = shop.run("restore", copy, "--yes")
        assert (status, out) == (1, "")
        assert "is in use by a running server; stop it first" in err
        assert server.stop() == 0
    assert shop.run("key", "list")[0] == 3
    before = shop.json("restore", copy, "--yes")["before"]
    assert before.startswith(str(shop.folder))
    with shop.server():
        assert shop.json("key", "get", id)["state"] == "active"
        assert shop.published(secret, 1) == 200


def test_figures_once_and_again(shop):
    with shop.server():
        assert shop.told("stats").startswith("figure")
        assert "weather.harbour" in shop.told("top")
        rounds = shop.told("top", "--json", "--count", "2", "--every", "0.2").splitlines()
        assert [json.loads(line)["busiest"][0]["name"] for line in rounds] == ["weather.harbour"] * 2
        assert shop.told("check-config") == f"{shop.config}: a server can start with it\n"
        assert shop.told("call", "radiod.echo", "1", "x=2").strip() == '{"args":[1],"kwargs":{"x":2}}'


@pytest.mark.parametrize("shell", ["bash"])
def test_bash_completes_commands_by_what_it_prints(shop, shell, tmp_path):
    """As a shell asks: by variables of the environment."""
    tool = tmp_path / "radioctl"
    tool.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from radiod.ctl.app import main; main()' \"$@\"\n")
    tool.chmod(0o755)
    script = (
        'eval "$(radioctl completion bash)"; COMP_WORDS=(radioctl key re) COMP_CWORD=2; '
        '_radioctl_completion radioctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        **{"capture_output": True, "text": True, "timeout": SECONDS},
        env={**environment(), "PATH": path},
    )
    assert done.stdout.split() == ["resume", "revoke"], done.stderr


def test_top_on_a_terminal_is_a_screen(shop):
    with shop.server():
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
        command = [sys.executable, "-m", "radiod.ctl", "--config", str(shop.config), "top", "--every", "0.2"]
        variables = {**environment(), "TERM": "xterm-256color"}
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=variables
        ) as top:
            os.close(theirs)
            seen = b""
            while seen.count(b"weather.harbour") < 3:
                seen += os.read(ours, 65536)
            # As Ctrl-C does.
            top.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):
                while more := os.read(ours, 65536):
                    seen += more
            assert top.wait(SECONDS) == 0
        os.close(ours)
    assert b"Traceback" not in seen
    # The screen that was there before comes back.
    assert seen.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?1049l" in seen
