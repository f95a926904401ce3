"""What an operator of a whole radiod may ask: the log's end, metrics, and what a developer needs."""

import re
import threading
from pathlib import Path

import pytest
from support.memory import HELLO, AdminWire, WebSocketWire

LOG, METRICS, DEBUG = "radiod.admin.log", "radiod.admin.metrics", "radiod.admin.debug"
VIEWS = ("sessions", "listeners", "channels", "usage.hour", "log", "metrics")
PROTOCOL = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text(encoding="utf-8")
CONFIG = """
[realms.radio.roles.operator]
subscribe = ["*"]
call = ["*", "radiod.admin.*"]

[realms.radio.users.boss]
role = "operator"
ticket = "boss-ticket"

[realms.radio.channels.declared]
public = false
key = "the-key"
"""


@pytest.fixture
def world(world):
    return world.start(CONFIG)


def call(wire, procedure, **arguments):
    """The one value that it answers, or the error's URI."""
    answer = wire.ask([48, None, {}, procedure, [], arguments])
    return answer[4] if answer[0] == 8 else answer[3][0]


def login(world, authid="boss"):
    wire = world.connect(WebSocketWire)
    hello = [1, "radio", {**HELLO[2], "authmethods": ["ticket"], "authid": authid}]
    assert wire.ask(hello)[0] == 4
    assert wire.ask([5, f"{authid}-ticket", {}])[0] == 2
    return wire


def secret(world, name, key="k"):
    """A private channel of a session's. Returns: its owner."""
    wire = world.join()
    assert call(wire, "radiod.channel.create", name=name, public=False, key=key)["name"] == name
    return wire


def log(world, text, **fields):
    world.radio.tail({"log_text": text, "log_time": 1.5, **fields})


@pytest.mark.parametrize("view", VIEWS)
def test_who_may_call_them(world, view):
    name = f"radiod.admin.{view}"
    assert isinstance(call(login(world), name), dict)
    assert isinstance(call(world.join(AdminWire), name), dict)
    # All four things with everything are not enough.
    assert call(world.join(), name) == "wamp.error.not_authorized"
    assert call(login(world, "listener"), name) == "wamp.error.not_authorized"


class TestLog:
    def test_lines_behind_a_number(self, world):
        wire = login(world)
        for number in range(5):
            log(world, f"line {number}")
        told = call(wire, LOG, limit=2)
        assert [line["text"] for line in told["lines"]] == ["line 3", "line 4"]
        assert told["lines"][0]["time"] == 1.5
        assert call(wire, LOG, after=told["next"]) == {**told, "lines": []}
        log(world, "one more")
        assert [line["text"] for line in call(wire, LOG, after=told["next"])["lines"]] == ["one more"]

    def test_an_empty_log(self, world):
        assert call(login(world), LOG) == {"lines": [], "next": 0, "since": world.radio.tail.since}

    @pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 501}, {"after": -1}, {"after": "1"}])
    def test_wrong_arguments_are_refused(self, world, wrong):
        assert call(login(world), LOG, **wrong) == "wamp.error.invalid_argument"

    @pytest.mark.parametrize(
        "text", ["{}", "no channel {}: gone", "events on {}, which", 'on "{}"', "({})", "of {}."]
    )
    def test_names_of_private_channels_are_for_their_members(self, world, text):
        secret(world, "of.a.session")
        log(world, text.format("of.a.session"), topic="of.a.session")
        log(world, text.format("declared"), topic="declared")
        log(world, text.format("of.a.session.too"))
        first, second, third = call(login(world), LOG)["lines"]
        assert first["text"] == text.format("(a private channel)")
        assert first["channel"] == second["channel"] == "(a private channel)"
        assert second["text"] == text.format("(a private channel)")
        assert third["text"] == text.format("of.a.session.too")
        # The configuration's are no secret to whoever has its admin socket.
        first, second, third = call(world.join(AdminWire), LOG)["lines"]
        assert first["text"] == text.format("(a private channel)")
        assert second["text"] == text.format("declared")


class TestMetrics:
    def test_the_text_is_that_of_the_path(self, world):
        text = call(world.join(AdminWire), METRICS)["text"]
        assert "# TYPE radiod_connections gauge\n" in text
        assert 'radiod_sessions{realm="radio"} 1\n' in text

    def test_names_of_private_channels_are_not_told(self, world):
        secret(world, "of.a.session")
        assert "of.a.session" not in call(world.join(AdminWire), METRICS)["text"]


class TestDebug:
    def test_only_the_admin_socket_is_told(self, world):
        assert call(login(world), DEBUG) == "wamp.error.not_authorized"

    def test_stacks_of_all_threads(self, world):
        is_over, has_begun = threading.Event(), threading.Event()

        def wait_here():
            has_begun.set()
            is_over.wait()

        thread = threading.Thread(target=wait_here, name="waiter")
        thread.start()
        try:
            has_begun.wait()
            lines = call(world.join(AdminWire), DEBUG)["stacks"]
        finally:
            is_over.set()
            thread.join()
        begins = [index for index, line in enumerate(lines) if line.startswith("thread waiter, ")]
        assert any(line.endswith(" wait_here") for line in lines[begins[0] :])

    def test_figures_of_the_process_and_its_memory(self, world):
        told = call(world.join(AdminWire), DEBUG, limit=5)
        assert told["process"]["process_resident_memory_bytes"] > 1 << 20
        assert told["process"]["threads"] >= 1
        assert told["process"]["connections"] == 1
        assert len(told["gc"]["generations"]) == 3
        assert told["objects"]["total"] > 10_000
        counts = [count for _, count in told["objects"]["types"]]
        assert len(counts) == 5
        assert counts == sorted(counts, reverse=True)

    def test_the_largest_channels(self, world):
        wire = secret(world, "hidden")
        call(wire, "radiod.channel.create", name="large", history={"size": 10})
        for data in ("x" * 1000, "y"):
            wire.say([16, None, {}, "large", [data]])
        admin = world.join(AdminWire)
        (large,) = call(admin, DEBUG)["channels"]
        assert (large["name"], large["public"], large["events"], large["readers"]) == ("large", True, 2, 0)
        assert large["bytes"] > 1000

    def test_private_channels_have_no_name_there(self, world):
        wire = world.join()
        made = {"name": "hidden", "public": False, "key": "k", "history": {"size": 10}}
        call(wire, "radiod.channel.create", **made)
        wire.say([16, None, {}, "hidden", ["x"]])
        (hidden,) = call(world.join(AdminWire), DEBUG)["channels"]
        assert (hidden["name"], hidden["public"], hidden["events"]) == (None, False, 1)

    def test_the_slowest_listeners(self, world):
        slow = world.join()
        slow.ask([32, None, {}, "a"])
        slow.transport.producer.pauseProducing()
        writer = world.join()
        for _ in range(3):
            writer.say([16, None, {}, "a", ["x"]])
        (listener,) = call(world.join(AdminWire), DEBUG)["listeners"]
        assert (listener["channel"], listener["queued"], listener["is_blocked"]) == ("a", 3, True)

    def test_nothing_that_is_sent_is_run(self, world):
        """There is one parameter, a number."""
        wire = world.join(AdminWire)
        assert call(wire, DEBUG, limit="__import__('os')") == "wamp.error.invalid_argument"
        assert call(wire, DEBUG, code="1") == "wamp.error.invalid_argument"


@pytest.mark.parametrize("view", [*VIEWS, "debug"])
def test_they_are_documented_with_their_parameters_in_order(world, view):
    name = f"radiod.admin.{view}"
    row = next(line for line in PROTOCOL.splitlines() if line.startswith(f"| `{name}` |"))
    documented = re.findall(r"(\w+)=", row.split("|")[2])
    assert documented == list(world.realm.procedures.table[name][0])
