"""What stands between a port and the protocols behind it: TLS, the PROXY protocol, and a guard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from zope.interface import implementer

from radiod.endpoints.certificates import Certificates
from radiod.wire.peers import peer_at

__all__ = ["Guarded", "NeverNone", "ProxiedEndpoint", "TlsEndpoint"]


class _Refused(TwistedProtocol):
    """A connection that nobody wants."""

    transport: Any

    def connectionMade(self) -> None:
        """Close it."""
        self.transport.abortConnection()


class NeverNone(Factory):
    """A factory whose connections may be wrapped.

    That a factory gives None closes a connection; Twisted's wrappers take it for a protocol, and fail.
    """

    noisy = False

    def __init__(self, factory: Any) -> None:
        self.wrappedFactory = factory

    def logPrefix(self) -> str:
        """What the log calls it."""
        return type(self.wrappedFactory).__name__

    def buildProtocol(self, addr: Any) -> Any:
        """The factory's protocol, or one that closes the connection."""
        return self.wrappedFactory.buildProtocol(addr) or _Refused()


@implementer(IStreamServerEndpoint)
class Guarded:
    """An endpoint whose factory wraps ours."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: Any) -> Any:
        """Listen, with a factory that may be wrapped."""
        return self._endpoint.listen(NeverNone(protocolFactory))


@implementer(IStreamServerEndpoint)
class TlsEndpoint:
    """TLS over another endpoint."""

    def __init__(self, endpoint: Any, certificates: Certificates, clock: Any) -> None:
        self._endpoint = endpoint
        self.certificates = certificates
        self._clock = clock

    def over(self, wrap: Callable[[Any], Any]) -> TlsEndpoint:
        """The same with the endpoint beneath wrapped: what it adds comes before TLS."""
        return TlsEndpoint(wrap(self._endpoint), self.certificates, self._clock)

    def listen(self, protocolFactory: Any) -> Any:
        """Listen with the endpoint beneath."""
        guarded = NeverNone(protocolFactory)
        creator = _Creator(self.certificates)
        factory = _TlsFactory(creator, False, guarded, clock=self._clock)
        factory.certificates = self.certificates
        factory.newcomers = getattr(protocolFactory, "newcomers", None)
        return self._endpoint.listen(factory)


class Newcomers(Protocol):
    """The line of those who come in; ``transport.newcomers.Newcomers`` is one, and documents it."""

    def take(self, what: Callable[[], None]) -> bool: ...

    def wait(self, what: Callable[[], None]) -> None: ...


class _TlsTransport(BufferingTLSTransport):
    """TLS that knows whether its peer has sent anything, and whose handshakes have a share of each turn."""

    has_begun = False
    # What came while it waits for its turn.
    _early: list[bytes] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Take the first bytes when there is time; those that follow go straight to Twisted's method."""
        if self._early is not None:
            self._early.append(data)
            return
        self.has_begun = True
        newcomers = self.factory.newcomers  # type: ignore[union-attr,attr-defined] # ours has
        if newcomers is not None and not newcomers.take(partial(self._begin, data)):
            self._early = [data]
            self.transport.pauseProducing()  # type: ignore[union-attr] # there is one
            newcomers.wait(self._begin_late)
        elif newcomers is None:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        self.dataReceived = super().dataReceived  # type: ignore[method-assign]
        self.dataReceived(data)

    def _begin_late(self) -> None:
        early = self._early
        if early is not None and self.connected and not self.disconnecting:
            self.transport.resumeProducing()  # type: ignore[union-attr] # there is one
            self._early = None
            self._begin(b"".join(early))


class _TlsFactory(TLSMemoryBIOFactory):
    protocol = _TlsTransport
    certificates: Certificates
    newcomers: Newcomers | None = None


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        return self._certificates.connection()


class _Proxied(HAProxyProtocolWrapper):
    """A connection that must begin with the PROXY protocol. Twisted closes others without a word."""

    log = Logger()
    _is_refused = False

    def dataReceived(self, data: bytes) -> None:
        """Take what comes."""
        super().dataReceived(data)
        if self._proxyInfo is None and self.disconnecting and not self._is_refused:
            self._is_refused = True
            self.log.info(
                "refused {peer}: no PROXY protocol in front: its endpoint is for proxies that speak it",
                peer=_name(self.transport.getPeer()),  # type: ignore[union-attr] # there is one
                event="connection_refused",
            )


def _name(address: Any) -> str:
    return peer_at(address.host, address.port) if hasattr(address, "port") else str(address)


class _ProxiedFactory(HAProxyWrappingFactory):
    noisy = False
    protocol = _Proxied  # type: ignore[assignment] # the base is bound to its own wrapper


@implementer(IStreamServerEndpoint)
class ProxiedEndpoint:
    """The PROXY protocol over another endpoint."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: Any) -> Any:
        """Listen with the endpoint beneath."""
        return self._endpoint.listen(_ProxiedFactory(protocolFactory))
