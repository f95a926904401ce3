"""A channel of the blocking client: the network's thread does what is asked, and the caller waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from radiod_client import _channel, _listening
from radiod_client._blocking_writing import Stream, Writer
from radiod_client.errors import Disconnected, RadioError
from radiod_client.samples import Sample

__all__ = ["Channel", "Created", "Listening"]

LOG = logging.getLogger("radiod_client")
T = TypeVar("T")


class Host(Protocol):
    """What is asked of the Radio."""

    threads: list[threading.Thread]
    callback_errors: int

    @property
    def state(self) -> str: ...
    def _check_process(self) -> None: ...
    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def _later(self, action: Callable[..., object], *args: Any) -> None: ...


class Channel:
    """One channel: nothing is sent before something is asked of it."""

    def __init__(self, radio: Host, channel: _channel.Channel) -> None:
        self.name = channel.name
        self._radio = radio
        self._channel = channel

    def listen(
        self,
        *,
        after: str | None = None,
        last: int = 0,
        queue: int = 1000,
        size: int | None = None,
        policy: str | None = None,
        every: int | None = None,
        min_interval: float | None = None,
        latest: bool | None = None,
        weight: int | None = None,
        max_bytes: int | None = None,
    ) -> Listening:
        """Listen: whatever is published from now on comes, or is told as missing.

        Args:
            after: a position: what came behind it comes first.
            last: so many samples of the past come first.
            queue: samples that wait for this program; the oldest drop out.
            size: and all others: the server's buffer, see docs/protocol.md.
        Raises: ValueError; CallError: it is refused.
        """
        self._radio._check_process()
        opening = self._channel.listen(
            after=after,
            last=last,
            queue=queue,
            size=size,
            policy=policy,
            every=every,
            min_interval=min_interval,
            latest=latest,
            weight=weight,
            max_bytes=max_bytes,
        )
        return Listening(self._radio, self._radio._run(opening._open()))

    def subscribe(self, callback: Callable[[Sample], object], **options: Any) -> Listening:
        """Have ``callback`` called with each sample, one at a time, in a thread of this subscription."""
        listening = self.listen(**options)
        thread = threading.Thread(
            target=self._call_back, args=(listening, callback), name=f"radiod_client {self.name}", daemon=True
        )
        threads = self._radio.threads
        threads[1:] = [each for each in threads[1:] if each.is_alive()] + [thread]
        thread.start()
        return listening

    def _call_back(self, listening: Listening, callback: Callable[[Sample], object]) -> None:
        try:
            for sample in listening:
                try:
                    callback(sample)
                except Exception:
                    self._radio.callback_errors += 1
                    LOG.exception("a callback of %s raised", self.name)
        except RadioError as error:
            if self._radio.state not in ("closing", "closed"):
                LOG.warning("listening to %s has ended: %s", self.name, error)

    def publish(self, data: Any, *, acknowledge: bool = True, retain: bool = False) -> int | None:
        """Publish a sample. Listeners of this Radio do not get it.

        Returns: the publication's id, or None without acknowledgement.
        Raises: CallError: it is refused; Disconnected: nobody knows; TypeError, ValueError: nothing was sent.
        """
        return self._radio._run(self._channel.publish(data, acknowledge=acknowledge, retain=retain))

    def writer(self) -> Writer:
        """Open it for writing: ``with channel.writer() as writer``. Raises: CallError: it is refused."""
        return Writer(self._radio, self._radio._run(self._channel.writer()._open()))

    def stream(self, id: str | int | None = None) -> Stream:
        """A run of samples: ``with channel.stream() as stream``. Raises: ValueError: no such id."""
        return Stream(self._radio, self._channel.stream(id))

    def history(self, after: str | None = None, limit: int = 100) -> list[Sample]:
        """Samples that the channel keeps, oldest first. Raises: CallError: it keeps none."""
        return self._radio._run(self._channel.history(after, limit))

    def latest(self) -> Sample | None:
        """The newest sample that the channel keeps. Raises: CallError: it keeps none."""
        return self._radio._run(self._channel.latest())

    def info(self) -> dict[str, Any]:
        """What the server says of it. Raises: CallError: there is no such channel."""
        return self._radio._run(self._channel.info())

    def presence(self) -> dict[str, Any]:
        """Who listens: ``{users: {authid: sessions}, count, total}``. Raises: CallError: it does not say."""
        return self._radio._run(self._channel.presence())

    def tune(self, **settings: Any) -> dict[str, Any]:
        """Set the server's buffer for this session. Returns: all settings in effect."""
        return self._radio._run(self._channel.tune(**settings))


class Created(Channel):
    """A channel that this Radio created: ``control_key`` is for whoever is to control it, too."""

    def __init__(self, radio: Host, created: _channel.Created) -> None:
        super().__init__(radio, created)
        self._created = created
        self.control_key = created.control_key
        self.key = created.key

    @property
    def expires(self) -> float | None:
        """When it ends."""
        return self._created.expires

    def extend(self, lifetime: float) -> float | None:
        """Have it end in so many seconds from now. Returns: when that is."""
        return self._radio._run(self._created.extend(lifetime))

    def delete(self) -> None:
        """End it."""
        self._radio._run(self._created.delete())


class Listening:
    """Samples of a channel, as they come: an iterator that waits."""

    def __init__(self, radio: Host, listening: _listening.Listening) -> None:
        self._radio = radio
        self._listening = listening
        self._inbox = listening.inbox

    @property
    def position(self) -> str | None:
        """Behind the last sample that was taken: what a later ``listen(after=…)`` goes on from."""
        return self._listening.position

    @property
    def lost(self) -> int:
        """How many samples all gaps together told as lost."""
        return self._listening.lost

    def get(self, timeout: float | None = None) -> Sample:
        """The next sample. Raises: TimeoutError; Disconnected: it was closed; CallError: access ended."""
        self._radio._check_process()
        end = None if timeout is None else time.monotonic() + timeout
        inbox = self._inbox
        while True:
            # A lock that somebody else releases: a tenth of a threading.Event, at each sample.
            arrival = threading.Lock()
            arrival.acquire()
            sample = inbox.take(arrival.release)
            if sample is not None:
                return sample
            is_awake = False
            try:
                is_awake = arrival.acquire(timeout=_left(end))
            finally:
                if not is_awake:
                    inbox.forget(arrival.release)
            # None: another thread was faster, or none came in time.
            sample = inbox.take_or_none()
            if sample is not None:
                return sample
            if not is_awake:
                raise TimeoutError(f"no sample within {timeout:g} s")

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        sample = self._inbox.take_or_none()
        if sample is not None:
            return sample
        try:
            return self.get()
        except Disconnected:
            if self._listening.is_closed or self._radio.state in ("closing", "closed"):
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Listen no longer: whoever waits for a sample is told."""
        self._radio._later(self._listening.end)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Out of a loop that was left: nobody can take anything any more.
        if hasattr(self, "_inbox") and not self._listening.is_closed:
            self.close()


def _left(end: float | None) -> float:
    """Seconds until then, as locks want it."""
    return -1 if end is None else min(max(end - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
