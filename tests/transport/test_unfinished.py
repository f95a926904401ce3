"""Messages that begin and do not end: they have a time, and all of them a bound; listeners leave nothing."""

import json

import pytest
from support.memory import (
    HELLO,
    RawSocketWire,
    WebSocketWire,
    client_frame,
    upgrade,
)

from radiod.wire.codecs import JSON

MOST = 300_000
LONG = json.dumps([48, 1, {}, "radiod.echo", ["x" * 100_000]]).encode()


@pytest.fixture
def world(world):
    return world.start(max_unfinished_bytes=MOST)


@pytest.fixture(params=[WebSocketWire, RawSocketWire])
def wamp(request, world):
    def connect():
        wire = world.join(request.param)
        return wire

    return connect


def held(world):
    unfinished = world.radio.fan_out.unfinished
    return len(unfinished), unfinished.bytes


def refused(world, name):
    return world.radio.statistics.refused[name]


def test_a_message_must_come_in_time_however_steadily_it_drips(world, wamp):
    wire = wamp()
    frame = wire.frame(LONG)
    for at in range(10):
        wire.send(frame[at : at + 1])
        assert not wire.is_closed
        world.reactor.advance(1)
    wire.settle()
    assert b"took longer than 10 s" in wire.received()
    assert refused(world, "slow_messages") == 1
    world.reactor.advance(2)
    assert wire.is_closed
    assert held(world) == (0, 0)
    assert not world.realm.sessions


def test_each_message_of_many_has_its_own_time(world, wamp):
    wire = wamp()
    frames = [wire.frame(LONG.replace(b"48, 1", b"48, %d" % number)) for number in range(1, 6)]
    pending = b"".join(frames)
    step = len(frames[0]) // 2
    wire.send(pending[:step])
    for at in range(step, len(pending), len(frames[0])):
        world.reactor.advance(6)
        wire.send(pending[at : at + len(frames[0])])
        assert not wire.is_closed
    world.reactor.advance(6)
    assert held(world) == (0, 0)
    assert len(wire.heard()) == 5


@pytest.mark.parametrize("behind", [b"", LONG[:10]])
def test_a_message_whose_head_came_in_two_pieces_ends_like_any_other(world, wamp, behind):
    wire = wamp()
    frame = wire.frame(b'[48, 1, {}, "radiod.echo", [7]]')
    wire.send(frame[:2])
    assert held(world) == (1, 2)
    world.reactor.advance(9)
    wire.send(frame[2:] + wire.frame(LONG)[: len(behind)])
    assert held(world) == (1 if behind else 0, len(behind))
    assert len(wire.heard()) == 1
    world.reactor.advance(9)
    assert not wire.is_closed
    assert refused(world, "slow_messages") == 0


def test_what_begins_behind_messages_of_many_turns_counts_until_the_connection_is_gone(world, wamp):
    wire = wamp()
    calls = [wire.frame(b'[48, %d, {}, "radiod.echo", [7]]' % number) for number in range(1, 601)]
    wire.transport.protocol.dataReceived(b"".join(calls) + wire.frame(LONG)[:1000])
    assert held(world) == (0, 0)
    wire.hang_up()
    world.reactor.pump([0] * 5)
    assert world.radio.port.connections == 0
    assert held(world) == (0, 0)


def test_a_message_behind_others_that_wait_for_their_turn_counts_then(world, wamp):
    wire = wamp()
    calls = [wire.frame(b'[48, %d, {}, "radiod.echo", [7]]' % number) for number in range(1, 601)]
    wire.transport.protocol.dataReceived(b"".join(calls) + wire.frame(LONG)[:1000])
    world.reactor.pump([0] * 5)
    assert held(world) == (1, 1000)
    world.reactor.advance(11)
    assert refused(world, "slow_messages") == 1


def test_fragments_of_one_message_share_its_time(world):
    wire = world.join()
    wire.send(client_frame(0x01, b"["))
    for _ in range(9):
        world.reactor.advance(1)
        wire.send(client_frame(0x00, b" ") + client_frame(0x89, b""))
    world.reactor.advance(1.5)
    assert refused(world, "slow_messages") == 1


def test_a_client_that_is_not_read_meanwhile_has_more_time(world, wamp):
    wire = wamp()
    session = next(iter(world.realm.sessions.values()))
    wire.send(wire.frame(LONG)[:100])
    world.radio.fan_out.hold(session, True)
    world.reactor.pump([5] * 5)
    assert not wire.is_closed
    world.radio.fan_out.hold(session, False)
    world.reactor.pump([6, 0])
    assert b"took longer" in wire.received()


def test_all_together_have_a_bound_and_the_longest_goes_first(world, wamp):
    wires = [wamp() for _ in range(4)]
    for size, wire in zip((90_000, 99_000, 95_000, 30_000), wires, strict=True):
        wire.send(wire.frame(LONG)[:size])
    assert [wire.is_closed for wire in wires] == [False, True, False, False]
    assert refused(world, "unfinished_bytes") == 1
    assert held(world) == (3, 215_000)
    for wire in wires:
        wire.hang_up()
    assert held(world) == (0, 0)
    assert world.radio.port.connections == 0


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nX: " + b"y" * 10_000,
        b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + b"x" * 10_000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: " + b"y" * 10_000,
    ],
)
def test_heads_and_bodies_of_requests_count(world, begun):
    wires = [world.connect() for _ in range(31)]
    for wire in wires:
        wire.send(begun)
    count, size = held(world)
    assert size <= MOST
    assert sum(wire.is_closed for wire in wires) == 31 - count == refused(world, "unfinished_bytes") > 0
    for wire in wires:
        wire.hang_up()
    assert held(world) == (0, 0)


def test_a_request_that_is_complete_counts_no_more(world):
    wire = world.connect()
    request = b"POST /publish HTTP/1.1\r\nHost: x\r\nAPI-KEY: sample-key\r\nContent-Length: 35\r\n\r\n"
    body = b'{"network": "sample_net", "data":{}'
    wire.send(request[:30])
    assert held(world)[0] == 1
    wire.send(request[30:] + body[:20])
    assert held(world) == (1, 20)
    wire.send(body[20:])
    assert held(world) == (0, 0)
    assert b"POST data is not JSON" in wire.received()


class TestPlainListeners:
    """What they say is nobody's business, and takes no memory."""

    @pytest.fixture(params=["", "Sec-WebSocket-Extensions: permessage-deflate\r\n"])
    def listener(self, request, world):
        wire = world.connect()
        wire.send(upgrade("/listen/sample_net", extra=request.param))
        assert b"101" in wire.received()
        return wire

    def test_leave_nothing_of_what_they_begin(self, world, listener):
        listener.send(client_frame(0x82, b"x" * 200_000)[:150_000])
        reader = listener.transport.protocol._reader
        assert reader.size == 0
        assert held(world) == (0, 0)
        world.reactor.advance(9)
        listener.send(client_frame(0x82, b"x" * 200_000)[150_000:] + client_frame(0x89, b"hi"))
        assert listener.received() == b"\x8a\x02hi"
        assert listener.transport.protocol._reader is None

    def test_are_understood_however_their_frames_are_cut(self, listener):
        talk = client_frame(0x01, b"a" * 300) + client_frame(0x89, b"1") + client_frame(0x80, b"b" * 10)
        talk += client_frame(0x82, b"c" * 70_000) + client_frame(0x89, b"2")
        for step in (1, 7, 100, 10_000):
            for at in range(0, len(talk), step):
                listener.send(talk[at : at + step])
            assert listener.received() == b"\x8a\x011\x8a\x012"

    def test_end_with_their_faults_as_before(self, listener):
        listener.send(client_frame(0x83, b"?"))
        assert b"unknown data frame" in listener.received()

    def test_may_close_in_the_middle_of_nothing(self, listener):
        listener.send(client_frame(0x01, b"a") + client_frame(0x88, b"\x03\xe8"))
        assert listener.received() == b"\x88\x02\x03\xe8"


class TestLongPoll:
    def open(self, world):
        return world.radio.polls.open(["wamp.2.json"], "tcp:127.0.0.1:1")

    def post(self, world, path, body):
        wire = world.connect()
        wire.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body))
        return wire

    def test_before_login_messages_are_as_short_as_anywhere(self, world):
        poll = self.open(world)
        send = f"/lp/{poll.id}/send".encode()
        long = b'[1, "radio", {"x": "%b"}]' % (b"x" * (1 << 17))
        assert self.post(world, send, long).received().startswith(b"HTTP/1.1 413")
        assert self.post(world, send, JSON.dump(HELLO)).received().startswith(b"HTTP/1.1 204")
        assert self.post(world, send, LONG).received().startswith(b"HTTP/1.1 204")

    def test_what_is_sent_when_it_is_over_is_not_kept(self, world):
        poll = self.open(world)
        answers = []
        poll.send(JSON.dump(HELLO), answers.append)
        poll._pause(True)
        poll._end()
        poll.send(LONG, answers.append)
        assert answers == [None, None]
        assert held(world) == (0, 0)

    def test_sends_that_wait_count(self, world):
        poll = self.open(world)
        poll.send(JSON.dump(HELLO), lambda wrong: None)
        poll._pause(True)
        for _ in range(3):
            poll.send(LONG, lambda wrong: None)
        assert refused(world, "unfinished_bytes") == 1
        world.reactor.advance(0)
        assert poll.is_over
        assert held(world) == (0, 0)
