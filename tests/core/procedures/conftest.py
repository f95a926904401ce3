"""A realm, and a client that calls its procedures."""

import pytest
from support.realms import World


@pytest.fixture
def world():
    return World()


@pytest.fixture
def caller(world):
    return world.caller()
