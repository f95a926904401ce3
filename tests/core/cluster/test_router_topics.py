"""What is mirrored for whom."""

import pytest
from support.cluster.desks import DeskWorld


@pytest.fixture
def world():
    return DeskWorld("a", "b")


@pytest.mark.parametrize(
    ("match", "topic", "tables"),
    [
        ("exact", "wamp.session.on_join", {"sessions"}),
        ("exact", "wamp.session.on_leave", {"sessions"}),
        ("exact", "wamp.subscription.on_delete", {"subscribers"}),
        ("exact", "wamp.registration.on_create", set()),
        ("exact", "radiod.presence.x", {"present x"}),
        ("exact", "radiod.server.on_stats", set()),
        ("exact", "song", set()),
        ("prefix", "wamp.", {"sessions", "subscribers"}),
        ("prefix", "radiod.", {"places"}),
        ("prefix", "radiod.presence.x", {"places"}),
        ("prefix", "radiod.server.", set()),
        ("prefix", "", set()),
        ("wildcard", "wamp..on_join", {"sessions"}),
        ("wildcard", "radiod.presence.", {"places"}),
        ("wildcard", "radiod..x", {"places"}),
        ("wildcard", "radiod.server.", set()),
        ("wildcard", "wamp.presence.", set()),
    ],
)
def test_each_topic_needs_its_own(world, match, topic, tables):
    listener = world.caller("a")
    options = {} if match == "exact" else {"match": match}
    assert listener.ask(32, options, topic)[0] == 33
    assert set(world["a"].realm.tables.mirrors.tables) == tables
    second = world.caller("a")
    assert second.ask(32, options, topic)[0] == 33
    second.leave()
    assert set(world["a"].realm.tables.mirrors.tables) == tables
    listener.leave()
    assert world["a"].realm.tables.mirrors.tables == []
    assert world["a"].realm.router_topics._needs == {}
