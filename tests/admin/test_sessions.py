"""Who is there, from where, and what waits for each."""

from itertools import chain

import pytest

from radiod.errors import INVALID_ARGUMENT

SESSIONS = "radiod.admin.sessions"


def authids(answer):
    return [one["authid"] for one in answer["sessions"]]


def test_each_session_with_what_it_holds(world, operator):
    busy = world.join("busy", "writer", agent="Sim-1.0")
    busy.subscribe("a")
    busy.subscribe("b")
    busy.register("rpc.a")
    (told,) = operator.call(SESSIONS, find="Sim-")["sessions"]
    assert told == {
        **busy.call("wamp.session.get", busy.id)[0],
        "agent": "Sim-1.0",
        "peer": "",
        "backlog_bytes": 0,
        "is_blocked": False,
        "subscriptions": 2,
        "registrations": 1,
        "queued": 0,
        "lost": 0,
    }


def test_what_waits_and_was_lost(world, operator):
    slow, writer = world.join("slow"), world.join("writer")
    slow.subscribe("a", _radiod_buffer={"size": 3})
    world.outbox.block(slow.session)
    for _ in range(5):
        writer.request(16, {}, "a", ["x"])
    (told,) = operator.call(SESSIONS, find="slow")["sessions"]
    assert (told["queued"], told["lost"]) == (3, 2)


def test_where_a_session_comes_from(world, operator):
    peer = world.join("far")

    class Outlet:
        peer, backlog_bytes, blocked = "tcp:192.0.2.7:4000", 12, True

    peer.session.outlet = Outlet()
    (told,) = operator.call(SESSIONS, find="192.0.2.7")["sessions"]
    assert (told["peer"], told["backlog_bytes"], told["is_blocked"]) == ("tcp:192.0.2.7:4000", 12, True)


def test_pages_follow_each_other_without_gap_or_repeat(world, operator):
    ids = {operator.id, *(world.join().id for _ in range(24))}
    seen, after = [], None
    for _ in range(3):
        page = operator.call(SESSIONS, limit=10, after=after)
        assert page["total"] == 25
        seen.append([one["session"] for one in page["sessions"]])
        after = page["next"]
    assert [len(page) for page in seen] == [10, 10, 5]
    assert list(chain(*seen)) == sorted(ids)
    assert after is None


@pytest.mark.parametrize("find", ["ANN", "ann", "writer", "sim-2"])
def test_what_is_looked_for_is_found_in_any_case(world, operator, find):
    world.join("Ann", "writer", agent="Sim-2.0")
    world.join("bob", "reader")
    assert authids(operator.call(SESSIONS, find=find)) == ["Ann"]


def test_a_session_is_found_by_its_id(world, operator):
    one = world.join("one")
    assert authids(operator.call(SESSIONS, find=str(one.id))) == ["one"]
    assert operator.call(SESSIONS, find="nobody")["sessions"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": True},
        {"after": 0},
        {"after": "1"},
        {"find": 1},
        {"find": None},
    ],
)
def test_wrong_arguments_are_refused(operator, wrong):
    assert operator.call(SESSIONS, **wrong) == INVALID_ARGUMENT
