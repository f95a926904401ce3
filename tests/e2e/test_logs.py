"""What a running server writes to its log: no traceback, no query, no more than strangers sent."""

import contextlib
import re
import socket
import ssl

import pytest
from support.config import configuration
from support.running import free_port, radiod, wait_until
from support.sockets import frame
from support.tls import certificate

pytestmark = pytest.mark.e2e

SECONDS = 20


def dial(port):
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def stream(port, media_type):
    """Open a stream whose query holds what nobody else may see."""
    client = dial(port)
    client.sendall(
        b"GET /listen/a?size=5&_=my-secret HTTP/1.1\r\nHost: localhost\r\nAccept: %b\r\n\r\n"
        % media_type.encode()
    )
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    return client


@pytest.mark.parametrize("media_type", ["text/event-stream", "application/x-ndjson"])
def test_streams_that_end_leave_no_traceback_and_no_query(tmp_path, media_type):
    with contextlib.ExitStack() as stack, radiod(tmp_path, configuration()) as server:
        clients = [stack.enter_context(stream(server.port, media_type)) for _ in range(20)]
        clients.pop().close()
        assert server.stop() == 0
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "my-secret" not in log
    assert "Main loop terminated" in log


INTERVAL = 1
LIMITED = configuration(log_interval_s=INTERVAL, max_unauthenticated_seconds=0.5)
HELLO = b'[1,"radio",{"roles":{"subscriber":{}}}]'


def http(head, body=b""):
    return b"%b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def websocket(path, *messages, subprotocol=b"wamp.2.json"):
    head = (
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: %b\r\n\r\n" % (path, subprotocol)
    )
    return head + b"".join(frame(message) for message in messages)


def rawsocket(*messages, head=b"\x7f\xf1\0\0"):
    return head + b"".join(len(message).to_bytes(4, "big") + message for message in messages)


ODD = {
    "no protocol": b"\x01" * 25,
    "a head with control bytes": b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n",
    "a serializer that is none": rawsocket(head=b"\x7f\xff\0\0") + bytes(21),
    "a message that is none, RawSocket": rawsocket(b"[999]") + bytes(12),
    "a message that is none, WebSocket": websocket(b"/ws", b"[999]"),
    "a message that is none, CBOR": rawsocket(b"\xff" * 17, head=b"\x7f\xf3\0\0"),
    "a realm that is none": rawsocket(b'[1,"a\\n\\u2028b",{"roles":{"caller":{}}}]'),
    "a wrong ticket": rawsocket(
        b'[1,"radio",{"roles":{},"authmethods":["ticket"],"authid":"joe"}]', b'[5,"x",{}]'
    ),
    "a right ticket": rawsocket(
        b'[1,"radio",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]',
        b'[5,"joe-ticket",{}]',
    ),
    "a session that comes and goes": rawsocket(HELLO, b'[6,{},"a"]'),
    "a session that vanishes": rawsocket(HELLO),
    "a path that is none": websocket(b"/nosuch%0d%0aforged"),
    "a subprotocol that is none": websocket(b"/ws", subprotocol=b"x\x1b[2J"),
    "frames that are none": websocket(b"/ws") + b"\xff" * 10,
    "a listener who says what nobody reads": websocket(b"/listen/a", b"x"),
    "a path that is none, HTTP": http(b"GET /nosuch?secret=1"),
    "a key that is none": http(b"POST /publish", b"{}"),
    "a method that is none": http(b"FOO /publish", b"{}"),
    "a request that is none": b"FOO\r\n\r\n",
    "a request that is none, to HTTP": b"GET / HTTP/9\r\n\r\n" + bytes(9),
    "a form": http(b"POST /publish", b"a=b"),
    "a long-poll transport that is none": http(b"POST /lp/nosuch/receive"),
    "a long-poll body that is none": http(b"POST /lp/open", b"["),
    "nothing in time": b"GET / HTTP/1.1\r\n",
}
TIMES = 100
TIMES_TLS = 40
AT_ONCE = 20


def over(server, transport):
    """Connections to the server. Returns: opens one more."""
    if transport == "tcp":
        return lambda: dial(server.port)
    if transport == "tls":
        context = ssl.create_default_context(cafile=str(server.log.parent / "server.pem"))
        return lambda: context.wrap_socket(dial(server.tls), server_hostname="localhost")
    if transport == "tls without tls":
        return lambda: dial(server.tls)

    def unix():
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(SECONDS)
        client.connect(str(server.log.parent / "socket"))
        return client

    return unix


def send_often(connect, data, times):
    """Send ``data`` on many connections, some at a time, and see each closed, or close it."""
    for _ in range(times // AT_ONCE):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect()) for _ in range(AT_ONCE)]
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
            for client in clients:
                with contextlib.suppress(OSError):
                    while client.recv(65536):
                        pass


@pytest.fixture
def server(tmp_path):
    tls, file = free_port(), certificate(tmp_path)
    more = [f"ssl:{tls}:privateKey={file}:interface=127.0.0.1", f"unix:{tmp_path / 'socket'}"]
    with radiod(tmp_path, LIMITED, None, *(word for one in more for word in ("--listen", one))) as server:
        server.tls = tls
        yield server


@pytest.mark.parametrize("transport", ["tcp", "unix", "tls", "tls without tls"])
def test_nothing_that_is_sent_often_writes_more_than_was_sent(server, transport):
    connect, times = over(server, transport), TIMES_TLS if transport.startswith("tls") else TIMES
    before = server.log.read_bytes()
    for data in ODD.values():
        send_often(connect, data, times)
    assert server.stop() == 0
    written = server.log.read_bytes()[len(before) :]
    sent = times * sum(map(len, ODD.values()))
    assert len(written) < (sent if transport.startswith("tls") else sent / 5), written.decode()
    for word in (b"Traceback", b"secret", b"forged\n"):
        assert word not in written
    lines = written.decode().split("\n")
    assert all(line.isprintable() for line in lines)
    if transport in ("tcp", "unix"):
        assert any(" more of this kind in 1 s, last from " in line for line in lines)
        # What is not written is told: every one of the odd connections is counted somewhere.
        assert told(lines, ": Bad Request") >= times


def told(lines, words):
    """How many lines with these words there were, written or counted."""
    found = [line for line in lines if words in line]
    counts = [re.search(r"… and ([\d,]+) more of this kind", line) for line in found]
    return sum(int(count[1].replace(",", "")) if count else 1 for count in counts)


def test_requests_that_never_end_and_connections_above_the_limit_are_numbers(tmp_path):
    config = configuration(log_interval_s=INTERVAL, max_connections=10, max_unauthenticated_seconds=2)
    with contextlib.ExitStack() as stack, radiod(tmp_path, config) as server:
        for _ in range(200):
            client = stack.enter_context(dial(server.port))
            with contextlib.suppress(OSError):
                client.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            # The last of those that were taken is closed when its time is over.
            while client.recv(1):
                pass
        wait_until(lambda: "no request in time" in server.log.read_text(), server.process, server.log)
        assert server.stop() == 0
        lines = server.log.read_text().splitlines()
    late, above = told(lines, "no request in time"), told(lines, "10 connections are open")
    # Those whose time was not over at the stop have no line.
    assert above >= 50
    assert late + above <= 200
    assert late >= 1
    assert len(lines) < 25


def test_who_has_proved_who_it_is_has_lines_of_its_own(tmp_path):
    with radiod(tmp_path, LIMITED) as server:
        send_often(lambda: dial(server.port), ODD["a session that comes and goes"], 100)
        send_often(lambda: dial(server.port), ODD["a right ticket"], AT_ONCE)
        assert server.stop() == 0
        lines = server.log.read_text().splitlines()
    assert told(lines, "by anonymous from") == 100
    assert told(lines, "joined: joe as open by ticket from") == AT_ONCE


KEPT_SECRET = """\
[realms.radio]
anonymous = "listener"

[realms.radio.users.joe]
role = "listener"
ticket = "right-ticket"

[realms.radio.keys.station]
key = "right-key"
publish = ["*"]
listen = ["*"]

[realms.radio.channels.hidden]
public = false
key = "right-channel-key"
"""
ASKED = (
    "POST /publish HTTP/1.1\r\nAPI-KEY: right-key\r\nChannel-Key: wrong-channel-key",
    "POST /publish HTTP/1.1\r\nAPI-KEY: wrong-key",
    "POST /publish HTTP/1.1\r\nAuthorization: Bearer wrong-bearer",
    "GET /listen/hidden?wait=0&key=right-channel-key HTTP/1.1",
    "GET /listen/hidden?wait=0&key=wrong-query-key HTTP/1.1",
    "GET /listen/a?wait=0 HTTP/1.1\r\nCookie: radiod=wrong-cookie",
    "GET /listen/a?wait=0&wrong-query=%0d HTTP/1.1\r\nOrigin: null\r\nCookie: radiod=wrong-cookie",
    "GET /wrong-path?key=wrong-query-key HTTP/1.1\r\nbroken wrong-head: 1",
)


def test_no_secret_is_written_right_or_wrong(tmp_path):
    with radiod(tmp_path, KEPT_SECRET) as server:
        for head in ASKED:
            with dial(server.port) as client:
                client.sendall(f"{head}\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                assert client.recv(4096).startswith(b"HTTP/1.1 ")
        for ticket in ("right-ticket", "wrong-ticket"):
            with dial(server.port) as client:
                hello = b'[1,"radio",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]'
                client.sendall(b"\x7f\xf1\0\0" + len(hello).to_bytes(4, "big") + hello)
                assert b"ticket" in received(client, b"]")
                signed = f'[5,"{ticket}",{{}}]'.encode()
                client.sendall(len(signed).to_bytes(4, "big") + signed)
                assert (b"[2," if ticket == "right-ticket" else b"[3,") in received(client, b"]")
        assert server.stop() == 0
        log = server.log.read_text()
    assert "joe" in log
    assert not re.findall(r"(?:right|wrong)-(?:ticket|key|channel-key|bearer|query|cookie)\S*", log)


def received(client, end):
    """What comes until it ends so."""
    data = b""
    while not data.endswith(end):
        more = client.recv(65_536)
        assert more, data
        data += more
    return data
