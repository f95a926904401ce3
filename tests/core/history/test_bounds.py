"""How much of a topic's past is kept."""

from radiod.core.history.bounds import NOTHING, RECORD_BYTES, HistoryBounds


class TestBounds:
    def test_all_that_may_be_held_is_known_beforehand(self):
        assert HistoryBounds(size=10, seconds=60.0, bytes=5000).most == 5000 + 10 * RECORD_BYTES
        assert NOTHING.most == 0

    def test_nothing_is_durable_unless_it_is_said(self):
        assert not HistoryBounds(size=10, seconds=60.0, bytes=5000).is_durable
        assert not NOTHING.is_durable

    def test_they_are_told_apart_by_what_they_say(self):
        assert HistoryBounds(size=0, seconds=0.0, bytes=0) == NOTHING
        assert HistoryBounds(size=0, seconds=0.0, bytes=0, is_durable=True) != NOTHING
