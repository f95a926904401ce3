"""``wamp.session.add_testament`` and ``flush_testaments``: what is published once a session has gone.

Source: WAMP specification, "Testament".
"""

from __future__ import annotations

from typing import Any

from radiod.core.arguments import REQUIRED, a_list, dictionary, struct, text
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.promises import chain, when
from radiod.core.pubsub.testaments import Scope, Testament, Testaments
from radiod.core.rights import Action, Disclose, Verdict
from radiod.core.sessions.session import Session
from radiod.core.uris import check_free, check_uri
from radiod.errors import CANCELED, DISCLOSE_ME, INVALID_ARGUMENT, NOT_AUTHORIZED, Refused
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.options import PublishOptions

__all__ = ["TestamentProcedures"]


class TestamentProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, testaments: Testaments) -> None:
        self._testaments = testaments
        self.procedures: dict[str, Procedure] = {
            "wamp.session.add_testament": (
                {
                    "topic": REQUIRED,
                    "args": REQUIRED,
                    "kwargs": REQUIRED,
                    "publish_options": None,
                    "scope": "destroyed",
                },
                self.add_testament,
            ),
            "wamp.session.flush_testaments": ({"scope": "destroyed"}, self.flush_testaments),
        }

    def add_testament(
        self, caller: Session, *, topic: Any, args: Any, kwargs: Any, publish_options: Any, scope: Any
    ) -> Payloads:
        """Have an event published when the session has gone → nothing."""
        check_uri(text("topic", topic))
        check_free(topic)
        payload = _payload(
            a_list("args", [] if args is None else args),
            dictionary("kwargs", {} if kwargs is None else kwargs),
        )
        options = struct("publish_options", publish_options, PublishOptions)
        known = _scope(scope)

        def add(verdict: Verdict) -> Payloads:
            if not verdict.is_allowed:
                raise Refused(NOT_AUTHORIZED, f"a testament needs the right to publish on {topic}")
            if options.disclose_me and verdict.disclose is Disclose.NEVER:
                raise Refused(DISCLOSE_ME, "this session may not disclose itself, in a testament neither")
            if not caller.is_open:
                raise Refused(CANCELED, "the caller left")
            testament = Testament(known, topic, payload, options, verdict)
            return when(self._testaments.add(caller, testament), Payload.of)

        permissions = caller.principal.permissions
        return chain(permissions.decide(caller, Action.PUBLISH, topic, options), add)

    def flush_testaments(self, caller: Session, *, scope: Any) -> Payloads:
        """Forget the session's testaments of one scope → nothing."""
        return when(self._testaments.flush(caller, _scope(scope)), Payload.of)


def _payload(args: list[Any], kwargs: dict[str, Any]) -> Payload:
    """In the serializer that says everything the others can."""
    return Payload(CBOR, CBOR.dump(args), CBOR.dump(kwargs) if kwargs else b"")


def _scope(value: Any) -> Scope:
    if value == "detached" or value == "destroyed":
        return value  # type: ignore[no-any-return] # narrowed by the comparison
    raise Refused(INVALID_ARGUMENT, "scope must be 'detached' or 'destroyed'")
