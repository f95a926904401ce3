"""Private channels on all nodes: found by name and key, and by nobody who knows only one of them."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.channels.settings import ChannelSettings, KeptChannel
from radiod.core.disclosure import Visitor
from radiod.core.limits import Limits
from radiod.errors import BAD_KEY, CHANNEL_CLOSED, CHANNEL_EXISTS, QUOTA, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
EXTEND = "radiod.channel.extend"
JOIN = "radiod.channel.join"
OPEN_WRITE = "radiod.channel.open_write"
ON_DELETE = "radiod.channel.on_delete"
NAME, KEY = "hidden.club", "the-key-of-it"


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def create(caller, **options):
    return caller.do(CREATE, NAME, public=False, key=KEY, **options)


def publish(caller, *args, **options):
    answer = caller.ask(16, {"acknowledge": True, **options}, NAME, list(args))
    return answer[0] if answer[0] == 17 else answer[4]


def member(world, node):
    """A listener that has come with name and key."""
    listener = world.caller(node, authid="listener")
    assert listener.ask(32, {"_radiod_key": KEY}, NAME)[0] == 33
    return listener


class TestEvents:
    @pytest.mark.parametrize("history", [{}, {"size": 10}])
    def test_come_on_every_node_and_to_members_only(self, world, history):
        owner = world.caller("a")
        create(owner, history=history)
        members = [member(world, node) for node in "abc"]
        outsiders = [world.listener(node, topic, **options) for node in "abc" for topic, options in OUTSIDE]
        assert publish(owner, "from a") == 17
        assert publish(members[1], "from b") == 17
        assert publish(world.caller("c"), "from c", _radiod_key=KEY) == 17
        world.turn()
        heard = [sorted(one.events()) for one in members]
        assert heard[0] == heard[2] == [["from a"], ["from b"], ["from c"]]
        assert heard[1] == [["from a"], ["from c"]]
        assert [one.events() for one in outsiders] == [[]] * len(outsiders)
        assert publish(world.caller("b"), "in public") == 17
        world.turn()
        assert [one.events() for one in members] == [[]] * 3
        assert all(one.events() == [["in public"]] for one in outsiders)

    def test_nothing_of_name_and_key_is_told_to_the_engine(self, world):
        carried = []
        hand = world.engine._hand
        world.engine._hand = lambda port, *message: (carried.append(message), hand(port, *message))
        owner = world.caller("a")
        made = create(owner, history={"size": 5}, lifetime=60)
        member(world, "b")
        publish(owner, "x", retain=True)
        world.caller("b").do(EXTEND, NAME, 30, made["control_key"])
        world.turn()
        world.caller("b").do(OPEN_WRITE, NAME, key=KEY)
        stored = [record for stream in world.engine.streams.values() for record in stream.records]
        seen = repr(carried) + repr(stored) + repr([port.interest for port in world.engine.ports.values()])
        assert stored
        assert carried
        for secret in ("hidden", KEY, made["control_key"]):
            assert secret not in seen

    def test_have_a_past_on_every_node(self, world):
        owner = world.caller("a")
        create(owner, history={"size": 5})
        for number in range(3):
            publish(owner, number)
        late = world.caller("c")
        assert late.do(JOIN, NAME, KEY)["name"] == NAME
        events = late.do("radiod.channel.history", NAME)["events"]
        assert [event["args"] for event in events] == [[0], [1], [2]]

    def test_that_are_retained_come_to_late_members(self, world):
        owner = world.caller("a")
        create(owner)
        publish(owner, "kept", retain=True)
        world.advance(1)
        late = world.caller("b")
        assert late.ask(32, {"_radiod_key": KEY, "get_retained": True}, NAME)[0] == 33
        world.turn()
        assert late.events() == [["kept"]]

    def test_that_are_lost_on_their_way_are_told(self, world):
        owner = world.caller("a")
        create(owner)
        listener, outsider = member(world, "b"), world.listener("b", "", match="prefix")
        publish(owner, 1)
        world.turn()
        world.cut("a", "b")
        publish(owner, 2)
        world.turn()
        world.heal()
        world.turn()
        publish(owner, 3)
        world.turn()
        events = [message for message in [*listener.kept, *listener.received()] if message[0] == 36]
        assert [(event[4], event[3].get("_lost")) for event in events] == [([1], None), ([3], 1)]
        assert outsider.events() == []

    def test_of_the_configuration_come_on_every_node(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare(NAME, key=KEY)
        listener = member(world, "b")
        assert publish(world.caller("a"), 1, _radiod_key=KEY) == 17
        world.turn()
        assert listener.events() == [[1]]

    def test_come_to_who_listens_without_wamp(self, world):
        create(world.caller("a"))
        realm = world["b"].realm
        spaces = []
        realm.gateway.may_listen(make_principal("guest"), NAME, KEY).then(spaces.append)
        world.turn()
        (space,) = spaces
        assert space.broker.place.startswith("#")
        member(world, "a")
        visitor = Visitor(17, make_principal("guest"))
        for expected in (0, 1):
            published = realm.gateway.publish(visitor, NAME, Payload.of(1), PublishOptions(key=KEY))
            assert published.readers == expected
            world.turn()

    def test_of_the_configuration_are_counted_for_those_who_need_no_key(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare(NAME, key=KEY)
        member(world, "a")
        visitor = Visitor(17, make_principal("guest", memberships=(NAME,)))
        gateway = world["b"].realm.gateway
        counts = []
        for _ in range(2):
            counts.append(gateway.publish(visitor, NAME, Payload.of(1)).readers)
            world.turn()
        assert counts == [0, 1]


OUTSIDE = [(NAME, {}), ("", {"match": "prefix"}), ("hidden.", {"match": "wildcard"})]


class TestFinding:
    def test_needs_name_and_key(self, world):
        create(world.caller("a"))
        other = world.caller("b")
        for name, key in ((NAME, "wrong"), ("hidden.other", KEY)):
            assert other.do(JOIN, name, key) == BAD_KEY
        assert other.do(JOIN, NAME, KEY)["public"] is False

    def test_the_same_is_created_once(self, world):
        create(world.caller("a"))
        assert create(world.caller("b")) == CHANNEL_EXISTS
        assert world.caller("b").do(CREATE, NAME, public=False, key="another")["name"] == NAME
        assert world.caller("b").do(CREATE, NAME)["name"] == NAME

    def test_by_the_control_key_needs_no_other(self, world):
        made = create(world.caller("a"))
        other = world.caller("b")
        assert other.do(EXTEND, NAME, 60, made["control_key"])["name"] == NAME
        world.turn()
        assert world.caller("c").do(JOIN, NAME, KEY)["expires"] is not None
        assert other.do(DELETE, NAME, "wrong") == "radiod.error.no_such_channel"

    def test_counts_for_all_nodes(self):
        world = DeskWorld("a", "b", options={"limits": Limits(max_channels_per_user=1)})
        create(world.caller("a"))
        assert world.caller("b").do(CREATE, "other", public=False) == QUOTA
        assert world.caller("b").do(CREATE, "other")["name"] == "other"
        assert len(world["b"].realm.channels) == 2


class TestEnding:
    def test_is_told_to_members_on_every_node_and_to_nobody_else(self, world):
        made = create(world.caller("a"))
        members = [member(world, node) for node in "bc"]
        listeners = [world.listener(node, ON_DELETE) for node in "abc"]
        for one in members:
            one.ask(32, {}, ON_DELETE)
        world.caller("c").do(DELETE, NAME, made["control_key"])
        world.turn()
        told = [{"name": NAME, "reason": "deleted"}]
        assert [one.events() for one in members] == [[told]] * 2
        assert [one.events() for one in listeners] == [[]] * 3
        assert publish(members[0], 1) == CHANNEL_CLOSED
        for node in world.nodes.values():
            assert not node.realm._in_private
            assert not list(node.realm.channels.private)

    def test_is_known_where_nobody_had_come(self, world):
        made = create(world.caller("a"))
        world.caller("a").do(DELETE, NAME, made["control_key"])
        world.turn()
        for node in "ab":
            assert world.caller(node).do(JOIN, NAME, KEY) == CHANNEL_CLOSED
            assert world.caller(node).do(JOIN, NAME, "wrong") == BAD_KEY
        create(world.caller("c"))
        assert world.caller("b").do(JOIN, NAME, KEY)["name"] == NAME

    def test_takes_its_past_along(self, world):
        made = create(world.caller("a"), history={"size": 5})
        publish(member(world, "b"), "old")
        world.caller("c").do(DELETE, NAME, made["control_key"])
        create(world.caller("b"), history={"size": 5})
        late = world.caller("c")
        late.do(JOIN, NAME, KEY)
        assert late.do("radiod.channel.history", NAME)["events"] == []

    def test_when_the_owner_leaves(self, world):
        owner = world.caller("a")
        create(owner)
        one = member(world, "b")
        one.ask(32, {}, ON_DELETE)
        world.kill("a")
        world.advance(10)
        assert one.events() == [[{"name": NAME, "reason": "owner_left"}]]


def test_nothing_of_what_others_have_outlives_the_server_here(world):
    create(world.caller("a"))
    channels = world["a"].realm.channels
    assert channels.kept() == []
    assert channels.find("public", None) is None


def test_nothing_of_another_process_is_gone_on_with_here(world):
    kept = KeptChannel(name="song", control_hash=b"control", settings=ChannelSettings())
    with pytest.raises(Refused, match="of the cluster"):
        world["a"].realm.channels.resume(kept, None)


def test_a_name_of_the_configuration_is_not_taken_by_what_others_have(world):
    world["b"].realm.lifecycle.declare("song")
    made = world.caller("a").do(CREATE, "song")
    assert world["b"].realm.channels.get("song").control_hash is None
    world.caller("a").do(DELETE, "song", made["control_key"])
    world.turn()
    assert "song" in world["b"].realm.channels
