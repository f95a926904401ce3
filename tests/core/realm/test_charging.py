"""What plans allow of publishing and calling, by every way into a realm; what is refused uses nothing up."""

import pytest
from support.realms import Slow, World

from radiod.core.allowances import Allowances
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.holders import Account, Holder
from radiod.core.plans import Plan
from radiod.core.promises import Promise
from radiod.core.realm.charging import within
from radiod.core.realm.handshake import Gate, Handshake
from radiod.core.rights import Action
from radiod.errors import (
    INVALID_URI,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    OVERRUN,
    QUOTA,
    RATE_LIMITED,
    STORE_UNAVAILABLE,
    OverLimit,
    Refused,
)
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import JSON, Payload

SAMPLE = Payload.of(1)
ACKNOWLEDGE = {"acknowledge": True}


class Counting:
    """A meter: what was refused, whose, and of what."""

    def __init__(self):
        self.accepted = 0
        self.over = []

    def published(self, actor, channel, size, *, is_public):
        self.accepted += 1

    def refused(self, actor, channel):
        self.over.append((actor.principal.authid, channel))

    def called(self, actor, procedure):
        self.accepted += 1

    def retold(self, actor, channel, events, size):
        pass


class Journal:
    """A journal that answers when the test does. ``asked``: who waits for that."""

    def __init__(self, asked):
        self.asked = asked

    def append(self, event, done):
        self.asked.append(done)

    def trim(self, topic, epoch, first):
        pass

    def forget(self, topic):
        pass


@pytest.fixture
def meter(world):
    counting = world.realm.publications.meter = Counting()
    return counting


def holder_of(world, id="acme", **limits):
    account = Account(id)
    account.allowances = Allowances(Plan(**limits), world.clock)
    return Holder(f"k_{id}", account)


def publisher(world, holder, **options):
    return world.join(holder.id, holder=holder, **options)


def visitor(world, holder):
    return Visitor(2**52, make_principal(holder.id, holder=holder))


def left(holder, kind="publish"):
    allowance = getattr(holder.account.allowances, kind)
    return allowance.bucket.left(allowance._clock.seconds())


class TestPublishing:
    def test_above_its_rate_is_told_where_that_was_asked_for(self, world, meter):
        client = publisher(world, holder_of(world, publish_rate=1, publish_burst=2))
        answers = [client.answer(16, ACKNOWLEDGE, "a", [n]) for n in range(3)]
        assert [answer[0] for answer in answers] == [17, 17, 8]
        assert answers[2][4:] == [RATE_LIMITED, ["rate limit exceeded: publish_rate"]]
        assert (meter.accepted, meter.over) == (2, [("k_acme", "a")])
        assert world.realm.bounds.counts == {"publish_rate": 1}
        world.clock.advance(1)
        assert client.answer(16, ACKNOWLEDGE, "a")[0] == 17

    def test_otherwise_it_is_dropped_and_counted(self, world, meter):
        listener = world.listener("a")
        client = publisher(world, holder_of(world, publish_rate=1, publish_burst=2))
        for number in range(5):
            client.request(16, {}, "a", [number])
        assert client.received() == []
        assert [message[4] for message in listener.received()] == [[0], [1]]
        assert (meter.accepted, len(meter.over)) == (2, 3)
        assert world.outbox.not_published == []

    def test_all_keys_and_connections_of_an_account_share_it(self, world, meter):
        first = holder_of(world, publish_rate=1, publish_burst=3)
        second = Holder("k_2", first.account)
        clients = [publisher(world, first), publisher(world, first), publisher(world, second)]
        assert [client.answer(16, ACKNOWLEDGE, "a")[0] for client in clients] == [17, 17, 17]
        assert [client.answer(16, ACKNOWLEDGE, "a")[0] for client in clients] == [8, 8, 8]
        with pytest.raises(OverLimit):
            world.realm.gateway.publish(visitor(world, second), "a", SAMPLE)
        assert publisher(world, holder_of(world, "other")).answer(16, ACKNOWLEDGE, "a")[0] == 17
        assert world.join().answer(16, ACKNOWLEDGE, "a")[0] == 17

    def test_a_quota_is_told_with_its_name(self, world, meter):
        client = publisher(world, holder_of(world, publish_day=1))
        assert client.answer(16, ACKNOWLEDGE, "a")[0] == 17
        assert client.answer(16, ACKNOWLEDGE, "a")[4:] == [QUOTA, ["quota exceeded: publish_day"]]
        assert world.realm.bounds.counts == {"publish_day": 1}

    @pytest.mark.parametrize(
        ("topic", "options", "uri"),
        [("wamp.x", {}, INVALID_URI), ("a..", {}, INVALID_URI), ("secret", {}, NOT_AUTHORIZED)],
    )
    def test_what_is_refused_otherwise_uses_nothing_up(self, world, meter, topic, options, uri):
        holder = holder_of(world, publish_rate=1, publish_burst=1)
        client = publisher(world, holder, permissions=Allow(*Action, hidden=("secret",)))
        for _ in range(3):
            assert client.answer(16, {**ACKNOWLEDGE, **options}, topic)[4] == uri
            with pytest.raises(Refused) as refusal:
                world.realm.gateway.publish(client.session, topic, SAMPLE)
            assert refusal.value.uri == uri
        assert left(holder) == 1
        assert holder.account.allowances.publish_day.used == 0
        assert meter.over == []

    def test_what_waits_for_its_right_is_charged_when_it_has_it(self, world, meter):
        holder, slow = holder_of(world, publish_rate=1, publish_burst=1), Slow(Action.PUBLISH)
        client = publisher(world, holder, permissions=slow)
        client.request(16, ACKNOWLEDGE, "a")
        assert left(holder) == 1
        slow.settle()
        assert client.received()[0][0] == 17
        assert left(holder) == 0

    def test_what_is_refused_later_gives_its_token_back(self, world, meter):
        """A listener that must not lose events finds no room in time."""
        listener = world.join()
        listener.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(listener.session)
        holder = holder_of(world, publish_rate=0.001, publish_burst=2)
        client = publisher(world, holder)
        client.request(16, ACKNOWLEDGE, "a")
        client.request(16, ACKNOWLEDGE, "a")
        assert left(holder) == 0
        world.clock.advance(60)
        assert [message[4] for message in client.received() if message[0] == 8] == [OVERRUN]
        assert left(holder) == 1
        assert holder.account.allowances.publish_day.used == 1

    def test_what_the_store_does_not_take_gives_its_token_back(self, world):
        settled, asked = [], []
        realm, holder = world.realm, holder_of(world, publish_rate=1, publish_burst=1)
        realm.space.histories.log = Journal(asked)
        realm.space.histories.keep("a", HistoryBounds(size=10, seconds=100, bytes=1000, is_durable=True))
        realm.gateway.publish(visitor(world, holder), "a", SAMPLE).then(settled.append)
        assert (left(holder), settled) == (0, [])
        asked.pop()(Refused(STORE_UNAVAILABLE, "the disk is full"))
        assert [refusal.uri for refusal in settled] == [STORE_UNAVAILABLE]
        assert left(holder) == 1

    def test_testaments_count_as_well(self, world, meter):
        listener = world.listener("a")
        holder = holder_of(world, publish_rate=1, publish_burst=2)
        client = publisher(world, holder)
        for number in range(4):
            client.call("wamp.session.add_testament", "a", [number], {})
        world.realm.leave(client.session)
        assert [message[4] for message in listener.received()] == [[0], [1]]
        assert len(meter.over) == 2


class TestCalling:
    @pytest.fixture
    def callee(self, world):
        callee = world.join()
        callee.register("f")
        return callee

    def test_above_its_rate_is_refused(self, world, meter, callee):
        client = publisher(world, holder_of(world, call_rate=1, call_burst=2))
        client.request(48, {}, "f")
        assert client.answer(48, {}, "radiod.echo")[0] == 50
        refused = client.answer(48, {}, "f")
        assert refused[4:] == [RATE_LIMITED, ["rate limit exceeded: call_rate"]]
        assert (len(callee.received()), meter.over) == (1, [("k_acme", "f")])
        world.clock.advance(1)
        client.request(48, {}, "f")
        assert client.received() == []

    def test_a_visitor_has_the_same(self, world, meter, callee):
        holder = holder_of(world, call_rate=1, call_burst=2)
        gateway, asker = world.realm.gateway, visitor(world, holder)
        assert isinstance(gateway.call(asker, "f", SAMPLE).outcome, Promise)
        assert gateway.call(asker, "radiod.echo", SAMPLE).outcome.parts(JSON)[0] == b"[1]"
        with pytest.raises(OverLimit) as refusal:
            gateway.call(asker, "f", SAMPLE)
        assert (refusal.value.limit, refusal.value.retry_after) == ("call_rate", 1)
        assert meter.over == [("k_acme", "f")]

    def test_what_nobody_answers_uses_nothing_up(self, world, meter):
        holder = holder_of(world, call_rate=1, call_burst=1)
        client, asker = publisher(world, holder), visitor(world, holder)
        for _ in range(3):
            assert client.answer(48, {}, "nobodys")[4] == NO_SUCH_PROCEDURE
            outcomes = []
            world.realm.gateway.call(asker, "nobodys", SAMPLE).outcome.then(outcomes.append)
            assert outcomes[0].uri == NO_SUCH_PROCEDURE
            with pytest.raises(Refused):
                world.realm.gateway.call(asker, "radiod.nobodys", SAMPLE)
        assert left(holder, "call") == 1
        assert meter.over == []

    def test_a_progressive_call_is_one(self, world, meter):
        callee = world.join(features="callee.progressive_call_invocations callee.call_canceling")
        callee.register("f")
        holder = holder_of(world, call_rate=1, call_burst=1)
        client = publisher(world, holder, features="caller.progressive_call_invocations")
        client.request(48, {"progress": True}, "f", [1])
        for chunk in (2, 3):
            client.send(48, 1, {"progress": True}, "f", [chunk])
        assert client.received() == []
        assert [message[0] for message in callee.received()] == [68, 68, 68]

    def test_chunks_of_one_that_was_refused_are_dropped(self, world, meter):
        callee = world.join(features="callee.progressive_call_invocations callee.call_canceling")
        callee.register("f")
        holder = holder_of(world, call_rate=1, call_burst=1)
        client = publisher(world, holder, features="caller.progressive_call_invocations")
        client.request(48, {}, "f")
        client.request(48, {"progress": True}, "f", [1])
        client.send(48, 2, {"progress": True}, "f", [2])
        assert [message[:3] for message in client.received()] == [[8, 48, 2]]
        assert [message[0] for message in callee.received()] == [68]


class TestConnections:
    class LetIn:
        method = "anonymous"

        def __init__(self, holder):
            self.holder = holder

        def begin(self, details):
            return make_principal(self.holder.id, holder=self.holder)

    def hello(self, world, holder):
        gate = Gate(world.realm, {"anonymous": self.LetIn(holder)})
        handshake = Handshake({"radio": gate})
        return handshake.receive(JSON.decode(b'[1,"radio",{"roles":{"caller":{}}}]'), None)

    def test_one_too_many_is_no_session(self, world):
        holder = holder_of(world, connections=2)
        self.hello(world, holder)
        publisher(world, holder)
        with pytest.raises(OverLimit) as refusal:
            self.hello(world, holder)
        assert (refusal.value.uri, refusal.value.limit) == (QUOTA, "connections")
        assert (holder.account.connections, len(world.realm.sessions)) == (2, 2)
        world.realm.leave(next(iter(world.realm.sessions.values())))
        self.hello(world, holder)
        assert holder.account.connections == 2

    def test_nor_when_deliveries_are_used_up(self, world):
        holder = holder_of(world, deliver_day=1)
        holder.account.allowances.deliver_day.add(1, world.clock.time())
        with pytest.raises(OverLimit) as refusal:
            self.hello(world, holder)
        assert (refusal.value.uri, refusal.value.limit) == (QUOTA, "deliver_day")

    def test_a_smaller_plan_ends_nothing_and_lets_nothing_more_in(self, world):
        holder = holder_of(world, connections=3)
        clients = [publisher(world, holder) for _ in range(3)]
        holder.account.allowances.change(Plan(connections=1))
        assert all(client.session.is_open for client in clients)
        world.realm.leave(clients[0].session)
        with pytest.raises(OverLimit):
            self.hello(world, holder)


class TestChannels:
    def create(self, world, holder, name, **options):
        client = world.caller(holder.id, holder=holder)
        answer = client.call("radiod.channel.create", name, **options)
        return answer if isinstance(answer, str) else answer["control_key"]

    def test_one_too_many_is_refused_until_another_ends(self, world):
        holder = holder_of(world, channels=2)
        second = Holder("k_2", holder.account)
        first = self.create(world, holder, "a")
        self.create(world, second, "b", key="secret", public=False)
        assert holder.account.channels == 2
        assert self.create(world, holder, "c") == QUOTA
        assert world.realm.bounds.counts == {"channels": 1}
        world.caller(holder.id, holder=holder).call("radiod.channel.delete", "a", first)
        assert holder.account.channels == 1
        self.create(world, second, "c", lifetime=5)
        assert self.create(world, holder, "d") == QUOTA
        world.clock.advance(6)
        self.create(world, holder, "d")

    def test_what_outlived_the_server_counts_for_its_user(self, world):
        holder = holder_of(world, channels=1)
        self.create(world, holder, "a")
        # As after a restart: nobody knows whose session it was.
        (channel,) = world.realm.channels
        channel.account, holder.account.channels = None, 0
        assert self.create(world, holder, "b") == QUOTA

    def test_others_have_as_many_as_they_like(self, world):
        holder = holder_of(world)
        for number in range(5):
            self.create(world, holder, f"a.{number}")


class TestBuffers:
    def buffers(self, world, asked, topic="a", **limits):
        client = publisher(world, holder_of(world, **limits))
        client.subscribe(topic, **({} if asked is None else {"_radiod_buffer": asked}))
        (listener,) = client.subscriptions.values()
        return listener.settings.size, listener.settings.max_bytes

    @pytest.mark.parametrize(
        ("asked", "limits", "given"),
        [
            (None, {}, (100, 1 << 20)),
            (None, {"buffer_size": 10}, (10, 1 << 20)),
            (None, {"buffer_bytes": 1000}, (100, 1000)),
            ({"size": 5}, {"buffer_size": 10}, (5, 1 << 20)),
            ({"size": 50}, {"buffer_size": 10, "buffer_bytes": 2000}, (10, 2000)),
            ({"size": 0}, {"buffer_size": 10}, (10, 1 << 20)),
            ({"size": 0}, {"buffer_size": 1_000_000}, (0, 1 << 20)),
            ({"max_bytes": 700}, {"buffer_bytes": 1000}, (100, 700)),
        ],
    )
    def test_what_is_asked_for_is_cut_to_the_plan(self, world, asked, limits, given):
        assert self.buffers(world, asked, **limits) == given

    def test_a_channels_default_is_cut_as_well(self, world):
        world.realm.space.tuning.declare("a", {"size": 500})
        assert self.buffers(world, None, buffer_size=200) == (200, 1 << 20)

    def test_tuning_tells_what_is_in_effect(self, world):
        client = world.caller("k", holder=holder_of(world, buffer_size=10))
        assert client.call("radiod.channel.tune", "a", size=50)["size"] == 10


class TestHistory:
    @pytest.fixture
    def past(self, world):
        """Ten events of topic ``a``, one a second, the last one now."""
        world.realm.space.histories.keep("a", HistoryBounds(size=100, seconds=1000, bytes=1 << 20))
        writer = world.join()
        for number in range(10):
            world.clock.advance(1)
            writer.request(16, {}, "a", [number])
        return world.realm.space.histories.find("a")

    def read(self, world, holder, **arguments):
        answer = world.caller("k", holder=holder).call("radiod.channel.history", "a", **arguments)
        return [event["args"][0] for event in answer["events"]], answer["recovered"]

    def test_the_procedure_reads_no_further_back(self, world, past):
        holder = holder_of(world, history_seconds=3.5)
        assert self.read(world, holder) == ([6, 7, 8, 9], True)
        assert self.read(world, holder, after=f"{past.epoch}:8") == ([8, 9], True)
        assert self.read(world, holder, after=f"{past.epoch}:3") == ([6, 7, 8, 9], False)
        world.clock.advance(2)
        assert self.read(world, holder) == ([8, 9], True)
        world.clock.advance(10)
        assert self.read(world, holder) == ([], True)
        assert self.read(world, holder_of(world, "free", connections=9))[0] == list(range(10))

    @pytest.mark.parametrize(("seq", "first", "is_told"), [(8, 8, False), (2, 6, True)])
    def test_a_listener_goes_on_no_further_back_and_is_told(self, world, past, seq, first, is_told):
        client = publisher(world, holder_of(world, history_seconds=3.5))
        client.request(32, {"_radiod_after": f"{past.epoch}:{seq}"}, "a")
        events = [message for message in client.received() if message[0] == 36]
        assert [event[4][0] for event in events] == list(range(first, 10))
        assert (events[0][3].get("_recovered") is False) == is_told

    def test_the_last_events_are_as_many_as_one_may_read(self, world, past):
        recovery = world.realm.space.recovery
        principal = make_principal(holder=holder_of(world, history_seconds=3.5))
        assert [recovery.before_last(principal, "a", count).seq for count in (2, 4, 9)] == [8, 6, 6]
        world.clock.advance(60)
        assert recovery.before_last(principal, "a", 9).seq == 10

    @pytest.mark.parametrize("is_reversed", [False, True])
    def test_event_history_as_wamp_has_it(self, world, past, is_reversed):
        client = publisher(world, holder_of(world, history_seconds=3.5))
        subscription = client.subscribe("a")
        events = client.call("wamp.subscription.get_events", subscription, reverse=is_reversed)
        told = [event["args"][0] for event in events]
        assert told == ([9, 8, 7, 6] if is_reversed else [6, 7, 8, 9])

    @pytest.mark.parametrize(("is_reversed", "told"), [(False, [6, 7, 8, 9]), (True, [9, 8, 7, 6])])
    def test_history_as_centrifugo_has_it(self, world, past, is_reversed, told):
        asker = visitor(world, holder_of(world, history_seconds=3.5))
        page, _ = world.realm.management.past(asker, "a", None, 100, is_reversed=is_reversed)
        assert [record.payload.values()[0][0] for record in page.records] == told
        if is_reversed:
            at = Position(past.epoch, 5)
            assert world.realm.management.past(asker, "a", at, 100, is_reversed=True)[0].records == []


def test_errors_of_ours_are_not_forgiven(world):
    """Only what is refused is given back; a defect stays visible."""
    holder = holder_of(world, publish_rate=1, publish_burst=1)

    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        within(holder.account.allowances.publish, Counting(), visitor(world, holder), "a", broken)
    assert left(holder) == 0


def test_two_realms_share_what_one_account_may(world):
    holder = holder_of(world, publish_rate=1, publish_burst=2)
    other = World()
    assert publisher(world, holder).answer(16, ACKNOWLEDGE, "a")[0] == 17
    assert publisher(other, holder).answer(16, ACKNOWLEDGE, "a")[0] == 17
    assert publisher(other, holder).answer(16, ACKNOWLEDGE, "a")[4] == RATE_LIMITED
