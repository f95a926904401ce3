"""What is counted of a realm for everybody to read."""

from radiod.core.disclosure import Visitor
from radiod.core.realm.usage import Usage
from radiod.testing import make_principal


def test_public_events_are_counted_and_nothing_of_private_channels():
    usage, actor = Usage(), Visitor(1, make_principal())
    assert usage.published_events == 0
    for is_public in (True, False, True):
        usage.published(actor, 100, is_public=is_public)
    assert usage.published_events == 2


def test_a_realm_counts_with_it(world, alice):
    world.realm.lifecycle.declare("p", key="secret")
    alice.request(16, {}, "a")
    alice.request(16, {}, "wamp.x")
    alice.request(16, {"_radiod_key": "secret"}, "p")
    assert world.realm.usage.published_events == 1
