"""Autobahn|Python, unmodified: Twisted, asyncio, every serializer, both transports, compression, batches."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import environment
from support.sweeps import crossed

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients" / "autobahn_client.py"
SECONDS = 30

FRAMEWORKS, SERIALIZERS = ("twisted", "asyncio"), ("json", "msgpack", "cbor")
BATCHED = tuple(f"{name}.batched" for name in SERIALIZERS)
COMBINATIONS = [
    *crossed(FRAMEWORKS, ("websocket", "rawsocket"), SERIALIZERS),
    *crossed(FRAMEWORKS, ("websocket",), BATCHED),
]


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


def run(server, *arguments):
    command = [sys.executable, str(CLIENT), *arguments[:3], str(server.port), *arguments[3:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment())
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("framework", "transport", "serializer"), COMBINATIONS)
def test_a_stock_client_can_do_everything_the_basic_profile_has(server, framework, transport, serializer):
    combination = [framework, transport, serializer]
    seen = run(server, *combination)
    assert seen.pop("joined")[1:] == ["open", "anonymous"]
    assert seen == {
        "client": combination,
        "publication": True,
        "payload": True,
        "order": True,
        "extensions": ["permessage-deflate"] if "websocket" in combination else [],
        "retained": "kept",
        "call": [5, 9],
        "application error": ["test.error", ["reason"], {"code": 7}],
        "registered twice": "wamp.error.procedure_already_exists",
        "unregistered": "wamp.error.no_such_procedure",
        "echo": True,
        "not authorized": ["wamp.error.not_authorized"] * 4,
        "invalid uri": "wamp.error.invalid_uri",
        "created": ["control_key", "expires", "name", "readers"],
        "exists": "radiod.error.channel_exists",
        "ended": "expired",
        "closed": "radiod.error.channel_closed",
        "left": "wamp.close.goodbye_and_out",
    }


@pytest.mark.parametrize(("framework", "transport"), crossed(FRAMEWORKS, ("websocket", "rawsocket")))
def test_a_ticket_opens_a_session(server, framework, transport):
    seen = run(server, framework, transport, "json", "joe", "joe-ticket")
    assert seen["joined"] == ["joe", "open", "ticket"]
    assert seen["closed"] == "radiod.error.channel_closed"


@pytest.mark.parametrize("credentials", [("joe", "wrong"), ("nobody", "joe-ticket")])
@pytest.mark.parametrize("framework", ["twisted", "asyncio"])
def test_a_wrong_ticket_and_an_unknown_user_are_refused_alike(server, framework, credentials):
    seen = run(server, framework, "websocket", "json", *credentials)
    assert "joined" not in seen
    assert seen["left"] == "wamp.error.authentication_denied"
