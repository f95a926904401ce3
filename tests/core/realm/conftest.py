"""A realm, and two of its clients."""

import pytest


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def bob(world):
    return world.join("bob")
