"""Open WebSockets at the byte level: pings, closing from both sides, and going back to plain frames."""

import gc

import msgspec
import pytest
from support.memory import HELLO, WebSocketWire, client_frame, upgrade

from radiod.transport.pings import CROWD, TURNS

PING, PONG, CLOSE = 9, 10, 8
INTERVAL, TIMEOUT = 30, 20
PING_FRAME = b"\x89\x00"
ECHO = b'[48,1,{},"radiod.echo",["x"]]'
SECOND_ECHO = ECHO.replace(b"1", b"2")


def listening(world):
    wire = world.connect()
    wire.send(upgrade("/listen/sample_net"))
    assert wire.received().startswith(b"HTTP/1.1 101 ")
    return wire


def code(number):
    return number.to_bytes(2, "big")


def wait(world, seconds):
    """Let time pass as it does, a second at a time."""
    for _ in range(seconds):
        world.reactor.advance(1)


def sessions(world):
    return world.realm.sessions


def pinger(world):
    return world.radio.port.websocket.shared.pinger


def count(*names):
    """How many objects of classes so named there are."""
    return sum(type(each).__name__ in names for each in gc.get_objects())


class TestPings:
    def test_a_silent_peer_is_pinged_once_an_interval(self, world):
        wire = world.join()
        wait(world, INTERVAL - 2)
        assert wire.received() == b""
        wait(world, 2)
        assert wire.received() == PING_FRAME

    def test_one_that_answers_is_pinged_for_ever(self, world):
        wire = world.join()
        for _ in range(5):
            wait(world, INTERVAL)
            assert wire.received() == PING_FRAME
            wire.send(client_frame(0x8A, b""))
        assert not wire.is_closed

    def test_one_that_does_not_answer_is_cut_and_nothing_of_it_remains(self, world):
        wire = world.join()
        wait(world, INTERVAL)
        wait(world, TIMEOUT - 1)
        assert not wire.is_closed
        wait(world, 2)
        assert wire.is_closed
        assert (sessions(world), world.radio.port.connections, len(pinger(world))) == ({}, 0, 0)

    def test_one_that_is_not_read_since_what_it_asked_waits_is_asked_again_later(self, world):
        wire = world.join()
        (session,) = sessions(world).values()
        session.outlet.pause_reads(True)
        wait(world, 3 * INTERVAL)
        assert not wire.is_closed
        session.outlet.pause_reads(False)
        wait(world, INTERVAL + TIMEOUT + INTERVAL)
        assert wire.is_closed

    @pytest.mark.parametrize("data", [client_frame(0x81, ECHO), client_frame(0x81, ECHO)[:1]])
    def test_anything_it_sends_is_an_answer(self, world, data):
        world.start(message_timeout_s=60)
        wire = world.join()
        wait(world, INTERVAL + 1)
        wire.send(data)
        wait(world, TIMEOUT)
        assert not wire.is_closed

    def test_a_pong_nobody_asked_for_is_ignored(self, world):
        wire = world.join()
        wire.send(client_frame(0x8A, b"here I am"))
        assert wire.received() == b""
        assert not wire.is_closed

    def test_listeners_are_pinged_too(self, world):
        listener = listening(world)
        wait(world, INTERVAL)
        assert listener.received() == PING_FRAME
        wait(world, TIMEOUT + 1)
        assert listener.is_closed

    def test_a_timeout_longer_than_the_interval_is_kept(self, world):
        world.start(ping_interval_s=3, ping_timeout_s=10)
        wire = world.join()
        wait(world, 12)
        # Asked once, and not again before the time is up.
        assert wire.received() == PING_FRAME
        assert not wire.is_closed
        wait(world, 3)
        assert wire.is_closed

    def test_connections_are_spread_over_the_turns_they_came_in(self, world):
        first = world.join()
        wait(world, 10)
        second = world.join()
        wait(world, INTERVAL - 10)
        assert (first.received(), second.received()) == (PING_FRAME, b"")
        wait(world, 10)
        assert second.received() == PING_FRAME

    def test_one_timer_serves_all_and_none_runs_for_nobody(self, world):
        timers = world.radio.clock.timers
        wires = [world.join() for _ in range(3)]
        assert (len(timers), len(pinger(world))) == (1, 3)
        for wire in wires:
            wire.hang_up()
        assert (len(timers), len(pinger(world))) == (0, 0)

    def test_many_that_came_together_are_not_pinged_together(self, world):
        wires = [world.join() for _ in range(CROWD + 100)]
        pinged = []
        for _ in range(INTERVAL):
            world.reactor.advance(1)
            pinged.append(sum(wire.received() == PING_FRAME for wire in wires))
        assert sum(pinged) == len(wires)
        assert max(pinged) == CROWD

    def test_a_turn_is_short(self):
        assert INTERVAL / TURNS <= 1


class TestPeersPings:
    def test_each_is_answered_with_its_payload(self, world):
        wire = world.join()
        wire.send(client_frame(0x89, b"") + client_frame(0x89, b"x" * 125))
        assert wire.frames() == [(PONG, b""), (PONG, b"x" * 125)]

    def test_in_order_with_messages_before_and_behind(self, world):
        wire = world.join()
        wire.send(client_frame(0x81, ECHO) + client_frame(0x89, b"?") + client_frame(0x81, SECOND_ECHO))
        assert [opcode for opcode, _ in wire.frames()] == [1, PONG, 1]

    def test_in_two_segments(self, world):
        wire = world.join()
        data = client_frame(0x89, b"alive?")
        wire.send(data[:4])
        assert wire.received() == b""
        wire.send(data[4:])
        assert wire.frames() == [(PONG, b"alive?")]


class TestThePeerCloses:
    @pytest.mark.parametrize(
        ("payload", "answer"),
        [
            (b"", 1000),
            (code(1000), 1000),
            (code(1001) + b"bye", 1001),
            (code(4999), 4999),
            (code(1005), 1002),
            (code(999), 1002),
            (b"\x03", 1002),
            (code(1000) + b"\xff", 1007),
        ],
    )
    def test_and_is_answered_once_and_hung_up_on(self, world, payload, answer):
        wire = world.join()
        wire.send(client_frame(0x88, payload))
        assert wire.frames() == [(CLOSE, code(answer))]
        assert wire.is_closed

    def test_what_it_asked_before_is_answered_what_it_sends_behind_is_not(self, world):
        wire = world.join()
        wire.send(client_frame(0x81, ECHO) + client_frame(0x88, code(1000)) + client_frame(0x81, ECHO))
        assert [opcode for opcode, _ in wire.frames()] == [1, CLOSE]

    def test_its_session_is_over_at_once(self, world):
        wire = world.join()
        wire.ask([32, 1, {}, "a"])
        wire.send(client_frame(0x88, code(1000)))
        assert sessions(world) == {}


class TestWeClose:
    def closing(self, world):
        wire = world.join()
        world.realm.close()
        wire.settle()
        ((opcode, payload),) = wire.frames()
        assert (opcode, payload[:2]) == (CLOSE, code(1012))
        assert not wire.is_closed
        return wire

    def test_the_peers_answer_ends_it(self, world):
        wire = self.closing(world)
        wire.send(client_frame(0x88, code(1000)))
        assert wire.is_closed
        assert wire.received() == b""
        # Nothing that would happen later.
        assert len(world.radio.clock.timers) == 0

    def test_nothing_else_it_sends_counts(self, world):
        wire = self.closing(world)
        wire.send(client_frame(0x81, ECHO) + client_frame(0x89, b"?") + b"\x83\x02hi")
        assert (wire.received(), wire.is_closed) == (b"", False)
        wire.send(client_frame(0x88, code(1000)))
        assert wire.is_closed

    def test_in_the_middle_of_what_it_sends(self, world):
        wire = world.join()
        frame = client_frame(0x81, b"\x88" * 1000)
        wire.send(frame[:500])
        world.realm.close()
        wire.settle()
        assert [opcode for opcode, _ in wire.frames()] == [CLOSE]
        wire.send(frame[500:])
        assert not wire.is_closed
        wire.send(client_frame(0x88, code(1000)))
        assert wire.is_closed

    def test_a_peer_that_does_not_answer_is_cut(self, world):
        wire = self.closing(world)
        wait(world, 1)
        assert not wire.is_closed
        wait(world, 2)
        assert wire.is_closed
        assert wire.received() == b""


class TestViolations:
    def test_end_the_session_at_once_and_tell_why(self, world):
        wire = world.join()
        wire.send(b"\x81\x02hi")
        assert sessions(world) == {}
        ((opcode, payload),) = wire.frames()
        assert (opcode, payload[:2], payload[2:]) == (CLOSE, code(1002), b"a client's frames must be masked")

    def test_a_close_in_the_same_segment_is_heard(self, world):
        wire = world.join()
        wire.send(b"\x81\x02hi" + client_frame(0x88, code(1002)) + b"x")
        assert [opcode for opcode, _ in wire.frames()] == [CLOSE]
        assert wire.is_closed

    def test_a_frame_too_big_is_refused_by_its_head_and_never_kept(self, world):
        wire = world.join()
        wire.send(client_frame(0x81, b"x" * 1_048_577)[:100])
        ((_, payload),) = wire.frames()
        assert payload[:2] == code(1009)
        for _ in range(10):
            wire.send(b"x" * 100_000)
        assert wire.transport.protocol._reader._pieces.size == 0

    @pytest.mark.parametrize(("size", "is_taken"), [(131_072, True), (131_073, False)])
    def test_a_stranger_may_send_less_than_a_session(self, world, size, is_taken):
        wire = world.connect(WebSocketWire)
        wire.send(client_frame(0x81, b" " * size)[:100])
        assert [payload[:2] for _, payload in wire.frames()] == ([] if is_taken else [code(1009)])
        member = world.join()
        member.send(client_frame(0x81, b" " * size)[:100])
        assert member.frames() == []

    def test_are_closed_on_though_the_peer_says_nothing(self, world):
        wire = world.join()
        wire.send(b"\x81\x02hi")
        wait(world, 3)
        assert wire.is_closed


class TestIdleConnections:
    def test_read_fragments_after_a_long_time_and_go_back_to_plain_frames(self, world):
        wire = world.join()
        wait(world, INTERVAL)
        wire.send(client_frame(0x8A, b""))
        wire.received()
        wire.send(client_frame(0x01, ECHO[:9]))
        assert wire.transport.protocol._reader is not None
        wire.send(client_frame(0x80, ECHO[9:]))
        assert wire.heard()[0][0] == 50
        assert wire.transport.protocol._reader is None
        assert wire.ask([48, 2, {}, "radiod.echo"])[0] == 50

    def test_what_comes_together_with_the_request_is_read(self, world):
        wire = world.connect()
        wire.send(upgrade("/ws", "wamp.2.json") + client_frame(0x81, msgspec.json.encode(HELLO)))
        answer = wire.received()
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"[2," in answer.partition(b"\r\n\r\n")[2]

    def test_hold_no_protocol_of_autobahns(self, world):
        world.join()
        gc.collect()
        assert count("RadioSocket") == 0

    def test_are_freed_without_the_garbage_collector(self, world):
        # Not a WAMP session: Twisted's log keeps those it has written about until it is started.
        wire = listening(world)
        gc.collect()
        gc.disable()
        try:
            before = count("WebSocketConnection", "StreamOutlet", "Session")
            wire.hang_up()
            wire.transport.protocol = wire.transport.producer = None
            after = count("WebSocketConnection", "StreamOutlet", "Session")
        finally:
            gc.enable()
        assert before - after == 3
