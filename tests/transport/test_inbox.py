"""Many messages at once: in order, a share of each turn for every peer, nothing lost or overtaken."""

import msgspec
import pytest
from support.memory import RawSocketWire, WebSocketWire, client_frame
from support.turns import ManualClock
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.python.failure import Failure

from radiod.transport.inbox import SLICE_S, TURN_MESSAGES, TURN_S, Turns

COUNT = 3 * TURN_MESSAGES


class Taker:
    """A peer that says numbers; the server may stop listening to it."""

    def __init__(self, turns):
        self.turns = turns
        self.inbox = None
        self.is_held = False
        self.taken = []

    def update_reads(self):
        if self.inbox is not None and not self.is_held:
            self.inbox.wake()

    def say(self, numbers):
        self.turns.take(self, self.work(numbers), self.work)

    def work(self, numbers):
        for number in numbers:
            self.taken.append(number)
            yield


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def turns(clock):
    return Turns(clock)


class TestTurns:
    def test_little_is_taken_at_once(self, clock, turns):
        peer = Taker(turns)
        peer.say(range(3))
        assert peer.taken == [0, 1, 2]
        assert peer.inbox is None
        assert clock.is_idle

    def test_much_goes_on_in_the_next_turns(self, clock, turns):
        peer = Taker(turns)
        peer.say(range(2 * TURN_MESSAGES))
        assert len(peer.taken) == TURN_MESSAGES
        clock.turn()
        clock.turn()
        assert peer.taken == list(range(2 * TURN_MESSAGES))
        assert peer.inbox is None
        assert clock.is_idle

    def test_what_takes_long_ends_with_its_time(self, clock, turns):
        clock.look_s = TURN_S / 3
        peer = Taker(turns)
        peer.say(range(12))
        assert peer.taken == [0, 1, 2]
        clock.turn()
        assert 3 < len(peer.taken) <= 6

    def test_one_message_is_always_taken(self, clock, turns):
        clock.look_s = 2 * TURN_S
        peer = Taker(turns)
        peer.say(range(2))
        assert peer.taken == [0]

    def test_several_share_a_turn(self, clock, turns):
        peers = [Taker(turns) for _ in range(3)]
        for peer in peers:
            peer.say(range(COUNT))
        clock.look_s = SLICE_S
        taken = [len(peer.taken) for peer in peers]
        for _ in range(60):
            clock.turn()
        more = [len(peer.taken) - before for peer, before in zip(peers, taken, strict=True)]
        assert min(more) > 10
        assert max(more) - min(more) <= 2

    def test_a_turn_is_no_longer_for_many_than_for_one(self, clock, turns):
        peers = [Taker(turns) for _ in range(50)]
        for peer in peers:
            peer.say(range(2 * TURN_MESSAGES))
        clock.look_s = SLICE_S / 4
        before = clock.seconds()
        clock.turn()
        assert clock.seconds() - before < TURN_S + 2 * SLICE_S

    def test_who_comes_while_others_wait_has_what_is_left_of_the_turn(self, clock, turns):
        clock.look_s = SLICE_S
        first, second = Taker(turns), Taker(turns)
        first.say(range(100))
        second.say(range(100))
        assert len(first.taken) > 3 * len(second.taken) > 0

    def test_one_that_is_held_is_not_taken_from_until_it_is_held_no_more(self, clock, turns):
        peer = Taker(turns)

        def work():
            for number in range(3):
                peer.taken.append(number)
                peer.is_held = number == 1
                yield

        turns.take(peer, work(), peer.work)
        assert peer.taken == [0, 1]
        assert clock.is_idle
        peer.is_held = False
        peer.update_reads()
        clock.turn()
        assert peer.taken == [0, 1, 2]

    def test_what_comes_meanwhile_stays_behind(self, clock, turns):
        peer = Taker(turns)
        peer.is_held = True
        turns.put_off(peer, b"\x01\x02", peer.work)
        turns.put_off(peer, b"\x03", peer.work)
        assert peer.taken == []
        peer.is_held = False
        peer.update_reads()
        clock.turn()
        assert peer.taken == [1, 2, 3]

    def test_a_fault_of_ours_does_not_stop_others(self, clock, turns):
        def broken():
            for _ in range(TURN_MESSAGES):
                yield
            raise KeyError("x")

        bad, good = Taker(turns), Taker(turns)
        turns.take(bad, broken(), bad.work)
        good.say(range(2 * TURN_MESSAGES))
        with pytest.raises(KeyError):
            clock.turn()
        clock.turn()
        clock.turn()
        assert len(good.taken) == 2 * TURN_MESSAGES


# --- on whole connections


@pytest.fixture(params=[WebSocketWire, RawSocketWire])
def kind(request):
    return request.param


def numbered(wire, messages):
    """The bytes of all messages."""
    return b"".join(wire.frame(msgspec.json.encode(wire.requests.number(one))) for one in messages)


def calls(wire, count=COUNT):
    return numbered(wire, [[48, None, {}, "radiod.echo", [number]] for number in range(count)])


def echoed(answers):
    return [answer[3][0] for answer in answers if answer[0] == 50]


def state(wire):
    return wire.transport.producerState


class TestConnections:
    def test_are_not_read_while_something_waits(self, world, kind):
        wire = world.join(kind)
        wire.transport.protocol.dataReceived(calls(wire))
        assert state(wire) == "paused"
        wire.settle()
        assert state(wire) == "producing"
        assert echoed(wire.heard()) == list(range(COUNT))

    def test_one_message_at_a_time_goes_straight_through(self, world, kind):
        wire = world.join(kind)
        for number in range(COUNT):
            wire.transport.protocol.dataReceived(numbered(wire, [[48, None, {}, "radiod.echo", [number]]]))
            assert state(wire) == "producing"
        wire.settle()
        assert echoed(wire.heard()) == list(range(COUNT))

    def test_take_what_comes_although_they_are_paused_in_its_order(self, world, kind):
        # TLS hands on what it has deciphered already.
        wire = world.join(kind)
        data = calls(wire)
        for part in (data[:40_000], data[40_000:40_007], data[40_007:]):
            wire.transport.protocol.dataReceived(part)
        wire.settle()
        assert echoed(wire.heard()) == list(range(COUNT))

    def test_that_end_behind_their_messages_lose_none(self, world, kind):
        listener, wire = world.connect(kind), world.connect(kind)
        listener.join()
        listener.ask([32, None, {}, "a"])
        wire.join()
        wire.transport.protocol.dataReceived(
            numbered(wire, [[16, None, {}, "a", [number]] for number in range(COUNT)])
        )
        wire.hang_up()
        listener.settle()
        assert [event[4][0] for event in listener.heard()] == list(range(COUNT))
        assert len(world.realm.sessions) == 1
        assert world.radio.fan_out.turns._queue == type(world.radio.fan_out.turns._queue)()

    def test_that_are_cut_are_taken_no_more_from(self, world, kind):
        listener, wire = world.connect(kind), world.connect(kind)
        listener.join()
        listener.ask([32, None, {}, "a"])
        wire.join()
        protocol = wire.transport.protocol
        protocol.dataReceived(numbered(wire, [[16, None, {}, "a", [number]] for number in range(COUNT)]))
        protocol.connectionLost(Failure(ConnectionAborted()))
        assert len(world.realm.sessions) == 1
        listener.settle()
        assert len(listener.heard()) == TURN_MESSAGES

    def test_that_are_killed_are_taken_no_more_from(self, world, kind):
        killer, wire = world.connect(kind), world.connect(kind)
        killer.join()
        victim = wire.join()
        wire.transport.protocol.dataReceived(calls(wire))
        killer.transport.protocol.dataReceived(
            numbered(killer, [[48, None, {}, "wamp.session.kill", [victim]]])
        )
        killer.settle()
        heard = wire.heard()
        assert echoed(heard) == list(range(TURN_MESSAGES))
        assert heard[-1][0] == 6

    @pytest.mark.parametrize("is_held", [False, True])
    def test_that_are_read_out_are_taken_to_the_end_unless_they_are_held(self, world, kind, is_held):
        wire = world.join(kind)
        (session,) = world.realm.sessions.values()
        wire.transport.protocol.dataReceived(calls(wire))
        if is_held:
            world.radio.fan_out.hold(session, True)
        done = []
        world.radio.fan_out.read_out(session, lambda: done.append(state(wire)))
        assert len(done) == is_held
        wire.settle()
        assert done == ["paused"]
        assert state(wire) == "paused"
        assert echoed(wire.heard()) == list(range(TURN_MESSAGES if is_held else COUNT))

    @pytest.mark.parametrize("is_gone_first", [True, False])
    def test_that_end_while_they_are_read_out_lose_none_and_are_gone(self, world, kind, is_gone_first):
        listener, wire = world.connect(kind), world.connect(kind)
        listener.join()
        listener.ask([32, None, {}, "a"])
        wire.join()
        (session,) = [one for one in world.realm.sessions.values() if one.outlet.inbox is None][1:]
        wire.transport.protocol.dataReceived(
            numbered(wire, [[16, None, {}, "a", [number]] for number in range(COUNT)])
        )
        done = []
        if is_gone_first:
            wire.transport.protocol.connectionLost(Failure(ConnectionDone()))
        world.radio.fan_out.read_out(session, lambda: done.append(1))
        if not is_gone_first:
            wire.transport.protocol.connectionLost(Failure(ConnectionDone()))
        assert done == []
        listener.settle()
        assert [event[4][0] for event in listener.heard()] == list(range(COUNT))
        assert done == [1]
        assert len(world.realm.sessions) == 1

    def test_that_said_all_are_read_no_more_at_once(self, world, kind):
        wire = world.join(kind)
        (session,) = world.realm.sessions.values()
        done = []
        world.radio.fan_out.read_out(session, lambda: done.append(state(wire)))
        assert done == ["paused"]

    def test_a_goodbye_behind_messages_comes_behind_them(self, world, kind):
        wire = world.join(kind)
        wire.send(calls(wire) + numbered(wire, [[6, {}, "wamp.close.close_realm"]]))
        heard = wire.heard()
        assert echoed(heard) == list(range(COUNT))
        assert heard[-1][0] == 6

    def test_of_two_none_waits_for_the_other(self, world, kind):
        busy, canary = world.connect(kind), world.connect(kind)
        busy.join()
        canary.join()
        busy.transport.protocol.dataReceived(calls(busy))
        canary.transport.protocol.dataReceived(numbered(canary, [[48, None, {}, "radiod.echo", ["x"]]]))
        world.radio.fan_out.flush()
        assert echoed(canary.heard()) == ["x"]
        assert len(echoed(busy.heard())) == TURN_MESSAGES


class TestWebSocketFrames:
    def test_a_ping_behind_messages_is_answered_behind_them(self, world):
        wire = world.join()
        wire.send(calls(wire) + client_frame(0x89, b"p"))
        assert [opcode for opcode, _ in wire.frames()] == [1] * COUNT + [10]

    def test_a_close_behind_messages_comes_behind_them(self, world):
        wire = world.join()
        wire.send(calls(wire) + client_frame(0x88, b"\x03\xe8"))
        assert [opcode for opcode, _ in wire.frames()] == [1] * COUNT + [8]
        assert wire.is_closed

    def test_that_are_not_plain_have_their_share_as_well(self, world):
        wire = world.join()
        # A fragment first: everything behind it goes through the reader.
        data = client_frame(0x01, b"[48,1,{},") + client_frame(0x80, b'"radiod.echo",[0]]')
        wire.requests.last = 1
        rest = numbered(wire, [[48, None, {}, "radiod.echo", [number]] for number in range(1, COUNT)])
        wire.transport.protocol.dataReceived(data + rest + client_frame(0x89, b"p"))
        assert state(wire) == "paused"
        wire.settle()
        frames = wire.frames()
        answers = [msgspec.json.decode(payload) for opcode, payload in frames if opcode == 1]
        assert echoed(answers) == list(range(COUNT))
        assert frames[-1] == (10, b"p")

    def test_that_say_nothing_have_their_share_as_well(self, world):
        wire = world.join()
        wire.transport.protocol.dataReceived(client_frame(0x89, b"") * COUNT)
        assert state(wire) == "paused"
        wire.settle()
        assert [opcode for opcode, _ in wire.frames()] == [10] * COUNT


class BatchedWire(WebSocketWire):
    subprotocol = "wamp.2.json.batched"

    def frame(self, data):
        return client_frame(0x81, data + b"\x1e")


class TestBatches:
    def test_are_taken_in_turns(self, world):
        wire = world.connect(BatchedWire)
        wire.send(client_frame(0x81, b'[1,"radio",{"roles":{"caller":{}}}]\x1e'))
        wire.frames()
        batch = b"".join(b'[48,%d,{},"radiod.echo",[%d]]\x1e' % (one + 1, one) for one in range(COUNT))
        wire.transport.protocol.dataReceived(client_frame(0x81, batch) + client_frame(0x89, b"p"))
        assert state(wire) == "paused"
        wire.settle()
        frames = wire.frames()
        batches = b"".join(payload for opcode, payload in frames if opcode == 1)
        answers = [msgspec.json.decode(message) for message in batches.split(b"\x1e")[:-1]]
        assert echoed(answers) == list(range(COUNT))
        assert frames[-1] == (10, b"p")
