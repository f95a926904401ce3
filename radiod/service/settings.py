"""The configuration of what listens: limits of the transports, and the rules of each door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radiod import config
from radiod.endpoints import Certificates, EndpointError, FixedCertificates
from radiod.transport.limits import TransportLimits
from radiod.web.folder import FolderError, read_folder
from radiod.wire.answer import Answer
from radiod.wire.doors import Door

__all__ = ["aliases", "certificates", "door", "own_pages", "transport_limits"]


def door(listen: config.Listen) -> Door:
    """The rules of one table of ``[[listen]]``."""
    found = Door(listen.trusted_proxies, listen.hosts, listen.origins)
    found.serves_radio = config.Served.RADIO in listen.serve
    found.serves_metrics = config.Served.METRICS in listen.serve
    found.serves_admin = config.Served.ADMIN in listen.serve
    found.tells_peer_late = listen.endpoint.lower().startswith("haproxy:")
    return found


def certificates(tls: config.Tls | None) -> Certificates | None:
    """What ``tls`` of a table of ``[[listen]]`` names. Raises: EndpointError: it cannot be used."""
    if tls is None:
        return None
    try:
        files = tls.key_file(), tls.certificate_file()
    except ValueError as error:
        raise EndpointError(str(error)) from None
    return FixedCertificates(*files, names=("key", "certificate"))


def transport_limits(limits: config.Limits) -> TransportLimits:
    """The bounds of connections, listeners and requests."""
    return TransportLimits(
        max_message_bytes=limits.max_message_bytes,
        max_connections=limits.max_connections,
        max_connections_per_address=limits.max_connections_per_address,
        max_polls=max(1, limits.max_connections // 10),
        max_fragments=limits.max_fragments,
        compression=limits.compression,
        handshake_seconds=limits.max_unauthenticated_seconds,
        ping_interval=limits.ping_interval_s,
        ping_timeout=limits.ping_timeout_s,
        http_timeout=limits.http_timeout_s,
        http_idle=limits.http_idle_s,
        heartbeat=limits.heartbeat_s,
    )


def own_pages(http: config.Http) -> dict[str, Answer]:
    """Path and answer of each file that ``[http] pages`` has. Raises: ConfigError: they cannot be served."""
    if not http.pages:
        return {}
    try:
        return read_folder(Path(http.pages))
    except FolderError as error:
        raise config.ConfigError(("http", "pages"), str(error)) from None


def aliases(configuration: config.Config) -> Iterator[tuple[str, str]]:
    """(path, channel) of every alias."""
    for realm in configuration.realms.values():
        for name, channel in realm.channels.items():
            for path in channel.aliases:
                yield path, name
