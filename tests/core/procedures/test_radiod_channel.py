"""Channels, as a client makes, ends and looks at them."""

import math

import pytest
from support.realms import NO, YES, Slow, World

from radiod.core.channels.settings import MAX_LIFETIME, NO_RULES
from radiod.core.history.bounds import HistoryBounds
from radiod.core.limits import Limits
from radiod.core.rights import Action
from radiod.errors import (
    AUTHORIZATION_FAILED,
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    INVALID_ARGUMENT,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    QUOTA,
    Refused,
)
from radiod.testing import Allow

OPEN_WRITE = "radiod.channel.open_write"
CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
EXTEND = "radiod.channel.extend"
LIST = "radiod.channel.list"
GET = "radiod.channel.get"
TUNE = "radiod.channel.tune"

WRONG_TEXTS = [None, 1, 1.5, True, [], {}, b"a"]
WRONG_LIFETIMES = [
    0,
    -1,
    -0.5,
    True,
    False,
    "60",
    [],
    {},
    math.nan,
    math.inf,
    -math.inf,
    MAX_LIFETIME + 1,
    2**64,
    10**400,
    -(10**400),
    1e308,
]

BAD_NAMES = [
    "", "a b", "a..b", "a.*", "*", "wamp.a", "radiod.channel.x", "x" * 256, "x" * 100_000,
    # A C1 control character, one that turns the direction of writing, one that takes no room.
    "a\x9b", "a\u202eb", "a\u200bb",
]  # fmt: skip


class TestArguments:
    def test_go_by_position_in_the_documented_order_or_by_keyword(self, world, caller):
        by_position = caller.call(CREATE, "a", True, None, 60, False, "keep", {}, {})
        by_keyword = caller.call(
            CREATE,
            history={},
            buffer={},
            on_owner_leave="keep",
            single_writer=False,
            lifetime=60,
            key=None,
            public=True,
            name="b",
        )
        mixed = caller.call(CREATE, "c", lifetime=60, on_owner_leave="keep")
        assert by_position["expires"] == by_keyword["expires"] == mixed["expires"]
        caller.leave()
        assert {channel.name for channel in world.realm.channels} == {"a", "b", "c"}

    @pytest.mark.parametrize(
        ("procedure", "arguments"),
        [
            (CREATE, {}),
            (GET, {}),
            (DELETE, {"control_key": "k"}),
            (EXTEND, {"name": "a", "control_key": "k"}),
            (EXTEND, {"name": "a", "lifetime": 1}),
        ],
    )
    def test_a_missing_one_is_refused(self, caller, procedure, arguments):
        assert caller.call(procedure, **arguments) == INVALID_ARGUMENT

    def test_the_refusal_names_the_argument(self, caller):
        answer = caller.ask(48, 1, {}, GET, [], {})
        assert answer[5] == ["name is missing"]

    @pytest.mark.parametrize("procedure", [CREATE, DELETE, EXTEND, GET])
    @pytest.mark.parametrize("name", WRONG_TEXTS)
    def test_a_name_that_is_no_string_is_refused(self, caller, procedure, name):
        others = {
            CREATE: {},
            GET: {},
            DELETE: {"control_key": "k"},
            EXTEND: {"lifetime": 1, "control_key": "k"},
        }
        assert caller.call(procedure, name=name, **others[procedure]) == INVALID_ARGUMENT

    @pytest.mark.parametrize("name", BAD_NAMES)
    @pytest.mark.parametrize(("procedure", "rest"), [(DELETE, ["k"]), (EXTEND, [1, "k"]), (OPEN_WRITE, [])])
    def test_nobody_is_asked_about_a_name_that_cannot_be(self, world, procedure, rest, name):
        slow = Slow(Action.PUBLISH)
        caller = world.caller(permissions=slow)
        assert caller.call(procedure, name, *rest) == BAD_NAME
        assert (Action.PUBLISH, name) not in slow.asked
        assert caller.session not in world.realm.writers._by_session

    @pytest.mark.parametrize("key", WRONG_TEXTS)
    def test_a_control_key_that_is_no_string_is_refused(self, caller, key):
        caller.call(CREATE, "a")
        assert caller.call(DELETE, "a", key) == (BAD_KEY if key is None else INVALID_ARGUMENT)
        assert caller.call(EXTEND, "a", 1, key) == INVALID_ARGUMENT
        assert caller.call(GET, "a")["name"] == "a"

    @pytest.mark.parametrize("lifetime", WRONG_LIFETIMES, ids=lambda value: repr(value)[:12])
    def test_a_lifetime_that_is_no_sensible_number_is_refused(self, world, caller, lifetime):
        assert caller.call(CREATE, "a", lifetime=lifetime) == INVALID_ARGUMENT
        assert len(world.realm.channels) == 0
        key = caller.call(CREATE, "a")["control_key"]
        assert caller.call(EXTEND, "a", lifetime, key) == INVALID_ARGUMENT
        assert caller.call(GET, "a")["expires"] is None


class TestCreate:
    def test_answers_what_its_creator_needs(self, world, caller):
        world.caller().send(32, 1, {}, "a")
        answer = caller.call(CREATE, "a", lifetime=1.5)
        assert set(answer) == {"name", "control_key", "expires", "readers"}
        assert (answer["name"], answer["readers"]) == ("a", 1)
        assert answer["expires"] == world.clock.time() + 1.5
        assert len(answer["control_key"]) == 32

    @pytest.mark.parametrize("lifetime", [None, 1, 0.001, MAX_LIFETIME])
    def test_takes_every_sensible_lifetime(self, world, caller, lifetime):
        expires = caller.call(CREATE, "a", lifetime=lifetime)["expires"]
        assert expires == (None if lifetime is None else pytest.approx(world.clock.time() + lifetime))

    def test_ends_with_its_owner_unless_told_to_keep_it(self, world, caller):
        caller.call(CREATE, "a")
        caller.call(CREATE, "b", on_owner_leave="delete")
        caller.call(CREATE, "c", on_owner_leave="keep")
        caller.leave()
        other = world.caller()
        assert [other.call(GET, name) for name in "ab"] == [CHANNEL_CLOSED] * 2
        assert other.call(GET, "c")["name"] == "c"

    @pytest.mark.parametrize(
        ("parameter", "values"),
        [
            ("public", [None, 1, 0, "yes", [], math.nan]),
            ("key", [0, "", "x" * 1025, [], b"x"]),
            ("single_writer", [None, 0, 1, "no", {}]),
            ("presence", [None, 0, 1, "no", {}]),
            ("on_owner_leave", [None, "Keep", "", [], {}, True, 0, -1, math.nan, math.inf, 10**400, b"keep"]),
            (
                "history",
                [
                    0, [], "all", {"size": 0}, {"size": 10**7}, {"size": "1"}, {"seconds": math.nan},
                    {"seconds": 0}, {"seconds": 1e12}, {"bytes": 1}, {"bytes": 2**40}, {"length": 1}, {1: 2},
                ],
            ),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("public", [True, False])
    def test_refuses_arguments_that_make_no_sense(self, world, caller, parameter, values, public):
        for value in values:
            arguments = {"public": public, parameter: value}
            assert caller.call(CREATE, "a", **arguments) == INVALID_ARGUMENT, value
        assert len(world.realm.channels) == 0
        assert caller.session not in world.realm.memberships.by_session

    def test_refuses_a_key_for_what_is_public(self, caller):
        assert caller.call(CREATE, "a", key="secret") == INVALID_ARGUMENT

    @pytest.mark.parametrize(
        "buffer", [{"size": -1}, {"sizes": 1}, {"policy": "x"}, None, [], "ring", {1: 2}]
    )
    def test_refuses_buffers_that_make_no_sense(self, world, caller, buffer):
        assert caller.call(CREATE, "a", buffer=buffer) == INVALID_ARGUMENT
        assert len(world.realm.channels) == 0

    @pytest.mark.parametrize("public", [True, False])
    def test_gives_its_listeners_a_buffer_if_asked(self, world, caller, public):
        key = caller.call(CREATE, "a", public=public, buffer={"size": 7})["control_key"]
        assert caller.call(TUNE, "a")["size"] == 7
        assert world.caller().call(TUNE, "a")["size"] == (7 if public else 100)
        id = caller.subscribe("a")
        assert caller.subscriptions[id].settings.size == 7
        caller.call(DELETE, "a", key)
        assert caller.call(TUNE, "a")["size"] == 100

    def test_keeps_a_history_if_asked(self, world, caller):
        for name, history, size in (("a", {"size": 2}, 2), ("b", {"seconds": 5}, 100), ("c", None, 0)):
            caller.call(CREATE, name, history=history)
            keep = world.realm.space.histories.wanted(name)
            assert (keep.size if keep else 0) == size

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_refuses_names_that_cannot_be(self, caller, name):
        assert caller.call(CREATE, name) == BAD_NAME

    def test_refuses_what_exists(self, world, caller):
        caller.call(CREATE, "a")
        assert world.caller().call(CREATE, "a") == CHANNEL_EXISTS

    def test_refuses_more_than_the_limit(self):
        caller = World(limits=Limits(max_channels=1)).caller()
        caller.call(CREATE, "a")
        assert caller.call(CREATE, "b") == QUOTA


class TestRights:
    @pytest.mark.parametrize(
        ("procedure", "arguments"), [(CREATE, ["a"]), (DELETE, ["a", "key"]), (EXTEND, ["a", 1, "key"])]
    )
    @pytest.mark.parametrize("exists", [True, False])
    def test_creating_and_controlling_need_the_right_to_publish(
        self, world, caller, procedure, arguments, exists
    ):
        """And whether the channel exists does not show."""
        if exists:
            caller.call(CREATE, "a")
        mallory = world.caller(permissions=Allow(Action.CALL))
        assert mallory.call(procedure, *arguments) == NOT_AUTHORIZED

    @pytest.mark.parametrize(("verdict", "name"), [(YES, "a"), (NO, None)], ids=["allowed", "refused"])
    def test_the_right_to_publish_may_take_its_time_to_decide(self, world, verdict, name):
        rights = Slow(Action.PUBLISH)
        caller = world.caller(permissions=rights)
        caller.send(48, 1, {}, CREATE, ["a"])
        assert caller.received() == []
        assert rights.asked[-1] == (Action.PUBLISH, "a")
        rights.settle(verdict)
        ((*_, answer),) = caller.received()
        assert answer[0]["name"] == "a" if name else "right to publish" in answer[0]
        assert [channel.name for channel in world.realm.channels] == ([name] if name else [])

    @pytest.mark.parametrize(("procedure", "rest"), [(DELETE, []), (EXTEND, [60])])
    def test_controlling_waits_for_the_decision_as_well(self, world, caller, procedure, rest):
        key = caller.call(CREATE, "a", lifetime=10)["control_key"]
        rights = Slow(Action.PUBLISH)
        other = world.caller(permissions=rights)
        other.send(48, 1, {}, procedure, ["a", *rest, key])
        world.clock.advance(1)
        assert "a" in {channel.name for channel in world.realm.channels}
        rights.settle()
        assert other.received()[0][0] == 50
        world.clock.advance(20)
        assert [channel.name for channel in world.realm.channels] == (["a"] if rest else [])

    def test_a_decision_that_cannot_be_had_refuses(self, world):
        rights = Slow(Action.PUBLISH)
        caller = world.caller(permissions=rights)
        caller.send(48, 1, {}, CREATE, ["a"])
        rights.settle(Refused(AUTHORIZATION_FAILED, "nobody knows"))
        assert caller.received()[0][4] == AUTHORIZATION_FAILED

    def test_who_left_before_the_decision_owns_no_channel(self, world):
        rights = Slow(Action.PUBLISH)
        caller = world.caller(permissions=rights)
        caller.send(48, 1, {}, CREATE, ["a"])
        caller.leave()
        rights.settle()
        assert list(world.realm.channels) == []

    def test_reading_needs_no_right_to_publish(self, world, caller):
        caller.call(CREATE, "a")
        listener = world.caller(permissions=Allow(Action.CALL, Action.SUBSCRIBE))
        assert listener.call(GET, "a")["name"] == "a"
        assert len(listener.call(LIST)["channels"]) == 1


class TestControl:
    @pytest.mark.parametrize("forged", ["", "0" * 32, "not a key", "ключ"])
    def test_a_forged_key_controls_nothing(self, world, caller, forged):
        caller.call(CREATE, "a", lifetime=60)
        before = caller.call(GET, "a")
        assert caller.call(DELETE, "a", forged) == BAD_KEY
        assert caller.call(EXTEND, "a", 1000, forged) == BAD_KEY
        assert caller.call(GET, "a") == before

    def test_the_key_of_another_channel_controls_nothing(self, caller):
        key, _ = (caller.call(CREATE, name)["control_key"] for name in "ab")
        assert caller.call(DELETE, "b", key) == BAD_KEY

    def test_whoever_holds_the_key_controls_the_channel(self, world, caller):
        key = caller.call(CREATE, "a")["control_key"]
        assert world.caller().call(DELETE, "a", key) == {"name": "a"}
        assert caller.call(GET, "a") == CHANNEL_CLOSED

    def test_an_extension_counts_from_now(self, world, caller):
        key = caller.call(CREATE, "a", lifetime=10)["control_key"]
        world.clock.advance(9)
        assert caller.call(EXTEND, "a", 10, key) == {"name": "a", "expires": world.clock.time() + 10}
        assert caller.call(EXTEND, "a", None, key) == {"name": "a", "expires": None}
        world.clock.advance(1e6)
        assert caller.call(GET, "a")["expires"] is None

    def test_an_extension_after_the_end_comes_too_late(self, world, caller):
        key = caller.call(CREATE, "a", lifetime=10)["control_key"]
        world.clock.advance(10)
        assert caller.call(EXTEND, "a", 10, key) == CHANNEL_CLOSED
        assert caller.call(DELETE, "a", key) == CHANNEL_CLOSED
        assert caller.call(DELETE, "b", key) == NO_SUCH_CHANNEL


class TestList:
    @pytest.fixture
    def caller(self, world):
        caller = world.caller()
        for name in ("b.y", "a", "b.x", "c", "b.z"):
            caller.call(CREATE, name)
        return caller

    def names(self, answer):
        assert set(answer) == {"channels", "next"}
        return [channel["name"] for channel in answer["channels"]]

    def test_is_sorted_and_described_as_by_get(self, caller):
        answer = caller.call(LIST)
        assert self.names(answer) == ["a", "b.x", "b.y", "b.z", "c"]
        assert answer["next"] is None
        assert answer["channels"] == [caller.call(GET, name) for name in self.names(answer)]

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 1000])
    def test_its_pages_together_are_the_whole(self, caller, limit):
        names, after = [], None
        while True:
            page = caller.call(LIST, limit=limit, after=after)
            names += self.names(page)
            assert len(self.names(page)) <= limit
            after = page["next"]
            if after is None:
                break
        assert names == ["a", "b.x", "b.y", "b.z", "c"]

    def test_goes_on_after_a_name_that_is_gone(self, caller):
        assert self.names(caller.call(LIST, after="b.w")) == ["b.x", "b.y", "b.z", "c"]

    def test_keeps_to_a_prefix_over_pages(self, caller):
        page = caller.call(LIST, "b.", 2)
        assert (self.names(page), page["next"]) == (["b.x", "b.y"], "b.y")
        page = caller.call(LIST, "b.", 2, "b.y")
        assert (self.names(page), page["next"]) == (["b.z"], None)
        assert self.names(caller.call(LIST, "nothing")) == []

    @pytest.mark.parametrize("limit", [0, -1, 1001, 10**400, 1.0, 1.5, math.nan, True, "5", None, []])
    def test_a_limit_that_is_no_number_of_channels_is_refused(self, caller, limit):
        assert caller.call(LIST, limit=limit) == INVALID_ARGUMENT

    @pytest.mark.parametrize("value", [1, True, [], {}, b"a"])
    @pytest.mark.parametrize("parameter", ["prefix", "after"])
    def test_texts_are_texts(self, caller, parameter, value):
        assert caller.call(LIST, **{parameter: value}) == INVALID_ARGUMENT


class TestGet:
    def test_describes_a_channel_without_its_key(self, world, caller):
        caller.call(CREATE, "a", lifetime=60)
        world.caller().send(32, 1, {}, "a")
        for request in (1, 2, 3):
            caller.send(16, request, {}, "a", [])
        assert caller.call(GET, "a") == {
            "name": "a",
            "public": True,
            "events": 3,
            "expires": world.clock.time() + 60,
            "readers": 1,
            "writers": 1,
            "position": None,
        }

    def test_says_whether_a_channel_ever_was(self, world, caller):
        assert caller.call(GET, "a") == NO_SUCH_CHANNEL
        caller.call(CREATE, "a", lifetime=1)
        world.clock.advance(1)
        assert caller.call(GET, "a") == CHANNEL_CLOSED


STEWARD = Allow(Action.CALL, is_steward=True)


class TestOthersChannels:
    """Who may act on others looks after what nobody else can give back."""

    @pytest.fixture
    def steward(self, world):
        return world.caller("steward", permissions=STEWARD)

    def test_a_user_takes_no_more_than_its_share(self):
        world = World(limits=Limits(max_channels_per_user=1, max_history_bytes_per_user=1 << 20))
        caller, other = world.caller("a", "one"), world.caller("b", "two")
        assert caller.call(CREATE, "h", history={"size": 1000}) == QUOTA
        caller.call(CREATE, "a")
        assert (caller.call(CREATE, "b"), other.call(CREATE, "b")["name"]) == (QUOTA, "b")
        assert world.realm.bounds.counts == {"max_history_bytes_per_user": 1, "max_channels_per_user": 1}

    def test_a_steward_deletes_what_its_owner_left_behind(self, world, caller, steward):
        world.realm.space.histories.keep("log.*", HistoryBounds(size=9, seconds=99, bytes=999))
        caller.call(CREATE, "a", on_owner_leave="keep")
        caller.leave()
        assert steward.call(DELETE, "a") == {"name": "a"}
        assert steward.call(DELETE, "a") == CHANNEL_CLOSED
        assert steward.call(DELETE, "b") == NO_SUCH_CHANNEL

    def test_a_steward_needs_the_key_of_what_is_private_or_the_configurations(self, world, caller, steward):
        world.realm.lifecycle.declare("configured")
        caller.call(CREATE, "p", public=False)
        assert steward.call(DELETE, "configured") == BAD_KEY
        assert steward.call(DELETE, "p") == NO_SUCH_CHANNEL

    def test_a_steward_forgets_what_a_pattern_keeps(self, world, caller, steward):
        histories = world.realm.space.histories
        histories.keep("log.*", HistoryBounds(size=9, seconds=99, bytes=999))
        caller.answer(16, {"acknowledge": True}, "log.a")
        caller.call(CREATE, "log.b")
        assert steward.call(DELETE, "log.a") == {"name": "log.a"}
        assert histories.topics() == []
        assert steward.call(DELETE, "log.a") == NO_SUCH_CHANNEL

    def test_for_anybody_else_no_key_is_a_wrong_key(self, world, caller):
        caller.call(CREATE, "a")
        assert caller.call(DELETE, "a") == caller.call(DELETE, "a", "wrong") == BAD_KEY
        reader = world.caller(permissions=Allow(Action.CALL))
        assert reader.call(DELETE, "a") == NOT_AUTHORIZED

    def test_a_steward_is_told_whose_they_are(self, world, caller, steward):
        world.realm.lifecycle.declare("configured")
        caller.call(CREATE, "a", on_owner_leave="keep")
        owner = {"session": caller.id, "authid": None, "authrole": "tester"}
        assert steward.call(GET, "a")["owner"] == owner
        caller.leave()
        told = {channel["name"]: channel["owner"] for channel in steward.call(LIST)["channels"]}
        assert told == {"a": {**owner, "session": None}, "configured": None}
        assert "owner" not in world.caller().call(GET, "a")

    def test_nobody_knows_who_created_what_an_older_server_stored(self, world, steward):
        world.realm.channels.create("a", NO_RULES)
        assert steward.call(GET, "a")["owner"] == {"session": None, "authid": None, "authrole": None}
