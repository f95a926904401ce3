"""Heads of answers: whatever a text is made of, it ends no line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import NOT_AUTHORIZED, QUOTA, RATE_LIMITED, NoAccess, OverLimit, Refused
from radiod.wire.replies import clean, error_reply, refused, reply_head, with_retry


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain: text, 1", b"plain: text, 1"),
        ("a\r\nSet-Cookie: b", b"a??Set-Cookie: b"),
        ("\x00\t\x1b\x7f\x85\u2028é", b"???????"),
        (b"a\nb\xff", b"a?b?"),
    ],
)
def test_only_visible_ascii_is_left(text, cleaned):
    assert clean(text) == cleaned


@given(st.text(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_no_text_ends_a_line(reason, name, value):
    head = reply_head(400, reason, [(name, value)])
    assert head.count(b"\r\n") == 3
    assert len(head.decode("latin-1").splitlines()) == 3
    assert head.splitlines()[1].count(b":") >= 1


def test_a_reason_is_not_endless():
    assert reply_head(400, "x" * 1000, []) == b"HTTP/1.1 400 " + b"x" * 200 + b"\r\n\r\n"


def test_an_answer_has_the_version_that_was_asked_for():
    assert reply_head(200, "OK", [], b"HTTP/1.0") == b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(("reason", "told"), [(None, "no caf?"), ("Forbidden", "Forbidden")])
def test_an_error_is_whole_and_the_last(reason, told):
    head, _, body = error_reply(403, "no café", [("X", "y")], reason).partition(b"\r\n\r\n")
    assert json.loads(body) == {"error": "no café"}
    assert head.decode().split("\r\n") == [
        f"HTTP/1.1 403 {told}",
        "X: y",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]


@pytest.mark.parametrize(
    ("status", "fields", "told"),
    [(429, [], "1"), (503, [("X", "y")], "1"), (429, [("Retry-After", "5")], "5"), (400, [], None)],
)
def test_who_may_come_back_is_told_when(status, fields, told):
    assert dict(with_retry(status, fields)).get("Retry-After") == told
    seconds = b"" if told is None else b"Retry-After: %b" % told.encode()
    assert seconds in error_reply(status, "later", fields)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Refused(NOT_AUTHORIZED, "no"), {"error": "no"}),
        (NoAccess("revoked"), {"error": "API-KEY not valid", "reason": "revoked"}),
        (
            OverLimit("publish_rate", 1, RATE_LIMITED),
            {"error": "rate limit exceeded", "reason": "rate_limited"},
        ),
        (
            OverLimit("connections", 1, QUOTA),
            {"error": "quota exceeded", "reason": "quota", "limit": "connections"},
        ),
    ],
)
def test_a_refusal_says_why(error, says):
    assert refused(error) == says
    head, _, body = error_reply(403, "phrase", says=refused(error)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 phrase\r\n")
    assert json.loads(body) == says
