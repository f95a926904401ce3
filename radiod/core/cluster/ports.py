"""What a cluster asks of the engine between its nodes: messages, and streams of records that outlive them.

The words are those of NATS, which is the engine (``radiod/engine/nats``): a *subject* is tokens between dots;
one that is listened to may have ``*`` for any one token, and ``>`` at its end for one or more. What the ports
promise is no more than what was measured of it, so that everything beyond is done, and tested, above them.

Everything happens in the node's own thread. No method blocks, and none calls back before it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, Protocol

__all__ = [
    "MOST_AT_ONCE",
    "Appended",
    "Bus",
    "BusUser",
    "Failure",
    "Stored",
    "StreamSettings",
    "StreamUser",
    "Streams",
]

MOST_AT_ONCE: Final = 1024
"""Subjects that may be asked about at once."""


class Bus(Protocol):
    """Messages between nodes: at most once, in the order of their sender, whatever their subjects.

    What is lost, because a connection or a server broke or a network was cut, is lost without a word. A
    message that is sent behind ``listen`` arrives wherever that has become known on its way: who has it
    knows of the listening, too. A node does not hear itself. What it listens to is kept over a lost
    connection, and told anew before anything else is sent.
    """

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""

    def listen(self, subject: str) -> None:
        """Have messages on these subjects from now on; several listenings that match bring one copy each."""

    def unlisten(self, subject: str) -> None:
        """Have them no more; it must be listened to."""

    def send(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Send to all who listen. ``reply``: a subject to answer on; the user hears if nobody listens.

        Returns: whether it is on its way; False: it is dropped, since there is no connection, or too much
            waits for it.
        """


class BusUser(Protocol):
    """Whoever uses a bus."""

    def came(self, subject: str, reply: str, data: bytes) -> None:
        """A message came. ``reply``: empty, or where its sender waits for an answer."""

    def unreachable(self, reply: str) -> None:
        """Nobody listens to what was sent with this ``reply``."""

    def up(self) -> None:
        """There is a connection, and who listens to what is told: at first, or again."""

    def down(self) -> None:
        """The connection is lost, and perhaps messages of the last moments, both ways."""


class Failure(Enum):
    """Why a stream did not do what it was asked for."""

    TAKEN = "taken"
    """The last record of the subject is another one than was expected: somebody was faster."""

    REFUSED = "refused"
    """It is not stored: nobody is there to store it, or there is no room."""

    UNKNOWN = "unknown"
    """Nobody answered in time: it may be stored, or be yet."""


class Stored(NamedTuple):
    """One record of a stream.

    ``seq``: its number, which grows through the stream, not by one; ``previous``: that of the one before on
    the same subject, 0 if none is held any more. Whoever reads instead of following is told 0.
    """

    subject: str
    seq: int
    previous: int
    data: bytes


class Appended(NamedTuple):
    """A record is stored, on as many servers as the stream has replicas and more than half of them.

    ``is_repeat``: one with this id was stored before, under this number.
    """

    seq: int
    is_repeat: bool = False


class StreamSettings(NamedTuple):
    """What a stream keeps.

    ``subjects``: as they are listened to; ``max_per_subject``: records of each subject; ``seconds``: how
    old one may grow, 0: any age; ``bytes``: of all of it, 0: no limit; ``window_s``: how long ids are known.
    """

    name: str
    subjects: tuple[str, ...]
    max_per_subject: int
    seconds: float = 0.0
    bytes: int = 0
    window_s: float = 60.0


class Streams(Protocol):
    """Records that outlive nodes: one order for all, compare and set, agreed by most of the servers.

    What was ``Appended`` stays, through the death of any one server. Every record is also sent once it is
    stored, to those who ``follow`` its subject: at most once, mostly in order, sometimes again and late
    behind a change of leader.
    """

    def ensure(self, settings: StreamSettings, done: Callable[[Failure | None], None]) -> None:
        """Have the stream, with these settings; ``done(None)``: it is there."""

    def identify(self, stream: str, done: Callable[[str | Failure], None]) -> None:
        """What tells a stream from any other that had its name, or will have it; REFUSED: there is none."""

    def append(
        self,
        stream: str,
        subject: str,
        data: bytes,
        done: Callable[[Appended | Failure], None],
        *,
        id: str = "",
        expected: int | None = None,
        ttl_s: float = 0.0,
    ) -> None:
        """Store one record. Several on their way may be stored in another order when some fail.

        Args:
            id: who has this id is stored once within the stream's window; empty: it has none.
            expected: only if the last record of the subject has this number, 0: if there is none.
            ttl_s: how long it stays; 0: as long as the stream has it.
        """

    def follow(self, subject: str) -> None:
        """Have what is stored on these subjects from now on: ``StreamUser.stored``."""

    def unfollow(self, subject: str) -> None:
        """Have it no more; it must be followed."""

    def last(self, stream: str, subject: str, done: Callable[[Stored | Failure | None], None]) -> None:
        """The last record on subjects as they are listened to, as the leader has it, with all that was
        appended before."""

    def read(
        self,
        stream: str,
        subject: str,
        after: int,
        limit: int,
        done: Callable[[list[Stored] | Failure], None],
        *,
        by_leader: bool = False,
    ) -> None:
        """Records above number ``after`` on subjects as they are listened to, in order.

        At most ``limit``; and perhaps fewer than there are: some replicas lag behind, by minutes at worst.
        Whoever needs all asks ``last`` how far to read, or, ``by_leader``, has the leader itself read, which
        lacks nothing and takes longer.
        """

    def last_many(
        self, stream: str, subjects: list[str], done: Callable[[list[Stored] | Failure], None]
    ) -> None:
        """The last record on each of at most ``MOST_AT_ONCE`` subjects, where there is one, in no order.

        As some replica has them, which may lag behind.
        """

    def purge(
        self, stream: str, subject: str, done: Callable[[Failure | None], None], *, before: int = 0
    ) -> None:
        """Let all records on one subject go; ``before``: but for those from this number on, 0: all."""


class StreamUser(Protocol):
    """Whoever uses streams."""

    def stored(self, record: Stored) -> None:
        """A record that is followed was stored."""
