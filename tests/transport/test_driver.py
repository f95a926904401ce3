"""The driver's table of states: each transition is made by what a peer or the server really does."""

import pytest
from support.memory import HELLO, RawSocketWire, WebSocketWire

from radiod.transport.driver import CLOSING, OPEN, OPENING, OVER, STATES
from radiod.transport.schedule import Patience

GOODBYE = [6, {}, "wamp.close.close_realm"]
REPLY = [6, {}, "wamp.close.goodbye_and_out"]
ABORT = [3, {}, "wamp.close.error"]
NO_MESSAGE = {}


class Connection:
    """A connection, its driver, and somebody who may kill its session."""

    def __init__(self, world, kind):
        self.boss = world.connect(WebSocketWire)
        self.boss.join()
        self.wire = world.connect(kind)
        self.fan_out = world.radio.fan_out
        [self.driver] = self.fan_out.strangers
        self.outlet = self.driver._outlet

    def say(self, *messages):
        self.wire.say(*messages)

    def join(self):
        self.session = self.wire.join()

    def be_killed(self):
        assert self.boss.ask([48, None, {}, "wamp.session.kill", [self.session]])[0] == 50

    def hang_up(self):
        self.wire.hang_up()

    def do(self, steps):
        for step in steps:
            HOW[step](self)


HOW = {
    (OPENING, "joined"): Connection.join,
    (OPENING, "finished"): lambda connection: connection.say(ABORT),
    (OPENING, "lost"): Connection.hang_up,
    (OPEN, "said goodbye"): lambda connection: connection.wire.ask(GOODBYE),
    (OPEN, "told goodbye"): Connection.be_killed,
    (OPEN, "finished"): lambda connection: connection.say(NO_MESSAGE),
    (OPEN, "lost"): Connection.hang_up,
    (CLOSING, "finished"): lambda connection: connection.say(REPLY),
    (CLOSING, "lost"): Connection.hang_up,
}
WAYS = {
    OPENING: [],
    OPEN: [(OPENING, "joined")],
    CLOSING: [(OPENING, "joined"), (OPEN, "told goodbye")],
}


@pytest.fixture(params=[WebSocketWire, RawSocketWire], ids=["websocket", "rawsocket"])
def connection(world, request):
    return Connection(world, request.param)


def test_there_is_a_way_to_make_each_transition():
    assert HOW.keys() == {(state, what) for state, then in STATES.items() for what in then}


@pytest.mark.parametrize(("state", "what"), HOW, ids=str)
def test_each_transition_leads_where_the_table_says(connection, state, what):
    connection.do(WAYS[state])
    assert connection.driver.state == state
    connection.do([(state, what)])
    assert connection.driver.state == STATES[state][what]
    assert connection.driver.is_over is (connection.driver.state == OVER)


def test_a_client_that_said_goodbye_joins_again(connection):
    connection.do([(OPENING, "joined"), (OPEN, "said goodbye"), (OPENING, "joined")])
    assert connection.driver.state == OPEN


@pytest.mark.parametrize("state", WAYS)
def test_the_server_stops_in_every_state(connection, state):
    connection.do(WAYS[state])
    if state == OPEN:
        connection.driver.stop()
    else:
        connection.driver.dismiss()
    assert connection.driver.state == OVER


def test_nothing_leads_out_of_the_last_state(connection):
    connection.do([(OPENING, "finished")])
    connection.wire.heard()
    connection.driver.receive(b'[1,"radio",{"roles":{"caller":{}}}]')
    connection.driver.dismiss()
    connection.driver.lost()
    assert connection.driver.state == OVER
    assert connection.wire.heard() == []


def test_a_fault_of_a_peer_that_is_cut_for_its_backlog_ends_once(connection):
    """The last words are too much for it: the connection is lost while they are queued."""
    connection.join()
    connection.wire.transport.producer.pauseProducing()
    connection.outlet.patience = Patience(1, 1)
    connection.say(HELLO)
    assert connection.driver.state == OVER
    assert connection.wire.is_closed
