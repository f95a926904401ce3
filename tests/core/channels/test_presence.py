"""Presence: who listens to a channel, told by topics and asked for."""

import pytest
from support.channels import (
    EVENT,
    SUBSCRIBED,
    private,
    samples,
    subscribe,
)

from radiod.core.channels.settings import ChannelSettings
from radiod.core.rights import Action
from radiod.core.slices import SLICE_S
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_CHANNEL, NOT_AUTHORIZED
from radiod.testing import Allow

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"


@pytest.fixture
def owner(world):
    return world.caller("owner")


class TestPresence:
    TOPIC = "radiod.presence.a"

    @pytest.fixture
    def watcher(self, world, owner):
        owner.call(CREATE, "a", presence=True)
        watcher = world.caller("watcher")
        watcher.subscribe(self.TOPIC)
        return watcher

    def test_is_told_in_slices_where_it_is_much(self, world, owner):
        for number in range(9):
            owner.call(CREATE, f"c.{number}", presence=True)
            world.caller("ann").subscribe(f"c.{number}")
        late = world.caller("late")
        world.clock.look_s = SLICE_S
        late.request(32, {"match": "prefix", "get_retained": True}, "radiod.presence.c.")
        subscription, *events = late.received()
        assert 0 < len(events) < 9
        world.clock.advance(SLICE_S)
        assert 0 < len(late.received()) < 9
        late.request(34, subscription[2])
        late.received()
        world.clock.advance(1)
        assert late.received() == []

    def test_tells_of_persons_and_their_sessions(self, world, watcher):
        tabs = [world.caller("ann"), world.caller("ann")]
        for tab in tabs:
            tab.subscribe("a")
        for tab in tabs:
            tab.leave()
        assert [list(event.values()) for event in samples(watcher)] == [
            ["a", "join", "ann", 1, 1, 1],
            ["a", "change", "ann", 2, 1, 2],
            ["a", "change", "ann", 1, 1, 1],
            ["a", "leave", "ann", 0, 0, 0],
        ]

    def test_counts_a_session_once(self, world, watcher):
        ann = world.caller("ann")
        ann.subscribe("a")
        ann.subscribe("a")
        ann.subscribe("", match="prefix")
        assert len(samples(watcher)) == 1

    def test_late_joiners_get_all_of_it(self, world, watcher):
        ann = world.caller("ann")
        id = ann.subscribe("a")
        late = world.caller()
        late.request(32, {"get_retained": True}, self.TOPIC)
        everybody = {"users": {"ann": 1}, "count": 1, "total": 1, "next": None}
        messages = late.received()
        assert [message[0] for message in messages] == [SUBSCRIBED, EVENT]
        assert messages[1][3] == {"retained": True}
        assert messages[1][4] == [{"name": "a", **everybody}]
        assert late.call("radiod.presence.get", "a") == {"name": "a", **everybody}
        ann.request(34, id)
        assert late.call("radiod.presence.get", "a")["users"] == {}

    def test_a_pattern_gets_the_state_of_every_channel_it_covers(self, world, watcher):
        world.realm.presence.show_matching(("doc.*",))
        for topic in ("a", "doc.1", "doc.2", "other"):
            world.caller("ann").subscribe(topic)
        late = world.caller()
        late.request(32, {"get_retained": True, "match": "prefix"}, "radiod.presence.doc.")
        assert [state["name"] for state in samples(late)] == ["doc.1", "doc.2"]
        world.caller("bob").subscribe("doc.1")
        assert [event["authid"] for event in samples(late)] == ["bob"]

    def test_is_off_unless_asked_for(self, world, owner):
        owner.call(CREATE, "a")
        watcher = world.caller()
        watcher.subscribe(self.TOPIC)
        world.caller().subscribe("a")
        assert samples(watcher) == []
        assert watcher.call("radiod.presence.get", "a") == NO_SUCH_CHANNEL
        assert watcher.call("radiod.presence.get", "unknown") == NO_SUCH_CHANNEL

    def test_is_for_those_who_may_listen(self, world, watcher):
        class NotToA(Allow):
            def allows(self, action, uri):
                return uri != "a" and super().allows(action, uri)

            def hides(self, topic):
                return not self.allows(Action.SUBSCRIBE, topic)

        curious = world.caller(permissions=NotToA(*Action))
        assert subscribe(curious, self.TOPIC) == NOT_AUTHORIZED
        assert curious.call("radiod.presence.get", "a") == NOT_AUTHORIZED
        curious.subscribe("radiod.presence.", match="prefix", get_retained=True)
        world.caller("ann").subscribe("a")
        assert samples(curious) == []
        curious.subscribe("radiod.presence", match="prefix", get_retained=True)
        assert samples(curious) == []
        assert len(samples(watcher)) == 1

    def test_of_a_private_channel_is_its_members_affair(self, world, owner):
        private(owner, presence=True)
        stranger = world.caller()
        stranger.subscribe(self.TOPIC)
        stranger.subscribe("radiod.presence.", match="prefix")
        owner.subscribe(self.TOPIC)
        stranger.received()
        member = world.caller("ann")
        member.subscribe("a", _radiod_key="secret")
        assert samples(stranger) == []
        assert [event["authid"] for event in samples(owner)] == ["ann"]
        assert owner.call("radiod.presence.get", "a")["users"] == {"ann": 1}
        assert stranger.call("radiod.presence.get", "a") == NO_SUCH_CHANNEL

    def test_counts_those_who_listened_before_the_channel_was_opened(self, world, owner):
        ann, bob = world.caller("ann"), world.caller("bob")
        for client in (ann, bob):
            client.subscribe("a")
        control = owner.call(CREATE, "a", presence=True)["control_key"]
        get = owner.call("radiod.presence.get", "a")
        assert get["users"] == {"ann": 1, "bob": 1}
        owner.call(DELETE, "a", control)
        ann.leave()
        owner.call(CREATE, "a", presence=True)
        assert owner.call("radiod.presence.get", "a")["users"] == {"bob": 1}

    def test_of_a_pattern_holds_for_channels_created_under_it(self, world, owner):
        world.realm.presence.show_matching(("doc.*",))
        owner.call(CREATE, "doc.1")
        private(owner, "doc.2")
        owner.subscribe("doc.1")
        owner.subscribe("doc.2")
        assert owner.call("radiod.presence.get", "doc.1")["count"] == 1
        assert owner.call("radiod.presence.get", "doc.2") == NO_SUCH_CHANNEL

    def test_of_a_declared_channel(self, world):
        world.realm.lifecycle.declare("a", ChannelSettings(presence=True))
        client = world.caller("ann")
        client.subscribe("a")
        assert client.call("radiod.presence.get", name="a", limit=1)["users"] == {"ann": 1}

    @pytest.mark.parametrize("limit", [0, 1001, None, True, 1.5, "1"])
    def test_comes_in_pages(self, world, watcher, limit):
        for authid in ("ann", "bob"):
            world.caller(authid).subscribe("a")
        page = watcher.call("radiod.presence.get", "a", 1)
        assert (page["users"], page["next"], page["count"]) == ({"ann": 1}, "ann", 2)
        assert watcher.call("radiod.presence.get", "a", 1, "ann")["users"] == {"bob": 1}
        assert watcher.call("radiod.presence.get", "a", limit) == INVALID_ARGUMENT
