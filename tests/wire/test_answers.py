"""Answers as bytes: other people's parsers read what was meant, whatever a text is made of."""

import json

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import HTTP_STATUS
from radiod.wire.answer import Answer
from radiod.wire.answers import (
    CONTINUE,
    LAST_CHUNK,
    PHRASES,
    answer_bytes,
    chunk,
    end_event,
    end_line,
    json_answer,
    retry_event,
    retry_line,
    stream_head,
)

SHARED = b"Server: radiod\r\n"


def read(data, method="GET"):
    """(status, fields, body) as h11 reads an answer that is all there."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    answer, body = client.next_event(), b""
    while isinstance(answer, h11.InformationalResponse):
        answer = client.next_event()
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return answer.status_code, [(bytes(n), bytes(v)) for n, v in answer.headers], body


def test_an_answer_is_its_status_fields_and_content():
    answer = Answer(200, b"abc", b"text/plain", b"no-cache", (("X-One", "1"), ("Allow", "GET")))
    assert answer_bytes(answer, SHARED, b"Connection: close\r\n", has_body=True) == (
        b"HTTP/1.1 200 OK\r\nServer: radiod\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        b"Cache-Control: no-cache\r\nX-One: 1\r\nAllow: GET\r\nConnection: close\r\n\r\nabc"
    )


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_the_answer_to_head_tells_the_length_and_has_no_body(content):
    status, fields, body = read(answer_bytes(Answer(200, content), SHARED, b"", has_body=False), "HEAD")
    assert (status, dict(fields)[b"content-length"], body) == (200, b"%d" % len(content), b"")


@pytest.mark.parametrize("status", [204, 304])
def test_what_never_has_a_body_tells_no_length(status):
    found, fields, body = read(answer_bytes(Answer(status), SHARED, b"", has_body=True))
    assert (found, body) == (status, b"")
    assert not {b"content-length", b"content-type"} & dict(fields).keys()


@pytest.mark.parametrize("status", sorted(PHRASES))
def test_every_status_has_its_phrase(status):
    data = answer_bytes(Answer(status), SHARED, b"", has_body=True)
    assert data.startswith(b"HTTP/1.1 %d %b\r\n" % (status, PHRASES[status]))
    assert read(data)[0] == status


def test_whatever_the_core_refuses_has_a_status_that_can_be_said():
    assert set(HTTP_STATUS.values()) | {400} <= set(PHRASES)


def test_json_is_kept_by_nobody():
    status, fields, body = read(
        answer_bytes(json_answer(503, {"a": ["é"]}, ("Retry-After", "1")), b"", b"", has_body=True)
    )
    assert (status, json.loads(body)) == (503, {"a": ["é"]})
    assert dict(fields) == {
        b"content-type": b"application/json",
        b"content-length": b"12",
        b"cache-control": b"no-store",
        b"retry-after": b"1",
    }


@given(st.text(max_size=30), st.text(min_size=1, max_size=10))
def test_no_text_ends_a_line(value, phrase):
    data = answer_bytes(Answer(200, b"x", fields=(("X-Said", value + phrase),)), SHARED, b"", has_body=True)
    status, fields, body = read(data)
    assert (status, body, len(fields)) == (200, b"x", 5)


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_an_answer_that_goes_on_comes_in_chunks(pieces):
    head = stream_head(Answer(200, type=b"text/event-stream"), SHARED, b"", is_chunked=True)
    status, fields, body = read(CONTINUE + head + b"".join(map(chunk, pieces)) + LAST_CHUNK)
    assert (status, body) == (200, b"".join(pieces))
    assert dict(fields)[b"transfer-encoding"] == b"chunked"


def test_without_chunks_the_end_of_the_connection_is_the_end():
    answer = Answer(200, fields=(("X-Accel-Buffering", "no"),))
    head = stream_head(answer, SHARED, b"Connection: close\r\n", is_chunked=False)
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head
    assert head.endswith(b"X-Accel-Buffering: no\r\nConnection: close\r\n\r\n")


def test_node_s_parser_reads_them_too():
    class Seen:
        def __init__(self):
            self.bodies = []

        def on_body(self, data):
            self.bodies.append(data)

    seen = Seen()
    parser = httptools.HttpResponseParser(seen)
    parser.feed_data(answer_bytes(Answer(200, b"abc"), SHARED, b"", has_body=True))
    parser.feed_data(stream_head(Answer(200), SHARED, b"", is_chunked=True) + chunk(b"de") + LAST_CHUNK)
    assert seen.bodies == [b"abc", b"de"]


def test_the_last_words_are_readable_in_their_streams():
    assert end_event("revoked") == b'event: end\ndata: {"reason": "revoked"}\n\n'
    line, empty, rest = end_line("quota").split(b"\n")
    assert (json.loads(line), empty, rest) == ({"end": "quota"}, b"", b"")
    assert retry_event(2041) == b"retry: 2041\n\n"
    line, empty, rest = retry_line(2041).split(b"\n")
    assert (json.loads(line), empty, rest) == ({"retry": 2041}, b"", b"")
