"""What is restricted where nobody else can be told: it is carried to the others, by whichever process."""

import pytest
from support.books import Keeper
from support.cluster.sharing import AccessWorld, answer_of, stored

from radiod.access.shared.entities import KEYS, Name
from radiod.access.shared.owed import OWED, TOLD
from radiod.core.access.records import Act
from radiod.errors import STORE_UNAVAILABLE

TICKET = "the ticket of alice"


@pytest.fixture
def world():
    world = AccessWorld("a", "b", "c", keepers={"a": stored(Keeper())})
    for name in ("alice", "bob"):
        world.ask("a", "user.set", name, "reader", ticket=TICKET)
    world.ask("a", "account.set", "acme")
    return world


def marks(keeper):
    found = []
    keeper.audit(0, 1000).then(found.append)
    return [(one.action, one.object) for one in found[0] if one.action in (OWED, TOLD)]


def restart(world, name, seconds=5):
    keeper = world.stop(name)
    world.heal()
    world.wait(10)
    world.start(name, keeper)
    world.wait(seconds)
    return keeper


def standing(world, key):
    """What all nodes have of what is restricted below."""
    return {
        (
            node.books.keys.known(key["id"]).state,
            node.books.keys.known(key["id"]).reason,
            node.books.table.of("acme").refused,
            node.books.users.known("radio", "alice").state,
            "bob" in node.books.members["radio"],
        )
        for node in world
    }


def restrict_all(world, key):
    for procedure, *args in (
        ("key.suspend", key["id"], "late"),
        ("account.suspend", "acme", "unpaid"),
        ("user.suspend", "alice"),
        ("user.delete", "bob"),
    ):
        assert world.ask("a", procedure, *args, seconds=11) == STORE_UNAVAILABLE


class TestBehindARestart:
    def test_all_that_was_restricted_is_so_everywhere(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        restrict_all(world, key)
        keeper = restart(world, "a")
        assert standing(world, key) == {("suspended", "late", "suspended", "suspended", False)}
        assert len(world["a"].shared.debts) == 0
        objects = [key["id"], "acme", "alice", "bob"]
        told = marks(keeper)
        assert told[:4] == [(OWED, one) for one in objects]
        assert sorted(told[4:]) == sorted((TOLD, one) for one in objects)

    def test_what_is_lifted_later_stays_so(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        restrict_all(world, key)
        restart(world, "a")
        world.ask("b", "key.resume", key["id"])
        world.ask("b", "account.resume", "acme")
        world.ask("c", "user.resume", "alice")
        world.ask("c", "user.set", "bob", "reader", ticket=TICKET)
        restart(world, "a")
        assert standing(world, key) == {("active", "", "", "active", True)}

    def test_what_was_changed_otherwise_meanwhile_stays_changed(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], seconds=11)
        world.ask("b", "key.update", key["id"], label="new", seconds=11)
        restart(world, "a")
        assert {(one.label, one.state) for one in known(world, key)} == {("new", "suspended")}

    def test_what_was_revoked_meanwhile_stays_revoked_and_who_is_gone_stays_gone(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], seconds=11)
        world.ask("a", "user.suspend", "alice", seconds=11)
        world.ask("b", "key.revoke", key["id"], seconds=11)
        world.ask("b", "user.delete", "alice", seconds=11)
        restart(world, "a")
        assert {one.state for one in known(world, key)} == {"revoked"}
        assert ["alice" in node.books.members["radio"] for node in world] == [False] * 3
        assert len(world["a"].shared.debts) == 0

    def test_who_is_restricted_anew_before_it_was_read_is_so(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], "late", seconds=11)
        keeper = world.stop("a")
        world.start("a", keeper)
        world.isolate("a")
        assert world.ask("a", "key.revoke", key["id"], "gone", seconds=11) == STORE_UNAVAILABLE
        restart(world, "a")
        assert {(one.state, one.reason) for one in known(world, key)} == {("revoked", "gone")}

    def test_it_counts_from_half_a_second_on_also_without_an_answer(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.engine.elect(10)
        client = world.begin("a", "key.suspend", key["id"], "late")
        world.wait(1)
        assert answer_of(client) is None
        restart(world, "a", seconds=20)
        assert {one.state for one in known(world, key)} == {"suspended"}

    def test_a_store_that_does_not_tell_is_asked_again(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], "late", seconds=11)
        keeper = world.stop("a")
        world.heal()
        world.wait(10)
        audit = keeper.audit
        keeper.audit = lambda after, limit: _refused()
        world.start("a", keeper)
        world.wait(5)
        assert not world["a"].mirror.is_ready
        keeper.audit = audit
        world.wait(5)
        assert {one.state for one in known(world, key)} == {"suspended"}

    def test_marks_are_found_among_many_entries_and_what_is_none_is_nothing(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], "late", seconds=11)
        keeper = world["a"].keeper
        for detail in ({}, {"about": 7, "place": "x"}, {"about": KEYS, "place": [], "state": "suspended"}):
            keeper.change([], Act(time=0, actor="x", address="", action=OWED, object="?", detail=detail))
        for number in range(1500):
            act = Act(time=0, actor="x", address="", action="key.update", object=str(number))
            keeper.change([], act)
        restart(world, "a")
        assert {one.state for one in known(world, key)} == {"suspended"}
        assert len(world["a"].shared.debts) == 0


def known(world, key):
    return [node.books.keys.known(key["id"]) for node in world]


def _refused():
    keeper = Keeper()
    keeper.is_broken = True
    return keeper.change([], Act(time=0, actor="", address="", action="", object=""))


class TestWhoRestrictsAndThenLifts:
    """On one node, before the others have heard of the first: the second is the last word."""

    def test_a_resumed_key_is_not_suspended_again(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], "late", seconds=11)
        world.heal()
        while isinstance(told := world.ask("a", "key.resume", key["id"], seconds=0.2), str):
            assert told == STORE_UNAVAILABLE
        world.wait(15)
        assert {one.state for one in known(world, key)} == {"active"}
        assert len(world["a"].shared.debts) == 0

    def test_a_user_that_is_added_again_stays(self, world):
        world.isolate("a")
        world.ask("a", "user.delete", "bob", seconds=11)
        world.heal()
        while isinstance(
            told := world.ask("a", "user.set", "bob", "writer", ticket=TICKET, seconds=0.2), str
        ):
            assert told == STORE_UNAVAILABLE
        world.wait(15)
        assert [node.books.users.known("radio", "bob").role for node in world] == ["writer"] * 3
        restart(world, "a")
        assert [node.books.users.known("radio", "bob").role for node in world] == ["writer"] * 3

    def test_what_is_changed_otherwise_lifts_nothing(self, world):
        key = world.ask("a", "key.issue", publish=["a"])
        world.isolate("a")
        world.ask("a", "key.suspend", key["id"], "late", seconds=11)
        world.heal()
        while isinstance(world.ask("a", "key.update", key["id"], label="new", seconds=0.2), str):
            pass
        world.wait(15)
        assert {(one.state, one.label) for one in known(world, key)} == {("suspended", "new")}


def test_one_that_cannot_be_carried_does_not_hold_up_the_others(world):
    keys = [world.ask("a", "key.issue", publish=["a"]) for _ in range(40)]
    world.isolate("a")
    clients = [world.begin("a", "key.suspend", key["id"], "late") for key in keys]
    world.wait(11)
    assert {answer_of(client) for client in clients} == {STORE_UNAVAILABLE}
    debts = world["a"].shared.debts
    assert len(debts) == 40
    update, stuck = world["a"].cluster.claims.update, Name(KEYS, keys[0]["id"])
    world["a"].cluster.claims.update = lambda about, key, decide: (
        _refused() if (about, key) == stuck else update(about, key, decide)
    )
    world.heal()
    world.wait(20)
    assert len(debts) == 1
    assert debts.get(stuck) is not None
