"""The outbox: one write a turn, and what happens when a connection does not read."""

import msgspec
import pytest

from radiod.transport.schedule import CHUNK, DRAIN_BYTES, READ_PAUSE


def listening(world, topic="a"):
    wire = world.join()
    wire.ask([32, 1, {}, topic])
    return wire


def stall(wire):
    wire.transport.producer.pauseProducing()


def read_again(wire):
    wire.transport.producer.resumeProducing()
    wire.settle()


def publish(wire, count, topic="a", size=0):
    for index in range(count):
        wire.say([16, None, {}, topic, [index, "x" * size]])


def numbers(wire):
    return [event[4][0] for event in wire.heard()]


def test_everything_of_one_turn_leaves_in_one_write(world):
    listener, publisher = listening(world), world.join()
    writes = []
    write = listener.transport.write
    listener.transport.write = lambda data: (writes.append(data), write(data))
    publisher.say(*([16, i + 1, {}, "a", [i]] for i in range(50)))
    assert len(writes) == 1
    assert numbers(listener) == list(range(50))


def test_listeners_of_the_same_events_are_written_the_same_bytes_joined_once(world):
    first, second, other, publisher = listening(world), listening(world), listening(world, "b"), world.join()
    other.ask([32, 2, {}, "a"])
    written = {}
    for wire in (first, second, other):
        write = wire.transport.write
        wire.transport.write = lambda data, wire=wire, write=write: (
            written.setdefault(wire, data),
            write(data),
        )
    publisher.say([16, 1, {}, "a", [1]], [16, 2, {}, "b", [2]], [16, 3, {}, "a", [3]], [16, 4, {}, "a", [4]])
    assert written[first] is written[second]
    assert numbers(first) == numbers(second) == [1, 3, 4]
    assert numbers(other) == [1, 2, 3, 4]


def test_what_two_connections_are_told_in_one_turn_is_not_mixed_up(world):
    # As many messages, of the same length each.
    first, second, publisher = listening(world, "a"), listening(world, "b"), world.join()
    publisher.say(*([16, i + 1, {}, "ab"[i % 2], [i]] for i in range(8)))
    assert numbers(first) == [0, 2, 4, 6]
    assert numbers(second) == [1, 3, 5, 7]


def test_a_burst_is_written_in_chunks_so_that_no_queue_grows_with_it(world):
    listener, publisher = listening(world), world.join()
    sizes = []
    write = listener.transport.write
    listener.transport.write = lambda data: (sizes.append(len(data)), write(data))
    publisher.say(*([16, i + 1, {}, "a", ["x" * 1000]] for i in range(500)))
    assert max(sizes) < CHUNK + 2000
    assert len(listener.heard()) == 500


def test_a_stalled_listener_gets_the_newest_and_is_told_what_it_lost(world):
    listener, healthy, publisher = listening(world), listening(world), world.join()
    stall(listener)
    publish(publisher, 250)
    assert listener.heard() == []
    assert numbers(healthy) == list(range(250))
    read_again(listener)
    events = listener.heard()
    assert [event[4][0] for event in events] == list(range(150, 250))
    assert [event[3] for event in events] == [{"_lost": 150}] + [{}] * 99
    assert tally(world).lost == 150


def tally(world):
    """What became of events."""
    world.realm.ledger.settle()
    return world.realm.space.broker.tally


def test_what_is_delivered_is_counted_once_for_each_receiver_when_it_leaves(world):
    listeners, publisher = [listening(world) for _ in range(3)], world.join()
    publish(publisher, 10)
    assert (tally(world).delivered, tally(world).delivered_bytes) == (30, 30 * len(b'[0,""]'))
    stall(listeners[0])
    publish(publisher, 110)
    assert tally(world).delivered == 30 + 220
    read_again(listeners[0])
    assert tally(world).delivered == 30 + 220 + 100


def test_what_a_client_cannot_take_is_not_delivered(world):
    listener, publisher = listening(world), world.join()
    outlet = next(iter(world.realm.sessions.values())).outlet
    outlet.max_bytes = 100
    publish(publisher, 1, size=200)
    assert listener.heard() == []
    assert (tally(world).delivered, tally(world).undeliverable) == (0, 1)
    publish(publisher, 2)
    assert [event[3] for event in listener.heard()] == [{"_lost": 1}, {}]


def test_what_the_router_tells_is_not_counted(world):
    wire = world.join()
    wire.ask([32, 1, {}, "wamp.session.on_join"])
    world.join()
    assert wire.received() != b""
    assert tally(world).delivered == 0


def test_after_the_backlog_events_flow_again_in_order(world):
    listener, publisher = listening(world), world.join()
    stall(listener)
    publish(publisher, 3)
    read_again(listener)
    publish(publisher, 2)
    assert numbers(listener) == [0, 1, 2, 0, 1]


def test_each_subscription_has_a_buffer_of_its_own(world):
    listener, publisher = listening(world), world.join()
    listener.ask([32, 2, {}, "b"])
    stall(listener)
    publish(publisher, 1, "b")
    publish(publisher, 500)
    read_again(listener)
    events = listener.heard()
    assert len(events) == 101
    assert sum(event[3].get("_lost", 0) for event in events) == 400


def test_a_stalled_listener_that_unsubscribes_is_owed_nothing(world):
    listener, publisher = listening(world), world.join()
    stall(listener)
    publish(publisher, 5)
    listener.say([34, 2, 1])
    read_again(listener)
    assert listener.heard() == [[35, 2]]


def test_a_buffer_is_bounded_in_bytes_too(world):
    listener, publisher = listening(world), world.join()
    stall(listener)
    publish(publisher, 60, size=50_000)
    read_again(listener)
    events = listener.heard()
    assert len(events) == 20
    assert events[-1][4][0] == 59
    assert events[0][3] == {"_lost": 40}


def test_answers_are_kept_in_order_while_a_peer_does_not_read(world):
    wire = world.join()
    stall(wire)
    wire.say(*([48, i + 1, {}, "radiod.echo", [i]] for i in range(10)))
    assert wire.heard() == []
    read_again(wire)
    assert [answer[2:] for answer in wire.heard()] == [[{}, [i]] for i in range(10)]


def test_a_peer_that_asks_without_reading_is_not_read_any_more(world):
    wire = world.join()
    stall(wire)
    while wire.transport.producerState == "producing":
        wire.say([48, None, {}, "radiod.echo", ["x" * 1000]])
    read_again(wire)
    assert wire.transport.producerState == "producing"
    assert sum(len(str(answer)) for answer in wire.heard()) > READ_PAUSE


def test_a_peer_whose_backlog_others_fill_is_cut_at_the_bound(world):
    world.start(max_backlog_bytes=200_000)
    callee, caller = world.join(), world.join()
    callee.ask([64, 1, {}, "p"])
    stall(callee)
    for request in range(1, 30):
        caller.say([48, request, {}, "p", ["x" * 10_000]])
    assert callee.is_closed
    assert world.radio.fan_out.cut == 1
    assert {answer[4] for answer in caller.heard()} == {"wamp.error.canceled", "wamp.error.no_such_procedure"}


def test_a_stalled_peer_that_was_told_goodbye_is_cut_in_the_end(world):
    wire = world.join()
    stall(wire)
    world.realm.close()
    wire.settle()
    assert not wire.is_closed
    world.reactor.advance(2.1)
    assert wire.is_closed


def test_pings_to_a_peer_that_does_not_read_are_bounded_as_well(world):
    wire = world.join()
    stall(wire)
    ping = b"\x89\x84\x00\x00\x00\x00ping"
    for _ in range(20_000):
        if wire.transport.producerState != "producing":
            break
        wire.send(ping)
    assert wire.transport.producerState != "producing"


def test_an_event_that_a_serializer_cannot_say_is_dropped_for_it_alone(world):
    plain, other = listening(world), world.join()
    realm = world.realm
    session = next(iter(realm.sessions.values()))
    from radiod.wire.codecs import MSGPACK, Payload

    broken = bytes([0x91, 0xC1])  # as an event of an earlier version, kept in the store, may be
    realm.gateway.publish(session, "b", Payload(MSGPACK, broken, b""))
    other.ask([32, 1, {}, "b"])
    realm.gateway.publish(session, "b", Payload(MSGPACK, broken, b""))
    realm.gateway.publish(session, "b", Payload(MSGPACK, msgspec.msgpack.encode([1]), b""))
    other.settle()
    assert [(event[3], event[4]) for event in other.heard()] == [({"_lost": 1}, [1])]
    assert tally(world).undeliverable == 1
    assert plain.heard() == []


def test_a_loss_that_the_next_event_cannot_tell_is_told_by_the_one_behind_it(world):
    listener, publisher = listening(world), world.join()
    outlet = next(iter(world.realm.sessions.values())).outlet
    listener.ask([48, 2, {}, "radiod.channel.tune", ["a"], {"policy": "skip", "size": 1}])
    stall(listener)
    publish(publisher, 3)
    read_again(listener)
    assert numbers(listener) == [0]
    outlet.max_bytes = 100
    publish(publisher, 1, size=200)
    publish(publisher, 2)
    assert [event[3] for event in listener.heard()] == [{"_lost": 3}, {}]


@pytest.mark.interpreted
def test_a_past_that_a_client_cannot_take_is_passed_over_little_by_little(world):
    world.start("realms.radio.channels.kept.history.size = 1000")
    listener, publisher = world.join(), world.join()
    next(iter(world.realm.sessions.values())).outlet.max_bytes = 1000
    publish(publisher, 200, topic="kept", size=10_000)
    publish(publisher, 1, topic="kept")
    fan_out = world.radio.fan_out
    # Events made, in each turn until the outlet rests.
    turns, make, rest = [0], fan_out._frame, fan_out.rest

    def counted(*event):
        turns[-1] += 1
        return make(*event)

    fan_out._frame = counted
    fan_out.rest = lambda outlet: (turns.append(0), rest(outlet))
    epoch = world.realm.space.histories.find("kept").epoch
    # A live event keeps behind the past.
    ask = [32, 1, {"_radiod_after": f"{epoch}:0"}, "kept"]
    listener.say(ask, [16, None, {"exclude_me": False}, "kept", [1]])
    assert sum(turns) == 202
    assert max(turns) <= 30
    events = [event[3] for event in listener.heard() if event[0] == 36]
    assert [(event["_seq"], event.get("_lost")) for event in events] == [(201, 200), (202, None)]


def test_what_waits_for_a_peer_that_is_behind_is_sent_before_the_server_stops(world):
    slow, publisher = listening(world), world.join()
    stall(slow)
    publish(publisher, 5)
    world.realm.close()
    slow.settle()
    assert (slow.received(), slow.is_closed) == (b"", False)
    read_again(slow)
    *events, close = slow.frames()
    assert [msgspec.json.decode(payload)[4][0] for _, payload in events] == list(range(5))
    assert (close[0], close[1][:2]) == (8, b"\x03\xf4")


def test_so_much_of_it_and_no_more(world):
    slow, publisher = listening(world), world.join()
    tuned = slow.ask([48, 2, {}, "radiod.channel.tune", ["a"], {"size": 1000, "max_bytes": 4 << 20}])
    assert tuned[0] == 50
    stall(slow)
    publish(publisher, 30, size=1 << 16)
    world.realm.close()
    slow.settle()
    slow.transport.producer.resumeProducing()
    for _ in range(30):
        slow.settle()
    *events, close = slow.frames()
    assert DRAIN_BYTES <= sum(len(payload) for _, payload in events) < DRAIN_BYTES + (1 << 17)
    assert (close[0], close[1][:2]) == (8, b"\x03\xf4")


def test_what_became_due_in_this_very_turn_is_sent_before_the_server_stops(world):
    listener, publisher = world.join(), world.join()
    listener.ask([32, 1, {"_radiod_buffer": {"min_interval": 10}}, "a"])
    publish(publisher, 2)
    assert numbers(listener) == [0]
    # The realm closes in the turn of the timer that releases the second event, before anything is written.
    realm = world.realm
    world.radio.clock.timers.at(world.radio.clock.seconds() + 10, realm.close)
    world.reactor.advance(10)
    listener.settle()
    (event, close) = listener.frames()
    assert (msgspec.json.decode(event[1])[4][0], close[1][:2]) == (1, b"\x03\xf4")
