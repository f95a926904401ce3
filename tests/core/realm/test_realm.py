"""One realm through the eyes of its clients: its parts together, over whole sessions."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from support.answers import assert_silent
from support.realms import NO, YES, Slow, World

from radiod.core.limits import Limits
from radiod.core.promises import chain
from radiod.core.rights import Action
from radiod.errors import (
    CANCELED,
    INVALID_ARGUMENT,
    NO_SUCH_PROCEDURE,
    TIMEOUT,
    PeerError,
    Refused,
)
from radiod.testing import (
    make_principal,
    make_realm,
)
from radiod.wire.codecs import CBOR

ACKNOWLEDGE = {"acknowledge": True}


def test_the_log_of_a_realm_of_one_server_is_its_own():
    assert not make_realm().has_shared_log


class TestSessions:
    def test_get_an_id_of_their_own_even_when_chance_repeats_itself(self):
        class Repeating:
            ids = iter([7, 7, 7, 8])

            def next(self):
                return next(self.ids)

        realm = make_realm(ids=Repeating())
        sessions = [realm.join(make_principal(), None) for _ in range(2)]
        assert [session.id for session in sessions] == [7, 8]
        assert realm.sessions == {7: sessions[0], 8: sessions[1]}

    def test_get_the_id_that_they_were_told_unless_somebody_has_it(self, world):
        first = world.realm.join(make_principal(), None, id=77)
        second = world.realm.join(make_principal(), None, id=77)
        assert first.id == 77
        assert second.id != 77
        assert world.realm.sessions == {77: first, second.id: second}

    def test_are_members_of_their_channels_when_others_hear_of_them(self, world):
        channel = world.realm.lifecycle.declare("p", key="secret")
        seen = []

        class Looking(Slow):
            def hides(self, topic):
                seen.append(len(channel.members))
                return False

        world.join(permissions=Looking()).subscribe("wamp.session.", match="prefix")
        world.join("member", memberships=("p",))
        assert seen == [1]


class TestChannelEvents:
    @pytest.fixture
    def listener(self, world):
        listener = world.join()
        listener.ask(32, 1, {}, "radiod.channel.on_create")
        listener.ask(32, 2, {}, "radiod.channel.on_delete")
        return listener

    def events(self, listener):
        """(1 created or 2 deleted, what was said) of each event received."""
        received = listener.received()
        assert all(message[0] == 36 and message[3] == {} and len(message) == 5 for message in received)
        return [(message[1], *message[4]) for message in received]

    def test_tell_of_the_beginning_and_of_every_kind_of_end(self, world, listener, alice):
        for request, (name, lifetime) in enumerate({"a": None, "b": 5, "c": None}.items(), 1):
            alice.send(48, request, {}, "radiod.channel.create", [name], {"lifetime": lifetime})
        key = alice.received()[0][3][0]["control_key"]
        assert self.events(listener) == [(1, {"name": name}) for name in "abc"]
        alice.send(48, 4, {}, "radiod.channel.delete", ["a", key])
        assert self.events(listener) == [(2, {"name": "a", "reason": "deleted"})]
        world.clock.advance(5)
        assert self.events(listener) == [(2, {"name": "b", "reason": "expired"})]
        alice.leave()
        assert self.events(listener) == [(2, {"name": "c", "reason": "owner_left"})]

    def test_tell_of_nothing_that_was_refused(self, listener, alice):
        alice.send(48, 1, {}, "radiod.channel.create", ["wamp.x"])
        alice.send(48, 2, {}, "radiod.channel.delete", ["a", "key"])
        assert self.events(listener) == []

    def test_tell_the_creator_too_before_its_own_answer(self, listener):
        listener.send(48, 3, {}, "radiod.channel.create", ["a"])
        event, answer = listener.received()
        assert (event[0], event[4]) == (36, [{"name": "a"}])
        assert answer[:2] == [50, 3]

    def test_an_owner_that_leaves_hears_nothing_of_it(self, listener):
        listener.send(48, 3, {}, "radiod.channel.create", ["a"])
        listener.received()
        listener.leave()
        assert_silent(listener)

    def test_carry_no_key(self, listener, alice):
        key = alice.ask(48, 1, {}, "radiod.channel.create", ["a"])[3][0]["control_key"]
        alice.send(48, 2, {}, "radiod.channel.delete", ["a", key])
        assert key not in str(listener.received())

    def test_a_channel_that_ended_forgets_its_retained_event(self, world, alice, bob):
        alice.send(48, 1, {}, "radiod.channel.create", ["a"], {"lifetime": 5})
        alice.send(16, 2, {"retain": True}, "a", ["kept"])
        world.clock.advance(5)
        alice.send(48, 3, {}, "radiod.channel.create", ["a"])
        bob.send(32, 1, {"get_retained": True}, "a")
        assert [message[0] for message in bob.received()] == [33]


class TestAsking:
    """Calls of the router itself."""

    @pytest.fixture
    def oracle(self, world):
        oracle = world.join("oracle")
        oracle.ask(64, 1, {}, "p")
        return oracle

    def ask(self, world, timeout_s=5.0):
        outcomes = []
        world.realm.ask("p", 1, {"k": [2]}, timeout_s=timeout_s).then(outcomes.append)
        return outcomes

    @pytest.mark.parametrize(
        ("payload", "outcome"), [([], None), ([[]], None), ([[{"allow": True}, 2]], {"allow": True})]
    )
    def test_come_to_the_first_result(self, world, oracle, payload, outcome):
        outcomes = self.ask(world)
        assert oracle.received() == [[68, 1, 1, {}, [1, {"k": [2]}]]]
        assert outcomes == []
        oracle.send(70, 1, {}, *payload)
        assert outcomes == [outcome]
        assert len(world.clock.timers) == 0

    def refusal(self, outcomes):
        (outcome,) = outcomes
        assert isinstance(outcome, Refused)
        assert outcome.text.isprintable()
        return outcome.uri

    def test_come_to_the_error(self, world, oracle):
        outcomes = self.ask(world)
        oracle.send(8, 68, 1, {}, "an.error", ["text"])
        assert self.refusal(outcomes) == "an.error"

    def test_come_to_nothing_in_nonsense(self, world):
        oracle = world.join(codec=CBOR)
        oracle.ask(64, 1, {}, "p")
        outcomes = self.ask(world)
        oracle.send(70, 1, {}, [], {(1, 2): 3})
        assert self.refusal(outcomes) == INVALID_ARGUMENT

    def test_come_to_nothing_where_nobody_answers(self, world):
        assert self.refusal(self.ask(world)) == NO_SUCH_PROCEDURE

    def test_end_in_time(self, world, oracle):
        outcomes = self.ask(world, timeout_s=1.5)
        world.clock.advance(1.5)
        assert self.refusal(outcomes) == TIMEOUT

    def test_end_when_the_callee_has_left(self, world, oracle):
        outcomes = []
        world.realm.ask("p", timeout_s=5.0).then(
            lambda outcome: outcomes.append((outcome.uri, list(world.realm.sessions)))
        )
        watcher = world.watch("wamp.registration.on_delete", "wamp.session.on_leave")
        oracle.leave()
        assert outcomes == [(CANCELED, [watcher.peer.id])]
        told = [topic for topic, *_ in watcher.told()]
        assert told == ["wamp.registration.on_delete", "wamp.session.on_leave"]

    def test_that_end_with_a_session_let_others_go_on_when_it_has_left(self, world, oracle):
        """Who waited may do anything, even end the calls that the leaving session was to answer."""

        class Asks(Slow):
            def decide(self, session, action, uri, options):
                if action is not Action.PUBLISH:
                    return YES
                return chain(world.realm.ask("p", timeout_s=5.0), lambda outcome: YES)

        late, caller, admin = world.join(permissions=Asks()), world.join(), world.join()
        oracle.ask(64, 2, {}, "q")
        late.send(16, 1, ACKNOWLEDGE, "a")
        late.send(48, 2, {}, "wamp.session.kill", [caller.id])
        late.send(16, 3, ACKNOWLEDGE, "a")
        caller.send(48, 1, {}, "q")
        oracle.received()
        admin.send(48, 1, {}, "wamp.session.kill", [oracle.id])
        assert [message[0] for message in oracle.received()] == [6]
        assert [message[0] for message in caller.received()] == [8, 6]
        assert [message[:2] for message in admin.received()] == [[50, 1]]
        assert [message[:3] for message in late.received()] == [[8, 16, 1], [50, 2, {}], [8, 16, 3]]
        assert set(world.realm.sessions) == {late.id, admin.id}
        assert len(world.clock.timers) == 0

    def test_that_end_with_a_kill_may_end_who_killed(self, world, oracle):
        class Asks(Slow):
            def decide(self, session, action, uri, options):
                if action is not Action.PUBLISH:
                    return YES
                return chain(world.realm.ask("p", timeout_s=5.0), lambda outcome: YES)

        late, admin, other = world.join(permissions=Asks()), world.join(), world.join()
        late.send(16, 1, {}, "a")
        late.send(48, 2, {}, "wamp.session.kill_all")
        admin.send(48, 1, {}, "wamp.session.kill_by_authrole", ["tester"])
        assert [message[0] for message in admin.received()] == [6]
        assert [message[0] for message in other.received()] == [6]
        # The killer is dead, but what it had begun goes on.
        assert [message[0] for message in late.received()] == [50, 6]
        assert world.realm.sessions == {}


TOPICS = [("a", "exact"), ("b", "exact"), ("a", "prefix"), ("", "prefix"), (".b", "wildcard")]
META = [("wamp.", "prefix"), ("radiod.channel.on_delete", "exact"), ("wamp.session.on_leave", "exact")]
WRONG = [("bad uri", "exact")]
PROCEDURES = ["a", "a", "a.b", "b", "nobody", "radiod.echo", "wamp.session.list", "wamp.session.get"]
FEATURES = (
    "caller.progressive_call_invocations callee.call_canceling callee.progressive_call_results"
    " callee.progressive_call_invocations callee.call_reroute"
)
ANSWERS = {33: 32, 35: 34, 50: 48, 65: 64, 67: 66, 17: 16}
"""Code of an answer -> of what it answers."""


def chance(*values):
    return st.sampled_from(values)


def client_rule(has=lambda client: True, **strategies):
    """A rule for one of the clients whose session is open and ``has`` what the rule is about."""

    def able(machine):
        return [peer for peer in machine.clients if peer.session.is_open and has(peer)]

    def of(act):
        def run(self, who, **values):
            clients = able(self)
            act(self, clients[who % len(clients)], **values)

        run.__name__ = act.__name__
        return precondition(able)(rule(who=st.integers(0, 9), **strategies)(run))

    return of


class Sessions(RuleBasedStateMachine):
    """Whole sessions of several clients, as their connections drive them.

    ``owed``: (session, request) of what is not finally answered yet -> its code; ``chunked``: session -> its
    last progressive call.
    """

    @initialize()
    def begin(self):
        limits = Limits(max_pending_calls=3, max_channels=2, max_subscriptions=4, max_testaments=2)
        self.world = World(limits=limits)
        self.slow = Slow(*Action)
        self.owed = {}
        self.chunked = {}
        self.clients = []
        for _ in range(3):
            self.join(FEATURES, False, True)
            self.request(self.clients[-1], 64, {"invoke": "roundrobin"}, "a")

    # --- as a connection does it

    def give(self, client, *message):
        """Decode, count and receive a message, and end the session for a fault."""
        session = client.session
        decoded = CBOR.decode(CBOR.dump(list(message)))
        try:
            self.world.realm.inbox.receive(session, decoded, CBOR)
        except PeerError as error:
            self.world.outbox.abort(session, error)
            self.world.realm.leave(session)
        self.collect()

    def request(self, client, code, *rest):
        request = client.session.last_request + 1
        if code != 16 or rest[0].get("acknowledge"):
            self.owed[client.session, request] = code
        self.give(client, code, request, *rest)

    def collect(self):
        """Take note of every answer: each to something asked, and the last one to it."""
        for sent in self.world.outbox.take():
            message = CBOR.load(CBOR.encode(sent.message, sent.payload))
            code, session = message[0], sent.session
            if code == 8:
                assert self.owed.pop((session, message[2])) == message[1]
            elif code in ANSWERS and message[1] != 0:
                if code == 50 and message[2].get("progress"):
                    assert (session, message[1]) in self.owed
                else:
                    assert self.owed.pop((session, message[1])) == ANSWERS[code]

    # --- what clients ask of broker and dealer

    @rule(
        features=chance("", "callee.call_canceling", FEATURES, FEATURES),
        is_slow=chance(False, False, True),
        is_revocable=st.booleans(),
    )
    def join(self, features, is_slow, is_revocable):
        permissions = {"permissions": self.slow} if is_slow else {}
        self.clients.append(
            self.world.join(codec=CBOR, features=features, is_revocable=is_revocable, **permissions)
        )

    @client_rule(pattern=chance(*TOPICS, *META, *WRONG), get_retained=st.booleans())
    def subscribe(self, client, pattern, get_retained):
        topic, match = pattern
        self.request(client, 32, {"match": match, "get_retained": get_retained}, topic)

    @client_rule(lambda client: client.subscriptions)
    def unsubscribe(self, client):
        self.request(client, 34, next(iter(client.subscriptions)))

    @client_rule(pattern=chance(*TOPICS, *WRONG), invoke=chance("single", "roundrobin", "last"))
    def register(self, client, pattern, invoke):
        procedure, match = pattern
        self.request(client, 64, {"match": match, "invoke": invoke, "concurrency": 2}, procedure)

    @client_rule(lambda client: client.registrations)
    def unregister(self, client):
        self.request(client, 66, next(iter(client.registrations)))

    @client_rule(
        topic=chance("a", "b", "a.b", "wamp.x", "bad uri"),
        acknowledge=st.booleans(),
        mark=chance(None, None, {"id": 1}, {"id": 1, "end": True}),
    )
    def publish(self, client, topic, acknowledge, mark):
        options = {"acknowledge": acknowledge, "retain": acknowledge, "exclude_me": False}
        options |= {} if mark is None else {"_radiod_stream": mark}
        self.request(client, 16, options, topic, [1])

    @client_rule(procedure=chance(*PROCEDURES), timeout=chance(0, 0, 500), receive_progress=st.booleans())
    def call(self, client, procedure, timeout, receive_progress):
        options = {"timeout": timeout, "receive_progress": receive_progress}
        self.request(client, 48, options, procedure, [1])

    @client_rule(lambda client: len(client.session.features) > 1, procedure=chance(*PROCEDURES))
    def begin_a_progressive_call(self, client, procedure):
        self.chunked[client.session] = client.session.last_request + 1
        self.request(client, 48, {"progress": True}, procedure, [1])

    @precondition(lambda self: any(session.is_open for session in self.chunked))
    @rule(data=st.data(), procedure=chance(*PROCEDURES), is_more=chance(True, True, False))
    def send_a_chunk(self, data, procedure, is_more):
        sending = [client for client in self.clients if client.session in self.chunked]
        client = data.draw(st.sampled_from([client for client in sending if client.session.is_open]))
        self.give(client, 48, self.chunked[client.session], {"progress": is_more}, procedure, [2])

    @client_rule(lambda client: client.calls.made, mode=chance("skip", "kill", "killnowait"))
    def cancel(self, client, mode):
        self.give(client, 49, next(iter(client.calls.made)), {"mode": mode})

    @client_rule(lambda client: client.calls.answering, progress=chance(True, False, False))
    def answer(self, client, progress):
        self.give(client, 70, next(iter(client.calls.answering)), {"progress": progress}, [1])

    @client_rule(lambda client: client.calls.answering, error=chance("an.error", "wamp.error.unavailable"))
    def fail(self, client, error):
        self.give(client, 8, 68, next(iter(client.calls.answering)), {}, error)

    # --- what clients ask of the router's own procedures

    @client_rule(is_callee=st.booleans(), data=st.data())
    def revoke(self, client, is_callee, data):
        other = data.draw(st.sampled_from(list(self.world.realm.sessions.values())))
        realm = self.world.realm
        held = list((realm.dealer.registrations if is_callee else realm.subscriptions).of(other)) or [999]
        kind, name = ("registration", "remove_callee") if is_callee else ("subscription", "remove_subscriber")
        self.request(client, 48, {}, f"wamp.{kind}.{name}", [held[0], other.id])

    @client_rule(scope=chance("detached", "destroyed"), is_added=st.booleans())
    def testament(self, client, scope, is_added):
        if is_added:
            self.request(client, 48, {}, "wamp.session.add_testament", ["a", [1], {}], {"scope": scope})
        else:
            self.request(client, 48, {}, "wamp.session.flush_testaments", [scope])

    @client_rule(name=chance("a", "c"), lifetime=chance(None, 2))
    def create_a_channel(self, client, name, lifetime):
        self.request(client, 48, {}, "radiod.channel.create", [name], {"lifetime": lifetime})

    @client_rule(
        asked=chance(
            ("tune", {"channel": "a", "size": 3}),
            ("open_write", {"name": "a"}),
            ("create", {"name": "private", "public": False}),
        )
    )
    def use_channels(self, client, asked):
        name, kwargs = asked
        self.request(client, 48, {}, f"radiod.channel.{name}", [], kwargs)

    # --- what ends sessions

    @client_rule(how=chance("goodbye", "lost", "fault", "kill", "kill", "kill_all"), data=st.data())
    def end(self, client, how, data):
        match how:
            case "goodbye":
                self.give(client, 6, {}, "wamp.close.normal")
            case "lost":
                client.leave()
                self.collect()
            case "fault":
                self.give(client, 3, {}, "a.reason")
            case "kill":
                id = data.draw(st.sampled_from([*self.world.realm.sessions, 999]))
                self.request(client, 48, {}, "wamp.session.kill", [id])
            case "kill_all":
                self.request(client, 48, {}, "wamp.session.kill_all")

    # --- what happens by itself

    @precondition(lambda self: self.slow.pending)
    @rule(outcome=chance(YES, YES, YES, NO, Refused("an.error", "nobody knows")))
    def decide(self, outcome):
        self.slow.settle(outcome)
        self.collect()

    @rule(seconds=chance(0.5, 2, 61))
    def wait(self, seconds):
        self.world.clock.advance(seconds)
        self.collect()

    # --- what always holds

    @invariant()
    def only_waiting_sessions_are_held(self):
        assert self.world.outbox.held == set(self.world.realm.inbox._waiting)

    @invariant()
    def sessions_that_left_hold_nothing(self):
        realm = self.world.realm
        for session in (client.session for client in self.clients):
            if not session.is_open:
                assert realm.subscriptions.of(session) == realm.dealer.registrations.of(session) == {}
                assert session not in realm.dealer._calls
                assert session not in realm.inbox._waiting
                assert session not in realm.holdings._by_session

    def teardown(self):
        """Everything is decided and answered in the end; then everybody leaves."""
        world, realm = self.world, self.world.realm
        while self.slow.pending:
            self.slow.settle()
        for _ in range(3):
            world.clock.advance(61)
        self.collect()
        assert [(session, request) for session, request in self.owed if session.is_open] == []
        for client in self.clients:
            client.leave()
        self.collect()
        assert realm.sessions == {}
        assert (len(realm.space.broker), len(realm.dealer), len(realm.channels)) == (0, 0, 0)
        for policy in ("exact", "prefix", "wildcard"):
            assert list(realm.space.broker.subscriptions(policy)) == []
            assert list(realm.dealer.registrations.of_policy(policy)) == []
        for table in (
            realm.subscriptions,
            realm.testaments,
            realm.tuned,
            realm.streams,
            realm.memberships,
            realm.writers,
            realm.writers._by_session,
            realm.holdings,
            realm.inbox._waiting,
            realm.inbox._buckets,
            realm.dealer._calls,
            realm.dealer.registrations._by_session,
            realm.dealer.unheard,
        ):
            assert len(table) == 0
        assert (len(world.clock.timers), world.outbox.held) == (0, set())
        assert all(not session.is_open for session, _ in self.owed)


Sessions.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
TestWholeSessions = Sessions.TestCase
