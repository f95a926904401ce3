"""Publishing: the order of counting, writing, delivering and keeping; what is refused happens for nobody."""

import pytest
from support.realms import Follower, World

from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.ids import digest
from radiod.core.limits import Limits
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    FEATURE_NOT_SUPPORTED,
    OVERRUN,
    QUOTA,
    STORE_UNAVAILABLE,
    Refused,
)
from radiod.testing import make_principal
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

PUBLISH, PUBLISHED, SUBSCRIBE, EVENT, ERROR = 16, 17, 32, 36, 8
DURABLE = HistoryBounds(size=10, seconds=100, bytes=1000, is_durable=True)
ACKNOWLEDGE = {"acknowledge": True}


class Journal:
    """A ``Log``, and ``ChannelStore``, whose disk is as slow as the test wants it."""

    def __init__(self):
        self.waiting = []
        self.written = []
        self.is_full = False
        self.forgotten = []
        self.saved = []

    def save(self, channel, done):
        self.saved.append((channel, done))

    def append(self, record, done):
        if self.is_full:
            raise Refused(STORE_UNAVAILABLE, "full")
        self.waiting.append((record, done))

    def trim(self, topic, epoch, first):
        pass

    def forget(self, topic):
        self.forgotten.append(topic)

    def sync(self, count=None, error=None):
        """Answer the oldest ``count`` requests, or all."""
        answered, self.waiting = self.waiting[:count], self.waiting[count:] if count else []
        for record, done in answered:
            if error is None:
                self.written.append(record.seq)
            done(error)


class Radio(World):
    """A realm with one durable topic, a publisher and a listener."""

    def __init__(self, **options):
        super().__init__(**options)
        self.journal = self.realm.space.histories.log = self.realm.lifecycle.store = Journal()
        self.realm.space.histories.keep("a", DURABLE)
        self.alice, self.bob = self.join("alice"), self.join("bob")
        self.bob.request(SUBSCRIBE, {}, "a")
        self.bob.received()

    def heard(self):
        return [message[3].get("_seq") for message in self.bob.received() if message[0] == EVENT]

    def held(self):
        return [record.seq for record in self.realm.space.histories.of("a")]


@pytest.fixture
def radio():
    return Radio()


class TestDurable:
    def test_nothing_happens_before_the_event_is_on_disk(self, radio):
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "a", [1])
        assert (radio.alice.received(), radio.heard(), radio.held()) == ([], [], [])
        radio.journal.sync()
        ((code, request, publication),) = radio.alice.received()
        assert (code, request) == (PUBLISHED, 1)
        assert (radio.heard(), radio.held()) == ([1], [1])
        assert radio.realm.space.histories.of("a")[0].publication == publication

    def test_events_happen_in_order_however_they_are_written(self, radio):
        for _ in range(4):
            radio.alice.request(PUBLISH, {}, "a")
        radio.journal.sync(1)
        assert radio.heard() == [1]
        radio.alice.request(PUBLISH, {}, "a")
        radio.journal.sync()
        assert radio.heard() == [2, 3, 4, 5] == radio.journal.written[1:]

    def test_the_session_goes_on_meanwhile(self, radio):
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "a")
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "b")
        assert [message[:2] for message in radio.alice.received()] == [[PUBLISHED, 2]]

    def test_who_asked_for_no_answer_gets_none(self, radio):
        radio.alice.request(PUBLISH, {}, "a")
        radio.alice.request(PUBLISH, {}, "a")
        radio.journal.sync(1)
        radio.journal.sync(1, Refused(STORE_UNAVAILABLE, "disk"))
        assert radio.alice.received() == []

    def test_who_left_meanwhile_is_not_answered_and_the_event_happens(self, radio):
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "a")
        radio.alice.leave()
        radio.journal.sync()
        assert radio.heard() == [1]

    def test_a_store_that_fails_refuses_and_its_number_is_not_used_again(self, radio):
        for _ in range(2):
            radio.alice.request(PUBLISH, ACKNOWLEDGE, "a")
        radio.journal.sync(1, Refused(STORE_UNAVAILABLE, "disk"))
        assert [message[4] for message in radio.alice.received()] == [STORE_UNAVAILABLE]
        radio.journal.sync()
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "a")
        radio.journal.sync()
        assert radio.heard() == [2, 3]

    def test_a_store_that_takes_no_more_refuses_at_once_and_uses_no_number(self, radio):
        radio.journal.is_full = True
        assert radio.alice.answer(PUBLISH, ACKNOWLEDGE, "a")[4] == STORE_UNAVAILABLE
        radio.journal.is_full = False
        radio.alice.request(PUBLISH, {}, "a")
        radio.journal.sync()
        assert radio.heard() == [1]

    def test_a_channel_that_ended_meanwhile_is_closed(self, radio):
        radio.realm.channels.create("b", ChannelSettings(lifetime=1))
        radio.realm.space.histories.keep("b", DURABLE)
        radio.alice.request(PUBLISH, ACKNOWLEDGE, "b")
        radio.clock.advance(1)
        assert radio.journal.forgotten == ["b"]
        radio.journal.sync()
        assert [message[4] for message in radio.alice.received()] == [CHANNEL_CLOSED]

    def test_what_can_be_refused_is_refused_before_it_is_written(self):
        radio = Radio(limits=Limits(max_retained_topics=1))
        radio.alice.request(PUBLISH, {"retain": True}, "b")
        assert radio.alice.answer(PUBLISH, {"retain": True, **ACKNOWLEDGE}, "a")[4] == QUOTA
        assert radio.journal.waiting == []

    def test_a_listener_that_must_not_lose_events_holds_the_answer_back_too(self, radio):
        carol = radio.join("carol")
        carol.request(SUBSCRIBE, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "a")
        radio.outbox.block(carol.session)
        for _ in range(2):
            radio.alice.request(PUBLISH, ACKNOWLEDGE, "a")
        radio.journal.sync()
        assert [message[:2] for message in radio.alice.received()] == [[PUBLISHED, 1]]
        radio.outbox.unblock(carol.session)
        radio.clock.advance(0)
        assert [message[:2] for message in radio.alice.received()] == [[PUBLISHED, 2]]

    def test_without_a_journal_nothing_is_durable(self, radio):
        radio.realm.space.histories.log = None
        assert radio.alice.answer(PUBLISH, ACKNOWLEDGE, "a")[0] == PUBLISHED

    def test_publishing_without_a_session_comes_to_its_answer_later(self, radio):
        session = Session(99, make_principal("key"), None)
        later = radio.realm.gateway.publish(session, "a", Payload.of(1))
        outcomes = []
        later.then(outcomes.append)
        assert outcomes == []
        radio.journal.sync()
        assert outcomes[0].readers == 1

    @pytest.mark.parametrize("is_durable", [True, False])
    def test_it_tells_where_the_event_is(self, radio, is_durable):
        carol = radio.join("carol")
        carol.request(SUBSCRIBE, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "a")
        radio.outbox.block(carol.session)
        if not is_durable:
            radio.realm.space.histories.log = None
        key = Session(99, make_principal("key"), None)
        options = PublishOptions(acknowledge=True)
        outcomes = []
        for _ in range(2):
            published = radio.realm.gateway.publish(key, "a", Payload.of(1), options)
            if isinstance(published, Promise):
                published.then(outcomes.append)
            else:
                outcomes.append(published)
        radio.journal.sync()
        radio.outbox.unblock(carol.session)
        radio.clock.advance(0)
        epoch = radio.realm.space.histories.of("a")[0].epoch
        assert [(one.epoch, one.seq) for one in outcomes] == [(epoch, 1), (epoch, 2)]

    def test_what_is_not_to_be_has_no_place(self, radio):
        carol = radio.join("carol")
        carol.request(SUBSCRIBE, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "a")
        radio.outbox.block(carol.session)
        radio.realm.space.histories.log = None
        key = Session(99, make_principal("key"), None)
        options = PublishOptions(acknowledge=True)
        radio.realm.gateway.publish(key, "a", Payload.of(1), options)
        outcomes = []
        radio.realm.gateway.publish(key, "a", Payload.of(1), options).then(outcomes.append)
        radio.clock.advance(100)
        assert [one.uri for one in outcomes] == [OVERRUN]

    def test_where_nobody_counts_there_is_none(self, radio):
        published = radio.realm.gateway.publish(Session(99, make_principal("key"), None), "b", Payload.of(1))
        assert (published.epoch, published.seq) == ("", 0)


class TestCounting:
    def test_a_channel_counts_its_events_when_they_happen(self, radio):
        channel = radio.realm.channels.declare("a")
        radio.alice.request(PUBLISH, {}, "a")
        assert channel.traffic.events == 0
        radio.journal.sync()
        assert channel.traffic.events == 1
        other = radio.realm.channels.declare("b")
        radio.alice.request(PUBLISH, {}, "b")
        assert other.traffic.events == 1


CREATE, EXTEND, DELETE = (f"radiod.channel.{one}" for one in ("create", "extend", "delete"))


class TestDurableChannels:
    """Those that sessions create: answered for, and brought back, by way of the journal."""

    @pytest.fixture
    def created(self, radio):
        options = {"lifetime": 60, "durable": True, "buffer": {"size": 7}, "on_owner_leave": "keep"}
        radio.alice.request(48, {}, CREATE, ["c"], options)
        assert radio.alice.received() == []
        channel, done = radio.journal.saved.pop()
        done(None)
        ((code, _, _, (answer,)),) = radio.alice.received()
        assert code == 50
        return channel, answer["control_key"]

    def test_are_answered_for_when_they_are_on_disk(self, radio, created):
        channel, key = created
        assert (channel.name, channel.control_hash) == ("c", digest(key))
        assert channel.expires == radio.clock.time() + 60
        radio.alice.request(PUBLISH, {}, "c")
        assert len(radio.journal.waiting) == 1

    def test_that_cannot_be_stored_are_ended(self, radio):
        radio.alice.request(48, {}, CREATE, ["c"], {"durable": True})
        radio.journal.saved.pop()[1](Refused(STORE_UNAVAILABLE, "disk"))
        assert [message[4] for message in radio.alice.received()] == [STORE_UNAVAILABLE]
        assert "c" not in radio.realm.channels

    def test_that_ended_before_they_were_stored_have_ended(self, radio):
        radio.alice.request(48, {}, CREATE, ["c"], {"durable": True})
        radio.alice.leave()
        radio.journal.saved.pop()[1](Refused(STORE_UNAVAILABLE, "disk"))
        assert radio.journal.forgotten == ["c"]

    def test_are_saved_anew_when_they_are_extended(self, radio, created):
        _, key = created
        radio.alice.request(48, {}, EXTEND, ["c", 100, key])
        channel, done = radio.journal.saved.pop()
        assert channel.expires == radio.clock.time() + 100
        done(Refused(STORE_UNAVAILABLE, "disk"))
        assert [message[4] for message in radio.alice.received()] == [STORE_UNAVAILABLE]
        assert "c" in radio.realm.channels

    def test_are_forgotten_when_they_end(self, radio, created):
        radio.clock.advance(60)
        assert radio.journal.forgotten == ["c"]

    def test_come_back_with_the_time_that_is_left_and_the_same_key(self, radio, created):
        saved, key = created
        other = Radio()
        other.clock.advance(20)
        other.realm.lifecycle.restore(saved)
        other.realm.lifecycle.restore(saved)
        assert other.realm.space.tuning.default("c").size == 7
        other.realm.space.histories.restore("c", Position("before", 5), [])
        other.alice.request(PUBLISH, ACKNOWLEDGE, "c")
        other.journal.sync()
        assert other.realm.space.histories.find("c").position == Position("before", 6)
        other.clock.advance(39.9)
        assert "c" in other.realm.channels
        other.clock.advance(0.2)
        assert other.journal.forgotten == ["c"]
        again = Radio()
        again.realm.lifecycle.restore(saved)
        assert again.alice.answer(48, {}, DELETE, ["c", "0" * 32])[4] == BAD_KEY
        assert again.alice.answer(48, {}, DELETE, ["c", key])[0] == 50

    def test_whose_time_was_over_do_not_come_back(self, radio, created):
        saved, _ = created
        other = Radio()
        other.clock.advance(100)
        other.realm.lifecycle.restore(saved)
        other.clock.advance(0)
        assert other.journal.forgotten == ["c"]

    def test_are_saved_anew_when_the_clock_was_set(self, radio, created):
        """After a crash the date is all that is known of their end."""
        for options in ({"durable": True}, {"lifetime": 9}):
            radio.alice.request(48, {}, CREATE, [f"d{len(options)}{options.get('lifetime')}"], options)
        radio.journal.saved.clear()
        radio.realm.statistics.start()
        radio.clock.advance(6)
        assert radio.journal.saved == []
        radio.clock.set_date(-3600)
        radio.clock.advance(6)
        ((saved, done),) = radio.journal.saved
        assert saved.name == "c"
        assert round(saved.expires - radio.clock.time() + radio.clock.seconds() - 1000, 3) == 60
        done(Refused(STORE_UNAVAILABLE, "disk"))
        radio.clock.advance(6)
        assert len(radio.journal.saved) == 1
        assert "c" in radio.realm.channels

    def test_live_no_longer_than_they_would_have_when_the_clock_is_behind(self, radio, created):
        saved, _ = created
        other = Radio()
        other.clock.set_date(-1e9)
        other.realm.lifecycle.restore(saved)
        other.clock.advance(59.9)
        assert "c" in other.realm.channels
        other.clock.advance(0.2)
        assert "c" not in other.realm.channels

    def test_without_an_end_or_a_buffer_come_back_too(self, radio):
        radio.alice.request(48, {}, CREATE, ["d"], {"durable": True})
        saved, done = radio.journal.saved.pop()
        done(None)
        other = Radio()
        other.realm.lifecycle.restore(saved)
        other.clock.advance(1e9)
        assert "d" in other.realm.channels

    def test_need_a_store_and_are_public(self, radio):
        private = radio.alice.answer(48, {}, CREATE, ["c"], {"durable": True, "public": False})
        radio.realm.space.histories.log = radio.realm.lifecycle.store = None
        assert private[4] == FEATURE_NOT_SUPPORTED
        assert radio.alice.answer(48, {}, CREATE, ["c"], {"durable": True})[4] == FEATURE_NOT_SUPPORTED
        assert "c" not in radio.realm.channels


class TestQuota:
    def test_a_new_durable_topic_too_many_is_refused_and_the_old_ones_stay(self):
        radio = Radio(limits=Limits(max_channels=2))
        radio.realm.space.histories.keep("log.*", DURABLE)
        for name in ("log.a", "log.b"):
            radio.alice.request(PUBLISH, ACKNOWLEDGE, name)
        radio.journal.sync()
        assert [message[0] for message in radio.alice.received()] == [PUBLISHED, PUBLISHED]
        mallory = radio.join("mallory", "other")
        for number in range(5):
            mallory.request(PUBLISH, ACKNOWLEDGE, f"log.m{number}")
        radio.journal.sync()
        answers = mallory.received()
        assert [message[4] for message in answers if message[0] == ERROR] == [QUOTA] * 3
        assert radio.journal.forgotten == []
        assert radio.alice.answer(PUBLISH, ACKNOWLEDGE, "log.c")[4] == QUOTA
        assert radio.realm.bounds.counts == {"max_channels": 4}
        assert radio.realm.load.describe()["limits"] == {"max_channels": 4}

    def test_over_http_as_well(self):
        radio = Radio(limits=Limits(max_channels=1))
        radio.realm.space.histories.keep("log.*", DURABLE)
        key = Session(1, make_principal("key"), None)
        radio.realm.gateway.publish(key, "log.a", Payload.of(1))
        with pytest.raises(Refused) as refusal:
            radio.realm.gateway.publish(key, "log.b", Payload.of(1))
        assert refusal.value.uri == QUOTA
        assert radio.realm.bounds.counts == {"max_channels": 1}

    def test_what_the_journal_does_not_take_keeps_no_room(self, radio):
        radio.realm.space.histories.keep("log.*", DURABLE)
        radio.journal.is_full = True
        assert radio.alice.answer(PUBLISH, ACKNOWLEDGE, "log.a")[4] == STORE_UNAVAILABLE
        assert radio.realm.space.histories._durable_room.reserved == 0


class TestTraces:
    """Whoever follows an event is told when it is given to its listeners."""

    TRACED = {"_radiod_traceparent": "yes"}  # nobody changes it

    def told(self, follower):
        return [one[0] for one in follower.take()]

    def test_of_a_durable_topic_that_is_when_it_is_on_disk(self, radio):
        follower = radio.realm.publications.tracer = Follower()
        radio.alice.request(PUBLISH, {**self.TRACED, **ACKNOWLEDGE}, "a")
        assert self.told(follower) == ["event", "details"]
        radio.journal.sync()
        assert self.told(follower) == ["fan_out", "accepted"]

    def test_or_never(self, radio):
        follower = radio.realm.publications.tracer = Follower()
        radio.alice.request(PUBLISH, {**self.TRACED, **ACKNOWLEDGE}, "a")
        radio.journal.sync(1, Refused(STORE_UNAVAILABLE, "disk"))
        assert self.told(follower) == ["event", "details", "refused"]

    def test_what_is_kept_of_it_does_not_hold_the_option(self, radio):
        radio.alice.request(PUBLISH, self.TRACED, "a")
        radio.journal.sync()
        (record,) = radio.realm.space.histories.of("a")
        assert record.options.traceparent is None
