"""How many channels sessions may create, and what the histories of these may come to hold.

All of it holds for public and for private ones apart: whoever fills up the one learns nothing of the other.
"""

from __future__ import annotations

from radiod.core.channels.settings import ChannelSettings, User
from radiod.core.limits import Limits
from radiod.errors import Exceeded

__all__ = ["ChannelRoom"]


class ChannelRoom:
    """Counts what sessions have created in one realm, for each user and for all."""

    __slots__ = ("_limits", "_of_users", "_promised")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Is it public -> bytes that the histories of those that sessions created may come to hold.
        self._promised = {True: 0, False: 0}
        # (is it public, user) -> how many that the user created, and bytes that their histories may hold
        self._of_users: dict[tuple[bool, User], tuple[int, int]] = {}

    @property
    def users(self) -> set[tuple[bool, User]]:
        """(is it public, user) of all who have created some."""
        return set(self._of_users)

    def created_by(self, user: User | None) -> int:
        """How many there are that a user has created, public and private."""
        if user is None:
            return 0
        return sum(self._of_users.get((is_public, user), (0, 0))[0] for is_public in (True, False))

    def check(self, settings: ChannelSettings, there: int, *, is_public: bool) -> None:
        """Whether one more with these rules may be created. Raises: Refused: ``quota``.

        ``there``: how many there are of the kind, also of the configuration.
        """
        kind = "public" if is_public else "private"
        limits, user, most = self._limits, settings.user, settings.most_bytes
        if there >= limits.max_channels:
            raise Exceeded("max_channels", f"{limits.max_channels} {kind} channels exist already")
        if self._promised[is_public] + most > limits.max_history_bytes:
            told = f"the histories of {kind} channels may take {limits.max_history_bytes} bytes"
            raise Exceeded("max_history_bytes", told)
        count, held = (0, 0) if user is None else self._of_users.get((is_public, user), (0, 0))
        if count >= limits.max_channels_per_user:
            told = f"a user may have {limits.max_channels_per_user} {kind} channels"
            raise Exceeded("max_channels_per_user", told)
        if held + most > limits.max_history_bytes_per_user:
            most = limits.max_history_bytes_per_user
            told = f"the histories of one user's {kind} channels may take {most} bytes"
            raise Exceeded("max_history_bytes_per_user", told)

    def count(self, settings: ChannelSettings, sign: int, *, is_public: bool) -> None:
        """One comes, or goes: ``sign`` is 1 or -1."""
        most, user = settings.most_bytes, settings.user
        self._promised[is_public] += sign * most
        if user is not None:
            key = is_public, user
            count, held = self._of_users.pop(key, (0, 0))
            if count + sign:
                self._of_users[key] = count + sign, held + sign * most
