"""What a collector is sent, read with OpenTelemetry's own messages."""

import subprocess
import sys

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from radiod.tracing.spans import CLIENT, SERVER, Encoder, Span, is_installed

RESOURCE = {"service.name": "town", "service.version": "1.2"}


def span(**given):
    return Span(
        **{
            "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
            "id": "00f067aa0ba902b7",
            "parent": "1" * 16,
            "state": "a=1",
            "kind": SERVER,
            "name": "publish",
            "begun": 1_000,
            "attributes": {"radiod.realm": "radio", "size": 7, "private": True},
            **given,
        }
    )


def values(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def sent(spans):
    request = ExportTraceServiceRequest.FromString(Encoder(RESOURCE, "1.2")(spans))
    (of_resource,) = request.resource_spans
    (of_scope,) = of_resource.scope_spans
    assert values(of_resource.resource.attributes) == RESOURCE
    assert (of_scope.scope.name, of_scope.scope.version) == ("radiod", "1.2")
    return of_scope.spans


def test_what_a_span_says():
    one = span()
    one.ended = 5_000
    (told,) = sent([one])
    assert told.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (told.span_id.hex(), told.parent_span_id.hex()) == ("00f067aa0ba902b7", "1" * 16)
    assert (told.name, told.kind, told.trace_state) == ("publish", told.SPAN_KIND_SERVER, "a=1")
    assert (told.start_time_unix_nano, told.end_time_unix_nano) == (1_000, 5_000)
    assert values(told.attributes) == {"radiod.realm": "radio", "size": 7, "private": True}
    assert not told.HasField("status")


def test_what_went_wrong():
    one = span(kind=CLIENT)
    one.error = "wamp.error.not_authorized"
    (told,) = sent([one])
    assert told.kind == told.SPAN_KIND_CLIENT
    assert told.status.code == told.status.STATUS_CODE_ERROR
    assert told.status.message == "wamp.error.not_authorized"


def test_several_are_in_their_order():
    assert [one.name for one in sent([span(name="a"), span(name="b")])] == ["a", "b"]


def test_texts_of_clients_are_cut():
    one = span(attributes={"topic": "ü" * 1000})
    one.error = "x" * 1000
    (told,) = sent([one])
    assert values(told.attributes) == {"topic": "ü" * 255}
    assert len(told.status.message) == 255


def test_whether_the_package_is_there():
    assert is_installed()
    # Another interpreter, which does not find it.
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from radiod.tracing.spans import is_installed; print(is_installed())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
