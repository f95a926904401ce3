"""What is told of channels: to members, to those who may know of them, and to stewards."""

import json

import pytest
from support.channels import private, publish, subscribe

from radiod.core.channels.descriptions import DESCRIBED_IN_A_STEP
from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.promises import Promise
from radiod.core.rights import Action
from radiod.core.slices import SLICE_S
from radiod.errors import CHANNEL_CLOSED, NO_SUCH_CHANNEL, Refused
from radiod.testing import Allow

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
GET = "radiod.channel.get"
LIST = "radiod.channel.list"
OPEN = "radiod.channel.open_write"


@pytest.fixture
def owner(world):
    return world.caller("owner")


@pytest.fixture
def descriptions(world):
    return world.realm.descriptions


def names(page):
    return [json.loads(bytes(told))["name"] for told in page["channels"]]


class TestOne:
    def test_is_described_to_members_only(self, world, owner):
        private(owner)
        publish(owner, "a")
        description = owner.call(GET, "a")
        assert description == {
            "name": "a", "public": False, "readers": 0, "writers": 1, "events": 1, "expires": None,
            "position": None,
        }  # fmt: skip
        assert world.caller().call(GET, "a") == NO_SUCH_CHANNEL
        assert owner.call(LIST)["channels"] == []

    def test_counts_readers_writers_and_events(self, world, owner, descriptions):
        owner.call(CREATE, "a", lifetime=60)
        other = world.caller()
        other.call(OPEN, "a")
        other.subscribe("a")
        other.subscribe("", match="prefix")
        publish(owner, "a")
        assert descriptions.get(None, "a") == {
            "name": "a", "public": True, "readers": 2, "writers": 2, "events": 1,
            "expires": world.clock.time() + 60, "position": None,
        }  # fmt: skip

    def test_says_where_its_history_is(self, world, owner, descriptions):
        owner.call(CREATE, "a", history={"size": 2})
        epoch, _, number = descriptions.get(None, "a")["position"].partition(":")
        assert number == "0"
        for _ in range(3):
            publish(owner, "a")
        assert descriptions.get(None, "a")["position"] == f"{epoch}:3"

    def test_topics_that_count_their_events_have_one(self, world, owner, descriptions):
        world.realm.space.histories.keep("weather..harbour", HistoryBounds(size=2, seconds=60, bytes=1000))
        listener = world.caller()
        subscribe(listener, "counted", _radiod_position=True)
        for topic in ("weather.north.harbour", "counted"):
            told = owner.call(GET, topic)
            epoch, _, number = told.pop("position").partition(":")
            assert epoch
            assert number == "0"
            assert told == {
                "name": topic, "public": True, "readers": int(topic == "counted"), "writers": 0, "events": 0,
                "expires": None,
            }  # fmt: skip
            publish(owner, topic)
            told = descriptions.get(None, topic)
            assert (told["events"], told["position"]) == (1, f"{epoch}:1")

    def test_whoever_may_not_see_a_topic_learns_of_no_count(self, world):
        subscribe(world.caller(), "counted", _radiod_position=True)
        assert (
            world.caller(permissions=Allow(Action.CALL, hidden=["counted"])).call(GET, "counted")
            == NO_SUCH_CHANNEL
        )

    def test_says_whether_there_was_one(self, owner, descriptions):
        owner.call(DELETE, "a", owner.call(CREATE, "a")["control_key"])
        for name, uri in (("a", CHANNEL_CLOSED), ("b", NO_SUCH_CHANNEL)):
            with pytest.raises(Refused) as refusal:
                descriptions.get(None, name)
            assert refusal.value.uri == uri

    def test_whose_it_is_is_told_to_stewards_only(self, world, owner, descriptions):
        owner.call(CREATE, "a", on_owner_leave="keep")
        world.realm.lifecycle.declare("configured")
        steward = world.caller(permissions=Allow(*Action, is_steward=True))
        assert "owner" not in descriptions.get(owner.session, "a")
        assert "owner" not in descriptions.get(None, "a", steward.session.principal.permissions)
        assert descriptions.get(steward.session, "configured")["owner"] is None
        told = {"session": owner.id, "authid": None, "authrole": "tester"}
        assert descriptions.get(steward.session, "a")["owner"] == told
        owner.leave()
        assert descriptions.get(steward.session, "a")["owner"] == {**told, "session": None}

    def test_a_private_one_has_no_owner_that_is_told(self, world):
        steward = world.caller(permissions=Allow(*Action, is_steward=True))
        private(steward)
        assert "owner" not in steward.call(GET, "a")


class TestPages:
    def test_end_where_there_are_no_more(self, world, descriptions):
        assert descriptions.page() == {"channels": [], "next": None}
        for name in "cab":
            world.realm.lifecycle.declare(name)
        first = descriptions.page(limit=2)
        assert (names(first), first["next"]) == (["a", "b"], "b")
        rest = descriptions.page(limit=2, after="b")
        assert (names(rest), rest["next"]) == (["c"], None)
        whole = descriptions.page(limit=3)
        assert (names(whole), whole["next"]) == (["a", "b", "c"], None)

    def test_hold_what_begins_so(self, world, descriptions):
        for name in ("a", "b.x", "b.y", "c"):
            world.realm.lifecycle.declare(name)
        page = descriptions.page("b.")
        assert (names(page), page["next"]) == (["b.x", "b.y"], None)

    @pytest.mark.parametrize("count", [DESCRIBED_IN_A_STEP - 1, DESCRIBED_IN_A_STEP, DESCRIBED_IN_A_STEP + 1])
    def test_go_on_behind_what_is_hidden(self, world, descriptions, count):
        hidden = [f"b{number:02}" for number in range(count)]
        for name in ("a", *hidden, "c"):
            world.realm.lifecycle.declare(name)
        blind = Allow(*Action, hidden=hidden)
        page = descriptions.page(limit=1, permissions=blind)
        assert (names(page), page["next"]) == (["a"], "a")
        page = descriptions.page(limit=1, after="a", permissions=blind)
        assert (names(page), page["next"]) == (["c"], None)

    def test_tell_owners_if_asked(self, world, owner, descriptions):
        owner.call(CREATE, "a")
        world.realm.lifecycle.declare(
            "b", ChannelSettings(history=HistoryBounds(size=1, seconds=1, bytes=999))
        )
        page = descriptions.page(with_owners=True)
        told = [json.loads(bytes(one))["owner"] for one in page["channels"]]
        assert told == [{"session": owner.id, "authid": None, "authrole": "tester"}, None]

    def test_that_are_long_come_later_and_in_one_piece(self, world, descriptions):
        for number in range(30):
            world.realm.lifecycle.declare(f"c{number:02}")
        world.clock.look_s = SLICE_S
        later = descriptions.page()
        assert isinstance(later, Promise)
        world.clock.look_s = 0
        pages = []
        later.then(pages.append)
        world.clock.advance(1)
        assert names(pages[0]) == [f"c{number:02}" for number in range(30)]
