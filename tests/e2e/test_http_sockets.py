"""HTTP over real sockets: the attack table's sample, and answers that no reset overtakes."""

import contextlib
import gzip
import http.client
import json
import re
import socket
import ssl
import zlib

import pytest
from support.attacks import ATTACKS, TAKEN, publish
from support.running import free_port
from support.tls import certificate

pytestmark = pytest.mark.e2e

SECONDS = 20
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = GET.replace(b"Host", b"Connection: close\r\nHost")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
MORE = 4 << 20
"""Bytes that a refused client still sends: more than the kernel holds."""


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
        yield connection


def read_all(connection):
    """Everything up to the end. Raises: ConnectionResetError."""
    data = b""
    while piece := connection.recv(1 << 16):
        data += piece
    return data


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "later"])
@pytest.mark.parametrize("attack", ATTACKS[::4], ids=lambda attack: attack.name)
def test_what_could_be_read_differently_is_refused(server, attack, before):
    with connected(server) as connection:
        connection.sendall(before + attack.data + GET)
        answers = read_all(connection)
    assert STATUS.findall(answers) == [b"200"] * bool(before) + [b"%d" % attack.status]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_what_the_standard_asks_for_is_taken(server, case):
    with connected(server) as connection:
        connection.sendall(case.data + publish("Content-Length: 34", "Connection: close"))
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 %d " % case.status)
    assert answers.endswith(b'{"message":"OK"}')


REFUSED = {
    "length": (publish("Content-Length: 99999999", body=b""), 413),
    "head": (b"GET / HTTP/1.1\r\nX: y\r\n", 400),
    "field": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n", 400),
    "chunk": (publish("Transfer-Encoding: chunked", body=b"fffffff\r\n"), 413),
    "coding": (publish("Content-Encoding: br", "Content-Length: 34", body=b""), 415),
    "expectation": (publish("Expect: x", "Content-Length: 34", body=b""), 417),
    "version": (b"GET / HTTP/3.0\r\n\r\n", 505),
}


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "later"])
@pytest.mark.parametrize("case", REFUSED)
def test_who_is_refused_reads_why_although_it_still_sends(server, case, before):
    data, status = REFUSED[case]
    data += b"\r\n" if case == "head" else b""
    with connected(server) as connection:
        connection.sendall(before)
        # More than the server and both kernels hold: it is all read, and dropped.
        connection.sendall(data + bytes(MORE))
        answers = read_all(connection)
    # Nothing came behind the answer, nor a reset before it.
    assert STATUS.findall(answers) == [b"200"] * bool(before) + [b"%d" % status]
    head, _, body = answers.rpartition(b"\r\n\r\n")
    assert head.endswith(b"Connection: close")
    assert json.loads(body)["error"]


@pytest.fixture(scope="module")
def endpoints(shared_world):
    """Name -> a function that connects to an endpoint of that kind."""
    folder = shared_world.folder
    pem, path = certificate(folder), folder / "http.socket"
    ports = {kind: free_port() for kind in ("ssl", "haproxy")}
    listen = [
        f"ssl:{ports['ssl']}:privateKey={pem}:certKey={pem}:interface=127.0.0.1",
        f"haproxy:tcp:{ports['haproxy']}:interface=127.0.0.1",
        f"unix:{path}",
    ]
    shared_world.serve("", *(word for endpoint in listen for word in ("--listen", endpoint)))

    def by_tls():
        context = ssl.create_default_context(cafile=pem)
        connection = socket.create_connection(("127.0.0.1", ports["ssl"]), SECONDS)
        return context.wrap_socket(connection, server_hostname="localhost")

    def by_proxy():
        connection = socket.create_connection(("127.0.0.1", ports["haproxy"]), SECONDS)
        connection.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 5 6\r\n")
        return connection

    def by_unix():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        connection.connect(str(path))
        return connection

    return {"ssl": by_tls, "haproxy": by_proxy, "unix": by_unix}


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "later"])
@pytest.mark.parametrize("kind", ["ssl", "haproxy", "unix"])
def test_who_is_refused_reads_why_on_every_kind_of_endpoint(endpoints, kind, before):
    with endpoints[kind]() as connection:
        connection.sendall(before)
        connection.sendall(REFUSED["length"][0] + bytes(MORE))
        answers = read_all(connection)
    assert STATUS.findall(answers) == [b"200"] * bool(before) + [b"413"]


def test_what_follows_the_last_request_resets_nothing(server):
    with connected(server) as connection:
        connection.sendall(LAST + bytes(MORE))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_thousand_requests_in_one_write_are_answered_in_order(server):
    nowhere = GET.replace(b"healthz", b"nowhere")
    with connected(server) as connection:
        connection.sendall((nowhere + GET) * 499 + nowhere + LAST)
        answers = read_all(connection)
    assert STATUS.findall(answers) == [b"404", b"200"] * 500


def test_python_s_own_client_is_served_by_chunks_and_gzip(server):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    body = publish()[-34:]
    for data, fields in (
        (iter([body[:10], body[10:]]), {}),
        (gzip.compress(body), {"Content-Encoding": "gzip"}),
        (gzip.compress(body[:9]) + gzip.compress(body[9:]), {"Content-Encoding": "gzip"}),
    ):
        client.request("POST", "/publish", data, {"API-KEY": "sample-key", **fields})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"message":"OK"}')
    local = client.sock.getsockname()
    client.request("HEAD", "/")
    assert client.getresponse().read() == b""
    client.request("GET", "/healthz")
    assert client.getresponse().status == 200
    # All of it over one connection.
    assert client.sock.getsockname() == local
    client.close()


def test_a_gibibyte_in_a_mebibyte_costs_the_server_nothing(server):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(1 << 10)), packer.flush()])
    with connected(server) as connection:
        connection.sendall(publish("Content-Length: 34"))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        before = server.resident_kib()
        connection.sendall(publish("Content-Encoding: gzip", f"Content-Length: {len(bomb)}", body=bomb))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert server.resident_kib() - before < 16 << 10
