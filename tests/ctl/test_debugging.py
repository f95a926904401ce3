"""``radioctl metrics``, ``debug`` and ``top``: what an operator sees of a server at the terminal."""

import json
import threading

import pytest
from support.admin_server import Refuse

FIGURES = {
    "uptime": 7.2,
    "sessions": 3,
    "channels": 2,
    "published_per_s": 12.25,
    "delivered_per_s": 100,
    "bytes_out_per_s": 2500,
    "dropped": {"ring": 4, "skip": 1},
    "queued": 9,
    "loop_lag": {"max": 0.0123, "mean": 0.001},
    "counters": {"port": {"connections": 5}},
}
SLOW = {
    "session": 7,
    "authid": "slow\x1b[31m",
    "channel": "weather.island",
    "queued": 73,
    "queued_bytes": 1500,
    "lost": 12,
    "size": 100,
    "max_bytes": 1 << 20,
    "policy": "ring",
    "peer": "tcp:192.0.2.7:4000",
}
BUSY = {
    "name": "weather.island",
    "public": True,
    "readers": 1200,
    "published": 4000,
    "published_per_s": 12.25,
    "delivered_per_s": 100.0,
    "dropped_per_s": 0.5,
}
DEBUG = {
    "stacks": ["thread MainThread, 2 calls:", "  loop.py:1 run"],
    "process": {"process_resident_memory_bytes": 52428800.0, "process_cpu_seconds_total": 1.25},
    "gc": {
        "enabled": True,
        "thresholds": [700, 10, 10],
        "counts": [5, 1, 0],
        "generations": [{"collections": number, "collected": 10, "uncollectable": 0} for number in (9, 3, 1)],
        "frozen": 0,
        "uncollectable": 0,
    },
    "objects": {"total": 123456, "types": [["builtins.dict", 40000]]},
    "channels": [{"name": None, "public": False, "bytes": 1500, "events": 3, "readers": 0}],
    "listeners": [SLOW],
}


def refused():
    raise Refuse("wamp.error.not_authorized", "not for you")


class TestTop:
    @pytest.fixture
    def server(self, server):
        server.answers |= {
            "radiod.server.stats": lambda: FIGURES,
            "radiod.admin.channels": lambda limit: {"channels": [BUSY][:limit], "private": 0},
            "radiod.admin.listeners": lambda limit: {"listeners": [SLOW][:limit]},
        }
        return server

    def test_rates_lag_and_who_is_slow(self, run, server):
        lines = run("top").out.splitlines()
        assert lines[0] == "up 7 s   connections 5   sessions 3   channels 2"
        assert lines[1] == (
            "published 12.2/s   delivered 100/s   out 2.5 kB/s   lost 5   queued 9   lag 12.3 ms, mean 1.0 ms"
        )
        assert lines[3].split() == ["channel", "readers", "events", "in/s", "out/s", "lost/s"]
        assert lines[4].split() == ["weather.island", "1,200", "4,000", "12.2", "100", "0.5"]
        assert lines[7].split() == [
            "slow\\u001b[31m",
            "weather.island",
            *("73", "100", "1.5", "kB", "12", "ring", "tcp:192.0.2.7:4000"),
        ]

    def test_as_json(self, run, server):
        told = run("top", "--json", "--count", "1").json
        assert (told["busiest"], told["slowest"]) == ([BUSY], [SLOW])

    def test_nobody_is_slow(self, run, server):
        server.answers["radiod.admin.listeners"] = lambda limit: {"listeners": []}
        assert "slow" not in run("top").out

    def test_what_is_not_wanted_is_not_shown(self, run, server):
        told = run("top", "--json", "--count", "1", "--channels", "0", "--listeners", "0").json
        assert (told["busiest"], told["slowest"]) == ([], [])

    def test_a_private_channel_has_no_name(self, run, server):
        server.answers["radiod.admin.listeners"] = lambda limit: {"listeners": [{**SLOW, "channel": None}]}
        assert "(private)" in run("top").out

    def test_who_may_not_ask_sees_channels_all_the_same(self, run, server):
        one = {"name": "a", "readers": 2, "events": 7}
        server.answers |= {
            "radiod.admin.channels": lambda limit: refused(),
            "radiod.admin.listeners": lambda limit: refused(),
            "radiod.channel.list": lambda limit: {"channels": [dict(one)], "next": None},
        }
        lines = run("top").out.splitlines()
        assert [line.split() for line in lines[3:]] == [
            ["channel", "readers", "events", "new"],
            ["a", "2", "7", "7"],
        ]
        rounds = run("top", "--json", "--count", "2", "--every", "0.2").out.splitlines()
        assert [json.loads(line)["busiest"][0]["recent"] for line in rounds] == [7, 0]


class TestMetrics:
    def test_the_text_as_it_is(self, run, server):
        text = "# HELP a A.\n# TYPE a gauge\na 1\n"
        server.answers["radiod.admin.metrics"] = lambda: {"text": text}
        assert run("metrics") == (0, text, "")
        assert run("metrics", "--json").json == {"text": text}

    def test_who_may_not_ask_is_told_so(self, run, server):
        server.answers["radiod.admin.metrics"] = refused
        done = run("metrics")
        assert (done.status, done.out) == (1, "")
        assert done.err == "radioctl: wamp.error.not_authorized: not for you\n"


class TestDebug:
    def test_everything_that_is_told(self, run, server):
        server.answers["radiod.admin.debug"] = lambda limit: DEBUG
        told = run("debug", "--limit", "3")
        assert told.status == 0
        assert server.calls[-1] == ("radiod.admin.debug", [], {"limit": 3})
        assert [" ".join(line.split()) for line in told.out.splitlines() if line] == [
            "process",
            "process_resident_memory_bytes 52,428,800",
            "process_cpu_seconds_total 1.250",
            "garbage collector on, 0 uncollectable",
            "generation 0: 9 collections, 10 collected, 5 of 700 until the next",
            "generation 1: 3 collections, 10 collected, 1 of 10 until the next",
            "generation 2: 1 collections, 10 collected, 0 of 10 until the next",
            "objects (123,456 in all) count",
            "builtins.dict 40,000",
            "largest channel bytes events readers",
            "(private) 1.5 kB 3 0",
            "slow listener channel queued of bytes lost when full from",
            "slow\\u001b[31m weather.island 73 100 1.5 kB 12 ring tcp:192.0.2.7:4000",
            "thread MainThread, 2 calls:",
            "loop.py:1 run",
        ]
        assert run("debug", "--json").json == DEBUG

    def test_a_server_that_hangs_is_asked_otherwise(self, run, server):
        server_may_go_on = threading.Event()

        def hang(limit):
            server_may_go_on.wait(5)
            return DEBUG

        server.answers["radiod.admin.debug"] = hang
        try:
            done = run("--timeout", "0.3", "debug")
        finally:
            server_may_go_on.set()
        assert done.status == 3
        assert "no answer within 0.3 s; if its loop hangs, kill -USR2" in done.err
