"""Features of the broker, each proved by raw frames.

What is expected is what the WAMP specification says in the chapters of its Advanced Profile on PubSub.
"""

import pytest
from support.peers import ABORT, ERROR, EVENT, PUBLISH, SUBSCRIBED, UNSUBSCRIBED, VIOLATION

# --- who may know whom


def test_publisher_identification(router):
    publisher, subscriber = router.peers(2)
    subscription = subscriber.listen("a.topic")
    publication = publisher.tell("a.topic", ["hi"], disclose_me=True)
    details = {
        "publisher": publisher.session,
        "publisher_authid": publisher.welcome["authid"],
        "publisher_authrole": "open",
    }
    assert subscriber.hears() == [EVENT, subscription, publication, details, ["hi"]]


def test_publisher_identification_is_not_given_unasked(router):
    publisher, subscriber = router.peers(2)
    subscriber.listen("a.topic")
    publisher.tell("a.topic")
    assert subscriber.hears()[3] == {}


def test_publisher_identification_can_be_the_rule_of_a_role(router):
    publisher, subscriber = router.join("public"), router.join()
    subscriber.listen("a.topic")
    publisher.tell("a.topic")
    assert subscriber.hears()[3]["publisher_authid"] == "public"


@pytest.mark.parametrize(("topic", "is_told"), [("named.one", True), ("other.one", False)])
def test_publisher_identification_can_be_the_rule_of_some_topics(router, topic, is_told):
    publisher, subscriber = router.join("partly"), router.join()
    subscriber.listen(topic)
    publisher.tell(topic)
    assert ("publisher" in subscriber.hears()[3]) is is_told


def test_publisher_identification_can_be_forbidden(router):
    publisher, subscriber = router.join("hidden"), router.join()
    subscriber.listen("a.topic")
    answer = publisher.publish("a.topic", disclose_me=True)
    assert answer[:3] == [ERROR, PUBLISH, publisher.request]
    assert answer[4] == "wamp.error.option_disallowed.disclose_me"
    assert subscriber.heard() == []
    publisher.tell("a.topic", disclose_me=False)
    assert subscriber.hears()[3] == {}


def test_publication_trustlevels(router):
    publisher, subscriber = router.join("trusted"), router.join()
    subscriber.listen("a.topic")
    publisher.tell("a.topic")
    assert subscriber.hears()[3] == {"trustlevel": 5}


# --- who receives


def test_publisher_exclusion(router):
    (peer,) = router.peers(1)
    subscription = peer.listen("a.topic")
    peer.tell("a.topic", ["one"])
    peer.tell("a.topic", ["two"], exclude_me=True)
    peer.say([PUBLISH, peer.next(), {"exclude_me": False}, "a.topic", ["three"]])
    event = peer.hears()
    assert (event[:2], event[4]) == ([EVENT, subscription], ["three"])


def test_publisher_exclusion_leaves_one_event_for_each_message(router):
    (peer,) = router.peers(1)
    peer.listen("a.topic")
    peer.say([PUBLISH, peer.next(), {"exclude_me": False, "acknowledge": True}, "a.topic"])
    assert sorted(message[0] for message in peer.heard()) == [17, EVENT]


def who_hears(publisher, subscribers, options):
    for subscriber in subscribers:
        subscriber.listen("a.topic")
    publisher.tell("a.topic", **options)
    return [bool(subscriber.heard()) for subscriber in subscribers]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [True, True, True]),
        ({"eligible": [0, 1]}, [True, True, False]),
        ({"eligible": []}, [False, False, False]),
        ({"exclude": [0]}, [False, True, True]),
        ({"exclude": []}, [True, True, True]),
        ({"eligible": [0, 1], "exclude": [1]}, [True, False, False]),
        ({"eligible_authid": ["trusted"]}, [False, True, False]),
        ({"exclude_authid": ["trusted", "nobody"]}, [True, False, True]),
        ({"eligible_authrole": ["public", "trusted"]}, [False, True, True]),
        ({"exclude_authrole": ["open"]}, [False, True, True]),
        ({"eligible_authrole": ["public"], "exclude_authid": ["public"]}, [False, False, False]),
        ({"eligible": [0, 2], "eligible_authrole": ["public", "trusted"]}, [False, False, True]),
    ],
    ids=str,
)
def test_subscriber_blackwhite_listing(router, options, expected):
    subscribers = [router.join(), router.join("trusted"), router.join("public")]
    # Lists of sessions are written here as places in the list of subscribers.
    options = {
        name: [subscribers[place].session for place in value] if name in ("eligible", "exclude") else value
        for name, value in options.items()
    }
    assert who_hears(router.join(), subscribers, options) == expected


def test_subscriber_blackwhite_listing_does_not_overrule_publisher_exclusion(router):
    (peer,) = router.peers(1)
    assert who_hears(peer, [peer], {"eligible": [peer.session]}) == [False]


# --- what is subscribed to


@pytest.mark.parametrize(
    ("match", "pattern", "topic", "is_matched"),
    [
        ("exact", "a.b", "a.b", True),
        ("exact", "a.b", "a.b.c", False),
        ("prefix", "a.b", "a.b", True),
        ("prefix", "a.b", "a.b.c", True),
        ("prefix", "a.b", "a.bcd", True),
        ("prefix", "a.b.", "a.bcd", False),
        ("prefix", "a.b", "a.c", False),
        ("wildcard", "a..c", "a.b.c", True),
        ("wildcard", "a..c", "a.b.c.d", False),
        ("wildcard", "a..c", "a.b.d", False),
        ("wildcard", ".b.", "a.b.c", True),
        ("wildcard", "a..", "a.b.c", True),
        ("wildcard", "a.b", "a.b", True),
    ],
)
def test_pattern_based_subscription(router, match, pattern, topic, is_matched):
    publisher, subscriber = router.peers(2)
    subscription = subscriber.listen(pattern, match=match)
    publication = publisher.tell(topic, [1])
    details = {} if match == "exact" else {"topic": topic}
    expected = [[EVENT, subscription, publication, details, [1]]] if is_matched else []
    assert subscriber.heard() == expected


def test_pattern_based_subscription_gives_each_match_its_event_under_one_publication(router):
    publisher, subscriber = router.peers(2)
    subscriptions = [
        subscriber.listen("a.b", match="exact"),
        subscriber.listen("a", match="prefix"),
        subscriber.listen("a.", match="wildcard"),
    ]
    assert len(set(subscriptions)) == 3
    publication = publisher.tell("a.b")
    events = subscriber.heard()
    assert sorted(event[1] for event in events) == sorted(subscriptions)
    assert {event[2] for event in events} == {publication}


def test_pattern_based_subscription_is_shared_by_those_who_ask_for_the_same(router):
    one, two = router.peers(2)
    assert one.listen("a", match="prefix") == two.listen("a", match="prefix")
    assert one.listen("a", match="prefix") != one.listen("a")


def test_pattern_based_subscription_leaves_out_what_a_role_may_not_hear(router):
    publisher, subscriber = router.join(), router.join("listener")
    subscriber.listen("kept.several", match="prefix")
    publisher.tell("kept.several.secret")
    assert subscriber.heard() == []


@pytest.mark.parametrize(
    ("match", "pattern"),
    [
        ("exact", "a..b"),
        ("exact", "a."),
        ("exact", ""),
        ("prefix", "a..b"),
        ("wildcard", "a.b c"),
        ("exact", "a#"),
    ],
)
def test_pattern_based_subscription_refuses_what_is_no_pattern(router, match, pattern):
    (peer,) = router.peers(1)
    assert peer.subscribe(pattern, match=match)[4] == "wamp.error.invalid_uri"


def test_unsubscribe(router):
    publisher, subscriber = router.peers(2)
    subscription = subscriber.listen("a.topic")
    assert subscriber.unsubscribe(subscription) == [UNSUBSCRIBED, subscriber.request]
    publisher.tell("a.topic")
    assert subscriber.heard() == []
    again = subscriber.unsubscribe(subscription)
    assert (again[:3], again[4]) == ([ERROR, 34, subscriber.request], "wamp.error.no_such_subscription")


# --- acknowledging


def test_acknowledge(router):
    (peer,) = router.peers(1)
    answer = peer.publish("a.topic", acknowledge=True)
    assert answer[:2] == [17, peer.request]
    assert 1 <= answer[2] <= 2**53


@pytest.mark.parametrize("options", [{}, {"acknowledge": False}], ids=str)
def test_acknowledge_unasked_means_no_answer_not_even_an_error(router, options):
    peer = router.join("limited")
    for topic in ("a.topic", "no topic", "forbidden.topic"):
        peer.say([PUBLISH, peer.next(), options, topic])
    assert peer.heard() == []
    assert peer.subscribe("still.there")[0] == SUBSCRIBED


def test_acknowledge_makes_refusals_heard(router):
    peer = router.join("limited")
    assert peer.publish("forbidden.topic")[4] == "wamp.error.not_authorized"
    assert peer.publish("no topic")[4] == "wamp.error.invalid_uri"
    assert peer.publish("wamp.session.on_join")[4] == "wamp.error.invalid_uri"


# --- the last event, and earlier ones


def test_event_retention(router):
    publisher, subscriber = router.peers(2)
    publisher.tell("a.topic", ["old"], retain=True)
    publication = publisher.tell("a.topic", ["kept"], {"x": 1}, retain=True)
    publisher.tell("a.topic", ["not kept"])
    subscriber.say([32, subscriber.next(), {"get_retained": True}, "a.topic"])
    (subscribed, event) = subscriber.heard()
    assert subscribed[0] == SUBSCRIBED
    assert event == [EVENT, subscribed[2], publication, {"retained": True}, ["kept"], {"x": 1}]


def test_event_retention_reaches_nobody_who_did_not_ask(router):
    publisher, subscriber = router.peers(2)
    subscriber.listen("a.topic")
    publisher.tell("a.topic", retain=True)
    assert subscriber.hears()[3] == {}
    late = router.join()
    late.listen("a.topic", get_retained=False)
    late.listen("empty.topic", get_retained=True)
    assert late.heard() == []


def retained(subscriber, topic="a.topic", **options):
    subscriber.say([32, subscriber.next(), {"get_retained": True, **options}, topic])
    subscribed, *events = subscriber.heard()
    assert subscribed[0] == SUBSCRIBED
    return events


def test_get_retained(router):
    publisher, subscriber = router.peers(2)
    publisher.tell("a.topic", retain=True)
    assert len(retained(subscriber)) == 1


def test_get_retained_of_a_pattern_brings_each_topics_last_event(router):
    publisher, subscriber = router.peers(2)
    publisher.tell("a.one", [1], retain=True)
    publisher.tell("a.two", [2], retain=True)
    publisher.tell("b.one", [3], retain=True)
    events = retained(subscriber, "a.", match="prefix")
    assert [(event[3], event[4]) for event in events] == [
        ({"topic": "a.one", "retained": True}, [1]),
        ({"topic": "a.two", "retained": True}, [2]),
    ]


@pytest.mark.parametrize(
    "options",
    [{"exclude_authrole": ["listener"]}, {"eligible_authid": ["trusted"]}, {"eligible": []}],
    ids=str,
)
def test_get_retained_keeps_to_black_and_whitelists(router, options):
    publisher, subscriber = router.join(), router.join("listener")
    publisher.tell("a.topic", retain=True, **options)
    assert retained(subscriber) == []


def test_get_retained_brings_publishers_nothing_that_they_were_excluded_from(router):
    """Event Retention: never what one would not have received "if they were subscribing when it was
    published"."""
    (peer,) = router.peers(1)
    peer.tell("a.topic", retain=True)
    assert retained(peer) == []


def test_event_history(router):
    publisher, reader = router.peers(2)
    subscription = reader.listen("kept")
    publications = [publisher.tell("kept", [place], {"x": place}) for place in range(3)]
    reader.heard()
    reader.call("wamp.subscription.get_events", [subscription])
    _, _, _, events, _ = reader.hears()
    assert [event["publication"] for event in events] == publications
    assert [(event["args"], event["kwargs"]) for event in events] == [([n], {"x": n}) for n in range(3)]
    assert {event["subscription"] for event in events} == {subscription}
    # What the events themselves told: where they stand among the topic's. Nodes leave numbers out.
    numbers = [event["details"]["_seq"] for event in events]
    assert numbers == (sorted(set(numbers)) if events[0]["details"]["_epoch"].startswith("x") else [1, 2, 3])
    assert all(set(event["details"]) == {"_seq", "_epoch"} for event in events)
    assert all(event["timestamp"].endswith("Z") for event in events)


@pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])
def test_event_history_tells_what_the_event_told(router, other):
    publisher, reader = router.join(), router.join(serializer=other)
    subscription = reader.listen("kept")
    publisher.tell("kept", [1, 0.5, "zwei", None, {"a": [1]}, publisher.binary(b"\xff")], {"x": {}})
    event = reader.hears()
    reader.call("wamp.subscription.get_events", [subscription])
    (record,) = reader.hears()[3]
    assert [record["args"], record["kwargs"]] == event[4:]


def history(peer, subscription, **filters):
    """The first argument of each event in a history."""
    peer.heard()
    peer.call("wamp.subscription.get_events", [subscription], filters)
    answer = peer.hears()
    assert answer[0] == 50, answer
    return [event["args"][0] for event in answer[3]]


@pytest.fixture
def past(router):
    """A reader, its subscription, and four events a second apart: (publication, timestamp) of each."""
    publisher, reader = router.peers(2)
    subscription = reader.listen("kept")
    publications = []
    for place in range(4):
        publications.append(publisher.tell("kept", [place]))
        router.wait(1)
    reader.heard()
    reader.call("wamp.subscription.get_events", [subscription])
    times = [event["timestamp"] for event in reader.hears()[3]]
    return reader, subscription, list(zip(publications, times, strict=True))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"reverse": True}, [3, 2, 1, 0]),
        ({"limit": 2}, [0, 1]),
        ({"reverse": True, "limit": 1}, [3]),
        ({"from_time": 1}, [1, 2, 3]),
        ({"after_time": 1}, [2, 3]),
        ({"before_time": 1}, [0]),
        ({"until_time": 1}, [0, 1]),
        ({"from_publication": 1}, [1, 2, 3]),
        ({"after_publication": 1}, [2, 3]),
        ({"before_publication": 1}, [0]),
        ({"until_publication": 1}, [0, 1]),
        ({"after_publication": 0, "before_time": 3}, [1, 2]),
        ({"after_publication": 0, "before_publication": 3, "reverse": True, "limit": 1}, [2]),
        ({"topic": "kept"}, [0, 1, 2, 3]),
        ({"topic": "other"}, []),
    ],
    ids=str,
)
def test_event_history_filters(past, filters, expected):
    reader, subscription, events = past
    # Times and publications are written here as places in the list of events.
    filters = {
        name: events[value]["publication" not in name] if name.endswith(("time", "publication")) else value
        for name, value in filters.items()
    }
    assert history(reader, subscription, **filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": "1"},
        {"limit": True},
        {"reverse": "yes"},
        {"from_time": "yesterday"},
        {"from_time": 5},
        {"after_time": "2026-01-01T00:00:00"},
        {"topic": 5},
        {"from_publication": 0},
        {"from_publication": "1"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_event_history_refuses_wrong_filters(router, filters):
    (reader,) = router.peers(1)
    subscription = reader.listen("kept")
    assert reader.refusal("wamp.subscription.get_events", subscription, **filters) == (
        "wamp.error.invalid_argument"
    )


def test_event_history_keeps_to_lists_of_names_and_keeps_nothing_with_lists_of_sessions(router):
    publisher, reader, other = router.join(), router.join(), router.join("trusted")
    subscription = reader.listen("kept")
    publisher.tell("kept", ["for trusted"], eligible_authrole=["trusted"])
    publisher.tell("kept", ["not for trusted"], exclude_authid=["trusted"])
    publisher.tell("kept", ["a session"], eligible=[reader.session])
    publisher.tell("kept", ["no session"], exclude=[1])
    assert history(reader, subscription) == ["not for trusted"]
    assert history(other, subscription) == ["for trusted"]


def test_event_history_of_a_pattern(router):
    publisher, reader = router.join(), router.join("listener")
    subscription = reader.listen("kept.several", match="prefix")
    for topic in ("kept.several.one", "kept.several.secret", "kept.several.two", "kept"):
        publisher.tell(topic, [topic])
    assert history(reader, subscription) == ["kept.several.one", "kept.several.two"]
    assert history(reader, subscription, topic="kept.several.two") == ["kept.several.two"]


def test_event_history_needs_the_right_to_subscribe(router):
    reader, other = router.join(), router.join("mute")
    subscription = reader.listen("kept")
    # Who may neither listen nor publish there does not even learn that somebody does.
    assert other.refusal("wamp.subscription.get_events", subscription) == "wamp.error.no_such_subscription"


def test_event_history_is_refused_where_there_is_none(router):
    (reader,) = router.peers(1)
    subscription = reader.listen("not.kept")
    assert reader.refusal("wamp.subscription.get_events", subscription) == "wamp.error.history_unavailable"
    assert reader.refusal("wamp.subscription.get_events", 99) == "wamp.error.no_such_subscription"


def test_event_history_is_as_long_as_configured(router):
    publisher, reader = router.peers(2)
    subscription = reader.listen("kept")
    for place in range(12):
        publisher.tell("kept", [place])
    assert history(reader, subscription) == list(range(2, 12))


# --- taking a subscription away


def test_subscription_revocation(router):
    boss, publisher, subscriber = router.join(), router.join(), router.join(_radiod_revocation=True)
    subscription = subscriber.listen("a.topic")
    boss.result("wamp.subscription.remove_subscriber", subscription, subscriber.session, reason="enough")
    assert subscriber.hears() == [UNSUBSCRIBED, 0, {"subscription": subscription, "reason": "enough"}]
    publisher.tell("a.topic")
    assert subscriber.heard() == []
    assert subscriber.unsubscribe(subscription)[4] == "wamp.error.no_such_subscription"


def test_subscription_revocation_is_asked_for_in_authextra_by_clients_that_know_no_other_way(router):
    boss, subscriber = router.join(), router.join(authextra={"_radiod_revocation": True})
    subscription = subscriber.listen("a.topic")
    boss.result("wamp.subscription.remove_subscriber", subscription, subscriber.session)
    assert subscriber.hears() == [UNSUBSCRIBED, 0, {"subscription": subscription}]


def test_subscription_revocation_is_silent_towards_those_who_did_not_ask(router):
    """Autobahn|Python announces the feature and breaks on the message."""
    boss, publisher, subscriber = router.peers(3)
    subscription = subscriber.listen("a.topic")
    boss.result("wamp.subscription.remove_subscriber", subscription, subscriber.session)
    publisher.tell("a.topic")
    assert subscriber.heard() == []


# --- payloads that the router does not look at

PPT = {
    "ppt_scheme": "wamp.eth",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0=",
}


def test_payload_passthru_mode(router):
    publisher, subscriber = router.peers(2)
    subscription = subscriber.listen("a.topic")
    publication = publisher.tell("a.topic", [publisher.binary(b"\x00\xff opaque")], **PPT)
    expected = [EVENT, subscription, publication, PPT, [subscriber.binary(b"\x00\xff opaque")]]
    assert subscriber.hears() == expected


def test_payload_passthru_mode_must_be_announced(router):
    publisher = router.join(without=["publisher.payload_passthru_mode", "publisher.payload_transparency"])
    publisher.say([PUBLISH, publisher.next(), PPT, "a.topic", [publisher.binary(b"x")]])
    abort = publisher.hears()
    assert (abort[0], abort[2]) == (ABORT, VIOLATION)


@pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])
def test_payload_passthru_mode_between_serializers(router, other):
    publisher, subscriber = router.join(), router.join(serializer=other)
    subscriber.listen("a.topic")
    publisher.tell("a.topic", [publisher.binary(bytes(range(256)))], **PPT)
    assert subscriber.hears()[4] == [subscriber.binary(bytes(range(256)))]


def test_payload_transparency(router):
    """Autobahn's and Crossbar's name for it, with the payload as one string in the place of args."""
    publisher, subscriber = router.peers(2)
    subscription = subscriber.listen("a.topic")
    options = {"enc_algo": "cryptobox", "enc_key": "key", "enc_serializer": "json"}
    publication = publisher.tell("a.topic", publisher.binary(b"opaque"), **options)
    assert subscriber.hears() == [EVENT, subscription, publication, options, subscriber.binary(b"opaque")]


# --- serializers


@pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])
def test_payloads_reach_clients_of_every_serializer(router, other):
    publisher, subscriber = router.join(), router.join(serializer=other)
    subscriber.listen("a.topic")
    args = [1, -1, 2**53, 0.5, "zwei", "\u20ac \U0001f4fb", None, True, [], {}, {"a": [{"b": 1}]}]
    kwargs = {"x": 3, "y": {"z": [None]}}
    publisher.tell("a.topic", [*args, publisher.binary(b"\x00\xff")], kwargs)
    assert subscriber.hears()[4:] == [[*args, subscriber.binary(b"\x00\xff")], kwargs]


@pytest.mark.parametrize("payload", [(), ([],), ([1],), ([], {"x": 1}), ([1], {"x": 1})], ids=str)
def test_payloads_arrive_as_they_were_sent(router, payload):
    publisher, subscriber = router.peers(2)
    subscriber.listen("a.topic")
    publisher.tell("a.topic", *payload)
    assert subscriber.hears()[4:] == list(payload)
