"""The broker, case by case and against plain tables that are looked through one by one."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from support.answers import assert_refused

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.settings import BufferSettings
from radiod.core.limits import Limits
from radiod.core.pubsub.audience import Audience
from radiod.core.pubsub.broker import RETAINED_IN_A_STEP, Broker, SessionSubscriptions
from radiod.core.rights import Action
from radiod.core.sessions.session import Session
from radiod.errors import NO_SUCH_SUBSCRIPTION, OVERRUN, QUOTA, Refused
from radiod.testing import ALLOW_ALL, Allow, FakeClock, RecordingOutbox, SequentialIds, make_principal
from radiod.wire.codecs import JSON, Payload
from radiod.wire.options import PublishOptions, SubscribeOptions

DEFAULT = PublishOptions()
OPTIONS = {match: SubscribeOptions(match=match) for match in ("exact", "prefix", "wildcard")}
EXACT = OPTIONS["exact"]


class Hiding(Allow):
    """Permissions that hide some topics, and count how often they were asked."""

    def __init__(self, *topics):
        super().__init__(*Action)
        self._topics = topics
        self.asked = 0

    def hides(self, topic):
        self.asked += 1
        return topic in self._topics


class World:
    """A broker and the sessions on it."""

    def __init__(self, **limits):
        self.outbox = RecordingOutbox()
        self.clock = FakeClock()
        self.subscriptions = SessionSubscriptions()
        self.broker = self.make_broker(**limits)
        self._ids = SequentialIds()
        self._sessions = 0

    def make_broker(self, private_ids=None, **limits):
        return Broker(
            self.outbox,
            self.clock,
            self.clock.timers,
            Limits(**limits),
            subscriptions=self.subscriptions,
            private_ids=private_ids,
        )

    def join(self, authid="somebody", authrole="tester", permissions=ALLOW_ALL):
        self._sessions += 1
        return Session(self._sessions, make_principal(authid, authrole, permissions), None)

    def subscribe(self, session, topic, match="exact"):
        """The subscription; what else came of it is looked at in tests of their own."""
        return self.broker.subscribe(session, topic, OPTIONS[match])[0]

    def listener(self, topic, match="exact", **who):
        session = self.join(**who)
        self.subscribe(session, topic, match)
        return session

    def publish(self, publisher, topic, *args, **options):
        return self.give(publisher, topic, Payload.of(*args), PublishOptions(**options), {}).id

    def give(self, publisher, topic, payload, options, details):
        """Publish as a realm does: nothing is done if there is something against it."""
        self.broker.check(publisher, topic, payload, options)
        return self.broker.publish(self._ids.next(), publisher, topic, payload, options, details)

    def receivers(self):
        """Sessions that got an event since the last time asked, in order, as often as they got one."""
        return [sent.session for sent in self.outbox.take()]


@pytest.fixture
def world():
    return World()


class TestSubscribing:
    def test_all_who_ask_for_the_same_share_one_subscription(self, world):
        first, second = world.join(), world.join()
        subscription, is_new, is_added = world.broker.subscribe(first, "a", EXACT)
        assert (is_new, is_added) == (True, True)
        assert world.broker.subscribe(second, "a", EXACT) == (subscription, False, True)
        assert list(subscription.listeners) == [first, second]
        assert world.broker.readers("a") == 2
        assert len(world.broker) == 1

    def test_a_subscription_knows_what_it_is(self, world):
        world.clock.advance(5)
        subscription = world.subscribe(world.join(), "a.", "prefix")
        world.clock.advance(5)
        assert (subscription.topic, subscription.match) == ("a.", "prefix")
        assert subscription.created == world.clock.time() - 5

    def test_topics_and_policies_have_subscriptions_of_their_own(self, world):
        session = world.join()
        made = [world.subscribe(session, topic, match) for topic in ("a", "b") for match in OPTIONS]
        assert len({subscription.id for subscription in made}) == len(world.broker) == 6

    @pytest.mark.parametrize("match", OPTIONS)
    def test_twice_is_the_same_and_delivers_once(self, world, match):
        session = world.listener("a", match)
        subscription, is_new, is_added = world.broker.subscribe(session, "a", OPTIONS[match])
        assert (is_new, is_added) == (False, False)
        assert world.subscriptions.of(session) == {subscription.id: subscription}
        assert world.broker.readers("a") == 1
        world.publish(None, "a")
        assert world.receivers() == [session]

    def test_a_session_may_hold_so_many_subscriptions_and_no_more(self):
        world = World(max_subscriptions=2)
        session = world.join()
        for topic in ("a", "b", "a"):
            world.subscribe(session, topic)
        assert_refused(QUOTA, world.broker.subscribe, session, "c", EXACT)
        assert_refused(QUOTA, world.broker.subscribe, session, "a", OPTIONS["prefix"])
        assert world.broker.readers("c") == 0
        assert len(world.broker) == 2
        assert not world.broker._by_pattern.has_patterns
        # At the limit, what is held already is still found.
        assert world.subscribe(session, "b").id in world.subscriptions.of(session)
        world.listener("c")
        assert_refused(QUOTA, world.broker.subscribe, session, "c", EXACT)

    def test_an_ended_subscription_makes_room(self):
        world = World(max_subscriptions=1)
        session = world.join()
        world.broker.unsubscribe(session, world.subscribe(session, "a"))
        world.subscribe(session, "b")
        assert world.broker.readers("b") == 1

    def test_a_topic_nobody_listens_to_any_more_gets_a_new_id(self, world):
        session = world.join()
        old = world.subscribe(session, "a")
        world.broker.unsubscribe(session, old)
        assert world.subscribe(session, "a").id != old.id


class TestLookingUp:
    def test_by_id(self, world):
        subscription = world.subscribe(world.join(), "a")
        assert world.broker.find(subscription.id) is subscription
        assert_refused(NO_SUCH_SUBSCRIPTION, world.broker.find, 999)

    def test_by_policy_and_topic(self, world):
        session = world.join()
        made = {match: world.subscribe(session, "a", match) for match in OPTIONS}
        for match, subscription in made.items():
            assert world.broker.lookup(match, "a") is subscription
            assert world.broker.lookup(match, "b") is None
            assert list(world.broker.subscriptions(match)) == [subscription]

    def test_those_that_are_over_are_not_found(self, world):
        session = world.join()
        made = [world.subscribe(session, "a", match) for match in OPTIONS]
        world.subscriptions.end(session)
        for subscription in made:
            assert_refused(NO_SUCH_SUBSCRIPTION, world.broker.find, subscription.id)
            assert world.broker.lookup(subscription.match, "a") is None
            assert list(world.broker.subscriptions(subscription.match)) == []
        assert world.broker.matching("a") == []

    def test_a_session_that_listens_in_two_ways_counts_twice(self, world):
        session = world.listener("a")
        world.subscribe(session, "", "prefix")
        assert world.broker.readers("a") == 2


class TestUnsubscribing:
    def test_ends_one_sessions_part_only(self, world):
        leaver, stayer = world.listener("a"), world.listener("a")
        (subscription,) = world.subscriptions.of(leaver).values()
        world.broker.unsubscribe(leaver, subscription)
        assert list(subscription.listeners) == [stayer]
        world.publish(None, "a")
        assert world.receivers() == [stayer]

    def test_of_what_the_session_does_not_hold_is_refused(self, world):
        subscription = next(iter(world.subscriptions.of(world.listener("a"))))
        assert_refused(NO_SUCH_SUBSCRIPTION, world.subscriptions.find, world.join(), subscription)
        assert_refused(NO_SUCH_SUBSCRIPTION, world.subscriptions.find, world.join(), 999)
        assert world.broker.readers("a") == 1

    def test_forgets_what_the_listener_was_still_owed(self, world):
        session = world.join()
        listener = world.subscribe(session, "a").listeners[session]
        listener.hold(Broadcast(1, 1, "a", {}, Payload.of()))
        world.subscriptions.end(session)
        assert listener.buffer is None

    def test_leaving_ends_everything_and_leaving_twice_does_nothing(self, world):
        session = world.join()
        made = [world.subscribe(session, topic, match) for match in OPTIONS for topic in ("a", "b")]
        assert world.subscriptions.end(session) == made
        assert world.subscriptions.end(session) == []
        assert len(world.broker) == 0
        assert world.subscriptions.of(session) == {}
        assert len(world.subscriptions) == 0
        assert world.broker.readers("a") == 0


class TestBrokersOfOneRealm:
    """Each session's subscriptions are in one table, whichever broker has them."""

    def test_share_what_a_session_may_hold(self):
        world = World(max_subscriptions=2)
        other, session = world.make_broker(SequentialIds(), max_subscriptions=2), world.join()
        world.subscribe(session, "a")
        other.subscribe(session, "a", EXACT)
        assert_refused(QUOTA, other.subscribe, session, "b", EXACT)

    def test_have_each_its_own(self, world):
        other, session = world.make_broker(SequentialIds()), world.join()
        first, second = world.subscribe(session, "a"), other.subscribe(session, "a", EXACT).subscription
        assert (first.broker, second.broker) == (world.broker, other)
        assert (world.broker.is_private, other.is_private) == (False, True)
        assert (world.broker.of(session), other.of(session)) == ([first], [second])
        assert world.subscriptions.find(session, second.id) is second
        assert world.subscriptions.end(session) == [first, second]
        assert (len(world.broker), len(other), len(world.subscriptions)) == (0, 0, 0)

    def test_alone_have_a_table_of_their_own(self, world):
        alone = Broker(world.outbox, world.clock, world.clock.timers, Limits())
        session = world.join()
        alone.subscribe(session, "a", EXACT)
        assert world.subscriptions.of(session) == {}
        assert [one.topic for one in alone.of(session)] == ["a"]


class TestPublishing:
    def test_without_listeners_delivers_nothing_and_has_an_id(self, world):
        assert world.publish(None, "a") != world.publish(None, "a")
        assert world.receivers() == []

    def test_reaches_each_listener_of_the_topic_once_with_the_same_event(self, world):
        listeners = [world.listener("a"), world.listener("a")]
        world.listener("b")
        publication = world.publish(None, "a", "data")
        sent = world.outbox.take()
        assert [item.session for item in sent] == listeners
        assert {item.message.publication for item in sent} == {publication}
        assert {item.message.subscription for item in sent} == set(world.subscriptions.of(listeners[0]))
        assert {id(item.payload) for item in sent} == {id(sent[0].payload)}
        assert sent[0].message.details == {}

    def test_tells_how_many_listen_whoever_receives_it(self, world):
        publisher = world.listener("a")
        world.listener("a", "prefix", permissions=Hiding("a"))
        options = PublishOptions(eligible=[])
        assert world.give(publisher, "a", Payload.of(), options, {}).readers == 2
        assert world.receivers() == []

    def test_passes_on_what_every_receiver_learns(self, world):
        world.listener("a")
        world.listener("a", "prefix")
        details = {"publisher": 7, "publisher_authid": "p", "trustlevel": 3}
        world.give(None, "a", Payload.of(), DEFAULT, details)
        exact, prefix = (sent.message.details for sent in world.outbox.take())
        assert exact == details == {"publisher": 7, "publisher_authid": "p", "trustlevel": 3}
        assert prefix == {**details, "topic": "a"}

    def test_is_refused_if_one_subscription_of_several_has_no_room(self, world):
        strict, easy = world.join(), world.listener("", "prefix")
        settings = BufferSettings(size=1, policy="raise")
        world.broker.subscribe(strict, "a", EXACT, settings)
        world.outbox.block(strict)
        world.publish(None, "a", acknowledge=True)
        assert_refused(OVERRUN, world.broker.check, None, "a", Payload.of(), PublishOptions(acknowledge=True))
        # Who asks for no answer is not refused, nor is what goes to others.
        world.publish(None, "a")
        world.publish(None, "b", acknowledge=True)
        assert world.receivers() == [easy] * 3

    def test_leaves_the_publisher_out_unless_told_otherwise(self, world):
        publisher, other = world.listener("a"), world.listener("a")
        world.publish(publisher, "a")
        assert world.receivers() == [other]
        world.publish(publisher, "a", exclude_me=False)
        assert world.receivers() == [publisher, other]

    def test_leaves_the_publisher_out_of_a_narrowed_event_too(self, world):
        publisher, other = world.listener("a"), world.listener("a")
        world.publish(publisher, "a", eligible=[publisher.id, other.id])
        assert world.receivers() == [other]
        world.publish(publisher, "a", eligible=[publisher.id], exclude_me=False)
        assert world.receivers() == [publisher]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"eligible": [1, 3]}, "ac"),
            ({"exclude": [1, 3]}, "b"),
            ({"eligible": []}, ""),
            ({"exclude": []}, "abc"),
            ({"eligible": [1, 2], "exclude": [2]}, "a"),
            ({"eligible_authid": ["b", "nobody"]}, "b"),
            ({"exclude_authid": ["b"]}, "ac"),
            ({"eligible_authrole": ["vowel"]}, "a"),
            ({"exclude_authrole": ["vowel"]}, "bc"),
            ({"eligible_authrole": ["consonant"], "exclude_authid": ["c"]}, "b"),
            ({"eligible": [1, 2, 3], "eligible_authid": ["a", "b"], "eligible_authrole": ["consonant"]}, "b"),
            ({"eligible": [999]}, ""),
        ],
    )
    def test_black_and_whitelists_all_have_to_let_a_receiver_pass(self, world, options, expected):
        for authid in "abc":
            world.listener("a", authid=authid, authrole="vowel" if authid == "a" else "consonant")
        options = {"exclude_me": False, **options}
        world.publish(None, "a", **options)
        assert "".join(session.principal.authid for session in world.receivers()) == expected
        sessions = [listener.session for listener in world.broker.matching("a")[0].listeners.values()]
        audience = Audience(PublishOptions(**options))
        assert "".join(one.principal.authid for one in sessions if one in audience) == expected
        # A pattern's listeners are chosen by the same lists.
        for session in sessions:
            world.subscriptions.end(session)
            world.subscribe(session, "", "prefix")
        world.publish(None, "a", **options)
        assert "".join(session.principal.authid for session in world.receivers()) == expected


class TestPatterns:
    @pytest.mark.parametrize(
        ("match", "topic", "yes", "no"),
        [
            ("prefix", "a.b", ["a.b", "a.b.c", "a.bc"], ["a", "a.c", "b.a.b"]),
            ("prefix", "a.", ["a.b", "a.b.c"], ["a", "ab"]),
            ("prefix", "", ["a", "a.b"], []),
            ("wildcard", "a..c", ["a.b.c", "a.c.c"], ["a.c", "a.b.c.d", "b.b.c"]),
            ("wildcard", ".", ["a.b"], ["a", "a.b.c"]),
        ],
    )
    def test_an_event_reaches_the_subscriptions_its_topic_falls_under(self, world, match, topic, yes, no):
        session = world.listener(topic, match)
        (subscription,) = world.subscriptions.of(session)
        for published in yes + no:
            world.publish(None, published)
        sent = world.outbox.take()
        assert [item.message.details for item in sent] == [{"topic": published} for published in yes]
        assert {item.message.subscription for item in sent} <= {subscription}
        assert [world.broker.readers(published) for published in yes + no] == [1] * len(yes) + [0] * len(no)

    def test_one_event_reaches_each_subscription_of_one_session_under_one_publication(self, world):
        session = world.join()
        made = [
            world.subscribe(session, topic, match)
            for topic, match in (("a.", "wildcard"), ("a", "prefix"), ("a.b", "prefix"), ("a.b", "exact"))
        ]
        publication = world.publish(None, "a.b")
        sent = world.outbox.take()
        assert [item.message.subscription for item in sent] == [one.id for one in reversed(made)]
        assert {item.message.publication for item in sent} == {publication}
        assert [item.message.details for item in sent] == [{}, *([{"topic": "a.b"}] * 3)]

    def test_the_publisher_is_left_out_of_its_own_patterns(self, world):
        publisher, other = world.listener("", "prefix"), world.listener("", "prefix")
        world.publish(publisher, "a")
        assert world.receivers() == [other]
        world.publish(publisher, "a", exclude_me=False)
        assert world.receivers() == [publisher, other]

    def test_a_role_receives_nothing_that_it_may_not_see_and_is_asked_once_for_each_event(self, world):
        shy, free = Hiding("a.secret"), Hiding()
        for permissions in (shy, free, shy, free):
            world.listener("a", "prefix", permissions=permissions)
        world.publish(None, "a.secret")
        assert [session.principal.permissions for session in world.receivers()] == [free, free]
        assert (shy.asked, free.asked) == (1, 1)
        world.publish(None, "a.open")
        assert len(world.receivers()) == 4

    def test_an_exact_subscription_was_allowed_and_is_not_asked_about(self, world):
        session = world.listener("a", permissions=(hiding := Hiding("a")))
        world.publish(None, "a")
        assert world.receivers() == [session]
        assert hiding.asked == 0

    @pytest.mark.parametrize(
        ("match", "pattern", "is_reached"),
        [
            ("exact", "wamp.session.on_join", True),
            ("prefix", "wamp.", True),
            ("prefix", "wamp.session.on_", True),
            ("wildcard", "wamp..on_join", True),
            ("prefix", "", False),
            ("prefix", "wamp", False),
            ("wildcard", ".session.on_join", False),
            ("wildcard", "..", False),
            ("prefix", "radiod.", False),
        ],
    )
    def test_the_routers_topics_reach_only_those_who_asked_for_them(self, world, match, pattern, is_reached):
        session = world.listener(pattern, match)
        world.publish(None, "wamp.session.on_join")
        assert world.receivers() == ([session] if is_reached else [])
        assert world.broker.readers("wamp.session.on_join") == is_reached
        (subscription,) = world.subscriptions.of(session).values()
        assert subscription.takes("wamp.session.on_join") == is_reached


class TestRetaining:
    def subscribe(self, world, topic="a", match="exact", **who):
        session = world.join(**who)
        list(world.broker.send_retained(session, world.subscribe(session, topic, match)))
        return session

    def test_the_last_event_waits_for_those_who_come_later(self, world):
        world.publish(None, "a", "old", retain=True)
        publication = world.publish(None, "a", "new", retain=True)
        world.publish(None, "a", "not kept")
        session = self.subscribe(world)
        (sent,) = world.outbox.take()
        assert sent.session is session
        assert sent.payload.values() == (["new"], {})
        assert sent.message.publication == publication
        assert sent.message.subscription in world.subscriptions.of(session)
        assert sent.message.details == {"retained": True}

    def test_what_another_process_retained_waits_for_them_as_well(self, world):
        world.publish(world.join(), "a", "old", retain=True, exclude_authid=["bob"])
        after = World()
        for topic, one in world.broker.retained.items():
            after.broker.resume(topic, one)
        self.subscribe(after, authid="bob")
        assert after.outbox.take() == []
        self.subscribe(after)
        (sent,) = after.outbox.take()
        assert sent.payload.values() == (["old"], {})
        full = World(max_retained_topics=0)
        with pytest.raises(Refused, match="0 topics"):
            full.broker.resume("a", world.broker.retained["a"])
        assert not full.broker.retained

    def test_it_goes_to_the_newcomer_alone(self, world):
        world.listener("a")
        world.publish(None, "a", retain=True)
        world.receivers()
        assert world.receivers() == []
        newcomer = self.subscribe(world)
        assert world.receivers() == [newcomer]

    @pytest.fixture
    def late(self, world):
        """A listener to a pattern, who has been sent the first of what is kept for it."""
        for number in range(50):
            world.publish(None, f"a.{number}", "old", retain=True)
        session = world.join()
        subscription = world.subscribe(session, "a.", "prefix")
        work = world.broker.send_retained(session, subscription)
        next(work)
        assert len(world.outbox.take()) == RETAINED_IN_A_STEP
        return session, subscription, work

    def test_what_an_event_has_overtaken_is_not_sent_behind_it(self, world, late):
        _, _, work = late
        world.publish(None, "a.49", "new")
        world.publish(None, "a.48", "newer", retain=True)
        world.broker.forget("a.47")
        list(work)
        topics = [sent.message.details["topic"] for sent in world.outbox.take()]
        assert sorted(topics) == sorted(f"a.{n}" for n in range(RETAINED_IN_A_STEP, 50) if n != 47)
        # Nobody is kept in mind any more.
        world.publish(None, "a.1")
        assert world.broker._late == []

    def test_nothing_more_comes_to_who_listens_no_more(self, world, late):
        session, subscription, work = late
        world.broker.unsubscribe(session, subscription)
        list(work)
        assert world.outbox.take() == []

    def test_nothing_comes_where_nothing_was_kept(self, world):
        world.publish(None, "a")
        self.subscribe(world)
        assert world.receivers() == []

    def test_it_keeps_to_the_publishers_choice_of_receivers(self, world):
        world.publish(None, "a", retain=True, exclude_authid=["mallory"])
        self.subscribe(world, authid="mallory")
        alice = self.subscribe(world, authid="alice")
        assert world.receivers() == [alice]

    def test_its_publisher_gets_it_only_if_it_was_not_excluded(self, world):
        publisher = world.join()
        for topic, options in (("a.out", {}), ("a.in", {"exclude_me": False})):
            world.publish(publisher, topic, retain=True, **options)
        for pattern in (("a.out", "exact"), ("a.in", "exact"), ("a", "prefix")):
            list(world.broker.send_retained(publisher, world.subscribe(publisher, *pattern)))
        assert [sent.message.details.get("topic", "a.in") for sent in world.outbox.take()] == ["a.in"] * 2
        self.subscribe(world, "a.out")
        assert len(world.receivers()) == 1

    def test_a_pattern_brings_the_last_event_of_each_of_its_topics(self, world):
        publications = {topic: world.publish(None, topic, retain=True) for topic in ("a.b", "c", "a.c")}
        session = self.subscribe(world, "a.", "prefix")
        sent = world.outbox.take()
        assert {item.session for item in sent} == {session}
        assert {item.message.details["topic"]: item.message.publication for item in sent} == {
            "a.b": publications["a.b"],
            "a.c": publications["a.c"],
        }
        assert all(item.message.details["retained"] is True for item in sent)
        assert {item.message.subscription for item in sent} == set(world.subscriptions.of(session))
        self.subscribe(world, ".c", "wildcard")
        assert [item.message.details["topic"] for item in world.outbox.take()] == ["a.c"]

    def test_it_still_tells_who_published_it(self, world):
        payload, options = Payload.of(), PublishOptions(retain=True)
        world.give(None, "a", payload, options, details := {"publisher": 7})
        self.subscribe(world)
        self.subscribe(world, "", "prefix")
        exact, prefix = (sent.message.details for sent in world.outbox.take())
        assert exact == {"publisher": 7, "retained": True}
        assert prefix == {"publisher": 7, "retained": True, "topic": "a"}
        assert details == {"publisher": 7}

    def test_a_pattern_brings_nothing_that_the_role_may_not_see(self, world):
        for topic in ("a.secret", "a.open"):
            world.publish(None, topic, retain=True)
        self.subscribe(world, "a", "prefix", permissions=Hiding("a.secret"))
        assert [sent.message.details["topic"] for sent in world.outbox.take()] == ["a.open"]

    def test_a_pattern_brings_the_routers_events_only_if_it_asked_for_them(self, world):
        world.publish(None, "radiod.x", retain=True)
        self.subscribe(world, "", "prefix")
        assert world.receivers() == []
        asking = self.subscribe(world, "radiod.", "prefix")
        assert world.receivers() == [asking]

    def test_a_forgotten_event_is_gone_and_forgetting_nothing_is_no_error(self, world):
        world.publish(None, "a", retain=True)
        world.broker.forget("a")
        world.broker.forget("never seen")
        self.subscribe(world)
        assert world.receivers() == []

    def test_they_are_bounded_in_bytes_and_replacing_one_frees_its_own(self):
        world, keep = World(max_retained_bytes=100), PublishOptions(retain=True)
        world.give(None, "a", Payload(JSON, b'["%b"]' % (b"x" * 76), b""), keep, {})
        world.give(None, "a", Payload(JSON, b'["%b"]' % (b"y" * 96), b""), keep, {})
        assert_refused(QUOTA, world.give, None, "b", Payload(JSON, b"[1]", b""), keep, {})
        world.broker.forget("a")
        world.give(None, "b", Payload(JSON, b"[1]", b""), keep, {})

    def test_their_black_and_whitelists_count(self):
        world = World(max_retained_bytes=1000)
        options = PublishOptions(retain=True, eligible=list(range(1, 11)))
        assert_refused(QUOTA, world.give, None, "a", Payload(JSON, b"[1]", b""), options, {})
        world.give(None, "a", Payload(JSON, b"", b""), options, {})
        world.broker.forget("a")
        world.give(None, "b", Payload(JSON, b"[1]", b""), PublishOptions(retain=True), {})

    def test_so_many_topics_hold_an_event_and_no_more(self):
        world = World(max_retained_topics=2)
        listener = world.listener("c")
        for topic in ("a", "b", "a"):
            world.publish(None, topic, retain=True)
        with pytest.raises(Refused) as refusal:
            world.publish(None, "c", retain=True)
        assert refusal.value.uri == QUOTA
        assert world.receivers() == []
        world.broker.forget("a")
        world.publish(None, "c", retain=True)
        assert world.receivers() == [listener]


TOPICS = ("a", "a.b", "b.b", "ab", "wamp.b")
PATTERNS = (
    *(("exact", topic) for topic in TOPICS),
    *(("prefix", prefix) for prefix in ("", "a", "a.", "wamp.")),
    *(("wildcard", wildcard) for wildcard in (".b", "a.", "", "wamp.")),
)
topics = st.sampled_from(TOPICS)
ids = st.none() | st.lists(st.integers(1, 8), max_size=4)
authids = st.none() | st.lists(st.sampled_from(["ann", "bob"]), max_size=2)
authroles = st.none() | st.lists(st.sampled_from(["reader", "writer"]), max_size=2)
narrowing = st.fixed_dictionaries(
    {"exclude_me": st.booleans(), "retain": st.booleans()},
    optional={
        "exclude": ids,
        "eligible": ids,
        "exclude_authid": authids,
        "eligible_authid": authids,
        "exclude_authrole": authroles,
        "eligible_authrole": authroles,
    },
)
ROLES = {"reader": Hiding("a.b"), "writer": ALLOW_ALL}


def may_receive(session, options):
    """Subscriber black- and whitelisting, by the words of the specification."""
    traits = {"": session.id, "_authid": session.principal.authid, "_authrole": session.principal.authrole}
    for suffix, trait in traits.items():
        eligible, exclude = options.get("eligible" + suffix), options.get("exclude" + suffix)
        if eligible is not None and trait not in eligible:
            return False
        if exclude is not None and trait in exclude:
            return False
    return True


def falls_under(topic, match, pattern):
    """By the words of the specification, and of the promise about the router's own topics."""
    if topic.startswith("wamp.") and not pattern.startswith("wamp."):
        return False
    if match == "wildcard":
        parts, components = pattern.split("."), topic.split(".")
        return len(parts) == len(components) and all(
            part in ("", component) for part, component in zip(parts, components, strict=True)
        )
    return topic == pattern if match == "exact" else topic.startswith(pattern)


class BrokerMachine(RuleBasedStateMachine):
    """The model: pattern -> set of sessions, topic -> retained event, and each session's expected events.

    Everything is looked through, one by one.
    """

    MAX_RETAINED = 2
    MAX_SUBSCRIPTIONS = 3
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.world = World(max_retained_topics=self.MAX_RETAINED, max_subscriptions=self.MAX_SUBSCRIPTIONS)
        self.broker, self.subscriptions = self.world.broker, self.world.subscriptions
        self.alive = []
        self.gone = []
        # (match, pattern) -> who listens
        self.listening = {}
        self.retained = {}
        self.events = 0
        self.expected = []

    def held(self, session):
        return [pattern for pattern, sessions in self.listening.items() if session in sessions]

    def forget_session(self, session, pattern):
        self.listening[pattern].remove(session)
        if not self.listening[pattern]:
            del self.listening[pattern]

    def expect(self, session, pattern, topic, event, **details):
        """Note what ``session`` has to get through its subscription of ``pattern``, if it may have it."""
        match, _ = pattern
        if match != "exact":
            if session.principal.permissions.hides(topic):
                return
            details["topic"] = topic
        self.expected.append((session.id, *pattern, event, details))

    @precondition(lambda self: len(self.alive) < 4)
    @rule(target=sessions, authid=st.sampled_from(["ann", "bob"]), authrole=st.sampled_from([*ROLES]))
    def join(self, authid, authrole):
        session = self.world.join(authid, authrole, ROLES[authrole])
        self.alive.append(session)
        return session

    @rule(session=sessions, pattern=st.sampled_from(PATTERNS), get_retained=st.booleans())
    def subscribe(self, session, pattern, get_retained):
        match, uri = pattern
        held = self.held(session)
        if pattern not in held and len(held) >= self.MAX_SUBSCRIPTIONS:
            assert_refused(QUOTA, self.broker.subscribe, session, uri, OPTIONS[match])
            return
        subscription, is_new, is_added = self.broker.subscribe(session, uri, OPTIONS[match])
        assert is_new == (pattern not in self.listening)
        assert is_added == (pattern not in held)
        self.listening.setdefault(pattern, set()).add(session)
        assert set(subscription.listeners) == self.listening[pattern]
        if get_retained:
            for topic, (event, options, publisher) in self.retained.items():
                is_hidden = session.principal.permissions.hides(topic)
                is_own = options["exclude_me"] and session is publisher
                is_meant = may_receive(session, options) and not is_own
                if falls_under(topic, *pattern) and is_meant and not is_hidden:
                    self.expect(session, pattern, topic, event, by="somebody", retained=True)
            list(self.broker.send_retained(session, subscription))

    @rule(session=sessions, pick=st.integers(0, 3), wrong=st.integers(1, 9))
    def unsubscribe(self, session, pick, wrong):
        held = self.held(session)
        if pick >= len(held):
            if wrong not in self.subscriptions.of(session):
                assert_refused(NO_SUCH_SUBSCRIPTION, self.subscriptions.find, session, wrong)
            return
        subscription = self.broker.lookup(*held[pick])
        assert self.subscriptions.find(session, subscription.id) is subscription
        self.broker.unsubscribe(session, subscription)
        self.forget_session(session, held[pick])

    @rule(publisher=st.none() | sessions, topic=topics, options=narrowing)
    def publish(self, publisher, topic, options):
        event = self.events
        self.events += 1
        if options["retain"] and topic not in self.retained and len(self.retained) >= self.MAX_RETAINED:
            with pytest.raises(Refused) as refusal:
                self.world.publish(publisher, topic, event, **options)
            assert refusal.value.uri == QUOTA
            return
        if options["retain"]:
            self.retained[topic] = (event, options, publisher)
        readers = 0
        for pattern, sessions in self.listening.items():
            if falls_under(topic, *pattern):
                readers += len(sessions)
                for session in sessions:
                    is_own = options["exclude_me"] and session is publisher
                    if may_receive(session, options) and not is_own:
                        self.expect(session, pattern, topic, event, by="somebody")
        payload, details = Payload.of(event), {"by": "somebody"}
        told = self.world.give(publisher, topic, payload, PublishOptions(**options), details)
        assert told.readers == readers
        assert details == {"by": "somebody"}

    @rule(topic=topics)
    def forget(self, topic):
        self.retained.pop(topic, None)
        self.broker.forget(topic)

    @rule(session=consumes(sessions))
    def leave(self, session):
        held = self.held(session)
        left = self.subscriptions.end(session)
        assert sorted((one.match, one.topic) for one in left) == sorted(held)
        for pattern in held:
            self.forget_session(session, pattern)
        self.alive.remove(session)
        self.gone.append(session)

    @invariant()
    def each_session_got_its_events_once_and_in_the_order_of_publishing(self):
        got = []
        for item in self.world.outbox.take():
            subscription = self.subscriptions.of(item.session)[item.message.subscription]
            event = item.payload.values()[0][0]
            pattern = subscription.match, subscription.topic
            got.append((item.session.id, *pattern, event, item.message.details))
        # Looked at after every step, which brings one event at most to each subscription of each session;
        # only retained ones are several, and in no order.
        assert sorted(got, key=lambda entry: entry[:4]) == sorted(self.expected, key=lambda entry: entry[:4])
        self.expected.clear()

    @invariant()
    def looking_up_finds_what_looking_through_does(self):
        for topic in TOPICS:
            found = {(one.match, one.topic): one for one in self.broker.matching(topic)}
            assert set(found) == {one for one in self.listening if falls_under(topic, *one)}
            assert len(found) == len(self.broker.matching(topic))
            assert self.broker.readers(topic) == sum(len(self.listening[one]) for one in found)
        for match in OPTIONS:
            for one in self.broker.subscriptions(match):
                assert [topic for topic in TOPICS if one.takes(topic)] == [
                    topic for topic in TOPICS if falls_under(topic, one.match, one.topic)
                ]

    @invariant()
    def all_tables_name_the_same_listeners_and_no_dead_session(self):
        tabled = [one for match in OPTIONS for one in self.broker.subscriptions(match)]
        assert sorted(one.id for one in tabled) == sorted(self.broker._by_id)
        assert {(one.match, one.topic) for one in tabled} == set(self.listening)
        assert len(self.broker) == len(self.broker._by_pattern) == len(tabled)
        for subscription in tabled:
            assert self.broker.find(subscription.id) is subscription
            assert self.broker.lookup(subscription.match, subscription.topic) is subscription
            sessions = self.listening[subscription.match, subscription.topic]
            assert set(subscription.listeners) == sessions <= set(self.alive)
            for session, listener in subscription.listeners.items():
                assert self.subscriptions.of(session)[subscription.id] is subscription
                assert (listener.session, listener.subscription) == (session, subscription)
        for session in self.alive:
            held = self.subscriptions.of(session)
            assert len(held) == len(self.held(session)) <= self.MAX_SUBSCRIPTIONS
            assert self.broker.of(session) == list(held.values())
        assert all(self.subscriptions.of(session) == {} for session in self.gone)
        assert len(self.subscriptions) == sum(1 for session in self.alive if self.held(session))

    @invariant()
    def retained_bytes_are_those_of_the_retained_events(self):
        retained = self.broker._retained
        assert set(retained) == set(self.retained)
        assert self.broker._retention.bytes == sum(one.size for one in retained.values())
        assert self.broker._retention.topics == len(retained)

    def teardown(self):
        for session in self.alive:
            self.subscriptions.end(session)
            assert self.subscriptions.of(session) == {}
        for topic in self.retained:
            self.broker.forget(topic)
        index = self.broker._by_pattern
        assert len(self.broker) == len(index) == self.broker._retention.bytes == 0
        assert not index.has_patterns
        assert not index._lengths.order
        assert not index._shapes
        assert not self.broker._by_id
        assert not self.broker._retained
        assert len(self.subscriptions) == 0


BrokerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestBrokerMachine = BrokerMachine.TestCase
