"""WAMP's meta API through the eyes of a client: every procedure, event and error."""

import math
from datetime import UTC, datetime

import pytest
from support.realms import World

from radiod.core.ports import Action
from radiod.core.slices import SLICE_S
from radiod.errors import (
    CANCELED,
    CLOSE_KILLED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
)
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import CBOR

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


def test_many_sessions_that_are_not_meant_are_passed(world, admin):
    for _ in range(501):
        world.join()
    assert admin.call("wamp.session.kill_by_authid", "nobody") == [[]]
    assert len(world.realm.sessions) == 502


class TestSessionEvents:
    def test_tell_of_a_session_that_had_much_in_slices_and_in_order(self, world, alice):
        watcher = world.watch("wamp.subscription.on_delete", "wamp.session.on_leave")
        ids = [alice.subscribe(f"a.{n}") for n in range(100)]
        for number in range(100):
            alice.register(f"p.{number}")
        publisher, listener = world.join(), world.join()
        world.clock.look_s = SLICE_S / 2
        alice.leave()
        early = watcher.told()
        assert 0 < len(early) < 100
        # What it had is gone at once, whatever is told later.
        assert publisher.answer(16, {"acknowledge": True}, "a.99")[0] == 17
        assert listener.answer(64, {}, "p.99")[0] == 65
        world.clock.advance(1)
        told = early + watcher.told()
        assert told == [
            *(("wamp.subscription.on_delete", alice.session.id, id) for id in ids),
            ("wamp.session.on_leave", alice.session.id, "alice", "member"),
        ]

    @pytest.mark.parametrize(
        ("procedure", "args"),
        [("kill_all", []), ("kill_by_authrole", ["crowd"]), ("kill_by_authid", ["one"])],
    )
    def test_many_are_killed_in_slices(self, world, admin, procedure, args):
        crowd = [world.join("one", "crowd") for _ in range(20)]
        world.clock.look_s = SLICE_S / 2
        admin.request(48, {}, f"wamp.session.{procedure}", args)
        killed = sum(not one.session.is_open for one in crowd)
        assert 0 < killed < 20
        crowd[-1].leave()
        world.clock.advance(1)
        assert not any(one.session.is_open for one in crowd)
        (answer,) = admin.received()
        ids = [one.session.id for one in crowd[:-1]]
        assert answer[3] == [ids if procedure == "kill_by_authid" else 19]

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
        [1, "prefix", [], True, {"match": "Prefix"}, {"match": None}, {"match": "x" * 999}],
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

    @pytest.mark.parametrize("count", [1, 3])
    def test_tell_of_a_takeover_in_the_order_of_events(self, world, watcher, count):
        old = [world.join() for _ in range(count)]
        options = {"invoke": "first"} if count > 1 else {}
        for peer in old:
            before = peer.register("p", **options)
        watcher.told()
        taker = world.join()
        id = taker.register("p", force_reregister=True)
        assert watcher.told() == [
            *[("wamp.registration.on_unregister", peer.id, before) for peer in old],
            ("wamp.registration.on_delete", old[-1].id, before),
            (
                "wamp.registration.on_create",
                taker.id,
                {"id": id, "created": now(world), "uri": "p", "match": "exact", "invoke": "single"},
            ),
            ("wamp.registration.on_register", taker.id, id),
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
