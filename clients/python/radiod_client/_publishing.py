"""Publishing over HTTP without a socket: what is asked, what an answer means, and when it is asked again.

Whoever has a socket drives the generators here: it does the steps that they yield and sends what came of
them, or throws ``NotSent`` or ``NoAnswer``.

A request that got no answer may be sent again with its Idempotency-Key, as long as the server remembers keys:
one that was killed does not. So before the first sample the server is given a witness, a request that does
nothing and is remembered all the same. When an answer is missing, the server is asked for the witness first,
over the connection that the sample is then sent over again. Where it remembers nothing, only the history of a
durable channel can tell whether the sample is there.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from random import random
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from radiod_client._backoff import Backoff
from radiod_client._messages import CODECS
from radiod_client._pace import Pace
from radiod_client.errors import ConnectFailed, Disconnected, PublishRefused

__all__ = ["END", "Answer", "Draw", "NoAnswer", "NotSent", "Pause", "Publishing", "Request", "drawing"]

LOG = logging.getLogger("radiod_client")
T = TypeVar("T")
WITNESS_S = 200.0
WITNESS_SAMPLES = 2000
"""When another witness is due: servers forget keys after 10 minutes, or 10,000 others."""
REST_S = 1.0
AGAIN = frozenset({409, 429, 503})
"""Nothing was done, and it may be asked again."""
MISMATCH = 422
"""The key is known, with another body."""
UNKNOWN = frozenset({500, 502, 504})
"""Somebody in between got no answer, either."""
END = object()
"""What a source gives that has no more."""


class Request(Struct, frozen=True):
    """Send it. ``is_same``: over the connection that the last answer came over, or not at all."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    is_same: bool = False


class Pause(Struct, frozen=True):
    """Wait so long."""

    seconds: float


class Draw(Struct, frozen=True):
    """Ask the source for the next sample, or END."""


class Answer(Struct, frozen=True):
    """Of HTTP; the names of headers are small. ``connection`` numbers those that were made."""

    status: int
    headers: dict[str, str]
    body: bytes
    connection: int


class NotSent(Exception):
    """The request did not get out. ``is_final``: nor will it."""

    def __init__(self, reason: str, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class NoAnswer(Exception):
    """It may have been heard."""


Step: TypeAlias = Request | Pause | Draw
Steps: TypeAlias = Generator[Step, Any, T]


class Publishing:
    """One network's samples.

    Args:
        timeout: seconds in which a sample must have its answer.
    Raises: ValueError: something of this cannot be.
    """

    def __init__(
        self,
        url: str,
        key: str,
        network: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError(f"no address of a radiod: {url!r}; expected http(s):// and a host")
        if not key or not key.isascii() or not key.isprintable():
            raise ValueError("key: expected visible ASCII characters")
        self.address = parts
        self.timeout = timeout
        self.readers: int | None = None
        """How many listened to the last sample."""
        self.published = 0
        """Samples so far."""
        self._path = parts.path.rstrip("/")
        self._headers = {"API-KEY": key, "Content-Type": "application/json"}
        self._network = network
        self._clock = clock
        self._witness: str | None = None
        self._witness_ends = 0.0
        self._witness_samples = 0
        self._connection = -1
        # Where the channel is, if it has positions: its epoch, and how many events there are at least.
        self._place: tuple[str, int] | None = None

    # One sample.

    def publish(self, data: Any) -> Steps[int]:
        """Returns: how many listen. Raises: as ``HttpPublisher.publish``."""
        encoded = bytes(CODECS["json"].payload(data))
        network = msgspec.json.encode(self._network)
        body = b'{"network":%s,"data":%s}' % (network, encoded)
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(16)}
        backoff, end = Backoff(random), self._clock() + self.timeout
        is_doubtful, told = False, None
        while True:
            is_sent = False
            try:
                found = yield from self._prepare(is_doubtful, encoded)
                if found is not None:
                    return found
                is_sent = True
                answer = yield Request("POST", f"{self._path}/publish", headers, body, is_same=is_doubtful)
            except (NotSent, NoAnswer) as error:
                if isinstance(error, NotSent) and error.is_final:
                    raise ConnectFailed(str(error)) from None
                is_doubtful = is_doubtful or (is_sent and isinstance(error, NoAnswer))
                why: Exception = error
            else:
                if answer.status not in AGAIN | UNKNOWN:
                    return self._judge(answer)
                is_doubtful = is_doubtful or answer.status in UNKNOWN
                why, told = PublishRefused(answer.status, _text(answer)), _retry_after(answer)
            pause = backoff.pause(told)
            if self._clock() + pause >= end:
                raise self._given_up(why, is_doubtful)
            yield Pause(pause)

    def _judge(self, answer: Answer) -> int:
        if answer.status != 200:
            raise PublishRefused(answer.status, _text(answer))
        self.published += 1
        self._witness_samples += 1
        if answer.connection != self._connection:
            # Perhaps to another server.
            self._witness = None
        if self._place is not None:
            self._place = self._place[0], self._place[1] + 1
        readers = answer.headers.get("x-radiod-readers", "0")
        self.readers = int(readers) if readers.isdecimal() else 0
        return self.readers

    def _given_up(self, why: Exception, is_doubtful: bool) -> Exception:
        if isinstance(why, PublishRefused) and not is_doubtful:
            return why
        if is_doubtful:
            return Disconnected(f"no answer within {self.timeout:g} s, it may have been published: {why}")
        return ConnectFailed(f"{why} (for {self.timeout:g} s)")

    # Witnesses.

    def _prepare(self, is_doubtful: bool, encoded: bytes) -> Steps[int | None]:
        """See to it that the sample can be sent. Returns: its listeners: it is there already."""
        if is_doubtful and self._witness is not None:
            if not (yield from self._is_known(self._witness)):
                return (yield from self._after_crash(encoded))
        elif self._witness is None or self._clock() > self._witness_ends or self._is_used_up():
            self._place = yield from self._where()
            yield from self._remember()
        return None

    def _is_used_up(self) -> bool:
        return self._witness_samples >= WITNESS_SAMPLES

    def _remember(self) -> Steps[None]:
        """A sample without anything is refused, which is remembered by its key."""
        witness = secrets.token_hex(16)
        yield from self._show(witness, b"{}")
        self._witness, self._witness_ends = witness, self._clock() + WITNESS_S
        self._witness_samples = 0

    def _is_known(self, witness: str) -> Steps[bool]:
        """With another body, so that asking twice leaves nothing that could be taken for it."""
        return (yield from self._show(witness, b"[]")).status == MISMATCH

    def _show(self, witness: str, body: bytes) -> Steps[Answer]:
        headers = {**self._headers, "Idempotency-Key": witness}
        answer: Answer = yield Request("POST", f"{self._path}/publish", headers, body)
        if answer.status in AGAIN | UNKNOWN:
            raise NotSent(f"{answer.status} {_text(answer)}")
        self._connection = answer.connection
        return answer

    def _after_crash(self, encoded: bytes) -> Steps[int | None]:
        """The server has begun anew. Raises: Disconnected: nobody knows whether the sample was heard."""
        was, place = self._place, (yield from self._where())
        if was is None or place is None or was[0] != place[0]:
            raise self._unknown()
        if place[1] > was[1] and (yield from self._is_there(was, place[1], encoded)):
            self._witness = None
            self.published += 1
            return self.readers or 0
        self._place = place
        yield from self._remember()
        return None

    def _unknown(self) -> Disconnected:
        self._witness = None
        return Disconnected("the server was killed meanwhile: the sample may have been published, or not")

    def _is_there(self, was: tuple[str, int], last: int, encoded: bytes) -> Steps[bool]:
        """Whether the sample is among those behind a position, up to ``last``."""
        query = f"after={quote(f'{was[0]}:{was[1]}')}&wait=0"
        answer = yield Request("GET", f"{self._path}/listen/{quote(self._network)}?{query}", self._headers)
        events = msgspec.json.decode(answer.body) if answer.status == 200 else []
        data = msgspec.json.decode(encoded)
        if any(event.get("data") == data for event in events):
            return True
        if len(events) < last - was[1]:
            # Not all of them can be seen.
            raise self._unknown()
        return False

    def _where(self) -> Steps[tuple[str, int] | None]:
        """The channel's position, if it has one that anybody may know."""
        position = (yield from self._describe()).get("position")
        epoch, _, seq = str(position).rpartition(":")
        return (epoch, int(seq)) if epoch and seq.isdecimal() else None

    def _describe(self) -> Steps[dict[str, Any]]:
        answer = yield Request("GET", f"{self._path}/channels/{quote(self._network)}", self._headers)
        return _object(answer) if answer.status == 200 else {}

    # Many samples.

    def run(self, period: float, rest: bool) -> Steps[None]:
        """Publish what is drawn until there is no more."""
        pace = Pace(period, self._clock())
        while True:
            if rest and not self.readers and (yield from self._rest(max(period, REST_S))):
                pace = Pace(period, self._clock())
            data = yield Draw()
            if data is END:
                return
            try:
                yield from self.publish(data)
            except (ConnectFailed, Disconnected) as error:
                LOG.warning("a sample of %s: %s", self._network, error)
            yield Pause(pace.pause(self._clock()))

    def _rest(self, pause: float) -> Steps[bool]:
        """Until somebody listens, or nobody can say. Returns: whether it took any time."""
        has_rested = False
        while True:
            try:
                readers = (yield from self._describe()).get("readers")
            except (NotSent, NoAnswer) as error:
                LOG.info("%s: asking again for listeners", error)
                readers = 0
            if readers != 0:
                return has_rested
            has_rested = True
            yield Pause(pause)


def drawing(source: Callable[[], Any] | Iterable[Any]) -> Callable[[], Any]:
    """What gives the next sample, or END."""
    if callable(source):
        return source
    items: Iterator[Any] = iter(source)
    return lambda: next(items, END)


def _object(answer: Answer) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(answer: Answer) -> str:
    said = _object(answer)
    text = str(said.get("error") or answer.body[:200].decode("utf-8", "replace"))
    return f"{text} ({said['reason']})" if "reason" in said else text


def _retry_after(answer: Answer) -> float | None:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isdecimal() else None
