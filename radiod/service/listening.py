"""The endpoints of a server: opened at the start, and others opened and closed while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from radiod import config, unixports
from radiod.endpoints import Certificates, EndpointError, FixedCertificates, listen
from radiod.process import Process, StartError
from radiod.service.settings import certificates, door
from radiod.transport.entrance import Entrance
from radiod.transport.port import PortFactory

__all__ = ["Endpoints", "ListenError"]


class ListenError(StartError):
    """An endpoint cannot be listened on."""


class _Endpoint:
    """One endpoint that is listened on. ``ports``: one, once it is open."""

    def __init__(self, settings: config.Listen, port: PortFactory) -> None:
        self.settings = settings
        self.ports: list[IListeningPort] = []
        self.certificates: Certificates | None = None
        self._port = port
        self._entrance = Entrance(port, door(settings))

    def listen(self, reactor: Any, shown: Certificates | None, failed: Callable[[str], None]) -> None:
        """Raises: EndpointError."""

        def opened(port: IListeningPort) -> None:
            self.ports.append(self._entrance.listening(port))

        endpoint, entrance = self.settings.endpoint, self._entrance
        self.certificates = listen(reactor, endpoint, entrance, opened, failed, shown)

    def become(self, settings: config.Listen) -> None:
        """Whoever connects from now on finds these rules."""
        self.settings = settings
        self._entrance.door = door(settings)
        for port in self.ports:
            self._entrance.listening(port)

    def close(self) -> Deferred[Any]:
        """Accept nobody more; who is connected stays. Returns: fires when that has happened."""
        return DeferredList([maybeDeferred(unixports.stop, port) for port in self.ports], consumeErrors=True)


class Endpoints:
    """All endpoints of one server, in the order of the configuration."""

    log = Logger()

    def __init__(self, reactor: Any, port: PortFactory) -> None:
        self._reactor = reactor
        self._port = port
        self._open: list[_Endpoint] = []

    @property
    def ports(self) -> list[IListeningPort]:
        """Those that are open."""
        return [port for endpoint in self._open for port in endpoint.ports]

    def open_all(self, tables: tuple[config.Listen, ...]) -> None:
        """Listen on all. Raises: ListenError: on one it cannot be; the others are left as they are."""
        for index, settings in enumerate(tables):
            self._open.append(self._listen(index, settings))

    def _listen(self, index: int, settings: config.Listen) -> _Endpoint:
        """Raises: ListenError."""
        key = f"listen.[{index}].endpoint: cannot listen on {settings.endpoint!r}"
        endpoint = _Endpoint(settings, self._port)

        def failed(why: str) -> None:
            self.log.error("{where}: {why}", where=key, why=why, event="configuration")

        shown = _certificates(index, settings)
        try:
            endpoint.listen(self._reactor, shown, failed)
        except EndpointError as error:
            raise ListenError(f"{key}: {error}") from None
        return endpoint

    def prepare(self, tables: tuple[config.Listen, ...]) -> Callable[[], None]:
        """Listen where nobody does yet, and read certificates again; nothing that is there has changed yet.

        Returns: what closes the endpoints that are in no table, and has new connections find the tables'
        rules and certificates. Raises: ListenError: something is in the way; all is as before.
        """
        rest = list(self._open)
        acts: list[Callable[[], None]] = []
        after: list[_Endpoint] = []
        added: list[_Endpoint] = []
        # Whoever stays is known before anybody new takes an address.
        stay = [_take(rest, settings.endpoint) for settings in tables]
        try:
            for index, (settings, known) in enumerate(zip(tables, stay, strict=True)):
                if known is not None:
                    acts += self._changes(index, known, settings)
            for index, (settings, known) in enumerate(zip(tables, stay, strict=True)):
                if known is None:
                    known = self._listen(index, settings)
                    added.append(known)
                after.append(known)
        except ListenError:
            for endpoint in added:
                endpoint.close()
            raise

        def act() -> None:
            self._open = after
            for one in acts:
                one()
            for endpoint in rest:
                endpoint.close()

        return act

    def _changes(self, index: int, known: _Endpoint, settings: config.Listen) -> list[Callable[[], None]]:
        """What another table, and newer certificates, make of an endpoint. Raises: ListenError."""
        acts: list[Callable[[], None]] = []
        shown = known.certificates
        if isinstance(shown, FixedCertificates) and settings.tls != known.settings.tls:
            other = _certificates(index, settings)
            assert isinstance(other, FixedCertificates)
            acts.append(lambda: shown.become(other))
        elif shown is not None:
            try:
                acts.append(shown.read_again())
            except EndpointError as error:
                key = "endpoint" if settings.tls is None else "tls"
                raise ListenError(f"listen.[{index}].{key}: {error}") from None
        if settings != known.settings:
            acts.append(lambda: known.become(settings))
        return acts

    def close(self) -> Deferred[Any]:
        """Accept nobody more. Returns: fires when that has happened."""
        return DeferredList([endpoint.close() for endpoint in self._open], consumeErrors=True)

    def keep(self, process: Process) -> None:
        """As ``unixports.keep``, once detached."""
        for port in self.ports:
            unixports.keep(port, process)


def _take(endpoints: list[_Endpoint], description: str) -> _Endpoint | None:
    """The first with this description, which is taken out; None: there is none."""
    for endpoint in endpoints:
        if endpoint.settings.endpoint == description:
            endpoints.remove(endpoint)
            return endpoint
    return None


def _certificates(index: int, settings: config.Listen) -> Certificates | None:
    """Raises: ListenError."""
    try:
        return certificates(settings.tls)
    except EndpointError as error:
        raise ListenError(f"listen.[{index}].tls: {error}") from None
