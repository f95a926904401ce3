"""The configuration: one frozen tree, parsed once from TOML, past which nobody sees a dictionary.

Every key, its default, bounds and risk is documented in ``docs/configuration.md``; a test keeps both equal.
A mistake is a ``ConfigError`` that names the key; no message holds a secret.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field, inspect

from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_pattern, is_reserved
from radiod.secret import Secret, obtain, ways

__all__ = [
    "Buffer",
    "Channel",
    "Config",
    "ConfigError",
    "Disclose",
    "History",
    "Kdf",
    "Key",
    "Limits",
    "Listen",
    "Policy",
    "Realm",
    "Role",
    "Scram",
    "Secret",
    "Store",
    "User",
    "Wampcra",
    "from_tree",
]

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=512, le=1 << 24)]
ManyBytes = Annotated[int, Meta(ge=512, le=1 << 40)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
LongSeconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_URI_LENGTH)]
Hex = Annotated[str, Meta(pattern="^([0-9a-fA-F]{2}){1,128}$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]
Patterns = tuple[str, ...]
KeyPath = tuple[str, ...]


class ConfigError(Exception):
    """Something in the configuration is wrong. ``path`` names the key; ``str`` is one line."""

    def __init__(self, path: KeyPath, message: str, file: Path | None = None) -> None:
        super().__init__(": ".join(part for part in (str(file or ""), _dotted(path), message) if part))
        self.path = path
        self.message = message


def _dotted(path: Iterable[str]) -> str:
    return ".".join(_quoted(key) for key in path)


def _quoted(key: str) -> str:
    """A key as TOML would write it in a path; never with a line's end."""
    return key if key and all(c.isalnum() or c in "-_[]" for c in key) else repr(key)


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table; each kind repeats ``kw_only`` (not inherited) and ``frozen`` (type checkers ask for it)."""


class Listen(Node, frozen=True, kw_only=True):
    """``[[listen]]``"""

    endpoint: Name


class Store(Node, frozen=True, kw_only=True):
    """``[store]``"""

    path: str = ""


class Limits(Node, frozen=True, kw_only=True):
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
    max_testaments: Count = 100
    max_backlog_bytes: ManyBytes = 4_194_304
    max_fragments: Count = 1024
    compression: bool = True
    ping_interval_s: Seconds = 30.0
    ping_timeout_s: Seconds = 20.0
    http_timeout_s: Seconds = 30.0
    stats_interval_s: Annotated[float, Meta(ge=1, le=86_400)] = 5.0


class Disclose(Enum):
    """When a role's identity is revealed."""

    ALWAYS = "always"
    ASKED = "asked"
    NEVER = "never"


class Role(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.roles.<role>]``"""

    subscribe: Patterns = ()
    publish: Patterns = ()
    call: Patterns = ()
    register: Patterns = ()
    deny: Patterns = ()
    disclose: Disclose = Disclose.ASKED
    disclosed: Patterns = ()
    trustlevel: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class Wampcra(Node, frozen=True, kw_only=True):
    """``wampcra`` of a user; the password ``secret`` is also given as ``secret_file`` or ``secret_env``."""

    secret: Secret
    salt: str = ""
    iterations: Count = 1000
    keylen: Annotated[int, Meta(ge=16, le=64)] = 32


class Kdf(Enum):
    """How a SCRAM password was salted."""

    ARGON2ID13 = "argon2id13"
    PBKDF2 = "pbkdf2"


class Scram(Node, frozen=True, kw_only=True):
    """``scram`` of a user: what verifies a password without holding it; secret all the same."""

    kdf: Kdf
    salt: Hex
    iterations: Count
    memory: Annotated[int, Meta(ge=8, le=1 << 20)] | None = None
    stored_key: Secret
    server_key: Secret


class User(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.users.<authid>]``; a ticket is also given as ``ticket_file`` or ``ticket_env``."""

    role: str
    ticket: Secret | None = None
    wampcra: Wampcra | None = None
    scram: Scram | None = None
    cryptosign: tuple[Hex32, ...] = ()


class Key(Node, frozen=True, kw_only=True):
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


class Buffer(Node, frozen=True, kw_only=True):
    """``buffer`` of a channel."""

    size: Count = 100
    policy: Policy = Policy.RING
    every: Count = 1
    min_interval: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    latest: bool = False
    weight: Annotated[int, Meta(ge=1, le=100)] = 1
    max_bytes: ManyBytes = 1_048_576


class History(Node, frozen=True, kw_only=True):
    """``history`` of a channel."""

    size: Count = 100
    seconds: LongSeconds = 3600.0
    bytes: ManyBytes = 1 << 26


class Channel(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.channels.<name>]``"""

    public: bool = True
    history: History | None = None
    durable: bool = False
    buffer: Buffer = Buffer()
    aliases: tuple[str, ...] = ()


LISTENER: Final = Role(subscribe=("*",), call=("*",))
"""The built-in role ``listener``: subscribe and call anything public."""


class Realm(Node, frozen=True, kw_only=True):
    """``[realms.<realm>]``"""

    anonymous: str | None = None
    undeclared_topics: bool = True
    roles: dict[str, Role] = field(default_factory=lambda: {"listener": LISTENER})
    users: dict[str, User] = {}
    keys: dict[str, Key] = {}
    channels: dict[str, Channel] = {}


class Config(Node, frozen=True, kw_only=True):
    """Everything. ``Config()`` is what radiod does without a file."""

    listen: tuple[Listen, ...] = (Listen(endpoint="tcp:8080:interface=127.0.0.1"),)
    store: Store = Store()
    limits: Limits = Limits()
    realms: dict[str, Realm] = field(default_factory=lambda: {"radio": Realm(anonymous="listener")})

    @classmethod
    def load(cls, path: Path) -> Config:
        """The configuration in a file. Raises: ConfigError: it cannot be read, or is wrong."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"), path.parent)
        except OSError as error:
            raise ConfigError((), str(error.strerror), path) from None
        except UnicodeDecodeError:
            raise ConfigError((), "not UTF-8", path) from None
        except ConfigError as error:
            raise ConfigError(error.path, error.message, path) from None

    @classmethod
    def parse(cls, text: str, base: Path) -> Config:
        """The configuration in a text; files it names are relative to ``base``. Raises: ConfigError."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            end = f"(at line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))})"
            raise ConfigError((), f"not TOML: {error}".replace("(at end of document)", end)) from None
        except RecursionError:
            raise ConfigError((), "not TOML: nested too deep") from None
        except ValueError:  # Python's bound on the digits of an integer
            raise ConfigError((), "not TOML: a number is too long") from None
        return from_tree(document, base)

    def not_yet(self) -> list[str]:
        """The keys in use that this version accepts and does not act on, one line each."""
        lines = ["store.path: nothing is stored"] if self.store.path else []
        for name, realm in self.realms.items():
            for kind, is_used, key, why in NOT_YET:
                nodes: dict[str, Any] = getattr(realm, kind)
                at = [("realms", name, kind, node, key) for node in nodes if is_used(node, nodes[node])]
                lines += [f"{_dotted(part for part in path if part)}: {why}" for path in at]
        return lines


NOT_YET: Final[tuple[tuple[str, Callable[[str, Any], bool], str, str], ...]] = (
    ("channels", lambda _, channel: channel.durable, "durable", "has no effect"),
    ("channels", lambda _, channel: channel.buffer != Buffer(), "buffer", "has no effect"),
    (
        "channels",
        lambda name, channel: is_pattern(name) and channel.history is None,
        "",
        "a pattern has no effect",
    ),
)
"""What ``not_yet`` looks for: table of a realm, is it in use, key within the table's entry, reason."""


def from_tree(document: dict[str, Any], base: Path) -> Config:
    """The configuration in a parsed document; its files are relative to ``base``. Raises: ConfigError."""
    config: Config = _Parser(base).value(inspect.type_info(Config), document, ())
    _Checker(config).check()
    return config


class _Parser:
    """Tables to nodes, innermost first and one at a time, so that every error can name its key."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def value(self, kind: inspect.Type, value: Any, path: KeyPath) -> Any:
        """A node, or nodes in an array or table, as ``kind`` says; anything else is left to its node."""
        match kind:
            case inspect.UnionType(types=(inspect.StructType() as inner, *_)):
                return self.value(inner, value, path)
            case inspect.StructType():
                return self._node(kind, _table(value, path), path)
            case inspect.DictType(value_type=inner):
                return {
                    key: self.value(inner, item, (*path, key)) for key, item in _table(value, path).items()
                }
            case inspect.VarTupleType(item_type=inspect.StructType() as inner):
                return [
                    self.value(inner, item, (*path, f"[{index}]"))
                    for index, item in enumerate(_list(value, path))
                ]
        return value

    def _node(self, kind: inspect.StructType, table: dict[str, Any], path: KeyPath) -> Any:
        _known(table, [name for item in kind.fields for name in _names(item)], path)
        parsed = {}
        for item in kind.fields:
            given = [name for name in _names(item) if name in table]
            if given:
                parsed[item.name] = self._field(item, given, table, path)
            elif item.required:
                hint = "; give {}, {} or {}".format(*_names(item)) if _is_secret(item.type) else ""
                raise ConfigError((*path, item.name), f"missing{hint}")
        return self._finish(_convert(parsed, kind.cls, path))

    def _field(self, item: inspect.Field, given: list[str], table: dict[str, Any], path: KeyPath) -> Any:
        key, at = given[0], (*path, given[0])
        if not _is_secret(item.type):
            return self.value(item.type, table[key], at)
        if len(given) > 1:
            raise ConfigError((*path, given[1]), f"given together with {key}")
        try:
            return obtain(key, table[key], self._base, item.name)
        except ValueError as error:
            raise ConfigError(at, str(error)) from None

    def _finish(self, node: Any) -> Any:
        """What a table leaves to its surroundings."""
        if isinstance(node, Store) and node.path:
            return Store(path=str(self._base / node.path))
        if isinstance(node, Realm):
            return msgspec.structs.replace(node, roles={"listener": LISTENER, **node.roles})
        return node


def _is_secret(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(one, inspect.CustomType) and one.cls is Secret for one in kinds)


def _names(item: inspect.Field) -> tuple[str, ...]:
    return ways(item.name) if _is_secret(item.type) else (item.name,)


def _convert(table: dict[str, Any], kind: type[Struct], path: KeyPath) -> Any:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        # From the right: the text may quote a value that looks like a place.
        text, found, where = str(error).rpartition(" - at `$")
        keys = tuple(key for key in where.strip("`").replace("[", ".[").split(".") if key) if found else ()
        raise ConfigError((*path, *keys), text if found else where) from None


def _table(value: Any, path: KeyPath) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(path, "expected a table")
    return value


def _list(value: Any, path: KeyPath) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(path, "expected an array of tables")
    return value


def _known(table: dict[str, Any], known: list[str], path: KeyPath) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError((*path, key), f"unknown key; {hint}")


# First segments of radiod's own paths; "/" is the live page.
OWN_PATHS: Final = frozenset(
    ("", "ws", "publish", "api", "call", "lp", "listen", "channels", "healthz", "readyz", "metrics", "static")
)
# What a request line can carry as it stands; "." and ".." are taken out by browsers.
ALIAS: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+/?")


class _Checker:
    """What types cannot say: references, patterns, names, things that must differ."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._aliases: dict[str, KeyPath] = {}
        self._keys: dict[str, KeyPath] = {}

    def check(self) -> None:
        if not self._config.listen:
            raise ConfigError(("listen",), "at least one endpoint is needed")
        if not self._config.realms:
            raise ConfigError(("realms",), "at least one realm is needed")
        for name, realm in self._config.realms.items():
            path = ("realms", name)
            if len(name) > MAX_URI_LENGTH or not LOOSE.fullmatch(name):
                raise ConfigError(path, "a realm's name must be a URI")
            self._realm(realm, path)

    def _realm(self, realm: Realm, path: KeyPath) -> None:
        if realm.anonymous is not None:
            _role_exists(realm, realm.anonymous, (*path, "anonymous"))
        for name, user in realm.users.items():
            _role_exists(realm, user.role, (*path, "users", name, "role"))
            if user.scram is not None:
                _check_scram(user.scram, (*path, "users", name, "scram"))
        for name, role in realm.roles.items():
            for action in ("subscribe", "publish", "call", "register", "deny", "disclosed"):
                _check_patterns(getattr(role, action), (*path, "roles", name, action))
        for name, key in realm.keys.items():
            self._key(key, (*path, "keys", name))
        for name, channel in realm.channels.items():
            self._channel(name, channel, (*path, "channels", name))

    def _key(self, key: Key, path: KeyPath) -> None:
        _check_patterns(key.publish, (*path, "publish"))
        _check_patterns(key.listen, (*path, "listen"))
        other = self._keys.setdefault(key.key.reveal(), path)
        if other is not path:
            raise ConfigError(path, f"the same key as {_dotted(other)}")

    def _channel(self, name: str, channel: Channel, path: KeyPath) -> None:
        _check_patterns((name,), path)
        if is_reserved(name):
            raise ConfigError(path, "names under wamp. and radiod. belong to the router")
        if not channel.public:
            # To accept this and not keep it would show private data to everybody.
            raise ConfigError((*path, "public"), "private channels are not supported by this version")
        if channel.aliases and path[1] != next(iter(self._config.realms)):
            # Listeners without a key are the first realm's: the path would lead to its channel of this name.
            raise ConfigError((*path, "aliases"), "only channels of the first realm have aliases")
        if channel.aliases and is_pattern(name):
            raise ConfigError((*path, "aliases"), "a path leads to one channel, not to a pattern")
        for index, alias in enumerate(channel.aliases):
            self._alias(alias, (*path, "aliases", f"[{index}]"))

    def _alias(self, alias: str, path: KeyPath) -> None:
        if not ALIAS.fullmatch(alias) or alias.split("/")[1] in OWN_PATHS:
            raise ConfigError(path, f"{alias!r} must be a path that is not radiod's own")
        other = self._aliases.setdefault(alias, path)
        if other is not path:
            raise ConfigError(path, f"{alias!r} is {_dotted(other)} already")


def _role_exists(realm: Realm, role: str, path: KeyPath) -> None:
    if role not in realm.roles:
        known = ", ".join(_quoted(name) for name in realm.roles)
        raise ConfigError(path, f"no such role {role!r} (known: {known})")


def _check_scram(scram: Scram, path: KeyPath) -> None:
    if (scram.memory is None) is (scram.kdf is Kdf.ARGON2ID13):
        raise ConfigError((*path, "memory"), "goes with kdf argon2id13, and only with it")
    for name, secret in (("stored_key", scram.stored_key), ("server_key", scram.server_key)):
        if not re.fullmatch("[0-9a-fA-F]{64}", secret.reveal()):
            raise ConfigError((*path, name), "must be 32 bytes in hex")


def _check_patterns(patterns: Patterns, path: KeyPath) -> None:
    for pattern in patterns:
        if not _is_well_formed(pattern):
            dotted = pattern[:-1] + ".*"
            hint = f"; did you mean {dotted!r}?" if pattern[-1:] == "*" and _is_well_formed(dotted) else ""
            raise ConfigError(path, f"{pattern!r} is no URI pattern{hint}")


def _is_well_formed(pattern: str) -> bool:
    """Exact, prefix, wildcard or everything; prefix and wildcard at once would match nothing."""
    if len(pattern) > MAX_URI_LENGTH or "*" in pattern.removesuffix("*"):
        return False
    if pattern.endswith("*"):
        return pattern == "*" or (pattern.endswith(".*") and LOOSE.fullmatch(pattern[:-2]) is not None)
    # With its empty components filled in, a wildcard is a URI.
    return pattern != "" and LOOSE.fullmatch(".".join(part or "x" for part in pattern.split("."))) is not None
