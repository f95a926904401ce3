"""Every WAMP message as one typed, array-like struct, tagged with its message code.

A message that a client sends is validated by decoding it: a wrong type anywhere is refused there, and past
the codec nobody checks types again. Payloads (``args``, ``kwargs``) stay raw bytes of the sender's
serializer. A message that the router sends carries no payload fields: the codec appends the payload's
bytes, since optional trailing elements must be left out and a struct encoder cannot do that.

Source: WAMP specification, Basic Profile, "Messages"; option names from the Advanced Profile.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

__all__ = [
    "Abort",
    "Authenticate",
    "Call",
    "CallOptions",
    "Cancel",
    "CancelMode",
    "CancelOptions",
    "Challenge",
    "ClientAbort",
    "ClientMessage",
    "Error",
    "ErrorDetails",
    "Event",
    "Goodbye",
    "Hello",
    "HelloDetails",
    "Interrupt",
    "Invocation",
    "InvocationError",
    "InvocationPolicy",
    "MatchPolicy",
    "Message",
    "Options",
    "Passthru",
    "PeerRole",
    "Publish",
    "PublishOptions",
    "Published",
    "Register",
    "RegisterOptions",
    "Registered",
    "RegistrationRevoked",
    "Result",
    "RouterMessage",
    "Subscribe",
    "SubscribeOptions",
    "Subscribed",
    "SubscriptionRevoked",
    "Unregister",
    "Unregistered",
    "Unsubscribe",
    "Unsubscribed",
    "Welcome",
    "Yield",
    "YieldOptions",
    "name_of",
    "shows_secret",
]

Id = Annotated[int, Meta(ge=1, le=2**53)]
"""WAMP ids: integers from 1 to 2**53, both included."""

Text = Annotated[str, Meta(max_length=1024)]
"""URIs and names: long enough for anything sensible, short enough to index and to log."""

Ids = Annotated[list[Id], Meta(max_length=10_000)]
Texts = Annotated[list[Text], Meta(max_length=10_000)]

ITEM_BYTES = 100
"""What one item of a list takes in memory, and again in a set of the same; measured with CPython 3.11."""

EMPTY = Raw()
"""An absent payload part."""


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


class PublishOptions(Passthru):
    """PUBLISH.Options."""

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


class CancelOptions(Options):
    """CANCEL.Options."""

    mode: CancelMode = "killnowait"


class YieldOptions(Passthru):
    """YIELD.Options."""

    progress: bool = False


class ErrorDetails(Passthru):
    """ERROR.Details, as a callee may send them."""


class Message(Struct, array_like=True, forbid_unknown_fields=True):
    """One WAMP message; its first element on the wire is the tag."""


# --- from the client ------------------------------------------------------------------------------------


class Hello(Message, tag=1):
    """Opens a session on a realm."""

    realm: Text
    details: HelloDetails


class Authenticate(Message, tag=5):
    """Answers a CHALLENGE."""

    signature: Annotated[str, Meta(max_length=65_536)]
    extra: dict[str, Any]


class Publish(Message, tag=16):
    """Publishes an event to a topic."""

    request: Id
    options: PublishOptions
    topic: Text
    args: Raw = EMPTY
    kwargs: Raw = EMPTY

    @property
    def uri(self) -> str:
        """What a right is needed for."""
        return self.topic


class Subscribe(Message, tag=32):
    """Subscribes to a topic."""

    request: Id
    options: SubscribeOptions
    topic: Text

    @property
    def uri(self) -> str:
        """What a right is needed for."""
        return self.topic


class Unsubscribe(Message, tag=34):
    """Ends a subscription."""

    request: Id
    subscription: Id


class Call(Message, tag=48):
    """Calls a procedure."""

    request: Id
    options: CallOptions
    procedure: Text
    args: Raw = EMPTY
    kwargs: Raw = EMPTY

    @property
    def uri(self) -> str:
        """What a right is needed for."""
        return self.procedure


class Cancel(Message, tag=49):
    """Cancels a call; ``request`` is the call's."""

    request: Id
    options: CancelOptions


class Register(Message, tag=64):
    """Registers a procedure."""

    request: Id
    options: RegisterOptions
    procedure: Text

    @property
    def uri(self) -> str:
        """What a right is needed for."""
        return self.procedure


class Unregister(Message, tag=66):
    """Ends a registration."""

    request: Id
    registration: Id


class Yield(Message, tag=70):
    """A callee's result."""

    request: Id
    options: YieldOptions
    args: Raw = EMPTY
    kwargs: Raw = EMPTY


class InvocationError(Message, tag=8):
    """ERROR as a client may send it: the answer of a callee to an INVOCATION."""

    request_type: Literal[68]
    request: Id
    details: ErrorDetails
    error: Text
    args: Raw = EMPTY
    kwargs: Raw = EMPTY


# --- in both directions ---------------------------------------------------------------------------------


class Abort(Message, tag=3):
    """Ends a handshake, or a session whose peer broke the protocol."""

    details: dict[str, Any]
    reason: Text


class ClientAbort(Abort, tag=3):
    """ABORT as a client may send it: with arguments, which nobody reads."""

    args: Raw = EMPTY
    kwargs: Raw = EMPTY


class Goodbye(Message, tag=6):
    """Closes a session, or confirms that."""

    details: dict[str, Any]
    reason: Text


# --- from the router ------------------------------------------------------------------------------------


class Welcome(Message, tag=2):
    """The session is open."""

    session: int
    details: dict[str, Any]


class Challenge(Message, tag=4):
    """Asks for AUTHENTICATE."""

    method: str
    extra: dict[str, Any]


class Error(Message, tag=8):
    """ERROR as the router sends it; a payload may follow."""

    request_type: int
    request: int
    details: dict[str, Any]
    error: str


class Published(Message, tag=17):
    """Acknowledges a PUBLISH."""

    request: int
    publication: int


class Subscribed(Message, tag=33):
    """Acknowledges a SUBSCRIBE."""

    request: int
    subscription: int


class Unsubscribed(Message, tag=35):
    """Acknowledges an UNSUBSCRIBE."""

    request: int


class SubscriptionRevoked(Message, tag=35):
    """UNSUBSCRIBED that nobody asked for: ``request`` is 0, ``details`` name subscription and reason."""

    request: int
    details: dict[str, Any]


class Event(Message, tag=36):
    """Delivers an event; its payload follows."""

    subscription: int
    publication: int
    details: dict[str, Any]


class Result(Message, tag=50):
    """Delivers a call's result; its payload follows."""

    request: int
    details: dict[str, Any]


class Registered(Message, tag=65):
    """Acknowledges a REGISTER."""

    request: int
    registration: int


class Unregistered(Message, tag=67):
    """Acknowledges an UNREGISTER."""

    request: int


class RegistrationRevoked(Message, tag=67):
    """UNREGISTERED that nobody asked for: ``request`` is 0, ``details`` name registration and reason."""

    request: int
    details: dict[str, Any]


class Invocation(Message, tag=68):
    """Invokes a callee's procedure; its payload follows."""

    request: int
    registration: int
    details: dict[str, Any]


class Interrupt(Message, tag=69):
    """Tells a callee that nobody waits for its answer any more, or not for long."""

    request: int
    options: dict[str, Any]


def name_of(message: Message) -> str:
    """What WAMP calls the message."""
    return CLIENTS_OWN.get(type(message)) or type(message).__name__.upper()


def shows_secret(message: Message) -> bool:
    """Whether a message has something in it that must be right: a login's proof, a channel's key."""
    kind = type(message)
    if kind is Publish or kind is Subscribe:
        options: Any = message.options  # type: ignore[attr-defined] # both have them
        return options.key is not None
    if kind is Call:
        return message.procedure in KEYED  # type: ignore[attr-defined] # a Call has one
    return kind is Authenticate


KEYED = frozenset(f"radiod.channel.{name}" for name in ("delete", "extend", "join", "open_write"))
"""The router's procedures that take a key."""

CLIENTS_OWN = {InvocationError: "ERROR", ClientAbort: "ABORT"}
"""Messages that a client may send in another form than the router."""

ClientMessage = (
    Hello
    | Authenticate
    | ClientAbort
    | Goodbye
    | Publish
    | Subscribe
    | Unsubscribe
    | Call
    | Cancel
    | Register
    | Unregister
    | Yield
    | InvocationError
)
"""What a router may receive."""

RouterMessage = (
    Welcome
    | Abort
    | Challenge
    | Goodbye
    | Error
    | Published
    | Subscribed
    | Unsubscribed
    | Event
    | Result
    | Registered
    | Unregistered
    | Invocation
    | Interrupt
)
"""What a router may send; besides, the two revocations share their codes with answers."""
