"""Every test here runs over WebSocket and RawSocket, in JSON, MessagePack and CBOR."""

import pytest
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


@pytest.fixture(params=WIRES, ids=["-".join(wire) for wire in WIRES])
def router(world, request):
    """The world's radiod, with users of many roles, and clients of one transport and serializer."""
    return Router(world.start(TEXT), *request.param)


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
