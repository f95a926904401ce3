"""What a name means: to members, to strangers, to visitors without a session, and with a key."""

import pytest
from support.answers import assert_refused
from support.channels import private, publish, samples, subscribe
from support.realms import World

from radiod.core.channels.settings import ChannelSettings
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.rights import Action
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    INVALID_ARGUMENT,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    Refused,
)
from radiod.testing import Allow, make_principal
from radiod.wire.options import SubscribeOptions

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
GET = "radiod.channel.get"
JOIN = "radiod.channel.join"
LEAVE = "radiod.channel.leave"
OPEN = "radiod.channel.open_write"


@pytest.fixture
def owner(world):
    return world.caller("owner")


@pytest.fixture
def lookup(world):
    return world.realm.lookup


class TestPrivate:
    def test_is_a_channel_of_its_own_for_its_members(self, world, owner):
        assert private(owner)["key"] == "secret"
        member, stranger = world.caller(), world.caller()
        assert member.call(JOIN, "a", "secret")["public"] is False
        for client in (member, stranger):
            assert subscribe(client, "a") is None
        assert publish(owner, "a", "private") is None
        assert publish(world.caller(), "a", "public") is None
        assert samples(member) == ["private"]
        assert samples(stranger) == ["public"]

    def test_is_joined_by_using_its_key(self, world, owner):
        private(owner)
        listener, writer = world.caller(), world.caller()
        assert subscribe(listener, "a", _radiod_key="secret") is None
        assert publish(writer, "a", 1, _radiod_key="secret") is None
        assert publish(writer, "a", 2) is None
        assert samples(listener) == [1, 2]

    def test_answers_a_wrong_key_as_an_unknown_name(self, world, owner):
        private(owner)
        stranger = world.caller()
        for name, key in (("a", "wrong"), ("unknown", "secret"), ("unknown", "x")):
            assert stranger.call(JOIN, name, key) == BAD_KEY
            assert subscribe(stranger, name, _radiod_key=key) == BAD_KEY
            assert publish(stranger, name, _radiod_key=key) == BAD_KEY
            assert stranger.call(OPEN, name, key) == BAD_KEY
        assert stranger.session not in world.realm.memberships.by_session

    def test_a_public_channel_has_no_key(self, world, owner):
        owner.call(CREATE, "a")
        assert world.caller().call(JOIN, "a", "secret") == BAD_KEY

    def test_its_key_goes_with_an_exact_name(self, world, owner):
        private(owner)
        assert subscribe(owner, "a", match="prefix", _radiod_key="secret") == INVALID_ARGUMENT

    def test_may_have_a_public_channel_beside_it(self, world, owner):
        private(owner)
        other = world.caller()
        assert other.call(CREATE, "a")["readers"] == 0
        assert owner.call(GET, "a")["public"] is False
        assert other.call(GET, "a")["public"] is True
        assert owner.call(CREATE, "a") == CHANNEL_EXISTS

    def test_of_the_configuration_is_there_for_those_it_names(self, world):
        world.realm.lifecycle.declare(
            "a", ChannelSettings(history=HistoryBounds(size=1, seconds=60.0, bytes=1000)), key="secret"
        )
        member = world.caller(memberships=("a",))
        stranger = world.caller()
        assert subscribe(member, "a") is None
        assert publish(stranger, "a") is None
        assert samples(member) == []
        assert stranger.call(GET, "a") == NO_SUCH_CHANNEL
        assert stranger.call(JOIN, "a", "secret")["name"] == "a"
        assert publish(stranger, "a") is None
        assert samples(member) == ["x"]

    def test_has_plain_listeners_with_its_key_or_by_name(self):
        realm = World(undeclared_topics=False).realm
        realm.lifecycle.declare("a", key="secret")
        realm.gateway.may_listen(make_principal(), "a", "secret")
        realm.gateway.may_listen(make_principal(memberships=("a",)), "a")
        for key, uri in ((None, NO_SUCH_CHANNEL), ("wrong", BAD_KEY)):
            with pytest.raises(Refused) as refusal:
                realm.gateway.may_listen(make_principal(), "a", key)
            assert refusal.value.uri == uri

    def test_a_thousand_probes_leave_no_trace_and_no_answer_but_one(self, world, owner):
        private(owner)
        stranger = world.caller()
        answers = {stranger.call(JOIN, "a", f"guess {n}") for n in range(1_000)}
        assert answers == {BAD_KEY}
        assert stranger.session not in world.realm.memberships.by_session
        assert len(world.realm.channels) == 1

    def test_is_known_to_its_members_by_name(self, world, owner, lookup):
        private(owner)
        member, stranger = owner.session, world.join().session
        channel = world.realm.channels.unlock("a", "secret")
        assert lookup.channel(member, "a") is channel
        assert lookup.known(member, "a") is channel
        assert lookup.channel(stranger, "a") is None
        assert_refused(NO_SUCH_CHANNEL, lookup.known, stranger, "a")
        world.caller().call(CREATE, "a")
        public = world.realm.channels.get("a")
        assert lookup.channel(member, "a") is channel
        assert lookup.channel(stranger, "a") is public

    def test_has_ended_only_for_those_who_knew_it(self, world, owner, lookup):
        key = private(owner)["control_key"]
        member, stranger = owner.session, world.join().session
        owner.call(DELETE, "a", key)
        for function, arguments in (
            (lookup.channel, (stranger, "a", "secret")),
            (lookup.channel, (member, "a")),
            (lookup.topic, (member, "a")),
            (lookup.known, (member, "a")),
            (lookup.controlled, (member, "a", key)),
        ):
            assert_refused(CHANNEL_CLOSED, function, *arguments)
        assert lookup.channel(stranger, "a") is None
        assert_refused(NO_SUCH_CHANNEL, lookup.known, stranger, "a")
        assert_refused(NO_SUCH_CHANNEL, lookup.controlled, stranger, "a", key)


class TestControlled:
    """A control key needs no membership; a wrong one tells what the name alone tells."""

    def test_by_whoever_has_the_key(self, world, owner, lookup):
        control = private(owner)["control_key"]
        stranger = world.join().session
        assert lookup.controlled(stranger, "a", control) is world.realm.channels.unlock("a", "secret")
        assert stranger not in world.realm.memberships.by_session

    def test_a_wrong_key_is_bad_where_there_is_a_channel_of_that_name(self, world, owner, lookup):
        private(owner)
        stranger = world.caller()
        assert_refused(BAD_KEY, lookup.controlled, owner.session, "a", "wrong")
        assert_refused(NO_SUCH_CHANNEL, lookup.controlled, stranger.session, "a", "wrong")
        stranger.call(CREATE, "a")
        assert_refused(BAD_KEY, lookup.controlled, stranger.session, "a", "wrong")

    def test_what_the_configuration_declares_by_nobody(self, world, lookup):
        world.realm.lifecycle.declare("a")
        for key in ("", "None"):
            assert_refused(BAD_KEY, lookup.controlled, world.join().session, "a", key)


class TestVisitors:
    """Who asks without a session is a member of nothing, but of what its principal names."""

    MEMBER = Visitor(1, make_principal(memberships=("a",)))
    STRANGER = Visitor(2, make_principal())

    @pytest.fixture
    def declared(self, world):
        return world.realm.lifecycle.declare("a", key="secret")

    def test_find_what_their_principal_names(self, lookup, declared):
        assert lookup.channel(self.MEMBER, "a") is declared
        assert lookup.topic(self.MEMBER, "a") == declared.topic
        assert lookup.channel(self.STRANGER, "a") is None
        assert lookup.channel(self.MEMBER, "b") is None

    def test_who_know_a_key_become_no_members(self, world, lookup, declared):
        """Nobody would end that."""
        assert lookup.channel(self.STRANGER, "a", "secret") is declared
        assert lookup.channel(self.STRANGER, "a") is None
        assert (declared.members, len(world.realm.memberships)) == ({}, 0)
        assert_refused(BAD_KEY, lookup.channel, self.STRANGER, "a", "wrong")

    def test_a_session_that_has_left_becomes_none_neither(self, world, lookup, declared):
        client = world.join()
        client.leave()
        assert lookup.channel(client.session, "a", "secret") is declared
        assert (declared.members, len(world.realm.memberships)) == ({}, 0)

    def test_know_of_what_their_permissions_show(self, world, lookup, declared):
        public = world.realm.lifecycle.declare("b")
        assert lookup.known(None, "b") is lookup.known(None, "b", Allow(*Action)) is public
        assert_refused(NO_SUCH_CHANNEL, lookup.known, None, "b", Allow(*Action, hidden=["b"]))
        assert_refused(NO_SUCH_CHANNEL, lookup.known, None, "a")


class TestKnown:
    BLIND = Allow(*Action, hidden=["a"])

    def test_what_is_hidden_was_never_there(self, world, owner, lookup):
        blind, seeing = world.caller(permissions=self.BLIND), world.caller()
        control = owner.call(CREATE, "a")["control_key"]
        assert_refused(NO_SUCH_CHANNEL, lookup.known, blind.session, "a")
        assert lookup.known(seeing.session, "a").name == "a"
        owner.call(DELETE, "a", control)
        assert_refused(NO_SUCH_CHANNEL, lookup.known, blind.session, "a")
        assert_refused(CHANNEL_CLOSED, lookup.known, seeing.session, "a")

    def test_its_members_know_of_a_private_one_whatever_hides_the_name(self, world, owner, lookup):
        control = private(owner)["control_key"]
        blind = world.caller(permissions=self.BLIND)
        blind.call(JOIN, "a", "secret")
        assert lookup.known(blind.session, "a") is world.realm.channels.unlock("a", "secret")
        owner.call(DELETE, "a", control)
        assert_refused(CHANNEL_CLOSED, lookup.known, blind.session, "a")
        blind.call(LEAVE, "a")
        assert_refused(NO_SUCH_CHANNEL, lookup.known, blind.session, "a")

    def test_a_session_brings_its_own_permissions(self, world, lookup):
        world.realm.lifecycle.declare("a")
        session = world.caller(permissions=self.BLIND).session
        assert_refused(NO_SUCH_CHANNEL, lookup.known, session, "a", Allow(*Action))


class TestSpaces:
    def space_for(self, world, client, topic, **options):
        return world.realm.lookup.space_for(client.session, topic, SubscribeOptions(**options))

    def test_of_a_private_channel_are_for_its_members_and_for_exact_names(self, world, owner):
        private(owner)
        stranger = world.caller()
        own = world.realm.channels.unlock("a", "secret").space
        public = world.realm.space
        assert self.space_for(world, owner, "a") is own
        assert self.space_for(world, owner, "a", match="prefix") is public
        assert self.space_for(world, owner, "b") is public
        assert self.space_for(world, stranger, "a") is public
        assert self.space_for(world, stranger, "a", key="secret") is own
        assert self.space_for(world, stranger, "a") is own

    def test_of_who_listens_is_that_of_the_channel(self, world, owner):
        private(owner)
        own = world.realm.channels.unlock("a", "secret").space
        assert self.space_for(world, owner, "radiod.presence.a") is own
        stranger = world.caller()
        assert self.space_for(world, stranger, "radiod.presence.a") is world.realm.space
        assert self.space_for(world, stranger, "radiod.presence.a", key="secret") is own

    def test_of_who_listens_is_for_those_who_may(self, world):
        blind = world.caller(permissions=Allow(*Action, hidden=["a"]))
        assert_refused(NOT_AUTHORIZED, self.space_for, world, blind, "radiod.presence.a")
        assert self.space_for(world, blind, "radiod.presence.b") is world.realm.space

    def test_of_the_routers_own_topics_is_open_where_only_channels_may_be_used(self):
        world = World(undeclared_topics=False)
        client = world.caller()
        assert self.space_for(world, client, "wamp.session.on_join") is world.realm.space
        assert_refused(NO_SUCH_CHANNEL, self.space_for, world, client, "a")
        assert_refused(NO_SUCH_CHANNEL, self.space_for, world, client, "radiod.presence.a")

    def test_a_key_goes_with_an_exact_name(self, world, owner):
        private(owner)
        assert_refused(INVALID_ARGUMENT, self.space_for, world, owner, "a", match="wildcard", key="secret")

    def test_that_a_session_knows_are_those_it_is_in(self, world, owner, lookup):
        """Asking is never an error, and joins nothing."""
        control = private(owner)["control_key"]
        own = world.realm.channels.unlock("a", "secret").space
        public = world.realm.space
        stranger = world.caller()
        assert lookup.space_known_to(owner.session, "a") is own
        assert lookup.space_known_to(owner.session, "b") is public
        assert lookup.space_known_to(stranger.session, "a") is public
        owner.call(DELETE, "a", control)
        assert lookup.space_known_to(owner.session, "a") is public
        assert list(world.realm.memberships.of(owner.session)) == ["a"]
        assert world.realm.memberships.of(stranger.session) == {}
