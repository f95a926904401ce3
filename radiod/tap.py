"""``twistd radiod``: command line to configuration to service.

What is wrong with either is told on one line, with exit status 1, before twistd detaches from its terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.scripts._twistd_unix import ServerOptions, UnixAppLogger

from radiod import __version__
from radiod.config import Admin, Config, ConfigError, Listen, Store
from radiod.logs.arranging import arranged
from radiod.logs.files import never_rotate
from radiod.logs.observer import LimitedLog
from radiod.process import Process, StartError, check_pidfile, process_of
from radiod.service.service import RadioService
from radiod.signals import Signals

__all__ = ["Options", "makeService", "twistd_options"]


class Options(usage.Options):
    """The command line of ``twistd radiod``."""

    synopsis = "[options]"
    optParameters = [
        ["config", "c", None, "TOML file; without it radiod serves realm 'radio' on 127.0.0.1:8080."],
        ["admin", None, None, "Unix socket for radioctl, '' for none; overrides the file."],
        ["store", None, None, "SQLite file of the store, '' for memory; overrides the file."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def parseOptions(self, options: Any = None) -> None:
        """Read them. Raises: SystemExit: with the one line that says what is wrong."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"radiod: {error}") from None

    def postOptions(self) -> None:
        """What twistd would say on several lines, as soon as it is known."""
        try:
            twistd: Mapping[str, Any] = self.parent or {}
            check_pidfile(twistd.get("pidfile"))
        except StartError as error:
            raise SystemExit(f"radiod: {error}") from None

    def opt_listen(self, endpoint: str) -> None:
        """Server endpoint, such as tcp:8080:interface=127.0.0.1; repeatable, overrides the file."""
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_version(self) -> NoReturn:
        """Display radiod's version and exit."""
        print(f"radiod {__version__}")
        sys.exit(0)


def configuration(options: Options, here: Path) -> Config:
    """The file's configuration with the command line's changes. Raises: ConfigError.

    Args:
        here: where the command line was typed, which its paths are relative to.
    """
    config = Config()
    if options["config"] is not None:
        # Messages name the file as it was typed, as long as that leads there.
        file = Path(options["config"])
        config = Config.load(file if here == Path.cwd() else here / file)
    if options["listen"]:
        listen = tuple(Listen(endpoint=endpoint).placed(here) for endpoint in options["listen"])
        config = msgspec.structs.replace(config, listen=listen)
    if options["store"] is not None:
        config = msgspec.structs.replace(config, store=Store(path=options["store"]).placed(here))
    if options["admin"] is not None:
        config = msgspec.structs.replace(config, admin=Admin(socket=options["admin"]).placed(here))
    return config


class _TwistdOptions(ServerOptions):  # type: ignore[misc] # Twisted's are not typed
    """twistd's own, read once more: what acts while it is read has acted already."""

    def opt_reactor(self, name: str) -> None:
        """Is installed."""

    def opt_debug(self) -> None:
        """Is switched on."""

    def opt_spew(self) -> None:
        """Is switched on."""

    opt_r = opt_reactor
    opt_b = opt_debug


def twistd_options(arguments: Sequence[str]) -> Mapping[str, Any]:
    """What twistd was called with, for a ``.tac`` file, which is not told."""
    options = _TwistdOptions()
    try:
        options.parseOptions(list(arguments))
    except usage.UsageError:
        return {}
    return options


def _give_log(log: LimitedLog, twistd: Mapping[str, Any], application: Any) -> None:
    """Have twistd log by ``log`` from its first line on, to where its options say.

    Other programs that run services, and ``--logger``, know no such way: there ``log`` comes in when the
    loop begins to turn.
    """
    if "nodaemon" not in twistd or twistd.get("logger") or not isinstance(application, Componentized):
        return
    if application.getComponent(ILogObserver, None) is None:
        # There is no public way to ask; a test with twistd tells when this one ends.
        log.pass_to([UnixAppLogger(twistd)._getLogObserver()])
        application.setComponent(ILogObserver, log)


def makeService(
    options: Options, reactor: Any = None, twistd: Mapping[str, Any] | None = None
) -> RadioService:
    """Build the service and listen.

    Args:
        twistd: twistd's own options; None: those that ``options`` came with, if they came with any.
    Raises: SystemExit: with the one line that says what is wrong.
    """
    if reactor is None:
        from twisted.internet import reactor
    try:
        process = process_of(twistd or options.parent or {})
        file = None if options["config"] is None else Path(options["config"])
        # twistd changes its working directory after this.
        load = partial(configuration, options, Path.cwd())
        service = RadioService(load(), reactor, process, file, None if file is None else load)
        service.bind()
    except (ConfigError, StartError) as error:
        raise SystemExit(f"radiod: {error}") from None
    clock = service.radio.clock
    log = LimitedLog(
        service.log_interval,
        clock.seconds,
        clock.timers.at,
        partial(arranged, service.log_format),
        [service.radio.tail],
    )
    service.on_parent = partial(_give_log, log, twistd or options.parent or {})
    # By then whoever runs it has begun to log to where its own options say.
    reactor.callWhenRunning(log.stand_before, globalLogPublisher)
    reactor.addSystemEventTrigger("after", "shutdown", log.finish)
    _watch_signals(reactor, service, log, process)
    return service


def _watch_signals(reactor: Any, service: RadioService, log: LimitedLog, process: Process) -> None:
    never_rotate()
    realms = service.radio.realms
    Signals(
        reactor,
        hurry=service.hurry,
        reload=service.reload,
        reopen=log.reopen,
        describe=lambda: {name: realm.load.describe() for name, realm in realms.items()},
        leave=process.forget,
    ).watch()
