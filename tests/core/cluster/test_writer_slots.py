"""Slots of single-writer channels: one writer on all nodes, whatever becomes of its node."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.channels.settings import ChannelSettings
from radiod.core.cluster.claim import Claim
from radiod.errors import CLOSE_SUPERSEDED, NOT_AUTHORIZED, STORE_UNAVAILABLE

CREATE = "radiod.channel.create"
OPEN_WRITE, CLOSE_WRITE = "radiod.channel.open_write", "radiod.channel.close_write"
DELETE = "radiod.channel.delete"
ABOUT = "radio writers"


@pytest.fixture
def world():
    """Three nodes, with a channel of the configuration that has a single writer."""
    world = DeskWorld("a", "b", "c")
    for node in world.nodes.values():
        node.realm.lifecycle.declare("song", ChannelSettings(single_writer=True))
    return world


def publish(caller, topic="song", **options):
    answer = caller.ask(16, {"acknowledge": True, **options}, topic, [1])
    return answer[0] if answer[0] == 17 else answer[4]


def is_open(caller):
    return caller.do(OPEN_WRITE, "song") == {"active": False, "readers": 0}


def holder(world):
    """The session that has the slot, on which all nodes agree."""
    found = {node.realm.slots.holder("song") for node in world.nodes.values()}
    assert len(found) == 1, found
    return found.pop()


def test_one_writes_and_all_others_are_refused_on_every_node(world):
    writer = world.caller("a")
    assert is_open(writer)
    for name in "abc":
        other = world.caller(name)
        assert publish(other) == NOT_AUTHORIZED
        assert other.do(OPEN_WRITE, "song") == NOT_AUTHORIZED
    assert publish(writer) == 17
    assert is_open(writer)
    assert holder(world) == writer.session.id


def test_one_of_several_who_open_at_once_gets_it(world):
    callers = [world.caller(name) for name in "abcabc"]
    for caller in callers:
        caller.request(48, {}, OPEN_WRITE, ["song"])
    world.advance(1)
    answers = [caller.received()[0] for caller in callers]
    assert sorted(answer[0] for answer in answers) == [8] * 5 + [50]
    (winner,) = [one for one, answer in zip(callers, answers, strict=True) if answer[0] == 50]
    assert holder(world) == winner.session.id


def test_it_is_free_for_all_when_closing_is_answered(world):
    for number in range(10):
        one, other = world.caller("abc"[number % 3]), world.caller("abc"[(number + 1) % 3])
        assert is_open(one)
        assert one.do(CLOSE_WRITE, "song") == {"name": "song"}
        assert is_open(other)
        other.do(CLOSE_WRITE, "song")
    assert one.do(CLOSE_WRITE, "song") == {"name": "song"}
    world.turn()
    assert holder(world) is None
    assert publish(world.caller("c")) == 17


def test_it_is_free_when_the_writer_leaves_also_before_it_is_answered(world):
    one = world.caller("a")
    assert is_open(one)
    one.leave()
    world.turn()
    assert holder(world) is None
    other = world.caller("b")
    other.request(48, {}, OPEN_WRITE, ["song"])
    world["b"].realm.leave(other.session)
    world.advance(3)
    assert holder(world) is None


def test_whoever_creates_a_channel_has_its_slot(world):
    owner = world.caller("a")
    made = owner.do(CREATE, "club", single_writer=True)
    assert publish(world.caller("b"), "club") == NOT_AUTHORIZED
    assert publish(owner, "club") == 17
    world.caller("b").do(DELETE, "club", made["control_key"])
    world.turn()
    again = world.caller("c")
    assert again.do(CREATE, "club", single_writer=True)["name"] == "club"
    world.advance(3)
    assert publish(again, "club") == 17
    assert publish(world.caller("b"), "club") == NOT_AUTHORIZED


def test_whoever_has_the_control_key_takes_it_and_nobody_is_closed(world):
    owner = world.caller("a")
    made = owner.do(CREATE, "club", single_writer=True, public=False, key="key")
    other = world.caller("b")
    assert other.do(OPEN_WRITE, "club", control_key=made["control_key"])["readers"] == 0
    world.turn()
    assert publish(other, "club") == 17
    assert publish(owner, "club") == NOT_AUTHORIZED
    world.advance(5)
    assert owner.session.is_open
    other.leave()
    world.advance(3)


def test_the_slot_of_a_dead_node_is_free(world):
    assert is_open(world.caller("a"))
    other = world.caller("b")
    world.kill("a")
    assert other.do(OPEN_WRITE, "song") == NOT_AUTHORIZED
    world.advance(10)
    assert is_open(other)


def test_a_node_that_is_cut_off_gives_no_slot(world):
    one = world.caller("a")
    world.isolate("a")
    world.advance(8)
    assert one.do(OPEN_WRITE, "song") == STORE_UNAVAILABLE


def test_a_node_that_is_cut_off_gives_it_to_nobody_again_who_had_it(world):
    writer = world.caller("a")
    assert is_open(writer)
    world.isolate("a")
    world.advance(8)
    assert publish(writer) == 17
    writer.do(CLOSE_WRITE, "song")
    assert writer.do(OPEN_WRITE, "song") == STORE_UNAVAILABLE


def test_a_writer_that_was_taken_for_dead_has_it_again_if_nobody_else_has(world):
    writer = world.caller("a")
    assert is_open(writer)
    world.isolate("a")
    world.advance(15)
    assert publish(writer) == 17
    world.heal()
    world.advance(15)
    assert holder(world) == writer.session.id
    assert writer.session.is_open
    assert publish(writer) == 17


def test_a_writer_whose_slot_somebody_else_has_meanwhile_is_closed(world):
    writer = world.caller("a")
    assert is_open(writer)
    world.isolate("a")
    world.advance(15)
    other = world.caller("b")
    assert is_open(other)
    world.heal()
    world.advance(10)
    assert not writer.session.is_open
    assert [one[2] for one in writer.received() if one[0] == 6] == [CLOSE_SUPERSEDED]
    assert holder(world) == other.session.id


def test_a_writer_whose_node_buried_the_others_keeps_it(world):
    writer = world.caller("a")
    assert is_open(writer)
    world["a"].cluster.nodes._be_reborn("a test says so")
    world.advance(10)
    assert holder(world) == writer.session.id


@pytest.mark.parametrize("before", [0, 0.0005, 0.001, 0.002])
def test_what_was_agreed_on_before_a_node_stood_still_is_none_when_it_goes_on(world, before):
    writer, other = world.caller("a"), world.caller("b")
    writer.request(48, {}, OPEN_WRITE, ["song"])
    world.advance(before)
    assert writer.received() == []
    world.pause("a")
    world.advance(10)
    assert is_open(other)
    world.resume("a")
    world.advance(3)
    assert [(answer[0], answer[4]) for answer in writer.received()] == [(8, NOT_AUTHORIZED)]
    assert holder(world) == other.session.id


def test_whoever_loses_it_to_the_control_key_before_all_know_is_refused(world):
    made = world.caller("a").do(CREATE, "club", single_writer=True)
    first, second = world.caller("a"), world.caller("b")
    world.pause("c")
    for caller in (first, second):
        caller.request(48, {}, OPEN_WRITE, ["club"], {"control_key": made["control_key"]})
        world.advance(0.5)
    world.resume("c")
    world.advance(1)
    assert [answer[0] for answer in first.received()] == [8]
    assert [answer[0] for answer in second.received()] == [50]
    assert publish(second, "club") == 17


def test_a_node_that_is_another_one_by_now_claims_again_before_it_answers(world):
    writer, other = world.caller("a"), world.caller("b")
    world.engine.elect(2)
    writer.request(48, {}, OPEN_WRITE, ["song"])
    world.advance(0.1)
    world["a"].cluster.nodes._be_reborn("a test says so")
    answers = []
    while not answers:
        world.advance(0.05)
        answers = writer.received()
    assert answers[0][0] == 50
    assert other.do(OPEN_WRITE, "song") == NOT_AUTHORIZED
    assert holder(world) == writer.session.id


def test_a_slot_that_was_given_up_while_nobody_agreed_is_free_later(world):
    writer = world.caller("a")
    assert is_open(writer)
    world.isolate("a")
    world.advance(4)
    world["a"].realm.leave(writer.session)
    world.advance(1)
    world.heal()
    world.advance(30)
    assert holder(world) is None


def test_a_writer_that_opens_several_times_at_once_has_it_and_closes_it_once(world):
    writer = world.caller("a")
    requests = [writer.request(48, {}, OPEN_WRITE, ["song"]) for _ in range(3)]
    world.advance(1)
    assert [message[:2] for message in writer.received()] == [[50, request] for request in requests]
    assert holder(world) == writer.session.id
    assert writer.do(CLOSE_WRITE, "song") == {"name": "song"}
    world.turn()
    assert holder(world) is None


def test_a_slot_that_was_closed_while_nobody_agreed_is_free_when_there_is_a_leader(world):
    writer = world.caller("a")
    assert is_open(writer)
    world.engine.elect(40)
    writer.leave()
    world.advance(39)
    assert holder(world) == writer.session.id
    world.advance(10)
    assert holder(world) is None
    assert is_open(world.caller("b"))


def test_what_somebody_else_has_put_right_is_left_alone(world):
    writer = world.caller("a")
    assert is_open(writer)
    others, own = world["b"].cluster.claims, world["a"].cluster.claims
    # The node of the writer has not heard yet that its slot is free.
    others.release(others.get(ABOUT, "song"))
    writer.leave()
    assert own.get(ABOUT, "song") is not None
    world.advance(1)
    assert holder(world) is None
    assert own.revision(ABOUT, "song") == others.revision(ABOUT, "song")


def test_a_session_that_lost_two_slots_is_closed_once(world):
    for node in world.nodes.values():
        node.realm.lifecycle.declare("other", ChannelSettings(single_writer=True))
    writer = world.caller("a")
    for name in ("song", "other"):
        writer.do(OPEN_WRITE, name)
    world.isolate("a")
    world.advance(15)
    heir = world.caller("b")
    for name in ("song", "other"):
        assert heir.do(OPEN_WRITE, name)["active"] is False
    world.heal()
    world.advance(10)
    # Of the second it hears in the same turn, at times.
    world["a"].realm.slots._lose(writer.session, "other", is_forced=False)
    assert [one[2] for one in writer.received() if one[0] == 6] == [CLOSE_SUPERSEDED]
    assert holder(world) == heir.session.id


def test_what_is_no_slot_is_left_alone(world):
    world["a"].realm.slots.claimed(Claim(ABOUT, "song", b"?", 1, 1))
    assert len(world["a"].realm.slots) == 0
