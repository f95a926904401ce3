"""The tables of a configuration file, as frozen structs: their keys, defaults and bounds."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, field
from msgspec.structs import replace

from radiod.config.doors import Name
from radiod.config.reading import Node
from radiod.secret import Secret

__all__ = [
    "ADMIN_REALM",
    "ADMIN_SOCKET",
    "LISTENER",
    "Account",
    "Admin",
    "Buffer",
    "Channel",
    "Disclose",
    "Dynamic",
    "History",
    "Kdf",
    "Key",
    "Limits",
    "Log",
    "LogFormat",
    "Method",
    "Metrics",
    "Operations",
    "Patterns",
    "Policy",
    "Realm",
    "Role",
    "Scram",
    "Store",
    "Usage",
    "User",
    "Wampcra",
    "Webhook",
    "WebhookEvent",
]

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=512, le=1 << 24)]
ManyBytes = Annotated[int, Meta(ge=512, le=1 << 40)]
# Looking for what has to go costs too much for each byte where there are few of them.
Budget = Annotated[int, Meta(ge=65_536, le=1 << 40)]
# Shorter periods would keep the server busy with nothing but its timers, and its peers with reconnecting.
Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
SomeSeconds = Annotated[float, Meta(ge=0, le=86_400)]
# Until the year 9999.
Date = Annotated[float, Meta(ge=0, le=253_402_300_799)]
LongSeconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Hex = Annotated[str, Meta(pattern="^([0-9a-fA-F]{2}){1,128}$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]
Patterns = tuple[str, ...]


class Store(Node, frozen=True, kw_only=True):
    """``[store]``"""

    path: str = ""

    def placed(self, base: Path) -> Store:
        """With the whole path."""
        return Store(path=str(base / self.path)) if self.path else self


ADMIN_SOCKET: Final = "radiod-admin.sock"
ADMIN_REALM: Final = "radiod.admin"
"""What the first realm is called on the admin socket besides, for who cannot know its name."""
"""The admin socket's name beside a configuration file that does not say another."""


class Admin(Node, frozen=True, kw_only=True):
    """``[admin]``"""

    socket: str | None = None

    def placed(self, base: Path) -> Admin:
        """With the whole path."""
        return Admin(socket=str(base / self.socket)) if self.socket else self

    def path(self, file: Path | None) -> str:
        """Where the socket is, if this is in ``file``; None: in no file. Empty: there is none."""
        if self.socket is not None or file is None:
            return self.socket or ""
        return str(file.absolute().parent / ADMIN_SOCKET)


class Operations(Node, frozen=True, kw_only=True):
    """``[operations]``"""

    drain_s: SomeSeconds = 0.0
    state: str | None = None

    def placed(self, base: Path) -> Operations:
        """With the whole path."""
        return replace(self, state=str(base / self.state)) if self.state else self


class LogFormat(Enum):
    """What lines of the log look like."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    JOURNAL = "journal"


class Log(Node, frozen=True, kw_only=True):
    """``[log]``"""

    format: LogFormat = LogFormat.AUTO


class Metrics(Node, frozen=True, kw_only=True):
    """``[metrics]``"""

    max_channels: Annotated[int, Meta(ge=0, le=10_000)] = 100


class Usage(Node, frozen=True, kw_only=True):
    """``[usage]``"""

    flush_s: Seconds = 5.0
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 400


class Limits(Node, frozen=True, kw_only=True):
    """``[limits]``"""

    max_message_bytes: Bytes = 1_048_576
    max_upload_bytes: ManyBytes = 1_073_741_824
    max_nesting: Annotated[int, Meta(ge=8, le=90)] = 64
    max_connections: Count = 50_000
    max_connections_per_address: Count = 256
    max_unauthenticated_seconds: Seconds = 10.0
    message_timeout_s: Seconds = 10.0
    max_unfinished_bytes: ManyBytes = 67_108_864
    call_timeout_s: Seconds = 60.0
    max_pending_calls: Count = 4096
    max_subscriptions: Count = 10_000
    max_registrations: Count = 10_000
    max_channels: Count = 10_000
    max_channels_per_session: Count = 100
    max_channels_per_user: Count = 1000
    max_memberships: Count = 1000
    max_keys: Count = 100_000
    max_accounts: Count = 100_000
    max_users: Count = 100_000
    max_history_bytes: ManyBytes = 1_073_741_824
    max_history_bytes_per_user: ManyBytes = 268_435_456
    demand_hold_s: Seconds = 1.0
    max_retained_topics: Count = 10_000
    max_retained_bytes: ManyBytes = 67_108_864
    max_testaments: Count = 100
    max_buffer_bytes: ManyBytes = 16_777_216
    max_session_bytes: Budget = 67_108_864
    max_buffered_bytes: Budget = 1_073_741_824
    wait_timeout_s: Seconds = 5.0
    max_backlog_bytes: ManyBytes = 4_194_304
    max_fragments: Count = 1024
    compression: bool = True
    ping_interval_s: Seconds = 30.0
    ping_timeout_s: Seconds = 20.0
    http_timeout_s: Seconds = 30.0
    http_idle_s: Seconds = 75.0
    idempotency_s: Seconds = 600.0
    heartbeat_s: Seconds = 15.0
    stats_interval_s: Annotated[float, Meta(ge=1, le=86_400)] = 5.0
    log_interval_s: Seconds = 10.0


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
    hold_publishers: bool | None = None
    rate: Annotated[float, Meta(ge=0.01, le=1_000_000)] | None = None
    burst: Count | None = None
    authorizer: Name | None = None
    authorizer_timeout_s: Seconds = 5.0
    authorizer_cache_s: SomeSeconds = 60.0


class Wampcra(Node, frozen=True, kw_only=True):
    """``wampcra`` of a user; the password ``secret`` is also given otherwise: ``secret.ways``."""

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
    """``[realms.<realm>.users.<authid>]``; a ticket is also given otherwise: ``secret.ways``."""

    role: str
    account: Name | None = None
    ticket: Secret | None = None
    wampcra: Wampcra | None = None
    scram: Scram | None = None
    cryptosign: tuple[Hex32, ...] = ()


class Method(Enum):
    """Ways to prove who one is that need to know the user."""

    TICKET = "ticket"
    WAMPCRA = "wampcra"
    WAMP_SCRAM = "wamp-scram"
    SCRAM = "scram"
    CRYPTOSIGN = "cryptosign"


class Dynamic(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.dynamic]``; the token is also given otherwise: ``secret.ways``."""

    methods: tuple[Method, ...]
    procedure: Name | None = None
    hook: Name | None = None
    hook_token: Secret | None = None
    timeout_s: Seconds = 5.0
    cache_s: SomeSeconds = 60.0
    max_cache: Count = 10_000


class Key(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.keys.<name>]``; its two secrets are also given otherwise: ``secret.ways``."""

    key: Secret
    publish: Patterns = ()
    listen: Patterns = ()
    call: Patterns = ()
    register: Patterns = ()
    signing: Secret | None = None
    metrics: bool = False
    account: Name | None = None
    label: str = ""
    valid_from: Date | None = None
    valid_until: Date | None = None
    origins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Account(Node, frozen=True, kw_only=True):
    """``[accounts.<id>]``"""

    label: str = ""
    plan: Name | None = None


class WebhookEvent(Enum):
    """What a webhook can be told of."""

    CHANNEL_EVENT = "channel.event"
    CHANNEL_CREATED = "channel.created"
    CHANNEL_DELETED = "channel.deleted"
    CHANNEL_DEMAND = "channel.demand"
    KEY_REVOKED = "key.revoked"
    ACCOUNT_QUOTA = "account.quota"


class Webhook(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.webhooks.<name>]``; its two secrets are also given as ``…_file`` or ``…_env``."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    secret: Secret
    old_secret: Secret | None = None
    channels: Patterns = ()
    events: tuple[WebhookEvent, ...] = (WebhookEvent.CHANNEL_EVENT,)


class Policy(Enum):
    """What a full buffer does."""

    RING = "ring"
    SKIP = "skip"
    CLEAR = "clear"
    WAIT = "wait"
    RAISE = "raise"


class Buffer(Node, frozen=True, kw_only=True):
    """``buffer`` of a channel."""

    size: Annotated[int, Meta(ge=0, le=100_000)] = 100
    policy: Policy = Policy.RING
    every: Annotated[int, Meta(ge=1, le=2**53)] = 1
    min_interval: SomeSeconds = 0.0
    latest: bool = False
    weight: Annotated[int, Meta(ge=1, le=100)] = 1
    max_bytes: ManyBytes = 1_048_576


class History(Node, frozen=True, kw_only=True):
    """``history`` of a channel."""

    size: Count = 100
    seconds: LongSeconds = 3600.0
    bytes: ManyBytes = 1 << 26


class Channel(Node, frozen=True, kw_only=True):
    """``[realms.<realm>.channels.<name>]``; the key is also given otherwise: ``secret.ways``."""

    public: bool = True
    key: Secret | None = None
    single_writer: bool = False
    presence: bool = False
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
    cookie_lifetime_s: LongSeconds | None = None
    roles: dict[str, Role] = field(default_factory=lambda: {"listener": LISTENER})
    users: dict[str, User] = {}
    dynamic: Dynamic | None = None
    keys: dict[str, Key] = {}
    channels: dict[str, Channel] = {}
    webhooks: dict[str, Webhook] = {}

    def placed(self, base: Path) -> Realm:
        """With the built-in role."""
        return replace(self, roles={"listener": LISTENER, **self.roles})

    def may_hold_publishers(self, role: str) -> bool:
        """Whether holders of a role may; strangers may not unless the configuration says so.

        One of them could stop every publisher of a channel.
        """
        given = self.roles[role].hold_publishers
        return role not in (self.anonymous, "listener") if given is None else given
