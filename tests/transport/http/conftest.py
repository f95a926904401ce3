"""A server of one route, which the test gives, and connections to it in memory."""

import pytest
from support.served import Served


@pytest.fixture
def served(world):
    """``served(route, **limits)``."""
    return lambda route, **limits: Served(world, route, **limits)
