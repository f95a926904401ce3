"""Limits of plans over HTTP: 429 in each dialect, when to try again, and what is left."""

import json
import re

import pytest
from support import http
from support.http import Answer, dechunked

from radiod.core.allowances import Allowances
from radiod.core.plans import Plan

CONFIG = """
[realms.radio.keys.sample]
publish = ["sample_net", "kept"]
listen = ["*"]
call = ["*"]

[realms.radio.channels.kept]
history = { size = 3 }
"""
GOOD = {"network": "sample_net", "data": {"speed": 1}}
BRIDGE = {"topic": "sample_net", "args": [1]}
OVER_RATE = {"error": "rate limit exceeded", "reason": "rate_limited"}
KEY = "API-KEY: sample-key"


@pytest.fixture
def world(world):
    return world.start(CONFIG)


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "sample_net"])
    return wire


class Noon:
    """The clock of a radiod, on whose wall it is noon of 27 November 2026 for ever."""

    def __init__(self, world):
        self.seconds = world.radio.clock.seconds

    def time(self):
        return 1_795_780_800.0


def plan(world, **limits):
    """Give the key's account a plan. Returns: its allowances."""
    account = world.radio.keys.by_id("sample").holder.account
    account.allowances = Allowances(Plan(**limits), Noon(world))
    return account.allowances


def post(world, body, *lines, path="/publish"):
    return Answer(world.ask(http.post(path, body, KEY, *lines)).received())


def told(answer, name):
    """Items of a structured field: name -> parameters (RFC 9651, lists of strings with integers)."""
    items = {}
    for item in answer.headers[name].split(", "):
        quoted, *parameters = item.split(";")
        assert re.fullmatch(r'"[a-z_]+"', quoted)
        items[quoted.strip('"')] = {key: int(value) for key, value in (one.split("=") for one in parameters)}
    return items


class TestPublishing:
    def test_above_the_rate_it_is_refused_and_said_when_to_try_again(self, world, listener):
        plan(world, publish_rate=0.5, publish_burst=2)
        answers = [post(world, GOOD) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        refused = answers[2]
        assert refused.json == OVER_RATE
        assert refused.headers["Retry-After"] == "2"
        assert len(listener.heard()) == 2
        world.wait(2)
        assert post(world, GOOD).status == 200

    def test_every_answer_says_what_is_allowed_and_what_is_left(self, world):
        plan(world, publish_rate=2, publish_burst=5, publish_day=100, publish_month=1000)
        answers = [post(world, GOOD) for _ in range(6)]
        assert [told(answer, "RateLimit")["publish_rate"] for answer in answers] == [
            {"r": left, "t": 1} for left in (4, 3, 2, 1, 0, 0)
        ]
        for answer in answers:
            policy = told(answer, "RateLimit-Policy")
            assert policy["publish_rate"] == {"q": 5, "w": 3}
            assert policy["publish_day"] == {"q": 100, "w": 86_400}
            assert policy["publish_month"] == {"q": 1000, "w": 30 * 86_400}
        left = told(answers[-1], "RateLimit")
        assert left["publish_day"] == {"r": 95, "t": 43_200}
        assert left["publish_month"] == {"r": 995, "t": 86_400}
        assert int(answers[-1].headers["Retry-After"]) >= left["publish_rate"]["t"]

    def test_whoever_has_no_plan_is_told_nothing(self, world):
        assert "RateLimit" not in post(world, GOOD).headers
        plan(world, connections=3)
        assert "RateLimit" not in post(world, GOOD).headers

    @pytest.mark.parametrize("limit", ["publish_day", "publish_month"])
    def test_a_quota_that_is_used_up_is_named(self, world, limit):
        plan(world, **{limit: 1})
        assert post(world, GOOD).status == 200
        refused = post(world, GOOD)
        assert (refused.status, refused.json) == (
            429,
            {"error": "quota exceeded", "reason": "quota", "limit": limit},
        )
        assert refused.headers["Retry-After"] == ("43200" if limit == "publish_day" else "86400")

    def test_the_bridge_tells_it_in_its_own_form(self, world):
        plan(world, publish_rate=1)
        assert post(world, BRIDGE).status == 200
        refused = post(world, BRIDGE)
        assert refused.status == 429
        assert refused.json == {
            "error": "radiod.error.rate_limited",
            "args": ["rate limit exceeded: publish_rate"],
            "kwargs": {},
        }
        assert refused.headers["Retry-After"] == "1"
        assert told(refused, "RateLimit")["publish_rate"]["r"] == 0

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"nonsense", 400),
            ({"network": "secret_net", "data": {}}, 403),
            ({"network": "sample_net"}, 400),
            ({"topic": "sample_net", "args": 3}, 400),
            ({"topic": "x y"}, 200),
        ],
    )
    def test_what_is_refused_for_anything_else_uses_nothing_up(self, world, body, status):
        used = plan(world, publish_rate=1)
        for _ in range(3):
            assert post(world, body).status == status
        assert used.publish_day.used == 0
        assert post(world, GOOD).status == 200

    def test_a_repeated_request_uses_nothing_up_and_is_told_what_is_left_now(self, world):
        used = plan(world, publish_rate=1, publish_burst=2)
        answers = [post(world, GOOD, "Idempotency-Key: k") for _ in range(3)]
        assert [answer.status for answer in answers] == [200] * 3
        assert used.publish_day.used == 1
        assert post(world, GOOD).status == 200
        assert told(post(world, GOOD, "Idempotency-Key: k"), "RateLimit")["publish_rate"]["r"] == 0

    def test_a_refusal_is_not_kept(self, world):
        plan(world, publish_rate=1)
        assert post(world, GOOD).status == 200
        assert post(world, GOOD, "Idempotency-Key: k").status == 429
        world.wait(1)
        again = post(world, GOOD, "Idempotency-Key: k")
        assert (again.status, "Idempotency-Replayed" in again.headers) == (200, False)

    @pytest.mark.parametrize("dialect", [GOOD, BRIDGE], ids=["article", "bridge"])
    def test_items_of_a_batch_are_refused_one_by_one(self, world, listener, dialect):
        plan(world, publish_rate=1, publish_burst=3)
        answer = post(world, [dialect] * 2 + [{"network": "secret_net"}] + [dialect] * 3)
        assert answer.status == 200
        assert [one["status"] for one in answer.json] == [200, 200, 403, 200, 429, 429]
        if dialect is GOOD:
            assert answer.json[-1] == {"status": 429, **OVER_RATE}
        else:
            assert answer.json[-1]["error"] == "radiod.error.rate_limited"
        assert len(listener.heard()) == 3
        assert told(answer, "RateLimit")["publish_rate"]["r"] == 0

    def test_lines_of_an_upload_are_refused_one_by_one(self, world, listener):
        plan(world, publish_rate=1, publish_burst=3)
        lines = json.dumps(GOOD).encode() + b"\n"
        wire = world.ask(
            b"POST /publish HTTP/1.1\r\nHost: x\r\nAPI-KEY: sample-key\r\n"
            b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        head, results = b"", []
        for _ in range(5):
            wire.send(b"%x\r\n%b\r\n" % (len(lines), lines))
            data = wire.received()
            if not head:
                head, _, data = data.partition(b"\r\n\r\n")
            results += [json.loads(line)["status"] for line in dechunked(data).splitlines()]
        assert results == [200, 200, 200, 429, 429]
        assert b'\r\nRateLimit-Policy: "publish_rate";q=3;w=3\r\n' in head
        assert b'\r\nRateLimit: "publish_rate";r=2;t=1\r\n' in head
        assert len(listener.heard()) == 3

    def test_centrifugo_has_a_code_for_it(self, world):
        plan(world, publish_rate=1)
        bodies = [
            Answer(
                world.ask(
                    http.post("/api/publish", {"channel": "kept", "data": {}}, "X-API-Key: sample-key")
                ).received()
            )
            for _ in range(2)
        ]
        assert [body.status for body in bodies] == [200, 200]
        assert bodies[0].json["result"]["offset"] == 1
        assert bodies[1].json["error"]["code"] == 111

    def test_centrifugo_broadcasts_as_far_as_it_goes(self, world):
        plan(world, publish_rate=1, publish_burst=2)
        body = {"channels": ["kept", "sample_net", "kept"], "data": {}}
        answer = Answer(world.ask(http.post("/api/broadcast", body, "X-API-Key: sample-key")).received())
        responses = answer.json["result"]["responses"]
        assert ["result" in one for one in responses] == [True, True, False]
        assert responses[2]["error"]["code"] == 111

    def test_pages_of_other_sites_may_read_it(self, world):
        plan(world, publish_rate=1)
        exposed = post(world, GOOD, "Origin: http://localhost").headers.get("Access-Control-Expose-Headers")
        assert exposed is None or {"RateLimit", "RateLimit-Policy"} <= set(exposed.split(", "))


class TestCalling:
    @pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson", "text/event-stream"])
    def test_above_the_rate_it_is_refused(self, world, accept):
        plan(world, call_rate=0.1, call_burst=1)
        body = {"procedure": "radiod.echo", "args": [1]}
        first = world.ask(http.post("/call", body, KEY, f"Accept: {accept}")).received()
        assert first.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'\r\nRateLimit: "call_rate";r=0;t=10\r\n' in first
        refused = post(world, body, f"Accept: {accept}", path="/call")
        assert refused.status == 429
        assert refused.json == {
            "error": "radiod.error.rate_limited",
            "args": ["rate limit exceeded: call_rate"],
            "kwargs": {},
        }
        assert refused.headers["Retry-After"] == "10"
        assert told(refused, "RateLimit-Policy") == {"call_rate": {"q": 1, "w": 10}}

    @pytest.mark.parametrize("procedure", ["nobodys", "radiod.nobodys", "x y"])
    def test_what_nobody_answers_uses_nothing_up(self, world, procedure):
        plan(world, call_rate=1)
        for _ in range(3):
            assert post(world, {"procedure": procedure}, path="/call").json["error"].startswith("wamp.error.")
        assert post(world, {"procedure": "radiod.echo", "args": [1]}, path="/call").json == {"args": [1]}

    def test_publishing_and_calling_have_a_bucket_each(self, world):
        plan(world, call_rate=1, publish_rate=1)
        assert post(world, GOOD).status == 200
        assert post(world, {"procedure": "radiod.echo", "args": [1]}, path="/call").status == 200
        assert post(world, GOOD).status == 429


class TestWiring:
    """Plans of the configuration, and those made while it runs, on accounts of both."""

    CONFIG = """
[plans.basic]
publish_rate = 0.001
publish_burst = 2

[accounts.acme]
plan = "basic"

[realms.radio]
anonymous = "all"

[realms.radio.roles.all]
subscribe = ["*"]
publish = ["*"]
call = ["*", "radiod.admin.*"]

[realms.radio.keys.sample]
key = "sample-key"
account = "acme"
publish = ["*"]

[realms.radio.keys.second]
key = "second-key"
account = "acme"
publish = ["*"]

[realms.radio.keys.other]
key = "other-key"
publish = ["*"]
"""

    @pytest.fixture
    def world(self, world):
        return world.start(self.CONFIG, base="")

    def publish(self, world, key):
        return Answer(world.ask(http.post("/publish", {"topic": "a"}, f"API-KEY: {key}")).received()).status

    def test_a_configured_plan_holds_for_all_keys_of_its_account(self, world):
        keys = ["sample-key", "second-key", "sample-key", "second-key", "other-key"]
        assert [self.publish(world, key) for key in keys] == [200, 200, 429, 429, 200]

    def test_a_plan_made_at_run_time_acts_at_once(self, world):
        admin = world.join()

        def call(procedure, *args, **kwargs):
            answer = admin.ask([48, None, {}, f"radiod.admin.{procedure}", list(args), kwargs])
            return answer[4] if answer[0] == 8 else answer[3][0]

        assert call("account.set", "other", plan="small") == "radiod.error.no_such_plan"
        assert call("plan.set", "small", publish_day=1)["limits"] == {"publish_day": 1}
        assert call("account.set", "other", plan="small")["plan"] == "small"
        assert [self.publish(world, "other-key") for _ in range(2)] == [200, 429]
        call("plan.set", "small", publish_day=3)
        assert [self.publish(world, "other-key") for _ in range(3)] == [200, 200, 429]
        assert call("plan.delete", "small") == "wamp.error.invalid_argument"
        assert call("account.set", "other")["plan"] is None
        assert self.publish(world, "other-key") == 200
        assert call("plan.delete", "small") == {"name": "small"}
        assert [one["name"] for one in call("plan.list")["plans"]] == ["basic"]

    def test_the_plan_of_anonymous_is_that_of_everybody_who_says_nothing(self, world):
        world.start(self.CONFIG.replace("[accounts.acme]", "[accounts.anonymous]"), base="")
        first, second = world.join(), world.join()
        answers = [wire.ask([16, None, {"acknowledge": True}, "a"])[0] for wire in (first, second, first)]
        assert answers == [17, 17, 8]

    def test_a_configured_account_whose_plan_nobody_knows_has_nothing(self, world):
        world.start(self.CONFIG.replace('plan = "basic"', 'plan = "basics"'), base="")
        assert self.publish(world, "sample-key") == 429
        assert world.radio.access.plans.missing()


class TestUsedUp:
    """What waits, and was given nothing, ends too when its account has used up a quota."""

    def use_up(self, world, **limits):
        allowances = plan(world, deliver_day=1, **limits)
        stream = world.ask(http.get("/listen/sample_net", KEY, "Accept: application/x-ndjson"))
        return allowances, stream

    def settle(self, world):
        assert post(world, GOOD).status == 200
        world.wait(0)
        world.radio.usage.ledger.settle()
        world.radio.usage.limits.settled()
        world.wait(0)

    @pytest.mark.parametrize("path", ["/listen/other_net", "/listen?channel=other_net&channel=kept"])
    def test_a_poll_that_waits_is_told_when_to_come_back(self, world, path):
        poll = world.ask(http.get(path, KEY))
        _, stream = self.use_up(world)
        self.settle(world)
        told = Answer(poll.received())
        quota = {"error": "quota exceeded", "reason": "quota", "limit": "deliver_day"}
        assert (told.status, told.json, told.headers["Retry-After"]) == (429, quota, "43200")
        again = Answer(world.ask(http.get(path, KEY)).received())
        assert (again.status, again.json, again.headers["Retry-After"]) == (429, quota, "43200")
        assert stream.received().endswith(b'{"end": "quota"}\n\n\r\n0\r\n\r\n')
        assert world.radio.channel_polls.waiting == 0
        assert world.radio.keys.by_id("sample").holder.account.connections == 0

    def test_a_poll_that_waits_is_left_where_the_plan_thins(self, world):
        poll = world.ask(http.get("/listen/other_net", KEY))
        self.use_up(world, over="thin")
        self.settle(world)
        assert poll.received() == b""

    def test_a_session_over_long_poll_is_told_by_the_receive_that_waits(self, world):
        session = world.radio.polls.open(["wamp.2.json"], "tcp:127.0.0.1:1")
        told = []

        def say(*message):
            session.receive(told.append)
            session.send(json.dumps(message).encode(), lambda wrong: None)
            world.wait(0)
            return json.loads(told.pop())

        hello = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": "sample"}
        assert say(1, "radio", hello)[0] == 4
        assert say(5, "sample-key", {})[0] == 2
        assert say(32, 1, {}, "other_net")[0] == 33
        session.receive(told.append)
        self.use_up(world)
        self.settle(world)
        assert json.loads(told.pop())[::2] == [6, "radiod.close.quota"]
        assert world.radio.keys.by_id("sample").holder.account.connections == 0
