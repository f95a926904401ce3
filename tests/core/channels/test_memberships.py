"""Memberships in private channels, which outlive the channels."""

import pytest

from radiod.core.channels.memberships import check_entry, enter, private_channel, quit_all, withdraw
from radiod.core.channels.registry import Channel
from radiod.core.sessions.session import Session
from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, QUOTA, Refused
from radiod.testing import make_principal, make_realm

LIMIT = 2


@pytest.fixture
def session():
    return Session(1, make_principal(), None)


def channel(name):
    return Channel(name, make_realm().desk.space)


def assert_refused(uri, function, *arguments, **options):
    with pytest.raises(Refused) as refusal:
        function(*arguments, **options)
    assert refusal.value.uri == uri


def test_a_member_finds_its_channel_by_name(session):
    assert private_channel(session, "a") is None
    one = channel("a")
    enter(session, one, LIMIT)
    enter(session, one, LIMIT)
    assert private_channel(session, "a") is one
    assert private_channel(session, "b") is None
    assert list(one.members) == [session]


def test_a_name_means_one_channel_at_a_time(session):
    enter(session, channel("a"), LIMIT)
    assert_refused(CHANNEL_EXISTS, enter, session, channel("a"), LIMIT)
    assert_refused(CHANNEL_EXISTS, check_entry, session, "a", LIMIT, is_public=True)
    withdraw(session, "a")
    enter(session, channel("a"), LIMIT)


def test_an_ended_channel_is_remembered_until_the_member_leaves_it(session):
    """Or its publishes would go out to everybody."""
    one = channel("a")
    enter(session, one, LIMIT)
    one.is_ended = True
    assert_refused(CHANNEL_CLOSED, private_channel, session, "a")
    assert withdraw(session, "a") is one
    assert private_channel(session, "a") is None


def test_an_ended_channel_makes_room_for_a_new_one_of_its_name(session):
    for name in "ab":
        enter(session, channel(name), LIMIT)
        session.memberships[name].is_ended = True
    new = channel("a")
    enter(session, new, LIMIT)
    assert private_channel(session, "a") is new


def test_so_many_and_no_more(session):
    for name in "ab":
        enter(session, channel(name), LIMIT)
    assert_refused(QUOTA, enter, session, channel("c"), LIMIT)
    check_entry(session, "c", LIMIT, is_public=True)


def test_leaving_what_was_never_joined_does_nothing(session):
    assert withdraw(session, "a") is None
    quit_all(session)
    enter(session, channel("b"), LIMIT)
    assert withdraw(session, "a") is None


def test_a_session_that_leaves_is_no_member_of_anything(session):
    channels = [channel(name) for name in "ab"]
    for one in channels:
        enter(session, one, LIMIT)
    quit_all(session)
    assert not any(one.members for one in channels)
    assert not session.memberships
