"""POST /publish with lines: each is decided as it comes, and its result goes back at once."""

import gzip
import json

import pytest
from support import http
from support.http import Answer, dechunked

from radiod.core.budgets.guesses import FREE, WAIT

GOOD = {"network": "sample_net", "data": {"speed": 1}}
LINE = json.dumps(GOOD).encode() + b"\n"
OK = {"status": 200, "message": "OK"}
HEAD = (
    b"POST /publish HTTP/1.1\r\nHost: x\r\nAPI-KEY: sample-key\r\n"
    b"Content-Type: application/x-ndjson\r\n%b\r\n"
)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
MINIMAL = b"Prefer: return=minimal\r\n"


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "sample_net"])
    return wire


class Sender:
    """An upload in chunks. ``told``: the results that have come since the last look."""

    def __init__(self, world, lines=b"", head=HEAD):
        self.wire = world.ask(head % (CHUNKED + lines))
        self.head = b""

    def send(self, data):
        self.wire.send(b"%x\r\n%b\r\n" % (len(data), data) if data else b"0\r\n\r\n")
        return self

    def end(self):
        return self.send(b"")

    def chunks(self):
        data = self.wire.received()
        if data.startswith(b"HTTP/1.1 "):
            self.head, _, data = data.partition(b"\r\n\r\n")
        return data

    def told(self):
        return [json.loads(line) for line in dechunked(self.chunks()).splitlines()]


@pytest.fixture
def sender(world):
    return Sender(world)


def test_results_come_before_the_upload_ends(sender, listener):
    assert sender.wire.received() == b""
    assert sender.send(LINE).told() == [OK]
    assert sender.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: application/x-ndjson\r\n" in sender.head
    assert [event[4] for event in listener.heard()] == [[GOOD["data"]]]
    assert sender.send(LINE * 2).told() == [OK, OK]
    assert sender.end().wire.received() == b"0\r\n\r\n"
    sender.wire.send(http.get("/healthz"))
    assert Answer(sender.wire.received()).status == 200


def test_a_body_of_known_length_is_taken_line_by_line_too(world, listener):
    wire = world.ask(HEAD % b"Content-Length: %d\r\n" % (2 * len(LINE)))
    wire.send(LINE + LINE[:10])
    assert wire.received().endswith(b'{"status":200,"message":"OK"}\n\r\n')
    wire.send(LINE[10:] + http.get("/healthz"))
    received = wire.received()
    assert received.count(b'{"status":200,"message":"OK"}') == 1
    assert b"0\r\n\r\nHTTP/1.1 200 OK\r\n" in received


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_however_it_is_cut_it_says_the_same(world, sender, listener, cut):
    data = LINE + b"\n" + LINE.rstrip()
    sender.send(data[:cut]).send(data[cut : cut + 40]).send(data[cut + 40 :]).end()
    assert sender.told() == [OK, OK]
    assert len(listener.heard()) == 2


def test_empty_lines_are_no_items(sender):
    assert sender.send(b"\n\r\n \t\r\n" + LINE + b"\n\n").end().told() == [OK]


def test_the_last_line_needs_no_end(sender):
    assert sender.send(LINE + LINE.strip()).told() == [OK]
    assert sender.end().told() == [OK]


def test_a_bad_line_has_its_own_result_and_the_rest_goes_on(sender, listener):
    sender.send(b"nonsense\n" + LINE + b'{"network": "secret_net", "data": {}}\n[1]\n' + LINE)
    first, *middle, last = sender.end().told()
    assert first == {"status": 400, "error": "POST data is not JSON"}
    assert [one["status"] for one in middle] == [200, 403, 400]
    assert last == OK
    assert len(listener.heard()) == 2


class TestTooLongLines:
    @pytest.fixture
    def world(self, world):
        return world.start(max_message_bytes=512)

    def line(self, size):
        empty = json.dumps({"network": "sample_net", "data": {"a": ""}}).encode()
        return empty.replace(b'""', b'"%b"' % (b"x" * (size - len(empty))))

    def test_have_their_own_result(self, sender):
        sender.send(self.line(512) + b"\n" + self.line(513) + b"\n" + LINE).end()
        result = {"status": 413, "error": "the line is longer than 512 bytes"}
        assert sender.told() == [OK, result, OK]

    def test_are_not_kept_while_they_go_on(self, sender):
        for _ in range(100):
            sender.send(b"x" * 400)
        result = {"status": 413, "error": "the line is longer than 512 bytes"}
        assert sender.send(b"\n" + LINE).end().told() == [result, OK]

    def test_may_be_the_last(self, sender):
        assert [one["status"] for one in sender.send(b"x" * 600).end().told()] == [413]


class TestMinimum:
    def test_has_only_what_failed_and_how_many_there_were(self, world):
        sender = Sender(world, MINIMAL)
        # Not even a head: there are proxies that read no more once an answer has begun.
        sender.send(LINE * 3)
        assert sender.wire.received() == b""
        assert sender.send(b"\nx\n").told() == [{"index": 3, "status": 400, "error": "POST data is not JSON"}]
        assert b"Preference-Applied: return=minimal\r\n" in sender.head
        assert sender.send(LINE).end().told() == [{"items": 5, "failed": 1}]

    def test_a_stream_that_grows_too_long_is_refused_where_nothing_was_told(self, world):
        world.start(max_upload_bytes=1000)
        sender = Sender(world, MINIMAL)
        sender.send(LINE)
        sender.send(b"\n" * 1000)
        assert Answer(sender.wire.received()).status == 413
        assert sender.wire.is_closed

    @pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
    def test_of_no_lines(self, world, length):
        status, headers, body = Answer(world.ask(HEAD % (MINIMAL + length)).received())
        assert (status, body) == (200, b'{"items":0,"failed":0}\n')
        assert headers["Content-Type"] == "application/x-ndjson"
        answer = Answer(world.ask(HEAD % length).received())
        assert (answer.status, answer.body) == (200, b"")


class TestRefusals:
    def test_come_before_anything_is_sent(self, world):
        wire = world.ask(HEAD.replace(b"sample-key", b"wrong") % (CHUNKED + b"Expect: 100-continue\r\n"))
        answer = Answer(wire.received())
        assert (answer.status, answer.json) == (400, {"error": "API-KEY not valid"})
        assert answer.headers["Connection"] == "close"
        assert wire.is_closed

    def test_what_follows_one_is_no_request(self, world):
        wire = world.ask(HEAD.replace(b"sample-key", b"wrong") % b"Content-Length: 60\r\n" + http.get("/x"))
        assert wire.received().count(b"HTTP/1.1 ") == 1
        assert wire.is_closed

    @pytest.mark.parametrize(
        ("line", "text"),
        [(b"Idempotency-Key: a\r\n", "Idempotency-Key is not for"), (b"", "cannot be signed")],
    )
    def test_of_what_needs_one_answer_or_the_whole_body(self, world, line, text):
        head = HEAD if line else HEAD.replace(b"/publish", b"/publish?signature=x")
        answer = Answer(world.ask(head % (CHUNKED + line)).received())
        assert answer.status == 400
        assert text in answer.json["error"]

    def test_an_upload_that_is_announced_too_long_is_one(self, world):
        world.start(max_upload_bytes=1000)
        wire = world.ask(HEAD % b"Content-Length: 1001\r\n")
        assert Answer(wire.received()).status == 413

    def test_an_upload_that_grows_too_long_ends_without_its_end(self, world):
        world.start(max_upload_bytes=1000)
        sender = Sender(world)
        sender.send(LINE)
        assert sender.told() == [OK]
        sender.send(b"\n" * 1000)
        assert sender.wire.is_closed
        assert b"0\r\n\r\n" not in sender.wire.received()

    def test_the_wrong_channel_key_is_a_result(self, world):
        owner = world.join()
        owner.ask([48, 1, {}, "radiod.channel.create", [], {"name": "other", "public": False, "key": "k"}])
        sender = Sender(world, b"Channel-Key: wrong\r\n")
        line = b'{"network": "other", "data": {}}\n'
        assert [one["status"] for one in sender.send(line * 10).told()] == [403] * 10
        right = Sender(world, b"Channel-Key: k\r\n")
        assert right.send(line).told() == [OK]


def test_an_old_client_gets_lines_without_chunks(world):
    head = HEAD.replace(b"1.1", b"1.0") % b"Content-Length: %d\r\n"
    wire = world.ask(head % len(LINE) + LINE)
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b'{"status":200,"message":"OK"}\n'
    assert wire.is_closed


def test_a_compressed_stream_is_inflated_as_it_comes(world, listener):
    sender = Sender(world, b"Content-Encoding: gzip\r\n")
    data = gzip.compress(LINE * 500)
    sender.send(data[:100]).send(data[100:]).end()
    for _ in range(100):
        world.wait(0)
    told = sender.told()
    assert len(told) == 500
    assert len(listener.heard()) == 500


def test_other_methods_have_no_lines(world):
    answer = Answer(world.ask(HEAD.replace(b"POST", b"DELETE") % b"Content-Length: 2\r\n" + b"{}").received())
    assert answer.status == 405


class TestBackPressure:
    """A client that sends and does not read."""

    BYTES = 4096

    @pytest.fixture
    def world(self, world):
        return world.start(max_backlog_bytes=self.BYTES, http_timeout_s=10)

    @pytest.fixture
    def sender(self, world):
        sender = Sender(world)
        sender.send(LINE)
        sender.told()
        sender.wire.transport.producer.pauseProducing()
        return sender

    def fill(self, world, sender):
        """Send until nothing more is read. Returns: lines sent."""
        for count in range(1, 1000):
            sender.send(LINE)
            if self.is_paused(sender):
                return count
        raise AssertionError("it reads on and on")

    def is_paused(self, sender):
        return sender.wire.transport.protocol._outlet.reads_paused

    def test_is_not_read_on_and_read_again_when_it_reads(self, world, sender, listener):
        sent = self.fill(world, sender)
        assert sent * 30 <= self.BYTES + 1000
        sender.wire.transport.producer.resumeProducing()
        world.wait(0)
        assert not self.is_paused(sender)
        assert len(sender.told()) == sent
        assert sender.send(LINE).end().told() == [OK]

    def test_that_reads_nothing_for_long_is_cut(self, world, sender):
        self.fill(world, sender)
        world.wait(9.9)
        assert not sender.wire.is_closed
        for _ in range(3):
            world.wait(10)
        assert not sender.wire.transport.connected

    def test_one_that_reads_a_little_may_take_its_time(self, world, sender):
        for _ in range(5):
            self.fill(world, sender)
            world.wait(9)
            sender.wire.transport.producer.resumeProducing()
            world.wait(0)
            sender.wire.transport.producer.pauseProducing()
        assert sender.wire.transport.connected


def test_a_stream_without_progress_ends(world):
    world.start(http_timeout_s=10)
    sender = Sender(world)
    for _ in range(5):
        sender.send(LINE)
        world.wait(9)
    assert sender.told() == [OK] * 5
    world.wait(1.1)
    assert sender.wire.is_closed
    assert b"0\r\n\r\n" not in sender.wire.received()


class TestSlowListeners:
    @pytest.fixture
    def slow(self, world):
        wire = world.join()
        wire.ask([32, 1, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "sample_net"])
        wire.transport.producer.pauseProducing()
        return wire

    def test_hold_the_body_and_results_keep_their_order(self, world, slow, sender):
        lines = b"".join(b'{"network": "sample_net", "data": {"n": %d}}\n' % n for n in range(6))
        sender.send(lines + b"nonsense\n")
        assert sender.told() == [OK]
        slow.transport.producer.resumeProducing()
        for _ in range(3):
            world.wait(0)
        assert [one["status"] for one in sender.told()] == [200] * 5 + [400]
        assert [event[4][0]["n"] for event in slow.heard()] == list(range(6))
        assert sender.end().wire.received() == b"0\r\n\r\n"

    def test_the_last_line_may_wait_when_all_has_come(self, world, slow, sender):
        sender.send(LINE * 2).end()
        assert sender.told() == [OK]
        slow.transport.producer.resumeProducing()
        world.wait(0)
        data = sender.wire.received()
        assert data.endswith(b"0\r\n\r\n")
        sender.wire.send(http.get("/healthz"))
        assert Answer(sender.wire.received()).status == 200

    def test_outlast_a_client_that_hangs_up(self, world, slow, sender):
        sender.send(LINE * 3)
        sender.wire.hang_up()
        slow.transport.producer.resumeProducing()
        world.wait(0)
        assert len(slow.heard()) == 2


class TestWaitingForItsTurn:
    """Where many keys were guessed, an upload waits with all others."""

    @pytest.fixture
    def sender(self, world):
        for _ in range(FREE):
            world.ask(http.post("/publish", GOOD, "API-KEY: wrong"))
        return Sender(world)

    def test_nothing_is_taken_before_it(self, world, sender, listener):
        sender.send(LINE)
        assert sender.told() == []
        assert listener.heard() == []
        world.wait(WAIT)
        assert sender.told() == [OK]
        assert sender.send(LINE).end().told() == [OK]

    def test_who_hangs_up_leaves_the_line(self, world, sender, listener):
        sender.send(LINE)
        sender.wire.hang_up()
        world.wait(WAIT)
        assert listener.heard() == []

    def test_a_wrong_key_is_told_when_it_is_its_turn(self, world, sender):
        wire = world.ask(HEAD.replace(b"sample-key", b"wrong") % CHUNKED)
        wire.send(b"3\r\nabc\r\n")
        assert wire.received() == b""
        for _ in range(2):
            world.wait(WAIT)
        assert Answer(wire.received()).status == 400
        assert wire.is_closed


def test_what_goes_wrong_in_the_middle_breaks_off(world, sender):
    sender.send(LINE)
    assert sender.told() == [OK]
    sender.wire.transport.protocol._incoming._taker.publisher = None
    sender.send(LINE)
    assert not sender.wire.transport.connected
    assert b"500" not in sender.wire.received()
