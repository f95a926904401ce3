"""What sessions may create, for each user and for all."""

import pytest

from radiod.core.channels.room import ChannelRoom
from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.limits import Limits
from radiod.errors import Exceeded

ANN = ("ann", "tester")
HISTORY = HistoryBounds(size=10, seconds=60, bytes=1000)


def settings(user=ANN, history=None):
    return ChannelSettings(user=user, history=history)


def limit(room, there=0, *, is_public=True, **rules):
    with pytest.raises(Exceeded) as refused:
        room.check(settings(**rules), there, is_public=is_public)
    return refused.value.limit


def test_there_are_no_more_than_so_many():
    room = ChannelRoom(Limits(max_channels=2))
    room.check(settings(), 1, is_public=True)
    assert limit(room, 2) == "max_channels"


def test_a_user_may_create_so_many_of_a_kind():
    room = ChannelRoom(Limits(max_channels_per_user=1))
    room.count(settings(), 1, is_public=True)
    assert limit(room) == "max_channels_per_user"
    room.check(settings(), 0, is_public=False)
    room.check(settings(("bob", "tester")), 0, is_public=True)
    room.check(settings(None), 0, is_public=True)
    assert (room.created_by(ANN), room.created_by(None)) == (1, 0)
    room.count(settings(), -1, is_public=True)
    room.check(settings(), 0, is_public=True)
    assert room.users == set()


def test_histories_may_take_so_much():
    most = settings(history=HISTORY).most_bytes
    room = ChannelRoom(Limits(max_history_bytes=most, max_history_bytes_per_user=most))
    room.count(settings(("bob", "tester"), HISTORY), 1, is_public=True)
    assert limit(room, history=HISTORY) == "max_history_bytes"
    room.count(settings(history=HISTORY), 1, is_public=False)
    assert limit(ChannelRoom(Limits(max_history_bytes_per_user=most - 1)), history=HISTORY) == (
        "max_history_bytes_per_user"
    )
