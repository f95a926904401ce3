"""One realm through the eyes of its clients: every message of an open session, as lists on the wire."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from support import realms
from support.realms import NO, YES, Slow

from radiod.core.ports import Action, Disclose, Limits, Verdict
from radiod.core.promises import after
from radiod.core.slices import SLICE_S
from radiod.errors import (
    AUTHORIZATION_FAILED,
    CANCELED,
    CHANNEL_CLOSED,
    DISCLOSE_ME,
    FEATURE_NOT_SUPPORTED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    OVERRUN,
    PAYLOAD_SIZE_EXCEEDED,
    PROCEDURE_ALREADY_EXISTS,
    PROTOCOL_VIOLATION,
    QUOTA,
    TIMEOUT,
    PeerError,
    Refused,
)
from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
    Peer,
    RecordingOutbox,
    make_principal,
    make_realm,
)
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK, Payload
from radiod.wire.messages import PublishOptions

INVALID_URIS = ["", "a..b", "a b", ".a", "a.", "a#b", "a\n", "x" * 256]
RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]
ACKNOWLEDGE = {"acknowledge": True}


class World(realms.World):
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
    def test_one_that_has_left_is_not_told_that_it_is_killed(self, world, alice):
        alice.leave()
        world.realm.kill(alice.session, "a.reason", {})
        assert_silent(alice)

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
        polite = world.join(wants_goodbye=True)
        world.realm.close()
        assert polite.received() == [[6, {}, "wamp.close.system_shutdown"]]
        for peer in (alice, bob):
            assert 6 not in [message[0] for message in peer.received()]
            assert peer.session in world.outbox.stopped
        assert all(world.outbox.is_closed(peer.session) for peer in (alice, bob, polite))
        assert world.realm.sessions == {}
        assert len(world.clock.timers) == 0

    def test_are_sent_what_waits_before_the_realm_closes(self, world, alice, bob):
        alice.ask(32, 1, {"_radiod_buffer": {"size": 1, "policy": "wait"}}, "a")
        world.outbox.block(alice.session)
        for number in (1, 2):
            bob.send(16, number, {"acknowledge": True}, "a", [number])
        assert [message[:2] for message in bob.received()] == [[17, 1]]
        world.realm.drain()
        world.clock.advance(0)
        assert [message[4] for message in alice.received()] == [[1], [2]]
        assert [message[:2] for message in bob.received()] == [[17, 2]]


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
        assert world.outbox.not_published == [(publisher.session, topic, uri)] * 2

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
        world.realm.desk.declare("a")
        alice = world.join()
        assert alice.ask(16, 1, ACKNOWLEDGE, "a")[0] == 17
        assert_error(alice.ask(16, 2, ACKNOWLEDGE, "b"), 16, 2, NO_SUCH_CHANNEL)

    def test_is_counted_by_its_channel_once_it_was_accepted(self, world, alice):
        world.realm.desk.declare("a")
        alice.send(16, 1, {}, "a")
        alice.ask(16, 2, ACKNOWLEDGE, "a")
        world.join(permissions=ALLOW_NONE).send(16, 1, {}, "a")
        assert world.realm.desk.get(None, "a")["events"] == 2

    def test_beyond_the_number_of_retained_topics_is_refused_and_not_counted(self):
        world = World(limits=Limits(max_retained_topics=1))
        world.realm.desk.declare("b")
        alice = world.join()
        retain = {"retain": True, "acknowledge": True}
        assert alice.ask(16, 1, retain, "a")[0] == 17
        assert_error(alice.ask(16, 2, retain, "b"), 16, 2, QUOTA)
        assert world.realm.desk.get(None, "b")["events"] == 0

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


def waiting(world, size=1):
    """A listener that reads nothing, and that publishers of ``a`` have to wait for."""
    listener = world.join("slow")
    listener.subscribe("a", _radiod_buffer={"policy": "wait", "size": size})
    world.outbox.block(listener.session)
    return listener


class TestWaitingAcknowledgements:
    def test_only_the_answer_waits(self, world, alice, bob):
        listener = waiting(world)
        bob.subscribe("a")
        bob.received()
        alice.send(16, 1, ACKNOWLEDGE, "a", [1])
        alice.send(16, 2, ACKNOWLEDGE, "a", [2])
        alice.send(16, 3, ACKNOWLEDGE, "b", [3])
        alice.send(48, 4, {}, "radiod.echo", [4])
        assert [answer[:2] for answer in alice.received()] == [[17, 1], [17, 3], [50, 4]]
        assert [event[4] for event in bob.received()] == [[1], [2]]
        world.outbox.unblock(listener.session)
        world.clock.advance(0)
        (answer,) = alice.received()
        events = listener.received()
        assert answer == [17, 2, events[1][2]]
        assert [event[4] for event in events] == [[1], [2]]

    def test_ends_in_an_error_when_the_listener_is_too_slow(self, world, alice):
        waiting(world)
        alice.send(16, 1, ACKNOWLEDGE, "a", [1])
        alice.received()
        alice.send(16, 2, ACKNOWLEDGE, "a", [2])
        world.clock.advance(4.9)
        assert_silent(alice)
        world.clock.advance(0.2)
        (answer,) = alice.received()
        assert_error(answer, 16, 2, OVERRUN)

    def test_is_forgotten_with_the_session_that_asked(self, world, alice):
        listener = waiting(world)
        for request in (1, 2):
            alice.send(16, request, ACKNOWLEDGE, "a", [request])
        alice.received()
        alice.leave()
        world.outbox.unblock(listener.session)
        world.clock.advance(10)
        assert_silent(alice)

    def test_is_refused_at_once_by_a_listener_that_raises_and_nothing_is_kept(self, world, alice, bob):
        listener = bob
        bob.subscribe("a", _radiod_buffer={"policy": "raise", "size": 1})
        world.outbox.block(listener.session)
        alice.send(16, 1, ACKNOWLEDGE, "a", [1])
        alice.received()
        assert_error(alice.ask(16, 2, {"acknowledge": True, "retain": True}, "a", [2]), 16, 2, OVERRUN)
        late = world.join()
        late.subscribe("a", get_retained=True)
        assert_silent(late)

    def test_of_an_unacknowledged_publish_is_nothing_to_wait_for(self, world, alice):
        waiting(world)
        for request in (1, 2):
            alice.send(16, request, {}, "a", [request])
        world.clock.advance(10)
        assert_silent(alice)


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

    @pytest.mark.parametrize(("match", "topic"), [("prefix", "a."), ("prefix", ""), ("wildcard", "a..c")])
    def test_by_pattern_brings_the_topic_along(self, alice, bob, match, topic):
        subscription = alice.ask(32, 1, {"match": match}, topic)[2]
        bob.send(16, 1, {}, "a.b.c", [1])
        (event,) = alice.received()
        assert (event[:2], event[3:]) == ([36, subscription], [{"topic": "a.b.c"}, [1]])

    @pytest.mark.parametrize(("match", "topic"), [("prefix", "a..b"), ("wildcard", "a b"), ("prefix", " ")])
    def test_by_what_is_no_pattern_is_refused(self, alice, match, topic):
        assert_error(alice.ask(32, 1, {"match": match}, topic), 32, 1, INVALID_URI)

    def test_by_pattern_needs_no_channel(self):
        world = World(undeclared_topics=False)
        assert world.join().ask(32, 1, {"match": "prefix"}, "a")[0] == 33

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
        world.realm.may_subscribe(make_principal(), "radiod.channel.on_create")
        assert_refused(NOT_AUTHORIZED, world.realm.may_subscribe, make_principal(permissions=ALLOW_NONE), "a")
        assert_refused(INVALID_URI, world.realm.may_subscribe, make_principal(), "a..b")
        world.realm.may_subscribe(make_principal(), "wamp.session.on_join")
        assert len(world.realm.broker) == 0

    @pytest.mark.parametrize(
        ("outcome", "uri"),
        [(YES, None), (NO, NOT_AUTHORIZED), (Refused(AUTHORIZATION_FAILED, ""), AUTHORIZATION_FAILED)],
        ids=["allowed", "refused", "unknown"],
    )
    def test_whether_it_is_allowed_may_be_known_later(self, world, outcome, uri):
        rights, seen = Slow(Action.SUBSCRIBE), []
        world.realm.may_subscribe(make_principal(permissions=rights), "a").then(seen.append)
        assert seen == []
        rights.settle(outcome)
        assert [getattr(one, "uri", None) for one in seen] == [uri]

    def test_a_channel_that_ends_during_the_decision_is_not_listened_to(self, world, alice):
        world.realm.channels.create("a", lifetime=10)
        rights, seen = Slow(Action.SUBSCRIBE), []
        world.realm.may_subscribe(make_principal(permissions=rights), "a").then(seen.append)
        world.clock.advance(11)
        rights.settle()
        assert [error.uri for error in seen] == [CHANNEL_CLOSED]

    def test_from_outside_a_message_is_told_to_nobody(self, world, alice):
        world.realm.subscribe(alice.session, "a")
        assert [listener.subscription.topic for listener in alice.session.subscriptions.values()] == ["a"]
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

    def test_may_be_shared_and_by_pattern(self, alice, bob):
        options = {"match": "prefix", "invoke": "roundrobin"}
        registration = alice.ask(64, 1, options, "p")[2]
        assert bob.ask(64, 1, options, "p") == [65, 1, registration]
        assert_error(bob.ask(64, 2, {"match": "prefix"}, "p"), 64, 2, PROCEDURE_ALREADY_EXISTS)

    @pytest.mark.parametrize("match", ["prefix", "wildcard"])
    @pytest.mark.parametrize("procedure", ["wamp.", "radiod.x"])
    def test_of_patterns_of_the_routers_own_is_refused(self, alice, match, procedure):
        assert_error(alice.ask(64, 1, {"match": match}, procedure), 64, 1, INVALID_URI)

    def test_beyond_the_sessions_share_is_refused(self):
        alice = World(limits=Limits(max_registrations=1)).join()
        alice.ask(64, 1, {}, "p")
        assert_error(alice.ask(64, 2, {}, "q"), 64, 2, QUOTA)


class TestTakingOver:
    FORCE = {"force_reregister": True}

    def test_is_answered_and_the_ones_before_hear_of_it_if_they_asked(self, world, bob):
        shared = {"invoke": "roundrobin", **self.FORCE}
        told, untold = world.join("carol", is_revocable=True), world.join("dave")
        registration = told.ask(64, 1, {"invoke": "roundrobin"} | self.FORCE, "p")[2]
        # In turn each takes the other's place, whatever the policy says of sharing.
        assert untold.ask(64, 1, shared, "p") == [65, 1, registration + 1]
        assert told.received() == [
            [67, 0, {"registration": registration, "reason": "wamp.error.unregistered"}]
        ]
        assert bob.ask(64, 1, self.FORCE, "p") == [65, 1, registration + 2]
        assert_silent(untold, told)
        bob.send(48, 2, {}, "p")
        assert bob.received() == [[68, 1, registration + 2, {}]]

    def test_without_the_right_is_refused_and_changes_nothing(self, world, alice, bob):
        alice.ask(64, 1, {}, "p")
        assert_error(bob.ask(64, 1, self.FORCE, "p"), 64, 1, NOT_AUTHORIZED)
        stranger = world.join(permissions=Allow(Action.CALL))
        assert_error(stranger.ask(64, 1, self.FORCE, "p"), 64, 1, NOT_AUTHORIZED)
        stranger.send(48, 2, {}, "p")
        assert alice.received()[0][0] == 68

    def test_with_the_right_needs_nobodys_consent(self, world, alice):
        slow = Slow(Action.REGISTER)
        boss = world.join("boss", permissions=slow)
        alice.ask(64, 1, {}, "p")
        boss.send(64, 1, self.FORCE, "p")
        slow.settle(Verdict(is_allowed=True, may_take_over=True))
        assert boss.received() == [[65, 1, 2]]

    @pytest.mark.parametrize("procedure", RESERVED)
    def test_of_the_routers_own_is_refused(self, alice, procedure):
        assert_error(alice.ask(64, 1, self.FORCE, procedure), 64, 1, INVALID_URI)

    def test_leaves_calls_to_those_who_were_asked(self, world, alice, bob):
        alice.ask(64, 1, self.FORCE, "p")
        caller = world.join("carol")
        caller.send(48, 1, {}, "p", ["before"])
        bob.ask(64, 1, self.FORCE, "p")
        caller.send(48, 2, {}, "p", ["after"])
        assert [message[4] for message in alice.received() + bob.received()] == [["before"], ["after"]]
        alice.send(70, 1, {}, ["old"])
        bob.send(70, 1, {}, ["new"])
        assert caller.received() == [[50, 1, {}, ["old"]], [50, 2, {}, ["new"]]]


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
                for procedure in ("p", "wamp.session.nothing", "radiod.nothing")
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
        alice.ask(64, 1, {}, "p")
        bob.send(48, 1, {}, "p")
        bob.leave()
        alice.received()
        alice.send(70, 1, {}, ["result"])
        alice.send(8, 68, 1, {}, "an.error")
        assert_silent(alice)


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
        channel, control_key = world.realm.channels.create("a")
        alice.leave()
        assert world.realm.desk.get(None, "a")["readers"] == 0
        assert world.realm.channels.controlled(alice.session, "a", control_key) is channel

    def test_are_listed_a_hundred_at_a_time(self, world):
        for n in range(101):
            world.realm.channels.create(f"c{n:03}")
        page = world.realm.desk.page()
        assert (len(page["channels"]), page["next"]) == (100, "c099")


class TestDisclosure:
    def verdict(self, disclose, trustlevel=None):
        slow = Slow(Action.PUBLISH, Action.CALL)
        return slow, Verdict(is_allowed=True, disclose=disclose, trustlevel=trustlevel)

    @pytest.mark.parametrize(
        ("disclose", "is_asked", "is_told"),
        [
            (Disclose.ASKED, False, False),
            (Disclose.ASKED, True, True),
            (Disclose.ALWAYS, False, True),
            (Disclose.ALWAYS, True, True),
            (Disclose.NEVER, False, False),
        ],
    )
    @pytest.mark.parametrize("trustlevel", [None, 0, 3])
    def test_is_as_the_verdict_says(self, world, disclose, is_asked, is_told, trustlevel):
        slow, verdict = self.verdict(disclose, trustlevel)
        bob = world.join("bob", "member", permissions=slow)
        alice = world.join()
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(16, 1, {"disclose_me": is_asked}, "a")
        slow.settle(verdict)
        bob.send(48, 2, {"disclose_me": is_asked}, "p")
        slow.settle(verdict)
        event, invocation = alice.received()
        for message, role in ((event, "publisher"), (invocation, "caller")):
            identity = {role: bob.id, f"{role}_authid": "bob", f"{role}_authrole": "member"}
            trust = {} if trustlevel is None else {"trustlevel": trustlevel}
            assert message[3] == {**(identity if is_told else {}), **trust}

    @pytest.mark.parametrize(
        ("disclose", "is_told"), [(Disclose.ASKED, True), (Disclose.ALWAYS, True), (Disclose.NEVER, False)]
    )
    @pytest.mark.parametrize("trustlevel", [None, 3])
    def test_callees_that_ask_are_told_unless_the_caller_must_not_be(
        self, world, disclose, is_told, trustlevel
    ):
        slow, verdict = self.verdict(disclose, trustlevel)
        bob = world.join("bob", "member", permissions=slow)
        alice = world.join()
        alice.ask(64, 1, {"disclose_caller": True}, "p")
        bob.send(48, 1, {}, "p")
        slow.settle(verdict)
        identity = {"caller": bob.id, "caller_authid": "bob", "caller_authrole": "member"}
        trust = {} if trustlevel is None else {"trustlevel": trustlevel}
        assert alice.received()[0][3] == {**(identity if is_told else {}), **trust}

    @pytest.mark.parametrize(("code", "uri"), [(16, "a"), (48, "p")])
    def test_that_is_forbidden_is_refused(self, world, code, uri):
        slow, verdict = self.verdict(Disclose.NEVER)
        alice, bob = world.join(), world.join(permissions=slow)
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(code, 1, {"disclose_me": True, "acknowledge": True}, uri)
        slow.settle(verdict)
        assert_error(bob.received()[0], code, 1, DISCLOSE_ME)
        assert_silent(alice)


class TestPassthru:
    def test_goes_from_publisher_to_subscriber(self, world, alice):
        bob = world.join(features="publisher.payload_passthru_mode")
        alice.ask(32, 1, {}, "a")
        bob.send(16, 1, {"ppt_scheme": "x_mine", "ppt_keyid": "k"}, "a", ["sealed"])
        assert alice.received()[0][3:] == [{"ppt_scheme": "x_mine", "ppt_keyid": "k"}, ["sealed"]]

    @pytest.mark.parametrize("code", [16, 48])
    @pytest.mark.parametrize("uri", ["a", "a..b", "wamp.session.count"])
    @pytest.mark.parametrize("permissions", [ALLOW_ALL, ALLOW_NONE])
    def test_that_was_not_announced_breaks_the_protocol(self, world, code, uri, permissions):
        alice = world.join(permissions=permissions)
        assert_protocol_violation(alice, code, 1, {"ppt_scheme": "x_mine"}, uri, ["sealed"])

    def test_of_an_error_goes_to_the_caller_and_nothing_else_does(self, world):
        alice = world.join(features="callee.payload_passthru_mode", codec=CBOR)
        bob = world.join(features="caller.payload_passthru_mode")
        alice.ask(64, 1, {}, "p")
        bob.send(48, 1, {}, "p")
        details = {"ppt_scheme": "x_mine", "ppt_cipher": None, "other": 10**40}
        alice.send(8, 68, 1, details, "an.error", ["sealed"])
        assert bob.received() == [[8, 48, 1, {"ppt_scheme": "x_mine"}, "an.error", ["sealed"]]]


@pytest.mark.parametrize("codec", [JSON, MSGPACK, CBOR], ids=CODECS)
class TestUnfitPayloads:
    """What some decoder could not take goes to nobody, and ends no session."""

    UNFIT = {JSON: b'["\\ud800"]', MSGPACK: b"\x91\xa1\xff", CBOR: b"\x81\x61\xff"}

    def give(self, peer, codec, *head):
        """Send a message with unfit arguments."""
        dumped, args = codec.dump(list(head)), self.UNFIT[codec]
        if codec is JSON:
            data = dumped[:-1] + b"," + args + b"]"
        else:
            data = bytes([dumped[0] + 1]) + dumped[1:] + args
        peer.send_message(codec.decode(data))

    def test_of_an_acknowledged_publish_are_an_error(self, world, codec):
        listener, alice = world.listener("a"), world.join(codec=codec)
        self.give(alice, codec, 16, 1, ACKNOWLEDGE, "a")
        assert_error(alice.received()[0], 16, 1, INVALID_ARGUMENT)
        alice.send(16, 2, {}, "a", ["next"])
        assert [message[4] for message in listener.received()] == [["next"]]

    def test_of_another_publish_are_nothing(self, world, codec):
        listener, alice = world.listener("a"), world.join(codec=codec)
        self.give(alice, codec, 16, 1, {}, "a")
        self.give(alice, codec, 16, 2, {"retain": True}, "a")
        assert_silent(alice, listener)
        assert alice.ask(32, 3, {"get_retained": True}, "a")[0] == 33

    @pytest.mark.parametrize("procedure", ["p", "radiod.echo", "wamp.session.count"])
    def test_of_a_call_are_an_error(self, world, codec, procedure):
        callee, alice = world.join(), world.join(codec=codec)
        callee.ask(64, 1, {}, "p")
        self.give(alice, codec, 48, 1, {}, procedure)
        assert_error(alice.received()[0], 48, 1, INVALID_ARGUMENT)
        assert_silent(callee)

    @pytest.mark.parametrize("head", [(70, 1, {}), (8, 68, 1, {}, "an.error")], ids=["result", "error"])
    def test_of_an_answer_are_an_error_for_the_caller(self, world, codec, head):
        callee, bob = world.join(codec=codec), world.join()
        callee.ask(64, 1, {}, "p")
        bob.send(48, 1, {}, "p")
        callee.received()
        self.give(callee, codec, *head)
        assert_error(bob.received()[0], 48, 1, INVALID_ARGUMENT)
        assert_silent(callee)
        assert callee.session.invocations == {}
        self.give(callee, codec, *head)
        assert_silent(callee, bob)

    def test_of_a_progressive_result_end_the_call(self, world, codec):
        callee = world.join(codec=codec, features=f"{TAKES_CHUNKS} callee.progressive_call_results")
        callee.ask(64, 1, {}, "p")
        bob = world.join()
        bob.send(48, 1, {"receive_progress": True}, "p")
        self.give(callee, codec, 70, 1, {"progress": True})
        assert_error(bob.received()[0], 48, 1, INVALID_ARGUMENT)
        callee.received()
        callee.send(70, 1, {}, ["late"])
        assert_silent(callee, bob)

    def test_of_more_of_a_call_end_the_call(self, world, codec):
        callee = world.join(features=TAKES_CHUNKS)
        callee.ask(64, 1, {}, "p")
        bob = world.join(codec=codec, features=PROGRESSIVE)
        bob.send(48, 1, {"progress": True}, "p", [1])
        callee.received()
        self.give(bob, codec, 48, 1, {"progress": True}, "p")
        assert_error(bob.received()[0], 48, 1, INVALID_ARGUMENT)
        assert [message[0] for message in callee.received()] == [69]
        self.give(bob, codec, 48, 1, {}, "p")
        assert_silent(callee, bob)


class TestErrorsOfCallees:
    @pytest.mark.parametrize("uri", INVALID_URIS)
    def test_that_are_no_uri_are_not_passed_on_as_one(self, world, alice, uri):
        """Autobahn|Python closes its connection when it gets such an ERROR."""
        alice.ask(64, 1, {}, "p")
        bob = world.join()
        bob.send(48, 1, {}, "p")
        alice.received()
        alice.send(8, 68, 1, {}, uri, ["secret"], {"k": "secret"})
        (answer,) = bob.received()
        assert_error(answer, 48, 1, INVALID_URI)
        assert "secret" not in str(answer)
        assert_silent(alice)
        alice.send(8, 68, 1, {}, uri)
        assert_silent(alice, bob)


class TestWaiting:
    """A session whose authorizer has not decided yet."""

    @pytest.fixture
    def slow(self):
        return Slow(*Action)

    @pytest.fixture
    def late(self, world, slow):
        return world.join("late", permissions=slow)

    MESSAGES = [
        [16, 1, ACKNOWLEDGE, "a"],
        [32, 1, {}, "a"],
        [48, 1, {}, "radiod.echo"],
        [64, 1, {}, "p"],
    ]

    @pytest.mark.parametrize("message", MESSAGES)
    def test_is_answered_when_the_decision_comes(self, world, slow, late, message):
        late.send(*message)
        assert_silent(late)
        assert world.outbox.held == {late.session}
        slow.settle()
        assert late.received()[0][:2] == [message[0] + (2 if message[0] == 48 else 1), 1]
        assert world.outbox.held == set()

    @pytest.fixture
    def behind(self, world):
        """A session that waits for its subscription, with twenty calls behind it."""
        slow = Slow(Action.SUBSCRIBE)
        peer = world.join("late", permissions=slow)
        peer.send(32, 1, {}, "a")
        for request in range(2, 22):
            peer.send(48, request, {}, "radiod.echo", [request])
        world.clock.look_s = SLICE_S / 2
        return slow, peer

    def test_goes_on_with_what_came_behind_in_slices_and_in_order(self, world, behind):
        slow, peer = behind
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [1, 2, 3]
        # The peer is not read, and what comes nevertheless stays behind.
        assert world.outbox.held == {peer.session}
        peer.send(48, 22, {}, "radiod.echo", [22])
        world.clock.advance(1)
        assert [answer[1] for answer in peer.received()] == list(range(4, 23))
        assert world.outbox.held == set()
        peer.send(48, 23, {}, "radiod.echo", [23])
        assert [answer[1] for answer in peer.received()] == [23]

    def test_may_leave_before_all_that_came_behind_was_taken(self, world, behind):
        slow, peer = behind
        slow.settle()
        peer.received()
        peer.leave()
        world.clock.advance(1)
        assert_silent(peer)
        assert world.outbox.held == set()

    def test_may_have_to_wait_again_for_what_came_behind(self, world):
        slow = Slow(Action.SUBSCRIBE)
        peer = world.join("late", permissions=slow)
        for request in (1, 3):
            peer.send(32, request, {}, "a")
            peer.send(48, request + 1, {}, "radiod.echo")
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [1, 2]
        assert world.outbox.held == {peer.session}
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [3, 4]
        assert world.outbox.held == set()

    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize(
        ("outcome", "uri"), [(NO, NOT_AUTHORIZED), (Refused("an.error", "nobody knows"), "an.error")]
    )
    def test_is_refused_when_the_decision_is_no(self, world, slow, late, message, outcome, uri):
        late.send(*message)
        slow.settle(outcome)
        assert_error(late.received()[0], message[0], 1, uri)
        assert world.outbox.held == set()
        assert (len(world.realm.broker), len(world.realm.dealer)) == (0, 0)

    def test_keeps_the_order_of_what_it_sends(self, world, slow, late):
        late.send(32, 1, {}, "a")
        late.send(34, 2, 1)
        late.send(16, 3, ACKNOWLEDGE, "a b")
        late.send(64, 4, {}, "p")
        late.send(66, 5, 1)
        assert len(slow.pending) == 1
        slow.settle()
        assert [message[:3] for message in late.received()] == [[33, 1, 1], [35, 2], [8, 16, 3]]
        assert world.outbox.held == {late.session}
        slow.settle()
        assert [message[:2] for message in late.received()] == [[65, 4], [67, 5]]
        assert world.outbox.held == set()

    def test_delays_nobody_else(self, slow, late, alice, bob):
        late.send(16, 1, {}, "a")
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        alice.send(70, 1, {}, [1])
        assert bob.received() == [[50, 1, {}, [1]]]
        slow.settle()
        assert [message[0] for message in alice.received()] == [68, 36]

    def test_hears_what_others_say_meanwhile(self, slow, late, alice):
        late.send(32, 1, {}, "a")
        slow.settle()
        late.received()
        late.send(32, 2, {}, "b")
        alice.send(16, 1, {}, "a")
        assert late.received()[0][0] == 36

    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize("outcome", [YES, NO, Refused("an.error", "nobody knows")])
    def test_does_nothing_after_it_left(self, world, slow, late, message, outcome):
        late.send(*message)
        late.send(*message)
        late.leave()
        assert world.outbox.held == set()
        slow.settle(outcome)
        assert_silent(late)
        assert (len(world.realm.broker), len(world.realm.dealer)) == (0, 0)
        assert late.session.waiting is None

    def test_that_is_killed_leaves_nothing(self, world, slow, late, alice):
        late.send(32, 1, {}, "a")
        late.send(64, 2, {}, "p")
        alice.ask(48, 1, {}, "wamp.session.kill", [late.id])
        slow.settle()
        assert [message[0] for message in late.received()] == [6]
        assert world.outbox.held == set()
        assert (len(world.realm.broker), len(world.realm.dealer)) == (0, 0)

    def test_may_say_goodbye_behind(self, world, slow, late):
        late.send(32, 1, {}, "a")
        late.send(6, {}, "wamp.close.normal")
        late.send(32, 2, {}, "b")
        slow.settle()
        assert [message[0] for message in late.received()] == [33, 6]
        assert world.outbox.held == set()
        assert list(world.realm.sessions) == []
        assert slow.pending == []

    @pytest.mark.parametrize(
        "fault",
        [[3, {}, "a.reason"], [16, 2, {}, "a", {}], [1, "radio", {"roles": {"caller": {}}}]],
        ids=["ABORT", "payload", "HELLO"],
    )
    def test_is_ended_for_a_fault_found_late(self, world, slow, late, fault):
        late.send(64, 1, {}, "p")
        late.send(*fault)
        late.send(6, {}, "wamp.close.normal")
        while slow.pending:
            slow.settle()
        assert [message[0] for message in late.received()] == [65, 3]
        assert world.outbox.aborted == [late.session]
        assert world.outbox.held == set()
        assert world.realm.sessions == {}
        assert len(world.realm.dealer) == 0

    def test_is_ended_for_the_fault_of_the_message_that_waited(self, world, slow, late):
        late.send(16, 1, {}, "a", {})
        slow.settle()
        assert [message[::2] for message in late.received()] == [[3, PROTOCOL_VIOLATION]]
        assert world.realm.sessions == {}

    def test_asks_nobody_about_what_can_never_be(self, slow, late):
        assert_error(late.ask(32, 1, {}, "a b"), 32, 1, INVALID_URI)
        assert slow.asked == []

    def test_takes_decisions_that_were_there_already(self, world):
        class Ready(Slow):
            def decide(self, session, action, uri, options):
                super().decide(session, action, uri, options).settle(YES)
                return self.pending.pop()

        ready, slow = Ready(*Action), Slow(Action.PUBLISH)
        alice = world.join(permissions=ready)
        assert alice.ask(32, 1, {}, "a")[0] == 33
        # In the middle of what came behind a message that waited, too.
        late = world.join(permissions=slow)
        late.send(16, 1, ACKNOWLEDGE, "b")
        slow.decide = ready.decide
        for request in (2, 3, 4):
            late.send(16, request, ACKNOWLEDGE, "b")
        slow.settle()
        assert [message[:2] for message in late.received()] == [[17, 1], [17, 2], [17, 3], [17, 4]]
        assert world.outbox.held == set()

    def test_is_not_possible_outside_a_message(self, world, slow, late):
        assert_refused(AUTHORIZATION_FAILED, world.realm.publish, late.session, "a", Payload.of())
        nobody = world.join(permissions=ALLOW_NONE)
        assert_refused(NOT_AUTHORIZED, world.realm.publish, nobody.session, "a", Payload.of())

    def test_cancelling_a_call_that_waits_keeps_its_place(self, slow, late, alice):
        alice.ask(64, 1, {}, "p")
        late.send(48, 1, {}, "p")
        late.send(49, 1, {"mode": "skip"})
        slow.settle()
        assert [message[0] for message in alice.received()] == [68]
        assert_error(late.received()[0], 48, 1, CANCELED)


PROGRESSIVE = "caller.progressive_call_invocations"
TAKES_CHUNKS = "callee.progressive_call_invocations callee.call_canceling"


class TestChunksOfOneCall:
    @pytest.fixture
    def callee(self, world):
        callee = world.join(features=TAKES_CHUNKS)
        callee.ask(64, 1, {}, "p")
        return callee

    def test_need_a_right_once(self, world, callee):
        slow = Slow(Action.CALL)
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {"progress": True}, "p", [2])
        slow.settle()
        caller.send(48, 1, {}, "p", [3])
        assert slow.pending == []
        assert [message[4] for message in callee.received()] == [[1], [2], [3]]

    @pytest.mark.parametrize("procedure", ["wamp.session.kill_all", "radiod.echo", "q"])
    def test_go_where_the_first_went_whatever_they_name(self, world, callee, procedure):
        """Another procedure would be called without the right to call it."""

        class OnlyP(Allow):
            def decide(self, session, action, uri, options):
                return YES if uri == "p" else NO

        caller = world.join(features=PROGRESSIVE, permissions=OnlyP())
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {}, procedure, [2])
        assert [message[4] for message in callee.received()] == [[1], [2]]
        assert_silent(caller)
        callee.send(70, 1, {}, [3])
        assert caller.received() == [[50, 1, {}, [3]]]
        # And when it has ended, nowhere.
        caller.send(48, 1, {}, procedure, [4])
        assert_silent(caller, callee)
        assert callee.session.is_open

    @pytest.mark.parametrize("uri", ["p", "a..b", "", "x" * 256, "wamp.session.count"])
    def test_are_not_refused_for_what_they_name(self, world, callee, uri):
        caller = world.join(features=PROGRESSIVE)
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {"progress": True}, uri, [2])
        caller.send(48, 1, {"disclose_me": True}, uri, [3])
        assert_silent(caller)
        assert [message[4] for message in callee.received()] == [[1], [2], [3]]

    def test_are_not_asked_for_rights_that_the_first_had(self, world, callee):
        slow = Slow()
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {}, "p", [2])
        assert slow.asked == [(Action.CALL, "p")]

    @pytest.mark.parametrize("options", [{}, {"enc_algo": "cryptobox"}], ids=["left out", "repeated"])
    def test_are_as_opaque_as_the_first(self, world, options):
        callee = world.join(features=f"{TAKES_CHUNKS} callee.payload_passthru_mode")
        callee.ask(64, 1, {}, "p")
        caller = world.join(features=f"{PROGRESSIVE} caller.payload_passthru_mode")
        caller.send(48, 1, {"progress": True, "enc_algo": "cryptobox"}, "p", "sealed")
        caller.send(48, 1, {"progress": True, **options}, "p", "more")
        assert [message[3:] for message in callee.received()] == [
            [{"progress": True, "enc_algo": "cryptobox"}, "sealed"],
            [{"progress": True, "enc_algo": "cryptobox"}, "more"],
        ]
        callee.send(70, 1, {}, [])
        caller.received()
        caller.send(48, 1, options, "p", "late")
        assert_silent(caller, callee)

    def test_of_a_plain_call_may_not_be_opaque(self, world, callee):
        caller = world.join(features=f"{PROGRESSIVE} caller.payload_passthru_mode")
        caller.send(48, 1, {"progress": True}, "p", [1])
        assert_protocol_violation(caller, 48, 1, {"enc_algo": "cryptobox"}, "p", "sealed")

    @pytest.mark.parametrize("procedure", ["radiod.echo", "radiod.nothing", "wamp.session.count"])
    def test_are_nothing_for_the_routers_own_procedures(self, world, procedure):
        caller = world.join(features=PROGRESSIVE)
        assert_error(caller.ask(48, 1, {"progress": True}, procedure), 48, 1, FEATURE_NOT_SUPPORTED)
        caller.send(48, 1, {"progress": True}, procedure)
        caller.send(48, 1, {}, procedure)
        assert_silent(caller)
        assert caller.ask(48, 2, {}, "radiod.echo", ["x"]) == [50, 2, {}, ["x"]]

    @pytest.mark.parametrize("procedure", ["p", "q", "a..b", "radiod.echo", "wamp.session.count"])
    @pytest.mark.parametrize("permissions", [ALLOW_ALL, ALLOW_NONE])
    def test_that_were_not_announced_break_the_protocol(self, world, callee, procedure, permissions):
        caller = world.join(permissions=permissions)
        assert_protocol_violation(caller, 48, 1, {"progress": True}, procedure)
        assert_silent(callee)

    @pytest.mark.parametrize(
        "procedure", ["p", "q", "a..b", "radiod.echo", "radiod.nothing", "wamp.session.get"]
    )
    @pytest.mark.parametrize("verdict", [YES, NO])
    def test_are_answered_once(self, world, callee, procedure, verdict):
        slow = Slow(Action.CALL)
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, procedure, [1])
        caller.send(48, 1, {"progress": True}, procedure, [2])
        caller.send(48, 1, {}, procedure, [3])
        if slow.pending:
            slow.settle(verdict)
        if procedure == "p" and verdict is YES:
            callee.send(70, 1, {}, [4])
        assert len(caller.received()) == 1
        assert slow.pending == []


class TestAsking:
    """Calls of the router itself."""

    @pytest.fixture
    def oracle(self, world):
        oracle = world.join("oracle")
        oracle.ask(64, 1, {}, "p")
        return oracle

    def ask(self, world, timeout_s=5.0):
        outcomes = []
        world.realm.ask("p", 1, {"k": [2]}, timeout_s=timeout_s).then(outcomes.append)
        return outcomes

    @pytest.mark.parametrize(
        ("payload", "outcome"), [([], None), ([[]], None), ([[{"allow": True}, 2]], {"allow": True})]
    )
    def test_come_to_the_first_result(self, world, oracle, payload, outcome):
        outcomes = self.ask(world)
        assert oracle.received() == [[68, 1, 1, {}, [1, {"k": [2]}]]]
        assert outcomes == []
        oracle.send(70, 1, {}, *payload)
        assert outcomes == [outcome]
        assert len(world.clock.timers) == 0

    def refusal(self, outcomes):
        (outcome,) = outcomes
        assert isinstance(outcome, Refused)
        assert outcome.text.isprintable()
        return outcome.uri

    def test_come_to_the_error(self, world, oracle):
        outcomes = self.ask(world)
        oracle.send(8, 68, 1, {}, "an.error", ["text"])
        assert self.refusal(outcomes) == "an.error"

    def test_come_to_nothing_in_nonsense(self, world):
        oracle = world.join(codec=CBOR)
        oracle.ask(64, 1, {}, "p")
        outcomes = self.ask(world)
        oracle.send(70, 1, {}, [], {(1, 2): 3})
        assert self.refusal(outcomes) == INVALID_ARGUMENT

    def test_come_to_nothing_where_nobody_answers(self, world):
        assert self.refusal(self.ask(world)) == NO_SUCH_PROCEDURE

    def test_end_in_time(self, world, oracle):
        outcomes = self.ask(world, timeout_s=1.5)
        world.clock.advance(1.5)
        assert self.refusal(outcomes) == TIMEOUT

    def test_end_when_the_callee_has_left(self, world, oracle):
        outcomes = []
        world.realm.ask("p", timeout_s=5.0).then(
            lambda outcome: outcomes.append((outcome.uri, list(world.realm.sessions)))
        )
        watcher = world.watch("wamp.registration.on_delete", "wamp.session.on_leave")
        oracle.leave()
        assert outcomes == [(CANCELED, [watcher.peer.id])]
        told = [topic for topic, *_ in watcher.told()]
        assert told == ["wamp.registration.on_delete", "wamp.session.on_leave"]

    def test_that_end_with_a_session_let_others_go_on_when_it_has_left(self, world, oracle):
        """Who waited may do anything, even end the calls that the leaving session was to answer."""

        class Asks(Slow):
            def decide(self, session, action, uri, options):
                if action is not Action.PUBLISH:
                    return YES
                return after(world.realm.ask("p", timeout_s=5.0), lambda outcome: YES)

        late, caller, admin = world.join(permissions=Asks()), world.join(), world.join()
        oracle.ask(64, 2, {}, "q")
        late.send(16, 1, ACKNOWLEDGE, "a")
        late.send(48, 2, {}, "wamp.session.kill", [caller.id])
        late.send(16, 3, ACKNOWLEDGE, "a")
        caller.send(48, 1, {}, "q")
        oracle.received()
        admin.send(48, 1, {}, "wamp.session.kill", [oracle.id])
        assert [message[0] for message in oracle.received()] == [6]
        assert [message[0] for message in caller.received()] == [8, 6]
        assert [message[:2] for message in admin.received()] == [[50, 1]]
        assert [message[:3] for message in late.received()] == [[8, 16, 1], [50, 2, {}], [8, 16, 3]]
        assert set(world.realm.sessions) == {late.id, admin.id}
        assert len(world.clock.timers) == 0

    def test_that_end_with_a_kill_may_end_who_killed(self, world, oracle):
        class Asks(Slow):
            def decide(self, session, action, uri, options):
                if action is not Action.PUBLISH:
                    return YES
                return after(world.realm.ask("p", timeout_s=5.0), lambda outcome: YES)

        late, admin, other = world.join(permissions=Asks()), world.join(), world.join()
        late.send(16, 1, {}, "a")
        late.send(48, 2, {}, "wamp.session.kill_all")
        admin.send(48, 1, {}, "wamp.session.kill_by_authrole", ["tester"])
        assert [message[0] for message in admin.received()] == [6]
        assert [message[0] for message in other.received()] == [6]
        # The killer is dead, but what it had begun goes on.
        assert [message[0] for message in late.received()] == [50, 6]
        assert world.realm.sessions == {}


TOPICS = [("a", "exact"), ("b", "exact"), ("a", "prefix"), ("", "prefix"), (".b", "wildcard")]
META = [("wamp.", "prefix"), ("radiod.channel.on_delete", "exact"), ("wamp.session.on_leave", "exact")]
WRONG = [("bad uri", "exact")]
PROCEDURES = ["a", "a", "a.b", "b", "nobody", "radiod.echo", "wamp.session.list", "wamp.session.get"]
FEATURES = (
    "caller.progressive_call_invocations callee.call_canceling callee.progressive_call_results"
    " callee.progressive_call_invocations callee.call_reroute"
)
ANSWERS = {33: 32, 35: 34, 50: 48, 65: 64, 67: 66, 17: 16}
"""Code of an answer -> of what it answers."""


def chance(*values):
    return st.sampled_from(values)


def client_rule(has=lambda session: True, **strategies):
    """A rule for one of the clients whose session is open and ``has`` what the rule is about."""

    def able(machine):
        return [peer for peer in machine.clients if peer.session.is_open and has(peer.session)]

    def of(act):
        def run(self, who, **values):
            clients = able(self)
            act(self, clients[who % len(clients)], **values)

        run.__name__ = act.__name__
        return precondition(able)(rule(who=st.integers(0, 9), **strategies)(run))

    return of


class Sessions(RuleBasedStateMachine):
    """Whole sessions of several clients, as their connections drive them.

    ``owed``: (session, request) of what is not finally answered yet -> its code; ``chunked``: session -> its
    last progressive call.
    """

    @initialize()
    def begin(self):
        limits = Limits(max_pending_calls=3, max_channels=2, max_subscriptions=4, max_testaments=2)
        self.world = World(limits=limits)
        self.slow = Slow(*Action)
        self.owed = {}
        self.chunked = {}
        self.clients = []
        for _ in range(3):
            self.join(FEATURES, False, True)
            self.request(self.clients[-1], 64, {"invoke": "roundrobin"}, "a")

    # --- as a connection does it

    def give(self, client, *message):
        """Decode, count and receive a message, and end the session for a fault."""
        session = client.session
        decoded = CBOR.decode(CBOR.dump(list(message)))
        try:
            session.count(decoded)
            self.world.realm.receive(session, decoded, CBOR)
        except PeerError as error:
            self.world.outbox.abort(session, error)
            self.world.realm.leave(session)
        self.collect()

    def request(self, client, code, *rest):
        request = client.session.last_request + 1
        if code != 16 or rest[0].get("acknowledge"):
            self.owed[client.session, request] = code
        self.give(client, code, request, *rest)

    def collect(self):
        """Take note of every answer: each to something asked, and the last one to it."""
        for sent in self.world.outbox.take():
            message = CBOR.load(CBOR.encode(sent.message, sent.payload))
            code, session = message[0], sent.session
            if code == 8:
                assert self.owed.pop((session, message[2])) == message[1]
            elif code in ANSWERS and message[1] != 0:
                if code == 50 and message[2].get("progress"):
                    assert (session, message[1]) in self.owed
                else:
                    assert self.owed.pop((session, message[1])) == ANSWERS[code]

    # --- what clients ask of broker and dealer

    @rule(
        features=chance("", "callee.call_canceling", FEATURES, FEATURES),
        is_slow=chance(False, False, True),
        is_revocable=st.booleans(),
    )
    def join(self, features, is_slow, is_revocable):
        permissions = {"permissions": self.slow} if is_slow else {}
        self.clients.append(
            self.world.join(codec=CBOR, features=features, is_revocable=is_revocable, **permissions)
        )

    @client_rule(pattern=chance(*TOPICS, *META, *WRONG), get_retained=st.booleans())
    def subscribe(self, client, pattern, get_retained):
        topic, match = pattern
        self.request(client, 32, {"match": match, "get_retained": get_retained}, topic)

    @client_rule(lambda session: session.subscriptions)
    def unsubscribe(self, client):
        self.request(client, 34, next(iter(client.session.subscriptions)))

    @client_rule(pattern=chance(*TOPICS, *WRONG), invoke=chance("single", "roundrobin", "last"))
    def register(self, client, pattern, invoke):
        procedure, match = pattern
        self.request(client, 64, {"match": match, "invoke": invoke, "concurrency": 2}, procedure)

    @client_rule(lambda session: session.registrations)
    def unregister(self, client):
        self.request(client, 66, next(iter(client.session.registrations)))

    @client_rule(topic=chance("a", "b", "a.b", "wamp.x", "bad uri"), acknowledge=st.booleans())
    def publish(self, client, topic, acknowledge):
        options = {"acknowledge": acknowledge, "retain": acknowledge, "exclude_me": False}
        self.request(client, 16, options, topic, [1])

    @client_rule(procedure=chance(*PROCEDURES), timeout=chance(0, 0, 500), receive_progress=st.booleans())
    def call(self, client, procedure, timeout, receive_progress):
        options = {"timeout": timeout, "receive_progress": receive_progress}
        self.request(client, 48, options, procedure, [1])

    @client_rule(lambda session: len(session.features) > 1, procedure=chance(*PROCEDURES))
    def begin_a_progressive_call(self, client, procedure):
        self.chunked[client.session] = client.session.last_request + 1
        self.request(client, 48, {"progress": True}, procedure, [1])

    @precondition(lambda self: any(session.is_open for session in self.chunked))
    @rule(data=st.data(), procedure=chance(*PROCEDURES), is_more=chance(True, True, False))
    def send_a_chunk(self, data, procedure, is_more):
        sending = [client for client in self.clients if client.session in self.chunked]
        client = data.draw(st.sampled_from([client for client in sending if client.session.is_open]))
        self.give(client, 48, self.chunked[client.session], {"progress": is_more}, procedure, [2])

    @client_rule(lambda session: session.calls, mode=chance("skip", "kill", "killnowait"))
    def cancel(self, client, mode):
        self.give(client, 49, next(iter(client.session.calls)), {"mode": mode})

    @client_rule(lambda session: session.invocations, progress=chance(True, False, False))
    def answer(self, client, progress):
        self.give(client, 70, next(iter(client.session.invocations)), {"progress": progress}, [1])

    @client_rule(lambda session: session.invocations, error=chance("an.error", "wamp.error.unavailable"))
    def fail(self, client, error):
        self.give(client, 8, 68, next(iter(client.session.invocations)), {}, error)

    # --- what clients ask of the router's own procedures

    @client_rule(is_callee=st.booleans(), data=st.data())
    def revoke(self, client, is_callee, data):
        other = data.draw(st.sampled_from(list(self.world.realm.sessions.values())))
        held = list(other.registrations if is_callee else other.subscriptions) or [999]
        kind, name = ("registration", "remove_callee") if is_callee else ("subscription", "remove_subscriber")
        self.request(client, 48, {}, f"wamp.{kind}.{name}", [held[0], other.id])

    @client_rule(scope=chance("detached", "destroyed"), is_added=st.booleans())
    def testament(self, client, scope, is_added):
        if is_added:
            self.request(client, 48, {}, "wamp.session.add_testament", ["a", [1], {}], {"scope": scope})
        else:
            self.request(client, 48, {}, "wamp.session.flush_testaments", [scope])

    @client_rule(name=chance("a", "c"), lifetime=chance(None, 2))
    def create_a_channel(self, client, name, lifetime):
        self.request(client, 48, {}, "radiod.channel.create", [name], {"lifetime": lifetime})

    # --- what ends sessions

    @client_rule(how=chance("goodbye", "lost", "fault", "kill", "kill", "kill_all"), data=st.data())
    def end(self, client, how, data):
        match how:
            case "goodbye":
                self.give(client, 6, {}, "wamp.close.normal")
            case "lost":
                client.leave()
                self.collect()
            case "fault":
                self.give(client, 3, {}, "a.reason")
            case "kill":
                id = data.draw(st.sampled_from([*self.world.realm.sessions, 999]))
                self.request(client, 48, {}, "wamp.session.kill", [id])
            case "kill_all":
                self.request(client, 48, {}, "wamp.session.kill_all")

    # --- what happens by itself

    @precondition(lambda self: self.slow.pending)
    @rule(outcome=chance(YES, YES, YES, NO, Refused("an.error", "nobody knows")))
    def decide(self, outcome):
        self.slow.settle(outcome)
        self.collect()

    @rule(seconds=chance(0.5, 2, 61))
    def wait(self, seconds):
        self.world.clock.advance(seconds)
        self.collect()

    # --- what always holds

    @invariant()
    def only_waiting_sessions_are_held(self):
        sessions = self.world.realm.sessions.values()
        assert self.world.outbox.held == {one for one in sessions if one.waiting is not None}

    @invariant()
    def sessions_that_left_hold_nothing(self):
        for session in (client.session for client in self.clients):
            if not session.is_open:
                assert session.subscriptions == session.registrations == {}
                assert session.calls == session.invocations == {}
                assert session.waiting is None

    def teardown(self):
        """Everything is decided and answered in the end; then everybody leaves."""
        world, realm = self.world, self.world.realm
        while self.slow.pending:
            self.slow.settle()
        for _ in range(3):
            world.clock.advance(61)
        self.collect()
        assert [(session, request) for session, request in self.owed if session.is_open] == []
        for client in self.clients:
            client.leave()
        self.collect()
        assert realm.sessions == {}
        assert (len(realm.broker), len(realm.dealer), len(realm.channels)) == (0, 0, 0)
        for policy in ("exact", "prefix", "wildcard"):
            assert list(realm.broker.subscriptions(policy)) == []
            assert list(realm.dealer.registrations.of_policy(policy)) == []
        assert (len(world.clock.timers), world.outbox.held) == (0, set())
        assert all(not session.is_open for session, _ in self.owed)


Sessions.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
TestWholeSessions = Sessions.TestCase


def test_a_wrong_key_is_told_to_the_outbox_and_other_refusals_are_not():
    outbox = RecordingOutbox()
    realm = make_realm(outbox=outbox)
    peer = Peer(realm, outbox)
    peer.ask(32, 1, {"_radiod_key": "wrong"}, "a")
    peer.ask(32, 2, {}, "wamp.a b")
    assert outbox.suspected == [peer.session]
