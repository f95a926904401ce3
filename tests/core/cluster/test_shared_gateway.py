"""The way in without WAMP, where other nodes have listeners, too."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.looks import LOOK_S
from radiod.core.disclosure import Visitor
from radiod.testing import make_principal
from radiod.wire.codecs import Payload


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def test_an_http_publish_watches_for_a_while(world):
    world.listener("b", "song")
    gateway = world["a"].realm.gateway

    def publish():
        return gateway.publish(Visitor(1, make_principal()), "song", Payload.of(1)).readers

    assert publish() == 0
    world.turn()
    assert publish() == 1
    world.advance(LOOK_S + 11)
    assert len(world["a"].realm.readers) == 0
