"""What the server tells about itself."""

from radiod import __version__
from radiod.core.build import BUILD
from radiod.wire.codecs import CBOR


def test_info_says_what_this_server_is(caller):
    assert caller.call("radiod.server.info") == {"name": "radiod", "version": __version__, "build": BUILD}


class TestStats:
    def test_what_is_there_is_counted(self, world, caller):
        listener = world.join()
        listener.subscribe("a")
        listener.subscribe("a", match="prefix")
        listener.register("p")
        caller.call("radiod.channel.create", "c")
        caller.request(16, {}, "a", ["sample"])
        told = caller.call("radiod.server.stats")
        counted = ("sessions", "subscriptions", "registrations", "channels", "published", "delivered")
        assert [told[name] for name in counted] == [2, 2, 1, 1, 1, 2]
        assert told["bytes_out"] == 2 * len(CBOR.dump(["sample"]))
        assert told["uptime"] == 0.0

    def test_what_waits_and_what_was_lost_is_counted(self, world, caller):
        listener = world.join()
        listener.subscribe("a", _radiod_buffer={"size": 2})
        listener.subscribe("b", _radiod_buffer={"every": 2, "latest": True})
        world.outbox.block(listener.session)
        for _ in range(5):
            caller.request(16, {}, "a", ["sample"])
            caller.request(16, {}, "b", ["sample"])
        told = caller.call("radiod.server.stats")
        counted = ("queued", "queued_bytes", "conflated", "skipped")
        assert [told[name] for name in counted] == [3, 3 * len(CBOR.dump(["sample"])), 1, 3]
        assert told["dropped"] == {"ring": 3, "skip": 0, "clear": 0, "wait": 0, "raise": 0}
        listener.leave()
        assert caller.call("radiod.server.stats")["queued"] == 0

    def test_what_the_router_publishes_is_not_counted(self, world, caller):
        watcher = world.watch("wamp.session.on_join")
        world.join()
        assert watcher.told() != []
        told = caller.call("radiod.server.stats")
        assert (told["published"], told["delivered"], told["bytes_out"]) == (0, 0, 0)

    def test_rates_are_of_the_last_whole_interval(self, world, caller):
        world.realm.statistics.start()
        world.join().subscribe("a")
        for _ in range(10):
            caller.request(16, {}, "a", ["sample"])
        assert caller.call("radiod.server.stats")["published_per_s"] == 0.0
        world.clock.advance(5)
        told = caller.call("radiod.server.stats")
        assert (told["published_per_s"], told["delivered_per_s"]) == (2.0, 2.0)
        assert told["bytes_out_per_s"] == 2 * len(CBOR.dump(["sample"]))
        world.clock.advance(5)
        assert caller.call("radiod.server.stats")["published_per_s"] == 0.0


class TestOnStats:
    def test_it_is_told_at_every_interval_while_somebody_listens(self, world, caller):
        world.realm.statistics.start()
        world.clock.advance(5)
        watcher = world.watch("radiod.server.on_stats")
        assert watcher.told() == []
        world.clock.advance(4.9)
        assert watcher.told() == []
        world.clock.advance(0.1)
        ((topic, stats),) = watcher.told()
        assert topic == "radiod.server.on_stats"
        assert stats == caller.call("radiod.server.stats")
        world.clock.advance(10)
        assert len(watcher.told()) == 2

    def test_nothing_is_published_while_nobody_listens(self, world):
        world.realm.statistics.start()
        world.join().subscribe("", match="prefix")
        world.outbox.take()
        world.clock.advance(60)
        assert world.outbox.take() == []
