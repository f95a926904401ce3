"""``radiod.channel.history``."""

import pytest
from support.realms import NO, YES, Slow

from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.rights import Action
from radiod.errors import (
    CHANNEL_CLOSED,
    HISTORY_UNAVAILABLE,
    INVALID_ARGUMENT,
    INVALID_URI,
    NOT_AUTHORIZED,
)
from radiod.testing import Allow
from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK, NOTHING, Payload
from radiod.wire.options import PublishOptions

HISTORY = "radiod.channel.history"
UNTELLABLE = Payload(CBOR, b"\xff", b"")


@pytest.fixture
def alice(world):
    world.realm.space.histories.keep("a", HistoryBounds(size=5, seconds=100, bytes=10_000))
    return world.join("alice")


def publish(world, alice, count, **options):
    for number in range(count):
        alice.request(16, options, "a", [number], {"n": number})
        world.clock.advance(1)


def test_tells_what_is_held_oldest_first_and_where_to_go_on(world, alice, caller):
    start = world.clock.time()
    publish(world, alice, 3)
    answer = caller.call(HISTORY, "a")
    epoch = world.realm.space.histories.find("a").epoch
    assert answer == {
        "events": [
            {"position": f"{epoch}:{n + 1}", "time": start + n, "args": [n], "kwargs": {"n": n}}
            for n in range(3)
        ],
        "position": f"{epoch}:3",
        "recovered": True,
    }
    publish(world, alice, 1)
    answer = caller.call(HISTORY, "a", answer["position"])
    assert [event["args"] for event in answer["events"]] == [[0]]
    assert caller.call(HISTORY, "a", answer["position"])["events"] == []


def test_comes_in_pages(world, alice, caller):
    publish(world, alice, 5)
    after, numbers = None, []
    for _ in range(3):
        page = caller.call(HISTORY, name="a", after=after, limit=2)
        numbers.append([event["args"][0] for event in page["events"]])
        after = page["position"]
    assert numbers == [[0, 1], [2, 3], [4]]


def test_says_when_its_beginning_is_gone(world, alice, caller):
    publish(world, alice, 8)
    epoch = world.realm.space.histories.find("a").epoch
    answer = caller.call(HISTORY, "a", f"{epoch}:1")
    assert (len(answer["events"]), answer["recovered"]) == (5, False)


@pytest.mark.parametrize(
    ("last", "numbers"), [(1, [7]), (3, [5, 6, 7]), (5, [3, 4, 5, 6, 7]), (100, [3, 4, 5, 6, 7])]
)
def test_the_last_ones(world, alice, caller, last, numbers):
    publish(world, alice, 8)
    answer = caller.call(HISTORY, "a", last=last)
    assert ([event["args"][0] for event in answer["events"]], answer["recovered"]) == (numbers, True)
    first = caller.call(HISTORY, "a", None, 1, last)
    assert [event["args"][0] for event in first["events"]] == numbers[:1]


def test_the_last_ones_of_a_channel_that_has_none_yet(world, alice, caller):
    epoch = world.realm.space.histories.find("a").epoch
    expected = {"events": [], "position": f"{epoch}:0", "recovered": True}
    assert caller.call(HISTORY, "a", last=3) == expected
    assert caller.call(HISTORY, "b", last=3) == HISTORY_UNAVAILABLE


@pytest.mark.parametrize("last", [0, -1, 1.5, "1", True, [], 1_000_001])
def test_a_wrong_number_of_last_ones_is_refused(alice, caller, last):
    assert caller.call(HISTORY, "a", last=last) == INVALID_ARGUMENT


def test_the_last_ones_are_behind_no_position(alice, caller):
    assert caller.call(HISTORY, "a", "e:1", last=1) == INVALID_ARGUMENT


def test_holds_nothing_that_is_for_others(world, alice, caller):
    publish(world, alice, 1, eligible_authid=["bob"])
    assert caller.call(HISTORY, "a")["events"] == []
    assert len(world.caller("bob").call(HISTORY, "a")["events"]) == 1


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])
def test_never_makes_up_an_event_that_cannot_be_told(world, alice, codec):
    history = world.realm.space.histories.find("a")
    for payload in (NOTHING, UNTELLABLE, UNTELLABLE, NOTHING, UNTELLABLE):
        record = world.realm.space.histories.number(history, 1, 0, payload, PublishOptions(), {})
        world.realm.space.histories.add(history, record)
    reader = world.caller(codec=codec)
    answer = reader.call(HISTORY, "a")
    told = [(event["position"][-1], event["args"], event.get("lost")) for event in answer["events"]]
    assert told == [("1", [], None), ("4", [], 2)]
    assert (answer["lost"], answer["recovered"], answer["position"][-1]) == (3, False, "5")
    assert world.realm.space.broker.tally.undeliverable == 3
    assert "lost" not in reader.call(HISTORY, "a", answer["position"])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_is_told_in_any_serializer(world, alice, codec):
    for sender in (CBOR, MSGPACK):
        world.join("carol", codec=sender).request(16, {}, "a", [b"\0\1"])
    events = world.caller(codec=codec).call(HISTORY, "a")["events"]
    assert [event["args"] for event in events] == [[b"\0\1"], [b"\0\1"]]


def test_a_whole_float_is_a_number_of_events(world, alice, caller):
    publish(world, alice, 2)
    assert len(caller.call(HISTORY, "a", None, 1.0)["events"]) == 1


@pytest.mark.parametrize("limit", [0, -1, 1001, 1.5, "1", None, True, [], 1 << 70])
def test_a_wrong_limit_is_refused(alice, caller, limit):
    assert caller.call(HISTORY, "a", None, limit) == INVALID_ARGUMENT


@pytest.mark.parametrize("after", ["", "x", 1, True, [], {}, "x:1:"])
def test_a_wrong_position_is_refused(alice, caller, after):
    assert caller.call(HISTORY, "a", after) == INVALID_ARGUMENT


@pytest.mark.parametrize(("name", "uri"), [(1, INVALID_ARGUMENT), ("a b", INVALID_URI), ("a\0", INVALID_URI)])
def test_a_wrong_name_is_refused(alice, caller, name, uri):
    assert caller.call(HISTORY, name) == uri


def test_of_a_topic_that_keeps_none_is_not_there(world, alice, caller):
    assert caller.call(HISTORY, "b") == HISTORY_UNAVAILABLE
    world.realm.space.histories.track("b")
    assert caller.call(HISTORY, "b") == HISTORY_UNAVAILABLE


def test_of_a_channel_that_ended_is_closed(world, alice, caller):
    world.realm.channels.create("b", ChannelSettings(lifetime=1))
    world.clock.advance(1)
    assert caller.call(HISTORY, "b") == CHANNEL_CLOSED


def test_needs_the_right_to_subscribe(world, alice):
    assert world.caller(permissions=Allow(Action.CALL)).call(HISTORY, "a") == NOT_AUTHORIZED


@pytest.mark.parametrize(("verdict", "code"), [(YES, 50), (NO, 8)], ids=["allowed", "refused"])
def test_the_right_may_take_its_time_to_decide(world, alice, verdict, code):
    rights = Slow(Action.SUBSCRIBE)
    caller = world.caller(permissions=rights)
    caller.send(48, 1, {}, HISTORY, ["a"])
    assert caller.received() == []
    rights.settle(verdict)
    assert caller.received()[0][0] == code
