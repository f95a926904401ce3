"""The session record, and what its peer announced."""

import pytest

from radiod.core.disclosure import Visitor
from radiod.core.sessions.session import (
    REGISTRATION_REVOCATION,
    UNSTOPPABLE_CHUNKS,
    Session,
    announced,
    describe_session,
)
from radiod.errors import PeerError
from radiod.testing import make_principal
from radiod.wire.options import PeerRole


@pytest.fixture
def session():
    return Session(7, make_principal(), None)


class TestRecord:
    def test_a_new_session_is_open_and_has_done_nothing(self):
        outlet = object()
        session = Session(7, make_principal(), outlet)
        assert session.is_open
        assert not session.is_revocable
        assert session.outlet is outlet
        assert session.features == frozenset()
        assert session.last_request == 0
        assert (session.agent, session.wants_goodbye) == (None, False)

    def test_what_it_holds_is_with_whatever_gave_it_that(self, session):
        assert not hasattr(session, "__dict__")
        names = [name for name in dir(session) if not name.startswith("_") and name != "principal"]
        values = (getattr(session, name) for name in names)
        others = (value for value in values if not callable(value))
        assert all(isinstance(value, int | str | frozenset | None) for value in others)

    def test_a_log_line_shows_who_it_is(self):
        assert repr(Session(7, make_principal("alice", "writer"), None)) == "<Session 7 alice (writer)>"

    def test_sessions_are_told_apart_by_identity_and_not_by_id(self):
        principal = make_principal()
        assert len({Session(1, principal, None), Session(1, principal, None)}) == 2


class TestFeatures:
    def test_are_named_by_role(self):
        roles = {
            "callee": PeerRole(features={"call_canceling": True, "call_timeout": True}),
            "caller": PeerRole(features={"payload_passthru_mode": True}),
            "publisher": PeerRole(),
        }
        assert announced(roles) == {
            "callee.call_canceling",
            "callee.call_timeout",
            "caller.payload_passthru_mode",
        }

    @pytest.mark.parametrize("value", [False, None, 1, "true", {}])
    def test_count_when_they_are_true_and_nothing_else(self, value):
        assert announced({"callee": PeerRole(features={"call_canceling": value})}) == frozenset()

    def test_that_the_router_does_not_ask_about_are_forgotten(self):
        roles = {
            "callee": PeerRole(features={"flying": True}),
            "pilot": PeerRole(features={"call_canceling": True}),
            "caller": PeerRole(features={"call_canceling": True}),
        }
        assert announced(roles) == frozenset()

    def test_have_other_spellings(self):
        features = {"call_cancelling": True, "payload_transparency": True}
        expected = {"callee.call_canceling", "callee.payload_passthru_mode"}
        assert announced({"callee": PeerRole(features=features)}) == expected

    def test_are_one_object_for_all_who_announce_the_same(self):
        first, second = (announced({"callee": PeerRole(features={"call_timeout": True})}) for _ in range(2))
        assert first is second


class TestLosingRegistrations:
    @pytest.mark.parametrize(
        ("features", "is_revocable", "hears"),
        [((), False, False), ((), True, True), ((REGISTRATION_REVOCATION,), False, True)],
    )
    def test_is_told_to_those_who_announced_or_said_that_they_understand_it(
        self, features, is_revocable, hears
    ):
        session = Session(7, make_principal(), None, frozenset(features), is_revocable)
        assert session.hears_of_lost_registrations is hears


class TestAnnouncing:
    def test_is_needed_for_what_is_used(self, session):
        session.features = frozenset({"caller.a"})
        session.check_announced("caller.a")
        for feature in ("callee.a", "caller.b"):
            with pytest.raises(PeerError, match=r"[ab] was not announced for the role calle[re]"):
                session.check_announced(feature)


def test_one_stock_client_has_more_than_it_announces():
    roles = {"callee": PeerRole(features={"call_timeout": True})}
    unannounced = {
        "caller.progressive_call_invocations",
        "callee.progressive_call_results",
        UNSTOPPABLE_CHUNKS,
    }
    assert announced(roles, "Wampy.js v8.0.2") == {"callee.call_timeout", *unannounced}
    for agent in (None, "", "AutobahnPython/26.10.2", "NotWampy.js v8", "Wampy.json"):
        assert announced(roles, agent) == {"callee.call_timeout"}


def test_others_are_told_who_it_is_and_nothing_about_where_it_comes_from():
    session = Session(7, make_principal("joe", "writer"), "an outlet", agent="a client")
    assert describe_session(session) == {
        "session": 7,
        "authid": "joe",
        "authrole": "writer",
        "authmethod": "anonymous",
        "authprovider": "static",
    }
    assert describe_session(Visitor(7, session.principal)) == describe_session(session)
