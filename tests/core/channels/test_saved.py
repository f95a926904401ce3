"""What of a channel outlives the server."""

import pytest

from radiod.core.channels.saved import ChannelSettings, SavedChannel
from radiod.core.history.keep import Keep


def test_cannot_be_changed_once_it_is_in_the_journal():
    settings = ChannelSettings(
        on_owner_leave="keep",
        single_writer=False,
        presence=False,
        history=Keep(size=1, seconds=1.0, bytes=1),
        buffer={},
    )
    saved = SavedChannel(name="a", control_hash=b"hash", expires=None, settings=settings)
    with pytest.raises(AttributeError):
        saved.name = "b"
