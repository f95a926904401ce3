"""What a server program may ask of a realm is about all nodes."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.channels.settings import ChannelSettings
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.promises import Promise
from radiod.core.rights import Action
from radiod.errors import CLOSE_KILLED
from radiod.testing import ALLOW_ALL, Allow, make_principal

BOUNDS = HistoryBounds(size=10, seconds=1000.0, bytes=100_000)
RULES = ChannelSettings(presence=True, history=BOUNDS)


@pytest.fixture
def world():
    world = DeskWorld("a", "b", "c")
    for node in world.nodes.values():
        node.realm.lifecycle.declare("song", RULES)
        node.realm.lifecycle.declare("club", RULES, key="k" * 20)
    return world


@pytest.fixture
def listeners(world):
    """Two of one person on b, one of another on c, of both channels."""
    found = [world.caller(name, authid) for name, authid in (("b", "ann"), ("b", "ann"), ("c", "bob"))]
    for one in found:
        one.ask(32, {}, "song")
        one.ask(32, {"_radiod_key": "k" * 20}, "club")
    return found


def visitor():
    return Visitor(1000, make_principal("key", permissions=ALLOW_ALL, memberships=("club",)))


ANYBODY = visitor()


def ask(world, what, *args, name="a", visitor=ANYBODY, **options):
    """What the management of a node comes to."""
    asking = () if visitor is None else (visitor,)
    told = getattr(world[name].realm.management, what)(*asking, *args, **options)
    if not isinstance(told, Promise):
        return told
    outcomes = []
    told.then(outcomes.append)
    world.turn()
    (outcome,) = outcomes
    return outcome


@pytest.mark.parametrize("channel", ["song", "club"])
def test_listeners_are_those_of_all_nodes(world, listeners, channel):
    own = world.caller("a", "cid")
    own.ask(32, {"_radiod_key": "k" * 20} if channel == "club" else {}, channel)
    told = ask(world, "listeners", channel)
    assert told == {one.session.id: one.session.principal.authid for one in [own, *listeners]}
    assert ask(world, "headcount", channel) == (4, 3)


def test_persons_are_sent_away_wherever_they_are(world, listeners):
    one, other, third = listeners
    assert ask(world, "disconnect", "ann", "go", but=[one.session.id, 0]) == 1
    assert other.received() == [[6, {"message": "go"}, CLOSE_KILLED]]
    assert (one.session.is_open, third.session.is_open) == (True, True)
    assert ask(world, "disconnect", "bob", only=17) == 0
    assert ask(world, "disconnect", "bob", only=0) == 0
    assert ask(world, "disconnect", "bob", only=third.session.id) == 1


@pytest.mark.parametrize("channel", ["song", "club"])
def test_a_channel_is_taken_away_wherever_they_are(world, listeners, channel):
    assert ask(world, "unsubscribe", "ann", channel) == 2
    assert list(ask(world, "listeners", channel)) == [listeners[2].session.id]
    assert ask(world, "unsubscribe", "bob", channel, only=listeners[2].session.id) == 1
    assert ask(world, "listeners", channel) == {}


def test_the_past_is_read_where_nobody_has_asked_for_it(world):
    caller = world.caller("b")
    for number in range(3):
        caller.ask(16, {"acknowledge": True}, "song", [number])
    world.advance(100)
    page, position = ask(world, "past", "song", None, 10, name="c")
    assert (len(page.records), page.is_recovered) == (3, True)
    assert position == page.records[-1].position


def test_of_a_channel_that_another_node_does_not_know_it_has_nobody(world):
    owner = world.caller("a", "ann")
    owner.do("radiod.channel.create", "den", public=False, key="x" * 20, presence=True)
    owner.ask(32, {"_radiod_key": "x" * 20}, "den")
    realm = world["a"].realm
    place = realm.places.of(realm.memberships.of(owner.session)["den"].space.broker, "den")
    census = world["b"].realm.census
    answers = []
    for procedure, kind, more in (
        ("listeners", list[tuple[int, str]], {}),
        ("unsubscribe", int, {"authid": "ann", "only": None}),
    ):
        census.ask_all(procedure, kind, place=place, **more).then(answers.append)
    world.turn()
    assert [sorted(found.values) for found in answers] == [[[], [(owner.session.id, "ann")]], [0, 1]]


def test_who_does_not_answer_is_left_out(world, listeners):
    world.cut("a", "c")
    outcomes = []
    world["a"].realm.management.listeners(visitor(), "song").then(outcomes.append)
    world.advance(3)
    assert set(outcomes[0].values()) == {"ann"}


def test_what_is_of_this_node_alone_is_asked_of_nobody(world):
    management = world["a"].realm.management
    topic = world["a"].realm.make_space(is_private=True).at("den")
    sent = world.engine.ports["a"].sent
    assert management._listeners(topic) == {}
    assert management._headcount(topic) == (0, 0)
    assert management._unsubscribe(topic, "ann", None) == 0
    assert world.engine.ports["a"].sent == sent


def test_channels_that_somebody_listens_to_are_those_of_all_nodes(world, listeners):
    world.caller("a").ask(32, {}, "song")
    world.caller("a").ask(32, {}, "here.only")
    world.caller("c").ask(32, {}, "there.only")
    world.caller("c").ask(32, {"match": "prefix"}, "a.pattern")
    all = {"song": 4, "club": 3, "here.only": 1, "there.only": 1}
    assert ask(world, "heard", "*") == all
    assert ask(world, "heard", "*", name="b") == all
    assert ask(world, "heard", "*.only") == {"here.only": 1, "there.only": 1}
    assert ask(world, "heard", "c*") == {"club": 3}


def test_of_channels_nobody_hears_more_than_it_may_listen_to(world, listeners):
    world.caller("c").ask(32, {}, "secret")
    permissions = Allow(*Action, hidden=["secret"])
    told = ask(world, "heard", "*", visitor=Visitor(1000, make_principal("key", permissions=permissions)))
    assert told == {"song": 3}


def test_a_load_is_told_of_each_node(world, listeners):
    loads = {load.node: load for load in ask(world, "loads", visitor=None)}
    assert set(loads) == {"a", "b", "c"}
    # Each listens to two channels, one of them private.
    assert loads["b"][1:4] == (1, 1, 4)
    assert loads["c"][1:4] == (1, 1, 2)
    assert loads["a"].sessions < loads["b"].sessions
