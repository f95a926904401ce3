"""Access on several nodes: what one is told holds on all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster.sharing import AccessWorld, answer_of

from radiod.core.access.records import AccountRecord
from radiod.core.plans import Plan
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PLAN, NO_SUCH_USER, STORE_UNAVAILABLE

TICKET = "the ticket of alice"


@pytest.fixture
def world():
    return AccessWorld("a", "b", "c")


def opens(world, secret):
    return [node.opens(secret) for node in world]


def assert_same(world):
    """All nodes know the same, in memory and in their stores."""
    told = [world.access(node.name) for node in world]
    assert all(one == told[0] for one in told)
    return told[0]


def acts(node):
    found = []
    node.keeper.audit(0, 1000).then(found.append)
    return [(entry.action, entry.object, entry.actor, entry.detail.get("node")) for entry in found[0]]


class TestAKey:
    def test_that_is_issued_on_one_node_opens_on_all_once_that_is_answered(self, world):
        for name in "abc":
            client = world.begin(name, "key.issue", publish=["a"])
            while (issued := answer_of(client)) is None:
                world.wait(0.0001)
            assert opens(world, issued["key"]) == ["", "", ""]
        assert_same(world)

    def test_that_is_revoked_on_one_node_ends_its_sessions_on_all(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        clients = [node.books.join(issued) for node in world]
        ended = [[] for _ in world]
        for node, told in zip(world, ended, strict=True):
            node.books.keys.on_end = lambda key, reason, told=told: told.append((key.id, reason))
        assert world.ask("b", "key.revoke", issued["id"], "gone")["state"] == "revoked"
        assert opens(world, issued["key"]) == ["revoked"] * 3
        for client in clients:
            assert [message[2] for message in client.received()] == ["radiod.close.revoked"]
        # Whoever is told of it by a webhook is told once.
        assert ended == [[], [(issued["id"], "revoked")], []]
        assert world.ask("c", "key.resume", issued["id"]) == INVALID_ARGUMENT
        assert_same(world)

    def test_whose_date_comes_tells_so_on_each_node(self, world):
        until = world.clock.time() + 60
        issued = world.ask("a", "key.issue", publish=["a"], valid_until=until)
        ended = []
        for node in world:
            node.books.keys.on_end = lambda key, reason: ended.append(reason)
        world.wait(61)
        assert opens(world, issued["key"]) == ["expired"] * 3
        assert ended == ["expired"] * 3

    def test_that_is_rotated_has_the_new_secret_everywhere(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        rotated = world.ask("b", "key.rotate", issued["id"], 60)
        assert opens(world, issued["key"]) == ["", "", ""]
        assert opens(world, rotated["key"]) == ["", "", ""]
        again = world.ask("c", "key.rotate", issued["id"], 0)
        assert opens(world, issued["key"]) == opens(world, rotated["key"]) == ["rotated"] * 3
        assert opens(world, again["key"]) == ["", "", ""]
        for _ in range(20):
            again = world.ask("c", "key.rotate", issued["id"], 0)
        # What is long over is forgotten everywhere.
        assert opens(world, issued["key"]) == [None] * 3
        assert_same(world)

    def test_has_other_rights_everywhere(self, world):
        issued = world.ask("a", "key.issue", publish=["a"], label="old")
        rights = []
        for node in world:
            node.books.keys.on_rights = lambda holder: rights.append(holder.id)
        world.ask("b", "key.update", issued["id"], publish=["b"], label="new")
        keys = [node.books.keys.known(issued["id"]) for node in world]
        assert {(key.publish, key.label) for key in keys} == {(("b",), "new")}
        assert rights == [issued["id"]] * 3

    def test_that_two_change_at_once_is_changed_by_both(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        clients = [
            world.begin("a", "key.update", issued["id"], label="one"),
            world.begin("b", "key.update", issued["id"], listen=["two"]),
            world.begin("c", "key.suspend", issued["id"], "three"),
        ]
        world.wait(1)
        assert all(isinstance(answer_of(client), dict) for client in clients)
        key = world["a"].books.keys.known(issued["id"])
        assert (key.label, key.listen, key.state, key.reason) == ("one", ("two",), "suspended", "three")
        assert_same(world)

    def test_that_is_suspended_anew_is_not_resumed_by_who_has_not_seen_that(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        for one, other in ("ab", "ba", "bc", "cb"):
            world.ask("a", "key.suspend", issued["id"], "first")
            world.begin(one, "key.suspend", issued["id"], "second")
            world.begin(other, "key.resume", issued["id"])
            world.wait(1)
            assert opens(world, issued["key"]) == ["suspended"] * 3
        world.ask("b", "key.resume", issued["id"])
        assert opens(world, issued["key"]) == ["", "", ""]

    def test_never_leaves_its_secrets_with_the_engine(self, world):
        issued = world.ask("a", "key.issue", publish=["a"], signed=True)
        data = b"".join(record.data for record in world.engine.streams["r-claims"].records)
        assert issued["id"].encode() in data
        assert issued["key"].encode() not in data
        assert issued["signing"].encode() not in data
        # Who made it signs with it; the others know that they do not have it.
        signing = [node.books.keys.find(issued["id"]).key.signing for node in world]
        assert [one is not None for one in signing] == [True, False, False]
        world.ask("a", "key.update", issued["id"], label="new")
        assert world["a"].books.keys.find(issued["id"]).key.signing.reveal() == issued["signing"]
        world.ask("b", "key.update", issued["id"], label="newer")
        assert world["a"].books.keys.find(issued["id"]).key.signing.reveal() == issued["signing"]
        world.ask("b", "key.update", issued["id"], signed=False)
        assert world["a"].books.keys.find(issued["id"]).key.signing is None


class TestOthers:
    def test_an_account_is_suspended_and_resumed_everywhere(self, world):
        world.ask("a", "account.set", "acme", label="ACME")
        issued = world.ask("b", "key.issue", publish=["a"], account="acme")
        client = world["c"].books.join(issued)
        world.ask("a", "account.suspend", "acme", "unpaid")
        assert [message[2] for message in client.received()] == ["radiod.close.suspended"]
        assert opens(world, issued["key"]) == ["suspended"] * 3
        world.ask("b", "account.resume", "acme")
        assert opens(world, issued["key"]) == ["", "", ""]
        assert_same(world)

    def test_a_plan_holds_everywhere(self, world):
        world.ask("a", "plan.set", "basic", connections=2)
        world.ask("b", "account.set", "acme", plan="basic")
        plans = [node.books.table.of("acme").allowances.plan for node in world]
        assert [plan.connections for plan in plans] == [2, 2, 2]
        world.ask("c", "plan.set", "basic", connections=5)
        plans = [node.books.table.of("acme").allowances.plan for node in world]
        assert [plan.connections for plan in plans] == [5, 5, 5]
        assert world.ask("a", "plan.delete", "basic") == INVALID_ARGUMENT
        world.ask("a", "account.set", "acme")
        assert world.ask("a", "plan.delete", "basic") == {"name": "basic"}
        assert world.ask("b", "account.set", "acme", plan="basic") == NO_SUCH_PLAN
        assert_same(world)

    def test_a_plan_that_goes_while_another_node_gives_it_leaves_nothing(self, world):
        world.ask("a", "plan.set", "basic", connections=2)
        world.begin("a", "plan.delete", "basic")
        world.begin("b", "account.set", "acme", plan="basic")
        world.wait(1)
        plans = [node.books.table.of("acme").allowances.plan for node in world]
        assert [plan.connections for plan in plans] == [0, 0, 0]

    def test_a_user_comes_changes_and_goes_everywhere(self, world):
        world.ask("a", "user.set", "alice", "reader", ticket=TICKET)
        assert ["alice" in node.books.members["radio"] for node in world] == [True] * 3
        world.ask("b", "user.set", "alice", "writer")
        assert {node.books.users.known("radio", "alice").role for node in world} == {"writer"}
        holder = world["c"].books.users.find("radio", "alice").holder
        world.ask("b", "user.suspend", "alice")
        assert holder.refused == "suspended"
        world.ask("b", "user.resume", "alice")
        assert holder.refused == ""
        world.ask("a", "user.delete", "alice")
        assert holder.refused == "revoked"
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 3
        assert world.ask("c", "user.suspend", "alice") == NO_SUCH_USER
        assert_same(world)
        world.ask("c", "user.set", "alice", "reader", ticket=TICKET)
        assert ["alice" in node.books.members["radio"] for node in world] == [True] * 3

    def test_a_user_whose_role_a_node_does_not_have_is_let_in_there_nowhere(self, world):
        world["a"].books.places.get("radio").roles["special"] = object()
        del world["b"].books.places.get("radio").roles["writer"]
        world.ask("a", "user.set", "alice", "writer", ticket=TICKET)
        assert ["alice" in node.books.members["radio"] for node in world] == [True, False, True]
        assert "user alice is let in nowhere: no role writer in radio" in world["b"].lines


class TestTheAudit:
    def test_of_each_node_has_the_acts_of_all(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        world.ask("b", "key.revoke", issued["id"], "gone")
        own = issued["id"]
        # Its own account came along.
        assert acts(world["a"]) == [("key.issue", own, "boss", None), ("key.revoke", own, "boss", "b")]
        assert acts(world["b"]) == [
            ("key.issue", own, "boss", "a"),
            ("key.issue", own, "boss", "a"),
            ("key.revoke", own, "boss", None),
        ]


class TestWithoutAMajority:
    def test_what_grants_is_refused_and_done_nowhere(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        assert world.ask("a", "key.issue", publish=["b"], seconds=15) == STORE_UNAVAILABLE
        assert world.ask("a", "key.rotate", issued["id"], 0, seconds=15) == STORE_UNAVAILABLE
        assert world.ask("a", "plan.set", "basic", seconds=15) == STORE_UNAVAILABLE
        assert opens(world, issued["key"]) == ["", "", ""]
        world.heal()
        world.wait(30)
        assert opens(world, issued["key"]) == ["", "", ""]

    def test_a_revocation_holds_where_it_was_asked_for_and_everywhere_later(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        here, there = world["a"].books.join(issued), world["b"].books.join(issued)
        world.isolate("a")
        client = world.begin("a", "key.revoke", issued["id"], "gone")
        assert [message[2] for message in here.received()] == ["radiod.close.revoked"]
        world.wait(15)
        assert answer_of(client) == STORE_UNAVAILABLE
        assert client.sentence.startswith("done on this node, and not yet on the others")
        assert opens(world, issued["key"]) == ["revoked", "", ""]
        # Others change it meanwhile.
        world.ask("b", "key.update", issued["id"], label="new", seconds=20)
        assert there.received() == []
        world.heal()
        world.wait(15)
        assert opens(world, issued["key"]) == ["revoked"] * 3
        assert [message[2] for message in there.received()] == ["radiod.close.revoked"]
        assert {node.books.keys.known(issued["id"]).label for node in world} == {"new"}
        assert len(world["a"].shared.debts) == 0
        assert world["a"].mirror.owed == {}
        assert_same(world)

    def test_a_user_that_is_deleted_comes_back_nowhere(self, world):
        world.ask("a", "user.set", "alice", "reader", ticket=TICKET)
        world.isolate("a")
        assert world.ask("a", "user.delete", "alice", seconds=15) == STORE_UNAVAILABLE
        world.ask("b", "user.set", "alice", "writer", seconds=20)
        world.heal()
        world.wait(15)
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 3
        assert_same(world)

    def test_a_suspension_of_what_is_gone_meanwhile_ends_with_it(self, world):
        world.ask("a", "user.set", "alice", "reader", ticket=TICKET)
        world.isolate("a")
        assert world.ask("a", "user.suspend", "alice", seconds=15) == STORE_UNAVAILABLE
        assert world.ask("b", "user.delete", "alice", seconds=20)["authid"] == "alice"
        world.heal()
        world.wait(15)
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 3
        assert len(world["a"].shared.debts) == 0
        assert_same(world)

    def test_a_node_that_was_cut_off_knows_all_behind_it(self, world):
        issued = world.ask("a", "key.issue", publish=["a"])
        world.ask("a", "user.set", "alice", "reader", ticket=TICKET)
        world.isolate("c")
        world.wait(10)
        world.ask("a", "key.revoke", issued["id"])
        world.ask("a", "user.delete", "alice")
        late = world.ask("b", "key.issue", publish=["a"])
        assert opens(world, issued["key"]) == ["revoked", "revoked", ""]
        world.heal()
        world.wait(15)
        assert opens(world, issued["key"]) == ["revoked"] * 3
        assert opens(world, late["key"]) == ["", "", ""]
        assert_same(world)

    def test_what_the_store_does_not_take_is_told(self, world):
        world["a"].keeper.is_broken = True
        assert world.ask("a", "key.issue", publish=["a"]) == STORE_UNAVAILABLE
        world["b"].keeper.is_broken = True
        issued = world.ask("c", "key.issue", publish=["a"])
        assert opens(world, issued["key"]) == ["", "", ""]
        assert any("is not in this node's store: the disk is full" in line for line in world["b"].lines)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["label", "revoke", "suspend", "resume", "rotate", "cut", "heal", "wait", "stop"]),
        st.sampled_from("abc"),
    ),
    max_size=15,
)


@settings(max_examples=200, deadline=None)
@given(ACTIONS, st.integers(0, 2**16))
def test_whatever_fails_all_agree_in_the_end_and_what_was_revoked_stays_so(actions, seed):
    world = AccessWorld("a", "b", "c", seed=seed, mishaps=0.02)
    issued = world.ask("a", "key.issue", publish=["a"], seconds=30)
    if not isinstance(issued, dict):
        return
    id, revoking = issued["id"], []
    for number, (action, name) in enumerate(actions):
        if action == "cut":
            world.isolate(name)
        elif action == "heal":
            world.heal()
        elif action == "wait":
            world.wait(7)
        elif action == "stop":
            keeper = world.stop(name)
            world.start(name, keeper)
        elif action == "label":
            world.begin(name, "key.update", id, label=str(number))
        else:
            client = world.begin(name, f"key.{action}", id)
            revoking += [client] if action == "revoke" else []
        world.wait(0.3)
    world.heal()
    world.engine.mishaps = 0.0
    world.wait(60)
    memory, _ = assert_same(world)
    assert len({node.opens(issued["key"]) for node in world}) == 1
    # Also where that was answered with "not yet on the others"; not where its node died first.
    if any(map(answer_of, revoking)):
        assert memory["access keys", id].state == "revoked"


def test_an_account_without_a_record_is_suspended_everywhere():
    world = AccessWorld("a", "b", "c")
    world.ask("a", "account.suspend", "anonymous", "late")
    assert [node.books.table.of("anonymous").refused for node in world] == ["suspended"] * 3
    world.ask("b", "account.resume", "anonymous")
    assert [node.books.table.of("anonymous").refused for node in world] == [""] * 3


def test_an_account_that_could_not_be_set_up_is_not_there():
    world = AccessWorld("a", "b", "c")
    world.isolate("a")
    assert world.ask("a", "account.set", "acme", seconds=11) == STORE_UNAVAILABLE
    assert "acme" not in {record.id for record in world["a"].books.accounts.own_records}
    world.heal()
    world.wait(15)
    world.ask("a", "account.set", "acme", label="ours")
    assert [node.books.accounts.record("acme").label for node in world] == ["ours"] * 3


def test_what_the_configuration_has_no_more_is_as_others_have_set_it():
    world = AccessWorld("a", "b")
    accounts, plans = world["b"].books.accounts, world["b"].books.plans
    accounts.fix(AccountRecord(id="acme", created=0.0, label="fixed"))
    plans.fix("gold", Plan(connections=1))
    world.ask("a", "plan.set", "gold", connections=2)
    world.ask("a", "account.set", "acme", plan="gold", label="ours")
    assert accounts.record("acme").label == "fixed"
    accounts.unfix("acme")
    plans.unfix("gold")
    world.wait(1)
    assert accounts.record("acme").label == "ours"
    assert world["b"].books.table.of("acme").allowances.plan.connections == 2
