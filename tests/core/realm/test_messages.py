"""What each message does and what it is answered, as lists on the wire."""

import pytest
from support.answers import assert_error, assert_protocol_violation, assert_silent
from support.realms import NO, YES, Slow, World

from radiod.core.limits import Limits
from radiod.core.rights import Action, Disclose, Verdict
from radiod.errors import (
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
    QUOTA,
    TIMEOUT,
)
from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
)
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK

INVALID_URIS = ["", "a..b", "a b", ".a", "a.", "a#b", "a\n", "x" * 256]
RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]
ACKNOWLEDGE = {"acknowledge": True}


PROGRESSIVE = "caller.progressive_call_invocations"
TAKES_CHUNKS = "callee.progressive_call_invocations callee.call_canceling"


class TestPublish:
    def test_delivers_the_event_and_says_nothing_to_its_publisher(self, world, alice):
        listener = world.listener("a.topic")
        alice.send(16, 1, {}, "a.topic", [1, "x"], {"k": None})
        assert_silent(alice)
        ((code, subscription, publication, *rest),) = listener.received()
        assert (code, rest) == (36, [{}, [1, "x"], {"k": None}])
        assert subscription in listener.subscriptions
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
        assert len(world.realm.space.broker) == 0

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


class TestUnsubscribe:
    def test_ends_the_events(self, world, alice, bob):
        subscription = alice.ask(32, 1, {}, "a")[2]
        assert alice.ask(34, 2, subscription) == [35, 2]
        bob.send(16, 1, {}, "a")
        assert_silent(alice)
        assert len(world.realm.space.broker) == 0

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


class TestChunksOfOneCall:
    @pytest.fixture
    def callee(self, world):
        callee = world.join(features=TAKES_CHUNKS)
        callee.ask(64, 1, {}, "p")
        return callee

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
        assert world.realm.dealer.calls_of(callee.session).answering == {}
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


class TestGoodbye:
    def test_is_answered_and_the_session_gone(self, world, alice, bob):
        alice.ask(32, 1, {}, "a")
        assert alice.ask(6, {"message": "bye"}, "wamp.close.normal") == [6, {}, "wamp.close.goodbye_and_out"]
        assert list(world.realm.sessions) == [bob.session.id]
        bob.send(16, 1, {}, "a", ["too late"])
        assert_silent(alice)

    def test_of_one_that_calls_itself_is_the_last_it_hears(self, alice):
        alice.ask(64, 1, {}, "p")
        alice.ask(48, 2, {}, "p")
        assert alice.ask(6, {}, "wamp.close.normal")[0] == 6
