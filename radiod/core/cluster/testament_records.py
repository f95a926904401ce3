"""The claim of a session's testaments: what whoever publishes them must know, as bytes."""

from __future__ import annotations

import msgspec
from msgspec import Struct, structs

from radiod.core.cluster.encoding import decode, encode
from radiod.core.pubsub.testaments import Scope, Testament
from radiod.core.rights import Disclose, Verdict
from radiod.core.sessions.session import Session
from radiod.wire.codecs import CODECS, CodecName, Payload
from radiod.wire.options import PublishOptions

__all__ = ["Estate", "LastWill", "read_estate", "write_estate", "write_rest"]


class LastWill(Struct, array_like=True, frozen=True):
    """One testament, with what its session might do when it made it.

    ``topic``: the place of it: of a private channel neither its name nor a key is told.
    """

    scope: Scope
    topic: str
    codec: CodecName
    args: bytes
    kwargs: bytes
    options: PublishOptions
    disclose: Disclose
    trustlevel: int | None

    def testament(self) -> Testament:
        """As the router publishes it, but for the place that is its topic."""
        payload = Payload(CODECS[self.codec], self.args, self.kwargs)
        verdict = Verdict(is_allowed=True, disclose=self.disclose, trustlevel=self.trustlevel)
        return Testament(self.scope, self.topic, payload, self.options, verdict)


class Estate(Struct, array_like=True, frozen=True):
    """All that one session leaves. ``node``: the incarnation that it is on; the rest: who it is."""

    node: int
    session: int
    authid: str
    authrole: str
    wills: tuple[LastWill, ...]


DECODER = msgspec.msgpack.Decoder(Estate)


def write_estate(node: int, session: Session, testaments: list[tuple[str, Testament]]) -> bytes:
    """The value of a claim. ``testaments``: each with the place that it is for."""
    wills = tuple(
        LastWill(
            one.scope,
            place,
            one.payload.codec.name,
            one.payload.args,
            one.payload.kwargs,
            structs.replace(one.options, key=None) if one.options.key is not None else one.options,
            one.verdict.disclose,
            one.verdict.trustlevel,
        )
        for place, one in testaments
    )
    principal = session.principal
    return encode(Estate(node, session.id, principal.authid, principal.authrole, wills))


def write_rest(estate: Estate, wills: tuple[LastWill, ...]) -> bytes:
    """The value of a claim of which some is published."""
    return encode(structs.replace(estate, wills=wills))


def read_estate(value: bytes) -> Estate | None:
    """What a claim says; None: nothing."""
    return decode(DECODER, value)
