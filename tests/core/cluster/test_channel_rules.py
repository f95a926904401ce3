import pytest
from msgspec import structs

from radiod.core.channels.registry import RETURN_S
from radiod.core.channels.settings import ChannelSettings
from radiod.core.cluster.channel_records import ChannelRecord
from radiod.core.cluster.channel_rules import OWNER_LEFT, disowned, gives_way, next_look
from radiod.core.history.bounds import HistoryBounds

DURABLE = HistoryBounds(size=3, seconds=60, bytes=1000, is_durable=True)


def record(rule="delete", *, history=None, is_open=True, user=("ann", "tester"), **fields):
    settings = ChannelSettings(on_owner_leave=rule, history=history, user=user)
    return ChannelRecord("id", settings, is_open, None, fields.pop("expires", None), 1, 2, **fields)


@pytest.mark.parametrize(
    ("rule", "history", "is_away", "waits"),
    [
        ("keep", None, False, None),
        ("keep", None, True, None),
        (5.0, None, False, 105.0),
        (5.0, None, True, 105.0),
        ("delete", None, True, 100 + RETURN_S),
        ("delete", DURABLE, True, None),
    ],
)
def test_without_its_owner_a_channel_stays_or_waits(rule, history, is_away, waits):
    left = disowned(record(rule, history=history), 100.0, is_away=is_away)
    assert (left.node, left.session, left.waits, left.orphaned) == (0, 0, waits, 1)


def test_without_its_owner_a_channel_ends():
    assert disowned(record(), 100.0, is_away=False) == OWNER_LEFT
    assert disowned(record(history=DURABLE), 100.0, is_away=False) == OWNER_LEFT


def test_one_that_was_never_open_ends_whatever_it_says():
    assert disowned(record("keep", is_open=False), 100.0, is_away=True) == OWNER_LEFT


def test_one_that_waits_gives_way_to_its_user():
    mine, others = record(), record(user=("bob", "tester"))
    waiting = structs.replace(mine, waits=5.0)
    assert gives_way(waiting, mine)
    assert not gives_way(mine, mine)
    assert not gives_way(waiting, others)
    assert not gives_way(record(5.0, waits=5.0), mine)
    assert not gives_way(record(user=None, waits=5.0), record(user=None))


def test_the_first_of_its_times_counts():
    assert next_look(record()) is None
    assert next_look(record(waits=5.0)) == 5.0
    assert next_look(record(waits=5.0, expires=3.0)) == 3.0
