"""Descriptions of endpoints as text: Twisted's grammar, with every argument checked."""

import pytest

from radiod.endpoints.descriptions import (
    EndpointError,
    arguments,
    count,
    index,
    kind_of,
    one_of,
    permissions,
    port_number,
    text,
)

CHECKS = {"port": port_number, "interface": text, "backlog": count}


@pytest.mark.parametrize(
    ("rest", "given"),
    [
        ("8080", {"port": 8080}),
        ("port=8080", {"port": 8080}),
        ("8080:127.0.0.1:9", {"port": 8080, "interface": "127.0.0.1", "backlog": 9}),
        ("8080:backlog=9:interface=x", {"port": 8080, "interface": "x", "backlog": 9}),
        (r"8080:interface=\:\:1", {"port": 8080, "interface": "::1"}),
        (r"8080:interface=a\=b\\c=d", {"port": 8080, "interface": r"a=b\c=d"}),
        ("8080:", {"port": 8080, "interface": ""}),
        ("8080:interface=", {"port": 8080, "interface": ""}),
    ],
)
def test_arguments_come_in_order_or_by_name(rest, given):
    assert arguments(rest, CHECKS) == given


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "port is missing"),
        ("interface=x", "port is missing"),
        (":x", "port is missing"),
        ("1:port=2", "port is given twice"),
        ("1:a:2:b", "'b' is one argument too many; there are port, interface, backlog"),
        ("1:inteface=x", "unknown argument 'inteface'; there are port, interface, backlog"),
        ("1:=x", "unknown argument ''; there are port, interface, backlog"),
        ("1:backlog=0", "backlog: '0' is no number from 1 to 2147483648"),
        ("1:backlog=many", "backlog: 'many' is no number from 1 to 2147483648"),
        ("1:interface=a\0b", "interface: a NUL character is no part of a name"),
        ("1\\", "it ends in a backslash, which wants a character behind it"),
    ],
)
def test_what_is_wrong_with_arguments_is_said(rest, message):
    with pytest.raises(EndpointError) as refused:
        arguments(rest, CHECKS)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "value", ["", "http", "-1", "+1", " 1", "1 ", "1_0", "65536", "٨", "1.0", "0x50", "9" * 5000]
)
def test_a_port_is_a_number_in_plain_digits(value):
    with pytest.raises(ValueError, match=r"is no number from 0 to 65535$"):
        port_number(value)


def test_the_least_and_the_most_are_taken():
    assert (port_number("0"), port_number("65535"), index("0"), count("1")) == (0, 65535, 0, 1)


@pytest.mark.parametrize("value", ["66", "66600", "668", "rw-", "0o66", ""])
def test_permissions_are_octal(value):
    assert permissions("0660") == permissions("660") == 0o660
    with pytest.raises(ValueError, match="octal"):
        permissions(value)


def test_one_of_a_few_words():
    assert one_of("0", "1")("1") == "1"
    with pytest.raises(ValueError, match=r"^'yes' is none of 0, 1$"):
        one_of("0", "1")("yes")


def test_the_kind_comes_first_in_any_case():
    assert kind_of("TCP:80:x") == ("tcp", "80:x")
    assert kind_of("stdio") == ("stdio", "")
    for nothing in ("", ":80"):
        with pytest.raises(EndpointError, match="begin with its kind"):
            kind_of(nothing)
