"""Every WAMP message as one typed, array-like struct, tagged with its message code.

A message that a client sends is validated by decoding it: a wrong type anywhere is refused there, and past
the codec nobody checks types again. Payloads (``args``, ``kwargs``) stay raw bytes of the sender's
serializer. A message that the router sends carries no payload fields: the codec appends the payload's
bytes, since optional trailing elements must be left out and a struct encoder cannot do that.

Source: WAMP specification, Basic Profile, "Messages".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from radiod.wire.options import (
    CallOptions,
    CancelOptions,
    ErrorDetails,
    HelloDetails,
    Id,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
    Text,
    YieldOptions,
)

__all__ = [
    "Abort",
    "Authenticate",
    "Call",
    "Cancel",
    "Challenge",
    "ClientAbort",
    "ClientMessage",
    "Error",
    "Event",
    "Goodbye",
    "Hello",
    "Interrupt",
    "Invocation",
    "InvocationError",
    "Message",
    "Publish",
    "Published",
    "Register",
    "Registered",
    "RegistrationRevoked",
    "Result",
    "RouterMessage",
    "Subscribe",
    "Subscribed",
    "SubscriptionRevoked",
    "Unfit",
    "Unregister",
    "Unregistered",
    "Unsubscribe",
    "Unsubscribed",
    "Welcome",
    "Yield",
    "name_of",
    "shows_secret",
]

EMPTY = Raw()
"""An absent payload part."""


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


class Subscribe(Message, tag=32):
    """Subscribes to a topic."""

    request: Id
    options: SubscribeOptions
    topic: Text


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


class Cancel(Message, tag=49):
    """Cancels a call; ``request`` is the call's."""

    request: Id
    options: CancelOptions


class Register(Message, tag=64):
    """Registers a procedure."""

    request: Id
    options: RegisterOptions
    procedure: Text


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


class Unfit(Message):
    """A message of which nothing but an answer can come.

    It is ``message``, had its texts not the ``fault``.
    """

    message: Any
    fault: str


def name_of(message: Message) -> str:
    """What WAMP calls the message."""
    if type(message) is Unfit:
        return name_of(message.message)
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
