"""What each holder's listeners were given, against a model that looks at each event."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.realms import World

from radiod.core.access.ledger import Ledger
from radiod.core.delivery.readership import Offered, Readerships
from radiod.core.delivery.totals import Tally
from radiod.core.history.bounds import HistoryBounds
from radiod.core.holders import Account, Holder
from radiod.core.rights import Action
from radiod.testing import Allow, FakeClock
from radiod.wire.messages import Event

TOPICS = ("a.x", "a.y", "b")
SUBSCRIPTIONS = {
    "a.x": ("exact", "a.x"),
    "b": ("exact", "b"),
    "a.*": ("prefix", "a."),
    ".x": ("wildcard", ".x"),
}
SIZES = (0, 1, 40)
BUFFERS = (
    {},
    {"size": 2},
    {"size": 2, "policy": "skip"},
    {"size": 3, "policy": "clear"},
    {"every": 2},
    {"min_interval": 2.0},
    {"min_interval": 2.0, "latest": True},
    {"max_bytes": 30},
    {"size": 1, "policy": "wait"},
)


def is_there(listener):
    """Whether it listens yet: its session may have come back to the same subscription as another one."""
    return listener.subscription.listeners.get(listener.session) is listener


class Metered(RuleBasedStateMachine):
    """Listeners that come, go, lag, lose and are left out."""

    @initialize()
    def begin(self):
        self.world = World()
        self.world.realm.space.histories.keep("b", HistoryBounds(size=5, seconds=60.0, bytes=1000))
        self.holders = [None, *(Holder(f"k_{n}", Account(f"account {n}")) for n in range(2))]
        self.publisher = self.world.join("publisher")
        self.clients = []
        self.blocked = set()
        # Subscription id -> under which name it counts; all listeners that ever were.
        self.names = {}
        self.listeners = []
        self.heard = {}
        for holder, hides, name, buffer in (
            (0, False, "a.*", {}),
            (1, False, "a.*", {}),
            (1, True, "a.*", {}),
            (1, False, "a.x", {}),
            (1, False, "a.x", {"size": 2}),
            (2, False, "a.x", {"size": 1, "policy": "wait"}),
        ):
            self.join(holder, hides)
            self._subscribe(self.clients[-1], name, buffer, 0)
        self._subscribe(self.clients[0], "a.x", {}, 0)

    @rule(holder=st.integers(0, 2), hides=st.booleans())
    @precondition(lambda self: len(self.clients) < 8)
    def join(self, holder, hides):
        permissions = {"permissions": Allow(*Action, hidden=("a.y",))} if hides else {}
        client = self.world.join(f"client {len(self.clients)}", holder=self.holders[holder], **permissions)
        self.clients.append(client)

    @rule(data=st.data(), name=st.sampled_from(sorted(SUBSCRIPTIONS)), buffer=st.sampled_from(BUFFERS))
    @precondition(lambda self: self.clients)
    def subscribe(self, data, name, buffer):
        client = data.draw(st.sampled_from(self.clients))
        self._subscribe(client, name, buffer, data.draw(st.integers(0, 5)))

    def _subscribe(self, client, name, buffer, behind):
        match, topic = SUBSCRIPTIONS[name]
        if buffer.get("policy") == "wait" and match != "exact":
            buffer = {}
        options = {"match": match, "get_retained": True, "_radiod_buffer": buffer}
        is_new = not any(self.names[id] == name for id in client.subscriptions)
        if topic == "b" and is_new:
            position = self.world.realm.space.histories.track("b").position
            options["_radiod_after"] = f"{position.epoch}:{max(position.seq - behind, 0)}"
        client.send(32, self._request(client), options, topic)
        for id, listener in client.subscriptions.items():
            self.names.setdefault(id, name)
            if listener not in self.listeners:
                self.listeners.append(listener)

    @rule(data=st.data())
    @precondition(lambda self: any(client.subscriptions for client in self.clients))
    def unsubscribe(self, data):
        client = data.draw(st.sampled_from([client for client in self.clients if client.subscriptions]))
        client.send(34, self._request(client), data.draw(st.sampled_from(sorted(client.subscriptions))))

    @rule(data=st.data())
    @precondition(lambda self: self.clients)
    def leave(self, data):
        client = data.draw(st.sampled_from(self.clients))
        self.clients.remove(client)
        self.blocked.discard(client)
        client.leave()

    @rule(
        data=st.data(),
        topic=st.sampled_from(TOPICS),
        size=st.sampled_from(SIZES),
        options=st.fixed_dictionaries(
            {}, optional={"exclude_me": st.booleans(), "retain": st.just(True), "acknowledge": st.just(True)}
        ),
    )
    def publish(self, data, topic, size, options):
        who = data.draw(st.sampled_from([self.publisher, *self.clients]))
        if self.clients:
            some = data.draw(st.lists(st.sampled_from(self.clients), max_size=4))
            which = data.draw(st.sampled_from([None, None, "exclude", "eligible"]))
            if which is not None:
                options = {**options, which: [client.id for client in some]}
        who.send(16, self._request(who), options, topic, ["x" * size])

    @rule(data=st.data())
    @precondition(lambda self: self.clients)
    def block(self, data):
        client = data.draw(st.sampled_from(self.clients))
        if client in self.blocked:
            self.blocked.remove(client)
            self.world.outbox.unblock(client.session)
        else:
            self.blocked.add(client)
            self.world.outbox.block(client.session)

    @rule(data=st.data(), buffer=st.sampled_from(BUFFERS))
    @precondition(lambda self: self.listeners)
    def tune(self, data, buffer):
        listener = data.draw(st.sampled_from(self.listeners))
        if is_there(listener) and buffer.get("policy") != "wait":
            tuning = self.world.realm.space.tuning
            listener.tune(tuning.settings_of(listener.session.principal, "exact", "a.x", buffer))

    @rule(data=st.data())
    @precondition(lambda self: self.listeners)
    def miss(self, data):
        """The last event cannot be said: the outbox tells so, and takes back that it was given."""
        listener = data.draw(st.sampled_from(self.listeners))
        if is_there(listener):
            listener.miss(0)

    @rule(seconds=st.sampled_from([0.0, 1.0, 2.5]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)
        self.world.outbox.turn()

    @rule()
    def settle(self):
        self.world.realm.ledger.settle()

    def _request(self, client):
        client.requests += 1
        return client.requests

    @invariant()
    def the_ledger_has_what_was_sent(self):
        if not hasattr(self, "world"):
            return
        for sent in self.world.outbox.sent:
            if isinstance(sent.message, Event):
                holder = sent.session.principal.holder
                name = holder, self.names.get(sent.message.subscription, sent.message.subscription)
                self.heard.setdefault(name, []).append(len(sent.payload))
        self.world.outbox.sent.clear()
        lost = Counter()
        for listener in self.listeners:
            lost[listener.session.principal.holder, self.names[listener.subscription.id]] += listener.lost
        ledger = self.world.realm.ledger
        ledger.settle()
        lines = {(holder, channel): line for (holder, channel), line in ledger.lines.items() if channel}
        told = {
            name: (line.delivered, line.bytes_out, line.dropped)
            for name, line in lines.items()
            if line.delivered or line.dropped
        }
        expected = {
            name: (len(self.heard.get(name, ())), sum(self.heard.get(name, ())), lost[name])
            for name in {*self.heard, *(name for name, count in lost.items() if count)}
        }
        assert told == expected


TestMetered = Metered.TestCase
TestMetered.settings = settings(max_examples=200, stateful_step_count=50)


@pytest.fixture
def ledger():
    return Ledger(FakeClock())


@pytest.fixture
def readerships(ledger):
    return Readerships(ledger)


def test_an_event_counts_for_each_listener_though_it_was_counted_once(ledger, readerships):
    offered, holder = Offered(readerships, "a", Tally()), Holder("k", Account("acme"))
    for _ in range(3):
        readerships.of(offered, holder).enter()
    readerships.of(offered, None).enter()
    offered.offer(5)
    offered.offer(15)
    ledger.settle()
    assert (ledger.line(holder, "a").delivered, ledger.line(holder, "a").bytes_out) == (6, 60)
    assert (ledger.line(None, "a").delivered, ledger.line(None, "a").bytes_out) == (2, 20)
    assert (offered.tally.delivered, offered.tally.delivered_bytes) == (8, 80)


def test_nothing_is_kept_of_those_who_have_left(ledger, readerships):
    offered = Offered(readerships, "a", Tally())
    one = readerships.of(offered, None)
    one.enter()
    one.enter()
    one.leave()
    offered.offer(0)
    assert len(readerships) == 1
    one.leave()
    assert (len(readerships), offered.by_holder) == (0, {})
    assert ledger.line(None, "a").delivered == 1


def test_goes_on_in_the_next_hour(readerships, ledger):
    offered = Offered(readerships, "a", Tally())
    readerships.of(offered, None).enter()
    offered.offer(0)
    ledger._clock.advance(3600)
    ledger.turn()
    offered.offer(0)
    offered.offer(0)
    ledger.settle()
    assert [line.delivered for line in ledger.changed()] == [1, 2]


def test_who_hears_nothing_has_no_line(ledger, readerships):
    readerships.of(Offered(readerships, "a", Tally()), None).enter()
    ledger.settle()
    assert ledger.changed() == []


def test_those_who_heard_nothing_are_not_looked_at(ledger, readerships):
    quiet, busy = Offered(readerships, "quiet", Tally()), Offered(readerships, "busy", Tally())
    for offered in (quiet, busy):
        readerships.of(offered, None).enter()
    busy.offer(1)
    # What would be entered, if anybody looked.
    quiet.events += 1
    ledger.settle()
    assert [line.channel for line in ledger.changed()] == ["busy"]
    assert list(readerships._noted) == []


def test_nothing_is_kept_of_those_who_have_left_where_nobody_settles(readerships):
    offered = Offered(readerships, "a", Tally())
    one = readerships.of(offered, None)
    one.enter()
    offered.offer(1)
    one.leave()
    assert list(readerships._noted) == []
    assert not offered.is_noted


def dropped(world, listener):
    world.realm.ledger.settle()
    line = world.realm.ledger.line(None, listener.subscription.topic)
    assert line.dropped == listener.lost
    return line.dropped


def test_what_went_out_of_the_history_before_it_was_replayed_is_dropped():
    world = World()
    world.realm.space.histories.keep("a", HistoryBounds(size=2, seconds=60.0, bytes=1000))
    publisher, late = world.join(), world.join()
    publisher.request(16, {}, "a", [0])
    world.outbox.block(late.session)
    epoch = world.realm.space.histories.track("a").epoch
    id = late.subscribe("a", _radiod_after=f"{epoch}:0")
    for number in range(1, 5):
        publisher.request(16, {}, "a", [number])
    world.outbox.unblock(late.session)
    assert [message[4] for message in late.received()] == [[3], [4]]
    assert dropped(world, late.subscriptions[id]) == 3


def test_what_nobody_waits_for_room_for_is_dropped():
    world = World()
    publisher, slow = world.join(), world.join()
    id = slow.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
    world.outbox.block(slow.session)
    for number in range(3):
        publisher.request(16, {}, "a", [number])
    assert dropped(world, slow.subscriptions[id]) == 2


def test_those_of_another_holder_are_still_counted(ledger, readerships):
    offered, holder = Offered(readerships, "a", Tally()), Holder("k", Account("acme"))
    gone = readerships.of(offered, holder)
    gone.enter()
    readerships.of(offered, None).enter()
    gone.leave()
    offered.offer(7)
    ledger.settle()
    assert (ledger.line(None, "a").delivered, ledger.line(holder, "a").delivered) == (1, 0)
