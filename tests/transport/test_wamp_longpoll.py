"""WAMP over HTTP long-poll, from the bytes of its requests on."""

import itertools
import json
import random

import cbor2
import msgspec
import pytest
from support.http import Answer, request
from support.memory import HELLO, Requests, WebSocketWire, client_frame
from support.sweeps import sweep

from radiod.core.promises import Promise
from radiod.transport.inbox import TURN_MESSAGES
from radiod.transport.wamp_longpoll import MAX_HELD, WAIT_SECONDS
from radiod.wire.batches import MOST_MESSAGES

PROTOCOLS = [
    "wamp.2.json",
    "wamp.2.msgpack",
    "wamp.2.cbor",
    "wamp.2.json.batched",
    "wamp.2.msgpack.batched",
    "wamp.2.cbor.batched",
]
IDLE_SECONDS = 20.0


class Reply(Answer):
    """``is_empty``: there is an answer, and it has nothing to say."""

    @property
    def is_empty(self):
        return self.status == 204 and not self.body


def post(world, path, body=b"", method="POST"):
    return world.ask(request(method, path, body=body))


def reply(wire):
    wire.settle()
    return Reply(wire.received())


def opening(world, *protocols):
    return reply(post(world, "/lp/open", json.dumps({"protocols": protocols}).encode()))


class PollWire:
    """A long-poll client; every request has a connection of its own."""

    def __init__(self, world, protocol="wamp.2.json"):
        self.world = world
        opened = opening(world, protocol)
        assert opened.status == 200, opened.head
        answer = json.loads(opened.body)
        assert answer["protocol"] == protocol
        self.transport = answer["transport"]
        self.requests = Requests()
        self.base = f"/lp/{self.transport}"
        self.is_batched = protocol.endswith(".batched")
        name = protocol.split(".")[2]
        self.is_text = name == "json"
        self.encode, self.decode = {
            "json": (msgspec.json.encode, msgspec.json.decode),
            "msgpack": (msgspec.msgpack.encode, msgspec.msgpack.decode),
            "cbor": (cbor2.dumps, cbor2.loads),
        }[name]

    def frame(self, *messages):
        if not self.is_batched:
            (message,) = messages
            return self.encode(self.requests.number(message))
        parts = [self.encode(self.requests.number(message)) for message in messages]
        if self.is_text:
            return b"".join(part + b"\x1e" for part in parts)
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    def unframe(self, body):
        if not self.is_batched:
            return [self.decode(body)]
        if self.is_text:
            *parts, rest = body.split(b"\x1e")
            assert rest == b""
        else:
            parts = []
            while body:
                end = 4 + int.from_bytes(body[:4], "big")
                parts.append(body[4:end])
                body = body[end:]
        return [self.decode(part) for part in parts]

    def post(self, what, body=b""):
        return post(self.world, f"{self.base}/{what}", body)

    def say(self, *messages):
        """Send: one request for a batch, or one for each message."""
        for batch in [messages] if self.is_batched else [(message,) for message in messages]:
            sent = reply(self.post("send", self.frame(*batch)))
            assert sent.is_empty, (sent.head, sent.body)

    def receive(self):
        """What a receive gives at once; none when it waits (it is hung up then)."""
        wire = self.post("receive")
        got = reply(wire)
        wire.hang_up()
        assert got.status in (0, 200), (got.head, got.body)
        return self.unframe(got.body) if got.status else []

    def heard(self):
        """Everything there is."""
        return list(itertools.chain.from_iterable(iter(self.receive, [])))

    def ask(self, message):
        self.say(message)
        (answer,) = self.receive()
        return answer

    def join(self):
        welcome = self.ask(HELLO)
        assert welcome[0] == 2, welcome
        return welcome[1]


def joined(world, kind=PollWire, *args):
    wire = kind(world, *args) if kind is PollWire else world.connect(kind)
    wire.join()
    return wire


def nothing_is_left(world):
    realm = world.realm
    # Each keep-alive connection waits for its next request.
    timers = len(world.radio.clock.timers) - (world.radio.http._deadline is not None)
    return (len(world.radio.polls), realm.sessions, len(realm.space.broker), timers) == (0, {}, 0, 0)


# --- the way of a session


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_carries_sessions_events_and_calls(world, protocol):
    wire, other = joined(world, PollWire, protocol), joined(world, WebSocketWire)
    _, _, subscription = wire.ask([32, 1, {}, "a.b"])
    _, _, publication = other.ask([16, None, {"acknowledge": True}, "a.b", [1, "zwei"], {"x": 3.5}])
    assert wire.receive() == [[36, subscription, publication, {}, [1, "zwei"], {"x": 3.5}]]
    _, _, registration = wire.ask([64, 2, {}, "add"])
    other.say([48, None, {}, "add", [2, 3]])
    ((_, invocation, *rest),) = wire.receive()
    assert rest == [registration, {}, [2, 3]]
    wire.say([70, invocation, {}, [5]])
    assert other.heard() == [[50, 2, {}, [5]]]
    assert wire.ask([6, {}, "wamp.close.close_realm"]) == [6, {}, "wamp.close.goodbye_and_out"]


def test_a_receive_that_waits_is_answered_by_what_comes(world):
    wire, publisher = joined(world), joined(world, WebSocketWire)
    _, _, subscription = wire.ask([32, 1, {}, "a"])
    waiting = wire.post("receive")
    assert reply(waiting).status == 0
    publisher.say([16, 1, {}, "a", [1]])
    got = reply(waiting)
    assert (got.status, wire.unframe(got.body)[0][:2]) == (200, [36, subscription])
    assert "content-type: application/json" in got.head.lower()
    assert f"content-length: {len(got.body)}" in got.head.lower()


def test_a_receive_gives_one_message_and_the_rest_waits_in_order(world):
    wire, publisher = joined(world), joined(world, WebSocketWire)
    wire.ask([32, 1, {}, "a"])
    waiting = wire.post("receive")
    publisher.say(*([16, i + 1, {}, "a", [i]] for i in range(5)))
    first = wire.unframe(reply(waiting).body)
    assert [message[4] for message in first + wire.heard()] == [[i] for i in range(5)]


def test_a_batch_is_everything_there_is_up_to_64_kib(world):
    wire, publisher = joined(world, PollWire, "wamp.2.json.batched"), joined(world, WebSocketWire)
    wire.ask([32, 1, {}, "a"])
    publisher.say(*([16, i + 1, {}, "a", [i, "x" * 1000]] for i in range(90)))
    batches = [wire.receive(), wire.receive(), wire.receive()]
    assert [message[4][0] for batch in batches for message in batch] == list(range(90))
    assert [len(batch) for batch in batches] == [64, 26, 0]


def test_a_batch_is_taken_in_order(world):
    wire = joined(world, PollWire, "wamp.2.msgpack.batched")
    wire.say(*([48, i, {}, "radiod.echo", [i]] for i in range(1, 200)))
    assert wire.heard() == [[50, i, {}, [i]] for i in range(1, 200)]


def test_goodbye_is_confirmed_and_the_client_may_join_again_or_close(world):
    wire = joined(world)
    assert wire.ask([6, {}, "wamp.close.close_realm"]) == [6, {}, "wamp.close.goodbye_and_out"]
    wire.join()
    assert reply(wire.post("close")).is_empty
    assert nothing_is_left(world)
    for what in ("receive", "send", "close"):
        assert reply(wire.post(what)).status == 404


def test_a_close_ends_the_receive_that_waits(world):
    wire = joined(world)
    waiting = wire.post("receive")
    assert reply(wire.post("close")).is_empty
    assert reply(waiting).is_empty


def test_the_query_does_not_count(world):
    wire = PollWire(world)
    sent = reply(post(world, f"{wire.base}/send?x=382913", wire.frame(HELLO)))
    assert sent.is_empty
    assert wire.receive()[0][0] == 2


# --- time


def test_a_receive_without_messages_is_answered_empty_in_time_for_autobahn(world):
    wire = joined(world)
    for _ in range(5):
        waiting = wire.post("receive")
        world.reactor.advance(WAIT_SECONDS - 0.1)
        assert reply(waiting).status == 0
        world.reactor.advance(0.2)
        assert reply(waiting).is_empty
    assert wire.ask([48, 1, {}, "radiod.echo", [1]]) == [50, 1, {}, [1]]


def test_a_client_that_vanishes_while_its_receive_waits_is_gone_within_a_ping_and_its_timeout(world):
    world.start(ping_interval_s=2, ping_timeout_s=3)
    client = PollWire(world)
    client.join()
    waiting = client.post("receive")
    world.reactor.advance(1.9)
    assert reply(waiting).status == 0
    world.reactor.advance(0.11)
    assert reply(waiting).is_empty
    world.reactor.advance(2.9)
    assert len(world.radio.polls) == 1
    world.reactor.advance(0.11)
    assert len(world.radio.polls) == 0


def test_a_client_that_receives_no_more_is_lost(world):
    wire = joined(world)
    wire.ask([32, 1, {}, "a"])
    world.reactor.advance(IDLE_SECONDS - 0.1)
    assert len(world.realm.sessions) == 1
    world.reactor.advance(0.2)
    assert nothing_is_left(world)


def test_sending_alone_does_not_keep_a_transport(world):
    wire = joined(world)
    for _ in range(3):
        world.reactor.advance(IDLE_SECONDS / 3 + 0.1)
        reply(wire.post("send", b'[48,1,{},"radiod.echo"]'))
    assert nothing_is_left(world)


def test_a_client_that_never_says_hello_is_told_and_forgotten(world):
    wire = PollWire(world)
    waiting = wire.post("receive")
    world.reactor.advance(10.1)
    answers = [reply(waiting), reply(wire.post("receive"))]
    assert b"wamp.error.timeout" in b"".join(answer.body for answer in answers)
    world.reactor.advance(IDLE_SECONDS + 0.1)
    assert nothing_is_left(world)


def test_opening_and_nothing_else_leaves_nothing(world):
    for _ in range(10):
        PollWire(world)
    world.reactor.advance(10.1)
    world.reactor.advance(2.1)
    assert nothing_is_left(world)


# --- receivers in each other's way, or gone


def test_of_two_receives_the_later_one_counts(world):
    wire = joined(world)
    older, later = wire.post("receive"), wire.post("receive")
    assert reply(older).status == 409
    wire.say([48, 1, {}, "radiod.echo", [1]])
    assert wire.unframe(reply(later).body) == [[50, 1, {}, [1]]]


def test_a_receive_that_hangs_up_leaves_the_messages_to_the_next(world):
    wire, publisher = joined(world), joined(world, WebSocketWire)
    wire.ask([32, 1, {}, "a"])
    waiting = wire.post("receive")
    waiting.hang_up()
    publisher.say([16, 1, {}, "a", [1]])
    assert [message[4] for message in wire.heard()] == [[1]]


def deliver(wire, message):
    """Send without ending the reactor's turn."""
    body = wire.frame(message)
    head = f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    wire.world.connect().transport.protocol.dataReceived(head.encode() + body)


def test_a_receive_that_hangs_up_in_the_turn_of_a_message_does_not_lose_it(world):
    wire = joined(world)
    waiting = wire.post("receive")
    deliver(wire, [48, 1, {}, "radiod.echo", [1]])
    waiting.hang_up()
    deliver(wire, [48, 2, {}, "radiod.echo", [2]])
    world.reactor.advance(0)
    assert wire.heard() == [[50, 1, {}, [1]], [50, 2, {}, [2]]]


def test_nothing_is_answered_before_the_core_has_done_its_turn(world):
    wire = joined(world)
    waiting = wire.post("receive")
    deliver(wire, [48, 1, {}, "radiod.echo", ["x" * 70_000]])
    assert waiting.received() == b""
    assert reply(waiting).status == 200


def test_requests_may_follow_each_other_on_one_connection(world):
    wire = PollWire(world)
    connection = world.connect()
    body = wire.frame(HELLO)
    head = f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    receive = f"POST {wire.base}/receive HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    echo = wire.frame([48, 1, {}, "radiod.echo", [1]])
    call = f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(echo)}\r\n\r\n"
    connection.send(b"".join([head.encode(), body, receive.encode(), call.encode(), echo, receive.encode()]))
    received = connection.received()
    assert [received.count(status) for status in (b"HTTP/1.1 204 ", b"HTTP/1.1 200 ")] == [2, 2]
    assert received.endswith(b"[50,1,{},[1]]")


# --- bounds


def test_a_listener_that_does_not_receive_is_told_what_it_lost(world):
    wire, publisher = joined(world), joined(world, WebSocketWire)
    wire.ask([32, 1, {}, "a"])
    publisher.say(*([16, i + 1, {}, "a", [i]] for i in range(110)))
    events = wire.heard()
    assert [event[4][0] for event in events] == list(range(10, 110))
    assert [event[3] for event in events[:2]] == [{"_lost": 10}, {}]


def test_answers_nobody_receives_make_sends_wait_and_then_cut(world):
    wire = joined(world)
    big = "x" * 40_000
    wire.say([48, 1, {}, "radiod.echo", [big]], [48, 2, {}, "radiod.echo", [big]])
    held = wire.post("send", wire.frame([48, 3, {}, "radiod.echo", [3]]))
    gone = wire.post("send", wire.frame([48, 4, {}, "radiod.echo", [4]]))
    assert (reply(held).status, reply(gone).status) == (0, 0)
    gone.hang_up()
    assert [message[1] for message in wire.receive()] == [1]
    assert reply(held).is_empty
    assert [message[1] for message in wire.heard()] == [2, 3]


def test_no_more_than_some_sends_wait(world):
    wire = joined(world)
    wire.say([48, 1, {}, "radiod.echo", ["x" * 70_000]])
    body = wire.frame([48, 2, {}, "radiod.echo"])
    held = [wire.post("send", body) for _ in range(MAX_HELD)]
    assert reply(wire.post("send", body)).status == 429
    assert reply(wire.post("close")).is_empty
    assert all(reply(one).is_empty for one in held)


def test_no_more_than_some_bytes_of_sends_wait(world):
    wire = joined(world)
    wire.say([48, 1, {}, "radiod.echo", ["x" * 70_000]])
    body = wire.frame([48, 2, {}, "radiod.echo", ["x" * 600_000]])
    held = [wire.post("send", body) for _ in range(2)]
    assert reply(wire.post("send", body)).status == 429
    held.pop().hang_up()
    assert reply(wire.post("send", body)).status == 0
    assert reply(held[0]).status == 0


def test_a_client_with_too_many_unread_answers_is_cut(world):
    world.start(max_backlog_bytes=100_000)
    wire, caller = joined(world), joined(world, WebSocketWire)
    wire.ask([64, 1, {}, "p"])
    caller.say(*([48, i, {}, "p", ["x" * 1000]] for i in range(1, 200)))
    assert reply(wire.post("receive")).status == 404
    assert world.radio.fan_out.cut == 1
    assert all(message[4] == "wamp.error.canceled" for message in caller.heard() if message[0] == 8)
    caller.hang_up()
    assert nothing_is_left(world)


def test_a_body_above_the_limit_is_refused(world):
    wire = joined(world)
    refused = world.connect()
    refused.send(f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n".encode())
    assert reply(refused).status == 413
    assert wire.ask([48, 1, {}, "radiod.echo"]) == [50, 1, {}]


def test_the_number_of_transports_is_bounded(world):
    world.start(max_connections=60)
    wires = [PollWire(world) for _ in range(3)]
    refused = opening(world, "wamp.2.json")
    assert refused.status == 429
    assert b"Retry-After: 5" in refused.head.encode()
    # What one address takes shuts nobody else out.
    assert world.radio.polls.open(["wamp.2.json"], "tcp:192.0.2.1:1")
    reply(wires[0].post("close"))
    assert opening(world, "wamp.2.json").status == 200
    assert world.radio.statistics.refused["transports"] == 1


def test_strangers_leave_transports_to_those_who_log_in(world):
    world.start(max_connections=80)
    opened = [world.radio.polls.open(["wamp.2.json"], f"tcp:192.0.2.{each}:1") for each in range(7)]
    told = []
    opened[0].receive(told.append)
    for poll in opened:
        poll.send(msgspec.json.encode(HELLO), lambda wrong: None)
    world.reactor.pump([0, 0, 0])
    assert json.loads(told[0])[2] == "radiod.error.quota"
    assert len(world.realm.sessions) == 6
    member = world.radio.polls.open(["wamp.2.json"], "tcp:192.0.2.9:1")
    ticket = {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}
    member.send(msgspec.json.encode([1, "radio", ticket]), lambda wrong: None)
    member.send(b'[5, "joe-ticket", {}]', lambda wrong: None)
    assert len(world.realm.sessions) == 7


class SlowAuthenticator:
    """Lets everybody in, when told to."""

    method = "anonymous"

    def __init__(self, quick):
        self.quick = quick
        self.later = Promise()

    def begin(self, details):
        return self.later


def test_while_somebody_else_decides_on_a_hello_sends_wait(world):
    wire = PollWire(world)
    authenticators = world.radio.polls.gates["radio"].authenticators
    slow = SlowAuthenticator(authenticators["anonymous"])
    authenticators["anonymous"] = slow
    wire.say(HELLO)
    held = [wire.post("send", wire.frame([48, i, {}, "radiod.echo", [i]])) for i in (1, 2, 3)]
    assert [reply(one).status for one in held] == [0, 0, 0]
    slow.later.settle(slow.quick.principal())
    assert all(reply(one).is_empty for one in held)
    welcome, *results = wire.heard()
    assert (welcome[0], results) == (2, [[50, i, {}, [i]] for i in (1, 2, 3)])


def test_an_answer_handed_over_in_the_middle_of_a_fan_out_does_not_disturb_it(world):
    wires = [joined(world, PollWire, "wamp.2.json.batched") for _ in range(3)]
    listener, publisher = joined(world, WebSocketWire), joined(world, WebSocketWire)
    for wire in wires:
        wire.ask([32, 1, {}, "a"])
    listener.ask([32, 1, {}, "b"])
    connections = []
    for i, wire in enumerate(wires):
        # The send comes to be read the moment the receive before it is answered.
        body = wire.frame([16, None, {}, "b", [i]])
        send = f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        receive = f"POST {wire.base}/receive HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        connections.append(world.connect())
        connections[-1].send(receive.encode() + send.encode() + body)
    publisher.say([16, None, {}, "a", ["x" * 70_000]], [16, None, {}, "a", ["end"]])
    for wire, connection in zip(wires, connections, strict=True):
        assert connection.received().count(b"HTTP/1.1 20") == 2
        assert [event[4] for event in wire.heard()] == [["end"]]
    assert sorted(event[4][0] for event in listener.heard()) == [0, 1, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", sweep(range(10), short=2))
def test_whenever_a_client_receives_it_gets_everything_once_in_order(world, protocol, seed):
    chance = random.Random(f"{protocol}{seed}")
    wire, publisher = joined(world, PollWire, protocol), joined(world, WebSocketWire)
    wire.ask([32, 1, {}, "a"])
    sent, asked, heard, waiting = 0, 0, [], []
    for _ in range(150):
        match chance.randrange(7):
            case 0 | 1 if sent - sum(message[0] == 36 for message in heard) < 90:
                count = chance.randrange(1, 5)
                publisher.say(
                    *([16, None, {}, "a", [sent + i, "x" * chance.choice([0, 9000])]] for i in range(count))
                )
                sent += count
            case 2:
                asked += 1
                wire.say([48, None, {}, "radiod.echo"])
            case 3 | 4:
                waiting.append(wire.post("receive"))
            case 5:
                waiting.append(wire.post("receive"))
                world.reactor.advance(chance.choice([0, WAIT_SECONDS / 2, WAIT_SECONDS]))
                # It may have been pinged.
                publisher.send(client_frame(0x8A, b""))
            case 6 if waiting and reply_to(waiting[-1], wire, heard) == 0:
                waiting.pop().hang_up()
        for one in waiting:
            reply_to(one, wire, heard)
    heard.extend(wire.heard())
    assert [message[4][0] for message in heard if message[0] == 36] == list(range(sent))
    assert [message[1] for message in heard if message[0] == 50] == list(range(2, asked + 2))


def reply_to(waiting, wire, heard):
    got = reply(waiting)
    if got.status == 200:
        heard.extend(wire.unframe(got.body))
    return got.status


# --- what is refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"protocols": "wamp.2.json"}',
        b'{"protocols": []}',
        b'{"protocols": [1]}',
        b'{"protocols": ["wamp.2.flatbuffers", "wamp.1"]}',
        b'{"protocols": ["\xff"]}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_opens_nothing_is_400(world, body):
    got = reply(post(world, "/lp/open", body))
    assert got.status == 400
    assert json.loads(got.body)["error"]
    assert len(world.radio.polls) == 0


def test_the_clients_order_of_protocols_counts(world):
    got = opening(world, "wamp.2.ubjson", "wamp.2.cbor", "wamp.2.json")
    assert json.loads(got.body)["protocol"] == "wamp.2.cbor"


@pytest.mark.parametrize(
    "path",
    ["/lp", "/lp/", "/lp/x", "/lp/x/receive", "/lp/x/send", "/lp/x/close", "/lp/open/x", "/lp/%ff/send"],
)
def test_paths_that_lead_nowhere_are_404(world, path):
    assert reply(post(world, path)).status == 404


def test_a_transport_does_nothing_else(world):
    wire = PollWire(world)
    assert reply(wire.post("delete")).status == 404
    assert reply(wire.post("send/x")).status == 404
    assert reply(post(world, f"{wire.base}/receive", method="GET")).status == 405


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", [b"", b"nonsense", b"\x1e", b"\x00\x00\x00\x01", b"\x00\x00\x00", b"[]\x1e"])
def test_a_body_that_is_no_message_ends_the_session(world, protocol, body):
    wire = joined(world, PollWire, protocol)
    assert reply(wire.post("send", body)).status == 400
    ((code, _, uri),) = wire.receive()
    assert (code, uri) == (3, "wamp.error.protocol_violation")
    assert reply(wire.post("receive")).status == 404
    assert reply(wire.post("send", wire.frame([32, 1, {}, "a"]))).is_empty
    assert world.realm.sessions == {}
    assert reply(wire.post("close")).is_empty
    assert len(world.radio.polls) == 0


def test_a_batch_is_answered_with_the_separator_that_the_client_uses(world):
    wire = PollWire(world, "wamp.2.json.batched")
    assert reply(wire.post("send", wire.encode(HELLO) + b"\x18")).is_empty
    body = reply(wire.post("receive")).body
    assert body.endswith(b"\x18")
    assert b"\x1e" not in body


def test_a_batch_of_too_many_messages_ends_the_session(world):
    wire = joined(world, PollWire, "wamp.2.json.batched")
    body = wire.frame(*([16, i + 1, {}, "a"] for i in range(MOST_MESSAGES + 1)))
    assert reply(wire.post("send", body)).status == 400


def test_a_refused_client_is_told_by_its_receive(world):
    wire = PollWire(world)
    assert wire.ask([1, "nowhere", HELLO[2]])[::2] == [3, "wamp.error.no_such_realm"]
    assert reply(wire.post("close")).is_empty


def test_a_client_that_aborts_has_nothing_more_to_receive(world):
    wire = PollWire(world)
    waiting = wire.post("receive")
    wire.say([3, {}, "wamp.error.unknown"])
    assert reply(waiting).is_empty
    assert reply(wire.post("receive")).status == 404


# --- other sites, and the end


def test_pages_of_other_sites_may_use_it(world):
    wire = PollWire(world)
    for method, path in (("OPTIONS", "/lp/open"), ("OPTIONS", f"{wire.base}/send"), ("POST", "/lp/open")):
        head = reply(post(world, path, method=method)).head
        assert "Access-Control-Allow-Origin: *" in head
        assert "Access-Control-Allow-Credentials" not in head
    head = reply(post(world, "/lp/open", method="OPTIONS")).head
    assert "Content-Type" in head.partition("Access-Control-Allow-Headers: ")[2].partition("\r\n")[0]
    assert "Access-Control-Allow-Methods: POST" in head


def test_when_the_server_stops_receives_are_answered_and_their_connections_closed(world):
    wire, stranger = joined(world), PollWire(world)
    waiting, idle = wire.post("receive"), stranger.post("receive")
    world.realm.close()
    world.radio.fan_out.flush()
    world.radio.polls.wind_up()
    world.radio.http.wind_up()
    assert reply(waiting).is_empty
    assert reply(idle).is_empty
    assert waiting.is_closed
    assert idle.is_closed


def test_ids_cannot_be_guessed(world):
    ids = {PollWire(world).transport for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id) == 32 for id in ids)


def test_a_replay_that_is_read_in_the_middle_of_a_publish_misses_nothing(world):
    world.start('realms.radio.channels."kept.a".history.size = 10')
    paced = joined(world, WebSocketWire)
    paced.ask([32, None, {"match": "prefix", "_radiod_buffer": {"min_interval": 1}}, "kept"])
    listener = PollWire(world, "wamp.2.json.batched")
    listener.join()
    paced.say([16, None, {}, "kept.a", [1]])
    waiting = listener.post("receive")
    epoch = world.realm.space.histories.find("kept.a").epoch
    listener.say(
        [32, None, {"_radiod_after": f"{epoch}:0"}, "kept.a"],
        [16, None, {"exclude_me": False}, "kept.a", [2, "x" * (1 << 17)]],
    )
    heard = listener.unframe(reply(waiting).body)
    while len(heard) < 3 and (more := listener.heard()):
        heard += more
    assert [message[4][0] for message in heard if message[0] == 36] == [1, 2]


# --- many messages in one send


def calls(wire, count, size=1):
    return wire.frame(*([48, None, {}, "radiod.echo", [number, "x" * size]] for number in range(count)))


def begin_send(wire, body):
    """Deliver a send, and let the server go no further than it goes in that turn."""
    request = wire.world.connect()
    head = f"POST {wire.base}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    request.transport.protocol.dataReceived(head.encode() + body)
    return request


def numbers(messages):
    return [message[3][0] for message in messages]


def test_a_long_batch_is_taken_in_turns_and_answered_when_all_was_taken(world):
    wire = joined(world, PollWire, "wamp.2.json.batched")
    long = begin_send(wire, calls(wire, 3 * TURN_MESSAGES))
    assert long.received() == b""
    behind = begin_send(wire, wire.frame([48, None, {}, "radiod.echo", ["last"]]))
    assert behind.received() == b""
    assert reply(long).is_empty
    assert reply(behind).is_empty
    assert numbers(wire.heard()) == [*range(3 * TURN_MESSAGES), "last"]


def test_a_batch_goes_on_when_its_answers_have_been_received(world):
    wire = joined(world, PollWire, "wamp.2.json.batched")
    sent = begin_send(wire, calls(wire, 200, 1000))
    assert reply(sent).status == 0
    heard = []
    while not Reply(sent.received()).is_empty:
        more = wire.receive()
        assert more
        heard += more
    assert numbers(heard + wire.heard()) == list(range(200))


@pytest.mark.parametrize("size", [1, 1000])
def test_a_send_is_answered_when_its_transport_is_closed_meanwhile(world, size):
    wire = joined(world, PollWire, "wamp.2.json.batched")
    sent = begin_send(wire, calls(wire, 3 * TURN_MESSAGES, size))
    assert sent.received() == b""
    close = world.connect()
    head = f"POST {wire.base}/close HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    close.transport.protocol.dataReceived(head.encode())
    world.radio.fan_out.flush()
    assert Reply(sent.received()).is_empty
    assert reply(close).is_empty
    sent.hang_up()
    close.hang_up()
    assert len(world.radio.polls) == 0
    assert world.realm.sessions == {}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("reason", ["revoked", "suspended", "expired", "quota"])
@pytest.mark.parametrize("is_waiting", [True, False])
def test_whoevers_access_ends_is_told_by_a_receive(world, protocol, reason, is_waiting):
    wire = joined(world, PollWire, protocol)
    receive = wire.post("receive") if is_waiting else None
    world.realm.departures.expel(next(iter(world.realm.sessions.values())), reason)
    told = wire.unframe(reply(receive or wire.post("receive")).body)
    message = f"access has ended: {reason}"
    assert told == [[6, {"message": message}, f"radiod.close.{reason}"]]
    wire.say([6, {}, "wamp.close.goodbye_and_out"])
    assert world.realm.sessions == {}
