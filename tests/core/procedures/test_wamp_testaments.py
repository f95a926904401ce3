"""``wamp.session.add_testament`` and ``flush_testaments``, and what is published when a session has gone."""

import math

import msgspec
import pytest
from support.realms import NO, Slow, World

from radiod.core.limits import Limits
from radiod.core.pubsub.testaments import MAX_BYTES
from radiod.core.rights import Action, Disclose, Verdict
from radiod.errors import (
    DISCLOSE_ME,
    INVALID_ARGUMENT,
    INVALID_URI,
    NOT_AUTHORIZED,
    QUOTA,
    Refused,
)
from radiod.testing import Allow
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK
from radiod.wire.messages import Call
from radiod.wire.options import CallOptions

ADD = "wamp.session.add_testament"
FLUSH = "wamp.session.flush_testaments"


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def listener(world):
    return world.watch("a", "b", "wamp.session.on_leave", "wamp.subscription.on_unsubscribe")


class TestPublishing:
    @pytest.mark.parametrize("end", ["lost", "goodbye", "killed", "by_authid"])
    def test_happens_however_the_session_ends(self, world, alice, listener, end):
        assert alice.call(ADD, "a", [1], {}) == []
        assert listener.told() == []
        match end:
            case "lost":
                alice.leave()
            case "goodbye":
                alice.send(6, {}, "wamp.close.normal")
            case "killed":
                world.join().call("wamp.session.kill", alice.id)
            case "by_authid":
                world.join().call("wamp.session.kill_by_authid", "alice")
        assert listener.told() == [("a", 1), ("wamp.session.on_leave", alice.id, "alice", "tester")]

    def test_does_not_happen_when_everybody_is_killed_or_the_server_ends(self, world, alice, listener):
        alice.call(ADD, "a", [1], {})
        listener.peer.call("wamp.session.kill_all")
        assert listener.told() == []
        world.join().call(ADD, "a", [1], {})
        world.realm.close()
        assert listener.told() == []

    def test_keeps_the_order_of_scopes_and_of_adding(self, alice, listener):
        for number, scope in enumerate(["destroyed", "detached", "destroyed", "detached"]):
            alice.call(ADD, "ab"[number % 2], [number], {}, scope=scope)
        alice.leave()
        assert [number for _, number, *_ in listener.told()[:4]] == [1, 3, 0, 2]

    def test_is_destroyed_scope_unless_told_otherwise(self, alice, listener):
        alice.call(ADD, "a", ["destroyed"], {})
        alice.call(ADD, "a", ["detached"], {}, scope="detached")
        alice.call(FLUSH)
        alice.leave()
        assert listener.told()[0] == ("a", "detached")
        assert len(listener.told()) == 0

    def test_comes_when_the_sessions_own_subscriptions_are_gone_and_before_these_are_told(
        self, world, alice, listener
    ):
        subscription = alice.subscribe("a")
        alice.call(ADD, "a", [1], {}, {"exclude_me": False})
        world.join().call("wamp.session.kill", alice.id)
        assert [message[0] for message in alice.received()] == [6]
        assert listener.told() == [
            ("a", 1),
            ("wamp.subscription.on_unsubscribe", alice.id, subscription),
            ("wamp.session.on_leave", alice.id, "alice", "tester"),
        ]

    def test_follows_the_options(self, world, alice):
        member, guest = world.join(authrole="member"), world.join(authrole="guest")
        for peer in (member, guest):
            peer.subscribe("a")
        options = {"eligible_authrole": ["member"], "retain": True, "disclose_me": True}
        assert alice.call(ADD, "a", ["x"], {"k": 1}, options) == []
        alice.leave()
        identity = {"publisher": alice.id, "publisher_authid": "alice", "publisher_authrole": "tester"}
        assert [message[3:] for message in member.received()] == [[identity, ["x"], {"k": 1}]]
        assert guest.received() == []
        member.request(32, {"get_retained": True}, "a")
        assert member.received()[1][3] == {**identity, "retained": True}

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_says_what_its_session_said_in_every_serializer(self, world, alice, codec):
        listeners = [world.join(codec=codec) for codec in CODECS.values()]
        for peer in listeners:
            peer.subscribe("a")
        bob = world.join(codec=codec)
        bob.call(ADD, "a", [b"\0\xff", 2**63, {"cls": 1}], {"cls": None, "self": 1.5})
        bob.leave()
        for peer in listeners:
            assert peer.received()[0][4:] == [[b"\0\xff", 2**63, {"cls": 1}], {"cls": None, "self": 1.5}]

    def test_keeps_what_json_cannot_say(self, world):
        alice, bob, json = world.join(codec=CBOR), world.join(codec=CBOR), world.join()
        bob.subscribe("a")
        json.subscribe("a")
        assert alice.call(ADD, "a", [{1: 2}, math.inf, 10**40], None) == []
        alice.leave()
        assert bob.received()[0][4] == [{"1": 2}, math.inf, 10**40]

    def test_leaves_out_one_whose_channel_has_ended(self, alice, listener):
        key = alice.call("radiod.channel.create", "a", on_owner_leave="keep")[0]["control_key"]
        alice.call(ADD, "a", [1], {})
        alice.call(ADD, "b", [2], {})
        alice.call("radiod.channel.delete", "a", key)
        alice.leave()
        assert listener.told()[0] == ("b", 2)

    def test_reaches_its_own_channel_before_that_ends(self, world, alice):
        watcher = world.watch("c", "radiod.channel.on_delete")
        alice.call("radiod.channel.create", "c")
        alice.call(ADD, "c", ["bye"], {})
        alice.leave()
        assert [topic for topic, *_ in watcher.told()] == ["c", "radiod.channel.on_delete"]


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "uri"),
        [
            ([1, [], {}], INVALID_ARGUMENT),
            ([None, [], {}], INVALID_ARGUMENT),
            (["a b", [], {}], INVALID_URI),
            (["", [], {}], INVALID_URI),
            (["wamp.session.on_join", [], {}], INVALID_URI),
            (["radiod.x", [], {}], INVALID_URI),
            *[(["a", args, {}], INVALID_ARGUMENT) for args in (0, False, "", {}, "x", 1)],
            *[(["a", [], kwargs], INVALID_ARGUMENT) for kwargs in (0, False, "", [], "x", 1)],
            (["a", [], {(1, 2): 2}], INVALID_ARGUMENT),
            *[(["a", [], {}, options], INVALID_ARGUMENT) for options in (0, [], "x", {"retain": 1})],
            *[(["a", [], {}, {}, scope], INVALID_ARGUMENT) for scope in (None, "", "Detached", 1, [])],
            (["a"], INVALID_ARGUMENT),
            (["a", []], INVALID_ARGUMENT),
        ],
    )
    def test_that_are_wrong_are_refused(self, world, arguments, uri):
        alice = world.join(codec=CBOR)
        assert alice.call(ADD, *arguments) == uri
        assert len(world.realm.testaments) == 0

    def test_that_are_null_are_nothing(self, world, listener):
        alice = world.join()
        assert alice.call(ADD, "a", None, None, None) == []
        alice.leave()
        assert listener.told()[0] == ("a",)

    @pytest.mark.parametrize("scope", [None, "both", 1, {}])
    def test_of_flushing_are_scopes(self, world, alice, scope):
        alice.call(ADD, "a", [], {})
        assert alice.call(FLUSH, scope) == INVALID_ARGUMENT
        assert len(world.realm.testaments) == 1

    @pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])
    def test_nested_too_deep_to_be_said_in_every_serializer_are_refused(self, world, codec):
        alice = world.join(codec=codec)
        # Bytes made by hand: how deep the client itself could nest depends on the stack it runs on.
        begin, end, inside = {JSON: (b"[", b"]", b""), MSGPACK: (b"\x91", b"", b"\x90")}[codec]
        nested = msgspec.Raw(begin * 500 + inside + end * 500)
        alice.send_message(Call(1, CallOptions(), ADD, msgspec.Raw(codec.dump(["a", nested, {}]))))
        assert alice.received()[0][:5] == [8, 48, 1, {}, INVALID_ARGUMENT]
        assert len(world.realm.testaments) == 0

    def test_no_more_bytes_than_the_limit(self, alice):
        assert alice.call(ADD, "a", ["x" * (MAX_BYTES - 100)], {}) == []
        assert alice.call(ADD, "a", ["x" * 100], {}) == QUOTA
        assert alice.call(ADD, "a", [], {}, {"eligible": [1]}) == QUOTA
        assert alice.call(ADD, "a", [], {}) == []
        alice.call(FLUSH)
        assert alice.call(ADD, "a", ["x" * MAX_BYTES], {}) == QUOTA
        assert alice.call(ADD, "a", ["x" * 100], {}, {"eligible": [1]}) == []

    def test_no_more_than_the_limit(self):
        alice = World(limits=Limits(max_testaments=1)).join()
        assert alice.call(ADD, "a", [], {}) == []
        assert alice.call(ADD, "a", [], {}) == QUOTA


class TestRights:
    def test_to_publish_are_needed(self, world, listener):
        alice = world.join(permissions=Allow(Action.CALL))
        assert alice.call(ADD, "a", [], {}) == NOT_AUTHORIZED
        alice.leave()
        assert [topic for topic, *_ in listener.told()] == ["wamp.session.on_leave"]

    def test_and_disclosure_are_those_of_the_moment_of_adding(self, world):
        listener = world.join()
        listener.subscribe("a")
        slow = Slow(Action.PUBLISH)
        alice = world.join(permissions=slow)
        alice.request(48, {}, ADD, ["a", [], {}])
        slow.settle(Verdict(is_allowed=True, disclose=Disclose.ALWAYS, trustlevel=3))
        assert slow.asked[-1] == (Action.PUBLISH, "a")
        alice.leave()
        assert slow.pending == []
        assert listener.received()[0][3]["trustlevel"] == 3

    def test_to_disclose_oneself_are_needed_for_that(self, world):
        slow = Slow(Action.PUBLISH)
        alice = world.join(permissions=slow)
        alice.request(48, {}, ADD, ["a", [], {}, {"disclose_me": True}])
        slow.settle(Verdict(is_allowed=True, disclose=Disclose.NEVER))
        assert alice.received()[0][4] == DISCLOSE_ME
        assert len(world.realm.testaments) == 0

    def test_may_be_long_in_coming_and_what_was_sent_behind_keeps_its_place(self, world, listener):
        slow = Slow(Action.PUBLISH)
        alice = world.join(permissions=slow)
        first = alice.request(48, {}, ADD, ["a", [], {}])
        second = alice.request(48, {}, FLUSH)
        alice.send(6, {}, "wamp.close.normal")
        assert alice.received() == []
        slow.settle()
        assert [message[:2] for message in alice.received()] == [[50, first], [50, second], [6, {}]]
        assert [topic for topic, *_ in listener.told()] == ["wamp.session.on_leave"]
        assert world.outbox.held == set()

    @pytest.mark.parametrize(
        ("outcome", "uri"), [(NO, NOT_AUTHORIZED), (Refused("an.error", "nobody knows"), "an.error")]
    )
    def test_may_be_refused_late(self, world, outcome, uri):
        slow = Slow(Action.PUBLISH)
        alice = world.join(permissions=slow)
        alice.request(48, {}, ADD, ["a", [], {}])
        slow.settle(outcome)
        assert alice.received()[0][4] == uri
        assert len(world.realm.testaments) == 0

    def test_that_come_when_the_session_has_left_do_nothing(self, world, listener):
        slow = Slow(Action.PUBLISH)
        alice = world.join(permissions=slow)
        alice.request(48, {}, ADD, ["a", [], {}])
        alice.leave()
        slow.settle()
        assert alice.received() == []
        assert [topic for topic, *_ in listener.told()] == ["wamp.session.on_leave"]
        assert len(world.realm.testaments) == 0
