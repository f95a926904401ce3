"""What may be asked of a realm without a session that speaks WAMP."""

import pytest
from support.answers import assert_refused, assert_silent
from support.realms import NO, YES, Slow, World

from radiod.core.channels.settings import NO_RULES, ChannelSettings
from radiod.core.disclosure import Visitor
from radiod.core.holders import Account, Holder
from radiod.core.limits import Limits
from radiod.core.procedures.dispatch import FOR_SESSIONS
from radiod.core.rights import Action, Disclose, Verdict
from radiod.core.rpc.router_calls import CallFailed
from radiod.errors import (
    AUTHORIZATION_FAILED,
    BAD_KEY,
    CANCELED,
    CHANNEL_CLOSED,
    FEATURE_NOT_SUPPORTED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    QUOTA,
    TIMEOUT,
    NoAccess,
    Refused,
)
from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
    make_principal,
    make_realm,
)
from radiod.wire.codecs import CBOR, JSON, Payload
from radiod.wire.options import CallOptions, PublishOptions, SubscribeOptions

INVALID_URIS = ["", "a..b", "a b", ".a", "a.", "a#b", "a\n", "x" * 256]
RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]


class TestPublish:
    def test_from_outside_a_session_tells_how_many_listened(self, world, alice):
        alice.ask(32, 1, {}, "a")
        outsider = make_realm().join(make_principal(), None)
        publication = world.realm.gateway.publish(outsider, "a", Payload.of("data"))
        assert publication.readers == 1
        assert alice.received() == [[36, 1, publication.id, {}, ["data"]]]
        assert world.realm.gateway.publish(outsider, "b", Payload.of(), PublishOptions()).readers == 0

    @pytest.fixture
    def slow(self):
        return Slow(*Action)

    @pytest.fixture
    def late(self, world, slow):
        return world.join("late", permissions=slow)

    def test_needs_a_right_that_is_known_at_once(self, world, slow, late):
        assert_refused(AUTHORIZATION_FAILED, world.realm.gateway.publish, late.session, "a", Payload.of())
        nobody = world.join(permissions=ALLOW_NONE)
        assert_refused(NOT_AUTHORIZED, world.realm.gateway.publish, nobody.session, "a", Payload.of())


class TestListen:
    def test_may_be_asked_about_beforehand(self, world):
        world.realm.gateway.may_listen(make_principal(), "a")
        world.realm.gateway.may_listen(make_principal(), "radiod.channel.on_create")
        assert_refused(
            NOT_AUTHORIZED, world.realm.gateway.may_listen, make_principal(permissions=ALLOW_NONE), "a"
        )
        assert_refused(INVALID_URI, world.realm.gateway.may_listen, make_principal(), "a..b")
        world.realm.gateway.may_listen(make_principal(), "wamp.session.on_join")
        assert len(world.realm.space.broker) == 0

    @pytest.mark.parametrize(
        ("outcome", "uri"),
        [(YES, None), (NO, NOT_AUTHORIZED), (Refused(AUTHORIZATION_FAILED, ""), AUTHORIZATION_FAILED)],
        ids=["allowed", "refused", "unknown"],
    )
    def test_whether_it_is_allowed_may_be_known_later(self, world, outcome, uri):
        rights, seen = Slow(Action.SUBSCRIBE), []
        world.realm.gateway.may_listen(make_principal(permissions=rights), "a").then(seen.append)
        assert seen == []
        rights.settle(outcome)
        assert [getattr(one, "uri", None) for one in seen] == [uri]

    def test_a_channel_that_ends_during_the_decision_is_not_listened_to(self, world, alice):
        world.realm.channels.create("a", ChannelSettings(lifetime=10))
        rights, seen = Slow(Action.SUBSCRIBE), []
        world.realm.gateway.may_listen(make_principal(permissions=rights), "a").then(seen.append)
        world.clock.advance(11)
        rights.settle()
        assert [error.uri for error in seen] == [CHANNEL_CLOSED]

    def test_from_outside_a_message_is_told_to_nobody(self, world, alice):
        world.realm.gateway.listen(alice.session, "a")
        assert [listener.subscription.topic for listener in alice.subscriptions.values()] == ["a"]
        assert_silent(alice)

    def test_to_a_pattern_needs_the_right_to_all_of_it(self, world):
        gateway = world.realm.gateway
        assert gateway.may_listen(make_principal(), "a.", None, "prefix") is world.realm.space
        assert_refused(INVALID_URI, gateway.may_listen, make_principal(), "a b", None, "prefix")
        assert_refused(INVALID_ARGUMENT, gateway.may_listen, make_principal(), "a.", "key", "prefix")

    def test_ends_one_by_one_and_with_the_session(self, world):
        gateway, broker = world.realm.gateway, world.realm.space.broker
        session = gateway.join(make_principal(), None)
        first, second = (gateway.listen(session, topic) for topic in "ab")
        assert (first.subscription.topic, first.session) == ("a", session)
        gateway.ignore(session, first.subscription.id)
        gateway.ignore(session, first.subscription.id)
        assert broker.of(session) == [second.subscription]
        gateway.leave(session)
        gateway.leave(session)
        assert (len(broker), session.is_open) == (0, False)

    def test_with_a_buffer_that_can_be_checked_beforehand(self, world):
        world.realm.gateway.check_buffer({"size": 5})
        assert_refused(INVALID_ARGUMENT, world.realm.gateway.check_buffer, {"size": -1})


class TestChannelsFromOutside:
    def test_have_no_owner_but_a_key(self, world, alice):
        channel, control_key = world.realm.channels.create("a", ChannelSettings(on_owner_leave="delete"))
        alice.leave()
        assert world.realm.descriptions.get(None, "a")["readers"] == 0
        assert world.realm.channels.controlled("a", control_key) is channel

    def test_are_listed_a_hundred_at_a_time(self, world):
        for n in range(101):
            world.realm.channels.create(f"c{n:03}", NO_RULES)
        page = world.realm.descriptions.page()
        assert (len(page["channels"]), page["next"]) == (100, "c099")


class TestVisitors:
    """Those who never join a session."""

    @pytest.fixture
    def visitor(self):
        return Visitor(99, make_principal("key", "writer"))

    @pytest.fixture
    def private(self, world):
        return world.realm.lifecycle.declare("p", key="secret")

    def test_have_counted_what_they_are_told_of_the_past(self, world, visitor):
        world.realm.gateway.retold(visitor, "a", 3, 30)
        line = world.realm.ledger.line(None, "a")
        assert (line.delivered, line.bytes_out) == (3, 30)

    def test_publish_under_their_own_name(self, world, visitor, alice):
        alice.subscribe("a")
        world.realm.gateway.publish(visitor, "a", Payload.of(1), PublishOptions(disclose_me=True))
        identity = {"publisher": 99, "publisher_authid": "key", "publisher_authrole": "writer"}
        assert alice.received()[0][3:] == [identity, [1]]

    @pytest.mark.parametrize("topic", INVALID_URIS + RESERVED)
    def test_publish_on_no_topic_that_sessions_may_not(self, world, visitor, topic):
        assert_refused(INVALID_URI, world.realm.gateway.publish, visitor, topic, Payload.of())

    def test_are_asked_for_their_right_once(self, world):
        rights = Slow()
        visitor = Visitor(99, make_principal(permissions=rights))
        verdict = world.realm.gateway.may_publish(visitor, "a")
        assert verdict is YES
        world.realm.gateway.publish(visitor, "a", Payload.of(), PublishOptions(), verdict)
        assert rights.asked == [(Action.PUBLISH, "a")]
        world.realm.gateway.publish(visitor, "b", Payload.of())
        assert rights.asked[1:] == [(Action.PUBLISH, "b")]

    def test_who_may_not_publish_learn_it_beforehand(self, world):
        visitor = Visitor(99, make_principal(permissions=ALLOW_NONE))
        assert_refused(NOT_AUTHORIZED, world.realm.gateway.may_publish, visitor, "a")
        assert_refused(INVALID_URI, world.realm.gateway.may_publish, visitor, "a b")

    def test_are_counted_where_they_meet_a_bound(self, visitor):
        world = World(limits=Limits(max_retained_topics=0))
        retain = PublishOptions(retain=True)
        assert_refused(QUOTA, world.realm.gateway.publish, visitor, "a", Payload.of(), retain)
        assert world.realm.bounds.counts == {"quota": 1}

    def test_use_private_channels_with_the_key_and_are_no_members(self, world, visitor, private):
        gateway = world.realm.gateway
        member = world.join()
        member.request(32, {"_radiod_key": "secret"}, "p")
        member.received()
        told = gateway.publish(visitor, "p", Payload.of(1), PublishOptions(key="secret"))
        assert told.readers == 1
        assert member.received()[0][4] == [1]
        assert gateway.publish(visitor, "p", Payload.of(2)).readers == 0
        assert_refused(BAD_KEY, gateway.publish, visitor, "p", Payload.of(), PublishOptions(key="wrong"))
        assert list(private.members) == [member.session]
        assert len(world.realm.memberships) == 1

    def test_may_listen_where_their_key_fits(self, world, visitor, private):
        gateway, principal = world.realm.gateway, visitor.principal
        assert gateway.may_listen(principal, "p", "secret") is private.space
        assert gateway.may_listen(principal, "p") is world.realm.space
        assert_refused(BAD_KEY, gateway.may_listen, principal, "p", "wrong")
        assert len(world.realm.memberships) == 0

    def test_may_try_a_key(self, world, private):
        gateway = world.realm.gateway
        assert [gateway.fits("p", key) for key in ("secret", "wrong")] == [True, False]
        assert not gateway.fits("public", "secret")
        # One that has ended is no reason to take the name for another one's.
        world.realm.channels.create("q", ChannelSettings(lifetime=10), key="k")
        world.clock.advance(11)
        assert gateway.fits("q", "k")

    def test_may_listen_to_what_the_configuration_made_them_members_of(self, world, private):
        principal = make_principal(memberships=("p",))
        assert world.realm.gateway.may_listen(principal, "p") is private.space


class TestListening:
    def test_is_told_to_others_once(self, world, alice):
        watcher = world.watch("wamp.subscription.on_subscribe")
        for _ in range(2):
            world.realm.gateway.listen(alice.session, "a")
        (subscription,) = alice.subscriptions
        assert watcher.told() == [("wamp.subscription.on_subscribe", alice.id, subscription)]

    def test_gets_the_buffer_that_was_asked_for(self, world, alice):
        world.realm.gateway.listen(alice.session, "a", SubscribeOptions(buffer={"size": 3}))
        (listener,) = alice.subscriptions.values()
        assert listener.settings.size == 3

    def test_that_is_refused_leaves_nothing(self, world, alice):
        wrong = SubscribeOptions(buffer={"size": -1})
        assert_refused(INVALID_ARGUMENT, world.realm.gateway.listen, alice.session, "a", wrong)
        assert alice.subscriptions == {}


def names(page):
    return [JSON.load(bytes(one))["name"] for one in page["channels"]]


class TestLooking:
    @pytest.fixture(autouse=True)
    def channels(self, world):
        for name in ("a.open", "a.secret", "b"):
            world.realm.lifecycle.declare(name)

    def test_at_one_channel(self, world):
        described = world.realm.gateway.describe("b", None)
        assert described == world.realm.descriptions.get(None, "b")
        assert_refused(NO_SUCH_CHANNEL, world.realm.gateway.describe, "c", None)

    def test_at_many_page_by_page(self, world):
        gateway = world.realm.gateway
        page = gateway.page("a.", 1, None, None)
        assert names(page) == ["a.open"]
        page = gateway.page("a.", 1, page["next"], None)
        assert names(page) == ["a.secret"]
        assert page["next"] is None

    def test_shows_nothing_that_permissions_hide(self, world):
        rights = Allow(*Action, hidden=["a.secret"])
        assert_refused(NO_SUCH_CHANNEL, world.realm.gateway.describe, "a.secret", rights)
        page = world.realm.gateway.page("", 9, None, rights)
        assert names(page) == ["a.open", "b"]


class TestCalling:
    @pytest.fixture
    def callee(self, world):
        callee = world.join("callee", codec=CBOR)
        callee.register("p")
        return callee

    def call(self, world, procedure="p", permissions=ALLOW_ALL, **options):
        """Returns: what the call has come to by now, and what it will."""
        caller = Visitor(99, make_principal("key", "writer", permissions))
        outcomes = []
        made = world.realm.gateway.call(caller, procedure, Payload.of(1), CallOptions(**options))
        made.outcome.then(outcomes.append)
        return outcomes

    def test_comes_to_the_whole_result(self, world, callee):
        outcomes = self.call(world)
        assert callee.received()[0][3:] == [{}, [1]]
        assert outcomes == []
        callee.send(70, 1, {}, [1, 2], {"k": b"\x00"})
        assert outcomes[0].values() == ([1, 2], {"k": b"\x00"})

    def test_comes_to_the_error_with_all_that_came_with_it(self, world, callee):
        outcomes = self.call(world)
        callee.send(8, 68, 1, {}, "an.error", ["why"], {"k": 1})
        assert isinstance(outcomes[0], CallFailed)
        assert outcomes[0].uri == "an.error"
        assert outcomes[0].payload.values() == (["why"], {"k": 1})

    def test_of_what_nobody_has_registered_is_refused(self, world):
        (refusal,) = self.call(world)
        assert refusal.uri == NO_SUCH_PROCEDURE

    @pytest.mark.parametrize("procedure", ["a b", ""])
    def test_of_what_is_no_clients_procedure_is_refused_at_once(self, world, procedure):
        assert_refused(INVALID_URI, self.call, world, procedure)

    def test_needs_the_right_which_may_come_later(self, world, callee):
        assert_refused(NOT_AUTHORIZED, self.call, world, permissions=ALLOW_NONE)
        slow = Slow(Action.CALL)
        for verdict, uri in ((NO, NOT_AUTHORIZED), (Refused(AUTHORIZATION_FAILED, ""), AUTHORIZATION_FAILED)):
            outcomes = self.call(world, permissions=slow)
            slow.settle(verdict)
            assert outcomes[0].uri == uri
        assert_silent(callee)
        outcomes = self.call(world, permissions=slow)
        assert_silent(callee)
        slow.settle()
        callee.send(70, callee.received()[0][1], {}, ["late"])
        assert outcomes[0].values() == (["late"], {})

    def test_tells_who_calls_if_that_is_asked_for(self, world, callee):
        for is_asked in (False, True):
            self.call(world, disclose_me=is_asked)
        identity = {"caller": 99, "caller_authid": "key", "caller_authrole": "writer"}
        assert [message[3] for message in callee.received()] == [{}, identity]

    def test_tells_who_calls_if_the_callee_wants_that_and_the_caller_may_be_named(self, world):
        callee = world.join("callee")
        callee.register("q", disclose_caller=True)
        slow = Slow(Action.CALL)
        for disclose in (Disclose.ASKED, Disclose.NEVER):
            self.call(world, "q", slow)
            slow.settle(Verdict(is_allowed=True, disclose=disclose))
        identity = {"caller": 99, "caller_authid": "key", "caller_authrole": "writer"}
        assert [message[3] for message in callee.received()] == [identity, {}]

    def test_ends_in_its_time(self, world, callee):
        outcomes = self.call(world, timeout=1500)
        world.clock.advance(1.4)
        assert outcomes == []
        world.clock.advance(0.1)
        assert outcomes[0].uri == TIMEOUT


class TestCallingTheRouter:
    def call(self, world, procedure, *args, permissions=ALLOW_ALL, **kwargs):
        """What a call comes to at once."""
        caller = Visitor(99, make_principal("key", "writer", permissions))
        outcome = world.realm.gateway.call(caller, procedure, Payload.of(*args, **kwargs)).outcome
        return outcome.values()

    def test_is_answered_as_a_session_would_be(self, world):
        world.join("somebody")
        assert self.call(world, "radiod.echo", 1, k=2) == ([1], {"k": 2})
        assert self.call(world, "wamp.session.count") == ([1], {})
        assert self.call(world, "radiod.channel.list", prefix="no")[0] == [{"channels": [], "next": None}]

    def test_needs_the_right(self, world):
        assert_refused(NOT_AUTHORIZED, self.call, world, "radiod.echo", permissions=ALLOW_NONE)

    def test_refuses_what_only_a_session_can_hold(self, world):
        for procedure in FOR_SESSIONS:
            assert procedure in world.realm.procedures.table
            assert_refused(FEATURE_NOT_SUPPORTED, self.call, world, procedure, "x", "y", {})

    def test_shows_what_the_caller_may_know(self, world):
        callee = world.join("callee")
        callee.register("p")
        rights = Allow(*Action, hidden=["p"])
        assert len(self.call(world, "wamp.registration.list")[0][0]["exact"]) == 1
        assert self.call(world, "wamp.registration.list", permissions=rights)[0][0]["exact"] == []

    def test_nothing_of_the_caller_remains(self, world):
        for procedure, args in (("radiod.channel.get", ["no"]), ("radiod.channel.delete", ["no"])):
            with pytest.raises(Refused):
                self.call(world, procedure, *args)
        assert world.realm.sessions == {}
        assert world.realm.memberships.by_session == {}


class TestProgress:
    @pytest.fixture
    def callee(self, world):
        callee = world.join("callee", features="callee.progressive_call_results callee.call_canceling")
        callee.register("p")
        return callee

    def call(self, world, heard):
        caller = Visitor(99, make_principal("key", "writer", ALLOW_ALL))
        made = world.realm.gateway.call(
            caller, "p", Payload.of(), on_progress=lambda payload: heard.append(payload.values()[0])
        )
        made.outcome.then(heard.append)
        return made

    def test_is_passed_on_as_it_comes(self, world, callee):
        heard = []
        self.call(world, heard)
        assert callee.received()[0][3] == {"receive_progress": True}
        callee.send(70, 1, {"progress": True}, [1])
        callee.send(70, 1, {"progress": True}, [2])
        assert heard == [[1], [2]]
        callee.send(70, 1, {}, [3])
        assert heard[2].values()[0] == [3]

    def test_a_caller_that_gives_up_has_the_callee_told(self, world, callee):
        heard = []
        made = self.call(world, heard)
        callee.received()
        made.cancel()
        made.cancel()
        assert callee.received() == [[69, 1, {"mode": "kill", "reason": CANCELED}]]
        callee.send(8, 68, 1, {}, CANCELED)
        assert heard[0].uri == CANCELED
        made.cancel()
        assert callee.received() == []

    def test_a_call_that_was_given_up_before_it_was_allowed_is_not_made(self, world, callee):
        slow = Slow(Action.CALL)
        caller = Visitor(99, make_principal("key", "writer", slow))
        made = world.realm.gateway.call(caller, "p", Payload.of())
        made.cancel()
        outcomes = []
        made.outcome.then(outcomes.append)
        slow.settle()
        assert outcomes[0].uri == CANCELED
        assert_silent(callee)


class TestAccess:
    """Somebody's access may end between being let in and opening something."""

    @pytest.fixture
    def holder(self):
        return Holder("k_1", Account("acme"))

    def test_nobody_opens_a_session_whose_access_has_ended(self, world, holder):
        holder.refused = "revoked"
        with pytest.raises(NoAccess, match="API-KEY not valid") as refusal:
            world.realm.gateway.join(make_principal(holder=holder), None)
        assert (refusal.value.reason, world.realm.sessions) == ("revoked", {})

    def test_a_session_is_expelled_with_the_reason(self, world, holder):
        session = world.realm.gateway.join(make_principal(holder=holder), None)
        assert holder.connections == 1
        world.realm.gateway.expel(session, "expired")
        (sent,) = world.outbox.take(session)
        assert (sent.message.reason, holder.connections) == ("radiod.close.expired", 0)
