"""The site: which path of HTTP answers what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Actor, Permissions
from radiod.transport.listening.listeners import PlainListeners
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.wamp_longpoll import Polls
from radiod.web.channels import Channels, Health
from radiod.web.listen import Listen
from radiod.web.longpoll import LongPoll
from radiod.web.openapi import OpenApi
from radiod.web.publish import Publish
from radiod.web.routes import Route
from radiod.web.site import Site, WampPath
from radiod.web.suspicion import Suspicion

__all__ = ["make_site"]


def make_site(
    *,
    writer: Callable[[str], tuple[Gateway, Actor] | None],
    gateway: Gateway,
    permissions: Permissions | None,
    streams: PlainListeners,
    channel_polls: ChannelPolls,
    longpolls: Polls,
    suspicion: Suspicion,
    aliases: Mapping[str, str],
) -> Site:
    """Everything that HTTP answers.

    Args:
        writer: as ``Publish`` takes it.
        gateway: of the realm for requests without a key; permissions: what they may, None: all.
        aliases: path -> channel.
    """
    publish = Publish(writer, suspicion)
    listen = Listen(streams, channel_polls, suspicion)
    channels = Channels(gateway, permissions)
    leaves: dict[str, Route] = {
        "/publish": publish,
        "/api/publish": publish,
        # Paths that lack a channel say so.
        "/listen": listen,
        "/listen/": listen,
        "/channels": channels,
        "/healthz": Health(),
        "/openapi.json": OpenApi(),
        "/ws": WampPath(),
    }
    by_path = {path: Listen(streams, channel_polls, suspicion, name) for path, name in aliases.items()}
    below = {"/listen/": listen, "/channels/": channels, "/lp/": LongPoll(longpolls)}
    return Site({**leaves, **by_path}, below)
