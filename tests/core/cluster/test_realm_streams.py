"""The streams of one realm: which topics share one, and ids that nobody else has."""

import pytest
from support.cluster.logged import LoggedWorld

from radiod.core.history.bounds import HistoryBounds

pytestmark = pytest.mark.interpreted


def keep(size, *, is_durable=False):
    return HistoryBounds(size=size, seconds=10.0, bytes=1000, is_durable=is_durable)


@pytest.fixture
def streams():
    return LoggedWorld("n1", keep={}).nodes["n1"].logs._realm


def test_topics_of_about_the_same_size_share_a_stream(streams):
    assert streams.stream_for(keep(10)) is streams.stream_for(keep(62))
    assert streams.stream_for(keep(10)) is not streams.stream_for(keep(63))
    assert streams.stream_for(keep(10)) is not streams.stream_for(keep(10, is_durable=True))
    assert len({stream.name for stream in streams.all()}) == 3
    assert streams.opened() == []


def test_no_id_comes_twice(streams):
    assert len({streams.next_id() for _ in range(100)}) == 100
