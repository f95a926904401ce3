"""The claims of registrations: what they are called, and what they say."""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.callee_letters import CalleeFacts, Holders, read_holders
from radiod.core.cluster.claim import Claim
from radiod.core.rpc.registrations import signature_of
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_URI, Refused
from radiod.wire.options import MatchPolicy, RegisterOptions

__all__ = ["Key", "check_speakable", "facts_of", "holders_of", "joined", "key_of", "text_of"]

Key = tuple[MatchPolicy, str]
"""Of one registration: how it matches, and the procedure."""


MATCHES: Final[dict[str, MatchPolicy]] = {"exact": "exact", "prefix": "prefix", "wildcard": "wildcard"}


def check_speakable(procedure: str) -> None:
    """Whether other nodes can be told this name. Raises: Refused: ``invalid_uri``."""
    try:
        procedure.encode()
    except UnicodeEncodeError:
        raise Refused(INVALID_URI, "other nodes cannot be told of this procedure: it is no Unicode") from None


def text_of(key: Key) -> str:
    """What the claim of a registration is called."""
    return f"{key[0]} {key[1]}"


def key_of(claim: Claim) -> Key | None:
    """What a claim is of; None: no node of this version wrote that."""
    name, _, procedure = claim.key.partition(" ")
    match = MATCHES.get(name)
    return None if match is None else (match, procedure)


def holders_of(claim: Claim | None) -> Holders | None:
    """What a claim says; None: there is none, or no node of this version wrote that."""
    return None if claim is None else read_holders(claim.value)


def joined(nodes: tuple[int, ...], others: list[int], me: int) -> tuple[int, ...]:
    """The nodes of a claim that may be alive, and this one: last, if it was not there."""
    kept = tuple(node for node in nodes if node == me or node in others)
    return kept if me in kept else (*kept, me)


def facts_of(
    session: Session, options: RegisterOptions, held: Holders, order: int, signature: bytes | None = None
) -> CalleeFacts:
    """What others are told of a callee; ``held``: the claim of its registration, ``order``: among callees."""
    principal = session.principal
    return CalleeFacts(
        session=session.id,
        authid=principal.authid,
        authrole=principal.authrole,
        features=tuple(sorted(session.features)),
        match=held.match,
        procedure=held.procedure,
        invoke=held.invoke,
        created=held.created,
        order=order,
        concurrency=options.concurrency,
        forward_timeout=options.forward_timeout,
        disclose_caller=options.disclose_caller,
        force_reregister=options.force_reregister,
        signature=signature_of(options) if signature is None else signature,
    )
