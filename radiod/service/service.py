"""The Twisted service: listens, starts, and stops without losing what it accepted."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from radiod import __version__, config
from radiod.core.build import BUILD
from radiod.core.sessions.session import Session
from radiod.endpoints import address, not_after
from radiod.errors import Refused
from radiod.process import SPARE_DESCRIPTORS, Process, StartError, allow_descriptors
from radiod.service.admin import AdminSocket
from radiod.service.draining import Drain
from radiod.service.listening import Endpoints, ListenError
from radiod.service.radio import Radio
from radiod.service.reload import Reloading
from radiod.service.state import Inheritance, default_place
from radiod.service.tracing import missing
from radiod.state.state import capture, restore
from radiod.store.records import StoreError
from radiod.store.sqlite import SqliteStore
from radiod.systemd.descriptors import DescriptorStore
from radiod.systemd.notify import notifier_of
from radiod.systemd.supervision import Supervision, watchdog_of
from radiod.transport.clock import make_monotonic

__all__ = ["ListenError", "RadioService", "StartError"]

ARRIVAL_SECONDS = 0.05
"""How long connections that have yet to say who they are may take when the server stops: what they ask was on
its way."""

READ_SECONDS = 1.0
"""How long what sessions have sent already may take when the server stops: each has a share of a turn."""

STORE_SECONDS = 2.0
"""How long what waits for the disk may take when the server stops: nobody was told yet that it is there."""

CLUSTER_SECONDS = 1.0
"""How long the goodbye to other nodes may take."""

SPANS_SECONDS = 0.5
"""How long a collector of traces may take when the server stops."""

HURRIED_SECONDS = 0.5
"""The same for a server that was told twice to stop."""

STOP_SECONDS = 4.5
"""How long all of that may take together, once everybody was sent away who could be."""

SHUTDOWN_SECONDS = 4.0
"""How long connections may take to read the goodbye; twistd is gone within 5 s of SIGTERM."""


class RadioService(MultiService):
    """Runs a ``Radio``: listens from ``bind`` on, and stops without losing what it accepted.

    ``process``: what will have become of this process when the service starts; ``file``: where the
    configuration is, None: in no file; ``load``: reads it again, None: there is nothing to read.
    """

    log = Logger()

    def __init__(
        self,
        configuration: config.Config,
        reactor: Any,
        process: Process | None = None,
        file: Path | None = None,
        load: Callable[[], config.Config] | None = None,
    ) -> None:
        super().__init__()
        self._process = process or Process()
        self._config = configuration
        self._reactor = reactor
        self.radio = Radio(configuration, reactor)
        self.radio.metrics.certificates = self._certificates
        self.log_interval = configuration.limits.log_interval_s
        self.log_format = configuration.log.format.value
        # Told of what it becomes a part of, before that begins to log.
        self.on_parent: Callable[[Any], object] = lambda parent: None
        self._endpoints = Endpoints(reactor, self.radio.port)
        self.reloading = Reloading(configuration, self.radio, self._endpoints, load)
        self.draining = Drain(self.radio, lambda: self.reloading.config.operations.drain_s)
        if self.radio.cluster is not None:
            self.radio.cluster.send_away = lambda: self.draining.begin(self.draining.usual())
            self.radio.cluster.let_in = self.draining.cancel
        admin = configuration.admin
        self._admin = AdminSocket(admin.path(file), self._process, is_asked_for=admin.socket is not None)
        self._store: SqliteStore | None = None
        # What ends the wait that the stopping server is in, and whether it was told not to wait for anybody.
        self._end_wait: Callable[[], None] = lambda: None
        self._is_hurried = False
        # When the server must have stopped.
        self._stop_by = inf
        self._supervision: Supervision | None = None
        self._inheritance: Inheritance | None = None
        # What opening the store told, once each: in bind nobody reads the log yet.
        self._notes: dict[str, None] = {}

    def bind(self) -> None:
        """Try the store, and listen on every endpoint, so that a failure can be told before the start.

        Raises: ListenError: one endpoint cannot be listened on; the others are left as they are. StartError:
            the store, or the admin socket, cannot be used. ConfigError: there is no store, and it is needed.
        """
        make_monotonic(self._reactor)
        self._config.check_durable()
        with self._process.acting():
            self._open_store(self._config.store.path)
            # twistd detaches after this: neither a lock of the file nor a thread would live through it.
            self._close_store()
        for path in (self._config.store.path, self._state_file):
            self._process.inside(path)
        self._endpoints.open_all(self._config.listen)
        self._admin.listen(self.radio.admin, self._reactor)

    @property
    def ports(self) -> list[IListeningPort]:
        """Where it listens, the admin socket aside."""
        return self._endpoints.ports

    def setServiceParent(self, parent: Any) -> None:
        """Become a part of an application, or of a service."""
        self.on_parent(parent)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Detached, but with all rights yet."""
        super().privilegedStartService()
        self._endpoints.keep(self._process)

    def startService(self) -> None:
        """Go on the air, and say so on one line."""
        super().startService()
        if not self.ports:
            self.bind()
        self._open_store(self._process.inside(self._config.store.path))
        if self._store is not None:
            for note in self._notes:
                self.log.warn(
                    "store {path}: {note}", path=self._config.store.path, note=note, event="store_note"
                )
            self._store.start()
        self._inherit()
        self.radio.access.start()
        # In this order: what is asked before the start is what was used before it.
        self.radio.access.plans.recall(self.radio.usage.used)
        self.radio.usage.start(self.radio.access.desk.store)
        if self.radio.cluster is not None:
            self.radio.cluster.start()
        self.radio.statistics.start()
        self.radio.webhooks.start()
        self.radio.metrics.start()
        self.radio.readiness.is_restored = True
        for port in self.ports:
            self.log.info("listening: {where}", where=address(port), event="listening")
        self.log.info(
            "radiod {version} ({build}) on the air: {where}; realms {realms}",
            version=__version__,
            build=BUILD,
            where=", ".join(address(port) for port in self.ports),
            realms=", ".join(self.radio.realms),
            event="started",
        )
        if self._admin.is_open:
            self.log.info("admin socket: {path}", path=self._admin.path, event="listening")
        elif self._admin.note:
            self.log.warn("no admin socket: {why}", why=self._admin.note, event="configuration")
        for line in self._config.not_yet() + missing(self._config.otel):
            self.log.warn("configured, but without effect: {what}", what=line, event="configuration")
        self._count_descriptors()
        assert self._supervision is not None
        self.reloading.tell = self._supervision
        self._reactor.callWhenRunning(self._supervision.ready)

    def _count_descriptors(self) -> None:
        needed = self._config.limits.max_connections + SPARE_DESCRIPTORS
        allowed = allow_descriptors(needed)
        if allowed < needed:
            self.log.warn(
                "{allowed} files may be open, limits.max_connections needs {needed}: raise LimitNOFILE= "
                "or ulimit -n, or lower it",
                allowed=allowed,
                needed=needed,
                event="configuration",
            )

    @property
    def _state_file(self) -> str:
        return default_place(self._config.operations.state, self._config.store.path)

    def _inherit(self) -> None:
        """Go on where the last server ended; have systemd told how this one does, if it wants to know.

        Raises: StartError.
        """
        notifier = notifier_of(os.environ)
        supervision = self._supervision = Supervision(
            notifier,
            watchdog_of(os.environ, os.getpid()),
            self.radio.clock,
            self.radio.clock.timers,
            # Who asks how it does, or for a reload, is no listener.
            lambda: self.radio.port.connections - self.radio.admin.connections,
            lambda: 0.0 if self._store is None else self._store.busy(),
        )
        self._inheritance = Inheritance(
            partial(capture, self.radio),
            partial(restore, self.radio),
            DescriptorStore(notifier),
            self._process.inside(self._state_file),
            supervision.busy,
            is_asked_for=self._config.operations.state is not None,
        )
        self._inheritance.take(os.environ)

    def _open_store(self, path: str) -> None:
        """Open the store, and go on where it ends. Raises: StartError."""
        if path:
            self._store = SqliteStore(path, self._reactor.callFromThread)
            try:
                self._store.open()
                self.radio.remember(self._store)
                self._notes |= dict.fromkeys(self._store.notes)
            except StoreError as error:
                raise StartError(str(error)) from None

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close(self._patience)
            except StoreError as error:
                self.log.error("{error}", error=error, event="store_failed")

    def _certificates(self) -> dict[str, float]:
        """Where TLS is shown -> when the first certificate ends."""
        ends = [(address(port).split(" ")[0], not_after(port)) for port in self.ports]
        return {where: end for where, end in ends if end is not None}

    async def _stop(self) -> None:
        self.radio.readiness.is_draining = True
        if self._supervision is not None:
            self._supervision.stopping(self.reloading.config.operations.drain_s)
        self.reloading.stop()
        await self._drained()
        self._stop_by = self.radio.clock.seconds() + STOP_SECONDS
        await DeferredList([self._endpoints.close(), maybeDeferred(self._admin.stop)], consumeErrors=True)
        await self._arrived()
        for realm in self.radio.realms.values():
            realm.drain()
        await self._answered()
        sessions = [one for realm in self.radio.realms.values() for one in realm.sessions.values()]
        await self._read_out(sessions)
        await self._answered()
        self.radio.webhooks.close()
        self.draining.close()
        self._say_goodbye()
        for session in sessions:
            # What they say yet is heard by nobody, but for the end of a closing handshake.
            self.radio.fan_out.hold(session, False)
        self.radio.statistics.stop()
        self.radio.fan_out.flush()
        if self.radio.cluster is not None:
            await self._within(CLUSTER_SECONDS, self.radio.cluster.stop)
        self.radio.polls.wind_up()
        self.radio.http.wind_up()
        await self._connections_gone()
        await self._shut()
        self.radio.webhooks.stop()
        if not self._is_hurried:
            await self._within(SPANS_SECONDS, self.radio.tracing.wind_up)
        self.radio.tracing.stop()
        await self._within(self._patience, self._write_usage)
        self.radio.access.stop()
        self.radio.metrics.stop()
        if self._inheritance is not None:
            self._inheritance.leave()
        self._close_store()
        self.log.info("radiod stopped", event="stopped")
        if self._supervision is not None:
            self._supervision.stop()
        self.radio.clock.stop()

    def _read_out(self, sessions: list[Session]) -> Deferred[None]:
        """Take what they have sent already, and read no more, so that all of it is answered before they end.

        Else the store would keep what is published in the last moment, and nobody were told.

        Returns: fires when nobody is read any more.
        """
        fan_out = self.radio.fan_out

        def ask(fire: Callable[[], None]) -> None:
            waits: list[Deferred[None]] = [Deferred() for session in sessions]
            for session, wait in zip(sessions, waits, strict=True):
                fan_out.read_out(session, partial(wait.callback, None))
            DeferredList(waits).addCallback(lambda results: fire())

        def hold(result: None) -> None:
            for session in sessions:
                fan_out.hold(session, True)

        return self._within(min(READ_SECONDS, self._patience), ask).addCallback(hold)

    def _say_goodbye(self) -> None:
        for realm in self.radio.realms.values():
            realm.close(self.draining.retry_after)
        self.radio.fan_out.strangers.dismiss()

    def _shut(self) -> Deferred[None]:
        """Let nobody ask for anything any more, who is there still: what was answered later would be lost.

        Returns: fires when everything that was asked for has been done.
        """
        self._say_goodbye()
        self.radio.http.cut()
        return self._answered()

    def _drained(self) -> Deferred[None]:
        """Fires when those who listen were sent away, as far as the configuration gives them time for it."""
        if self._is_hurried:
            return succeed(None)
        self._end_wait = self.draining.hasten
        return self.draining.before_stop()

    def _arrived(self) -> Deferred[None]:
        """Fires when whoever was accepted in the last moment has had time to say what it wants."""
        if self._is_hurried or not self.radio.fan_out.strangers:
            return succeed(None)
        return self._within(ARRIVAL_SECONDS, lambda fire: None)

    def _answered(self) -> Deferred[None]:
        """Fires when publishers that waited have been answered: for room in buffers, and for the store."""

        def soon(fire: Callable[[], None]) -> None:
            # What the core does as soon as there is room is a deadline of this very moment.
            self.radio.clock.timers.at(self.radio.clock.seconds(), fire)

        store = self._store
        if store is None:
            return self._within(self._patience, soon)
        return self._within(self._patience, lambda fire: store.when_answered(lambda: soon(fire)))

    @property
    def _patience(self) -> float:
        left = self._stop_by - self.radio.clock.seconds()
        return HURRIED_SECONDS if self._is_hurried or left < STORE_SECONDS else STORE_SECONDS

    def _write_usage(self, fire: Callable[[], None]) -> None:
        self.radio.usage.stop().then(lambda outcome: fire())

    def reload(self) -> None:
        """Take the configuration anew; the log says what became of that."""
        with suppress(Refused):
            self.reloading.reload()

    def hurry(self) -> None:
        """While it stops: do not wait for anybody any longer, nor for connections later."""
        self._is_hurried = True
        self._end_wait()

    def _connections_gone(self) -> Deferred[None]:
        """Fires when the last connection has closed, and webhooks have what can be sent to them.

        At the latest after ``SHUTDOWN_SECONDS``.
        """
        if self._is_hurried:
            return succeed(None)
        port, webhooks = self.radio.port, self.radio.webhooks
        return self._within(SHUTDOWN_SECONDS, lambda fire: port.when_empty(lambda: webhooks.wind_up(fire)))

    def _within(self, seconds: float, ask: Callable[[Callable[[], None]], None]) -> Deferred[None]:
        """Fires when the function that ``ask`` is given was called, or after so much time."""
        fired: Deferred[None] = Deferred()

        def fire() -> None:
            deadline.cancel()
            if not fired.called:
                fired.callback(None)

        self._end_wait = fire
        clock = self.radio.clock
        deadline = clock.timers.at(min(clock.seconds() + seconds, self._stop_by), fire)
        ask(fire)
        return fired

    def stopService(self) -> Deferred[Any]:
        """Drain, stop accepting, say goodbye, let what is queued leave; done within ``drain_s`` and 5 s."""
        stopped = Deferred.fromCoroutine(self._stop())
        others = super().stopService()
        return stopped if others is None else DeferredList([stopped, others])
