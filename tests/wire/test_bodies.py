"""Where a request's body ends, however it is cut into reads; and what is no body is told so."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radiod.wire.bodies import CHUNKS_A_STEP, Body, ChunkedBody, SizedBody, body_of, has_body, is_gzip
from radiod.wire.heads import MAX_HEAD_BYTES, BadHead, read_head

LIMIT = 1000


def head(*fields):
    return read_head("\r\n".join(["POST / HTTP/1.1", "Host: x", *fields, "", ""]).encode())


def poured(body, *pieces):
    """(what was the body's, what is behind it)."""
    found, rest = b"", b""
    for piece in pieces:
        rest += piece
        while not body.is_over and rest:
            before = len(rest)
            taken = body.take(rest)
            found, rest = found + taken, body.rest
            if len(rest) == before and not taken:
                break
    return found, rest


def outcome(*pieces, limit=LIMIT):
    body = ChunkedBody(limit)
    try:
        return (*poured(body, *pieces), body.is_over)
    except BadHead as bad:
        return bad.status


def chunked(*pieces, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def test_what_takes_a_body_says_how():
    with pytest.raises(NotImplementedError):
        Body().take(b"")


# --- of a known length


@given(st.binary(max_size=50), st.binary(max_size=20), st.integers(0, 70))
def test_a_sized_body_ends_after_so_many_bytes(content, behind, cut):
    data = content + behind
    body = SizedBody(len(content))
    assert poured(body, data[:cut], data[cut:]) == (content, behind)
    assert body.is_over


def test_a_sized_body_ends_within_a_piece():
    body = SizedBody(3)
    assert poured(body, b"ab", b"cde") == (b"abc", b"de")
    assert body.is_over


def test_a_sized_body_that_lacks_a_byte_is_not_over():
    body = SizedBody(3)
    assert body.take(b"ab") == b"ab"
    assert (body.is_over, body.rest) == (False, b"")


# --- in chunks


PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@given(PIECES, st.binary(max_size=10), st.lists(st.integers(0, 400), max_size=5))
def test_chunks_are_joined_however_they_come(pieces, behind, cuts):
    data = chunked(*pieces) + behind
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[first:last] for first, last in itertools.pairwise(places)]
    assert outcome(*parts) == (b"".join(pieces), behind, True)


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"3;name=value\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b'3;a="b;c"\r\nabc\r\n0;last\r\n\r\n', b"abc"),
        (b"3\r\nabc\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", b"abc"),
        (b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0\r\n\r\n", b""),
    ],
)
def test_extensions_and_trailers_are_read_over(data, content):
    assert outcome(data + b"next") == (content, b"next", True)
    assert outcome(*(data[at : at + 1] for at in range(len(data)))) == (content, b"", True)


WRONG = [
    (b"0x22\r\n", 400),
    (b"+22\r\n", 400),
    (b"-1\r\n", 400),
    (b" 3\r\n", 400),
    (b"3 \r\n", 400),
    (b"3\n", 400),
    (b"\r\n", 400),
    (b"\n", 400),
    (b";x\r\n", 400),
    (b"g\r\n", 400),
    (b"3;a\nb\r\n", 400),
    (b"3;a\rb\r\n", 400),
    (b"3;\0\r\n", 400),
    (b"3\r\nabcd\r\n", 400),
    (b"3\r\nabc\n", 400),
    (b"3\r\nabc0\r\n", 400),
    (b"3\r\nabc\r\r\n", 400),
    (b"0\r\n folded: x\r\n\r\n", 400),
    (b"0\r\nX : y\r\n\r\n", 400),
    (b"0\r\nX: a\nb\r\n\r\n", 400),
    (b"0\r\n\n", 400),
    (b"0\r\nGET / HTTP/1.1\r\n", 400),
    (b"ffffffffffffffff\r\n", 413),
    (b"ffffffffffffffffff\r\n", 413),
    (b"00000000000000000003\r\n", 413),
    (b"3e9\r\n", 413),
    (b"3e8\r\n" + bytes(1000) + b"\r\n1\r\n", 413),
    (b"1;" + b"x" * MAX_HEAD_BYTES + b"\r\n", 431),
    (b"0\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n", 431),
    (b"0\r\n" + b"X: 1\r\n" * 4000, 431),
    ((b"1;" + b"x" * 999 + b"\r\na\r\n") * 20, 431),
]


@pytest.mark.parametrize(("data", "status"), WRONG, ids=[f"{data[:20]!r}" for data, _ in WRONG])
def test_what_is_no_body_is_told_so_wherever_it_is_cut(data, status):
    assert outcome(data) == status
    for cut in {*range(1, min(len(data), 40)), len(data) // 2, len(data) - 1}:
        assert outcome(data[:cut], data[cut:]) == status


@pytest.mark.parametrize("start", [b"ffffffffffffffffff", b"1;" + b"x" * (MAX_HEAD_BYTES + 1), b"3\r\nabcX"])
def test_what_is_wrong_already_is_not_waited_for(start):
    assert outcome(start) in (400, 413, 431)


@pytest.mark.parametrize("size", range(MAX_HEAD_BYTES - 2, MAX_HEAD_BYTES + 3))
@pytest.mark.parametrize(
    "form", [b"1;%b\r\na\r\n0\r\n\r\n", b"0001;%b\r\na\r\n0\r\n\r\n", b"0\r\nX:%b\r\n\r\n"]
)
def test_the_bound_of_a_line_is_the_same_wherever_it_is_cut(form, size):
    data = form % (b"x" * (size - 1))
    whole = outcome(data)
    for cut in range(size - 4, size + 12):
        assert outcome(data[:cut], data[cut:]) == whole


@given(st.binary(max_size=60), st.integers(0, 3), st.lists(st.integers(0, 80), max_size=4))
@example(b"\r", 0, [])
def test_any_bytes_read_the_same_in_any_pieces(noise, before, cuts):
    data = chunked(*[b"abc"] * before, end=b"") + noise
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[first:last] for first, last in itertools.pairwise(places)]
    assert outcome(*parts) == outcome(data)


@pytest.mark.parametrize("wrong", [b"\r\nx\r\n", b"x", b"\r\nfffffff\r\n"])
def test_what_came_before_something_wrong_is_given_first(wrong):
    body = ChunkedBody(LIMIT)
    assert body.take(b"3\r\nabc" + wrong) == b"abc"
    for _ in range(2):
        with pytest.raises(BadHead):
            body.take(body.rest)


def test_of_many_small_chunks_some_are_taken_at_a_time():
    body = ChunkedBody(1 << 20)
    first = body.take(chunked(*[b"a"] * 1000))
    assert 0 < len(first) <= CHUNKS_A_STEP
    assert poured(body, body.rest)[0] == b"a" * (1000 - len(first))
    assert body.is_over


def test_a_chunk_that_is_under_way_is_given_as_it_comes():
    body = ChunkedBody(LIMIT)
    assert body.take(b"5\r\nab") == b"ab"
    assert body.take(b"cd") == b"cd"
    assert not body.is_over


# --- what a head says of its body


@pytest.mark.parametrize(
    ("field", "kind", "has"),
    [
        ("Transfer-Encoding: chunked", ChunkedBody, True),
        ("Content-Length: 5", SizedBody, True),
        ("Content-Length: 0", type(None), False),
        ("Content-Length: 000", type(None), False),
        ("X: y", type(None), False),
    ],
)
def test_the_head_says_how_its_body_ends(field, kind, has):
    assert isinstance(body_of(head(field), LIMIT), kind)
    assert has_body(head(field)) is has


@pytest.mark.parametrize("length", ["1001", "9" * 16, "9" * 4000, "0" * 17])
def test_a_body_that_is_announced_too_long_is_refused(length):
    with pytest.raises(BadHead) as bad:
        body_of(head(f"Content-Length: {length}"), LIMIT)
    assert bad.value.status == 413


def test_a_body_of_just_its_limit_is_taken():
    assert body_of(head(f"Content-Length: {LIMIT}"), LIMIT) is not None
    assert outcome(chunked(bytes(LIMIT))) == (bytes(LIMIT), b"", True)


@pytest.mark.parametrize(
    ("fields", "is_packed"),
    [
        ([], False),
        (["Content-Encoding: identity"], False),
        (["Content-Encoding:"], False),
        (["Content-Encoding: gzip"], True),
        (["Content-Encoding: X-GZip"], True),
        (["Content-Encoding: identity, gzip"], True),
        (["Content-Encoding: identity", "Content-Encoding: gzip"], True),
    ],
)
def test_a_body_may_be_compressed_by_gzip(fields, is_packed):
    assert is_gzip(head(*fields)) is is_packed


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Encoding: br"],
        ["Content-Encoding: gzip, gzip"],
        ["Content-Encoding: deflate, gzip"],
        ["Content-Encoding: gzip", "Content-Encoding: br"],
        ["Content-Encoding: gzip;q=1"],
    ],
)
def test_other_codings_are_refused(fields):
    with pytest.raises(BadHead, match="gzip only") as bad:
        is_gzip(head(*fields))
    assert bad.value.status == 415
