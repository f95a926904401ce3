"""Buffers on real sockets: listeners that stop reading, publishers that wait for them, rates in real time."""

import contextlib
import time

import pytest
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

BIG = "x" * 20_000
"""More than 200 of these are more than the kernel takes for a client that does not read."""


@pytest.fixture
def server(world):
    return world.serve()


@pytest.fixture
def client(server):
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(RawClient(server.port, **options)))


def listening(client, *topics, receive_buffer=4096, **buffer):
    listener = client(receive_buffer=receive_buffer)
    for topic in topics:
        listener.ask([32, None, {"_radiod_buffer": buffer}, topic])
    return listener


def publish_until_one_waits(publisher, topic="a"):
    """Publish acknowledged events until an answer stays away. Returns: how many were published."""
    publisher.give_up_after(0.5)
    with contextlib.suppress(TimeoutError):
        for count in range(1, 2000):
            publisher.say([16, None, {"acknowledge": True}, topic, [count - 1, BIG]])
            assert publisher.hear()[0] == 17
    publisher.give_up_after(20)
    return count


def test_who_publishes_to_a_slow_listener_that_must_lose_nothing_waits_and_nobody_else_does(client):
    slow, publisher, other = listening(client, "a", policy="wait", size=5), client(), listening(client, "b")
    count = publish_until_one_waits(publisher)
    # Its session goes on, on other channels as well, and so do all others.
    begun = time.monotonic()
    answer = publisher.ask([16, None, {"acknowledge": True}, "b", ["now"]])
    assert (answer[0], answer[1]) == (17, count + 1)
    assert other.hear()[4] == ["now"]
    assert time.monotonic() - begun < 1
    heard = [slow.hear() for _ in range(count)]
    assert [event[4][0] for event in heard] == list(range(count))
    assert all(event[3] == {} for event in heard)
    assert publisher.hear()[:2] == [17, count]


def test_a_publisher_that_waited_too_long_is_told_so_and_the_listener_of_the_loss(client):
    slow, publisher = listening(client, "a", policy="wait", size=5), client()
    count = publish_until_one_waits(publisher)
    begun = time.monotonic()
    answer = publisher.hear()
    assert answer[:5] == [8, 16, count, {}, "radiod.error.overrun"]
    assert 3 < time.monotonic() - begun < 6
    assert [slow.hear()[4][0] for _ in range(count - 1)] == list(range(count - 1))
    publisher.say([16, None, {"acknowledge": True}, "a", ["after"]])
    event = slow.hear()
    assert (event[3], event[4]) == ({"_lost": 1}, ["after"])


def test_a_listener_that_refuses_refuses_until_it_reads(client):
    slow, publisher = listening(client, "a", policy="raise", size=5), client()
    published = 0
    while publisher.ask([16, None, {"acknowledge": True}, "a", [published, BIG]])[0] == 17:
        published += 1
    assert [slow.hear()[4][0] for _ in range(published)] == list(range(published))
    assert publisher.ask([16, None, {"acknowledge": True}, "a", [published]])[0] == 17
    assert slow.hear()[4] == [published]


def test_a_connection_is_shared_by_weight(client):
    listener, publisher = client(receive_buffer=4096), client()
    for topic, weight in (("fill", 1), ("heavy", 4), ("light", 1)):
        buffer = {"weight": weight, "size": 1000, "max_bytes": 10_000_000}
        listener.ask([32, None, {"_radiod_buffer": buffer}, topic])
    for topic, count, data in (("fill", 300, BIG), ("light", 400, "y" * 1000), ("heavy", 400, "z" * 1000)):
        for n in range(count):
            publisher.say([16, None, {}, topic, [topic, n, data]])
    publisher.ask([48, None, {}, "radiod.echo"])
    heard = [listener.hear()[4][:2] for _ in range(1100)]
    shared = [topic for topic, _ in heard if topic != "fill"]
    # While both wait, four of one go with one of the other.
    assert shared[:400].count("heavy") == pytest.approx(320, abs=8)
    for topic in ("fill", "heavy", "light"):
        numbers = [n for one, n in heard if one == topic]
        assert numbers == list(range(len(numbers)))


def test_the_latest_comes_at_an_interval(client):
    listener, publisher = listening(client, "a", min_interval=0.2, latest=True), client()
    begun = time.monotonic()
    for n in range(100):
        publisher.say([16, None, {}, "a", [n]])
        publisher.ask([48, None, {}, "radiod.echo"])
    heard = [listener.hear()]
    while heard[-1][4] != [99]:
        heard.append(listener.hear())
    elapsed = time.monotonic() - begun
    assert len(heard) <= elapsed / 0.2 + 1
    assert all("_lost" not in event[3] for event in heard)


def test_a_stock_client_tunes_by_procedure(client):
    listener, publisher = client(), client()
    answer = listener.ask([48, None, {}, "radiod.channel.tune", ["a"], {"every": 10}])
    assert answer[3][0]["every"] == 10
    listener.ask([32, None, {}, "a"])
    publisher.say(*([16, None, {}, "a", [n]] for n in range(30)))
    assert [listener.hear()[4] for _ in range(3)] == [[9], [19], [29]]
