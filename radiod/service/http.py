"""The site: which path of HTTP answers what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from radiod import config
from radiod.access.statements import Statements
from radiod.auth.tokens import Tokens
from radiod.core.budgets.idempotency import Answers
from radiod.core.draining import Draining
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Permissions
from radiod.transport.listening.listeners import PlainListeners
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.wamp_longpoll import Polls
from radiod.web.account import Account, Rotation, Usage
from radiod.web.call import Call
from radiod.web.callers import Callers
from radiod.web.centrifugo.methods import Methods
from radiod.web.centrifugo.route import Centrifugo, PublishPath
from radiod.web.channels import Channels, Health
from radiod.web.folder import BELOW, PLACE, Folder
from radiod.web.listen import Listen
from radiod.web.longpoll import LongPoll
from radiod.web.openapi import OpenApi
from radiod.web.publish import Publish
from radiod.web.repeats import Repeats
from radiod.web.routes import Route
from radiod.web.site import Site, WampPath
from radiod.web.suspicion import Suspicion
from radiod.web.tokens import TokensPath
from radiod.wire.answer import Answer
from radiod.wire.doors import usual_origin

__all__ = ["make_acts", "make_site"]


def make_acts(
    callers: Callers,
    tokens: Tokens,
    statements: Statements,
    limits: config.Limits,
    origins: Iterable[str],
    answers: Answers,
    uid: str,
) -> dict[str, Route]:
    """What does something for whoever has a key, and what is below ``/api/``.

    Args:
        origins: of other sites' pages that may, too.
        answers: to requests that may be repeated.
        uid: names this process.
    """
    repeats = Repeats(answers)
    publish = Publish(callers, repeats, max_upload=limits.max_upload_bytes, max_line=limits.max_message_bytes)
    call = Call(callers, repeats)
    centrifugo = Centrifugo(callers, Methods(answers, uid))
    issue = TokensPath(callers, tokens)
    rotate = Rotation(callers, statements)
    for route in (publish, call, centrifugo, issue, rotate):
        route.page_origins = frozenset(map(usual_origin, origins))
    return {
        "/publish": publish,
        "/api/publish": PublishPath(publish, centrifugo),
        "/api/": centrifugo,
        "/call": call,
        "/tokens": issue,
        "/account": Account(callers, statements),
        "/account/usage.csv": Usage(callers, statements),
        "/account/rotate": rotate,
    }


def make_site(
    *,
    acts: Mapping[str, Route],
    gateway: Gateway,
    permissions: Permissions | None,
    streams: PlainListeners,
    channel_polls: ChannelPolls,
    longpolls: Polls,
    suspicion: Suspicion,
    draining: Draining,
    aliases: Mapping[str, str],
    watching: Mapping[str, Route],
    pages: Mapping[str, Answer],
) -> Site:
    """Everything that HTTP answers.

    Args:
        acts: path -> what ``make_acts`` has made.
        gateway: of the realm for requests without a key; permissions: what they may, None: all.
        aliases: path -> channel; watching: path -> what is for those who watch the server.
        pages: path -> a file of whoever runs the server.
    """
    at = partial(Listen, streams, channel_polls, suspicion, draining)
    listen, channels, one_channel = at(), Channels(gateway, permissions), Channels(gateway, permissions)
    one_channel.label = "/channels/{name}"
    leaves: dict[str, Route] = {
        **{path: route for path, route in acts.items() if not path.endswith("/")},
        # Paths that lack a channel say so.
        "/listen": listen,
        "/listen/": listen,
        "/channels": channels,
        "/healthz": Health(),
        **watching,
        "/openapi.json": OpenApi(),
        "/ws": WampPath(),
        **{path: at(name) for path, name in aliases.items()},
    }
    below = {
        **{path: route for path, route in acts.items() if path.endswith("/")},
        "/listen/": listen,
        "/channels/": one_channel,
        "/lp/": LongPoll(longpolls, draining),
    }
    own: dict[str, Route] = dict.fromkeys((PLACE, BELOW), Folder(pages)) if pages else {}
    return Site({**leaves, **own}, {**below, **own})
