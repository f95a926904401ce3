"""Autobahn|JS on Node, unmodified, with every serializer over WebSocket, and over long-poll.

Its long-poll is made for browsers: ``js/xhr.js`` gives Node the one thing that it misses.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "js"
SECONDS = 30

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (HERE / "node_modules" / "autobahn").is_dir(), reason="npm packages are missing"),
]


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


WAYS = [("json", "websocket"), ("msgpack", "websocket"), ("cbor", "websocket"), ("json", "longpoll")]
TRANSPORTS = ["websocket", "longpoll"]


def run(server, serializer, transport, *credentials):
    # Autobahn|JS wants the platform's WebSocket, which Node 20 has behind a flag.
    command = [
        "node",
        "--experimental-websocket",
        "--no-warnings",
        "client.js",
        serializer,
        transport,
        str(server.port),
        *credentials,
    ]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("serializer", "transport"), WAYS)
def test_a_stock_client_can_do_everything_the_basic_profile_has(server, serializer, transport):
    seen = run(server, serializer, transport)
    assert seen.pop("joined")[1:] == ["open", "anonymous"]
    assert seen == {
        "client": serializer,
        "transport": transport,
        "publication": True,
        "payload": True,
        "order": [2, 3],
        "retained": "kept",
        "call": [5, 9],
        "application error": ["test.error", ["reason"], {"code": 7}],
        "registered twice": "wamp.error.procedure_already_exists",
        "unregistered": "wamp.error.no_such_procedure",
        "echo": True,
        "not authorized": ["wamp.error.not_authorized"] * 4,
        "invalid uri": "wamp.error.invalid_uri",
        "created": ["control_key", "expires", "name", "readers"],
        "ended": "expired",
        "closed": "radiod.error.channel_closed",
        "left": "wamp.close.goodbye_and_out",
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_ticket_opens_a_session(server, transport):
    assert run(server, "json", transport, "joe", "joe-ticket")["joined"] == ["joe", "open", "ticket"]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("credentials", [("joe", "wrong"), ("nobody", "joe-ticket")])
def test_a_wrong_ticket_and_an_unknown_user_are_refused_alike(server, transport, credentials):
    assert run(server, "json", transport, *credentials)["left"] == "wamp.error.authentication_denied"
