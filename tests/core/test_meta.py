"""WAMP's meta API through the eyes of a client: every procedure, event and error."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from support.realms import NO, YES, Slow, World

from radiod.core.history import Keep
from radiod.core.meta import MAX_EVENTS
from radiod.core.ports import Action
from radiod.errors import (
    CANCELED,
    CLOSE_KILLED,
    HISTORY_UNAVAILABLE,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    PAYLOAD_SIZE_EXCEEDED,
    Refused,
)
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import CBOR, CODECS

WRONG_IDS = [
    None,
    True,
    False,
    "1",
    0,
    -1,
    2**53 + 1,
    10**400,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    [],
    {},
    b"1",
]
WRONG_TEXTS = [None, 1, 1.5, True, [], {}, b"a"]
BAD_URIS = ["", "a b", "a..b", "x" * 256]

ID_PROCEDURES = {
    "wamp.session.get": NO_SUCH_SESSION,
    "wamp.session.kill": NO_SUCH_SESSION,
    "wamp.subscription.get": NO_SUCH_SUBSCRIPTION,
    "wamp.subscription.list_subscribers": NO_SUCH_SUBSCRIPTION,
    "wamp.subscription.count_subscribers": NO_SUCH_SUBSCRIPTION,
    "wamp.subscription.get_events": NO_SUCH_SUBSCRIPTION,
    "wamp.registration.get": NO_SUCH_REGISTRATION,
    "wamp.registration.list_callees": NO_SUCH_REGISTRATION,
    "wamp.registration.count_callees": NO_SUCH_REGISTRATION,
}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def alice(world):
    return world.join("alice", "member")


@pytest.fixture
def bob(world):
    return world.join("bob", "guest")


@pytest.fixture
def admin(world):
    return world.join("admin", "admin", codec=CBOR)


@pytest.mark.parametrize("procedure", ID_PROCEDURES)
class TestIds:
    @pytest.mark.parametrize("id", WRONG_IDS, ids=lambda value: repr(value)[:12])
    def test_that_are_none_are_refused(self, admin, procedure, id):
        assert admin.call(procedure, id) == INVALID_ARGUMENT

    @pytest.mark.parametrize("id", [999, 999.0, 2**53, float(2**53)])
    def test_that_nothing_has_are_named_so(self, admin, procedure, id):
        assert admin.call(procedure, id) == ID_PROCEDURES[procedure]

    def test_are_needed(self, admin, procedure):
        assert admin.call(procedure) == INVALID_ARGUMENT


class TestSessionEvents:
    def test_tell_of_joining_and_leaving_and_nothing_private(self, world):
        watcher = world.watch("wamp.session.on_join", "wamp.session.on_leave")
        principal = make_principal("ann", "member")
        session = world.realm.join(
            type(principal)(
                authid="ann",
                authrole="member",
                authmethod="ticket",
                authprovider="file",
                permissions=principal.permissions,
                authextra={"secret": 1},
            ),
            None,
        )
        joined = {
            "session": session.id,
            "authid": "ann",
            "authrole": "member",
            "authmethod": "ticket",
            "authprovider": "file",
        }
        assert watcher.told() == [("wamp.session.on_join", joined)]
        assert watcher.peer.call("wamp.session.get", session.id) == [joined]
        world.realm.leave(session)
        world.realm.leave(session)
        assert watcher.told() == [("wamp.session.on_leave", session.id, "ann", "member")]

    def test_are_the_first_and_the_last_of_a_session(self, world):
        watcher = world.watch(
            *[f"wamp.session.on_{what}" for what in ("join", "leave")],
            *[f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")],
            *[f"wamp.registration.on_{what}" for what in ("create", "register", "unregister", "delete")],
            "radiod.channel.on_create",
            "radiod.channel.on_delete",
        )
        alice = world.join()
        alice.subscribe("a")
        alice.register("p")
        alice.call("radiod.channel.create", "c")
        alice.leave()
        assert [topic.partition(".")[2] for topic, *_ in watcher.told()] == [
            "session.on_join",
            "subscription.on_create",
            "subscription.on_subscribe",
            "registration.on_create",
            "registration.on_register",
            "channel.on_create",
            "subscription.on_unsubscribe",
            "subscription.on_delete",
            "registration.on_unregister",
            "registration.on_delete",
            "channel.on_delete",
            "session.on_leave",
        ]

    def test_reach_only_their_own_realm(self, world, alice):
        watcher = World().watch("wamp.session.on_leave")
        alice.leave()
        assert watcher.told() == []


class TestSessions:
    def test_are_counted_and_listed(self, world, alice, bob):
        assert alice.call("wamp.session.count") == [2]
        assert alice.call("wamp.session.list") == [[alice.id, bob.id]]
        bob.leave()
        assert alice.call("wamp.session.count") == [1]

    @pytest.mark.parametrize(
        ("roles", "expected"),
        [(["member"], 1), (["member", "guest"], 2), (["nobody"], 0), ([], 0), (None, 2), (["guest"] * 3, 1)],
    )
    def test_may_be_chosen_by_role(self, alice, bob, roles, expected):
        assert alice.call("wamp.session.count", roles) == [expected]
        assert len(alice.call("wamp.session.list", filter_authroles=roles)[0]) == expected

    @pytest.mark.parametrize("roles", ["member", 1, {}, True, [1], [None], [["member"]], ["member", {}]])
    def test_roles_are_a_list_of_strings(self, alice, roles):
        assert alice.call("wamp.session.count", roles) == INVALID_ARGUMENT
        assert alice.call("wamp.session.list", roles) == INVALID_ARGUMENT

    def test_are_described_to_others_and_to_themselves(self, alice, bob):
        described = {
            "session": bob.id,
            "authid": "bob",
            "authrole": "guest",
            "authmethod": "anonymous",
            "authprovider": "static",
        }
        assert alice.call("wamp.session.get", bob.id) == bob.call("wamp.session.get", bob.id) == [described]
        assert alice.call("wamp.session.get", float(bob.id)) == [described]


class TestKill:
    def test_ends_another_session(self, world, alice, bob):
        watcher = world.watch("wamp.session.on_leave")
        bob.subscribe("a")
        bob.register("p")
        caller = world.join()
        caller.request(48, {}, "p")
        assert alice.call("wamp.session.kill", bob.id) == []
        assert caller.received()[0][4] == CANCELED
        assert bob.received()[-1] == [6, {}, CLOSE_KILLED]
        assert world.outbox.is_closed(bob.session)
        assert watcher.told() == [("wamp.session.on_leave", bob.id, "bob", "guest")]
        assert (len(world.realm.broker), len(world.realm.dealer)) == (1, 0)
        bob.send(32, 5, {}, "b")
        assert bob.received() == []

    def test_gives_the_reason_and_the_message(self, alice, bob):
        assert alice.call("wamp.session.kill", bob.id, reason="a.reason", message="why") == []
        assert bob.received() == [[6, {"message": "why"}, "a.reason"]]

    def test_of_oneself_is_refused(self, alice):
        assert alice.call("wamp.session.kill", alice.id) == NO_SUCH_SESSION
        assert alice.session.is_open

    def test_by_authid_tells_whom(self, world, alice):
        twins = [world.join("alice") for _ in range(2)]
        other = world.join("other")
        assert alice.call("wamp.session.kill_by_authid", "alice", reason="a.b", message="m") == [
            [twin.id for twin in twins]
        ]
        assert [twin.received() for twin in twins] == [[[6, {"message": "m"}, "a.b"]]] * 2
        assert alice.session.is_open
        assert other.session.is_open
        assert alice.call("wamp.session.kill_by_authid", "nobody") == [[]]

    def test_by_authrole_tells_how_many(self, world, alice, bob):
        others = [world.join("x", "member") for _ in range(3)]
        assert alice.call("wamp.session.kill_by_authrole", "member") == [3]
        assert [other.received() for other in others] == [[[6, {}, CLOSE_KILLED]]] * 3
        assert (alice.session.is_open, bob.session.is_open) == (True, True)

    def test_of_all_spares_the_caller_and_tells_nobody_of_their_leaving(self, world, alice, bob):
        watcher = world.join()
        alice.subscribe("wamp.session.on_leave")
        deleted = alice.subscribe("wamp.subscription.on_delete")
        subscription = bob.subscribe("a")
        alice.request(48, {}, "wamp.session.kill_all")
        event, answer = alice.received()
        assert (event[1], event[4]) == (deleted, [bob.id, subscription])
        assert answer[3] == [2]
        assert list(world.realm.sessions) == [alice.id]
        assert watcher.received() == [[6, {}, CLOSE_KILLED]]

    @pytest.mark.parametrize(
        ("procedure", "arguments"),
        [
            ("wamp.session.kill", [2]),
            ("wamp.session.kill_by_authid", ["bob"]),
            ("wamp.session.kill_by_authid", ["nobody"]),
            ("wamp.session.kill_by_authrole", ["guest"]),
            ("wamp.session.kill_all", []),
        ],
    )
    def test_with_wrong_arguments_kills_nobody(self, world, procedure, arguments):
        killer, victim = world.join(codec=CBOR), world.join("bob", "guest")
        for reason in WRONG_TEXTS:
            assert killer.call(procedure, *arguments, reason=reason) == INVALID_ARGUMENT
        for reason in BAD_URIS:
            assert killer.call(procedure, *arguments, reason=reason) == INVALID_URI
        for message in WRONG_TEXTS[1:]:
            assert killer.call(procedure, *arguments, message=message) == INVALID_ARGUMENT
        assert victim.session.is_open
        assert victim.received() == []

    @pytest.mark.parametrize("procedure", ["kill_by_authid", "kill_by_authrole"])
    @pytest.mark.parametrize("value", WRONG_TEXTS)
    def test_by_what_is_no_text_is_refused(self, admin, procedure, value):
        assert admin.call(f"wamp.session.{procedure}", value) == INVALID_ARGUMENT

    def test_needs_the_right_to_call_it(self, world, bob):
        mallory = world.join(permissions=Allow(Action.PUBLISH, Action.SUBSCRIBE))
        assert mallory.call("wamp.session.kill", bob.id) == NOT_AUTHORIZED
        assert bob.session.is_open


def now(world):
    date = datetime.fromtimestamp(world.clock.time(), UTC)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TestSubscriptionEvents:
    @pytest.fixture
    def watcher(self, world):
        kinds = ("create", "subscribe", "unsubscribe", "delete")
        return world.watch(*[f"wamp.subscription.on_{kind}" for kind in kinds])

    @pytest.mark.parametrize(("match", "topic"), [("exact", "a.b"), ("prefix", "a."), ("wildcard", "a..b")])
    def test_tell_of_the_life_of_a_subscription(self, world, watcher, alice, bob, match, topic):
        id = alice.subscribe(topic, match=match)
        described = {"id": id, "created": now(world), "uri": topic, "match": match}
        assert watcher.told() == [
            ("wamp.subscription.on_create", alice.id, described),
            ("wamp.subscription.on_subscribe", alice.id, id),
        ]
        world.clock.advance(1)
        assert bob.subscribe(topic, match=match) == bob.subscribe(topic, match=match) == id
        assert watcher.told() == [("wamp.subscription.on_subscribe", bob.id, id)]
        assert bob.call("wamp.subscription.get", id) == [described]
        assert alice.answer(34, id)[0] == 35
        assert watcher.told() == [("wamp.subscription.on_unsubscribe", alice.id, id)]
        bob.leave()
        assert watcher.told() == [
            ("wamp.subscription.on_unsubscribe", bob.id, id),
            ("wamp.subscription.on_delete", bob.id, id),
        ]

    def test_are_not_caused_by_listening_to_what_the_router_says(self, watcher, alice):
        for match, topic in (
            ("exact", "wamp.session.on_join"),
            ("prefix", "radiod."),
            ("wildcard", "wamp..x"),
        ):
            id = alice.subscribe(topic, match=match)
            alice.answer(34, id)
        assert watcher.told() == []

    def test_come_after_the_answer(self, world, alice):
        subscribe = alice.subscribe("wamp.subscription.on_subscribe")
        unsubscribe = alice.subscribe("wamp.subscription.on_unsubscribe")
        alice.request(32, {}, "a")
        answer, event = alice.received()
        assert (answer[0], event[:2]) == (33, [36, subscribe])
        alice.request(34, answer[2])
        answer, event = alice.received()
        assert (answer[0], event[:2]) == (35, [36, unsubscribe])

    def test_are_caused_by_listeners_that_speak_no_wamp_once(self, world, watcher, alice):
        world.realm.subscribe(alice.session, "a")
        world.realm.subscribe(alice.session, "a")
        assert [topic for topic, *_ in watcher.told()] == [
            "wamp.subscription.on_create",
            "wamp.subscription.on_subscribe",
        ]


class TestSubscriptions:
    def test_are_listed_by_policy(self, admin, alice):
        empty = {"exact": [], "prefix": [], "wildcard": []}
        assert admin.call("wamp.subscription.list") == [empty]
        first, second = alice.subscribe("a"), alice.subscribe("b")
        prefix, wildcard = alice.subscribe("a", match="prefix"), alice.subscribe("a.", match="wildcard")
        assert admin.call("wamp.subscription.list") == [
            {"exact": [first, second], "prefix": [prefix], "wildcard": [wildcard]}
        ]

    def test_are_looked_up_by_topic_and_policy(self, admin, alice):
        exact, prefix = alice.subscribe("a"), alice.subscribe("a", match="prefix")
        lookup = "wamp.subscription.lookup"
        assert (
            admin.call(lookup, "a") == admin.call(lookup, "a", {}) == admin.call(lookup, "a", None) == [exact]
        )
        assert admin.call(lookup, "a", {"match": "prefix", "unknown": 1}) == [prefix]
        assert admin.call(lookup, "a", {"match": "wildcard"}) == admin.call(lookup, "b") == [None]

    @pytest.mark.parametrize("kind", ["subscription", "registration"])
    @pytest.mark.parametrize(
        "options",
        [1, "prefix", [], True, {"match": "Prefix"}, {"match": None}, {"match": "x" * 999}, {1: 2}],
    )
    def test_options_are_as_when_subscribing_or_registering(self, admin, kind, options):
        assert admin.call(f"wamp.{kind}.lookup", "a", options) == INVALID_ARGUMENT
        answer = admin.answer(48, {}, f"wamp.{kind}.lookup", ["a", options])
        assert len(answer[5][0]) < 300

    @pytest.mark.parametrize("procedure", ["lookup", "match"])
    @pytest.mark.parametrize("kind", ["subscription", "registration"])
    @pytest.mark.parametrize("topic", WRONG_TEXTS)
    def test_uris_are_texts(self, admin, kind, procedure, topic):
        assert admin.call(f"wamp.{kind}.{procedure}", topic) == INVALID_ARGUMENT

    def test_are_matched_with_a_topic(self, admin, alice):
        exact = alice.subscribe("a.b")
        prefix, wildcard = alice.subscribe("a", match="prefix"), alice.subscribe(".b", match="wildcard")
        assert admin.call("wamp.subscription.match", "a.b") == [[exact, prefix, wildcard]]
        assert admin.call("wamp.subscription.match", "c.b") == [[wildcard]]
        assert admin.call("wamp.subscription.match", "c") == [None]
        assert admin.call("wamp.subscription.match", "not a uri") == [None]

    def test_have_subscribers(self, admin, alice, bob):
        id = alice.subscribe("a")
        bob.subscribe("a")
        assert admin.call("wamp.subscription.list_subscribers", id) == [[alice.id, bob.id]]
        assert admin.call("wamp.subscription.count_subscribers", id) == [2]


class TestRemovingSubscribers:
    PROCEDURE = "wamp.subscription.remove_subscriber"

    def test_tells_who_asked_to_be_told(self, world, admin):
        alice, bob = world.join(is_revocable=True), world.join()
        events = world.watch("wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete")
        id = alice.subscribe("a")
        bob.subscribe("a")
        assert admin.call(self.PROCEDURE, id, alice.id, "no more") == []
        assert alice.received() == [[35, 0, {"subscription": id, "reason": "no more"}]]
        assert admin.call(self.PROCEDURE, id, session=bob.id) == []
        assert bob.received() == []
        assert [topic.rpartition("_")[2] for topic, *_ in events.told()] == ["unsubscribe"] * 2 + ["delete"]
        assert admin.call(self.PROCEDURE, id, bob.id) == NO_SUCH_SUBSCRIPTION

    @pytest.mark.parametrize("reason", [None, ""])
    def test_needs_no_reason(self, world, admin, reason):
        alice = world.join(is_revocable=True)
        id = alice.subscribe("a")
        assert admin.call(self.PROCEDURE, id, alice.id, reason) == []
        assert alice.received() == [[35, 0, {"subscription": id}]]

    def test_tells_the_one_who_loses_it_before_the_events(self, world, admin):
        alice = world.join(is_revocable=True)
        alice.subscribe("wamp.subscription.on_unsubscribe")
        id = alice.subscribe("a")
        admin.call(self.PROCEDURE, id, alice.id)
        assert [message[0] for message in alice.received()] == [35, 36]

    def test_from_who_has_none_is_refused(self, admin, alice, bob):
        id = alice.subscribe("a")
        assert admin.call(self.PROCEDURE, id, bob.id) == NO_SUCH_SUBSCRIPTION
        assert admin.call(self.PROCEDURE, id, 999) == NO_SUCH_SESSION
        assert admin.call(self.PROCEDURE, 999, alice.id) == NO_SUCH_SUBSCRIPTION
        for wrong in WRONG_IDS:
            assert admin.call(self.PROCEDURE, wrong, alice.id) == INVALID_ARGUMENT
            assert admin.call(self.PROCEDURE, id, wrong) == INVALID_ARGUMENT
        for wrong in WRONG_TEXTS[1:]:
            assert admin.call(self.PROCEDURE, id, alice.id, wrong) == INVALID_ARGUMENT
        assert id in alice.session.subscriptions


class TestRegistrationEvents:
    @pytest.fixture
    def watcher(self, world):
        kinds = ("create", "register", "unregister", "delete")
        return world.watch(*[f"wamp.registration.on_{kind}" for kind in kinds])

    @pytest.mark.parametrize(("match", "procedure"), [("exact", "p"), ("prefix", "p."), ("wildcard", "p.")])
    def test_tell_of_the_life_of_a_registration(self, world, watcher, alice, bob, match, procedure):
        id = alice.register(procedure, match=match, invoke="roundrobin")
        described = {
            "id": id,
            "created": now(world),
            "uri": procedure,
            "match": match,
            "invoke": "roundrobin",
        }
        assert watcher.told() == [
            ("wamp.registration.on_create", alice.id, described),
            ("wamp.registration.on_register", alice.id, id),
        ]
        assert bob.register(procedure, match=match, invoke="roundrobin") == id
        assert watcher.told() == [("wamp.registration.on_register", bob.id, id)]
        assert bob.call("wamp.registration.get", id) == [described]
        alice.answer(66, id)
        assert watcher.told() == [("wamp.registration.on_unregister", alice.id, id)]
        bob.leave()
        assert watcher.told() == [
            ("wamp.registration.on_unregister", bob.id, id),
            ("wamp.registration.on_delete", bob.id, id),
        ]

    def test_come_after_the_answer(self, alice):
        alice.subscribe("wamp.registration.", match="prefix")
        alice.request(64, {}, "p")
        registered = alice.received()
        assert [message[0] for message in registered] == [65, 36, 36]
        alice.request(66, registered[0][2])
        assert [message[0] for message in alice.received()] == [67, 36, 36]


class TestRegistrations:
    def test_are_listed_by_policy(self, admin, alice):
        exact = alice.register("p")
        prefix, wildcard = alice.register("p", match="prefix"), alice.register("p.", match="wildcard")
        assert admin.call("wamp.registration.list") == [
            {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}
        ]

    def test_are_looked_up_by_procedure_and_policy(self, admin, alice):
        exact, prefix = alice.register("p"), alice.register("p", match="prefix")
        assert admin.call("wamp.registration.lookup", "p") == [exact]
        assert admin.call("wamp.registration.lookup", "p", {"match": "prefix"}) == [prefix]
        assert admin.call("wamp.registration.lookup", "q") == [None]

    def test_are_matched_with_a_procedure(self, admin, alice):
        exact, all = alice.register("p"), alice.register("", match="prefix")
        assert admin.call("wamp.registration.match", "p") == [exact]
        assert admin.call("wamp.registration.match", "q") == [all]
        alice.leave()
        assert admin.call("wamp.registration.match", "q") == [None]

    def test_match_nothing_that_the_router_answers_itself(self, admin, alice):
        alice.register("", match="prefix")
        assert admin.call("wamp.registration.match", "wamp.session.count") == [None]
        assert admin.call("wamp.session.count") == [2]

    def test_have_callees(self, admin, alice, bob):
        id = alice.register("p", invoke="random")
        bob.register("p", invoke="random")
        assert admin.call("wamp.registration.list_callees", id) == [[alice.id, bob.id]]
        assert admin.call("wamp.registration.count_callees", id) == [2]


class TestRemovingCallees:
    PROCEDURE = "wamp.registration.remove_callee"

    def test_tells_who_asked_to_be_told(self, world, admin):
        alice, bob = world.join(is_revocable=True), world.join()
        events = world.watch("wamp.registration.on_unregister", "wamp.registration.on_delete")
        id = alice.register("p", invoke="first")
        bob.register("p", invoke="first")
        assert admin.call(self.PROCEDURE, id, alice.id, reason="no more") == []
        assert alice.received() == [[67, 0, {"registration": id, "reason": "no more"}]]
        assert admin.call(self.PROCEDURE, id, bob.id) == []
        assert bob.received() == []
        assert [topic.rpartition("_")[2] for topic, *_ in events.told()] == ["unregister"] * 2 + ["delete"]

    def test_lets_it_answer_what_it_was_asked(self, world, admin, alice, bob):
        id = alice.register("p")
        request = bob.request(48, {}, "p")
        admin.call(self.PROCEDURE, id, alice.id)
        alice.send(70, 1, {}, ["r"])
        assert bob.received() == [[50, request, {}, ["r"]]]

    def test_from_who_has_none_is_refused(self, admin, alice, bob):
        id = alice.register("p")
        assert admin.call(self.PROCEDURE, id, bob.id) == NO_SUCH_REGISTRATION
        assert admin.call(self.PROCEDURE, id, 999) == NO_SUCH_SESSION
        assert admin.call(self.PROCEDURE, 999, alice.id) == NO_SUCH_REGISTRATION
        for wrong in WRONG_IDS:
            assert admin.call(self.PROCEDURE, wrong, alice.id) == INVALID_ARGUMENT
            assert admin.call(self.PROCEDURE, id, wrong) == INVALID_ARGUMENT
        for wrong in WRONG_TEXTS[1:]:
            assert admin.call(self.PROCEDURE, id, alice.id, wrong) == INVALID_ARGUMENT
        assert id in alice.session.registrations


GET_EVENTS = "wamp.subscription.get_events"
KEEP = Keep(size=2000, seconds=3600.0, bytes=1 << 20)


class Hides(Allow):
    """Permissions to everything but to see one topic by a pattern."""

    def __init__(self, topic):
        super().__init__(*Action)
        self._hidden = topic

    def hides(self, topic):
        return topic == self._hidden


class TestHistory:
    @pytest.fixture
    def world(self):
        world = World()
        world.realm.histories.keep("log.*", KEEP)
        return world

    @pytest.fixture
    def reader(self, world):
        reader = world.join("reader", "reader")
        reader.exact, reader.prefix = reader.subscribe("log.a"), reader.subscribe("log.", match="prefix")
        return reader

    @pytest.fixture
    def ids(self, world, alice, reader):
        """Publications log.a, log.b, log.a, log.b, log.a, one each second: 0 … 4."""
        ids = []
        for number in range(5):
            topic = "log.a" if number % 2 == 0 else "log.b"
            ids.append(alice.answer(16, {"acknowledge": True}, topic, [number], {"n": number})[2])
            world.clock.advance(1)
        reader.received()
        return ids

    def numbers(self, reader, subscription, **filters):
        events = reader.call(GET_EVENTS, subscription, **filters)
        assert isinstance(events, list), events
        return [event["args"][0] for event in events]

    def test_tells_events_as_they_happened(self, world, reader, ids):
        start = world.clock.time() - 5
        events = reader.call(GET_EVENTS, reader.prefix)
        assert events == [
            {
                "timestamp": datetime.fromtimestamp(start + number, UTC)
                .isoformat(timespec="milliseconds")
                .replace("+00:00", "Z"),
                "subscription": reader.prefix,
                "publication": ids[number],
                "topic": "log.b" if number % 2 else "log.a",
                "details": {"_seq": number // 2 + 1, "_epoch": events[number % 2]["details"]["_epoch"]},
                "args": [number],
                "kwargs": {"n": number},
            }
            for number in range(5)
        ]

    def test_is_of_one_topic_or_of_all_of_a_pattern(self, world, reader, ids):
        assert self.numbers(reader, reader.exact) == [0, 2, 4]
        assert self.numbers(reader, reader.prefix) == [0, 1, 2, 3, 4]
        assert self.numbers(reader, reader.subscribe(".b", match="wildcard")) == [1, 3]
        assert self.numbers(reader, reader.subscribe("", match="prefix")) == [0, 1, 2, 3, 4]
        assert self.numbers(reader, reader.subscribe("other", match="prefix")) == []
        assert self.numbers(reader, reader.subscribe("log.c")) == []

    def test_of_a_topic_that_keeps_none_is_not_there(self, reader):
        assert reader.call(GET_EVENTS, reader.subscribe("other")) == HISTORY_UNAVAILABLE

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"reverse": True}, [4, 3, 2, 1, 0]),
            ({"limit": 2}, [0, 1]),
            ({"limit": 2.0, "reverse": True}, [4, 3]),
            ({"topic": "log.b"}, [1, 3]),
            ({"topic": "log.c"}, []),
            ({"from_publication": 2}, [2, 3, 4]),
            ({"after_publication": 2}, [3, 4]),
            ({"before_publication": 2}, [0, 1]),
            ({"until_publication": 2}, [0, 1, 2]),
            ({"from_publication": 1, "after_publication": 2, "until_publication": 3}, [3]),
            ({"from_publication": 3, "until_publication": 1}, []),
            ({"after_publication": 2, "topic": "log.b"}, [3]),
            ({"after_publication": 1, "reverse": True, "limit": 1}, [4]),
            ({"from_time": 2}, [2, 3, 4]),
            ({"after_time": 2}, [3, 4]),
            ({"before_time": 2}, [0, 1]),
            ({"until_time": 2}, [0, 1, 2]),
            ({"from_time": 1, "before_publication": 3}, [1, 2]),
            ({"from_time": 1.5, "until_time": 3.5}, [2, 3]),
        ],
    )
    def test_is_filtered_by_all_that_is_asked(self, world, reader, ids, filters, expected):
        start = world.clock.time() - 5
        for name, value in filters.items():
            if name.endswith("_publication"):
                filters = {**filters, name: ids[value]}
            elif name.endswith("_time"):
                date = datetime.fromtimestamp(start + value, UTC).isoformat()
                filters = {**filters, name: date}
        assert self.numbers(reader, reader.prefix, **filters) == expected

    def test_knows_the_same_moment_in_every_zone(self, world, reader, ids):
        moment = datetime.fromtimestamp(world.clock.time() - 3, UTC).replace(tzinfo=None)
        here = (moment + timedelta(hours=5.5)).isoformat()
        dates = (f"{moment.isoformat()}Z", f"{moment.isoformat()}.000+00:00", f"{here}+05:30".lower())
        for date in dates:
            assert self.numbers(reader, reader.prefix, from_time=date) == [2, 3, 4]

    def test_of_an_event_that_nobody_keeps_there_is_nothing_before_or_behind(self, reader, ids):
        for bound in ("from", "after", "before", "until"):
            assert self.numbers(reader, reader.prefix, **{f"{bound}_publication": 9999}) == []

    def test_pages_join_without_gap_or_overlap(self, reader, ids):
        seen, after = [], {}
        while True:
            reader.request(48, {}, GET_EVENTS, [reader.prefix], {"limit": 2, **after})
            _, _, _, events, more = reader.received()[0]
            seen += [event["args"][0] for event in events]
            assert more["is_limit_reached"] is (len(seen) < 5)
            if not more["is_limit_reached"]:
                break
            after = {"after_publication": events[-1]["publication"]}
        assert seen == [0, 1, 2, 3, 4]

    def test_comes_a_thousand_at_a_time(self, alice, reader):
        for _ in range(MAX_EVENTS + 1):
            alice.request(16, {}, "log.a", [1])
        assert len(reader.call(GET_EVENTS, reader.exact, limit=2**53)) == MAX_EVENTS
        assert reader.answer(48, {}, GET_EVENTS, [reader.exact])[4] == {"is_limit_reached": True}

    def test_has_no_more_than_the_reader_would_have_received(self, world, alice, reader):
        for options in (
            {"eligible_authrole": ["reader"]},
            {"eligible_authrole": ["other"]},
            {"exclude_authrole": ["reader"]},
            {"exclude_authid": ["reader"]},
            {"eligible_authid": ["reader", "x"]},
            {"eligible": [reader.id]},
            {"exclude": [999]},
        ):
            alice.request(16, options, "log.a", [next(iter(options))])
        for subscription in (reader.exact, reader.prefix):
            assert self.numbers(reader, subscription) == ["eligible_authrole", "eligible_authid"]

    def test_leaves_out_what_the_role_hides(self, world, reader, ids):
        blind = world.join(permissions=Hides("log.b"))
        assert self.numbers(blind, reader.prefix) == [0, 2, 4]
        assert self.numbers(blind, reader.prefix, after_publication=ids[2]) == [4]
        # Not even that such an event happened.
        assert self.numbers(blind, reader.prefix, after_publication=ids[1]) == []

    def test_tells_what_was_disclosed(self, world, alice, reader):
        alice.request(16, {"disclose_me": True}, "log.a", [1])
        (event,) = reader.call(GET_EVENTS, reader.exact)
        assert event["details"] == {
            "publisher": alice.id,
            "publisher_authid": "alice",
            "publisher_authrole": "member",
            "_seq": 1,
            "_epoch": event["details"]["_epoch"],
        }

    @pytest.mark.parametrize("options", [{"exclude": [1]}, {"eligible": [1, 2, 3, 4, 5]}])
    def test_tells_nothing_of_events_that_named_sessions(self, alice, reader, options):
        alice.request(16, options, "log.a", [1])
        assert reader.call(GET_EVENTS, reader.exact) == []

    def test_needs_the_right_to_subscribe(self, world, reader, ids):
        mallory = world.join(permissions=Allow(Action.CALL))
        assert mallory.call(GET_EVENTS, reader.exact) == NOT_AUTHORIZED

    @pytest.mark.parametrize(
        ("outcome", "uri"),
        [
            (YES, None),
            (NO, NOT_AUTHORIZED),
            (Refused("an.error", "nobody knows"), "an.error"),
        ],
    )
    def test_may_be_long_in_coming_and_keeps_its_place(self, world, reader, ids, outcome, uri):
        slow = Slow(Action.SUBSCRIBE)
        late = world.join(permissions=slow)
        first = late.request(48, {}, GET_EVENTS, [reader.exact])
        second = late.request(48, {}, "wamp.session.count")
        assert late.received() == []
        assert slow.asked[-1] == (Action.SUBSCRIBE, "log.a")
        # It answers for what is there when the decision comes.
        reader.leave()
        slow.settle(outcome)
        answer, behind = late.received()
        if uri is None:
            assert (answer[:2], [event["args"] for event in answer[3]]) == ([50, first], [[0], [2], [4]])
        else:
            assert answer[:5] == [8, 48, first, {}, uri]
        assert behind[:2] == [50, second]
        assert world.outbox.held == set()

    def test_that_comes_when_the_reader_has_left_goes_nowhere(self, world, reader, ids):
        slow = Slow(Action.SUBSCRIBE)
        late = world.join(permissions=slow)
        late.request(48, {}, GET_EVENTS, [reader.exact])
        reader.call("wamp.session.kill", late.id)
        slow.settle()
        assert [message[0] for message in late.received()] == [6]

    @pytest.mark.parametrize("is_slow", [False, True])
    def test_that_is_too_long_for_the_reader_is_refused(self, is_slow):
        world = World(max_payload=500)
        world.realm.histories.keep("log.*", KEEP)
        slow = Slow(*[Action.SUBSCRIBE] * is_slow)
        alice, reader = world.join(), world.join(permissions=slow)
        id = alice.subscribe("log.a")
        alice.request(16, {}, "log.a", ["x" * 400])
        request = reader.request(48, {}, GET_EVENTS, [id])
        if is_slow:
            slow.settle()
        assert [message[:5] for message in reader.received()] == [[8, 48, request, {}, PAYLOAD_SIZE_EXCEEDED]]

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_reaches_every_reader_whatever_was_published(self, world, codec):
        publisher = world.join(codec=CBOR, features="publisher.payload_passthru_mode")
        reader = world.join(codec=codec)
        id = reader.subscribe("log.a")
        nested = []
        for _ in range(390):
            nested = [nested]
        for value in (10**40, {None: 1}, {(1, 2): 3}, nested, {1: 2}, math.nan, b"\0", {"cls": 1}):
            publisher.request(16, {}, "log.a", [value])
        publisher.request(16, {}, "log.a", [], {1: 2})
        publisher.request(16, {"enc_algo": "x"}, "log.a", b"opaque")
        world.outbox.take()
        sent = [event["args"] for event in reader.call(GET_EVENTS, id)]
        assert len(sent) == 10
        assert sent[:3] == [[], [], []]
        assert sent[4:] == [[{"1": 2}], [None], [b"\0"], [{"cls": 1}], [], []]

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("reverse", [None, 0, 1, "true", [], math.nan]),
            ("limit", WRONG_IDS),
            ("topic", WRONG_TEXTS[1:]),
            *[(f"{bound}_publication", WRONG_IDS[1:]) for bound in ("from", "after", "before", "until")],
            *[
                (
                    f"{bound}_time",
                    [
                        *WRONG_TEXTS[1:],
                        "",
                        "yesterday",
                        "2026-01-01",
                        "2026-01-01T00:00:00",
                        "2026-13-01T00:00:00Z",
                        "2026-01-01T00:00:60Z",
                        "99999-01-01T00:00:00Z",
                        "2026-01-01T00:00:00Z\0",
                        "2026-01-01T00:00:00Zulu",
                        "2026-W01-1T00:00:00Z",
                        "٢٠٢٦-01-01T00:00:00Z",
                    ],
                )
                for bound in ("from", "after", "before", "until")
            ],
        ],
    )
    def test_takes_no_wrong_argument(self, world, reader, name, values):
        admin = world.join(codec=CBOR)
        for value in values:
            assert admin.call(GET_EVENTS, reader.exact, **{name: value}) == INVALID_ARGUMENT, value

    def test_takes_dates_of_all_times(self, reader, ids):
        assert self.numbers(reader, reader.exact, from_time="0001-01-01T00:00:00+23:59") == [0, 2, 4]
        assert self.numbers(reader, reader.exact, until_time="9999-12-31T23:59:59.999999-23:59") == [0, 2, 4]

    def test_ends_with_its_channel(self, world, reader, alice):
        alice.call("radiod.channel.create", "log.a")
        alice.request(16, {}, "log.a", [1])
        assert self.numbers(reader, reader.exact) == [1]
        alice.leave()
        assert self.numbers(reader, reader.exact) == []
