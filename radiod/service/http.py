"""The tree of HTTP: which path answers what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.web.resource import Resource

from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Actor, Permissions
from radiod.transport.listening.listeners import PlainListeners
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.wamp_longpoll import Polls
from radiod.web.channels import ChannelsResource, HealthResource
from radiod.web.listen import ListenResource
from radiod.web.longpoll import LongPollResource
from radiod.web.publish import PublishResource
from radiod.web.site import Root, WampPath
from radiod.web.suspicion import Suspicion

__all__ = ["make_tree"]


def make_tree(
    *,
    writer: Callable[[str], tuple[Gateway, Actor] | None],
    gateway: Gateway,
    permissions: Permissions | None,
    streams: PlainListeners,
    channel_polls: ChannelPolls,
    longpolls: Polls,
    suspicion: Suspicion,
    aliases: Mapping[str, str],
) -> Root:
    """Everything that HTTP answers.

    Args:
        writer: as ``PublishResource`` takes it.
        gateway: of the realm for requests without a key; permissions: what they may, None: all.
        aliases: path -> channel.
    """
    publish = PublishResource(writer, suspicion)
    listen = ListenResource(streams, channel_polls, suspicion)
    channels = ChannelsResource(gateway, permissions)
    leaves: dict[str, Resource] = {
        "/publish": publish,
        "/api/publish": publish,
        # Paths that lack a channel say so.
        "/listen": listen,
        "/listen/": listen,
        "/channels": channels,
        "/healthz": HealthResource(),
        "/ws": WampPath(),
    }
    by_path = {
        path: ListenResource(streams, channel_polls, suspicion, name) for path, name in aliases.items()
    }
    below = {"/listen/": listen, "/channels/": channels, "/lp/": LongPollResource(longpolls)}
    return Root({**leaves, **by_path}, below)
