from hypothesis import given
from hypothesis import strategies as st

from radiod.core.channels.settings import ChannelSettings
from radiod.core.cluster.channel_records import (
    ChannelRecord,
    Known,
    WriterRecord,
    read_channel,
    read_known,
    read_writer,
    write_channel,
    write_known,
    write_writer,
)
from radiod.core.history.bounds import HistoryBounds

SETTINGS = st.builds(
    ChannelSettings,
    on_owner_leave=st.sampled_from(["delete", "keep", 5.0]),
    single_writer=st.booleans(),
    history=st.sampled_from([None, HistoryBounds(size=3, seconds=60, bytes=1000)]),
    buffer=st.sampled_from([{}, {"policy": "ring", "max_events": 5}]),
    user=st.sampled_from([None, (None, "guest"), ("ann", "tester")]),
)
RECORDS = st.builds(
    ChannelRecord,
    id=st.text(),
    settings=SETTINGS,
    is_open=st.booleans(),
    born=st.none() | st.tuples(st.text(), st.integers(0, 2**53)),
    expires=st.none() | st.floats(0, 1e10),
    node=st.integers(0, 2**53),
    session=st.integers(0, 2**53),
    waits=st.none() | st.floats(0, 1e10),
    orphaned=st.integers(0, 100),
)


@given(RECORDS)
def test_what_is_written_is_read(record):
    assert read_channel(write_channel(record)) == record


def test_letters_are_read_and_what_is_none_is_nothing():
    assert read_known(write_known(Known("a", 7))) == Known("a", 7)
    assert read_writer(write_writer(WriterRecord(1, 2, True))) == WriterRecord(1, 2, True)
    for read in (read_known, read_channel, read_writer):
        assert read(b"?") is None
        assert read(b"") is None
