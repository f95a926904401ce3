"""``/metrics`` of the real server: what it tells is what its clients counted, and Prometheus reads it."""

import contextlib
import gzip
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx
import pytest
from support.config import configuration
from support.programs import Failed, Program
from support.running import free_port, radiod
from support.scrapes import Scrape, scrape

pytestmark = pytest.mark.e2e

SECONDS = 60

TEXT = """
[realms.radio.roles.open]
call = ["*"]

[realms.radio.keys.writer]
key = "writer-key"
publish = ["*"]

[realms.radio.keys.watcher]
key = "watcher-key"
metrics = true

[realms.radio.channels.kept]
history = { size = 3 }
"""

WATCHER = {"API-KEY": "watcher-key"}
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    text = configuration(f"{TEXT}\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}")
    with radiod(folder, text) as running:
        yield running


def until(server, is_so):
    """Scrape until it is so: what clients have done may be on its way."""
    end = time.monotonic() + SECONDS
    while True:
        found = scrape(server, **WATCHER)
        if is_so(found):
            return found
        assert time.monotonic() < end, found.text
        time.sleep(0.05)


def counting(server, name, label, wanted, **labels):
    """A context manager that waits for a counter to have grown by ``wanted`` since it was entered."""

    def by(found):
        series = {has: value for has, value in found.series.get(name, {}).items() if labels.items() <= has}
        values = {}
        for has, value in series.items():
            values[dict(has)[label]] = values.get(dict(has)[label], 0) + value
        return values

    @contextlib.contextmanager
    def watch():
        before = by(scrape(server, **WATCHER))

        def grown(found):
            now = by(found)
            return {key: now[key] - before.get(key, 0) for key in now if now[key] != before.get(key, 0)}

        yield
        until(server, lambda found: grown(found) == wanted)

    return watch()


def post(server, path, body, key="writer-key"):
    with httpx.Client() as client:
        return client.post(f"{server.url}{path}", json=body, headers={"API-KEY": key} if key else {})


def test_published_and_delivered_by_way_and_channel(server):
    with (
        contextlib.closing(Program(server.port)) as listener,
        contextlib.closing(Program(server.port, serializer="cbor")) as other,
        contextlib.closing(Program(server.port)) as writer,
    ):
        listener.listen("town.square")
        other.listen("town.square")
        with (
            counting(server, "radiod_events_published_total", "via", {"wamp": 5, "http": 3}, realm="radio"),
            counting(server, "radiod_events_delivered_total", "realm", {"radio": 16}),
            counting(server, "radiod_channel_published_total", "channel", {"town.square": 8}, realm="radio"),
            counting(server, "radiod_channel_delivered_total", "channel", {"town.square": 16}, realm="radio"),
            counting(server, "radiod_delivered_bytes_total", "realm", {"radio": 16 * len(b"[7]")}),
            counting(server, "radiod_http_requests_total", "path", {"/publish": 3}, path="/publish"),
        ):
            for _ in range(5):
                writer.publish("town.square", 7)
            for _ in range(3):
                assert post(server, "/publish", {"topic": "town.square", "args": [7]}).status_code == 200
            assert listener.events(8) == other.events(8) == [7] * 8
        found = scrape(server, **WATCHER)
        assert found.value("radiod_publish_deliver_seconds_count") >= 8
        assert found.value("radiod_subscriptions", realm="radio") == 1


def test_what_a_full_buffer_drops(server):
    with contextlib.closing(Program(server.port)) as slow, contextlib.closing(Program(server.port)) as writer:
        slow.listen("drop.here", _radiod_buffer={"min_interval": 3600, "size": 2, "policy": "ring"})
        with (
            counting(server, "radiod_events_dropped_total", "policy", {"ring": 7}, realm="radio"),
            counting(server, "radiod_channel_dropped_total", "channel", {"drop.here": 7}, realm="radio"),
        ):
            for number in range(10):
                writer.publish("drop.here", number)
        found = scrape(server, **WATCHER)
        assert found.value("radiod_buffered_events", realm="radio") == 2
        assert found.value("radiod_buffered_bytes", realm="radio") == 2 * len(b"[0]")


def test_private_events_count_and_have_no_name(server):
    with contextlib.closing(Program(server.port)) as owner:
        for number in range(100):
            owner.call("radiod.channel.create", name=f"hush.{number}", public=False, key="secret")
            owner.call("radiod.channel.join", name=f"hush.{number}", key="secret")
        owner.listen("hush.0")
        with (
            counting(server, "radiod_events_published_total", "via", {"wamp": 100}, realm="radio"),
            counting(server, "radiod_events_delivered_total", "realm", {"radio": 1}),
        ):
            for number in range(100):
                owner.publish(f"hush.{number}", number, exclude_me=False)
        # A public topic that has the name of a private channel is hidden with it.
        assert post(server, "/publish", {"topic": "hush.1", "args": [1]}).status_code == 200
        found = scrape(server, **WATCHER)
        assert "hush" not in found.text
        assert found.value("radiod_channels", realm="radio") >= 100
        channels = found.by("radiod_channel_published_total", "channel")
        assert channels["other"] >= 1


def test_logins_by_outcome(server):
    with counting(
        server,
        "radiod_logins_total",
        "outcome",
        {"accepted": 2, "refused": 3, "left": 1},
        realm="radio",
        method="ticket",
    ):
        for _ in range(2):
            Program(server.port, ticket="joe-ticket", authid="joe", authmethods=["ticket"]).close()
        for _ in range(3):
            with pytest.raises(Failed):
                Program(server.port, ticket="wrong", authid="joe", authmethods=["ticket"])
        leave_when_asked(server.port)
    with (
        counting(server, "radiod_connections_refused_total", "reason", {"wrong_keys": 1}),
        counting(server, "radiod_http_requests_total", "status", {"400": 1}, path="/publish"),
    ):
        assert post(server, "/publish", {"topic": "a", "args": []}, key="wrong").status_code == 400


def leave_when_asked(port):
    """Somebody who hangs up when a ticket is asked for."""

    class Leaving(Program):
        def _join(self, hello, ticket):
            self.say(1, "radio", {"roles": {"caller": {}}, "authid": "joe", "authmethods": ["ticket"]})
            assert self.hear()[0] == 4

    Leaving(port).close()


def test_calls_by_outcome(server):
    with (
        contextlib.closing(Program(server.port)) as callee,
        contextlib.closing(Program(server.port)) as caller,
    ):
        callee.register("add")
        wanted = {"result": 2, "error": 1, "timeout": 1, "canceled": 1, "left": 1, "refused": 1}
        with counting(server, "radiod_calls_total", "outcome", wanted, realm="radio"):
            for _ in range(2):
                request = caller.begin_call("add")
                callee.give(callee.asked(), 3)
                assert caller.result(request) == 3
            request = caller.begin_call("add")
            callee.fail(callee.asked(), "com.example.no")
            with pytest.raises(Failed):
                caller.result(request)
            assert caller.refusal("nobody.has.this") == "wamp.error.no_such_procedure"
            request = caller.begin_call("add", timeout=50)
            callee.asked()
            with pytest.raises(Failed):
                caller.result(request)
            assert callee.asked()[0] == 69
            leaving = Program(server.port)
            leaving.begin_call("add")
            callee.asked()
            found = until(server, lambda found: found.value("radiod_calls_pending", realm="radio") == 1)
            assert found.value("radiod_registrations", realm="radio") == 1
            leaving.close()
            assert callee.asked()[0] == 69
            request = caller.begin_call("add")
            callee.asked()
            caller.say(49, request, {"mode": "skip"})
            with pytest.raises(Failed):
                caller.result(request)
        assert scrape(server, **WATCHER).value("radiod_calls_pending", realm="radio") == 0


def positions(server):
    """Of the events that ``kept`` has."""
    with httpx.Client() as client:
        return [one["position"] for one in client.get(f"{server.url}/listen/kept?last=100").json()]


def test_recoveries_by_outcome(server):
    with contextlib.closing(Program(server.port)) as writer:
        for number in range(5):
            writer.publish("kept", number)
        held = positions(server)
        lost = held[0].partition(":")[0] + ":1"
        with (
            counting(server, "radiod_recoveries_total", "outcome", {"recovered": 2, "gap": 2}, realm="radio"),
            httpx.Client() as client,
        ):
            for after in (held[0], lost):
                listener = Program(server.port)
                listener.listen("kept", _radiod_after=after)
                assert listener.event().details.get("_recovered", True) is (after != lost)
                listener.close()
                answer = client.get(f"{server.url}/listen/kept", params={"after": after})
                assert answer.headers.get("X-Radiod-Recovered", "true") == str(after != lost).lower()


def test_connections_by_transport(server):
    with contextlib.ExitStack() as opened:
        kinds = {
            ("websocket", "wamp"): lambda: opened.enter_context(contextlib.closing(Program(server.port))),
            ("websocket", "listener"): lambda: plain_websocket(server, opened),
            ("rawsocket", "wamp"): lambda: rawsocket(server, opened),
            ("http", "stream"): lambda: stream(server, opened),
            ("longpoll", "wamp"): lambda: longpoll(server, opened),
        }
        for (transport, kind), connect in kinds.items():
            before = scrape(server, **WATCHER)

            def grown(found, name, labels, before=before):
                return found.value(name, **labels) - before.value(name, **labels)

            labels = {"transport": transport, "kind": kind}
            connect()
            found = until(server, lambda found, g=grown, la=labels: g(found, "radiod_connections", la) == 1)
            assert grown(found, "radiod_connections_total", labels) == 1

    def are_gone(found):
        open_now = {tuple(dict(has).values()): n for has, n in found.series["radiod_connections"].items()}
        return not any(count for kind, count in open_now.items() if set(kind) != {"http", "requests"})

    until(server, are_gone)


def get(path, *lines):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def plain_websocket(server, opened):
    connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), SECONDS))
    connection.sendall(get("/listen/kept", *UPGRADE))
    assert b" 101 " in connection.recv(4096)


def rawsocket(server, opened):
    connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), SECONDS))
    connection.sendall(b"\x7f\xf1\x00\x00")
    assert connection.recv(4)[:1] == b"\x7f"


def stream(server, opened):
    connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), SECONDS))
    connection.sendall(get("/listen/kept", "Accept: text/event-stream"))
    assert b" 200 " in connection.recv(4096)


def longpoll(server, opened):
    answer = httpx.post(f"{server.url}/lp/open", json={"protocols": ["wamp.2.json"]})
    transport = answer.json()["transport"]
    opened.callback(httpx.post, f"{server.url}/lp/{transport}/close")


def test_the_store_and_the_process(server):
    found = scrape(server, **WATCHER)
    assert found.value("radiod_store_queue_requests") == 0
    assert found.value("radiod_store_failures_total") == 0
    httpx.get(f"{server.url}/readyz").raise_for_status()
    assert scrape(server, **WATCHER).value("radiod_store_commit_seconds_count") >= 1
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) * 1024
    assert found.value("process_resident_memory_bytes") == pytest.approx(resident, rel=0.2)
    assert found.value("process_open_fds") > 5
    assert found.value("process_cpu_seconds_total") > 0
    assert abs(found.value("process_start_time_seconds") - time.time()) < 3600
    assert found.value("radiod_gc_pause_seconds_count") > 0
    assert found.value("python_gc_collections_total", generation="0") > 0


class TestWhereItIsServed:
    def status(self, url, **fields):
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=fields), timeout=SECONDS
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def test_only_to_keys_that_may(self, server):
        url = f"{server.url}/metrics"
        assert self.status(url, **WATCHER) == 200
        assert self.status(url, Authorization="Bearer watcher-key") == 200
        assert self.status(url) == 404
        assert self.status(url, **{"API-KEY": "writer-key"}) == 404
        assert self.status(url, **{"API-KEY": "wrong"}) == 404

    def test_an_endpoint_for_metrics_serves_nothing_else(self, tmp_path):
        own = free_port()
        text = configuration(
            f"""
            [[listen]]
            endpoint = "tcp:8080:interface=127.0.0.1"
            [[listen]]
            endpoint = "tcp:{own}:interface=127.0.0.1"
            serve = ["metrics"]
            """
        )
        with radiod(tmp_path, text) as server:
            url = f"http://127.0.0.1:{own}"
            found = [self.status(f"{url}{path}") for path in ("/metrics", "/healthz", "/readyz")]
            assert found == [200, 200, 200]
            for path in ("/", "/channels", "/listen/kept?wait=0", "/openapi.json", "/ws"):
                assert self.status(f"{url}{path}") == 404
            assert self.status(f"{server.url}/metrics") == 404
            with socket.create_connection(("127.0.0.1", own), SECONDS) as connection:
                connection.sendall(get("/ws", *UPGRADE, "Sec-WebSocket-Protocol: wamp.2.json"))
                assert b" 404 " in connection.recv(4096)
            with socket.create_connection(("127.0.0.1", own), SECONDS) as connection:
                connection.sendall(get("/healthz"))
                assert b" 200 " in connection.recv(4096)
                connection.sendall(get("/ws", *UPGRADE, "Sec-WebSocket-Protocol: wamp.2.json"))
                assert b" 404 " in connection.recv(4096)
            with socket.create_connection(("127.0.0.1", own), SECONDS) as connection:
                connection.sendall(b"\x7f\xf1\x00\x00")
                with contextlib.suppress(ConnectionError):
                    assert connection.recv(4) == b""

    def test_it_is_compressed_for_those_who_ask(self, server):
        for accepted, coding in (
            ("gzip", "gzip"),
            ("gzip;q=0", None),
            ("br, gzip;q=0.5", "gzip"),
            ("br", None),
        ):
            fields = {**WATCHER, "Accept-Encoding": accepted}
            request = urllib.request.Request(f"{server.url}/metrics", headers=fields)
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                body = answer.read()
                assert answer.headers["Content-Encoding"] == coding
                assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            text = gzip.decompress(body) if coding else body
            assert Scrape(text.decode()).value("radiod_build_info") == 1


def promtool(*arguments, **options):
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_promtool_finds_nothing_wrong(server):
    told = promtool("check", "metrics", input=scrape(server, **WATCHER).text)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
