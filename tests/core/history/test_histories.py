"""Event history: what is kept, how long, and what never."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history.blocks import Block, Undecoded, write_block
from radiod.core.history.bounds import NOTHING, RECORD_BYTES, HistoryBounds
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.errors import QUOTA, Exceeded
from radiod.testing import FakeClock, SequentialIds
from radiod.wire.codecs import JSON, MSGPACK, Payload
from radiod.wire.options import PublishOptions

DEFAULT = PublishOptions()
PLENTY = HistoryBounds(size=1000, seconds=1e9, bytes=1 << 30)


class World:
    """Histories, and events numbered by their publication."""

    def __init__(self, max_topics=100, **options):
        self.clock = FakeClock()
        self.histories = Histories(self.clock, SequentialIds(), max_topics, **options)
        self.publications = 0

    def record(self, topic, size=2, options=DEFAULT, details=None):
        self.publications += 1
        payload = Payload(JSON, b"[" + b" " * (size - 2) + b"]", b"")
        history = self.histories.find(topic)
        if history is not None:
            event = self.histories.number(history, self.publications, 7, payload, options, details or {})
            self.histories.add(history, event)
        return self.publications

    def of(self, topic):
        return [record.publication for record in self.histories.of(topic)]


@pytest.fixture
def world():
    return World()


class TestOtherBounds:
    @pytest.mark.parametrize("pattern", ["a.b", "a.*"])
    def test_less_is_trimmed_at_once_and_more_is_kept_from_then_on(self, world, pattern):
        world.histories.keep(pattern, PLENTY)
        world.histories.keep("b", PLENTY)
        for _ in range(5):
            world.record("a.b")
            world.record("b")
        epoch = world.histories.find("a.b").epoch
        world.histories.resize(pattern, HistoryBounds(size=2, seconds=1e9, bytes=1 << 30))
        assert (world.of("a.b"), len(world.of("b"))) == ([7, 9], 5)
        world.histories.resize(pattern, PLENTY)
        world.record("a.b")
        assert world.of("a.b") == [7, 9, 11]
        assert world.histories.find("a.b").epoch == epoch

    def test_of_a_pattern_hold_for_topics_to_come(self, world):
        world.histories.keep("a.*", PLENTY)
        world.histories.resize("a.*", HistoryBounds(size=1, seconds=1e9, bytes=1 << 30))
        world.record("a.b")
        world.record("a.b")
        assert world.of("a.b") == [2]


class TestWhatIsKept:
    def test_nothing_where_nothing_is_configured(self, world):
        world.record("a")
        assert world.of("a") == []
        assert world.histories.wanted("a") is None
        assert world.histories.topics() == []

    def test_an_event_as_it_was_told(self, world):
        world.histories.keep("a", PLENTY)
        options = PublishOptions(eligible_authrole=["x"])
        first, second = (
            world.record("a", options=options, details={"publisher": 1}),
            world.record("a"),
        )
        record, later = world.histories.of("a")
        assert (record.publication, later.publication) == (first, second)
        assert (record.topic, record.details, record.options) == ("a", {"publisher": 1}, options)
        assert (record.publisher, record.seq, later.seq) == (7, 1, 2)
        assert str(record.position) == f"{record.epoch}:1"
        assert record.told() == {"publisher": 1, "_seq": 1, "_epoch": record.epoch}
        assert record.payload.values() == ([], {})
        assert record.time == world.clock.time()
        assert record.order < later.order

    def test_times_are_whole_milliseconds(self, world):
        world.histories.keep("a", PLENTY)
        world.clock.advance(0.12345678)
        world.record("a")
        (record,) = world.histories.of("a")
        assert record.time == round(world.clock.time(), 3) != world.clock.time()

    def test_records_count_through_the_realm(self, world):
        world.histories.keep("*", PLENTY)
        for topic in "abab":
            world.record(topic)
        records = world.histories.of("a") + world.histories.of("b")
        assert [record.publication for record in sorted(records, key=lambda record: record.order)] == [
            1,
            2,
            3,
            4,
        ]

    @pytest.mark.parametrize("name", ["exclude", "eligible"])
    @pytest.mark.parametrize("ids", [[], [1]])
    def test_an_event_that_names_sessions_can_be_told_from_others(self, world, name, ids):
        world.histories.keep("a", PLENTY)
        world.record("a")
        world.record("a", options=PublishOptions(**{name: ids}))
        assert [record.names_sessions for record in world.histories.of("a")] == [False, True]

    def test_what_an_event_is_transcoded_to_is_not_kept_with_it(self, world):
        world.histories.keep("a", PLENTY)
        payload = Payload(JSON, b"[1]", b"")
        history = world.histories.find("a")
        world.histories.add(history, world.histories.number(history, 1, 7, payload, DEFAULT, {}))
        payload.parts(MSGPACK)
        (record,) = world.histories.of("a")
        assert (record.payload.args, record.payload._other) == (b"[1]", None)

    @pytest.mark.parametrize(
        "name", ["exclude_authid", "eligible_authid", "exclude_authrole", "eligible_authrole"]
    )
    def test_other_lists_are_kept_with_it(self, world, name):
        world.histories.keep("a", PLENTY)
        assert world.of("a") == [] != [world.record("a", options=PublishOptions(**{name: ["x"]}))]
        assert world.of("a") == [1]

    def test_forgetting_drops_one_topic_and_does_not_mind_an_unknown_one(self, world):
        world.histories.keep("*", PLENTY)
        world.record("a")
        world.record("b")
        world.histories.forget("a")
        world.histories.forget("never seen")
        assert (world.of("a"), world.of("b")) == ([], [2])
        assert world.histories.topics() == ["b"]

    def test_what_is_given_out_is_a_copy(self, world):
        world.histories.keep("a", PLENTY)
        world.record("a")
        world.histories.of("a").clear()
        assert world.of("a") == [1]


class TestPatterns:
    def test_an_exact_name_beats_every_pattern(self, world):
        world.histories.keep("*", PLENTY)
        world.histories.keep("a.*", PLENTY)
        world.histories.keep("a.b", one := HistoryBounds(size=1, seconds=10, bytes=100))
        assert world.histories.wanted("a.b") is one
        assert world.histories.wanted("a.c") is PLENTY
        world.record("a.b")
        world.record("a.b")
        assert world.of("a.b") == [2]

    def test_the_pattern_that_was_configured_first_counts(self, world):
        first, second = HistoryBounds(size=1, seconds=1, bytes=1), HistoryBounds(size=2, seconds=2, bytes=2)
        world.histories.keep("a..c", first)
        world.histories.keep("a.*", second)
        assert world.histories.wanted("a.b.c") is first
        assert world.histories.wanted("a.b.d") is second
        assert world.histories.wanted("b") is None

    def test_each_topic_of_a_pattern_has_bounds_of_its_own(self, world):
        world.histories.keep("*", HistoryBounds(size=1, seconds=10, bytes=100))
        world.record("a")
        world.record("b")
        assert (world.of("a"), world.of("b")) == ([1], [2])

    def test_a_new_pattern_holds_for_topics_seen_before(self, world):
        world.histories.keep("b.*", PLENTY)
        assert world.histories.wanted("a") is None
        world.histories.keep("*", PLENTY)
        assert world.histories.wanted("a") is PLENTY

    def test_remembered_answers_are_bounded(self):
        world = World(max_topics=10)
        world.histories.keep("a.*", PLENTY)
        for number in range(100):
            assert world.histories.wanted(f"a.{number}") is PLENTY
            assert world.histories.wanted(f"b.{number}") is None
            assert len(world.histories._wanted) <= 10


class TestBounds:
    def test_by_number(self, world):
        world.histories.keep("a", HistoryBounds(size=2, seconds=1e9, bytes=1000))
        for _ in range(5):
            world.record("a")
        assert world.of("a") == [4, 5]

    def test_by_age_to_the_moment(self, world):
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=1000))
        world.record("a")
        world.clock.advance(10)
        assert world.of("a") == [1]
        world.clock.advance(0.01)
        assert world.of("a") == []
        assert world.histories.topics() == []

    @pytest.mark.parametrize("by", [-3600, 3600])
    def test_by_age_whoever_sets_the_clock(self, world, by):
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=1000))
        world.record("a")
        world.clock.set_date(by)
        world.record("a")
        world.clock.advance(10)
        assert world.of("a") == [1, 2]
        first, second = (record.time for record in world.histories.of("a"))
        assert second - first == by
        world.clock.advance(0.01)
        assert world.of("a") == []

    def test_the_lists_of_an_event_count_as_its_payload_does(self, world):
        """They are kept as long, and may be as long as a message."""
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=1000))
        long = PublishOptions(eligible_authid=["x" * 500])
        world.record("a", options=long)
        assert world.of("a") == [1]
        world.record("a", options=long)
        assert world.of("a") == [2]
        world.record("a", options=PublishOptions(exclude=list(range(1, 100))))
        assert world.of("a") == []

    def test_by_bytes(self, world):
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=10))
        for size in (4, 4, 2):
            world.record("a", size)
        assert world.of("a") == [1, 2, 3]
        world.record("a", 2)
        assert world.of("a") == [2, 3, 4]

    def test_an_event_longer_than_all_that_may_be_kept_leaves_nothing(self, world):
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=10))
        world.record("a", 10)
        world.record("a", 11)
        assert world.of("a") == []
        assert world.histories.topics() == []
        assert world.record("a", 10) in world.of("a")

    def test_asking_about_topics_without_events_pushes_out_none_that_has_some(self):
        world = World(max_topics=2)
        world.histories.keep("kept.*", PLENTY)
        events = [world.record("kept.a"), world.record("kept.b")]
        for number in range(10):
            assert world.histories.find(f"kept.{number}") is not None
        assert (world.of("kept.a"), world.of("kept.b")) == ([events[0]], [events[1]])
        assert world.histories.topics() == ["kept.a", "kept.b"]

    def test_the_topic_that_was_silent_longest_makes_room(self):
        world = World(max_topics=2)
        world.histories.keep("*", PLENTY)
        for topic in ("a", "b", "a", "c"):
            world.record(topic)
        assert world.histories.topics() == ["a", "c"]
        assert (world.of("a"), world.of("b"), world.of("c")) == ([1, 3], [], [4])

    def test_an_event_too_long_to_keep_is_counted(self, world):
        world.histories.keep("a", HistoryBounds(size=9, seconds=10, bytes=10))
        world.record("a")
        world.record("a", 11)
        history = world.histories.find("a")
        assert (history.seq, world.of("a")) == (2, [])
        assert not history.after(Position(history.epoch, 1))[1]
        assert history.after(Position(history.epoch, 2))[1]


events = st.tuples(st.sampled_from("abc"), st.integers(2, 12), st.sampled_from([0, 0, 0.5, 1, 3, 10]))
keeps = st.builds(
    HistoryBounds, size=st.integers(1, 4), seconds=st.sampled_from([0.5, 2, 5, 100]), bytes=st.integers(2, 30)
)


def kept(past, keep, now):
    """The longest end of ``past`` within all bounds; entries: (publication, time, size)."""
    for start in range(len(past)):
        rest = past[start:]
        if (
            len(rest) <= keep.size
            and sum(size for _, _, size in rest) <= keep.bytes
            and now - rest[0][1] <= keep.seconds
        ):
            return rest
    return []


@given(keeps, keeps, st.lists(events, max_size=30))
def test_the_past_is_the_longest_end_within_all_bounds(pattern_keep, exact_keep, published):
    world = World(max_topics=1)
    world.histories.keep("*", pattern_keep)
    world.histories.keep("a", exact_keep)
    # topic -> its past; of those that only the pattern matches, the one that was silent longest is forgotten
    model = {"a": []}
    for topic, size, pause in published:
        world.clock.advance(pause)
        now = world.clock.time()
        keep = exact_keep if topic == "a" else pattern_keep
        publication = world.record(topic, size)
        model = {name: past for name, past in model.items() if "a" in (name, topic) or name == topic}
        model[topic] = kept([*model.get(topic, []), (publication, now, size)], keep, now)
        for name, past in model.items():
            model[name] = kept(past, exact_keep if name == "a" else pattern_keep, now)
        for name in "abc":
            assert world.of(name) == [number for number, _, _ in model.get(name, [])]
        assert set(world.histories.topics()) == {name for name, past in model.items() if past}
    for history in world.histories._histories.values():
        assert history._bytes == sum(len(record.payload) for record in history.since(0))


class TestCounting:
    def test_a_topic_that_nobody_asked_about_has_no_positions(self, world):
        assert world.histories.is_idle
        assert world.histories.find("a") is None
        world.histories.keep("b", PLENTY)
        assert not world.histories.is_idle
        assert world.histories.find("a") is None

    def test_a_pattern_alone_is_a_reason_to_look(self, world):
        world.histories.keep("b.*", PLENTY)
        assert not world.histories.is_idle

    def test_counting_keeps_nothing(self, world):
        history = world.histories.track("a")
        assert world.histories.track("a") is history is world.histories.find("a")
        world.record("a")
        world.record("a")
        assert (history.seq, len(history), world.of("a")) == (2, 0, [])
        assert world.histories.wanted("a") is None

    def test_each_topic_has_an_epoch_of_its_own(self, world):
        first, second = world.histories.track("a"), world.histories.track("b")
        assert first.epoch != second.epoch
        assert len(first.epoch) == 12

    def test_a_count_begins_anew_when_the_topic_is_forgotten_or_kept_otherwise(self, world):
        epochs = [world.histories.track("a").epoch]
        world.histories.forget("a")
        epochs.append(world.histories.track("a").epoch)
        world.histories.keep("a", PLENTY)
        epochs.append(world.histories.find("a").epoch)
        assert len(set(epochs)) == 3

    def test_counted_topics_make_room_for_each_other_but_never_take_that_of_kept_ones(self):
        world = World(max_topics=2)
        world.histories.keep("kept.*", PLENTY)
        world.histories.keep("named", PLENTY)
        for topic in ("kept.1", "kept.2", "named"):
            world.record(topic)
        dropped = world.histories.track("a")
        held = world.histories.track("b")
        world.record("a")
        world.histories.track("c")
        assert held.is_dropped
        assert not dropped.is_dropped
        assert world.histories.topics() == ["named", "kept.1", "kept.2"]

    def test_numbers_that_were_given_away_are_not_given_again(self, world):
        world.histories.keep("a", HistoryBounds(size=3, seconds=100, bytes=1000))
        history = world.histories.find("a")
        for _ in range(5):
            world.record("a")
        history.assigned = 7
        world.record("a")
        assert (history.seq, [record.seq for record in history.since(0)]) == (8, [4, 5, 8])
        assert history.after(Position(history.epoch, 6)) == (5, True)

    def test_an_unlisted_history_is_found_by_nobody(self, world):
        history = world.histories.unlisted("a", PLENTY)
        world.histories.add(
            history, world.histories.number(history, 1, 7, Payload(JSON, b"", b""), DEFAULT, {})
        )
        assert (history.seq, world.of("a"), world.histories.find("a")) == (1, [], None)
        assert world.histories.unlisted("a", None).keep.size == 0


class Journal:
    """A ``Log`` that writes down what it is told."""

    def __init__(self):
        self.told = []

    def trim(self, *args):
        self.told.append(("trim", *args))

    def forget(self, *args):
        self.told.append(("forget", *args))


class TestDurable:
    @pytest.fixture
    def history(self, world):
        world.histories.keep("a", HistoryBounds(size=2, seconds=100, bytes=1000, is_durable=True))
        world.histories.keep("b", PLENTY)
        return world.histories.find("a")

    def test_the_journal_is_told_what_goes(self, world, history):
        journal = world.histories.log = Journal()
        for _ in range(3):
            world.record("a")
            world.record("b")
        world.histories.forget("b")
        world.histories.forget("a")
        trims = [("trim", "a", history.epoch, first) for first in (1, 1, 2)]
        assert journal.told == [*trims, ("forget", "a")]

    def test_without_a_journal_there_is_nobody_to_tell(self, world, history):
        world.record("a")
        world.histories.forget("a")
        assert history.is_dropped

    @pytest.mark.parametrize("numbers", [[4, 5], [3, 5], [3, 4, 5], []])
    def test_it_goes_on_where_the_journal_ends(self, world, history, numbers):
        kept = world.histories.unlisted("a", PLENTY)
        records = []
        for number in numbers:
            kept.assigned = number - 1
            records.append(world.histories.number(kept, number, 0, Payload(JSON, b"[]", b""), DEFAULT, {}))
        world.histories.restore("a", Position("before", 5), records)
        assert history.position == Position("before", 5)
        assert world.of("a") == numbers[-2:]
        oldest = 5 if not numbers else numbers[-2] - 1 if len(numbers) < 3 else numbers[0]
        assert history.after(Position("before", oldest))[1]
        assert not history.after(Position("before", oldest - 1))[1]
        world.record("a")
        assert history.position == Position("before", 6)

    @pytest.mark.parametrize(
        ("lost", "told"), [([], set()), ([3], {1, 2}), ([2, 4], {1, 2, 3}), ([5], {1, 2, 3, 4})]
    )
    def test_who_missed_an_event_that_is_lost_is_told(self, world, lost, told):
        """And nobody else: numbers of events that were refused are of none."""
        world.histories.keep("a", HistoryBounds(size=9, seconds=1e9, bytes=1000, is_durable=True))
        history, kept = world.histories.find("a"), world.histories.unlisted("a", PLENTY)
        records = []
        for number in (2, 6):
            kept.assigned = number - 1
            records.append(world.histories.number(kept, number, 0, Payload(JSON, b"[]", b""), DEFAULT, {}))
        world.histories.restore("a", Position("before", 6), records, lost)
        found = {seq: history.after(Position("before", seq)) for seq in range(1, 7)}
        assert {seq for seq, (_, is_recovered) in found.items() if not is_recovered} == told
        # What is held comes in any case, and once.
        assert [index for index, _ in found.values()] == [0, 1, 1, 1, 1, 2]
        world.record("a")
        assert history.after(Position("before", 6)) == (2, True)

    def restore(self, world, *times):
        """A day's history, with events of these dates from now on. Returns: the dates of those still held."""
        now = world.clock.time()
        world.histories.keep("a", HistoryBounds(size=9, seconds=86_400, bytes=1000, is_durable=True))
        kept = world.histories.unlisted("a", PLENTY)
        records = []
        for number, time in enumerate(times, 1):
            kept.assigned = number - 1
            record = world.histories.number(kept, number, 0, Payload(JSON, b"[]", b""), DEFAULT, {})
            record.time, record.since = now + time, nan
            records.append(record)
        world.histories.restore("a", Position("before", 5), records)
        return [record.time - now for record in world.histories.of("a")]

    def test_ages_are_told_from_dates(self, world):
        assert self.restore(world, -90_000, -80_000, -10) == [-80_000, -10]
        world.clock.advance(6_401)
        assert world.of("a") == [3]

    def test_no_event_is_older_than_the_one_before_it(self, world):
        """A clock without a battery says 1970 until it is set."""
        assert self.restore(world, -100, -1.8e9, -10) == [-100, -1.8e9, -10]
        world.clock.advance(86_301)
        assert world.of("a") == [3]

    def test_events_of_a_later_date_are_as_of_now(self, world):
        assert self.restore(world, -10, 86_400, 90_000) == [-10, 86_400, 90_000]
        world.clock.advance(86_400)
        assert world.of("a") == [2, 3]
        world.clock.advance(1)
        assert world.of("a") == []

    def test_a_topic_that_is_durable_no_longer_begins_anew(self, world, history):
        for topic in ("b", "c"):
            world.histories.restore(topic, Position("before", 5), [])
        assert world.histories.find("b").seq == 0
        assert world.histories.find("c") is None


class Pools(World):
    """Durable topics of patterns, whose journal answers when it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.histories.log = Journal()
        for pattern in ("p.*", "q.*"):
            self.histories.keep(pattern, HistoryBounds(size=2, seconds=100, bytes=1000, is_durable=True))

    def begin(self, topic, role="alice", size=2):
        """An event goes to the journal. Returns: what happens when that has it, or has not."""
        self.publications += 1
        payload = Payload(JSON, b"[" + b" " * (size - 2) + b"]", b"")
        history = self.histories.find(topic)
        event = self.histories.number(history, self.publications, 7, payload, DEFAULT, {})
        self.histories.reserve(history, event, role)

        def settle(is_written=True):
            self.histories.settle(history, event)
            if is_written:
                self.histories.add(history, event)

        return settle

    def publish(self, *args, **kwargs):
        self.begin(*args, **kwargs)()

    def forgotten(self):
        return [told[1] for told in self.histories.log.told if told[0] == "forget"]

    def assert_full(self, limit, *args, **kwargs):
        with pytest.raises(Exceeded) as refusal:
            self.begin(*args, **kwargs)
        assert (refusal.value.uri, refusal.value.limit) == (QUOTA, limit)


class TestDurablePools:
    def test_new_topics_are_refused_and_old_ones_stay(self):
        world = Pools(max_topics=3)
        for number in range(3):
            world.publish(f"p.{number}")
        world.assert_full("max_channels", "p.3")
        world.publish("p.0")
        assert [world.of(f"p.{number}") for number in range(3)] == [[1, 5], [2], [3]]
        assert world.forgotten() == []

    def test_each_pattern_and_each_role_has_its_own(self):
        world = Pools(max_topics=1)
        world.publish("p.0")
        world.publish("q.0")
        world.publish("p.1", "bob")
        world.assert_full("max_channels", "p.2")
        world.assert_full("max_channels", "p.2", "bob")
        assert world.of("p.0") == [1]

    def test_what_is_on_its_way_counts(self):
        world = Pools(max_topics=1)
        settle = world.begin("p.0")
        world.assert_full("max_channels", "p.1")
        settle()
        assert world.of("p.0") == [1]

    def test_one_that_never_came_makes_room(self):
        world = Pools(max_topics=1)
        world.begin("p.0")(is_written=False)
        world.publish("p.1")
        assert world.of("p.1") == [2]

    def test_one_whose_events_are_all_too_old_makes_room(self):
        world = Pools(max_topics=2)
        world.publish("p.0")
        world.clock.advance(50)
        world.publish("p.1")
        world.clock.advance(51)
        world.publish("p.2")
        assert world.forgotten() == ["p.0"]
        world.assert_full("max_channels", "p.3")

    def test_asking_about_topics_pushes_none_out(self):
        world = Pools(max_topics=2)
        world.publish("p.0")
        for number in range(10):
            world.histories.wanted(f"p.x{number}")
        assert world.of("p.0") == [1]

    def test_restored_ones_count_for_the_role_that_wrote_last(self):
        world = Pools(max_topics=1)
        kept = world.histories.unlisted("p.0", PLENTY)
        record = world.histories.number(kept, 1, 0, Payload(JSON, b"[]", b""), DEFAULT, {})
        record.role = "bob"
        world.histories.restore("p.0", Position("before", 1), [record])
        world.histories.restore("q.0", Position("before", 1), [])
        world.assert_full("max_channels", "p.1", "bob")
        world.publish("p.1", "alice")
        assert (len(world.of("p.0")), world.histories.is_promised("q.0")) == (1, True)

    def test_bytes_have_a_bound_and_nothing_goes_for_them(self):
        cost = RECORD_BYTES + 100
        world = Pools(max_bytes=3 * cost)
        world.publish("p.0", size=100)
        settle = world.begin("p.1", size=100)
        world.publish("q.0", size=100)
        world.assert_full("max_history_bytes", "p.2", size=2)
        world.assert_full("max_history_bytes", "p.0", size=2)
        settle(is_written=False)
        world.publish("p.0", size=100)
        assert [world.of(topic) for topic in ("p.0", "q.0")] == [[1, 6], [3]]

    def test_a_full_topic_goes_on_in_its_own_room(self):
        cost = RECORD_BYTES + 100
        world = Pools(max_bytes=2 * cost)
        for _ in range(5):
            world.publish("p.0", size=100)
        world.publish("p.0", size=50)
        world.assert_full("max_history_bytes", "p.0", size=200)
        assert world.of("p.0") == [5, 6]

    def test_what_is_too_old_takes_no_room(self):
        world = Pools(max_bytes=RECORD_BYTES + 100)
        world.publish("p.0")
        world.assert_full("max_history_bytes", "p.1")
        world.clock.advance(101)
        world.publish("p.1")
        world.assert_full("max_history_bytes", "p.2")

    def test_only_what_a_pattern_keeps_and_has_events_is_promised(self):
        world = Pools()
        world.histories.keep("a", HistoryBounds(size=2, seconds=100, bytes=1000, is_durable=True))
        world.histories.keep("r.*", PLENTY)
        for topic in ("p.0", "a", "r.0"):
            world.histories.find(topic)
        assert not any(map(world.histories.is_promised, ("p.0", "a", "r.0", "x")))
        settle = world.begin("p.0")
        assert world.histories.is_promised("p.0")
        settle()
        world.publish("a")
        world.record("r.0")
        assert [one for one in ("p.0", "a", "r.0", "x") if world.histories.is_promised(one)] == ["p.0"]


class TestAnotherProcess:
    """Histories that go on where others stopped."""

    KEEP = HistoryBounds(size=3, seconds=100.0, bytes=1 << 20)

    def make(self, max_topics=100, keep=KEEP, **options):
        world = World(max_topics, **options)
        world.histories.keep("named", keep)
        world.histories.keep("many.*", keep)
        return world

    def stop(self, world, after):
        """Hand all over. Returns: the topics that go on."""
        resumed = []
        for history in list(world.histories):
            records = history.written()
            blocks = [Block(write_block(records, world.clock.seconds()))] if records else []
            past = Undecoded(history.topic, history.epoch, blocks, after.clock.seconds())
            is_counted = history.keep is NOTHING
            if after.histories.resume(
                history.topic, history.position, history.unheld, past, is_counted=is_counted
            ):
                resumed.append(history.topic)
        after.histories.settled(world.histories.next_order())
        return resumed

    def test_all_topics_go_on(self):
        before, after = self.make(), self.make()
        before.histories.track("counted")
        for topic in ("named", "many.a", "many.b", "counted", "named"):
            before.record(topic)
        # Asked about, and without an event.
        asked = before.histories.find("many.c").position
        assert self.stop(before, after) == ["named", "counted", "many.c", "many.a", "many.b"]
        for topic in ("named", "many.a", "many.b", "many.c", "counted"):
            assert after.histories.find(topic).position == before.histories.find(topic).position
            assert after.of(topic) == before.of(topic)
        assert after.histories.find("many.c").position == asked
        after.record("named")
        orders = [record.order for record in after.histories.of("named")]
        assert orders == [1, 5, 6]

    def test_who_was_silent_longest_still_makes_room_first(self):
        before, after = self.make(2), self.make(2)
        before.record("many.a")
        before.record("many.b")
        before.record("many.a")
        self.stop(before, after)
        after.record("many.c")
        assert (len(after.of("many.a")), after.of("many.b")) == (2, [])

    def test_less_is_kept_where_less_is_kept_now(self):
        before, after = self.make(), self.make(keep=HistoryBounds(size=1, seconds=1e9, bytes=1 << 20))
        for _ in range(3):
            before.record("named")
        self.stop(before, after)
        assert after.of("named") == [3]
        assert after.histories.find("named").unheld == 2

    def test_where_all_have_less_room_the_oldest_of_all_go(self):
        before, after = self.make(), self.make(max_bytes=2 * (RECORD_BYTES + 2))
        for topic in ("many.a", "many.b", "many.a"):
            before.record(topic)
        self.stop(before, after)
        assert (after.of("many.a"), after.of("many.b")) == ([3], [2])

    def test_what_is_not_kept_any_more_goes(self):
        before, after = self.make(), World()
        before.record("named")
        before.record("many.a")
        assert self.stop(before, after) == []
        assert after.histories.is_idle

    def test_what_was_counted_may_be_kept_now(self):
        before, after = World(), self.make()
        before.histories.track("named")
        before.record("named")
        assert self.stop(before, after) == ["named"]
        history = after.histories.find("named")
        assert history.after(history.position) == (0, True)
        assert history.after(Position(history.epoch, 0)) == (0, False)
        after.record("named")
        assert len(after.of("named")) == 1

    def test_of_durable_ones_only_the_epoch_of_those_without_events_goes_on(self):
        durable = HistoryBounds(size=3, seconds=100.0, bytes=1 << 20, is_durable=True)
        before, after = self.make(keep=durable), self.make(keep=durable)
        at = before.histories.find("named").position
        before.record("many.a")
        # What the journal has of it comes first.
        after.record("many.b")
        assert self.stop(before, after) == ["named"]
        assert after.histories.find("named").position == at
        before.histories.find("many.b")
        assert self.stop(before, after) == ["named"]

    def test_what_is_durable_from_now_on_begins_anew(self):
        durable = HistoryBounds(size=3, seconds=100.0, bytes=1 << 20, is_durable=True)
        before, after = self.make(), self.make(keep=durable)
        before.record("named")
        assert self.stop(before, after) == []
        assert after.histories.find("named").seq == 0
