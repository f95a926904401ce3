"""A realm, and two of its clients."""

import pytest
from support.realms import World


@pytest.fixture
def world():
    return World()


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def bob(world):
    return world.join("bob")
