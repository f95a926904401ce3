"""The dictionaries of options and details in WAMP messages, as typed structs.

Decoding checks them: a wrong type anywhere is refused there. Names are those of the WAMP specification's
Advanced Profile; radiod's own begin with ``_radiod_``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

__all__ = [
    "CallOptions",
    "CancelMode",
    "CancelOptions",
    "ErrorDetails",
    "HelloDetails",
    "Id",
    "Ids",
    "InvocationPolicy",
    "MatchPolicy",
    "Options",
    "Passthru",
    "PeerRole",
    "PublishOptions",
    "RegisterOptions",
    "SubscribeOptions",
    "Text",
    "Texts",
    "YieldOptions",
]

Id = Annotated[int, Meta(ge=1, le=2**53)]
"""WAMP ids: integers from 1 to 2**53, both included."""

Text = Annotated[str, Meta(max_length=1024)]
"""URIs and names: long enough for anything sensible, short enough to index and to log."""

Ids = Annotated[list[Id], Meta(max_length=10_000)]
Texts = Annotated[list[Text], Meta(max_length=10_000)]

ITEM_BYTES = 100
"""What one item of a list takes in memory, and again in a set of the same; measured with CPython 3.11."""


MatchPolicy = Literal["exact", "prefix", "wildcard"]
InvocationPolicy = Literal["single", "first", "last", "roundrobin", "random"]
CancelMode = Literal["skip", "kill", "killnowait"]


class Options(Struct, kw_only=True):
    """A dictionary of options; keys that radiod does not know are ignored, as WAMP asks."""


class PeerRole(Options):
    """What a client announces about one of its roles."""

    features: dict[str, Any] = {}


class HelloDetails(Options):
    """HELLO.Details."""

    roles: Annotated[dict[Text, PeerRole], Meta(min_length=1)]
    agent: Text | None = None
    authmethods: Annotated[list[Text], Meta(max_length=32)] | None = None
    authid: Text | None = None
    authextra: dict[str, Any] | None = None
    is_revocable: bool = field(name="_radiod_revocation", default=False)
    wants_goodbye: bool = field(name="_radiod_goodbye", default=False)


class Passthru(Options):
    """Payload passthru mode: what the sender says about a payload that only the receiver can read.

    ``ppt_*`` as the specification has them; ``enc_*`` as Autobahn and Crossbar spell the same, with the
    payload as one string in the place of ``args``.
    """

    ppt_scheme: Text | None = None
    ppt_serializer: Text | None = None
    ppt_cipher: Text | None = None
    ppt_keyid: Text | None = None
    enc_algo: Text | None = None
    enc_key: Text | None = None
    enc_serializer: Text | None = None

    @property
    def is_passed_through(self) -> bool:
        """True when only the receiver can read the payload."""
        return self.ppt_scheme is not None or self.enc_algo is not None

    def passthru(self) -> dict[str, Any]:
        """The attributes in use, as the receiver's details carry them."""
        if not self.is_passed_through:
            return {}
        return {name: value for name in PASSTHRU if (value := getattr(self, name)) is not None}


PASSTHRU = Passthru.__struct_fields__


class PublishOptions(Passthru, omit_defaults=True):
    """PUBLISH.Options; written without those that are the default."""

    acknowledge: bool = False
    exclude_me: bool = True
    disclose_me: bool = False
    retain: bool = False
    exclude: Ids | None = None
    exclude_authid: Texts | None = None
    exclude_authrole: Texts | None = None
    eligible: Ids | None = None
    eligible_authid: Texts | None = None
    eligible_authrole: Texts | None = None
    key: Text | None = field(name="_radiod_key", default=None)
    # Checked by the core, which refuses it by name and lets the session go on.
    stream: Any = field(name="_radiod_stream", default=None)
    # Of W3C Trace Context; what is malformed is ignored, where somebody follows traces at all.
    traceparent: Any = field(name="_radiod_traceparent", default=None)
    tracestate: Any = field(name="_radiod_tracestate", default=None)

    def narrows(self) -> bool:
        """True when some subscribers may not receive the event by its publisher's choice."""
        return not (
            self.exclude is None
            and self.eligible is None
            and self.exclude_authid is None
            and self.eligible_authid is None
            and self.exclude_authrole is None
            and self.eligible_authrole is None
        )

    def lists_size(self) -> int:
        """About how many bytes the black- and whitelists take: for bounds on what is kept with them."""
        ids = (self.exclude, self.eligible)
        texts = (
            self.exclude_authid,
            self.eligible_authid,
            self.exclude_authrole,
            self.eligible_authrole,
        )
        return sum(ITEM_BYTES * len(one) for one in ids if one) + sum(
            ITEM_BYTES + len(item) for one in texts if one for item in one
        )


class SubscribeOptions(Options):
    """SUBSCRIBE.Options; radiod's own are checked where they are used, since a wrong one ends no session."""

    match: MatchPolicy = "exact"
    get_retained: bool = False
    key: Text | None = field(name="_radiod_key", default=None)
    buffer: Any = field(name="_radiod_buffer", default=None)
    wants_position: Any = field(name="_radiod_position", default=False)
    after: Any = field(name="_radiod_after", default=None)


class RegisterOptions(Options):
    """REGISTER.Options."""

    match: MatchPolicy = "exact"
    invoke: InvocationPolicy = "single"
    concurrency: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    forward_timeout: bool = False
    disclose_caller: bool = False
    # Crossbar's and Autobahn's: WAMP has it not.
    force_reregister: bool = False
    # Checked by the core, which refuses it by name and lets the session go on.
    signature: Any = field(name="_radiod_signature", default=None)


class CallOptions(Passthru):
    """CALL.Options; ``timeout`` in milliseconds, 0 for the server's default."""

    timeout: Annotated[int, Meta(ge=0, le=2**53)] = 0
    receive_progress: bool = False
    progress: bool = False
    disclose_me: bool = False
    traceparent: Any = field(name="_radiod_traceparent", default=None)
    tracestate: Any = field(name="_radiod_tracestate", default=None)


class CancelOptions(Options):
    """CANCEL.Options."""

    mode: CancelMode = "killnowait"


class YieldOptions(Passthru):
    """YIELD.Options."""

    progress: bool = False


class ErrorDetails(Passthru):
    """ERROR.Details, as a callee may send them."""
