"""Kept events as bytes: what goes by their numbers does so unread, and each comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history.blocks import MOST, Block, Undecoded, Written, write_block
from radiod.core.history.events import KeptEvent
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK, Payload, Undecodable
from radiod.wire.options import PublishOptions

NOW = 1000.0
NAMES = [
    "order",
    "time",
    "since",
    "topic",
    "epoch",
    "seq",
    "publication",
    "options",
    "details",
    "role",
    "size",
]


def event(seq, *, codec=JSON, value=0, since=None, **options):
    return KeptEvent(
        order=10 + seq,
        time=1.5 + seq,
        since=float(seq) if since is None else since,
        topic="a",
        epoch="now",
        seq=seq,
        publication=seq * 7,
        publisher=3,
        payload=Payload(codec, codec.dump([value]), b""),
        options=PublishOptions(**options),
        details={"publisher": seq},
    )


def undecoded(*blocks, then=NOW):
    return Undecoded("a", "now", [Block(write_block(block, NOW)) for block in blocks], then)


def told(record):
    values = [getattr(record, name) for name in NAMES]
    return [*values, record.payload.codec, record.payload.args, record.payload.kwargs]


@given(
    codec=st.sampled_from(list(CODECS.values())),
    values=st.lists(st.text(max_size=9), min_size=1, max_size=9),
    eligible=st.none() | st.lists(st.text(max_size=9), max_size=3),
)
def test_every_event_comes_back_as_it_was(codec, values, eligible):
    events = [event(at, codec=codec, value=one, eligible_authid=eligible) for at, one in enumerate(values, 1)]
    past = undecoded(events)
    assert (past.count, past.bytes) == (len(events), sum(one.size for one in events))
    for at, one in enumerate(events):
        assert (past.seq(at), past.since(at), past.order(at), past.size(at)) == (
            one.seq,
            one.since,
            one.order,
            one.size,
        )
        taken = past.take(at)
        assert told(taken) == told(one)
        # Ids of sessions mean nothing to a new process.
        assert taken.publisher == 0


def test_moments_are_those_of_the_process_that_reads():
    past = undecoded([event(1, since=NOW - 5)], then=7.0)
    assert (past.since(0), past.take(0).since) == (2.0, 2.0)


def test_what_was_not_read_is_written_as_it_is():
    events = [event(1, codec=CBOR), event(2, codec=MSGPACK), event(3)]
    past = undecoded(events, then=0.0)
    records = [past.take(0), past.written(1), event(3, since=3 - NOW)]
    assert isinstance(records[1], Written)
    again = Undecoded("a", "now", [Block(write_block(records, 0.0))], NOW)
    assert [told(again.take(at)) for at in range(3)] == [told(one) for one in events]


def test_blocks_are_let_go_when_all_of_theirs_is_taken():
    events = [event(seq) for seq in range(1, MOST + 3)]
    past = undecoded(events[:MOST], events[MOST:])
    assert past.count == MOST + 2
    for at in range(MOST - 1):
        past.drop(at)
    assert past.take(MOST).seq == MOST + 1
    assert past.take(MOST - 1).seq == MOST
    with pytest.raises(AssertionError):
        past.seq(0)
    assert past.seq(MOST + 1) == MOST + 2


def test_a_history_has_no_gap_between_its_blocks():
    with pytest.raises(ValueError, match="missing"):
        undecoded([event(1)], [event(2)])


def test_no_events_are_no_blocks():
    past = Undecoded("a", "now", [], NOW)
    assert (past.count, past.bytes) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(8),
        b"\1" + bytes(7),
        b"\xff" * 8,
        (MOST + 1).to_bytes(8, "little") + bytes(60_000),
    ],
)
def test_what_is_no_block_is_refused(data):
    with pytest.raises(ValueError, match="no block"):
        Block(data)


def test_the_shortest_block_has_one_event_and_no_row():
    assert len(Block(b"\1" + bytes(47))) == 1


@pytest.mark.parametrize("row", [b"", b"\xc1", b"\x90", b"\x97\xcb" + bytes(8) + b"\x01\xa1\xff"])
def test_a_row_that_cannot_be_read_is_lost_to_everybody_and_counts_as_before(row):
    whole = event(1)
    past = Undecoded("a", "now", [Block(write_block([Written(1, NOW, 11, 99, row), whole], NOW))], NOW)
    lost = past.take(0)
    assert (lost.seq, lost.order, lost.since, lost.size) == (1, 11, NOW, 99)
    with pytest.raises(Undecodable):
        lost.payload.parts(JSON)
    assert past.take(1).payload.args == whole.payload.args


def test_so_is_one_of_a_serializer_that_is_not_known_here():
    past = undecoded([event(1)])
    data = write_block([event(1)], NOW).replace(b"\xa4json", b"\xa4yaml")
    past = Undecoded("a", "now", [Block(data)], NOW)
    with pytest.raises(Undecodable):
        past.take(0).payload.values()


def test_what_cannot_be_written_is_lost_alone():
    first, second = event(1), event(2)
    first.details = {"key": object()}
    past = undecoded([first, second])
    with pytest.raises(Undecodable):
        past.take(0).payload.parts(JSON)
    assert told(past.take(1)) == told(second)
