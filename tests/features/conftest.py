"""Every test here runs over WebSocket and RawSocket, in JSON, MessagePack and CBOR: six wires.

Over all six with ``make features`` and in ``make soak``. In other runs a test goes over one half of them:
both transports, all three serializers. On the compiled build it goes over the other half. Of a test with
three cases and more each case goes over one wire of the half, in turn.

Those of ``SLICE`` also run with each peer at another of three real nodes. With ``--nodes 3`` all do.
"""

import zlib
from collections import defaultdict

import pytest
from support.cluster.chosen import SLICE
from support.peers import SERIALIZERS, TRANSPORTS, Router
from twisted.logger import globalLogPublisher

from radiod.core.build import BUILD

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
HALVES = (WIRES[0::2], WIRES[1::2])
"""In each both transports, and each serializer once."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave to ``make soak`` what is not in every run."""
    if config.getoption("--nodes") != 1 or config.getoption("--every-wire"):
        return
    functions = defaultdict(lambda: defaultdict(list))
    for item in items:
        if item.path.parent.name == "features" and "router" in getattr(item, "callspec", NONE).params:
            name, _, case = item.nodeid.partition("[")
            # Of the same case with another wire everything else in its name is the same.
            functions[name][case.replace(name_of(item.callspec.params["router"]), "", 1)].append(item)
    for name, cases in functions.items():
        half = HALVES[(zlib.crc32(name.encode()) + (BUILD == "compiled")) % 2]
        for place, wires in enumerate(cases.values()):
            # Not in step with the values of one parameter among several.
            chosen = half if len(cases) < len(half) else [half[(place + place // len(half)) % len(half)]]
            # Whoever names a test by its wire gets it.
            for item in wires if len(wires) >= len(WIRES) else ():
                if item.callspec.params["router"] in set(WIRES).difference(chosen):
                    item.add_marker(pytest.mark.soak)


class NONE:
    """What a test without parameters has."""

    params = ()


def name_of(wire):
    return "-".join(wire)


def pytest_generate_tests(metafunc):
    """Each test over each wire; one of ``SLICE`` once more, with three nodes, each over the next wire."""
    if "router" not in metafunc.fixturenames or hasattr(metafunc.module, "router"):
        return
    wires = [pytest.param(wire, id=name_of(wire)) for wire in WIRES]
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
