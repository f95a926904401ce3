"""The past told once more: pages, and replays that go over into live events."""

import pytest

from radiod.core.delivery.flow import Flow
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.totals import Tally
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.events import Damaged
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.core.limits import Limits
from radiod.core.pubsub.broker import Broker, Subscription
from radiod.core.pubsub.replay import MAX_EXAMINED, MAX_PAGE_BYTES, Replay, Retelling, read
from radiod.core.sessions.session import Session
from radiod.testing import FakeClock, RecordingOutbox, SequentialIds, make_principal
from radiod.wire.codecs import CBOR, JSON, MSGPACK, NOTHING, Payload
from radiod.wire.options import PublishOptions

DEFAULT = PublishOptions()
FOR_OTHERS = PublishOptions(eligible_authid=["others"])


def unheard(events, size):
    """Nobody counts what is told."""


class World:
    """One topic with a history, one listener to it."""

    def __init__(self, size=10_000):
        self.clock, self.outbox = FakeClock(), RecordingOutbox()
        self.histories = Histories(self.clock, SequentialIds(), 10)
        self.histories.keep("a", HistoryBounds(size=size, seconds=1e9, bytes=1 << 40))
        flow = Flow(self.outbox, self.clock, self.clock.timers, Tally(), 5.0)
        self.session = Session(5, make_principal("joe"), None)
        broker = Broker(self.outbox, self.clock, self.clock.timers, Limits())
        self.listener = Listener(self.session, Subscription(1, "exact", "a", 0.0, flow, broker))
        self.published = 0

    @property
    def history(self):
        return self.histories.find("a")

    def publish(self, count=1, options=DEFAULT, publisher=1, payload=NOTHING):
        for _ in range(count):
            self.published += 1
            event = self.histories.number(
                self.history, self.published, publisher, payload, options, {"n": self.published}
            )
            self.histories.add(self.history, event)

    def replay(self, index=0):
        return Replay(self.histories, self.history, index, self.listener)


@pytest.fixture
def world():
    return World()


def taken(replay):
    """(publication, lost) of what a replay gives, until it gives nothing."""
    found = []
    while (one := replay.take()) is not None:
        found.append((one[0].publication, one[1]))
    return found


class TestReplay:
    def test_tells_events_as_they_were_told(self, world):
        world.publish(payload=Payload(JSON, b"[1]", b'{"k":2}'))
        broadcast, lost = world.replay().take()
        assert (broadcast.subscription, broadcast.publication, broadcast.topic, lost) == (1, 1, "a", 0)
        assert broadcast.details == {"n": 1, "_seq": 1, "_epoch": world.history.epoch}
        assert broadcast.payload.values() == ([1], {"k": 2})

    def test_transcodes_for_itself_alone(self, world):
        world.publish(payload=Payload(JSON, b"[1]", b""))
        world.replay().take()[0].payload.parts(MSGPACK)
        assert world.histories.of("a")[0].payload._other is None

    def test_is_done_when_nothing_more_is_held_and_not_before(self, world):
        world.publish(2)
        replay = world.replay()
        assert not replay.is_done
        replay.take()
        world.publish()
        assert taken(replay) == [(2, 0), (3, 0)]
        assert replay.is_done

    def test_begins_where_it_was_told_to(self, world):
        world.publish(5)
        assert taken(world.replay(3)) == [(4, 0), (5, 0)]

    def test_tells_how_many_went_before_they_were_read(self):
        world = World(size=2)
        world.publish(2)
        replay = world.replay()
        assert replay.take()[0].publication == 1
        world.publish(4)
        assert taken(replay) == [(5, 3), (6, 0)]
        assert (world.listener.lost, world.listener.subscription.flow.tally.overtaken) == (3, 3)

    def test_leaves_out_what_is_not_for_the_listener(self, world):
        world.publish(options=FOR_OTHERS)
        world.publish(options=PublishOptions(eligible=[5]))
        world.publish(options=PublishOptions(exclude=[5]))
        world.publish(publisher=5)
        world.publish(publisher=5, options=PublishOptions(exclude_me=False))
        assert taken(world.replay()) == [(2, 0), (5, 0)]

    def test_looks_at_so_many_in_one_go_and_asks_for_another(self, world):
        world.publish(MAX_EXAMINED + 1, options=FOR_OTHERS)
        world.publish()
        replay = world.replay()
        assert replay.take() is None
        assert not replay.is_done
        released = []
        world.outbox.release = released.append
        world.clock.advance(0)
        assert released == [world.listener]
        assert taken(replay) == [(MAX_EXAMINED + 2, 0)]
        assert replay.is_done

    def test_goes_on_in_the_history_that_follows_one_that_was_dropped(self, world):
        world.publish(3)
        replay = world.replay()
        replay.take()
        world.histories.keep("a", HistoryBounds(size=9, seconds=1e9, bytes=1000))
        world.publish(2)
        assert taken(replay) == [(4, 2), (5, 0)]
        assert replay.is_done

    def test_ends_when_no_history_follows(self, world):
        world.publish(3)
        replay = world.replay()
        world.histories.forget("a")
        assert taken(replay) == []
        assert (replay.is_done, replay.lost) == (True, 3)


class TestPages:
    def numbers(self, page):
        return [record.seq for record in page.records]

    def test_of_everything(self, world):
        world.publish(3)
        page = read(world.history, world.session, None, 10)
        assert (self.numbers(page), page.position, page.is_recovered) == (
            [1, 2, 3],
            world.history.position,
            True,
        )

    def test_of_nothing_tell_where_to_go_on(self, world):
        page = read(world.history, world.session, None, 10)
        assert (self.numbers(page), page.position) == ([], Position(world.history.epoch, 0))

    def test_follow_on_each_other(self, world):
        world.publish(7)
        after, numbers = None, []
        while len(numbers) < 7:
            page = read(world.history, world.session, after, 3)
            assert page.is_recovered
            assert 1 <= len(page.records) <= 3
            numbers += self.numbers(page)
            after = page.position
        assert numbers == list(range(1, 8))
        assert read(world.history, world.session, after, 3).records == []

    def test_tell_that_their_beginning_is_gone(self):
        world = World(size=2)
        world.publish(5)
        page = read(world.history, world.session, Position(world.history.epoch, 1), 10)
        assert (self.numbers(page), page.is_recovered) == ([4, 5], False)

    def test_are_bounded_in_bytes_but_never_empty_for_that(self, world):
        world.publish(3, payload=Payload(JSON, b"[" + b" " * MAX_PAGE_BYTES + b"]", b""))
        page = read(world.history, world.session, None, 10)
        assert (self.numbers(page), page.position.seq) == ([1], 1)

    def test_leave_out_what_the_reader_may_not_have_and_go_on_behind_it(self, world):
        world.publish(MAX_EXAMINED + 5, options=FOR_OTHERS)
        world.publish()
        page = read(world.history, world.session, None, 10)
        assert (self.numbers(page), page.position.seq) == ([], MAX_EXAMINED)
        page = read(world.history, world.session, page.position, 10)
        assert self.numbers(page) == [MAX_EXAMINED + 6]

    def test_hold_the_readers_own_events(self, world):
        world.publish(publisher=5)
        assert self.numbers(read(world.history, world.session, None, 10)) == [1]


class TestRetelling:
    """An answer made of events."""

    def told(self, codec, *payloads):
        world = World()
        for payload in payloads:
            world.publish(payload=payload)
        tally = Tally()

        def tell(events, lost):
            return [[[one.record.seq, one.args, one.kwargs, one.lost] for one in events]], {"lost": lost}

        counted = []
        retelling = Retelling(world.histories.of("a"), tally, tell, lambda *told: counted.append(told))
        args, kwargs = retelling.parts(codec)
        (events,), lost = codec.load(args), codec.load(kwargs)["lost"]
        assert tally.undeliverable == lost
        said = [payload for n, payload in enumerate(payloads, 1) if n in [event[0] for event in events]]
        assert counted == [(len(said), sum(map(len, said)))]
        assert retelling.parts(codec) == (args, kwargs)
        assert len(counted) == 1
        return events, lost

    @pytest.mark.parametrize("sender", [JSON, MSGPACK, CBOR])
    @pytest.mark.parametrize("codec", [JSON, MSGPACK, CBOR])
    def test_says_each_in_any_serializer(self, sender, codec):
        payload = Payload(sender, sender.dump([1, b"\0"]), sender.dump({"k": None}))
        events, lost = self.told(codec, payload, Payload(sender, b"", b""))
        assert (events, lost) == ([[1, [1, b"\0"], {"k": None}, 0], [2, [], {}, 0]], 0)

    def test_says_what_one_serializer_wrote_in_its_own_words(self):
        undefined = Payload(CBOR, b"\x81\xf7", b"")
        world = World()
        world.publish(payload=undefined)
        answer = Retelling(
            world.histories.of("a"), Tally(), lambda events, _: ([events[0].args], {}), unheard
        )
        assert answer.parts(CBOR) == (b"\x81\x81\xf7", b"")

    def test_leaves_out_what_cannot_be_said_and_counts_it(self):
        fine, not_json = Payload(JSON, b"[1]", b""), Payload(CBOR, b"\xff", b"")
        events, lost = self.told(MSGPACK, not_json, fine, not_json, not_json, fine, not_json)
        assert (events, lost) == ([[2, [1], {}, 1], [5, [1], {}, 2]], 4)

    @pytest.mark.parametrize("codec", [JSON, MSGPACK, CBOR])
    def test_never_makes_up_what_is_damaged(self, codec):
        assert self.told(codec, Damaged(codec, b"x", b"")) == ([], 1)

    def test_keeps_nothing_of_what_it_says(self):
        world = World()
        world.publish(payload=Payload(JSON, b"[1]", b""))
        Retelling(world.histories.of("a"), Tally(), lambda events, lost: ([], {}), unheard).parts(MSGPACK)
        assert world.histories.of("a")[0].payload._other is None
