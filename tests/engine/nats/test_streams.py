"""JetStream, as a real server answers; and answers that no server gives."""

import itertools

import msgspec
import pytest
from engine.nats.watching import Heard
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, succeed

from radiod.engine.nats import wire
from radiod.engine.nats.errors import (
    ConnectionLost,
    NoResponders,
    ProtocolError,
    StreamError,
    TimedOut,
    WrongLastSequence,
)
from radiod.engine.nats.requests import Answer
from radiod.engine.nats.shapes import StreamConfig
from radiod.engine.nats.streams import Streams, seconds_of, stream_config

NUMBERS = itertools.count(1)


class Shelf:
    """A stream of a test's own, below ``prefix``."""

    def __init__(self, connection, **more):
        number = next(NUMBERS)
        self.name = f"S{number}"
        self.prefix = b"s%d." % number
        self.republished = b"r%d" % number
        self.streams = Streams(connection)
        self.config = stream_config(self.name, [self.prefix + b">"], republish=self.republished, **more)

    async def make(self):
        await self.streams.create(self.config)
        return self

    async def fill(self, subject, count):
        acks = [await self.streams.publish(self.prefix + subject, b"%d" % n) for n in range(count)]
        return [ack.seq for ack in acks]


class TestStreams:
    @ensureDeferred
    async def test_a_stream_is_made_as_it_was_asked_for(self, connection):
        shelf = Shelf(connection, per_subject=5, max_bytes=1 << 20, max_age=90.5)
        made = await shelf.streams.create(shelf.config)
        assert made.config == shelf.config
        found = await shelf.streams.info(shelf.name)
        assert found.config == shelf.config
        assert (found.config.max_age, found.config.duplicate_window) == (90_500_000_000, 60_000_000_000)
        assert found.created == made.created
        assert seconds_of(found.created) > 1_700_000_000
        assert (await shelf.streams.create(shelf.config)).created == made.created
        assert await shelf.streams.info("none") is None

    @ensureDeferred
    async def test_it_can_be_changed_and_removed(self, connection):
        shelf = await Shelf(connection).make()
        changed = msgspec.structs.replace(shelf.config, max_msgs_per_subject=2)
        assert (await shelf.streams.update(changed)).config == changed
        await shelf.streams.delete(shelf.name)
        assert await shelf.streams.info(shelf.name) is None
        with pytest.raises(StreamError, match="stream not found") as refused:
            await shelf.streams.update(changed)
        assert (refused.value.code, refused.value.number) == (404, 10059)

    def test_no_duplicates_are_sought_for_longer_than_messages_live(self):
        assert stream_config("a", [b"a"], max_age=5).duplicate_window == 5_000_000_000

    @ensureDeferred
    async def test_what_it_holds_is_told_by_subject(self, connection):
        shelf = await Shelf(connection).make()
        await shelf.fill(b"a", 3)
        await shelf.fill(b"b", 1)
        info = await shelf.streams.info(shelf.name, subjects=shelf.prefix + b">")
        prefix = shelf.prefix.decode()
        assert info.state.subjects == {prefix + "a": 3, prefix + "b": 1}
        assert (info.state.messages, info.state.first_seq, info.state.last_seq, info.total) == (4, 1, 4, 2)

    @ensureDeferred
    async def test_messages_can_be_removed(self, connection):
        shelf = await Shelf(connection).make()
        await shelf.fill(b"a", 5)
        await shelf.fill(b"b", 2)
        await shelf.streams.delete_message(shelf.name, 1)
        assert await shelf.streams.get(shelf.name, 1) is None
        assert (await shelf.streams.purge(shelf.name, shelf.prefix + b"a", keep=2)).purged == 2
        assert (await shelf.streams.purge(shelf.name, shelf.prefix + b"a", before=5)).purged == 1
        assert (await shelf.streams.purge(shelf.name)).purged == 3
        with pytest.raises(StreamError):
            await shelf.streams.delete_message(shelf.name, 1)


class TestPublishing:
    @ensureDeferred
    async def test_each_gets_its_sequence(self, connection):
        shelf = await Shelf(connection).make()
        assert await shelf.fill(b"a", 3) == [1, 2, 3]
        ack = await shelf.streams.publish(shelf.prefix + b"b", b"")
        assert (ack.stream, ack.seq, ack.duplicate) == (shelf.name, 4, False)

    @ensureDeferred
    async def test_an_id_is_stored_once(self, connection):
        shelf = await Shelf(connection).make()
        acks = [await shelf.streams.publish(shelf.prefix + b"a", b"", id=b"one") for _ in range(2)]
        assert [(ack.seq, ack.duplicate) for ack in acks] == [(1, False), (1, True)]

    @ensureDeferred
    async def test_compare_and_set(self, connection):
        shelf = await Shelf(connection).make()
        subject = shelf.prefix + b"a"
        assert (await shelf.streams.publish(subject, b"", expected=0)).seq == 1
        assert (await shelf.streams.publish(subject, b"", expected=1)).seq == 2
        for expected in (0, 1, 3):
            with pytest.raises(WrongLastSequence) as refused:
                await shelf.streams.publish(subject, b"", expected=expected)
            assert refused.value.last == 2

    @ensureDeferred
    async def test_a_ttl_is_told(self, connection):
        shelf = await Shelf(connection).make()
        await shelf.streams.publish(shelf.prefix + b"a", b"", ttl=3600, headers=[(b"A", b"1")])
        stored = await shelf.streams.last(shelf.name, shelf.prefix + b"a")
        assert wire.parse_headers(stored.headers).fields == {b"A": [b"1"], b"Nats-TTL": [b"3600"]}

    @ensureDeferred
    async def test_where_no_stream_is_nobody_answers(self, connection):
        with pytest.raises(NoResponders, match="nobody answers at nowhere"):
            await Streams(connection).publish(b"nowhere", b"")

    @ensureDeferred
    async def test_headers_that_are_none_are_refused(self, connection):
        with pytest.raises(ValueError, match="no header"):
            await Streams(connection).publish(b"a", b"", id=b"a\r\nb")

    @ensureDeferred
    async def test_what_is_stored_goes_out_again(self, connection):
        shelf = await Shelf(connection).make()
        heard = Heard()
        connection.subscribe(shelf.republished + b".>", heard)
        await shelf.fill(b"a", 2)
        await shelf.fill(b"b", 1)
        await shelf.fill(b"a", 1)
        await heard.wait(4)
        assert [wire.republished(headers) for _, _, headers, _ in heard] == [
            (1, 0, shelf.prefix + b"a"),
            (2, 1, shelf.prefix + b"a"),
            (3, 0, shelf.prefix + b"b"),
            (4, 2, shelf.prefix + b"a"),
        ]
        assert heard[0][0] == shelf.republished + b"." + shelf.prefix + b"a"


class TestReading:
    @ensureDeferred
    async def test_the_last_of_a_subject_and_one_by_its_sequence(self, connection):
        shelf = await Shelf(connection).make()
        await shelf.fill(b"a", 3)
        last = await shelf.streams.last(shelf.name, shelf.prefix + b"a")
        assert last[:4] == (3, shelf.prefix + b"a", None, b"2")
        assert await shelf.streams.get(shelf.name, 3) == last
        assert await shelf.streams.last(shelf.name, shelf.prefix + b"b") is None
        assert await shelf.streams.get(shelf.name, 4) is None
        with pytest.raises(StreamError, match="stream not found"):
            await shelf.streams.last("none", b"a")

    @ensureDeferred
    async def test_batches_go_on_behind_a_sequence(self, connection):
        shelf = await Shelf(connection).make()
        subjects = [b"a", b"b"] * 5
        for number, subject in enumerate(subjects):
            await shelf.streams.publish(shelf.prefix + subject, b"%d" % number, headers=[(b"N", b"1")])
        read, after = [], 0
        while True:
            page = await shelf.streams.batch(shelf.name, shelf.prefix + b"a", after, limit=2)
            read += page.messages
            if not page.pending:
                break
            after = page.messages[-1].sequence
        assert [(one.sequence, one.payload) for one in read] == [(n + 1, b"%d" % n) for n in range(0, 10, 2)]
        assert wire.parse_headers(read[0].headers).first(b"N") == b"1"
        assert seconds_of(read[0].time) <= seconds_of(read[-1].time)
        assert await shelf.streams.batch(shelf.name, shelf.prefix + b"a", 9) == ([], 0, 0)
        small = await shelf.streams.batch(shelf.name, shelf.prefix + b">", max_bytes=1)
        assert (len(small.messages), small.pending) == (1, 9)

    @ensureDeferred
    async def test_the_last_of_many(self, connection):
        shelf = await Shelf(connection).make()
        await shelf.fill(b"a", 2)
        await shelf.fill(b"b", 2)
        subjects = [shelf.prefix + b"a", shelf.prefix + b"b", shelf.prefix + b"c"]
        page = await shelf.streams.last_of_many(shelf.name, subjects)
        assert [one.sequence for one in page.messages] == [2, 4]
        assert (page.pending, page.up_to) == (0, 4)
        page = await shelf.streams.last_of_many(shelf.name, subjects, up_to=3)
        assert ([one.sequence for one in page.messages], page.up_to) == ([2, 3], 3)
        assert (await shelf.streams.last_of_many(shelf.name, subjects[2:])).messages == []

    @ensureDeferred
    async def test_more_than_a_batch_takes_is_refused(self, connection):
        shelf = await Shelf(connection).make()
        for number in range(1025):
            connection.publish(shelf.prefix + b"%d" % number, b"")
        await shelf.fill(b"a", 1)
        with pytest.raises(StreamError) as refused:
            await shelf.streams.last_of_many(shelf.name, [shelf.prefix + b"*"])
        assert refused.value.code == 413

    @ensureDeferred
    async def test_a_stream_that_is_not_there_has_nobody_who_answers(self, connection):
        with pytest.raises(NoResponders, match="DIRECT"):
            await Streams(connection).batch("none", b"a")

    @ensureDeferred
    async def test_without_a_connection_nothing_is_asked(self, clients, servers):
        cluster = servers()
        connection = await clients(cluster.all[0].url)
        await connection.close()
        for asked in (Streams(connection).batch("S", b"a"), Streams(connection).publish(b"a", b"")):
            with pytest.raises(ConnectionLost):
                await asked


class Scripted:
    """A connection that answers what it is told to."""

    def __init__(self, *answers, error=None):
        self.answers = answers
        self.error = error

    def request(self, subject, payload, timeout, headers=None):
        return succeed(Answer(None, self.answers[0]))

    def ask(self, taker, subject, payload, timeout, headers=None):
        for block in self.answers:
            if taker.take(block, b""):
                return b""
        if self.error is not None:
            taker.fail(self.error)
        return b""


def message(sequence, previous):
    return (
        b"NATS/1.0\r\nNats-Stream: S\r\nNats-Subject: a\r\nNats-Sequence: %d\r\nNats-Time-Stamp: t\r\n"
        b"Nats-Num-Pending: 0\r\nNats-Last-Sequence: %d\r\n\r\n" % (sequence, previous)
    )


END = b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: %d\r\n\r\n"


class TestAnswersOfNoServer:
    @pytest.mark.parametrize(
        "answers",
        [
            [message(1, 0), message(3, 2), END % 3],
            [message(1, 0), END % 2],
            [None],
            [b"NATS/1.0\r\n\r\n"],
            [message(1, 0).replace(b"Nats-Subject", b"Nats-Topic")],
            [b"NATS/1.0 204 EOB\r\nno header\r\n\r\n"],
        ],
    )
    def test_a_batch_with_a_gap_or_without_sense_fails(self, answers):
        failed = Streams(Scripted(*answers)).batch("S", b"a")
        assert isinstance(failure_of(failed), ProtocolError)

    def test_a_batch_that_is_whole_does_not(self):
        page = result_of(Streams(Scripted(message(1, 0), message(3, 1), END % 3)).batch("S", b"a"))
        assert [one.sequence for one in page.messages] == [1, 3]

    def test_a_batch_without_an_end_fails(self):
        scripted = Scripted(message(1, 0), error=TimedOut("no answer in time"))
        assert isinstance(failure_of(Streams(scripted).batch("S", b"a")), TimedOut)

    @pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"\xff", b'{"seq":"a","messages":1,"state":2}'])
    def test_what_is_no_answer_fails(self, answer):
        streams = Streams(Scripted(answer))
        for asked in (streams.publish(b"a", b""), streams.create(StreamConfig(name="S"))):
            assert isinstance(failure_of(asked), ProtocolError)

    def test_a_refusal_that_does_not_tell_the_last_sequence(self):
        answer = b'{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}'
        failed = failure_of(Streams(Scripted(answer)).publish(b"a", b"", expected=1))
        assert (type(failed), failed.last) == (WrongLastSequence, None)


def result_of(deferred: Deferred):
    results = []
    deferred.addBoth(results.append)
    return results[0]


def failure_of(deferred: Deferred):
    return result_of(deferred).value
