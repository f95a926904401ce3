"""Request heads: what is taken, and what two programs might read differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.heads import BadHead, read_head
from radiod.wire.targets import Target


def head(*lines, line="GET / HTTP/1.1", host="Host: x"):
    fields = [host, *lines] if host else list(lines)
    return "".join(f"{each}\r\n" for each in (line, *fields, "")).encode("latin-1")


def refused(data):
    with pytest.raises(BadHead) as bad:
        read_head(data)
    assert str(bad.value)
    return bad.value.status


def test_a_head_is_taken_apart():
    read = read_head(head("Accept: a", "X-Y:  b c \t", "accept: d", line="POST /publish?x=1 HTTP/1.1"))
    assert (read.method, read.target, read.version) == (b"POST", Target("/publish", "x=1"), b"1.1")
    assert read.fields == [(b"host", b"x"), (b"accept", b"a"), (b"x-y", b"b c"), (b"accept", b"d")]
    assert (read.all(b"accept"), read.first(b"accept")) == ([b"a", b"d"], b"a")
    assert (read.all(b"origin"), read.first(b"origin")) == ([], None)


def test_the_old_version_needs_no_fields():
    assert read_head(head(line="GET / HTTP/1.0", host="")).fields == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/0.9", 505),
        ("GET /", 400),
        ("GET / http/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("G(T / HTTP/1.1", 400),
        (" / HTTP/1.1", 400),
        ("GET /\x0b HTTP/1.1", 400),
        ("GET /\n HTTP/1.1", 400),
        ("GET /é HTTP/1.1", 400),
        ("GET publish HTTP/1.1", 400),
        ("CONNECT a:1 HTTP/1.1", 405),
        (f"GET /{'a' * 8192} HTTP/1.1", 414),
    ],
)
def test_a_wrong_request_line_is_refused(line, status):
    assert refused(head(line=line)) == status


@pytest.mark.parametrize("byte", [*range(9), *range(0x0A, 0x20), 0x7F])
@pytest.mark.parametrize("where", ["X: a{}b", "X{}: a", "X: a{}"])
def test_control_bytes_have_no_place_in_a_head(byte, where):
    assert refused(head(where.format(chr(byte)))) == 400


@pytest.mark.parametrize(
    "field", ["X : a", ": a", "X", " X: a", "\tX: a", "X: a\r\n folded", "X: a\r\n\tb", "(: a"]
)
def test_a_malformed_field_is_refused(field):
    assert refused(head(field)) == 400


def test_a_tab_and_other_languages_may_stand_in_a_value():
    read = read_head(head("X: a\tb", "Y: caf\xe9 \x85"))
    assert read.fields[1:] == [(b"x", b"a\tb"), (b"y", b"caf\xe9 \x85")]


def test_what_ends_lines_for_some_websocket_libraries_is_refused_where_they_read():
    assert refused(head("Upgrade: websocket", "X: a\x85b")) == 400


@pytest.mark.parametrize(
    "host", ["", "Host: a\r\nHost: a", "Host: a b", "Host: a/b", "Host: a:b", "Host: user@a"]
)
def test_a_host_must_be_told_once(host):
    assert refused(head(host=host)) == 400


@pytest.mark.parametrize("host", ["x", "x:80", "x:", "", "[::1]:8080", "radio.example.org.", "a_b"])
def test_a_host_is_a_name_or_an_address_with_a_port_perhaps(host):
    assert read_head(head(host=f"Host: {host}")).first(b"host") == host.encode()


@pytest.mark.parametrize(
    "name", ["API-KEY", "Authorization", "Origin", "Content-Length", "Transfer-Encoding"]
)
def test_what_decides_on_a_request_is_told_once(name):
    assert refused(head(f"{name}: 1", f"{name.lower()}: 1")) == 400


@pytest.mark.parametrize("length", ["+34", "-1", "0x22", "3 4", "", "34, 34", "1e3", "\u00b2"])
def test_a_length_is_decimal_digits(length):
    assert refused(head(f"Content-Length: {length}")) == 400


@pytest.mark.parametrize(
    ("fields", "version", "status"),
    [
        (["Transfer-Encoding: chunked", "Content-Length: 3"], "1.1", 400),
        (["Content-Length: 3", "Transfer-Encoding: chunked"], "1.1", 400),
        (["Transfer-Encoding: identity"], "1.1", 400),
        (["Transfer-Encoding: xchunked"], "1.1", 400),
        (["Transfer-Encoding: chunked, identity"], "1.1", 400),
        (["Transfer-Encoding: chunked, chunked"], "1.1", 400),
        (["Transfer-Encoding: gzip, chunked"], "1.1", 501),
        (["Transfer-Encoding: chunked"], "1.0", 400),
        (["Expect: 200-ok"], "1.1", 417),
    ],
)
def test_where_a_body_ends_is_beyond_doubt(fields, version, status):
    assert refused(head(*fields, line=f"POST / HTTP/{version}")) == status


@pytest.mark.parametrize(
    "field", ["Content-Length: 34", "Transfer-Encoding: Chunked", "Expect: 100-Continue"]
)
def test_a_body_may_be_announced(field):
    assert len(read_head(head(field, line="POST / HTTP/1.1")).fields) == 2


def test_a_head_has_bounds():
    assert refused(head(*["X: 1"] * 100)) == 431
    assert len(read_head(head(*["X: 1"] * 99)).fields) == 100
    assert refused(head("X: " + "a" * 16_384)) == 431


@pytest.mark.parametrize(
    ("fields", "is_websocket"),
    [
        (["Upgrade: websocket"], True),
        (["Upgrade: WebSocket"], True),
        (["Upgrade: h2c, websocket"], True),
        (["Upgrade: h2c", "upgrade: websocket"], True),
        (["Upgrade: h2c"], False),
        (["Upgrade: websockets"], False),
        (["X-Upgrade: websocket"], False),
        ([], False),
    ],
)
def test_an_upgrade_to_a_websocket_is_found_among_others(fields, is_websocket):
    assert read_head(head(*fields)).is_websocket is is_websocket


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(noise):
    for data in (noise, b"GET / HTTP/1.1\r\nHost: x\r\n" + noise + b"\r\n\r\n"):
        try:
            read = read_head(data)
        except BadHead:
            continue
        assert all(value.translate(None, bytes(range(9)) + b"\r\n") == value for _, value in read.fields)


@pytest.mark.parametrize(
    ("version", "fields", "is_kept"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: keep-alive"], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: Close"], False),
        ("1.1", ["Connection: x, close"], False),
        ("1.1", ["Connection: keep-alive", "Connection: close"], False),
        ("1.1", ["Connection: closed"], True),
        ("1.0", [], False),
        ("1.0", ["Connection: Keep-Alive"], True),
        ("1.0", ["Connection: x , keep-alive"], True),
        ("1.0", ["Connection: keep-alive, close"], False),
        ("1.0", ["Connection: x"], False),
    ],
)
def test_a_connection_is_kept_as_its_client_wants_it(version, fields, is_kept):
    assert read_head(head(*fields, line=f"GET / HTTP/{version}")).is_kept is is_kept


def test_each_expectation_must_be_known():
    assert refused(head("Expect: 100-continue", "Expect: x")) == 417
    assert refused(head("Expect: 100-continue, x")) == 417
