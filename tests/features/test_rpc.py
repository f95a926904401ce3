"""Features of the dealer, each proved by raw frames.

What is expected is what the WAMP specification says in the chapters of its Advanced Profile on RPC.
"""

import pytest
from support.peers import (
    ABORT,
    CALL,
    ERROR,
    INTERRUPT,
    INVOCATION,
    REGISTER,
    RESULT,
    UNREGISTERED,
    VIOLATION,
    YIELD,
    hello_roles,
)

CANCELED = "wamp.error.canceled"
UNSUPPORTED = "wamp.error.feature_not_supported"
UNAVAILABLE = "wamp.error.unavailable"

# A client that can do nothing of the Advanced Profile but what is named elsewhere.
NO_CANCELING = ["callee.call_canceling"]


@pytest.fixture
def pair(router):
    """A caller, a callee, and the registration of "a.procedure"."""
    caller, callee = router.peers(2)
    return caller, callee, callee.serve("a.procedure")


def is_error(message, request, uri):
    return message[:3] == [ERROR, CALL, request] and message[4] == uri


# --- calling at all


def test_a_call_and_its_result(pair):
    caller, callee, registration = pair
    request = caller.call("a.procedure", [1, "zwei"], {"x": 3})
    assert callee.hears() == [INVOCATION, 1, registration, {}, [1, "zwei"], {"x": 3}]
    callee.answer(1, [4], {"y": 5})
    assert caller.hears() == [RESULT, request, {}, [4], {"y": 5}]


def test_a_call_and_its_error(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.fail(callee.invoked(), "a.error", ["why"], {"x": 1})
    assert caller.hears() == [ERROR, CALL, request, {}, "a.error", ["why"], {"x": 1}]


def test_a_call_of_nothing(router):
    (caller,) = router.peers(1)
    request = caller.call("no.such.procedure")
    assert is_error(caller.hears(), request, "wamp.error.no_such_procedure")


def test_unregister(pair):
    caller, callee, registration = pair
    assert callee.unregister(registration) == [UNREGISTERED, callee.request]
    request = caller.call("a.procedure")
    assert is_error(caller.hears(), request, "wamp.error.no_such_procedure")
    again = callee.unregister(registration)
    assert again[:3] == [ERROR, 66, callee.request]
    assert again[4] == "wamp.error.no_such_registration"


def test_a_procedure_has_one_callee_unless_shared(pair):
    caller, _, _ = pair
    answer = caller.register("a.procedure")
    assert answer[:3] == [ERROR, REGISTER, caller.request]
    assert answer[4] == "wamp.error.procedure_already_exists"


# --- who may know whom


def test_caller_identification(pair):
    caller, callee, registration = pair
    caller.call("a.procedure", disclose_me=True)
    details = {
        "caller": caller.session,
        "caller_authid": caller.welcome["authid"],
        "caller_authrole": "open",
    }
    assert callee.hears() == [INVOCATION, 1, registration, details]


def test_caller_identification_that_the_callee_asks_for(router):
    caller, callee = router.peers(2)
    callee.serve("a.procedure", disclose_caller=True)
    caller.call("a.procedure")
    details = callee.hears()[3]
    assert (details["caller"], details["caller_authrole"]) == (caller.session, "open")


def test_caller_identification_is_not_given_unasked(pair):
    caller, callee, _ = pair
    caller.call("a.procedure", disclose_me=False)
    assert callee.hears()[3] == {}


def test_caller_identification_can_be_the_rule_of_a_role(router):
    caller, callee = router.join("public"), router.join()
    callee.serve("a.procedure")
    caller.call("a.procedure")
    assert callee.hears()[3]["caller_authid"] == "public"


@pytest.mark.parametrize(("procedure", "is_told"), [("named.one", True), ("other.one", False)])
def test_caller_identification_can_be_the_rule_of_some_procedures(router, procedure, is_told):
    caller, callee = router.join("partly"), router.join()
    callee.serve(procedure)
    caller.call(procedure)
    assert ("caller" in callee.hears()[3]) is is_told


def test_caller_identification_can_be_forbidden(router):
    caller, callee = router.join("hidden"), router.join()
    callee.serve("a.procedure")
    request = caller.call("a.procedure", disclose_me=True)
    assert is_error(caller.hears(), request, "wamp.error.option_disallowed.disclose_me")
    assert callee.heard() == []


def test_call_trustlevels(router):
    caller, callee = router.join("trusted"), router.join()
    callee.serve("a.procedure")
    caller.call("a.procedure")
    assert callee.hears()[3] == {"trustlevel": 5}


# --- ending calls early


def test_call_timeout(pair, router):
    caller, callee, _ = pair
    request = caller.call("a.procedure", timeout=3000)
    invocation = callee.invoked()
    router.wait(1.4)
    assert caller.heard() + callee.heard() == []
    router.wait(1.7)
    assert is_error(caller.hears(), request, "wamp.error.timeout")
    assert callee.hears()[:2] == [INTERRUPT, invocation]
    callee.answer(invocation, ["late"])
    assert caller.heard() == []


def test_call_timeout_interrupts_with_killnowait(pair, router):
    caller, callee, _ = pair
    caller.call("a.procedure", timeout=1000)
    callee.heard()
    router.wait(1.1)
    assert callee.hears()[2]["mode"] == "killnowait"


def test_call_timeout_skips_callees_that_cannot_cancel(router):
    caller, callee = router.join(), router.join(without=NO_CANCELING)
    callee.serve("a.procedure")
    request = caller.call("a.procedure", timeout=1000)
    invocation = callee.invoked()
    router.wait(1.1)
    assert is_error(caller.hears(), request, "wamp.error.timeout")
    assert callee.heard() == []
    callee.answer(invocation)
    assert caller.heard() == []


def test_call_timeout_does_nothing_to_answered_calls(pair, router):
    caller, callee, _ = pair
    caller.call("a.procedure", timeout=2000)
    callee.answer(callee.invoked())
    assert caller.hears()[0] == RESULT
    router.wait(2.1)
    assert caller.heard() + callee.heard() == []


def test_call_timeout_is_forwarded_to_callees_that_ask_for_it(router):
    caller, callee = router.peers(2)
    callee.serve("a.procedure", forward_timeout=True)
    caller.call("a.procedure", timeout=1500)
    assert callee.hears()[3] == {"timeout": 1500}
    router.wait(2)
    assert callee.heard() == []
    callee.fail(1, "wamp.error.timeout")
    assert caller.hears()[4] == "wamp.error.timeout"


def test_call_timeout_counts_from_one_progressive_result_to_the_next(pair, router):
    caller, callee, _ = pair
    request = caller.call("a.procedure", timeout=2000, receive_progress=True)
    invocation = callee.invoked()
    for _ in range(3):
        router.wait(1.1)
        callee.answer(invocation, progress=True)
        assert caller.hears()[:2] == [RESULT, request]
    router.wait(2.1)
    assert is_error(caller.hears(), request, "wamp.error.timeout")


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_call_canceling(pair, mode):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    invocation = callee.invoked()
    caller.cancel(request, mode=mode)
    if mode == "skip":
        assert callee.heard() == []
    else:
        interrupt = callee.hears()
        assert interrupt[:2] == [INTERRUPT, invocation]
        assert interrupt[2]["mode"] == mode
    if mode == "kill":
        assert caller.heard() == []
        callee.fail(invocation, CANCELED, ["as you wish"])
        assert caller.hears() == [ERROR, CALL, request, {}, CANCELED, ["as you wish"]]
    else:
        assert is_error(caller.hears(), request, CANCELED)
        callee.fail(invocation, CANCELED)
        assert caller.heard() == []


def test_call_canceling_with_kill_lets_a_result_win(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    invocation = callee.invoked()
    caller.cancel(request, mode="kill")
    callee.answer(invocation, ["done already"])
    assert caller.hears() == [RESULT, request, {}, ["done already"]]


def test_call_canceling_with_kill_can_be_followed_by_skip(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.heard()
    caller.cancel(request, mode="kill")
    caller.cancel(request, mode="kill")
    assert callee.hears()[0] == INTERRUPT
    caller.cancel(request, mode="skip")
    assert is_error(caller.hears(), request, CANCELED)


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_call_canceling_skips_callees_that_did_not_announce_it(router, mode):
    caller, callee = router.join(), router.join(without=NO_CANCELING)
    callee.serve("a.procedure")
    request = caller.call("a.procedure")
    invocation = callee.invoked()
    caller.cancel(request, mode=mode)
    assert is_error(caller.hears(), request, CANCELED)
    callee.answer(invocation)
    assert caller.heard() + callee.heard() == []


def test_call_canceling_of_what_has_ended_does_nothing(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.answer(callee.invoked())
    caller.heard()
    caller.cancel(request)
    caller.cancel(7)
    assert caller.heard() + callee.heard() == []


def test_call_canceling_of_another_sessions_call_does_nothing(pair, router):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.heard()
    router.join().cancel(request)
    assert caller.heard() + callee.heard() == []


@pytest.mark.parametrize("is_polite", [True, False])
def test_a_caller_that_leaves_takes_its_calls_along(pair, is_polite):
    caller, callee, _ = pair
    caller.call("a.procedure")
    invocation = callee.invoked()
    if is_polite:
        caller.say([6, {}, "wamp.close.normal"])
    else:
        caller.hang_up()
    interrupt = callee.hears()
    assert interrupt[:2] == [INTERRUPT, invocation]
    assert interrupt[2]["mode"] == "killnowait"
    callee.answer(invocation)
    assert callee.heard() == []


def test_a_callee_that_leaves_cancels_the_calls_it_had(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.hang_up()
    assert is_error(caller.hears(), request, CANCELED)


# --- progress


def test_progressive_call_results(pair):
    caller, callee, registration = pair
    request = caller.call("a.procedure", receive_progress=True)
    assert callee.hears() == [INVOCATION, 1, registration, {"receive_progress": True}]
    callee.answer(1, ["half"], progress=True)
    assert caller.hears() == [RESULT, request, {"progress": True}, ["half"]]
    callee.answer(1, progress=True)
    assert caller.hears() == [RESULT, request, {"progress": True}]
    callee.answer(1, [], {"all": 1})
    assert caller.hears() == [RESULT, request, {}, [], {"all": 1}]
    callee.answer(1, ["more"], progress=True)
    assert caller.heard() == []


def test_progressive_call_results_may_end_in_an_error(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", receive_progress=True)
    invocation = callee.invoked()
    callee.answer(invocation, ["half"], progress=True)
    callee.fail(invocation, "a.error")
    assert [message[0] for message in caller.heard()] == [RESULT, ERROR]
    callee.answer(invocation)
    assert caller.heard() == []
    assert request == 1


def test_progressive_call_results_are_not_sent_to_callers_that_did_not_ask(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.answer(callee.invoked(), ["half"], progress=True)
    assert caller.heard() == []
    callee.answer(1, ["all"])
    assert caller.hears() == [RESULT, request, {}, ["all"]]


def test_progressive_call_results_are_not_asked_of_callees_without(router):
    caller, callee = router.join(), router.join(without=["callee.progressive_call_results"])
    callee.serve("a.procedure")
    caller.call("a.procedure", receive_progress=True)
    assert callee.hears()[3] == {}


def test_progressive_call_results_are_asked_of_callees_that_cannot_be_interrupted(router):
    """Such are Autobahn|JS and wampy; the specification disregards them."""
    caller, callee = router.join(), router.join(without=NO_CANCELING)
    callee.serve("a.procedure")
    request = caller.call("a.procedure", receive_progress=True)
    assert callee.hears()[3] == {"receive_progress": True}
    callee.answer(1, ["half"], progress=True)
    assert caller.hears() == [RESULT, request, {"progress": True}, ["half"]]
    caller.hang_up()
    router.join().call("wamp.session.count")
    callee.answer(1, ["more"], progress=True)
    callee.answer(1, ["all"])
    assert callee.heard() == []


def test_progressive_call_results_end_when_the_caller_leaves(pair):
    caller, callee, _ = pair
    caller.call("a.procedure", receive_progress=True)
    invocation = callee.invoked()
    callee.answer(invocation, progress=True)
    caller.hang_up()
    assert callee.hears()[2]["mode"] == "killnowait"


def chunk(caller, request, *payload, **options):
    caller.say([CALL, request, options, "a.procedure", *payload])


def test_progressive_call_invocations(pair):
    caller, callee, registration = pair
    request = caller.call("a.procedure", ["first"], progress=True)
    chunk(caller, request, ["second"], progress=True)
    chunk(caller, request, ["last"])
    assert callee.heard() == [
        [INVOCATION, 1, registration, {"progress": True}, ["first"]],
        [INVOCATION, 1, registration, {"progress": True}, ["second"]],
        [INVOCATION, 1, registration, {}, ["last"]],
    ]
    callee.answer(1, ["thanks"])
    assert caller.hears() == [RESULT, request, {}, ["thanks"]]


def test_progressive_call_invocations_go_both_ways_at_once(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", [1], progress=True, receive_progress=True)
    assert callee.hears()[3] == {"progress": True, "receive_progress": True}
    callee.answer(1, ["one"], progress=True)
    assert caller.hears() == [RESULT, request, {"progress": True}, ["one"]]
    chunk(caller, request, [2], progress=True)
    assert callee.hears()[4] == [2]
    callee.answer(1, ["enough"])
    assert caller.hears() == [RESULT, request, {}, ["enough"]]
    chunk(caller, request, [3])
    assert caller.heard() + callee.heard() == []
    # The next request is the next number, as if the chunks had not been.
    assert caller.listen("a.topic")


def test_progressive_call_invocations_freeze_their_options(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", progress=True, disclose_me=True)
    chunk(caller, request, progress=True, receive_progress=True)
    chunk(caller, request)
    first, second, last = (message[3] for message in callee.heard())
    assert second == first
    assert last == {name: value for name, value in first.items() if name != "progress"}
    assert last["caller"] == caller.session


def test_progressive_call_invocations_stay_with_their_callee(router):
    caller, *callees = router.peers(3)
    for callee in callees:
        callee.serve("a.procedure", invoke="roundrobin")
    request = caller.call("a.procedure", progress=True)
    chunk(caller, request, progress=True)
    chunk(caller, request)
    assert [len(callee.heard()) for callee in callees] == [3, 0]


@pytest.mark.parametrize("missing", ["callee.progressive_call_invocations", "callee.call_canceling"])
def test_progressive_call_invocations_are_refused_where_the_callee_has_none(router, missing):
    caller, callee = router.join(), router.join(without=[missing])
    callee.serve("a.procedure")
    request = caller.call("a.procedure", progress=True)
    assert is_error(caller.hears(), request, UNSUPPORTED)
    assert callee.heard() == []


def test_progressive_call_invocations_must_be_announced(router):
    caller, callee = router.join(without=["caller.progressive_call_invocations"]), router.join()
    callee.serve("a.procedure")
    caller.call("a.procedure", progress=True)
    abort = caller.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)
    assert callee.heard() == []


@pytest.mark.parametrize("procedure", ["no.such.procedure", "radiod.echo"])
def test_progressive_call_invocations_must_be_announced_whatever_is_called(router, procedure):
    caller = router.join(without=["caller.progressive_call_invocations"])
    caller.call(procedure, progress=True)
    abort = caller.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)


def test_progressive_call_invocations_that_were_refused_are_answered_once(router):
    """Chunks that were on their way when the call was refused belong to a call that has ended."""
    (caller,) = router.peers(1)
    caller.say(
        [CALL, 1, {"progress": True}, "a.procedure", [1]],
        [CALL, 1, {"progress": True}, "a.procedure", [2]],
        [CALL, 1, {}, "a.procedure", [3]],
    )
    assert is_error(caller.hears(), 1, "wamp.error.no_such_procedure")


def test_progressive_call_invocations_that_were_refused_do_not_reach_the_callee_in_part(router):
    caller = router.join()
    callee = router.join(without=["callee.progressive_call_invocations"])
    callee.serve("a.procedure")
    caller.say(
        [CALL, 1, {"progress": True}, "a.procedure", ["beginning"]], [CALL, 1, {}, "a.procedure", ["end"]]
    )
    assert callee.heard() == []
    assert is_error(caller.hears(), 1, UNSUPPORTED)


def test_progressive_call_invocations_of_the_routers_procedures_are_answered_once(router):
    """It takes no progressive invocations itself: an error, or one result."""
    (caller,) = router.peers(1)
    caller.say(
        [CALL, 1, {"progress": True}, "wamp.session.count"],
        [CALL, 1, {"progress": True}, "wamp.session.count"],
        [CALL, 1, {}, "wamp.session.count"],
    )
    assert len(caller.heard()) == 1


def test_progressive_call_invocations_can_be_canceled(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", progress=True)
    invocation = callee.invoked()
    caller.cancel(request, mode="killnowait")
    assert is_error(caller.hears(), request, CANCELED)
    assert callee.hears()[:2] == [INTERRUPT, invocation]
    chunk(caller, request, progress=True)
    chunk(caller, request)
    assert caller.heard() + callee.heard() == []


def test_progressive_call_invocations_are_interrupted_when_the_caller_leaves(pair):
    caller, callee, _ = pair
    caller.call("a.procedure", progress=True)
    invocation = callee.invoked()
    caller.hang_up()
    interrupt = callee.hears()
    assert interrupt[:2] == [INTERRUPT, invocation]
    assert interrupt[2]["mode"] == "killnowait"


def test_progressive_call_invocations_know_both_spellings_of_canceling(router):
    """The specification's chapter on them spells it "call_cancelling"."""
    roles = hello_roles(NO_CANCELING)
    roles["callee"]["features"]["call_cancelling"] = True
    caller, callee = router.join(), router.join(roles=roles)
    callee.serve("a.procedure")
    caller.call("a.procedure", progress=True)
    assert callee.hears()[3] == {"progress": True}


@pytest.mark.parametrize("end", ["answered", "refused"])
def test_progressive_call_invocations_are_not_remembered_without_end(pair, router, end):
    """Not even while one of them goes on and on."""
    caller, callee, _ = pair
    caller.call("a.procedure", progress=True)
    callee.heard()
    for invocation in range(2, 602):
        caller.call("a.procedure" if end == "answered" else "no.such.procedure", progress=True)
        if end == "answered":
            callee.answer(invocation)
    realm = router.radio.realms["radio"]
    calls = realm.dealer.calls_of(realm.sessions[caller.session])
    assert len(calls.made) == 1
    assert len(calls.progressive) < 300


def test_a_pending_call_may_not_be_made_again(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.heard()
    chunk(caller, request)
    abort = caller.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)


# --- what is registered

PATTERNS = [
    ("exact", "a1.b2.c3.d4.e55"),
    ("prefix", "a1.b2.c3"),
    ("prefix", "a1.b2.c3.d4"),
    ("wildcard", "a1.b2..d4.e5"),
    ("wildcard", "a1.b2.c33..e5"),
    ("wildcard", "a1.b2..d4.e5..g7"),
    ("wildcard", "a1.b2..d4..f6.g7"),
]


@pytest.mark.parametrize(
    ("procedure", "number"),
    [
        ("a1.b2.c3.d4.e55", 1),
        ("a1.b2.c3.d98.e74", 2),
        ("a1.b2.c3.d4.e325", 3),
        ("a1.b2.c55.d4.e5", 4),
        # The specification's example says "a1.b2.c33.d4.e5", which the prefix a1.b2.c3 matches as well.
        ("a1.b2.c88.d4.e5.f6.g7", 6),
        ("a2.b2.c2.d2.e2", None),
    ],
)
def test_pattern_based_registration(router, procedure, number):
    """The specification's example, with its numbers."""
    caller, callee = router.peers(2)
    registrations = [callee.serve(uri, match=match) for match, uri in PATTERNS]
    request = caller.call(procedure)
    if number is None:
        assert is_error(caller.hears(), request, "wamp.error.no_such_procedure")
    else:
        details = {} if number == 1 else {"procedure": procedure}
        assert callee.hears() == [INVOCATION, 1, registrations[number - 1], details]


@pytest.mark.parametrize("order", [1, -1])
def test_pattern_based_registration_prefers_the_wildcard_that_fits_longer(router, order):
    caller, callee = router.peers(2)
    patterns = ["a1.b2..d4.e5", "a1.b2.c33..e5"][::order]
    registrations = {pattern: callee.serve(pattern, match="wildcard") for pattern in patterns}
    caller.call("a1.b2.c33.d4.e5")
    assert callee.hears()[2] == registrations["a1.b2.c33..e5"]


@pytest.mark.parametrize(
    ("match", "uri", "procedure", "is_matched"),
    [
        ("prefix", "a.b", "a.b", True),
        ("prefix", "a.b", "a.bc", True),
        ("prefix", "a.b", "a", False),
        ("wildcard", "a..c", "a.b.c", True),
        ("wildcard", "a..c", "a.b.c.d", False),
        ("wildcard", "a..c", "a.c", False),
        ("exact", "a.b", "a.b.c", False),
    ],
)
def test_pattern_based_registration_matches(router, match, uri, procedure, is_matched):
    caller, callee = router.peers(2)
    callee.serve(uri, match=match)
    caller.call(procedure)
    assert bool(callee.heard()) is is_matched
    assert len(caller.heard()) == (0 if is_matched else 1)


# --- several callees


@pytest.mark.parametrize(
    ("invoke", "expected"),
    [("first", [0, 0, 0, 0]), ("last", [2, 2, 2, 2]), ("roundrobin", [0, 1, 2, 0])],
)
def test_shared_registration(router, invoke, expected):
    caller, *callees = router.peers(4)
    assert len({callee.serve("a.procedure", invoke=invoke) for callee in callees}) == 1
    asked = []
    for _ in expected:
        caller.call("a.procedure")
        asked += [place for place, callee in enumerate(callees) if callee.heard()]
    assert asked == expected


def test_shared_registration_by_chance(router):
    caller, *callees = router.peers(3)
    for callee in callees:
        callee.serve("a.procedure", invoke="random")
    for _ in range(64):
        caller.call("a.procedure")
    counts = [len(callee.heard()) for callee in callees]
    assert sum(counts) == 64
    # Fails once in 2**63 runs.
    assert all(counts)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("single", "single"),
        ("single", "first"),
        ("first", "last"),
        ("roundrobin", "random"),
        ("last", "single"),
    ],
)
def test_shared_registration_needs_one_policy(router, first, second):
    one, two = router.peers(2)
    one.serve("a.procedure", invoke=first)
    assert two.register("a.procedure", invoke=second)[4] == "wamp.error.procedure_already_exists"


def test_shared_registration_goes_on_without_those_who_left(router):
    caller, *callees = router.peers(4)
    for callee in callees:
        registration = callee.serve("a.procedure", invoke="first")
    callees[0].hang_up()
    assert callees[1].unregister(registration)[0] == UNREGISTERED
    caller.call("a.procedure")
    assert callees[2].hears()[:3] == [INVOCATION, 1, registration]


def test_shared_registration_with_concurrency(router):
    caller, *callees = router.peers(3)
    for callee in callees:
        callee.serve("a.procedure", invoke="first", concurrency=1)
    requests = [caller.call("a.procedure") for _ in range(3)]
    assert [len(callee.heard()) for callee in callees] == [1, 1]
    assert is_error(caller.hears(), requests[2], "radiod.error.max_concurrency")
    callees[1].answer(1)
    assert caller.hears()[:2] == [RESULT, requests[1]]
    caller.call("a.procedure")
    assert [len(callee.heard()) for callee in callees] == [0, 1]


@pytest.mark.parametrize(
    ("invoke", "order"), [("first", [0, 1, 2]), ("last", [2, 1, 0]), ("roundrobin", [0, 1, 2])]
)
def test_call_reroute(router, invoke, order):
    caller, *callees = router.peers(4)
    for callee in callees:
        callee.serve("a.procedure", invoke=invoke)
    request = caller.call("a.procedure", [1], {"x": 2})
    for place in order:
        assert caller.heard() == []
        message = callees[place].hears()
        assert message[4:] == [[1], {"x": 2}]
        callees[place].fail(message[1], UNAVAILABLE)
    assert is_error(caller.hears(), request, "wamp.error.no_available_callee")


def test_call_reroute_by_chance_never_asks_the_same_callee_again(router):
    caller, *callees = router.peers(4)
    for callee in callees:
        callee.serve("a.procedure", invoke="random")
    request = caller.call("a.procedure")
    asked = []
    while not (answers := caller.heard()):
        ((place, messages),) = [(n, heard) for n, callee in enumerate(callees) if (heard := callee.heard())]
        asked.append(place)
        callees[place].fail(messages[0][1], UNAVAILABLE)
    assert sorted(asked) == [0, 1, 2]
    assert is_error(answers[0], request, "wamp.error.no_available_callee")


def test_call_reroute_ends_with_the_first_who_answers(router):
    caller, one, two = router.peers(3)
    for callee in (one, two):
        callee.serve("a.procedure", invoke="first")
    request = caller.call("a.procedure")
    one.fail(one.invoked(), UNAVAILABLE)
    two.answer(two.invoked(), ["here"])
    assert caller.hears() == [RESULT, request, {}, ["here"]]
    one.answer(1, ["after all"])
    assert caller.heard() == []


def test_call_reroute_of_a_single_callee_has_nowhere_to_go(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure")
    callee.fail(callee.invoked(), UNAVAILABLE)
    assert is_error(caller.hears(), request, "wamp.error.no_available_callee")


def test_call_reroute_is_not_done_for_callees_that_did_not_announce_it(router):
    caller, one, two = router.join(), router.join(without=["callee.call_reroute"]), router.join()
    for callee in (one, two):
        callee.serve("a.procedure", invoke="first")
    request = caller.call("a.procedure")
    one.fail(one.invoked(), UNAVAILABLE, ["mine alone"])
    assert caller.hears() == [ERROR, CALL, request, {}, UNAVAILABLE, ["mine alone"]]
    assert two.heard() == []


def test_call_reroute_keeps_the_deadline(router):
    caller, one, two = router.peers(3)
    for callee in (one, two):
        callee.serve("a.procedure", invoke="first")
    request = caller.call("a.procedure", timeout=2000)
    router.wait(1.1)
    one.fail(one.invoked(), UNAVAILABLE)
    two.invoked()
    router.wait(1)
    assert is_error(caller.hears(), request, "wamp.error.timeout")


# --- taking a registration away


REVOCATION = ["callee.registration_revocation"]


@pytest.mark.parametrize("asks", [{}, {"without": REVOCATION, "_radiod_revocation": True}])
def test_registration_revocation(router, asks):
    boss, caller, callee = router.join(), router.join(), router.join(**asks)
    registration = callee.serve("a.procedure")
    boss.result("wamp.registration.remove_callee", registration, callee.session, reason="enough")
    assert callee.hears() == [UNREGISTERED, 0, {"registration": registration, "reason": "enough"}]
    request = caller.call("a.procedure")
    assert is_error(caller.hears(), request, "wamp.error.no_such_procedure")


def test_registration_revocation_is_silent_towards_those_who_did_not_announce_it(router):
    boss, callee = router.join(), router.join(without=REVOCATION)
    registration = callee.serve("a.procedure")
    boss.result("wamp.registration.remove_callee", registration, callee.session)
    assert callee.heard() == []
    assert callee.unregister(registration)[4] == "wamp.error.no_such_registration"


# --- taking over


FORCE = {"force_reregister": True}


def test_force_reregister(router):
    caller, newcomer, callee = router.peers(3)
    registration = callee.serve("a.procedure", **FORCE)
    before = caller.call("a.procedure")
    replacement = newcomer.serve("a.procedure", **FORCE)
    assert callee.heard() == [
        [INVOCATION, 1, registration, {}],
        [UNREGISTERED, 0, {"registration": registration, "reason": "wamp.error.unregistered"}],
    ]
    after = caller.call("a.procedure")
    assert newcomer.hears() == [INVOCATION, 1, replacement, {}]
    newcomer.answer(1, ["new"])
    callee.answer(1, ["old"])
    assert sorted(caller.heard()) == [[RESULT, before, {}, ["old"]], [RESULT, after, {}, ["new"]]]
    assert callee.unregister(registration)[4] == "wamp.error.no_such_registration"


@pytest.mark.parametrize("invoke", ["first", "last", "roundrobin", "random"])
def test_force_reregister_of_a_shared_registration(router, invoke):
    caller, newcomer, *callees = router.peers(4)
    for callee in callees:
        callee.serve("a.procedure", invoke=invoke)
    replacement = newcomer.serve("a.procedure", **FORCE)
    for _ in range(3):
        caller.call("a.procedure")
    assert [message[2] for message in newcomer.heard()] == [replacement] * 3
    assert [[message[:2] for message in callee.heard()] for callee in callees] == [[[UNREGISTERED, 0]]] * 2


@pytest.mark.parametrize("match", ["prefix", "wildcard"])
def test_force_reregister_takes_one_pattern(router, match):
    caller, newcomer, callee = router.peers(3)
    callee.serve("a.", match=match)
    kept = callee.serve("a.procedure")
    newcomer.serve("a.", match=match, **FORCE)
    assert callee.hears()[0] == UNREGISTERED
    caller.call("a.procedure")
    caller.call("a.other")
    assert callee.hears()[2] == kept
    assert newcomer.hears()[3] == {"procedure": "a.other"}


# --- payloads that the router does not look at

PPT = {"ppt_scheme": "mqtt", "ppt_serializer": "mqtt", "ppt_cipher": "none", "ppt_keyid": "1"}
PASSTHRU = ("payload_passthru_mode", "payload_transparency")


def without_passthru(role):
    return [f"{role}.{name}" for name in PASSTHRU]


def test_payload_passthru_mode(pair):
    caller, callee, registration = pair
    request = caller.call("a.procedure", [caller.binary(b"\x00\xff")], **PPT)
    assert callee.hears() == [INVOCATION, 1, registration, PPT, [callee.binary(b"\x00\xff")]]
    callee.answer(1, [callee.binary(b"\xfe")], **PPT)
    assert caller.hears() == [RESULT, request, PPT, [caller.binary(b"\xfe")]]


def test_payload_passthru_mode_in_errors(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", [caller.binary(b"x")], **PPT)
    callee.fail(callee.invoked(), "a.error", [callee.binary(b"y")], **PPT)
    assert caller.hears() == [ERROR, CALL, request, PPT, "a.error", [caller.binary(b"y")]]


def test_payload_passthru_mode_goes_with_progress(pair):
    caller, callee, _ = pair
    request = caller.call("a.procedure", [caller.binary(b"x")], **PPT, progress=True, receive_progress=True)
    chunk(caller, request, [caller.binary(b"y")])
    first, last = callee.heard()
    assert first[3] == {**PPT, "progress": True, "receive_progress": True}
    assert last[3] == {**PPT, "receive_progress": True}
    callee.answer(1, [callee.binary(b"z")], **PPT, progress=True)
    assert caller.hears() == [RESULT, request, {**PPT, "progress": True}, [caller.binary(b"z")]]


def test_payload_passthru_mode_must_be_announced_by_callers(router):
    caller, callee = router.join(without=without_passthru("caller")), router.join()
    callee.serve("a.procedure")
    caller.call("a.procedure", [caller.binary(b"x")], **PPT)
    abort = caller.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)
    assert callee.heard() == []


def test_payload_passthru_mode_must_be_announced_by_callees(router):
    caller, callee = router.join(), router.join(without=without_passthru("callee"))
    callee.serve("a.procedure")
    request = caller.call("a.procedure", [caller.binary(b"x")], **PPT)
    assert is_error(caller.hears(), request, UNSUPPORTED)
    assert callee.heard() == []
    caller.call("a.procedure")
    callee.answer(callee.invoked(), [callee.binary(b"x")], **PPT)
    abort = callee.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)


def test_payload_passthru_mode_in_results_needs_callers_that_can_read_it(router):
    """To the caller, who waits; the specification says "to the callee", which has no message for it."""
    caller, callee = router.join(without=without_passthru("caller")), router.join()
    callee.serve("a.procedure")
    request = caller.call("a.procedure")
    callee.say([YIELD, callee.invoked(), PPT, [callee.binary(b"x")]])
    assert is_error(caller.hears(), request, UNSUPPORTED)


def test_payload_transparency(pair):
    caller, callee, registration = pair
    options = {"enc_algo": "cryptobox", "enc_key": "key", "enc_serializer": "json"}
    request = caller.call("a.procedure", caller.binary(b"question"), **options)
    assert callee.hears() == [INVOCATION, 1, registration, options, callee.binary(b"question")]
    callee.answer(1, callee.binary(b"answer"), **options)
    assert caller.hears() == [RESULT, request, options, caller.binary(b"answer")]


# --- serializers


@pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])
def test_calls_reach_callees_of_every_serializer(router, other):
    caller, callee = router.join(), router.join(serializer=other)
    callee.serve("a.procedure")
    request = caller.call("a.procedure", [1, "zwei", None, 0.5, caller.binary(b"\xff")], {"x": [True]})
    assert callee.hears()[4:] == [[1, "zwei", None, 0.5, callee.binary(b"\xff")], {"x": [True]}]
    callee.fail(1, "a.error", [callee.binary(b"\xfe")], {"y": {}})
    assert caller.hears() == [ERROR, CALL, request, {}, "a.error", [caller.binary(b"\xfe")], {"y": {}}]
