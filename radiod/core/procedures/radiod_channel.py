"""``radiod.channel.*``: making, joining, writing to, ending and looking at channels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from radiod.core.arguments import REQUIRED, dictionary, optional, struct, text
from radiod.core.channels.channel import check_name, user_of
from radiod.core.channels.descriptions import Descriptions
from radiod.core.channels.lifecycle import Lifecycle
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.settings import MAX_LIFETIME, ChannelSettings, OwnerLeaves
from radiod.core.channels.writers import Writers
from radiod.core.delivery.settings import BufferSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.ids import Ids
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain
from radiod.core.rights import Action, Verdict
from radiod.core.sessions.session import Session
from radiod.core.sight import DELETE, is_steward
from radiod.errors import CANCELED, INVALID_ARGUMENT, NOT_AUTHORIZED, Refused
from radiod.wire.options import PublishOptions

__all__ = ["ChannelProcedures", "page_size"]

Answer = dict[str, Any]

PUBLISH_OPTIONS: Final = PublishOptions()

MAX_KEY: Final = 1024
"""Characters of a private channel's key: what the options of SUBSCRIBE and PUBLISH take."""


class HistoryOptions(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a channel keeps of its past: the newest events, by number, age in seconds and payload bytes."""

    size: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    seconds: Annotated[float, Meta(gt=0, le=MAX_LIFETIME)] = 3600.0
    bytes: Annotated[int, Meta(ge=512, le=1 << 26)] = 1 << 20


class ChannelProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(
        self, lifecycle: Lifecycle, lookup: Lookup, descriptions: Descriptions, writers: Writers, ids: Ids
    ) -> None:
        self._lifecycle = lifecycle
        self._lookup = lookup
        self._descriptions = descriptions
        self._writers = writers
        self._ids = ids
        self.procedures: dict[str, Procedure] = {
            "radiod.channel.create": (
                {
                    "name": REQUIRED,
                    "public": True,
                    "key": None,
                    "lifetime": None,
                    "single_writer": False,
                    "on_owner_leave": "delete",
                    "buffer": {},
                    "history": {},
                    "presence": False,
                    "durable": False,
                },
                self.create,
            ),
            DELETE: ({"name": REQUIRED, "control_key": None}, self.delete),
            "radiod.channel.extend": (
                {"name": REQUIRED, "lifetime": REQUIRED, "control_key": REQUIRED},
                self.extend,
            ),
            "radiod.channel.list": ({"prefix": "", "limit": 100, "after": None}, self.list),
            "radiod.channel.get": ({"name": REQUIRED}, self.get),
            "radiod.channel.join": ({"name": REQUIRED, "key": REQUIRED}, self.join),
            "radiod.channel.leave": ({"name": REQUIRED}, self.leave),
            "radiod.channel.open_write": (
                {"name": REQUIRED, "key": None, "control_key": None},
                self.open_write,
            ),
            "radiod.channel.close_write": ({"name": REQUIRED}, self.close_write),
            "radiod.channel.tune": (
                {"channel": REQUIRED, **dict.fromkeys(BufferSettings.__struct_fields__)},
                self.tune,
            ),
        }

    def create(
        self,
        session: Session,
        *,
        name: Any,
        public: Any,
        key: Any,
        lifetime: Any,
        single_writer: Any,
        on_owner_leave: Any,
        buffer: Any,
        history: Any,
        presence: Any,
        durable: Any,
    ) -> Answer | Promise[Answer]:
        """Open a channel → ``{name, control_key, expires, readers}``, and ``key`` if it is private."""
        text("name", name)
        key = _key("key", key)
        if _boolean("public", public):
            if key is not None:
                raise Refused(INVALID_ARGUMENT, "key goes with public=False")
        elif key is None:
            key = self._ids.secret()
        settings = ChannelSettings(
            lifetime=_lifetime(lifetime),
            on_owner_leave=_owner_leaves(on_owner_leave),
            single_writer=_boolean("single_writer", single_writer),
            presence=_boolean("presence", presence),
            history=_history(history, _boolean("durable", durable)),
            buffer=dictionary("buffer", buffer),
            user=user_of(session.principal),
        )
        create = partial(self._lifecycle.create, session, name, settings, key)
        return self._as_writer(session, name, create)

    def delete(self, session: Session, *, name: Any, control_key: Any) -> Answer | Promise[Answer]:
        """End a channel → ``{name}``; who may act on others needs no control key."""
        key = optional(text, "control_key", control_key)
        if key is None and is_steward(session):
            return self._lifecycle.remove(session, text("name", name))
        # No key is as wrong as any.
        delete = partial(self._lifecycle.delete, session, name, key or "")
        return self._as_writer(session, text("name", name), delete)

    def extend(
        self, session: Session, *, name: Any, lifetime: Any, control_key: Any
    ) -> Answer | Promise[Answer]:
        """Move a channel's end → ``{name, expires}``."""
        control_key = text("control_key", control_key)
        extend = partial(self._lifecycle.extend, session, name, _lifetime(lifetime), control_key)
        return self._as_writer(session, text("name", name), extend)

    def list(self, session: Session, *, prefix: Any, limit: Any, after: Any) -> Answer | Promise[Answer]:
        """Public channels by name → ``{channels: [description …], next}``; ``next`` continues the list."""
        return self._descriptions.page(
            text("prefix", prefix),
            page_size(limit),
            optional(text, "after", after),
            session.principal.permissions,
            with_owners=is_steward(session),
        )

    def get(self, session: Session, *, name: Any) -> Answer | Promise[Answer]:
        """One channel's description → ``{name, public, readers, writers, events, expires, position}``."""
        return self._descriptions.get(session, text("name", name))

    def join(self, session: Session, *, name: Any, key: Any) -> dict[str, Any]:
        """Become a member of a private channel → its description."""
        channel = self._lookup.channel(session, text("name", name), text("key", key))
        assert channel is not None
        return self._descriptions.describe(channel)

    def leave(self, session: Session, *, name: Any) -> dict[str, Any]:
        """Be a member no longer → ``{name}``; the session's subscriptions to it end."""
        self._lifecycle.quit(session, text("name", name))
        return {"name": name}

    def open_write(
        self, session: Session, *, name: Any, key: Any, control_key: Any
    ) -> Answer | Promise[Answer]:
        """Become a writer → ``{active, readers}``; with the control key, the owner as well."""
        control_key = optional(text, "control_key", control_key)
        open_write = partial(self._lifecycle.open_write, session, name, _key("key", key), control_key)
        return self._as_writer(session, text("name", name), open_write)

    def close_write(self, session: Session, *, name: Any) -> Answer | Promise[Answer]:
        """Be a writer no longer → ``{name}``."""
        self._writers.close_named(session, text("name", name))
        return {"name": name}

    def tune(self, session: Session, *, channel: Any, **buffer: Any) -> Answer:
        """Ask for another buffer for a channel, or pattern → ``{channel, …}`` with all values in effect."""
        given = {name: value for name, value in buffer.items() if value is not None}
        space = self._lookup.space_known_to(session, text("channel", channel))
        return space.tuning.tune(space.broker, session, channel, given)

    def _as_writer(
        self, session: Session, name: str, act: Callable[[], Answer | Promise[Answer]]
    ) -> Answer | Promise[Answer]:
        """Do ``act``, once it is known that ``session`` may publish on ``name``.

        Raises: Refused: it may not; ``bad_name``.
        """
        # Whoever decides may remember what he was asked.
        check_name(name)

        def proceed(verdict: Verdict) -> Answer | Promise[Answer]:
            if not verdict.is_allowed:
                needed = "needs the right to publish on it"
                raise Refused(NOT_AUTHORIZED, f"writing to and controlling {name} {needed}")
            if not session.is_open:
                # It left while somebody else decided: what it owned now would never end.
                raise Refused(CANCELED, "the caller left")
            return act()

        permissions = session.principal.permissions
        return chain(permissions.decide(session, Action.PUBLISH, name, PUBLISH_OPTIONS), proceed)


def page_size(value: Any) -> int:
    """How many entries of a list are wanted at once. Raises: Refused: ``invalid_argument``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise Refused(INVALID_ARGUMENT, "limit must be an integer from 1 to 1000")
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a boolean")
    return value


def _key(name: str, value: Any) -> str | None:
    key = optional(text, name, value)
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise Refused(INVALID_ARGUMENT, f"{name} must have 1 to {MAX_KEY} characters")
    return key


def _seconds(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, never converted: NaN fails every comparison, and an integer may be too large for a float.
    if not is_number or not 0 < value <= MAX_LIFETIME:
        raise Refused(
            INVALID_ARGUMENT, f"{name} must be a number of seconds above 0, up to {MAX_LIFETIME:.0f}"
        )
    return float(value)


def _lifetime(value: Any) -> float | None:
    return optional(_seconds, "lifetime", value)


def _owner_leaves(value: Any) -> OwnerLeaves:
    if value == "delete" or value == "keep":
        return value  # type: ignore[no-any-return] # narrowed by the comparison
    if isinstance(value, str):
        raise Refused(INVALID_ARGUMENT, "on_owner_leave must be 'delete', 'keep' or a number of seconds")
    return _seconds("on_owner_leave", value)


def _history(value: Any, is_durable: bool) -> HistoryBounds | None:
    if not is_durable and (value is None or value == {}):
        return None
    asked = struct("history", value, HistoryOptions)
    return HistoryBounds(size=asked.size, seconds=asked.seconds, bytes=asked.bytes, is_durable=is_durable)
