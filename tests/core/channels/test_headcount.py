"""Presence, case by case and against a list of (channel, person) for each session."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiod.core.channels.headcount import Presence, watched


@pytest.fixture
def told():
    return []


@pytest.fixture
def presence(told):
    return Presence(lambda place, change: told.append((place, *change.values())))


def test_the_topic_of_a_channels_presence_names_it():
    assert watched("radiod.presence.a.b") == "a.b"
    assert watched("radiod.channel.on_create") is None
    assert watched("a") is None


def test_a_person_is_there_from_the_first_session_to_the_last(presence, told):
    presence.add("room", "ann")
    presence.add("room", "bob")
    presence.add("room", "ann")
    presence.remove("room", "ann")
    presence.remove("room", "ann")
    assert told == [
        ("room", "join", "ann", 1, 1, 1),
        ("room", "join", "bob", 1, 2, 2),
        ("room", "change", "ann", 2, 2, 3),
        ("room", "change", "ann", 1, 2, 2),
        ("room", "leave", "ann", 0, 1, 1),
    ]


def test_who_was_not_counted_does_not_leave(presence, told):
    presence.remove("room", "ann")
    presence.add("room", "bob")
    presence.remove("room", "ann")
    assert [change[1] for change in told] == ["join"]


def test_late_joiners_get_everybody_page_by_page(presence):
    for authid in "dacb":
        presence.add("room", authid)
    presence.add("room", "a")
    assert presence.snapshot("room") == {
        "users": {"a": 2, "b": 1, "c": 1, "d": 1},
        "count": 4,
        "total": 5,
        "next": None,
    }
    assert presence.snapshot("room", 2) == {"users": {"a": 2, "b": 1}, "count": 4, "total": 5, "next": "b"}
    assert presence.snapshot("room", 2, "b") == {
        "users": {"c": 1, "d": 1},
        "count": 4,
        "total": 5,
        "next": None,
    }
    assert presence.snapshot("elsewhere") == {"users": {}, "count": 0, "total": 0, "next": None}


def test_an_empty_room_takes_no_memory(presence):
    presence.add("room", "ann")
    assert "room" in presence
    assert list(presence) == ["room"]
    presence.remove("room", "ann")
    presence.add("hall", "ann")
    presence.forget("hall")
    presence.forget("hall")
    assert list(presence) == []
    assert not presence._totals


PLACES = st.sampled_from(["a", "b"])
PEOPLE = st.sampled_from(["ann", "bob", "cleo"])


class PresenceMachine(RuleBasedStateMachine):
    """The model is the list of sessions; what was told must add up to it."""

    def __init__(self):
        super().__init__()
        self.sessions = []
        self.heard = {}
        self.presence = Presence(self.hear)

    def hear(self, place, change):
        crowd = self.heard.setdefault(place, Counter())
        if change["event"] == "join":
            assert change["authid"] not in crowd
        else:
            assert change["authid"] in crowd
        crowd[change["authid"]] = change["sessions"]
        if change["event"] == "leave":
            assert crowd.pop(change["authid"]) == 0
        assert (change["users"], change["total"]) == (len(crowd), sum(crowd.values()))

    @rule(place=PLACES, authid=PEOPLE)
    def come(self, place, authid):
        self.sessions.append((place, authid))
        self.presence.add(place, authid)

    @rule(data=st.data())
    def go(self, data):
        if self.sessions:
            session = data.draw(st.sampled_from(self.sessions))
            self.sessions.remove(session)
            self.presence.remove(*session)

    @invariant()
    def everybody_knows_who_is_there(self):
        for place in ("a", "b"):
            here = Counter(authid for where, authid in self.sessions if where == place)
            assert self.heard.get(place, {}) == here
            assert self.presence.snapshot(place)["users"] == here
        assert set(self.presence) == {place for place, _ in self.sessions}


PresenceMachine.TestCase.settings = settings(max_examples=50)
TestPresenceMachine = PresenceMachine.TestCase
