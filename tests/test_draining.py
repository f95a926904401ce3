"""A server that is drained, in memory: who is let in, who is sent away, when, and what they are told."""

import json
import re

import pytest
from msgspec.json import encode
from support import http
from support.config import parsed
from support.http import Answer
from support.memory import HELLO, RawSocketWire, WebSocketWire, Wire, server_frames, upgrade
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from radiod.service.draining import CANCEL, DRAIN, LOOK_S
from radiod.service.service import RadioService

SSE, LINES = "Accept: text/event-stream", "Accept: application/x-ndjson"
PUBLISH = http.post("/publish", {"network": "sample_net", "data": {"x": 1}}, "API-KEY: sample-key")
BOSS = """
[realms.radio.roles.boss]
call = ["radiod.admin.*"]
subscribe = ["*"]

[realms.radio.users.boss]
role = "boss"
ticket = "boss-ticket"
"""


class Server:
    """A radiod in memory, as a service."""

    def __init__(self, text=BOSS):
        self.reactor = MemoryReactorClock()
        self.service = RadioService(parsed(text), self.reactor)
        self.service.startService()
        self.radio = self.service.radio
        self.stopped = []

    def wire(self, kind=Wire):
        return kind(self.radio, self.reactor)

    def join(self, kind=WebSocketWire, **details):
        wire = self.wire(kind)
        wire.join([1, "radio", {**HELLO[2], **details}])
        return wire

    def ask(self, request, wire=None):
        wire = wire or self.wire()
        wire.send(request)
        self.pass_time(0)
        return Answer(wire.received())

    def listen(self, *lines, path="/listen/a"):
        wire = self.wire()
        wire.send(http.get(path, *lines))
        wire.received()
        return wire

    def pass_time(self, seconds):
        for _ in range(int(seconds / 0.05) or 1):
            self.reactor.advance(0.05 if seconds else 0)
        self.reactor.advance(0)

    def stop(self):
        self.service.stopService().addCallback(self.stopped.append)
        self.pass_time(0)

    def boss(self):
        wire = self.wire(RawSocketWire)
        hello = [1, "radio", {**HELLO[2], "authmethods": ["ticket"], "authid": "boss"}]
        assert wire.ask(hello)[0] == 4
        assert wire.ask([5, "boss-ticket", {}])[0] == 2
        return wire

    @property
    def sessions(self):
        return self.radio.realms["radio"].sessions


@pytest.fixture
def server():
    return Server()


def close_of(wire):
    """Close code and reason of a WebSocket."""
    ((_, payload),) = [one for one in wire.frames() if one[0] == 8]
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def retry_of(reason):
    return float(re.fullmatch(r"retry_after=(\d+\.\d{3})", reason)[1])


# --- who is let in


def test_it_says_so_at_once_and_is_healthy(server):
    assert server.ask(http.get("/readyz")).status == 200
    server.service.draining.begin(30)
    answer = server.ask(http.get("/readyz"))
    assert (answer.status, answer.json["reasons"]) == (503, ["draining: no new clients"])
    assert int(answer.headers["Retry-After"]) > 0
    assert server.ask(http.get("/healthz")).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        http.get("/listen/a", SSE),
        http.get("/listen/a", LINES),
        http.get("/listen/a"),
        http.get("/listen?channel=a&channel=b", SSE),
        http.get("/macro/sample/", SSE),
        http.post("/lp/open", {"protocols": ["wamp.2.json"]}),
        upgrade("/listen/a"),
        upgrade("/ws", "wamp.2.json"),
    ],
)
def test_nobody_new_is_let_in(server, request_):
    server.service.draining.begin(30)
    answer = server.ask(request_)
    assert answer.status == 503
    assert 31 <= int(answer.headers["Retry-After"]) <= 33
    assert not server.sessions
    assert server.radio.statistics.refused["draining"] == 1


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
def test_a_login_on_an_open_connection_closes_it_without_abort(server, kind):
    wire = server.wire(kind)
    server.service.draining.begin(30)
    wire.say(HELLO)
    if kind is WebSocketWire:
        code, reason = close_of(wire)
        assert code == 1012
        assert 31 <= retry_of(reason) <= 33
    else:
        assert (wire.received(), wire.is_closed) == (b"", True)
    assert not server.sessions


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
def test_who_wants_to_be_told_gets_abort(server, kind):
    wire = server.wire(kind)
    server.service.draining.begin(30)
    wire.say([1, "radio", {**HELLO[2], "_radiod_goodbye": True}])
    ((code, details, uri),) = wire.heard()
    assert (code, uri) == (3, "radiod.error.unavailable")
    assert 31 <= details["_retry_after"] <= 33


def test_publishing_and_calling_go_on(server):
    listener, caller = server.join(), server.join()
    listener.ask([32, None, {}, "sample_net"])
    server.service.draining.begin(30)
    answer = server.ask(PUBLISH)
    assert answer.status == 200, answer.body
    caller.say([16, None, {"acknowledge": True}, "sample_net", [2]])
    assert [message[0] for message in caller.heard()] == [17]
    assert [message[4] for message in listener.heard()] == [[{"x": 1}], [2]]
    assert caller.ask([48, None, {}, "radiod.echo", [1]])[0] == 50


# --- who is sent away, and how


def everybody(server):
    """One of each kind. Returns: name -> wire."""
    wires = {
        "websocket": server.join(),
        "rawsocket": server.join(RawSocketWire),
        "polite": server.join(_radiod_goodbye=True),
        "plain": server.wire(),
        "sse": server.listen(SSE),
        "several": server.listen(SSE, path="/listen?channel=a&channel=b"),
        "lines": server.listen(LINES),
        "lines of several": server.listen(LINES, path="/listen?channel=a&channel=b"),
        "poll": server.listen(path="/listen/a?wait=60"),
    }
    wires["plain"].send(upgrade("/listen/a"))
    wires["plain"].received()
    return wires


def told(wires):
    """Name -> seconds after which each was told to come back."""
    found = {}
    for name in ("websocket", "plain"):
        wire = wires[name]
        data = wire.frames() if name == "websocket" else server_frames(wire.received())[0]
        opcode, payload = data[-1]
        assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 1012 if name == "websocket" else 1001)
        found[name] = retry_of(payload[2:].decode())
    ((code, details, uri),) = wires["polite"].heard()
    assert (code, uri) == (6, "wamp.close.system_shutdown")
    found["polite"] = details["_retry_after"]
    for name in ("sse", "several"):
        found[name] = int(re.search(rb"retry: (\d+)\n\n\r\n0\r\n\r\n$", wires[name].received())[1]) / 1000
    for name in ("lines", "lines of several"):
        line = re.search(rb"(\{[^\n]*\})\n\n\r\n0\r\n\r\n$", wires[name].received())[1]
        found[name] = json.loads(line)["retry"] / 1000
    poll = Answer(wires["poll"].received())
    assert poll.status == 204
    found["poll"] = int(poll.headers["Retry-After"])
    return found


def test_each_kind_is_told_when_to_come_back(server):
    wires = everybody(server)
    assert server.service.draining.begin(10) == len(wires)
    server.pass_time(10.1)
    assert all(1 <= seconds <= 3 for seconds in told(wires).values())
    assert not server.sessions
    assert wires["rawsocket"].is_closed


def test_also_when_the_server_stops_without_draining(server):
    wires = everybody(server)
    server.stop()
    seconds = told(wires)
    assert all(1 <= each <= 3 for each in seconds.values())
    assert len(set(seconds.values())) > 3


def test_who_polls_over_wamp_is_told_too(server):
    opened = server.ask(http.post("/lp/open", {"protocols": ["wamp.2.json"]})).json["transport"]
    server.ask(http.post(f"/lp/{opened}/send", encode(HELLO)))
    assert server.ask(http.post(f"/lp/{opened}/receive", b"")).json[0] == 2
    wire = server.wire()
    wire.send(http.post(f"/lp/{opened}/receive", b""))
    server.service.draining.begin(5)
    server.pass_time(5.1)
    answer = Answer(wire.received())
    assert answer.status == 204
    assert 1 <= int(answer.headers["Retry-After"]) <= 3
    answer = server.ask(http.post(f"/lp/{opened}/receive", b""))
    assert answer.status == 404
    assert 1 <= int(answer.headers["Retry-After"]) <= 3


def test_what_waits_for_it_comes_before(server):
    wire = server.join()
    wire.ask([32, None, {}, "a"])
    server.radio.realms["radio"].announcer.announce("a", "last")
    server.service.draining.begin(0)
    server.pass_time(0)
    frames = wire.frames()
    assert b"last" in frames[0][1]
    assert frames[-1][0] == 8


def test_they_end_evenly(server):
    wires = [server.join(RawSocketWire) for _ in range(200)]
    server.service.draining.begin(20)
    ended = []
    for _ in range(10):
        server.pass_time(2)
        ended.append(sum(wire.is_closed for wire in wires))
    tenths = [after - before for before, after in zip([0, *ended], ended, strict=False)]
    assert sum(tenths) == 200
    assert all(18 <= one <= 22 for one in tenths)


def test_who_polls_goes_on_until_it_is_sent_away(server):
    wires = [server.wire() for _ in range(40)]
    for wire in wires:
        wire.send(http.get("/listen/sample_net?wait=5"))
    server.service.draining.begin(20)
    ended = []
    for second in range(1, 21):
        server.ask(PUBLISH)
        for wire in wires:
            data = wire.received()
            if not data:
                continue
            answer = Answer(data)
            if answer.status == 200:
                assert "Retry-After" not in answer.headers
                wire.send(http.get("/listen/sample_net?wait=5"))
            else:
                assert answer.status == 204
                assert 1 <= int(answer.headers["Retry-After"]) <= 3
                ended.append(second)
                assert server.ask(http.get("/listen/sample_net?wait=5"), wire).status == 503
        server.pass_time(1)
    server.pass_time(0.5)
    assert len(ended) + sum(1 for wire in wires if b"Retry-After" in wire.received()) == 40
    assert min(ended) <= 5
    assert sum(second <= 10 for second in ended) >= 8


def test_channels_of_those_who_were_sent_away_stay_until_it_is_cancelled(server):
    owner = server.join()
    owner.ask([48, None, {}, "radiod.channel.create", ["mine"]])
    channels = server.radio.realms["radio"].channels
    server.service.draining.begin(1)
    server.pass_time(1.1)
    assert "mine" in channels
    server.service.draining.cancel()
    assert "mine" not in channels


# --- the end of it


def test_it_stays_drained_until_it_is_cancelled(server):
    server.join()
    with capturedLogs() as logs:
        server.service.draining.begin(5)
        server.pass_time(60)
        assert server.ask(http.get("/readyz")).status == 503
        server.service.draining.cancel()
        server.service.draining.cancel()
    assert server.ask(http.get("/readyz")).status == 200
    server.join()
    assert [formatEvent(one) for one in logs if one.get("event") == "drain"] == [
        "drain: 1 listeners end over 5 s, nobody new is let in",
        "drain: done, 1 sent away so far",
        "drain: cancelled, everybody is let in",
    ]


def test_those_who_are_left_stay_when_it_is_cancelled(server):
    wires = [server.join(RawSocketWire) for _ in range(20)]
    server.service.draining.begin(10)
    server.pass_time(5)
    server.service.draining.cancel()
    server.pass_time(10)
    assert 8 <= sum(wire.is_closed for wire in wires) <= 12


def test_a_stop_sends_everybody_away_before():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 10\n")
    wires = [server.join(RawSocketWire) for _ in range(20)]
    server.stop()
    assert server.ask(http.get("/readyz")).status == 503
    server.pass_time(5)
    assert 8 <= sum(wire.is_closed for wire in wires) <= 12
    assert not server.stopped
    server.pass_time(5.2 + LOOK_S)
    assert all(wire.is_closed for wire in wires)
    server.pass_time(0.5)
    assert server.stopped


def test_a_stop_does_not_wait_for_nobody():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 1000\n")
    server.stop()
    server.pass_time(0.2)
    assert server.stopped


def test_nor_longer_than_somebody_is_there():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 1000\n")
    wire = server.join(RawSocketWire)
    server.stop()
    wire.hang_up()
    server.pass_time(LOOK_S + 0.5)
    assert server.stopped


def test_who_is_told_twice_to_stop_waits_for_nobody():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 1000\n")
    wires = [server.join(RawSocketWire) for _ in range(20)]
    server.stop()
    server.pass_time(1)
    server.service.hurry()
    server.pass_time(0.2)
    assert server.stopped
    assert all(wire.is_closed for wire in wires)


def test_a_stop_in_the_midst_of_a_drain_is_a_stop(server):
    wires = [server.join(RawSocketWire) for _ in range(20)]
    server.service.draining.begin(1000)
    server.pass_time(1)
    server.stop()
    server.pass_time(0.5)
    assert server.stopped
    assert all(wire.is_closed for wire in wires)


# --- who may ask for it


def test_an_operator_asks_and_the_audit_tells_of_it(server):
    boss = server.boss()
    for _ in range(3):
        server.join()
    answer = boss.ask([48, None, {}, DRAIN, [], {"over": 30}])
    assert answer[3] == [{"listeners": 4, "over": 30.0}]
    assert server.radio.readiness.is_draining
    assert boss.ask([48, None, {}, CANCEL])[3] == [{"was_draining": True}]
    assert boss.ask([48, None, {}, CANCEL])[3] == [{"was_draining": False}]
    entries = boss.ask([48, None, {}, "radiod.admin.audit"])[3][0]["entries"]
    assert [(one["action"], one["actor"], one["detail"]) for one in entries] == [
        ("drain", "boss", {"listeners": 4, "over": 30.0}),
        ("drain", "boss", {"was_draining": True}),
        ("drain", "boss", {"was_draining": False}),
    ]


def test_without_a_time_it_takes_that_of_the_configuration():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 7.5\n")
    assert server.boss().ask([48, None, {}, DRAIN])[3][0]["over"] == 7.5


@pytest.mark.parametrize("over", [-1, 86_401, "30", True, [1]])
def test_a_time_that_is_none_is_refused(server, over):
    answer = server.boss().ask([48, None, {}, DRAIN, [], {"over": over}])
    assert answer[4] == "wamp.error.invalid_argument"
    assert not server.radio.readiness.is_draining


def test_nobody_else_may(server):
    guest = server.join()
    for procedure in (DRAIN, CANCEL):
        assert guest.ask([48, None, {}, procedure])[4] == "wamp.error.not_authorized"


def test_a_server_that_stops_is_not_asked_any_more():
    server = Server(f"{BOSS}\n[operations]\ndrain_s = 100\n")
    boss = server.boss()
    server.stop()
    for procedure in (DRAIN, CANCEL):
        answer = boss.ask([48, None, {}, procedure])
        assert (answer[4], answer[5]) == ("wamp.error.invalid_argument", ["the server stops"])


def test_what_is_measured(server):
    def figures():
        text = server.radio.metrics.read()
        assert isinstance(text, bytes)
        return [line for line in text.decode().splitlines() if re.match("radiod_(draining|sent_away)", line)]

    assert figures() == ["radiod_draining 0", "radiod_sent_away_total 0"]
    server.join()
    server.service.draining.begin(0)
    server.pass_time(0)
    assert figures() == ["radiod_draining 1", "radiod_sent_away_total 1"]
