"""What NATS says and is told in JSON, as structs. Unknown fields are ignored: servers tell more each year."""

from __future__ import annotations

import msgspec

__all__ = ["ConnectOptions", "Info"]


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """INFO: what a server says of itself.

    ``max_payload``: bytes of headers and payload together. ``ldm``: lame duck mode, it is going away.
    ``nonce``: what an nkey has to sign; empty: no key is asked for.
    """

    server_id: str = ""
    server_name: str = ""
    version: str = ""
    max_payload: int = 0
    headers: bool = False
    jetstream: bool = False
    auth_required: bool = False
    tls_required: bool = False
    tls_available: bool = False
    nonce: str = ""
    ldm: bool = False
    cluster: str = ""
    client_id: int = 0


class ConnectOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CONNECT: what a client wants, and who it is. Its first fields are always written."""

    verbose: bool | None = None
    pedantic: bool | None = None
    echo: bool | None = None
    headers: bool | None = None
    no_responders: bool | None = None
    protocol: int = 0
    lang: str = ""
    version: str = ""
    name: str = ""
    tls_required: bool = False
    auth_token: str = ""
    user: str = ""
    password: str = msgspec.field(default="", name="pass")
    jwt: str = ""
    nkey: str = ""
    sig: str = ""
