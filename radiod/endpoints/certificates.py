"""Keys, certificates and what of TLS is spoken: 1.2 and 1.3, forward secret and authenticated (AEAD) only.

Of ALPN ``http/1.1`` is chosen where it is offered. Whoever offers nothing, or only what radiod does not know,
is served all the same: RawSocket clients may say anything.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL
from twisted.logger import Logger

from radiod.endpoints.descriptions import EndpointError

__all__ = ["Certificates", "FixedCertificates", "certificate_folder", "end_of_certificate"]

CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
"""Of TLS 1.2; all of TLS 1.3 are forward secret and authenticated."""

HTTP: Final = b"http/1.1"
MAX_CHAIN: Final = 10
"""Signatures may go in a circle."""

LOOK_SECONDS: Final = 10.0
"""How often at most a folder of certificates is looked through for new ones."""

EXPIRING: Final = timedelta(days=14)
"""How long before its end a certificate is a warning."""

log: Final = Logger()

PEM_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


class Certificates(Protocol):
    """What a TLS server shows to its clients.

    ``not_after``: when the first of the certificates ends that clients are shown, without their chains.
    """

    @property
    def not_after(self) -> datetime: ...

    def connection(self) -> SSL.Connection:
        """The OpenSSL end of one new connection."""

    def read_again(self) -> Callable[[], None]:
        """Read what is new in the files. Returns: what has new connections see it.

        Raises: EndpointError: it cannot be used; nothing has changed.
        """


SSL_ARGUMENTS: Final = ("privateKey", "certKey")
"""What an endpoint's description calls the key and the certificate."""


class FixedCertificates:
    """One key with its certificate; when the files change, new connections see that within 10 s.

    Raises: EndpointError: a file cannot be used; the message names it.

    Args:
        key_file, certificate_file: PEM files, perhaps the same; further certificates in it are the chain.
        chain_file: a PEM file with more of the chain.
        dh_file: parameters of Diffie-Hellman over a finite field, for clients that know no curves.
        names: what messages call the two files.
    """

    log = Logger()

    def __init__(
        self,
        key_file: str,
        certificate_file: str,
        chain_file: str | None = None,
        dh_file: str | None = None,
        names: tuple[str, str] = SSL_ARGUMENTS,
    ) -> None:
        files = (key_file, certificate_file, chain_file, dh_file)
        self._files = tuple(Path(file) for file in files if file is not None)
        self._seen = _state(self._files)
        # What could not be used, as it was then.
        self._refused: list[tuple[int, int, int] | None] | None = None
        self._looked_at = time.monotonic()
        self._again = partial(FixedCertificates, *files, names=names)
        key_name, certificate_name = names
        key = _only_key(key_file, key_name)
        certificate, *chain = _certificates(certificate_file, certificate_name)
        if chain_file is not None:
            chain += _certificates(chain_file, "extraCertChain")
        if _public(key) != _public(certificate):
            told = f"{key_name} {key_file!r} does not belong to {certificate_name} {certificate_file!r}"
            raise EndpointError(told)
        self.not_after = certificate.not_valid_after_utc
        self._context = _context(key, certificate, chain, dh_file)

    def connection(self) -> SSL.Connection:
        """One new connection."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look()
        return SSL.Connection(self._context)

    def read_again(self) -> Callable[[], None]:
        """As ``Certificates.read_again``."""
        if _state(self._files) == self._seen:
            return _nothing
        return partial(self.become, self._again())

    def become(self, other: FixedCertificates) -> None:
        """Show those of ``other`` to new connections."""
        self._files, self._seen, self._again = other._files, other._seen, other._again
        self.not_after, self._context = other.not_after, other._context

    def _look(self) -> None:
        """Take what is new; what cannot be used changes nothing, and is told once."""
        self._looked_at = time.monotonic()
        seen = _state(self._files)
        if seen in (self._seen, self._refused):
            return
        self._refused = seen
        try:
            self.read_again()()
            self.log.info("certificate {file} read again", file=str(self._files[1]), event="reload")
        except EndpointError as error:
            self.log.warn("certificate not read again: {error}", error=error, event="reload_refused")


def _state(files: Iterable[Path]) -> list[tuple[int, int, int] | None]:
    """What changes when one of the files does."""
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            stat = file.stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            found.append(None)
    return found


def _nothing() -> None:
    """Nothing is new."""


def end_of_certificate(file: str, name: str) -> datetime:
    """When the first certificate in a file ends. Raises: EndpointError: there is none to read."""
    return _certificates(file, name)[0].not_valid_after_utc


# --- one file


def _read(file: str, argument: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise EndpointError(f"{argument} {file!r}: {error.strerror}") from None


def _blocks(data: bytes, ending: bytes) -> list[bytes]:
    return [found.group() for found in PEM_BLOCK.finditer(data) if found.group(1).endswith(ending)]


def _only_key(file: str, argument: str) -> Any:
    blocks = _blocks(_read(file, argument), b"PRIVATE KEY")
    if not blocks:
        raise EndpointError(f"{argument} {file!r}: there is no private key (PEM) in it")
    return _key(blocks[0], f"{argument} {file!r}")


def _key(block: bytes, what: str) -> Any:
    try:
        return load_pem_private_key(block, None)
    except TypeError:
        raise EndpointError(f"{what}: the key is encrypted; radiod cannot ask for its password") from None
    except Exception:  # cryptography raises half a dozen kinds
        raise EndpointError(f"{what}: the key cannot be read") from None


def _certificates(file: str, argument: str) -> list[x509.Certificate]:
    blocks = _blocks(_read(file, argument), b"CERTIFICATE")
    if not blocks:
        raise EndpointError(f"{argument} {file!r}: there is no certificate (PEM) in it")
    return [_certificate(block, f"{argument} {file!r}") for block in blocks]


def _certificate(block: bytes, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(block)
    except ValueError:
        raise EndpointError(f"{what}: a certificate cannot be read") from None


def _public(holder: Any) -> bytes:
    data: bytes = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return data


def _tell_end(certificate: x509.Certificate, now: datetime) -> None:
    """Say in the log that a certificate ends soon, or has ended."""
    end = certificate.not_valid_after_utc
    if end - now < EXPIRING:
        log.warn(
            "the certificate of {subject} ends at {end}",
            subject=certificate.subject.rfc4514_string(),
            end=end.isoformat(),
            event="certificate_expiring",
        )


# --- what is spoken


def _context(
    key: Any, certificate: x509.Certificate, chain: Sequence[x509.Certificate], dh_file: str | None = None
) -> SSL.Context:
    _tell_end(certificate, datetime.now(UTC))
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_TICKET)
    # Idle connections hold no buffers.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(os.urandom(16))
    context.set_alpn_select_callback(_choose)
    try:
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.check_privatekey()
        for one in chain:
            context.add_extra_chain_cert(one)
    except (SSL.Error, TypeError, ValueError):
        raise EndpointError("TLS cannot use this key: too short, or of an unknown kind") from None
    if dh_file is not None:
        _read(dh_file, "dhParameters")
        try:
            context.load_tmp_dh(os.fsencode(dh_file))
        except SSL.Error:
            raise EndpointError(f"dhParameters {dh_file!r}: they cannot be read") from None
    return context


def _choose(_connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    return HTTP if HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS


# --- a folder of them, chosen by the name that the client asks for


def certificate_folder(path: str, seconds: Callable[[], float]) -> Certificates:
    """The certificates of a folder's ``.pem`` files, looked through again from time to time.

    Raises: EndpointError: there is none to use.
    """
    return _Folder(Path(path), seconds)


class _Folder:
    """Certificates by the names in them; the first one for clients that ask for none, or for another."""

    log = Logger()

    def __init__(self, path: Path, seconds: Callable[[], float]) -> None:
        self._path = path
        self._seconds = seconds
        self._looked_at = seconds()
        self._seen = self._state()
        self._default, self._by_name, self.not_after = self._load(self._seen)

    def connection(self) -> SSL.Connection:
        """One new connection."""
        self._look()
        return SSL.Connection(self._default)

    def read_again(self) -> Callable[[], None]:
        """As ``Certificates.read_again``."""
        seen = self._state()
        if seen == self._seen:
            return _nothing
        loaded = self._load(seen)

        def take() -> None:
            self._seen = seen
            self._default, self._by_name, self.not_after = loaded

        return take

    def _state(self) -> list[tuple[str, int, int]]:
        """What changes when a file does. Raises: EndpointError."""
        try:
            if not self._path.is_dir():
                raise EndpointError(f"path {str(self._path)!r}: there is no such folder")
            found = [(file, file.stat()) for file in sorted(self._path.rglob("*.pem"))]
        except OSError as error:
            raise EndpointError(f"path {str(self._path)!r}: {error.strerror}") from None
        return [(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in found]

    def _look(self) -> None:
        """Take what is new; what cannot be used changes nothing."""
        now = self._seconds()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            seen = self._state()
            if seen == self._seen:
                return
            self._seen = seen
            self._default, self._by_name, self.not_after = self._load(seen)
            self.log.info("certificates of {path} read again", path=str(self._path), event="reload")
        except EndpointError as error:
            self.log.warn("certificates not read again: {error}", error=error, event="reload_refused")

    def _load(self, seen: list[tuple[str, int, int]]) -> tuple[SSL.Context, dict[str, SSL.Context], datetime]:
        default: SSL.Context | None = None
        by_name: dict[str, SSL.Context] = {}
        ends = []
        for key, certificate, chain in _pairs([Path(file) for file, _, _ in seen]):
            context = _context(key, certificate, chain)
            context.set_tlsext_servername_callback(self._switch)
            default = default or context
            ends.append(certificate.not_valid_after_utc)
            for name in _names(certificate):
                by_name.setdefault(name, context)
        if default is None:
            raise EndpointError(f"path {str(self._path)!r}: no .pem file has a key and its certificate")
        return default, by_name, min(ends)

    def _switch(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("latin-1").lower()
        context = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
        if context is not None:
            connection.set_context(context)


def _pairs(files: Sequence[Path]) -> Iterator[tuple[Any, x509.Certificate, list[x509.Certificate]]]:
    """Each key with its certificate and the chain above it, in the order of the files."""
    keys: list[Any] = []
    by_key: dict[bytes, x509.Certificate] = {}
    by_subject: dict[bytes, x509.Certificate] = {}
    for file in files:
        data = _read(str(file), "path")
        for block in _blocks(data, b"CERTIFICATE"):
            certificate = _certificate(block, f"path {str(file)!r}")
            by_key.setdefault(_public(certificate), certificate)
            by_subject.setdefault(certificate.subject.public_bytes(), certificate)
        keys += [_key(block, f"path {str(file)!r}") for block in _blocks(data, b"PRIVATE KEY")]
    for key in keys:
        leaf = by_key.get(_public(key))
        if leaf is not None:
            yield key, leaf, _chain(leaf, by_subject)


def _chain(leaf: x509.Certificate, by_subject: dict[bytes, x509.Certificate]) -> list[x509.Certificate]:
    chain: list[x509.Certificate] = []
    last = leaf
    while len(chain) < MAX_CHAIN:
        above = by_subject.get(last.issuer.public_bytes())
        # A certificate that signed itself is a root, which clients have.
        if above is None or above.issuer == above.subject:
            break
        chain.append(above)
        last = above
    return chain


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]
