from support.cluster.desks import DeskWorld

from radiod.errors import INVALID_ARGUMENT


def test_wrong_arguments_are_refused_without_asking():
    world = DeskWorld("a", "b")
    caller = world.caller("a")
    for wrong in ({"name": 5}, {"name": "x", "limit": 0}, {"name": "x", "after": 5}):
        assert caller.do("radiod.presence.get", **wrong) == INVALID_ARGUMENT
    assert world["a"].realm.tables.mirrors.tables == []
