"""Shared histories: one order for all listeners on all nodes, and positions that are good on any of them."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from support.cluster.logged import HistoryListener as Listener
from support.cluster.logged import HistoryPublisher as Publisher
from support.cluster.logged import LoggedWorld

from radiod.core.cluster.appender import HAS_NOT, MAY_HAVE
from radiod.core.cluster.logged import Logged, decode
from radiod.core.cluster.logs import PUBLIC
from radiod.core.history.bounds import HistoryBounds
from radiod.errors import STORE_UNAVAILABLE
from radiod.wire.codecs import CODECS

pytestmark = pytest.mark.interpreted

KEEP = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000)
DURABLE = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000, is_durable=True)
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT, ERROR = 16, 17, 32, 33, 36, 8
LARGE = HistoryBounds(size=4000, seconds=1e6, bytes=100_000_000)
LARGE_DURABLE = HistoryBounds(size=4000, seconds=1e6, bytes=100_000_000, is_durable=True)
TOPICS = ["a", "d", "p.x"]
NODES = ["n1", "n2", "n3"]


def make_world(*names, keep=None, **options):
    return LoggedWorld(*names, keep=keep or {"a": KEEP, "d": DURABLE, "p.": KEEP}, **options)


@pytest.fixture
def world():
    return make_world("n1", "n2", "n3")


def test_listeners_of_all_nodes_get_the_same_in_the_same_order(world):
    listeners = [Listener(world, name) for name in world.nodes]
    world.clock.advance(1)
    publishers = [Publisher(world, name) for name in world.nodes]
    for publisher in publishers * 5:
        publisher.publish(3)
    world.clock.advance(1)
    first = listeners[0].take()
    assert len(first) == 45
    assert [listener.take() for listener in listeners] == [first] * 3
    assert (
        len({tuple((one["_epoch"], one["_seq"]) for one in listener.details) for listener in listeners}) == 1
    )
    for publisher in publishers:
        assert len(publisher.take()) == 15
        assert [one for one in first if one.startswith(publisher.name)] == publisher.acknowledged


@pytest.mark.parametrize("topic", ["a", "d"])
def test_a_position_of_one_node_is_good_on_any_other(world, topic):
    before = Listener(world, "n1", topic)
    world.clock.advance(1)
    publisher = Publisher(world, "n2", topic)
    publisher.publish(10)
    world.clock.advance(1)
    assert len(before.take()) == 10
    position = before.position
    publisher.publish(7)
    world.clock.advance(1)
    behind = Listener(world, "n3", topic, _radiod_after=position)
    publisher.publish(2)
    world.clock.advance(1)
    assert behind.take() == before.take()[10:]
    assert "_recovered" not in behind.details[0]
    assert [one["_seq"] for one in behind.details] == [one["_seq"] for one in before.details[10:]]


def test_a_publisher_does_not_hear_itself_unless_it_wants_to(world):
    publisher = Publisher(world, "n1")
    publisher.client.request(SUBSCRIBE, {}, "a")
    world.clock.advance(1)
    publisher.publish()
    world.clock.advance(1)
    assert EVENT not in [message[0] for message in publisher.client.received()]
    publisher.options["exclude_me"] = False
    publisher.publish()
    world.clock.advance(1)
    assert EVENT in [message[0] for message in publisher.client.received()]


def test_an_event_is_for_those_whom_its_options_name(world):
    listeners = [Listener(world, name) for name in ("n2", "n3")]
    world.clock.advance(1)
    Publisher(world, "n1", eligible=[listeners[1].client.id]).publish()
    world.clock.advance(1)
    assert [len(listener.take()) for listener in listeners] == [0, 1]


def test_what_is_published_while_nobody_leads_happens_then(world):
    listener = Listener(world, "n3")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    world.engine.elect(5)
    publisher.publish(300)
    world.clock.advance(4.9)
    assert len(listener.take()) == len(publisher.take()) == 1
    world.clock.advance(1)
    assert listener.take() == publisher.take()
    assert len(listener.events) == 301


def test_whoever_is_cut_off_is_refused_and_has_what_it_missed_afterwards(world):
    listener, other = Listener(world, "n1"), Listener(world, "n2")
    world.clock.advance(1)
    inside, outside = Publisher(world, "n1"), Publisher(world, "n2")
    inside.publish()
    outside.publish()
    world.clock.advance(1)
    world.cut_off("n1")
    inside.publish(5)
    outside.publish(5)
    world.clock.advance(20)
    assert len(outside.take()) == 6
    inside.take()
    assert len(inside.refused) == 5
    assert set(inside.refused.values()) == {MAY_HAVE, HAS_NOT} & set(inside.refused.values())
    assert len(listener.take()) == 2
    world.engine.heal()
    world.nodes["n1"].logs.up()
    world.clock.advance(5)
    assert listener.take() == other.take()
    assert set(outside.acknowledged) <= set(listener.events)


def test_a_node_without_the_log_says_that_it_cannot_go_on_there(world):
    Listener(world, "n2")
    world.clock.advance(1)
    world.cut_off("n1")
    listener = Listener(world, "n1", _radiod_after="abc:1")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(16)
    listener.take()
    assert listener.errors == [STORE_UNAVAILABLE]
    publisher.take()
    assert list(publisher.refused.values()) == [HAS_NOT]


def test_what_has_left_the_history_is_said_to_be_missing(world):
    before = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    position = before.position
    publisher.publish(KEEP.size + 1)
    world.clock.advance(1)
    behind = Listener(world, "n3", _radiod_after=position)
    world.clock.advance(1)
    assert behind.take() == before.take()[-KEEP.size :]
    assert behind.details[0]["_recovered"] is False
    exact = Listener(world, "n3", _radiod_after=f"{before.details[2]['_epoch']}:{before.details[2]['_seq']}")
    world.clock.advance(1)
    assert exact.take() == before.events[3:]
    assert "_recovered" not in exact.details[0]


def test_data_that_is_gone_begin_a_new_epoch_and_nothing_is_mixed(world):
    before = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish(3)
    world.clock.advance(1)
    position = before.position
    for name in world.nodes:
        world.engine.disconnect(name)
    world.engine.streams.clear()
    for name in world.nodes:
        world.engine.connect(name)
    world.clock.advance(3)
    publisher.publish(4)
    world.clock.advance(3)
    assert before.take() == publisher.take()
    assert len(before.events) == 7
    assert before.details[-1]["_epoch"] != before.details[0]["_epoch"]
    for name in world.nodes:
        behind = Listener(world, name, _radiod_after=position)
        world.clock.advance(1)
        assert behind.take() == before.events[3:]
        assert behind.details[0]["_recovered"] is False


def test_a_tail_that_is_lost_begins_a_new_epoch(world):
    before = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish(5)
    world.clock.advance(1)
    position = before.position
    for name in world.nodes:
        world.engine.disconnect(name)
    (stream,) = world.engine.streams.values()
    del stream.records[-2:]
    stream.seq -= 2
    stream.last.update({one.subject: one.seq for one in stream.records})
    for name in world.nodes:
        world.engine.connect(name)
    world.clock.advance(3)
    publisher.publish(4)
    world.clock.advance(3)
    assert before.take() == publisher.take()
    assert len({one["_epoch"] for one in before.details}) == 2
    behind = Listener(world, "n3", _radiod_after=position)
    world.clock.advance(1)
    assert behind.take() == before.events[:3] + before.events[5:]
    assert behind.details[0]["_recovered"] is False


def test_what_nobody_wants_is_followed_no_more():
    world = make_world("n1", "n2")
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish(3)
    world.clock.advance(1)
    position = listener.position
    listener.client.leave()
    publisher.publish(2)
    world.clock.advance(100)
    assert [len(node.logs.follower) for node in world.nodes.values()] == [0, 0]
    again = Listener(world, "n1", _radiod_after=position)
    world.clock.advance(1)
    assert again.take() == publisher.take()[3:]
    assert "_recovered" not in again.details[0]


def test_a_killed_nodes_acknowledged_events_are_there(world):
    publisher = Publisher(world, "n1", "d")
    publisher.publish(20)
    world.clock.advance(1)
    publisher.take()
    world.kill("n1")
    world.start("n4")
    world.clock.advance(1)
    reader = Listener(world, "n4", "d", _radiod_after="x:0")
    world.clock.advance(1)
    assert reader.take() == publisher.acknowledged


def test_what_waits_for_the_log_is_counted(world):
    Listener(world, "n1")
    world.clock.advance(1)
    world.engine.elect(5)
    Publisher(world, "n1").publish(3)
    assert [node.logs.held for node in world.nodes.values()] == [3, 0, 0]
    world.clock.advance(7)
    assert world.nodes["n1"].logs.held == 0


def test_a_space_that_ends_is_followed_no_more(world):
    listener = Listener(world, "n1")
    world.clock.advance(1)
    logs = world.nodes["n1"].logs
    for _ in range(2):
        logs.end(PUBLIC)
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    assert (listener.take(), len(logs.follower), len(publisher.take())) == ([], 0, 1)


def test_of_several_topics_the_latest_record_shows_whether_the_end_is_there(world):
    topics = ("a", "p.x", "p.y")
    listeners = [Listener(world, "n1", topic) for topic in topics]
    world.clock.advance(1)
    for topic in ("p.x", "a"):
        Publisher(world, "n2", topic).publish()
        world.clock.advance(1)
    world.engine.disconnect("n1")
    world.engine.connect("n1")
    world.clock.advance(3)
    for topic in topics:
        Publisher(world, "n2", topic).publish()
    world.clock.advance(1)
    assert [len(listener.take()) for listener in listeners] == [2, 2, 1]
    assert len({one["_epoch"] for listener in listeners for one in listener.details}) == 1


def test_only_topics_of_the_stream_whose_end_is_gone_begin_anew(world):
    listeners = [Listener(world, "n1", topic) for topic in ("a", "d")]
    world.clock.advance(1)
    publishers = [Publisher(world, "n2", topic) for topic in ("a", "d")]
    for publisher in publishers:
        publisher.publish(2)
    world.clock.advance(1)
    for name in world.nodes:
        world.engine.disconnect(name)
    world.engine.lose_end("r-radio-history-512")
    for name in world.nodes:
        world.engine.connect(name)
    world.clock.advance(3)
    for publisher in publishers:
        publisher.publish()
    world.clock.advance(3)
    for listener in listeners:
        listener.take()
    assert [len({one["_epoch"] for one in listener.details}) for listener in listeners] == [2, 1]


class Wanderer:
    """Somebody who listens to one topic, on one node after another; ``client``: None while they are away."""

    def __init__(self, topic):
        self.topic = topic
        self.events = []
        self.position = None
        self.client = self.node = None
        self.is_subscribed = False

    def begin(self, node, world):
        self.node = node
        self.client = world.nodes[node].join("listener")
        self.is_subscribed = False
        options = {} if self.position is None else {"_radiod_after": self.position}
        self.client.request(SUBSCRIBE, options, self.topic)

    def take(self):
        for message in self.client.received() if self.client else []:
            if message[0] == EVENT:
                assert message[3].get("_recovered", True), "nothing has left the history"
                assert "_lost" not in message[3]
                self.events.append(message[4][0])
                self.position = f"{message[3]['_epoch']}:{message[3]['_seq']}"
            elif message[0] == SUBSCRIBED:
                self.is_subscribed = True
            elif message[0] == ERROR:
                # The log was not to be had: they come back later.
                self.client.leave()
                self.client = None
                return


class Speaker:
    """A session that publishes; ``answers``: event -> None, if it is acknowledged, or what the error said."""

    def __init__(self, node, number, world):
        self.client = world.nodes[node].join("publisher")
        self.node = node
        self.name = f"{node}.{number}"
        self.count = 0
        self.sent = {}
        self.answers = {}

    def publish(self, topic, count):
        for _ in range(count):
            self.count += 1
            event = f"{self.name}:{self.count}"
            self.sent[self.client.request(PUBLISH, {"acknowledge": True}, topic, [event])] = topic, event

    def take(self):
        for message in self.client.received():
            if message[0] == PUBLISHED:
                self.answers[self.sent[message[1]][1]] = None
            else:
                assert message[0] == ERROR
                self.answers[self.sent[message[2]][1]] = message[5][0]


class SharedLogs(RuleBasedStateMachine):
    """One order for everybody, while leaders go, networks are cut and nodes killed."""

    def __init__(self):
        super().__init__()
        self.world = LoggedWorld(
            *NODES, keep={"a": LARGE, "d": LARGE_DURABLE, "p.": LARGE}, seed=7, mishaps=0.02
        )
        self.publishers = []
        self.listeners = []
        self.alive = {}

    def publisher(self, node):
        found = self.alive.get(node)
        if found is None:
            found = self.alive[node] = Speaker(node, len(self.publishers), self.world)
            self.publishers.append(found)
        return found

    def take(self):
        for one in self.listeners:
            one.take()
        for one in self.publishers:
            if one.client:
                one.take()

    # --- people

    @rule(node=st.sampled_from(NODES), topic=st.sampled_from(TOPICS), count=st.sampled_from([1, 2, 20]))
    def publish(self, node, topic, count):
        if node in self.world.nodes:
            self.publisher(node).publish(topic, count)

    @rule(node=st.sampled_from(NODES), topic=st.sampled_from(TOPICS))
    def listen(self, node, topic):
        if node in self.world.nodes and len(self.listeners) < 8:
            listener = Wanderer(topic)
            self.listeners.append(listener)
            listener.begin(node, self.world)

    @precondition(lambda self: self.listeners)
    @rule(which=st.integers(0, 7), node=st.sampled_from(NODES))
    def move(self, which, node):
        """Somebody goes, and comes back elsewhere, or at the same node."""
        listener = self.listeners[which % len(self.listeners)]
        self.take()
        if node not in self.world.nodes or (listener.client and not listener.events):
            # Who has no position cannot go on.
            return
        if listener.client:
            listener.client.leave()
        listener.begin(node, self.world)

    # --- what goes wrong

    @rule(seconds=st.sampled_from([2, 5, 9]))
    def elect(self, seconds):
        self.world.engine.elect(seconds)

    @rule(node=st.sampled_from(NODES))
    def cut(self, node):
        self.world.cut_off(node)

    @rule()
    def heal(self):
        self.world.engine.heal()
        for node in self.world.nodes.values():
            node.logs.up()

    @rule(node=st.sampled_from(NODES))
    def drop(self, node):
        if node in self.world.nodes:
            self.world.engine.disconnect(node)
            self.world.clock.advance(0.1)
            self.world.engine.connect(node)

    @rule(lag=st.sampled_from([0, 1, 30, 1000]))
    def lag(self, lag):
        for stream in self.world.engine.streams.values():
            stream.lag = lag

    @precondition(lambda self: len(self.world.nodes) == 3)
    @rule(node=st.sampled_from(NODES))
    def kill(self, node):
        self.take()
        self.world.kill(node)
        for one in self.listeners:
            if one.node == node:
                one.client = None
        gone = self.alive.pop(node, None)
        if gone is not None:
            gone.client = None

    @rule()
    def start(self):
        for node in NODES:
            if node not in self.world.nodes:
                self.world.start(node)

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.1, 1, 3, 20, 70]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)
        self.take()

    # --- what was promised

    def teardown(self):
        self.start()
        self.heal()
        self.world.engine.mishaps = 0.0
        self.world.clock.advance(40)
        self.take()
        for one in self.listeners:
            if one.client is None and (one.position or not one.events):
                one.begin("n2", self.world)
        self.world.clock.advance(10)
        self.take()
        orders = {topic: self.order(topic) for topic in TOPICS}
        self.check_publishers(orders)
        self.check_listeners(orders)

    def order(self, topic):
        found = []
        for stream in self.world.engine.streams.values():
            for record in stream.records:
                logged = decode(record.data)
                if isinstance(logged, Logged) and logged.topic == topic:
                    found.append(CODECS[logged.codec].load(logged.args)[0])
        assert len(found) == len(set(found)), "twice"
        return found

    def check_publishers(self, orders):
        stored = {event for order in orders.values() for event in order}
        for one in self.publishers:
            assert one.client is None or len(one.answers) == one.count, "unanswered"
            for event, answer in one.answers.items():
                assert answer is not None or event in stored, "acknowledged, and gone"
                assert answer != HAS_NOT or event not in stored, "refused, and there"
            for topic, order in orders.items():
                mine = [event for event in order if event.startswith(one.name + ":")]
                asked = [event for about, event in one.sent.values() if about == topic and event in set(mine)]
                assert mine == asked, "out of order"

    def check_listeners(self, orders):
        for one in self.listeners:
            assert one.is_subscribed
            order = orders[one.topic]
            if one.events:
                assert one.events == order[order.index(one.events[0]) :], "missing, twice or out of order"


SharedLogs.TestCase.settings = settings(max_examples=600, stateful_step_count=60)
TestSharedLogs = SharedLogs.TestCase
