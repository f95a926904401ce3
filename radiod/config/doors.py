"""Where a server listens, and what it serves there: ``[[listen]]`` and ``[http]``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from radiod.config.places import placed_endpoint
from radiod.config.reading import Node
from radiod.core.uris import MAX_URI_LENGTH
from radiod.secret import credential

__all__ = ["Http", "Listen", "Name", "Served", "Tls"]

Name = Annotated[str, Meta(min_length=1, max_length=MAX_URI_LENGTH)]


class Tls(Node, frozen=True, kw_only=True):
    """``tls`` of a ``[[listen]]``; both files are also given as credentials that systemd passes on.

    ``key``: absent, it is in the certificate's file.
    """

    certificate: Name | None = None
    certificate_credential: Name | None = None
    key: Name | None = None
    key_credential: Name | None = None

    def placed(self, base: Path) -> Tls:
        """With whole paths."""
        certificate, key = (
            None if name is None else str(base / name) for name in (self.certificate, self.key)
        )
        return replace(self, certificate=certificate, key=key)

    def certificate_file(self) -> str:
        """Where the certificate is. Raises: ValueError: no credentials were passed on."""
        if self.certificate_credential is not None:
            return str(credential(self.certificate_credential))
        assert self.certificate is not None
        return self.certificate

    def key_file(self) -> str:
        """Where the key is. Raises: as ``certificate_file``."""
        if self.key_credential is not None:
            return str(credential(self.key_credential))
        return self.certificate_file() if self.key is None else self.key


class Served(Enum):
    """What can be served at an endpoint."""

    RADIO = "radio"
    METRICS = "metrics"
    ADMIN = "admin"


class Listen(Node, frozen=True, kw_only=True):
    """``[[listen]]``"""

    endpoint: Name
    tls: Tls | None = None
    serve: tuple[Served, ...] = (Served.RADIO,)
    trusted_proxies: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None

    def placed(self, base: Path) -> Listen:
        """With whole paths."""
        return replace(self, endpoint=placed_endpoint(self.endpoint, base))


class Http(Node, frozen=True, kw_only=True):
    """``[http]``"""

    origins: tuple[str, ...] = ()
    pages: str = ""

    def placed(self, base: Path) -> Http:
        """With a whole path."""
        return replace(self, pages=str(base / self.pages)) if self.pages else self
