"""The wiring of traces: from ``[otel]`` to what follows publishes and calls, and where spans go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from radiod import __version__, config
from radiod.config.tracing import headers_of
from radiod.core.realm.realm import Realm
from radiod.tracing.exporter import Exporter
from radiod.tracing.spans import Encoder, Value, is_installed
from radiod.tracing.tracer import RealmTracer
from radiod.transport.clock import ReactorClock
from radiod.transport.outbox import FanOut
from radiod.webhooks.sending import HttpSender

__all__ = ["Tracing", "missing"]

MISSING: Final = "otel.endpoint: needs another package: pip install 'radiod[otel]'"

PATIENCE_S: Final = 10.0
"""Seconds of one request to the collector."""


def missing(otel: config.Otel) -> list[str]:
    """What is configured and cannot be done, a line each."""
    return [MISSING] if otel.endpoint and not is_installed() else []


class Tracing:
    """Follows what goes on in all realms, if the configuration asks for it. ``is_on``: whether it does.

    Args:
        uid: names this process.
    """

    def __init__(
        self,
        otel: config.Otel,
        realms: Mapping[str, Realm],
        fan_out: FanOut,
        clock: ReactorClock,
        reactor: Any,
        uid: str,
    ) -> None:
        self._exporter: Exporter | None = None
        self._sender: HttpSender | None = None
        if otel.endpoint and is_installed():
            self._make_exporter(otel, clock, reactor, uid)
        self.is_on = self._exporter is not None or otel.in_details
        if self.is_on:
            turn, rate, tells = _Turn(fan_out), otel.sample_rate, otel.in_details
            for name, realm in realms.items():
                tracer = RealmTracer(name, turn, self._exporter, rate=rate, tells=tells)
                realm.publications.tracer = realm.dealer.tally.tracer = tracer

    def _make_exporter(self, otel: config.Otel, clock: ReactorClock, reactor: Any, uid: str) -> None:
        resource: dict[str, Value] = {
            "service.name": otel.service_name,
            "service.version": __version__,
            "service.instance.id": uid,
            "telemetry.sdk.name": "radiod",
            "telemetry.sdk.language": "python",
        }
        headers = {} if otel.headers is None else headers_of(otel.headers)
        sender = self._sender = HttpSender(reactor, otel.url, clock, clock.timers, timeout_s=PATIENCE_S)
        encode = Encoder(resource, __version__)
        self._exporter = Exporter(sender.post, encode, headers, clock, clock.timers)

    def counts(self) -> dict[str, int]:
        """Spans by what became of them; nothing: they are sent nowhere."""
        return {} if self._exporter is None else self._exporter.counts

    def wind_up(self, done: Callable[[], None]) -> None:
        """Send what there is, and call ``done`` then."""
        if self._exporter is None:
            done()
        else:
            self._exporter.wind_up(done)

    def stop(self) -> None:
        """Send nothing more."""
        if self._exporter is not None and self._sender is not None:
            self._exporter.stop()
            self._sender.close()


class _Turn:
    """The reactor's turns, as far as spans need them."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out
        self._due: list[Callable[[], None]] = []

    def arrived(self) -> float:
        return self._fan_out.turns.arrived

    def after(self, what: Callable[[], None]) -> None:
        if not self._due:
            self._fan_out.soon(self._written)
        self._due.append(what)

    def _written(self) -> None:
        # It would be done a little later in this turn.
        self._fan_out.flush()
        due, self._due = self._due, []
        for what in due:
            what()
