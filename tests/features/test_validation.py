"""Wrong types and extremes, everywhere a client may put them: ABORT, or an ERROR; never a failure.

The fixture ``no_failures`` holds for all of these tests: nothing in the server may have failed meanwhile.
"""

import datetime
import decimal
import fractions
import ipaddress
import math
import re
import uuid

import cbor2
import msgpack
import pytest
from support.peers import ABORT, ERROR, EVENT, INVOCATION, RESULT, VIOLATION, WELCOME, hello_roles

NAMES = {
    1: "HELLO", 8: "ERROR", 16: "PUBLISH", 32: "SUBSCRIBE", 34: "UNSUBSCRIBE", 48: "CALL", 49: "CANCEL",
    64: "REGISTER", 66: "UNREGISTER", 70: "YIELD",
}  # fmt: skip

LONG = "x" * 1025
HUGE = 2**53 + 1

# What is wrong for each kind of option, in every serializer.
WRONG = {
    "bool": [None, 0, 1, 1.0, "true", "", [], {}],
    "text": [0, True, 1.5, [], ["x"], {}, LONG],
    "match": [None, "", "Exact", "regex", 1, True, [], ["exact"], {}],
    "invoke": [None, "", "all", "Single", 1, [], {}],
    "mode": [None, "", "abort", "KILL", 1, [], {}],
    "milliseconds": [None, -1, 1.5, True, "1", HUGE, 2**63, [], {}],
    "count": [0, -1, 1.5, True, "1", HUGE, 2**63, [], {}],
    "ids": [1, "x", {}, [0], [-1], [HUGE], [2**63], ["1"], [True], [1.5], [None], [[1]], [1, 2, "3"]],
    "texts": ["x", 1, {}, [1], [None], [True], [["x"]], ["x", 1], [LONG]],
}

PASSTHRU = dict.fromkeys(
    ("ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid", "enc_algo", "enc_key", "enc_serializer"),
    "text",
)

# message code -> (what stands behind the options, option -> kind)
OPTIONS = {
    16: (
        ["a"],
        {
            **dict.fromkeys(("acknowledge", "exclude_me", "disclose_me", "retain"), "bool"),
            **dict.fromkeys(("exclude", "eligible"), "ids"),
            **dict.fromkeys(
                ("exclude_authid", "exclude_authrole", "eligible_authid", "eligible_authrole"), "texts"
            ),
            **PASSTHRU,
        },
    ),
    32: (["a"], {"match": "match", "get_retained": "bool"}),
    48: (
        ["a"],
        {
            **dict.fromkeys(("receive_progress", "progress", "disclose_me"), "bool"),
            "timeout": "milliseconds",
            **PASSTHRU,
        },
    ),
    49: ([], {"mode": "mode"}),
    64: (["a"], {"match": "match", "invoke": "invoke", "concurrency": "count", "forward_timeout": "bool"}),
    70: ([], {"progress": "bool", **PASSTHRU}),
}

EACH_OPTION = [(code, name, kind) for code, (_, options) in OPTIONS.items() for name, kind in options.items()]


def assert_refused(router, message):
    """The message ends a fresh session, or the handshake, as a violation of the protocol."""
    wire = router.connect()
    if message[0] != 1:
        assert wire.ask([1, "radio", {"roles": hello_roles()}])[0] == WELCOME
    wire.say(message)
    answers = wire.heard()
    assert [answer[0] for answer in answers] == [ABORT], (message, answers)
    assert answers[0][2] == VIOLATION, (message, answers)
    assert wire.is_ended, message


def assert_alive(router):
    assert router.join().result("radiod.echo", "still here") == "still here"


@pytest.mark.parametrize(
    ("code", "name", "kind"), EACH_OPTION, ids=[f"{NAMES[code]}.{name}" for code, name, _ in EACH_OPTION]
)
def test_option_types(router, code, name, kind):
    rest, _ = OPTIONS[code]
    for value in WRONG[kind]:
        assert_refused(router, [code, 1, {name: value}, *rest])
    assert_alive(router)


@pytest.mark.parametrize("code", OPTIONS, ids=NAMES.get)
def test_options_are_a_dictionary(router, code):
    rest, _ = OPTIONS[code]
    for value in (None, 1, True, "x", [], [{}]):
        assert_refused(router, [code, 1, value, *rest])


def request_of(router, peer, code):
    """An id that a message of ``peer`` may have; for YIELD somebody calls it."""
    if code != 70:
        return peer.next()
    peer.serve("a.procedure")
    router.join().call("a.procedure")
    return peer.hears()[1]


@pytest.mark.parametrize("code", OPTIONS, ids=NAMES.get)
def test_unknown_options_are_ignored(router, code):
    (peer,) = router.peers(1)
    rest, _ = OPTIONS[code]
    peer.say([code, request_of(router, peer, code), {"x_mine": [1, {"a": None}], "rkey": 5, "": {}}, *rest])
    assert [answer[0] for answer in peer.heard() if answer[0] == ABORT] == []


UNDEFINED = {"msgpack": msgpack.ExtType(0, b"\0"), "cbor": cbor2.undefined}


@pytest.mark.parametrize("code", OPTIONS, ids=NAMES.get)
def test_undefined_options_are_absent(router, code):
    """Some clients in JavaScript send all options that they know; JSON has no way to."""
    (peer,) = router.peers(1)
    rest, options = OPTIONS[code]
    request = request_of(router, peer, code)
    if router.serializer.name != "json":
        peer.say([code, request, dict.fromkeys(options, UNDEFINED[router.serializer.name]), *rest])
    assert [answer[0] for answer in peer.heard() if answer[0] == ABORT] == []


def test_integer_options_may_be_whole_floats(router):
    caller, callee = router.peers(2)
    callee.serve("a.procedure", concurrency=1.0, forward_timeout=True)
    caller.call("a.procedure", timeout=5000.0)
    timeout = callee.hears()[3]["timeout"]
    assert (timeout, type(timeout)) == (5000, int)


def test_options_of_hello(router):
    roles = hello_roles()
    wrong = [
        *(
            {"roles": value}
            for value in (None, 1, "x", [], {}, {"caller": 1}, {"caller": []}, {"emperor": {}})
        ),
        *({"roles": {"caller": {"features": value}}} for value in (None, 1, "x", [])),
        *({"roles": roles, "agent": value} for value in (1, True, [], {}, LONG)),
        *(
            {"roles": roles, "authmethods": value}
            for value in (1, "ticket", {}, [1], [None], [LONG], ["x"] * 33)
        ),
        *({"roles": roles, "authid": value} for value in (1, True, [], {}, LONG)),
        *({"roles": roles, "authextra": value} for value in (1, True, [], "x")),
        *({"roles": roles, "_radiod_revocation": value} for value in (None, 1, "x", [])),
        {},
    ]
    for details in wrong:
        assert_refused(router, [1, "radio", details])
    for realm in (None, 1, True, [], {}, LONG):
        assert_refused(router, [1, realm, {"roles": roles}])
    assert_alive(router)


def test_details_of_goodbye_and_abort(router):
    for value in (None, 1, True, "x", [], [{}]):
        assert_refused(router, [3, value, "a.reason"])
        assert_refused(router, [6, value, "a.reason"])


def test_types_of_authenticate(router):
    hello = [1, "radio", {"roles": hello_roles(), "authmethods": ["ticket"], "authid": "trusted"}]
    for signature, extra in (
        (5, {}),
        (None, {}),
        (["x"], {}),
        ("x" * 65_537, {}),
        ("x", None),
        ("x", []),
        ("x", 1),
    ):
        wire = router.connect()
        assert wire.ask(hello)[0] == 4
        wire.say([5, signature, extra])
        ((code, _, reason),) = wire.heard()
        assert (code, reason) == (ABORT, VIOLATION), (signature, extra)
        assert wire.is_ended
    assert_alive(router)


def test_details_of_errors(router):
    """What a callee's ERROR says about its payload is passed on: it has types as in YIELD."""
    for name in PASSTHRU:
        for value in WRONG["text"]:
            assert_refused(router, [8, 68, 1, {name: value}, "a.error"])


# --- ids

BAD_IDS = [0, -1, HUGE, 2**63, 2**64 - 1, -(2**63), 1.5, 1e300, True, False, None, "1", "", [], [1], {}]
SPECIAL_IDS = [math.nan, math.inf, -math.inf]
VAST_IDS = [2**64, 10**400, -(10**30)]

# Where ids stand: message with None in their places.
ID_PLACES = {
    "PUBLISH.Request": [16, ..., {}, "a"],
    "SUBSCRIBE.Request": [32, ..., {}, "a"],
    "UNSUBSCRIBE.Request": [34, ..., 1],
    "UNSUBSCRIBE.Subscription": [34, 1, ...],
    "CALL.Request": [48, ..., {}, "a"],
    "CANCEL.Request": [49, ..., {}],
    "REGISTER.Request": [64, ..., {}, "a"],
    "UNREGISTER.Request": [66, ..., 1],
    "UNREGISTER.Registration": [66, 1, ...],
    "YIELD.Request": [70, ..., {}],
    "ERROR.Request": [8, 68, ..., {}, "a.error"],
}


@pytest.mark.parametrize("place", ID_PLACES)
def test_bad_ids(router, place):
    ids = [*BAD_IDS, *(SPECIAL_IDS if router.serializer.name != "json" else [])]
    if router.serializer.name != "msgpack":
        ids += VAST_IDS
    for value in ids:
        assert_refused(router, [value if item is ... else item for item in ID_PLACES[place]])
    assert_alive(router)


def test_ids_that_nobody_has(router):
    (peer,) = router.peers(1)
    for value in (1, 2**31, 2**53):
        assert peer.unsubscribe(value)[4] == "wamp.error.no_such_subscription"
        assert peer.unregister(value)[4] == "wamp.error.no_such_registration"


# --- texts and payloads

TEXT_PLACES = {
    "PUBLISH.Topic": [16, 1, {}, ...],
    "SUBSCRIBE.Topic": [32, 1, {}, ...],
    "CALL.Procedure": [48, 1, {}, ...],
    "REGISTER.Procedure": [64, 1, {}, ...],
    "ERROR.Error": [8, 68, 1, {}, ...],
    "GOODBYE.Reason": [6, {}, ...],
    "ABORT.Reason": [3, {}, ...],
}


@pytest.mark.parametrize("place", TEXT_PLACES)
def test_bad_texts(router, place):
    for value in (None, 1, 1.5, True, [], ["a"], {}, *([] if router.serializer.name == "json" else [b"a"])):
        assert_refused(router, [value if item is ... else item for item in TEXT_PLACES[place]])


@pytest.mark.parametrize(
    "head", [[16, 1, {}, "a"], [48, 1, {}, "a"], [70, 1, {}], [8, 68, 1, {}, "a.e"]], ids=str
)
def test_bad_payloads(router, head):
    for args in (None, 1, 1.5, True, "x", {}, {"x": 1}):
        assert_refused(router, [*head, args])
    for kwargs in (None, 1, 1.5, True, "x", [], [1]):
        assert_refused(router, [*head, [], kwargs])
    assert_alive(router)


# --- what one serializer can say and others cannot


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def cyclic():
    value = []
    value.append(value)
    return cbor2.dumps(value, value_sharing=True)


EXOTIC = {
    "json": ["\ud800", 1e308, 10**400, -(10**400), 2**64, deep(200), {"": 1}, "\0", "\0!", "\0AAAA"],
    "msgpack": [
        msgpack.ExtType(5, b"x"),
        msgpack.Timestamp(1, 5),
        {b"k": 1},
        {1: 2},
        {1.5: 2},
        {None: 1},
        {True: 1},
        {(1, 2): 3},
        {"x": {b"\xff": b"\xff"}},
        b"\xff",
        2**64 - 1,
        -(2**63),
        math.nan,
        math.inf,
        deep(200),
    ],
    "cbor": [
        cbor2.CBORTag(99, [1]),
        cbor2.CBORTag(256, []),
        cbor2.CBORSimpleValue(99),
        cbor2.undefined,
        {b"k": 1},
        {1: 2},
        {1.5: 2},
        {None: 1},
        {(1, 2): 3},
        b"\xff",
        2**64,
        2**1000,
        -(2**1000),
        math.nan,
        -math.inf,
        decimal.Decimal("1.5"),
        decimal.Decimal("NaN"),
        fractions.Fraction(1, 3),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        datetime.date(2026, 1, 1),
        re.compile("(a+)+$"),
        uuid.UUID(int=5),
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_network("10.0.0.0/8"),
        {1, 2},
        cbor2.CBORTag(0, "not a date"),
        cbor2.CBORTag(1, "not a number"),
        cbor2.CBORTag(2, 5),
        cbor2.CBORTag(4, [1]),
        cbor2.CBORTag(5, [2**70, 1]),
        cbor2.CBORTag(30, [1, 0]),
        cbor2.CBORTag(29, 0),
        cbor2.CBORTag(25, 0),
        cbor2.CBORTag(35, "("),
        cbor2.CBORTag(37, b"short"),
        cbor2.CBORTag(258, [[1], [2]]),
        deep(200),
    ],
}  # fmt: skip

OTHERS = pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])


def exotic(router):
    return EXOTIC[router.serializer.name]


def assert_no_failure(messages, *context):
    """An ABORT may say what the peer did wrong, never that the server failed."""
    for message in messages:
        assert message[0] != ABORT or message[2] != "wamp.error.runtime_error", (*context, message)


@OTHERS
def test_exotic_events(router, other):
    """Whatever is published: those who can read it get it, the others do not, and everybody stays."""
    subscriber = router.join(serializer=other)
    subscriber.listen("a.topic")
    for value in exotic(router):
        publisher = router.join()
        publisher.say([16, 1, {"acknowledge": True}, "a.topic", [value], {"x": value}])
        assert_no_failure(publisher.heard(), value)
        assert {message[0] for message in subscriber.heard()} <= {EVENT}, value
    assert subscriber.publish("a.topic")[0] == 17


@OTHERS
def test_exotic_calls(router, other):
    """Whatever is called and answered with: one end for each call, and everybody stays."""
    far = router.join(serializer=other)
    far.serve("a.procedure")
    for value in exotic(router):
        caller = router.join()
        caller.say([48, 1, {}, "a.procedure", [value], {"x": value}])
        answers, invocations = caller.heard(), far.heard()
        assert_no_failure(answers, value)
        assert len(answers) + len(invocations) == 1, (value, answers, invocations)
        if invocations:
            assert invocations[0][0] == INVOCATION
            far.answer(invocations[0][1], ["fine"])
            assert caller.hears()[0] == RESULT


@OTHERS
@pytest.mark.parametrize("kind", ["result", "error"])
def test_exotic_answers(router, other, kind):
    """Whatever a callee answers: the caller hears of it."""
    caller = router.join(serializer=other)
    for value in exotic(router):
        callee = router.join()
        callee.serve("a.procedure")
        request = caller.call("a.procedure")
        invocation = callee.invoked()
        if kind == "result":
            callee.answer(invocation, [value])
        else:
            callee.fail(invocation, "a.error", [value])
        assert_no_failure(callee.heard(), value)
        answer = caller.hears() if callee.wire.transport.connected else caller.heard()[0]
        assert answer[:2] == [RESULT, request] or answer[:3] == [ERROR, 48, request], (value, answer)
        callee.hang_up()
        caller.heard()


@OTHERS
def test_exotic_details_of_errors(router, other):
    """Those that are passed on may hold nothing that the caller's serializer cannot say."""
    caller = router.join(serializer=other)
    for value in exotic(router):
        callee = router.join()
        callee.serve("a.procedure")
        request = caller.call("a.procedure")
        callee.fail(callee.invoked(), "a.error", **{"ppt_scheme": value, "ppt_keyid": value, "x": value})
        assert_no_failure(callee.heard(), value)
        callee.hang_up()
        answer = caller.hears()
        assert answer[:3] == [ERROR, 48, request], (value, answer)


@OTHERS
def test_exotic_history(router, other):
    """One event of another serializer's words must not hide the rest from its readers."""
    publisher, reader = router.join(), router.join(serializer=other)
    subscription = reader.listen("kept")
    for value in exotic(router):
        publisher = router.join()
        publisher.say([16, 1, {}, "kept", [value], {"x": value}])
        publisher.hang_up()
        reader.heard()
        request = reader.call("wamp.subscription.get_events", [subscription])
        answer = reader.hears()
        assert answer[:2] == [RESULT, request], (value, answer)


def test_exotic_arguments(router):
    """The router's own procedures: an answer or an ERROR, whatever the arguments."""
    for value in exotic(router):
        peer = router.join()
        calls = {
            peer.next(): (name, *payload)
            for name in router.procedures
            for payload in (([value],), (["a.topic", [value], {"x": value}],), ([], {"x": value}))
        }
        # All at once: over nodes each look takes its time.
        peer.say(*([48, request, {}, *call] for request, call in calls.items()))
        answers = peer.heard()
        assert_no_failure(answers, value)
        if answers[-1][0] != ABORT:
            ended = [answer[1] if answer[0] == RESULT else answer[2] for answer in answers]
            assert sorted(ended) == list(calls), (value, answers)
        peer.hang_up()


@OTHERS
def test_exotic_testaments(router, other):
    subscriber = router.join(serializer=other)
    subscriber.listen("a.topic")
    for value in exotic(router):
        peer = router.join()
        peer.say([48, 1, {}, "wamp.session.add_testament", ["a.topic", [value], {"x": value}]])
        assert_no_failure(peer.heard(), value)
        peer.hang_up()
        assert {message[0] for message in subscriber.heard()} <= {EVENT}


@pytest.mark.parametrize("head", [[16, 1], [32, 1], [48, 1], [49, 1], [64, 1], [70, 1]], ids=str)
def test_exotic_options(router, head):
    """Options that nobody knows are ignored; what cannot be read at all is a violation."""
    rest = [] if head[0] in (49, 70) else ["a.topic"]
    for value in exotic(router):
        for options in ({"x": value}, {"match": value}, {"exclude": [value]}, value):
            peer = router.join()
            peer.say([*head, options, *rest])
            assert_no_failure(peer.heard(), options)
            peer.hang_up()
    assert_alive(router)


def test_exotic_details_of_sessions(router):
    roles = hello_roles()
    for value in exotic(router):
        for message in (
            [1, "radio", {"roles": roles, "x": value}],
            [1, "radio", {"roles": roles, "authextra": {"x": value}}],
            [1, "radio", {"roles": {**roles, "x": {"features": {"y": value}}}}],
            [1, "radio", {"roles": {"caller": {"features": {"call_timeout": value}, "x": value}}}],
            [1, value, {"roles": roles}],
            [3, {"x": value}, "a.reason"],
            [6, {"x": value}, "a.reason"],
            [value],
            value,
        ):
            wire = router.connect()
            wire.say(message)
            assert_no_failure(wire.heard(), message)
            wire.hang_up()
        peer = router.join()
        peer.say([6, {"x": value}, "a.reason"])
        assert_no_failure(peer.heard(), value)
        peer.hang_up()
        wire = router.connect()
        wire.ask([1, "radio", {"roles": roles, "authmethods": ["ticket"], "authid": "trusted"}])
        wire.say([5, "trusted-ticket", {"x": value}])
        assert_no_failure(wire.heard(), value)
        wire.hang_up()
    assert_alive(router)


BYTES = {
    "json": [
        b"",
        b"\xff",
        b"[",
        b'[16,1,{},"a",[\xff]]',
        b"[" * 100_000,
        b'[16,1,{},"a",NaN]',
        b'[16,1,{},"a"] x',
    ],
    "msgpack": [
        b"",
        b"\xc1",
        b"\x94\x10",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x94\x10\x01\x80\xa1a\x90",
    ],
    "cbor": [
        b"",
        b"\xff",
        b"\x84\x10",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x9f\x10\xff",
        b"\x81" * 100_000,
        b"\x84\x10\x01\xa0\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x84\x10\x01\xa0\x61a\x80",
        b"\x85\x10\x01\xa0\x61a" + cyclic(),
    ],
}


def test_malformed_bytes(router):
    for data in BYTES[router.serializer.name]:
        wire = router.connect()
        assert wire.ask([1, "radio", {"roles": hello_roles()}])[0] == WELCOME
        wire.send(wire.frame(data))
        answers = wire.heard()
        assert_no_failure(answers, data[:20])
        assert answers, data[:20]
    assert_alive(router)
