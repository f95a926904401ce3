"""A connection over links that follow each other, byte by byte, in a time of the test's own."""

import json
from itertools import pairwise

import pytest
from engine.nats.fakes import Net
from engine.nats.watching import Heard
from hypothesis import given
from hypothesis import strategies as st

from radiod.engine.nats import wire
from radiod.engine.nats.credentials import Password
from radiod.engine.nats.errors import (
    ConnectionLost,
    NoResponders,
    Overloaded,
    PayloadTooLarge,
    Refused,
    TimedOut,
)
from radiod.engine.nats.shapes import Info

CLOSED = "nats-server at a:4222: it closed the connection"


def outcome(deferred):
    """A result, an error's type, or "waits"."""
    results = []
    deferred.addBoth(results.append)
    if not results:
        return "waits"
    return getattr(results[0], "type", results[0])


@pytest.fixture
def net():
    net = Net()
    net.open()
    return net


class TestHandshake:
    def test_connect_subscriptions_and_a_ping_are_one_write(self):
        net = Net(name="node-1")
        net.connection.subscribe(b"b.>", Heard())
        net.connection.subscribe(b"a", Heard())
        net.greet()
        said, *subs, ping, end = net.pipe.written.split(b"\r\n")
        assert json.loads(said.removeprefix(b"CONNECT ")) == {
            "verbose": False,
            "pedantic": False,
            "echo": False,
            "headers": True,
            "no_responders": True,
            "protocol": 1,
            "lang": "radiod",
            "version": "1",
            "name": "node-1",
        }
        assert subs[0].startswith(b"SUB _INBOX.")
        assert [subs[1:], ping, end] == [[b"SUB b.> 1", b"SUB a 2"], b"PING", b""]
        assert (net.pipe.writes, net.outcome) == (1, None)
        net.say(b"PONG\r\n")
        assert isinstance(net.outcome, Info)
        assert net.watching.told == [("connected", "a:4222")]
        assert (net.connection.is_connected, net.connection.server) == (True, "a:4222")

    def test_credentials_are_told(self):
        net = Net(credentials=Password("user", "secret"))
        net.greet(auth_required=True)
        said = json.loads(net.pipe.written.split(b"\r\n")[0].removeprefix(b"CONNECT "))
        assert (said["user"], said["pass"]) == ("user", "secret")

    @pytest.mark.parametrize(
        ("url", "info", "said"),
        [
            (
                "nats://a",
                {"version": "2.9.10"},
                "nats-server 2.9.10 at a:4222 is too old: radiod needs 2.12 or newer",
            ),
            (
                "nats://a",
                {"version": ""},
                "nats-server of no version at a:4222 is too old: radiod needs 2.12 or newer",
            ),
            (
                "nats://a",
                {"max_payload": 999},
                "nats-server at a:4222 takes 999 bytes a message: radiod needs 1000, set its max_payload",
            ),
            (
                "nats://a",
                {"headers": False},
                "nats-server at a:4222 takes no headers: set its no_header_support to false",
            ),
            ("tls://[::1]:5", {}, "nats-server at [::1]:5 offers no TLS"),
        ],
    )
    def test_a_server_that_does_not_do_is_refused_by_name_and_not_tried_again(self, url, info, said):
        net = Net(url, min_payload=1000)
        net.greet(**info)
        assert net.outcome.type is Refused
        assert str(net.outcome.value) == said
        net.turn(100)
        assert (len(net.tries), net.pipe.ended, net.pipe.written) == (1, "aborted", b"")

    @pytest.mark.parametrize("version", ["2.12.0", "2.12.0-beta.1", "2.100.1", "3.0.0"])
    def test_newer_ones_are_taken(self, version):
        net = Net()
        net.open(version=version)
        assert net.connection.is_connected

    def test_wrong_credentials_end_the_first_try(self):
        net = Net(credentials=Password("user", "secret"))
        net.greet()
        net.say(b"-ERR 'Authorization Violation'\r\n")
        net.break_off()
        assert net.outcome.type is Refused
        said = "nats-server at a:4222 does not take our credentials: Authorization Violation"
        assert str(net.outcome.value) == said
        net.turn(100)
        assert len(net.tries) == 1

    def test_a_server_that_was_slow_to_ask_is_tried_again(self):
        net = Net(credentials=Password("user", "secret"))
        net.greet()
        net.say(b"-ERR 'Authentication Timeout'\r\n")
        net.break_off()
        assert net.watching.told == [("trouble", "nats-server at a:4222: Authentication Timeout")]
        net.turn(1)
        assert len(net.tries) > 1

    def test_later_they_are_told_once_and_tried_ever_less_often(self, net):
        net.break_off()
        for _ in range(100):
            net.turn(0.1)
            if net.tries[-1].pipe.ended is None:
                net.greet()
                net.say(b"-ERR 'Authorization Violation'\r\n")
        assert net.watching.names() == ["connected", "lost", "trouble"]
        assert len(net.tries) < 12

    def test_where_tls_is_wanted_nothing_is_said_before_it(self):
        net = Net()
        net.greet(tls_required=True)
        assert net.pipe.is_tls
        assert b'"tls_required":true' in net.pipe.written

    def test_what_comes_with_info_before_tls_is_not_believed(self):
        net = Net("tls://a")
        one = net.tries[-1]
        one.link.made(one.pipe)
        net.say(b'INFO {"version":"2.12.0","headers":true,"tls_required":true}\r\nPONG\r\n')
        assert (net.pipe.ended, net.pipe.is_tls, net.pipe.written) == ("aborted", False, b"")
        assert net.watching.told == [
            ("trouble", "nats-server at a:4222 does not speak NATS: more than INFO before TLS")
        ]

    @pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n", b"INFO []\r\n", b"INFO \xff\r\n"])
    def test_who_does_not_speak_nats_is_told_and_tried_again(self, said):
        net = Net()
        net.tries[0].link.made(net.pipe)
        net.say(said)
        assert net.watching.names() == ["trouble"]
        assert "does not speak NATS" in net.watching.told[0][1]
        net.turn(1)
        assert len(net.tries) > 1

    def test_who_says_nothing_is_given_up(self):
        net = Net(attempt=4.0)
        net.turn(4.1)
        assert net.tries[0].is_cancelled
        assert net.watching.told == [("trouble", "nats-server at a:4222 has not answered for 4 s")]
        net.tries[0].link.made(net.tries[0].pipe)
        assert net.tries[0].pipe.ended == "aborted"

    def test_who_takes_us_and_says_no_more_is_given_up(self):
        net = Net(attempt=4.0)
        net.greet()
        net.turn(4.1)
        assert net.tries[0].pipe.ended == "aborted"


class TestMessages:
    def test_those_of_a_turn_leave_with_one_write(self, net):
        writes = net.pipe.writes
        for number in range(3):
            assert net.connection.publish(b"a", b"%d" % number)
        net.connection.publish(b"b", b"x", b"reply", wire.headers([(b"A", b"1")]))
        assert net.pipe.written == b""
        net.turn()
        assert net.pipe.written == (
            b"PUB a 1\r\n0\r\nPUB a 1\r\n1\r\nPUB a 1\r\n2\r\n"
            b"HPUB b reply 18 19\r\nNATS/1.0\r\nA: 1\r\n\r\nx\r\n"
        )
        assert net.pipe.writes == writes + 1
        assert net.connection.counts.published == 4

    def test_a_subscription_goes_before_what_is_asked_behind_it(self, net):
        net.connection.subscribe(b"a", Heard())
        net.connection.request(b"b", b"", 1)
        net.connection.unsubscribe(b"1")
        net.turn()
        assert [line.split(b" ")[0] for line in net.pipe.written.split(b"\r\n")] == [
            b"SUB",
            b"PUB",
            b"",
            b"UNSUB",
            b"",
        ]

    def test_without_a_server_they_are_dropped_and_counted(self):
        net = Net()
        assert not net.connection.publish(b"a", b"")
        net.greet()
        assert not net.connection.publish(b"a", b"x" * 5000)
        net.say(b"PONG\r\n")
        assert b"PUB" not in net.pipe.written
        assert (net.connection.counts.while_away, net.connection.counts.published) == (2, 0)

    def test_above_the_bound_they_are_dropped_and_counted(self):
        net = Net(max_unsent=100)
        net.open()
        net.pipe.has_room = False
        assert net.connection.publish(b"a", b"1" * 30)
        net.turn()
        assert net.connection.publish(b"a", b"2" * 30)
        assert net.connection.unsent == 84
        assert not net.connection.publish(b"a", b"3" * 30)
        assert outcome(net.connection.request(b"a", b"4" * 30, 1)) is Overloaded
        # A subscription goes whatever waits.
        net.connection.subscribe(b"b", Heard())
        net.turn()
        assert net.pipe.written == b"PUB a 30\r\n" + b"1" * 30 + b"\r\n"
        net.pipe.make_room()
        assert net.pipe.written == b"PUB a 30\r\n" + b"2" * 30 + b"\r\nSUB b 1\r\n"
        assert net.connection.unsent == 0
        counts = net.connection.counts
        assert (counts.published, counts.overflowed, counts.requests) == (2, 2, 0)

    def test_one_that_the_server_would_not_take_is_refused(self, net):
        assert net.connection.publish(b"a", b"x" * 1000)
        with pytest.raises(PayloadTooLarge, match="1001 bytes: the server takes 1000"):
            net.connection.publish(b"a", b"x" * 1001)
        with pytest.raises(PayloadTooLarge):
            net.connection.publish(b"a", b"x" * 990, headers=wire.headers([(b"A", b"1")]))
        assert outcome(net.connection.request(b"a", b"x" * 1001, 1)) is PayloadTooLarge
        assert net.connection.counts.requests == 0

    def test_each_goes_to_the_handler_of_its_subscription_in_order(self, net):
        heard, other = Heard(), Heard()
        net.connection.subscribe(b"a.*", heard)
        net.connection.subscribe(b"a.b", other)
        net.say(b"MSG a.b 1 1\r\nx\r\nHMSG a.c 1 r 12 13\r\nNATS/1.0\r\n\r\ny\r\n")
        net.say(b"MSG a.b 2 1\r\nz\r\nMSG a.b 9 0\r\n\r\n")
        assert heard == [(b"a.b", None, None, b"x"), (b"a.c", b"r", b"NATS/1.0\r\n\r\n", b"y")]
        assert other == [(b"a.b", None, None, b"z")]
        assert net.connection.counts.received == 3

    def test_a_handler_that_fails_costs_one_message(self, net):
        heard = Heard()

        def handle(subject, reply, headers, payload):
            if payload == b"1":
                raise RuntimeError("of the test")
            heard(subject, reply, headers, payload)

        net.connection.subscribe(b"a", handle)
        net.say(b"MSG a 1 1\r\n0\r\nMSG a 1 1\r\n1\r\nMSG a 1 1\r\n2\r\n")
        assert [payload for *_, payload in heard] == [b"0", b"2"]
        assert net.connection.is_connected

    def test_an_unsubscribed_handler_hears_nothing_more(self, net):
        heard = Heard()

        def handle(*message):
            net.connection.unsubscribe(sid)
            heard(*message)

        sid = net.connection.subscribe(b"a", handle)
        net.say(b"MSG a 1 1\r\n0\r\nMSG a 1 1\r\n1\r\n")
        assert len(heard) == 1
        with pytest.raises(KeyError):
            net.connection.unsubscribe(sid)

    def test_a_ping_is_answered(self, net):
        net.say(b"PING\r\n")
        assert net.pipe.written == b"PONG\r\n"

    def test_a_complaint_is_told_and_the_connection_goes_on(self, net):
        for _ in range(2):
            net.say(b"-ERR 'Permissions Violation for Publish to \"a\"'\r\n")
        assert net.watching.told[1:] == [
            ("trouble", 'nats-server at a:4222: Permissions Violation for Publish to "a"')
        ]
        assert net.connection.is_connected


class TestRequests:
    def reply(self, net):
        """Where the last request wants its answer."""
        net.turn()
        return net.pipe.written.split(b"\r\n")[-3].split(b" ")[2]

    def test_an_answer_comes_once(self, net):
        asked = net.connection.request(b"a", b"?", 1)
        reply = self.reply(net)
        net.say(b"MSG %b 0 1\r\n!\r\nMSG %b 0 1\r\n?\r\n" % (reply, reply))
        assert outcome(asked) == (None, b"!")
        net.turn(5)
        assert net.connection.counts.requests == 0

    def test_nobody_is_there(self, net):
        asked = net.connection.request(b"a", b"?", 1)
        net.say(b"HMSG %b 0 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" % self.reply(net))
        assert outcome(asked) is NoResponders

    def test_each_has_its_own_time(self, net):
        late, soon = net.connection.request(b"a", b"", 5), net.connection.request(b"a", b"", 2)
        ends = []

        def note(failure, name):
            ends.append((name, failure.type, net.reactor.seconds()))

        late.addErrback(note, "late")
        soon.addErrback(note, "soon")
        # A server that answers pings.
        for _ in range(60):
            net.turn(0.1)
            net.say(b"PONG\r\n")
        assert [(name, kind) for name, kind, _ in ends] == [("soon", TimedOut), ("late", TimedOut)]
        assert [when for *_, when in ends] == [pytest.approx(2, abs=0.11), pytest.approx(5, abs=0.11)]

    def test_they_end_with_the_connection(self, net):
        asked = net.connection.request(b"a", b"", 5)
        net.break_off()
        assert outcome(asked) is ConnectionLost
        assert outcome(net.connection.request(b"a", b"", 5)) is ConnectionLost

    def test_there_are_not_too_many(self):
        net = Net(max_requests=2)
        net.open()
        asked = [net.connection.request(b"a", b"", 5) for _ in range(3)]
        assert [outcome(one) for one in asked] == ["waits", "waits", Overloaded]

    def test_one_that_is_cancelled_is_forgotten(self, net):
        asked = net.connection.request(b"a", b"", 5)
        reply = self.reply(net)
        asked.addErrback(lambda failure: None)
        asked.cancel()
        assert net.connection.counts.requests == 0
        net.say(b"MSG %b 0 0\r\n\r\n" % reply)

    def test_a_flush_is_answered_by_its_own_pong(self, net):
        flushed = [net.connection.flush()]
        net.turn(1.1)
        flushed.append(net.connection.flush())
        net.turn()
        assert net.pipe.written == b"PING\r\n" * 3
        net.say(b"PONG\r\n")
        assert [outcome(one) for one in flushed] == [None, "waits"]
        net.say(b"PONG\r\n")
        assert outcome(flushed[1]) == "waits"
        net.say(b"PONG\r\nPONG\r\n")
        assert not net.connection.counts.lost

    def test_a_flush_ends_with_the_connection(self, net):
        flushed = net.connection.flush()
        net.break_off()
        assert [outcome(flushed), outcome(net.connection.flush())] == [ConnectionLost] * 2


class TestReconnection:
    def test_a_lost_connection_is_told_with_what_surely_did_not_leave(self, net):
        net.pipe.has_room = False
        net.connection.publish(b"a", b"x" * 10)
        net.turn()
        net.connection.publish(b"a", b"y" * 10)
        net.break_off()
        assert net.watching.names() == ["connected", "lost"]
        assert str(net.watching.told[1][1]) == CLOSED
        counts = net.connection.counts
        two = 2 * len(b"PUB a 10\r\n0123456789\r\n")
        assert (counts.lost, counts.unsent, net.connection.unsent) == (1, two, 0)

    def test_the_servers_own_reason_is_told(self, net):
        net.say(b"-ERR 'Stale Connection'\r\n")
        net.break_off()
        assert str(net.watching.told[1][1]) == "nats-server at a:4222: Stale Connection"

    def test_subscriptions_are_made_again_in_order_before_anything_is_published(self, net):
        heard = Heard()
        for subject in (b"c", b"a", b"b"):
            net.connection.subscribe(subject, heard)
        net.connection.unsubscribe(b"2")
        net.try_again()
        assert not net.connection.publish(b"x", b"")
        net.connection.subscribe(b"d", heard)
        net.greet()
        assert not net.connection.publish(b"x", b"")
        lines = net.pipe.written.split(b"\r\n")
        assert lines[1].startswith(b"SUB _INBOX.")
        assert lines[2:] == [b"SUB c 1", b"SUB b 3", b"SUB d 4", b"PING", b""]
        net.say(b"MSG c 1 0\r\n\r\nPONG\r\n")
        assert len(heard) == 1
        assert net.connection.publish(b"x", b"")
        assert net.watching.names() == ["connected", "lost", "connected"]

    def test_many_are_made_piece_by_piece_and_each_piece_has_its_time(self):
        net = Net(attempt=4.0)
        sids = [net.connection.subscribe(b"a.%d" % number, Heard()) for number in range(2500)]
        net.greet()
        lines = net.pipe.written.split(b"\r\n")
        assert [lines[2], lines[1000], lines[1001]] == [b"SUB a.0 1", b"SUB a.998 999", b"PING"]
        net.turn(3.9)
        net.say(b"PONG\r\n")
        assert net.pipe.written.count(b"SUB") == 1000
        # What begins and ends meanwhile is told as well, and nothing twice.
        late = net.connection.subscribe(b"late", Heard())
        net.connection.unsubscribe(sids[-1])
        net.connection.unsubscribe(late)
        assert not net.connection.is_connected
        net.turn(3.9)
        net.say(b"PONG\r\n")
        lines = net.pipe.written.split(b"\r\n")
        assert lines[:3] == [b"SUB late 2501", b"UNSUB 2500", b"UNSUB 2501"]
        assert lines[3:-2] == [b"SUB a.%d %d" % (number, number + 1) for number in range(1999, 2499)]
        assert not net.connection.is_connected
        net.say(b"PONG\r\n")
        assert net.connection.is_connected

    def test_a_piece_of_nothing_but_ended_ones_is_not_the_end(self):
        net = Net()
        sids = [net.connection.subscribe(b"a.%d" % number, Heard()) for number in range(2500)]
        net.greet()
        for sid in sids[999:2200]:
            net.connection.unsubscribe(sid)
        net.turn()
        assert net.pipe.written.endswith(b"UNSUB 2200\r\n")
        net.say(b"PONG\r\n")
        assert net.pipe.written.count(b"SUB") == 300
        net.say(b"PONG\r\n")
        assert net.connection.is_connected

    def test_a_server_that_stops_between_two_pieces_is_given_up(self):
        net = Net(attempt=4.0)
        for number in range(2500):
            net.connection.subscribe(b"a.%d" % number, Heard())
        net.greet()
        net.say(b"PONG\r\n")
        net.turn(4.1)
        assert net.tries[0].pipe.ended == "aborted"

    def test_another_server_is_tried_at_once_and_rounds_come_less_and_less_often(self):
        net = Net("nats://a", "nats://b", "nats://c", backoff=(0.1, 5.0))
        for _ in range(900):
            net.turn(0.1)
            if net.pipe.ended is None:
                net.break_off("connection refused")
        hosts = ["".join(one.link.address.host for one in net.tries[at : at + 3]) for at in (0, 3, 6)]
        assert {"".join(sorted(round)) for round in hosts} == {"abc"}
        starts = [one.when for one in net.tries[::3]]
        waits = [later - earlier for earlier, later in pairwise(starts)]
        assert waits[0] < 0.5
        assert all(wait < 6 for wait in waits)
        assert all(wait >= 2.4 for wait in waits[8:])
        # Each server's trouble is told once.
        assert net.watching.names() == ["trouble"] * 3

    def test_a_connection_that_does_not_last_does_not_begin_them_anew(self):
        net = Net(steady=10.0)
        for _ in range(300):
            if net.pipe.ended is None and net.tries[-1].link._pipe is None:
                net.open()
                net.break_off()
            net.turn(0.1)
        assert 5 < len(net.tries) < 16

    def test_one_that_lasts_does(self):
        net = Net(steady=10.0)
        for _ in range(6):
            net.turn(6)
            net.break_off("connection refused")
        net.turn(6)
        net.open()
        for _ in range(110):
            net.turn(0.1)
            net.say(b"PONG\r\n")
        before = len(net.tries)
        net.break_off()
        assert len(net.tries) == before + 1

    def test_a_server_that_does_not_answer_pings_is_given_up(self):
        net = Net(ping_interval=1.0, pings=3)
        net.open()
        net.turn(2.5)
        assert net.connection.is_connected
        net.turn(2.5)
        assert not net.connection.is_connected
        assert str(net.watching.told[1][1]) == "nats-server at a:4222 has not answered 3 pings"
        assert net.tries[0].pipe.ended == "aborted"

    def test_one_that_reads_what_waits_is_not(self, net):
        net.pipe.has_room = False
        for _ in range(20):
            net.connection.publish(b"a", b"x")
            net.turn(0.9)
            net.tries[-1].pipe._on_room(net.pipe)
        assert net.connection.is_connected

    def test_one_that_says_anything_is_not(self, net):
        for _ in range(100):
            net.turn(0.9)
            net.say(b"MSG a 9 0\r\n\r\n")
        assert net.connection.is_connected

    def test_a_lame_duck_is_left_for_another_when_what_waits_has_left(self):
        net = Net("nats://a", "nats://b")
        net.open()
        first = net.tries[-1]
        net.connection.publish(b"a", b"last")
        first.link.received(b'INFO {"ldm":true,"max_payload":1000}\r\n')
        net.turn()
        assert first.pipe.written.endswith(b"PUB a 4\r\nlast\r\n")
        assert first.pipe.ended == "closed"
        assert net.tries[-1].link.address.host != first.link.address.host
        assert "lame duck" in str(net.watching.told[1][1])

    def test_a_servers_news_count(self, net):
        net.say(b'INFO {"version":"2.12.0","max_payload":10,"headers":true}\r\n')
        with pytest.raises(PayloadTooLarge):
            net.connection.publish(b"a", b"x" * 11)

    def test_news_without_a_limit_leave_it_as_it_is(self, net):
        net.say(b'INFO {"version":"2.12.0","headers":true}\r\n')
        assert net.connection.publish(b"a", b"x" * 1000)
        with pytest.raises(PayloadTooLarge, match="1001 bytes: the server takes 1000"):
            net.connection.publish(b"a", b"x" * 1001)

    def test_a_server_that_never_named_a_limit_takes_what_it_is_sent(self):
        net = Net()
        net.tries[-1].link.made(net.tries[-1].pipe)
        net.say(b'INFO {"version":"2.12.0","headers":true}\r\nPONG\r\n')
        assert net.connection.publish(b"a", b"x" * 1001)

    def test_what_an_old_link_still_hears_is_nobodys(self, net):
        heard = Heard()
        net.connection.subscribe(b"a", heard)
        old = net.tries[0]
        net.try_again()
        old.link.received(b"MSG a 1 0\r\n\r\n")
        old.link.lost("again")
        assert heard == []
        net.open()
        assert net.watching.names() == ["connected", "lost", "connected"]


said = st.binary(max_size=40) | st.sampled_from(
    [
        b"PONG\r\n",
        b"PING\r\n",
        b"-ERR 'Authorization Violation'\r\n",
        b"-ERR 'Stale Connection'\r\n",
        b"MSG a 1 2\r\nhi\r\n",
        b'INFO {"version":"2.12.0","headers":true,"max_payload":1000}\r\n',
        b'INFO {"version":"2.13.0","headers":true,"ldm":true}\r\n',
        b'INFO {"version":"2.1.0"}\r\n',
        b'INFO {"version":5}\r\n',
    ]
)


class TestAnything:
    @given(st.lists(said | st.sampled_from(["break off", "wait", "publish", "ask"]), max_size=30))
    def test_a_server_may_say_whatever_it_likes(self, script):
        net = Net("nats://a", "nats://b")
        net.connection.subscribe(b"a", Heard())
        published = kept = ends = asked = 0

        def end(_):
            nonlocal ends
            ends += 1

        for step in script:
            one = net.tries[-1]
            if one.link._pipe is None and one.pipe.ended is None:
                one.link.made(one.pipe)
            if step == "break off":
                net.break_off()
            elif step == "wait":
                net.turn(0.5)
            elif step == "publish":
                published += 1
                kept += net.connection.publish(b"a", b"x")
            elif step == "ask":
                asked += 1
                net.connection.request(b"a", b"x", 3).addBoth(end)
            else:
                net.say(step)
        counts = net.connection.counts
        assert counts.while_away == published - kept
        names = net.watching.names()
        # Who is connected is lost before it is connected again.
        assert [name for name in names if name != "trouble"] == (["connected", "lost"] * 99)[
            : counts.connected + counts.lost
        ]
        assert counts.connected - counts.lost == net.connection.is_connected
        net.connection.close()
        net.turn(10)
        assert ends == asked
        assert net.reactor.getDelayedCalls() == []


class TestClosing:
    def test_what_waits_leaves_first(self, net):
        asked = net.connection.request(b"a", b"", 5)
        net.connection.publish(b"a", b"last")
        closed = net.connection.close()
        net.turn()
        assert net.pipe.written.endswith(b"PUB a 4\r\nlast\r\nPING\r\n")
        assert outcome(closed) == "waits"
        net.say(b"PONG\r\n")
        assert (net.pipe.ended, net.connection.is_connected) == ("closed", False)
        assert outcome(closed) is None
        assert outcome(asked) is ConnectionLost
        net.turn(100)
        assert len(net.tries) == 1
        assert net.watching.names() == ["connected"]
        assert net.reactor.getDelayedCalls() == []

    def test_but_no_longer_than_two_seconds(self, net):
        closed = net.connection.close()
        net.turn(2.1)
        assert outcome(closed) is None
        assert net.pipe.ended == "closed"

    def test_a_try_is_given_up(self):
        net = Net()
        closed = net.connection.close()
        assert outcome(closed) is None
        assert net.tries[0].is_cancelled
        assert net.outcome.type is ConnectionLost
        net.turn(100)
        assert len(net.tries) == 1

    def test_between_two_tries_nothing_comes_any_more(self):
        net = Net()
        net.break_off("connection refused")
        net.connection.close()
        net.turn(100)
        assert len(net.tries) == 1
        assert net.connection.close().called
