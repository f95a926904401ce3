"""``[otel]``: where spans go."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from radiod.config.reading import ConfigError, Node
from radiod.secret import Secret

__all__ = ["Otel", "check_otel", "headers_of"]

PATH: Final = "/v1/traces"
"""Of OTLP over HTTP."""

THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")

Text = Annotated[str, Meta(min_length=1, max_length=255)]

TOKEN: Final = re.compile("[!-~]+")
NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE: Final = re.compile(r"(?! )[\x20-\x7e]+(?<! )")
OURS: Final = frozenset(("content-type", "content-length", "host", "transfer-encoding", "connection"))
"""Headers that are radiod's to say."""


class Otel(Node, frozen=True, kw_only=True):
    """``[otel]``; ``headers``, which may be secret, are also given otherwise: ``secret.ways``."""

    endpoint: str = ""
    service_name: Text = "radiod"
    sample_rate: Annotated[float, Meta(ge=0, le=1)] = 1.0
    headers: Secret | None = None
    in_details: bool = False

    @property
    def url(self) -> str:
        """Where spans are sent; nothing: nowhere."""
        parts = urlsplit(self.endpoint)
        if not self.endpoint or parts.path not in ("", "/"):
            return self.endpoint
        return parts._replace(path=PATH).geturl()


def check_otel(otel: Otel, secrets: bool = True) -> None:
    """Check it. ``secrets``: False: headers that are elsewhere were not read. Raises: ConfigError."""
    if otel.endpoint:
        _check_endpoint(otel)
    elif otel.headers is not None:
        raise ConfigError(("otel", "headers"), "goes with endpoint, and only with it")
    if otel.headers is not None and secrets:
        headers_of(otel.headers)


def _check_endpoint(otel: Otel) -> None:
    key = ("otel", "endpoint")
    wrong = ConfigError(key, "must be a URL as http://127.0.0.1:4318 or https://collector.example/v1/traces")
    try:
        parts = urlsplit(otel.endpoint)
        is_somewhere = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not (is_somewhere and TOKEN.fullmatch(otel.endpoint) and parts.scheme in ("http", "https")):
        raise wrong
    if "@" in parts.netloc or parts.query or "#" in otel.endpoint:
        raise ConfigError(key, "no user, query or fragment: what is secret belongs into headers")
    if otel.headers is not None and parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
        raise ConfigError(key, "with headers it must be an https: URL, or an http: URL of this machine")


def headers_of(given: Secret) -> dict[str, str]:
    """What ``headers`` say: ``name=value``, with commas or lines between, as OTEL_EXPORTER_OTLP_HEADERS has
    them: values may be percent-encoded.

    Raises: ConfigError: they do not; without a word of them.
    """
    found: dict[str, str] = {}
    for number, pair in enumerate(re.split("[,\n]", given.reveal()), 1):
        if not pair.strip():
            continue
        name, equals, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not (equals and NAME.fullmatch(name) and VALUE.fullmatch(value)) or name in OURS:
            raise ConfigError(("otel", "headers"), f"header {number} must be as name=value")
        found[name] = value
    return found
