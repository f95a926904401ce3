"""Channels on a real server and its clock: when they end, and when their writers are told."""

import time

import pytest
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

TOLERANCE = 0.05
"""Seconds. What is late because the machine was busy is measured again."""

ATTEMPTS = 5


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


@pytest.fixture
def client(server):
    client = RawClient(server.port)
    yield client
    client.close()


def call(client, procedure, *args, **kwargs):
    answer = client.ask([48, None, {}, procedure, args, kwargs])
    assert answer[0] == 50, answer
    return answer[3][0]


def punctual(measure):
    """The delay of the first attempt that was in time, or the smallest."""
    delays = []
    for attempt in range(ATTEMPTS):
        delays.append(measure(attempt))
        if delays[-1] <= TOLERANCE:
            break
    return min(delays)


def test_a_channel_ends_within_50_ms_of_its_due_time(client):
    client.ask([32, None, {}, "radiod.channel.on_delete"])

    def measure(attempt):
        name = f"short.{attempt}"
        created = call(client, "radiod.channel.create", name, lifetime=0.2)
        event = client.hear()
        late = time.time() - created["expires"]
        assert event[4] == [{"name": name, "reason": "expired"}]
        assert late >= -0.001
        return late

    assert punctual(measure) <= TOLERANCE


def test_a_writer_is_told_within_50_ms_of_the_first_listener_and_after_the_last_died(server, client):
    client.ask([32, None, {}, "radiod.channel.on_demand"])

    def measure(attempt):
        name = f"wanted.{attempt}"
        assert call(client, "radiod.channel.create", name)["readers"] == 0
        listener = RawClient(server.port)
        begun = time.monotonic()
        listener.say([32, None, {}, name])
        event = client.hear()
        delay = time.monotonic() - begun
        assert event[4] == [{"name": name, "readers": 1, "active": True}]
        # Without a word: the connection is reset.
        listener.reset()
        begun = time.monotonic()
        event = client.hear()
        hold = time.monotonic() - begun
        assert event[4] == [{"name": name, "readers": 0, "active": False}]
        assert hold >= 0.9
        return max(delay, hold - 1.0)

    assert punctual(measure) <= TOLERANCE
