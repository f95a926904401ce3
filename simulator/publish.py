"""Publishing to radiod over HTTP: one connection that is kept open, typed refusals."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

__all__ = ["PublishError", "Publisher"]


class PublishError(Exception):
    """The server refused; ``retry_after`` is in seconds where it said so.

    ``is_final``: asking again with the same key and name will not help.
    """

    def __init__(self, status: int, text: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.retry_after = retry_after

    @property
    def is_final(self) -> bool:
        """True for the caller's own faults."""
        return self.status < 500 and self.status not in (408, 410, 429)


class Publisher:
    """Publishes samples with an API key.

    Args: url: of the publish resource, http or https. timeout: seconds for one request.
    Raises: ValueError: the URL is no HTTP URL, or the key cannot be sent in a header.
    """

    def __init__(self, url: str, key: str, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an HTTP URL: {url}")
        if not _is_visible(parts.path):
            raise ValueError("the path of the URL must be ASCII without spaces")
        if not _is_visible(key):
            raise ValueError("the API key must be ASCII without spaces or line ends")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = parts.path or "/publish"
        self._headers = {"API-KEY": key, "Content-Type": "application/json"}

    @property
    def is_connected(self) -> bool:
        """True while the connection of the last request is still open."""
        return self._connection.sock is not None

    def publish(self, network: str, data: dict[str, Any]) -> None:
        """Broadcast one sample. Raises: PublishError: refused; OSError, HTTPException: not delivered."""
        self._post({"network": network, "data": data})

    def publish_topic(self, topic: str, args: list[Any], *, retain: bool = True) -> None:
        """Publish an event that, retained, reaches late listeners too. Raises: as ``publish``."""
        answer = self._post({"topic": topic, "args": args, "options": {"retain": retain}})
        if "error" in answer:
            raise PublishError(200, f"{answer['error']} {answer.get('args')}")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            self._connection.request(
                "POST", self._path, json.dumps(body, separators=(",", ":")), self._headers
            )
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.status != 200:
            raise PublishError(response.status, _text(content), _seconds(response.getheader("Retry-After")))
        try:
            answer = json.loads(content)
        except ValueError:
            raise PublishError(200, "the answer is not JSON: is this the publish resource?") from None
        return answer if isinstance(answer, dict) else {}


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _text(content: bytes) -> str:
    """The server's reason, on one line."""
    try:
        text = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        text = content[:200].decode("utf-8", "replace")
    return " ".join(text.split()) or "refused"


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None
