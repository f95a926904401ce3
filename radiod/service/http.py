"""The site: which path of HTTP answers what."""

from __future__ import annotations

from collections.abc import Mapping

from radiod.core.budgets.idempotency import Answers
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Permissions
from radiod.transport.listening.listeners import PlainListeners
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.wamp_longpoll import Polls
from radiod.web.callers import Callers
from radiod.web.centrifugo.methods import Methods
from radiod.web.centrifugo.route import Centrifugo, PublishPath
from radiod.web.channels import Channels, Health
from radiod.web.listen import Listen
from radiod.web.longpoll import LongPoll
from radiod.web.publish import Publish
from radiod.web.routes import Route
from radiod.web.site import Site, WampPath
from radiod.web.suspicion import Suspicion

__all__ = ["make_site"]


def make_site(
    *,
    callers: Callers,
    gateway: Gateway,
    permissions: Permissions | None,
    streams: PlainListeners,
    channel_polls: ChannelPolls,
    longpolls: Polls,
    suspicion: Suspicion,
    aliases: Mapping[str, str],
    idempotent: Answers,
    uid: str,
) -> Site:
    """Everything that HTTP answers.

    Args:
        callers: finds out who publishes and calls.
        gateway: of the realm for requests without a key; permissions: what they may, None: all.
        aliases: path -> channel.
        idempotent: answers to requests that may be repeated.
        uid: names this process.
    """
    publish = Publish(callers, suspicion)
    centrifugo = Centrifugo(callers, Methods(idempotent, uid))
    listen = Listen(streams, channel_polls, suspicion)
    channels = Channels(gateway, permissions)
    leaves: dict[str, Route] = {
        "/publish": publish,
        "/api/publish": PublishPath(publish, centrifugo),
        # Paths that lack a channel say so.
        "/listen": listen,
        "/listen/": listen,
        "/channels": channels,
        "/healthz": Health(),
        "/ws": WampPath(),
    }
    by_path = {path: Listen(streams, channel_polls, suspicion, name) for path, name in aliases.items()}
    below = {"/listen/": listen, "/channels/": channels, "/lp/": LongPoll(longpolls), "/api/": centrifugo}
    return Site({**leaves, **by_path}, below)
