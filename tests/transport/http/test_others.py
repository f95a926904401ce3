"""Requests as other people's parsers read them, and as reads may cut them: h11, llhttp (httptools), and ours.

What llhttp refuses is refused here, but for what ``ONLY_LLHTTP`` names; what is taken here, both read alike.
"""

import itertools
import re

import h11
import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.attacks import ATTACKS, TAKEN, publish
from support.served import Echo, Served, statuses
from support.world import World

from radiod.wire.bodies import body_of
from radiod.wire.heads import END_OF_HEAD, BadHead, read_head

LIMIT = 1 << 20
DATE = re.compile(rb"Date: [^\r]*\r\n")

ONLY_LLHTTP = {
    # The upgrade is ignored, and the request answered; llhttp hands the connection over.
    "upgrade to HTTP/2",
    # Any token is a method (RFC 9110, 9.1), and gets 405.
    "other method",
    # Trailers are read over, whatever they are called (RFC 9110, 6.5.1); llhttp takes them for fields.
    "trailers",
}
"""Names of requests that llhttp refuses and that are taken here."""


# --- three readers: the requests in some bytes, or None where they are refused


def by_us(data):
    found = []
    while data:
        if not 0x41 <= data[0] <= 0x5A:
            # The connection looks at the first byte.
            return None
        try:
            end = data.index(END_OF_HEAD) + len(END_OF_HEAD)
            head = read_head(data[:end])
            body, rest, content = body_of(head, LIMIT), data[end:], b""
            while body is not None and not body.is_over:
                content, before = content + body.take(rest), rest
                rest = body.rest
                if not body.is_over and len(rest) == len(before):
                    return None
        except (BadHead, ValueError):
            return None
        found.append((head.method, bare(data), head.fields, content))
        data = rest
    return found


def bare(data):
    """The target as it stands in the request line."""
    return data.split(b" ", 2)[1]


def by_h11(data):
    found = []
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    server.receive_data(data)
    try:
        while server.trailing_data[0] or not found:
            request, content = server.next_event(), b""
            while isinstance(event := server.next_event(), h11.Data):
                content += bytes(event.data)
            assert isinstance(event, h11.EndOfMessage)
            fields = [(bytes(name), bytes(value)) for name, value in request.headers]
            found.append((bytes(request.method), bytes(request.target), fields, content))
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
    except h11.ProtocolError:
        return None
    return found


class _Seen:
    def __init__(self):
        self.found = []

    def on_message_begin(self):
        self.url, self.fields, self.content, self.is_over = b"", [], b"", False

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        # Of trailers, too: those are nobody's.
        if not self.content:
            self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_body(self, data):
        self.content += data

    def on_message_complete(self):
        self.found.append((self.parser.get_method(), self.url, self.fields, self.content))


def by_llhttp(data):
    seen = _Seen()
    seen.parser = httptools.HttpRequestParser(seen)
    try:
        seen.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    return seen.found


# --- valid requests

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=12)
TAKEN_NAMES = {
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "api-key", "origin",
    "authorization", "trailer", "proxy-connection",
}  # fmt: skip
NAMES = TOKEN.filter(lambda name: name.lower() not in TAKEN_NAMES)
VALUES = st.binary(max_size=20).map(lambda data: bytes(b for b in data if b > 0x20 and b != 0x7F))
TARGETS = st.text("abc/%?&=;:@!$'()*+,.-_~0123456789", max_size=30).map(lambda text: "/" + text)
METHODS = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"])


@st.composite
def requests(draw):
    """The bytes of one request."""
    lines = [f"{draw(METHODS)} {draw(TARGETS)} HTTP/1.1".encode(), b"Host: x"]
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5)):
        space = draw(st.sampled_from([b"", b" ", b"\t "]))
        lines.append(name.encode() + b":" + space + value + draw(st.sampled_from([b"", b" "])))
    content, framing = draw(st.binary(max_size=60)), draw(st.sampled_from(["none", "length", "chunks"]))
    if framing == "none":
        body = b""
    elif framing == "length":
        lines.append(b"Content-Length: %d" % len(content))
        body = content
    else:
        lines.append(b"Transfer-Encoding: chunked")
        cut = draw(st.integers(0, len(content)))
        pieces = [piece for piece in (content[:cut], content[cut:]) if piece]
        extension = draw(st.sampled_from([b"", b";a=b", b";c"]))
        body = b"".join(b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
        body += b"0\r\n" + draw(st.sampled_from([b"", b"Trailer-One: 1\r\n"])) + b"\r\n"
    return b"\r\n".join([*lines, b"", b""]) + body


SEQUENCES = st.lists(requests(), min_size=1, max_size=4).map(b"".join)
CUTS = st.lists(st.integers(0, 1000), max_size=6)


@st.composite
def mutated(draw):
    """A sequence with a few bytes that are not as they were."""
    data = bytearray(
        draw(SEQUENCES | st.sampled_from([one.data for one in ATTACKS + TAKEN if len(one.data) < 999]))
    )
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        token = draw(
            st.sampled_from(
                [
                    b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\r\n\r\n", b";", b",", b"chunked", b"\t",
                    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n", b"\x85",
                    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0",
                    b"ffffffffffffffff", b"GET / HTTP/1.1\r\n", b"0\r\n\r\n",
                ]
            )
            | st.binary(max_size=3)
        )  # fmt: skip
        data[at : at + draw(st.integers(0, 4))] = token
    return bytes(data)


def test_on_valid_requests_all_three_agree():
    @given(SEQUENCES)
    def check(data):
        found = by_us(data)
        assert found is not None
        assert found == by_h11(data)
        assert without_fields(found) == without_fields(by_llhttp(data))

    check()


def without_fields(found):
    """llhttp tells trailers as if they were fields; names and values are compared by h11."""
    return [(method, target, content) for method, target, _, content in found]


@pytest.mark.parametrize("case", ATTACKS + TAKEN, ids=lambda case: case.name)
def test_what_llhttp_refuses_is_refused(case):
    if by_llhttp(case.data) is None and case.name not in ONLY_LLHTTP:
        assert by_us(case.data) is None
        assert case in ATTACKS


@pytest.mark.parametrize("name", sorted(ONLY_LLHTTP))
def test_what_only_llhttp_refuses_is_so(name):
    (case,) = [case for case in TAKEN if case.name == name]
    assert by_llhttp(case.data) is None
    assert by_us(case.data) is not None


def test_what_is_taken_llhttp_reads_alike():
    @given(mutated())
    def check(data):
        found = by_us(data)
        if found is None or any(is_ours_alone(one) for one in found):
            return
        theirs = by_llhttp(data)
        assert theirs is not None
        # It says no more of what is not whole.
        assert without_fields(found) == without_fields(theirs)

    check()


def is_ours_alone(request):
    """llhttp knows the methods of a list only; an upgrade or a proxy's form is another protocol to it."""
    method, target, fields, _ = request
    names = {name for name, _ in fields}
    connection = b",".join(value for name, value in fields if name == b"connection").lower()
    return (
        method not in (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH")
        or b"upgrade" in names
        or b"close" in connection
        or not target.startswith(b"/")
    )


# --- however reads cut them


class Checked(Echo):
    """What a connection hands over."""

    def said(self, request):
        return b"%b %b?%b %b" % (
            request.head.method,
            request.target.path.encode(),
            request.target.query.encode(),
            request.body,
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with World(tmp_path_factory) as world:
        yield Served(world, Checked(), max_message_bytes=LIMIT)


def answered(home, parts):
    """(all that is answered but dates, whether it was closed)."""
    client = home.connect()
    for part in parts:
        if part:
            client.send(part)
    for _ in range(3):
        client.settle()
    data, is_closed = DATE.sub(b"", client.received()), client.is_closed
    data = data.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    client.hang_up()
    assert client.lost == 1
    return data, is_closed


def pieces(data, cuts):
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[first:last] for first, last in itertools.pairwise(places)]


def test_any_split_of_valid_requests_gives_the_same_answers(home):
    @given(SEQUENCES, CUTS)
    def check(data, cuts):
        whole, is_closed = answered(home, [data])
        assert not is_closed
        assert statuses(whole) == [200] * len(by_us(data))
        for request in by_us(data):
            if request[0] != b"HEAD":
                assert request[3] in whole
        assert answered(home, pieces(data, cuts)) == (whole, is_closed)

    check()


def test_any_split_of_anything_gives_the_same_answers_and_no_exception(home, logged):
    @given(mutated(), CUTS)
    @example(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\n", [29])
    def check(data, cuts):
        home.upgraded.clear()
        whole = answered(home, [data])
        assert set(statuses(whole[0])) <= {200, 400, 405, 413, 414, 415, 417, 431, 501, 505}
        assert answered(home, pieces(data, cuts)) == whole
        assert answered(home, [data[at : at + 1] for at in range(len(data))]) == whole

    check()
    assert not [line for line in logged if "failed" in line or "Traceback" in line]


def test_a_valid_request_behind_any_other_is_answered(home):
    for case in TAKEN:
        data, is_closed = answered(home, [case.data + publish("Content-Length: 34")])
        assert statuses(data) == [200, 200]
        assert not is_closed
