"""What can go wrong: everything is a ``RadioError``."""

from __future__ import annotations

import re
from typing import Any

__all__ = [
    "CallCanceled",
    "CallError",
    "CallTimeout",
    "ConnectFailed",
    "Disconnected",
    "LoginRefused",
    "PublishRefused",
    "RadioError",
    "RemoteError",
    "ServiceError",
]

_URI = re.compile(r"[^\s.#]+(\.[^\s.#]+)*")


class RadioError(Exception):
    """The base of all of them."""


class ConnectFailed(RadioError):
    """There is no server there, or none that speaks WAMP."""


class LoginRefused(RadioError):
    """The server does not let us in: ``reason`` is its URI. It is not tried again."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(f"{message} ({reason})" if message else reason)
        self.reason = reason


class Disconnected(RadioError):
    """The connection broke before the answer came: what was asked may have been done. Or it was closed."""


class CallError(RadioError):
    """A request was refused, or a procedure failed: ``uri`` says why."""

    def __init__(self, uri: str, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> None:
        self.uri = uri
        self.arguments = args or []
        self.kwargs = kwargs or {}
        text = ", ".join(str(argument) for argument in self.arguments)
        super().__init__(f"{uri}: {text}" if text else uri)


class CallTimeout(CallError, TimeoutError):
    """There was no answer in time."""


class CallCanceled(CallError):
    """The call was canceled."""


class RemoteError(CallError):
    """A function of another radiod client raised: ``type`` is the exception's name there."""

    def __init__(self, uri: str, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> None:
        super().__init__(uri, args, kwargs)
        self.type = str(self.kwargs.get("type", ""))
        self.message = str(self.kwargs.get("message", ""))
        self.traceback = str(self.kwargs.get("traceback", ""))


class PublishRefused(RadioError):
    """The server refuses a sample that came over HTTP: ``status`` is HTTP's, ``text`` the server's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


class ServiceError(CallError):
    """What a function that is called raises to refuse with a URI of its own: ``ServiceError(uri, …)``.

    Its arguments and keywords arrive as ``arguments`` and ``kwargs`` of the caller's ``CallError``.
    Raises: ValueError: ``uri`` is none.
    """

    def __init__(self, uri: str, *args: Any, **kwargs: Any) -> None:
        if not isinstance(uri, str) or not _URI.fullmatch(uri):
            raise ValueError(f"no URI of an error: {uri!r}; expected words with dots between")
        super().__init__(uri, list(args), kwargs)


_BY_URI = {"wamp.error.timeout": CallTimeout, "wamp.error.canceled": CallCanceled}


def refusal(uri: str, args: list[Any], kwargs: dict[str, Any]) -> CallError:
    """What an ERROR of the server means."""
    if uri in _BY_URI:
        return _BY_URI[uri](uri, args, kwargs)
    if "type" in kwargs and "message" in kwargs:
        return RemoteError(uri, args, kwargs)
    return CallError(uri, args, kwargs)
