"""The count of one topic's events, and where to go on behind a position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history.blocks import MOST, Block, Undecoded, write_block
from radiod.core.history.bounds import NOTHING, RECORD_BYTES, HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.positions import Position
from radiod.core.history.room import Room
from radiod.core.history.topic_history import History
from radiod.wire.codecs import JSON, Payload
from radiod.wire.options import PublishOptions

PLENTY = HistoryBounds(size=1000, seconds=1e9, bytes=1 << 30)


def record(seq, size=2, since=0.0):
    return KeptEvent(
        order=seq,
        time=0.0,
        since=since,
        topic="a",
        epoch="now",
        seq=seq,
        publication=seq,
        publisher=7,
        payload=Payload(JSON, b"[" + b" " * (size - 2) + b"]", b""),
        options=PublishOptions(),
        details={},
    )


def kept(keep=PLENTY, *, seqs=(), size=2):
    history = History("a", keep, "now")
    for seq in seqs:
        history.add(record(seq, size))
    return history


def numbers(history, index=0):
    return [one.seq for one in history.since(index)]


def test_one_without_events_is_at_its_beginning():
    history = kept()
    assert (history.position, len(history), history.first, history.end) == (Position("now", 0), 0, 0, 0)
    assert history.after(history.position) == (0, True)
    assert numbers(history) == []


def test_where_nothing_is_kept_events_are_counted():
    history = kept(NOTHING, seqs=[1, 2, 3])
    assert (history.seq, history.assigned, len(history), history.end) == (3, 3, 0, 3)
    assert history.after(Position("now", 2)) == (3, False)
    assert history.after(Position("now", 3)) == (3, True)


class TestGoingOn:
    @pytest.fixture
    def history(self):
        return kept(HistoryBounds(size=3, seconds=100, bytes=1000), seqs=range(1, 6))

    @pytest.mark.parametrize(("seq", "index"), [(2, 2), (3, 3), (4, 4), (5, 5)])
    def test_behind_what_was_received_while_nothing_is_missing(self, history, seq, index):
        assert history.after(Position(history.epoch, seq)) == (index, True)
        assert numbers(history, index) == list(range(seq + 1, 6))

    @pytest.mark.parametrize("seq", [0, 1, 6, 2**53])
    def test_with_all_that_is_held_when_the_position_is_gone_or_never_was(self, history, seq):
        assert history.after(Position(history.epoch, seq)) == (2, False)

    def test_with_all_that_is_held_when_the_count_has_begun_anew(self, history):
        assert history.after(Position("another", 4)) == (2, False)

    def test_from_the_beginning_while_that_is_held(self):
        history = kept()
        assert history.after(Position(history.epoch, 0)) == (0, True)
        history.add(record(1))
        assert history.after(Position(history.epoch, 0)) == (0, True)

    @pytest.mark.parametrize(("seq", "index"), [(2, 0), (3, 1), (4, 1), (5, 2)])
    def test_over_numbers_of_no_event(self, seq, index):
        history = kept()
        history.begin(Position("now", 5), [record(3), record(5)])
        assert history.after(Position("now", seq)) == (index, True)

    def test_who_came_behind_what_is_lost_has_missed_nothing(self, history):
        history.spoiled = 4
        assert [history.after(Position("now", seq)) for seq in (3, 4)] == [(3, False), (4, True)]

    @pytest.mark.parametrize(("count", "seq"), [(1, 4), (2, 3), (3, 2), (4, 2), (1000, 2)])
    def test_before_the_last_ones(self, history, count, seq):
        assert history.before_last(count) == Position(history.epoch, seq)

    def test_an_index_is_that_of_the_same_event_for_ever(self, history):
        assert [history.at(index).seq for index in range(history.first, history.end)] == [3, 4, 5]
        history.drop_first()
        assert (history.first, history.at(3).seq, numbers(history, 0)) == (3, 4, [4, 5])


class TestBeginningAgain:
    def test_goes_on_where_that_was(self):
        history = kept()
        history.begin(Position("before", 5), [record(4), record(5)])
        assert (history.position, history.assigned) == (Position("before", 5), 5)
        assert (history.unheld, numbers(history)) == (3, [4, 5])

    def test_with_nothing_held_nothing_older_can_be_had(self):
        history = kept()
        history.begin(Position("before", 5), [])
        assert history.after(Position("before", 4)) == (0, False)
        assert history.after(Position("before", 5)) == (0, True)


class TestBounds:
    def test_by_number_and_bytes_the_oldest_go(self):
        history = kept(HistoryBounds(size=3, seconds=100, bytes=10), seqs=range(1, 4), size=4)
        assert numbers(history) == [2, 3]
        for seq in range(4, 8):
            history.add(record(seq))
        assert numbers(history) == [5, 6, 7]
        history.add(record(8, size=11))
        assert (numbers(history), history.seq, history.unheld) == ([], 8, 8)

    def test_by_age_to_the_moment(self):
        history = kept(HistoryBounds(size=9, seconds=10, bytes=1000))
        history.add(record(1, since=5.0))
        history.expire(15.0)
        assert numbers(history) == [1]
        history.expire(15.001)
        assert (numbers(history), history.position) == ([], Position("now", 1))

    def test_clearing_drops_everything_but_the_count(self):
        history = kept(seqs=[1, 2])
        history.clear()
        assert (len(history), history.seq, history.unheld) == (0, 2, 2)

    @pytest.mark.parametrize("size", [2, 4, 6, 10, 11])
    def test_growth_is_known_before_the_event_comes(self, size):
        room = Room(1 << 20)
        history = History("a", HistoryBounds(size=3, seconds=100, bytes=10), "now")
        history.room = room
        for seq, length in enumerate((2, 4, 4), 1):
            history.add(record(seq, length))
        before, growth = room.bytes, history.growth(size)
        history.add(record(4, size))
        if size <= 10:
            assert room.bytes - before == growth + RECORD_BYTES
        else:
            # One that is too long leaves nothing: what is before it goes, and room for it is not needed.
            assert room.bytes == 0


class TestInARoom:
    def test_what_it_holds_counts_there_as_long_as_it_is_held(self):
        room = Room(1 << 20)
        history = History("a", HistoryBounds(size=2, seconds=100, bytes=1000), "now")
        history.room = room
        for seq in range(1, 5):
            history.add(record(seq, size=10))
        assert room.bytes == 2 * (10 + RECORD_BYTES)
        assert history.first_order == 3
        history.drop_first()
        assert room.bytes == 10 + RECORD_BYTES
        history.clear()
        assert room.bytes == 0

    @pytest.mark.parametrize("seqs", [[], [4, 5]])
    def test_so_does_what_it_begins_with(self, seqs):
        room = Room(1 << 20)
        history = History("a", PLENTY, "now")
        history.room = room
        history.begin(Position("now", 5), [record(seq, size=10) for seq in seqs])
        assert room.bytes == len(seqs) * (10 + RECORD_BYTES)
        history.clear()
        assert room.bytes == 0


def test_holes_in_front_are_closed():
    history = kept(HistoryBounds(size=10, seconds=100, bytes=1000), seqs=range(1, 501))
    assert (history.first, history.end, len(history)) == (490, 500, 10)
    assert len(history._records) < 100
    assert numbers(history, 495) == [496, 497, 498, 499, 500]


def again(history, room=None, epoch="now"):
    """The same in another process: all that it holds is bytes yet."""
    after = History("a", history.keep, "another")
    after.room = room
    records = history.written()
    blocks = [Block(write_block(records[at : at + MOST], 0.0)) for at in range(0, len(records), MOST)]
    after.resume(history.position, history.unheld, Undecoded("a", epoch, blocks, 0.0))
    return after


def shown(history):
    return history.position, history.assigned, history.unheld, len(history), history.bytes


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "at", "after", "moment", "last", "growth", "expire", "drop", "again"]),
        st.integers(0, 12),
    ),
    max_size=12,
)


class TestWhatIsBytesYet:
    @given(
        sizes=st.lists(st.integers(2, 9), max_size=8),
        keep=st.builds(
            HistoryBounds,
            size=st.integers(1, 8),
            seconds=st.integers(0, 20).map(float),
            bytes=st.integers(1, 60),
        ),
        operations=OPERATIONS,
    )
    def test_shows_in_nothing(self, sizes, keep, operations):
        """Whatever is asked for in between, in any order: only who is asked must not know either."""
        live = kept(keep)
        for seq, size in enumerate(sizes, 1):
            live.add(record(seq, size, since=float(seq)))
        woken = again(live)
        for what, number in operations:
            if what == "again":
                woken = again(woken)
            assert self.ask(live, what, number) == self.ask(woken, what, number)
            assert shown(live) == shown(woken)
        assert [(one.seq, one.size, one.since) for one in live.since(0)] == [
            (one.seq, one.size, one.since) for one in woken.since(0)
        ]

    def ask(self, history, what, number):
        """An answer that says the same of both: indices begin anew in another process."""
        if what == "add":
            history.add(record(history.seq + 1, 2 + number % 5, since=10.0 + history.seq))
        elif what == "at" and len(history):
            return history.at(history.first + number % len(history)).seq
        elif what == "after":
            index, is_whole = history.after(Position("now", number))
            return index - history.first, is_whole
        elif what == "moment":
            return history.index_since(float(number)) - history.first
        elif what == "last":
            return history.before_last(number % (len(history) + 1))
        elif what == "growth":
            return history.growth(number)
        elif what == "expire":
            history.expire(10.0 + number)
        elif what == "drop" and len(history):
            history.drop_first()
        return None if not len(history) else history.first_order

    def test_is_written_as_it_is(self):
        """A server that stops before anybody asked for the past, or for some of it."""
        live = kept(seqs=range(1, 4))
        woken = again(live)
        woken.at(woken.first + 1)
        woken.add(record(4))
        assert numbers(again(woken)) == [1, 2, 3, 4]

    def test_takes_its_part_of_the_room(self):
        room = Room(1 << 20)
        live = kept(seqs=range(1, MOST + 5), size=3)
        woken = again(live, room)
        assert room.bytes == (3 + RECORD_BYTES) * (MOST + 4)
        room.max_bytes = (3 + RECORD_BYTES) * 2
        assert room.shrink() == MOST + 2
        assert numbers(woken) == [MOST + 3, MOST + 4]
        assert again(kept(), Room(1)).room.bytes == 0
