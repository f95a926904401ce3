"""The core's ports over a real server: what is promised of streams and buses holds."""

import secrets
import time

import msgspec
import pytest
from engine.nats.watching import SECONDS, Client
from pytest_twisted import inlineCallbacks
from twisted.internet import defer, reactor
from twisted.internet.defer import Deferred

from radiod.core.cluster.ports import Appended, Failure, Stored, StreamSettings
from radiod.engine.nats import streams as jetstream
from radiod.engine.nats.bus import NatsBus
from radiod.engine.nats.records import NatsStreams


class User:
    """Uses streams and buses: what it hears, in order, and can wait for."""

    def __init__(self):
        self.heard = []
        self._waiting = None

    def stored(self, record):
        self._hear(record)

    def came(self, subject, reply, data):
        self._hear((subject, reply, data))

    def unreachable(self, reply):
        self._hear(("unreachable", reply))

    def up(self):
        self._hear("up")

    def down(self):
        self._hear("down")

    def _hear(self, what):
        self.heard.append(what)
        if self._waiting is not None and len(self.heard) >= self._waiting[0]:
            (_, told), self._waiting = self._waiting, None
            told.callback(self.heard)

    def wait(self, count):
        told = Deferred().addTimeout(SECONDS, reactor)
        if len(self.heard) >= count:
            told.callback(self.heard)
        else:
            self._waiting = count, told
        return told


class Setting:
    """A stream of a test's own, on one server, or on several."""

    def __init__(self, server, replicas=1):
        self.client = Client(server.url)
        self.user = User()
        self.notices = []
        self.name = f"t{secrets.token_hex(6)}"
        self.streams = NatsStreams(
            self.client.connection, self.user, "again", replicas, self.notices.append, self.client.clock.soon
        )

    def settings(self, **more):
        return StreamSettings(
            **{"name": self.name, "subjects": (f"{self.name}.>",), "max_per_subject": 5, **more}
        )

    def at(self, subject):
        return f"{self.name}.{subject}"

    def ask(self, method, *arguments, **more):
        """What ``done`` is called with, which is never before the method returns."""
        told = Deferred().addTimeout(SECONDS, reactor)
        has_returned = []
        method(*arguments, lambda outcome: told.callback((outcome, bool(has_returned))), **more)
        has_returned.append(True)

        def late(outcome):
            assert outcome[1], "called back before it returned"
            return outcome[0]

        return told.addCallback(late)

    def append(self, subject, data, **more):
        return self.ask(self.streams.append, self.name, self.at(subject), data, **more)


@pytest.fixture
def setting(one_server):
    made = Setting(one_server)
    yield made
    made.client.connection.close()


@defer.inlineCallbacks
def connected(setting):
    yield setting.client.connection.connect()
    assert (yield setting.ask(setting.streams.ensure, setting.settings())) is None


@inlineCallbacks
def test_records_are_numbered_followed_and_read(setting):
    yield connected(setting)
    setting.streams.follow(setting.at(">"))
    yield setting.client.connection.flush()
    first = yield setting.append("a", b"1")
    other = yield setting.append("b", b"2")
    second = yield setting.append("a", b"3")
    assert [first, other, second] == [Appended(1), Appended(2), Appended(3)]
    heard = yield setting.user.wait(3)
    a, b = setting.at("a"), setting.at("b")
    assert heard == [Stored(a, 1, 0, b"1"), Stored(b, 2, 0, b"2"), Stored(a, 3, 1, b"3")]
    for by_leader in (False, True):
        read = yield setting.ask(setting.streams.read, setting.name, a, 0, 10, by_leader=by_leader)
        assert read == [Stored(a, 1, 0, b"1"), Stored(a, 3, 0, b"3")]
        read = yield setting.ask(
            setting.streams.read, setting.name, setting.at(">"), 1, 1, by_leader=by_leader
        )
        assert read == [Stored(b, 2, 0, b"2")]
    assert (yield setting.ask(setting.streams.last, setting.name, a)) == Stored(a, 3, 0, b"3")
    assert (yield setting.ask(setting.streams.last, setting.name, setting.at("c"))) is None
    many = yield setting.ask(setting.streams.last_many, setting.name, [a, b, setting.at("c")])
    assert sorted(many) == [Stored(a, 3, 0, b"3"), Stored(b, 2, 0, b"2")]
    setting.streams.unfollow(setting.at(">"))
    yield setting.append("a", b"4")
    yield setting.client.connection.flush()
    assert len(setting.user.heard) == 3


@inlineCallbacks
def test_compare_and_set_ids_and_purge(setting):
    yield connected(setting)
    assert (yield setting.append("k", b"1", expected=0)) == Appended(1)
    assert (yield setting.append("k", b"2", expected=0)) is Failure.TAKEN
    assert (yield setting.append("k", b"2", expected=1)) == Appended(2)
    assert (yield setting.append("k", b"3", id="x")) == Appended(3)
    assert (yield setting.append("k", b"3", id="x")) == Appended(3, is_repeat=True)
    ask, streams, at = setting.ask, setting.streams, setting.at("k")
    assert (yield ask(streams.purge, setting.name, at, before=3)) is None
    assert [one.seq for one in (yield ask(streams.read, setting.name, at, 0, 10))] == [3]
    assert (yield ask(streams.purge, setting.name, at)) is None
    assert (yield ask(streams.last, setting.name, at)) is None


@inlineCallbacks
def test_a_stream_has_the_settings_that_were_asked_for_last(setting):
    yield connected(setting)
    for number in range(4):
        yield setting.append("a", b"%d" % number)
    assert (yield setting.ask(setting.streams.ensure, setting.settings(max_per_subject=2))) is None
    read = yield setting.ask(setting.streams.read, setting.name, setting.at("a"), 0, 10)
    assert [record.data for record in read] == [b"2", b"3"]
    assert setting.notices == []


def identified(setting):
    return setting.ask(setting.streams.identify, setting.name)


@inlineCallbacks
def known_soon(setting):
    end = time.monotonic() + SECONDS
    while (found := (yield identified(setting))) in (Failure.REFUSED, Failure.UNKNOWN):
        assert time.monotonic() < end, "nobody leads the stream"
    return found


@inlineCallbacks
def test_a_stream_is_another_one_than_that_which_was_deleted(setting):
    yield connected(setting)
    first = yield identified(setting)
    yield setting.ask(setting.streams.ensure, setting.settings(max_per_subject=2))
    assert (yield identified(setting)) == first
    yield jetstream.Streams(setting.client.connection).delete(setting.name)
    assert (yield identified(setting)) is Failure.REFUSED
    yield setting.ask(setting.streams.ensure, setting.settings())
    assert (yield identified(setting)) != first


@inlineCallbacks
def test_all_servers_know_a_stream_alike_and_when_they_have_begun_again(three):
    setting = Setting(three.all[0], 3)
    yield connected(setting)
    known = [(yield identified(setting))]
    for server in three.all:
        server.kill()
    three.start()
    for server in three.all:
        other = Setting(server, 3)
        other.name = setting.name
        yield other.client.connection.connect()
        known.append((yield known_soon(other)))
        yield other.client.connection.close()
    assert known == known[:1] * 4
    yield setting.client.connection.close()


@inlineCallbacks
def test_what_cannot_be_says_why(setting):
    outcome = yield setting.append("a", b"1")
    assert outcome is Failure.REFUSED
    yield setting.client.connection.connect()
    assert (yield setting.append("a", b"1")) is Failure.REFUSED
    assert (yield setting.ask(setting.streams.last, setting.name, setting.at("a"))) is Failure.REFUSED
    more_than_one_server_has = setting.settings()
    setting.streams._replicas = 3
    assert (yield setting.ask(setting.streams.ensure, more_than_one_server_has)) is Failure.REFUSED
    assert "replicas" in setting.notices[0]
    assert len(setting.notices[0].splitlines()) == 1


@inlineCallbacks
def test_it_says_why_once_until_it_can_be(setting):
    yield setting.client.connection.connect()
    for replicas, notices in ((3, 1), (3, 1), (1, 1), (3, 2)):
        setting.streams._replicas = replicas
        outcome = yield setting.ask(setting.streams.ensure, setting.settings())
        assert outcome is (None if replicas == 1 else Failure.REFUSED)
        assert len(setting.notices) == notices


@inlineCallbacks
def test_a_stream_in_memory_is_not_taken(setting):
    yield setting.client.connection.connect()
    offered = jetstream.stream_config(setting.name, [setting.at(">").encode()])
    offered = msgspec.structs.replace(offered, storage="memory")
    yield jetstream.Streams(setting.client.connection).create(offered)
    for _ in range(2):
        assert (yield setting.ask(setting.streams.ensure, setting.settings())) is Failure.REFUSED
    (line,) = setting.notices
    assert setting.name in line
    assert "storage" in line


@inlineCallbacks
def test_a_bus_carries_in_order_and_tells_what_nobody_hears(one_server):
    ears, mouth = User(), User()
    clients = [Client(one_server.url), Client(one_server.url)]
    buses = [NatsBus(ears), NatsBus(mouth)]
    for client, bus in zip(clients, buses, strict=True):
        bus.use(client.connection)
        yield client.connection.connect()
    hears, says = buses
    hears.listen("bus.test.*")
    says.listen("bus.found.*")
    yield clients[0].connection.flush()
    for number in range(3):
        assert says.send(f"bus.test.{number}", b"%d" % number)
    assert says.send("bus.nobody", b"", reply="bus.found.1")
    assert (yield ears.wait(3)) == [(f"bus.test.{number}", "", b"%d" % number) for number in range(3)]
    assert (yield mouth.wait(1)) == [("unreachable", "bus.found.1")]
    assert not says.send("bus.test.0", b"x" * (3 << 20))
    assert says.too_large == 1
    hears.unlisten("bus.test.*")
    for client in clients:
        yield client.connection.close()
    assert not hears.is_up
    assert not says.send("bus.test.0", b"")
