"""Bytes of NATS: any cut of a stream says the same, and what is none is refused."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radiod.engine.nats import wire
from radiod.engine.nats.errors import ProtocolError
from radiod.engine.nats.wire import Parser, parse_headers, republished, status_of

BLOCK = b"NATS/1.0\r\nA: 1\r\n\r\n"


class Heard(list):
    """A sink that remembers."""

    def on_message(self, sid, subject, reply, headers, payload):
        self.append(("message", sid, subject, reply, headers, payload))

    def on_info(self, text, is_last):
        self.append(("info", text))

    def on_ping(self):
        self.append(("ping",))

    def on_pong(self):
        self.append(("pong",))

    def on_error(self, text):
        self.append(("error", text))


def hear(*pieces, **bounds):
    """What is heard of bytes, with the error that ends it."""
    heard = Heard()
    parser = Parser(heard, **bounds)
    for piece in pieces:
        try:
            parser.feed(piece)
        except ProtocolError as error:
            return [*heard, ("wrong", str(error))]
    return list(heard)


def cut(data, places):
    places = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


words = st.binary(min_size=1, max_size=12).filter(lambda word: not set(word) & set(b" \r\n"))
payloads = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"PING\r\n", b"MSG a 1 5\r\n"])


@st.composite
def messages(draw):
    """(bytes, what is heard)."""
    sid, subject, reply = draw(words), draw(words), draw(st.none() | words)
    block, payload = draw(st.none() | st.just(BLOCK) | payloads), draw(payloads)
    to = b" ".join([subject, sid] + ([] if reply is None else [reply]))
    if block is None:
        data = b"MSG %b %d\r\n%b\r\n" % (to, len(payload), payload)
    else:
        data = b"HMSG %b %d %d\r\n%b%b\r\n" % (to, len(block), len(block + payload), block, payload)
    return data, ("message", sid, subject, reply, block, payload)


controls = st.sampled_from(
    [
        (b"PING\r\n", ("ping",)),
        (b"PONG\r\n", ("pong",)),
        (b"+OK\r\n", None),
        (b"-ERR 'Stale Connection'\r\n", ("error", "Stale Connection")),
        (b'INFO {"version":"2.12.0"} \r\n', ("info", b'{"version":"2.12.0"}')),
    ]
)
streams = st.lists(messages() | controls, max_size=8)
garbage = st.binary(max_size=60) | st.sampled_from(
    [
        b"MSG a 1 -5\r\n",
        b"MSG a 1 1_0\r\n",
        b"MSG a 1 99999999999999999999\r\n",
        b"MSG a 1 2\r\nabc\r\n",
        b"MSG 5\r\nabcde\r\n",
        b"MSG\r\n",
        b"MSG a b c d 0\r\n\r\n",
        b"HMSG a 1 5\r\nabcde\r\n",
        b"HMSG a 1 9 5\r\nabcde\r\n",
        b"HMSG a 1 x 5\r\nabcde\r\n",
        b"\r\n",
        b"GET / HTTP/1.1\r\n",
        b"x" * 200,
        b"x" * 100 + b"\r\n",
        b"x" * 101 + b"\r\n",
    ]
)


class TestParser:
    @given(streams, st.lists(st.integers(0, 500)))
    def test_any_cut_of_a_stream_says_the_same(self, stream, places):
        data = b"".join(bytes for bytes, _ in stream)
        heard = [what for _, what in stream if what is not None]
        assert hear(data) == hear(*cut(data, places)) == heard

    @given(streams, garbage, st.binary(max_size=30), st.lists(st.integers(0, 500)))
    @example([], b"x" * 101, b"\n", [101])
    @example([], b"x" * 100 + b"\r", b"\n", [101])
    def test_any_cut_of_what_is_wrong_says_the_same(self, stream, wrong, more, places):
        data = b"".join(bytes for bytes, _ in stream) + wrong + more
        bounds = {"max_line": 100, "max_payload": 300}
        assert hear(data, **bounds) == hear(*cut(data, places), **bounds)
        assert hear(data, **bounds) == hear(*cut(data, range(len(data))), **bounds)

    @given(st.lists(st.binary(max_size=60)))
    def test_garbage_is_refused_and_nothing_worse(self, pieces):
        hear(*pieces, max_line=100, max_payload=300)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"MSG a 1 301\r\n", "a message of more than 300 bytes: b'301'"),
            (b"HMSG a 1 301 5\r\nabcde\r\n", "a message of more than 300 bytes: b'301'"),
            (b"MSG a 1 x\r\n", "a message of no size: b'x'"),
            (b"MSG a 1 " + b"9" * 80 + b"\r\n", "a message of no size: b'" + "9" * 80 + "'"),
            (b"MSG 1 0\r\n\r\n", "no MSG: b'MSG 1 0'"),
            (b"MSG a 1 b c 0\r\n\r\n", "no MSG: b'MSG a 1 b c 0'"),
            (b"HMSG 1 0 0\r\n\r\n", "no HMSG: b'HMSG 1 0 0'"),
            (b"HMSG a 1 2 1\r\nx\r\n", "headers longer than their message: b'HMSG a 1 2 1'"),
            (
                b"MSG a 1 1\r\nabc\r\n",
                "a message that does not end where its size says: b'MSG a 1 1'",
            ),
            (b"y" * 101 + b"\r\n", "a line of more than 100 bytes: b'" + "y" * 80 + "'"),
            (b"y" * 102, "a line of more than 100 bytes: b'" + "y" * 80 + "'"),
            (b"SUB a 1\r\n", "no line of NATS: b'SUB a 1'"),
        ],
    )
    def test_what_is_wrong_is_named(self, data, said):
        assert hear(data, max_line=100, max_payload=300) == [("wrong", said)]

    def test_behind_what_is_wrong_nothing_is_heard(self):
        heard = Heard()
        parser = Parser(heard)
        with pytest.raises(ProtocolError) as first:
            parser.feed(b"nonsense\r\n")
        with pytest.raises(ProtocolError) as second:
            parser.feed(b"PING\r\n")
        assert str(second.value) == str(first.value)
        assert heard == []

    def test_a_long_message_in_small_pieces_is_put_together_once(self):
        payload = bytes(1 << 20)
        data = b"MSG a 1 %d\r\n%b\r\n" % (len(payload), payload)
        joined = []

        class Counted(Parser):
            def _read(self, data):
                joined.append(len(data))
                return super()._read(data)

        heard = Heard()
        parser = Counted(heard)
        for piece in cut(data, range(0, len(data), 4096)):
            parser.feed(piece)
        assert [what[5] for what in heard] == [payload]
        assert joined == [4096, len(data)]

    def test_info_says_whether_something_is_behind_it(self):
        heard = []

        class Last(Heard):
            def on_info(self, text, is_last):
                heard.append(is_last)

        Parser(Last()).feed(b"INFO {}\r\nINFO {}\r\nPI")
        Parser(Last()).feed(b"INFO {}\r\n")
        assert heard == [False, False, True]

    def test_an_error_may_be_any_bytes(self):
        assert hear(b"-ERR\r\n-ERR '\xff'\r\n") == [("error", ""), ("error", "\ufffd")]


class TestWhatAClientSays:
    @pytest.mark.parametrize(
        ("said", "bytes"),
        [
            (wire.connect(b'{"verbose":false}'), b'CONNECT {"verbose":false}\r\n'),
            (wire.sub(b"a.*", b"7"), b"SUB a.* 7\r\n"),
            (wire.unsub(b"7"), b"UNSUB 7\r\n"),
            (wire.pub(b"a", b"hello"), b"PUB a 5\r\nhello\r\n"),
            (wire.pub(b"a", b"", b"r"), b"PUB a r 0\r\n\r\n"),
            (wire.hpub(b"a", BLOCK, b"hello"), b"HPUB a 18 23\r\nNATS/1.0\r\nA: 1\r\n\r\nhello\r\n"),
            (wire.hpub(b"a", BLOCK, b"", b"r"), b"HPUB a r 18 18\r\nNATS/1.0\r\nA: 1\r\n\r\n\r\n"),
        ],
    )
    def test_is_one_line_with_its_payload(self, said, bytes):
        assert said == bytes


names = st.from_regex(rb"\A[A-Za-z-]{1,10}\Z")
values = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n"))


class TestHeaders:
    @given(st.lists(st.tuples(names, values)))
    def test_what_is_written_is_read(self, fields):
        read = parse_headers(wire.headers(fields))
        assert (read.status, read.description) == (0, "")
        expected = {}
        for name, value in fields:
            expected.setdefault(name, []).append(value.strip(b" \t"))
        assert read.fields == expected

    @pytest.mark.parametrize(
        "field", [(b"", b""), (b"a b", b""), (b"a:", b""), (b"a", b"1\r\nb: 2"), (b"a", b"\n"), (b"a\r", b"")]
    )
    def test_what_would_end_its_line_is_refused(self, field):
        with pytest.raises(ValueError, match="no header"):
            wire.headers([field])

    @pytest.mark.parametrize(
        ("block", "status", "description"),
        [
            (b"NATS/1.0 503\r\n\r\n", 503, ""),
            (b"NATS/1.0 404 Message Not Found\r\n\r\n", 404, "Message Not Found"),
            (b"NATS/1.0 503\r\nNats-Subject: a\r\n\r\n", 503, ""),
            (b"NATS/1.0\r\n\r\n", 0, ""),
            (b"NATS/1.0\r\nA: 503\r\n\r\n", 0, ""),
        ],
    )
    def test_a_status_is_read(self, block, status, description):
        assert parse_headers(block)[:2] == (status, description)
        assert status_of(block) == status

    def test_names_may_come_several_times(self):
        read = parse_headers(b"NATS/1.0\r\nA: 1\r\nb:2\r\nA:  3 \r\n\r\n")
        assert read.fields == {b"A": [b"1", b"3"], b"b": [b"2"]}
        assert (read.first(b"A"), read.first(b"a"), read.first(b"a", b"none")) == (b"1", b"", b"none")
        assert (read.number(b"b"), read.number(b"c"), read.number(b"c", 9)) == (2, 0, 9)

    @pytest.mark.parametrize("value", [b"", b"x", b"-1", b"1" * 21])
    def test_what_is_no_number_is_none(self, value):
        assert parse_headers(b"NATS/1.0\r\nA: %b\r\n\r\n" % value).number(b"A", 7) == 7

    @given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"NATS/1.0" + data + b"\r\n\r\n"))
    @example(b"NATS/1.0 5x3\r\n\r\n")
    @example(b"NATS/1.0\r\nno colon\r\n\r\n")
    @example(b"NATS/1.0\r\n: no name\r\n\r\n")
    @example(b"NATS/1.0 " + b"1" * 5000 + b"\r\n\r\n")
    def test_garbage_is_refused_and_nothing_worse(self, block):
        for read in (parse_headers, republished):
            with suppress(ProtocolError):
                read(block)
        assert status_of(block) in range(1000)


class TestRepublished:
    # As nats-server 2.15.1 wrote it.
    BLOCK = (
        b"NATS/1.0\r\nNats-Msg-Id: y\r\nNats-Sequence: 77\r\nNats-Last-Sequence: 3\r\nNats-Stream: Z\r\n"
        b"Nats-Stream: S\r\nNats-Subject: s.a\r\nNats-Sequence: 5\r\n"
        b"Nats-Time-Stamp: 2026-11-28T02:28:45.097409425Z\r\nNats-Last-Sequence: 2\r\n\r\n"
    )

    def test_the_streams_own_lines_count_not_the_publishers(self):
        assert republished(self.BLOCK) == (5, 2, b"s.a")

    @pytest.mark.parametrize(
        "block",
        [
            b"",
            BLOCK.replace(b"Nats-Sequence: 5", b"Nats-Sequence: x"),
            BLOCK.replace(b"Nats-Sequence: 5\r\n", b""),
            BLOCK.replace(b"Nats-Subject", b"Nats-Topic"),
            BLOCK.replace(b"Last-Sequence: 2", b"Last-Sequence: "),
        ],
    )
    def test_what_has_none_is_refused(self, block):
        with pytest.raises(ProtocolError, match="no headers of a stream"):
            republished(block)
