from hypothesis import given
from hypothesis import strategies as st

from radiod.core.cluster.gaps import MAX_SENDERS, Counts, Sender, Senders


def sent(counts, topic):
    counted = counts.next(topic)
    return topic, counted.epoch, counted.count, counts.number


def arrived(sender, event, begun=0):
    topic, epoch, count, number = event
    return None if sender.is_copy(number) else sender.arrive(topic, epoch, count, begun)


class TestArriving:
    def test_a_copy_is_told_from_the_first(self):
        counts, sender = Counts(), Sender()
        event = sent(counts, "a")
        assert [arrived(sender, event), arrived(sender, event)] == [0, None]

    def test_what_is_missing_is_counted_topic_by_topic(self):
        counts, sender = Counts(), Sender()
        arrived(sender, sent(counts, "a"))
        for topic in ("a", "b", "a", "b", "b"):
            sent(counts, topic)
        assert arrived(sender, sent(counts, "a")) == 2
        assert arrived(sender, sent(counts, "b")) == 3
        assert arrived(sender, sent(counts, "b")) == 0

    def test_what_was_before_the_listening_is_not_missing(self):
        counts, sender = Counts(), Sender()
        for _ in range(5):
            sent(counts, "a")
        assert arrived(sender, sent(counts, "a"), begun=counts.number - 1) == 0

    def test_nobody_knows_what_is_missing_of_one_who_never_said_how_far_it_was(self):
        counts, sender = Counts(), Sender()
        sent(counts, "a")
        assert arrived(sender, sent(counts, "a"), begun=None) == 0
        sent(counts, "a")
        assert arrived(sender, sent(counts, "a"), begun=None) == 1


class TestBeginning:
    def test_what_was_counted_and_did_not_arrive_is_lost_for_those_who_listened(self):
        counts, sender = Counts(), Sender()
        arrived(sender, sent(counts, "a"))
        sent(counts, "a")
        _, epoch, count, _ = sent(counts, "a")
        assert sender.begin("a", epoch, count, 0) == 2
        assert sender.begin("a", epoch, count, 0) == 0
        assert arrived(sender, sent(counts, "a")) == 0

    def test_it_is_where_a_new_topic_begins(self):
        counts, sender = Counts(), Sender()
        sent(counts, "a")
        _, epoch, count, _ = sent(counts, "a")
        assert sender.begin("a", epoch, count, None) == 0
        sent(counts, "a")
        assert arrived(sender, sent(counts, "a"), begun=2) == 1

    def test_all_of_a_topic_is_lost_that_began_behind_a_listening_and_never_came(self):
        counts, sender = Counts(), Sender()
        sent(counts, "a")
        _, epoch, count, _ = sent(counts, "a")
        assert sender.begin("a", epoch, count, 0) == 2


class TestBounds:
    def test_a_sender_forgets_the_topic_that_was_silent_longest_and_nothing_is_told_that_was_not_lost(self):
        counts, sender = Counts(max_topics=2), Sender(max_topics=2)
        for topic in ("a", "b", "a", "c", "b", "a"):
            assert arrived(sender, sent(counts, topic)) == 0
        assert len(counts) == 2

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60), st.integers(1, 4))
    def test_never_is_more_told_than_was_lost(self, events, most):
        counts, sender = Counts(max_topics=2), Sender(max_topics=most)
        lost = dict.fromkeys("abcd", 0)
        for topic, comes in events:
            event = sent(counts, topic)
            if comes:
                told = arrived(sender, event)
                assert told <= lost[topic]
                if most >= 2:
                    lost[topic] = 0
                else:
                    lost[topic] -= told
            else:
                lost[topic] += 1

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60))
    def test_with_room_for_all_exactly_what_was_lost_is_told(self, events):
        counts, sender = Counts(), Sender()
        lost = dict.fromkeys("abcd", 0)
        for topic, comes in events:
            event = sent(counts, topic)
            if comes:
                assert arrived(sender, event) == lost[topic]
                lost[topic] = 0
            else:
                lost[topic] += 1

    def test_a_sender_that_was_forgotten_is_believed_to_have_lost_nothing(self):
        senders = Senders()
        counts = Counts()
        arrived(senders.of(1), sent(counts, "a"))
        for other in range(2, MAX_SENDERS + 2):
            senders.of(other)
        sent(counts, "a")
        assert arrived(senders.of(1), sent(counts, "a")) == 0

    def test_the_one_that_was_silent_longest_is_forgotten(self):
        senders = Senders()
        first, second, *_ = [senders.of(one) for one in range(1, MAX_SENDERS + 1)]
        assert senders.of(1) is first
        senders.of(MAX_SENDERS + 1)
        assert senders.of(1) is first
        assert senders.of(2) is not second

    def test_those_of_many_topics_make_room_for_others(self):
        senders = Senders(max_known=5)
        for origin in (1, 2, 3):
            counts = Counts()
            for topic in "ab":
                arrived(senders.of(origin), sent(counts, topic))
        kept = senders.of(2)
        senders.of(4)
        assert senders.of(2) is kept
        assert not senders.of(1).knows("a")

    def test_of_what_begins_behind_its_meeting_all_is_known_again(self):
        senders = Senders(max_known=0)
        arrived(senders.of(1), sent(Counts(), "a"))
        counts, sender = Counts(), senders.of(2)
        sent(counts, "a")
        sender.meet(counts.number)
        for topic in "ab":
            sent(counts, topic)
        # One was lost of each; "a" may have been known, and forgotten.
        assert [arrived(sender, sent(counts, topic)) for topic in "ab"] == [0, 1]


def test_what_was_said_before_what_is_known_by_now_changes_nothing():
    sender = Sender()
    sender.arrive("a", 9, 3, 0)
    assert sender.begin("a", 1, 5, 0) == 0
    assert sender.arrive("a", 9, 5, 0) == 1
