"""``wamp.subscription.*`` through the eyes of a client: every procedure, event and error."""

from datetime import UTC, datetime

import pytest
from support.arguments import WRONG_IDS, WRONG_TEXTS, TakesAnId

from radiod.errors import INVALID_ARGUMENT, NO_SUCH_SESSION, NO_SUCH_SUBSCRIPTION


def now(world):
    date = datetime.fromtimestamp(world.clock.time(), UTC)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TestIds(TakesAnId):
    missing = NO_SUCH_SUBSCRIPTION

    @pytest.fixture(
        params=[
            "wamp.subscription.get",
            "wamp.subscription.list_subscribers",
            "wamp.subscription.count_subscribers",
        ]
    )
    def procedure(self, request):
        return request.param


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
        world.realm.gateway.listen(alice.session, "a")
        world.realm.gateway.listen(alice.session, "a")
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

    @pytest.mark.parametrize(
        "options",
        [1, "prefix", [], True, {"match": "Prefix"}, {"match": None}, {"match": "x" * 999}],
    )
    def test_options_are_as_when_subscribing(self, admin, options):
        assert admin.call("wamp.subscription.lookup", "a", options) == INVALID_ARGUMENT
        answer = admin.answer(48, {}, "wamp.subscription.lookup", ["a", options])
        assert len(answer[5][0]) < 300

    @pytest.mark.parametrize("procedure", ["lookup", "match"])
    @pytest.mark.parametrize("topic", WRONG_TEXTS)
    def test_uris_are_texts(self, admin, procedure, topic):
        assert admin.call(f"wamp.subscription.{procedure}", topic) == INVALID_ARGUMENT

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
        assert id in alice.subscriptions
