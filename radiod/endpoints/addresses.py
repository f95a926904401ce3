"""What to type to get to an open port."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from twisted.internet.interfaces import IListeningPort
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

__all__ = ["address", "not_after"]

EVERYWHERE: Final = ("0.0.0.0", "::")


def address(port: IListeningPort) -> str:
    """A URL that works on this machine, or the path of a socket; and what else must be known of it."""
    host: Any = port.getHost()
    wrappers = list(_wrappers(getattr(port, "factory", None)))
    scheme = "https" if any(isinstance(one, TLSMemoryBIOFactory) for one in wrappers) else "http"
    remarks = []
    if hasattr(host, "port"):
        where = f"{scheme}://{_name(host.host)}:{host.port}/"
        if host.host in EVERYWHERE:
            remarks.append("on every network")
    elif hasattr(host, "name"):
        where = f"unix:{_path(host.name)}"
        if scheme == "https":
            remarks.append("TLS")
    else:
        where = str(host)
    if any(isinstance(one, HAProxyWrappingFactory) for one in wrappers):
        remarks.append("behind a proxy that speaks the PROXY protocol")
    return f"{where} ({', '.join(remarks)})" if remarks else where


def not_after(port: IListeningPort) -> float | None:
    """When the first certificate that is shown there ends, in seconds since 1970; None: it is not TLS."""
    for one in _wrappers(getattr(port, "factory", None)):
        certificates = getattr(one, "certificates", None)
        if certificates is not None:
            end: datetime = certificates.not_after
            return end.timestamp()
    return None


def _wrappers(factory: Any) -> Iterator[Any]:
    while factory is not None:
        yield factory
        factory = getattr(factory, "wrappedFactory", None)


def _name(host: str) -> str:
    """A host as it stands in a URL (RFC 3986, 3.2.2; zones: RFC 6874)."""
    if host in EVERYWHERE:
        # Nobody can connect to "every address" but by accident.
        return "localhost"
    return f"[{host.replace('%', '%25')}]" if ":" in host else host


def _path(name: str | bytes | None) -> str:
    path = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name or ""
    # Linux's names without a file begin with NUL; everybody writes them so.
    return path.replace("\0", "@")
