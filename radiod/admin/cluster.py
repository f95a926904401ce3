"""``radiod.admin.cluster``: which nodes this one knows, how it fares with the engine, and what it mirrors."""

from __future__ import annotations

from typing import Any, Protocol

from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.errors import NO_SUCH_PROCEDURE, Refused

__all__ = ["ClusterSource", "ClusterView"]


class ClusterSource(Protocol):
    """A node's part in its cluster."""

    def describe(self) -> dict[str, Any]:
        """What ``radiod.admin.cluster`` tells."""

    def check(self) -> Promise[dict[str, Any]]:
        """What ``radiod.admin.cluster.check`` tells."""


class ClusterView:
    """``procedures``: name -> parameters and handler. ``source``: None: the server is alone."""

    def __init__(self, source: ClusterSource | None) -> None:
        self._source = source
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.cluster": ({}, self.cluster),
            "radiod.admin.cluster.check": ({}, self.check),
        }

    def cluster(self, session: Session) -> dict[str, Any]:
        """This node, and others → ``{cluster, node, incarnation, isolated_s, nats, nodes, …}``.

        ``isolated_s``: seconds since it reaches nobody, None: it does; ``nats``: addresses of the servers
        that it is connected to, by what for; ``nodes``: each ``{node, incarnation, silent_s, same_config}``;
        ``lost``: letters of other nodes that did not come; ``dropped``: messages to them that were not sent;
        ``malformed``: what came and no node writes; ``overflowed``: what others told that had no room here.
        Raises: Refused: ``no_such_procedure``: the server is no node of a cluster.
        """
        return self._there().describe()

    def check(self, session: Session) -> Promise[dict[str, Any]]:
        """Compare all that nodes mirror with what it is a mirror of → ``{is_same, mirrors, unanswered}``.

        ``mirrors``: each ``{node, realm, what, of, owned, mirrored, is_same, differ}``: what ``node`` knows
        ``of`` another one, or of the claims that ``NATS`` has; ``owned``, ``mirrored``: entries; ``differ``:
        at most 5 names of tables. ``unanswered``: names of nodes that have not checked theirs. Cost: O(n) in
        what is mirrored, some µs an entry, in one piece.
        Raises: Refused: as ``cluster``.
        """
        return self._there().check()

    def _there(self) -> ClusterSource:
        if self._source is None:
            raise Refused(NO_SUCH_PROCEDURE, "this server is no node of a cluster")
        return self._source
