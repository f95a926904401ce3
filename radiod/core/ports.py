"""What the core needs from outside, and what outside may offer it, as small contracts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from radiod.core.budgets.rates import RateLimit
from radiod.core.promises import Later
from radiod.errors import PeerError, RadiodError, Refused, WrongSecret
from radiod.wire.codecs import Payload
from radiod.wire.messages import Goodbye, HelloDetails, Message, Options

if TYPE_CHECKING:
    from radiod.core.channels.registry import SavedChannel
    from radiod.core.delivery.listeners import Broadcast, Listener
    from radiod.core.history.histories import Record
    from radiod.core.sessions.session import Session

__all__ = [
    "Action",
    "Authenticator",
    "BrowserCookie",
    "Clock",
    "Cookies",
    "Disclose",
    "Ids",
    "Journal",
    "Limits",
    "Outbox",
    "Permissions",
    "Principal",
    "Question",
    "Verdict",
    "Waker",
]


class Action(StrEnum):
    """What a principal may ask to do with a URI."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    CALL = "call"
    REGISTER = "register"


class Disclose(Enum):
    """When an identity is revealed to callees and subscribers."""

    ALWAYS = "always"
    ASKED = "asked"
    NEVER = "never"


class Verdict(Struct, frozen=True, kw_only=True):
    """What an authorizer decides: whether, and what receivers learn about the one who acts.

    ``trustlevel``: as events and invocations carry it; None: not told; ``may_take_over``: a REGISTER may take
    the procedure from other people's sessions.
    """

    is_allowed: bool
    disclose: Disclose = Disclose.ASKED
    trustlevel: int | None = None
    may_take_over: bool = False


class Permissions(Protocol):
    """What one role, or one key, may do."""

    @property
    def may_hold_publishers(self) -> bool:
        """True when a listener may have publishers wait for it, or be refused: ``wait`` and ``raise``."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests each of its sessions may send; None: any number."""

    def decide(
        self, session: Session, action: Action, uri: str, options: Options
    ) -> Verdict | Later[Verdict]:
        """Decide on what ``session`` asks for; ``options`` are its message's, with their match policy.

        Settles with ``Refused`` when there is no decision to be had.
        """

    def allows(self, action: Action, uri: str) -> bool:
        """True when it is known at once that ``action`` on ``uri`` is permitted. Never raises."""

    def hides(self, topic: str) -> bool:
        """True when events of ``topic`` may not reach the holder, whatever pattern it subscribed to."""

    def hides_procedure(self, procedure: str) -> bool:
        """True when it is known at once that the holder may neither call nor register ``procedure``."""

    def may_act_on_others(self, procedure: str) -> bool:
        """True when the holder may call ``procedure`` on what is other people's."""


class Principal(Struct, frozen=True, kw_only=True):
    """Somebody whose identity is established. ``authextra`` is told to that client alone, in WELCOME.

    ``memberships``: names of the configuration's private channels that its sessions are members of.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    permissions: Permissions
    authextra: dict[str, Any] | None = None
    memberships: tuple[str, ...] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether it may be anybody."""
        return self.authmethod == "anonymous"


class Question(Struct, frozen=True, kw_only=True):
    """What an authenticator asks the client before it decides.

    ``extra`` goes out with CHALLENGE; ``answer`` takes the signature and extra of AUTHENTICATE and returns
    the principal, perhaps later, or raises ``Denied``; it may be asked once. ``session``: the id that
    CHALLENGE says the session will have; None: it says nothing of it.
    """

    extra: dict[str, Any]
    answer: Callable[[str, dict[str, Any]], Principal | Later[Principal]]
    session: int | None = None


class Authenticator(Protocol):
    """One authentication method of one realm."""

    @property
    def method(self) -> str:
        """Its name in HELLO, CHALLENGE and WELCOME."""

    def begin(self, details: HelloDetails) -> Principal | Question | Later[Principal | Question]:
        """Decide on a HELLO, or ask; perhaps later.

        Whether a principal exists must show neither in the answer nor in its timing.
        Raises: Denied: these details can never lead to a session.
        """


class BrowserCookie(Struct, frozen=True):
    """The cookie of one connection; ``is_new``: this connection's own answer brought it to the client."""

    id: str
    is_new: bool


class Cookies(Protocol):
    """Who has logged in with which cookie on one realm."""

    @property
    def lifetime_s(self) -> float:
        """Seconds for which a login is remembered."""

    def issue(self) -> str:
        """A new cookie's id: 32 hexadecimal digits nobody can guess."""

    def authenticator(self, cookie_id: str, authid: str | None = None) -> Authenticator | None:
        """What lets a cookie's owner in again; None: there is none, or it is not ``authid``."""

    def bind(self, cookie: BrowserCookie, principal: Principal) -> None:
        """``principal`` has got in on a connection with this cookie."""

    def forget(self, cookie_id: str) -> None:
        """Nobody shall be behind this cookie any more."""


class Clock(Protocol):
    """Time."""

    def seconds(self) -> float:
        """Monotonic seconds: for every duration and deadline."""

    def time(self) -> float:
        """Seconds since 1970, UTC: only to tell people and other programs a date."""


class Waker(Protocol):
    """The one timer outside the core that drives every deadline inside it."""

    def wake_at(self, when: float) -> None:
        """Call ``Timers.run`` at ``when`` (monotonic seconds) or soon after; replaces the last request."""


class Ids(Protocol):
    """Where random ids and secrets come from; deterministic in tests."""

    def next(self) -> int:
        """A random integer from 1 to 2**53."""

    def secret(self) -> str:
        """32 hexadecimal digits nobody can guess."""


class Outbox(Protocol):
    """Where the core's decisions go. Never blocks, never re-enters the core."""

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        """Deliver one message to one session, in order with all others sent to it this way.

        Raises: Refused: the session cannot take ``payload`` (its serializer cannot say it, or it is longer
            than the session accepts); nothing was sent. Without a payload it never raises.
        """

    def fan_out(self, listeners: Collection[Listener], broadcast: Broadcast, lost: int = 0) -> None:
        """Deliver one event to many listeners, telling them that ``lost`` were dropped before it.

        Events of one publisher on one topic reach each listener in the order of these calls. A listener
        that does not keep up gets its buffer's policy (``Listener.hold``) instead of a place in memory.
        """

    def release(self, listener: Listener) -> None:
        """Something waits for the listener, and is due: ask for it with ``Listener.take`` until that is None.

        That happens soon, when its connection takes it; never before this returns.
        """

    def is_blocked(self, session: Session) -> bool:
        """True while the session's connection takes nothing, and events go to its listeners' buffers."""

    def hold(self, session: Session, is_held: bool) -> None:
        """Read no more from the session's peer while one of its messages waits for a decision; or read on."""

    def confirm(self, session: Session, message: Goodbye) -> None:
        """Deliver the answer to GOODBYE; the connection may open another session."""

    def close(self, session: Session, message: Goodbye) -> None:
        """Deliver GOODBYE; close the transport once the peer has answered, or has had time to."""

    def drain(self, session: Session) -> None:
        """Send what waits in the session's buffers, and is due, even while its connection takes nothing.

        What that comes to has a bound; what is beyond it stays where it is.
        """

    def stop(self, session: Session) -> None:
        """End the session's connection once everything sent to it has left: the server stops.

        The client must be free to come back, and so gets no word that it takes for a goodbye.
        """

    def abort(self, session: Session, error: PeerError) -> None:
        """End a session for a fault of its peer that was found while nobody was handling its input."""

    def unpublished(self, session: Session, topic: str, refusal: RadiodError) -> None:
        """An event of this session was refused, and nobody tells it: no acknowledgement was asked for."""

    def suspect(self, session: Session, refusal: WrongSecret) -> None:
        """The session has shown a wrong key: who does that often, from one address, is slowed."""

    def end(self, session: Session) -> None:
        """Finish the stream of a listener that speaks no WAMP: its channel has ended.

        Other sessions go on. What was sent before reaches the listener first.
        """


class Journal(Protocol):
    """Where the events of one realm's durable channels are written before anybody gets them.

    What was written is there after any crash of the process, in the order of asking. Never blocks.
    """

    def save(self, channel: SavedChannel, done: Callable[[Refused | None], None]) -> None:
        """Write what is to be known of a channel, and call ``done`` as ``append`` does."""

    def append(self, record: Record, done: Callable[[Refused | None], None]) -> None:
        """Write an event, and call ``done``, in the order of asking: with None once it is on disk.

        Raises: Refused: ``unavailable``: too much waits to be written; ``done`` will not be called.
        """

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """Let events before number ``first`` go, some time. Called for every event: cheap."""

    def forget(self, topic: str) -> None:
        """Let the topic's events, its count, and what was saved of its channel go."""


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of the core's own tables; the meaning of each is documented with the configuration."""

    call_timeout_s: float = 60.0
    max_pending_calls: int = 4096
    max_subscriptions: int = 10_000
    max_registrations: int = 10_000
    max_channels: int = 10_000
    max_channels_per_session: int = 100
    max_channels_per_user: int = 1000
    max_memberships: int = 1000
    max_history_bytes: int = 1 << 30
    max_history_bytes_per_user: int = 1 << 28
    demand_hold_s: float = 1.0
    max_retained_topics: int = 10_000
    max_retained_bytes: int = 64 << 20
    max_testaments: int = 100
    max_buffer_bytes: int = 16 << 20
    max_session_bytes: int = 64 << 20
    max_buffered_bytes: int = 1 << 30
    wait_timeout_s: float = 5.0
    max_nesting: int = 64
