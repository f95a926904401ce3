"""The ledger of the real server equals what its clients counted, through restarts and kills."""

import json
import socket

import httpx
import pytest
from support.config import configuration
from support.http import get
from support.running import radiod
from support.sockets import RawClient
from support.sweeps import sweep

pytestmark = pytest.mark.e2e

SECONDS = 60
KEPT, LIVE = "kept", "live.topic"

TEXT = """
[usage]
flush_s = 0.1

[realms.radio.roles.open]
call = ["*", "radiod.admin.*"]

[realms.radio.keys.writer]
key = "writer-key"
publish = ["*"]

[realms.radio.keys.reader]
key = "reader-key"
listen = ["*"]

[realms.radio.channels.kept]
history = { size = 1000 }
"""


def text_of(folder):
    return configuration(f"{TEXT}\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}")


def usage(client, *by, **wanted):
    """What ``radiod.admin.usage`` answers: rows by what they are told apart by."""
    answer = client.ask([48, None, {}, "radiod.admin.usage", [], {"by": by, **wanted}])
    assert answer[0] == 50, answer
    (found,) = answer[3]
    assert found["next"] is None
    return {tuple(row[name] for name in by): row for row in found["rows"]}


def args_of(number):
    return [number, "x" * (number % 7)]


BY_WAMP, BY_KEY = range(10), range(10, 30)


def size_of(number):
    """Payload bytes as the sender wrote them; of HTTP without what stands between arguments."""
    separators = (", ", ": ") if number in BY_WAMP else (",", ":")
    return len(json.dumps(args_of(number), separators=separators))


class Stream:
    """A stream over HTTP, read until as many events as are wanted have come."""

    def __init__(self, port, accept):
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        asked = get(f"/listen/{KEPT}", f"Accept: {accept}", "API-KEY: reader-key")
        self.socket.sendall(asked.replace(b"Host: x", b"Host: localhost"))
        self.read = b""
        self.mark = b"\ndata: " if "event" in accept else b'"data":'
        while b"\r\n\r\n" not in self.read:
            self.more()

    def more(self):
        data = self.socket.recv(65536)
        assert data, self.read
        self.read += data

    def wait_for(self, count):
        while self.read.count(self.mark) < count:
            self.more()
        assert self.read.count(self.mark) == count

    def close(self):
        self.socket.close()


def publish_all(server, wamp):
    """Publish on the channel by every way."""
    url = f"{server.url}/publish"
    for number in BY_WAMP:
        assert wamp.ask([16, None, {"acknowledge": True}, KEPT, args_of(number)])[0] == 17
    with httpx.Client(timeout=SECONDS, headers={"API-KEY": "writer-key"}) as client:
        for number in BY_KEY[:10]:
            assert client.post(url, json={"topic": KEPT, "args": args_of(number)}).status_code == 200
        lines = b"".join(
            json.dumps({"topic": KEPT, "args": args_of(n)}).encode() + b"\n" for n in BY_KEY[10:]
        )
        answer = client.post(url, content=lines, headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 200


def test_equals_what_the_clients_counted(tmp_path):
    text = text_of(tmp_path)
    with radiod(tmp_path, text) as server:
        wamp, listener = RawClient(server.port), RawClient(server.port)
        assert listener.ask([32, None, {}, KEPT])[0] == 33
        assert listener.ask([32, None, {"match": "prefix"}, "kep"])[0] == 33
        streams = [Stream(server.port, accept) for accept in ("text/event-stream", "application/x-ndjson")]
        publish_all(server, wamp)
        everything = [*BY_WAMP, *BY_KEY]
        for stream in streams:
            stream.wait_for(len(everything))
        for _ in range(2 * len(everything)):
            assert listener.hear()[0] == 36
        polled = httpx.get(f"{server.url}/listen/{KEPT}?last=12", headers={"API-KEY": "reader-key"}).json()
        assert len(polled) == 12
        (page,) = wamp.ask([48, None, {}, "radiod.channel.history", [KEPT], {"limit": 5}])[3]
        assert len(page["events"]) == 5
        found = usage(wamp, "account", "key", "channel")
        total = sum(map(size_of, everything))

        def row(account, channel=KEPT):
            counted = found[account, account, channel]
            names = ("published", "delivered", "dropped", "bytes_in", "bytes_out")
            return {name: counted[name] for name in names if counted[name]}

        assert row("writer") == {"published": 20, "bytes_in": sum(map(size_of, BY_KEY))}
        assert row("reader") == {
            "delivered": 2 * 30 + 12,
            "bytes_out": 2 * total + sum(map(size_of, everything[-12:])),
        }
        assert row("anonymous") == {
            "published": 10,
            "bytes_in": sum(map(size_of, BY_WAMP)),
            "delivered": 30 + 5,
            "bytes_out": total + sum(map(size_of, everything[:5])),
        }
        assert row("anonymous", "kep*") == {"delivered": 30, "bytes_out": total}
        # The one that asked for the usage was accepted after its answer was made.
        assert found["anonymous", "anonymous", "radiod.channel.history"]["calls"] == 1
        for stream in streams:
            stream.close()
        wamp.close()
        listener.close()
        assert server.stop() == 0
    with radiod(tmp_path, text) as server:
        # A clean stop has lost nothing, and going on in the same hour counts nothing twice.
        wamp = RawClient(server.port)
        again = usage(wamp, "account", "key", "channel")
        assert {name: again[name] for name in found if name[2] in (KEPT, "kep*")} == {
            name: row for name, row in found.items() if name[2] in (KEPT, "kep*")
        }
        assert usage(wamp, "account", since=4e9) == {}
        wamp.close()


@pytest.mark.slow
@pytest.mark.parametrize("rounds", sweep([5, 20], short=1))
def test_a_kill_loses_at_most_what_was_not_flushed_and_counts_nothing_twice(tmp_path, rounds):
    text = text_of(tmp_path)
    counted = 0
    for round in range(rounds):
        with radiod(tmp_path, text) as server:
            client = RawClient(server.port)
            found = usage(client, "channel", channel=LIVE)
            now = found[(LIVE,)]["published"] if found else 0
            if round:
                assert flushed <= now <= counted, (round, flushed, now, counted)  # noqa: F821
            for number in range(round + 1):
                assert client.ask([16, None, {"acknowledge": True}, LIVE, [number]])[0] == 17
            flushed = now + round + 1
            assert usage(client, "channel", channel=LIVE)[(LIVE,)]["published"] == flushed
            for number in range(5):
                assert client.ask([16, None, {"acknowledge": True}, LIVE, [number]])[0] == 17
            counted = flushed + 5
            server.process.kill()
            server.process.wait(SECONDS)
            client.close()


PLAN = """
[plans.small]
deliver_day = 3

[plans.thin]
deliver_day = 3
over = "thin"

[accounts.buyer]
plan = "small"

[accounts.saver]
plan = "thin"

[realms.radio.keys.buyer]
key = "buyer-key"
account = "buyer"
listen = ["*"]

[realms.radio.keys.saver]
key = "saver-key"
account = "saver"
listen = ["*"]
"""


def listening(port, key, *lines):
    """A socket on which the channel is listened to, and what came with the answer's head."""
    connection = socket.create_connection(("127.0.0.1", port), SECONDS)
    asked = get(f"/listen/{KEPT}", f"API-KEY: {key}", *lines).replace(b"Host: x", b"Host: localhost")
    connection.sendall(asked)
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    return connection, read


def read_on(connection, read, end):
    """What comes up to ``end``."""
    while end not in read:
        data = connection.recv(65536)
        assert data, read
        read += data
    return read


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def test_listeners_that_used_up_a_quota_end_with_the_reason_and_new_ones_are_refused(tmp_path):
    text = configuration(f"{TEXT}\n{PLAN}\n[store]\npath = {json.dumps(str(tmp_path / 's.sqlite'))}")
    forms = [("Accept: text/event-stream",), ("Accept: application/x-ndjson",), UPGRADE]
    with radiod(tmp_path, text) as server:
        client = RawClient(server.port)
        opened = [listening(server.port, "buyer-key", *lines) for lines in forms]
        assert client.ask([16, None, {"acknowledge": True}, KEPT, [0]])[0] == 17
        ends = (
            b'event: end\ndata: {"reason": "quota"}\n\n\r\n0\r\n\r\n',
            b'{"end": "quota"}\n\n\r\n0\r\n\r\n',
            b"\x88\x07" + (4029).to_bytes(2, "big") + b"quota",
        )
        for (connection, read), end in zip(opened, ends, strict=True):
            read_on(connection, read, end)
            connection.close()
        for asked in forms:
            refused, read = listening(server.port, "buyer-key", *asked)
            assert read.startswith(b"HTTP/1.1 429 ")
            refused.close()
        assert usage(client, "account", account="buyer")[("buyer",)]["delivered"] == 3
        client.close()
        assert server.stop() == 0
    with radiod(tmp_path, text) as server:
        # What was used before the start counts, as soon as it is read.
        client = RawClient(server.port)
        assert usage(client, "account", account="buyer")[("buyer",)]["delivered"] == 3
        client.close()
        refused, read = listening(server.port, "buyer-key", *forms[0])
        assert read.startswith(b"HTTP/1.1 429 ")
        refused.close()


def test_listeners_that_used_up_a_quota_may_be_thinned_instead(tmp_path):
    text = configuration(f"{TEXT}\n{PLAN}")
    with radiod(tmp_path, text) as server:
        client = RawClient(server.port)
        connection, read = listening(server.port, "saver-key", "Accept: application/x-ndjson")
        for number in range(3):
            assert client.ask([16, None, {"acknowledge": True}, KEPT, [number]])[0] == 17
        while read.count(b'"data"') < 3:
            read += connection.recv(65536)
        # As soon as that is looked at, which is once a second, what is published waits.
        delivered = 3
        for number in range(3, 100_000):
            assert client.ask([16, None, {"acknowledge": True}, KEPT, [number]])[0] == 17
            before, delivered = delivered, usage(client, "account", account="saver")[("saver",)]["delivered"]
            if delivered == before:
                break
        assert delivered == before
        client.close()
        connection.close()
