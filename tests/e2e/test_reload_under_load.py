"""Fifty reloads while everybody publishes and listens: nothing is lost, and nothing is left behind."""

import http.client
import json
import os
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from support.programs import Program
from support.running import free_port, radiod
from support.tls import Issued
from websockets.sync.client import connect

from radiod.ctl.links import open_unix
from radiod.ctl.session import Session

pytestmark = pytest.mark.e2e

SECONDS = 30
RELOADS = 50
PACE = 0.2
"""Seconds from one reload to the next: fifty are ten seconds."""

ESTABLISHED, CLOSE_WAIT = "01", "08"

BASE = """
[realms.radio]
anonymous = "member"

[realms.radio.roles.member]
publish = ["*"]
subscribe = ["*"]
call = ["radiod.echo"]

[realms.radio.keys.feed]
key = "feed-secret"
publish = ["*"]

[realms.radio.channels.news]
history = {size = 100}

[realms.radio.channels.kept]
history = {size = 1000}
durable = true
"""
KEY = "\n[realms.radio.keys.other]\nkey = 'other-secret'\npublish = ['*']\n"
USER = "\n[realms.radio.users.ann]\nrole = 'member'\nticket = 'anns-ticket'\n"
ROLE = BASE.replace('call = ["radiod.echo"]', 'call = ["radiod.echo", "other"]')
SHRUNK = BASE.replace("size = 100}", "size = 90}")
FILES = [BASE + KEY, ROLE, BASE + USER, SHRUNK, BASE]
CHANNELS = ("news", "kept")


class Changing:
    """A server, and the files that it is to act by, one after the other.

    With each a certificate is another one, and every second one has one endpoint more.
    """

    def __init__(self, folder, server, port, tls_port):
        self.server = server
        self._folder = folder
        self._ports = port, tls_port
        self._extra = free_port()
        self._pairs = [Issued("localhost"), Issued("localhost")]
        self._file = folder / f"radiod-{port}.toml"
        self._socket = folder / f"radiod-admin-{port}.sock"
        self._session = None
        self._turn = 0

    def head(self, extra=False):
        plain, tls = self._ports
        pair = f'{{certificate = "{self._folder}/cert.pem", key = "{self._folder}/key.pem"}}'
        text = f'[[listen]]\nendpoint = "tcp:{plain}:interface=127.0.0.1"\n'
        text += f'[[listen]]\nendpoint = "tcp:{tls}:interface=127.0.0.1"\ntls = {pair}\n'
        return text + f'[[listen]]\nendpoint = "tcp:{self._extra}:interface=127.0.0.1"\n' * extra

    def write_pair(self):
        issued = self._pairs[self._turn % 2]
        (self._folder / "cert.pem").write_bytes(issued.certificate_pem())
        (self._folder / "key.pem").write_bytes(issued.key_pem())

    def connect(self):
        link = open_unix(str(self._socket), SECONDS)
        self._session = Session(link, "radio", authid=None, ticket=None, seconds=SECONDS)

    def reload(self):
        self._turn += 1
        self.write_pair()
        text = self.head(extra=bool(self._turn % 2)) + FILES[self._turn % len(FILES)]
        self._file.write_text(f'{text}\n[admin]\nsocket = "{self._socket.name}"\n')
        answer = self._session.call("radiod.admin.reload")
        # One of two endpoints comes or goes each time.
        assert "listen.[2]" in answer["live"], answer

    def figures(self):
        """Descriptors, and resident memory in KiB, once nobody is connected any more."""
        until = time.monotonic() + SECONDS
        while self.connections():
            assert time.monotonic() < until
            time.sleep(0.05)
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd")), self.server.resident_kib()

    def connections(self):
        """How many the server has not closed."""
        here = {f":{port:04X}" for port in (*self._ports, self._extra)}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1][8:] in here and row[3] in (ESTABLISHED, CLOSE_WAIT) for row in rows)


@pytest.fixture
def changing(world):
    port, tls_port = free_port(), free_port()
    changing = Changing(world.folder, None, port, tls_port)
    changing.write_pair()
    text = changing.head() + BASE
    arguments = ["--store", str(world.folder / "store")]
    changing.server = world.enter(radiod(world.folder, text, port, *arguments))
    changing.connect()
    return changing


# --- who publishes: each numbers what was acknowledged


class Publishing(threading.Thread):
    """Publishes on both channels in turn until it is told to end. ``sent``: how many were acknowledged."""

    def __init__(self, server):
        super().__init__(name=type(self).__name__)
        self._server = server
        self.sent = Counter()
        self.failure = None
        self.is_over = False

    def run(self):
        try:
            while not self.is_over:
                for channel in CHANNELS:
                    self.publish(channel, {"by": self.name, "n": self.sent[channel]})
                    self.sent[channel] += 1
        except Exception as error:
            self.failure = error


class ByHttp(Publishing):
    """One connection for all that it publishes."""

    def __init__(self, server):
        super().__init__(server)
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)

    def publish(self, channel, data):
        body = json.dumps({"network": channel, "data": data})
        self._connection.request("POST", "/publish", body, {"API-KEY": "feed-secret"})
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said


class ByNewConnections(Publishing):
    """One connection for each event."""

    def publish(self, channel, data):
        body = json.dumps({"network": channel, "data": data}).encode()
        asked = urllib.request.Request(f"{self._server.url}/publish", body, {"API-KEY": "feed-secret"})
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            answer.read()


class ByWamp(Publishing):
    """A session that has each acknowledged."""

    def __init__(self, server):
        super().__init__(server)
        self._session = Program(server.port)

    def publish(self, channel, data):
        self._session.publish(channel, data)


# --- who listens


class Listening(threading.Thread):
    """Hears one channel until its end is published. ``heard``: numbers, by who has published them."""

    accept = ""

    def __init__(self, server, channel):
        super().__init__(name=f"{type(self).__name__} {channel}")
        self.server = server
        self.channel = channel
        self.heard = {}
        self.failure = None
        self.begin()

    def run(self):
        try:
            for data in self.events():
                if data["by"] == "end":
                    break
                self.heard.setdefault(data["by"], []).append(data["n"])
        except Exception as error:
            self.failure = error
        self.end()

    def begin(self):
        """Listens from now on."""
        url = f"{self.server.url}/listen/{self.channel}"
        asked = urllib.request.Request(url, headers={"Accept": self.accept})
        self._answer = urllib.request.urlopen(asked, timeout=SECONDS)

    def end(self):
        self._answer.close()


class OverEventStream(Listening):
    accept = "text/event-stream"

    def events(self):
        for line in self._answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


class OverLines(Listening):
    accept = "application/x-ndjson"

    def events(self):
        for line in self._answer:
            if line.strip() and "data" in (event := json.loads(line)):
                yield event["data"]


class OverPolls(Listening):
    def begin(self):
        self._connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=SECONDS)
        self._after = self.ask("wait=0").getheader("X-Radiod-Position")

    def ask(self, query):
        self._connection.request("GET", f"/listen/{self.channel}?{query}")
        answer = self._connection.getresponse()
        self._body = answer.read()
        assert answer.status in (200, 204), self._body
        return answer

    def events(self):
        while True:
            answer = self.ask(f"after={self._after}")
            assert answer.getheader("X-Radiod-Recovered", "true") == "true"
            self._after = answer.getheader("X-Radiod-Position", self._after)
            for event in json.loads(self._body or "[]"):
                self._after = event["position"]
                yield event["data"]

    def end(self):
        self._connection.close()


class OverWebSocket(Listening):
    def begin(self):
        self._socket = connect(f"{self.server.ws}/listen/{self.channel}", open_timeout=SECONDS).__enter__()

    def events(self):
        while True:
            yield json.loads(self._socket.recv(SECONDS))

    def end(self):
        self._socket.close()


class OverWamp(Listening):
    def begin(self):
        self._session = Program(self.server.port, serializer="msgpack")
        self._session.listen(self.channel)

    def events(self):
        while True:
            yield self._session.event().data

    def end(self):
        self._session.close()


LISTENERS = (OverEventStream, OverLines, OverPolls, OverWebSocket, OverWamp)
PUBLISHERS = (ByHttp, ByNewConnections, ByWamp)


def reload_under_load(changing, pace):
    """Reload fifty times; everybody hears every event that was acknowledged, once and in order."""
    server = changing.server
    listening = [kind(server, channel) for kind in LISTENERS for channel in CHANNELS]
    publishing = [kind(server) for kind in PUBLISHERS]
    for thread in [*listening, *publishing]:
        thread.start()
    try:
        began = time.monotonic()
        for number in range(RELOADS):
            changing.reload()
            time.sleep(max(0.0, began + (number + 1) * pace - time.monotonic()))
        took = time.monotonic() - began
    finally:
        for thread in publishing:
            thread.is_over = True
        for thread in publishing:
            thread.join()
        last = ByNewConnections(server)
        for channel in CHANNELS:
            last.publish(channel, {"by": "end"})
        for thread in listening:
            thread.join(SECONDS)
    assert [
        (one.name, one.failure) for one in [*listening, *publishing] if one.failure or one.is_alive()
    ] == []
    for one in listening:
        assert one.heard == {by.name: list(range(by.sent[one.channel])) for by in publishing}, one.name
    assert all(by.sent[channel] for by in publishing for channel in CHANNELS)
    events = {by.name: by.sent.total() for by in publishing}
    print(f"{RELOADS} reloads in {took:.1f} s, events published {events}, each heard by {len(LISTENERS)}")


def test_fifty_reloads_in_ten_seconds_lose_no_event_and_leave_nothing_behind(changing):
    reload_under_load(changing, 0)
    before = changing.figures()
    reload_under_load(changing, PACE)
    after = changing.figures()
    print(f"descriptors {before[0]} then {after[0]}, resident KiB {before[1]} then {after[1]}")
    assert after[0] == before[0]
    assert after[1] <= before[1] * 1.05
    log = changing.server.log.read_text()
    assert "Traceback" not in log
    assert log.count("reload: ") == 2 * RELOADS
