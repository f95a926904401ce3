"""A listener's buffer, against a plain list."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from radiod.core.broker import Broadcast
from radiod.core.buffers import Buffer
from radiod.wire.codecs import JSON, Payload


def event(number, size=1):
    return Broadcast(1, number, "a.topic", {}, Payload(JSON, b"x" * size, b""))


def drain(buffer):
    """All events, as (number, lost before it)."""
    taken = [buffer.take() for _ in range(len(buffer))]
    return [(broadcast.publication, lost) for broadcast, lost in taken]


def test_events_come_out_in_the_order_they_went_in():
    buffer = Buffer(3, 100)
    assert [buffer.offer(event(n)) for n in range(3)] == [0, 0, 0]
    assert drain(buffer) == [(0, 0), (1, 0), (2, 0)]


def test_a_full_buffer_drops_the_oldest_and_says_so_once():
    buffer = Buffer(2, 100)
    assert [buffer.offer(event(n)) for n in range(5)] == [0, 0, 1, 1, 1]
    assert buffer.lost == 3
    assert drain(buffer) == [(3, 3), (4, 0)]
    assert buffer.lost == 0


def test_one_large_event_may_push_out_several():
    buffer = Buffer(10, 10)
    for n in range(5):
        buffer.offer(event(n, size=2))
    assert buffer.offer(event(5, size=7)) == 4
    assert drain(buffer) == [(4, 4), (5, 0)]


def test_an_event_above_the_byte_limit_is_dropped_and_costs_nobody_else_a_place():
    buffer = Buffer(10, 10)
    buffer.offer(event(0, size=10))
    assert buffer.offer(event(1, size=11)) == 1
    buffer.take()
    buffer.offer(event(2))
    assert drain(buffer) == [(2, 0)]


def test_what_was_lost_last_is_told_with_the_next_event():
    buffer = Buffer(10, 10)
    assert buffer.offer(event(0, size=11)) == 1
    assert buffer.lost == 1
    buffer.offer(event(1))
    assert drain(buffer) == [(1, 1)]


def test_taking_from_an_empty_buffer_is_an_index_error():
    with pytest.raises(IndexError):
        Buffer(1, 1).take()


class BufferMachine(RuleBasedStateMachine):
    """The model: a list of (number, size)."""

    @initialize(size=st.integers(1, 5), max_bytes=st.integers(0, 30))
    def begin(self, size, max_bytes):
        self.buffer = Buffer(size, max_bytes)
        self.held = []
        self.lost = 0
        self.offered = 0
        self.taken = 0
        self.reported = 0

    @rule(size=st.integers(0, 12))
    def offer(self, size):
        number, dropped = self.offered, 0
        self.offered += 1
        if size > self.buffer.max_bytes:
            dropped = 1
        else:
            self.held.append((number, size))
            while (
                len(self.held) > self.buffer.size
                or sum(size for _, size in self.held) > self.buffer.max_bytes
            ):
                self.held.pop(0)
                dropped += 1
        self.lost += dropped
        assert self.buffer.offer(event(number, size)) == dropped

    @rule()
    def take(self):
        if not self.held:
            with pytest.raises(IndexError):
                self.buffer.take()
            return
        broadcast, lost = self.buffer.take()
        assert broadcast.publication == self.held.pop(0)[0]
        assert lost == self.lost
        self.reported += lost
        self.taken += 1
        self.lost = 0

    @invariant()
    def it_holds_what_the_model_holds_within_its_bounds(self):
        assert len(self.buffer) == len(self.held) <= self.buffer.size
        assert self.buffer.bytes == sum(size for _, size in self.held) <= self.buffer.max_bytes

    @invariant()
    def every_event_was_taken_or_is_held_or_counted_as_lost(self):
        assert self.buffer.lost == self.lost
        assert self.offered == self.taken + len(self.held) + self.reported + self.lost


TestBufferMachine = BufferMachine.TestCase
