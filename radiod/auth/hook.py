"""Asks a web service who a user is: the ``ask`` of ``dynamic.CallDirectory``, over HTTP.

The question goes out as a JSON object by POST. 200 with an object or ``null`` is the answer; 403 and 404
say that there is no such user. The service sees tickets: its address must be ``https:`` or local.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import QUOTA, RUNTIME_ERROR, TIMEOUT, RadiodError, Refused
from radiod.wire.json_check import check_json
from radiod.wire.scan import NESTING, Undecodable

__all__ = ["MAX_PENDING", "HttpHook"]

MAX_ANSWER: Final = 65_536
"""Bytes of an answer."""
MAX_PENDING: Final = 256
"""Questions that wait for their answer: each is a connection."""
NOBODY: Final = (403, 404)


class HttpHook:
    """Asks one address.

    Args:
        client: a ``treq.client.HTTPClient``, or what has its ``post``.
        headers: for every request, say ``Authorization``.
        timeout_s: seconds for the whole exchange; then the request is cancelled.
    """

    def __init__(
        self,
        client: Any,
        url: str,
        clock: Clock,
        timers: Timers,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._client = client
        self._url = url
        self._clock = clock
        self._timers = timers
        self._headers = {**(headers or {}), "Content-Type": "application/json", "Accept": "application/json"}
        self._timeout = timeout_s
        self._pending = 0

    def ask(self, question: dict[str, Any]) -> Promise[Any]:
        """The answer, later: a dictionary, None for nobody, or why there is none as a ``Refused``.

        Raises: Refused: too many questions wait already.
        """
        if self._pending >= MAX_PENDING:
            raise Refused(QUOTA, f"{MAX_PENDING} questions wait for the hook already")
        self._pending += 1
        later: Promise[Any] = Promise()
        asking = Deferred.fromCoroutine(self._post(msgspec.json.encode(question)))

        def give_up() -> None:
            later.settle(Refused(TIMEOUT, "the hook did not answer in time"))
            asking.cancel()

        deadline = self._timers.at(self._clock.seconds() + self._timeout, give_up)

        def settle(outcome: Any) -> None:
            deadline.cancel()
            self._pending -= 1
            later.settle(_error(outcome) if isinstance(outcome, Failure) else outcome)

        asking.addBoth(settle)
        return later

    async def _post(self, body: bytes) -> dict[str, Any] | None:
        # Unbuffered: the body's protocol gets the connection, to close it. No redirects: who is asked is
        # the operator's decision, and the body may hold a ticket.
        response = await self._client.post(
            self._url, data=body, headers=self._headers, allow_redirects=False, unbuffered=True
        )
        text = await _body(response)
        if response.code in NOBODY:
            return None
        if response.code != 200:
            raise Refused(RUNTIME_ERROR, f"the hook answered with status {response.code}")
        try:
            answer = msgspec.json.decode(text, type=dict[str, Any] | None)
            # How deep the decoder itself goes depends on the version of Python.
            check_json(text, NESTING)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Undecodable):
            raise Refused(RUNTIME_ERROR, "the hook's answer is no JSON object and not null") from None
        return answer


def _error(failure: Failure) -> RadiodError:
    """What to tell instead of ``failure``, whose own text may hold the question."""
    if isinstance(failure.value, RadiodError):
        return failure.value
    return Refused(RUNTIME_ERROR, f"the hook cannot be asked: {type(failure.value).__name__}")


def _body(response: IResponse) -> Deferred[bytes]:
    """All of the answer's body. Cancelling it, and a body above ``MAX_ANSWER``, closes the connection."""
    collector = _Body()
    response.deliverBody(collector)
    return collector.done


class _Body(Protocol):
    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._chunks: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self.done.called:
            return
        if self._size > MAX_ANSWER:
            self._hang_up()
            self.done.errback(Refused(RUNTIME_ERROR, f"the hook's answer has over {MAX_ANSWER} bytes"))
            return
        self._chunks.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(b"".join(self._chunks))
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
