"""Real sockets of which one asks for all it can get: others go on, and nothing that was said is lost."""

import contextlib
import json
import socket
import ssl
import threading

import pytest
from support.config import configuration
from support.running import free_port, radiod
from support.sockets import RawClient
from support.tls import certificate

pytestmark = pytest.mark.e2e

CONFIG = configuration('realms.radio.channels."many.*".history.size = 10')
EVENTS = 3000
SECONDS = 60
TRIPS = 50


def framed(*message):
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


class RawSocketPeer:
    """A RawSocket session over a connected socket."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(SECONDS)
        self._unread = b""
        hello = framed(1, "radio", {"roles": {"publisher": {}, "caller": {}}})
        self.socket.sendall(b"\x7f\xf1\x00\x00" + hello)
        assert self._take(4) == b"\x7f\xb1\x00\x00"
        assert self.hear()[0] == 2

    def _take(self, count):
        while len(self._unread) < count:
            data = self.socket.recv(65536)
            assert data, "the server has hung up"
            self._unread += data
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def hear(self):
        return json.loads(self._take(int.from_bytes(self._take(4), "big")))


@pytest.fixture(params=["tcp", "unix", "ssl"])
def endpoint(request, tmp_path):
    """A server and what connects to one of its endpoints."""
    path, tls = tmp_path / "socket", free_port()
    file = certificate(tmp_path)
    more = [f"ssl:{tls}:privateKey={file}:interface=127.0.0.1", f"unix:{path}"]
    with radiod(tmp_path, CONFIG, None, *(word for one in more for word in ("--listen", one))) as server:

        def connect():
            if request.param == "unix":
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(path))
                return connection
            port = tls if request.param == "ssl" else server.port
            connection = socket.create_connection(("127.0.0.1", port))
            if request.param == "tcp":
                return connection
            context = ssl.create_default_context(cafile=str(file))
            return context.wrap_socket(connection, server_hostname="localhost")

        yield server, connect


def test_nothing_is_lost_of_peers_that_close_right_behind_their_messages(endpoint):
    server, connect = endpoint
    with contextlib.closing(RawClient(server.port)) as listener:
        listener.ask([32, 1, {"_radiod_buffer": {"size": 2 * EVENTS}}, "a"])
        peer = RawSocketPeer(connect())
        data = b"".join(framed(16, number + 1, {}, "a", [number]) for number in range(EVENTS))
        peer.socket.sendall(data)
        if isinstance(peer.socket, ssl.SSLSocket):
            peer.socket.setblocking(False)
            with contextlib.suppress(OSError):
                peer.socket.unwrap()
        peer.socket.close()
        assert [listener.hear()[4][0] for _ in range(EVENTS)] == list(range(EVENTS))


def test_others_go_on_while_one_asks_for_all_it_can_get(tmp_path):
    with radiod(tmp_path, CONFIG) as server, contextlib.ExitStack() as stack:
        busy, canary = (stack.enter_context(contextlib.closing(RawClient(server.port))) for _ in range(2))
        for number in range(100):
            busy.ask([48, None, {}, "radiod.channel.create", [f"channel.{number}"]])
        answered, done = [], threading.Event()
        count = 3000

        def listen():
            for _ in range(count):
                answered.append(busy.hear()[0])
            done.set()

        # Nobody looks at the time here: a canary that had to wait for all of it would be answered behind it.
        hears = threading.Thread(target=listen)
        busy.say(*([48, None, {}, "radiod.channel.list", [], {"limit": 1000}] for _ in range(10)))
        sends = threading.Thread(
            target=busy.say,
            args=tuple([48, None, {}, "radiod.channel.list", [], {"limit": 1000}] for _ in range(count - 10)),
        )
        hears.start()
        sends.start()
        seen = []
        for number in range(TRIPS):
            assert canary.ask([48, None, {}, "radiod.echo", [number]])[3] == [number]
            seen.append(len(answered))
        sends.join(SECONDS)
        assert done.wait(SECONDS)
        assert set(answered) == {50}
        assert seen[-1] < count
