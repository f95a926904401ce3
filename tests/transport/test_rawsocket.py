"""RawSocket at the byte level."""

import msgspec
import pytest
from support.memory import HELLO, RawSocketWire


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (b"\x7f\xf1\x00\x00", b"\x7f\xb1\x00\x00"),
        (b"\x7f\x02\x00\x00", b"\x7f\xb2\x00\x00"),
        (b"\x7f\xf3\x00\x00", b"\x7f\xb3\x00\x00"),
    ],
)
def test_the_handshake_names_serializer_and_longest_message(world, first, answer):
    wire = world.connect()
    for byte in first:
        assert wire.received() == b""
        wire.send(bytes([byte]))
    assert wire.received() == answer
    assert not wire.is_closed


@pytest.mark.parametrize(
    ("first", "answer"),
    [(b"\x7f\xf0\x00\x00", b"\x7f\x10\x00\x00"), (b"\x7f\xf1\x00\x01", b"\x7f\x30\x00\x00")],
)
def test_a_handshake_we_cannot_follow_gets_its_error_code(world, first, answer):
    wire = world.connect()
    wire.send(first)
    assert wire.received() == answer
    assert wire.is_closed


def test_a_handshake_that_stops_half_way_is_cut(world):
    wire = world.connect()
    wire.send(b"\x7f\xf1")
    world.reactor.advance(10.1)
    assert wire.is_closed


def test_a_ping_is_answered_with_its_payload(world):
    wire = world.connect(RawSocketWire)
    wire.send(b"\x01\x00\x00\x05alive" + b"\x02\x00\x00\x04pong")
    assert wire.received() == b"\x02\x00\x00\x05alive"


@pytest.mark.parametrize(
    ("frame", "uri"),
    [
        (b"\x03\x00\x00\x01x", "wamp.error.protocol_violation"),
        (b"\x00\x10\x00\x01", "wamp.error.payload_size_exceeded"),
        (b"\xff\xff\xff\xff", "wamp.error.protocol_violation"),
    ],
)
def test_a_bad_frame_ends_the_session_before_its_payload_is_waited_for(world, frame, uri):
    wire = world.connect(RawSocketWire)
    wire.send(frame)
    ((code, _, reason),) = wire.heard()
    assert (code, reason) == (3, uri)
    assert wire.is_closed


@pytest.mark.parametrize(("length", "is_taken"), [(0x020000, True), (0x020001, False)])
def test_a_stranger_may_send_less_than_a_session(world, length, is_taken):
    head = length.to_bytes(4, "big")
    wire = world.connect(RawSocketWire)
    wire.send(head)
    assert wire.is_closed is not is_taken
    member = world.join(RawSocketWire)
    member.send(head)
    assert not member.is_closed


def test_good_frames_before_a_bad_one_are_served(world):
    wire = world.connect(RawSocketWire)
    wire.send(b"\x01\x00\x00\x05alive" + b"\xff\xff\xff\xff")
    assert wire.received().startswith(b"\x02\x00\x00\x05alive")
    assert wire.is_closed


def test_the_limit_that_is_announced_is_the_power_of_two_below_the_configured_one(world):
    world.start(max_message_bytes=3000)
    wire = world.connect()
    wire.send(b"\x7f\xf1\x00\x00")
    assert wire.received() == b"\x7f\x21\x00\x00"
    wire.send(b"\x00\x00\x08\x01")
    assert wire.is_closed


def test_a_receiver_is_never_sent_more_than_it_said_it_takes(world):
    publisher, caller = world.connect(RawSocketWire), world.connect(RawSocketWire)
    small = world.connect()
    small.send(b"\x7f\x01\x00\x00")
    small.received()
    for message in (HELLO, [32, 1, {}, "a"], [64, 2, {}, "p"]):
        data = msgspec.json.encode(message)
        small.send(len(data).to_bytes(4, "big") + data)
    publisher.join()
    caller.join()
    small.received()
    publisher.say([16, 1, {}, "a", ["x" * 600]], [16, 2, {}, "a", ["short"]])
    assert b"short" in (received := small.received())
    assert b"xxx" not in received
    code, _, _, _, uri, _ = caller.ask([48, 1, {}, "p", ["x" * 600]])
    assert (code, uri) == (8, "wamp.error.payload_size_exceeded")


class TestPings:
    """A peer that knows pings is pinged; one that does not might take a PING for a long message."""

    PING = b"\x01\x00\x00\x06radiod"

    @pytest.mark.parametrize(
        "shown", [b"\x01\x00\x00\x01x", b"\x02\x00\x00\x00"], ids=["by a ping", "by a pong"]
    )
    def test_whoever_shows_that_it_knows_pings_is_pinged(self, world, shown):
        wire = world.join(RawSocketWire)
        wire.send(shown)
        wire.received()
        world.reactor.pump([1] * 31)
        assert wire.received() == self.PING

    def test_whoever_does_not_answer_is_cut(self, world):
        wire = world.join(RawSocketWire)
        wire.send(b"\x01\x00\x00\x00" * 3)
        world.reactor.pump([1] * 51)
        assert wire.is_closed
        assert world.radio.port.connections == 0

    def test_whoever_is_not_read_since_what_it_asked_waits_is_asked_again_later(self, world):
        wire = world.join(RawSocketWire)
        wire.send(b"\x01\x00\x00\x00")
        (session,) = world.realm.sessions.values()
        session.outlet.pause_reads(True)
        world.reactor.pump([1] * 100)
        assert not wire.is_closed
        session.outlet.pause_reads(False)
        world.reactor.pump([1] * 81)
        assert wire.is_closed

    def test_anything_that_comes_is_an_answer(self, world):
        world.start(message_timeout_s=600)
        wire = world.join(RawSocketWire)
        wire.send(b"\x01\x00\x00\x00")
        for byte in b"\x02\x00\x00\x01x":
            world.reactor.pump([1] * 31)
            assert self.PING in wire.received()
            wire.send(bytes([byte]))
        assert not wire.is_closed

    def test_whoever_said_nothing_of_pings_is_left_alone(self, world):
        wire = world.join(RawSocketWire)
        world.reactor.pump([1] * 1000)
        assert wire.received() == b""
        assert not wire.is_closed

    def test_nobody_is_pinged_any_more_who_has_left(self, world):
        wire = world.join(RawSocketWire)
        wire.send(b"\x01\x00\x00\x00")
        wire.hang_up()
        assert len(world.radio.clock.timers) == 0


class Small(RawSocketWire):
    """A client that takes 512 bytes at most."""

    def open(self):
        self.send(b"\x7f\x01\x00\x00")
        assert self.received()[:1] == b"\x7f"

    def unframe(self):
        payloads = super().unframe()
        assert all(len(payload) <= 512 for payload in payloads)
        return payloads


LONG = "long." + "\U0001f6a6" * 200
"""A URI that is longer than a small client takes."""


def test_a_small_client_gets_a_welcome_without_features(world):
    wire = world.connect(Small)
    code, _, details = wire.ask(HELLO)
    assert code == 2
    assert details["roles"] == {"broker": {}, "dealer": {}}
    assert details["authrole"] == "open"


def test_what_cannot_be_made_short_enough_is_refused_by_abort(world):
    name = "n" * 500
    user = f'[realms.radio.users.{name}]\nrole = "r"\nticket = "t"\nwampcra = {{ secret = "s" }}'
    world.start(f"[realms.radio.roles.r]\n{user}", base="")
    for method in ("wampcra", "ticket"):
        wire = world.connect(Small)
        answer = wire.ask([1, "radio", {"roles": {"caller": {}}, "authmethods": [method], "authid": name}])
        if method == "ticket":
            answer = wire.ask([5, "t", {}])
        assert answer[::2] == [3, "wamp.error.payload_size_exceeded"]
        assert wire.is_closed
    assert world.realm.sessions == {}


def test_a_small_client_is_told_an_error_whose_name_is_too_long(world):
    caller, callee = world.connect(Small), world.connect(RawSocketWire)
    caller.join()
    callee.join()
    callee.ask([64, 1, {}, "p"])
    caller.say([48, 1, {}, "p"])
    ((_, invocation, *_),) = callee.heard()
    callee.say([8, 68, invocation, {}, LONG])
    assert caller.heard() == [[8, 48, 1, {}, "wamp.error.payload_size_exceeded"]]


@pytest.mark.parametrize(
    ("reason", "message", "told"),
    [
        ("a.reason", "short", [6, {"message": "short"}, "a.reason"]),
        ("a.reason", "x" * 600, [6, {}, "a.reason"]),
        (LONG, "short", [6, {}, "wamp.close.killed"]),
    ],
)
def test_a_small_client_is_told_that_it_is_killed(world, reason, message, told):
    victim, killer = world.connect(Small), world.connect(RawSocketWire)
    session = victim.join()
    killer.join()
    killer.ask([48, 1, {}, "wamp.session.kill", [session], {"reason": reason, "message": message}])
    assert victim.heard() == [told]


@pytest.mark.parametrize(("what", "code"), [("subscription", 35), ("registration", 67)])
def test_a_small_client_is_told_what_was_revoked(world, what, code):
    victim, killer = world.connect(Small), world.connect(RawSocketWire)
    session = victim.join([1, "radio", {**HELLO[2], "_radiod_revocation": True}])
    killer.join()
    _, _, held = victim.ask([32, 1, {}, "a"] if what == "subscription" else [64, 1, {}, "a"])
    procedure = {"subscription": "remove_subscriber", "registration": "remove_callee"}[what]
    arguments = [[held, session], {"reason": "x" * 600}]
    radio_answer = killer.ask([48, 1, {}, f"wamp.{what}.{procedure}", *arguments])
    assert radio_answer[0] == 50, radio_answer
    assert victim.heard() == [[code, 0, {what: held}]]
