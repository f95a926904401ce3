"""Retained events: for whom they are, what they count for, and how much all of them may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.disclosure import Visitor
from radiod.core.limits import Limits
from radiod.core.pubsub.retention import Retained, Retention, retained_size
from radiod.errors import QUOTA, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import JSON, NOTHING, Payload
from radiod.wire.options import PublishOptions

ALICE, BOB = Visitor(1, make_principal("alice")), Visitor(2, make_principal("bob"))


def retained(publisher, **options):
    return Retained(7, publisher, NOTHING, PublishOptions(retain=True, **options), {})


def assert_refused(function, *arguments):
    with pytest.raises(Refused) as refusal:
        function(*arguments)
    assert refusal.value.uri == QUOTA


class TestRetained:
    def test_is_for_everybody_but_its_publisher(self):
        event = retained(ALICE)
        assert (event.is_for(ALICE), event.is_for(BOB)) == (False, True)

    def test_is_for_its_publisher_too_where_that_was_not_excluded(self):
        assert retained(ALICE, exclude_me=False).is_for(ALICE)

    def test_of_the_router_is_for_everybody(self):
        assert retained(None).is_for(ALICE)

    def test_leaves_out_whoever_comes_back_under_the_publishers_id_alone(self):
        """It outlives the session: only the id is left of that."""
        event = retained(ALICE)
        assert not event.is_for(Visitor(1, make_principal("somebody else")))
        assert event.is_for(Visitor(3, make_principal("alice")))

    def test_keeps_to_the_lists(self):
        event = retained(None, exclude_authid=["bob"])
        assert (event.is_for(ALICE), event.is_for(BOB)) == (True, False)

    def test_counts_for_its_payload_and_its_lists(self):
        payload = Payload(JSON, b"[1]", b'{"k":2}')
        plain = retained_size(payload, PublishOptions())
        assert plain == len(payload) == 10
        lists = PublishOptions(exclude_authid=["x" * 100])
        assert Retained(1, None, payload, lists, {}).size == retained_size(payload, lists) >= plain + 100


class TestRetention:
    @pytest.fixture
    def retention(self):
        return Retention(Limits(max_retained_topics=2, max_retained_bytes=10))

    def test_takes_as_much_as_the_limits_say(self, retention):
        retention.check(1, 10)
        retention.change(1, 10)
        retention.check(1, 0)
        retention.change(1, 0)
        assert (retention.topics, retention.bytes) == (2, 10)

    def test_refuses_one_topic_or_byte_more_and_counts_nothing_then(self, retention):
        assert_refused(retention.check, 3, 0)
        assert_refused(retention.check, 1, 11)
        assert (retention.topics, retention.bytes) == (0, 0)

    def test_takes_another_event_of_a_topic_that_has_one_when_all_topics_are_taken(self, retention):
        retention.change(2, 9)
        retention.check(0, 1)
        assert_refused(retention.check, 0, 2)
        assert_refused(retention.check, 1, 0)

    def test_takes_a_shorter_event_in_place_of_one_though_more_is_held_than_allowed(self, retention):
        retention.change(1, 10)
        retention.check(0, -3)

    def test_has_room_again_for_what_was_forgotten(self, retention):
        retention.change(2, 10)
        retention.change(-1, -4)
        retention.check(1, 4)
        assert_refused(retention.check, 1, 5)

    @given(events=st.lists(st.integers(0, 6), max_size=10))
    def test_never_holds_more_than_the_limits(self, events):
        retention = Retention(Limits(max_retained_topics=3, max_retained_bytes=10))
        taken = []
        for size in events:
            fits = len(taken) < 3 and sum(taken) + size <= 10
            if fits:
                retention.check(1, size)
                retention.change(1, size)
                taken.append(size)
            else:
                assert_refused(retention.check, 1, size)
        assert (retention.topics, retention.bytes) == (len(taken), sum(taken))
