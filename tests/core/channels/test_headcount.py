"""Headcount, case by case and against a list of (channel, person) for each session."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiod.core.channels.headcount import Headcount


@pytest.fixture
def told():
    return []


@pytest.fixture
def headcount(told):
    return Headcount(lambda place, change: told.append((place, *change.values())))


def test_a_person_is_there_from_the_first_session_to_the_last(headcount, told):
    headcount.add("room", "ann")
    headcount.add("room", "bob")
    headcount.add("room", "ann")
    headcount.remove("room", "ann")
    headcount.remove("room", "ann")
    assert told == [
        ("room", "join", "ann", 1, 1, 1),
        ("room", "join", "bob", 1, 2, 2),
        ("room", "change", "ann", 2, 2, 3),
        ("room", "change", "ann", 1, 2, 2),
        ("room", "leave", "ann", 0, 1, 1),
    ]


def test_who_was_not_counted_does_not_leave(headcount, told):
    headcount.remove("room", "ann")
    headcount.add("room", "bob")
    headcount.remove("room", "ann")
    assert [change[1] for change in told] == ["join"]


def test_late_joiners_get_everybody_page_by_page(headcount):
    for authid in "dacb":
        headcount.add("room", authid)
    headcount.add("room", "a")
    assert headcount.snapshot("room") == {
        "users": {"a": 2, "b": 1, "c": 1, "d": 1},
        "count": 4,
        "total": 5,
        "next": None,
    }
    assert headcount.snapshot("room", 2) == {"users": {"a": 2, "b": 1}, "count": 4, "total": 5, "next": "b"}
    assert headcount.snapshot("room", 2, "b") == {
        "users": {"c": 1, "d": 1},
        "count": 4,
        "total": 5,
        "next": None,
    }
    assert headcount.snapshot("elsewhere") == {"users": {}, "count": 0, "total": 0, "next": None}


def test_an_empty_room_takes_no_memory(headcount):
    headcount.add("room", "ann")
    assert "room" in headcount
    assert list(headcount) == ["room"]
    headcount.remove("room", "ann")
    headcount.add("hall", "ann")
    headcount.forget("hall")
    headcount.forget("hall")
    assert list(headcount) == []
    assert not headcount._totals


PLACES = st.sampled_from(["a", "b"])
PEOPLE = st.sampled_from(["ann", "bob", "cleo"])


class HeadcountMachine(RuleBasedStateMachine):
    """The model is the list of sessions; what was told must add up to it."""

    def __init__(self):
        super().__init__()
        self.sessions = []
        self.heard = {}
        self.headcount = Headcount(self.hear)

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
        self.headcount.add(place, authid)

    @rule(data=st.data())
    def go(self, data):
        if self.sessions:
            session = data.draw(st.sampled_from(self.sessions))
            self.sessions.remove(session)
            self.headcount.remove(*session)

    @invariant()
    def everybody_knows_who_is_there(self):
        for place in ("a", "b"):
            here = Counter(authid for where, authid in self.sessions if where == place)
            assert self.heard.get(place, {}) == here
            assert self.headcount.snapshot(place)["users"] == here
        assert set(self.headcount) == {place for place, _ in self.sessions}


HeadcountMachine.TestCase.settings = settings(max_examples=50)
TestHeadcountMachine = HeadcountMachine.TestCase
