"""``radiod.channel.*``: making, ending and looking at channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from radiod.core.arguments import REQUIRED, Signature, text
from radiod.core.buffers import BufferSettings
from radiod.core.channels import MAX_LIFETIME
from radiod.core.later import Later, after
from radiod.core.ports import Action, Verdict
from radiod.errors import CANCELED, FEATURE_NOT_SUPPORTED, INVALID_ARGUMENT, NOT_AUTHORIZED, Refused
from radiod.wire.messages import PublishOptions

if TYPE_CHECKING:
    from radiod.core.realm import Realm
    from radiod.core.sessions import Session

__all__ = ["ChannelProcedures"]

Answer = dict[str, Any]

PUBLISH_OPTIONS: Final = PublishOptions()


class ChannelProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.procedures: dict[str, tuple[Signature, Callable[..., Answer | Later[Answer]]]] = {
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
                },
                self.create,
            ),
            "radiod.channel.delete": ({"name": REQUIRED, "control_key": REQUIRED}, self.delete),
            "radiod.channel.extend": (
                {"name": REQUIRED, "lifetime": REQUIRED, "control_key": REQUIRED},
                self.extend,
            ),
            "radiod.channel.list": ({"prefix": "", "limit": 100, "after": None}, self.list),
            "radiod.channel.get": ({"name": REQUIRED}, self.get),
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
    ) -> Answer | Later[Answer]:
        """Open a channel → ``{name, control_key, expires, readers}``."""
        text("name", name)
        seconds = _lifetime(lifetime)
        unsupported = {
            "public": public is not True,
            "key": key is not None,
            "single_writer": single_writer is not False,
            "buffer": buffer != {},
            "history": history != {},
        }
        for parameter, is_asked in unsupported.items():
            if is_asked:
                raise Refused(FEATURE_NOT_SUPPORTED, f"{parameter}: this version only has the default")
        if on_owner_leave not in ("delete", "keep"):
            raise Refused(FEATURE_NOT_SUPPORTED, "on_owner_leave: this version has 'delete' and 'keep'")
        owner = session if on_owner_leave == "delete" else None
        return self._as_writer(session, name, lambda: self._realm.create_channel(name, seconds, owner))

    def delete(self, session: Session, *, name: Any, control_key: Any) -> Answer | Later[Answer]:
        """End a channel → ``{name}``."""

        def delete() -> Answer:
            self._realm.channels.delete(name, text("control_key", control_key))
            return {"name": name}

        return self._as_writer(session, text("name", name), delete)

    def extend(
        self, session: Session, *, name: Any, lifetime: Any, control_key: Any
    ) -> Answer | Later[Answer]:
        """Move a channel's end → ``{name, expires}``."""

        def extend() -> Answer:
            channels = self._realm.channels
            channel = channels.extend(name, _lifetime(lifetime), text("control_key", control_key))
            return {"name": name, "expires": channels.expires(channel)}

        return self._as_writer(session, text("name", name), extend)

    def list(self, session: Session, *, prefix: Any, limit: Any, after: Any) -> Answer:
        """Public channels by name → ``{channels: [description …], next}``; ``next`` continues the list."""
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 1000:
            raise Refused(INVALID_ARGUMENT, "limit must be an integer from 1 to 1000")
        if after is not None:
            text("after", after)
        return self._realm.list_channels(text("prefix", prefix), limit, after)

    def get(self, session: Session, *, name: Any) -> Answer:
        """One channel's description → ``{name, public, readers, events, expires}``."""
        return self._realm.describe_channel(text("name", name))

    def tune(self, session: Session, *, channel: Any, **buffer: Any) -> dict[str, Any]:
        """Ask for another buffer for a channel, or pattern → ``{channel, …}`` with all values in effect."""
        given = {name: value for name, value in buffer.items() if value is not None}
        realm = self._realm
        return realm.tuning.tune(realm.broker, session, text("channel", channel), given)

    def _as_writer(self, session: Session, name: str, act: Callable[[], Answer]) -> Answer | Later[Answer]:
        """Do ``act``, once it is known that ``session`` may publish on ``name``.

        Raises: Refused: it may not.
        """

        def proceed(verdict: Verdict) -> Answer:
            if not verdict.is_allowed:
                needed = "needs the right to publish on it"
                raise Refused(NOT_AUTHORIZED, f"creating and controlling {name} {needed}")
            if not session.is_open:
                # It left while somebody else decided: what it owned now would never end.
                raise Refused(CANCELED, "the caller left")
            return act()

        permissions = session.principal.permissions
        return after(permissions.decide(session, Action.PUBLISH, name, PUBLISH_OPTIONS), proceed)


def _lifetime(value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, never converted: NaN fails every comparison, and an integer may be too large for a float.
    if not is_number or not 0 < value <= MAX_LIFETIME:
        raise Refused(
            INVALID_ARGUMENT, f"lifetime must be a number of seconds above 0, up to {MAX_LIFETIME:.0f}"
        )
    return float(value)
