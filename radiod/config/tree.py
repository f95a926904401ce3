"""The root of the configuration, and the ways to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import field, inspect

from radiod.config.checking import check, check_plans
from radiod.config.cluster import Cluster, check_cluster
from radiod.config.doors import Http, Listen
from radiod.config.nodes import (
    Account,
    Admin,
    Channel,
    Limits,
    Log,
    Metrics,
    Operations,
    Realm,
    Store,
    Usage,
)
from radiod.config.reading import ConfigError, Node, Reader, dotted, load_toml
from radiod.config.tracing import Otel, check_otel
from radiod.core.plans import Plan
from radiod.core.uris import is_pattern
from radiod.files import read_text

__all__ = ["Config", "from_tree"]

MAX_FILE_BYTES: Final = 16_777_216


class Config(Node, frozen=True, kw_only=True):
    """Everything. ``Config()`` is what radiod does without a file."""

    listen: tuple[Listen, ...] = (Listen(endpoint="tcp:8080:interface=127.0.0.1"),)
    http: Http = Http()
    store: Store = Store()
    admin: Admin = Admin()
    log: Log = Log()
    usage: Usage = Usage()
    metrics: Metrics = Metrics()
    operations: Operations = Operations()
    otel: Otel = Otel()
    cluster: Cluster = Cluster()
    limits: Limits = Limits()
    plans: dict[str, Plan] = {}
    accounts: dict[str, Account] = {}
    realms: dict[str, Realm] = field(default_factory=lambda: {"radio": Realm(anonymous="listener")})

    @classmethod
    def load(cls, path: Path, *, secrets: bool = True) -> Config:
        """The configuration in a file, which paths in it are relative to.

        Args:
            secrets: False: those in files and the like are not read, and the configuration is not to be used.
        Raises: ConfigError: it cannot be read, or is wrong.
        """
        try:
            # Absolute: twistd changes its working directory after this.
            return cls.parse(read_text(path, MAX_FILE_BYTES), path.absolute().parent, secrets=secrets)
        except OSError as error:
            raise ConfigError((), str(error.strerror), path) from None
        except ConfigError as error:
            raise ConfigError(error.path, error.message, path) from None
        except ValueError as error:
            raise ConfigError((), str(error), path) from None

    @classmethod
    def parse(cls, text: str, base: Path, *, secrets: bool = True) -> Config:
        """The configuration in a text; files it names are relative to ``base``. Raises: ConfigError."""
        return from_tree(load_toml(text), base, secrets=secrets)

    def check_durable(self) -> None:
        """Apart, since the command line may give or take the store.

        Raises: ConfigError: a durable channel has none.
        """
        for realm, settings in self.realms.items():
            for channel, rules in settings.channels.items():
                if rules.durable and not self.store.path:
                    key = ("realms", realm, "channels", channel, "durable")
                    raise ConfigError(key, "needs a store: give store.path, or --store")

    def not_yet(self) -> list[str]:
        """The keys in use that this version accepts and does not act on, one line each."""
        lines = []
        for name, realm in self.realms.items():
            for kind, is_used, key, why in NOT_YET:
                nodes: dict[str, Any] = getattr(realm, kind)
                at = [("realms", name, kind, node, key) for node in nodes if is_used(node, nodes[node])]
                lines += [f"{dotted(part for part in path if part)}: {why}" for path in at]
        return lines


NOT_YET: Final[tuple[tuple[str, Callable[[str, Any], bool], str, str], ...]] = (
    (
        "channels",
        lambda name, channel: is_pattern(name) and channel == Channel(),
        "",
        "a pattern that sets nothing",
    ),
)
"""What ``not_yet`` looks for: table of a realm, is it in use, key within the table's entry, reason."""


def from_tree(document: dict[str, Any], base: Path, *, secrets: bool = True) -> Config:
    """The configuration in a parsed document; its files are relative to ``base``. Raises: ConfigError."""
    config: Config = Reader(base, secrets).value(inspect.type_info(Config), document, ())
    check_plans(config.plans, config.accounts)
    check_otel(config.otel, secrets)
    check_cluster(config.cluster, config.listen)
    check(config.listen, config.http, config.realms, config.limits, config.accounts)
    return config
