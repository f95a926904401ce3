"""Why clients should not be sent here: a store that hangs, or refuses; a start, and an end."""

import pytest

from radiod.core.promises import Promise
from radiod.service.readiness import DRAINING, FRESH_S, PATIENCE_S, STARTING, STORE, Readiness
from radiod.testing import FakeClock


class Store:
    """Keeps whoever asks waiting."""

    def __init__(self):
        self.asked = []

    def probe(self, done):
        self.asked.append(done)


class World:
    def __init__(self):
        self.clock = FakeClock()
        self.readiness = Readiness(self.clock, self.clock.timers)
        self.store = self.readiness.store = Store()
        self.readiness.is_restored = True

    def ask(self):
        """The answers that come, in a list."""
        answers = []
        found = self.readiness.reasons()
        if isinstance(found, Promise):
            found.then(answers.append)
        else:
            answers.append(found)
        return answers


@pytest.fixture
def world():
    return World()


def test_while_it_starts_the_store_is_not_asked(world):
    world.readiness.is_restored = False
    assert world.ask() == [[STARTING]]
    assert world.store.asked == []


def test_without_a_store_it_is_known_at_once(world):
    world.readiness.store = None
    assert world.ask() == [[]]
    world.readiness.is_draining = True
    assert world.ask() == [[DRAINING]]


def test_all_who_ask_meanwhile_get_one_answer_of_the_store(world):
    first, second = world.ask(), world.ask()
    assert (first, second, len(world.store.asked)) == ([], [], 1)
    world.store.asked[0](None)
    assert first == second == [[]]


def test_what_it_said_is_good_for_a_while(world):
    world.ask()
    world.store.asked[0](OSError("full"))
    assert world.ask() == [[STORE]]
    world.clock.advance(FRESH_S)
    again = world.ask()
    assert (again, len(world.store.asked)) == ([], 2)
    world.store.asked[1](None)
    assert again == [[]]


def test_a_store_that_hangs_does_not_write(world):
    answers = world.ask()
    world.clock.advance(PATIENCE_S)
    assert answers == [[STORE]]
    # Its answer comes too late to count.
    world.store.asked[0](None)
    assert world.ask() == [[STORE]]


def test_all_reasons_are_told(world):
    answers = world.ask()
    world.readiness.is_draining = True
    world.store.asked[0](OSError("full"))
    assert answers == [[DRAINING, STORE]]
