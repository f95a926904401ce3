"""What two programs could read differently, as requests: status that each must get, and nothing behind it."""

from __future__ import annotations

from msgspec import Struct

from support.memory import upgrade

__all__ = ["ATTACKS", "TAKEN", "Attack", "publish"]

BODY = b'{"network":"sample_net","data":{}}'
"""34 bytes; published, it is answered with 200."""

CHUNKED = b"22\r\n" + BODY + b"\r\n0\r\n\r\n"


class Attack(Struct, frozen=True):
    """``data`` is one request, and what its sender may hide behind it; ``status``: of the one answer."""

    name: str
    data: bytes
    status: int


def publish(
    *fields: str, body: bytes = BODY, line: str = "POST /publish HTTP/1.1", host: str = "localhost"
) -> bytes:
    """A POST with just these fields, a host and a right key."""
    lines = [line, *([f"Host: {host}"] if host else []), "API-KEY: sample-key", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _get(*fields: str, line: str = "GET /healthz HTTP/1.1", host: str = "Host: localhost\r\n") -> bytes:
    return (f"{line}\r\n{host}" + "".join(f"{field}\r\n" for field in fields) + "\r\n").encode("latin-1")


LENGTH = "Content-Length: 34"
CODING = "Transfer-Encoding: chunked"

ATTACKS = [
    # --- where a body ends
    *(
        Attack(f"length {length!r}", publish(f"Content-Length: {length}"), 400)
        for length in ("34, 34", "+34", "-1", "0x22", "3 4", "", "34;", "3_4", "34.0", "\u00b2")
    ),
    Attack("two lengths", publish(LENGTH, LENGTH), 400),
    Attack("two other lengths", publish(LENGTH, "content-length: 3"), 400),
    Attack("length and coding", publish(LENGTH, CODING, body=CHUNKED), 400),
    Attack("coding and length", publish(CODING, LENGTH, body=CHUNKED), 400),
    Attack("identity and length", publish("Transfer-Encoding: identity", LENGTH), 400),
    Attack("gzip, chunked", publish("Transfer-Encoding: gzip, chunked", body=CHUNKED), 501),
    *(
        Attack(f"coding {coding!r}", publish(f"Transfer-Encoding: {coding}", body=CHUNKED), 400)
        for coding in ("xchunked", "chunked, identity", "chunked, chunked", "", "\x0bchunked", "chunked;")
    ),
    Attack("two codings", publish(CODING, CODING, body=CHUNKED), 400),
    Attack("coding in 1.0", publish(CODING, body=CHUNKED, line="POST /publish HTTP/1.0"), 400),
    Attack("length beyond any body", publish("Content-Length: 99999999999"), 413),
    Attack("length beyond any number", publish("Content-Length: " + "9" * 5000), 413),
    # --- fields
    Attack("folded field", publish("X: a\r\n b", LENGTH), 400),
    Attack("folded length", publish("Content-Length:\r\n 34"), 400),
    Attack("space before colon", publish("Content-Length : 34"), 400),
    Attack("tab before colon", publish("Content-Length\t: 34"), 400),
    Attack("space before name", _get(" X: a"), 400),
    *(
        Attack(f"byte {byte:#04x} in a value", _get(f"X: a{chr(byte)}b"), 400)
        for byte in (0, 1, 8, 0x0A, 0x0B, 0x0C, 0x0D, 0x1F, 0x7F)
    ),
    Attack("NUL in a name", _get("X\0: a"), 400),
    Attack("no name", _get(": a"), 400),
    Attack("no colon", _get("X"), 400),
    Attack("bare LF hides a field", _get("X: a\nTransfer-Encoding: chunked"), 400),
    Attack("bare LF behind the request line", b"GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n", 400),
    Attack("no host", _get(host=""), 400),
    Attack("two hosts", _get("Host: localhost"), 400),
    Attack("two other hosts", _get("host: y"), 400),
    Attack("no host's name", _get(host="Host: a/b\r\n"), 400),
    Attack("two keys", publish("API-KEY: sample-key", LENGTH), 400),
    Attack("two authorizations", _get("Authorization: Bearer a", "Authorization: Bearer b"), 400),
    Attack("line end of Latin-1 in an upgrade", upgrade("/ws", "wamp.2.json", extra="X: a\x85b\r\n"), 400),
    # --- the request line
    Attack("HTTP/2.0", _get(line="GET / HTTP/2.0"), 505),
    Attack("HTTP/1.2", _get(line="GET / HTTP/1.2"), 505),
    Attack("HTTP/0.9", _get(line="GET / HTTP/0.9"), 505),
    Attack("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Attack("no version", _get(line="GET /"), 400),
    Attack("lower-case version", _get(line="GET / http/1.1"), 400),
    Attack("lower-case method", _get(line="get / HTTP/1.1"), 400),
    Attack("two spaces", _get(line="GET  / HTTP/1.1"), 400),
    Attack("tab", _get(line="GET\t/ HTTP/1.1"), 400),
    Attack("space at the end", _get(line="GET / HTTP/1.1 "), 400),
    Attack("form of an authority", _get(line="GET x:80 HTTP/1.1"), 400),
    Attack("CONNECT", _get(line="CONNECT x:80 HTTP/1.1"), 405),
    Attack("fragment", _get(line="GET /healthz#a HTTP/1.1"), 400),
    Attack("raw UTF-8", _get(line="GET /caf\u00c3\u00a9 HTTP/1.1"), 400),
    Attack("two empty lines", b"\r\n\r\n" + _get(), 400),
    Attack("bare LF before it", b"\n" + _get(), 400),
    Attack("RawSocket behind it", b"\x16\x03\x01" + _get(), 400),
    # --- bounds
    Attack("long head", _get("X: " + "a" * 16_384), 431),
    Attack("many fields", _get(*["X: y"] * 100), 431),
    Attack("long target", _get(line="GET /" + "a" * 8_192 + " HTTP/1.1"), 414),
    # --- chunks
    *(
        Attack(f"chunk size {size!r}", publish(CODING, body=size + BODY + b"\r\n0\r\n\r\n"), 400)
        for size in (
            b"0x22\r\n", b"+22\r\n", b" 22\r\n", b"22 \r\n", b"22\n", b"22;a\nb\r\n", b"22;a\rb\r\n", b"\r\n",
            b"-1\r\n", b"22;\0\r\n", b"g\r\n",
        )
    ),
    Attack("chunk without its end", publish(CODING, body=b"22\r\n" + BODY + b"0\r\n\r\n"), 400),
    Attack("chunk with LF for its end", publish(CODING, body=b"22\r\n" + BODY + b"\n0\r\n\r\n"), 400),
    Attack("chunk longer than it says", publish(CODING, body=b"21\r\n" + BODY + b"\r\n0\r\n\r\n"), 400),
    Attack("huge chunk", publish(CODING, body=b"ffffffffffffffffff\r\n"), 413),
    Attack("chunk beyond the limit", publish(CODING, body=b"7fffffff\r\n"), 413),
    Attack("long extension", publish(CODING, body=b"22;" + b"a" * 16_400 + b"\r\n"), 431),
    Attack("long trailers", publish(CODING, body=CHUNKED[:-2] + b"X: y\r\n" * 3000), 431),
    Attack("folded trailer", publish(CODING, body=CHUNKED[:-2] + b"X: y\r\n z\r\n\r\n"), 400),
    # --- what is expected of the server
    Attack("expectation", publish("Expect: 200-ok", LENGTH), 417),
    Attack("expected, too long", publish("Expect: 100-continue", "Content-Length: 9999999", body=b""), 413),
    Attack("coding of the content", publish("Content-Encoding: br", LENGTH), 415),
]  # fmt: skip
"""Refused with this status, as every head and body of a connection is, and the connection closed."""

TAKEN = [
    Attack("form of an absolute target", _get(line="GET http://elsewhere/healthz HTTP/1.1"), 200),
    Attack("whole server", _get(line="OPTIONS * HTTP/1.1"), 200),
    Attack("one empty line", b"\r\n" + _get(), 200),
    Attack("extension", publish(CODING, body=CHUNKED.replace(b"22\r\n", b"22;a=b\r\n")), 200),
    Attack("trailers", publish(CODING, body=CHUNKED[:-2] + b"Host: y\r\nContent-Length: 3\r\n\r\n"), 200),
    Attack("line end of Latin-1", _get("X: a\x85b"), 200),
    Attack("upgrade to HTTP/2", _get("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"), 200),
    Attack("underscore in a name", publish("Content_Length: 3", "Transfer_Encoding: x", LENGTH), 200),
    Attack("multipart", publish("Content-Type: multipart/form-data; boundary=x", LENGTH), 200),
    Attack("form", publish("Content-Type: application/x-www-form-urlencoded", LENGTH), 200),
    Attack("mixed case", publish("content-LENGTH: 34"), 200),
    Attack("white space around a length", publish("Content-Length: \t34 "), 200),
    Attack("other method", _get(line="FROB /healthz HTTP/1.1"), 405),
    Attack("no such path", _get(line="GET /nowhere HTTP/1.1"), 404),
]
"""Answered with this status, and the connection goes on."""
