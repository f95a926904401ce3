"""The outlet that hands over frames, on a radiod in memory."""

import json

import pytest

from radiod.testing import ALLOW_ALL, make_principal
from radiod.transport.formats import ND_JSON
from radiod.transport.handing import HandingOutlet
from radiod.wire.codecs import Payload

PACED = """
[realms.radio.channels.sample_net.buffer]
min_interval = 1
[realms.radio.channels.other.buffer]
min_interval = 1
"""


class Hand:
    """A listener that takes frames from the hand."""

    def __init__(self, world, *topics, max_bytes=1 << 20):
        self.world = world.start(PACED)
        self.taken, self.missed, self.ended = [], 0, 0
        self.outlet = HandingOutlet(
            world.radio.fan_out,
            ND_JSON,
            max_bytes=max_bytes,
            take=self.taken.append,
            miss=self._miss,
            on_end=self._end,
        )
        self.gateway = world.realm.gateway
        self.session = self.gateway.join(make_principal("hand", permissions=ALLOW_ALL), self.outlet)
        self.publisher = self.gateway.join(make_principal("p", permissions=ALLOW_ALL), None)
        for topic in topics:
            self.gateway.listen(self.session, topic)

    def _miss(self):
        self.missed += 1

    def _end(self):
        self.ended += 1

    def publish(self, topic, *args):
        self.gateway.publish(self.publisher, topic, Payload.of(*args))

    def heard(self, seconds=0):
        self.world.reactor.advance(seconds)
        found = [told["data"] for told in map(json.loads, self.taken) if "data" in told]
        self.taken.clear()
        return found


@pytest.fixture
def hand(world):
    return lambda *topics, **options: Hand(world, *topics, **options)


def test_frames_are_handed_over_one_by_one_at_the_end_of_the_turn(hand):
    one = hand("a", "b")
    for value in range(3):
        one.publish("a", value)
        one.publish("b", value)
    assert one.taken == []
    assert one.heard() == [0, 0, 1, 1, 2, 2]


def test_what_waited_for_its_pace_is_handed_over_one_by_one_too(hand):
    one = hand("sample_net", "other")
    for value in range(3):
        one.publish("sample_net", ["s", value])
        one.publish("other", ["o", value])
    assert one.heard() == [["s", 0], ["o", 0]]
    assert sorted(one.heard(1.0)) == [["o", 1], ["s", 1]]
    assert sorted(one.heard(1.0)) == [["o", 2], ["s", 2]]
    assert one.heard(5.0) == []


def test_what_is_too_long_is_missed(hand):
    one = hand("a", max_bytes=100)
    one.publish("a", "x" * 100)
    one.publish("a", "short")
    assert one.heard() == ["short"]
    assert one.missed == 1


def test_it_outlives_its_channels_and_ends_with_its_session(hand):
    one = hand("a")
    channels = one.world.realm.procedures
    made = channels.call(one.publisher, "radiod.channel.create", Payload.of("a")).values()[0][0]
    channels.call(one.publisher, "radiod.channel.delete", Payload.of("a", made["control_key"]))
    assert one.heard() == []
    channels.call(one.publisher, "radiod.channel.create", Payload.of("a"))
    one.publish("a", 1)
    assert one.heard() == [1]
    assert one.ended == 0
    one.publish("a", 2)
    one.world.realm.leave(one.publisher)
    one.world.realm.close()
    assert one.heard() == [2]
    assert one.ended == 1
