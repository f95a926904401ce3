"""The Django radio's listener and generator, with the libraries they used, against the real server.

The listener follows the published article: wait for data, and when none comes in time ask with a ping whether
the connection lives; reconnect when it does not. The generator posts with ``requests``.
"""

import asyncio
import contextlib
import json
import queue
import threading

import pytest
import requests
import websockets
from support.config import configuration
from support.running import free_port, radiod

pytestmark = pytest.mark.e2e

HEADERS = {"API-KEY": "sample-key"}
SECONDS = 20


class Listener:
    """The article's listener in a thread of its own; what it hears is in ``heard``."""

    def __init__(self, url, data_timeout=10.0, ping_timeout=5.0, pause=0.2):
        self.heard = queue.Queue()
        self.connected = threading.Event()
        self._url = url
        self._data_timeout = data_timeout
        self._ping_timeout = ping_timeout
        self._pause = pause
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self.connected.wait(SECONDS)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(SECONDS)

    def next(self):
        """The next message, parsed."""
        return json.loads(self.heard.get(timeout=SECONDS))

    def _run(self):
        self._task = self._loop.create_task(self._listen())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _listen(self):
        while True:
            try:
                async with websockets.connect(self._url) as connection:
                    self.connected.set()
                    await self._receive(connection)
            except (OSError, websockets.exceptions.WebSocketException):
                pass
            self.connected.clear()
            await asyncio.sleep(self._pause)

    async def _receive(self, connection):
        while True:
            try:
                self.heard.put(await asyncio.wait_for(connection.recv(), self._data_timeout))
            except (TimeoutError, websockets.exceptions.ConnectionClosed):
                pong = await connection.ping()
                await asyncio.wait_for(pong, self._ping_timeout)


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


def publish(server, data, network="sample_net", path="/publish"):
    return requests.post(
        f"{server.url}{path}", headers=HEADERS, json={"network": network, "data": data}, timeout=SECONDS
    )


def assert_heard_nothing_but(listener, marker, server):
    """Publish ``marker``, and see that it is the next thing the listener hears."""
    assert publish(server, marker).status_code == 200
    assert listener.next() == marker


@pytest.mark.parametrize("path", ["/publish", "/api/publish"])
def test_generator_and_listener_work_unchanged(server, path):
    with Listener(f"{server.ws}/macro/sample/") as listener:
        for step in range(5):
            sample = {"state": {"1": step, "2": 2.5}, "timestamp": f"t{step}"}
            answer = publish(server, sample, path=path)
            assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
            assert listener.next() == sample


def test_several_listeners_hear_the_same_until_one_leaves(server):
    with Listener(f"{server.ws}/listen/sample_net") as first:
        with Listener(f"{server.ws}/macro/sample/") as second:
            publish(server, {"n": 1})
            assert (first.next(), second.next()) == ({"n": 1}, {"n": 1})
        publish(server, {"n": 2})
        assert first.next() == {"n": 2}
        assert second.heard.empty()


def test_a_listener_hears_its_own_network_only(server):
    with Listener(f"{server.ws}/macro/sample/") as listener:
        assert publish(server, {"n": 1}, "other_net").status_code == 200
        assert_heard_nothing_but(listener, {"n": 2}, server)


FAULTS = [
    ({}, {"network": "sample_net", "data": {}}, 400, "API-KEY missing in headers"),
    ({"API-KEY": "wrong"}, {"network": "sample_net", "data": {}}, 400, "API-KEY not valid"),
    (HEADERS, b"not json", 400, "POST data is not JSON"),
    (HEADERS, {"data": {}}, 400, "*network* key missing"),
    (HEADERS, {"network": "secret_net", "data": {}}, 403, "You cannot broadcast to this channel"),
    (HEADERS, {"network": "sample_net"}, 400, "*data* key missing"),
    (HEADERS, {"network": "sample_net", "data": [1]}, 400, "Can only broadcast json data"),
]


@pytest.mark.parametrize(("headers", "body", "status", "text"), FAULTS, ids=[fault[-1] for fault in FAULTS])
def test_every_fault_is_answered_as_ever_and_nobody_hears_of_it(server, headers, body, status, text):
    with Listener(f"{server.ws}/macro/sample/") as listener:
        kind = {"data": body} if isinstance(body, bytes) else {"json": body}
        answer = requests.post(f"{server.url}/publish", headers=headers, timeout=SECONDS, **kind)
        assert (answer.status_code, answer.json()) == (status, {"error": text})
        assert_heard_nothing_but(listener, {"marker": text}, server)


def test_other_methods_are_not_allowed(server):
    answer = requests.get(f"{server.url}/publish", headers=HEADERS, timeout=SECONDS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")


def test_a_silent_channel_keeps_the_listener_connected_by_its_pings(server):
    with Listener(f"{server.ws}/macro/sample/", data_timeout=0.1) as listener:
        for _ in range(3):
            with pytest.raises(queue.Empty):
                listener.heard.get(timeout=0.2)
        assert listener.connected.is_set()
        assert_heard_nothing_but(listener, {"still": "there"}, server)


def test_the_listener_returns_after_the_server_was_restarted(tmp_path):
    port = free_port()
    with contextlib.ExitStack() as stack:
        with radiod(tmp_path, configuration(), port) as server:
            listener = stack.enter_context(Listener(f"{server.ws}/macro/sample/"))
            publish(server, {"n": 1})
            assert listener.next() == {"n": 1}
            assert server.stop() == 0
        with radiod(tmp_path, configuration(), port) as server:
            assert listener.connected.wait(SECONDS)
            publish(server, {"n": 2})
            assert listener.next() == {"n": 2}


def test_server_sent_events_arrive_as_they_are_published(server):
    url = f"{server.url}/listen/sample_net"
    with requests.get(url, headers={"Accept": "text/event-stream"}, stream=True, timeout=SECONDS) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines) == b":"
        publish(server, {"n": 1})
        assert [next(lines) for _ in range(2)] == [b"", b'data: {"n": 1}']
