"""What ``Radio(…)`` and ``listen(…)`` are told, checked and put into the wire's words."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from radiod_client._login import Login, key_bytes
from radiod_client._messages import CODECS, Codec
from radiod_client._scram import check_password

__all__ = ["buffer_settings", "codec_named", "login_with", "websocket_url"]

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def websocket_url(url: str) -> str:
    """``http://host`` and the like as the address of the WebSocket there. Raises: ValueError: it is none."""
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None or not parts.hostname or parts.username is not None:
        raise ValueError(f"no address of a radiod: {url!r}; expected http(s):// or ws(s):// and a host")
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def codec_named(name: str) -> Codec:
    """The serializer. Raises: ValueError: there is none of that name."""
    if name not in CODECS:
        raise ValueError(f"serializer: expected one of {', '.join(CODECS)}")
    return CODECS[name]


def login_with(
    realm: str,
    authid: str | None,
    *,
    ticket: str | None,
    secret: str | None,
    password: str | None,
    private_key: str | bytes | None,
) -> Login:
    """Raises: ValueError: a ticket, secret or password of nobody; or one that cannot be."""
    if authid is None and not (ticket is None and secret is None and password is None):
        raise ValueError("ticket, secret and password need an authid")
    return Login(
        realm,
        authid,
        ticket=ticket,
        secret=secret,
        password=None if password is None else check_password(password),
        private_key=None if private_key is None else key_bytes(private_key),
    )


def buffer_settings(**given: Any) -> dict[str, Any]:
    """Those of the server's buffer that were given."""
    return {name: value for name, value in given.items() if value is not None}
