"""``radiod.channel.*``: readers are those of all nodes."""

import pytest
from support.cluster.desks import DeskWorld


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def test_get_and_list_count_on_all_nodes(world):
    world.caller("a").do("radiod.channel.create", "song")
    world.listener("b", "song")
    world.listener("c", "song")
    asker = world.caller("a")
    assert asker.do("radiod.channel.get", "song")["readers"] == 2
    (listed,) = asker.do("radiod.channel.list")["channels"]
    assert listed["readers"] == 2


def test_a_node_that_does_not_answer_is_not_waited_for(world):
    world.listener("b", "song")
    world.pause("c")
    writer = world.caller("a")
    request = writer.request(48, {}, "radiod.channel.open_write", ["song"])
    world.turn()
    assert writer.received() == []
    world.advance(2)
    assert writer.received() == [[50, request, {}, [{"active": True, "readers": 1}]]]


def test_who_listens_already_counts_when_writing_begins(world):
    world.listener("b", "song")
    world.listener("c", "so", match="prefix")
    assert world.caller("a").do("radiod.channel.open_write", "song") == {"active": True, "readers": 2}


def test_what_is_listed_first_waits_for_all_that_is_not_known_yet(world):
    world.listener("b", "two")
    for name in ("one", "two"):
        world.caller("a").do("radiod.channel.create", name)
    listed = world.caller("a").do("radiod.channel.list")["channels"]
    assert {one["name"]: one["readers"] for one in listed} == {"one": 0, "two": 1}


def test_a_channel_that_ends_while_others_are_asked_is_told_of_as_it_was(world):
    owner = world.caller("a")
    owner.do("radiod.channel.create", "song", on_owner_leave="delete")
    world.pause("c")
    # On the owner's node all is known.
    asker = world.caller("b")
    request = asker.request(48, {}, "radiod.channel.get", ["song"])
    owner.leave()
    world.advance(1)
    assert "song" not in world["b"].realm.channels
    assert asker.received() == []
    world.advance(2)
    (answer,) = [one for one in asker.received() if one[:2] == [50, request]]
    assert (answer[3][0]["name"], answer[3][0]["readers"]) == ("song", 0)
    assert asker.do("radiod.channel.get", "song") == "radiod.error.channel_closed"


@pytest.fixture
def kept(world):
    """A channel with a history, of which one node has heard nothing yet."""
    owner = world.caller("a")
    owner.do("radiod.channel.create", "kept", history={"size": 5})
    for number in range(3):
        assert owner.ask(16, {"acknowledge": True}, "kept", [number])[0] == 17
    return world


def test_the_position_is_that_of_the_log(kept):
    positions = [kept.caller(name).do("radiod.channel.get", "kept")["position"] for name in "abc"]
    assert len(set(positions)) == 1
    assert kept.caller("c").do("radiod.channel.history", "kept")["position"] == positions[0]


def test_the_last_ones_are_so_many_on_every_node(kept):
    kept.caller("a").do("radiod.channel.create", "other", history={"size": 5})
    # Numbers that are others'.
    for topic in ("other", "other", "kept"):
        kept.caller("b").ask(16, {"acknowledge": True}, topic, [topic])
    for name in "abc":
        page = kept.caller(name).do("radiod.channel.history", "kept", last=2)
        assert [event["args"] for event in page["events"]] == [[2], ["kept"]]


def test_a_node_that_is_cut_off_tells_the_position_that_it_has(kept):
    kept.isolate("c")
    kept.disconnect("c")
    kept.advance(10)
    assert kept.caller("c").do("radiod.channel.get", "kept")["position"].endswith(":0")
