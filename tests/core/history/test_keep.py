"""How much of a topic's past is kept."""

import pytest

from radiod.core.history.keep import Keep
from radiod.core.history.room import RECORD_BYTES


def test_the_most_it_takes_is_payloads_and_records():
    assert Keep(size=3, seconds=1.0, bytes=100).most == 100 + 3 * RECORD_BYTES


def test_cannot_be_changed():
    with pytest.raises(AttributeError):
        Keep(size=3, seconds=1.0, bytes=100).size = 4
