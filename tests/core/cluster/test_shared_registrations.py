import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.cluster.callee_letters import CalleeFacts
from radiod.core.cluster.proxies import RemoteSession, remote_principal
from radiod.core.cluster.shared_registrations import SharedRegistrations, registration_id
from radiod.core.limits import Limits
from radiod.core.sessions.session import Session
from radiod.errors import NOT_AUTHORIZED, PROCEDURE_ALREADY_EXISTS, QUOTA, Refused
from radiod.testing import FakeClock, SequentialIds, make_principal
from radiod.wire.options import RegisterOptions


def facts(session, order=1, invoke="first", procedure="a.p", signature=b""):
    return CalleeFacts(
        session.id, "a", "b", (), "exact", procedure, invoke, 5.0, order, None, False, False, False, signature
    )


@pytest.fixture
def registrations():
    return SharedRegistrations(FakeClock(), SequentialIds(), Limits(max_registrations=2), "radio")


def here(id=1, authid="me"):
    return Session(id, make_principal(authid), None)


def there(id=2, node=9):
    return RemoteSession(node, id, remote_principal("me", "tester"), frozenset())


def enter(registrations, session, order=1, node=1, **kwargs):
    return registrations.enter(session, facts(session, order, **kwargs), RegisterOptions(), node)


def test_ids_differ_by_realm_match_and_procedure():
    names = [
        (realm, match, procedure) for realm in "ab" for match in ("exact", "prefix") for procedure in "ab"
    ]
    assert len({registration_id(*name) for name in names}) == 8
    assert all(1 <= registration_id(*name) <= 2**52 for name in names)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=12), st.integers(0, 20))
def test_callees_are_in_order_however_they_come_and_whose_turn_it_is_keeps_it(orders, turns):
    registrations = SharedRegistrations(FakeClock(), SequentialIds(), Limits(), "radio")
    entered = []
    for id, (order, node) in enumerate(orders, 1):
        session = there(id, node)
        registration, is_new = enter(registrations, session, order, node, invoke="roundrobin")
        assert is_new == (not entered)
        entered.append(((order, node), session))
        if id == len(orders) // 2:
            for _ in range(turns):
                registrations.pick(registration)
        before = registration.callees[registration.turn % len(registration.callees)]
        other = there(1000 + id, 2)
        enter(registrations, other, 3, 2, invoke="roundrobin")
        if registration.turn < len(registration.callees) - 1:
            after = registration.callees[registration.turn]
            assert after in (before, registrations.of(other)[registration.id])
        registrations.remove(other, registration.id)
    if entered:
        found = [registrations.order_of(callee) for callee in registration.callees]
        assert found == sorted(order for order, _ in entered)


def test_whose_turn_it_is_keeps_it_though_somebody_comes_before(registrations):
    for id, order in ((1, 1), (2, 3), (3, 5)):
        registration, _ = enter(registrations, there(id), order, invoke="roundrobin")
    assert [registrations.pick(registration).session.id for _ in range(2)] == [1, 2]
    enter(registrations, there(4), 2, invoke="roundrobin")
    assert [registrations.pick(registration).session.id for _ in range(2)] == [3, 1]


def test_what_is_told_again_takes_its_new_place(registrations):
    one, other = there(1), there(2)
    enter(registrations, one, 1)
    enter(registrations, other, 2)
    registration, is_new = enter(registrations, one, 3, signature=b"{}")
    assert not is_new
    assert [callee.session for callee in registration.callees] == [other, one]
    assert registration.signature == b"{}"
    assert registrations.last_order(registration.id) == 3


def test_whoever_claimed_last_says_how(registrations):
    enter(registrations, there(1), 5, invoke="first")
    registration, _ = enter(registrations, there(2), 7, invoke="last")
    enter(registrations, there(3), 6, invoke="random")
    assert registration.invoke == "last"


def test_those_of_this_node_are_told_apart(registrations):
    one, other = here(), there()
    enter(registrations, other, 1)
    registration, _ = enter(registrations, one, 2)
    assert [callee.session for callee in registrations.own("exact", "a.p")] == [one]
    assert [callee.session for callee in registrations.before(registration.id, (2, 1))] == [other]
    assert (registrations.own("exact", "no"), registrations.before(17, (9, 9))) == ([], [])
    assert registrations.last_order(17) == 0


def test_an_end_is_told_of_sessions_of_this_node(registrations):
    ended = []
    registrations.on_removed = lambda session, registration: ended.append((session, registration.procedure))
    one, other = here(), there()
    enter(registrations, one)
    enter(registrations, other)
    registrations.leave(one)
    registrations.leave(other)
    assert ended == [(one, "a.p")]
    assert len(registrations) == 0


class TestWhatIsRefusedWithoutTheOthers:
    def refusal(self, registrations, session, *, may_take=False, **options):
        with pytest.raises(Refused) as raised:
            registrations.check(session, "a.p", RegisterOptions(**options), may_take=may_take)
        return raised.value.uri

    def test_what_the_session_has(self, registrations):
        one = here()
        enter(registrations, one)
        assert self.refusal(registrations, one, invoke="first") == PROCEDURE_ALREADY_EXISTS

    def test_too_many(self, registrations):
        one = here()
        enter(registrations, one, procedure="a.q")
        enter(registrations, one, procedure="a.r")
        assert self.refusal(registrations, one) == QUOTA

    def test_taking_over_without_the_right(self, registrations):
        enter(registrations, there())
        other = here(3, "other")
        assert self.refusal(registrations, other, force_reregister=True) == NOT_AUTHORIZED
        registrations.check(other, "a.p", RegisterOptions(force_reregister=True), may_take=True)
        registrations.check(here(), "a.p", RegisterOptions(force_reregister=True), may_take=False)

    def test_nothing_else(self, registrations):
        enter(registrations, there(), invoke="single")
        registrations.check(here(), "a.p", RegisterOptions(signature={"parameters": []}), may_take=False)


def test_two_procedures_of_one_id_are_not_mixed_up(registrations):
    first, _ = enter(registrations, there())
    registrations._by_id[registrations.id_of("exact", "a.q")] = first
    with pytest.raises(Refused):
        enter(registrations, there(3), procedure="a.q")
