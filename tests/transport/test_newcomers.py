"""Those who come in: their share of each turn, in order, and nobody more accepted while any wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from support.memory import RawSocketWire, WebSocketWire
from support.turns import ManualClock
from twisted.logger import capturedLogs

from radiod.transport.entrance import ACCEPTED, Entrance
from radiod.transport.newcomers import AT_ONCE_S, LOOK_S, SHARE_S, SILENT, SILENT_S, WINDOW_S, Newcomers
from radiod.wire.doors import Door


class Line:
    """A line on a clock that the work itself moves."""

    def __init__(self):
        self.clock = ManualClock()
        self.newcomers = Newcomers(self.clock)
        self.done = []

    def come(self, name, seconds):
        def step():
            self.clock.now += seconds
            self.done.append(name)

        if not self.newcomers.take(step):
            self.newcomers.wait(step)


@pytest.fixture
def line():
    return Line()


def test_who_comes_alone_is_let_in_at_once(line):
    for number in range(100):
        line.come(number, SHARE_S / 2)
        line.clock.now += WINDOW_S
    assert line.done == list(range(100))
    assert line.clock.is_idle
    assert (line.newcomers.came, line.newcomers.waited) == (100, 0)


def test_a_crowd_has_its_share_of_each_turn(line):
    for number in range(20):
        line.come(number, AT_ONCE_S / 2)
    assert line.done == [0, 1]
    assert (len(line.newcomers), line.newcomers.may_accept()) == (18, False)
    turns = 0
    while not line.clock.is_idle:
        before = line.clock.now
        line.clock.turn()
        turns += 1
        assert line.clock.now - before <= SHARE_S + AT_ONCE_S / 2
    assert line.done == list(range(20))
    assert turns == 9
    assert line.newcomers.may_accept()


def test_a_step_that_takes_longer_than_a_turn_is_done_all_the_same(line):
    for number in range(3):
        line.come(number, 10 * SHARE_S)
    assert line.done == [0]
    line.clock.turn()
    assert line.done == [0, 1]
    line.clock.turn()
    assert line.done == [0, 1, 2]


def test_nobody_overtakes_those_who_wait(line):
    line.come("first", AT_ONCE_S)
    line.come("second", 0)
    line.clock.now += 2 * WINDOW_S
    line.come("third", 0)
    assert line.done == ["first"]
    line.clock.turn()
    assert line.done == ["first", "second", "third"]


def test_whoever_waits_for_the_end_of_the_line_is_called_once(line):
    called = []
    line.come(1, AT_ONCE_S)
    line.come(2, 0)
    line.newcomers.when_in(lambda: called.append("in"))
    assert called == []
    line.clock.turn()
    line.come(3, 0)
    line.clock.turn()
    assert called == ["in"]


def test_no_more_are_accepted_while_many_are_silent_that_have_just_come(world):
    newcomers = world.radio.fan_out.newcomers
    wires = [world.connect() for _ in range(SILENT)]
    assert newcomers.may_accept()
    wires += [world.connect() for _ in range(SILENT)]
    assert not newcomers.may_accept()
    looked = []
    newcomers.when_in(lambda: looked.append(newcomers.may_accept()))
    wires[-1].send(b"GET ")
    world.wait(LOOK_S)
    wires.append(world.connect())
    newcomers.when_in(lambda: looked.append(newcomers.may_accept()))
    wires[0].hang_up()
    world.wait(LOOK_S)
    assert looked == [True, True]


def test_who_goes_on_saying_nothing_is_not_waited_for(world):
    newcomers = world.radio.fan_out.newcomers
    wires = [world.connect() for _ in range(2 * SILENT)]
    assert newcomers.may_accept()
    wires += [world.connect() for _ in range(2 * SILENT)]
    assert not newcomers.may_accept()
    world.wait(SILENT_S)
    assert newcomers.may_accept()
    for wire in wires:
        # More than are counted.
        wire.hang_up()
    assert newcomers.may_accept()


def test_one_that_fails_does_not_keep_the_others(line):
    line.come(1, AT_ONCE_S)
    line.newcomers.wait(lambda: 1 / 0)
    line.come(2, 0)
    with capturedLogs() as logs:
        line.clock.turn()
    assert line.done == [1, 2]
    assert [event["event"] for event in logs] == ["failure"]


def test_what_is_done_at_once_raises_to_whoever_asked(line):
    with pytest.raises(ZeroDivisionError):
        line.newcomers.take(lambda: 1 / 0)
    assert line.clock.is_idle


@given(st.lists(st.floats(0, 0.05), max_size=50), st.lists(st.integers(0, 5), max_size=50))
def test_all_come_in_in_their_order(costs, gaps):
    line = Line()
    for number, seconds in enumerate(costs):
        line.come(number, seconds)
        for _ in range(gaps[number] if number < len(gaps) else 0):
            line.clock.turn()
    while not line.clock.is_idle:
        line.clock.turn()
    assert line.done == list(range(len(costs)))
    assert line.newcomers.came == len(costs)


# --- the port


class Port:
    """As Twisted's."""

    numberAccepts = 100
    connected, disconnecting = True, False

    def __init__(self):
        self.accepted = []
        self.is_reading = True

    def getHost(self):
        return None

    def doRead(self):
        self.accepted.append(self.numberAccepts)
        self.numberAccepts += 20

    def stopReading(self):
        self.is_reading = False

    def startReading(self):
        self.is_reading = True


@pytest.fixture
def crowd(world):
    """A radiod in memory in front of which somebody waits."""
    newcomers = world.radio.fan_out.newcomers
    newcomers.wait(lambda: None)
    return newcomers


def test_few_are_accepted_in_a_turn_and_none_while_others_wait(world):
    port = Port()
    entrance = Entrance(world.radio.port, Door())
    for _ in range(2):
        # As after a reload, which changes the door.
        assert entrance.listening(port) is port
    port.doRead()
    port.doRead()
    assert port.accepted == [ACCEPTED, ACCEPTED]
    world.radio.fan_out.newcomers.wait(lambda: None)
    port.doRead()
    assert not port.is_reading
    world.wait(0)
    assert port.is_reading
    assert port.accepted == [ACCEPTED, ACCEPTED]


def test_a_port_that_was_closed_meanwhile_stays_closed(world, crowd):
    port = Port()
    Entrance(world.radio.port, Door()).listening(port)
    port.doRead()
    port.disconnecting = True
    world.wait(0)
    assert not port.is_reading


# --- what waits


def test_a_request_waits_for_its_turn_and_is_not_read_meanwhile(world, crowd):
    wire = world.connect()
    wire.transport.protocol.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /heal")
    assert wire.transport.producerState == "paused"
    assert wire.received() == b""
    # TLS has more at hand than was asked for.
    wire.transport.protocol.dataReceived(b"thz HTTP/1.1\r\nHost: a\r\n\r\n")
    world.wait(0)
    assert wire.received().count(b"HTTP/1.1 200 OK") == 2
    assert wire.transport.producerState == "producing"


@pytest.mark.parametrize("first", [b"\x7f\xf1\0\0", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_who_leaves_before_its_turn_is_forgotten(world, crowd, first):
    wire = world.connect()
    wire.transport.protocol.dataReceived(first)
    wire.hang_up()
    world.wait(0)
    assert wire.received() == b""
    assert world.radio.port.connections == 0


def test_who_is_sent_away_before_its_turn_is_not_let_in(world, crowd):
    wire = world.connect()
    wire.transport.protocol.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    world.radio.fan_out.strangers.dismiss()
    world.wait(0)
    assert wire.received() == b""
    assert wire.is_closed


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
def test_a_login_waits_for_its_turn_and_what_follows_behind_it(world, kind):
    wire = kind(world.radio, world.reactor)
    world.radio.fan_out.newcomers.wait(lambda: None)
    hello = [1, "radio", {"roles": {"subscriber": {}}}]
    data = [hello, [32, 1, {}, "a.b"]]
    wire.transport.protocol.dataReceived(b"".join(map(wire.frame, map(encode, data))))
    assert wire.heard() == []
    world.wait(0)
    world.wait(0)
    assert [message[0] for message in wire.heard()] == [2, 33]


@pytest.mark.parametrize(("message", "uri"), [([1, "nowhere", {"roles": {"caller": {}}}], "no_such_realm")])
def test_a_login_that_waited_is_refused_as_others(world, message, uri):
    wire = RawSocketWire(world.radio, world.reactor)
    world.radio.fan_out.newcomers.wait(lambda: None)
    wire.transport.protocol.dataReceived(wire.frame(encode(message)))
    world.wait(0)
    (answer,) = wire.heard()
    assert (answer[0], answer[2]) == (3, f"wamp.error.{uri}")


def test_a_login_whose_client_left_opens_no_session(world):
    wire = RawSocketWire(world.radio, world.reactor)
    world.radio.fan_out.newcomers.wait(lambda: None)
    wire.transport.protocol.dataReceived(wire.frame(encode([1, "radio", {"roles": {"caller": {}}}])))
    wire.hang_up()
    world.wait(0)
    world.wait(0)
    assert not world.realm.sessions
    assert world.radio.port.connections == 0
