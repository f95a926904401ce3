"""One publication on its way to many."""

from radiod.core.delivery.broadcast import Broadcast
from radiod.wire.codecs import Payload

PAYLOAD = Payload.of("x")


def broadcast(is_end_mark=False):
    event = Broadcast(7, 9, "a.topic", {"publisher": 1}, PAYLOAD, is_end_mark)
    event.frames["json"] = b"made for all"
    return event


def test_what_one_listener_is_told_more_is_told_to_nobody_else():
    event = broadcast()
    told = event.telling({"_missed": 3})
    assert told.details == {"publisher": 1, "_missed": 3}
    assert event.details == {"publisher": 1}


def test_it_is_the_same_event_for_that_listener():
    event = broadcast(is_end_mark=True)
    told = event.telling({})
    assert (told.subscription, told.publication, told.topic) == (7, 9, "a.topic")
    assert told.payload is PAYLOAD
    assert told.is_end_mark


def test_what_is_told_takes_the_place_of_what_all_hear():
    assert broadcast().telling({"publisher": 2}).details == {"publisher": 2}


def test_its_frames_are_its_own_since_it_tells_something_else():
    event = broadcast()
    told = event.telling({"_missed": 3})
    assert told.frames == {}
    told.frames["json"] = b"made for one"
    assert event.frames == {"json": b"made for all"}
