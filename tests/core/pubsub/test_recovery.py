"""Listeners that go on behind a position: over messages, with fake time, against a plain model."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.realms import World

from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_ARGUMENT
from radiod.testing import ALLOW_ALL, make_principal
from radiod.wire.codecs import CODECS
from radiod.wire.options import SubscribeOptions

KEEP = HistoryBounds(size=10, seconds=100, bytes=1000)
SUBSCRIBE, PUBLISH, EVENT, SUBSCRIBED, ERROR = 32, 16, 36, 33, 8


SOMEBODY = make_principal()


class Radio(World):
    """A realm whose topic ``a`` keeps its past, with one who publishes there."""

    def __init__(self, keep=KEEP):
        super().__init__()
        if keep is not None:
            self.realm.space.histories.keep("a", keep)
        self.alice = self.join("alice")

    def publish(self, count=1, topic="a", **options):
        for _ in range(count):
            self.alice.request(PUBLISH, options, topic, [self.alice.requests])

    @property
    def epoch(self):
        return self.realm.space.histories.find("a").epoch

    def at(self, seq):
        return f"{self.epoch}:{seq}"


@pytest.fixture
def radio():
    return Radio()


def listen(peer, topic, **options):
    """Returns: the subscription's id; what is received stays to be looked at."""
    peer.request(SUBSCRIBE, options, topic)
    return list(peer.subscriptions)[-1]


def told(peer):
    """(seq, recovered, lost) of the events that came; recovered and lost are None where nothing is said."""
    events = [message[3] for message in peer.received() if message[0] == EVENT]
    return [(one.get("_seq"), one.get("_recovered"), one.get("_lost")) for one in events]


def plain(*numbers):
    return [(number, None, None) for number in numbers]


class TestPositions:
    def test_are_told_to_every_listener_of_a_topic_that_keeps_its_past(self, radio):
        exact, prefix = radio.join(), radio.join()
        listen(exact, "a")
        listen(prefix, "a", match="prefix")
        radio.publish(2)
        details = [message[3] for message in exact.received() if message[0] == EVENT]
        assert details == [{"_seq": 1, "_epoch": radio.epoch}, {"_seq": 2, "_epoch": radio.epoch}]
        assert told(prefix) == plain(1, 2)

    def test_are_not_told_where_nobody_asked(self, radio):
        bob = radio.join()
        listen(bob, "b")
        radio.publish(topic="b")
        assert told(bob) == plain(None)

    def test_are_told_to_all_once_somebody_asked(self):
        radio = Radio(keep=None)
        bob, carol = radio.join(), radio.join()
        listen(bob, "b")
        radio.publish(topic="b")
        listen(carol, "b", _radiod_position=True)
        radio.publish(topic="b")
        assert (told(bob), told(carol)) == (plain(None, 1), plain(1))

    def test_asking_is_said_with_true_or_false(self, radio):
        bob = radio.join()
        assert bob.answer(SUBSCRIBE, {"_radiod_position": 1}, "b")[4] == INVALID_ARGUMENT
        assert bob.answer(SUBSCRIBE, {"_radiod_position": False}, "b")[0] == SUBSCRIBED
        radio.publish(topic="b")
        assert told(bob) == plain(None)

    def test_a_refused_publish_uses_no_number_up(self, radio):
        bob = radio.join()
        listen(bob, "a")
        radio.alice.request(PUBLISH, {"disclose_me": True}, "a")
        radio.publish(2)
        assert [seq for seq, _, _ in told(bob)] == [1, 2, 3]
        radio.realm.channels.create("a", ChannelSettings(lifetime=1))
        radio.clock.advance(2)
        radio.publish()
        assert told(bob) == []

    def test_a_channel_that_is_made_anew_counts_anew(self, radio):
        radio.publish()
        before = radio.epoch
        radio.realm.channels.create("b", ChannelSettings(lifetime=1))
        radio.realm.space.histories.keep("b", KEEP)
        radio.publish(topic="b")
        radio.clock.advance(1)
        assert radio.realm.space.histories.find("b") is None
        assert radio.epoch == before


class TestGoingOn:
    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_with_what_was_missed_then_live(self, radio, codec):
        radio.publish(3)
        bob = radio.join(codec=codec)
        listen(bob, "a", _radiod_after=radio.at(1))
        assert told(bob) == plain(2, 3)
        radio.publish()
        assert told(bob) == plain(4)

    def test_the_answer_comes_before_the_past(self, radio):
        radio.publish(2)
        bob = radio.join()
        bob.request(SUBSCRIBE, {"_radiod_after": radio.at(0)}, "a")
        assert [message[0] for message in bob.received()] == [SUBSCRIBED, EVENT, EVENT]

    def test_with_nothing_when_nothing_was_missed(self, radio):
        radio.publish(2)
        bob = radio.join()
        listen(bob, "a", _radiod_after=radio.at(2))
        radio.publish()
        assert told(bob) == plain(3)

    @pytest.mark.parametrize("position", ["{epoch}:3", "{epoch}:9999", "other:17"])
    def test_with_all_that_is_held_and_a_word_when_the_position_is_gone(self, radio, position):
        radio.publish(15)
        bob = radio.join()
        listen(bob, "a", _radiod_after=position.format(epoch=radio.epoch))
        assert told(bob) == [(6, False, None), *plain(*range(7, 16))]
        radio.publish()
        assert told(bob) == plain(16)

    def test_with_the_news_when_all_that_was_left_grew_too_old_meanwhile(self, radio):
        radio.publish(3)
        bob = radio.join()
        radio.outbox.block(bob.session)
        listen(bob, "a", _radiod_after=radio.at(1))
        radio.clock.advance(101)
        listen(radio.join(), "a", _radiod_after=radio.at(1))
        radio.outbox.unblock(bob.session)
        radio.publish(2)
        assert told(bob) == [(4, None, 2), (5, None, None)]

    @pytest.mark.parametrize("keep", [KEEP, None], ids=["kept", "untracked"])
    def test_the_word_comes_with_the_first_live_event_when_nothing_is_held(self, keep):
        radio = Radio(keep)
        bob = radio.join()
        listen(bob, "a", _radiod_after="other:17")
        radio.publish(2)
        assert told(bob) == [(1, False, None), (2, None, None)]

    def test_the_word_comes_with_the_first_event_that_is_not_for_others(self, radio):
        radio.publish(2, eligible_authid=["carol"])
        bob, carol = radio.join("bob"), radio.join("carol")
        listen(bob, "a", _radiod_after="other:17")
        listen(carol, "a", _radiod_after="other:17")
        assert (told(bob), told(carol)) == ([], [(1, False, None), (2, None, None)])
        radio.publish(2)
        assert told(bob) == [(3, False, None), (4, None, None)]

    def test_a_topic_that_keeps_nothing_still_tells_whether_anything_was_missed(self):
        radio = Radio(keep=None)
        bob, carol, dave = radio.join(), radio.join(), radio.join()
        listen(bob, "a", _radiod_position=True)
        radio.publish(2)
        listen(carol, "a", _radiod_after=radio.at(2))
        listen(dave, "a", _radiod_after=radio.at(1))
        radio.publish()
        assert (told(carol), told(dave)) == (plain(3), [(3, False, None)])

    def test_what_grew_too_old_is_not_told(self, radio):
        radio.publish()
        radio.clock.advance(101)
        bob = radio.join()
        listen(bob, "a", _radiod_after=radio.at(0))
        radio.publish()
        assert told(bob) == [(2, False, None)]

    def test_who_does_not_read_gets_it_as_the_connection_drains(self, radio):
        radio.publish(3)
        bob = radio.join()
        radio.outbox.block(bob.session)
        listen(bob, "a", _radiod_after=radio.at(1))
        radio.publish(2)
        assert bob.subscriptions[1].queued == 0
        radio.outbox.unblock(bob.session)
        radio.publish()
        assert told(bob) == plain(2, 3, 4, 5, 6)

    def test_who_is_overtaken_by_the_history_is_told_what_it_lost(self, radio):
        radio.publish(3)
        bob = radio.join()
        radio.outbox.block(bob.session)
        listen(bob, "a", _radiod_after=radio.at(0))
        radio.publish(12)
        radio.outbox.unblock(bob.session)
        assert told(bob) == [(6, None, 5), *plain(*range(7, 16))]

    def test_its_own_events_are_told_again_only_to_who_wanted_them(self, radio):
        bob = radio.join()
        bob.request(PUBLISH, {}, "a")
        bob.request(PUBLISH, {"exclude_me": False}, "a")
        listen(bob, "a", _radiod_after=radio.at(0))
        assert told(bob) == plain(2)

    def test_in_the_same_session_after_a_pause(self, radio):
        bob = radio.join()
        subscription = listen(bob, "a")
        radio.publish(2)
        assert told(bob) == plain(1, 2)
        bob.request(34, subscription)
        radio.publish(2)
        listen(bob, "a", _radiod_after=radio.at(2))
        assert told(bob) == plain(3, 4)

    def test_leaving_in_the_middle_leaves_nothing_behind(self, radio):
        radio.publish(3)
        bob = radio.join()
        radio.outbox.block(bob.session)
        listen(bob, "a", _radiod_after=radio.at(0))
        bob.leave()
        radio.publish()
        radio.outbox.unblock(bob.session)
        assert told(bob) == []
        assert len(radio.clock.timers) == 0

    def test_the_retained_event_comes_first_and_says_so(self, radio):
        radio.publish(2, retain=True)
        bob = radio.join()
        listen(bob, "a", get_retained=True, _radiod_after=radio.at(1))
        details = [message[3] for message in bob.received() if message[0] == EVENT]
        assert [(one["_seq"], one.get("retained")) for one in details] == [(2, True), (2, None)]


class TestRefusals:
    @pytest.mark.parametrize(
        "position", ["", "x", "x:", ":1", "x:-1", "x:1.5", 1, True, ["x:1"], {"x": 1}, "x" * 100]
    )
    def test_what_is_no_position(self, radio, position):
        bob = radio.join()
        assert bob.answer(SUBSCRIBE, {"_radiod_after": position}, "a")[4] == INVALID_ARGUMENT
        assert bob.subscriptions == {}

    @pytest.mark.parametrize("match", ["prefix", "wildcard"])
    @pytest.mark.parametrize("option", [{"_radiod_after": "x:1"}, {"_radiod_position": True}])
    def test_patterns_have_no_positions(self, radio, match, option):
        assert radio.join().answer(SUBSCRIBE, {"match": match, **option}, "a.b")[4] == INVALID_ARGUMENT

    @pytest.mark.parametrize("option", [{"_radiod_after": "x:1"}, {"_radiod_position": True}])
    def test_the_routers_own_topics_have_none(self, radio, option):
        assert radio.join().answer(SUBSCRIBE, option, "wamp.session.on_join")[4] == INVALID_ARGUMENT

    def test_who_listens_already_cannot_go_back(self, radio):
        bob = radio.join()
        listen(bob, "a")
        assert bob.answer(SUBSCRIBE, {"_radiod_after": radio.at(0)}, "a")[4] == INVALID_ARGUMENT
        assert bob.answer(SUBSCRIBE, {"_radiod_position": True}, "a")[0] == SUBSCRIBED
        radio.publish()
        assert told(bob) == plain(1)


class TestOthers:
    def test_a_listener_that_speaks_no_wamp_goes_on_as_well(self, radio):
        radio.publish(2)
        bob = radio.join()
        radio.realm.gateway.listen(bob.session, "a", SubscribeOptions(after=radio.at(1)))
        assert told(bob) == plain(2)

    def test_a_page_for_somebody_without_a_session(self, radio):
        radio.publish(3)
        visitor = Session(0, make_principal(permissions=ALLOW_ALL), None)
        page = radio.realm.space.recovery.page(visitor, "a", Position(radio.epoch, 1), 10)
        assert [record.seq for record in page.records] == [2, 3]
        assert radio.realm.space.recovery.page(visitor, "b", None, 10) is None

    def test_the_position_before_the_last_events(self, radio):
        radio.publish(3)
        assert radio.realm.space.recovery.before_last(SOMEBODY, "a", 2) == Position(radio.epoch, 1)
        assert radio.realm.space.recovery.before_last(SOMEBODY, "b", 2) is None
        radio.clock.advance(101)
        assert radio.realm.space.recovery.before_last(SOMEBODY, "a", 2) == Position(radio.epoch, 3)


SIZE = 6


class Recovering(RuleBasedStateMachine):
    """Three listeners that come and go, each with its position, under a publisher that does not stop.

    The model: who comes back gets every event after its position that is still held, then every one that
    follows, in order and once; what was not held any more is told, by ``_recovered`` or ``_lost``.
    """

    NAMES = "bcd"

    def __init__(self):
        super().__init__()
        self.radio = Radio(HistoryBounds(size=SIZE, seconds=1e9, bytes=1 << 30))
        self.count = 0
        self.peers = {}
        # name -> the position it has, and what it has received since it came: (seq, recovered, lost)
        self.positions = dict.fromkeys(self.NAMES, 0)
        self.began = {}

    names = st.sampled_from(NAMES)

    @rule(count=st.integers(1, 2 * SIZE))
    def publish(self, count):
        self.radio.publish(count)
        self.count += count

    @rule(name=names, is_blocked=st.booleans())
    def come(self, name, is_blocked):
        if name in self.peers:
            return
        peer = self.peers[name] = self.radio.join(name)
        if is_blocked:
            self.radio.outbox.block(peer.session)
        position = self.positions[name]
        self.began[name] = position >= self.count - SIZE
        peer.request(SUBSCRIBE, {"_radiod_after": self.radio.at(position)}, "a")

    @rule(name=names)
    def stall(self, name):
        peer = self.peers.get(name)
        if peer is not None and not self.radio.outbox.is_blocked(peer.session):
            self.read(name)
            self.radio.outbox.block(peer.session)

    @rule(name=names)
    def drain(self, name):
        peer = self.peers.get(name)
        if peer is not None and self.radio.outbox.is_blocked(peer.session):
            self.radio.outbox.unblock(peer.session)
            self.read(name)
            assert self.positions[name] == self.count or name not in self.peers

    @rule(name=names)
    def go(self, name):
        if name in self.peers:
            self.read(name)
            self.peers.pop(name).leave()

    def read(self, name):
        for seq, recovered, lost in told(self.peers[name]):
            expected = self.positions[name] + (lost or 0) + 1
            if recovered is False:
                assert not self.began[name]
                assert seq >= expected
            else:
                assert self.began[name]
                assert seq == expected
            self.positions[name] = seq
            self.began[name] = True

    @invariant()
    def whoever_reads_has_everything(self):
        for name, peer in self.peers.items():
            if not self.radio.outbox.is_blocked(peer.session):
                self.read(name)
                assert self.positions[name] == self.count or not self.began[name]


Recovering.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAgainstTheModel = Recovering.TestCase


def test_recoveries_are_counted_by_whether_something_is_missing(radio):
    radio.publish(20)
    for seq in (15, 20, 1):
        listen(radio.join(), "a", _radiod_after=radio.at(seq))
    listen(radio.join(), "a", _radiod_position=True)
    counts = radio.realm.recoveries
    assert (counts.whole, counts.broken) == (2, 1)


def test_what_is_held_is_told_in_bytes(radio):
    radio.publish(3)
    histories = radio.realm.space.histories
    history = histories.find("a")
    assert histories.bytes == history.bytes == sum(one.size for one in history.since(history.first))
    assert histories.bytes > 0
