from support.cluster.desks import DeskWorld


def test_sessions_of_a_server_that_stops_have_left_for_the_others():
    world = DeskWorld("a", "b")
    watcher = world.caller("a")
    watcher.ask(32, {}, "wamp.session.on_leave")
    gone = world.join("b")
    world.turn()
    world["b"].realm.close()
    world["b"].cluster.stop()
    world.turn()
    assert [event[0] for event in watcher.events()] == [gone.id]
