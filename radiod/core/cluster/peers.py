"""What the parts of a realm ask of the other nodes: to tell and to ask them, and to know who is there.

A node is known by its *incarnation*: a number that it draws when it starts, and anew after it was taken for
dead. ``about`` names the part that a message is for, the realm's name included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from radiod.core.promises import Promise

__all__ = ["Answers", "Handler", "PeerWatcher", "Peers"]

Handler = Callable[[int, bytes], "bytes | Promise[bytes] | None"]
"""Takes what a node tells, or asks: its incarnation, the message. Returns the answer, also later; None: there
is none to give, or the message was told and not asked."""


class Answers(NamedTuple):
    """What came of asking all: incarnation -> answer; and the names of those who did not answer."""

    given: dict[int, bytes]
    unanswered: tuple[str, ...]


class PeerWatcher(Protocol):
    """A part that minds who is there."""

    def joined(self, node: int) -> None:
        """A node is there; what is told to it from now on arrives, or ``gap`` or ``left`` comes."""

    def left(self, node: int) -> None:
        """A node is dead, or said goodbye: what it had is gone. An incarnation never comes back.

        But for us: when *we* have become a new one (``Peers.me``), all leave, and those who are there join.
        """

    def gap(self, node: int) -> None:
        """Messages of this node to us were lost, before the next one: what was mirrored must be had anew."""

    def isolated(self) -> None:
        """We hear nobody, or the engine is gone: nothing is unique that we decide alone."""

    def healed(self) -> None:
        """We hear the others again; not those who took us for dead, for whom we are a new incarnation."""


class Peers(Protocol):
    """The other nodes of the cluster, as one realm's parts see them.

    What is told, and asked, to one node arrives in order; what was lost is noticed (``PeerWatcher.gap``).
    """

    @property
    def me(self) -> int:
        """Our incarnation."""

    @property
    def is_isolated(self) -> bool:
        """Whether we hear nobody else of a cluster of several, or have no engine."""

    def live(self) -> list[int]:
        """The incarnations of all others that are alive, as far as is known."""

    @property
    def settled_at(self) -> float:
        """When all who are there have been heard since this node began, or began anew: monotonic seconds."""

    def is_gone(self, node: int) -> bool:
        """Whether another node is surely dead.

        Who has just begun, or begun anew, does not know all others at once: those that it has not heard of
        may be alive until they would have been heard.
        """

    def name(self, node: int) -> str:
        """What a node is called in the configuration; of one that is unknown, its number."""

    def take(self, about: str, handler: Handler) -> None:
        """Have messages about this handed to ``handler``."""

    def watch(self, watcher: PeerWatcher) -> None:
        """Have somebody learn who comes and goes, from now on; it is told at once of those who are there."""

    def tell(self, node: int, about: str, data: bytes) -> bool:
        """Tell one node. Returns: False: it is not there, or nothing can be sent: it will not arrive."""

    def ask(self, node: int, about: str, data: bytes, seconds: float) -> Promise[bytes]:
        """Ask one node. Comes to ``Refused`` (``network_failure``) when it is dead, or does not answer."""

    def tell_all(self, about: str, data: bytes) -> Promise[None]:
        """Tell all who are alive; kept when each has taken it in, or is dead."""

    def ask_all(self, about: str, data: bytes, seconds: float) -> Promise[Answers]:
        """Ask all who are alive."""

    def note_malformed(self, about: str, node: int = 0) -> None:
        """Count, and tell the log once, that something came which no node of this version writes.

        ``node``: whose it is; 0: that is not known, as of what a stream has.
        """
