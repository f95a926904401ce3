"""What is in each store when nodes find each other, and when the engine has lost its data."""

import pytest
from support.books import Books, Keeper
from support.cluster.sharing import AccessWorld, stored

from radiod.core.cluster.claim import Claim

TICKET = "the ticket of alice"


def opens(world, secret):
    return [node.opens(secret) for node in world]


def assert_same(world):
    told = [world.access(node.name) for node in world]
    assert all(one == told[0] for one in told)
    return told[0][0]


def acts(keeper):
    found = []
    keeper.audit(0, 1000).then(found.append)
    return [entry.action for entry in found[0]]


@pytest.fixture
def alone():
    """A server that is alone, whose store is kept."""
    return Books(Keeper())


class TestTheStoreOfASingleServer:
    def test_is_brought_in(self, alone):
        issued = alone.issue(publish=["a"], account=None)
        alone.ask("plan.set", "basic", connections=2)
        alone.ask("account.set", "acme", plan="basic")
        alone.ask("user.set", "alice", "reader", ticket=TICKET)
        world = AccessWorld("a", "b", "c", keepers={"b": alone.keeper})
        assert opens(world, issued["key"]) == ["", "", ""]
        assert [node.books.table.of("acme").allowances.plan.connections for node in world] == [2] * 3
        assert ["alice" in node.books.members["radio"] for node in world] == [True] * 3
        assert_same(world)
        assert not any("another one" in line for node in world for line in node.lines)

    def test_with_many_keys_is_brought_in(self, alone):
        secrets = [alone.issue(publish=["a"])["key"] for _ in range(100)]
        world = AccessWorld("a", "b", keepers={"a": alone.keeper})
        assert {world["b"].opens(secret) for secret in secrets} == {""}
        assert_same(world)

    def test_that_says_otherwise_is_named_and_the_cluster_counts(self, alone):
        alone.ask("plan.set", "basic", connections=2)
        alone.ask("user.set", "alice", "reader", ticket=TICKET)
        other = Books(Keeper())
        other.ask("plan.set", "basic", connections=3)
        other.ask("user.set", "alice", "writer", ticket=TICKET)
        world = AccessWorld("a", keepers={"a": alone.keeper})
        world.start("b", other.keeper)
        world.wait(5)
        assert [node.books.plans.known("basic").limits for node in world] == [{"connections": 2}] * 2
        lines = [line for line in world["b"].lines if "another one" in line]
        assert lines == [
            "plan basic of this node's store is another one in the cluster, which counts",
            "user alice of radio of this node's store is another one in the cluster, which counts",
        ]
        assert_same(world)

    def test_that_restricts_does_so_everywhere(self, alone):
        # A copy of a store: of one of the two servers somebody was thrown out.
        issued = alone.issue(publish=["a"], account=None)
        alone.ask("user.set", "alice", "reader", ticket=TICKET)
        alone.ask("account.set", "acme")
        copy = Keeper()
        records = alone.keeper.load()
        for kept in (records.accounts, records.keys, records.secrets, records.users):
            copy.change(kept, alone.keeper.acts[0])
        alone.ask("key.revoke", issued["id"])
        alone.ask("user.suspend", "alice")
        alone.ask("account.suspend", "acme", "unpaid")
        world = AccessWorld("a", keepers={"a": copy})
        assert opens(world, issued["key"]) == [""]
        world.start("b", alone.keeper)
        world.wait(5)
        assert opens(world, issued["key"]) == ["revoked"] * 2
        assert [node.books.users.known("radio", "alice").state for node in world] == ["suspended"] * 2
        assert [node.books.table.of("acme").refused for node in world] == ["suspended"] * 2
        assert_same(world)

    def test_is_brought_in_once(self, alone):
        alone.ask("user.set", "alice", "reader", ticket=TICKET)
        alone.ask("user.set", "bob", "reader", ticket=TICKET)
        world = AccessWorld("a", "b", keepers={"a": stored(alone.keeper)})
        keeper = world.stop("a")
        world.wait(10)
        assert world.ask("b", "user.delete", "alice")["authid"] == "alice"
        world.wait(5000)
        world.start("a", keeper)
        world.wait(5)
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 2
        assert ["bob" in node.books.members["radio"] for node in world] == [True] * 2
        assert_same(world)
        assert "cluster.gone" in acts(keeper)

    def test_that_was_empty_is_known_by_its_first_act(self):
        world = AccessWorld("a", "b", keepers={"a": stored(Keeper())})
        assert acts(world["a"].keeper) == ["cluster.join"]
        world.ask("b", "user.set", "alice", "reader", ticket=TICKET)
        keeper = world.stop("a")
        world.wait(10)
        world.ask("b", "user.delete", "alice")
        world.start("a", keeper)
        world.wait(5)
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 2

    def test_that_does_not_answer_is_asked_again(self):
        keeper = stored(Keeper())
        keeper.is_broken = True
        world = AccessWorld("a", keepers={"a": keeper})
        assert not world["a"].mirror.is_ready
        keeper.is_broken = False
        world.wait(3)
        assert world["a"].mirror.is_ready

    def test_whose_revocation_nobody_heard_of_is_heard_behind_a_restart(self, alone):
        world = AccessWorld("a", "b", "c", keepers={"a": stored(alone.keeper)})
        issued = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.revoke", issued["id"], seconds=15)
        keeper = world.stop("a")
        world.heal()
        world.wait(10)
        world.start("a", keeper)
        world.wait(5)
        assert opens(world, issued["key"]) == ["revoked"] * 3
        assert_same(world)

    def test_waits_for_a_majority(self, alone):
        issued = alone.issue(publish=["a"])
        world = AccessWorld("a", "b")
        world.engine.elect(20)
        world.start("c", alone.keeper)
        world.wait(15)
        assert not world["c"].mirror.is_ready
        assert world["c"].opens(issued["key"]) == ""
        world.wait(30)
        assert opens(world, issued["key"]) == [""] * 3


class TestWhenTheEngineHasLostItsData:
    def test_every_node_brings_in_what_it_has(self):
        world = AccessWorld("a", "b", "c")
        issued = world.ask("a", "key.issue", publish=["a"])
        revoked = world.ask("a", "key.issue", publish=["a"])
        world.ask("a", "key.revoke", revoked["id"])
        world.ask("b", "user.set", "alice", "reader", ticket=TICKET)
        before = assert_same(world)
        del world.engine.streams["r-claims"]
        world.wait(60)
        assert any("is lost" in line for line in world["a"].lines)
        assert assert_same(world) == before
        assert opens(world, issued["key"]) == [""] * 3
        assert opens(world, revoked["key"]) == ["revoked"] * 3
        assert isinstance(world.ask("b", "key.issue", publish=["a"]), dict)
        assert_same(world)


def test_what_the_configuration_has_stays_and_is_named():
    world = AccessWorld("a", "b")
    books = world["b"].books
    books.accounts.fix(books.accounts.record("anonymous"))
    world.ask("a", "account.set", "anonymous", label="ours")
    assert books.accounts.record("anonymous").label == ""
    assert (
        "account anonymous is the configuration's on this node: that of the cluster does nothing"
        in world["b"].lines
    )


def test_what_is_no_claim_of_ours_is_named():
    world = AccessWorld("a")
    for value in (b"?", b"\x80"):
        world["a"].mirror.claimed(Claim("access keys", "k", value, 1, 1))
    assert "access keys: 'k' is none of this version's" in world["a"].lines
