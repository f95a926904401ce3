"""``wamp.session.*`` through the eyes of a client: who is there, who comes and goes, and ending sessions."""

import pytest
from support.arguments import WRONG_TEXTS, TakesAnId
from support.realms import World

from radiod.core.rights import Action
from radiod.core.slices import SLICE_S
from radiod.errors import (
    CANCELED,
    CLOSE_KILLED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_SESSION,
    NOT_AUTHORIZED,
)
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import CBOR

BAD_URIS = ["", "a b", "a..b", "x" * 256]


class TestIds(TakesAnId):
    missing = NO_SUCH_SESSION

    @pytest.fixture(
        params=[
            "wamp.session.get",
            "wamp.session.kill",
        ]
    )
    def procedure(self, request):
        return request.param


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
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (1, 0)
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
