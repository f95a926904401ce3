"""The meta API: every procedure and every event, by raw frames.

What is expected is what the WAMP specification says in "Session Meta API", "Subscription Meta API",
"Registration Meta API" and "Testament"; ``remove_subscriber`` and ``remove_callee`` are Crossbar.io's.
"""

import re

import pytest
from support.peers import ERROR, EVENT, GOODBYE, RESULT, SUBSCRIBED, UNSUBSCRIBED

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NORMAL = "wamp.close.normal"
KILLED = "wamp.close.killed"


class Watch:
    """A client that listens to meta events."""

    def __init__(self, router, *topics):
        self.peer = router.join()
        self.topics = {self.peer.listen(f"wamp.{topic}"): topic for topic in topics}

    def seen(self):
        """(topic without "wamp.", args) of every event since the last look, in order."""
        messages = self.peer.heard()
        assert {message[0] for message in messages} <= {EVENT}
        return [(self.topics[message[1]], message[4]) for message in messages]


def who(peer):
    details = peer.welcome
    names = ("authid", "authrole", "authmethod", "authprovider")
    return {"session": peer.session, **{name: details[name] for name in names}}


# --- sessions


@pytest.mark.parametrize("authid", [None, "trusted"])
def test_session_meta_api(router, authid):
    """wamp.session.on_join and wamp.session.on_leave."""
    watch = Watch(router, "session.on_join", "session.on_leave")
    peer = router.join(authid)
    assert watch.seen() == [("session.on_join", [who(peer)])]
    peer.hang_up()
    left = [peer.session, peer.welcome["authid"], peer.welcome["authrole"]]
    assert watch.seen() == [("session.on_leave", left)]


def test_session_on_leave_of_a_session_that_said_goodbye(router):
    watch = Watch(router, "session.on_leave")
    peer = router.join()
    peer.say([GOODBYE, {}, NORMAL])
    assert [args[0] for _, args in watch.seen()] == [peer.session]
    peer.hang_up()
    assert watch.seen() == []


def test_session_count_and_list(router):
    peers = [router.join(), router.join("trusted"), router.join("trusted")]
    asker, *others = peers
    assert asker.result("wamp.session.count") == 3
    assert sorted(asker.result("wamp.session.list")) == sorted(peer.session for peer in peers)
    trusted = sorted(peer.session for peer in others)
    assert asker.result("wamp.session.count", ["trusted"]) == 2
    assert sorted(asker.result("wamp.session.list", ["trusted", "nobody"])) == trusted
    assert asker.result("wamp.session.list", []) == []
    assert asker.result("wamp.session.count", filter_authroles=["open"]) == 1


def test_session_get(router):
    asker, other = router.join(), router.join("trusted")
    assert asker.result("wamp.session.get", other.session) == who(other)
    assert asker.result("wamp.session.get", asker.session) == who(asker)
    assert asker.refusal("wamp.session.get", 1) == "wamp.error.no_such_session"


def test_session_kill(router):
    watch = Watch(router, "session.on_leave")
    killer, victim = router.peers(2)
    assert killer.result("wamp.session.kill", victim.session) is None
    assert victim.hears() == [GOODBYE, {}, KILLED]
    victim.say([GOODBYE, {}, "wamp.close.goodbye_and_out"])
    assert victim.heard() == []
    assert victim.is_ended
    assert [args[0] for _, args in watch.seen()] == [victim.session]
    assert killer.refusal("wamp.session.kill", victim.session) == "wamp.error.no_such_session"


@pytest.mark.parametrize(
    "message",
    [
        [GOODBYE, {}, "wamp.close.goodbye_and_out"],
        [32, 1, {}, "a.topic"],
        [32, 99, {}, "a.topic"],
        ["nonsense"],
    ],
    ids=str,
)
def test_session_kill_makes_deaf(router, message):
    killer, victim = router.peers(2)
    killer.result("wamp.session.kill", victim.session)
    assert victim.hears()[0] == GOODBYE
    victim.say(message)
    assert victim.heard() == []
    assert killer.result("wamp.subscription.list")["exact"] == []


def test_session_kill_with_a_reason(router):
    killer, victim = router.peers(2)
    killer.result("wamp.session.kill", victim.session, reason="a.reason", message="sorry")
    assert victim.hears() == [GOODBYE, {"message": "sorry"}, "a.reason"]


def test_session_kill_leaves_the_caller_alone(router):
    (killer,) = router.peers(1)
    assert killer.refusal("wamp.session.kill", killer.session) == "wamp.error.no_such_session"
    assert killer.result("wamp.session.count") == 1


@pytest.mark.parametrize("reason", ["", "no reason", "a..b", "#"])
def test_session_kill_wants_a_uri_for_a_reason(router, reason):
    killer, victim = router.peers(2)
    uri = "wamp.error.invalid_uri"
    assert killer.refusal("wamp.session.kill", victim.session, reason=reason) == uri
    assert killer.refusal("wamp.session.kill_all", reason=reason) == uri
    assert killer.refusal("wamp.session.kill_by_authid", "x", reason=reason) == uri
    assert killer.refusal("wamp.session.kill_by_authrole", "x", reason=reason) == uri
    assert victim.heard() == []


def test_session_kill_by_authid(router):
    killer, *victims = [router.join("trusted") for _ in range(3)]
    bystander = router.join()
    killed = killer.result("wamp.session.kill_by_authid", "trusted", reason="a.reason", message="sorry")
    assert sorted(killed) == sorted(victim.session for victim in victims)
    assert [victim.heard() for victim in victims] == [[[GOODBYE, {"message": "sorry"}, "a.reason"]]] * 2
    assert killer.result("wamp.session.kill_by_authid", "trusted") == []
    assert killer.heard() + bystander.heard() == []


def test_session_kill_by_authrole(router):
    killer, *victims = [router.join("trusted") for _ in range(3)]
    bystander = router.join()
    assert killer.result("wamp.session.kill_by_authrole", "trusted") == 2
    assert [victim.heard() for victim in victims] == [[[GOODBYE, {}, KILLED]]] * 2
    assert killer.result("wamp.session.kill_by_authrole", "trusted") == 0
    assert killer.heard() + bystander.heard() == []


def test_session_kill_all(router):
    killer, *victims = router.join(), router.join("trusted"), router.join()
    assert killer.result("wamp.session.kill_all", message="bye") == 2
    assert [victim.heard() for victim in victims] == [[[GOODBYE, {"message": "bye"}, KILLED]]] * 2
    assert killer.result("wamp.session.count") == 1


def test_session_kill_all_makes_no_events(router):
    """The specification: it "will not generate session meta events or testament events"."""
    killer, victim = router.peers(2)
    killer.listen("wamp.session.on_leave")
    killer.listen("a.topic")
    victim.result("wamp.session.add_testament", "a.topic", [], {})
    killer.call("wamp.session.kill_all")
    assert [message[0] for message in killer.heard()] == [RESULT]


def test_session_kill_needs_a_right_of_its_own(router):
    """The right to call everything is not enough: see docs/configuration.md."""
    killer, victim = router.join("mute"), router.join()
    assert killer.refusal("wamp.session.kill", victim.session) == "wamp.error.not_authorized"
    assert killer.refusal("wamp.session.kill_all") == "wamp.error.not_authorized"
    assert killer.result("wamp.session.count") == 2


def test_procedures_that_give_access_need_a_right_of_their_own(router):
    """Whoever may do everything else may not; nor does anything show that they are there."""
    peer = router.join()
    for procedure in ("radiod.admin.key.list", "radiod.admin.audit", "radiod.admin.nothing"):
        assert peer.refusal(procedure) == "wamp.error.not_authorized"
        assert peer.refusal("radiod.rpc.describe", procedure) == "wamp.error.no_such_procedure"
        assert peer.result("wamp.registration.match", procedure) is None
    assert peer.result("radiod.rpc.list", "radiod.")["procedures"] == []


def test_meta_api_stays_in_its_realm(router):
    watch = Watch(router, "session.on_join", "session.on_leave", "subscription.on_create")
    stranger = router.join(realm="other")
    stranger.listen("a.topic")
    assert stranger.result("wamp.session.list") == [stranger.session]
    assert watch.peer.refusal("wamp.session.get", stranger.session) == "wamp.error.no_such_session"
    assert watch.peer.result("wamp.session.count") == 1
    stranger.hang_up()
    assert watch.seen() == []


# --- testaments


def test_testament_meta_api(router):
    subscriber, peer = router.peers(2)
    subscription = subscriber.listen("a.topic")
    assert peer.result("wamp.session.add_testament", "a.topic", ["one"], {"x": 1}) is None
    assert peer.result("wamp.session.add_testament", "a.topic", ["two"], {}) is None
    assert subscriber.heard() == []
    peer.hang_up()
    first, second = subscriber.heard()
    assert first[:2] + first[3:] == [EVENT, subscription, {}, ["one"], {"x": 1}]
    assert second[4] == ["two"]


def test_testament_scopes(router):
    subscriber, peer = router.peers(2)
    subscriber.listen("a.topic")
    for scope in ("destroyed", "detached", "destroyed", "detached"):
        peer.result("wamp.session.add_testament", "a.topic", [scope], {}, scope=scope)
    peer.say([GOODBYE, {}, NORMAL])
    assert [event[4] for event in subscriber.heard()] == [["detached"]] * 2 + [["destroyed"]] * 2


@pytest.mark.parametrize(
    ("flushed", "left"),
    [({}, ["detached"]), ({"scope": "destroyed"}, ["detached"]), ({"scope": "detached"}, ["destroyed"])],
)
def test_testament_flush(router, flushed, left):
    subscriber, peer = router.peers(2)
    subscriber.listen("a.topic")
    for scope in ("destroyed", "detached"):
        peer.result("wamp.session.add_testament", "a.topic", [scope], {}, scope=scope)
    assert peer.result("wamp.session.flush_testaments", **flushed) is None
    peer.hang_up()
    assert [event[4] for event in subscriber.heard()] == [left]


def test_testament_publish_options(router):
    subscriber, listener, peer = router.join(), router.join("trusted"), router.join()
    for one in (subscriber, listener):
        one.listen("a.topic")
    options = {"exclude_authrole": ["trusted"], "retain": True, "disclose_me": True, "acknowledge": True}
    peer.result("wamp.session.add_testament", "a.topic", ["bye"], {}, publish_options=options)
    peer.hang_up()
    assert subscriber.hears()[3]["publisher"] == peer.session
    assert listener.heard() == []
    late = router.join()
    late.say([32, late.next(), {"get_retained": True}, "a.topic"])
    assert [message[0] for message in late.heard()] == [SUBSCRIBED, EVENT]


def test_testament_of_a_killed_session(router):
    subscriber, peer = router.peers(2)
    subscriber.listen("a.topic")
    peer.result("wamp.session.add_testament", "a.topic", ["killed"], {})
    subscriber.call("wamp.session.kill", [peer.session])
    assert sorted(message[0] for message in subscriber.heard()) == [EVENT, RESULT]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ([], {}),
        (["a.topic"], {}),
        (["a.topic", {}, {}], {}),
        (["a.topic", [], []], {}),
        ([5, [], {}], {}),
        (["a.topic", [], {}], {"scope": "eternal"}),
        (["a.topic", [], {}], {"publish_options": []}),
        (["a.topic", [], {}], {"publish_options": {"exclude": "x"}}),
        (["a.topic", [], {}], {"unknown": 1}),
    ],
    ids=str,
)
def test_testament_refuses_wrong_arguments(router, args, kwargs):
    (peer,) = router.peers(1)
    uri = "wamp.error.invalid_argument"
    assert peer.refusal("wamp.session.add_testament", *args, **kwargs) == uri


def test_testament_keywords_may_have_any_name(router):
    subscriber, peer = router.peers(2)
    subscriber.listen("a.topic")
    kwargs = dict.fromkeys(("cls", "self", "args", "kwargs", "codec", ""), 1)
    peer.result("wamp.session.add_testament", "a.topic", [], kwargs)
    peer.hang_up()
    assert subscriber.hears()[5] == kwargs


def test_testament_needs_the_right_to_publish(router):
    peer = router.join("mute")
    refusal = peer.refusal("wamp.session.add_testament", "a.topic", [], {})
    assert refusal == "wamp.error.not_authorized"


# --- subscriptions


def test_subscription_meta_api(router):
    """Its four events, and their order: created before the first, deleted after the last."""
    names = ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")
    watch = Watch(router, *(f"subscription.{name}" for name in names))
    one, two = router.peers(2)
    subscription = one.listen("a.topic", match="prefix")
    (create, subscribe) = watch.seen()
    details = create[1][1]
    assert DATE.fullmatch(details.pop("created"))
    assert create == (
        "subscription.on_create",
        [one.session, {"id": subscription, "uri": "a.topic", "match": "prefix"}],
    )
    assert subscribe == ("subscription.on_subscribe", [one.session, subscription])
    one.listen("a.topic", match="prefix")
    assert watch.seen() == []
    two.listen("a.topic", match="prefix")
    assert watch.seen() == [("subscription.on_subscribe", [two.session, subscription])]
    one.unsubscribe(subscription)
    assert watch.seen() == [("subscription.on_unsubscribe", [one.session, subscription])]
    two.hang_up()
    assert watch.seen() == [
        ("subscription.on_unsubscribe", [two.session, subscription]),
        ("subscription.on_delete", [two.session, subscription]),
    ]


def test_subscription_list(router):
    (peer,) = router.peers(1)
    empty = {"exact": [], "prefix": [], "wildcard": []}
    assert peer.result("wamp.subscription.list") == empty
    ids = {match: [peer.listen("a.b", match=match)] for match in empty}
    assert peer.result("wamp.subscription.list") == ids


def test_subscription_lookup(router):
    (peer,) = router.peers(1)
    exact, prefix = peer.listen("a"), peer.listen("a", match="prefix")
    assert peer.result("wamp.subscription.lookup", "a") == exact
    assert peer.result("wamp.subscription.lookup", "a", {}) == exact
    assert peer.result("wamp.subscription.lookup", "a", {"match": "prefix"}) == prefix
    assert peer.result("wamp.subscription.lookup", "a", {"match": "wildcard"}) is None
    assert peer.result("wamp.subscription.lookup", "b") is None
    assert peer.refusal("wamp.subscription.lookup", "a", {"match": "x"}) == "wamp.error.invalid_argument"


def test_subscription_match(router):
    (peer,) = router.peers(1)
    ids = [peer.listen("a.b"), peer.listen("a", match="prefix"), peer.listen("a.", match="wildcard")]
    assert sorted(peer.result("wamp.subscription.match", "a.b")) == sorted(ids)
    assert peer.result("wamp.subscription.match", "a.b.c") == [ids[1]]
    assert peer.result("wamp.subscription.match", "b") is None


def test_subscription_get(router):
    (peer,) = router.peers(1)
    subscription = peer.listen("a.", match="wildcard")
    details = peer.result("wamp.subscription.get", subscription)
    assert DATE.fullmatch(details.pop("created"))
    assert details == {"id": subscription, "uri": "a.", "match": "wildcard"}
    assert peer.refusal("wamp.subscription.get", 99) == "wamp.error.no_such_subscription"


def test_subscription_list_and_count_subscribers(router):
    one, two = router.peers(2)
    subscription = one.listen("a.topic")
    two.listen("a.topic")
    sessions = sorted([one.session, two.session])
    assert sorted(one.result("wamp.subscription.list_subscribers", subscription)) == sessions
    assert one.result("wamp.subscription.count_subscribers", subscription) == 2
    two.hang_up()
    assert one.result("wamp.subscription.list_subscribers", subscription) == [one.session]
    for name in ("list_subscribers", "count_subscribers"):
        assert one.refusal(f"wamp.subscription.{name}", 99) == "wamp.error.no_such_subscription"


def test_subscription_remove_subscriber(router):
    watch = Watch(router, "subscription.on_unsubscribe", "subscription.on_delete")
    boss, peer = router.join(), router.join(_radiod_revocation=True)
    subscription = peer.listen("a.topic")
    remove = "wamp.subscription.remove_subscriber"
    assert boss.result(remove, subscription, peer.session) is None
    assert peer.hears() == [UNSUBSCRIBED, 0, {"subscription": subscription}]
    assert [topic for topic, _ in watch.seen()] == ["subscription.on_unsubscribe", "subscription.on_delete"]
    assert boss.refusal(remove, subscription, peer.session) == "wamp.error.no_such_subscription"
    other = boss.listen("b.topic")
    assert boss.refusal(remove, other, peer.session) == "wamp.error.no_such_subscription"
    assert boss.refusal(remove, other, 1) == "wamp.error.no_such_session"


# --- registrations


def test_registration_meta_api(router):
    """Its four events, and their order: created before the first, deleted after the last."""
    names = ("on_create", "on_register", "on_unregister", "on_delete")
    watch = Watch(router, *(f"registration.{name}" for name in names))
    one, two = router.peers(2)
    registration = one.serve("a.procedure", invoke="random", match="prefix")
    (create, register) = watch.seen()
    details = create[1][1]
    assert DATE.fullmatch(details.pop("created"))
    assert create == (
        "registration.on_create",
        [
            one.session,
            {"id": registration, "uri": "a.procedure", "match": "prefix", "invoke": "random"},
        ],
    )
    assert register == ("registration.on_register", [one.session, registration])
    two.serve("a.procedure", invoke="random", match="prefix")
    assert watch.seen() == [("registration.on_register", [two.session, registration])]
    one.unregister(registration)
    assert watch.seen() == [("registration.on_unregister", [one.session, registration])]
    two.hang_up()
    assert watch.seen() == [
        ("registration.on_unregister", [two.session, registration]),
        ("registration.on_delete", [two.session, registration]),
    ]


def test_registration_list(router):
    (peer,) = router.peers(1)
    empty = {"exact": [], "prefix": [], "wildcard": []}
    assert peer.result("wamp.registration.list") == empty
    ids = {match: [peer.serve("a.b", match=match)] for match in empty}
    assert peer.result("wamp.registration.list") == ids


def test_registration_lookup(router):
    (peer,) = router.peers(1)
    exact, prefix = peer.serve("a"), peer.serve("a", match="prefix")
    assert peer.result("wamp.registration.lookup", "a") == exact
    assert peer.result("wamp.registration.lookup", "a", {"match": "prefix"}) == prefix
    assert peer.result("wamp.registration.lookup", "a", {"match": "wildcard"}) is None
    assert peer.refusal("wamp.registration.lookup", "a", {"match": 1}) == "wamp.error.invalid_argument"


def test_registration_match(router):
    (peer,) = router.peers(1)
    exact = peer.serve("a.b")
    prefix = peer.serve("a", match="prefix")
    wildcard = peer.serve(".b", match="wildcard")
    expected = {"a.b": exact, "a.c": prefix, "c.b": wildcard, "c": None}
    assert {uri: peer.result("wamp.registration.match", uri) for uri in expected} == expected


def test_registration_get(router):
    (peer,) = router.peers(1)
    registration = peer.serve("a.procedure", invoke="roundrobin")
    details = peer.result("wamp.registration.get", registration)
    assert DATE.fullmatch(details.pop("created"))
    assert details == {"id": registration, "uri": "a.procedure", "match": "exact", "invoke": "roundrobin"}
    assert peer.refusal("wamp.registration.get", 99) == "wamp.error.no_such_registration"


def test_registration_list_and_count_callees(router):
    one, two = router.peers(2)
    registration = one.serve("a.procedure", invoke="last")
    two.serve("a.procedure", invoke="last")
    assert one.result("wamp.registration.list_callees", registration) == [one.session, two.session]
    assert one.result("wamp.registration.count_callees", registration) == 2
    for name in ("list_callees", "count_callees"):
        assert one.refusal(f"wamp.registration.{name}", 99) == "wamp.error.no_such_registration"


def test_registration_remove_callee(router):
    watch = Watch(router, "registration.on_unregister", "registration.on_delete")
    boss, peer = router.peers(2)
    registration = peer.serve("a.procedure")
    remove = "wamp.registration.remove_callee"
    assert boss.result(remove, registration, peer.session) is None
    assert [topic for topic, _ in watch.seen()] == ["registration.on_unregister", "registration.on_delete"]
    assert boss.refusal(remove, registration, peer.session) == "wamp.error.no_such_registration"
    other = boss.serve("b.procedure")
    assert boss.refusal(remove, other, peer.session) == "wamp.error.no_such_registration"
    assert boss.refusal(remove, other, 1) == "wamp.error.no_such_session"


# --- all of them

ANYTHING = [None, True, -1, 0, 2**53 + 1, 2**63, 1.5, "", "x", "no uri", [], [1], [[]], {}, {"x": 1}]


def procedures(router):
    return sorted(name for name in router.procedures if name.startswith("wamp."))


def test_meta_procedures_survive_any_argument(router):
    """Whatever the arguments: one answer, and the session goes on."""
    (peer,) = router.peers(1)
    for procedure in procedures(router):
        calls = {
            peer.next(): args
            for value in ANYTHING
            for args in ([value], [value, value], [value] * 3, [1, value], ["a", [], {}, value])
        }
        # All at once: over nodes each look takes its time.
        peer.say(*([48, request, {}, procedure, args] for request, args in calls.items()))
        answers = {answer[1] if answer[0] == RESULT else answer[2]: answer for answer in peer.heard()}
        assert answers.keys() == calls.keys()
        for request, answer in answers.items():
            told = procedure, calls[request], answer
            assert answer[0] == RESULT or answer[:2] == [ERROR, 48], told
            assert answer[0] == RESULT or answer[4].startswith("wamp.error."), told


@pytest.mark.parametrize("name", ["args", "session", "self", "caller", "cls", ""])
def test_meta_procedures_refuse_keywords_that_they_do_not_have(router, name):
    (peer,) = router.peers(1)
    for procedure in procedures(router):
        request = peer.call(procedure, [], {name: 1})
        answer = peer.hears()
        assert answer[:3] == [ERROR, 48, request] or answer[0] == RESULT, (procedure, answer)


def test_clients_may_not_register_or_publish_as_the_router(router):
    (peer,) = router.peers(1)
    assert peer.register("wamp.session.get")[4] == "wamp.error.invalid_uri"
    assert peer.publish("wamp.session.on_join", [{}])[4] == "wamp.error.invalid_uri"
    request = peer.call("wamp.no.such.procedure")
    assert peer.hears()[2:5] == [request, {}, "wamp.error.no_such_procedure"]


def test_meta_events_need_the_right_to_subscribe(router):
    peer = router.join("mute")
    assert peer.subscribe("wamp.session.on_join")[4] == "wamp.error.not_authorized"


def test_meta_events_come_only_to_those_who_ask_for_the_routers_topics(router):
    (peer,) = router.peers(1)
    peer.listen("", match="prefix")
    peer.listen("..", match="wildcard")
    router.join()
    assert peer.heard() == []
    subscription = peer.listen("wamp.session.", match="prefix")
    other = router.join()
    event = peer.hears()
    assert (event[1], event[3], event[4]) == (subscription, {"topic": "wamp.session.on_join"}, [who(other)])
