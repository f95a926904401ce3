"""The session record."""

from radiod.core.sessions import Session
from radiod.testing import make_principal


def test_a_new_session_is_open_and_holds_nothing():
    outlet = object()
    session = Session(7, make_principal(), outlet)
    assert session.is_open
    assert session.outlet is outlet
    tables = (session.subscriptions, session.registrations, session.calls, session.invocations)
    assert all(table == {} for table in tables)
    assert session.invocation_ids.next() == 1


def test_sessions_share_no_table():
    first, second = (Session(id, make_principal(), None) for id in (1, 2))
    first.calls[1] = object()
    assert second.calls == {}


def test_a_log_line_shows_who_it_is():
    assert repr(Session(7, make_principal("alice", "writer"), None)) == "<Session 7 alice (writer)>"


def test_sessions_are_told_apart_by_identity_and_not_by_id():
    principal = make_principal()
    assert len({Session(1, principal, None), Session(1, principal, None)}) == 2
