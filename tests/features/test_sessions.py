"""Sessions and the Basic Profile's rules for messages, by raw frames."""

import pytest
from support.answers import assert_aborted
from support.peers import (
    ABORT,
    ERROR,
    EVENT,
    GOODBYE,
    HELLO,
    PUBLISH,
    REGISTERED,
    RESULT,
    SUBSCRIBED,
    WELCOME,
    hello_roles,
)

from radiod.core.realm.handshake import FEATURES

INVALID_URI = "wamp.error.invalid_uri"


# --- opening


def test_welcome(router):
    wire = router.connect()
    code, session, details = wire.ask([HELLO, "radio", {"roles": hello_roles()}])
    assert code == WELCOME
    assert 1 <= session <= 2**53
    assert details["realm"] == "radio"
    assert (details["authrole"], details["authmethod"]) == ("open", "anonymous")
    assert details["roles"] == FEATURES


def test_sharded_features_are_not_announced(router):
    (peer,) = router.peers(1)
    names = {name for role in peer.welcome["roles"].values() for name in role["features"]}
    assert not any(name.startswith(("sharded", "shareded")) for name in names)


def test_ticket(router):
    peer = router.join("trusted")
    details = {name: peer.welcome[name] for name in ("authid", "authrole", "authmethod")}
    assert details == {"authid": "trusted", "authrole": "trusted", "authmethod": "ticket"}


def test_hello_twice(router):
    (peer,) = router.peers(1)
    peer.say([HELLO, "radio", {"roles": hello_roles()}])
    assert_aborted(peer)


HELLO_AGAIN, AUTHENTICATE = [HELLO, "radio", {"roles": hello_roles()}], [5, "signature", {}]
IN_SESSIONS = [
    [GOODBYE, {}, "wamp.close.normal"],
    [8, 68, 1, {}, "a.error"],
    [16, 1, {}, "a"],
    [32, 1, {}, "a"],
    [34, 1, 1],
    [48, 1, {}, "a"],
    [49, 1, {}],
    [64, 1, {}, "a"],
    [66, 1, 1],
    [70, 1, {}],
]
FROM_ROUTERS = [
    [WELCOME, 1, {"roles": {"broker": {}}}],
    [4, "ticket", {}],
    [17, 1, 1],
    [33, 1, 1],
    [35, 1],
    [36, 1, 1, {}],
    [50, 1, {}],
    [65, 1, 1],
    [67, 1],
    [68, 1, 1, {}],
    [69, 1, {}],
]
NO_MESSAGES = [[], [0], [99, 1], ["6", {}, "a.reason"], {}]
CHALLENGED = [HELLO, "radio", {"roles": hello_roles(), "authmethods": ["ticket"], "authid": "open"}]
VIOLATIONS = {
    "before HELLO": [AUTHENTICATE, *IN_SESSIONS, *FROM_ROUTERS, *NO_MESSAGES],
    "challenged": [HELLO_AGAIN, *IN_SESSIONS, *FROM_ROUTERS, *NO_MESSAGES],
    "open": [HELLO_AGAIN, AUTHENTICATE, *FROM_ROUTERS, *NO_MESSAGES],
    "after GOODBYE": [AUTHENTICATE, *IN_SESSIONS, *FROM_ROUTERS, *NO_MESSAGES],
}
"""State of a connection -> messages that have no place there (2.3.3 of the specification)."""


@pytest.mark.parametrize(
    ("state", "message"),
    [(state, message) for state, messages in VIOLATIONS.items() for message in messages],
    ids=lambda value: str(value)[:40],
)
def test_what_has_no_place_is_answered_by_abort(router, state, message):
    wire = router.connect()
    if state == "challenged":
        assert wire.ask(CHALLENGED)[0] == 4
    elif state != "before HELLO":
        assert wire.ask(HELLO_AGAIN)[0] == WELCOME
    if state == "after GOODBYE":
        assert wire.ask([GOODBYE, {}, "wamp.close.normal"])[0] == GOODBYE
    wire.say(message)
    assert_aborted(wire)
    assert router.join().result("wamp.session.count") == 1


def test_authenticate_without_a_challenge(router):
    (peer,) = router.peers(1)
    peer.say([5, "signature", {}])
    assert_aborted(peer)


# --- closing


@pytest.mark.parametrize("reason", ["wamp.close.close_realm", "wamp.close.normal", "my.own"])
def test_goodbye(router, reason):
    peer, other = router.peers(2)
    peer.listen("a.topic")
    peer.say([GOODBYE, {"message": "so long"}, reason])
    assert peer.hears() == [GOODBYE, {}, "wamp.close.goodbye_and_out"]
    other.tell("a.topic")
    assert peer.heard() == []
    assert other.result("wamp.session.count") == 1


def test_goodbye_and_join_again(router):
    (peer,) = router.peers(1)
    first = peer.session
    peer.listen("a.topic")
    peer.say([GOODBYE, {}, "wamp.close.normal"])
    peer.heard()
    welcome = peer.wire.ask([HELLO, "radio", {"roles": hello_roles()}])
    assert welcome[0] == WELCOME
    assert welcome[1] != first
    peer.request = 0
    assert peer.listen("a.topic")


@pytest.mark.parametrize("message", [[32, 2, {}, "a"], [70, 1, {}], [49, 1, {}]], ids=str)
def test_goodbye_ends_the_session_for_what_comes_behind(router, message):
    (peer,) = router.peers(1)
    peer.listen("a.topic")
    peer.say([GOODBYE, {}, "wamp.close.normal"], message)
    answers = peer.heard()
    assert answers[0] == [GOODBYE, {}, "wamp.close.goodbye_and_out"]
    assert [answer[0] for answer in answers[1:]] == [ABORT]


def test_abort(router):
    peer, other = router.peers(2)
    peer.say([ABORT, {"message": "I give up"}, "wamp.error.no_such_role"])
    assert peer.heard() == []
    assert peer.is_ended
    assert other.result("wamp.session.count") == 1


def test_abort_before_welcome(router):
    wire = router.connect()
    wire.say([ABORT, {}, "wamp.close.normal"])
    assert wire.heard() == []
    assert wire.is_ended


# --- request ids


def requests(request):
    return [
        [16, request, {"acknowledge": True}, "a"],
        [16, request, {}, "a"],
        [32, request, {}, "a"],
        [34, request, 1],
        [48, request, {}, "radiod.echo"],
        [64, request, {}, "a"],
        [66, request, 1],
    ]


KINDS = pytest.mark.parametrize("kind", range(7), ids=["16a", "16", "32", "34", "48", "64", "66"])


def test_request_ids_count_through_all_kinds_of_requests(router):
    (peer,) = router.peers(1)
    for request in range(1, 15):
        peer.say(requests(request)[request % 7])
        answers = [message for message in peer.heard() if message[0] != EVENT]
        if request % 7 != 1:
            (answer,) = answers
            assert answer[2 if answer[0] == ERROR else 1] == request


@KINDS
def test_request_ids_go_on_from_the_first(router, kind):
    """Which may be any: Wampy goes on counting where its last session ended."""
    (peer,) = router.peers(1)
    peer.say(requests(7)[kind])
    peer.heard()
    peer.say([32, 8, {}, "a.topic"])
    assert peer.hears()[:2] == [SUBSCRIBED, 8]
    peer.say(requests(1)[kind])
    assert_aborted(peer)


@KINDS
def test_request_ids_are_used_once(router, kind):
    (peer,) = router.peers(1)
    peer.listen("a.topic")
    peer.say(requests(1)[kind])
    assert_aborted(peer)


@KINDS
def test_request_ids_leave_nothing_out(router, kind):
    (peer,) = router.peers(1)
    peer.listen("a.topic")
    peer.say(requests(3)[kind])
    assert_aborted(peer)


def test_request_ids_count_what_was_refused(router):
    (peer,) = router.peers(1)
    assert peer.subscribe("no topic")[4] == INVALID_URI
    assert peer.request == 1
    assert peer.subscribe("a.topic")[:2] == [SUBSCRIBED, 2]


def test_request_ids_may_be_whole_floats(router):
    """JavaScript clients write large numbers so in binary serializers."""
    (peer,) = router.peers(1)
    peer.say([32, 1.0, {}, "a.topic"])
    assert peer.hears()[:2] == [SUBSCRIBED, 1]


# --- URIs

BAD_URIS = [
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "a b",
    "a\tb",
    "a\nb",
    "#",
    "a.#.b",
    "a\u00a0b",
    "a\u2003b",
    "\0",
    "a" * 256,
]


@pytest.mark.parametrize("uri", BAD_URIS, ids=lambda uri: ascii(uri)[:12])
def test_invalid_uri(router, uri):
    """An ERROR for each request; the session goes on."""
    (peer,) = router.peers(1)
    for answer in (peer.subscribe(uri), peer.publish(uri), peer.register(uri)):
        assert (answer[0], answer[2], answer[4]) == (
            ERROR,
            peer.request - 2 + [32, 16, 64].index(answer[1]),
            INVALID_URI,
        )
    request = peer.call(uri)
    assert peer.hears()[:5] == [ERROR, 48, request, {}, INVALID_URI]
    assert peer.register("a.procedure")[0] == REGISTERED


@pytest.mark.parametrize("uri", BAD_URIS)
def test_invalid_uri_of_a_callees_error(router, uri):
    """The caller hears of it, under a URI that its client can take."""
    caller, callee = router.peers(2)
    callee.serve("a.procedure")
    request = caller.call("a.procedure")
    callee.fail(callee.invoked(), uri, ["why"])
    assert caller.hears()[:5] == [ERROR, 48, request, {}, INVALID_URI]
    assert callee.heard() == []


@pytest.mark.parametrize(
    "uri", ["a", "a.b", "a-b_c.D", "\u00e4.\u00f6", "\U0001f4fb.on", "http://example.org/a", "1.2", "a" * 255]
)
def test_valid_uris(router, uri):
    (peer,) = router.peers(1)
    assert peer.subscribe(uri)[0] == SUBSCRIBED
    assert peer.publish(uri)[0] == 17
    assert peer.register(uri)[0] == REGISTERED


def test_invalid_uri_of_a_realm(router):
    wire = router.connect()
    wire.say([HELLO, "no realm", {"roles": hello_roles()}])
    assert_aborted(wire, INVALID_URI)


# --- messages that have no place here


@pytest.mark.parametrize(
    "message",
    [
        [2, 1, {"roles": {}}],
        [4, "ticket", {}],
        [17, 1, 1],
        [33, 1, 1],
        [35, 1],
        [36, 1, 1, {}],
        [50, 1, {}],
        [65, 1, 1],
        [67, 1],
        [68, 1, 1, {}],
        [69, 1, {}],
        [8, 48, 1, {}, "a.error"],
        [8, 32, 1, {}, "a.error"],
    ],
    ids=str,
)
def test_messages_of_routers_end_the_session(router, message):
    (peer,) = router.peers(1)
    peer.say(message)
    assert_aborted(peer)


@pytest.mark.parametrize("code", [0, 7, 9, 99, -1, 2**31, 2**53, "16", None, 16.5, True, []], ids=str)
def test_unknown_message_code(router, code):
    (peer,) = router.peers(1)
    peer.say([code, 1, {}, "a"])
    assert_aborted(peer)


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        "16",
        16,
        None,
        True,
        [[16, 1, {}, "a"]],
        {"16": 1},
        [16],
        [16, 1],
        [16, 1, {}],
        [32, 1, {}, "a", []],
    ],
    ids=str,
)
def test_what_is_no_message_ends_the_session(router, message):
    (peer,) = router.peers(1)
    peer.say(message)
    assert_aborted(peer)


@pytest.mark.parametrize(
    "message",
    [
        [16, 1, {}, "a", [], {}, 1],
        [34, 1, 1, 1],
        [48, 1, {}, "a", [], {}, 1],
        [49, 1, {}, 1],
        [64, 1, {}, "a", 1],
        [66, 1, 1, 1],
        [70, 1, {}, [], {}, 1],
        [8, 68, 1, {}, "a", [], {}, 1],
        [6, {}, "a", 1],
    ],
    ids=str,
)
def test_messages_that_are_too_long_end_the_session(router, message):
    (peer,) = router.peers(1)
    peer.say(message)
    assert_aborted(peer)


@pytest.mark.parametrize("end", ["canceled", "timed out", "caller left", "answered"])
def test_answers_that_come_late_are_dropped(router, end):
    """They may have crossed the end of their call on the way."""
    caller, callee = router.peers(2)
    callee.serve("a.procedure")
    request = caller.call("a.procedure", **({"timeout": 1000} if end == "timed out" else {}))
    invocation = callee.hears()[1]
    match end:
        case "canceled":
            caller.say([49, request, {"mode": "skip"}])
        case "timed out":
            router.wait(1.1)
        case "caller left":
            caller.hang_up()
        case "answered":
            callee.answer(invocation)
    callee.heard()
    callee.say([70, invocation, {}, ["late"]], [8, 68, invocation, {}, "a.error"])
    assert callee.heard() == []
    assert callee.result("radiod.echo", 1) == 1


def test_cancelling_nothing_does_nothing(router):
    (peer,) = router.peers(1)
    peer.say([49, 7, {}])
    assert peer.heard() == []
    assert peer.publish("a.topic")[0] == 17


@pytest.mark.parametrize("late", [[70, 2, {}, ["x"]], [8, 68, 2, {}, "a.error"]], ids=["YIELD", "ERROR"])
def test_answers_to_what_never_was_break_the_protocol(router, late):
    caller, callee = router.peers(2)
    callee.serve("a.procedure")
    caller.call("a.procedure")
    callee.hears()
    callee.say(late)
    assert_aborted(callee)
    assert caller.hears()[4] == "wamp.error.canceled"


def test_a_session_that_is_aborted_leaves_nothing_behind(router):
    peer, other = router.peers(2)
    peer.listen("a.topic")
    peer.serve("a.procedure")
    peer.say([PUBLISH, 99, {}, "a.topic"])
    assert_aborted(peer)
    assert other.result("wamp.subscription.match", "a.topic") is None
    assert other.result("wamp.registration.match", "a.procedure") is None
    other.call("wamp.session.count")
    assert other.hears()[0] == RESULT
