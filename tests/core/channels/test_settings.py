"""The rules of a channel."""

import pytest

from radiod.core.channels.channel import Channel
from radiod.core.channels.settings import NO_RULES, ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.testing import make_realm


class TestRules:
    @pytest.mark.parametrize(
        ("history", "is_durable", "most"),
        [
            (None, False, 0),
            (HistoryBounds(size=1, seconds=1, bytes=1000), False, None),
            (HistoryBounds(size=1, seconds=1, bytes=1000, is_durable=True), True, None),
        ],
    )
    def test_say_what_a_history_may_come_to(self, history, is_durable, most):
        rules = ChannelSettings(history=history)
        assert rules.is_durable is is_durable
        assert rules.most_bytes == (history.most if most is None else most)

    def test_are_shared_by_channels_and_never_changed(self):
        first, second = (Channel(name, make_realm().space) for name in "ab")
        assert first.settings is second.settings is NO_RULES
        with pytest.raises(AttributeError):
            first.settings.presence = True
