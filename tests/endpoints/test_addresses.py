"""What the start line says of a port: something that works when it is typed."""

from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from radiod.endpoints import address


def port(host, factory=None):
    return SimpleNamespace(getHost=lambda: host, factory=factory or Factory())


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    def serverConnectionForTLS(self, protocol):
        raise AssertionError("nobody connects")


def over_tls(factory):
    return TLSMemoryBIOFactory(Creator(), False, factory, clock=object())


PLAIN = Factory()
PROXIED = "behind a proxy that speaks the PROXY protocol"


@pytest.mark.parametrize(
    ("host", "factory", "said"),
    [
        (IPv4Address("TCP", "127.0.0.1", 80), PLAIN, "http://127.0.0.1:80/"),
        (IPv4Address("TCP", "0.0.0.0", 80), PLAIN, "http://localhost:80/ (on every network)"),
        (IPv6Address("TCP", "::", 80), PLAIN, "http://localhost:80/ (on every network)"),
        (IPv6Address("TCP", "::1", 80), PLAIN, "http://[::1]:80/"),
        (IPv6Address("TCP", "fe80::1%eth0", 80), PLAIN, "http://[fe80::1%25eth0]:80/"),
        (IPv4Address("TCP", "10.0.0.1", 443), over_tls(PLAIN), "https://10.0.0.1:443/"),
        (
            IPv4Address("TCP", "10.0.0.1", 80),
            HAProxyWrappingFactory(PLAIN),
            f"http://10.0.0.1:80/ ({PROXIED})",
        ),
        (
            IPv4Address("TCP", "10.0.0.1", 80),
            HAProxyWrappingFactory(over_tls(PLAIN)),
            f"https://10.0.0.1:80/ ({PROXIED})",
        ),
        (
            IPv4Address("TCP", "0.0.0.0", 80),
            HAProxyWrappingFactory(PLAIN),
            f"http://localhost:80/ (on every network, {PROXIED})",
        ),
        (UNIXAddress(b"/run/radiod.sock"), PLAIN, "unix:/run/radiod.sock"),
        (UNIXAddress(b"\0radiod"), PLAIN, "unix:@radiod"),
        (UNIXAddress(b"/run/\xff.sock"), PLAIN, "unix:/run/\\xff.sock"),
        (UNIXAddress(b"/run/radiod.sock"), over_tls(PLAIN), "unix:/run/radiod.sock (TLS)"),
        (UNIXAddress(None), PLAIN, "unix:"),
        ("onion", PLAIN, "onion"),
    ],
)
def test_each_kind_of_port_has_its_form(host, factory, said):
    assert address(port(host, factory)) == said
