"""Every test here runs over WebSocket and RawSocket, in JSON, MessagePack and CBOR.

Those of ``SLICE`` also run with each peer at another of three real nodes. With ``--nodes 3`` all do.
"""

import pytest
from support.cluster.chosen import SLICE
from support.peers import SERIALIZERS, TRANSPORTS, Router
from twisted.logger import globalLogPublisher

ROLE = """
[realms.radio.roles.{0}]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
{1}

[realms.radio.users.{0}]
role = "{0}"
ticket = "{0}-ticket"
"""

TEXT = """
[realms.other]
anonymous = "listener"

[realms.radio.channels.kept]
history = { size = 10 }

[realms.radio.channels."kept.several.*"]
history = { size = 10 }

[realms.radio.roles.listener]
deny = ["kept.several.secret"]

[realms.radio.roles.mute]
call = ["*"]

[realms.radio.users.mute]
role = "mute"
ticket = "mute-ticket"
""" + "".join(
    ROLE.format(*role)
    for role in (
        ("open", "deny = []"),
        ("limited", 'deny = ["forbidden.*"]'),
        ("trusted", "trustlevel = 5"),
        ("public", 'disclose = "always"'),
        ("hidden", 'disclose = "never"'),
        ("partly", 'disclosed = ["named.*"]'),
    )
)

WIRES = [(transport, serializer) for transport in TRANSPORTS for serializer in SERIALIZERS]


def pytest_generate_tests(metafunc):
    """Each test over each wire; one of ``SLICE`` once more, with three nodes, each over the next wire."""
    if "router" not in metafunc.fixturenames or hasattr(metafunc.module, "router"):
        return
    wires = [pytest.param(wire, id="-".join(wire)) for wire in WIRES]
    name = metafunc.definition.originalname
    is_chosen = name in SLICE.get(metafunc.definition.path.name, ())
    if is_chosen and metafunc.config.getoption("--nodes") == 1:
        chosen = [name for names in SLICE.values() for name in names]
        wire = WIRES[chosen.index(name) % len(WIRES)]
        # The compiled build has tests of its own for nodes: this costs a cluster.
        marks = [pytest.mark.e2e, pytest.mark.interpreted]
        wires.append(pytest.param((*wire, "three_nodes"), id="-".join(("three-nodes", *wire)), marks=marks))
    metafunc.parametrize("router", wires, indirect=True)


@pytest.fixture
def router(world, request):
    """The world's radiod, with users of many roles, and clients of one transport and serializer."""
    transport, serializer, *nodes = request.param
    for fixture in nodes:
        world.fleet = request.getfixturevalue(fixture)
    return Router(world.start(TEXT), transport, serializer)


@pytest.fixture(autouse=True)
def no_failures():
    """Whatever clients send, nothing in the server may fail: not even where it goes on afterwards."""
    failures = []

    def observe(event):
        if "log_failure" in event:
            failures.append(event["log_failure"].getTraceback())

    globalLogPublisher.addObserver(observe)
    yield
    globalLogPublisher.removeObserver(observe)
    assert not failures, failures[0]
