"""A key's secret is shown once, and is nowhere in the process afterwards."""

import gc
import types
from collections import deque

import pytest
from support.http import Answer, get, post
from support.memory import HELLO, WebSocketWire

ADMIN = """
[realms.radio.roles.boss]
call = ["radiod.admin.*"]

[realms.radio.users.boss]
role = "boss"
ticket = "boss-ticket"
"""


def login(world, authid, ticket):
    """A connection whose peer says so; ended or not."""
    wire = world.connect(WebSocketWire)
    details = {**HELLO[2], "authmethods": ["ticket"], "authid": authid}
    answer = wire.ask([1, "radio", details])
    if answer[0] == 4:
        wire.say([5, ticket, {}])
        (answer,) = wire.heard()
    return wire, answer[0]


def publish(world, secret):
    """The status of a publish with this key, on a connection that was closed since."""
    wire = world.ask(post("/publish", {"topic": "sold", "args": [1]}, f"API-KEY: {secret}"))
    answer = Answer(wire.received())
    wire.hang_up()
    return answer.status


def call(boss, procedure, **kwargs):
    answer = boss.ask([48, None, {}, f"radiod.admin.{procedure}", [], kwargs])
    boss.received()
    assert answer[0] == 50, answer
    return answer[3][0]


def sell_and_use(world):
    """A key is issued, rotated, used rightly and wrongly. Returns: its secrets, backwards."""
    boss, welcome = login(world, "boss", "boss-ticket")
    assert welcome == 2
    issued = call(boss, "key.issue", publish=["sold"], listen=["*"], signed=True)
    rotated = call(boss, "key.rotate", id=issued["id"], overlap=3600)
    secrets = [issued["key"], rotated["key"]]
    for secret in secrets:
        assert publish(world, secret) == 200
        wire, welcome = login(world, issued["id"], secret)
        assert welcome == 2
        wire.hang_up()
        assert publish(world, secret[:-1] + "!") != 200
        wire, abort = login(world, "somebody", secret)
        assert abort == 3
        wire.hang_up()
    call(boss, "key.suspend", id=issued["id"])
    assert 200 not in [publish(world, secret) for secret in secrets]
    call(boss, "key.resume", id=issued["id"])
    boss.hang_up()
    return [secret[::-1] for secret in secrets]


@pytest.fixture
def holders_of(request):
    """Search the process, less the tests themselves: they are most of it, and were there before."""
    return lambda parts: search(parts, request.session.items)


def search(parts, besides):
    """Everything that can be reached and holds one of these texts, as (its holder's type, where)."""
    gc.collect()
    seen, found = {id(one) for one in besides}, []
    waiting = deque((one, None) for one in gc.get_objects())
    while waiting:
        one, holder = waiting.popleft()
        if id(one) in seen or one is parts or one is found or one is seen or one is besides:
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            text = one.encode("utf-8", "replace") if isinstance(one, str) else bytes(one)
            if any(part in text for part in parts):
                found.append(f"{type(one).__name__} in {type(holder).__name__}: {str(holder)[:200]}")
        elif not isinstance(one, types.FrameType | types.ModuleType):
            waiting.extend((other, one) for other in gc.get_referents(one) if id(other) not in seen)
    return found


@pytest.fixture
def world(world):
    world.start(ADMIN)
    return world


def listen(world):
    """Somebody listens by a key, and goes on. Returns: its secret, backwards."""
    boss, _ = login(world, "boss", "boss-ticket")
    issued = call(boss, "key.issue", listen=["news"])
    backwards = issued.pop("key")[::-1]
    stream = world.ask(get("/listen/news", "Accept: text/event-stream", f"API-KEY: {backwards[::-1]}"))
    assert b" 200 " in stream.received()
    boss.hang_up()
    return backwards


def test_no_object_of_the_process_holds_a_secret_of_a_key(world, holders_of):
    """Nor does the connection of a stream while it lives. One search for all: it takes seconds."""
    backwards = [*sell_and_use(world), listen(world)]
    # Not even most of it.
    parts = [secret[::-1].removeprefix("rdk_")[:24].encode() for secret in backwards]
    assert all(len(part) == 24 for part in parts)
    # The search finds what is held.
    world.kept = {"somewhere": [("deep", "rdk_" + "zyx" * 16)]}
    parts.append(b"yxzyxzyxzyxz" * 2)
    (found,) = holders_of(parts)
    assert "deep" in found
