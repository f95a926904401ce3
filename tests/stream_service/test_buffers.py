"""Rows 10 to 18 of docs/stream_service.md: buffers, rates, demand, fair shares.

A reader that takes one sample in ``INTERVAL`` seconds is the slow one: what comes sooner waits in its buffer.
Publishers feel only a reader that does not read at all.
"""

import time
import urllib.request
from itertools import islice

import pytest
from support.programs import Failed

CREATE, OPEN_WRITE, TUNE = "radiod.channel.create", "radiod.channel.open_write", "radiod.channel.tune"
ON_DEMAND = "radiod.channel.on_demand"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
OVERRUN = "radiod.error.overrun"

INTERVAL = 0.4
FOREVER = 3600
BIG = "x" * 50_000


def slow_reader(program, channel, **buffer):
    reader = program()
    reader.listen(channel, _radiod_buffer={"min_interval": INTERVAL, **buffer})
    return reader


def stalled_reader(program, channel, writer, **buffer):
    """A reader whose connection is full, so that all that ``writer`` publishes to ``channel`` has to wait."""
    reader = program(receive_buffer=4096)
    filler = f"{channel}.filler"
    reader.listen(filler, _radiod_buffer={"policy": "raise", "size": 1})
    reader.listen(channel, _radiod_buffer=buffer)
    with pytest.raises(Failed, match=OVERRUN):
        publish_for_ever(writer, filler)
    return reader


def publish_for_ever(writer, channel):
    while True:
        writer.publish(channel, BIG)


def heard_of(reader, count):
    """As ``heard``, without what filled the connection."""
    samples = (event for event in iter(reader.event, None) if event.data != BIG)
    return [(event.data, event.details.get("_lost", 0)) for event in islice(samples, count)]


def heard(reader, count):
    """The next samples, each with how many were lost before it."""
    events = [reader.event() for _ in range(count)]
    return [(event.data, event.details.get("_lost", 0)) for event in events]


class TestRow10Ring:
    def test_the_oldest_make_room(self, program, channel):
        reader = slow_reader(program, channel, size=3, policy="ring")
        program().send(channel, *range(1, 10))
        assert heard(reader, 4) == [(1, 0), (7, 5), (8, 0), (9, 0)]

    def test_it_is_the_default(self, program, channel):
        reader = program()
        assert reader.call(TUNE, channel)["policy"] == "ring"

    def test_more_than_256_losses_are_counted_right(self, program, channel):
        reader = slow_reader(program, channel, size=1)
        program().send(channel, *range(1000))
        assert heard(reader, 2) == [(0, 0), (999, 998)]


class TestRow11Clear:
    def test_all_that_waits_makes_room(self, program, channel):
        reader = slow_reader(program, channel, size=3, policy="clear")
        program().send(channel, *range(1, 10))
        assert heard(reader, 3) == [(1, 0), (8, 6), (9, 0)]


class TestRow12Skip:
    def test_the_newest_are_dropped(self, program, channel):
        reader, writer = slow_reader(program, channel, size=3, policy="skip"), program()
        writer.send(channel, *range(1, 10))
        assert heard(reader, 4) == [(1, 0), (2, 0), (3, 0), (4, 0)]
        writer.send(channel, 10)
        assert heard(reader, 1) == [(10, 5)]


class TestRow13Wait:
    def test_the_acknowledgement_waits_for_room_and_nothing_is_lost(self, program, channel):
        writer = program()
        reader = stalled_reader(program, channel, writer, size=1, policy="wait")
        writer.publish(channel, 1)
        held = writer.begin_publish(channel, 2)
        assert not writer.is_answered(held)
        assert heard_of(reader, 2) == [(1, 0), (2, 0)]
        writer.answer(held)

    def test_nobody_else_waits(self, program, channel):
        writer = program()
        stalled_reader(program, channel, writer, size=1, policy="wait")
        healthy, other = program(), program()
        healthy.listen(channel)
        other.listen(f"{channel}.other")
        writer.publish(channel, 0)
        held = writer.begin_publish(channel, 1)
        # The publisher itself, other readers of the channel, and other channels go on.
        writer.publish(f"{channel}.other", "on")
        assert other.event().data == "on"
        assert healthy.events(2) == [0, 1]
        assert not writer.is_answered(held)

    def test_it_does_not_wait_for_ever(self, program, channel):
        writer = program()
        stalled_reader(program, channel, writer, size=1, policy="wait")
        writer.publish(channel, 0)
        assert writer.publish_refusal(channel, 1) == OVERRUN

    def test_nobody_waits_for_a_reader_that_merely_chose_an_interval(self, program, channel):
        slow_reader(program, channel, size=1, policy="wait", min_interval=FOREVER)
        writer = program()
        for number in range(4):
            writer.publish(channel, number)


class TestRow14Raise:
    def test_the_publisher_is_told_and_nobody_got_it(self, program, channel):
        writer = program()
        stalled_reader(program, channel, writer, size=1, policy="raise")
        healthy = program()
        healthy.listen(channel)
        writer.publish(channel, 0)
        assert writer.publish_refusal(channel, 1) == OVERRUN
        assert [event.data for event in healthy.heard()] == [0]

    def test_without_acknowledgement_only_the_slow_reader_misses_it(self, program, channel):
        writer = program()
        reader = stalled_reader(program, channel, writer, size=1, policy="raise")
        healthy = program()
        healthy.listen(channel)
        writer.send(channel, 0, 1, 2)
        assert healthy.events(3) == [0, 1, 2]
        assert heard_of(reader, 1) == [(0, 0)]
        writer.send(channel, 3)
        assert heard_of(reader, 1) == [(3, 2)]


class TestRow15Size:
    def test_the_default_is_100(self, program, channel):
        reader = program()
        assert reader.call(TUNE, channel)["size"] == 100

    def test_a_recorder_may_have_as_many_as_its_bytes_hold(self, program, channel):
        recorder, writer = program(), program()
        recorder.listen(channel, _radiod_buffer={"size": 0, "min_interval": FOREVER})
        writer.send(channel, *range(1000))
        writer.call("radiod.echo")
        assert [event.data for event in recorder.heard()] == [0]
        recorder.call(TUNE, channel, size=0)
        assert recorder.events(999) == list(range(1, 1000))

    def test_bytes_are_bounded_as_well(self, program, channel):
        recorder, writer = program(), program()
        recorder.listen(channel, _radiod_buffer={"size": 0, "min_interval": FOREVER, "max_bytes": 10_000})
        writer.send(channel, *("x" * 1000 for _ in range(100)))
        writer.call("radiod.echo")
        recorder.call(TUNE, channel, size=0, max_bytes=10_000)
        events = recorder.heard()
        lost = sum(event.details.get("_lost", 0) for event in events)
        assert len(events) + lost == 100
        assert 90 <= lost <= 92

    @pytest.mark.parametrize("size", [-1, 1.5, "100", True, 10**9])
    def test_what_is_no_size_is_refused_by_name(self, program, channel, size):
        reader = program()
        request = reader.begin_call(TUNE, channel, size=size)
        with pytest.raises(Exception) as refusal:
            reader.result(request)
        assert refusal.value.uri == INVALID_ARGUMENT
        assert "size" in refusal.value.text


class TestRow16Rate:
    def test_every_third_is_the_third_the_sixth(self, program, channel):
        reader, writer = program(), program()
        reader.listen(channel, _radiod_buffer={"every": 3})
        writer.send(channel, *range(1, 11))
        writer.call("radiod.echo")
        assert [(event.data, event.details.get("_lost")) for event in reader.heard()] == [
            (3, None),
            (6, None),
            (9, None),
        ]

    def test_a_least_interval(self, program, channel):
        reader = slow_reader(program, channel)
        program().send(channel, *range(3))
        times = []
        for number in range(3):
            assert reader.event().data == number
            times.append(time.monotonic())
        assert times[2] - times[0] > 2 * INTERVAL * 0.8

    def test_only_the_newest_of_what_waits(self, program, channel):
        reader = slow_reader(program, channel, latest=True)
        program().send(channel, *range(10))
        assert heard(reader, 2) == [(0, 0), (9, 0)]


def state(answer):
    """Whether a channel is active, and for how many readers."""
    return answer["active"], answer["readers"]


class TestRow17Demand:
    def test_a_writer_learns_whether_anybody_listens(self, program, channel):
        writer, reader = program(), program()
        writer.listen(ON_DEMAND)
        assert writer.call(CREATE, channel)["readers"] == 0
        subscription = reader.listen(channel)
        assert writer.event().data == {"name": channel, "readers": 1, "active": True}
        reader.stop_listening(subscription)
        assert writer.event().data == {"name": channel, "readers": 0, "active": False}

    def test_it_starts_at_once_and_ends_when_the_last_reader_dies(self, program, channel):
        writer, reader = program(), program()
        writer.listen(ON_DEMAND)
        writer.call(CREATE, channel)
        began = time.monotonic()
        reader.listen(channel)
        assert writer.event().data["active"] is True
        assert time.monotonic() - began < 0.5
        reader.close()
        assert writer.event().data["active"] is False

    def test_it_does_not_flap(self, program, channel):
        writer, reader = program(), program()
        writer.listen(ON_DEMAND)
        writer.call(CREATE, channel)
        for _ in range(10):
            subscription = reader.listen(channel)
            reader.stop_listening(subscription)
        reader.listen(channel)
        states = [event.data["active"] for event in writer.heard()]
        assert set(states) == {True}

    def test_patterns_and_http_listeners_count(self, program, server, channel):
        writer, reader = program(), program()
        writer.listen(ON_DEMAND)
        writer.call(CREATE, channel)
        reader.listen(channel, match="prefix")
        assert writer.event().data["readers"] == 1
        request = urllib.request.Request(
            f"{server.url}/listen/{channel}", headers={"Accept": "text/event-stream"}
        )
        with urllib.request.urlopen(request, timeout=20):
            assert state(writer.call(OPEN_WRITE, channel)) == (True, 2)

    def test_it_is_told_to_writers_alone(self, program, channel):
        writer, other, reader = program(), program(), program()
        other.listen(ON_DEMAND)
        writer.listen(ON_DEMAND)
        writer.call(CREATE, channel)
        reader.listen(channel)
        assert writer.event().data["active"] is True
        assert other.heard() == []

    def test_who_opens_a_channel_to_write_learns_it_at_once(self, program, channel):
        owner, writer, reader = program(), program(), program()
        owner.call(CREATE, channel)
        assert state(writer.call(OPEN_WRITE, channel)) == (False, 0)
        reader.listen(channel)
        assert state(writer.call(OPEN_WRITE, channel)) == (True, 1)

    def test_http_publishers_are_told_in_a_header(self, program, server, channel):
        program().listen(channel)
        body = b'{"network": "%b", "data": {}}' % channel.encode()
        request = urllib.request.Request(f"{server.url}/publish", body, {"API-KEY": "station-key"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["X-Radiod-Readers"] == "1"


class TestRow18Fairness:
    COUNT = 6000
    """Samples of 1 KB on each channel: more than the kernel holds for a connection."""

    def stalled(self, program, *topics):
        """A session that does not read and listens to topics with buffers that hold everything."""
        reader = program(receive_buffer=4096)
        for topic, weight in topics:
            buffer = {"size": self.COUNT, "max_bytes": 1 << 23, "weight": weight, "policy": "skip"}
            reader.listen(topic, _radiod_buffer=buffer)
        return reader

    def test_channels_of_one_session_share_by_weight(self, program, channel):
        heavy, light = f"{channel}.heavy", f"{channel}.light"
        reader, writer = self.stalled(program, (heavy, 3), (light, 1)), program()
        for _ in range(self.COUNT // 100):
            for topic, name in ((heavy, "heavy"), (light, "light")) * 100:
                writer.send(topic, [name, "x" * 1000])
        writer.call("radiod.echo")
        names = [name for name, _ in reader.events(2 * self.COUNT)]
        # What the kernel held came by turns. Of what waited, all heavy ones left with a third of the light
        # ones, and the other two thirds behind them.
        behind = names[::-1].index("heavy")
        waited = behind * 3 // 2
        assert waited > 1000
        together = names[-2 * waited : -behind]
        assert 2.8 < together.count("heavy") / together.count("light") < 3.2

    def test_a_session_that_does_not_read_delays_no_other(self, program, channel):
        self.stalled(program, (channel, 1))
        healthy, writer = program(), program()
        healthy.listen(channel)
        for start in range(0, 3000, 100):
            writer.send(channel, *([number, "x" * 1000] for number in range(start, start + 100)))
            assert [number for number, _ in healthy.events(100)] == list(range(start, start + 100))
