"""Whether what is in the books is what is claimed."""

import pytest
from msgspec.structs import replace
from support.cluster.sharing import AccessWorld

from radiod.access.shared.comparing import comparison
from radiod.errors import STORE_UNAVAILABLE, Refused

TICKET = "the ticket of alice"


def compare(node):
    outcomes = []
    comparison(node.mirror, node.cluster.claims, node.books.realm.slices)().then(outcomes.append)
    return outcomes[0]


def entries(node):
    """How many are claimed and held, and whether these are the same."""
    claimed, held = compare(node)
    return claimed.entries, held.entries, claimed == held


@pytest.fixture
def world():
    world = AccessWorld("a", "b")
    world.ask("a", "plan.set", "basic", connections=2, channels=3, publish_rate=10, publish_burst=20)
    world.ask("a", "account.set", "acme", plan="basic")
    world.ask("b", "user.set", "alice", "reader", ticket=TICKET)
    world.key = world.ask("b", "key.issue", account="acme", publish=["a"])
    world.wait(2)
    return world


def test_the_books_of_each_node_have_what_is_claimed(world):
    count, *others = entries(world["a"])
    assert (others, count >= 4) == ([count, True], True)
    assert compare(world["a"]) == compare(world["b"])


def test_the_order_in_which_a_store_has_limits_makes_no_difference(world):
    plans = world["a"].books.plans
    plan = plans.known("basic")
    assert len(plan.limits) > 1
    plans.take(replace(plan, limits=dict(sorted(plan.limits.items(), reverse=True))))
    assert entries(world["a"])[2]
    plans.take(replace(plan, limits=dict(sorted(plan.limits.items()))))
    assert entries(world["a"])[2]


def test_when_a_secret_was_used_and_what_a_key_signs_with_make_no_difference(world):
    world["a"].books.join(world.key)
    world["a"].books.keys.tell_used()
    world.ask("b", "key.update", world.key["id"], signed=True)
    world.wait(2)
    assert compare(world["a"])[0] == compare(world["a"])[1] == compare(world["b"])[1]


def test_what_is_in_no_book_is_seen(world):
    count, _, _ = entries(world["a"])
    world["a"].books.users.lose("radio", "alice")
    assert entries(world["a"]) == (count, count - 1, False)


def test_what_nobody_has_claimed_is_seen(world):
    count, _, _ = entries(world["a"])
    world["a"].books.plans.take(replace(world["a"].books.plans.known("basic"), name="other"))
    assert entries(world["a"]) == (count, count + 1, False)


def test_what_is_not_the_same_is_seen(world):
    count, _, _ = entries(world["a"])
    world["a"].books.plans.take(replace(world["a"].books.plans.known("basic"), limits={"connections": 3}))
    assert entries(world["a"]) == (count, count, False)


def test_what_is_restricted_here_alone_is_no_difference(world):
    count, _, _ = entries(world["a"])
    world.isolate("a")
    world.ask("a", "key.suspend", world.key["id"], seconds=11)
    assert entries(world["a"]) == (count - 1, count - 1, True)


def test_what_the_configuration_has_is_no_difference(world):
    count, _, _ = entries(world["a"])
    accounts = world["a"].books.accounts
    accounts.fix(replace(accounts.record("acme"), label="ours"))
    assert entries(world["a"]) == (count - 1, count - 1, True)


def test_what_another_version_has_written_is_no_difference(world):
    count, _, _ = entries(world["a"])
    claims = world["a"].cluster.claims
    claims.update("access accounts", "acme", lambda _: b"?")
    claims.update("access plans", "strange", lambda _: b"\x80")
    world.wait(1)
    assert entries(world["a"]) == (count - 1, count - 1, True)


def test_what_was_not_read_yet_is_not_compared():
    world = AccessWorld()
    node = world.start("a")
    outcome = compare(node)
    assert isinstance(outcome, Refused)
    assert outcome.uri == STORE_UNAVAILABLE
