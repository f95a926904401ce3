"""Which buffer a listener gets: what was asked for, over the channel's default, over the server's."""

import pytest
from support.realms import World

from radiod.core.delivery.settings import DEFAULTS, BufferSettings
from radiod.core.limits import Limits
from radiod.core.rights import Action
from radiod.errors import INVALID_ARGUMENT, INVALID_URI, NOT_AUTHORIZED, QUOTA, Refused
from radiod.testing import Allow

TUNE = "radiod.channel.tune"
SERVER = {
    "size": 100,
    "policy": "ring",
    "every": 1,
    "min_interval": 0.0,
    "latest": False,
    "weight": 1,
    "max_bytes": 1 << 20,
}


@pytest.fixture
def world():
    return World(limits=Limits(max_subscriptions=5, max_buffer_bytes=1 << 21))


@pytest.fixture
def caller(world):
    return world.caller()


def settings_of(client, id):
    return client.subscriptions[id].settings


class TestDefaults:
    def test_are_the_servers_where_nothing_is_declared(self, world):
        assert world.realm.space.tuning.default("a") is DEFAULTS

    def test_of_a_channel_go_before_those_of_a_pattern(self, world):
        tuning = world.realm.space.tuning
        tuning.declare("a.*", {"size": 5, "every": 2})
        tuning.declare("a.b", {"size": 7})
        assert tuning.default("a.b") == BufferSettings(size=7)
        assert tuning.default("a.c") == BufferSettings(size=5, every=2)
        assert tuning.default("b") is DEFAULTS
        tuning.forget("a.b")
        tuning.forget("a.b")
        assert tuning.default("a.b") == BufferSettings(size=5, every=2)
        tuning.forget("a.*")
        assert tuning.default("a.b") is DEFAULTS

    def test_that_are_wrong_are_refused(self, world):
        with pytest.raises(Refused) as refusal:
            world.realm.space.tuning.declare("a", {"max_bytes": 1 << 22})
        assert refusal.value.uri == INVALID_ARGUMENT

    def test_hold_for_listeners_of_exactly_that_channel(self, world):
        world.realm.space.tuning.declare("a", {"size": 5})
        client = world.join()
        assert settings_of(client, client.subscribe("a")).size == 5
        assert settings_of(client, client.subscribe("a", match="prefix")) is DEFAULTS


class TestSubscribing:
    def test_with_a_buffer_gets_it_over_the_channels_default(self, world):
        world.realm.space.tuning.declare("a", {"size": 5, "every": 3})
        client = world.join()
        id = client.subscribe("a", _radiod_buffer={"size": 9})
        assert settings_of(client, id) == BufferSettings(size=9, every=3)

    def test_again_with_another_buffer_retunes_and_without_one_leaves_it(self, world):
        client = world.join()
        id = client.subscribe("a", _radiod_buffer={"size": 9})
        assert client.subscribe("a") == id
        assert settings_of(client, id).size == 9
        assert client.subscribe("a", _radiod_buffer={"every": 2}) == id
        assert settings_of(client, id) == BufferSettings(every=2)

    @pytest.mark.parametrize(
        "wrong", [{"size": -1}, {"sise": 1}, 3, [], "x", {"min_interval": 1e99}], ids=str
    )
    def test_with_a_wrong_one_is_refused_and_subscribes_to_nothing(self, world, wrong):
        client = world.join()
        answer = client.answer(32, {"_radiod_buffer": wrong}, "a")
        assert answer[:2] == [8, 32]
        assert answer[4] == INVALID_ARGUMENT
        assert client.subscriptions == {}

    def test_works_for_patterns(self, world):
        client = world.join()
        id = client.subscribe("a..c", match="wildcard", _radiod_buffer={"latest": True})
        assert settings_of(client, id).latest


class TestTuning:
    def test_answers_with_everything_in_effect(self, world, caller):
        world.realm.space.tuning.declare("a", {"size": 5})
        assert caller.call(TUNE, "a", every=3) == {"channel": "a", **SERVER, "size": 5, "every": 3}
        assert caller.call(TUNE, "a", 7, "skip", 1, 0.5, True, 2, 99) == {
            "channel": "a",
            "size": 7,
            "policy": "skip",
            "every": 1,
            "min_interval": 0.5,
            "latest": True,
            "weight": 2,
            "max_bytes": 99,
        }

    def test_says_all_that_is_wanted_and_does_not_add_to_the_last(self, caller):
        caller.call(TUNE, "a", size=5)
        assert caller.call(TUNE, "a", every=2) == {"channel": "a", **SERVER, "every": 2}
        assert caller.call(TUNE, "a") == {"channel": "a", **SERVER}

    def test_before_subscribing_is_remembered_for_this_session_alone(self, world, caller):
        caller.call(TUNE, "a", size=5)
        assert settings_of(caller, caller.subscribe("a")).size == 5
        other = world.join()
        assert settings_of(other, other.subscribe("a")) is DEFAULTS
        assert world.realm.tuned.get(caller.session, "a")["size"] == 5
        assert world.realm.tuned.get(caller.session, "b") is None
        assert world.realm.tuned.get(other.session, "a") is None
        caller.leave()
        other.leave()
        assert len(world.realm.tuned) == 0

    def test_is_remembered_when_the_session_subscribes_again(self, caller):
        id = caller.subscribe("a")
        caller.call(TUNE, "a", size=5)
        caller.answer(34, id)
        assert settings_of(caller, caller.subscribe("a")).size == 5

    def test_an_option_goes_before_it(self, caller):
        caller.call(TUNE, "a", size=5)
        assert settings_of(caller, caller.subscribe("a", _radiod_buffer={"weight": 3})) == BufferSettings(
            weight=3
        )

    def test_takes_hold_of_every_listener_of_that_name(self, world, caller):
        world.realm.space.tuning.declare("a", {"size": 5})
        exact, prefix = caller.subscribe("a"), caller.subscribe("a", match="prefix")
        other = world.join()
        untouched = other.subscribe("a")
        answer = caller.call(TUNE, "a", every=2)
        assert settings_of(caller, exact) == BufferSettings(size=5, every=2)
        assert settings_of(caller, prefix) == BufferSettings(every=2)
        assert answer["size"] == 5
        assert settings_of(other, untouched) == BufferSettings(size=5)

    @pytest.mark.parametrize("pattern", ["", "a.", "a..c", ".", "wamp.subscription.on_create"])
    def test_takes_whatever_may_be_subscribed_to(self, caller, pattern):
        assert caller.call(TUNE, pattern, size=3)["size"] == 3

    @pytest.mark.parametrize("name", ["a b", "a\n", "a#", "a" * 256, "\x00"], ids=repr)
    def test_names_that_are_none_are_refused(self, caller, name):
        assert caller.call(TUNE, name) == INVALID_URI

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("channel", 3),
            ("size", -1),
            ("size", 10**30),
            ("policy", "drop"),
            ("every", 0),
            ("min_interval", float("nan")),
            ("min_interval", float("-inf")),
            ("latest", "yes"),
            ("weight", 101),
            ("max_bytes", 1 << 22),
            ("color", 1),
        ],
    )
    def test_wrong_arguments_are_refused_and_change_nothing(self, world, caller, name, value):
        id = caller.subscribe("a", _radiod_buffer={"size": 4})
        assert caller.call(TUNE, **{"channel": "a", name: value}) == INVALID_ARGUMENT
        assert settings_of(caller, id).size == 4
        assert len(world.realm.tuned) == 0

    def test_needs_a_channel(self, caller):
        assert caller.call(TUNE) == INVALID_ARGUMENT

    def test_is_remembered_for_so_many_channels(self, caller):
        for n in range(5):
            caller.call(TUNE, f"a{n}", size=3)
        assert caller.call(TUNE, "b", size=3) == QUOTA
        assert caller.call(TUNE, "a0", size=4)["size"] == 4

    @pytest.mark.parametrize("policy", ["wait", "raise"])
    def test_policies_that_hold_publishers_need_a_role_that_may(self, world, policy):
        stranger = world.caller(permissions=Allow(*Action, may_hold_publishers=False))
        assert stranger.call(TUNE, "a", policy=policy) == NOT_AUTHORIZED
        answer = stranger.answer(32, {"_radiod_buffer": {"policy": policy}}, "a")
        assert (answer[0], answer[4]) == (8, NOT_AUTHORIZED)
        assert len(world.realm.tuned) == 0
        assert stranger.subscriptions == {}
        assert stranger.call(TUNE, "a", policy="skip")["policy"] == "skip"

    @pytest.mark.parametrize("policy", ["wait", "raise"])
    def test_a_channel_whose_listeners_hold_publishers_lets_everybody_do_so(self, world, policy):
        world.realm.space.tuning.declare("a", {"policy": policy})
        stranger = world.caller(permissions=Allow(*Action, may_hold_publishers=False))
        assert stranger.call(TUNE, "a", size=3)["policy"] == policy

    def test_a_pattern_that_may_not_have_it_refuses_it_for_all_of_that_name(self, world):
        world.realm.space.tuning.declare("a", {"policy": "wait", "size": 5})
        stranger = world.caller(permissions=Allow(*Action, may_hold_publishers=False))
        exact, prefix = stranger.subscribe("a"), stranger.subscribe("a", match="prefix")
        assert stranger.call(TUNE, "a", policy="wait", size=3) == INVALID_ARGUMENT
        assert len(world.realm.tuned) == 0
        assert settings_of(stranger, exact).size == 5
        assert settings_of(stranger, prefix) is DEFAULTS

    @pytest.mark.parametrize("policy", ["wait", "raise"])
    @pytest.mark.parametrize(("match", "topic"), [("prefix", ""), ("wildcard", "a..")])
    def test_a_pattern_never_holds_publishers(self, caller, match, topic, policy):
        options = {"match": match, "_radiod_buffer": {"policy": policy}}
        answer = caller.answer(32, options, topic)
        assert (answer[0], answer[4]) == (8, INVALID_ARGUMENT)
        assert caller.subscriptions == {}

    def test_of_what_waits_keeps_its_order(self, world, caller):
        publisher = world.join()
        caller.subscribe("a", _radiod_buffer={"min_interval": 1})
        caller.received()
        for n in range(6):
            publisher.request(16, {}, "a", [n])
        assert [event[4] for event in caller.received()] == [[0]]
        assert caller.call(TUNE, "a", min_interval=1, size=3)["size"] == 3
        publisher.request(16, {}, "a", [6])
        heard = []
        for _ in range(3):
            world.clock.advance(1)
            heard += caller.received()
        assert [event[4] for event in heard] == [[4], [5], [6]]
        assert heard[0][3] == {"_lost": 3}


def test_the_default_of_a_channel_ends_with_it(world):
    owner = world.caller()
    owner.call("radiod.channel.create", "a")
    world.realm.space.tuning.declare("a", {"size": 5})
    owner.leave()
    assert world.realm.space.tuning.default("a") is DEFAULTS
