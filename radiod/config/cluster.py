"""``[cluster]``: which nodes are one radio, and the NATS servers between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta
from msgspec.structs import replace

from radiod.config.doors import Listen
from radiod.config.reading import ConfigError, Node
from radiod.secret import Secret

__all__ = ["Cluster", "Isolated", "check_cluster"]

TOKEN: Final = re.compile("[A-Za-z0-9_-]{1,64}")
"""What is part of subjects."""

MIN_SECRET: Final = 32
"""Characters: it is used as a key, and nobody may guess it."""

SCHEMES: Final = ("nats", "tls")

SHARED: Final = re.compile(r"(?<!\\):shared=1(:|$)")


class Isolated(Enum):
    """What a node does that reaches no other, or no NATS server."""

    ISLAND = "island"
    CLOSE = "close"


class Cluster(Node, frozen=True, kw_only=True):
    """``[cluster]``; its secrets are also given otherwise: ``secret.ways``.

    ``node``: None: the machine's name.
    """

    nats: tuple[str, ...] = ()
    name: str = "radiod"
    node: str | None = None
    user: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    password: Secret | None = None
    token: Secret | None = None
    nkey: Secret | None = None
    credentials: Secret | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    secret: Secret | None = None
    other_secret: Secret | None = None
    replicas: Annotated[int, Meta(ge=1, le=5)] = 3
    dead_after_s: Annotated[float, Meta(ge=1, le=60)] = 5.0
    hold_s: Annotated[float, Meta(ge=1, le=30)] = 15.0
    isolated: Isolated = Isolated.ISLAND

    @property
    def is_on(self) -> bool:
        """Whether this server is one of several."""
        return bool(self.nats)

    def placed(self, base: Path) -> Cluster:
        """With whole paths."""
        ca, certificate, key = (
            None if name is None else str(base / name) for name in (self.ca, self.certificate, self.key)
        )
        return replace(self, ca=ca, certificate=certificate, key=key)


def check_cluster(cluster: Cluster, listen: Sequence[Listen]) -> None:
    """Check it, and what endpoints need of it. Raises: ConfigError."""
    if not cluster.is_on:
        for field in Cluster.__struct_fields__:
            if getattr(cluster, field) != getattr(Cluster(), field):
                raise ConfigError(("cluster", field), "goes with nats, and only with it")
        for index, each in enumerate(listen):
            if SHARED.search(each.endpoint):
                told = "shared=1 needs [cluster]: servers behind one port know nothing of each other without"
                raise ConfigError(("listen", f"[{index}]", "endpoint"), told)
        return
    for index, url in enumerate(cluster.nats):
        _check_url(url, ("cluster", "nats", f"[{index}]"))
    for field in ("name", "node"):
        value = getattr(cluster, field)
        if value is not None and not TOKEN.fullmatch(value):
            raise ConfigError(("cluster", field), "must have 1 to 64 letters, digits, - and _")
    _check_login(cluster)
    _check_secrets(cluster)


def _check_url(url: str, key: tuple[str, ...]) -> None:
    wrong = ConfigError(key, "must be a URL as nats://127.0.0.1:4222 or tls://nats.example:4222")
    try:
        parts = urlsplit(url)
        is_somewhere = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not is_somewhere or parts.scheme not in SCHEMES or parts.path not in ("", "/") or parts.query:
        raise wrong
    if "@" in parts.netloc:
        raise ConfigError(key, "no user here: there are user and password, token, nkey and credentials")


def _check_login(cluster: Cluster) -> None:
    if (cluster.user is None) is not (cluster.password is None):
        raise ConfigError(("cluster", "user"), "user and password go together")
    ways = [name for name in ("user", "token", "nkey", "credentials") if getattr(cluster, name) is not None]
    if len(ways) > 1:
        raise ConfigError(("cluster", ways[1]), f"one way to log in is enough: there is {ways[0]}")
    if (cluster.certificate is None) is not (cluster.key is None):
        raise ConfigError(("cluster", "certificate"), "certificate and key go together")


def _check_secrets(cluster: Cluster) -> None:
    if cluster.other_secret is not None and cluster.secret is None:
        raise ConfigError(("cluster", "other_secret"), "goes with secret, and only with it")
    for field in ("secret", "other_secret"):
        secret = getattr(cluster, field)
        if secret is not None and len(secret.reveal()) < MIN_SECRET:
            told = f"must have at least {MIN_SECRET} characters: `openssl rand -base64 32` makes one"
            raise ConfigError(("cluster", field), told)
