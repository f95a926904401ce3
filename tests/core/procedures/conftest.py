"""A realm, and clients that call its procedures."""

import pytest

from radiod.wire.codecs import CBOR


@pytest.fixture
def caller(world):
    return world.caller()


@pytest.fixture
def alice(world):
    return world.join("alice", "member")


@pytest.fixture
def bob(world):
    return world.join("bob", "guest")


@pytest.fixture
def admin(world):
    """Its serializer says what JSON cannot."""
    return world.join("admin", "admin", codec=CBOR)
