"""Request targets: what is a path, what is none, and how names behind it are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.targets import BadTarget, Target, below, parameters, shows_key, target_of, values


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/publish", "/publish", ""),
        (b"/listen/a?last=1&x=/?", "/listen/a", "last=1&x=/?"),
        (b"/a?", "/a", ""),
        (b"//publish", "//publish", ""),
        (b"/./publish", "/./publish", ""),
        (b"/%70ublish", "/%70ublish", ""),
        (b"/publish;x", "/publish;x", ""),
        (b"http://radio.example.org/publish?x=1", "/publish", "x=1"),
        (b"HTTPS://radio.example.org:8443/publish", "/publish", ""),
        (b"ws://[::1]:8080/ws", "/ws", ""),
        (b"http://radio.example.org", "/", ""),
        (b"http://radio.example.org?a", "/", "a"),
        (b"http://a//publish", "//publish", ""),
    ],
)
def test_the_path_is_as_it_was_written(raw, path, query):
    assert target_of(b"GET", raw) == Target(path, query)


@pytest.mark.parametrize(
    ("method", "raw", "status"),
    [
        (b"GET", b"", 400),
        (b"GET", b"publish", 400),
        (b"GET", b"*", 400),
        (b"GET", b"radio.example.org:80", 400),
        (b"GET", b"ftp://a/x", 400),
        (b"GET", b"http:///x", 400),
        (b"GET", b"http://user@a/x", 400),
        (b"GET", b"http://a\\@b/x", 400),
        (b"GET", b"/a#b", 400),
        (b"GET", "/é".encode(), 400),
        (b"GET", b"/a\x7f", 400),
        (b"CONNECT", b"a:80", 405),
        (b"GET", b"/" * 8193, 414),
    ],
)
def test_what_is_no_target_is_refused(method, raw, status):
    with pytest.raises(BadTarget) as refused:
        target_of(method, raw)
    assert refused.value.status == status


def test_options_may_ask_about_the_server():
    assert target_of(b"OPTIONS", b"*") == Target("*")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/listen/", ""),
        ("/listen/a.b", "a.b"),
        ("/listen/a/b", "a/b"),
        ("/listen/a%2Fb", "a/b"),
        ("/listen/a%2fb", "a/b"),
        ("/listen/caf%C3%A9", "café"),
        ("/listen/a%2541b", "a%41b"),
        ("/listen/a+b", "a+b"),
        ("/listen/%00", "\0"),
        ("/listen/%ff", None),
        ("/listen/50%", None),
        ("/listen/%zz", None),
        ("/listen/%4", None),
    ],
)
def test_a_name_is_decoded_once(path, name):
    assert below(path, "/listen/") == name


@given(st.text(max_size=20))
def test_every_text_can_be_said_as_a_name(text):
    path = "/listen/" + "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "ignore"))
    assert below(path, "/listen/") == text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {}),
        ("a", {"a": ""}),
        ("a=1&a=2&b=", {"a": "2", "b": ""}),
        ("a=b+c%20d", {"a": "b c d"}),
        ("%61%3d=%26", {"a=": "&"}),
        ("a=50%&b=%zz", {"a": "50%", "b": "%zz"}),
        ("a=%ff", {"a": "�"}),
        ("=1&&a=1=2", {"a": "1=2"}),
    ],
)
def test_parameters_are_found_by_name(query, wanted):
    assert parameters(query) == wanted


def test_all_values_of_a_parameter_in_order():
    assert values("channel=b&x=1&channel=a%2Eb&ch%61nnel=c+d&channel", "channel") == ["b", "a.b", "c d", ""]
    assert values("", "channel") == []


@pytest.mark.parametrize("name", ["api_key", "API-KEY", "apikey", "x-api-key", "X_API_KEY"])
def test_a_key_in_a_query_is_known_by_its_name(name):
    assert shows_key({"channel": "a", name: "secret"})


@pytest.mark.parametrize("query", [{}, {"key": "a"}, {"token": "a"}, {"signature": "api_key"}, {"api": "x"}])
def test_other_parameters_show_none(query):
    assert not shows_key(query)
