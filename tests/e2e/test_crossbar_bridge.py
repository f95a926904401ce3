"""Clients of Crossbar.io's HTTP bridge, unmodified, against the real server; and its signatures by hand."""

import base64
import contextlib
import gzip
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime

import crossbarhttp
import pytest
import requests
from support.signing import KEYS
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
HEADERS = {"API-KEY": "key-of-station"}


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve(KEYS)


@pytest.fixture
def client(server):
    return crossbarhttp.Client(f"{server.url}/", headers=HEADERS, timeout=SECONDS)


@contextlib.contextmanager
def listening(server, channel):
    """A plain WebSocket. Yields: what gives its next sample."""
    with connect(f"{server.ws}/listen/{channel}") as connection:
        yield lambda: json.loads(connection.recv(timeout=SECONDS))


@contextlib.contextmanager
def serving(server, procedure, answer):
    """A callee. ``answer``: makes of args and kwargs the rest of YIELD, or of ERROR from its URI on."""
    with connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"]) as connection:

        def ask(message):
            connection.send(json.dumps(message))
            return json.loads(connection.recv(timeout=SECONDS))

        assert ask([1, "radio", {"roles": {"callee": {}}}])[0] == 2
        assert ask([64, 1, {}, procedure])[0] == 65

        def serve():
            with contextlib.suppress(ConnectionClosed):
                while True:
                    _, request, _, _, *payload = json.loads(connection.recv())
                    told = answer(*payload)
                    head = [8, 68, request, {}] if isinstance(told[0], str) else [70, request, {}]
                    connection.send(json.dumps([*head, *told]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        connection.close()
        thread.join(SECONDS)


class TestTheClient:
    def test_publishes(self, server, client):
        with listening(server, "weather.harbour") as sample:
            assert client.publish("weather.harbour", 21.5) > 0
            assert sample() == 21.5
            client.publish("weather.harbour", 1, 2, unit="C")
            assert sample() == {"args": [1, 2], "kwargs": {"unit": "C"}}

    def test_calls(self, server, client):
        def add(args, kwargs=None):
            return [[sum(args) + sum((kwargs or {}).values())]]

        with serving(server, "station.add", add):
            assert client.call("station.add", 1, 2) == 3
            assert client.call("station.add", 1, more=5) == 6

    def test_learns_of_errors(self, server, client):
        with pytest.raises(crossbarhttp.ClientNoCalleeRegistered):
            client.call("station.nothing")
        with serving(server, "station.fail", lambda *_: ["station.error.broken", ["it broke"]]):
            with pytest.raises(crossbarhttp.ClientCallRuntimeError) as raised:
                client.call("station.fail", 1)
            assert str(raised.value) == "it broke"

    def test_without_a_key(self, server):
        with pytest.raises(crossbarhttp.ClientMissingParams):
            crossbarhttp.Client(f"{server.url}/", timeout=SECONDS).publish("weather.harbour", 1)

    def test_in_the_background(self, server):
        client = crossbarhttp.Client(f"{server.url}/", do_async=True, headers=HEADERS, timeout=SECONDS)
        future = client.publish("weather.harbour", 1)
        assert list(future.result(SECONDS).json()) == ["id"]


def signed(server, path, body, seq=1, nonce=1234567890, **changes):
    """The worked example of ``docs/protocol.md``."""
    timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = f"station{timestamp}{seq}{nonce}".encode() + body
    digest = hmac.new(b"s3cr3t-of-station", told, hashlib.sha256).digest()
    query = {
        "key": "station",
        "timestamp": timestamp,
        "seq": seq,
        "nonce": nonce,
        "signature": base64.urlsafe_b64encode(digest).decode(),
    }
    options = {"method": "POST", "data": body, "params": query, **changes}
    return requests.request(url=f"{server.url}{path}", timeout=SECONDS, **options)


class TestSignatures:
    BODY = b'{"topic":"weather.harbour","args":[21.5]}'

    def test_the_worked_example(self):
        told = b"station2026-11-26T12:00:00.000000Z11234567890" + self.BODY
        digest = hmac.new(b"s3cr3t-of-station", told, hashlib.sha256).digest()
        assert base64.urlsafe_b64encode(digest) == b"z90jzK6WsTsCj8RFISvM2fjS0KpKIrLZgWag-FOJBAs="

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_publish(self, server, method):
        with listening(server, "weather.harbour") as sample:
            answer = signed(server, "/publish", self.BODY, method=method)
            assert (answer.status_code, list(answer.json())) == (200, ["id"])
            assert sample() == 21.5

    def test_call(self, server):
        body = b'{"procedure":"station.double","args":[2]}'
        with serving(server, "station.double", lambda args: [[2 * args[0]]]):
            answer = signed(server, "/call", body)
        assert (answer.status_code, answer.json()) == (200, {"args": [4]})

    def test_of_a_compressed_body_it_is_that_of_the_plain_one(self, server):
        compressed = {"data": gzip.compress(self.BODY), "headers": {"Content-Encoding": "gzip"}}
        assert signed(server, "/publish", self.BODY, **compressed).status_code == 200

    @pytest.mark.parametrize("path", ["/publish", "/call"])
    def test_that_is_wrong(self, server, path):
        answer = signed(server, path, b"{}", data=b"{} ")
        assert (answer.status_code, answer.json()) == (
            401,
            {"error": "REST bridge signature secret not valid.", "args": [], "kwargs": {}},
        )
