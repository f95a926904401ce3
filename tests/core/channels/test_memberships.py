"""Memberships in private channels, which outlive the channels."""

import pytest
from support.answers import assert_refused

from radiod.core.channels.channel import Channel
from radiod.core.channels.memberships import Memberships
from radiod.core.sessions.session import Session
from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, QUOTA
from radiod.testing import make_principal, make_realm

LIMIT = 2


@pytest.fixture
def memberships():
    return Memberships(LIMIT)


@pytest.fixture
def session():
    return Session(1, make_principal(), None)


def channel(name):
    return Channel(name, make_realm().space)


def test_a_member_finds_its_channel_by_name(memberships, session):
    assert memberships.find(session, "a") is None
    one = channel("a")
    memberships.enter(session, one)
    memberships.enter(session, one)
    assert memberships.find(session, "a") is one
    assert memberships.find(session, "b") is None
    assert list(one.members) == [session]


def test_a_name_means_one_channel_at_a_time(memberships, session):
    memberships.enter(session, channel("a"))
    assert_refused(CHANNEL_EXISTS, memberships.enter, session, channel("a"))
    assert_refused(CHANNEL_EXISTS, memberships.check_entry, session, "a", is_public=True)
    memberships.withdraw(session, "a")
    memberships.enter(session, channel("a"))


def test_an_ended_channel_is_remembered_until_the_member_leaves_it(memberships, session):
    """Or its publishes would go out to everybody."""
    one = channel("a")
    memberships.enter(session, one)
    one.is_ended = True
    assert_refused(CHANNEL_CLOSED, memberships.find, session, "a")
    assert memberships.of(session) == {"a": one}
    assert memberships.withdraw(session, "a") is one
    assert memberships.find(session, "a") is None


def test_an_ended_channel_makes_room_for_a_new_one_of_its_name(memberships, session):
    for name in "ab":
        memberships.enter(session, channel(name))
        memberships.of(session)[name].is_ended = True
    new = channel("a")
    memberships.enter(session, new)
    assert memberships.find(session, "a") is new


def test_so_many_and_no_more(memberships, session):
    for name in "ab":
        memberships.enter(session, channel(name))
    assert_refused(QUOTA, memberships.enter, session, channel("c"))
    memberships.check_entry(session, "c", is_public=True)


def test_a_session_may_have_a_limit_of_its_own(memberships, session):
    """What the configuration grants is not counted against what it lets sessions ask for."""
    for name in "abc":
        memberships.enter(session, channel(name), limit=3)
    assert_refused(QUOTA, memberships.enter, session, channel("d"), limit=3)
    assert list(memberships.of(session)) == ["a", "b", "c"]


def test_each_session_has_its_own(memberships, session):
    other = Session(2, make_principal(), None)
    one = channel("a")
    memberships.enter(session, one)
    assert (session in memberships.by_session, other in memberships.by_session, len(memberships)) == (
        True,
        False,
        1,
    )
    assert memberships.find(other, "a") is None
    assert memberships.of(other) == {}
    memberships.enter(other, one)
    assert memberships.withdraw(session, "a") is one
    assert list(one.members) == [other]


def test_leaving_what_was_never_joined_does_nothing(memberships, session):
    assert memberships.withdraw(session, "a") is None
    memberships.leave(session)
    memberships.enter(session, channel("b"))
    assert memberships.withdraw(session, "a") is None


def test_who_left_its_last_channel_takes_no_memory(memberships, session):
    for name in "ab":
        memberships.enter(session, channel(name))
    memberships.withdraw(session, "a")
    assert session in memberships.by_session
    memberships.withdraw(session, "b")
    assert session not in memberships.by_session
    assert len(memberships) == 0


def test_a_session_that_leaves_is_no_member_of_anything(memberships, session):
    channels = [channel(name) for name in "ab"]
    for one in channels:
        memberships.enter(session, one)
    memberships.leave(session)
    assert not any(one.members for one in channels)
    assert session not in memberships.by_session
    assert len(memberships) == 0


def test_a_channel_that_ended_has_no_members_to_leave_it(memberships, session):
    one = channel("a")
    memberships.enter(session, one)
    one.members.clear()
    memberships.leave(session)
    assert len(memberships) == 0
