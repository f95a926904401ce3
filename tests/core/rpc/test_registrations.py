"""Who is asked: the best registration, and the callee whose turn it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import assert_refused

from radiod.core.limits import Limits
from radiod.core.rpc.registrations import MAX_SIGNATURES, NOTHING, Callee, Held, Registrations
from radiod.core.sessions.session import Session
from radiod.errors import (
    INVALID_ARGUMENT,
    MAX_CONCURRENCY,
    NO_AVAILABLE_CALLEE,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NOT_AUTHORIZED,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
)
from radiod.testing import FakeClock, SequentialIds, make_principal
from radiod.wire.options import RegisterOptions

SHARED = ("first", "last", "roundrobin", "random")


class World:
    """Registrations, and the sessions that make them."""

    def __init__(self, **limits):
        self.clock = FakeClock(epoch=500.0)
        self.registrations = Registrations(self.clock, SequentialIds(), Limits(**limits))
        self._sessions = 0

    def join(self, *features, authid="somebody", authrole="tester"):
        self._sessions += 1
        return Session(self._sessions, make_principal(authid, authrole), None, frozenset(features))

    def add(self, session, procedure, **options):
        return self.registrations.add(session, procedure, RegisterOptions(**options))

    def take(self, session, procedure, *, may_act_on_others=False, **options):
        return self.registrations.take_over(
            session, procedure, RegisterOptions(force_reregister=True, **options), may_act_on_others
        )

    def of(self, session):
        return self.registrations.of(session)

    def shared(self, invoke, *concurrencies):
        """One registration, and as many callees as concurrencies are given."""
        for concurrency in concurrencies:
            registration, _ = self.add(self.join(), "p", invoke=invoke, concurrency=concurrency)
        return registration

    def picked(self, registration, times, unavailable=()):
        """The ids of the sessions that are asked one after the other; nobody ever answers."""
        ids = []
        for _ in range(times):
            callee = self.registrations.pick(registration, unavailable)
            callee.running += 1
            ids.append(callee.session.id)
        return ids


@pytest.fixture
def world():
    return World()


class TestAdding:
    def test_the_first_makes_the_registration_and_others_join_it(self, world):
        registration, is_new = world.add(world.join(), "p", invoke="last")
        assert is_new
        assert (registration.id, registration.match, registration.procedure) == (1, "exact", "p")
        assert (registration.invoke, registration.created) == ("last", 500.0)
        world.clock.advance(7)
        again, is_new = world.add(world.join(), "p", invoke="last")
        assert again is registration
        assert not is_new
        assert registration.created == 500.0
        assert [callee.session.id for callee in registration.callees] == [1, 2]
        assert len(world.registrations) == 1

    def test_a_session_finds_its_part_under_the_registrations_id(self, world):
        session = world.join()
        registration, _ = world.add(session, "p", concurrency=3)
        callee = world.of(session)[registration.id]
        assert callee is registration.callees[0]
        assert (callee.session, callee.registration) == (session, registration)
        assert (callee.concurrency, callee.running, callee.wants_timeouts) == (3, 0, False)

    @pytest.mark.parametrize("invoke", ["single", *SHARED])
    def test_what_is_registered_for_one_stays_with_one(self, world, invoke):
        world.add(world.join(), "p")
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.add, world.join(), "p", invoke=invoke)

    @pytest.mark.parametrize("invoke", ["single", "first"])
    def test_others_join_under_the_same_policy_only(self, world, invoke):
        registration, _ = world.add(world.join(), "p", invoke="random")
        other = world.join()
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.add, other, "p", invoke=invoke)
        assert len(registration.callees) == 1
        assert world.of(other) == {}

    def test_a_session_joins_once(self, world):
        session = world.join()
        world.add(session, "p", invoke="first")
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.add, session, "p", invoke="first")

    def test_match_policies_do_not_share(self, world):
        session = world.join()
        ids = [world.add(session, "p", match=match)[0].id for match in ("exact", "prefix", "wildcard")]
        assert ids == [1, 2, 3]

    def test_so_many_for_one_session_and_no_more(self):
        world = World(max_registrations=2)
        session = world.join()
        world.add(session, "p")
        world.add(session, "q")
        assert_refused(QUOTA, world.add, session, "r")
        world.add(world.join(), "r", invoke="first")
        assert_refused(QUOTA, world.add, session, "r", invoke="first")
        assert len(world.registrations) == 3
        assert world.registrations.lookup("exact", "r").callees[0].session is not session
        world.registrations.remove(session, 1)
        world.add(session, "r", invoke="first")
        assert len(world.of(session)) == 2

    @pytest.mark.parametrize(
        ("features", "asks", "wants"),
        [((), True, False), (("callee.call_timeout",), False, False), (("callee.call_timeout",), True, True)],
    )
    def test_minding_timeouts_is_announced_and_asked_for(self, world, features, asks, wants):
        registration, _ = world.add(world.join(*features), "p", forward_timeout=asks)
        assert registration.callees[0].wants_timeouts is wants


class TestRemoving:
    def test_the_last_callee_ends_the_registration(self, world):
        first, second = world.join(), world.join()
        registration, _ = world.add(first, "p", invoke="first")
        world.add(second, "p", invoke="first")
        assert world.registrations.remove(first, 1) is registration
        assert world.registrations.find(1) is registration
        world.registrations.remove(second, 1)
        assert registration.callees == []
        assert len(world.registrations) == 0
        assert_refused(NO_SUCH_REGISTRATION, world.registrations.find, 1)
        assert world.registrations.lookup("exact", "p") is None

    def test_what_the_session_does_not_hold_stays(self, world):
        world.add(world.join(), "p")
        assert_refused(NO_SUCH_REGISTRATION, world.registrations.remove, world.join(), 1)
        assert len(world.registrations) == 1

    def test_an_id_is_never_used_again(self, world):
        session = world.join()
        world.add(session, "p")
        world.registrations.remove(session, 1)
        registration, is_new = world.add(session, "p", invoke="last")
        assert is_new
        assert (registration.id, registration.invoke) == (2, "last")


class TestOfOneSession:
    def test_is_empty_before_the_first_and_behind_the_last(self, world):
        session = world.join()
        assert world.of(session) == {}
        registration, _ = world.add(session, "p")
        assert list(world.of(session)) == [registration.id]
        world.registrations.remove(session, registration.id)
        assert world.of(session) == {}
        assert world.registrations._by_session == {}

    @pytest.mark.parametrize("signature", [{"parameters": [], "doc": 1}, {"doc": "x" * 20_000}])
    def test_stays_empty_when_its_first_is_refused(self, world, signature):
        session = world.join()
        assert_refused(INVALID_ARGUMENT, world.add, session, "p", signature=signature)
        assert_refused(NO_SUCH_REGISTRATION, world.registrations.remove, session, 1)
        assert world.registrations._by_session == {}
        assert NOTHING.callees == {}

    def test_is_apart_from_that_of_others(self, world):
        first, second = world.join(), world.join()
        world.add(first, "p", invoke="first", signature={"parameters": []})
        world.add(second, "p", invoke="first")
        assert world.of(first)[1].held is not world.of(second)[1].held
        assert [world.of(one)[1].held.signature_bytes for one in (first, second)] == [17, 0]

    def test_signatures_count_until_their_registrations_end_or_tell_another(self, world):
        session = world.join()
        world.add(session, "p", signature={"parameters": []})
        callee = world.of(session)[1]
        world.add(session, "q", signature={"parameters": []})
        assert callee.held.signature_bytes == 2 * 17
        callee.document(b"12345")
        assert callee.held.signature_bytes == 17 + 5
        world.registrations.remove(session, 1)
        assert callee.held.signature_bytes == 17

    def test_signatures_have_a_bound_to_the_byte(self, world):
        session = world.join()
        world.add(session, "p")
        callee = world.of(session)[1]
        callee.document(b"x" * MAX_SIGNATURES)
        assert_refused(QUOTA, callee.document, b"x" * (MAX_SIGNATURES + 1))
        assert (len(callee.signature), callee.held.signature_bytes) == (MAX_SIGNATURES, MAX_SIGNATURES)
        assert_refused(QUOTA, world.add, session, "q", signature={"parameters": []})
        assert list(world.of(session)) == [1]


class TestFinding:
    # The specification's own examples, with d33 for c33: a prefix may end inside a component
    # (com.myapp.myobject1 takes com.myapp.myobject1-mysubobject1, as it says), so a1.b2.c3 takes a1.b2.c33.
    REGISTERED = (
        ("exact", "a1.b2.c3.d4.e55"),
        ("prefix", "a1.b2.c3"),
        ("prefix", "a1.b2.c3.d4"),
        ("wildcard", "a1.b2..d4.e5"),
        ("wildcard", "a1.b2.d33..e5"),
        ("wildcard", "a1.b2..d4.e5..g7"),
        ("wildcard", "a1.b2..d4..f6.g7"),
    )

    @pytest.fixture
    def registrations(self, world):
        session = world.join()
        for match, uri in self.REGISTERED:
            world.add(session, uri, match=match)
        return world.registrations

    @pytest.mark.parametrize(
        ("procedure", "id"),
        [
            ("a1.b2.c3.d4.e55", 1),
            ("a1.b2.c3.d98.e74", 2),
            ("a1.b2.c3.d4.e325", 3),
            ("a1.b2.c55.d4.e5", 4),
            ("a1.b2.d33.d4.e5", 5),
            ("a1.b2.c88.d4.e5.f6.g7", 6),
            ("a1.b2.c88.d4.e6.f6.g7", 7),
            ("a1.b2.c33.d4.e5", 2),
            ("a1.b2.c3", 2),
        ],
    )
    def test_the_best_answers_a_call(self, registrations, procedure, id):
        assert registrations.best(procedure).id == id

    @pytest.mark.parametrize("procedure", ["a2.b2.c2.d2.e2", "a1.b2", "a1.b2.d33.d4", "a1"])
    def test_where_none_fits_nobody_does(self, registrations, procedure):
        assert_refused(NO_SUCH_PROCEDURE, registrations.best, procedure)

    def test_each_can_be_listed_and_looked_up(self, registrations):
        for match in ("exact", "prefix", "wildcard"):
            uris = [uri for policy, uri in self.REGISTERED if policy == match]
            assert [registration.procedure for registration in registrations.of_policy(match)] == uris
            for uri in uris:
                registration = registrations.lookup(match, uri)
                assert registrations.find(registration.id) is registration

    def test_a_pattern_is_looked_up_as_it_was_registered(self, registrations):
        assert registrations.lookup("prefix", "a1.b2.c3.d4.e55") is None
        assert registrations.lookup("exact", "a1.b2.c3") is None


class TestPicking:
    @pytest.mark.parametrize(
        ("invoke", "ids"),
        [("first", [1, 1, 1, 1]), ("last", [3, 3, 3, 3]), ("roundrobin", [1, 2, 3, 1])],
    )
    def test_goes_by_the_policy(self, world, invoke, ids):
        assert world.picked(world.shared(invoke, None, None, None), 4) == ids

    def test_at_random_asks_everybody_in_the_long_run(self, world):
        assert set(world.picked(world.shared("random", None, None, None), 30)) == {1, 2, 3}

    @pytest.mark.parametrize("invoke", ["single", *SHARED])
    def test_a_single_callee_is_asked_whatever_the_policy(self, world, invoke):
        registration = world.shared(invoke, 2)
        assert world.picked(registration, 2) == [1, 1]
        assert_refused(MAX_CONCURRENCY, world.registrations.pick, registration)

    @pytest.mark.parametrize(
        ("invoke", "ids"),
        [("first", [1, 2, 2, 3]), ("last", [3, 2, 2, 1]), ("roundrobin", [1, 2, 3, 2])],
    )
    def test_passes_over_the_busy(self, world, invoke, ids):
        registration = world.shared(invoke, 1, 2, 1)
        assert world.picked(registration, 4) == ids
        assert_refused(MAX_CONCURRENCY, world.registrations.pick, registration)

    @pytest.mark.parametrize(("invoke", "id"), [("first", 1), ("last", 3), ("roundrobin", 1), ("random", 1)])
    def test_passes_over_those_that_said_so(self, world, invoke, id):
        registration = world.shared(invoke, None, None, None)
        unavailable = {callee.session for callee in registration.callees if callee.session.id != id}
        assert world.picked(registration, 3, unavailable) == [id] * 3

    @pytest.mark.parametrize("invoke", SHARED)
    def test_when_all_have_said_so_nobody_is_left(self, world, invoke):
        registration = world.shared(invoke, None, None)
        everybody = {callee.session for callee in registration.callees}
        assert_refused(NO_AVAILABLE_CALLEE, world.registrations.pick, registration, everybody)

    def test_who_is_busy_may_have_room_later_and_that_is_what_the_caller_hears(self, world):
        registration = world.shared("first", None, 1)
        registration.callees[1].running = 1
        unavailable = {registration.callees[0].session}
        assert_refused(MAX_CONCURRENCY, world.registrations.pick, registration, unavailable)
        registration.callees[1].running = 0
        assert world.picked(registration, 1, unavailable) == [2]

    @pytest.mark.parametrize(
        ("leaver", "ids"), [(1, [3, 4, 2]), (2, [3, 4, 1]), (3, [4, 1, 2]), (4, [3, 1, 2])]
    )
    def test_whose_turn_it_was_keeps_it_when_another_leaves(self, world, leaver, ids):
        registration = world.shared("roundrobin", None, None, None, None)
        assert world.picked(registration, 2) == [1, 2]
        world.registrations.remove(registration.callees[leaver - 1].session, registration.id)
        assert world.picked(registration, 3) == ids

    def test_when_the_last_in_turn_leaves_the_first_is_next(self, world):
        registration = world.shared("roundrobin", None, None, None)
        assert world.picked(registration, 2) == [1, 2]
        world.registrations.remove(registration.callees[2].session, registration.id)
        assert world.picked(registration, 3) == [1, 2, 1]

    @given(
        concurrencies=st.lists(st.integers(1, 4), min_size=1, max_size=6),
        invoke=st.sampled_from(["single", *SHARED]),
    )
    def test_every_place_is_given_away_once(self, concurrencies, invoke):
        world = World()
        registration = world.shared(invoke, *concurrencies[: 1 if invoke == "single" else None])
        places = sum(callee.concurrency for callee in registration.callees)
        ids = world.picked(registration, places)
        assert all(ids.count(callee.session.id) == callee.concurrency for callee in registration.callees)
        assert_refused(MAX_CONCURRENCY, world.registrations.pick, registration)

    @given(moves=st.lists(st.sampled_from(["pick", "add", "remove first", "remove last"]), max_size=40))
    def test_in_turn_nobody_is_asked_twice_while_another_waits(self, moves):
        """With coming and going, too: since it was last asked, nobody who stayed was asked twice."""
        world = World()
        registration = world.shared("roundrobin", None, None)
        asked = []
        for move in moves:
            match move:
                case "add":
                    world.add(world.join(), "p", invoke="roundrobin")
                    asked.clear()
                case "pick":
                    asked += world.picked(registration, 1)
                    latest = asked[-len(registration.callees) :]
                    assert len(set(latest)) == len(latest)
                case _ if len(registration.callees) > 1:
                    callee = registration.callees[0 if move == "remove first" else -1]
                    world.registrations.remove(callee.session, registration.id)
                    asked = [id for id in asked if id != callee.session.id]


def test_a_callee_has_room_until_it_runs_as_many_as_it_wants():
    world = World()
    registration, _ = world.add(world.join(), "p", invoke="first", concurrency=2)
    callee = Callee(world.join(), Held(), registration, RegisterOptions(concurrency=2))
    rooms = []
    for callee.running in range(4):
        rooms.append(callee.has_room)
    assert rooms == [True, True, False, False]
    callee.concurrency = None
    assert callee.has_room


class TestTakingOver:
    """``force_reregister``: in the place of everybody who answers now."""

    def sessions(self, registration):
        return [callee.session for callee in registration.callees]

    @pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
    @pytest.mark.parametrize("before", [("single", 1), ("first", 1), ("roundrobin", 3)])
    @pytest.mark.parametrize("invoke", ["single", "random"])
    def test_replaces_all_callees_under_policies_of_its_own(self, world, match, before, invoke):
        policy, count = before
        old = [world.join() for _ in range(count)]
        for session in old:
            registration, _ = world.add(session, "p", match=match, invoke=policy)
        world.clock.advance(7)
        taker = world.join()
        taken, replaced = world.take(taker, "p", match=match, invoke=invoke)
        assert [callee.session for callee in replaced] == old
        assert all(callee.registration is registration for callee in replaced)
        assert (registration.callees, self.sessions(taken)) == ([], [taker])
        assert (taken.id, taken.match, taken.invoke, taken.created) == (2, match, invoke, 507.0)
        assert world.registrations.lookup(match, "p") is taken
        assert len(world.registrations) == 1
        assert all(world.of(session) == {} for session in old)

    def test_of_nothing_is_registering(self, world):
        other, _ = world.add(world.join(), "p")
        registration, replaced = world.take(world.join(), "p", match="prefix")
        assert (registration.id, replaced) == (2, [])
        assert world.registrations.lookup("exact", "p") is other

    def test_ones_own_registration_is_possible_too(self, world):
        session = world.join()
        before, _ = world.add(session, "p", concurrency=1)
        after, replaced = world.take(session, "p", concurrency=2)
        assert [callee.session for callee in replaced] == [session]
        assert list(world.of(session)) == [after.id] != [before.id]
        assert world.of(session)[after.id].concurrency == 2

    @pytest.mark.parametrize(
        ("authid", "authrole", "agreed", "may_act_on_others", "is_allowed"),
        [
            ("somebody", "tester", False, False, True),
            ("else", "tester", False, False, False),
            ("somebody", "other", False, False, False),
            ("else", "other", True, False, True),
            ("else", "other", False, True, True),
        ],
    )
    def test_is_for_the_same_user_for_those_it_was_left_to_and_for_who_may_act_on_others(
        self, world, authid, authrole, agreed, may_act_on_others, is_allowed
    ):
        registration, _ = world.add(world.join(), "p", force_reregister=agreed)
        taker = world.join(authid=authid, authrole=authrole)
        if is_allowed:
            assert world.take(taker, "p", may_act_on_others=may_act_on_others)[1]
            return
        assert_refused(NOT_AUTHORIZED, world.take, taker, "p")
        assert world.registrations.best("p") is registration
        assert len(registration.callees) == 1
        assert world.of(taker) == {}

    def test_needs_the_consent_of_all(self, world):
        for agreed in (True, False):
            session = world.join(authid=f"worker {agreed}")
            world.add(session, "p", invoke="first", force_reregister=agreed)
        assert_refused(NOT_AUTHORIZED, world.take, world.join(authid="else"), "p")

    def test_that_would_be_too_much_takes_nothing_from_anybody(self):
        world = World(max_registrations=1)
        registration, _ = world.add(world.join(), "p")
        taker = world.join()
        world.add(taker, "q")
        assert_refused(QUOTA, world.take, taker, "p")
        assert len(registration.callees) == 1
        # In the place of its own there is room.
        assert world.take(taker, "q")[1]

    @pytest.mark.parametrize("signature", [1, {"doc": 1}])
    def test_with_a_malformed_signature_takes_nothing(self, world, signature):
        registration, _ = world.add(world.join(), "p")
        assert_refused(INVALID_ARGUMENT, world.take, world.join(), "p", signature=signature)
        assert len(registration.callees) == 1

    def test_counts_signatures_as_they_are_afterwards(self, world):
        taker = world.join()
        long = {"parameters": [], "doc": "x" * 16_000}
        for number in range(65):
            world.add(taker, f"p{number}", signature=long)
        registration, _ = world.add(world.join(), "q")
        assert_refused(QUOTA, world.take, taker, "q", signature=long)
        assert len(registration.callees) == 1
        held = world.registrations._by_session[taker].signature_bytes
        assert world.take(taker, "p0", signature=long)[1]
        assert world.registrations._by_session[taker].signature_bytes == held
