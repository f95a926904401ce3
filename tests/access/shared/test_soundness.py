"""What a node of another version, or anybody who can write there, has claimed: none of it is taken over."""

import msgspec
import pytest
from msgspec.structs import replace
from support.books import Keeper
from support.cluster.sharing import AccessWorld, answer_of, stored

from radiod.access.shared.entities import ACCOUNTS, KEYS, USERS, Entity, Name, pack, read
from radiod.access.shared.soundness import is_sound
from radiod.core.access.records import AccountRecord, Act, KeyRecord, SecretRecord, UserRecord
from radiod.errors import STORE_UNAVAILABLE

TICKET = "the ticket of alice"
ACT = Act(time=1.0, actor="x", address="", action="x", object="x")
KEY = KeyRecord(id="k_1", account="k_1", realm="radio", created=1.0, created_by="x")
USER = UserRecord(realm="radio", authid="alice", role="reader", account="alice", created=1.0)
SECRET = SecretRecord(digest=b"d" * 32, key="k_1", hint="", created=1.0)
ACCOUNT = AccountRecord(id="k_1", created=1.0)


def entity(**records):
    return Entity(act=ACT, node="x", **records)


@pytest.mark.parametrize(
    ("name", "claimed", "here", "outcome"),
    [
        (Name(KEYS, "k_1"), entity(key=KEY, secrets=(SECRET,)), None, True),
        (Name(KEYS, "k_2"), entity(key=KEY), None, False),
        (Name(USERS, "k_1"), entity(key=KEY), None, False),
        (Name(KEYS, "k_1"), entity(key=KEY, account=ACCOUNT), None, False),
        (Name(KEYS, "k_1"), entity(key=KEY, secrets=(replace(SECRET, key="k_2"),)), None, False),
        (Name(KEYS, "k_1"), entity(key=KEY), entity(key=KEY), True),
        (Name(KEYS, "k_1"), entity(key=KEY), entity(key=replace(KEY, realm="other")), False),
        (Name(ACCOUNTS, "k_1"), entity(account=ACCOUNT), None, True),
        (Name(ACCOUNTS, "k_1"), entity(account=ACCOUNT, secrets=(SECRET,)), None, False),
        (Name(USERS, "radio\0alice"), entity(user=USER), None, True),
        (Name(USERS, "radio\0alice"), entity(user=replace(USER, cryptosign="ab" * 32)), None, True),
        (Name(USERS, "radio\0alice"), entity(user=replace(USER, cryptosign="xyz")), None, False),
        (Name(USERS, "radio\0alice"), entity(user=replace(USER, scram="{}")), None, False),
        (Name(USERS, "radio\0alice"), entity(user=replace(USER, scram="[" * 9999)), None, False),
    ],
)
def test_each(name, claimed, here, outcome):
    assert is_sound(name, claimed, here) is outcome


@pytest.fixture
def world():
    world = AccessWorld("a", "b", keepers={"a": stored(Keeper())})
    world.ask("b", "user.set", "alice", "reader", ticket=TICKET)
    return world


ALICE = Name(USERS, "radio\0alice")


def write(world, name, value):
    """Claim what no node of this version would."""
    wanted = value(world["b"].cluster.claims.get(*name).value)
    outcome = []
    world["b"].cluster.claims.update(*name, lambda current: wanted).then(outcome.append)
    world.wait(1)
    assert outcome[0].value == wanted


def later(data):
    """As a later version may write it: with a field of another kind."""
    told = msgspec.msgpack.decode(data)
    return msgspec.msgpack.encode({**told, "user": {**told["user"], "role": ["reader", "writer"]}})


def restart(world, name):
    keeper = world.stop(name)
    world.wait(10)
    world.start(name, keeper)
    world.wait(5)
    return keeper


class TestWhatAnotherVersionWrote:
    def test_stays_here_as_it_was_and_there_as_it_is(self, world):
        write(world, ALICE, later)
        before = world["a"].cluster.claims.get(*ALICE).value
        assert read(before) is None
        for _ in range(2):
            assert ["alice" in node.books.members["radio"] for node in world] == [True, True]
            assert "access users: 'radio\\x00alice' is none of this version's" in world["a"].lines
            restart(world, "a")
        assert world["a"].cluster.claims.get(*ALICE).value == before
        assert [user.authid for user in world["a"].keeper.load().users] == ["alice"]

    def test_is_changed_by_nobody_here(self, world):
        write(world, ALICE, later)
        client = world.begin("a", "user.set", "alice", "writer")
        world.wait(1)
        assert answer_of(client) == STORE_UNAVAILABLE
        assert "another version" in client.sentence
        assert world["a"].books.users.known("radio", "alice").role == "reader"

    def test_is_restricted_here_and_owed(self, world):
        write(world, ALICE, later)
        assert world.ask("a", "user.suspend", "alice", seconds=2) == STORE_UNAVAILABLE
        assert world["a"].books.users.known("radio", "alice").state == "suspended"
        assert len(world["a"].shared.debts) == 1


class TestWhatNobodyCouldHaveWritten:
    def broken(self, **fields):
        def value(data):
            claimed = read(data)
            return pack(replace(claimed, user=replace(claimed.user, **fields)))

        return value

    def test_is_not_taken_over_and_harms_no_start(self, world):
        write(world, ALICE, self.broken(role="writer", scram="no JSON"))
        assert [node.books.users.known("radio", "alice").role for node in world] == ["reader"] * 2
        restart(world, "a")
        assert [node.books.users.known("radio", "alice").role for node in world] == ["reader"] * 2
        # What comes behind it is taken over.
        issued = world.ask("b", "key.issue", publish=["a"])
        assert world["a"].opens(issued["key"]) == ""

    def test_restricts_where_it_says_so(self, world):
        write(world, ALICE, self.broken(state="suspended", role="writer", cryptosign="no hex"))
        known = [node.books.users.known("radio", "alice") for node in world]
        assert {(one.state, one.role) for one in known} == {("suspended", "reader")}
