"""Calls that callers of other nodes make to callees of this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.cluster.call_letters import CallLetter, Declined, Failed, Yielded, pack
from radiod.core.rpc.calls import Calls, PendingCall
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Message, Result
from radiod.wire.options import CallOptions

__all__ = ["ForeignCall"]

CHUNKS: Final = CallOptions(progress=True)
WHOLE: Final = CallOptions()


class ForeignCall(PendingCall):
    """A call whose caller's node waits for its answer. Its own limits hold there, the server's here, too.

    ``session``: the callee's id; ``table``: request -> those of the same node that are pending; ``tell``:
    tells that node.
    """

    __slots__ = ("session", "table", "tell")

    def __init__(
        self,
        session: int,
        request: int,
        details: dict[str, Any],
        payload: Payload,
        table: dict[int, ForeignCall],
        tell: Callable[[CallLetter], None],
    ) -> None:
        is_sending = details.pop("progress", False)
        super().__init__(None, Calls(), request, CHUNKS if is_sending else WHOLE, details, payload, None)
        self.session = session
        self.table = table
        self.tell = tell

    def answer(self, message: Message, payload: Payload) -> None:
        """It has ended with this."""
        if isinstance(message, Error):
            self.tell(Failed(self.session, self.request, message.error, message.details, pack(payload)))
        else:
            assert isinstance(message, Result), "nothing else answers a call"
            self.tell(Yielded(self.session, self.request, False, message.details, pack(payload)))

    def progress(self, result: Result, payload: Payload) -> None:
        """A progressive result."""
        details = {name: result.details[name] for name in result.details if name != "progress"}
        self.tell(Yielded(self.session, self.request, True, details, pack(payload)))

    def decline(self, uri: str, text: str) -> None:
        """Its callee does not take it."""
        self.tell(Declined(self.session, self.request, uri, text))
