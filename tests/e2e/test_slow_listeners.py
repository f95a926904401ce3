"""Real sockets that do not read: order, memory, and what the slow ones are told."""

import contextlib

import pytest
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

EVENTS = 10_000
BATCH = 200
BUFFER = 100
"""Events a listener's buffer holds."""


@pytest.fixture
def server(world):
    return world.serve()


@pytest.fixture
def client(server):
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(RawClient(server.port, **options)))


def listening(client, topic="a", **options):
    listener = client(**options)
    listener.ask([32, 1, {}, topic])
    return listener


def publish(publisher, count, listener=None, size=1000, first=0):
    """Publish numbered events, in batches that ``listener`` has to have received before the next."""
    heard = []
    for start in range(first, first + count, BATCH):
        numbers = range(start, min(start + BATCH, first + count))
        publisher.say(*([16, None, {}, "a", [n, "x" * size]] for n in numbers))
        heard += [listener.hear()[4][0] for _ in numbers] if listener else []
    return heard


def test_events_of_each_publisher_arrive_in_its_order(client):
    listeners = [listening(client) for _ in range(5)]
    publishers = [client() for _ in range(3)]
    for start in range(0, 1000, BATCH):
        for name, publisher in enumerate(publishers):
            publisher.say(*([16, None, {}, "a", [name, n]] for n in range(start, start + BATCH)))
    for listener in listeners:
        heard = [listener.hear()[4] for _ in range(3000)]
        for name in range(3):
            assert [n for publisher, n in heard if publisher == name] == list(range(1000))


def test_stalled_listeners_cost_little_memory_and_learn_what_they_missed(server, client):
    stalled = [listening(client, receive_buffer=4096) for _ in range(20)]
    healthy, publisher = listening(client), client()
    publish(publisher, BATCH, healthy)
    before = server.resident_kib()
    assert publish(publisher, EVENTS, healthy, first=BATCH) == list(range(BATCH, BATCH + EVENTS))
    grown = server.resident_kib() - before
    # 20 stalled listeners of 10,000 events of 1 KiB: 200 MiB if everything were kept.
    assert grown < 20 * 1024
    for listener in stalled:
        assert_told_what_is_missing(listener, BATCH + EVENTS)


def assert_told_what_is_missing(listener, total):
    expected = 0
    while expected < total:
        event = listener.hear()
        expected += event[3].get("_lost", 0)
        assert event[4][0] == expected
        expected += 1
    assert expected == total


def test_a_listener_that_reads_again_is_in_the_flow_again(client):
    slow, healthy, publisher = listening(client, receive_buffer=4096), listening(client), client()
    publish(publisher, 5000, healthy)
    assert_told_what_is_missing(slow, 5000)
    publish(publisher, 10, healthy, first=5000)
    assert [slow.hear()[4][0] for _ in range(10)] == list(range(5000, 5010))


def test_a_caller_that_does_not_read_its_answers_is_throttled(server, client):
    caller, other = client(receive_buffer=4096), client()
    before = server.resident_kib()
    with pytest.raises(TimeoutError):
        flood(caller)
    assert server.resident_kib() - before < 16 * 1024
    assert other.ask([48, 1, {}, "radiod.echo", [1]]) == [50, 1, {}, [1]]


def flood(caller):
    """Call and call, without reading, until the server does not take any more for a second."""
    caller.give_up_after(1.0)
    for _ in range(200_000):
        caller.say([48, None, {}, "radiod.echo", ["x" * 2000]])


def test_a_session_whose_connection_breaks_leaves_at_once(client):
    callee, caller = client(), client()
    callee.ask([64, 1, {}, "p"])
    caller.say([48, None, {}, "p"])
    callee.hear()
    callee.close()
    assert caller.hear()[4] == "wamp.error.canceled"
    assert caller.ask([48, None, {}, "p"])[4] == "wamp.error.no_such_procedure"
