"""What is open on all nodes, and when a secret was used last on any, told by the one that is asked."""

import msgspec
import pytest
from support.cluster.sharing import AccessWorld

from radiod.access.shared.everywhere import EVERYWHERE, PART
from radiod.core.access.records import KeyRecord
from radiod.core.ids import digest
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, NO_SUCH_ACCOUNT, NO_SUCH_KEY, QUOTA, Refused

HOUR = 3600
TICKET = "the ticket of alice"


@pytest.fixture
def world():
    world = AccessWorld("a", "b", "c")
    world.ask("a", "account.set", "acme")
    return world


def issue(world, **options):
    return world.ask("a", "key.issue", publish=["a"], account="acme", **options)


def test_sessions_are_those_of_all_nodes(world):
    key, other = issue(world), issue(world)
    for name, count in (("a", 1), ("b", 2), ("c", 3)):
        for _ in range(count):
            world[name].books.join(key)
    world["c"].books.join(other)
    for name in "abc":
        assert world.ask(name, "key.get", key["id"])["sessions"] == 6
        listed = world.ask(name, "key.list", account="acme")["keys"]
        assert {one["id"]: one["sessions"] for one in listed} == {key["id"]: 6, other["id"]: 1}
        assert world.ask(name, "account.get", "acme")["connections"] == 7
        accounts = {one["id"]: one["connections"] for one in world.ask(name, "account.list")["accounts"]}
        assert accounts == {"acme": 7, "anonymous": 0}
        assert "unanswered" not in world.ask(name, "key.get", key["id"])


def test_those_of_users_too(world):
    world.ask("a", "user.set", "alice", "reader", ticket=TICKET)
    holders = [node.books.users.find("radio", "alice").holder for node in world]
    for holder in holders:
        holder.enter(object(), lambda thing, reason: None)
    (alice,) = world.ask("b", "user.list")["users"]
    assert (alice["authid"], alice["sessions"]) == ("alice", 3)


def test_a_secret_was_used_last_where_that_was_latest(world):
    key = issue(world)
    rotated = world.ask("a", "key.rotate", key["id"], 10 * HOUR)
    hours = []
    for name, secret in (("b", key), ("c", key), ("a", rotated)):
        world.wait(HOUR)
        world[name].books.ring.get(secret["key"])
        world[name].books.keys.tell_used()
        hours.append(world.clock.time() // HOUR * HOUR)
    for name in "abc":
        secrets = world.ask(name, "key.get", key["id"])["secrets"]
        assert [one["last_used"] for one in secrets] == [hours[1], hours[2]]


def test_a_key_of_the_configuration_is_told_too(world):
    for number, node in enumerate(world):
        record = KeyRecord(
            id="sample", account="acme", realm="radio", created=float(number), created_by="configuration"
        )
        node.books.keys.fix(record, digest("sample-key"), None)
    world["b"].books.join({"key": "sample-key"})
    told = world.ask("c", "key.get", "sample")
    assert told["sessions"] == 1
    assert told["secrets"][0]["last_used"] is not None


def test_what_is_refused_is_refused_and_an_empty_page_is_one(world):
    assert world.ask("a", "key.get", "k_nobody") == NO_SUCH_KEY
    assert world.ask("a", "account.get", "nobody") == NO_SUCH_ACCOUNT
    assert world.ask("a", "user.list") == {"users": [], "next": None}


def test_long_pages_are_asked_for_in_parts(world):
    keys = [issue(world) for _ in range(PART + 1)]
    for key in keys:
        world["b"].books.join(key)
    listed = world.ask("c", "key.list", account="acme", limit=1000, seconds=2)["keys"]
    assert [one["sessions"] for one in listed] == [1] * (PART + 1)


def test_a_node_that_does_not_answer_is_named(world):
    key = issue(world)
    world["a"].books.join(key)
    world["b"].clock.pause()
    told = world.ask("a", "key.get", key["id"], seconds=4)
    assert (told["sessions"], told["unanswered"]) == (1, ["b"])


@pytest.mark.parametrize(
    "answer", [b"?", b"\x90", b"\x91\x92\xff\x90", b"\x91\x92\x01\x91\x93\xa1\xff\x00\x00"]
)
def test_a_node_whose_answer_is_none_is_named(world, answer):
    key = issue(world)
    world["b"].cluster.nodes.take(EVERYWHERE, lambda node, data: answer)
    told = world.ask("a", "key.get", key["id"])
    assert (told["sessions"], told["unanswered"]) == (0, ["b"])


def test_too_many_questions_are_named_as_not_answered(world):
    key = issue(world)
    refused = Promise()
    refused.settle(Refused(NETWORK_FAILURE, "no"))
    world["a"].cluster.nodes.ask_all = lambda about, data, seconds: refused
    assert world.ask("a", "key.get", key["id"])["unanswered"] == ["b", "c"]


@pytest.mark.parametrize(
    "question",
    [
        b"?",
        ["keys", [["k_1"]]],
        ["keys", [["k_1", "radio", "x"]]],
        ["others", [["k_1"]]],
        ["users", [["alice"]]],
        ["accounts", [["acme"]] * (PART + 1)],
        ["accounts", [[7]]],
    ],
)
def test_what_is_no_question_is_not_answered(world, question):
    data = question if isinstance(question, bytes) else msgspec.msgpack.encode(question)
    assert world["a"].everywhere._take(1, data) is None


def test_of_what_a_node_does_not_know_it_has_nothing(world):
    for kind, name in (("keys", ["k_1", "radio"]), ("users", ["radio", "x"]), ("accounts", ["x"])):
        data = msgspec.msgpack.encode([kind, [name]])
        assert msgspec.msgpack.decode(world["a"].everywhere._take(1, data)) == [[0, []]]
    assert "x" not in world["a"].books.table.kept


def test_a_statement_has_what_all_nodes_count_and_names_nobody(world):
    key = issue(world)
    for node in world:
        node.books.join(key)
    world["c"].clock.pause()
    node = world["a"]
    told = {
        "account": "acme",
        "connections": 1,
        "keys": [node.books.keys.describe(node.books.keys.find(key["id"]))],
    }
    found = []
    node.everywhere.statement(told).then(found.append)
    world.wait(5)
    assert found[0]["connections"] == 2
    assert found[0]["keys"][0]["sessions"] == 2
    assert "unanswered" not in found[0]


def test_limits_of_how_many_there_may_be_count_those_of_all_nodes(world):
    for node in world:
        node.books.keys._max = 3
    for name in "aab":
        assert isinstance(world.ask(name, "key.issue", publish=["a"]), dict)
    assert world.ask("c", "key.issue", publish=["a"]) == QUOTA
