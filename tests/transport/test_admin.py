"""The admin socket: who comes by it, and what they may do."""

import os

import pytest
from support.memory import HELLO, AdminWire, RawSocketWire, Wire

from radiod.transport.admin import MAX_CONNECTIONS

PRIVATE = """
[realms.radio.channels.secret]
public = false
key = "the-key"

[realms.second.users.joe]
role = "listener"
ticket = "t"
"""
ISSUE = "radiod.admin.key.issue"


@pytest.fixture
def world(world):
    return world.start(PRIVATE)


@pytest.mark.parametrize("realm", ["radio", "second", "closed"])
def test_whoever_opens_it_is_admin_in_any_realm(world, realm):
    wire = world.connect(AdminWire)
    _, _, details = wire.ask([1, realm, HELLO[2]])
    who = {key: details[key] for key in ("realm", "authid", "authrole", "authmethod")}
    assert who == {
        "realm": realm,
        "authid": f"socket:{os.getuid()}",
        "authrole": "admin",
        "authmethod": "socket",
    }


def test_the_first_realm_has_a_name_for_who_knows_none(world):
    hello = [1, "radiod.admin", HELLO[2]]
    assert world.connect(AdminWire).ask(hello)[2]["realm"] == "radio"
    assert world.connect(RawSocketWire).ask(hello)[2] == "wamp.error.no_such_realm"
    world.start('[realms."radiod.admin".users.joe]\nrole = "listener"\nticket = "t"\n')
    assert world.connect(AdminWire).ask(hello)[2]["realm"] == "radiod.admin"


def test_a_realm_that_is_not_there_is_refused_as_elsewhere(world):
    assert world.connect(AdminWire).ask([1, "nowhere", HELLO[2]])[2] == "wamp.error.no_such_realm"


def test_what_the_client_would_like_to_be_does_not_count(world):
    hello = [1, "radio", {**HELLO[2], "authid": "somebody", "authmethods": ["ticket", "anonymous"]}]
    assert world.connect(AdminWire).ask(hello)[2]["authid"] == f"socket:{os.getuid()}"


def test_it_may_do_everything(world):
    """What gives access is not there yet for others: of those who may call it, the router says so."""
    wire = world.join(AdminWire)
    for message, answer in (
        ([32, None, {}, "radiod.channel.on_create"], 33),
        ([16, None, {"acknowledge": True}, "forbidden", [1]], 17),
        ([64, None, {}, "a.procedure"], 65),
        ([48, None, {}, "wamp.session.kill", [12345]], 8),
    ):
        assert wire.ask(message)[0] == answer
    assert wire.ask([48, None, {}, f"{ISSUE}.nothing"])[4] == "wamp.error.no_such_procedure"
    other = world.join(RawSocketWire)
    assert other.ask([48, None, {}, f"{ISSUE}.nothing"])[4] == "wamp.error.not_authorized"


def test_it_is_a_member_of_the_private_channels_of_the_configuration(world):
    wire = world.join(AdminWire)
    assert wire.ask([32, None, {}, "secret"])[0] == 33


def test_it_has_places_of_its_own(world):
    world.start(PRIVATE, max_connections=1)
    world.connect(Wire)
    assert world.radio.port.buildProtocol(None) is None
    wires = [world.connect(AdminWire) for _ in range(MAX_CONNECTIONS)]
    assert world.radio.port.connections == 1 + MAX_CONNECTIONS
    assert world.radio.admin.buildProtocol(None) is None
    wires[0].hang_up()
    assert world.radio.port.connections == MAX_CONNECTIONS
    world.connect(AdminWire)


def test_what_speaks_something_else_is_hung_up_on(world):
    """HTTP, for one: a page in a browser could send it."""
    wire = world.connect(type("Silent", (AdminWire,), {"open": lambda self: None}))
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert wire.is_closed
    assert not wire.received().startswith(b"HTTP")


def test_others_do_not_come_in_by_its_gates(world):
    """The doors of both are made from one factory."""
    world.join(AdminWire)
    assert world.connect(RawSocketWire).ask([1, "closed", HELLO[2]])[0] == 3
    world.join(AdminWire)
    assert world.connect(RawSocketWire).ask(HELLO)[2]["authrole"] == "open"
