import pytest
from support.cluster.calling import CallWorld

from radiod.errors import INVALID_URI


@pytest.mark.parametrize("procedure", ["wamp.x", "radiod.x"])
def test_what_is_the_routers_is_registered_by_nobody(procedure):
    world = CallWorld(1)
    assert world["a"].join().ask(64, 1, {}, procedure, seconds=0)[0][4] == INVALID_URI


def test_what_comes_behind_a_register_waits_for_its_answer():
    world = CallWorld(2)
    one = world["a"].join()
    one.send(64, 1, {}, "a.p")
    one.send(48, 2, {}, "radiod.echo", ["behind"])
    assert one.take() == []
    world.wait(0.1)
    assert [message[0] for message in one.take()] == [65, 50]
