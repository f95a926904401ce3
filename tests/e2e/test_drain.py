"""Draining a real server: by ``radioctl drain``, and before it stops; whoever does not read or answer."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import ssl
import sys
import time

import httpx
import pytest
from support import nursery
from support.crowds import KINDS, Crowd, allow_files
from support.running import ROOT, environment
from support.tls import certificate

pytestmark = pytest.mark.e2e

MANY = {"max_connections_per_address": 10_000, "ping_interval_s": 3600}
"""The listeners answer no pings, and to open them takes long on a busy machine."""
PUBLISHED = {"network": "other_net", "data": {"x": 1}}
STOP_S = 5.0
"""A server that stops is gone so much later than it was given time to drain."""


def sizes(few, over, many=3000, long=30):
    """How many, over how many seconds."""
    return pytest.mark.parametrize(
        ("count", "over"),
        [(few, over), pytest.param(many, long, marks=pytest.mark.soak)],
        ids=["few", "many"],
    )


def config(drain_s=0.0):
    return f"[operations]\ndrain_s = {drain_s}\n"


def radioctl(server, *words):
    """What a command tells, in JSON."""
    file = server.log.parent / f"radiod-{server.port}.toml"
    done = nursery.run(
        [sys.executable, "-m", "radiod.ctl", "--config", str(file), *words, "--json"],
        **{"capture_output": True, "text": True, "timeout": 60, "cwd": ROOT, "env": environment()},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listeners(server):
    return httpx.get(f"{server.url}/channels/sample_net").json()["readers"]


def wait_for_all(server, count):
    """Until all are in: nothing tells those who poll."""
    end = time.monotonic() + 20
    while listeners(server) != count:
        assert time.monotonic() < end, (listeners(server), server.log.read_text()[-1500:])
        time.sleep(0.02)


def assert_even(crowd, began, over, count):
    tenths = crowd.tenths(began, over)
    print("ended in each tenth of the time:", tenths)
    if count >= 1000:
        assert all(0.07 * count <= one <= 0.13 * count for one in tenths)
    else:
        # The machine is shared: that they do not end together is what few can show.
        assert sum(1 for one in tenths if one) >= 5


def assert_told(crowd):
    """Each kind by its own words, and each another time."""
    for name in set(KINDS) - {"rawsocket"}:
        waits = [one.wait for one in crowd if one.name == name]
        assert all(wait is not None and 1 <= wait <= 10 for wait in waits), (name, waits)
        assert len(set(waits)) >= 2, (name, waits)


@sizes(70, 2)
def test_radioctl_sends_everybody_away_and_lets_nobody_in(world, count, over):
    allow_files(count + 200)
    server = world.serve(config(), **MANY)
    seen = {}

    def look():
        if not seen:
            for path in ("/readyz", "/healthz", "/listen/sample_net"):
                seen[path] = httpx.get(f"{server.url}{path}", headers={"Accept": "text/event-stream"})
            key = {"API-KEY": "sample-key"}
            seen["publish"] = httpx.post(f"{server.url}/publish", json=PUBLISHED, headers=key)

    with Crowd(server.port, count) as crowd:
        wait_for_all(server, count)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            told = threads.submit(radioctl, server, "drain", "--over", str(over))
            crowd.watch(over + 30, lambda: told.done() and look())
        assert told.result() == {"listeners": count, "over": over}
        # With the first: nobody knows when radioctl was heard.
        assert_even(crowd, min(one.ended for one in crowd), over, count)
        assert_told(crowd)
    statuses = {path: answer.status_code for path, answer in seen.items()}
    assert statuses == {"/readyz": 503, "/healthz": 200, "/listen/sample_net": 503, "publish": 200}
    assert all(int(seen[path].headers["Retry-After"]) > 0 for path in ("/readyz", "/listen/sample_net"))
    assert httpx.get(f"{server.url}/readyz").status_code == 503
    assert radioctl(server, "drain", "--cancel") == {"was_draining": True}
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    assert server.stop() == 0


@sizes(70, 2)
def test_a_stop_sends_everybody_away_before(world, count, over):
    allow_files(count + 200)
    server = world.serve(config(over), **MANY)
    with Crowd(server.port, count) as crowd:
        wait_for_all(server, count)
        began = time.monotonic()
        server.process.terminate()
        crowd.watch(over + 20)
        assert_even(crowd, began, over, count)
        assert_told(crowd)
        server.process.wait(20)
        print(f"gone after {time.monotonic() - began:.2f} s")
        assert server.ended() == 0
        assert time.monotonic() - began <= over + STOP_S


def test_a_second_signal_ends_the_wait(world):
    server = world.serve(config(600), **MANY)
    with Crowd(server.port, 20) as crowd:
        wait_for_all(server, 20)
        server.process.terminate()
        while httpx.get(f"{server.url}/readyz").status_code != 503:
            time.sleep(0.02)
        then = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        crowd.watch(10)
        assert server.process.wait(10) in (-signal.SIGTERM, 128 + signal.SIGTERM)
        assert time.monotonic() - then <= STOP_S


@pytest.mark.parametrize(
    ("count", "slow", "over", "spare"),
    [(7, 20, 1.0, 5.0), pytest.param(70, 1000, 5.0, 0.0, marks=pytest.mark.soak)],
    ids=["few", "many"],
)
def test_nobody_who_does_not_read_or_answer_keeps_a_server_that_stops(
    world, tmp_path, count, slow, over, spare
):
    """Stuck readers, silent strangers, sessions that answer nothing, TLS clients that never close."""
    allow_files(count + slow + 400)
    pem = certificate(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        tls = probe.getsockname()[1]
    listen = (
        '[[listen]]\nendpoint = "tcp:8080:interface=127.0.0.1"\n'
        f'[[listen]]\nendpoint = "ssl:{tls}:interface=127.0.0.1:privateKey={pem}"\n'
    )
    server = world.serve(listen + config(over), **MANY)
    context = ssl.create_default_context(cafile=str(pem))
    context.check_hostname = False
    with contextlib.ExitStack() as stack:
        stuck = "websocket", "plain", "rawsocket", "sse", "lines", "polite"
        stack.enter_context(Crowd(server.port, count, stuck, buffer=2048))
        stack.enter_context(Crowd(tls, slow, ("sse", "websocket"), context=context))
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            stack.enter_context(socket.create_connection(("127.0.0.1", tls)))
        wait_for_all(server, count + slow)
        with httpx.Client() as client:
            for _ in range(40):
                # More than their buffers, and the kernel's, hold.
                body = {"network": "sample_net", "data": {"x": "x" * 60_000}}
                client.post(f"{server.url}/publish", json=body, headers={"API-KEY": "sample-key"})
        began = time.monotonic()
        server.process.terminate()
        server.process.wait(over + 60)
        took = time.monotonic() - began
        print(f"gone after {took:.2f} s")
        assert server.ended() == 0
        # The few are in every run, beside others.
        assert took <= over + STOP_S + spare
