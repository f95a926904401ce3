"""The fake engine keeps what the ports promise, and nothing more."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster.engine import FakeEngine, fits

from radiod.core.cluster.ports import MOST_AT_ONCE, Appended, Failure, Stored, StreamSettings
from radiod.testing import FakeClock

SETTINGS = StreamSettings("s", ("s.>",), max_per_subject=2)


class User:
    """Uses both ports, and remembers."""

    def __init__(self):
        self.heard = []

    def came(self, subject, reply, data):
        self.heard.append((subject, data))

    def unreachable(self, reply):
        self.heard.append(("unreachable", reply))

    def stored(self, record):
        self.heard.append(record)

    def up(self):
        pass

    def down(self):
        pass


@pytest.fixture
def engine():
    return FakeEngine(FakeClock(), Random(1))


def attach(engine, *names):
    users = [User() for _ in names]
    ports = [engine.attach(name, user) for name, user in zip(names, users, strict=True)]
    engine.clock.advance(1)
    return ports, users


def ask(engine, method, *arguments, **more):
    told = []
    method(*arguments, told.append, **more)
    assert told == [], "no method calls back before it returns"
    engine.clock.advance(5)
    return told[0]


@pytest.mark.parametrize(
    ("pattern", "subject", "is_fit"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("a.b", "a.c", False),
        ("a.b.c", "a.b", False),
    ],
)
def test_subjects_fit_by_tokens(pattern, subject, is_fit):
    assert fits(pattern, subject) is is_fit


@given(st.integers(0, 1000))
def test_messages_come_in_order_and_behind_the_listening(seed):
    engine = FakeEngine(FakeClock(), Random(seed))
    (one, other), (_, user) = attach(engine, "a", "b")
    other.listen("x.*")
    engine.clock.advance(1)
    for number in range(10):
        assert one.send(f"x.{number % 2}", b"%d" % number)
    engine.clock.advance(1)
    assert [data for _, data in user.heard] == [b"%d" % number for number in range(10)]


def test_nobody_hears_itself_and_nobody_at_all_is_told(engine):
    (one, _), (user, other) = attach(engine, "a", "b")
    one.listen("x")
    assert one.send("x", b"", reply="here")
    engine.clock.advance(1)
    assert user.heard == [("unreachable", "here")]
    assert other.heard == []


def test_a_cut_loses_without_a_word_and_is_mended(engine):
    (one, other), (_, user) = attach(engine, "a", "b")
    other.listen("x")
    engine.clock.advance(1)
    engine.cut("a", "b")
    assert one.send("x", b"lost")
    engine.clock.advance(1)
    engine.heal()
    engine.clock.advance(1)
    assert one.send("x", b"heard")
    engine.clock.advance(1)
    assert user.heard == [("x", b"heard")]


def test_records_have_one_order_a_past_and_are_told(engine):
    (one, other), (_, user) = attach(engine, "a", "b")
    assert ask(engine, one.ensure, SETTINGS) is None
    other.follow("s.>")
    for number in range(3):
        assert ask(engine, one.append, "s", "s.k", b"%d" % number) == Appended(number + 1)
    assert user.heard == [Stored("s.k", at + 1, at, b"%d" % at) for at in range(3)]
    held = [Stored("s.k", 2, 0, b"1"), Stored("s.k", 3, 0, b"2")]
    assert ask(engine, other.read, "s", "s.k", 0, 10) == held
    assert ask(engine, other.last, "s", "s.k") == held[1]
    assert ask(engine, other.last_many, "s", ["s.k", "s.none"]) == [held[1]]
    assert ask(engine, one.purge, "s", "s.k", before=3) is None
    assert ask(engine, other.read, "s", "s.k", 0, 10) == held[1:]
    assert ask(engine, one.purge, "s", "s.k") is None
    assert ask(engine, other.last, "s", "s.k") is None


def test_compare_and_set_and_ids(engine):
    (one,), _ = attach(engine, "a")
    ask(engine, one.ensure, SETTINGS)
    assert ask(engine, one.append, "s", "s.k", b"", expected=0, id="i") == Appended(1)
    assert ask(engine, one.append, "s", "s.k", b"", expected=0) is Failure.TAKEN
    assert ask(engine, one.append, "s", "s.k", b"", id="i") == Appended(1, is_repeat=True)
    assert ask(engine, one.append, "none", "s.k", b"") is Failure.REFUSED


def test_the_minority_stores_nothing(engine):
    (one, *_), _ = attach(engine, "a", "b", "c")
    ask(engine, one.ensure, SETTINGS)
    engine.cut("a", "b")
    engine.cut("a", "c")
    assert ask(engine, one.append, "s", "s.k", b"") in (Failure.REFUSED, Failure.UNKNOWN)


def test_many_are_not_too_many_for_nats():
    assert MOST_AT_ONCE <= 1024
