"""What the transports say in the log."""

import pytest
from twisted.logger import formatEvent, globalLogPublisher


@pytest.fixture
def logged():
    """The lines logged during the test, a list that grows."""
    lines = []

    def observe(event):
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
