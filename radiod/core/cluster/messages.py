"""What the messages of sessions ask for, where other nodes are to agree first."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.cluster.callees import Callees
from radiod.core.promises import Promise
from radiod.core.realm.messages import Messages
from radiod.core.rights import Verdict
from radiod.core.sessions.session import Session
from radiod.core.uris import check_free
from radiod.wire.codecs import Codec
from radiod.wire.messages import Register, Unregister

__all__ = ["ClusterMessages"]


class ClusterMessages(Messages):
    """As ``Messages``; ``callees`` is set before the first message comes."""

    callees: Callees

    def register(
        self, session: Session, message: Register, codec: Codec, verdict: Verdict
    ) -> Promise[Callable[[], None]] | None:
        """REGISTER: when it is claimed, and all nodes know of it."""
        check_free(message.procedure)
        return self.callees.register(session, message, verdict)

    def unregister(self, session: Session, message: Unregister, codec: Codec) -> None:
        """UNREGISTER; answered when anybody may claim it."""
        self.callees.unregister(session, message)
