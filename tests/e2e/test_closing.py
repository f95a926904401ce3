"""How sessions end that the router ends, over real sockets."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.running import environment
from support.sockets import RawClient

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients" / "autobahn_killed.py"
SECONDS = 20
KILLED, SHUTDOWN = "wamp.close.killed", "wamp.close.system_shutdown"
MANY = 3000
CROWDED = f"[limits]\nmax_connections_per_address = {MANY + 1}\n"
HELLO = b'[1,"radio",{"roles":{"subscriber":{}},"_radiod_goodbye":true}]'
GOODBYE = b'[6,{},"wamp.close.goodbye_and_out"]'


@pytest.fixture
def server(world):
    return world.serve(CROWDED)


@pytest.fixture
def client(server):
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(RawClient(server.port)))


def killed(client):
    victim, killer = client(), client()
    killer.ask([48, 1, {}, "wamp.session.kill", [victim.session], {"reason": KILLED}])
    assert victim.hear() == [6, {}, KILLED]
    return victim


def test_who_answers_is_closed_with_1000_at_once(client):
    victim = killed(client)
    begin = time.monotonic()
    victim.say([48, 1, {}, "radiod.echo"], ["nonsense"], [6, {}, "wamp.close.goodbye_and_out"])
    assert victim.hear_close() == 1000
    assert time.monotonic() - begin < 1


def test_who_does_not_answer_is_closed_with_1000_after_two_seconds(client):
    victim = killed(client)
    begin = time.monotonic()
    victim.say([48, 1, {}, "radiod.echo"], ["nonsense"])
    assert victim.hear_close() == 1000
    assert 1.5 < time.monotonic() - begin < 4


@pytest.mark.parametrize(
    ("how", "left", "code"),
    [
        ("killed", KILLED, 1000),
        ("shutdown", "wamp.close.transport_lost", 1012),
        ("shutdown, goodbye asked for", SHUTDOWN, 1000),
    ],
)
@pytest.mark.parametrize("transport", ["websocket", "rawsocket"])
def test_a_stock_client_sees_a_clean_end(server, client, transport, how, left, code):
    asks = ["goodbye"] if "asked" in how else []
    command = [sys.executable, str(CLIENT), transport, str(server.port), *asks]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout.readline() == "joined\n"
        if how == "killed":
            client().ask([48, 1, {}, "wamp.session.kill_all", [], {"reason": KILLED}])
        else:
            server.stop()
        seen = json.loads(process.communicate(timeout=SECONDS)[0])
    assert seen == {"left": left, "closed": [True, code] if transport == "websocket" else "ConnectionDone"}


def framed(data):
    return len(data).to_bytes(4, "big") + data


def read(connection, size):
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return data


def read_frame(connection):
    return json.loads(read(connection, int.from_bytes(read(connection, 4), "big")))


def joined(port):
    connection = socket.create_connection(("127.0.0.1", port), SECONDS)
    connection.sendall(b"\x7f\xf1\x00\x00" + framed(HELLO))
    assert read(connection, 4) == b"\x7f\xb1\x00\x00"
    assert read_frame(connection)[0] == 2
    return connection


@pytest.mark.parametrize("is_polite", [True, False], ids=["answering", "silent"])
def test_sigterm_ends_thousands_of_sessions_in_five_seconds(server, is_polite):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(joined(server.port)) for _ in range(MANY)]
        begin = time.monotonic()
        server.process.terminate()
        for connection in connections:
            assert read_frame(connection)[::2] == [6, SHUTDOWN]
            if is_polite:
                connection.sendall(framed(GOODBYE))
        for connection in connections:
            assert connection.recv(1) == b""
        assert server.ended() == 0
        assert time.monotonic() - begin < 5
    assert "Traceback" not in server.log.read_text()
