"""Keys and certificates for tests over TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PEM = serialization.Encoding.PEM
CURVE = ec.SECP256R1()
SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


class Issued:
    """A key with its certificate. ``issuer``: who signed it; None: itself. ``days``: until it ends."""

    def __init__(
        self,
        *names: str,
        issuer: Issued | None = None,
        is_ca: bool = False,
        key: Any = None,
        days: int = 1,
    ) -> None:
        self._key = key or ec.generate_private_key(CURVE)
        signer = self._key if issuer is None else issuer._key
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=100))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
            # Python 3.13 refuses certificates without these.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        )
        if is_ca:
            builder = builder.add_extension(x509.BasicConstraints(True, None), True)
            builder = builder.add_extension(SIGNS, True)
        self.certificate = builder.sign(signer, hashes.SHA256())

    def key_pem(self, password: bytes | None = None) -> bytes:
        """The key, encrypted or not."""
        hidden = (
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password)
        )
        data: bytes = self._key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, hidden)
        return data

    def certificate_pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(PEM)


def rsa_key(bits: int = 2048) -> Any:
    """An RSA key; certificates of it can be used with all of TLS 1.2's suites."""
    return rsa.generate_private_key(65537, bits)


def certificate(folder: Path, key: Any = None) -> Path:
    """A self-signed key and certificate for localhost, in one PEM file."""
    issued = Issued("localhost", key=key)
    file = folder / "server.pem"
    file.write_bytes(issued.key_pem() + issued.certificate_pem())
    return file


def for_threads(file: Path) -> ssl.SSLContext:
    """What ``websockets.sync`` needs over TLS: it reads in one thread and writes in another.

    Python's sockets do not bear that with TLS 1.3: while one thread takes the tickets behind the handshake,
    what another writes gets lost, and the server waits for a request. In a storm of 9,000 connects 18 were
    lost so, none of 17,000 with TLS 1.2, and none of 21,000 with TLS 1.3 in one thread.
    """
    context = ssl.create_default_context(cafile=str(file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
