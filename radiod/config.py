"""The configuration: one frozen tree, parsed once from TOML, past which nobody sees a dictionary.

Every key, its default, bounds and risk is documented in ``docs/configuration.md``; a test keeps both equal.
A mistake is a ``ConfigError`` that names the key; no message holds a secret.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_reserved
from radiod.secret import Secret

__all__ = [
    "Buffer",
    "Channel",
    "Config",
    "ConfigError",
    "Disclose",
    "History",
    "Key",
    "Limits",
    "Listen",
    "Policy",
    "Realm",
    "Role",
    "Secret",
    "Store",
    "User",
    "from_tree",
    "is_pattern",
]

T = TypeVar("T", bound=Struct)

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=512, le=1 << 24)]
ManyBytes = Annotated[int, Meta(ge=512, le=1 << 40)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
LongSeconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_URI_LENGTH)]
Patterns = tuple[str, ...]


class ConfigError(Exception):
    """Something in the configuration is wrong; ``path`` names the key, the message is one line."""

    def __init__(self, path: tuple[str, ...], text: str) -> None:
        super().__init__(": ".join([".".join(_quoted(key) for key in path), text]) if path else text)
        self.path = path


def _quoted(key: str) -> str:
    """A key as TOML would write it in a path."""
    return key if key and all(c.isalnum() or c in "-_[]" for c in key) else repr(key)


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table; each kind repeats ``frozen`` because type checkers ask for it class by class."""


class Listen(Node, frozen=True):
    """``[[listen]]``"""

    endpoint: Name


class Store(Node, frozen=True):
    """``[store]``"""

    path: str = ""


class Limits(Node, frozen=True):
    """``[limits]``"""

    max_message_bytes: Bytes = 1_048_576
    max_connections: Count = 50_000
    max_unauthenticated_seconds: Seconds = 10.0
    call_timeout_s: Seconds = 60.0
    max_pending_calls: Count = 4096
    max_subscriptions: Count = 10_000
    max_registrations: Count = 10_000
    max_channels: Count = 10_000
    max_retained_topics: Count = 10_000
    max_retained_bytes: ManyBytes = 67_108_864
    max_backlog_bytes: ManyBytes = 4_194_304
    max_fragments: Count = 1024
    ping_interval_s: Seconds = 30.0
    ping_timeout_s: Seconds = 20.0
    http_timeout_s: Seconds = 30.0


class Disclose(Enum):
    """When a role's identity is revealed."""

    ALWAYS = "always"
    ASKED = "asked"
    NEVER = "never"


class Role(Node, frozen=True):
    """``[realms.<realm>.roles.<role>]``"""

    subscribe: Patterns = ()
    publish: Patterns = ()
    call: Patterns = ()
    register: Patterns = ()
    deny: Patterns = ()
    disclose: Disclose = Disclose.ASKED
    disclosed: Patterns = ()


class User(Node, frozen=True):
    """``[realms.<realm>.users.<authid>]``; a ticket is also given as ``ticket_file`` or ``ticket_env``."""

    role: str
    ticket: Secret | None = None
    wampcra: dict[str, Any] | None = None
    scram: dict[str, Any] | None = None
    cryptosign: tuple[str, ...] = ()


class Key(Node, frozen=True):
    """``[realms.<realm>.keys.<name>]``; the key is also given as ``key_file`` or ``key_env``."""

    key: Secret
    publish: Patterns = ()
    listen: Patterns = ()


class Policy(Enum):
    """What a full buffer does."""

    RING = "ring"
    SKIP = "skip"
    CLEAR = "clear"
    WAIT = "wait"
    RAISE = "raise"


class Buffer(Node, frozen=True):
    """``buffer`` of a channel."""

    size: Count = 100
    policy: Policy = Policy.RING
    every: Count = 1
    min_interval: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    latest: bool = False
    weight: Annotated[int, Meta(ge=1, le=100)] = 1
    max_bytes: ManyBytes = 1_048_576


class History(Node, frozen=True):
    """``history`` of a channel."""

    size: Count = 100
    seconds: LongSeconds = 3600.0
    bytes: ManyBytes = 1 << 26


class Channel(Node, frozen=True):
    """``[realms.<realm>.channels.<name>]``"""

    public: bool = True
    history: History | None = None
    durable: bool = False
    buffer: Buffer = Buffer()
    aliases: tuple[str, ...] = ()


LISTENER: Final = Role(subscribe=("*",), call=("*",))
"""The built-in role ``listener``: subscribe and call anything public."""


class Realm(Node, frozen=True):
    """``[realms.<realm>]``"""

    anonymous: str | None = None
    undeclared_topics: bool = True
    roles: dict[str, Role] = field(default_factory=lambda: {"listener": LISTENER})
    users: dict[str, User] = {}
    keys: dict[str, Key] = {}
    channels: dict[str, Channel] = {}


class Config(Node, frozen=True):
    """Everything. ``Config()`` is what radiod does without a file."""

    listen: tuple[Listen, ...] = (Listen(endpoint="tcp:8080:interface=127.0.0.1"),)
    store: Store = Store()
    limits: Limits = Limits()
    realms: dict[str, Realm] = field(default_factory=lambda: {"radio": Realm(anonymous="listener")})

    @classmethod
    def load(cls, path: Path) -> Config:
        """The configuration in a file. Raises: ConfigError: it cannot be read, or is wrong."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError((), f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError((), f"{path}: not UTF-8") from None
        try:
            return cls.parse(text, path.parent)
        except ConfigError as error:
            raise ConfigError((), f"{path}: {error}") from None

    @classmethod
    def parse(cls, text: str, base: Path) -> Config:
        """The configuration in a text; files it names are relative to ``base``. Raises: ConfigError."""
        try:
            document = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError((), f"not TOML: {error}") from None
        return from_tree(document, base)

    def not_yet(self) -> list[str]:
        """The keys in use that this version accepts and does not act on, one line each."""
        lines = ["store.path: nothing is stored"] if self.store.path else []
        for name, realm in self.realms.items():
            lines += [f"realms.{name}.{line}" for line in _not_yet(realm)]
        return lines


def from_tree(document: dict[str, Any], base: Path) -> Config:
    """The configuration in a parsed document; its files are relative to ``base``. Raises: ConfigError."""
    config = _Parser(base).config(document)
    _Checker(config).check()
    return config


def _not_yet(realm: Realm) -> Iterator[str]:
    for name, role in realm.roles.items():
        if role.disclose is not Disclose.ASKED or role.disclosed:
            yield f"roles.{name}.disclose: identities are not revealed"
    for name, user in realm.users.items():
        for method in ("wampcra", "scram", "cryptosign"):
            if getattr(user, method):
                yield f"users.{name}.{method}: this method is not offered"
    for name, channel in realm.channels.items():
        missing = {
            "history": channel.history is not None,
            "durable": channel.durable,
            "buffer": channel.buffer != Buffer(),
            "(pattern)": is_pattern(name),
        }
        yield from (f"channels.{name}.{key}: has no effect" for key, is_used in missing.items() if is_used)


class _Parser:
    """Tables to nodes, one table at a time, so that every error can name its key."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def config(self, document: dict[str, Any]) -> Config:
        parts: dict[str, Callable[[Any], Any]] = {
            "listen": lambda value: tuple(
                self._node(Listen, item, ("listen", f"[{index}]"))
                for index, item in enumerate(_list(value, ("listen",)))
            ),
            "store": self._store,
            "limits": lambda value: self._node(Limits, value, ("limits",)),
            "realms": lambda value: self._each(value, ("realms",), self._realm),
        }
        _known(document, parts, ())
        parsed: dict[str, Any] = {key: parts[key](value) for key, value in document.items()}
        return Config(**parsed)

    def _store(self, value: Any) -> Store:
        store = self._node(Store, value, ("store",))
        return Store(path=str(self._base / store.path)) if store.path else store

    def _realm(self, value: Any, path: tuple[str, ...]) -> Realm:
        nested: dict[str, Callable[[Any, tuple[str, ...]], Any]] = {
            "roles": lambda item, at: self._node(Role, item, at),
            "users": self._user,
            "keys": self._key,
            "channels": lambda item, at: self._node(Channel, item, at),
        }
        table = _table(value, path)
        plain = {key: item for key, item in table.items() if key not in nested}
        tables = {
            key: self._each(table[key], (*path, key), parse) for key, parse in nested.items() if key in table
        }
        if "roles" in tables:
            tables["roles"] = {"listener": LISTENER, **tables["roles"]}
        _known(table, Realm.__struct_fields__, path)
        return msgspec.structs.replace(self._node(Realm, plain, path), **tables)

    def _user(self, value: Any, path: tuple[str, ...]) -> User:
        table, ticket = self._secret(_table(value, path), "ticket", path)
        return msgspec.structs.replace(self._node(User, table, path), ticket=ticket)

    def _key(self, value: Any, path: tuple[str, ...]) -> Key:
        table, key = self._secret(_table(value, path), "key", path)
        if key is None:
            raise ConfigError((*path, "key"), "missing; give key, key_file or key_env")
        rest = self._node(_KeyRest, table, path)
        return Key(key=key, publish=rest.publish, listen=rest.listen)

    def _secret(
        self, table: dict[str, Any], name: str, path: tuple[str, ...]
    ) -> tuple[dict[str, Any], Secret | None]:
        """Take a secret out of its table. Returns: the rest of the table, and the secret."""
        ways: dict[str, Callable[[str], str]] = {
            name: str,
            f"{name}_file": self._read_file,
            f"{name}_env": _read_env,
        }
        given = [key for key in ways if key in table]
        if len(given) > 1:
            raise ConfigError((*path, given[1]), f"given together with {given[0]}")
        rest = {key: value for key, value in table.items() if key not in ways}
        if not given:
            return rest, None
        at = (*path, given[0])
        if not isinstance(table[given[0]], str):
            raise ConfigError(at, "expected a string")
        try:
            text = ways[given[0]](table[given[0]])
        except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
            raise ConfigError(at, f"cannot be read: {type(error).__name__}") from None
        if not text:
            raise ConfigError(at, "is empty")
        return rest, Secret(text)

    def _read_file(self, name: str) -> str:
        return (self._base / name).read_text(encoding="utf-8").removesuffix("\n")

    def _each(
        self, value: Any, path: tuple[str, ...], parse: Callable[[Any, tuple[str, ...]], Any]
    ) -> dict[str, Any]:
        return {key: parse(item, (*path, key)) for key, item in _table(value, path).items()}

    def _node(self, kind: type[T], value: Any, path: tuple[str, ...]) -> T:
        table = _table(value, path)
        _known(table, kind.__struct_fields__, path)
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at `$")
            keys = tuple(key for key in where.strip("`").replace("[", ".[").split(".") if key)
            raise ConfigError((*path, *keys), text) from None


class _KeyRest(Node, frozen=True):
    """A key's table without the secret."""

    publish: Patterns = ()
    listen: Patterns = ()


def _read_env(name: str) -> str:
    return os.environ[name]


def _table(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(path, "expected a table")
    return value


def _list(value: Any, path: tuple[str, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(path, "expected an array of tables")
    return value


def _known(table: dict[str, Any], known: Any, path: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, list(known), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError((*path, key), f"unknown key; {hint}")


OWN_PATHS: Final = (
    "/ws",
    "/publish",
    "/api",
    "/call",
    "/listen",
    "/channels",
    "/healthz",
    "/readyz",
    "/metrics",
    "/static",
)


class _Checker:
    """What types cannot say: references, patterns, names, things that must differ."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, tuple[str, ...]] = {}

    def check(self) -> None:
        if not self._config.listen:
            raise ConfigError(("listen",), "at least one endpoint is needed")
        if not self._config.realms:
            raise ConfigError(("realms",), "at least one realm is needed")
        for name, realm in self._config.realms.items():
            path = ("realms", name)
            if not LOOSE.fullmatch(name):
                raise ConfigError(path, "a realm's name must be a URI")
            self._realm(realm, path)

    def _realm(self, realm: Realm, path: tuple[str, ...]) -> None:
        if realm.anonymous is not None:
            _role_exists(realm, realm.anonymous, (*path, "anonymous"))
        for name, user in realm.users.items():
            _role_exists(realm, user.role, (*path, "users", name, "role"))
        for name, role in realm.roles.items():
            for action in ("subscribe", "publish", "call", "register", "deny", "disclosed"):
                _check_patterns(getattr(role, action), (*path, "roles", name, action))
        for name, key in realm.keys.items():
            self._key(key, (*path, "keys", name))
        for name, channel in realm.channels.items():
            self._channel(name, channel, (*path, "channels", name))

    def _key(self, key: Key, path: tuple[str, ...]) -> None:
        _check_patterns(key.publish, (*path, "publish"))
        _check_patterns(key.listen, (*path, "listen"))
        other = self._keys.setdefault(key.key.reveal(), path)
        if other != path:
            raise ConfigError(path, f"the same key as {'.'.join(other)}")

    def _channel(self, name: str, channel: Channel, path: tuple[str, ...]) -> None:
        _check_patterns((name,), path)
        if is_reserved(name) or name == "*":
            raise ConfigError(path, "names under wamp. and radiod. belong to the router")
        if not channel.public:
            # To accept this and not keep it would show private data to everybody.
            raise ConfigError((*path, "public"), "private channels are not supported by this version")
        for alias in channel.aliases:
            at = (*path, "aliases")
            if not alias.startswith("/") or alias == "/" or _is_own(alias):
                raise ConfigError(at, f"{alias!r} must be a path that is not radiod's own")
            other = self._aliases.setdefault(alias, at)
            if other != at:
                raise ConfigError(at, f"{alias!r} is an alias in {'.'.join(other)} already")


def _is_own(path: str) -> bool:
    return any(path == own or path.startswith(own + "/") for own in OWN_PATHS)


def _role_exists(realm: Realm, role: str, path: tuple[str, ...]) -> None:
    if role not in realm.roles:
        raise ConfigError(path, f"no such role {role!r} (known: {', '.join(realm.roles)})")


def is_pattern(uri: str) -> bool:
    """True for a channel's name that stands for every topic it matches."""
    return uri.endswith("*") or "" in uri.split(".")


def _check_patterns(patterns: Patterns, path: tuple[str, ...]) -> None:
    for pattern in patterns:
        # With its wildcards filled in, a pattern is a URI.
        prefix = pattern[:-2] if pattern.endswith(".*") else pattern
        filled = ".".join(part or "x" for part in prefix.split(".")) if prefix != "*" else "x"
        if not pattern or len(pattern) > MAX_URI_LENGTH or "*" in prefix[:-1] or not LOOSE.fullmatch(filled):
            raise ConfigError(path, f"{pattern!r} is no URI pattern")
        if prefix.endswith("*") and prefix != "*":
            raise ConfigError(path, f"{pattern!r} is no URI pattern; did you mean {prefix[:-1] + '.*'!r}?")
