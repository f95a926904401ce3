"""Lines of vehicles, and memory that follows the most at a time."""

import pytest

from simulator.agents.queues import NOBODY, Queues
from simulator.errors import TownError


def test_who_comes_first_leaves_first():
    queues = Queues(2)
    slots = [queues.enter_town() for _ in range(3)]
    for n, slot in enumerate(slots):
        queues.append(1, slot, label=n + 0.5, since=float(n))
    assert queues.count.tolist() == [0, 3]
    assert queues.first_label.tolist() == [float("inf"), 0.5]
    assert [queues.pop(1) for _ in slots] == slots
    assert queues.foremost(1) == NOBODY
    assert queues.first_label[1] == float("inf")
    assert queues.last_label[1] == 2.5


def test_ids_count_up_and_slots_are_used_again():
    queues = Queues(1)
    for n in range(1000):
        slot = queues.enter_town()
        assert queues.id[slot] == n
        queues.append(0, slot, float(n), float(n))
        if n >= 10:
            queues.leave_town(queues.pop(0))
    assert len(queues.id) == 64
    assert queues.id[queues.slots()].tolist() == list(range(990, 1000))


def test_there_is_room_for_any_number_of_vehicles():
    queues = Queues(3)
    for n in range(300):
        queues.append(n % 3, queues.enter_town(), float(n), 0.0)
    assert queues.count.tolist() == [100, 100, 100]
    assert len(set(queues.slots().tolist())) == 300


def test_a_state_restores_all_lines():
    queues = Queues(3)
    for n in range(100):
        queues.append(n % 2, queues.enter_town(), float(n), n / 7)
    for _ in range(30):
        queues.leave_town(queues.pop(0))
    other = Queues(3)
    other.restore(queues.state())
    for name, array in queues.state().items():
        assert other.state()[name].tolist() == array.tolist()
    assert other.count.tolist() == queues.count.tolist()
    assert other.id[other.enter_town()] == 100
    with pytest.raises(TownError, match=r"^state: vehicles are of another town"):
        Queues(1).restore(queues.state())
    with pytest.raises(TownError, match=r"^state: vehicles are not all told alike"):
        Queues(3).restore(queues.state() | {"id": queues.state()["id"][1:]})
