"""The configuration: one frozen tree, parsed once from TOML, past which nobody sees a dictionary.

Every key, its default, bounds and risk is documented in ``docs/configuration.md``; a test keeps both equal.
A mistake is a ``ConfigError`` that names the key; no message holds a secret.
"""

from radiod.config.checking import OWN_PATHS
from radiod.config.cluster import Cluster, Isolated
from radiod.config.doors import Http, Listen, Served, Tls
from radiod.config.nodes import (
    ADMIN_REALM,
    Account,
    Admin,
    Buffer,
    Channel,
    Disclose,
    Dynamic,
    History,
    Kdf,
    Key,
    Limits,
    Log,
    LogFormat,
    Method,
    Metrics,
    Operations,
    Policy,
    Realm,
    Role,
    Scram,
    Store,
    Usage,
    User,
    Wampcra,
    Webhook,
    WebhookEvent,
)
from radiod.config.reading import ConfigError
from radiod.config.tracing import Otel
from radiod.config.tree import Config, from_tree
from radiod.core.plans import Plan
from radiod.secret import Secret

__all__ = [
    "ADMIN_REALM",
    "OWN_PATHS",
    "Account",
    "Admin",
    "Buffer",
    "Channel",
    "Cluster",
    "Config",
    "ConfigError",
    "Disclose",
    "Dynamic",
    "History",
    "Http",
    "Isolated",
    "Kdf",
    "Key",
    "Limits",
    "Listen",
    "Log",
    "LogFormat",
    "Method",
    "Metrics",
    "Operations",
    "Otel",
    "Plan",
    "Policy",
    "Realm",
    "Role",
    "Scram",
    "Secret",
    "Served",
    "Store",
    "Tls",
    "Usage",
    "User",
    "Wampcra",
    "Webhook",
    "WebhookEvent",
    "from_tree",
]
