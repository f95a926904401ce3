"""Event history: what is kept, how long, and what never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history import Histories, Keep
from radiod.testing import FakeClock
from radiod.wire.codecs import JSON, Payload
from radiod.wire.messages import PublishOptions

DEFAULT = PublishOptions()
PLENTY = Keep(size=1000, seconds=1e9, bytes=1 << 30)


class World:
    """Histories, and events numbered by their publication."""

    def __init__(self, max_topics=100, **keeps):
        self.clock = FakeClock()
        self.histories = Histories(self.clock, max_topics)
        self.publications = 0

    def record(self, topic, size=2, options=DEFAULT, details=None):
        self.publications += 1
        payload = Payload(JSON, b"[" + b" " * (size - 2) + b"]", b"")
        self.histories.record(topic, self.publications, payload, options, details or {})
        return self.publications

    def of(self, topic):
        return [record.publication for record in self.histories.of(topic)]


@pytest.fixture
def world():
    return World()


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
    def test_never_an_event_that_names_sessions(self, world, name, ids):
        world.histories.keep("a", PLENTY)
        world.record("a", options=PublishOptions(**{name: ids}))
        assert world.of("a") == []
        assert world.histories.topics() == []

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
        world.histories.keep("a.b", one := Keep(size=1, seconds=10, bytes=100))
        assert world.histories.wanted("a.b") is one
        assert world.histories.wanted("a.c") is PLENTY
        world.record("a.b")
        world.record("a.b")
        assert world.of("a.b") == [2]

    def test_the_pattern_that_was_configured_first_counts(self, world):
        first, second = Keep(size=1, seconds=1, bytes=1), Keep(size=2, seconds=2, bytes=2)
        world.histories.keep("a..c", first)
        world.histories.keep("a.*", second)
        assert world.histories.wanted("a.b.c") is first
        assert world.histories.wanted("a.b.d") is second
        assert world.histories.wanted("b") is None

    def test_each_topic_of_a_pattern_has_bounds_of_its_own(self, world):
        world.histories.keep("*", Keep(size=1, seconds=10, bytes=100))
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
        world.histories.keep("a", Keep(size=2, seconds=1e9, bytes=1000))
        for _ in range(5):
            world.record("a")
        assert world.of("a") == [4, 5]

    def test_by_age_to_the_moment(self, world):
        world.histories.keep("a", Keep(size=9, seconds=10, bytes=1000))
        world.record("a")
        world.clock.advance(10)
        assert world.of("a") == [1]
        world.clock.advance(0.01)
        assert world.of("a") == []
        assert world.histories.topics() == []

    def test_by_bytes(self, world):
        world.histories.keep("a", Keep(size=9, seconds=10, bytes=10))
        for size in (4, 4, 2):
            world.record("a", size)
        assert world.of("a") == [1, 2, 3]
        world.record("a", 2)
        assert world.of("a") == [2, 3, 4]

    def test_an_event_longer_than_all_that_may_be_kept_leaves_nothing(self, world):
        world.histories.keep("a", Keep(size=9, seconds=10, bytes=10))
        world.record("a", 10)
        world.record("a", 11)
        assert world.of("a") == []
        assert world.histories.topics() == []
        assert world.record("a", 10) in world.of("a")

    def test_the_topic_that_was_silent_longest_makes_room(self):
        world = World(max_topics=2)
        world.histories.keep("*", PLENTY)
        for topic in ("a", "b", "a", "c"):
            world.record(topic)
        assert world.histories.topics() == ["a", "c"]
        assert (world.of("a"), world.of("b"), world.of("c")) == ([1, 3], [], [4])

    def test_an_event_too_long_to_keep_displaces_nobody(self):
        world = World(max_topics=1)
        world.histories.keep("*", Keep(size=9, seconds=10, bytes=10))
        world.record("a")
        world.record("b", 11)
        assert world.of("a") == [1]


events = st.tuples(st.sampled_from("abc"), st.integers(2, 12), st.sampled_from([0, 0, 0.5, 1, 3, 10]))
keeps = st.builds(
    Keep, size=st.integers(1, 4), seconds=st.sampled_from([0.5, 2, 5, 100]), bytes=st.integers(2, 30)
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
    world = World(max_topics=2)
    world.histories.keep("*", pattern_keep)
    world.histories.keep("a", exact_keep)
    model = {}
    for topic, size, pause in published:
        world.clock.advance(pause)
        now = world.clock.time()
        keep = exact_keep if topic == "a" else pattern_keep
        publication = world.record(topic, size)
        past = kept([*model.pop(topic, []), (publication, now, size)], keep, now)
        if past:
            model[topic] = past
        if len(model) > 2:
            del model[next(iter(model))]
        assert world.histories.topics() == list(model)
        for other in ("a", "b", "c"):
            held = kept(model.get(other, []), exact_keep if other == "a" else pattern_keep, now)
            if not held:
                model.pop(other, None)
            assert world.of(other) == [number for number, _, _ in held]
    for history in world.histories._histories.values():
        assert history._bytes == sum(len(record.payload) for record in history.records)
