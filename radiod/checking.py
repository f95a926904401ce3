"""Whether a server could start with a configuration, as far as can be told without starting one.

Binds nothing and writes nothing, so that it may be asked beside a running server. ``radiod check`` and
``radioctl check-config`` are both this.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from radiod import config
from radiod.config import ConfigError
from radiod.config.reading import dotted
from radiod.endpoints import EndpointError, end_of_certificate, examine
from radiod.service.settings import certificates, own_pages
from radiod.service.tracing import missing

__all__ = ["check_file", "checked"]

SOON: Final = timedelta(days=14)
"""Certificates that end within this time are worth a warning."""


def checked(path: Path, *, secrets: bool = True) -> tuple[str, list[str]]:
    """Check a configuration file as of now.

    Args:
        secrets: as ``check_file``.
    Returns: what to say of a good one, and warnings, a line each.
    Raises: ConfigError: a server could not start with it.
    """
    # Not with the module: whoever imports the reactor has it installed.
    from twisted.internet import reactor

    lines = check_file(path, reactor, datetime.now(UTC), secrets=secrets)
    return f"{path}: a server can start with it", [f"warning: {path}: {line}" for line in lines]


def check_file(path: Path, reactor: Any, now: datetime, *, secrets: bool = True) -> list[str]:
    """Check a configuration file: its keys, secrets, keys and certificates, and endpoints.

    Args:
        reactor: for plugins' endpoints, which are made with one.
        now: with its timezone.
        secrets: False: neither secrets in other files nor private keys are looked at.
    Returns: what should be known although a server would start, a line each.
    Raises: ConfigError: it would not; the message is one line that begins with the file.
    """
    configuration = config.Config.load(path, secrets=secrets)
    try:
        configuration.check_durable()
        warnings = []
        for index, listening in enumerate(configuration.listen):
            at = ("listen", f"[{index}]")
            warnings += _check_endpoint(listening, at, reactor, now, secrets)
            warnings += _check_tls(listening.tls, (*at, "tls"), now, secrets)
        own_pages(configuration.http)
        if secrets:
            _check_cluster(configuration.cluster)
        useless = configuration.not_yet() + missing(configuration.otel)
        return warnings + [f"{line}: without effect" for line in useless]
    except ConfigError as error:
        raise ConfigError(error.path, error.message, path) from None


def _check_cluster(cluster: config.Cluster) -> None:
    if not cluster.is_on:
        return
    # Only here: who is alone has nothing to do with any of it.
    from radiod.service.cluster import check_usable

    check_usable(cluster)


def _check_endpoint(
    listening: config.Listen, at: tuple[str, ...], reactor: Any, now: datetime, secrets: bool
) -> list[str]:
    key = (*at, "endpoint")
    try:
        end = examine(reactor, listening.endpoint, keys=secrets)
    except EndpointError as error:
        raise ConfigError(key, f"cannot listen on {listening.endpoint!r}: {error}") from None
    return [] if end is None else _remaining(key, end, now)


def _check_tls(tls: config.Tls | None, key: tuple[str, ...], now: datetime, secrets: bool) -> list[str]:
    if tls is None:
        return []
    try:
        if secrets:
            shown = certificates(tls)
            assert shown is not None
            return _remaining(key, shown.not_after, now)
        if tls.certificate is None:
            return []
        return _remaining(key, end_of_certificate(tls.certificate, "certificate"), now)
    except EndpointError as error:
        raise ConfigError(key, str(error)) from None


def _remaining(key: tuple[str, ...], end: datetime, now: datetime) -> list[str]:
    """A warning if a certificate ends soon. Raises: ConfigError: it has ended."""
    if end <= now:
        raise ConfigError(key, f"the certificate has ended on {end:%Y-%m-%d %H:%M} UTC")
    if end - now > SOON:
        return []
    return [f"{dotted(key)}: the certificate ends on {end:%Y-%m-%d %H:%M} UTC, in {(end - now).days} days"]
