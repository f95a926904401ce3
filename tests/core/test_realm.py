"""One realm through the eyes of its clients: every message of an open session, as lists on the wire."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiod.core.ports import Action, Limits
from radiod.core.realm import Realm
from radiod.errors import (
    CANCELED,
    CHANNEL_CLOSED,
    FEATURE_NOT_SUPPORTED,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    PAYLOAD_SIZE_EXCEEDED,
    PROCEDURE_ALREADY_EXISTS,
    PROTOCOL_VIOLATION,
    QUOTA,
    TIMEOUT,
    PeerError,
    Refused,
)
from radiod.testing import ALLOW_NONE, Allow, FakeClock, Peer, RecordingOutbox, make_principal, make_realm
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK, Payload
from radiod.wire.messages import PublishOptions, Subscribe, SubscribeOptions

INVALID_URIS = ["", "a..b", "a b", ".a", "a.", "a#b", "a\n", "x" * 256]
RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]
ACKNOWLEDGE = {"acknowledge": True}


class World:
    def __init__(self, *, max_payload=None, **options):
        self.outbox, self.clock = RecordingOutbox(max_payload), FakeClock()
        self.realm = make_realm(self.outbox, self.clock, **options)

    def join(self, authid="somebody", authrole="tester", **options):
        return Peer(self.realm, self.outbox, authid, authrole, **options)

    def listener(self, topic, **options):
        peer = self.join(**options)
        peer.ask(32, 1, {}, topic)
        return peer


@pytest.fixture
def world():
    return World()


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def bob(world):
    return world.join("bob")


def assert_error(answer, code, request, uri):
    """ERROR for that request, with one sentence for a human."""
    assert answer[:5] == [8, code, request, {}, uri]
    (sentence,) = answer[5]
    assert sentence.isprintable()
    assert len(answer) == 6


def assert_refused(uri, function, *arguments, **keywords):
    with pytest.raises(Refused) as refusal:
        function(*arguments, **keywords)
    assert refusal.value.uri == uri


def assert_protocol_violation(peer, *message):
    with pytest.raises(PeerError) as refusal:
        peer.send(*message)
    assert refusal.value.uri == PROTOCOL_VIOLATION
    assert peer.received() == []


def assert_silent(*peers):
    assert [peer.received() for peer in peers] == [[]] * len(peers)


class TestMessagesOutOfPlace:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("HELLO", [1, "radio", {"roles": {"caller": {}}}]),
            ("AUTHENTICATE", [5, "signature", {}]),
            ("ABORT", [3, {}, "a.reason"]),
        ],
    )
    def test_have_no_place_in_an_open_session(self, alice, name, message):
        with pytest.raises(PeerError, match=f"{name} is not expected in an open session"):
            alice.send(*message)

    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, {}, "a", {}],
            [16, 1, ACKNOWLEDGE, "a", [], []],
            [48, 1, {}, "p", "args"],
            [48, 1, {}, "radiod.echo", [], 1],
            [70, 1, {}, None],
            [8, 68, 1, {}, "an.error", [], "kwargs"],
        ],
    )
    def test_payloads_of_the_wrong_kind_break_the_protocol(self, alice, message):
        assert_protocol_violation(alice, *message)

    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, ACKNOWLEDGE, "a"],
            [32, 1, {}, "a"],
            [34, 1, 1],
            [48, 1, {}, "p"],
            [64, 1, {}, "p"],
            [66, 1, 1],
            [70, 1, {}],
            [8, 68, 1, {}, "an.error"],
            [6, {}, "a.reason"],
        ],
    )
    def test_nothing_is_done_for_a_session_that_left(self, world, alice, message):
        alice.leave()
        alice.send(*message)
        assert_silent(alice)
        assert (len(world.realm.broker), len(world.realm.dealer)) == (0, 0)
        assert alice.session.subscriptions == alice.session.registrations == {}


class TestSessions:
    def test_get_an_id_of_their_own_even_when_chance_repeats_itself(self):
        class Repeating:
            ids = iter([7, 7, 7, 8])

            def next(self):
                return next(self.ids)

        realm = make_realm(ids=Repeating())
        sessions = [realm.join(make_principal(), None) for _ in range(2)]
        assert [session.id for session in sessions] == [7, 8]
        assert realm.sessions == {7: sessions[0], 8: sessions[1]}

    def test_leave_no_trace(self, world, alice, bob):
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        bob.ask(64, 2, {}, "q")
        alice.send(48, 3, {}, "q")
        alice.send(48, 4, {}, "radiod.channel.create", ["channel"])
        alice.leave()
        alice.leave()
        bob.leave()
        assert not alice.session.is_open
        assert world.realm.sessions == {}
        assert (len(world.realm.broker), len(world.realm.dealer)) == (0, 0)
        assert (len(world.realm.channels), len(world.clock.timers)) == (0, 0)

    def test_that_say_goodbye_are_answered_and_gone(self, world, alice, bob):
        alice.ask(32, 1, {}, "a")
        assert alice.ask(6, {"message": "bye"}, "wamp.close.normal") == [6, {}, "wamp.close.goodbye_and_out"]
        assert list(world.realm.sessions) == [bob.session.id]
        bob.send(16, 1, {}, "a", ["too late"])
        assert_silent(alice)

    def test_that_say_goodbye_while_they_call_themselves_hear_nothing_after_it(self, alice):
        alice.ask(64, 1, {}, "p")
        alice.ask(48, 2, {}, "p")
        assert alice.ask(6, {}, "wamp.close.normal")[0] == 6

    def test_are_all_closed_with_the_realm(self, world, alice, bob):
        alice.ask(64, 1, {}, "p")
        alice.send(48, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        world.listener("radiod.channel.on_delete").ask(48, 2, {}, "radiod.channel.create", ["a"])
        world.outbox.take()
        world.realm.close("wamp.close.system_shutdown")
        for peer in (alice, bob):
            assert peer.received()[-1] == [6, {}, "wamp.close.system_shutdown"]
            assert world.outbox.is_closed(peer.session)
        assert world.realm.sessions == {}
        assert len(world.clock.timers) == 0


class TestPublish:
    def test_delivers_the_event_and_says_nothing_to_its_publisher(self, world, alice):
        listener = world.listener("a.topic")
        alice.send(16, 1, {}, "a.topic", [1, "x"], {"k": None})
        assert_silent(alice)
        ((code, subscription, publication, *rest),) = listener.received()
        assert (code, rest) == (36, [{}, [1, "x"], {"k": None}])
        assert subscription in listener.session.subscriptions
        assert publication >= 1

    def test_is_acknowledged_with_the_events_id_when_asked(self, world, alice):
        listener = world.listener("a.topic")
        acknowledgement = alice.ask(16, 7, ACKNOWLEDGE, "a.topic")
        (event,) = listener.received()
        assert acknowledgement == [17, 7, event[2]]
        assert event[3:] == [{}]

    def test_delivers_before_it_acknowledges(self, world, alice):
        alice.ask(32, 1, {}, "a")
        alice.send(16, 2, {"acknowledge": True, "exclude_me": False}, "a")
        assert [message[0] for message in alice.received()] == [36, 17]

    @pytest.mark.parametrize("source", CODECS.values(), ids=CODECS)
    @pytest.mark.parametrize("target", CODECS.values(), ids=CODECS)
    def test_reaches_listeners_in_their_own_serializer(self, world, source, target):
        listener = world.listener("a", codec=target)
        world.join(codec=source).send(16, 1, {}, "a", [b"\0\xff", "é", 2**63], {"k": [1.5, None]})
        assert listener.received()[0][3:] == [{}, [b"\0\xff", "é", 2**63], {"k": [1.5, None]}]

    @pytest.mark.parametrize(
        ("uri", "options", "topic"),
        [
            *[(INVALID_URI, {}, topic) for topic in INVALID_URIS + RESERVED],
            (NOT_AUTHORIZED, {"permissions": ALLOW_NONE}, "a.topic"),
            (NOT_AUTHORIZED, {"permissions": Allow(Action.SUBSCRIBE)}, "a.topic"),
        ],
    )
    def test_is_refused_aloud_only_when_acknowledgement_was_asked_for(self, world, uri, options, topic):
        publisher = world.join(**options)
        assert_error(publisher.ask(16, 5, ACKNOWLEDGE, topic), 16, 5, uri)
        publisher.send(16, 6, {}, topic)
        publisher.send(16, 7, {"acknowledge": False}, topic)
        assert_silent(publisher)

    @pytest.mark.parametrize("topic", RESERVED)
    def test_cannot_forge_what_the_router_says(self, world, alice, topic):
        listener = world.listener(topic)
        alice.send(16, 1, {}, topic, ["forged"])
        assert_silent(listener)

    def test_on_a_closed_channel_is_refused(self, world, alice):
        alice.send(48, 1, {}, "radiod.channel.create", ["a"], {"lifetime": 5})
        listener = world.listener("a")
        world.clock.advance(5)
        world.outbox.take()
        assert_error(alice.ask(16, 2, ACKNOWLEDGE, "a"), 16, 2, CHANNEL_CLOSED)
        assert_silent(listener)

    def test_on_an_undeclared_topic_is_refused_where_the_realm_says_so(self):
        world = World(undeclared_topics=False)
        world.realm.channels.declare("a")
        alice = world.join()
        assert alice.ask(16, 1, ACKNOWLEDGE, "a")[0] == 17
        assert_error(alice.ask(16, 2, ACKNOWLEDGE, "b"), 16, 2, NO_SUCH_CHANNEL)

    def test_is_counted_by_its_channel_once_it_was_accepted(self, world, alice):
        world.realm.channels.declare("a")
        alice.send(16, 1, {}, "a")
        alice.ask(16, 2, ACKNOWLEDGE, "a")
        world.join(permissions=ALLOW_NONE).send(16, 1, {}, "a")
        assert world.realm.describe_channel("a")["events"] == 2

    def test_beyond_the_number_of_retained_topics_is_refused_and_not_counted(self):
        world = World(limits=Limits(max_retained_topics=1))
        world.realm.channels.declare("b")
        alice = world.join()
        retain = {"retain": True, "acknowledge": True}
        assert alice.ask(16, 1, retain, "a")[0] == 17
        assert_error(alice.ask(16, 2, retain, "b"), 16, 2, QUOTA)
        assert world.realm.describe_channel("b")["events"] == 0

    def test_from_outside_a_session_tells_how_many_listened(self, world, alice):
        alice.ask(32, 1, {}, "a")
        outsider = make_realm().join(make_principal(), None)
        publication = world.realm.publish(outsider, "a", Payload.of("data"))
        assert publication.readers == 1
        assert alice.received() == [[36, 1, publication.id, {}, ["data"]]]
        assert world.realm.publish(outsider, "b", Payload.of(), PublishOptions()).readers == 0

    @given(
        sent=st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from("ab"), st.sampled_from([{}, ACKNOWLEDGE])),
            max_size=20,
        )
    )
    def test_keeps_the_order_of_each_publisher_on_each_topic(self, sent):
        world = World()
        publishers = [world.join(codec=JSON), world.join(codec=MSGPACK)]
        listeners = [world.join(codec=codec) for codec in (JSON, CBOR)]
        for listener in listeners:
            for request, topic in enumerate("ab", 1):
                listener.ask(32, request, {}, topic)
        for number, (publisher, topic, options) in enumerate(sent):
            publishers[publisher].send(16, number + 1, options, topic, [publisher, topic, number])
        expected = [[publisher, topic, number] for number, (publisher, topic, _) in enumerate(sent)]
        for listener in listeners:
            assert [event[4] for event in listener.received()] == expected


class TestSubscribe:
    def test_is_answered_with_an_id_that_all_listeners_share(self, alice, bob):
        first = alice.ask(32, 5, {}, "a.topic")
        assert first[:2] == [33, 5]
        assert bob.ask(32, 1, {"match": "exact"}, "a.topic") == [33, 1, first[2]]
        assert alice.ask(32, 6, {}, "a.topic") == [33, 6, first[2]]

    @pytest.mark.parametrize(
        ("uri", "peer_options", "topic"),
        [
            *[(INVALID_URI, {}, topic) for topic in INVALID_URIS],
            (NOT_AUTHORIZED, {"permissions": ALLOW_NONE}, "a.topic"),
            (NOT_AUTHORIZED, {"permissions": Allow(Action.PUBLISH)}, "radiod.channel.on_create"),
        ],
    )
    def test_is_refused(self, world, uri, peer_options, topic):
        assert_error(world.join(**peer_options).ask(32, 9, {}, topic), 32, 9, uri)
        assert len(world.realm.broker) == 0

    @pytest.mark.parametrize("match", ["prefix", "wildcard"])
    def test_by_pattern_is_refused(self, alice, match):
        assert_error(alice.ask(32, 1, {"match": match}, "a"), 32, 1, FEATURE_NOT_SUPPORTED)

    def test_beyond_the_sessions_share_is_refused(self):
        alice = World(limits=Limits(max_subscriptions=1)).join()
        alice.ask(32, 1, {}, "a")
        assert_error(alice.ask(32, 2, {}, "b"), 32, 2, QUOTA)

    def test_to_a_closed_channel_is_refused_and_who_was_there_stays(self, world, alice, bob):
        alice.ask(48, 1, {}, "radiod.channel.create", ["a"])
        assert bob.ask(32, 1, {}, "a")[0] == 33
        alice.leave()
        assert_error(bob.ask(32, 2, {}, "a"), 32, 2, CHANNEL_CLOSED)
        assert bob.ask(34, 3, 1) == [35, 3]

    def test_to_what_the_router_says_needs_no_channel(self):
        world = World(undeclared_topics=False)
        alice = world.join()
        assert alice.ask(32, 1, {}, "radiod.channel.on_delete")[0] == 33
        assert_error(alice.ask(32, 2, {}, "a"), 32, 2, NO_SUCH_CHANNEL)

    def test_brings_the_retained_event_after_the_answer_when_asked(self, alice, bob):
        alice.send(16, 1, {"retain": True}, "a", ["kept"])
        assert bob.ask(32, 1, {}, "a")[0] == 33
        bob.send(32, 2, {"get_retained": True}, "a")
        answer, event = bob.received()
        assert answer[:2] == [33, 2]
        assert (event[0], event[1], event[3:]) == (36, answer[2], [{"retained": True}, ["kept"]])

    def test_may_be_asked_about_beforehand(self, world):
        world.realm.may_subscribe(make_principal(), "a")
        assert_refused(NOT_AUTHORIZED, world.realm.may_subscribe, make_principal(permissions=ALLOW_NONE), "a")
        assert_refused(INVALID_URI, world.realm.may_subscribe, make_principal(), "a..b")
        assert len(world.realm.broker) == 0

    def test_from_outside_a_message_returns_the_id(self, world, alice):
        subscription = world.realm.subscribe(alice.session, Subscribe(1, SubscribeOptions(), "a"))
        assert subscription in alice.session.subscriptions
        assert_silent(alice)


class TestUnsubscribe:
    def test_ends_the_events(self, world, alice, bob):
        subscription = alice.ask(32, 1, {}, "a")[2]
        assert alice.ask(34, 2, subscription) == [35, 2]
        bob.send(16, 1, {}, "a")
        assert_silent(alice)
        assert len(world.realm.broker) == 0

    def test_of_what_one_does_not_hold_is_refused(self, world, alice, bob):
        subscription = alice.ask(32, 1, {}, "a")[2]
        assert_error(bob.ask(34, 4, subscription), 34, 4, NO_SUCH_SUBSCRIPTION)
        assert_error(alice.ask(34, 5, 999), 34, 5, NO_SUCH_SUBSCRIPTION)
        alice.ask(34, 6, subscription)
        assert_error(alice.ask(34, 7, subscription), 34, 7, NO_SUCH_SUBSCRIPTION)


class TestRegister:
    def test_is_answered_with_an_id(self, world, alice):
        assert alice.ask(64, 3, {}, "p") == [65, 3, 1]
        assert alice.ask(64, 4, {"match": "exact", "invoke": "single"}, "q") == [65, 4, 2]
        assert len(world.realm.dealer) == 2

    @pytest.mark.parametrize(
        ("uri", "options", "procedure"),
        [
            *[(INVALID_URI, {}, procedure) for procedure in INVALID_URIS + RESERVED],
            (NOT_AUTHORIZED, {"permissions": Allow(Action.CALL)}, "p"),
        ],
    )
    def test_is_refused(self, world, uri, options, procedure):
        assert_error(world.join(**options).ask(64, 2, {}, procedure), 64, 2, uri)
        assert len(world.realm.dealer) == 0

    def test_of_what_is_taken_is_refused(self, alice, bob):
        alice.ask(64, 1, {}, "p")
        assert_error(bob.ask(64, 1, {}, "p"), 64, 1, PROCEDURE_ALREADY_EXISTS)

    @pytest.mark.parametrize("options", [{"invoke": "roundrobin"}, {"match": "prefix"}])
    def test_of_what_this_version_cannot_do_is_refused(self, alice, options):
        assert_error(alice.ask(64, 1, options, "p"), 64, 1, FEATURE_NOT_SUPPORTED)

    def test_beyond_the_sessions_share_is_refused(self):
        alice = World(limits=Limits(max_registrations=1)).join()
        alice.ask(64, 1, {}, "p")
        assert_error(alice.ask(64, 2, {}, "q"), 64, 2, QUOTA)


class TestUnregister:
    def test_ends_the_registration(self, alice, bob):
        registration = alice.ask(64, 1, {}, "p")[2]
        assert alice.ask(66, 2, registration) == [67, 2]
        assert_error(bob.ask(48, 1, {}, "p"), 48, 1, NO_SUCH_PROCEDURE)

    def test_of_what_one_does_not_hold_is_refused(self, alice, bob):
        registration = alice.ask(64, 1, {}, "p")[2]
        assert_error(bob.ask(66, 8, registration), 66, 8, NO_SUCH_REGISTRATION)
        assert_error(alice.ask(66, 9, 999), 66, 9, NO_SUCH_REGISTRATION)


class TestCall:
    def test_goes_to_the_callee_and_its_result_comes_back(self, alice, bob):
        registration = alice.ask(64, 1, {}, "p")[2]
        bob.send(48, 5, {}, "p", [1], {"k": 2})
        assert alice.received() == [[68, 1, registration, {}, [1], {"k": 2}]]
        alice.send(70, 1, {}, ["r"], {"s": 3})
        assert bob.received() == [[50, 5, {}, ["r"], {"s": 3}]]
        assert_silent(alice)

    def test_brings_the_callees_error_back(self, alice, bob):
        alice.ask(64, 1, {}, "p")
        bob.send(48, 5, {}, "p")
        alice.send(8, 68, 1, {}, "app.error", ["why"], {"code": 7})
        assert bob.received() == [[8, 48, 5, {}, "app.error", ["why"], {"code": 7}]]

    @pytest.mark.parametrize("target", CODECS.values(), ids=CODECS)
    def test_crosses_from_one_serializer_to_another_and_back(self, world, target):
        callee, caller = world.join(codec=target), world.join(codec=CBOR)
        callee.ask(64, 1, {}, "p")
        caller.send(48, 1, {}, "p", [b"\x01"])
        assert callee.received()[0][4] == [b"\x01"]
        callee.send(70, 1, {}, [b"\x02"])
        assert caller.received() == [[50, 1, {}, [b"\x02"]]]

    @pytest.mark.parametrize(
        ("uri", "options", "procedure"),
        [
            *[(INVALID_URI, {}, procedure) for procedure in INVALID_URIS],
            *[
                (NO_SUCH_PROCEDURE, {}, procedure)
                for procedure in ("p", "wamp.session.count", "radiod.nothing")
            ],
            (NOT_AUTHORIZED, {"permissions": Allow(Action.REGISTER)}, "p"),
            (NOT_AUTHORIZED, {"permissions": Allow(Action.REGISTER)}, "radiod.echo"),
        ],
    )
    def test_is_refused(self, world, uri, options, procedure):
        assert_error(world.join(**options).ask(48, 3, {}, procedure), 48, 3, uri)

    def test_twice_under_one_request_breaks_the_protocol(self, alice, bob):
        alice.ask(64, 1, {}, "p")
        bob.send(48, 1, {}, "p")
        assert_protocol_violation(bob, 48, 1, {}, "p")

    def test_ends_at_its_deadline(self, world, alice, bob):
        alice.ask(64, 1, {}, "p")
        bob.send(48, 1, {"timeout": 1500}, "p")
        world.clock.advance(1.5)
        (answer,) = bob.received()
        assert_error(answer, 48, 1, TIMEOUT)

    def test_ends_when_the_callee_leaves(self, alice, bob):
        alice.ask(64, 1, {}, "p")
        bob.send(48, 1, {}, "p")
        alice.leave()
        (answer,) = bob.received()
        assert_error(answer, 48, 1, CANCELED)

    def test_beyond_the_number_of_pending_calls_is_refused(self):
        world = World(limits=Limits(max_pending_calls=1))
        world.join().ask(64, 1, {}, "p")
        bob = world.join()
        bob.send(48, 1, {}, "p")
        assert_error(bob.ask(48, 2, {}, "p"), 48, 2, QUOTA)

    @pytest.mark.parametrize("procedure", ["p", "radiod.echo"])
    def test_with_a_payload_that_does_not_fit_is_refused(self, procedure):
        world = World(max_payload=100)
        world.join().ask(64, 1, {}, "p")
        assert_error(world.join().ask(48, 1, {}, procedure, ["x" * 200]), 48, 1, PAYLOAD_SIZE_EXCEEDED)

    def test_answers_that_nobody_waits_for_are_dropped(self, alice, bob):
        alice.send(70, 1, {}, ["result"])
        alice.send(8, 68, 9, {}, "an.error")
        assert_silent(alice, bob)


class TestChannelEvents:
    @pytest.fixture
    def listener(self, world):
        listener = world.join()
        listener.ask(32, 1, {}, "radiod.channel.on_create")
        listener.ask(32, 2, {}, "radiod.channel.on_delete")
        return listener

    def events(self, listener):
        """(1 created or 2 deleted, what was said) of each event received."""
        received = listener.received()
        assert all(message[0] == 36 and message[3] == {} and len(message) == 5 for message in received)
        return [(message[1], *message[4]) for message in received]

    def test_tell_of_the_beginning_and_of_every_kind_of_end(self, world, listener, alice):
        for request, (name, lifetime) in enumerate({"a": None, "b": 5, "c": None}.items(), 1):
            alice.send(48, request, {}, "radiod.channel.create", [name], {"lifetime": lifetime})
        key = alice.received()[0][3][0]["control_key"]
        assert self.events(listener) == [(1, {"name": name}) for name in "abc"]
        alice.send(48, 4, {}, "radiod.channel.delete", ["a", key])
        assert self.events(listener) == [(2, {"name": "a", "reason": "deleted"})]
        world.clock.advance(5)
        assert self.events(listener) == [(2, {"name": "b", "reason": "expired"})]
        alice.leave()
        assert self.events(listener) == [(2, {"name": "c", "reason": "owner_left"})]

    def test_tell_of_nothing_that_was_refused(self, listener, alice):
        alice.send(48, 1, {}, "radiod.channel.create", ["wamp.x"])
        alice.send(48, 2, {}, "radiod.channel.delete", ["a", "key"])
        assert self.events(listener) == []

    def test_tell_the_creator_too_before_its_own_answer(self, listener):
        listener.send(48, 3, {}, "radiod.channel.create", ["a"])
        event, answer = listener.received()
        assert (event[0], event[4]) == (36, [{"name": "a"}])
        assert answer[:2] == [50, 3]

    def test_an_owner_that_leaves_hears_nothing_of_it(self, listener):
        listener.send(48, 3, {}, "radiod.channel.create", ["a"])
        listener.received()
        listener.leave()
        assert_silent(listener)

    def test_carry_no_key(self, listener, alice):
        key = alice.ask(48, 1, {}, "radiod.channel.create", ["a"])[3][0]["control_key"]
        alice.send(48, 2, {}, "radiod.channel.delete", ["a", key])
        assert key not in str(listener.received())

    def test_a_channel_that_ended_forgets_its_retained_event(self, world, alice, bob):
        alice.send(48, 1, {}, "radiod.channel.create", ["a"], {"lifetime": 5})
        alice.send(16, 2, {"retain": True}, "a", ["kept"])
        world.clock.advance(5)
        alice.send(48, 3, {}, "radiod.channel.create", ["a"])
        bob.send(32, 1, {"get_retained": True}, "a")
        assert [message[0] for message in bob.received()] == [33]


class TestChannelsFromOutside:
    def test_have_no_owner_but_a_key(self, world, alice):
        created = world.realm.create_channel("a", None, None)
        alice.leave()
        assert world.realm.describe_channel("a")["readers"] == 0
        world.realm.channels.delete("a", created["control_key"])

    def test_are_listed_a_hundred_at_a_time(self, world):
        for n in range(101):
            world.realm.create_channel(f"c{n:03}", None, None)
        page = world.realm.list_channels()
        assert (len(page["channels"]), page["next"]) == (100, "c099")


requests = st.integers(1, 5)
topics = st.sampled_from(["a", "b", "radiod.channel.on_create", "wamp.x", "bad uri", "radiod.echo"])
small = st.integers(1, 6)
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([])
payloads = st.lists(st.lists(values, max_size=3), max_size=1)
procedure_names = ["create", "delete", "extend", "list", "get"]
MESSAGES = st.one_of(
    st.builds(
        lambda r, o, t, p: [16, r, o, t, *p], requests, st.sampled_from([{}, ACKNOWLEDGE]), topics, payloads
    ),
    st.builds(lambda r, t: [32, r, {"get_retained": True}, t], requests, topics),
    st.builds(lambda r, s: [34, r, s], requests, small),
    st.builds(lambda r, t, p: [48, r, {}, t, *p], requests, topics, payloads),
    st.builds(
        lambda r, name, p: [48, r, {}, f"radiod.channel.{name}", *p],
        requests,
        st.sampled_from(procedure_names),
        payloads,
    ),
    st.builds(lambda r, t: [64, r, {}, t], requests, topics),
    st.builds(lambda r, s: [66, r, s], requests, small),
    st.builds(lambda r, p: [70, r, {}, *p], small, payloads),
    st.builds(lambda r: [8, 68, r, {}, "an.error"], small),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2), MESSAGES), max_size=25))
def test_whatever_clients_send_the_realm_answers_or_ends_the_session(script):
    """Each message that asks for an answer gets one at most, and in the end nothing is left behind."""
    world = World(limits=Limits(max_pending_calls=2, max_channels=2, max_subscriptions=2))
    peers = [world.join(codec=CBOR) for _ in range(3)]
    for index, message in script:
        peer = peers[index]
        try:
            peer.send(*message)
        except PeerError:
            peer.leave()
            peers[index] = world.join(codec=CBOR)
    for peer in peers:
        peer.leave()
    realm: Realm = world.realm
    assert realm.sessions == {}
    assert (len(realm.broker), len(realm.dealer)) == (0, 0)
    assert (len(realm.channels), len(world.clock.timers)) == (0, 0)
