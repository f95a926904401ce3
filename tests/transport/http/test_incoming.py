"""Bodies on their way in: compressed ones cost what is wanted of them, and time has a bound."""

import functools
import gzip
import tracemalloc
import zlib

import pytest
from support.http import Answer as Read
from support.http import get, post, request
from support.served import Echo, statuses

from radiod.transport.http.incoming import PIECE
from radiod.wire.answer import Answer

BODY = b'{"network":"sample_net","data":{"x":1}}' * 100
GZIP = "Content-Encoding: gzip"
# Without the time of day, which would be part of names of tests.
packed = functools.partial(gzip.compress, mtime=0)


def chunked(*fields):
    return request("POST", "/a", "Transfer-Encoding: chunked", *fields).replace(b"Content-Length: 0\r\n", b"")


class Counts(Echo):
    """Takes bodies piece by piece, and answers with how long they were."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit
        self.size = 0
        self.longest = 0

    def taker(self, request):
        self.request = request
        return self

    def take(self, piece, is_over):
        self.size += len(piece)
        self.longest = max(self.longest, len(piece))
        if is_over:
            self.request.answer(Answer(200, b"%d" % self.size))
        yield


@pytest.mark.parametrize("every", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("data", [BODY, b"", b"x" * 300_000], ids=len)
def test_a_compressed_body_is_what_it_was(served, every, data):
    client = served(Echo()).connect()
    asked = post("/a", packed(data), GZIP) + get("/next")
    for at in range(0, len(asked), every):
        client.send(asked[at : at + every])
    answers = client.received()
    assert Read(answers).body.startswith(b"POST /a " + data)
    assert answers.endswith(b"GET /next ")


def test_several_members_are_one_body(served):
    client = served(Echo()).connect()
    body = packed(b"one ") + packed(b"") + packed(b"two")
    for data in (
        post("/a", body, GZIP),
        chunked(GZIP) + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n",
    ):
        assert client.ask(data).endswith(b"POST /a one two")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (packed(BODY)[:-1], 400),
        (packed(BODY)[:20], 400),
        (packed(BODY) + b"x", 400),
        (b"\x1f\x8b", 400),
        (BODY, 400),
        (zlib.compress(BODY), 400),
        (packed(bytes(1_048_577)), 413),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_what_is_no_gzip_or_too_long_is_refused(served, body, status, is_chunked):
    client = served(Echo()).connect()
    data = (
        chunked(GZIP) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else post("/a", body, GZIP)
    )
    assert statuses(client.ask(data + get("/b"))) == [status]
    assert client.is_closed


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_codings_are_refused_with_what_is_known(served, coding):
    client = served(Echo()).connect()
    answer = Read(client.ask(post("/a", BODY, f"Content-Encoding: {coding}", "Expect: 100-continue")))
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "gzip")
    assert client.is_closed


def bomb(size):
    """A gzip body that inflates to so many zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(size >> 20)), packer.flush()])


def settled(served_world, client):
    """All that comes, however many turns it takes."""
    data = client.received()
    while not data:
        client.settle()
        data = client.received()
    return data


@pytest.mark.parametrize("limit", [1 << 20, 1 << 26])
def test_a_bomb_is_taken_apart_only_so_far(served, limit):
    counts = Counts(limit)
    client = served(counts, max_message_bytes=limit).connect()
    data = post("/a", bomb(128 << 20), GZIP)
    tracemalloc.start()
    client.send(data)
    answer = settled(served, client)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert statuses(answer) == [413]
    assert counts.size <= limit + PIECE
    assert counts.longest <= PIECE
    assert peak < 4 << 20


@pytest.mark.slow
def test_a_gibibyte_costs_no_memory(served):
    """1 MiB of bytes that become 1 GiB, taken to their end."""
    size = 1 << 30
    counts = Counts(size)
    client = served(counts).connect()
    data = post("/a", bomb(size), GZIP)
    tracemalloc.start()
    client.send(data)
    answer = Read(settled(served, client))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status, answer.body) == (200, b"%d" % size)
    assert peak < 16 << 20


def test_members_of_nothing_are_taken_in_turns(served):
    client = served(Echo()).connect()
    other = served(Echo()).connect()
    client.connection.dataReceived(post("/a", packed(b"") * 10_000, GZIP))
    assert other.ask(get("/b")).endswith(b"GET /b ")
    assert settled(served, client).endswith(b"POST /a ")


# --- time


@pytest.mark.parametrize(
    "start",
    [
        get("/a")[:9],
        post("/a", b"abc")[:-2],
        chunked() + b"3\r\na",
        post("/a", packed(BODY), GZIP)[:-5],
    ],
)
@pytest.mark.parametrize("before", [b"", get("/b")])
def test_what_begins_must_end_in_time(served, world, logged, start, before):
    client = served(Echo()).connect()
    client.send(before + start)
    client.received()
    world.wait(29.9)
    assert not client.is_closed
    world.wait(0.2)
    assert statuses(client.received()) == [408]
    assert client.is_closed
    assert len([line for line in logged if "no whole request in time" in line]) == 1
    assert world.radio.fan_out.unfinished.bytes == 0


def test_dripping_makes_it_no_longer(served, world):
    client = served(Echo()).connect()
    client.send(post("/a", b"x" * 100)[:-100])
    for _ in range(30):
        client.send(b"x")
        world.wait(1)
    world.wait(0.1)
    assert statuses(client.received()) == [408]


def test_unfinished_requests_of_all_have_a_bound(served, world):
    client = served(Echo()).connect()
    client.send(post("/a", b"x" * 1000)[:-1])
    assert world.radio.fan_out.unfinished.bytes == 999
    client.send(b"x")
    assert world.radio.fan_out.unfinished.bytes == 0
    client.send(post("/a", b"x" * 1000)[:-1])
    client.connection.give_up_message("too much", is_urgent=True)
    assert not client.transport.connected
    assert client.lost == 1
