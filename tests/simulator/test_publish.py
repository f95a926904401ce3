"""Publishing over HTTP, against a real server on a real port; time is a variable."""

import json
import socket
import threading
from argparse import Namespace
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from simulator import Simulator, Town
from simulator.broadcast import Broadcast
from simulator.maps import parts, whole
from simulator.publish import Publisher, PublishError

OK = (200, {}, {"message": "OK"})


class Radio:
    """A server that answers what ``answers`` says, then OK; requests are logged as (path, headers, body)."""

    def __init__(self, port=0, answers=(), before=lambda: None):
        self.answers = list(answers)
        self.requests = []
        self.sockets = []
        radio = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                radio.sockets.append(self.connection)

            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                radio.requests.append((self.path, self.headers, json.loads(content)))
                before()
                status, headers, body = radio.answers.pop(0) if radio.answers else OK
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(data), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/publish"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self):
        """Vanish as a killed server does: no port, no connection."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in self.sockets:
            with suppress(OSError):  # Where the client closed it first.
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def bodies(self):
        return [body for _, _, body in self.requests]

    @property
    def topics(self):
        """What each request was for: a channel, or the topic of the map."""
        return [body.get("network") or body.get("topic") for body in self.bodies]


class Clock:
    """Time, and the event that ends a broadcast: waiting moves the clock at once.

    ``then``: called with the number of waits so far, after each.
    """

    def __init__(self, then=lambda count: None):
        self.now = 0.0
        self.waits = []
        self._then = then

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        self.waits.append(seconds)
        assert len(self.waits) < 200, "it never ends"
        self._then(len(self.waits))
        return False


@pytest.fixture
def radios():
    """Start radios; all are stopped in the end."""
    started = []

    def start(*args, **kwargs):
        started.append(Radio(*args, **kwargs))
        return started[-1]

    yield start
    for radio in started:
        radio.stop()


@pytest.fixture
def publishers():
    """Make publishers; all are closed in the end."""
    made = []

    def make(url, key="sample-key"):
        made.append(Publisher(url, key, timeout=5.0))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def broadcast(publishers):
    """Broadcast ``samples`` samples, one in 5 s. Returns: the clock."""

    def run(url, samples=3, clock=None, format="dense"):
        clock = clock or Clock()
        simulator = Simulator(Town.grid(2, 2), "town")
        options = Namespace(format=format, samples=samples, step=5.0, speed=1.0)
        Broadcast(simulator, publishers(url), options, clock, clock).run()
        return clock

    return run


def free_port():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


# --- The publisher


def test_a_sample_is_posted_with_the_key_in_the_articles_dialect(radios, publishers):
    radio = radios()
    publishers(radio.url, "a-key").publish("town", {"n": [1.5]})
    ((path, headers, body),) = radio.requests
    assert path == "/publish"
    assert headers["API-KEY"] == "a-key"
    assert headers["Content-Type"] == "application/json"
    assert body == {"network": "town", "data": {"n": [1.5]}}


def test_a_topic_is_posted_in_the_bridges_dialect_and_retained(radios, publishers):
    radio = radios(answers=[(200, {}, {"id": 7})])
    publishers(radio.url).publish_topic("town.map", [{"streets": []}])
    assert radio.bodies == [{"topic": "town.map", "args": [{"streets": []}], "options": {"retain": True}}]


def test_the_path_of_the_url_is_kept_and_is_publish_by_default(radios, publishers):
    radio = radios()
    publishers(f"http://127.0.0.1:{radio.port}/api/publish").publish("town", {})
    publishers(f"http://127.0.0.1:{radio.port}").publish("town", {})
    assert [path for path, _, _ in radio.requests] == ["/api/publish", "/publish"]


def test_one_connection_serves_all_requests(radios, publishers):
    radio = radios()
    publisher = publishers(radio.url)
    assert not publisher.is_connected
    for _ in range(10):
        publisher.publish("town", {})
        assert publisher.is_connected
    assert len(radio.requests) == 10
    assert len(radio.sockets) == 1


def test_a_refused_request_leaves_the_connection_usable(radios, publishers):
    radio = radios(answers=[(400, {}, {"error": "no"}), (503, {}, b"")])
    publisher = publishers(radio.url)
    for _ in range(2):
        with pytest.raises(PublishError):
            publisher.publish("town", {})
    publisher.publish("town", {})
    assert len(radio.sockets) == 1


@pytest.mark.parametrize(
    ("answer", "text", "is_final", "retry_after"),
    [
        ((400, {}, {"error": "API-KEY not valid"}), "400: API-KEY not valid", True, None),
        ((403, {}, {"error": "You cannot"}), "403: You cannot", True, None),
        ((404, {}, b"<html>\n <b>Not\nfound</b>"), "404: <html> <b>Not found</b>", True, None),
        ((301, {"Location": "/"}, b""), "301: refused", True, None),
        ((410, {}, {"error": "closed"}), "410: closed", False, None),
        ((429, {"Retry-After": "7"}, {"error": "quota"}), "429: quota", False, 7.0),
        (
            (429, {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}, {"error": "quota"}),
            "429: quota",
            False,
            None,
        ),
        ((500, {}, b"\xff"), "500: \ufffd", False, None),
        ((503, {"Retry-After": "2"}, ["odd"]), '503: ["odd"]', False, 2.0),
        ((200, {}, b"<html>hello"), "200: the answer is not JSON: is this the publish resource?", True, None),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_refusals_tell_status_reason_and_whether_to_try_again(
    radios, publishers, answer, text, is_final, retry_after
):
    radio = radios(answers=[answer])
    with pytest.raises(PublishError) as raised:
        publishers(radio.url).publish("town", {})
    assert str(raised.value) == text
    assert raised.value.status == answer[0]
    assert raised.value.is_final is is_final
    assert raised.value.retry_after == retry_after


def test_an_error_in_a_good_answer_is_a_refusal(radios, publishers):
    radio = radios(answers=[(200, {}, {"error": "wamp.error.not_authorized", "args": ["no"]})])
    with pytest.raises(PublishError, match=r"200: wamp\.error\.not_authorized \['no'\]") as raised:
        publishers(radio.url).publish_topic("town.map", [])
    assert raised.value.is_final


def test_a_server_that_is_not_there_is_an_os_error(publishers):
    publisher = publishers(f"http://127.0.0.1:{free_port()}/publish")
    with pytest.raises(ConnectionRefusedError):
        publisher.publish("town", {})
    assert not publisher.is_connected


@pytest.mark.parametrize(
    ("url", "key", "message"),
    [
        ("ftp://127.0.0.1/publish", "key", "not an HTTP URL"),
        ("127.0.0.1:8080", "key", "not an HTTP URL"),
        ("http:///publish", "key", "not an HTTP URL"),
        ("http://127.0.0.1:port/publish", "key", "Port"),
        ("http://127.0.0.1/pub lish", "key", "path of the URL"),
        ("http://127.0.0.1/püblish", "key", "path of the URL"),
        ("http://127.0.0.1/publish", "two\nlines", "API key"),
        ("http://127.0.0.1/publish", "line end\r", "API key"),
        ("http://127.0.0.1/publish", "schlüssel", "API key"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(url, key, message):
    with pytest.raises(ValueError, match=message):
        Publisher(url, key)


# --- The broadcast


def test_a_broadcast_sends_the_map_once_and_then_samples(radios, broadcast):
    radio = radios()
    broadcast(radio.url, samples=4)
    assert radio.topics == ["town.map", "town", "town", "town", "town"]
    assert radio.bodies[0]["options"] == {"retain": True}
    (described,) = radio.bodies[0]["args"]
    assert len(described["streets"]) == len(radio.bodies[1]["data"]["n"]) == 8
    assert [body["data"]["time"] for body in radio.bodies[1:]] == [0, 5, 10, 15]
    assert len(radio.sockets) == 1


def test_a_large_map_is_sent_in_parts_the_one_that_names_them_last(radios, broadcast, monkeypatch):
    monkeypatch.setattr("simulator.broadcast.parts", lambda town: parts(town, 900))
    radio = radios()
    broadcast(radio.url, samples=2)
    maps = [(body["topic"], body["args"][0]) for body in radio.bodies if "topic" in body]
    assert [topic for topic, _ in maps] == ["town.map.3", "town.map.2", "town.map"]
    assert whole([part for _, part in maps]) == Simulator(Town.grid(2, 2), "town").map()
    assert radio.topics[3:] == ["town", "town"]


def test_a_broadcast_sends_the_format_that_was_asked_for(radios, broadcast):
    radio = radios()
    broadcast(radio.url, samples=1, format="legacy")
    assert set(radio.bodies[1]["data"]) == {"state", "timestamp"}


def test_samples_keep_to_their_schedule_however_long_publishing_takes(radios, broadcast):
    clock, times = Clock(), []

    def before():
        times.append(clock.now)
        clock.now += 1.5

    broadcast(radios(before=before).url, samples=4, clock=clock)
    # The map, and at the same slot the first sample.
    assert times == [0, 1.5, 5, 10, 15]


def test_slots_that_were_missed_are_skipped(radios, broadcast):
    clock, times = Clock(), []

    def before():
        times.append(clock.now)
        clock.now += 12.0 if len(times) == 3 else 0.0

    broadcast(radios(before=before).url, samples=4, clock=clock)
    assert times == [0, 0, 5, 20, 25]


@pytest.mark.parametrize(
    ("good", "answer"),
    [
        (0, (200, {}, {"error": "wamp.error.not_authorized", "args": []})),
        (0, (400, {}, {"error": "API-KEY not valid"})),
        (1, (403, {}, {"error": "You cannot broadcast to this channel"})),
        (2, (400, {}, {"error": "API-KEY not valid"})),
    ],
    ids=["map 200", "map 400", "sample 403", "sample 400"],
)
def test_a_final_refusal_ends_the_broadcast(radios, broadcast, good, answer):
    radio = radios(answers=[OK] * good + [answer])
    with pytest.raises(PublishError) as raised:
        broadcast(radio.url)
    assert raised.value.status == answer[0]
    assert len(radio.requests) == good + 1


def test_a_quota_is_waited_for_as_long_as_the_server_says(radios, broadcast, capsys):
    radio = radios(answers=[OK, OK, (429, {"Retry-After": "17"}, {"error": "quota"})])
    clock = broadcast(radio.url, samples=3)
    assert 17.0 in clock.waits
    assert radio.topics == ["town.map", *["town"] * 4]
    assert capsys.readouterr().err == "simulator: not published (429: quota); again in 17.0 s\n"


def test_no_server_can_make_a_broadcast_wait_for_more_than_a_minute(radios, broadcast):
    radio = radios(answers=[(429, {"Retry-After": "9" * 400}, {})])
    assert max(broadcast(radio.url).waits) == 60


def test_a_failing_server_is_tried_again_ever_more_slowly(radios, broadcast):
    radio = radios(answers=[(500, {}, b"")] * 9)
    clock = broadcast(radio.url, samples=1)
    pauses = clock.waits[1::2][:9]
    assert all(
        0.5 * top <= pause <= top for pause, top in zip(pauses[:5], [0.2, 0.4, 0.8, 1.6, 3.2], strict=True)
    )
    assert all(2.5 <= pause <= 5 for pause in pauses[5:])
    assert len(set(pauses)) == 9


def test_after_a_success_pauses_begin_small_again(radios, broadcast):
    bad = (500, {}, b"")
    radio = radios(answers=[bad] * 6 + [OK, OK, bad])
    clock = broadcast(radio.url, samples=2)
    assert 0.1 <= clock.waits[-2] <= 0.2
    assert radio.topics[-3:] == ["town", "town", "town"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_map_that_was_not_taken_is_sent_again_before_any_sample(radios, broadcast, status):
    radio = radios(answers=[(status, {}, {"error": "not now"})])
    broadcast(radio.url, samples=2)
    assert radio.topics == ["town.map", "town.map", "town", "town"]


def test_a_broadcast_begins_when_its_server_appears(radios, broadcast, capsys):
    port, started = free_port(), []

    def then(count):
        if count == 8:
            started.append(radios(port))

    broadcast(f"http://127.0.0.1:{port}/publish", clock=Clock(then))
    assert started[0].topics == ["town.map", "town", "town", "town"]
    # Simulated time went on meanwhile.
    assert started[0].bodies[1]["data"]["time"] > 0
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("simulator: not published (ConnectionRefusedError: ") for line in lines)


def test_a_restarted_server_gets_the_map_again(radios, broadcast):
    first, second = radios(), []

    def then(count):
        if count == 3:
            first.stop()
            second.append(radios(first.port))

    broadcast(first.url, samples=5, clock=Clock(then))
    assert first.topics == ["town.map", "town", "town"]
    assert second[0].topics == ["town.map", "town", "town", "town"]


def test_a_server_that_keeps_no_connection_gets_the_map_with_each(radios, broadcast):
    closing = (200, {"Connection": "close"}, {})
    radio = radios(answers=[closing] * 4)
    broadcast(radio.url, samples=2)
    assert radio.topics == ["town.map", "town"] * 2
    assert len(radio.sockets) == 4


def test_an_answer_cut_short_is_no_success(radios, broadcast):
    radio = radios(answers=[OK, (200, {"Content-Length": "999", "Connection": "close"}, b"{")])
    broadcast(radio.url, samples=1)
    assert radio.topics == ["town.map", "town", "town.map", "town"]


def test_a_stopped_broadcast_sends_nothing_more(radios, broadcast):
    class Stopped(Clock):
        def wait(self, seconds):
            super().wait(seconds)
            return len(self.waits) == 3

    radio = radios()
    broadcast(radio.url, samples=0, clock=Stopped())
    assert radio.topics == ["town.map", "town", "town"]
