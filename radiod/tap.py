"""``twistd radiod``: command line to configuration to service.

What is wrong with either is told on one line, with exit status 1, before twistd detaches from its terminal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from twisted.python import usage

from radiod.config import Config, ConfigError, Listen, Store
from radiod.service import RadioService, StartError

__all__ = ["Options", "makeService"]


class Options(usage.Options):
    """The command line of ``twistd radiod``."""

    synopsis = "[options]"
    optParameters = [
        ["config", "c", None, "TOML file; without it radiod serves realm 'radio' on 127.0.0.1:8080."],
        ["store", None, None, "SQLite file of the store, '' for memory; overrides the file."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Server endpoint, such as tcp:8080:interface=127.0.0.1; repeatable, overrides the file."""
        self["listen"].append(endpoint)

    opt_l = opt_listen


def configuration(options: Options) -> Config:
    """The file's configuration with the command line's changes. Raises: ConfigError."""
    config = Config.load(Path(options["config"])) if options["config"] is not None else Config()
    if options["listen"]:
        listen = tuple(Listen(endpoint=endpoint) for endpoint in options["listen"])
        config = msgspec.structs.replace(config, listen=listen)
    if options["store"] is not None:
        config = msgspec.structs.replace(config, store=Store(path=options["store"]))
    return config


def makeService(options: Options, reactor: Any = None) -> RadioService:
    """Build the service and listen. Raises: SystemExit: with the one line that says what is wrong."""
    if reactor is None:
        from twisted.internet import reactor
    try:
        service = RadioService(configuration(options), reactor)
        service.bind()
    except (ConfigError, StartError) as error:
        raise SystemExit(f"radiod: {error}") from None
    return service
