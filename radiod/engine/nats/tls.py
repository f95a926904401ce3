"""TLS of a connection to NATS: whom we believe, and what we show."""

from __future__ import annotations

import re
from typing import Final

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

__all__ = ["Tls"]

PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Tls:
    """How servers are known, and how they know us.

    Args:
        authorities: certificates in PEM that sign theirs; None: those that this machine believes.
        certificate: ours with its key, in PEM; None: we show none.
        is_first: TLS begins before the server's first word (``handshake_first``).
    Raises: ValueError: no certificate is in ``authorities``.
    """

    def __init__(
        self, authorities: bytes | None = None, certificate: bytes | None = None, *, is_first: bool = False
    ) -> None:
        self.is_first: Final = is_first
        self._trusted = platformTrust()
        if authorities is not None:
            found = PEM.findall(authorities)
            if not found:
                raise ValueError("no certificate in PEM")
            self._trusted = trustRootFromCertificates([Certificate.loadPEM(pem) for pem in found])
        self._own = None if certificate is None else PrivateCertificate.loadPEM(certificate)

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """What Twisted makes a connection's TLS of: the server must be ``host``."""
        return optionsForClientTLS(host, self._trusted, self._own)
