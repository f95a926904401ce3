"""Writers learn of listeners on all nodes."""

import pytest
from support.cluster.desks import HOLD_S, DeskWorld

CREATE = "radiod.channel.create"


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def writer_at(world, name, topic="song"):
    writer = world.caller(name)
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", topic) == {"active": False, "readers": 0}
    return writer


def test_a_writer_learns_of_a_listener_elsewhere_and_that_it_left(world):
    writer = writer_at(world, "a")
    listener = world.listener("b", "song")
    world.turn()
    assert writer.events() == [[{"name": "song", "readers": 1, "active": True}]]
    listener.leave()
    world.advance(HOLD_S / 2)
    assert writer.events() == []
    world.advance(HOLD_S)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]


def test_listeners_by_patterns_count(world):
    writer = writer_at(world, "a", "a.song")
    world.listener("b", ".song", match="wildcard")
    world.turn()
    assert writer.events() == [[{"name": "a.song", "readers": 1, "active": True}]]


def test_a_second_writer_learns_the_same(world):
    writers = [writer_at(world, "a"), writer_at(world, "a")]
    world.listener("b", "song")
    world.turn()
    told = [[{"name": "song", "readers": 1, "active": True}]]
    assert [writer.events() for writer in writers] == [told] * 2
    for writer in writers:
        writer.leave()
    world.advance(80)
    assert len(world["a"].realm.readers) == 0


def test_listeners_of_a_private_channel_count_where_they_are(world):
    owner = world.caller("a")
    key = owner.do("radiod.channel.create", "secret", public=False)["key"]
    writer = world.caller("a")
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", "secret", key=key)["readers"] == 0
    listener = world.caller("a")
    assert listener.ask(32, {"_radiod_key": key}, "secret")[0] == 33
    world.turn()
    assert [event[0]["readers"] for event in writer.events()] == [1]
    writer.leave()
    owner.leave()
    world.advance(80)
    assert len(world["a"].realm.readers) == 0


def test_who_watches_a_private_channel_that_ends_watches_nothing_elsewhere_when_it_leaves(world):
    owner = world.caller("a")
    made = owner.do(CREATE, "secret", public=False)
    observer = world.caller("b")
    assert observer.do("radiod.channel.join", "secret", made["key"])["name"] == "secret"
    realm = world["b"].realm
    realm.gateway.observe_demand(observer.session, ("secret",))
    assert len(realm.readers) == 1
    owner.do("radiod.channel.delete", "secret", made["control_key"])
    observer.leave()
    world.advance(80)
    assert len(realm.readers) == 0


def test_two_who_watch_the_same_watch_it_once(world):
    writer = writer_at(world, "a")
    world["a"].realm.gateway.observe_demand(world.caller("a").session, ("song",))
    writer.leave()
    world.advance(80)
    # Somebody still watches.
    assert len(world["a"].realm.readers) == 1


def test_who_listens_to_who_is_in_a_private_channel_is_no_listener_of_it(world):
    owner = world.caller("a")
    key = owner.do(CREATE, "secret", public=False, presence=True)["key"]
    assert world.caller("b").ask(32, {"_radiod_key": key}, "radiod.presence.secret")[0] == 33
    world.turn()
    assert world["a"].realm.channels.unlock("secret", key).topic.broker.readers("secret") == 0
    assert world.caller("b").ask(32, {"_radiod_key": key}, "secret")[0] == 33
    world.turn()
    assert world["a"].realm.channels.unlock("secret", key).topic.broker.readers("secret") == 1


def test_a_slot_of_a_channel_that_has_ended_is_lost_by_nobody(world):
    owner = world.caller("a")
    made = owner.do(CREATE, "secret", public=False, single_writer=True)
    realm = world["a"].realm
    (place,) = realm.channels.held
    owner.do("radiod.channel.delete", "secret", made["control_key"])
    realm.slots.lost(owner.session, place, False)
    world.advance(2)
    assert owner.session.is_open


def test_patterns_tell_nothing_of_what_they_do_not_take(world):
    writer = writer_at(world, "a", "a.song")
    world.listener("b", ".other", match="wildcard")
    world.turn()
    assert writer.events() == []
