"""The books of a node of several, by the names of claims."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from radiod.access.shared.books import SharedAccounts, SharedKeys, SharedPlans, SharedUsers
from radiod.access.shared.entities import ACCOUNTS, KEYS, PLANS, USERS, Entity, Name, name_of, public
from radiod.access.shared.vault import Vault
from radiod.core.access.records import Act, Change, Dropped
from radiod.errors import Refused

__all__ = ["AccessBooks"]


class AccessBooks:
    """The four books of a node, by the names of claims.

    ``vault``: what opens the signing secrets of other nodes; None: these have no secret in common.
    """

    def __init__(
        self,
        accounts: SharedAccounts,
        plans: SharedPlans,
        keys: SharedKeys,
        users: SharedUsers,
        vault: Vault | None = None,
    ) -> None:
        self.vault = vault
        self._accounts = accounts
        self._plans = plans
        self._keys = keys
        self._users = users

    def watch(self, unfixed: Callable[[Name], object]) -> None:
        """Have ``unfixed`` called with what the configuration had, and has no more."""
        self._plans.on_unfix = lambda name: unfixed(Name(PLANS, name))
        self._accounts.on_unfix = lambda id: unfixed(Name(ACCOUNTS, id))
        self._keys.on_unfix = lambda id: unfixed(Name(KEYS, id))
        self._users.on_unfix = lambda realm, authid: unfixed(Name(USERS, f"{realm}\0{authid}"))

    def names(self) -> list[Name]:
        """All that was made at run time, in the order of claims."""
        found = (
            self._plans.own_records,
            self._accounts.own_records,
            self._keys.own_records,
            self._users.own_records,
        )
        return [name_of(record) for records in found for record in records]

    def is_fixed(self, name: Name) -> bool:
        """Whether this node's configuration has it."""
        if name.about == USERS:
            return self._users.is_fixed(*_user(name))
        return self._book(name).is_fixed(name.key)

    def entity(self, name: Name, act: Act, node: str) -> Entity | None:
        """It as it is in memory; None: it is not there."""
        if name.about == USERS:
            user = self._users.known(*_user(name))
            return None if user is None else Entity(act=act, node=node, user=user)
        if name.about == KEYS:
            key = self._keys.known(name.key)
            if key is None:
                return None
            return Entity(act=act, node=node, key=public(key), secrets=self._keys.secrets(name.key))
        if name.about == PLANS:
            plan = self._plans.known(name.key)
            return None if plan is None else Entity(act=act, node=node, plan=plan)
        account = self._accounts.known(name.key)
        return None if account is None else Entity(act=act, node=node, account=account)

    def take(self, entity: Entity) -> tuple[list[Change], str]:
        """It is this one now. Returns: what there is to write; a note for the log, or nothing."""
        if entity.key is not None:
            return self._take_key(entity)
        if entity.account is not None:
            self._accounts.take(entity.account)
            return [entity.account], ""
        if entity.plan is not None:
            return [entity.plan], self._plans.take(entity.plan)
        assert entity.user is not None
        return [entity.user], self._users.take(entity.user)

    def _take_key(self, entity: Entity) -> tuple[list[Change], str]:
        assert entity.key is not None
        id = entity.key.id
        before = () if self._keys.known(id) is None else self._keys.secrets(id)
        record = replace(entity.key, signing=self.signing(entity))
        self._keys.take(record, entity.secrets)
        now = self._keys.secrets(id)
        kept = {one.digest for one in now}
        gone = [Dropped("secret", (one.digest,)) for one in before if one.digest not in kept]
        return [record, *gone, *now], ""

    def described(self, kind: str, name: list[str]) -> dict[str, Any] | None:
        """One record of any kind, the configuration's too, as this node tells it; None: it does not know it.

        Args:
            kind: ``keys``, ``accounts`` or ``users``; ``name``: id and realm; id; realm and authid.
        """
        try:
            if kind == "accounts":
                return self._accounts.get(name[0])
            if kind == "users":
                return self._users.describe(self._users.find(*name))
            return self._keys.described(*name)
        except Refused:
            return None

    # --- what keys sign with

    def signing(self, entity: Entity, *candidates: bytes | None) -> bytes | None:
        """What a claimed key signs with, if that is known here.

        Args:
            candidates: what it may be, besides what is in memory, and what is sealed.
        """
        assert entity.key is not None
        id, wanted = entity.key.id, entity.key.signing
        if wanted is None:
            return None
        own = self._keys.known(id)
        for one in (*candidates, None if own is None else own.signing):
            if one is not None and hashlib.sha256(one).digest() == wanted:
                return one
        opened = None if self.vault is None else self.vault.open(entity.sealed, id)
        return opened if opened is not None and hashlib.sha256(opened).digest() == wanted else None

    def lacks(self, entity: Entity) -> bool:
        """Whether a claimed key signs with what is not in memory, and can be."""
        if entity.key is None or entity.key.signing is None:
            return False
        own = self._keys.known(entity.key.id)
        return (own is None or own.signing is None) and self.signing(entity) is not None

    def seal(self, signing: bytes, id: str) -> bytes:
        """As ``entities.Seal``."""
        return b"" if self.vault is None else self.vault.seal(signing, id)

    def wants_seal(self, entity: Entity) -> bool:
        """Whether this node can seal what a claimed key signs with, and nobody has, or with an older secret.

        What a secret has sealed that is not known here stays as it is.
        """
        if entity.key is None or entity.is_gone or self.vault is None:
            return False
        sealed = entity.sealed
        if self.vault.is_current(sealed) or self.vault.is_foreign(sealed):
            return False
        return self.signing(entity) is not None

    def why_unsigned(self, entity: Entity) -> str:
        """Why a claimed key signs nothing here; empty: it does, or nowhere."""
        if entity.key is None or entity.key.signing is None or self.signing(entity) is not None:
            return ""
        if self.vault is None:
            return "the nodes have no [cluster] secret in common"
        if self.vault.is_foreign(entity.sealed):
            return "it is sealed with another [cluster] secret than this node's"
        return (
            "what is sealed is not this" if entity.sealed else "no node that can sign with it has sealed it"
        )

    def lose(self, name: Name) -> list[Change]:
        """It is no more. Returns: what there is to write. Keys and accounts never go."""
        if name.about == USERS:
            who = _user(name)
            if self._users.known(*who) is None:
                return []
            self._users.lose(*who)
            return [Dropped("user", who)]
        if name.about == PLANS:
            was_here = self._plans.known(name.key) is not None
            self._plans.lose(name.key)
            return [Dropped("plan", (name.key,))] if was_here else []
        return []

    def _book(self, name: Name) -> SharedAccounts | SharedPlans | SharedKeys:
        if name.about == PLANS:
            return self._plans
        return self._accounts if name.about == ACCOUNTS else self._keys


def _user(name: Name) -> tuple[str, str]:
    realm, _, authid = name.key.partition("\0")
    return realm, authid
