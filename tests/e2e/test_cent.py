"""Centrifugo's own client for programs on servers, unmodified, against the real server."""

import asyncio
import base64
import contextlib
import json

import cent
import pytest
from cent import dto
from websockets.sync.client import connect

from radiod import __version__
from radiod.web.centrifugo.methods import ABSENT, MAP

pytestmark = pytest.mark.e2e

SECONDS = 20

CONFIG = """
[realms.radio.keys.server]
key = "server-key"
publish = ["*"]
listen = ["*"]
call = ["wamp.session.kill_by_authid", "wamp.subscription.remove_subscriber"]

[realms.radio.keys.weather]
key = "weather-key"
publish = ["weather.*"]
listen = ["weather.*"]

[realms.radio.channels."chat.*"]
history = { size = 10 }
presence = true
"""

SERVED = {
    "publish", "broadcast", "batch", "history", "presence", "presence_stats", "channels", "info",
    "disconnect", "unsubscribe",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve(CONFIG)


@pytest.fixture
def client(server):
    return cent.Client(f"{server.url}/api", "server-key", timeout=SECONDS)


@pytest.fixture
def stranger(server):
    return cent.Client(f"{server.url}/api", "weather-key", timeout=SECONDS)


class Joe:
    """A WAMP session of the user joe. ``client``: its id, as Centrifugo has it."""

    def __init__(self, connection):
        self._connection = connection
        details = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": "joe"}
        self._ask([1, "radio", details])
        self.client = str(self._ask([5, "joe-ticket", {}])[1])
        self._requests = 0

    def _ask(self, message):
        self._connection.send(json.dumps(message))
        return self.next()

    def listen(self, channel):
        self._requests += 1
        assert self._ask([32, self._requests, {}, channel])[0] == 33

    def next(self):
        return json.loads(self._connection.recv(timeout=SECONDS))


@contextlib.contextmanager
def joe(server, *channels):
    with connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"]) as connection:
        user = Joe(connection)
        for channel in channels:
            user.listen(channel)
        yield user


@contextlib.contextmanager
def listening(server, channel):
    """A plain WebSocket. Yields: what gives its next sample."""
    with connect(f"{server.ws}/listen/{channel}") as connection:
        yield lambda: json.loads(connection.recv(timeout=SECONDS))


def failure(call, *args, **kwargs):
    """The code of an error that the client raises."""
    with pytest.raises(cent.CentApiResponseError) as raised:
        call(*args, **kwargs)
    return raised.value.code


def test_every_method_of_the_client_is_served_or_told_to_be_absent():
    named = {
        one.__api_method__
        for one in vars(dto).values()
        if isinstance(one, type) and issubclass(one, cent.CentRequest) and isinstance(one.__api_method__, str)
    }
    assert named - SERVED <= ABSENT
    assert named >= SERVED
    assert not any(name.startswith(MAP) for name in SERVED)


def publish(client, channel, data, **options):
    return client.publish(cent.PublishRequest(channel=channel, data=data, **options))


def history(client, channel, **options):
    """(result, offsets of its publications)."""
    result = client.history(cent.HistoryRequest(channel=channel, **options))
    return result, [one.offset for one in result.publications]


def test_publish(server, client):
    with listening(server, "weather.publish") as sample:
        result = publish(client, "weather.publish", {"speed": 1})
        assert (result.offset, result.epoch) == (0, "")
        assert sample() == {"speed": 1}
        data = base64.b64encode(b"\xff\0").decode()
        publish(client, "weather.publish", None, b64data=data)
        assert sample() == "\0" + data


def test_publish_with_history_and_an_idempotency_key(client):
    first = publish(client, "chat.publish", {"n": 1}, idempotency_key="once")
    assert (first.offset, bool(first.epoch)) == (1, True)
    assert publish(client, "chat.publish", {"n": 1}, idempotency_key="once") == first
    assert publish(client, "chat.publish", {"n": 2}, idempotency_key="twice").offset == 2


def test_options_that_are_not_here(client):
    assert failure(publish, client, "chat.x", 1, skip_history=True) == 108
    assert failure(publish, client, "chat.x", 1, tags={"a": "b"}) == 108
    request = cent.BroadcastRequest(channels=["chat.x"], data=1, tags={"a": "b"})
    assert failure(client.broadcast, request) == 108
    assert failure(client.disconnect, cent.DisconnectRequest(user="joe", session="x")) == 108


def test_broadcast(server, client, stranger):
    with listening(server, "weather.a") as a, listening(server, "weather.b") as b:
        channels = ["weather.a", "weather.b", "chat.broadcast"]
        result = client.broadcast(cent.BroadcastRequest(channels=channels, data={"n": 1}))
        assert [one.error for one in result.responses] == [None, None, None]
        assert result.responses[2].result.offset == 1
        assert (a(), b()) == ({"n": 1}, {"n": 1})
    request = cent.BroadcastRequest(channels=["weather.a", "other", "a..b"], data=1)
    codes = [one.error and one.error.code for one in stranger.broadcast(request).responses]
    assert codes == [None, 103, 107]


def test_history(client):
    for n in range(1, 13):
        publish(client, "chat.history", {"n": n})
    everything, offsets = history(client, "chat.history", limit=-1)
    assert offsets == list(range(3, 13))
    assert [one.data for one in everything.publications] == [{"n": n} for n in offsets]
    assert history(client, "chat.history")[1] == []
    since = cent.StreamPosition(offset=10, epoch=everything.epoch)
    assert history(client, "chat.history", limit=5, since=since)[1] == [11, 12]
    latest, offsets = history(client, "chat.history", limit=2, reverse=True)
    assert offsets == [12, 11]
    assert (latest.offset, latest.epoch) == (12, everything.epoch)
    gone = cent.StreamPosition(offset=1, epoch=everything.epoch)
    assert failure(history, client, "chat.history", limit=1, since=gone) == 112
    assert failure(history, client, "weather.history", limit=1) == 108


def test_presence_and_its_numbers(server, client):
    with joe(server, "chat.presence") as one, joe(server, "chat.presence") as two:
        found = client.presence(cent.PresenceRequest(channel="chat.presence")).presence
        assert {id: (info.client, info.user) for id, info in found.items()} == {
            one.client: (one.client, "joe"),
            two.client: (two.client, "joe"),
        }
        stats = client.presence_stats(cent.PresenceStatsRequest(channel="chat.presence"))
        assert (stats.num_clients, stats.num_users) == (2, 1)
    assert failure(client.presence, cent.PresenceRequest(channel="weather.presence")) == 108
    assert failure(client.presence_stats, cent.PresenceStatsRequest(channel="weather.presence")) == 108


def test_channels(server, client, stranger):
    with joe(server, "chat.channels", "weather.channels"), joe(server, "chat.channels"):
        found = client.channels(cent.ChannelsRequest(pattern="*.channels")).channels
        assert {name: info.num_clients for name, info in found.items()} == {
            "chat.channels": 2,
            "weather.channels": 1,
        }
        assert "chat.channels" in client.channels(cent.ChannelsRequest()).channels
        assert "chat.channels" not in stranger.channels(cent.ChannelsRequest()).channels


def test_info(server, client):
    with joe(server, "chat.info"):
        (node,) = client.info(cent.InfoRequest()).nodes
        assert (node.name, node.version) == ("radiod", __version__)
        assert node.num_clients >= 1
        assert node.num_users >= 1
        assert node.num_channels >= 1
        assert node.num_subs >= 1
        assert node.uptime >= 0
        assert node.uid == client.info(cent.InfoRequest()).nodes[0].uid


def test_disconnect(server, client, stranger):
    with joe(server, "chat.disconnect") as one:
        assert failure(stranger.disconnect, cent.DisconnectRequest(user="joe")) == 103
        reason = cent.Disconnect(code=4500, reason="bye")
        client.disconnect(cent.DisconnectRequest(user="joe", disconnect=reason))
        assert one.next() == [6, {"message": "bye"}, "wamp.close.killed"]
    client.disconnect(cent.DisconnectRequest(user="nobody"))


def test_unsubscribe(server, client, stranger):
    request = cent.UnsubscribeRequest(user="joe", channel="chat.a")
    with joe(server, "chat.a", "chat.b") as one:
        assert failure(stranger.unsubscribe, request) == 103
        client.unsubscribe(request)
        publish(client, "chat.a", "a")
        publish(client, "chat.b", "b")
        event = one.next()
        assert (event[0], event[4]) == (36, ["b"])


@pytest.mark.parametrize("parallel", [False, True])
def test_batch(client, parallel):
    channel = f"chat.batch.{parallel}".lower()
    requests = [
        cent.PublishRequest(channel=channel, data={"n": 1}),
        cent.PublishRequest(channel=channel, data={"n": 2}),
        cent.BroadcastRequest(channels=[channel], data={"n": 3}),
        cent.HistoryRequest(channel=channel, limit=1),
        cent.PresenceRequest(channel=channel),
        cent.PresenceStatsRequest(channel=channel),
        cent.ChannelsRequest(),
        cent.InfoRequest(),
        cent.DisconnectRequest(user="nobody"),
        cent.UnsubscribeRequest(user="nobody", channel=channel),
    ]
    replies = client.batch(cent.BatchRequest(requests=requests, parallel=parallel)).replies
    assert [type(one) for one in replies] == [one.__returning__ for one in requests]
    assert [one.offset for one in replies[:2]] == [1, 2]
    assert replies[2].responses[0].result.offset == 3
    assert [one.data for one in replies[3].publications] == [{"n": 1}]


def test_a_batch_with_an_error_is_more_than_the_client_can_take(client):
    with pytest.raises(KeyError):
        client.batch(cent.BatchRequest(requests=[cent.PresenceRequest(channel="weather.presence")]))


def test_a_key_that_is_wrong(server):
    with pytest.raises(cent.CentUnauthorizedError):
        cent.Client(f"{server.url}/api", "wrong").info(cent.InfoRequest())


def test_methods_that_are_not_here(client):
    assert failure(client.subscribe, cent.SubscribeRequest(user="joe", channel="chat.a")) == 108
    assert failure(client.refresh, cent.RefreshRequest(user="joe")) == 108
    assert failure(client.history_remove, cent.HistoryRemoveRequest(channel="chat.a")) == 108


def test_the_asynchronous_client(server):
    async def ask():
        client = cent.AsyncClient(f"{server.url}/api", "server-key", timeout=SECONDS)
        try:
            first = await client.publish(cent.PublishRequest(channel="chat.asynchronous", data={"n": 1}))
            past = await client.history(cent.HistoryRequest(channel="chat.asynchronous", limit=1))
            return first.offset, past.publications[0].data
        finally:
            await client.close()

    assert asyncio.run(ask()) == (1, {"n": 1})
