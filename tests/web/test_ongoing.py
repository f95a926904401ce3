"""Access that ends while something of a key is open, and afterwards: each listener is told in its form."""

import gc
import json
import weakref

import pytest
from support import http
from support.access import KEYS, end, key_of, refuse
from support.http import Answer, dechunked
from support.memory import RawSocketWire, WebSocketWire, client_frame, server_frames, upgrade
from support.signing import signed_query

from radiod.core.holders import Account, Holder
from radiod.core.ids import digest
from radiod.web.ongoing import Ongoing

SSE, LINES, KEY = "Accept: text/event-stream", "Accept: application/x-ndjson", "API-KEY: sample-key"
REASONS = ["revoked", "suspended", "expired", "quota"]
REFUSED = {"error": "API-KEY not valid", "reason": "revoked"}
NAMES = ["/listen/other_net?", "/listen?channel=other_net&channel=a.*&"]
"""One channel, and several."""

INTERRUPTED = {"mode": "kill", "reason": "wamp.error.canceled"}
CALLEE = {"features": {"progressive_call_results": True, "call_canceling": True}}
HELLO = [1, "radio", {"roles": {"callee": CALLEE, "caller": {}, "publisher": {}, "subscriber": {}}}]


@pytest.fixture
def world(world):
    return world.start(KEYS)


@pytest.fixture
def callee(world):
    wire = world.join(hello=HELLO)
    wire.ask([64, None, {}, "p"])
    return wire


def get(world, path, *lines, key=KEY):
    return world.ask(http.get(path, key, *lines))


def plain(world, path, extra=f"{KEY}\r\n"):
    return world.ask(upgrade(path, extra=extra))


def is_free(world, id="sample"):
    """Whether nothing of the key is left."""
    holder = key_of(world, id).holder
    return (holder.connections, holder.account.connections, world.realm.sessions) == (0, 0, {})


class TestStreams:
    @pytest.mark.parametrize("path", NAMES)
    @pytest.mark.parametrize("reason", REASONS)
    def test_server_sent_events_end_with_an_event(self, world, path, reason):
        stream = get(world, path, SSE)
        stream.received()
        assert end(world, reason) == 1
        assert stream.received().endswith(
            b'event: end\ndata: {"reason": "%b"}\n\n\r\n0\r\n\r\n' % reason.encode()
        )
        assert is_free(world)

    @pytest.mark.parametrize("path", NAMES)
    @pytest.mark.parametrize("reason", REASONS)
    def test_lines_end_with_a_line(self, world, path, reason):
        stream = get(world, path, LINES)
        stream.received()
        end(world, reason)
        assert dechunked(stream.received()) == f'{{"end": "{reason}"}}\n\n'
        assert is_free(world)

    @pytest.mark.parametrize(("accept", "last"), [(SSE, b'"revoked"}\n\n'), (LINES, b'"revoked"}\n\n')])
    def test_a_stream_without_chunks_ends_with_its_connection(self, world, accept, last):
        head = f"GET /listen/other_net HTTP/1.0\r\n{KEY}\r\n{accept}\r\n\r\n"
        stream = world.ask(head.encode())
        end(world)
        assert stream.received().endswith(last)
        assert stream.is_closed

    @pytest.mark.parametrize("path", NAMES)
    @pytest.mark.parametrize("extra", ["", "Sec-WebSocket-Extensions: permessage-deflate\r\n"])
    @pytest.mark.parametrize(
        ("reason", "code"), [("revoked", 4001), ("suspended", 4001), ("expired", 4001), ("quota", 4029)]
    )
    def test_a_plain_websocket_is_closed_with_the_word(self, world, path, extra, reason, code):
        wire = plain(world, path, f"{KEY}\r\n{extra}")
        assert b" 101 " in wire.received()
        end(world, reason)
        assert server_frames(wire.received()) == ([(8, code.to_bytes(2, "big") + reason.encode())], b"")
        wire.send(client_frame(0x88, code.to_bytes(2, "big")))
        assert wire.is_closed
        assert is_free(world)

    def test_what_came_before_is_heard_before_the_end(self, world):
        stream = get(world, "/listen/other_net", LINES)
        stream.received()
        writer = world.join()
        writer.send(
            writer.frame(b'[16,1,{},"other_net",[{"n":1}]]') + writer.frame(b'[16,2,{},"other_net",[2]]')
        )
        refuse(world, "revoked")
        key_of(world).holder.end("revoked")
        writer.say([16, 3, {}, "other_net", [3]])
        told = dechunked(stream.received()).split("\n\n")
        assert [json.loads(line).get("data") for line in told[:2]] == [{"n": 1}, 2]
        assert told[2:] == ['{"end": "revoked"}', ""]

    def test_a_listener_that_does_not_read_is_cut_after_a_while(self, world):
        stream = get(world, "/listen/other_net", SSE)
        stream.received()
        stream.transport.producer.pauseProducing()
        world.join().say(*([16, i + 1, {}, "other_net", [i]] for i in range(10)))
        end(world)
        assert len(key_of(world).holder.things) == 0
        world.wait(2.1)
        assert stream.is_closed

    def test_one_who_reads_late_still_hears_why(self, world):
        stream = get(world, "/listen/other_net", SSE)
        stream.received()
        stream.transport.producer.pauseProducing()
        end(world)
        stream.transport.producer.resumeProducing()
        world.wait(0)
        assert stream.received().endswith(b'event: end\ndata: {"reason": "revoked"}\n\n\r\n0\r\n\r\n')

    def test_its_connection_may_be_used_with_another_key(self, world):
        stream = get(world, "/listen/other_net", SSE)
        end(world)
        stream.received()
        stream.send(http.get("/listen/other_net", SSE, "API-KEY: other-key"))
        assert b" 200 " in stream.received()


class TestPolls:
    @pytest.mark.parametrize("path", NAMES)
    @pytest.mark.parametrize("reason", REASONS)
    def test_a_poll_that_waits_is_told(self, world, path, reason):
        poll = get(world, path)
        assert poll.received() == b""
        end(world, reason)
        answer = Answer(poll.received())
        assert (answer.status, answer.json) == (403, {"error": "API-KEY not valid", "reason": reason})
        assert is_free(world)
        assert world.radio.channel_polls.waiting == 0


class TestWamp:
    @pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
    @pytest.mark.parametrize("reason", REASONS)
    def test_a_session_is_told_goodbye(self, world, kind, reason):
        wire = world.join(kind)
        session = next(iter(world.realm.sessions.values()))
        world.realm.departures.expel(session, reason)
        world.wait(0)
        message = f"access has ended: {reason}"
        assert wire.heard() == [[6, {"message": message}, f"radiod.close.{reason}"]]
        wire.say([6, {}, "wamp.close.goodbye_and_out"])
        wire.unframe()
        assert wire.is_ended


class TestCalls:
    def test_a_call_is_answered_and_its_callee_told_to_stop(self, world, callee):
        body = json.dumps({"procedure": "p"}).encode()
        wire = world.ask(http.request("POST", "/call", KEY, body=body))
        (invocation,) = callee.heard()
        assert end(world) == 1
        answer = Answer(wire.received())
        assert (answer.status, answer.json) == (403, REFUSED)
        assert callee.heard() == [[69, invocation[1], INTERRUPTED]]
        assert len(key_of(world).holder.things) == 0

    @pytest.mark.parametrize(
        ("accept", "last"),
        [(SSE, 'event: end\ndata: {"reason": "revoked"}\n\n'), (LINES, '{"end": "revoked"}\n\n')],
    )
    def test_a_call_that_is_told_by_and_by_ends_with_a_last_word(self, world, callee, accept, last):
        body = json.dumps({"procedure": "p"}).encode()
        wire = world.ask(http.request("POST", "/call", KEY, accept, body=body))
        wire.received()
        (invocation,) = callee.heard()
        end(world)
        assert dechunked(wire.received()) == last
        assert callee.heard() == [[69, invocation[1], INTERRUPTED]]
        callee.say([8, 68, invocation[1], {}, "wamp.error.canceled"])
        assert wire.received() == b""

    def test_a_call_that_was_ended_is_no_answer_to_keep(self, world, callee):
        body = json.dumps({"procedure": "p"}).encode()
        ask = http.request("POST", "/call", KEY, "Idempotency-Key: 1", body=body)
        world.ask(ask)
        end(world)
        refuse(world, "")
        callee.heard()
        wire = world.ask(ask)
        callee.say([70, callee.heard()[-1][1], {}, [1]])
        assert Answer(wire.received()).json == {"args": [1]}

    def test_calls_that_have_ended_leave_nothing(self, world, callee):
        body = json.dumps({"procedure": "p"}).encode()
        wires = [world.ask(http.request("POST", "/call", KEY, body=body)) for _ in range(2)]
        assert len(key_of(world).holder.things) == 2
        callee.say([70, callee.heard()[0][1], {}])
        assert (Answer(wires[0].received()).status, len(key_of(world).holder.things)) == (200, 1)
        wires[1].hang_up()
        assert len(key_of(world).holder.things) == 0
        world.ask(http.request("POST", "/call", KEY, body=b'{"procedure":"nobody.has.it"}'))
        assert len(key_of(world).holder.things) == 0


class TestUploads:
    HEAD = f"POST /publish HTTP/1.1\r\nHost: x\r\n{KEY}\r\nContent-Type: application/x-ndjson\r\n"
    LINE = b'{"network":"other_net","data":{}}\n'

    def begin(self, world, *lines):
        wire = world.ask(f"{self.HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        for line in lines:
            self.add(wire, line)
        return wire

    def add(self, wire, line):
        wire.send(b"%x\r\n%b\r\n" % (len(line), line))

    def test_one_that_has_results_ends_with_a_last_line(self, world):
        listener = world.join()
        listener.ask([32, None, {}, "other_net"])
        wire = self.begin(world, self.LINE)
        answer = Answer(wire.received())
        assert answer.status == 200
        assert end(world) == 1
        assert wire.received().endswith(b'{"end": "revoked"}\n\n\r\n0\r\n\r\n')
        self.add(wire, self.LINE)
        assert wire.received() == b""
        assert len(listener.heard()) == 1

    def test_one_that_has_none_is_answered(self, world):
        wire = self.begin(world, b'{"network"')
        end(world)
        answer = Answer(wire.received())
        assert (answer.status, answer.json) == (403, REFUSED)
        assert len(key_of(world).holder.things) == 0

    def test_one_that_is_over_or_lost_leaves_nothing(self, world):
        done, lost = self.begin(world, self.LINE), self.begin(world, self.LINE)
        assert len(key_of(world).holder.things) == 2
        done.send(b"0\r\n\r\n")
        assert len(key_of(world).holder.things) == 1
        lost.hang_up()
        assert len(key_of(world).holder.things) == 0
        assert end(world) == 0


class TestRefusals:
    """What is known, and not let in, is told why; what nobody knows, is not."""

    ARTICLE = b'{"network":"other_net","data":{}}'
    CROSSBAR = b'{"topic":"other_net"}'

    def post(self, world, path, body, *lines, key=KEY):
        answer = Answer(
            world.ask(http.request("POST", path, *([key] if key else []), *lines, body=body)).received()
        )
        return answer.status, answer.json

    @pytest.fixture(params=["revoked", "suspended", "expired", "not_yet_valid"])
    def reason(self, request, world):
        refuse(world, request.param)
        return request.param

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("/publish", ARTICLE, 400),
            ("/publish", b"[%b]" % ARTICLE, 400),
            ("/publish", b"no JSON", 400),
            ("/publish", b"[" * 100_000, 400),
            ("/api/publish", ARTICLE, 400),
            ("/publish", CROSSBAR, 403),
            ("/call", b'{"procedure":"p"}', 403),
            ("/call", b"no JSON", 403),
        ],
    )
    def test_posts(self, world, reason, path, body, status):
        assert self.post(world, path, body) == (status, {"error": "API-KEY not valid", "reason": reason})

    def test_lines(self, world, reason):
        told = self.post(world, "/publish", self.ARTICLE, "Content-Type: application/x-ndjson")
        assert told == (400, {"error": "API-KEY not valid", "reason": reason})

    @pytest.mark.parametrize("accept", [SSE, LINES, "Accept: */*"])
    @pytest.mark.parametrize("path", NAMES)
    def test_listeners(self, world, reason, accept, path):
        answer = Answer(get(world, path, accept).received())
        assert (answer.status, answer.json) == (403, {"error": "API-KEY not valid", "reason": reason})

    @pytest.mark.parametrize("path", NAMES)
    def test_plain_websockets(self, world, reason, path):
        answer = Answer(plain(world, path).received())
        assert (answer.status, answer.json) == (403, {"error": "API-KEY not valid", "reason": reason})

    def test_centrifugo(self, world, reason):
        told = self.post(world, "/api/channels", b"{}", key="X-API-Key: sample-key")
        assert told == (401, {"error": {"code": 101, "message": "unauthorized"}})

    @pytest.mark.parametrize("body", [ARTICLE, CROSSBAR])
    def test_signed_requests(self, world, reason, body):
        query = signed_query(body, key="sample", secret="pen-of-sample-0123456789abcdef-0123")
        told = self.post(world, f"/publish?{query}", body, key=None)
        assert told == (
            403,
            {"error": "API-KEY not valid", "reason": reason, "args": [], "kwargs": {}},
        )

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [("/publish", ARTICLE, 400), ("/publish", CROSSBAR, 400), ("/call", b"{}", 400)],
    )
    def test_unknown_keys_stay_as_they_are(self, world, reason, path, body, status):
        told = self.post(world, path, body, key="API-KEY: nobody's")
        assert told == (status, {"error": "API-KEY not valid"})

    def test_a_known_key_is_no_guess(self, world, reason):
        for _ in range(100):
            assert self.post(world, "/call", b"{}")[0] == 403
        assert not world.radio.fan_out.guesses.networks

    def test_other_keys_go_on(self, world, reason):
        assert self.post(world, "/publish", self.ARTICLE, key="API-KEY: other-key") == (
            200,
            {"message": "OK"},
        )

    def test_an_account_that_is_suspended_takes_its_keys_with_it(self, world):
        key_of(world).holder.account.refused = "suspended"
        assert self.post(world, "/call", b"{}") == (
            403,
            {"error": "API-KEY not valid", "reason": "suspended"},
        )

    def test_a_secret_that_was_rotated(self, world):
        world.radio.keys.close(digest("sample-key"))
        assert self.post(world, "/call", b"{}") == (403, {"error": "API-KEY not valid", "reason": "rotated"})
        answer = Answer(get(world, "/listen/other_net").received())
        assert (answer.status, answer.json["reason"]) == (403, "rotated")

    def test_items_behind_the_end_of_access_are_refused_one_by_one(self, world):
        listener = world.join()
        listener.ask([32, None, {"_radiod_buffer": {"size": 1, "policy": "wait"}}, "other_net"])
        listener.transport.producer.pauseProducing()
        wire = world.ask(http.request("POST", "/publish", KEY, body=b"[%b]" % b",".join([self.ARTICLE] * 4)))
        # The second waits for a listener that is behind.
        refuse(world, "revoked")
        listener.transport.producer.resumeProducing()
        world.wait(0)
        told = Answer(wire.received()).json
        assert [item["status"] for item in told] == [200, 200, 400, 400]
        assert told[2] == {"status": 400, **REFUSED}


class TestManyAtOnce:
    def test_a_thousand_end_in_slices_and_nobody_else_does(self, world):
        mine = [get(world, "/listen/other_net", SSE) for _ in range(100)]
        others = [get(world, "/listen/other_net", SSE, key="API-KEY: other-key") for _ in range(10)]
        for stream in (*mine, *others):
            stream.received()
        assert key_of(world).holder.connections == 100
        end(world)
        for _ in range(100):
            world.wait(0)
        assert all(b"event: end" in stream.received() for stream in mine)
        assert [stream.received() for stream in others] == [b""] * 10
        assert (key_of(world).holder.connections, key_of(world, "other").holder.connections) == (0, 10)


def test_what_is_done_is_not_ended():
    holder, ended = Holder("k", Account("a")), []
    one, two = Ongoing(holder, ended.append), Ongoing(holder, ended.append)
    one.done()
    one.done()
    assert holder.end("revoked") == 1
    assert ([why.reason for why in ended], one.is_over, two.is_over) == (["revoked"], True, True)


def test_what_is_over_is_freed_at_once():
    class Call:
        def __init__(self, holder):
            self.ongoing = Ongoing(holder, self.end)

        def end(self, why):
            """It ends."""

    holder = Holder("k", Account("a"))
    gc.disable()
    try:
        call = Call(holder)
        seen = weakref.ref(call)
        call.ongoing.done()
        del call
        assert seen() is None
    finally:
        gc.enable()


class TestWampKeys:
    """A key opens WAMP sessions, too: from where it may be used."""

    @pytest.fixture
    def world(self, world):
        key_of(world).holder.restrict(["https://a.example"], ["127.0.0.0/8"])
        return world

    def login(self, wire):
        hello = [1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "sample"}]
        assert wire.ask(hello)[0] == 4
        return wire.ask([5, "sample-key", {}])

    def over_websocket(self, world, origin):
        class Wire(WebSocketWire):
            def open(self):
                extra = f"Origin: {origin}\r\n" if origin else ""
                self.send(upgrade("/ws", "wamp.2.json", extra=extra))
                assert b" 101 " in self.received()

        return world.connect(Wire)

    @pytest.mark.parametrize(
        ("origin", "outcome"), [("https://a.example", 2), (None, 2), ("https://b.example", 3)]
    )
    def test_pages(self, world, origin, outcome):
        answer = self.login(self.over_websocket(world, origin))
        assert answer[0] == outcome
        if outcome == 3:
            assert answer[1:] == [{"message": "not let in: origin"}, "wamp.error.authentication_failed"]

    @pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
    def test_networks(self, world, kind):
        assert self.login(world.connect(kind))[0] == 2
        key_of(world).holder.restrict([], ["192.0.2.0/24"])
        answer = self.login(world.connect(kind))
        assert answer[1:] == [{"message": "not let in: address"}, "wamp.error.authentication_failed"]

    @pytest.mark.parametrize("reason", ["revoked", "suspended", "expired", "not_yet_valid"])
    @pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
    def test_refusals(self, world, kind, reason):
        refuse(world, reason)
        answer = self.login(world.connect(kind))
        assert (answer[0], answer[2]) == (3, "wamp.error.authentication_failed")
        assert reason in answer[1]["message"]

    @pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
    def test_ends(self, world, kind):
        wire = world.connect(kind)
        assert self.login(wire)[0] == 2
        assert end(world) == 1
        assert wire.heard() == [[6, {"message": "access has ended: revoked"}, "radiod.close.revoked"]]
        wire.say([6, {}, "wamp.close.goodbye_and_out"])
        wire.unframe()
        assert wire.is_ended
