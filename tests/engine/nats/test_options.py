"""Where to connect: what is an address, and what does not belong into one."""

import pytest

from radiod.engine.nats.options import Address


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("nats://a", Address("a", 4222), "a:4222"),
        ("nats://a:5/", Address("a", 5), "a:5"),
        ("tls://a.example:5", Address("a.example", 5, True), "a.example:5"),
        ("nats://[::1]:5", Address("::1", 5), "[::1]:5"),
    ],
)
def test_an_address_is_read(url, address, shown):
    assert Address.parse(url) == address
    assert str(address) == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:4222",
        "http://a",
        "nats://",
        "nats://:5",
        "nats://a/b",
        "nats://a?b",
        "nats://a:x",
        "nats://a:99999",
        "nats://a:0",
        "nats://radio:secret@a",
        "http://radio:secret@a",
        "radio:secret@a",
    ],
)
def test_what_is_none_is_refused_and_no_password_shown(url):
    with pytest.raises(ValueError) as refused:
        Address.parse(url)
    assert "secret" not in str(refused.value)
