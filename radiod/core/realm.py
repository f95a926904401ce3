"""One realm: its sessions, broker, dealer and channels, and the entry point of every message.

The order for each message is: rights, then one change that succeeds or fails as a whole, then the answers,
then the events that tell others. A refusal becomes ERROR here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.core.broker import Broker
from radiod.core.channels import Channels
from radiod.core.dealer import Dealer
from radiod.core.ports import Action, Clock, Ids, Limits, Outbox, Principal
from radiod.core.procedures import Procedures
from radiod.core.sessions import Session
from radiod.core.timers import Timers
from radiod.core.uris import check_uri, is_reserved
from radiod.errors import CLOSE_GOODBYE, INVALID_URI, NOT_AUTHORIZED, PeerError, Refused
from radiod.wire.codecs import Codec, Payload
from radiod.wire.messages import (
    Call,
    Error,
    Goodbye,
    InvocationError,
    Message,
    Publish,
    Published,
    PublishOptions,
    Register,
    Registered,
    Result,
    Subscribe,
    Subscribed,
    Unregister,
    Unregistered,
    Unsubscribe,
    Unsubscribed,
    Yield,
    name_of,
)

__all__ = ["Publication", "Realm"]

DEFAULT_OPTIONS = PublishOptions()


class Publication:
    """What became of a publish: its id, and how many sessions listened to the topic."""

    __slots__ = ("id", "readers")

    def __init__(self, id: int, readers: int) -> None:
        self.id = id
        self.readers = readers


class Realm:
    """One realm of the router."""

    def __init__(
        self,
        name: str,
        *,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        undeclared_topics: bool = True,
    ) -> None:
        self.name = name
        self._outbox = outbox
        self._ids = ids
        # session id -> session
        self.sessions: dict[int, Session] = {}
        self.broker = Broker(outbox, ids, limits)
        self.dealer = Dealer(outbox, clock, timers, limits)
        self.channels = Channels(
            clock,
            timers,
            ids,
            max_channels=limits.max_channels,
            undeclared_topics=undeclared_topics,
            on_end=self._channel_ended,
        )
        self._procedures = Procedures(self)
        self._handlers: dict[type, Callable[[Session, Any, Codec], None]] = {
            Publish: self._on_publish,
            Subscribe: self._on_subscribe,
            Unsubscribe: self._on_unsubscribe,
            Call: self._on_call,
            Register: self._on_register,
            Unregister: self._on_unregister,
            Yield: self._on_yield,
            InvocationError: self._on_invocation_error,
            Goodbye: self._on_goodbye,
        }

    # --- sessions

    def join(self, principal: Principal, outlet: Any) -> Session:
        """Open a session for ``principal``; ``outlet`` is the outbox's way to it."""
        id = self._ids.next()
        while id in self.sessions:
            id = self._ids.next()
        session = self.sessions[id] = Session(id, principal, outlet)
        return session

    def leave(self, session: Session) -> None:
        """Remove every trace of ``session``; leaving twice does nothing."""
        if self.sessions.pop(session.id, None) is not None:
            session.is_open = False
            self.broker.leave(session)
            self.dealer.leave(session)
            self.channels.owner_left(session.id)

    def close(self, reason: str) -> None:
        """Say GOODBYE to every session, and end it."""
        for session in list(self.sessions.values()):
            self._outbox.close(session, Goodbye({}, reason))
            self.leave(session)

    # --- messages

    def receive(self, session: Session, message: Message, codec: Codec) -> None:
        """Do what one message of ``session`` asks for; ``codec`` is the serializer it came in.

        A session that left, or was closed, while the message was on its way gets neither deed nor answer.
        Raises: PeerError: the message has no place here; the session must be ended.
        """
        if not session.is_open:
            return
        handler = self._handlers.get(type(message))
        if handler is None:
            raise PeerError(f"{name_of(message)} is not expected in an open session")
        handler(session, message, codec)

    def _refuse(self, session: Session, code: int, request: int, refusal: Refused) -> None:
        self._outbox.send(session, Error(code, request, {}, refusal.uri), Payload.of(refusal.text))

    def _on_publish(self, session: Session, message: Publish, codec: Codec) -> None:
        payload = codec.payload(message.args, message.kwargs)
        options = message.options
        try:
            publication = self.publish(session, message.topic, payload, options)
        except Refused as refusal:
            # WAMP answers nothing at all to a PUBLISH that did not ask for an acknowledgement.
            if options.acknowledge:
                self._refuse(session, 16, message.request, refusal)
        else:
            if options.acknowledge:
                self._outbox.send(session, Published(message.request, publication.id))

    def _on_subscribe(self, session: Session, message: Subscribe, codec: Codec) -> None:
        try:
            subscription = self.subscribe(session, message)
        except Refused as refusal:
            self._refuse(session, 32, message.request, refusal)
        else:
            self._outbox.send(session, Subscribed(message.request, subscription))
            if message.options.get_retained:
                self.broker.send_retained(session, subscription)

    def _on_unsubscribe(self, session: Session, message: Unsubscribe, codec: Codec) -> None:
        try:
            self.broker.unsubscribe(session, message.subscription)
        except Refused as refusal:
            self._refuse(session, 34, message.request, refusal)
        else:
            self._outbox.send(session, Unsubscribed(message.request))

    def _on_call(self, session: Session, message: Call, codec: Codec) -> None:
        payload = codec.payload(message.args, message.kwargs)
        procedure = message.procedure
        try:
            self._authorize(session.principal, Action.CALL, procedure)
            if procedure.startswith("radiod."):
                result = self._procedures.call(session, procedure, payload)
                self._outbox.send(session, Result(message.request, {}), result)
            else:
                self.dealer.call(session, message.request, procedure, message.options, payload)
        except Refused as refusal:
            self._refuse(session, 48, message.request, refusal)

    def _on_register(self, session: Session, message: Register, codec: Codec) -> None:
        try:
            self._authorize(session.principal, Action.REGISTER, message.procedure)
            self._not_reserved(message.procedure)
            registration = self.dealer.register(session, message.procedure, message.options)
        except Refused as refusal:
            self._refuse(session, 64, message.request, refusal)
        else:
            self._outbox.send(session, Registered(message.request, registration))

    def _on_unregister(self, session: Session, message: Unregister, codec: Codec) -> None:
        try:
            self.dealer.unregister(session, message.registration)
        except Refused as refusal:
            self._refuse(session, 66, message.request, refusal)
        else:
            self._outbox.send(session, Unregistered(message.request))

    def _on_yield(self, session: Session, message: Yield, codec: Codec) -> None:
        self.dealer.answer(session, message.request, codec.payload(message.args, message.kwargs))

    def _on_invocation_error(self, session: Session, message: InvocationError, codec: Codec) -> None:
        payload = codec.payload(message.args, message.kwargs)
        self.dealer.fail(session, message.request, message.error, payload)

    def _on_goodbye(self, session: Session, message: Goodbye, codec: Codec) -> None:
        self._outbox.send(session, Goodbye({}, CLOSE_GOODBYE))
        self.leave(session)

    # --- what messages and HTTP both ask for

    def publish(
        self, publisher: Session, topic: str, payload: Payload, options: PublishOptions = DEFAULT_OPTIONS
    ) -> Publication:
        """Publish for ``publisher``, whose session need not be joined.

        Raises: Refused: ``not_authorized``, ``invalid_uri``, ``channel_closed``, ``no_such_channel``,
            ``quota``.
        """
        self._authorize(publisher.principal, Action.PUBLISH, topic)
        self._not_reserved(topic)
        channel = self.channels.admit(topic)
        publication = self.broker.publish(publisher, topic, payload, options)
        if channel is not None:
            channel.events += 1
        return Publication(publication, self.broker.readers(topic))

    def subscribe(self, session: Session, message: Subscribe) -> int:
        """Subscribe ``session``; returns the subscription id.

        Raises: Refused: ``not_authorized``, ``invalid_uri``, ``channel_closed``, ``no_such_channel``,
            ``quota``.
        """
        self.may_subscribe(session.principal, message.topic)
        return self.broker.subscribe(session, message.topic, message.options)

    def may_subscribe(self, principal: Principal, topic: str) -> None:
        """Raises: Refused: as ``subscribe``, but for ``quota``."""
        self._authorize(principal, Action.SUBSCRIBE, topic)
        if not is_reserved(topic):
            self.channels.admit(topic)

    def _authorize(self, principal: Principal, action: Action, uri: str) -> None:
        check_uri(uri)
        if not principal.permissions.allows(action, uri):
            raise Refused(NOT_AUTHORIZED, f"role {principal.authrole} may not {action.value} {uri}")

    def _not_reserved(self, uri: str) -> None:
        if is_reserved(uri):
            raise Refused(INVALID_URI, f"{uri} belongs to the router")

    # --- channels

    def create_channel(self, name: str, lifetime: float | None, owner: Session | None) -> dict[str, Any]:
        """Open a channel, and tell. Raises: Refused: as ``Channels.create``."""
        channel = self.channels.create(name, lifetime, owner.id if owner else None)
        self._announce("radiod.channel.on_create", {"name": name})
        return {
            "name": name,
            "control_key": channel.control_key,
            "expires": self.channels.expires(channel),
            "readers": self.broker.readers(name),
        }

    def list_channels(self, prefix: str = "", limit: int = 100, after: str | None = None) -> dict[str, Any]:
        """One page of the public channels: ``{channels, next}``."""
        page = self.channels.page(prefix, limit + 1, after)
        shown = page[:limit]
        return {
            "channels": [self.describe_channel(channel.name) for channel in shown],
            "next": shown[-1].name if len(page) > limit else None,
        }

    def describe_channel(self, name: str) -> dict[str, Any]:
        """What anybody may know of a channel. Raises: Refused: as ``Channels.get``."""
        return {
            **self.channels.describe(self.channels.get(name)),
            "readers": self.broker.readers(name),
        }

    def _channel_ended(self, name: str, reason: str) -> None:
        self.broker.forget(name)
        self._announce("radiod.channel.on_delete", {"name": name, "reason": reason})

    def _announce(self, topic: str, event: dict[str, Any]) -> None:
        self.broker.publish(None, topic, Payload.of(event), DEFAULT_OPTIONS)
