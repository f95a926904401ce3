"""How many connections a plan allows, and that nothing new opens when deliveries are used up."""

import pytest
from support import http
from support.access import KEYS, key_of
from support.http import Answer
from support.memory import upgrade

from radiod.core.allowances import Allowances
from radiod.core.plans import Plan

KEY = "API-KEY: sample-key"
STREAMS = ["Accept: text/event-stream", "Accept: application/x-ndjson"]
PATHS = ["/listen/other_net", "/listen?channel=other_net&channel=a.*"]
USED_UP = ["deliver_day", "deliver_month", "bytes_day", "bytes_month"]


@pytest.fixture
def world(world):
    return world.start(KEYS)


def plan(world, **limits):
    account = key_of(world).holder.account
    account.allowances = Allowances(Plan(**limits), world.radio.clock)
    return account.allowances


def is_open(wire):
    return wire.received().startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 "))


def open_one(world, kind, path=PATHS[0]):
    """One more connection of a kind: what was answered, if it was refused or is a stream."""
    if kind == "websocket":
        return world.ask(upgrade(path, extra=f"{KEY}\r\n"))
    return world.ask(http.get(path, KEY, *([] if kind == "poll" else [kind])))


KINDS = [*STREAMS, "websocket", "poll"]


def refusal(wire):
    """(status, limit, Retry-After) of a connection that was refused."""
    answer = Answer(wire.received())
    told = answer.json
    limit = told["limit"] if "limit" in told else told["error"].rpartition(" ")[2]
    assert told["error"].startswith("quota exceeded")
    return answer.status, limit, int(answer.headers["Retry-After"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_too_many_is_refused_until_another_closes(world, kind, path):
    plan(world, connections=2)
    first, second = open_one(world, STREAMS[0], path), open_one(world, kind, path)
    assert is_open(first)
    assert kind == "poll" or is_open(second)
    assert key_of(world).holder.account.connections == 2
    assert refusal(open_one(world, kind, path)) == (429, "connections", 1)
    first.hang_up()
    world.wait(0)
    assert key_of(world).holder.account.connections == 1
    third = open_one(world, kind, path)
    assert kind == "poll" or is_open(third)
    assert key_of(world).holder.account.connections == 2


def test_keys_of_one_account_share_them_and_others_have_their_own(world):
    plan(world, connections=1)
    other = key_of(world, "other")
    other.holder.move(key_of(world).holder.account)
    assert is_open(open_one(world, STREAMS[0]))
    refused = world.ask(http.get(PATHS[0], "API-KEY: other-key", STREAMS[0]))
    assert refusal(refused)[0] == 429
    assert is_open(world.ask(http.get(PATHS[0], STREAMS[0])))


def test_requests_are_no_connections(world):
    plan(world, connections=0)
    assert Answer(world.ask(http.post("/publish", {"topic": "a"}, KEY)).received()).status == 200
    callee = world.join()
    callee.ask([64, None, {}, "p"])
    call = world.ask(http.post("/call", {"procedure": "p"}, KEY))
    assert call.received() == b""
    assert key_of(world).holder.account.connections == 0
    assert refusal(open_one(world, STREAMS[0]))[:2] == (429, "connections")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", USED_UP)
def test_nothing_opens_when_deliveries_are_used_up(world, kind, limit):
    used = plan(world, **{limit: 10})
    getattr(used, limit).add(10, used.clock.time())
    status, named, wait = refusal(open_one(world, kind))
    assert (status, named) == (429, limit)
    assert 1 <= wait <= 86_400
    assert Answer(world.ask(http.post("/publish", {"topic": "a"}, KEY)).received()).status == 200


@pytest.mark.parametrize("kind", [*STREAMS, "websocket"])
def test_it_opens_all_the_same_where_it_is_to_be_thinned(world, kind):
    used = plan(world, deliver_day=10, over="thin")
    used.deliver_day.add(10, used.clock.time())
    assert is_open(open_one(world, kind))


def test_a_poll_that_could_be_answered_at_once_is_refused_as_well(world):
    plan(world, connections=0)
    assert refusal(world.ask(http.get(PATHS[0] + "?wait=0", KEY)))[:2] == (429, "connections")
