from support.cluster.desks import DeskWorld

from radiod.core.cluster.testament_records import Estate
from radiod.core.pubsub import testaments
from radiod.core.rights import Verdict
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions


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


def test_what_is_left_to_a_channel_that_has_ended_meanwhile_is_for_nobody():
    world = DeskWorld("a")
    listener = world.listener("a", "", match="prefix")
    payload, verdict = Payload.of("x"), Verdict(is_allowed=True)
    left = testaments.Testament("destroyed", "#0123", payload, PublishOptions(), verdict)
    world["a"].realm.departures.publish_for(Estate(1, 2, "author", "tester", ()), [left])
    world.turn()
    assert listener.events() == []
