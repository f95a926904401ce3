"""What waits for one connection: who is next, how much goes in a turn, and that nothing is overtaken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.settings import BufferSettings
from radiod.core.delivery.totals import Tally
from radiod.core.limits import Limits
from radiod.core.pubsub.broker import Broker, Subscription
from radiod.core.sessions.session import Session
from radiod.testing import make_principal
from radiod.transport.clock import ReactorClock
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import TURN_BYTES, TURN_S, Outlet
from radiod.transport.schedule import CHUNK, RESTED_S
from radiod.wire.codecs import JSON, Payload

pytestmark = pytest.mark.interpreted


class Plain:
    """A format in which an event is its payload."""

    is_shared = True

    def message(self, message, payload):
        return b""

    def event(self, broadcast, lost):
        return broadcast.payload.parts(JSON)[0]


class MemoryOutlet(Outlet):
    """An outlet that remembers its writes, and blocks when it has taken ``room`` bytes."""

    __slots__ = ("room", "writes")

    def __init__(self, fan_out):
        super().__init__(fan_out, Plain(), max_bytes=1 << 30, on_cut=lambda: None, on_finished=lambda: None)
        self.writes = []
        self.room = 1 << 60

    def _write(self, data):
        self.writes.append(data)
        self.room -= len(data)
        if self.room <= 0:
            self.blocked = True

    def _pause_reads(self, is_paused):
        pass


class World:
    """One connection, whose session has listeners with these weights."""

    def __init__(self, *weights):
        self.reactor = Clock()
        self.clock = ReactorClock(self.reactor)
        self.fan_out = FanOut(self.clock, 1 << 20)
        self.outlet = MemoryOutlet(self.fan_out)
        session = Session(1, make_principal(), self.outlet)
        flow = Flow(self.fan_out, self.clock, self.clock.timers, Tally(), 5.0)
        broker = Broker(self.fan_out, self.clock, self.clock.timers, Limits())
        self.listeners = [
            Listener(
                session,
                Subscription(id, "exact", str(id), 0.0, flow, broker),
                BufferSettings(weight=weight, size=0, max_bytes=1 << 30),
            )
            for id, weight in enumerate(weights)
        ]

    def give(self, index, size):
        data = b"%d" % index * size
        payload = Payload(JSON, data[:size], b"")
        self.fan_out.fan_out((self.listeners[index],), Broadcast(index, 1, "a", {}, payload))

    def turn(self):
        """Let the reactor turn once. Returns: bytes written in it."""
        before = len(self.outlet.writes)
        # Not ``advance``: it would go on with what this turn asks for.
        for call in self.reactor.getDelayedCalls():
            what = call.func
            call.cancel()
            what()
        return sum(len(data) for data in self.outlet.writes[before:])

    def unblock(self):
        self.outlet.resumeProducing()


class Slow(Plain):
    """To say an event takes a while."""

    def __init__(self, reactor, seconds):
        self._reactor = reactor
        self._seconds = seconds

    def event(self, broadcast, lost):
        self._reactor.rightNow += self._seconds
        return super().event(broadcast, lost)


weights_and_sizes = st.lists(
    st.tuples(st.integers(1, 100), st.lists(st.integers(1, 5000), min_size=1, max_size=20)),
    min_size=2,
    max_size=6,
)


@given(weights_and_sizes)
def test_at_every_moment_all_who_wait_have_had_their_share_but_for_one_event(plan):
    world = World(*(weight for weight, _ in plan))
    world.outlet.blocked = True
    for index, (_, sizes) in enumerate(plan):
        for size in sizes:
            world.give(index, size)
    world.outlet.blocked = False
    waiting = {index: list(sizes) for index, (_, sizes) in enumerate(plan)}
    served = dict.fromkeys(waiting, 0.0)
    while (frame := world.fan_out.next_owed(world.outlet)) is not None:
        index = int(frame[:1])
        assert waiting[index].pop(0) == len(frame)
        served[index] += len(frame) / plan[index][0]
        busy = [one for one, rest in waiting.items() if rest]
        for one in busy:
            for other in busy:
                bound = sum(max(plan[each][1]) / plan[each][0] for each in (one, other))
                assert served[one] - served[other] <= bound + 1e-6
    assert not any(waiting.values())


def test_equal_weights_take_turns():
    world = World(1, 1, 1)
    world.outlet.blocked = True
    for index in (0, 0, 1, 1, 2, 2):
        world.give(index, 10)
    world.unblock()
    assert b"".join(world.outlet.writes) == b"".join(b"%d" % n * 10 for n in (0, 1, 2, 0, 1, 2))


def test_a_weight_is_a_share_in_bytes():
    world = World(3, 1)
    world.outlet.blocked = True
    for _ in range(300):
        world.give(0, 100)
        world.give(1, 300)
    world.unblock()
    first = b"".join(world.outlet.writes)[:40_000]
    assert first.count(b"0") / first.count(b"1") == pytest.approx(3, rel=0.05)


def test_one_who_comes_late_has_no_claim_on_what_went_before():
    world = World(1, 1)
    world.outlet.blocked = True
    for _ in range(50):
        world.give(0, 100)
    world.outlet.room = 2000
    world.unblock()
    assert world.outlet.blocked
    for _ in range(50):
        world.give(1, 100)
    written = len(b"".join(world.outlet.writes))
    world.outlet.room = 1 << 60
    world.unblock()
    rest = b"".join(world.outlet.writes)[written:]
    # The first had been written in whole chunks: nothing of it may be left by then.
    assert rest.count(b"1") == 5000


def test_a_turn_writes_a_share_of_what_waits_and_new_events_stay_behind_it():
    world = World(1)
    world.outlet.blocked = True
    for _ in range(100):
        world.give(0, 10_000)
    world.unblock()
    assert world.outlet.blocked
    turns = [sum(map(len, world.outlet.writes))]
    world.give(0, 7)
    while (written := world.turn()) > 0:
        turns.append(written)
    assert sum(turns) == 1_000_007
    assert max(turns) < TURN_BYTES + CHUNK + 10_000
    assert len(turns) >= 3
    assert not world.outlet.blocked
    assert world.outlet.writes[-1].endswith(b"0" * 7)


def test_a_rest_ends_when_the_consumer_is_full_or_empty_before():
    world = World(1)
    world.outlet.blocked = True
    for _ in range(100):
        world.give(0, 10_000)
    world.unblock()
    written = len(world.outlet.writes)
    world.outlet.pauseProducing()
    assert world.turn() == 0
    world.outlet.resumeProducing()
    assert len(world.outlet.writes) > written
    world.outlet.resumeProducing()
    while world.turn():
        pass
    assert sum(map(len, world.outlet.writes)) == 1_000_000


def test_a_connection_that_is_gone_while_it_rests_writes_no_more():
    world = World(1)
    world.outlet.blocked = True
    for _ in range(100):
        world.give(0, 10_000)
    world.unblock()
    world.outlet.abandon()
    assert world.turn() == 0


class TestPacedListeners:
    """Rates over a connection; their rules have tests of their own."""

    def listening(self, world, **buffer):
        wire = world.join()
        wire.ask([32, 1, {"_radiod_buffer": buffer}, "a"])
        return wire

    def publish(self, wire, *values):
        for value in values:
            wire.say([16, None, {}, "a", [value]])

    def heard(self, wire):
        return [event[4][0] for event in wire.heard()]

    def test_an_interval_is_kept_on_the_reactors_time(self, world):
        listener, publisher = self.listening(world, min_interval=1, latest=True), world.join()
        self.publish(publisher, 1, 2, 3)
        assert self.heard(listener) == [1]
        world.reactor.advance(0.9)
        assert self.heard(listener) == []
        world.reactor.advance(0.2)
        listener.settle()
        assert self.heard(listener) == [3]

    def test_what_was_sent_at_once_is_not_overtaken_by_what_waited(self, world):
        listener, publisher = self.listening(world, min_interval=1), world.join()
        publisher.say(*([16, None, {}, "a", [n]] for n in range(4)))
        listener.say([48, 2, {}, "radiod.channel.tune", ["a"]])
        publisher.say(*([16, None, {}, "a", [n]] for n in range(4, 6)))
        assert [event[4][0] for event in listener.heard() if event[0] == 36] == [0, 1, 2, 3, 4, 5]

    def test_every_publish_of_a_turn_is_counted(self, world):
        listener, publisher = self.listening(world, every=3), world.join()
        publisher.say(*([16, None, {}, "a", [n]] for n in range(10)))
        assert self.heard(listener) == [2, 5, 8]

    def test_a_loss_that_was_not_told_when_the_connection_was_free_again_is_told_with_the_next(self, world):
        listener, publisher = self.listening(world, policy="skip", size=1), world.join()
        listener.transport.producer.pauseProducing()
        self.publish(publisher, 1, 2, 3)
        listener.transport.producer.resumeProducing()
        listener.settle()
        self.publish(publisher, 4, 5)
        assert [(event[3], event[4][0]) for event in listener.heard()] == [
            ({}, 1),
            ({"_lost": 2}, 4),
            ({}, 5),
        ]

    def test_a_slow_connection_is_closed_like_any_other(self, world):
        listener, publisher = self.listening(world, min_interval=1), world.join()
        self.publish(publisher, 1, 2, 3)
        listener.hang_up()
        world.reactor.advance(5)
        assert world.realm.space.broker.readers("a") == 0


def test_a_turn_is_over_after_its_time_too():
    world = World(1)
    world.outlet.format = Slow(world.reactor, TURN_S / 10)
    world.outlet.blocked = True
    for _ in range(95):
        world.give(0, 1)
    world.unblock()
    turns = [sum(map(len, world.outlet.writes))]
    while (written := world.turn()) > 0:
        turns.append(written)
    assert turns == [pytest.approx(10, abs=1)] * 9 + [95 - sum(turns[:9])]
    assert not world.outlet.blocked


def test_all_that_waits_at_a_stop_leaves_whatever_time_it_takes():
    world = World(1)
    world.outlet.format = Slow(world.reactor, TURN_S)
    world.outlet.blocked = True
    for _ in range(95):
        world.give(0, 1)
    world.unblock()
    world.outlet.drain()
    world.outlet.resumeProducing()
    assert len(b"".join(world.outlet.writes)) == 95


class Crowd:
    """Connections of one server, each with so many events that wait, and slow to say."""

    def __init__(self, connections, events):
        self.world = World(1)
        self.outlets = []
        self.listeners = []
        for _ in range(connections):
            each = World(1)
            each.fan_out = each.outlet._fan_out = self.world.fan_out
            each.outlet.format = Slow(self.world.reactor, TURN_S / 4)
            each.outlet.blocked = True
            for _ in range(events):
                each.give(0, 1)
            self.outlets.append(each.outlet)
            self.listeners += each.listeners

    @property
    def written(self):
        return [len(b"".join(outlet.writes)) for outlet in self.outlets]

    def turns(self):
        """Yields the seconds that each turn takes, until nothing more is to be done."""
        reactor = self.world.reactor
        while reactor.getDelayedCalls():
            begun = reactor.seconds()
            self.world.turn()
            yield reactor.seconds() - begun


def test_many_that_go_on_share_the_time_of_a_turn_and_each_has_its_own():
    crowd = Crowd(30, events=10)
    for outlet in crowd.outlets:
        outlet.resumeProducing()
    longest = 0.0
    for seconds in crowd.turns():
        longest = max(longest, seconds)
        assert max(crowd.written) - min(crowd.written) <= 5
    assert crowd.written == [10] * 30
    assert RESTED_S <= longest < RESTED_S + 2 * TURN_S


def test_what_is_released_at_once_shares_the_time_of_a_turn():
    crowd = Crowd(30, events=4)
    for outlet, listener in zip(crowd.outlets, crowd.listeners, strict=True):
        outlet.blocked = False
        crowd.world.fan_out.release(listener)
    turns = list(crowd.turns())
    assert crowd.written == [4] * 30
    assert max(turns) < RESTED_S + 2 * TURN_S
    assert len(turns) > 5


class Broken(Plain):
    """No event can be said."""

    def event(self, broadcast, lost):
        raise ZeroDivisionError


@pytest.mark.parametrize("how", ["go on", "are released"])
def test_one_that_fails_keeps_no_other_from_its_turn(how):
    crowd = Crowd(5, events=10)
    for outlet, listener in zip(crowd.outlets, crowd.listeners, strict=True):
        if how == "go on":
            outlet.resumeProducing()
        else:
            outlet.blocked = False
            crowd.world.fan_out.release(listener)
    crowd.outlets[1].format = Broken()
    failed = 0
    while crowd.world.reactor.getDelayedCalls():
        try:
            crowd.world.turn()
        except ZeroDivisionError:
            failed += 1
    assert failed >= 1
    written = crowd.written
    assert written[:1] + written[2:] == [10] * 4
