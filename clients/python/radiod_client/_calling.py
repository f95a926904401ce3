"""Calls whose results come one by one, and proxies: procedures as functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from radiod_client._core import Core
from radiod_client._driver import Answer, Driver
from radiod_client._messages import Codec
from radiod_client._proxy import Known, Signatures, bind, named, own_seconds, seconds_of
from radiod_client._results import Results
from radiod_client.errors import CallError, CallTimeout

__all__ = ["Host", "Iteration", "Proxy", "Teller", "call_message"]


class Host(Protocol):
    """What is asked of the Radio."""

    timeout: float
    codec: Codec
    teller: Teller

    @property
    def session(self) -> int | None: ...
    @property
    def driver(self) -> Driver: ...
    def _core(self) -> Core: ...
    def _flush(self) -> None: ...
    async def _call(self, procedure: str, args: Any, kwargs: dict[str, Any], seconds: float) -> Any: ...


def call_message(
    codec: Codec, procedure: str, args: Any, kwargs: dict[str, Any], seconds: float, progress: bool = False
) -> list[Any]:
    """A CALL behind its id. Raises: TypeError, ValueError: something cannot be sent."""
    options: dict[str, Any] = {"timeout": max(1, round(seconds * 1000))}
    if progress:
        options["receive_progress"] = True
    message = [options, procedure, codec.payload(args)]
    if kwargs:
        message.append(codec.payload(kwargs))
    return message


class Teller:
    """What signatures procedures have: asked for once, however many want to know."""

    def __init__(self, radio: Host, clock: Callable[[], float]) -> None:
        self._radio = radio
        self._signatures = Signatures(clock)
        self._asking: dict[str, list[Answer]] = {}

    async def known(self, procedure: str, seconds: float) -> Known:
        """Raises: CallTimeout, Disconnected."""
        known = self._signatures.find(procedure, self._radio.session)
        while known is None and procedure in self._asking:
            answer = self._radio.driver.answer()
            self._asking[procedure].append(answer)
            known = await answer.within(seconds)
        return known or await self._ask(procedure, seconds)

    async def _ask(self, procedure: str, seconds: float) -> Known:
        waiting = self._asking[procedure] = []
        known = None
        try:
            known = await self._learn(procedure, seconds)
        finally:
            del self._asking[procedure]
            for each in waiting:
                # Nothing: the next one asks.
                each.set(known, None)
        return known

    async def _learn(self, procedure: str, seconds: float) -> Known:
        session = self._radio.session
        try:
            told = await self._radio._call("radiod.rpc.describe", [procedure], {}, seconds)
        except CallTimeout:
            raise
        except CallError:
            # Another router, or one that does not tell us.
            told = None
        return self._signatures.learn(procedure, session, told)


class Iteration:
    """Results of one call, as they come: ``async for``. Left before its end, the callee is told to stop.

    ``result``: what the procedure returned in the end.
    """

    def __init__(
        self,
        radio: Host,
        procedure: str,
        args: Any,
        kwargs: dict[str, Any],
        seconds: float,
        plan: Plan | None = None,
    ) -> None:
        self._radio = radio
        self._procedure = procedure
        self._args = args
        self._kwargs = kwargs
        self._seconds = seconds
        self._plan = plan
        self._has_begun = False
        self.results = Results()

    @property
    def result(self) -> Any:
        """What the procedure returned; None before its end."""
        return self.results.result

    async def begin(self) -> None:
        """Call. Raises: TypeError, ValueError: that cannot be, and nothing was sent."""
        seconds = self._seconds
        if self._plan is not None:
            self._kwargs, seconds = await self._plan.prepare(self._procedure, self._args, self._kwargs)
        message = call_message(
            self._radio.codec, self._procedure, self._args, self._kwargs, seconds, progress=True
        )
        self._has_begun = True
        self.results.begin(self._radio._core().requests, message, seconds)
        self._radio._flush()

    def __aiter__(self) -> Iteration:
        return self

    async def __anext__(self) -> Any:
        if not self._has_begun:
            await self.begin()
        while True:
            answer = self._radio.driver.answer()
            taken = self.results.take(answer.wake)
            if taken is None:
                await answer
            elif taken:
                return taken[0]
            else:
                raise StopAsyncIteration

    def cancel(self) -> None:
        """The callee is told to stop, in the loop's thread."""
        self._has_begun = True
        self.results.close()
        self._radio._flush()

    async def aclose(self) -> None:
        """Take no more: the callee is told to stop."""
        self.cancel()

    async def __aenter__(self) -> Iteration:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if getattr(self, "_has_begun", False) and not self.results.is_over:
            results, radio = self.results, self._radio

            def close() -> None:
                results.close()
                radio._flush()

            # Out of a loop that was left, in whichever thread.
            radio.driver.from_thread(close)


class Plan:
    """How a proxy calls: by which keyword it is told its seconds, and which it takes without."""

    def __init__(self, radio: Host, tto: str, seconds: float | None) -> None:
        self.radio = radio
        self.tto = tto
        self.seconds = seconds

    def within(self, seconds: Any) -> Plan:
        """The same, with other seconds."""
        return Plan(self.radio, self.tto, seconds_of(seconds))

    async def prepare(
        self, procedure: str, args: Any, kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], float]:
        """What to send, in how many seconds.

        Raises: TypeError, ValueError: it cannot be called like this; CallTimeout, Disconnected.
        """
        usual = self.seconds or self.radio.timeout
        begun = time.monotonic()
        known = await self.radio.teller.known(procedure, usual)
        seconds = own_seconds(known.signature, kwargs, self.tto)
        bind(procedure, known.signature, args, kwargs)
        return kwargs, max((seconds or usual) - (time.monotonic() - begun), 0.001)


class Proxy:
    """Procedures below a name, as functions: ``await calc.add(1, 2)``, ``async for n in calc.count.iter(3)``.

    Arguments are checked by the callee's signature, if it told one: a TypeError, and nothing was sent.
    ``calc["iter"]`` is a procedure whose name means something here, too.
    """

    def __init__(self, name: str, plan: Plan) -> None:
        self._name = name
        self._plan = plan

    def __getattr__(self, name: str) -> Proxy:
        if name.startswith("_"):
            raise AttributeError(f"{name}: a procedure that begins with _ is found by [{name!r}]")
        return self[name]

    def __getitem__(self, name: str) -> Proxy:
        return Proxy(named(self._name, name), self._plan)

    def __repr__(self) -> str:
        return f"<proxy of {self._name}>"

    async def _names(self, seconds: float) -> list[str]:
        """What is below this name. Raises: RadioError: nobody tells."""
        told = await self._plan.radio._call("radiod.rpc.describe", [self._name], {}, seconds)
        below = len(self._name) + 1
        return sorted({str(each)[below:].partition(".")[0] for each in told["children"]})

    async def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call it.

        Raises: TypeError: not like this; CallError; CallTimeout; RemoteError: it raised; Disconnected.
        """
        kwargs, seconds = await self._plan.prepare(self._name, args, kwargs)
        return await self._plan.radio._call(self._name, args, kwargs, seconds)

    def iter(self, /, *args: Any, **kwargs: Any) -> Iteration:
        """Call it, and take its results one by one; it is called when the first is asked for."""
        return Iteration(self._plan.radio, self._name, args, kwargs, 0.0, self._plan)

    def with_timeout(self, seconds: float) -> Proxy:
        """The same, with other seconds than the Radio's."""
        return Proxy(self._name, self._plan.within(seconds))
