"""Counters of ``/metrics`` whose labels say why: each reason is brought about, and counted from outside.

What is published, delivered, called and logged in has ``test_metrics``; what the disk refuses
``test_watching``; spans ``test_tracing``. Together they have every counter, and every value of its labels.
"""

import contextlib
import re
import select
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
from engine.nats.servers import Servers, wait_until
from support import nursery
from support.cluster.running import nodes
from support.config import configuration
from support.programs import Failed, Program
from support.running import ROOT, environment, radiod
from support.scrapes import scrape
from support.sockets import RawClient

from radiod.core.delivery.settings import POLICIES
from radiod.core.statistics import REFUSALS
from radiod.metrics.exposition import COUNTER
from radiod.metrics.names import FAMILIES
from radiod.transport.census import CUTS, KINDS

pytestmark = pytest.mark.e2e

SECONDS = 30
HERE = Path(__file__).parent
WATCHER = {"API-KEY": "watcher-key"}
KEYS = """
[realms.radio.keys.watcher]
key = "watcher-key"
metrics = true
[realms.radio.keys.writer]
key = "writer-key"
publish = ["*"]
"""
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
)


@contextlib.contextmanager
def serving(folder, more="", **limits):
    with radiod(folder, configuration(f"{KEYS}\n{more}", **limits)) as server:
        yield server


def now(server, name, **labels):
    found = scrape(server, **WATCHER).series.get(name, {})
    return sum(value for has, value in found.items() if labels.items() <= has)


@contextlib.contextmanager
def counted(server, name, grown, **labels):
    """That a counter grows by so much while the block runs, or soon after, and by no more."""
    before = now(server, name, **labels)
    yield
    end = time.monotonic() + SECONDS
    while now(server, name, **labels) - before != grown:
        assert now(server, name, **labels) - before < grown, "more than happened"
        assert time.monotonic() < end, scrape(server, **WATCHER).text
        time.sleep(0.05)


def refused(server, reason, grown):
    return counted(server, "radiod_connections_refused_total", grown, reason=reason)


def cut(server, reason, grown):
    return counted(server, "radiod_connections_cut_total", grown, reason=reason)


@contextlib.contextmanager
def connected(server, source="127.0.0.1", receive_buffer=None):
    with socket.socket() as peer:
        peer.settimeout(SECONDS)
        if receive_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.bind((source, 0))
        peer.connect(("127.0.0.1", server.port))
        yield peer


def has_ended(peer):
    """Wait until the server has closed the connection."""
    with contextlib.suppress(ConnectionError):
        while peer.recv(1 << 16):
            pass


def rawsocket(server, opened, size=15):
    """A peer that takes messages of ``2 ** (9 + size)`` bytes; JSON."""
    peer = opened.enter_context(connected(server))
    peer.sendall(bytes([0x7F, size << 4 | 1, 0, 0]))
    assert peer.recv(4)[:1] == b"\x7f"
    return peer


def framed(message):
    return len(message).to_bytes(4, "big") + message


# --- events


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("counters")) as running:
        yield running


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_buffer_drops_is_what_its_listener_is_told_that_it_lost(server, policy):
    topic = f"drop.{policy}"
    with contextlib.closing(Program(server.port)) as slow, contextlib.closing(Program(server.port)) as writer:
        slow.listen(topic, _radiod_buffer={"min_interval": 0.1, "size": 3, "policy": policy})
        names = {"events_dropped": {"policy": policy}, "channel_dropped": {"channel": topic}}
        before = {name: now(server, f"radiod_{name}_total", **labels) for name, labels in names.items()}
        delivered = now(server, "radiod_events_delivered_total")
        # Nobody waits for them, so that nobody is refused.
        writer.send(topic, *range(20))
        writer.call("radiod.echo")
        heard = [slow.event()]
        while now(server, "radiod_buffered_events"):
            time.sleep(0.05)
        # What was lost at the end is told with the next one.
        writer.publish(topic, "last")
        while heard[-1].data != "last":
            heard.append(slow.event())
        lost = sum(event.details.get("_lost", 0) for event in heard)
        assert lost == 21 - len(heard) > 0
        for name, labels in names.items():
            assert now(server, f"radiod_{name}_total", **labels) - before[name] == lost, name
        assert now(server, "radiod_events_delivered_total") - delivered == len(heard)


def test_an_event_that_is_too_long_for_a_listener(server):
    with contextlib.ExitStack() as opened:
        peer = rawsocket(server, opened, size=0)
        peer.sendall(framed(b'[1,"radio",{"roles":{"subscriber":{}}}]'))
        # WELCOME is longer than it takes, and comes without its extras.
        peer.recv(4096)
        peer.sendall(framed(b'[32,1,{},"too.long"]'))
        assert b"[33," in peer.recv(4096)
        writer = opened.enter_context(contextlib.closing(Program(server.port)))
        with (
            counted(server, "radiod_events_dropped_total", 3, policy="undeliverable"),
            counted(server, "radiod_events_delivered_total", 1),
        ):
            for _ in range(3):
                writer.publish("too.long", "x" * 600)
            writer.publish("too.long", "x")
        assert b'"_lost":3' in peer.recv(4096)


def test_an_event_that_its_history_drops_before_a_listener_has_read_it(tmp_path):
    more = "[realms.radio.channels.past]\nhistory = { size = 300 }"
    with serving(tmp_path, more, max_message_bytes=1 << 20) as server, contextlib.ExitStack() as opened:
        writer = opened.enter_context(contextlib.closing(Program(server.port)))
        text = "x" * 50_000
        writer.publish("past", 0)
        first = httpx.get(f"{server.url}/listen/past?last=1").json()[0]["position"]
        for number in range(1, 301):
            writer.publish("past", number, text)
        late = opened.enter_context(contextlib.closing(Program(server.port, receive_buffer=4096)))
        before = now(server, "radiod_events_dropped_total", policy="overtaken")
        request = late._request(32, {"_radiod_after": first}, "past")
        # It does not read, and what it wants next goes.
        for number in range(301, 601):
            writer.publish("past", number, text)
        late.answer(request)
        heard = lost = 0
        while heard + lost < 600:
            event = late.event()
            heard += 1
            lost += event.details.get("_lost", 0)
        assert now(server, "radiod_events_dropped_total", policy="overtaken") - before == lost > 0


# --- refused


def test_connections_above_the_limits(tmp_path):
    with (
        serving(tmp_path, max_connections=8, max_connections_per_address=4) as server,
        contextlib.ExitStack() as opened,
        httpx.Client() as client,
    ):

        def told(reason):
            text = client.get(f"{server.url}/metrics", headers=WATCHER).text
            return int(re.search(rf'refused_total{{reason="{reason}"}} (\d+)', text)[1])

        assert (told("connections"), told("connections_per_address")) == (0, 0)
        for _ in range(3):
            opened.enter_context(connected(server))
        for _ in range(5):
            with connected(server) as peer:
                has_ended(peer)
        assert (told("connections"), told("connections_per_address")) == (0, 5)
        for number in range(4):
            opened.enter_context(connected(server, source=f"127.0.0.{2 + number}"))
        for _ in range(6):
            with connected(server, source="127.0.0.9") as peer:
                has_ended(peer)
        assert (told("connections"), told("connections_per_address")) == (6, 5)


def test_polls_and_transports_above_the_limits(tmp_path):
    # A tenth of the connections may be polls.
    with serving(tmp_path, max_connections=20) as server, contextlib.ExitStack() as opened:
        statuses = [
            httpx.post(f"{server.url}/lp/open", json={"protocols": ["wamp.2.json"]}).status_code
            for _ in range(5)
        ]
        told = now(server, "radiod_connections_refused_total", reason="transports")
        assert told == statuses.count(429) == 5 - statuses.count(200) > 0
        peers = [opened.enter_context(connected(server)) for _ in range(5)]
        for peer in peers:
            peer.sendall(b"GET /listen/any?wait=25 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # The first waits, and has not been answered when the last has.
        answers = [peer.recv(4096) for peer in peers[2:]]
        waiting = [peer for peer in peers[:2] if not select.select([peer], [], [], 0)[0]]
        assert all(b" 429 " in answer for answer in answers)
        assert waiting
        assert now(server, "radiod_connections_refused_total", reason="polls") == 5 - len(waiting)


def test_logins_that_wait_for_somebody_who_does_not_answer(tmp_path):
    more = (
        "[realms.radio.dynamic]\nmethods = ['ticket']\nprocedure = 'who.is'\ntimeout_s = 60\n"
        "[realms.radio.roles.asked]\nauthorizer = 'may.they'\nauthorizer_timeout_s = 60\n"
        "[realms.radio.users.guest]\nrole = 'asked'\nticket = 'guest-ticket'\n"
    )
    with serving(tmp_path, more, max_pending_calls=2) as server, contextlib.ExitStack() as opened:
        helper = opened.enter_context(contextlib.closing(Program(server.port)))
        helper.register("who.is")
        helper.register("may.they")
        guests = [
            opened.enter_context(
                contextlib.closing(
                    Program(server.port, authid="guest", ticket="guest-ticket", authmethods=["ticket"])
                )
            )
            for _ in range(5)
        ]
        for guest in guests:
            guest.begin_publish("town", 1)
        wait_for_all(
            server, helper, [guest._socket for guest in guests], "authorizations", b"radiod.error.quota"
        )
        peers = [rawsocket(server, opened) for _ in range(5)]
        for number, peer in enumerate(peers):
            hello = b'[1,"radio",{"roles":{"caller":{}},"authid":"u%d","authmethods":["ticket"]}]' % number
            peer.sendall(framed(hello))
            if b"[4," in peer.recv(4096):
                peer.sendall(framed(b'[5,"ticket",{}]'))
        wait_for_all(server, helper, peers, "logins", b"[3,")
        told = now(server, "radiod_connections_refused_total", reason="logins")
        assert now(server, "radiod_logins_total", outcome="refused") == told


def wait_for_all(server, helper, peers, reason, refusal):
    """Until each peer was refused, or the helper was asked for it; as many were counted as were told so."""
    before, left = len(helper._asked), list(peers)
    end = time.monotonic() + SECONDS
    while True:
        for peer in select.select(left, [], [], 0.05)[0]:
            answer = peer.recv(4096)
            # Nothing: it was told with the first answer, and the connection closed.
            assert not answer or refusal in answer
            left.remove(peer)
        helper.call("radiod.echo")
        counted = now(server, "radiod_connections_refused_total", reason=reason)
        if 0 < counted == len(peers) - len(left) and len(helper._asked) - before == len(left):
            return
        assert time.monotonic() < end, (counted, len(left), len(helper._asked) - before)


def test_guessers_that_wait_in_line(tmp_path):
    with serving(tmp_path, max_connections_per_address=1000) as server, contextlib.ExitStack() as opened:
        statuses = []
        with counted(server, "radiod_connections_refused_total", 0, reason="connections"):
            peers = [opened.enter_context(connected(server)) for _ in range(400)]
            before = {name: now(server, "radiod_connections_refused_total", reason=name) for name in REFUSALS}
            head = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: wrong\r\nContent-Length: 2\r\n\r\n"
            for peer in peers:
                peer.sendall(head + b"{}")
            end = time.monotonic() + SECONDS
            while len(statuses) < 200 and time.monotonic() < end:
                for peer in list(peers):
                    peer.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        statuses.append(int(peer.recv(4096).split()[1]))
                        peers.remove(peer)
        found = scrape(server, **WATCHER).by("radiod_connections_refused_total", "reason")
        too_many = statuses.count(429) + statuses.count(503)
        assert too_many > 0
        assert found["waiting_keys"] - before["waiting_keys"] == too_many
        assert found["wrong_keys"] - before["wrong_keys"] >= statuses.count(400)


def radioctl(server, *words):
    file = server.log.parent / f"radiod-{server.port}.toml"
    command = [sys.executable, "-m", "radiod.ctl", "--config", str(file), *words]
    nursery.run(command, cwd=ROOT, env=environment(), timeout=SECONDS, check=True)


def test_whoever_is_sent_away_and_who_comes_meanwhile(tmp_path):
    with serving(tmp_path) as server, contextlib.closing(Program(server.port)) as listener:
        listener.listen("town")
        assert now(server, "radiod_draining") == 0
        with counted(server, "radiod_sent_away_total", 1):
            radioctl(server, "drain", "--over", "0")
        assert now(server, "radiod_draining") == 1
        with refused(server, "draining", 2):
            for _ in range(2):
                answer = httpx.get(f"{server.url}/listen/town", headers={"Accept": "text/event-stream"})
                assert answer.status_code == 503
        radioctl(server, "drain", "--cancel")
        assert now(server, "radiod_draining") == 0


# --- cut


def test_whoever_does_not_read_its_answers(tmp_path):
    with serving(tmp_path, max_backlog_bytes=65536) as server, contextlib.ExitStack() as opened:
        for _ in range(2):
            with cut(server, "backlog", 1):
                program = opened.enter_context(contextlib.closing(Program(server.port, receive_buffer=4096)))
                with contextlib.suppress(OSError, Failed):
                    while True:
                        program._socket.settimeout(0.5)
                        program.begin_call("radiod.echo", "x" * 50_000)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    limits = {
        "ping_interval_s": 0.3,
        "ping_timeout_s": 0.3,
        "http_timeout_s": 0.5,
        "max_unauthenticated_seconds": 1.5,
        "message_timeout_s": 0.5,
        "max_unfinished_bytes": 200_000,
    }
    with serving(tmp_path_factory.mktemp("impatient"), **limits) as running:
        yield running


def joined(server, opened):
    """A WebSocket with a session, that answers no ping."""
    peer = opened.enter_context(connected(server))
    peer.sendall(UPGRADE)
    assert b" 101 " in peer.recv(4096)
    message = b'[1,"radio",{"roles":{"publisher":{}}}]'
    peer.sendall(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message)
    return peer


def test_whoever_gives_no_sign_of_life(impatient):
    with cut(impatient, "silent", 3), contextlib.ExitStack() as opened:
        for peer in [joined(impatient, opened) for _ in range(3)]:
            has_ended(peer)


def test_whoever_does_not_finish_a_request(impatient):
    with cut(impatient, "request_timeout", 2), contextlib.ExitStack() as opened:
        for start in (b"", b"GET /healthz HTTP/1.1\r\nHo"):
            peer = opened.enter_context(connected(impatient))
            peer.sendall(start)
            has_ended(peer)


def test_whoever_does_not_finish_a_message(impatient):
    with cut(impatient, "slow_messages", 2), contextlib.ExitStack() as opened:
        for _ in range(2):
            peer = rawsocket(impatient, opened)
            peer.sendall(
                framed(b'[1,"radio",{"roles":{"publisher":{}}}]') + (1000).to_bytes(4, "big") + b"[16"
            )
            has_ended(peer)


def test_whoever_has_the_most_of_what_nobody_finishes(impatient):
    with cut(impatient, "unfinished_bytes", 1), contextlib.ExitStack() as opened:
        peers = [rawsocket(impatient, opened) for _ in range(2)]
        for peer in peers:
            peer.sendall(framed(b'[1,"radio",{"roles":{"publisher":{}}}]'))
            peer.recv(4096)
        peers[0].sendall((1 << 20).to_bytes(4, "big") + b"x" * 60_000)
        peers[1].sendall((1 << 20).to_bytes(4, "big") + b"x" * 190_000)
        has_ended(peers[1])


# --- all of them


def test_a_restart_begins_at_nothing_and_says_since_when(tmp_path):
    told = []
    for _ in range(2):
        with serving(tmp_path) as server, contextlib.closing(Program(server.port)) as program:
            program.publish("town", 1)
            found = scrape(server, **WATCHER)
            told.append(found.value("process_start_time_seconds"))
            assert found.value("radiod_events_published_total") == 1
            assert found.value("radiod_connections_total", transport="websocket") == 1
    assert told[0] < told[1]


def test_connections_that_no_other_test_has(server):
    for transport, kind in (("http", "requests"), ("rawsocket", "admin")):
        labels = {"transport": transport, "kind": kind}
        before = now(server, "radiod_connections_total", **labels)
        asked = 0
        if kind == "admin":
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(server.log.with_name(f"radiod-admin-{server.port}.sock")))
                peer.sendall(bytes([0x7F, 0xF1, 0, 0]))
                assert peer.recv(4)[:1] == b"\x7f"
                assert now(server, "radiod_connections", **labels) == 1
        else:
            for _ in range(5):
                assert httpx.get(f"{server.url}/healthz").status_code == 200
            # This one scrapes.
            asked = 6
        assert now(server, "radiod_connections_total", **labels) - before == (asked or 1)


def test_what_nodes_do_not_hear_of_each_other_is_counted(tmp_path):
    with (
        Servers(tmp_path / "nats") as nats,
        nodes(tmp_path, nats.urls, 2, configuration(KEYS), "dead_after_s = 60\n") as (one, other),
    ):
        (server,) = nats.all
        assert now(one.server, "radiod_cluster_connected", what="control") == 1
        assert now(other.server, "radiod_cluster_lost_total") == 0
        # It takes what the node asks the other, and does not live to hand it on.
        server.pause()
        with contextlib.closing(RawClient(one.server.port)) as caller:
            caller.say([48, None, {}, "wamp.session.count"])
            # By now that has left.
            assert httpx.get(f"{one.server.url}/healthz").status_code == 200
            server.kill()
            wait_until(lambda: not now(one.server, "radiod_cluster_connected"), "the node has noticed")
            dropped = now(one.server, "radiod_cluster_dropped_total")
            for number in range(5):
                caller.say([16, None, {}, "numbers", [number]])
            wait_until(
                lambda: now(one.server, "radiod_cluster_dropped_total") >= dropped + 5, "events were dropped"
            )
            nats.start()
            wait_until(lambda: now(other.server, "radiod_cluster_lost_total") == 1, "the question is missed")
            # Somebody else has the same NATS server.
            with socket.create_connection(("127.0.0.1", server.port)) as stranger:
                stranger.sendall(b"CONNECT {}\r\nPUB radiod.radiod.nodes 1\r\n?\r\n")
                wait_until(
                    lambda: now(other.server, "radiod_cluster_malformed_total") == 1, "nobody writes that"
                )
            assert now(other.server, "radiod_cluster_overflowed_total") == 0


def test_every_counter_and_every_reason_has_a_test():
    """By name: that they are right is what those tests show."""
    text = "".join(
        (HERE / f"test_{name}.py").read_text() for name in ("counters", "metrics", "watching", "tracing")
    )
    missing = [name for name, kind, _, _ in FAMILIES if kind == COUNTER and name not in text]
    # Each policy is one of a parametrised test.
    values = {*REFUSALS, *CUTS, "backlog", "undeliverable", "overtaken"}
    named = {f'"{transport}", "{kind}"' for transport, kind in KINDS}
    missing += [value for value in values if f'"{value}"' not in text]
    missing += [pair for pair in named if f"({pair})" not in text]
    assert missing == []
