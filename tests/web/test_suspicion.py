"""Who tries many keys from one address waits, with all others there; in fake time, on every way in."""

import json

import pytest
from support import http
from support.http import get
from support.memory import RawSocketWire, WebSocketWire, upgrade

from radiod.core.budgets.guesses import FREE, MAX_WAITING, WAIT
from radiod.wire.codecs import JSON

PRIVATE = """
[realms.radio.channels.secret]
public = false
key = "secrets-key"
"""

TICKET = [1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}]


SAMPLE = {"network": "sample_net", "data": {}}


def post(key, body=SAMPLE, *lines):
    return http.post("/publish", body, f"API-KEY: {key}", *lines)


def guess(world, request, times=FREE):
    return [world.ask(request).received() for _ in range(times)]


def wrong_keys(world):
    return world.radio.statistics.refused["wrong_keys"]


@pytest.fixture
def world(world):
    return world.start(PRIVATE)


@pytest.fixture
def watched(world):
    """A world where many keys were guessed."""
    guess(world, post("wrong"))
    return world


GUESSES = {
    "publish": post("wrong"),
    "publish to a private channel": post("sample-key", {**SAMPLE, "network": "other"}, "Channel-Key: wrong"),
    "bridge": post("wrong", {"topic": "a"}),
    "array": post("wrong", [SAMPLE]),
    "call": http.post("/call", {"procedure": "a"}, "API-KEY: wrong"),
    "lines": post("wrong", SAMPLE, "Content-Type: application/x-ndjson"),
    "poll": get("/listen/sample_net?last=1", "API-KEY: wrong"),
    "bearer": get("/listen/sample_net?last=1", "Authorization: Bearer wrong"),
    "events": get("/listen/sample_net", "Accept: text/event-stream", "API-KEY: wrong"),
    "channel key": get("/listen/secret", "Channel-Key: wrong"),
    "channel key in the query": get("/listen/secret?key=wrong"),
    "websocket": upgrade("/listen/sample_net", extra="API-KEY: wrong\r\n"),
    "websocket with a channel's key": upgrade("/listen/secret?key=wrong"),
}


@pytest.mark.parametrize("request_", GUESSES.values(), ids=GUESSES)
def test_wrong_keys_count_over_http_and_plain_websockets_and_then_wait(world, request_):
    first = guess(world, request_)
    assert wrong_keys(world) == FREE
    late = world.ask(request_)
    assert late.received() == b""
    world.reactor.advance(WAIT)
    # The answer is the same; only the time is not.
    assert late.received().splitlines()[0] == first[0].splitlines()[0]


@pytest.mark.parametrize(
    "request_",
    [
        post("sample-key"),
        get("/listen/sample_net", "Accept: text/event-stream", "API-KEY: sample-key"),
        get("/listen/secret", "Accept: text/event-stream", "Channel-Key: secrets-key"),
        upgrade("/listen/sample_net", extra="API-KEY: sample-key\r\n"),
    ],
)
def test_who_has_the_right_key_waits_as_long_and_gets_in(watched, request_):
    wire = watched.ask(request_)
    assert wire.received() == b""
    watched.reactor.advance(WAIT)
    assert wire.received().splitlines()[0] in (b"HTTP/1.1 200 OK", b"HTTP/1.1 101 Switching Protocols")


def test_who_shows_no_key_never_waits(watched):
    assert watched.ask(get("/listen/sample_net?last=1")).received().startswith(b"HTTP/1.1 204")
    assert watched.ask(http.post("/publish", SAMPLE)).received().startswith(b"HTTP/1.1 400")
    assert watched.join()


def test_a_connection_that_has_shown_the_right_key_does_not_wait(world):
    regular = world.ask(post("sample-key"))
    assert b"200 OK" in regular.received()
    guess(world, post("wrong"))
    regular.send(post("sample-key"))
    assert b"200 OK" in regular.received()
    regular.send(post("other-key"))
    assert regular.received() == b""
    world.reactor.advance(WAIT)
    assert b"API-KEY not valid" in regular.received()
    regular.send(post("sample-key"))
    assert regular.received() == b""


def test_a_right_api_key_does_not_help_to_guess_a_channels_key(watched):
    regular = watched.ask(post("sample-key"))
    watched.reactor.advance(WAIT)
    assert b"200 OK" in regular.received()
    body = {"topic": "other", "options": {"_radiod_key": "wrong"}}
    regular.send(post("sample-key", body))
    assert b"bad_key" in regular.received()
    regular.send(post("sample-key", body))
    assert regular.received() == b""


def test_above_a_number_all_are_told_to_come_back(watched):
    for _ in range(MAX_WAITING - 1):
        watched.radio.fan_out.guesses.turn("127.0.0.1")
    waiting = watched.ask(post("sample-key"))
    for request in (post("wrong"), post("sample-key"), get("/listen/x", "API-KEY: sample-key")):
        refused = watched.ask(request).received()
        assert refused.startswith(b"HTTP/1.1 429")
        assert b"Retry-After: 5" in refused
    assert watched.ask(GUESSES["websocket"]).received().startswith(b"HTTP/1.1 429")
    assert watched.radio.statistics.refused["waiting_keys"] == 4
    watched.reactor.pump([0.025] * 300)
    assert b"200 OK" in waiting.received()


@pytest.mark.parametrize("request_", [post("wrong"), GUESSES["websocket"], GUESSES["poll"]])
def test_who_hangs_up_is_out_of_the_line(watched, request_):
    for _ in range(2 * MAX_WAITING):
        watched.ask(request_).hang_up()
    honest = watched.ask(post("sample-key"))
    watched.reactor.advance(WAIT)
    assert b"200 OK" in honest.received()
    assert watched.radio.port.connections == FREE + 1


class TestWamp:
    @pytest.fixture(params=[WebSocketWire, RawSocketWire])
    def kind(self, request):
        return request.param

    def login(self, world, kind, ticket):
        wire = world.connect(kind)
        assert wire.ask(TICKET)[0] == 4
        wire.say([5, ticket, {}])
        return wire

    def test_failed_logins_count_and_then_wait(self, world, kind):
        for _ in range(FREE):
            assert self.login(world, kind, "wrong").heard()[0][2] == "wamp.error.authentication_denied"
        assert wrong_keys(world) == FREE
        bad, good = self.login(world, kind, "wrong"), self.login(world, kind, "joe-ticket")
        assert (bad.heard(), good.heard()) == ([], [])
        world.reactor.pump([WAIT, 0.1, 0.1])
        assert bad.heard()[0][2] == "wamp.error.authentication_denied"
        assert good.heard()[0][0] == 2

    def test_who_hangs_up_in_line_leaves_nothing(self, watched, kind):
        for _ in range(2 * MAX_WAITING):
            wire = self.login(watched, kind, "wrong")
            wire.say([48, None, {}, "radiod.echo", []])
            wire.hang_up()
        good = self.login(watched, kind, "joe-ticket")
        watched.reactor.advance(WAIT)
        assert good.heard()[0][0] == 2

    def test_who_comes_when_the_line_is_full_is_told_so(self, watched, kind):
        for _ in range(MAX_WAITING):
            watched.radio.fan_out.guesses.turn("127.0.0.1")
        assert self.login(watched, kind, "joe-ticket").heard()[0][2] == "radiod.error.quota"

    def test_what_comes_behind_a_login_in_line_is_taken_after_it(self, watched, kind):
        wire = self.login(watched, kind, "joe-ticket")
        wire.say([48, None, {}, "radiod.echo", [7]])
        watched.reactor.advance(WAIT)
        assert [message[0] for message in wire.heard()] == [2, 50]

    @pytest.mark.parametrize(
        "message",
        [
            [48, None, {}, "radiod.channel.join", ["secret", "wrong"]],
            [48, None, {}, "radiod.channel.open_write", [], {"name": "secret", "key": "wrong"}],
            [48, None, {}, "radiod.channel.delete", ["sample_net", "wrong"]],
            [48, None, {}, "radiod.channel.extend", ["sample_net", 1, "wrong"]],
            [32, None, {"_radiod_key": "wrong"}, "secret"],
            [16, None, {"_radiod_key": "wrong", "acknowledge": True}, "secret"],
            [16, None, {"_radiod_key": "wrong"}, "secret"],
        ],
    )
    def test_wrong_keys_of_channels_count_and_then_wait(self, world, kind, message):
        wire = world.join(kind)
        for _ in range(FREE):
            wire.say(message)
        assert wrong_keys(world) == FREE
        wire.heard()
        other = world.join(kind)
        other.say([48, None, {}, "radiod.channel.join", ["secret", "secrets-key"]])
        other.say([48, None, {}, "radiod.echo", [7]])
        assert other.heard() == []
        world.reactor.advance(WAIT)
        assert [(reply[0], reply[1]) for reply in other.heard()] == [(50, 1), (50, 2)]
        # What shows no key does not wait.
        assert other.ask([48, None, {}, "radiod.echo", [8]])[0] == 50

    def test_sessions_without_an_address_are_slowed_by_nobody(self, world):
        world.radio.fan_out.guesses.wrong(None)
        assert not world.radio.fan_out.guesses.networks


def test_over_long_poll_logins_are_slowed_as_well(watched):
    poll = watched.radio.polls.open(["wamp.2.json"], "tcp:127.0.0.1:1")
    told = []
    poll.receive(told.append)
    poll.send(JSON.dump(TICKET), lambda wrong: None)
    watched.reactor.advance(0)
    assert json.loads(told.pop())[0] == 4
    poll.receive(told.append)
    poll.send(b'[5, "joe-ticket", {}]', lambda wrong: None)
    watched.reactor.advance(0)
    assert told == []
    watched.reactor.pump([WAIT, 0, 0])
    assert json.loads(told.pop())[0] == 2
