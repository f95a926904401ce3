"""What goes on in one realm: its counters, its rates, and who is told of them."""

import pytest
from support.realms import World

from radiod.core.delivery.holdings import Holdings
from radiod.core.limits import Limits

ON_STATS = "radiod.server.on_stats"
COUNTED = ("sessions", "subscriptions", "registrations", "channels", "published", "delivered")


@pytest.fixture
def load(world):
    return world.realm.load


def told(load, *names):
    described = load.describe()
    return tuple(described[name] for name in names)


def test_of_a_realm_where_nothing_happens_is_nothing(load):
    described = load.describe()
    assert {name: described[name] for name in COUNTED} == dict.fromkeys(COUNTED, 0)
    assert described["limits"] == {}


def test_counts_what_is_there_and_what_was(world, load, alice, bob):
    alice.subscribe("a")
    alice.register("p")
    world.realm.lifecycle.declare("c")
    for _ in range(3):
        bob.request(16, {}, "a")
    assert told(load, *COUNTED) == (2, 1, 1, 1, 3, 3)
    alice.leave()
    assert told(load, *COUNTED) == (1, 0, 0, 1, 3, 3)


def test_tells_nothing_of_private_channels(world, load, alice, bob):
    before = load.describe()
    world.realm.lifecycle.declare("p", key="secret")
    alice.subscribe("p", _radiod_key="secret")
    bob.request(16, {"_radiod_key": "secret"}, "p", [1])
    assert len(alice.received()) == 1
    assert load.describe() == before


def test_counts_what_is_held(world, load, alice, bob):
    alice.subscribe("a")
    world.outbox.block(alice.session)
    bob.request(16, {}, "a", ["x" * 100])
    assert told(load, "queued", "held_bytes") == (1, world.realm.holdings.bytes)
    assert world.realm.holdings.bytes > 100
    alice.leave()
    assert told(load, "queued", "held_bytes") == (0, 0)


def test_of_two_realms_are_apart_and_what_the_server_holds_is_not():
    first, second = World(), World()
    assert isinstance(first.realm.holdings, Holdings)
    first.join().request(16, {}, "a")
    assert told(first.realm.load, "published", "sessions") == (1, 1)
    assert told(second.realm.load, "published", "sessions") == (0, 0)


def test_counts_each_limit_that_was_met():
    world = World(limits=Limits(max_subscriptions=0))
    alice = world.join()
    for _ in range(2):
        alice.answer(32, {}, "a")
    assert told(world.realm.load, "limits") == ({"quota": 2},)


class TestRounds:
    @pytest.fixture(autouse=True)
    def started(self, world):
        world.realm.statistics.start()

    def test_bring_the_rates_of_the_last_whole_one(self, world, load, alice, bob):
        alice.subscribe("a")
        for _ in range(10):
            bob.request(16, {}, "a", ["sample"])
        rates = ("published_per_s", "delivered_per_s", "bytes_out_per_s")
        assert told(load, *rates) == (0, 0, 0)
        world.clock.advance(5)
        assert told(load, *rates) == (2, 2, told(load, "bytes_out")[0] / 5)
        world.clock.advance(5)
        assert told(load, *rates) == (0, 0, 0)

    def test_are_told_to_those_who_listen_and_made_for_nobody_else(self, world, load):
        watcher = world.watch(ON_STATS)
        world.clock.advance(5)
        assert watcher.told() == [(ON_STATS, load.describe())]
        watcher.peer.leave()
        world.clock.advance(5)
        assert world.outbox.take() == []

    def test_reach_no_listener_of_everything(self, world):
        client = world.join()
        client.subscribe("", match="prefix")
        world.clock.advance(5)
        assert client.received() == []
