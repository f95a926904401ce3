"""What a radio was comes back in another one: positions, the past, and all that clients hold a handle to."""

import pytest
from support.config import parsed
from support.memory import WebSocketWire
from twisted.internet.testing import MemoryReactorClock

from radiod.service.radio import Radio
from radiod.state.moments import Moment
from radiod.state.state import StateError, capture, restore

KEPT = """
[realms.radio.channels.kept]
history = { size = 10 }

[realms.radio.channels."many.*"]
history = { size = 3, seconds = 60 }
"""
THEN = Moment(time=1000.0, boot="b", up=100.0)


class Life:
    """One process: a radio, and somebody who publishes and comes back."""

    def __init__(self, text=KEPT, **limits):
        self.reactor = MemoryReactorClock()
        self.radio = Radio(parsed(text, **limits), self.reactor)

    @property
    def realm(self):
        return self.radio.realms["radio"]

    def join(self):
        wire = WebSocketWire(self.radio, self.reactor)
        wire.join()
        return wire

    def publish(self, topic, *numbers, **options):
        wire = self.join()
        wire.say(*([16, None, options, topic, [number]] for number in numbers))
        wire.hang_up()

    def position(self, topic):
        return str(self.realm.space.histories.track(topic).position)

    def recovered(self, topic, after):
        """What a listener gets behind a position: numbers; None first where something is missing."""
        wire = self.join()
        wire.say([32, None, {"_radiod_after": after}, topic])
        heard = [message for message in wire.heard() if message[0] == 36]
        wire.hang_up()
        told = [message[4][0] for message in heard]
        return [None, *told] if any(one[3].get("_recovered") is False for one in heard) else told

    def stop(self, at=THEN):
        for realm in self.radio.realms.values():
            realm.close()
        return b"".join(capture(self.radio, at))

    def next(self, text=KEPT, away=1.0, **limits):
        """The process after this one. ``away``: seconds between the two."""
        data = self.stop()
        life = Life(text, **limits)
        life.notes = restore(life.radio, data, Moment(time=THEN.time + away, boot="b", up=THEN.up + away))
        return life


@pytest.fixture
def life():
    return Life()


@pytest.mark.parametrize("topic", ["kept", "many.a"])
def test_who_comes_back_gets_what_it_missed(life, topic):
    life.publish(topic, 1, 2)
    at = life.position(topic)
    life.publish(topic, 3)
    after = life.next()
    assert after.recovered(topic, at) == [3]
    after.publish(topic, 4)
    assert after.recovered(topic, at) == [3, 4]


def test_what_is_counted_goes_on_counting(life):
    at = life.position("counted")
    life.publish("counted", 1, 2)
    position = life.position("counted")
    after = life.next()
    assert after.position("counted") == position
    after.publish("counted", 3)
    assert after.position("counted") == position.replace(":2", ":3")
    # Nothing is held: who comes later has missed it.
    after.join()
    assert not after.realm.space.histories.find("counted").after(
        type(after.realm.space.histories.find("counted").position)(at.split(":")[0], 0)
    )[1]


def test_ages_go_on_while_the_server_is_away(life):
    life.publish("many.a", 1)
    life.reactor.advance(30)
    life.publish("many.a", 2)
    after = life.next(away=40)
    history = after.realm.space.histories.find("many.a")
    assert [record.payload.args for record in after.realm.space.histories.of("many.a")] == [b"[2]"]
    assert history.unheld == 1
    after.reactor.advance(21)
    assert after.realm.space.histories.of("many.a") == []


def test_what_is_cut_off_or_damaged_is_no_state(life):
    life.publish("kept", 1)
    data = life.stop()
    for end in range(len(data)):
        with pytest.raises(StateError):
            restore(Life().radio, data[:end]) if end % 50 == 0 else _check(data[:end])
    for at in range(len(data)):
        with pytest.raises(StateError):
            _check(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def _check(data):
    from radiod.state.format import read_sections

    read_sections(data)
