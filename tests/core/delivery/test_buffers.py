"""A listener's buffer, against a list in which nothing is ever merged."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import MAX_MARKS, Buffer
from radiod.core.delivery.settings import MAX_SIZE, POLICIES, BufferSettings
from radiod.core.delivery.totals import Tally
from radiod.wire.codecs import JSON, Payload


def make(size, max_bytes, **settings):
    return Buffer(BufferSettings(size=size, max_bytes=max_bytes, **settings), Tally())


def event(number, size=1, is_end_mark=False):
    return Broadcast(1, number, "a.topic", {}, Payload(JSON, b"x" * size, b""), is_end_mark)


def drain(buffer):
    """All events, as (number, lost before it)."""
    taken = [buffer.take() for _ in range(len(buffer))]
    return [(broadcast.publication, lost) for broadcast, lost in taken]


def test_events_come_out_in_the_order_they_went_in():
    buffer = make(3, 100)
    assert [buffer.offer(event(n)) for n in range(3)] == [0, 0, 0]
    assert drain(buffer) == [(0, 0), (1, 0), (2, 0)]


def test_a_ring_drops_the_oldest_and_says_so_once():
    buffer = make(2, 100)
    assert [buffer.offer(event(n)) for n in range(5)] == [0, 0, 1, 1, 1]
    assert drain(buffer) == [(3, 3), (4, 0)]


def test_what_the_listener_has_not_heard_of_is_what_waits_and_what_was_lost():
    buffer = make(2, 100)
    assert buffer.unsaid == 0
    for n in range(5):
        buffer.offer(event(n))
    assert (len(buffer), buffer.unsaid) == (2, 5)
    buffer.take()
    assert buffer.unsaid == 1


@pytest.mark.parametrize("policy", ["skip", "wait", "raise"])
def test_others_drop_the_newest_and_tell_it_in_its_place(policy):
    buffer = make(2, 100, policy=policy)
    assert [buffer.offer(event(n)) for n in range(5)] == [0, 0, 1, 1, 1]
    assert buffer.take()[1] == 0
    assert buffer.offer(event(5)) == 0
    assert drain(buffer) == [(1, 0), (5, 3)]


def test_clear_drops_all_but_the_newest():
    buffer = make(3, 100, policy="clear")
    assert [buffer.offer(event(n)) for n in range(5)] == [0, 0, 0, 3, 0]
    assert drain(buffer) == [(3, 3), (4, 0)]


def test_latest_keeps_one_and_loses_none():
    buffer = make(3, 100, latest=True)
    assert [buffer.offer(event(n)) for n in range(5)] == [0] * 5
    assert drain(buffer) == [(4, 0)]
    assert buffer._tally.conflated == 4
    assert buffer._tally.lost == 0


def test_what_waits_is_counted_until_it_is_taken_or_discarded():
    drops = Tally()
    buffers = [Buffer(BufferSettings(size=3), drops) for _ in range(2)]
    for buffer in buffers:
        for n in range(5):
            buffer.offer(event(n, size=10, is_end_mark=n == 4))
    assert (drops.queued, drops.queued_bytes) == (8, 80)
    buffers[0].take()
    assert (drops.queued, drops.queued_bytes) == (7, 70)
    buffers[1].discard()
    assert (drops.queued, drops.queued_bytes) == (3, 30)


def test_one_large_event_may_push_out_several():
    buffer = make(10, 10)
    for n in range(5):
        buffer.offer(event(n, size=2))
    assert buffer.offer(event(5, size=7)) == 4
    assert drain(buffer) == [(4, 4), (5, 0)]


@pytest.mark.parametrize("latest", [True, False])
def test_an_event_above_the_byte_limit_is_dropped_and_costs_nobody_else_a_place(latest):
    buffer = make(10, 10, latest=latest)
    buffer.offer(event(0, size=10))
    assert buffer.offer(event(1, size=11)) == 1
    assert buffer.take()[0].publication == 0
    buffer.offer(event(2))
    assert drain(buffer) == [(2, 1)]


@pytest.mark.slow
def test_size_0_is_as_many_as_the_bytes_allow_but_never_without_end():
    buffer = make(0, 1000)
    assert sum(buffer.offer(event(n)) for n in range(1001)) == 1
    assert len(buffer) == 1000
    empty = make(0, 1000)
    assert sum(empty.offer(event(n, size=0)) for n in range(MAX_SIZE + 3)) == 3
    assert len(empty) == MAX_SIZE


def test_a_loss_that_no_event_follows_is_remembered():
    buffer = make(10, 10)
    assert buffer.is_clear
    buffer.offer(event(0, size=11))
    assert buffer.has_untold
    assert not buffer.is_clear
    with pytest.raises(IndexError):
        buffer.take()
    assert buffer.take_lost() == 1
    assert buffer.is_clear
    assert buffer.take_lost() == 0


def test_a_loss_that_could_not_be_told_is_told_with_the_next():
    buffer = make(2, 100)
    for n in range(4):
        buffer.offer(event(n))
    _, lost = buffer.take()
    buffer.put_back(lost)
    buffer.put_back(1)
    buffer.put_back(0)
    assert drain(buffer) == [(3, 3)]


def test_marks_take_no_room_and_have_a_bound_of_their_own():
    buffer = make(2, 10)
    assert sum(buffer.offer(event(n, is_end_mark=True, size=0)) for n in range(MAX_MARKS + 2)) == 2
    assert [buffer.offer(event(200 + n)) for n in range(3)] == [0, 0, 1]
    assert len(buffer) == MAX_MARKS + 2
    assert buffer.begins_with_mark
    assert buffer.offer(event(300, size=11, is_end_mark=True)) == 1
    taken = drain(buffer)
    assert taken[:MAX_MARKS] == [(n, 0) for n in range(MAX_MARKS)]
    assert taken[MAX_MARKS:] == [(201, 3), (202, 0)]


def test_marks_are_bounded_in_bytes():
    buffer = make(2, 10)
    assert [buffer.offer(event(n, size=6, is_end_mark=True)) for n in range(3)] == [0, 1, 1]


def test_taking_from_an_empty_buffer_is_an_index_error():
    with pytest.raises(IndexError):
        make(1, 1).take()


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("ring", [(3, 3), (4, 0)]),
        ("skip", [(0, 0), (1, 0)]),
        ("clear", [(4, 4)]),
        ("wait", [(0, 0), (1, 0)]),
        ("raise", [(0, 0), (1, 0)]),
    ],
)
def test_a_buffer_made_smaller_drops_as_its_policy_says(policy, kept):
    buffer = make(5, 100, policy=policy)
    for n in range(5):
        buffer.offer(event(n))
    lost = buffer.tune(BufferSettings(size=2, policy=policy))
    assert lost == buffer._tally.lost == 5 - len(kept)
    assert drain(buffer) == kept


def test_a_buffer_tuned_to_the_latest_loses_nothing():
    buffer = make(5, 100)
    for n in range(5):
        buffer.offer(event(n))
    assert buffer.tune(BufferSettings(latest=True)) == 0
    assert drain(buffer) == [(4, 0)]


def test_what_is_dropped_is_counted_by_policy():
    drops = Tally()
    for policy in POLICIES:
        buffer = Buffer(BufferSettings(size=3, policy=policy), drops)
        for n in range(4):
            buffer.offer(event(n))
    assert drops.by_policy == {"ring": 1, "skip": 1, "clear": 3, "wait": 1, "raise": 1}
    assert drops.lost == 7


class BufferMachine(RuleBasedStateMachine):
    """The model: every event that was offered, in order, with what became of it; told ones are removed."""

    any_settings = st.fixed_dictionaries(
        {
            "size": st.integers(0, 5),
            "max_bytes": st.integers(1, 30),
            "policy": st.sampled_from(POLICIES),
            "latest": st.booleans(),
        }
    )

    @initialize(settings=any_settings)
    def begin(self, settings):
        self.settings = BufferSettings(**settings)
        self.tally = Tally()
        self.buffer = Buffer(self.settings, self.tally)
        # [number, size, is mark, fate]: fate is "waits", "lost" or "replaced"
        self.events = []
        self.offered = 0

    def waiting(self, is_end_mark=None):
        return [one for one in self.events if one[3] == "waits" and is_end_mark in (None, one[2])]

    def is_over(self):
        samples = self.waiting(is_end_mark=False)
        bound = 1 if self.settings.latest else self.settings.size or MAX_SIZE
        return len(samples) > bound or sum(one[1] for one in samples) > self.settings.max_bytes

    def make_room(self, is_new):
        """Drop what the policy says until the bounds are kept; the newest is new, or was there before."""
        settings = self.settings
        if settings.latest:
            for one in self.waiting(is_end_mark=False)[:-1]:
                one[3] = "replaced"
        was_over = self.is_over()
        while self.is_over():
            samples = self.waiting(is_end_mark=False)
            keeps_newest = settings.policy in ("ring", "clear")
            samples[0 if keeps_newest else -1][3] = "lost"
        if was_over and settings.policy == "clear":
            for one in self.waiting(is_end_mark=False)[:-1]:
                one[3] = "lost"

    @rule(size=st.integers(0, 12), is_end_mark=st.booleans())
    def offer(self, size, is_end_mark):
        before = self.lost()
        one = [self.offered, size, is_end_mark, "waits"]
        self.offered += 1
        fits = self.buffer.fits(event(0, size, is_end_mark))
        marks = self.waiting(is_end_mark=True)
        self.events.append(one)
        if is_end_mark:
            if len(marks) >= MAX_MARKS or sum(mark[1] for mark in marks) + size > self.settings.max_bytes:
                one[3] = "lost"
        elif size > self.settings.max_bytes:
            one[3] = "lost"
        else:
            self.make_room(True)
        lost = self.lost() - before
        assert fits == (lost == 0)
        assert self.buffer.offer(event(one[0], size, is_end_mark)) == lost

    @rule()
    def shed(self):
        """Others need the room."""
        samples = self.waiting(is_end_mark=False)
        if samples:
            policy = self.settings.policy
            gone = samples[-1:] if policy == "skip" else samples[:1]
            if policy == "clear" and len(samples) > 1:
                gone = samples[:-1]
            for one in gone:
                one[3] = "lost"
            assert self.buffer.shed() == len(gone)

    @rule(size=st.integers(0, 12), is_end_mark=st.booleans())
    def refuse(self, size, is_end_mark):
        self.events.append([self.offered, size, is_end_mark, "lost"])
        self.offered += 1
        assert self.buffer.refuse() == 1

    def lost(self):
        return sum(one[3] == "lost" for one in self.events)

    @rule(settings=any_settings)
    def tune(self, settings):
        self.settings = BufferSettings(**settings)
        before = self.lost()
        self.make_room(False)
        assert self.buffer.tune(self.settings) == self.lost() - before

    @rule()
    def take(self):
        if not self.waiting():
            with pytest.raises(IndexError):
                self.buffer.take()
            return
        first = self.events.index(self.waiting()[0])
        told, self.events = self.events[: first + 1], self.events[first + 1 :]
        assert self.buffer.begins_with_mark == told[-1][2]
        broadcast, lost = self.buffer.take()
        assert broadcast.publication == told[-1][0]
        assert lost == sum(one[3] == "lost" for one in told)

    @rule()
    def take_lost(self):
        if not self.waiting():
            assert self.buffer.take_lost() == self.lost()
            self.events.clear()

    @invariant()
    def it_holds_what_the_model_holds_within_its_bounds(self):
        samples, marks = self.waiting(is_end_mark=False), self.waiting(is_end_mark=True)
        assert (self.buffer.samples, self.buffer.marks) == (len(samples), len(marks))
        assert len(self.buffer) == len(samples) + len(marks)
        assert self.buffer.bytes == sum(one[1] for one in samples) <= self.settings.max_bytes
        drops = self.buffer._tally
        assert drops.queued == len(self.buffer)
        assert drops.queued_bytes == sum(one[1] for one in (*samples, *marks))
        assert len(samples) <= (self.settings.size or MAX_SIZE)
        assert self.buffer.has_untold == (not self.waiting() and self.lost() > 0)
        assert self.buffer.is_clear == (not self.waiting() and not self.lost())


TestBufferMachine = BufferMachine.TestCase
