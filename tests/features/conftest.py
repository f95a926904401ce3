"""Every test here runs over WebSocket and RawSocket, in JSON, MessagePack and CBOR."""

from pathlib import Path

import pytest
from support.peers import SERIALIZERS, TRANSPORTS, Router
from twisted.logger import globalLogPublisher

from radiod.config import Config

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
[realms.radio]
anonymous = "open"

[realms.other]
anonymous = "listener"

[realms.radio.channels.kept]
history = { size = 10 }

[realms.radio.channels."kept.several.*"]
history = { size = 10 }

[realms.radio.roles.listener]
subscribe = ["*"]
call = ["*"]
deny = ["kept.several.secret"]

[realms.radio.users.listener]
role = "listener"
ticket = "listener-ticket"

[realms.radio.roles.mute]
call = ["*"]

[realms.radio.users.mute]
role = "mute"
ticket = "mute-ticket"
""" + "".join(
    ROLE.format(*role)
    for role in (
        ("open", ""),
        ("limited", 'deny = ["forbidden.*"]'),
        ("trusted", "trustlevel = 5"),
        ("public", 'disclose = "always"'),
        ("hidden", 'disclose = "never"'),
        ("partly", 'disclosed = ["named.*"]'),
    )
)

CONFIG = Config.parse(TEXT, Path())

WIRES = [(transport, serializer) for transport in TRANSPORTS for serializer in SERIALIZERS]


@pytest.fixture(params=WIRES, ids=["-".join(wire) for wire in WIRES])
def router(request):
    """A radiod in memory, and clients of one transport and serializer for it."""
    return Router(CONFIG, *request.param)


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
