"""Traces of the real server, as a collector gets them that reads OpenTelemetry's own messages."""

import contextlib
import json
import subprocess
import sys
import time

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.config import configuration
from support.programs import Failed, Program
from support.receivers import receiver
from support.running import RADIOD, ROOT, radiod
from support.scrapes import scrape

pytestmark = pytest.mark.e2e

SECONDS = 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
WATCHER = {"API-KEY": "watcher-key"}

KEYS = """
[realms.radio.keys.writer]
key = "writer-key"
publish = ["*"]
call = ["*"]

[realms.radio.keys.watcher]
key = "watcher-key"
metrics = true
"""


def config(endpoint, more=""):
    return configuration(f"{KEYS}\n[otel]\nendpoint = {json.dumps(endpoint)}\n{more}")


class Collector:
    """Spans in the order in which they ended."""

    def __init__(self, received):
        self._received = received
        self.requests = []
        self._spans = []

    def take(self, count):
        """The next ``count`` spans, when they have come."""
        while len(self._spans) < count:
            request = self._received.next()
            self.requests.append(request)
            told = ExportTraceServiceRequest.FromString(request.body)
            for of_resource in told.resource_spans:
                self.resource = values(of_resource.resource.attributes)
                for of_scope in of_resource.scope_spans:
                    self._spans += of_scope.spans
        taken, self._spans = self._spans[:count], self._spans[count:]
        return taken

    def none_but(self, publish):
        """That nothing of what was done before ``publish`` made a span."""
        publish()
        return self.take(2)


def values(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """A server, and what its collector gets; its listeners and callees are told."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "headers").write_text("x-api-key=very%20secret\nx-tenant=town\n")
    with receiver() as received:
        received.status = 200
        more = 'service_name = "town"\nheaders_file = "headers"\nin_details = true'
        url = f"http://127.0.0.1:{received.port}"
        text = f"{config(url, more)}\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}\n"
        text += "[realms.radio.channels.log]\ndurable = true\n"
        with radiod(folder, text) as server:
            yield server, Collector(received)


def post(server, path, body, *headers, key="API-KEY", **fields):
    """``headers``: (name, value), so that one can come twice."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = [(key, "writer-key"), *headers, *fields.items()]
    answer = httpx.post(f"{server.url}{path}", content=content, headers=given, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


def assert_linked(publish, fan_out, topic):
    assert (publish.name, fan_out.name) == ("publish", "fan-out")
    assert publish.trace_id.hex() == fan_out.trace_id.hex() == TRACE
    assert publish.parent_span_id.hex() == SPAN
    assert fan_out.parent_span_id == publish.span_id
    assert publish.start_time_unix_nano <= fan_out.start_time_unix_nano <= fan_out.end_time_unix_nano
    assert abs(fan_out.end_time_unix_nano / 1e9 - time.time()) < SECONDS
    for span in (publish, fan_out):
        assert values(span.attributes)["messaging.destination.name"] == topic
        assert values(span.attributes)["radiod.realm"] == "radio"


BODIES = {
    "article": ("/publish", {"network": "town", "data": {"speed": 3}}, {}),
    "bridge": ("/publish", {"topic": "town", "args": [3]}, {}),
    "centrifugo": ("/api/publish", {"channel": "town", "data": 3}, {"key": "X-API-Key"}),
}


@pytest.mark.parametrize("dialect", BODIES)
def test_a_publish_over_http_is_two_linked_spans_however_many_listen(traced, dialect):
    server, collector = traced
    path, body, how = BODIES[dialect]
    with contextlib.ExitStack() as opened:
        listeners = [opened.enter_context(contextlib.closing(Program(server.port))) for _ in range(20)]
        for listener in listeners:
            listener.listen("town")
        post(server, path, body, ("Traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2"), **how)
        publish, fan_out = collector.take(2)
        assert_linked(publish, fan_out, "town")
        assert values(publish.attributes)["radiod.via"] == "http"
        assert values(fan_out.attributes)["radiod.readers"] == 20
        assert publish.trace_state == "a=1,b=2"
        inside = f"00-{TRACE}-{fan_out.span_id.hex()}-01"
        for listener in listeners:
            details = listener.event().details
            assert (details["_traceparent"], details["_tracestate"]) == (inside, "a=1,b=2")
    # Behind them nothing else has come.
    collector.none_but(lambda: post(server, path, body, ("traceparent", PARENT), **how))


def test_what_the_collector_is_told_besides(traced):
    server, collector = traced
    post(server, "/publish", {"topic": "town", "args": []}, ("traceparent", PARENT))
    collector.take(2)
    (request,) = collector.requests[-1:]
    assert request.path == "/v1/traces"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert (request.headers["x-api-key"], request.headers["x-tenant"]) == ("very secret", "town")
    assert collector.resource["service.name"] == "town"
    assert len(collector.resource["service.instance.id"]) == 32


def test_items_of_one_request_each_have_theirs(traced):
    server, collector = traced
    items = [{"topic": "town", "args": [n]} for n in range(3)]
    post(server, "/publish", items, ("traceparent", PARENT))
    assert [span.name for span in collector.take(6)].count("fan-out") == 3
    lines = b"".join(json.dumps(item).encode() + b"\n" for item in items)
    post(server, "/publish", lines, ("traceparent", PARENT), ("Content-Type", "application/x-ndjson"))
    assert [span.name for span in collector.take(6)].count("publish") == 3
    commands = [
        {"publish": {"channel": "town", "data": 1}},
        {"broadcast": {"channels": ["a", "b"], "data": 1}},
    ]
    post(server, "/api/batch", {"commands": commands}, ("traceparent", PARENT), key="X-API-Key")
    assert len(collector.take(6)) == 6


def test_a_long_request_has_them_for_its_first_items_only(traced):
    server, collector = traced
    items = [{"topic": "town", "args": [n]} for n in range(150)]
    post(server, "/publish", items, ("traceparent", PARENT))
    collector.take(200)
    collector.none_but(
        lambda: post(server, "/publish", {"topic": "town", "args": []}, ("traceparent", PARENT))
    )


def test_a_durable_publish_ends_when_it_is_on_disk(traced):
    server, collector = traced
    post(server, "/publish", {"topic": "log", "args": [1]}, ("traceparent", PARENT))
    first, second = collector.take(2)
    publish, fan_out = sorted((first, second), key=lambda span: span.name, reverse=True)
    assert_linked(publish, fan_out, "log")
    history = httpx.get(f"{server.url}/listen/log?last=1").json()
    assert len(history) == 1


def test_wamp_has_an_option_for_it(traced):
    server, collector = traced
    with contextlib.closing(Program(server.port)) as program:
        program.listen("town")
        program.publish("town", 1, exclude_me=False, _radiod_traceparent=PARENT)
        publish, fan_out = collector.take(2)
        assert_linked(publish, fan_out, "town")
        assert values(publish.attributes)["radiod.via"] == "wamp"
        assert program.event().details["_traceparent"] == f"00-{TRACE}-{fan_out.span_id.hex()}-01"
        # The option of an item counts before the header of its request.
        other = f"00-{'a' * 32}-{SPAN}-01"
        body = {"topic": "town", "args": [], "options": {"_radiod_traceparent": other}}
        post(server, "/publish", body, ("traceparent", PARENT))
        assert {span.trace_id.hex() for span in collector.take(2)} == {"a" * 32}


@pytest.mark.parametrize("is_refused", [False, True])
def test_calls_are_one_span(traced, is_refused):
    server, collector = traced
    with (
        contextlib.closing(Program(server.port)) as callee,
        contextlib.closing(Program(server.port)) as caller,
    ):
        callee.register("add")
        request = caller._request(48, {"_radiod_traceparent": PARENT}, "add")
        asked = callee.asked()
        callee.fail(asked, "com.example.no") if is_refused else callee.give(asked, 3)
        with pytest.raises(Failed) if is_refused else contextlib.nullcontext():
            caller.result(request)
        (span,) = collector.take(1)
        assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("call", TRACE, SPAN)
        assert asked[3]["_traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
        assert span.status.message == ("com.example.no" if is_refused else "")
        assert values(span.attributes)["rpc.method"] == "add"


def test_a_call_over_http(traced):
    server, collector = traced
    answer = post(server, "/call", {"procedure": "nobody.has.this"}, ("traceparent", PARENT))
    assert answer["error"] == "wamp.error.no_such_procedure"
    (span,) = collector.take(1)
    assert (span.name, values(span.attributes)["radiod.via"]) == ("call", "http")
    assert span.status.message == "wamp.error.no_such_procedure"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", "nonsense")],
        [("traceparent", PARENT.upper())],
        [("traceparent", f"00-{TRACE}-{SPAN}-00")],
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("tracestate", "a=1")],
    ],
    ids=["none", "nonsense", "capitals", "not sampled", "two", "state alone"],
)
def test_others_are_published_all_the_same(traced, headers):
    server, collector = traced
    body = {"topic": "town", "args": []}
    with contextlib.closing(Program(server.port)) as listener:
        listener.listen("town")
        post(server, "/publish", body, *headers)
        told = listener.event().details.get("_traceparent")
        assert told == (
            f"00-{TRACE}-{SPAN}-00" if ("traceparent", f"00-{TRACE}-{SPAN}-00") in headers else None
        )
    collector.none_but(lambda: post(server, "/publish", body, ("traceparent", PARENT)))


def test_they_are_counted(traced):
    server, collector = traced
    before = scrape(server, **WATCHER).value("radiod_spans_total", outcome="sent")
    post(server, "/publish", {"topic": "town", "args": []}, ("traceparent", PARENT))
    collector.take(2)
    end = time.monotonic() + SECONDS
    while scrape(server, **WATCHER).value("radiod_spans_total", outcome="sent") != before + 2:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_left_at_the_end_is_sent(tmp_path):
    with receiver() as received:
        received.status = 200
        with radiod(tmp_path, config(f"http://127.0.0.1:{received.port}/own/path")) as server:
            post(server, "/publish", {"topic": "town", "args": []}, ("traceparent", PARENT))
            assert server.stop() == 0
        request = received.next()
        assert request.path == "/own/path"


@pytest.mark.parametrize("kind", ["gone", "silent", "refusing"])
def test_a_collector_that_takes_nothing_harms_nobody(tmp_path, kind):
    with receiver() as received:
        received.status = 401
        received.is_silent = kind == "silent"
        port = received.port if kind != "gone" else 1
        with radiod(tmp_path, config(f"http://127.0.0.1:{port}")) as server, httpx.Client() as client:
            body = [{"topic": "town", "args": [n]} for n in range(100)]
            headers = {"API-KEY": "writer-key", "traceparent": PARENT}
            for _ in range(30):
                answer = client.post(f"{server.url}/publish", json=body, headers=headers, timeout=SECONDS)
                assert answer.status_code == 200
            found = scrape(server, **WATCHER)
            outcomes = found.by("radiod_spans_total", "outcome")
            if kind != "refusing":
                # 6,000 were made, 4,096 wait, 128 are on their way.
                assert outcomes == {"dropped": 6000 - 4096 - 128}
            assert found.value("radiod_events_published_total", via="http") == 3000
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 5
        log = server.log.read_text()
        # Of one that is silent it is not known yet.
        assert log.count("the collector does not take spans") == (kind != "silent")
        assert "Traceback" not in log


class TestWithoutTheExtra:
    def test_one_line_names_it_and_the_radio_runs(self, tmp_path):
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
        variables = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
        text = config("http://127.0.0.1:4318", "in_details = true")
        with radiod(tmp_path, text, variables=variables) as server:
            (line,) = [line for line in server.log.read_text().splitlines() if "otel.endpoint" in line]
            assert line.endswith(
                "configured, but without effect: otel.endpoint: needs another package: "
                "pip install 'radiod[otel]'"
            )
            with contextlib.closing(Program(server.port)) as listener:
                listener.listen("town")
                post(server, "/publish", {"topic": "town", "args": []}, ("traceparent", PARENT))
                assert listener.event().details["_traceparent"] == PARENT
            assert "radiod_spans_total" not in scrape(server, **WATCHER).text
            modules = subprocess.run(
                ["grep", "-c", "-E", "google/|protobuf", f"/proc/{server.process.pid}/maps"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert modules.stdout == "0\n"
        file = tmp_path / f"radiod-{server.port}.toml"
        checked = subprocess.run(
            [*RADIOD, "check", "--config", str(file)],
            env=variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0
        assert (
            "otel.endpoint: needs another package: pip install 'radiod[otel]': without effect"
            in checked.stderr
        )

    def test_nothing_is_imported_for_it_unless_spans_are_sent(self):
        program = (
            "import sys, pathlib\n"
            "from twisted.internet import reactor\n"
            "from radiod.config import Config\n"
            "from radiod.service.service import RadioService\n"
            "for text in ('', '[otel]\\nin_details = true', '[otel]\\nendpoint = \"http://127.0.0.1\"'):\n"
            "    RadioService(Config.parse(text, pathlib.Path('.')), reactor)\n"
            "    wanted = 'opentelemetry.proto.trace.v1.trace_pb2', 'google.protobuf'\n"
            "    print(*(name in sys.modules for name in wanted))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout == "False False\nFalse False\nTrue True\n"
