"""One call of one of our procedures, as the wire has it: what is answered, and how often."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from radiod_client._messages import Codec, Invocation
from radiod_client.errors import ServiceError

__all__ = ["Call"]

YIELD, ERROR, INVOCATION = 70, 8, 68
RUNTIME_ERROR = "wamp.error.runtime_error"
MAX_MESSAGE, MAX_TRACEBACK = 4000, 16_000
"""Characters of an exception that travel."""


class Call:
    """An invocation: ``step`` and ``end`` in the network's thread, the rest in any.

    Args:
        send: takes a message, while there is a session.
        forget: takes the request's id once it is answered.
    """

    def __init__(
        self,
        codec: Codec,
        send: Callable[[list[Any]], None],
        forget: Callable[[int], None],
        invocation: Invocation,
    ) -> None:
        self._codec = codec
        self._send = send
        self._forget = forget
        self._request = invocation.request
        self.args = invocation.args
        self.kwargs = invocation.kwargs
        self.details = invocation.details
        self.wants_progress = invocation.details.get("receive_progress") is True
        self.is_over = False
        self.on_end: Callable[[], object] | None = None
        self.on_cancel: Callable[[], object] | None = None

    def result(self, value: Any) -> list[Any]:
        """The message that ends it with a result; with an error if that cannot be sent."""
        try:
            return [YIELD, self._request, {}, self._codec.payload([value])]
        except (TypeError, ValueError) as error:
            return self.failure(error)

    def progress(self, value: Any) -> list[Any]:
        """The message of a result before the last. Raises: TypeError, ValueError: it cannot be sent."""
        return [YIELD, self._request, {"progress": True}, self._codec.payload([value])]

    def failure(self, error: BaseException, with_traceback: bool = False) -> list[Any]:
        """The message that ends it with an exception: its type and text; a ServiceError as itself."""
        head = [ERROR, INVOCATION, self._request, {}]
        if isinstance(error, ServiceError):
            try:
                args, kwargs = self._codec.payload(error.arguments), self._codec.payload(error.kwargs)
            except (TypeError, ValueError):
                return [*head, error.uri, self._codec.payload([_text_of(error.arguments, repr)])]
            return [*head, error.uri, args, kwargs]
        text = _text_of(error, str)
        told = {"type": type(error).__name__, "message": text}
        if with_traceback:
            told["traceback"] = _sayable("".join(traceback.format_exception(error))[-MAX_TRACEBACK:])
        return [*head, RUNTIME_ERROR, self._codec.payload([text]), self._codec.payload(told)]

    def step(self, message: list[Any]) -> None:
        """Send a result before the last."""
        if not self.is_over:
            self._send(message)

    def end(self, message: list[Any]) -> None:
        """Send the last word; once."""
        if not self.is_over:
            self._forget(self._request)
            self._send(message)
            self._over()

    def cancel(self) -> None:
        """Nobody waits for it any more: it is not answered."""
        if not self.is_over:
            self._over()
            if self.on_cancel is not None:
                self.on_cancel()

    def _over(self) -> None:
        self.is_over = True
        if self.on_end is not None:
            self.on_end()


def _text_of(value: Any, how: Callable[[Any], str]) -> str:
    """What an exception, or its arguments, say of themselves, as far as that can be sent."""
    try:
        return _sayable(how(value)[:MAX_MESSAGE])
    except Exception:
        return f"({type(value).__name__} that cannot be told)"


def _sayable(text: str) -> str:
    """Halves of surrogate pairs are no text anywhere else."""
    return text.encode(errors="backslashreplace").decode()
