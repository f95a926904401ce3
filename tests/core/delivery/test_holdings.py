"""What is held for sessions has a bound for each and for all; whoever loses for it is told."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.realms import World

from radiod.core.delivery.holdings import Account, Holdings
from radiod.core.limits import Limits
from radiod.errors import QUOTA
from radiod.testing import make_principal, make_realm
from radiod.wire.codecs import Payload
from radiod.wire.options import CallOptions

PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT = 16, 17, 32, 33, 36
TOPICS = ["a", "b", "c"]
KINDS = st.sampled_from(["", "mark", "answer"])
SESSION, ALL = 400, 900
LIMITS = Limits(max_session_bytes=SESSION, max_buffered_bytes=ALL, wait_timeout_s=5)


def held(world, client):
    """What the account of a client says."""
    return world.realm.holdings.account(client.session).bytes


def held_by(client):
    """What the buffers and lines of a client hold, counted one by one."""
    size = 0
    for listener in client.subscriptions.values():
        buffer = listener.buffer
        if buffer is not None:
            size += buffer.bytes + buffer._mark_bytes
        line = listener.pacer and listener.pacer._line
        if line:
            size += sum(len(broadcast.payload) for _, broadcast, _, _ in line._events)
    return size


class Holding(RuleBasedStateMachine):
    """Listeners of every kind that read or do not; each event is received, told as lost, or waits."""

    def __init__(self):
        super().__init__()
        self.world = World(limits=LIMITS)
        self.alice = self.world.join("alice")
        self.clients = []
        # (client, subscription) -> events published, events received or told as lost
        self.published, self.told = {}, {}
        self.blocked = set()

    @rule(
        topics=st.sets(st.sampled_from(TOPICS), min_size=1),
        policy=st.sampled_from(["ring", "skip", "clear", "wait"]),
        interval=st.sampled_from([0, 10]),
    )
    def join(self, topics, policy, interval):
        if len(self.clients) == 4:
            return
        client = self.world.join("listener")
        client.topics = {}
        for topic in topics:
            asked = {"size": 0, "policy": policy, "min_interval": interval, "max_bytes": 300}
            client.topics[client.subscribe(topic, _radiod_buffer=asked)] = topic
        for id in client.topics:
            self.published[client, id] = self.told[client, id] = 0
        self.clients.append(client)

    @rule(
        topic=st.sampled_from(TOPICS), size=st.integers(0, 300), kind=st.sampled_from(["", "mark", "answer"])
    )
    def publish(self, topic, size, kind):
        options = {}
        if kind == "mark":
            options = {"_radiod_stream": {"id": 1, "end": True}}
        elif kind == "answer":
            options = {"acknowledge": True}
        self.alice.request(PUBLISH, options, topic, ["x" * size])
        for client in self.clients:
            for id, name in client.topics.items():
                self.published[client, id] += name == topic

    def pick(self, data):
        return data.draw(st.sampled_from(self.clients)) if self.clients else None

    @rule(data=st.data())
    def block(self, data):
        client = self.pick(data)
        if client is not None:
            self.world.outbox.block(client.session)
            self.blocked.add(client)

    def unblock(self, client):
        if client in self.blocked:
            self.blocked.remove(client)
            self.world.outbox.unblock(client.session)

    @rule(data=st.data())
    def read(self, data):
        client = self.pick(data)
        if client is not None:
            self.unblock(client)
            self.collect(client)

    @rule(data=st.data())
    def leave(self, data):
        client = self.pick(data)
        if client is not None:
            self.clients.remove(client)
            client.leave()
            assert client.session not in self.world.realm.holdings._by_session

    @rule(seconds=st.sampled_from([1, 6, 11]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)

    def collect(self, client):
        for message in client.received():
            if message[0] == EVENT:
                self.told[client, message[1]] += 1 + message[3].get("_lost", 0)

    @invariant()
    def nothing_is_above_its_bound_and_all_is_counted(self):
        sizes = [held_by(client) for client in self.clients]
        holdings = self.world.realm.holdings
        accounts = [holdings._by_session.get(client.session) for client in self.clients]
        assert [0 if account is None else account.bytes for account in accounts] == sizes
        assert len(holdings) == sum(account is not None for account in accounts)
        assert holdings.bytes == sum(sizes) <= ALL
        assert len(holdings._accounts) == sum(size > 0 for size in sizes)
        assert all(size <= SESSION for size in sizes)

    def teardown(self):
        """Every event was received or is told as lost, by whoever reads in the end."""
        for client in self.clients:
            self.unblock(client)
        for _ in range(20):
            self.world.clock.advance(1000)
            self.world.outbox.turn()
        for topic in TOPICS:
            self.publish(topic, 0, "")
        self.world.clock.advance(1000)
        self.world.outbox.turn()
        for client in self.clients:
            self.collect(client)
            for id in client.topics:
                assert self.told[client, id] == self.published[client, id]


TestHolding = Holding.TestCase
TestHolding.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


class TestWhoLoses:
    @pytest.fixture
    def world(self):
        return World(limits=Limits(max_session_bytes=16_000, max_buffered_bytes=40_000))

    def listener(self, world, *topics, **buffer):
        client = world.join("listener")
        for topic in topics:
            client.subscribe(topic, _radiod_buffer={"size": 0, **buffer})
        world.outbox.block(client.session)
        return client

    def publish(self, world, topic, count, size=98):
        alice = world.join("alice")
        for _ in range(count):
            alice.request(PUBLISH, {}, topic, ["x" * (size - 4)])

    def lost(self, client):
        return [listener.lost for listener in client.subscriptions.values()]

    def test_the_largest_buffer_of_a_session_and_a_little_more_than_needed(self, world):
        client = self.listener(world, "a", "b")
        self.publish(world, "a", 150)
        self.publish(world, "b", 13)
        assert self.lost(client) == [0, 0]
        self.publish(world, "b", 1)
        # A sixteenth of 16,000 bytes.
        assert self.lost(client) == [11, 0]
        assert world.realm.bounds.counts == {"max_session_bytes": 1}
        assert world.realm.load.describe()["dropped"]["ring"] == 11
        assert world.realm.load.describe()["held_bytes"] == held(world, client) == 153 * 98

    def test_the_session_that_holds_most_for_all(self, world):
        large = [self.listener(world, "a") for _ in range(3)]
        small = self.listener(world, "b")
        self.publish(world, "a", 130)
        self.publish(world, "b", 20)
        assert self.lost(small) == [0]
        assert [self.lost(client)[0] > 0 for client in large] == [True, True, False]
        assert world.realm.holdings.bytes <= 40_000
        assert "max_buffered_bytes" in world.realm.bounds.counts

    @pytest.mark.parametrize(("policy", "kept"), [("ring", "new"), ("skip", "old"), ("clear", "last")])
    def test_by_the_policy_of_each(self, world, policy, kept):
        client = self.listener(world, "a", policy=policy, max_bytes=16_000)
        alice = world.join("alice")
        for number in range(163):
            alice.request(PUBLISH, {}, "a", [number, "x" * 90])
        # The other one passes the session's bound.
        client.subscribe("b")
        alice.request(PUBLISH, {}, "b", ["x" * 900])
        world.outbox.unblock(client.session)
        numbers = [m[4][0] for m in client.received() if m[0] == EVENT and len(m[4]) == 2]
        first, last = {"new": (1, 162), "old": (0, 150), "last": (162, 162)}[kept]
        assert numbers[0] >= first
        assert numbers[-1] >= last if kept != "old" else numbers[0] == 0 and numbers[-1] < 162
        assert (len(numbers) == 1) is (kept == "last")

    def test_a_buffer_may_lose_all_it_has(self):
        world = World(limits=Limits(max_session_bytes=1000))
        client = self.listener(world, "a", "b")
        self.publish(world, "a", 2)
        self.publish(world, "b", 1, size=950)
        assert self.lost(client) == [2, 0]
        assert held(world, client) == 950

    @pytest.mark.parametrize("bounds", [{"max_session_bytes": 500}, {"max_buffered_bytes": 500}])
    def test_for_an_event_that_nothing_makes_room_for_nobody_else_loses(self, bounds):
        world = World(limits=Limits(**bounds))
        client = self.listener(world, "a")
        self.publish(world, "a", 2)
        self.publish(world, "a", 1, size=501)
        assert (self.lost(client), held(world, client)) == ([1], 196)

    def test_for_an_event_that_its_buffer_never_takes_nobody_else_loses(self):
        world = World(limits=Limits(max_session_bytes=500))
        client = self.listener(world, "a", "b", max_bytes=400)
        self.publish(world, "a", 2)
        self.publish(world, "b", 1, size=401)
        assert (self.lost(client), held(world, client)) == ([0, 1], 196)

    def test_no_publisher_waits_for_a_session_that_may_hold_no_more(self):
        world = World(limits=Limits(max_session_bytes=450))
        client = world.join("listener")
        client.subscribe("a")
        client.subscribe("b", _radiod_buffer={"policy": "wait", "max_bytes": 100})
        world.outbox.block(client.session)
        alice = world.join("alice")
        for topic, answer in [("a", 17), ("a", 17), ("a", 17), ("b", 17), ("b", 8)]:
            alice.request(PUBLISH, {"acknowledge": True}, topic, ["x" * 94])
            world.clock.advance(0)
            assert [message[0] for message in alice.received()] == [answer]
        assert (self.lost(client), held(world, client)) == ([0, 1], 392)

    def test_what_cannot_be_dropped_is_refused(self):
        """Marks stay, whatever the policy: what is one too many is lost itself."""
        world = World(limits=Limits(max_session_bytes=500, max_buffered_bytes=700))
        clients = [self.listener(world, "a") for _ in range(2)]
        alice = world.join("alice")
        for _ in range(10):
            alice.request(PUBLISH, {"_radiod_stream": {"id": 1, "end": True}}, "a", ["x" * 94])
        assert [held(world, client) for client in clients] == [392, 294]
        assert [self.lost(client) for client in clients] == [[6], [7]]


class TestAccounts:
    def test_those_that_hold_nothing_are_forgotten(self):
        holdings = Holdings(10, 10)
        account = Account(holdings)
        account.change(5)
        assert (len(holdings._accounts), holdings.bytes, account.exceeded(5), account.exceeded(6)) == (
            1,
            5,
            None,
            "max_session_bytes",
        )
        account.change(-5)
        assert (len(holdings._accounts), holdings.bytes) == (0, 0)

    def test_a_session_has_one_until_it_leaves(self):
        holdings, session = Holdings(10, 10), make_realm().join(make_principal(), None)
        account = holdings.account(session)
        assert (holdings.account(session), len(holdings)) == (account, 1)
        holdings.leave(session)
        holdings.leave(session)
        assert len(holdings) == 0
        assert holdings.account(session) is not account

    def test_what_others_hold_counts(self):
        holdings = Holdings(10, 15)
        one, other = Account(holdings), Account(holdings)
        one.change(10)
        assert (other.exceeded(5), other.exceeded(6)) == (None, "max_buffered_bytes")
        # Nobody has a buffer.
        assert other.make_room(6) == "max_buffered_bytes"


class TestCalls:
    """The payload of a call is held where another callee may have to be asked."""

    @pytest.fixture
    def world(self):
        world = World(limits=Limits(max_session_bytes=1000, max_buffered_bytes=1500))
        world.callees = [world.join("callee", features="callee.call_reroute") for _ in range(2)]
        for callee in world.callees:
            callee.register("f", invoke="roundrobin")
        return world

    def call(self, caller, size=300):
        """Returns: the error's URI, if the call is refused at once."""
        caller.received()
        caller.request(48, {}, "f", ["x" * (size - 4)])
        return next((message[4] for message in caller.received() if message[0] == 8), None)

    def held(self, world, *callers):
        sizes = [held(world, caller) for caller in callers]
        assert world.realm.holdings.bytes == sum(sizes)
        return sizes

    def test_calls_above_the_bound_are_refused_and_the_rest_goes_on(self, world):
        caller, other = world.join(), world.join()
        assert [self.call(caller) for _ in range(4)] == [None, None, None, QUOTA]
        assert [self.call(other) for _ in range(3)] == [None, None, QUOTA]
        assert self.held(world, caller, other) == [900, 600]
        assert world.realm.bounds.counts == {"max_session_bytes": 1, "max_buffered_bytes": 1}

    def test_what_is_answered_is_not_held_any_more(self, world):
        caller = world.join()
        for _ in range(4):
            self.call(caller, 200)
        one, other = world.callees
        first, second = (message[1] for message in one.received() if message[0] == 68)
        one.send(70, first, {})
        one.send(8, 68, second, {}, "an.error", [])
        assert self.held(world, caller) == [400]
        other.leave()
        assert self.held(world, caller) == [0]

    def test_a_call_that_goes_to_another_callee_is_held_on_its_way(self, world):
        caller = world.join()
        self.call(caller)
        one, other = world.callees
        one.send(8, 68, one.received()[-1][1], {}, "wamp.error.unavailable", [])
        assert self.held(world, caller) == [300]
        other.send(70, other.received()[-1][1], {})
        assert self.held(world, caller) == [0]

    def test_one_whose_caller_leaves_is_not_held(self, world):
        caller = world.join()
        self.call(caller)
        caller.leave()
        assert world.realm.holdings.bytes == 0

    def test_the_routers_own_count_for_nobody(self, world):
        world.realm.dealer.ask("f", Payload.of("x" * 2000), CallOptions(), {}, lambda *answer: None)
        assert world.realm.holdings.bytes == 0


def test_whoever_looks_is_told_of_all_for_whom_something_was_held():
    world = World()
    writer, slow = world.join("writer"), world.join("slow")
    slow.subscribe("a")
    assert world.realm.holdings.accounts() == []
    world.outbox.block(slow.session)
    writer.request(PUBLISH, {}, "a", ["x"])
    world.outbox.unblock(slow.session)
    ((session, account),) = world.realm.holdings.accounts()
    assert (session, account.bytes, len(account.holders)) == (slow.session, 0, 1)
    slow.leave()
    assert world.realm.holdings.accounts() == []
