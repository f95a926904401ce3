"""A channel, on whichever loop."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from radiod_client import _listening
from radiod_client._inbox import Inbox
from radiod_client._listening import Listening, Opening
from radiod_client._messages import Codec
from radiod_client._options import buffer_settings
from radiod_client._owned import Owned
from radiod_client._writing import Stream, WriterOpening
from radiod_client.errors import RadioError
from radiod_client.samples import Sample, before, samples_of

__all__ = ["Channel", "Created"]

LOG = logging.getLogger("radiod_client")
PUBLISH = 16
OVER = ("closing", "closed")


class Host(_listening.Host, Protocol):
    """What is asked of the Radio."""

    codec: Codec
    callback_errors: int

    async def call(self, procedure: str, /, *args: Any, **kwargs: Any) -> Any: ...
    async def _ask(self, kind: int, rest: list[Any], timeout: float) -> Any: ...
    async def _until_writable(self) -> None: ...


class Channel:
    """One channel: nothing is sent before something is asked of it."""

    def __init__(self, radio: Host, name: str, key: str | None) -> None:
        self.name = name
        self._radio = radio
        self._key = key

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
    ) -> Opening:
        """Listen: ``async for sample in channel.listen()``, or ``listening = await channel.listen()``.

        Args:
            after: a position: what came behind it comes first.
            last: so many samples of the past come first.
            queue: samples that wait for this program; the oldest drop out.
            size: and all others: the server's buffer, see docs/protocol.md.
        Raises: ValueError; CallError: it is refused.
        """
        buffer = buffer_settings(
            size=size,
            policy=policy,
            every=every,
            min_interval=min_interval,
            latest=latest,
            weight=weight,
            max_bytes=max_bytes,
        )
        return Opening(self._radio, self.name, self._key, Inbox(queue), after, last, buffer)

    async def subscribe(
        self, callback: Callable[[Sample], Awaitable[None] | None], **options: Any
    ) -> Listening:
        """Have ``callback`` called with each sample, one at a time and in order; options as of ``listen``."""
        listening = await self.listen(**options)
        self._radio.driver.spawn(self._call_back(listening, callback))
        return listening

    async def _call_back(self, listening: Listening, callback: Callable[[Sample], Any]) -> None:
        try:
            async for sample in listening:
                try:
                    result = callback(sample)
                    if inspect.isawaitable(result):
                        await result
                except Exception as error:
                    if isinstance(error, self._radio.driver.canceled) and self._radio.state in OVER:
                        return
                    self._radio.callback_errors += 1
                    LOG.exception("a callback of %s raised", self.name)
        except RadioError as error:
            if self._radio.state not in OVER:
                LOG.warning("listening to %s has ended: %s", self.name, error)

    async def publish(self, data: Any, *, acknowledge: bool = True, retain: bool = False) -> int | None:
        """Publish a sample. Listeners of this Radio do not get it.

        Returns: the publication's id, or None without acknowledgement.
        Raises: CallError: it is refused; Disconnected: nobody knows; TypeError, ValueError: nothing was sent.
        """
        return await self._publish([data], acknowledge, retain)

    async def _publish(
        self,
        args: list[Any],
        acknowledge: bool,
        retain: bool = False,
        stream: dict[str, Any] | None = None,
    ) -> int | None:
        radio = self._radio
        options: dict[str, Any] = {"acknowledge": True} if acknowledge else {}
        if retain:
            options["retain"] = True
        if stream is not None:
            options["_radiod_stream"] = stream
        if self._key is not None:
            options["_radiod_key"] = self._key
        rest = [options, self.name, radio.codec.payload(args)]
        if acknowledge:
            return int((await radio._ask(PUBLISH, rest, radio.timeout)).publication)
        await radio._until_writable()
        radio._core().requests.tell(PUBLISH, rest)
        radio._flush()
        return None

    def writer(self) -> WriterOpening:
        """Open it for writing: ``async with channel.writer() as writer``, or ``await channel.writer()``.

        Raises: CallError: it is refused.
        """
        return WriterOpening(self._radio, self, self._key, is_owned=False)

    def stream(self, id: str | int | None = None) -> Stream:
        """A run of samples: ``async with channel.stream() as stream``. Raises: ValueError: no such id."""
        return Stream(self, id)

    async def history(self, after: str | None = None, limit: int = 100) -> list[Sample]:
        """Samples that the channel keeps, oldest first. Raises: CallError: it keeps none."""
        return samples_of(
            self.name, await self._radio.call("radiod.channel.history", self.name, after, limit)
        )

    async def latest(self) -> Sample | None:
        """The newest sample that the channel keeps. Raises: CallError: it keeps none."""
        position = (await self.info()).get("position")
        if position is None:
            return None
        found = await self.history(before(position))
        return found[-1] if found else None

    async def info(self) -> dict[str, Any]:
        """What the server says of it. Raises: CallError: there is no such channel."""
        return dict(await self._radio.call("radiod.channel.get", self.name))

    async def presence(self) -> dict[str, Any]:
        """Who listens: ``{users: {authid: sessions}, count, total}``. Raises: CallError: it does not say."""
        return dict(await self._radio.call("radiod.presence.get", self.name))

    async def tune(self, **settings: Any) -> dict[str, Any]:
        """Set the server's buffer for this session. Returns: all settings in effect."""
        tuned = dict(await self._radio.call("radiod.channel.tune", self.name, **settings))
        subscription = self._radio._core().lasting.subscriptions.get(self.name)
        if subscription is not None:
            subscription.tuned(settings)
        return tuned


class Created(Channel):
    """A channel that this Radio created: ``control_key`` is for whoever is to control it, too."""

    def __init__(self, radio: Host, made: dict[str, Any], owned: Owned) -> None:
        super().__init__(radio, made["name"], made.get("key"))
        self.control_key: str = made["control_key"]
        self.expires: float | None = made["expires"]
        self.key: str | None = made.get("key")
        self._owned = owned

    def writer(self) -> WriterOpening:
        """The same; it stays open for writing when the Writer is closed."""
        return WriterOpening(self._radio, self, self.key, is_owned=True)

    async def extend(self, lifetime: float) -> float | None:
        """Have it end in so many seconds from now. Returns: when that is."""
        call = self._radio.call("radiod.channel.extend", self.name, lifetime, self.control_key)
        self.expires = (await call)["expires"]
        return self.expires

    async def delete(self) -> None:
        """End it."""
        self._owned.is_over = True
        await self._radio.call("radiod.channel.delete", self.name, self.control_key)
