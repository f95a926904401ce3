"""The claims of channels: what comes late, twice or unreadable, and what cannot be agreed on."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.channel_records import read_channel
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.ports import Stored
from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, CLOSE_SUPERSEDED, STORE_UNAVAILABLE

ABOUT = "radio channels"
CREATE, DELETE, EXTEND = "radiod.channel.create", "radiod.channel.delete", "radiod.channel.extend"
HISTORY = {"size": 5}


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def claim_of(world, node, place="song"):
    return world[node].cluster.claims.get(ABOUT, place)


def test_a_claim_that_was_not_told_is_asked_for_before_the_others_are_answered(world):
    deaf = world["b"]
    deaf.ways[0]._stream_user = deaf.ways[1]._stream_user = Nobody()
    for port in deaf.ports:
        world.engine.ports[port].followed.clear()
    assert world.caller("a").do(CREATE, "song")["name"] == "song"
    assert "song" in deaf.realm.channels


def test_whoever_has_left_meanwhile_is_not_closed_for_what_it_has_lost(world):
    owner = world.caller("a")
    owner.do(CREATE, "song")
    realm = world["a"].realm
    realm.channel_claims._superseded(owner.session, realm.channels.held["song"])
    owner.leave()
    world.turn()
    assert CLOSE_SUPERSEDED not in [message[2] for message in owner.received() if message[0] == 6]


def test_what_is_no_claim_is_counted(world):
    claims = world["a"].realm.channel_claims
    claims.claimed(Claim(ABOUT, "song", b"?", 1, 1))
    claims.released(Claim(ABOUT, "song", b"?", 1, 1))
    assert world["a"].cluster.nodes.malformed == 1
    assert "song" not in world["a"].realm.channels


def test_under_an_unreadable_claim_nothing_is_created(world):
    world["a"].cluster.claims.create(ABOUT, "song", b"?")
    world.turn()
    assert world.caller("b").do(CREATE, "song") == CHANNEL_EXISTS


def test_a_channel_whose_log_cannot_begin_is_not_there(world):
    owner = world.caller("a")
    owner.do(CREATE, "first", history=HISTORY)
    request = owner.request(48, {}, CREATE, ["song"], {"history": HISTORY})
    world.advance(0.001)
    for name, stream in world.engine.streams.items():
        if "log" in name:
            stream.leaderless_until = world.clock.seconds() + 60
    world.advance(20)
    answers = [message for message in owner.received() if request in message[1:3]]
    assert [answer[4] for answer in answers] == [STORE_UNAVAILABLE]
    world.advance(60)
    assert claim_of(world, "b") is None
    assert len(world["a"].realm.channel_claims) == 0


def test_one_that_ended_while_its_log_began_stays_so(world):
    owner = world.caller("a")
    owner.do(CREATE, "first", history=HISTORY)
    request = owner.request(48, {}, CREATE, ["song"], {"history": HISTORY})
    while claim_of(world, "b") is None:
        world.advance(0.0001)
    assert read_channel(claim_of(world, "b").value).is_open is False
    assert "song" not in world["b"].realm.channels
    world["b"].cluster.claims.release(claim_of(world, "b"))
    world.advance(1)
    answers = [message for message in owner.received() if request in message[1:3]]
    assert [answer[4] for answer in answers] == [CHANNEL_CLOSED]


def test_a_channel_that_somebody_else_ends_first_is_closed_to_all_others(world):
    made = world.caller("a").do(CREATE, "song")
    callers = [world.caller(name) for name in "abc"]
    for caller in callers:
        caller.request(48, {}, DELETE, ["song", made["control_key"]])
    world.advance(1)
    answers = [caller.received()[0] for caller in callers]
    assert sorted(answer[0] for answer in answers) == [8, 8, 50]
    assert {answer[4] for answer in answers if answer[0] == 8} == {CHANNEL_CLOSED}


def test_what_is_due_is_tried_until_it_is_agreed_on(world):
    owner = world.caller("a")
    owner.do(CREATE, "song", lifetime=5, on_owner_leave="keep")
    world.engine.elect(40)
    world.advance(30)
    assert "song" in world["a"].realm.channels
    world.advance(30)
    assert all("song" not in node.realm.channels for node in world.nodes.values())
    assert all(len(node.realm.channel_claims) == 0 for node in world.nodes.values())


def test_a_node_that_did_not_hear_of_an_end_learns_it_when_it_would_end_the_channel(world):
    owner = world.caller("b")
    made = owner.do(CREATE, "song", lifetime=2, on_owner_leave="keep")
    listener = world.listener("a", "radiod.channel.on_delete")
    world.advance(1.9)
    deaf = world["a"]
    ways = [(way, way._stream_user) for way in deaf.ways]
    for way, _ in ways:
        way._stream_user = Nobody()
    owner.do(DELETE, "song", made["control_key"])
    assert "song" in deaf.realm.channels
    world.advance(3)
    for way, user in ways:
        way._stream_user = user
    assert "song" not in deaf.realm.channels
    assert listener.events() == [[{"name": "song", "reason": "deleted"}]]
    world.advance(5)
    assert len(deaf.realm.channel_claims) == 0


def test_a_session_that_lost_two_channels_is_closed_once(world):
    owner = world.caller("a")
    for name in ("one", "two"):
        owner.do(CREATE, name)
    world.isolate("a")
    world.advance(15)
    for name in ("one", "two"):
        assert world.caller("b").do(CREATE, name)["name"] == name
    world.heal()
    world.advance(10)
    assert [message[2] for message in owner.received() if message[0] == 6] == [CLOSE_SUPERSEDED]


def test_a_late_copy_of_a_claim_changes_nothing(world):
    made = world.caller("a").do(CREATE, "song")
    old = claim_of(world, "b")
    world.caller("b").do(EXTEND, "song", 50, made["control_key"])
    world.turn()
    world["b"].cluster.claims.stored(Stored("r.claims.x.y", old.revision, 0, b"?"))
    assert world.caller("b").do("radiod.channel.get", "song")["expires"] is not None


class Nobody:
    def stored(self, record):
        pass
