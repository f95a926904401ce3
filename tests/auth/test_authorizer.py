"""Dynamic authorization: a procedure on the realm decides, and delays nobody but who waits for it."""

import cbor2
import pytest

from radiod.auth.authorizer import Authorizer
from radiod.core.budgets.seats import Seats
from radiod.core.promises import Promise
from radiod.core.rights import Action, Disclose
from radiod.core.sessions.session import Session
from radiod.core.statistics import REFUSALS
from radiod.errors import AUTHORIZATION_FAILED, INVALID_ARGUMENT, Refused
from radiod.testing import FakeClock, Peer, RecordingOutbox, make_principal, make_realm
from radiod.wire.codecs import CBOR
from radiod.wire.options import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

SEATS = Seats(1000, dict.fromkeys(REFUSALS, 0), "authorizations", "questions")


class World:
    """An authorizer whose questions wait in ``asked`` for their answers."""

    def __init__(self, **options):
        self.clock = FakeClock()
        self.asked = []
        self.complaints = []
        self.authorizer = Authorizer(
            self._ask,
            self.clock,
            **{
                "cache_s": 60,
                "max_cache": 100,
                "complain": self.complaints.append,
                "seats": SEATS,
                **options,
            },
        )
        self.session = Session(7, make_principal("joe", "guest", self.authorizer), None)

    def _ask(self, *question):
        answer = Promise()
        self.asked.append((question, answer))
        return answer

    def decide(self, action=Action.PUBLISH, uri="a.topic", options=None, session=None):
        return self.authorizer.decide(session or self.session, action, uri, options or PublishOptions())

    def answer(self, outcome):
        """Decide, and have the authorizer answer at once."""
        decision = self.decide()
        self.asked.pop()[1].settle(outcome)
        seen = []
        decision.then(seen.append)
        return seen[0]


@pytest.fixture
def world():
    return World()


def test_it_is_told_who_wants_to_do_what_with_which_options(world):
    world.decide(Action.SUBSCRIBE, "a.b", SubscribeOptions(match="prefix"))
    world.decide(Action.CALL, "a.c", CallOptions())
    details = {
        "session": 7,
        "authid": "joe",
        "authrole": "guest",
        "authmethod": "anonymous",
        "authprovider": "static",
    }
    assert [question for question, _ in world.asked] == [
        (details, "a.b", "subscribe", {"match": "prefix"}),
        (details, "a.c", "call", {}),
    ]


@pytest.mark.parametrize("answer", [True, {"allow": True}, {"allow": True, "unknown": 1}])
def test_it_may_allow(world, answer):
    verdict = world.answer(answer)
    assert (verdict.is_allowed, verdict.disclose, verdict.trustlevel) == (True, Disclose.ASKED, None)


@pytest.mark.parametrize("answer", [False, {"allow": False}])
def test_it_may_deny(world, answer):
    assert not world.answer(answer).is_allowed


def test_it_cannot_give_the_right_to_give_rights_and_is_not_asked(world):
    """Whoever may register an authorizer would have all keys."""
    assert not world.decide(Action.CALL, "radiod.admin.key.issue", CallOptions()).is_allowed
    assert world.asked == []
    assert world.authorizer.hides_procedure("radiod.admin.key.issue")
    assert not world.authorizer.hides_procedure("a.procedure")


def test_it_may_disclose_who_acts_and_how_far_to_trust_them(world):
    verdict = world.answer({"allow": True, "disclose": True, "trustlevel": 3})
    assert (verdict.disclose, verdict.trustlevel) == (Disclose.ALWAYS, 3)


@pytest.mark.parametrize(
    "answer",
    [None, 1, "yes", [], {}, {"allow": 1}, {"allow": True, "cache": "yes"}, Refused("an.error", "broken")],
)
def test_any_other_answer_refuses_and_is_complained_about(world, answer):
    refusal = world.answer(answer)
    assert isinstance(refusal, Refused)
    assert refusal.uri == AUTHORIZATION_FAILED
    assert len(world.complaints) == 1


@pytest.mark.parametrize(
    ("action", "options"),
    [(Action.PUBLISH, PublishOptions(key="secret")), (Action.SUBSCRIBE, SubscribeOptions(key="secret"))],
)
def test_it_is_not_told_the_key_of_a_private_channel(world, action, options):
    """It decides on the name; with the key it could listen, and so could whoever poses as it."""
    world.decide(action, "a", options)
    ((question, _),) = world.asked
    assert question[3] == {}
    assert options.key == "secret"


def test_what_may_be_remembered_is_asked_once_for_a_while(world):
    world.answer({"allow": True, "cache": True})
    assert world.decide().is_allowed
    world.clock.advance(59.9)
    assert world.decide().is_allowed
    world.clock.advance(0.1)
    assert isinstance(world.decide(), Promise)
    assert len(world.asked) == 1


def test_what_may_not_be_remembered_is_asked_each_time(world):
    world.answer(True)
    assert isinstance(world.decide(), Promise)


def test_without_a_lifetime_nothing_is_remembered():
    world = World(cache_s=0)
    world.answer({"allow": True, "cache": True})
    assert isinstance(world.decide(), Promise)
    assert world.authorizer._cache == {}


def test_a_memory_is_of_one_session_action_uri_and_policy(world):
    world.answer({"allow": True, "cache": True})
    others = [
        world.decide(session=Session(8, make_principal(), None)),
        world.decide(action=Action.CALL),
        world.decide(uri="b"),
        world.decide(action=Action.SUBSCRIBE, options=SubscribeOptions(match="prefix")),
    ]
    assert all(isinstance(decision, Promise) for decision in others)


@pytest.mark.parametrize("is_allowed", [True, False])
def test_it_is_asked_about_taking_over_and_that_is_remembered_apart(world, is_allowed):
    plain, force = RegisterOptions(), RegisterOptions(force_reregister=True)
    for options, asked in ((plain, {}), (force, {"force_reregister": True})):
        later = world.decide(action=Action.REGISTER, options=options)
        question, answer = world.asked.pop()
        assert question[2:] == ("register", asked)
        answer.settle({"allow": is_allowed, "cache": True})
        decisions = []
        later.then(decisions.append)
        assert [decision.is_allowed for decision in decisions] == [is_allowed]
        assert world.decide(action=Action.REGISTER, options=options).may_take_over is is_allowed


def test_memory_is_bounded():
    world = World(max_cache=2)
    for uri in "abc":
        decision = world.decide(uri=uri)
        world.asked.pop()[1].settle({"allow": True, "cache": True})
        decision.then(lambda _: None)
    assert isinstance(world.decide(uri="a"), Promise)
    assert world.decide(uri="b").is_allowed
    assert world.decide(uri="c").is_allowed


def test_nothing_is_allowed_without_a_session_to_ask_about(world):
    assert not world.authorizer.allows(Action.SUBSCRIBE, "a")
    assert not world.authorizer.hides("a")


class Room:
    """A realm whose guests are authorized by ``authorize``, a procedure of one of its clients."""

    def __init__(self):
        self.clock, self.outbox = FakeClock(), RecordingOutbox()
        self.realm = make_realm(self.outbox, self.clock)
        self.complaints = []
        self.authorizer = Authorizer(
            lambda *question: self.realm.ask("authorize", *question, timeout_s=2),
            self.clock,
            cache_s=60,
            max_cache=100,
            complain=self.complaints.append,
            seats=SEATS,
        )
        self.keeper = Peer(self.realm, self.outbox, "keeper")
        assert self.keeper.ask(64, 1, {}, "authorize")[0] == 65

    def guest(self):
        return Peer(self.realm, self.outbox, "guest", permissions=self.authorizer)

    def questions(self):
        return [(message[1], message[4][1:3]) for message in self.keeper.received()]


@pytest.fixture
def room():
    return Room()


def test_a_session_waits_for_its_right_and_its_later_messages_queue_behind(room):
    guest = room.guest()
    guest.send(32, 1, {}, "a")
    guest.send(16, 2, {"acknowledge": True, "exclude_me": False}, "a", [1])
    guest.send(34, 3, 999)
    assert guest.received() == []
    assert room.outbox.held == {guest.session}
    assert room.questions() == [(1, ["a", "subscribe"])]
    room.keeper.send(70, 1, {}, [True])
    (subscribed,) = guest.received()
    assert subscribed[0] == 33
    assert room.questions() == [(2, ["a", "publish"])]
    room.keeper.send(70, 2, {}, [True])
    assert [message[:2] for message in guest.received()] == [[36, subscribed[2]], [17, 2], [8, 34]]
    assert room.outbox.held == set()


def test_a_slow_authorizer_delays_its_own_session_only(room):
    slow, other = room.guest(), Peer(room.realm, room.outbox)
    slow.send(32, 1, {}, "a")
    assert other.ask(32, 1, {}, "a")[0] == 33
    assert slow.received() == []


@pytest.mark.parametrize("value", [cbor2.CBORTag(1000, 5), cbor2.CBORSimpleValue(99)])
@pytest.mark.parametrize(
    ("code", "option"), [(16, "_radiod_stream"), (32, "_radiod_buffer"), (64, "_radiod_signature")]
)
def test_options_that_the_authorizer_could_not_read_are_refused_after_its_decision(room, code, option, value):
    """What they hold is checked where it is used, behind the decision."""
    guest = Peer(room.realm, room.outbox, "guest", permissions=room.authorizer, codec=CBOR)
    guest.send(code, 1, {option: value, "acknowledge": True}, "a")
    room.keeper.send(70, 1, {}, [True])
    (error,) = guest.received()
    assert error[:2] + error[4:5] == [8, code, INVALID_ARGUMENT]


@pytest.mark.parametrize("level", [-1, 2**53 + 1, 2**64])
def test_a_trust_level_that_not_every_serializer_can_say_is_no_answer(world, level):
    assert world.answer({"allow": True, "trustlevel": level}).uri == AUTHORIZATION_FAILED


def test_an_authorizer_that_never_answers_is_a_refusal_in_time(room):
    guest = room.guest()
    guest.send(32, 1, {}, "a")
    room.clock.advance(2)
    (error,) = guest.received()
    assert error[:2] + error[4:5] == [8, 32, AUTHORIZATION_FAILED]
    assert len(room.complaints) == 1
    assert room.outbox.held == set()


def test_an_authorizer_that_left_is_a_refusal_at_once(room):
    room.keeper.leave()
    assert room.guest().ask(48, 1, {}, "a")[4] == AUTHORIZATION_FAILED


def test_an_authorizer_that_leaves_while_it_is_asked_is_a_refusal(room):
    guest = room.guest()
    guest.send(32, 1, {}, "a")
    room.keeper.leave()
    assert guest.received()[0][4] == AUTHORIZATION_FAILED


def test_who_leaves_while_waiting_gets_neither_deed_nor_answer(room):
    guest = room.guest()
    guest.send(32, 1, {}, "a")
    guest.leave()
    room.keeper.received()
    room.keeper.send(70, 1, {}, [True])
    assert room.realm.space.broker.readers("a") == 0
    assert guest.received() == []


def test_an_unacknowledged_publish_that_is_denied_is_silent(room):
    guest = room.guest()
    guest.send(16, 1, {}, "a", [1])
    room.keeper.received()
    room.keeper.send(70, 1, {}, [False])
    assert guest.received() == []
    assert room.outbox.held == set()
