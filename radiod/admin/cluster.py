"""``radiod.admin.cluster``: which nodes this one knows, and how it fares with the engine between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.core.procedures.family import Procedure
from radiod.core.sessions.session import Session
from radiod.errors import NO_SUCH_PROCEDURE, Refused

__all__ = ["ClusterView"]


class ClusterView:
    """``procedures``: name -> parameters and handler. ``describe``: None: the server is alone."""

    def __init__(self, describe: Callable[[], dict[str, Any]] | None) -> None:
        self._describe = describe
        self.procedures: dict[str, Procedure] = {"radiod.admin.cluster": ({}, self.cluster)}

    def cluster(self, session: Session) -> dict[str, Any]:
        """This node, and others → ``{cluster, node, incarnation, isolated_s, nats, nodes, …}``.

        ``isolated_s``: seconds since it reaches nobody, None: it does; ``nats``: addresses of the servers
        that it is connected to, by what for; ``nodes``: each ``{node, incarnation, silent_s, same_config}``;
        ``lost``: letters of other nodes that did not come; ``dropped``: messages to them that were not sent;
        ``malformed``: what came and no node writes; ``overflowed``: what others told that had no room here.
        Raises: Refused: ``no_such_procedure``: the server is no node of a cluster.
        """
        if self._describe is None:
            raise Refused(NO_SUCH_PROCEDURE, "this server is no node of a cluster")
        return self._describe()
