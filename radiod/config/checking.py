"""What the types of a configuration cannot say: references, patterns, names, things that must differ."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from radiod.config.doors import Http, Listen, Tls
from radiod.config.nodes import (
    Account,
    Channel,
    Dynamic,
    Kdf,
    Key,
    Limits,
    Patterns,
    Realm,
    Role,
    Scram,
    Webhook,
)
from radiod.config.reading import ConfigError, KeyPath, dotted, quoted
from radiod.core.plans import NAME as PLAN
from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_pattern, is_reserved
from radiod.wire.doors import ANY, NULL, ORIGIN
from radiod.wire.forwarded import UNIX, network

__all__ = ["OWN_PATHS", "check", "check_plans"]

# First segments of radiod's own paths; "/" is the live page.
OWN_PATHS: Final = frozenset(
    (
        "",
        "ws",
        "publish",
        "account",
        "api",
        "call",
        "lp",
        "listen",
        "channels",
        "healthz",
        "openapi.json",
        "readyz",
        "metrics",
        "static",
        "pages",
        "tokens",
    )
)
# What a request line can carry as it stands; "." and ".." are taken out by browsers.
ALIAS: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+/?")


def check(
    listen: tuple[Listen, ...],
    http: Http,
    realms: Mapping[str, Realm],
    limits: Limits,
    accounts: Mapping[str, Account] = {},
) -> None:
    """Check a configuration's realms and all below them. Raises: ConfigError."""
    if not listen:
        raise ConfigError(("listen",), "at least one endpoint is needed")
    if not realms:
        raise ConfigError(("realms",), "at least one realm is needed")
    for index, each in enumerate(listen):
        _check_listen(each, ("listen", f"[{index}]"))
    _check_origins(http.origins, ("http", "origins"))
    for id, account in accounts.items():
        _check_name(id, ("accounts", id))
        _check_label(account.label, ("accounts", id, "label"))
    checker = _Checker(next(iter(realms)), limits)
    for name, realm in realms.items():
        checker.check(name, realm)


def check_plans(names: Iterable[str], accounts: Mapping[str, Account]) -> None:
    """Check what plans are called, and how accounts may name them. Raises: ConfigError."""
    for name in names:
        if not PLAN.fullmatch(name):
            raise ConfigError(("plans", name), "a plan's name has 1 to 64 letters, digits, and _ . -")
    for id, account in accounts.items():
        if account.plan is not None and not PLAN.fullmatch(account.plan):
            raise ConfigError(
                ("accounts", id, "plan"), "a plan's name has 1 to 64 letters, digits, and _ . -"
            )


HEADER_VALUE: Final = re.compile(r"(?! )[^\x00-\x1f\x7f]+(?<! )")
TOKEN: Final = re.compile("[!-~]+")
WEBHOOK_SECRET: Final = "whsec_"
THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")

SPEAK_TLS: Final = ("ssl", "tls")

HOST_NAME: Final = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")

NO_RIGHTS: Final = Role()
DECIDED: Final = ("subscribe", "publish", "call", "register", "deny", "disclose", "disclosed", "trustlevel")
"""What an authorizer says instead of its role's table."""


class _Checker:
    """Checks realms one after the other; ``main`` is the name of the first."""

    def __init__(self, main: str, limits: Limits) -> None:
        self._main = main
        self._limits = limits
        self._aliases: dict[str, KeyPath] = {}
        self._keys: dict[str, KeyPath] = {}
        # name -> where the first key of this name is, and whether it signs
        self._names: dict[str, tuple[KeyPath, bool]] = {}

    def check(self, name: str, realm: Realm) -> None:
        path = ("realms", name)
        if len(name) > MAX_URI_LENGTH or not LOOSE.fullmatch(name):
            raise ConfigError(path, "a realm's name must be a URI")
        self._realm(realm, path)

    def _realm(self, realm: Realm, path: KeyPath) -> None:
        if realm.anonymous is not None:
            _role_exists(realm, realm.anonymous, (*path, "anonymous"))
        for name, user in realm.users.items():
            _role_exists(realm, user.role, (*path, "users", name, "role"))
            _check_account(user.account, (*path, "users", name, "account"))
            if user.scram is not None:
                _check_scram(user.scram, (*path, "users", name, "scram"))
        for name, role in realm.roles.items():
            _check_role(role, (*path, "roles", name))
        if realm.dynamic is not None:
            _check_dynamic(realm.dynamic, (*path, "dynamic"))
        for name, key in realm.keys.items():
            self._key(key, (*path, "keys", name))
        for name, channel in realm.channels.items():
            self._channel(name, channel, (*path, "channels", name))
        for name, webhook in realm.webhooks.items():
            _check_webhook(webhook, (*path, "webhooks", name))

    def _key(self, key: Key, path: KeyPath) -> None:
        _check_patterns(key.publish, (*path, "publish"))
        _check_patterns(key.listen, (*path, "listen"))
        _check_patterns(key.call, (*path, "call"))
        _check_patterns(key.register, (*path, "register"))
        _check_label(key.label, (*path, "label"))
        _check_account(key.account, (*path, "account"))
        _check_places(key, path)
        if not HEADER_VALUE.fullmatch(key.key.reveal()):
            raise ConfigError((*path, "key"), "no header can carry control characters, or spaces at its ends")
        other = self._keys.setdefault(key.key.reveal(), path)
        if other is not path:
            raise ConfigError(path, f"the same key as {dotted(other)}")
        self._name(path, key.signing is not None)

    def _name(self, path: KeyPath, signs: bool) -> None:
        """A signed query names its key and no realm."""
        other, other_signs = self._names.setdefault(path[-1], (path, signs))
        if other is path:
            return
        if signs or other_signs:
            raise ConfigError(path, f"the same name as {dotted(other)}, and one of the two has signing")

    def _channel(self, name: str, channel: Channel, path: KeyPath) -> None:
        _check_patterns((name,), path)
        if is_reserved(name):
            raise ConfigError(path, "names under wamp. and radiod. belong to the router")
        _check_private(name, channel, path)
        if channel.buffer.max_bytes > self._limits.max_buffer_bytes:
            bound = self._limits.max_buffer_bytes
            raise ConfigError((*path, "buffer", "max_bytes"), f"above limits.max_buffer_bytes, {bound}")
        if channel.aliases and path[1] != self._main:
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
            raise ConfigError(path, f"{alias!r} is {dotted(other)} already")


def _check_account(account: str | None, path: KeyPath) -> None:
    if account is not None:
        _check_name(account, path)


def _check_name(name: str, path: KeyPath) -> None:
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= MAX_URI_LENGTH:
        raise ConfigError(path, f"must be a name of 1 to {MAX_URI_LENGTH} printable characters")


def _check_label(label: str, path: KeyPath) -> None:
    if not label.isprintable() or len(label) > MAX_URI_LENGTH:
        raise ConfigError(path, f"must be printable, and at most {MAX_URI_LENGTH} characters")


def _check_places(key: Key, path: KeyPath) -> None:
    """When and from where it may be used."""
    begins, ends = key.valid_from, key.valid_until
    if begins is not None and ends is not None and ends <= begins:
        raise ConfigError((*path, "valid_until"), "must be later than valid_from")
    for index, origin in enumerate(key.origins):
        if not ORIGIN.fullmatch(origin):
            raise ConfigError(
                (*path, "origins", f"[{index}]"), f'{origin!r} must be as "https://example.org"'
            )
    _check_networks(key.addresses, (*path, "addresses"))


def _check_networks(networks: tuple[str, ...], path: KeyPath) -> None:
    for index, each in enumerate(networks):
        if each != UNIX and network(each) is None:
            what = f'{each!r} is no address, no network such as "10.0.0.0/8", and not "unix"'
            raise ConfigError((*path, f"[{index}]"), what)


def _check_listen(listen: Listen, path: KeyPath) -> None:
    if not listen.serve:
        raise ConfigError((*path, "serve"), "at least one of radio, metrics and admin is needed")
    _check_networks(listen.trusted_proxies, (*path, "trusted_proxies"))
    for index, host in enumerate(listen.hosts or ()):
        if not HOST_NAME.fullmatch(host):
            what = f'{host!r} must be a name in lower case without port, as "radio.example.org" or "[::1]"'
            raise ConfigError((*path, "hosts", f"[{index}]"), what)
    _check_origins(listen.origins or (), (*path, "origins"))
    if listen.tls is not None:
        _check_tls(listen.tls, listen.endpoint, (*path, "tls"))


def _check_tls(tls: Tls, endpoint: str, path: KeyPath) -> None:
    if (tls.certificate is None) is (tls.certificate_credential is None):
        raise ConfigError(path, "give one of certificate and certificate_credential")
    if tls.key is not None and tls.key_credential is not None:
        raise ConfigError((*path, "key_credential"), "given together with key")
    kind = endpoint.lower().removeprefix("haproxy:").partition(":")[0]
    if kind in SPEAK_TLS:
        raise ConfigError(path, f"endpoints of kind {kind} speak TLS already, with certificates of their own")


def _check_origins(origins: tuple[str, ...], path: KeyPath) -> None:
    for index, origin in enumerate(origins):
        if origin not in (ANY, NULL) and not ORIGIN.fullmatch(origin):
            what = f'{origin!r} must be as "https://www.example.org", "null" or "*"'
            raise ConfigError((*path, f"[{index}]"), what)


def _role_exists(realm: Realm, role: str, path: KeyPath) -> None:
    if role not in realm.roles:
        known = ", ".join(quoted(name) for name in realm.roles)
        raise ConfigError(path, f"no such role {role!r} (known: {known})")


def _check_role(role: Role, path: KeyPath) -> None:
    for key in ("subscribe", "publish", "call", "register", "deny", "disclosed"):
        _check_patterns(getattr(role, key), (*path, key))
    if role.burst is not None and role.rate is None:
        raise ConfigError((*path, "burst"), "without rate it means nothing")
    if role.authorizer is None:
        return
    _check_procedure(role.authorizer, (*path, "authorizer"))
    for key in DECIDED:
        if getattr(role, key) != getattr(NO_RIGHTS, key):
            raise ConfigError((*path, key), "the authorizer decides this: leave out one of the two")


def _check_procedure(procedure: str, path: KeyPath) -> None:
    if not LOOSE.fullmatch(procedure) or is_pattern(procedure) or is_reserved(procedure):
        raise ConfigError(path, f"{procedure!r} is no procedure that a client may register")


def _check_dynamic(dynamic: Dynamic, path: KeyPath) -> None:
    if not dynamic.methods:
        raise ConfigError((*path, "methods"), "at least one method is needed")
    if (dynamic.procedure is None) is (dynamic.hook is None):
        raise ConfigError(path, "give one of procedure and hook")
    if dynamic.procedure is not None:
        _check_procedure(dynamic.procedure, (*path, "procedure"))
    if dynamic.hook is not None and not _is_safe_to_ask(dynamic.hook):
        raise ConfigError((*path, "hook"), "must be an https: URL, or an http: URL of this machine")
    if dynamic.hook_token is not None:
        if dynamic.hook is None:
            raise ConfigError((*path, "hook_token"), "goes with hook, and only with it")
        if not TOKEN.fullmatch(dynamic.hook_token.reveal()):
            raise ConfigError((*path, "hook_token"), "must be printable ASCII without spaces")


def _is_safe_to_ask(url: str) -> bool:
    """True for a URL of a service that may be told secrets."""
    if not TOKEN.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        is_somewhere = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    if "@" in parts.netloc or not is_somewhere:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in THIS_MACHINE)


def _check_webhook(webhook: Webhook, path: KeyPath) -> None:
    if not _is_safe_to_ask(webhook.url) or "#" in webhook.url:
        raise ConfigError((*path, "url"), "must be an https: URL, or an http: URL of this machine")
    for key, secret in (("secret", webhook.secret), ("old_secret", webhook.old_secret)):
        if secret is not None and not _is_signing_key(secret.reveal()):
            raise ConfigError((*path, key), "must be whsec_ and the base64 of 24 to 64 bytes")
    _check_patterns(webhook.channels, (*path, "channels"))
    for name in webhook.channels:
        if is_reserved(name):
            raise ConfigError((*path, "channels"), "names under wamp. and radiod. belong to the router")
    if not webhook.events:
        raise ConfigError((*path, "events"), "at least one is needed")
    needs_channels = any(event.value.startswith("channel.") for event in webhook.events)
    if needs_channels is not bool(webhook.channels):
        raise ConfigError((*path, "channels"), "goes with events of channels, and only with them")


def _is_signing_key(text: str) -> bool:
    """Whether this is a secret of Standard Webhooks."""
    try:
        key = base64.b64decode(text.removeprefix(WEBHOOK_SECRET), validate=True)
    except ValueError:
        return False
    return text.startswith(WEBHOOK_SECRET) and 24 <= len(key) <= 64


def _check_scram(scram: Scram, path: KeyPath) -> None:
    if (scram.memory is None) is (scram.kdf is Kdf.ARGON2ID13):
        raise ConfigError((*path, "memory"), "goes with kdf argon2id13, and only with it")
    for name, secret in (("stored_key", scram.stored_key), ("server_key", scram.server_key)):
        if not re.fullmatch("[0-9a-fA-F]{64}", secret.reveal()):
            raise ConfigError((*path, name), "must be 32 bytes in hex")


def _check_private(name: str, channel: Channel, path: KeyPath) -> None:
    if is_pattern(name):
        for key, is_used in (
            ("public", not channel.public),
            ("key", channel.key is not None),
            ("single_writer", channel.single_writer),
        ):
            if is_used:
                # To accept this and not keep it would show private data to everybody.
                raise ConfigError((*path, key), "goes with one channel, not with a pattern")
    if channel.public and channel.key is not None:
        raise ConfigError((*path, "key"), "goes with public = false")
    if not channel.public and channel.key is None:
        raise ConfigError(
            (*path, "key"),
            "missing: a private channel needs one; give key, key_file, key_env or key_credential",
        )
    if not channel.public and channel.durable:
        raise ConfigError((*path, "durable"), "private channels are kept in memory only")


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
