"""From an endpoint's description to an open port.

The kinds that radiod documents are made here, with every argument checked; others are left to Twisted's
plugins, which may raise anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

from radiod.endpoints.certificates import (
    Certificates,
    FixedCertificates,
    certificate_folder,
    end_of_certificate,
)
from radiod.endpoints.descriptions import (
    Check,
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
from radiod.endpoints.passed_on import BACKLOG, DOMAINS, PassedOn
from radiod.endpoints.shared import SharedTcp
from radiod.endpoints.wrapping import Guarded, ProxiedEndpoint, TlsEndpoint

__all__ = ["examine", "listen"]

HTTPS: Final = 443

UNIX_MODE: Final = 0o660
"""Read and write for owner and group: a proxy shares the group. Twisted's is for everybody."""


def listen(
    reactor: Any,
    description: str,
    factory: Any,
    opened: Callable[[IListeningPort], object],
    failed: Callable[[str], object],
    certificates: Certificates | None = None,
) -> Certificates | None:
    """Listen on an endpoint. ``opened`` gets the port; at once, unless a plugin's endpoint takes its time.

    ``failed`` is told what went wrong after such a time. ``certificates``: TLS with these, on an endpoint
    that has none of its own. Returns: what TLS clients are shown; None: it speaks no TLS, or a plugin's.
    Raises: EndpointError: it cannot be listened on.
    """
    endpoint = _endpoint(reactor, description)
    if certificates is not None:
        endpoint = TlsEndpoint(endpoint, certificates, reactor)
    outcomes: list[Any] = []
    is_late = False

    def conclude(outcome: Any) -> None:
        if not is_late:
            outcomes.append(outcome)
        elif isinstance(outcome, Failure):
            failed(_sentence(outcome.value))
        else:
            opened(outcome)

    try:
        endpoint.listen(factory).addBoth(conclude)
    except Exception as error:  # a plugin's, or a socket that is none
        raise EndpointError(_sentence(error)) from None
    is_late = True
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise EndpointError(_sentence(outcome.value))
        if not IListeningPort.providedBy(outcome):
            raise EndpointError("it is no port that can be listened on")
        opened(outcome)
    return endpoint.certificates if isinstance(endpoint, TlsEndpoint) else None


def examine(reactor: Any, description: str, *, keys: bool = True) -> datetime | None:
    """When the first certificate ends that TLS clients of an endpoint are shown, if it speaks TLS.

    Nobody listens. ``keys``: whether private keys may be read. Raises: EndpointError: it cannot be listened
    on, as far as can be told without.
    """
    if not keys:
        kind, rest = kind_of(description.removeprefix("haproxy:"))
        if kind == "ssl":
            certificate = _ssl_arguments(rest).get("certKey")
            return None if certificate is None else end_of_certificate(certificate, "certKey")
        if kind == "tls":
            _tls_arguments(rest)
            return None
    endpoint = _endpoint(reactor, description)
    return endpoint.certificates.not_after if isinstance(endpoint, TlsEndpoint) else None


def _endpoint(reactor: Any, description: str) -> Any:
    """Raises: EndpointError."""
    kind, rest = kind_of(description)
    make = KINDS.get(kind)
    return _plugged_in(reactor, kind, description) if make is None else make(reactor, rest)


def _plugged_in(reactor: Any, kind: str, description: str) -> Any:
    if kind == "stdio":
        raise EndpointError("stdio has no port that others could connect to")
    try:
        return serverFromString(reactor, description)
    except Exception as error:  # whatever a plugin, or Twisted, makes of a malformed description
        sentence = _sentence(error)
    if sentence.startswith("Unknown endpoint type"):
        raise EndpointError(f"unknown kind {kind[:40]!r}; there are {', '.join(KINDS)}")
    raise EndpointError(sentence)


def _sentence(error: BaseException | None) -> str:
    """An exception as one line that says something."""
    line = " ".join(str(error).split())
    return line or type(error).__name__


# --- the kinds


def _tcp(reactor: Any, rest: str) -> Any:
    checks: dict[str, Check] = {
        "port": port_number,
        "interface": text,
        "backlog": count,
        "shared": one_of("0", "1"),
    }
    return _tcp4(reactor, arguments(rest, checks))


def _tcp4(reactor: Any, given: Mapping[str, Any]) -> Any:
    backlog, interface = given.get("backlog", BACKLOG), given.get("interface", "")
    if given.get("shared") == "1":
        return SharedTcp(reactor, given["port"], backlog, interface)
    return TCP4ServerEndpoint(reactor, given["port"], backlog, interface)


def _tcp6(reactor: Any, rest: str) -> Any:
    checks: dict[str, Check] = {
        "port": port_number,
        "backlog": count,
        "interface": text,
        "shared": one_of("0", "1"),
    }
    return _tcp6_at(reactor, arguments(rest, checks))


def _tcp6_at(reactor: Any, given: Mapping[str, Any], port: int = 0) -> Any:
    backlog, interface = given.get("backlog", BACKLOG), given.get("interface") or "::"
    if given.get("shared") == "1":
        return SharedTcp(reactor, given.get("port", port), backlog, interface)
    return TCP6ServerEndpoint(reactor, given.get("port", port), backlog, interface)


def _unix(reactor: Any, rest: str) -> Any:
    checks: dict[str, Check] = {
        "address": text,
        "mode": permissions,
        "backlog": count,
        "lockfile": one_of("0", "1"),
    }
    given = arguments(rest, checks)
    return UNIXServerEndpoint(
        reactor,
        given["address"],
        given.get("backlog", BACKLOG),
        given.get("mode", UNIX_MODE),
        given.get("lockfile") != "0",
    )


def _ssl_arguments(rest: str) -> dict[str, Any]:
    checks: dict[str, Check] = {
        "port": port_number,
        "privateKey": text,
        "certKey": text,
        "sslmethod": _no_method,
        "interface": text,
        "backlog": count,
        "extraCertChain": text,
        "dhParameters": text,
        "shared": one_of("0", "1"),
    }
    return arguments(rest, checks)


def _ssl(reactor: Any, rest: str) -> Any:
    given = _ssl_arguments(rest)
    key = given.get("privateKey") or "server.pem"
    certificates = FixedCertificates(
        key, given.get("certKey") or key, given.get("extraCertChain"), given.get("dhParameters")
    )
    return TlsEndpoint(_tcp4(reactor, given), certificates, reactor)


def _no_method(_value: str) -> str:
    raise ValueError("leave it out: TLS 1.2 and 1.3 are spoken, and nothing older")


def _tls_arguments(rest: str) -> dict[str, Any]:
    checks: dict[str, Check] = {
        "path": text,
        "port": port_number,
        "backlog": count,
        "interface": text,
        "shared": one_of("0", "1"),
    }
    return arguments(rest, checks)


def _tls(reactor: Any, rest: str) -> Any:
    given = _tls_arguments(rest)
    certificates = certificate_folder(given["path"], reactor.seconds)
    return TlsEndpoint(_tcp6_at(reactor, given, HTTPS), certificates, reactor)


def _systemd(reactor: Any, rest: str) -> Any:
    given = arguments(rest, {"domain": _domain, "index": index, "name": text}, required=0)
    if ("index" in given) is ("name" in given):
        raise EndpointError("give one of index and name")
    domain = given.get("domain")
    return PassedOn(reactor, domain, given["name"] if "name" in given else given["index"])


def _domain(value: str) -> str:
    if value not in DOMAINS:
        raise ValueError(f"{value!r} is none of {', '.join(DOMAINS)}")
    return value


def _haproxy(reactor: Any, rest: str) -> Any:
    endpoint = _endpoint(reactor, rest)
    if isinstance(endpoint, TlsEndpoint):
        # Proxies that pass TLS on say who it is before it begins; Twisted would look for that inside.
        return endpoint.over(ProxiedEndpoint)
    return Guarded(ProxiedEndpoint(endpoint))


KINDS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "tcp": _tcp,
    "tcp6": _tcp6,
    "ssl": _ssl,
    "tls": _tls,
    "unix": _unix,
    "systemd": _systemd,
    "haproxy": _haproxy,
}
