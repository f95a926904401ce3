"""Where keys and users are for: realms, and what of them matters to access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from radiod.auth.directory import MANAGED, STATIC
from radiod.auth.roles import StaticPermissions
from radiod.core.access.records import KeyRecord
from radiod.core.holders import Holder
from radiod.core.realm.realm import Realm
from radiod.core.rights import Action, Permissions, Principal
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["Place", "Places"]


class Place(Struct, frozen=True):
    """One realm. ``roles``: permissions by name; ``private``: names of its declared private channels."""

    realm: Realm
    roles: Mapping[str, Permissions]
    private: frozenset[str] = frozenset()

    def principal(self, record: KeyRecord, holder: Holder, *, is_fixed: bool = False) -> Principal:
        """Who the holder of a key is.

        ``is_fixed``: the configuration has it. Only such a one may have publishers wait for it: customers
        are strangers to them.
        """
        patterns = {
            Action.PUBLISH: record.publish,
            Action.SUBSCRIBE: record.listen,
            Action.CALL: record.call,
            Action.REGISTER: record.register,
        }
        return Principal(
            authid=record.id,
            authrole=f"key:{record.id}",
            authmethod="key",
            authprovider=STATIC if is_fixed else MANAGED,
            permissions=StaticPermissions(patterns, may_hold_publishers=is_fixed),
            memberships=tuple(sorted(self.private.intersection((*record.publish, *record.listen)))),
            holder=holder,
        )


class Places:
    """All realms of one server."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._by_name = {place.realm.name: place for place in places}

    def find(self, name: str) -> Place | None:
        """The realm of this name; None: there is none."""
        return self._by_name.get(name)

    def get(self, name: str) -> Place:
        """The same. Raises: Refused: ``invalid_argument``: there is none."""
        found = self.find(name)
        if found is None:
            raise Refused(INVALID_ARGUMENT, f"no realm {name[:64]!r}")
        return found

    def role(self, name: str, role: str) -> Permissions:
        """What a role of a realm may do. Raises: Refused: ``invalid_argument``: there is no such one."""
        roles = self.get(name).roles
        if role not in roles:
            raise Refused(INVALID_ARGUMENT, f"no role {role[:64]!r} in realm {name}")
        return roles[role]
