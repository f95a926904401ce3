"""The configuration's webhooks: each is a session that listens, and what it hears is sent on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from radiod import config
from radiod.auth.roles import StaticPermissions
from radiod.core.ids import Ids
from radiod.core.realm.realm import Realm
from radiod.core.rights import Action, Principal
from radiod.core.sessions.session import Session
from radiod.core.uris import wanted
from radiod.errors import CHANNEL_CLOSED, NO_SUCH_CHANNEL, Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.handing import HandingOutlet
from radiod.transport.outbox import FanOut
from radiod.webhooks.bodies import CHANNEL_EVENT, META_TOPICS, EventFormat, Told, told
from radiod.webhooks.hook import Address, Hook
from radiod.webhooks.pace import Pace
from radiod.webhooks.procedures import WebhookProcedures
from radiod.webhooks.sending import HttpSender, Sender
from radiod.webhooks.signing import Signer
from radiod.webhooks.waiting import MOST_BYTES, Letter
from radiod.wire.options import SubscribeOptions

__all__ = ["Webhooks", "http_sender"]

MOST_SEEN: Final = 256
"""Events that a webhook remembers, since overlapping patterns bring one several times."""

DEMAND: Final = "channel.demand"


class Webhooks:
    """All webhooks of one server: ``start``, ``close``, ``wind_up``, ``stop``.

    Args:
        make_sender: of what sends to a URL.
    """

    def __init__(
        self,
        configuration: config.Config,
        realms: Mapping[str, Realm],
        fan_out: FanOut,
        clock: ReactorClock,
        ids: Ids,
        make_sender: Callable[[str], Sender],
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._pace = Pace(clock, clock.timers)
        self._make_sender = make_sender
        self._ears: list[_Ear] = []
        for name, settings in configuration.realms.items():
            realm = realms[name]
            format = EventFormat(name, clock)
            ears = [
                _Ear(realm, settings, own, self._hook(name, id, own), fan_out, format)
                for id, own in settings.webhooks.items()
            ]
            realm.procedures.table |= WebhookProcedures(ear.hook for ear in ears).procedures
            self._ears += ears

    def _hook(self, realm: str, name: str, settings: config.Webhook) -> Hook:
        secrets = [settings.secret, *([settings.old_secret] if settings.old_secret is not None else [])]
        return Hook(
            Address(realm, name, settings.url),
            self._make_sender(settings.url),
            Signer(secret.reveal() for secret in secrets),
            self._clock,
            self._clock.timers,
            self._ids,
            self._pace,
            random.random,
        )

    def start(self) -> None:
        """Listen, from now on."""
        for ear in self._ears:
            ear.join()

    def notify(self, type: str, data: Mapping[str, Any], realm: str | None = None) -> None:
        """Tell what is no event of a channel: ``key.revoked``, ``account.quota``.

        Args:
            data: what JSON can say.
            realm: whose webhooks; None: those of all.
        """
        body = None
        for ear in self._ears:
            if ear.wants(type, realm):
                if body is None:
                    body = told(type, self._clock.time(), msgspec.json.encode(data))
                ear.hook.take(body)

    def kept(self) -> list[tuple[str, str, list[Letter]]]:
        """What waits, or did when they stopped, for another process to send: realm, name, letters."""
        return [(*ear.hook.address.named, ear.hook.kept()) for ear in self._ears]

    def resume(self, realm: str, name: str, letters: Iterable[Letter]) -> None:
        """Have sent what waited in another process, if there is such a webhook."""
        for ear in self._ears:
            if ear.hook.address.named == (realm, name):
                ear.hook.resume(letters)

    def wind_up(self, done: Callable[[], None]) -> None:
        """Call ``done`` when all have sent what they could: nothing waits, or only for the next try."""
        busy = {ear.hook for ear in self._ears}
        if not busy:
            done()

        def rests(hook: Hook) -> None:
            busy.discard(hook)
            if not busy:
                done()

        for hook in list(busy):
            hook.wind_up(lambda hook=hook: rests(hook))  # type: ignore[misc] # a default binds it

    def close(self) -> None:
        """Listen no more; what was heard is sent yet."""
        for ear in self._ears:
            ear.close()

    def stop(self) -> None:
        """Cancel what is under way; what waits is left to another process, and told of in the log."""
        for ear in self._ears:
            ear.hook.stop()


def http_sender(reactor: Any, clock: ReactorClock, url: str) -> HttpSender:
    """What sends to a URL, on connections of its own."""
    return HttpSender(reactor, url, clock, clock.timers)


class _Ear:
    """What listens for one webhook."""

    def __init__(
        self,
        realm: Realm,
        settings: config.Realm,
        own: config.Webhook,
        hook: Hook,
        fan_out: FanOut,
        format: EventFormat,
    ) -> None:
        self.hook = hook
        hook.on_off = self._leave
        self._realm = realm
        self._fan_out = fan_out
        self._format = format
        self._channels = own.channels
        self._events = frozenset(event.value for event in own.events)
        self._topics = [topic for type, topic in META_TOPICS.items() if type in self._events]
        self._principal = self._make_principal(settings, own)
        self._session: Session | None = None
        self._is_closed = False
        self._seen: dict[int, None] = {}

    def _make_principal(self, settings: config.Realm, own: config.Webhook) -> Principal:
        """It hears what its table names; private channels by their whole names, as API keys do."""
        name = self.hook.address.name
        private = (id for id, channel in settings.channels.items() if not channel.public)
        return Principal(
            authid=name,
            authrole=f"webhook:{name}",
            authmethod="webhook",
            authprovider="static",
            permissions=StaticPermissions(
                {Action.SUBSCRIBE: (*own.channels, *self._topics)}, may_hold_publishers=False
            ),
            memberships=tuple(id for id in private if id in own.channels),
        )

    def wants(self, type: str, realm: str | None) -> bool:
        """Whether a webhook asks for that type of event, of that realm."""
        return type in self._events and realm in (None, self.hook.address.realm)

    def join(self) -> None:
        """Begin to listen."""
        if self._is_closed or not (self._topics or CHANNEL_EVENT in self._events):
            return
        outlet = HandingOutlet(
            self._fan_out,
            self._format,
            max_bytes=MOST_BYTES,
            take=self._take,
            miss=self.hook.missed,
            on_end=self._ended,
        )
        outlet.peer = f"webhook {self.hook.address.name}"
        gateway = self._realm.gateway
        session = self._session = gateway.join(self._principal, outlet)
        for topic in self._topics:
            gateway.listen(session, topic)
        if CHANNEL_EVENT in self._events:
            for name in self._channels:
                self._listen(session, name)
        if DEMAND in self._events:
            # Behind that, or it would be told of itself.
            gateway.observe_demand(session, self._channels)

    def _listen(self, session: Session, name: str) -> None:
        match, topic = wanted(name)
        try:
            self._realm.gateway.listen(session, topic, SubscribeOptions(match=match))
        except Refused as refusal:
            if refusal.uri not in (CHANNEL_CLOSED, NO_SUCH_CHANNEL):
                raise
            # It is not there yet: a pattern without a gap fits this one name, and need not be a channel.
            self._realm.gateway.listen(session, topic, SubscribeOptions(match="wildcard"))

    def _take(self, body: bytes) -> None:
        if isinstance(body, Told) and len(self._channels) > 1:
            seen = self._seen
            if body.publication in seen:
                return
            seen[body.publication] = None
            if len(seen) > MOST_SEEN:
                del seen[next(iter(seen))]
        self.hook.take(body)

    def _ended(self) -> None:
        """The session was ended from outside: the webhook is the configuration's, and listens again."""
        if self._session is not None:
            self._session = None
            self._fan_out.soon(self.join)

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._realm.gateway.leave(session)

    def close(self) -> None:
        """Listen no more, whoever ends the session."""
        self._is_closed = True
        self._leave()
