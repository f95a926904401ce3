"""One connection: who may ask on, in which order, and how it ends, whatever answers."""

import pytest
from support.http import Answer as Read
from support.http import dechunked, get, post, request
from support.memory import upgrade
from support.served import Echo, statuses

from radiod.transport.formats import NOTHING
from radiod.transport.http.connection import MAX_AHEAD
from radiod.wire.answer import Answer

OLD = b"GET /a HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


class Later(Echo):
    """Answers when it is told to."""

    def handle(self, request):
        self.requests.append(request)

    def answer(self, number):
        request = self.requests[number]
        request.answer(Answer(200, self.said(request)))


class Broken(Echo):
    """Fails where it is told to."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def taker(self, request):
        if self.where == "taker":
            raise ZeroDivisionError
        return None

    def handle(self, request):
        if request.target.path != "/bad":
            super().handle(request)
            return
        if self.where == "stream":
            request.begin(Answer(200))
        if self.where == "status":
            request.answer(Answer(299))
        if self.where == "answered":
            super().handle(request)
        raise ZeroDivisionError


class Takes:
    """A taker that does with each piece what a test says."""

    def __init__(self, act, limit=1 << 20):
        self.act = act
        self.limit = limit
        self.pieces = []

    def take(self, piece, is_over):
        self.pieces.append(piece)
        self.act(piece, is_over)
        yield


class Taking(Echo):
    """Its bodies are taken piece by piece."""

    def __init__(self, act, limit=1 << 20):
        super().__init__()
        self.act = act
        self.limit = limit

    def taker(self, request):
        self.requests.append(request)
        if request.method == "GET":
            return None
        self.taking = Takes(lambda piece, is_over: self.act(request, piece, is_over), self.limit)
        return self.taking


# --- who may ask on


@pytest.mark.parametrize(
    ("asked", "says", "is_kept"),
    [
        (get("/a"), None, True),
        (get("/a", "Connection: close"), "close", False),
        (OLD, "close", False),
        (OLD_KEPT, "keep-alive", True),
        (request("HEAD", "/a"), None, True),
        (request("HEAD", "/a", "Connection: close"), "close", False),
        (post("/a", b"x"), None, True),
    ],
)
def test_a_connection_is_kept_as_its_client_wants_it(served, asked, says, is_kept):
    client = served(Echo()).connect()
    answer = Read(client.ask(asked))
    assert answer.status == 200
    assert answer.headers.get("Connection") == says
    assert client.is_closed is not is_kept
    if is_kept:
        assert statuses(client.ask(asked)) == [200]


def test_a_head_that_comes_again_is_the_same_request_anew(served):
    echo = Echo()
    client = served(echo).connect()
    for number in range(3):
        assert client.ask(post("/a", b"%d" % number)).endswith(b"POST /a %d" % number)
    first, second, third = echo.requests
    assert first.head is second.head is third.head
    assert first is not second


def test_what_follows_the_last_request_is_not_looked_at(served):
    echo = Echo()
    client = served(echo).connect()
    answers = client.ask(get("/a", "Connection: close") + get("/b") + b"\0\r\n")
    assert statuses(answers) == [200]
    assert client.is_closed
    assert client.ask(get("/b")) == b""
    assert [each.target.path for each in echo.requests] == ["/a"]


def test_the_answer_to_head_has_the_length_and_no_body(served):
    client = served(Echo()).connect()
    answer = Read(client.ask(request("HEAD", "/a") + get("/b")))
    assert answer.headers["Content-Length"] == str(len(b"HEAD /a "))
    assert answer.body.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("empty", [b"\r", b"\r\n"])
def test_an_empty_line_behind_a_body_asks_for_nothing(served, world, empty):
    client = served(Echo()).connect()
    client.ask(post("/a", b"x") + empty)
    world.wait(40)
    assert not client.is_closed
    assert statuses(client.ask((b"\n" if empty == b"\r" else b"") + get("/a"))) == [200]
    client.send(b"\r\n")
    assert statuses(client.ask(b"\r\n" + get("/a"))) == [400]


def test_what_can_be_no_request_is_refused_by_its_first_byte(served):
    client = served(Echo()).connect()
    client.ask(get("/a"))
    assert statuses(client.ask(b"\x16")) == [400]
    assert client.is_closed


# --- order, and how much waits


def test_requests_are_answered_one_after_the_other(served):
    later = Later()
    client = served(later).connect()
    assert client.ask(b"".join(get(f"/{number}") for number in range(5))) == b""
    for number in range(5):
        assert len(later.requests) == number + 1
        later.answer(number)
        client.settle()
        assert client.received().endswith(b"GET /%d " % number)


def test_of_what_waits_only_so_much_is_read(served):
    later = Later()
    client = served(later).connect()
    sent = 0
    while client.transport.producerState == "producing":
        client.send(get("/a"))
        sent += 1
        assert sent * len(get("/a")) < MAX_AHEAD + 200
    assert len(later.requests) == 1
    # What the kernel had handed over already is not lost.
    client.send(get("/last"))
    for number in range(sent + 1):
        later.answer(number)
        client.settle()
        client.settle()
    answers = client.received()
    assert len(statuses(answers)) == sent + 1
    assert answers.endswith(b"GET /last ")
    assert client.transport.producerState == "producing"


def test_an_answer_that_comes_too_late_goes_nowhere(served):
    later = Later()
    client = served(later).connect()
    client.send(get("/a"))
    lost = []
    later.requests[0].on_lost = lambda: lost.append(1)
    client.hang_up()
    assert lost == [1]
    later.answer(0)
    later.requests[0].end()
    client.settle()
    assert client.received() == b""
    assert client.lost == 1


# --- what fails


@pytest.mark.parametrize("where", ["taker", "handle"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_route_that_fails_is_answered_with_500_and_logged_once(served, logged, where, method):
    client = served(Broken(where)).connect()
    answers = client.ask(request(method, "/bad", body=b"x" if method == "POST" else b"") + get("/bad"))
    is_kept = where == "handle" or method == "GET"
    # A body that nobody has read is not taken for a request.
    assert statuses(answers) == [500, 500] if is_kept else [500]
    assert client.is_closed is not is_kept
    assert len([line for line in logged if "a request failed: /bad" in line]) == len(statuses(answers))


def test_a_status_that_cannot_be_said_is_answered_with_500(served, logged):
    client = served(Broken("status")).connect()
    assert statuses(client.ask(get("/bad") + get("/good"))) == [500, 200]
    assert len(logged) == 1


def test_who_fails_behind_its_answer_has_answered(served, logged):
    client = served(Broken("answered")).connect()
    assert statuses(client.ask(get("/bad") + get("/good"))) == [200, 200]
    assert len(logged) == 1


def test_an_answer_that_breaks_off_is_not_taken_for_whole(served, logged):
    client = served(Broken("stream")).connect()
    answer = client.ask(get("/bad") + get("/good"))
    assert statuses(answer) == [200]
    assert answer.endswith(b"\r\n\r\n")
    assert not answer.endswith(b"0\r\n\r\n")
    assert client.is_closed
    assert len(logged) == 1


def test_a_taker_that_fails_is_answered_with_500(served, logged):
    def fail(request, piece, is_over):
        if b"b" in piece:
            raise ZeroDivisionError

    client = served(Taking(fail)).connect()
    client.send(CHUNKED)
    client.send(b"1\r\na\r\n")
    assert client.received() == b""
    # Where all of it has come it is known what follows.
    assert statuses(client.ask(b"1\r\nb\r\n0\r\n\r\n" + get("/b"))) == [500, 200]
    assert statuses(client.ask(CHUNKED + b"1\r\nb\r\n")) == [500]
    assert client.is_closed
    assert len(logged) == 2


# --- bodies that are taken piece by piece


CHUNKED = request("POST", "/a", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")


def at_the_end(request, piece, is_over):
    if is_over:
        request.answer(Answer(200, b"taken"))


@pytest.mark.parametrize("cut", range(0, 20, 3))
def test_pieces_are_taken_as_they_come_and_the_connection_goes_on(served, cut):
    taking = Taking(at_the_end)
    client = served(taking).connect()
    body = b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    for part in filter(None, (CHUNKED + body[:cut], body[cut:] + CHUNKED + body + CHUNKED, body)):
        client.send(part)
    assert statuses(client.received()) == [200] * 3
    assert b"".join(taking.taking.pieces) == b"abcd"
    assert not client.is_closed


def test_what_is_answered_before_its_end_ends_the_connection(served, world):
    client = served(Taking(lambda request, piece, is_over: request.answer(Answer(403, b"no")))).connect()
    answer = Read(client.ask(CHUNKED + b"2\r\nab\r\n"))
    assert (answer.status, answer.headers["Connection"]) == (403, "close")
    # The client may send on, and is read for a second, so that a reset does not overtake the answer.
    assert client.transport.is_half_closed
    assert client.transport.connected
    assert client.ask(b"0\r\n\r\n" + get("/b")) == b""
    world.wait(0.9)
    assert client.transport.connected
    world.wait(0.2)
    assert not client.transport.connected
    assert client.lost == 1


def test_who_answers_by_the_head_alone_never_sees_a_body_as_a_request(served):
    class Refuses(Echo):
        def taker(self, request):
            self.requests.append(request)
            request.answer(Answer(403, b"no"))

    for data, count in ((post("/a", get("/hidden")), 1), (CHUNKED + get("/x"), 1), (post("/a", b""), 2)):
        refuses = Refuses()
        client = served(refuses).connect()
        assert statuses(client.ask(data + get("/b"))) == [403] * count
        assert len(refuses.requests) == count
        assert client.is_closed is (count == 1)


def test_who_answers_by_the_head_alone_wants_no_body(served):
    class Refuses(Echo):
        def taker(self, request):
            request.answer(Answer(403, b"no"))

    client = served(Refuses()).connect()
    answer = client.ask(post("/a", b"x", "Expect: 100-continue")[:-1])
    assert statuses(answer) == [403]


def test_a_body_that_is_held_is_taken_later(served, world):
    held = []

    def hold(request, piece, is_over):
        held.append(piece)
        if piece == b"ab":
            request.connection.hold_body(True)
        at_the_end(request, piece, is_over)

    taking = Taking(hold)
    client = served(taking).connect()
    client.send(CHUNKED + b"2\r\nab\r\n")
    client.send(b"2\r\ncd\r\n")
    # It is not the client who keeps us waiting.
    world.wait(100)
    assert (held, client.received()) == ([b"ab"], b"")
    assert not client.is_closed
    taking.requests[0].connection.hold_body(False)
    client.send(b"0\r\n\r\n")
    assert b"".join(held) == b"abcd"
    assert statuses(client.received()) == [200]


def test_a_body_may_take_as_long_as_it_goes_on(served, world):
    client = served(Taking(at_the_end)).connect()
    client.send(CHUNKED)
    for _ in range(10):
        world.wait(29)
        client.send(b"1\r\na\r\n")
    assert not client.is_closed
    world.wait(31)
    assert statuses(client.received()) == [408]
    assert client.is_closed


def test_who_sends_and_reads_no_answers_is_not_waited_for_for_ever(served, world):
    def tell(request, piece, is_over):
        if not request.has_begun:
            request.begin(Answer(200), is_cut_for_backlog=False)
        for _ in range(100):
            request.connection._push(b"x" * 20_000)

    client = served(Taking(tell)).connect()
    client.transport.room = 1000
    client.send(CHUNKED)
    for _ in range(5):
        client.send(b"1\r\na\r\n")
    assert client.transport.producerState == "paused"
    world.wait(31)
    assert client.transport.connected
    client.read()
    world.wait(31)
    assert client.transport.connected
    world.wait(31)
    world.wait(31)
    assert not client.transport.connected
    assert client.lost == 1


# --- answers that go on


class Stream(Echo):
    """Begins, and goes on when told to."""

    def handle(self, request):
        self.requests.append(request)
        if request.target.path == "/plain":
            request.answer(Answer(200, b"plain"))
            return
        self.outlet = request.begin(
            Answer(200, type=b"text/plain"), NOTHING, lambda outlet: outlet.push(b"3\r\none\r\n")
        )


def test_the_head_goes_before_what_is_there_already(served):
    stream = Stream()
    client = served(stream).connect()
    client.send(get("/plain") + get("/a") + get("/plain"))
    data = client.received()
    assert data.index(b"plain") < data.index(b"Transfer-Encoding: chunked") < data.index(b"3\r\none\r\n")
    assert statuses(data) == [200, 200]
    stream.outlet.push(b"3\r\ntwo\r\n")
    client.settle()
    stream.requests[1].end()
    client.settle()
    data = client.received()
    assert data.startswith(b"3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert data.endswith(b"plain")
    assert not client.is_closed


def test_the_head_goes_before_what_is_there_also_where_the_client_is_behind(served):
    stream = Stream()
    client = served(stream).connect()
    client.transport.room = 10
    client.send(get("/plain") + get("/a"))
    data = b"".join(client.read() for _ in range(5))
    assert data.index(b"Transfer-Encoding: chunked") < data.index(b"3\r\none\r\n")
    assert dechunked(data.rpartition(b"\r\n\r\n")[2]) == "one"


def test_an_old_client_s_stream_has_no_chunks_and_ends_with_its_connection(served):
    stream = Stream()
    client = served(stream).connect()
    answer = client.ask(OLD_KEPT)
    assert b"chunked" not in answer
    assert b"Connection: close\r\n" in answer
    stream.requests[0].end()
    client.settle()
    assert client.received() == b""
    assert client.is_closed


def test_head_of_what_would_go_on_has_no_chunks(served):
    stream = Stream()
    client = served(Stream()).connect()

    class Head(Echo):
        def handle(self, request):
            request.begin(Answer(200))
            request.end()

    client = served(Head()).connect()
    data = client.ask(request("HEAD", "/a") + request("HEAD", "/a"))
    assert statuses(data) == [200, 200]
    assert b"0\r\n\r\n" not in data
    assert stream.requests == []


def test_what_cannot_be_opened_is_answered_in_the_ordinary_way(served, logged):
    class Refused(Echo):
        def handle(self, request):
            def fail(outlet):
                raise ZeroDivisionError

            request.begin(Answer(200), NOTHING, fail)

    client = served(Refused()).connect()
    assert statuses(client.ask(get("/a") + get("/a"))) == [500, 500]


def test_an_outlet_that_finishes_ends_the_stream_and_not_the_connection(served):
    stream = Stream()
    client = served(stream).connect()
    client.send(get("/a"))
    client.received()
    lost = []
    stream.requests[0].on_lost = lambda: lost.append(1)
    stream.outlet.finish()
    client.settle()
    assert client.received() == b"0\r\n\r\n"
    assert lost == [1]
    assert statuses(client.ask(get("/plain"))) == [200]
    # Nor does what was to happen if it had not been read, two seconds later.
    client.transport.room = 10
    client.send(get("/plain"))
    client.settle()


def test_a_stream_that_was_slow_to_end_does_not_cut_what_comes_behind_it(served, world):
    stream = Stream()
    client = served(stream).connect()
    client.send(get("/a"))
    client.transport.room = 10
    stream.outlet.push(b"x" * 100)
    client.settle()
    stream.outlet.finish()
    world.wait(1)
    client.read()
    client.read()
    client.send(get("/plain"))
    world.wait(1.5)
    assert client.transport.connected


# --- upgrades


@pytest.mark.parametrize("count", [1, 1000])
def test_what_comes_behind_an_upgrade_is_all_handed_over(served, count):
    home = served(Echo())
    client = home.connect()
    asked = upgrade("/ws")
    client.connection.dataReceived(get("/a") * count + asked + b"\x81")
    # TLS may have more at hand although it was told to pause.
    client.connection.dataReceived(b"\x85frame")
    for _ in range(20):
        client.settle()
    ((head, data),) = home.upgraded
    assert head.is_websocket
    assert data == asked + b"\x81" + (b"\x85frame" if count > 1 else b"")
    assert client.transport.producerState == "producing"
    assert len(statuses(client.received())) == count


def test_who_has_not_read_its_answers_gets_no_websocket(served):
    home = served(Echo())
    client = home.connect()
    client.transport.room = 10
    client.send(get("/a"))
    client.send(upgrade("/ws"))
    data = b"".join(client.read() for _ in range(3))
    assert statuses(data) == [200, 426]
    assert client.is_closed
    assert home.upgraded == []


# --- the end of the server


def test_a_server_that_ends_answers_what_was_asked_and_says_so(served):
    later = Later()
    home = served(later)
    busy, idle, half = home.connect(), home.connect(), home.connect()
    busy.send(get("/a") + get("/b"))
    half.send(get("/a")[:9])
    home.server.wind_up()
    assert (busy.is_closed, idle.is_closed, half.is_closed) == (False, True, True)
    later.answer(0)
    busy.settle()
    answer = Read(busy.received())
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert busy.is_closed
    assert len(later.requests) == 1
    # And who comes just now.
    late = home.connect()
    late.send(get("/a"))
    later.answer(1)
    late.settle()
    assert Read(late.received()).headers["Connection"] == "close"
    assert late.is_closed


def test_a_stream_ends_with_the_server(served):
    stream = Stream()
    home = served(stream)
    client = home.connect()
    client.send(get("/a"))
    client.received()
    home.server.wind_up()
    assert not client.is_closed
    stream.outlet.finish()
    client.settle()
    assert client.received() == b"0\r\n\r\n"
    assert client.is_closed


@pytest.mark.parametrize("data", [b"", get("/a"), get("/a")[:9], CHUNKED, CHUNKED + b"2\r\na"])
def test_nothing_is_left_of_a_connection_that_is_lost(served, world, data):
    home = served(Later())
    client = home.connect()
    if data:
        client.send(data)
    client.hang_up()
    assert client.lost == 1
    assert home.server.connections == set()
    assert world.radio.fan_out.unfinished.bytes == 0
    world.wait(100)
    assert client.received() == b""
