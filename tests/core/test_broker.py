"""The broker, case by case and against a plain dictionary of sets."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from radiod.core.broker import BUFFER_SIZE, Broadcast, Broker, Listener, Subscription
from radiod.core.ports import Limits
from radiod.core.sessions import Session
from radiod.errors import FEATURE_NOT_SUPPORTED, NO_SUCH_SUBSCRIPTION, QUOTA, Refused
from radiod.testing import RecordingOutbox, SequentialIds, make_principal, make_realm
from radiod.wire.codecs import JSON, Payload
from radiod.wire.messages import PublishOptions, SubscribeOptions

DEFAULT = PublishOptions()
EXACT = SubscribeOptions()


class World:
    """A broker and the sessions on it."""

    def __init__(self, **limits):
        self.outbox = RecordingOutbox()
        self.broker = Broker(self.outbox, SequentialIds(), Limits(**limits))
        self._sessions = 0

    def join(self, authid="somebody", authrole="tester"):
        self._sessions += 1
        return Session(self._sessions, make_principal(authid, authrole), None)

    def listener(self, topic, **who):
        session = self.join(**who)
        self.broker.subscribe(session, topic, EXACT)
        return session

    def publish(self, publisher, topic, *args, **options):
        return self.broker.publish(publisher, topic, Payload.of(*args), PublishOptions(**options))

    def receivers(self):
        """Sessions that got an event since the last time asked, in order, as often as they got one."""
        return [sent.session for sent in self.outbox.take()]


@pytest.fixture
def world():
    return World()


def assert_refused(uri, function, *arguments):
    with pytest.raises(Refused) as refusal:
        function(*arguments)
    assert refusal.value.uri == uri


class TestSubscribing:
    def test_all_who_listen_to_a_topic_share_one_subscription(self, world):
        first, second = world.join(), world.join()
        ids = {world.broker.subscribe(session, "a", EXACT) for session in (first, second)}
        assert len(ids) == 1
        assert world.broker.readers("a") == 2
        assert len(world.broker) == 1

    def test_topics_have_subscriptions_of_their_own(self, world):
        session = world.join()
        assert world.broker.subscribe(session, "a", EXACT) != world.broker.subscribe(session, "b", EXACT)

    def test_twice_is_the_same_and_delivers_once(self, world):
        session = world.listener("a")
        assert world.broker.subscribe(session, "a", EXACT) in session.subscriptions
        assert world.broker.readers("a") == 1
        world.publish(None, "a")
        assert world.receivers() == [session]

    @pytest.mark.parametrize("match", ["prefix", "wildcard"])
    def test_patterns_are_refused_rather_than_misunderstood(self, world, match):
        options = SubscribeOptions(match=match)
        assert_refused(FEATURE_NOT_SUPPORTED, world.broker.subscribe, world.join(), "a", options)
        assert len(world.broker) == 0

    def test_a_session_may_hold_so_many_subscriptions_and_no_more(self):
        world = World(max_subscriptions=2)
        session = world.join()
        for topic in ("a", "b", "a"):
            world.broker.subscribe(session, topic, EXACT)
        assert_refused(QUOTA, world.broker.subscribe, session, "c", EXACT)
        assert world.broker.readers("c") == 0
        assert len(world.broker) == 2
        # At the limit, what is held already is still found.
        assert world.broker.subscribe(session, "b", EXACT) in session.subscriptions
        world.listener("c")
        assert_refused(QUOTA, world.broker.subscribe, session, "c", EXACT)

    def test_an_ended_subscription_makes_room(self):
        world = World(max_subscriptions=1)
        session = world.join()
        world.broker.unsubscribe(session, world.broker.subscribe(session, "a", EXACT))
        world.broker.subscribe(session, "b", EXACT)
        assert world.broker.readers("b") == 1

    def test_a_topic_nobody_listens_to_any_more_gets_a_new_id(self, world):
        session = world.join()
        old = world.broker.subscribe(session, "a", EXACT)
        world.broker.unsubscribe(session, old)
        assert world.broker.subscribe(session, "a", EXACT) != old


class TestUnsubscribing:
    def test_ends_one_sessions_part_only(self, world):
        leaver, stayer = world.listener("a"), world.listener("a")
        world.broker.unsubscribe(leaver, next(iter(leaver.subscriptions)))
        world.publish(None, "a")
        assert world.receivers() == [stayer]

    def test_of_what_the_session_does_not_hold_is_refused(self, world):
        subscription = next(iter(world.listener("a").subscriptions))
        assert_refused(NO_SUCH_SUBSCRIPTION, world.broker.unsubscribe, world.join(), subscription)
        assert_refused(NO_SUCH_SUBSCRIPTION, world.broker.unsubscribe, world.join(), 999)
        assert world.broker.readers("a") == 1

    def test_forgets_what_the_listener_was_still_owed(self, world):
        session = world.listener("a")
        listener = next(iter(session.subscriptions.values()))
        listener.hold(Broadcast(1, 1, "a", {}, Payload.of()))
        world.broker.leave(session)
        assert listener.buffer is None

    def test_leaving_ends_everything_and_leaving_twice_does_nothing(self, world):
        session = world.listener("a")
        world.broker.subscribe(session, "b", EXACT)
        world.broker.leave(session)
        world.broker.leave(session)
        assert len(world.broker) == 0
        assert session.subscriptions == {}
        assert world.broker.readers("a") == 0


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
        assert {item.message.subscription for item in sent} == set(listeners[0].subscriptions)
        assert {id(item.payload) for item in sent} == {id(sent[0].payload)}
        assert sent[0].message.details == {}

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
        world.publish(None, "a", **options)
        assert "".join(session.principal.authid for session in world.receivers()) == expected


class TestRetaining:
    def subscribe(self, world, topic="a", **who):
        session = world.join(**who)
        world.broker.send_retained(session, world.broker.subscribe(session, topic, EXACT))
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
        assert sent.message.subscription in session.subscriptions
        assert sent.message.details == {"retained": True}

    def test_it_goes_to_the_newcomer_alone(self, world):
        world.listener("a")
        world.publish(None, "a", retain=True)
        world.receivers()
        assert world.receivers() == []
        newcomer = self.subscribe(world)
        assert world.receivers() == [newcomer]

    def test_nothing_comes_where_nothing_was_kept(self, world):
        world.publish(None, "a")
        self.subscribe(world)
        assert world.receivers() == []

    def test_it_keeps_to_the_publishers_choice_of_receivers(self, world):
        world.publish(None, "a", retain=True, exclude_authid=["mallory"])
        self.subscribe(world, authid="mallory")
        alice = self.subscribe(world, authid="alice")
        assert world.receivers() == [alice]

    def test_a_forgotten_event_is_gone_and_forgetting_nothing_is_no_error(self, world):
        world.publish(None, "a", retain=True)
        world.broker.forget("a")
        world.broker.forget("never seen")
        self.subscribe(world)
        assert world.receivers() == []

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


class TestListeners:
    def test_hold_what_their_session_cannot_take_within_a_bound(self):
        session = Session(1, make_principal(), "outlet")
        listener = Listener(session, Subscription(1, "a"))
        assert listener.outlet == "outlet"
        assert listener.buffer is None
        dropped = [listener.hold(Broadcast(1, n, "a", {}, Payload.of())) for n in range(BUFFER_SIZE + 2)]
        assert dropped == [0] * BUFFER_SIZE + [1, 1]
        assert len(listener.buffer) == BUFFER_SIZE
        assert listener.buffer.take()[0].publication == 2


TOPICS = st.sampled_from(["a", "b", "c"])
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


class BrokerMachine(RuleBasedStateMachine):
    """The model: topic -> set of sessions, topic -> retained event, and each session's expected events."""

    MAX_RETAINED = 2
    MAX_SUBSCRIPTIONS = 2
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.world = World(max_retained_topics=self.MAX_RETAINED, max_subscriptions=self.MAX_SUBSCRIPTIONS)
        self.broker = self.world.broker
        self.alive = []
        self.gone = []
        self.listening = {}
        self.retained = {}
        self.events = 0
        self.expected = []

    def held(self, session):
        return [topic for topic, sessions in self.listening.items() if session in sessions]

    def expect(self, session, topic, event):
        self.expected.append((session.id, topic, event))

    @precondition(lambda self: len(self.alive) < 4)
    @rule(
        target=sessions,
        authid=st.sampled_from(["ann", "bob"]),
        authrole=st.sampled_from(["reader", "writer"]),
    )
    def join(self, authid, authrole):
        session = self.world.join(authid, authrole)
        self.alive.append(session)
        return session

    @rule(session=sessions, topic=TOPICS, get_retained=st.booleans())
    def subscribe(self, session, topic, get_retained):
        held = self.held(session)
        if topic not in held and len(held) >= self.MAX_SUBSCRIPTIONS:
            assert_refused(QUOTA, self.broker.subscribe, session, topic, EXACT)
            return
        subscription = self.broker.subscribe(session, topic, EXACT)
        self.listening.setdefault(topic, set()).add(session)
        assert all(subscription in other.subscriptions for other in self.listening[topic])
        if get_retained:
            event, options = self.retained.get(topic, (None, {}))
            if event is not None and may_receive(session, options):
                self.expect(session, topic, event)
            self.broker.send_retained(session, subscription)

    @rule(session=sessions, pick=st.integers(0, 2), wrong=st.integers(1, 9))
    def unsubscribe(self, session, pick, wrong):
        held = {listener.subscription.topic: id for id, listener in session.subscriptions.items()}
        if pick >= len(held):
            if wrong not in session.subscriptions:
                assert_refused(NO_SUCH_SUBSCRIPTION, self.broker.unsubscribe, session, wrong)
            return
        topic = sorted(held)[pick]
        self.broker.unsubscribe(session, held[topic])
        self.listening[topic].discard(session)

    @rule(publisher=st.none() | sessions, topic=TOPICS, options=narrowing)
    def publish(self, publisher, topic, options):
        event = self.events
        self.events += 1
        if options["retain"] and topic not in self.retained and len(self.retained) >= self.MAX_RETAINED:
            with pytest.raises(Refused) as refusal:
                self.world.publish(publisher, topic, event, **options)
            assert refusal.value.uri == QUOTA
            return
        if options["retain"]:
            self.retained[topic] = (event, options)
        for session in self.listening.get(topic, ()):
            if may_receive(session, options) and not (options["exclude_me"] and session is publisher):
                self.expect(session, topic, event)
        self.world.publish(publisher, topic, event, **options)

    @rule(topic=TOPICS)
    def forget(self, topic):
        self.retained.pop(topic, None)
        self.broker.forget(topic)

    @rule(session=consumes(sessions))
    def leave(self, session):
        self.broker.leave(session)
        for sessions in self.listening.values():
            sessions.discard(session)
        self.alive.remove(session)
        self.gone.append(session)

    @invariant()
    def each_session_got_its_events_once_and_in_the_order_of_publishing(self):
        sent = self.world.outbox.take()
        topics = {
            id: listener.subscription.topic
            for session in self.alive
            for id, listener in session.subscriptions.items()
        }
        got = [
            (item.session.id, topics[item.message.subscription], item.payload.values()[0][0]) for item in sent
        ]
        # A broadcast reaches its listeners in any order; what one session gets is in order.
        by_session = sorted(got, key=lambda entry: entry[0])
        assert by_session == sorted(self.expected, key=lambda entry: entry[0])
        self.expected.clear()

    @invariant()
    def readers_are_those_who_listen(self):
        for topic in ("a", "b", "c"):
            assert self.broker.readers(topic) == len(self.listening.get(topic, ()))
        assert len(self.broker) == sum(1 for sessions in self.listening.values() if sessions)

    @invariant()
    def both_tables_name_the_same_listeners_and_no_dead_session(self):
        for topic, subscription in self.broker._by_topic.items():
            assert set(subscription.listeners) == self.listening[topic] <= set(self.alive)
            for session, listener in subscription.listeners.items():
                assert session.subscriptions[subscription.id] is listener
        for session in self.alive:
            assert len(session.subscriptions) == len(self.held(session)) <= self.MAX_SUBSCRIPTIONS
        assert all(session.subscriptions == {} for session in self.gone)

    def teardown(self):
        for session in self.alive:
            self.broker.leave(session)
            assert session.subscriptions == {}
        for topic in self.retained:
            self.broker.forget(topic)
        assert len(self.broker) == 0
        assert not self.broker._by_topic
        assert not self.broker._retained


BrokerMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=50)
TestBrokerMachine = BrokerMachine.TestCase


def test_retained_events_are_bounded_in_bytes_and_replacing_one_frees_its_own():
    realm = make_realm(limits=Limits(max_retained_bytes=100))
    broker, keep = realm.broker, PublishOptions(retain=True)
    broker.publish(None, "a", Payload(JSON, b'["%b"]' % (b"x" * 76), b""), keep)
    broker.publish(None, "a", Payload(JSON, b'["%b"]' % (b"y" * 96), b""), keep)
    with pytest.raises(Refused) as refused:
        broker.publish(None, "b", Payload(JSON, b"[1]", b""), keep)
    assert refused.value.uri == "radiod.error.quota"
    broker.forget("a")
    broker.publish(None, "b", Payload(JSON, b"[1]", b""), keep)
