"""A bus, and streams, by bytes of a server that are not as they should be."""

import pytest
from engine.nats.fakes import Net

from radiod.core.cluster.ports import Failure
from radiod.engine.nats.bus import NatsBus
from radiod.engine.nats.records import NatsStreams


class User:
    def __init__(self):
        self.heard = []

    def came(self, subject, reply, data):
        self.heard.append((subject, reply, data))

    def unreachable(self, reply):
        self.heard.append(reply)

    def stored(self, record):
        self.heard.append(record)


@pytest.fixture
def net():
    net = Net()
    net.open()
    return net


def test_what_comes_on_a_subject_that_is_no_text_is_counted_and_dropped(net):
    user, lines = User(), []
    bus = NatsBus(user)
    bus.use(net.connection)
    bus.trouble = lines.append
    bus.listen("a.>")
    net.say(b"MSG a.\xff 1 1\r\nx\r\nMSG a.b 1 \xfe 1\r\ny\r\nMSG a.b 1 1\r\nz\r\n")
    assert user.heard == [("a.b", "", b"z")]
    assert (bus.malformed, len(set(lines))) == (2, 1)


@pytest.fixture
def streams(net):
    streams = NatsStreams(net.connection, User(), "again", 1, net.lines.append, net.connection._clock.soon)
    return streams


@pytest.fixture(autouse=True)
def lines(net):
    net.lines = []
    return net.lines


def headers(subject=b"a.b", seq=b"7"):
    lines = [b"NATS/1.0", b"Nats-Stream: s", b"Nats-Subject: " + subject, b"Nats-Sequence: " + seq]
    return b"\r\n".join([*lines, b"Nats-Time-Stamp: x", b"Nats-Last-Sequence: 0"]) + b"\r\n\r\n"


def hmsg(subject, sid, block):
    return b"HMSG %b %b %d %d\r\n%b\r\n" % (subject, sid, len(block), len(block), block)


def test_what_is_no_record_of_a_stream_is_counted_and_told_once(net, streams, lines):
    streams.follow("a.>")
    for block in (headers(b"a.\xff"), b"NATS/1.0\r\n\r\n", headers(seq=b"9" * 5000)):
        net.say(hmsg(b"again.a.b", b"1", block))
    net.say(b"MSG again.a.b 1 1\r\nx\r\n")
    net.say(hmsg(b"again.a.b", b"1", headers()))
    assert [record.seq for record in streams._user.heard] == [7]
    assert (streams.malformed, len(lines)) == (4, 1)


def test_a_read_of_what_no_node_writes_is_answered_all_the_same(net, streams):
    told = []
    streams.read("s", "a.>", 0, 10, told.append)
    net.turn()
    reply = next(
        word for word in net.pipe.written.split() if word.startswith(b"_INBOX.") and word[-1:] != b"*"
    )
    net.say(hmsg(reply, b"0", headers(b"a.\xff")))
    end = b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 7\r\n\r\n"
    net.say(hmsg(reply, b"0", end))
    assert told == [Failure.UNKNOWN]


@pytest.mark.parametrize("said", [b'{"server_id": "\xff"}', b"[" * 100_000, b"{"])
def test_a_server_whose_introduction_nobody_can_read_does_not_speak_nats(said):
    net = Net()
    one = net.tries[-1]
    one.link.made(one.pipe)
    net.say(b"INFO %b\r\n" % said[:60_000])
    assert one.pipe.ended == "aborted"
    assert any("does not speak NATS" in str(argument) for _, argument in net.watching.told)
