"""Users at run time: added, changed, suspended, deleted, and after a restart."""

import pytest
from support.books import Books
from support.logins import outcome_of
from support.realms import Client

from radiod.auth.directory import Credentials
from radiod.core.access.records import KeyRecord, UserRecord
from radiod.core.holders import Holder
from radiod.core.ids import digest
from radiod.errors import (
    INVALID_ARGUMENT,
    NO_SUCH_ACCOUNT,
    NO_SUCH_USER,
    QUOTA,
    STORE_UNAVAILABLE,
)
from radiod.testing import ALLOW_NONE

PUBKEY, OTHER = 64 * "a", 64 * "b"
SCRAM = {"kdf": "pbkdf2", "salt": "00ff", "iterations": 4096, "stored_key": 64 * "0", "server_key": 64 * "1"}


@pytest.fixture
def books():
    return Books()


def find(books, authid="ann", method="ticket"):
    return books.members["radio"].find(method, authid, {})


def matches(books, ticket, authid="ann"):
    return outcome_of(find(books, authid).ticket(ticket))


def join(books, authid="ann"):
    principal = find(books, authid).principal("ticket")
    return Client(
        books.realm,
        books.outbox,
        authid,
        principal.authrole,
        permissions=principal.permissions,
        holder=principal.holder,
    )


def test_a_user_is_added(books):
    told = books.ask("user.set", "ann", "reader", ticket="t", scram=SCRAM, cryptosign=[PUBKEY.upper()])
    assert told == {
        "realm": "radio",
        "authid": "ann",
        "role": "reader",
        "account": "ann",
        "methods": ["ticket", "wamp-scram", "scram", "cryptosign"],
        "state": "active",
        "created": books.clock.time(),
        "sessions": 0,
    }
    user = find(books)
    assert (user.role, user.provider, user.holder.account.id) == ("reader", "managed", "ann")
    assert (matches(books, "t"), matches(books, "T")) == (True, False)
    assert user.scram.salt == b"\0\xff"
    assert books.members["radio"].find("cryptosign", None, {"pubkey": bytes.fromhex(PUBKEY)}) is user
    (act,) = books.keeper.acts
    assert act.detail == {
        "realm": "radio",
        "role": "reader",
        "account": "ann",
        "proofs": ["cryptosign", "scram", "ticket"],
    }


def test_proofs_stay_unless_they_are_given(books):
    books.ask("user.set", "ann", "reader", ticket="t", cryptosign=[PUBKEY])
    told = books.ask("user.set", "ann", "writer")
    assert (told["role"], told["methods"]) == ("writer", ["ticket", "cryptosign"])
    assert matches(books, "t")
    assert books.ask("user.set", "ann", "writer", ticket="")["methods"] == ["cryptosign"]
    assert books.ask("user.set", "ann", "writer", scram=SCRAM, cryptosign=[])["methods"] == [
        "wamp-scram",
        "scram",
    ]
    assert books.ask("user.set", "ann", "writer", scram={}) == INVALID_ARGUMENT
    assert books.ask("user.set", "bob", "writer") == INVALID_ARGUMENT


def test_open_sessions_have_the_new_roles_rights(books):
    books.ask("user.set", "ann", "reader", ticket="t")
    client = join(books)
    client.subscribe("a")
    books.ask("user.set", "ann", "writer")
    assert client.session.is_open
    assert client.subscriptions == {}


def test_it_moves_to_another_account(books):
    books.ask("account.set", "acme")
    books.ask("user.set", "ann", "reader", ticket="t")
    join(books)
    assert books.ask("user.set", "ann", "reader", account="acme")["account"] == "acme"
    assert books.ask("account.get", "acme")["connections"] == 1
    assert books.ask("user.set", "ann", "reader", account="nobody") == NO_SUCH_ACCOUNT


@pytest.mark.parametrize(
    ("authid", "arguments"),
    [
        ("ann", {"role": "boss"}),
        ("ann", {"realm": "elsewhere"}),
        ("k_123456789012", {}),
        ("socket:0", {}),
        ("ann", {"scram": {**SCRAM, "kdf": "argon2id13"}}),
        ("ann", {"scram": {**SCRAM, "salt": "0"}}),
        ("ann", {"scram": {**SCRAM, "stored_key": None}}),
        ("ann", {"cryptosign": ["0"]}),
        ("ann", {"cryptosign": [OTHER]}),
        ("ann", {"ticket": 1025 * "x"}),
    ],
)
def test_what_is_wrong_is_refused(books, authid, arguments):
    books.ask("user.set", "bob", "reader", cryptosign=[OTHER])
    asked = {"role": "reader", "ticket": "t", **arguments}
    assert books.ask("user.set", authid, **asked) == INVALID_ARGUMENT
    assert find(books, authid) is None


def test_no_refusal_tells_a_secret(books):
    books.boss.request(
        48,
        {},
        "radiod.admin.user.set",
        [],
        {"authid": "ann", "role": "reader", "scram": {**SCRAM, "kdf": "SECRET"}},
    )
    (answer,) = books.boss.received()
    assert "SECRET" not in answer[5][0]


def test_a_user_is_suspended_resumed_and_deleted(books):
    books.ask("user.set", "ann", "reader", ticket="t")
    client = join(books)
    assert books.ask("user.suspend", "ann", reason="why") == {
        "authid": "ann",
        "realm": "radio",
        "state": "suspended",
        "ended": 1,
    }
    assert not client.session.is_open
    assert find(books).holder.why_refused == "suspended"
    assert books.ask("user.resume", "ann")["state"] == "active"
    assert find(books).holder.why_refused == ""
    client = join(books)
    assert books.ask("user.delete", "ann") == {"authid": "ann", "realm": "radio", "ended": 1}
    assert not client.session.is_open
    assert find(books) is None
    assert books.ask("user.list")["users"] == []
    assert books.keeper.load().users == []
    for act in ("suspend", "resume", "delete"):
        assert books.ask(f"user.{act}", "ann") == NO_SUCH_USER


def test_one_that_is_added_again_while_its_end_is_written_is_there(books):
    books.ask("user.set", "ann", "reader", ticket="old")
    books.keeper.is_held = True
    gone, back = books.begin("user.delete", "ann"), books.begin("user.set", "ann", "writer", ticket="new")
    assert find(books) is None
    assert books.ask("user.list")["users"] == []
    books.keeper.write()
    books.keeper.write()
    assert (len(gone.received()), back.received()[0][3][0]["role"]) == (1, "writer")
    assert (matches(books, "old"), matches(books, "new")) == (False, True)
    assert find(books).holder.why_refused == ""
    assert [each.role for each in books.keeper.load().users] == ["writer"]
    assert len(books.ask("user.list")["users"]) == 1


def test_nothing_is_there_before_it_is_written(books):
    books.keeper.is_held = True
    books.begin("user.set", "ann", "reader", ticket="t")
    assert (find(books), books.ask("user.list")["users"]) == (None, [])
    books.keeper.write()
    assert find(books) is not None


def test_what_cannot_be_written_is_not_there(books):
    books.keeper.is_broken = True
    assert books.ask("user.set", "ann", "reader", ticket="t") == STORE_UNAVAILABLE
    assert (find(books), len(books.users)) == (None, 0)


def test_a_ticket_takes_a_thread_first(books):
    books.is_working = False
    boss = books.begin("user.set", "ann", "reader", ticket="t")
    assert (boss.received(), books.keeper.acts) == ([], [])
    work, promise = books.work.pop()
    promise.settle(work())
    assert boss.received()[0][3][0]["methods"] == ["ticket"]


def test_there_is_a_bound():
    books = Books(most=1)
    books.ask("user.set", "ann", "reader", ticket="t")
    assert books.ask("user.set", "bob", "reader", ticket="t", account="ann") == QUOTA


def test_they_are_listed_by_authid_in_pages(books):
    books.ask("account.set", "acme")
    for authid, account in (("cat", None), ("ann", "acme"), ("bob", "acme")):
        books.ask("user.set", authid, "reader", account=account, ticket="t")
    books.ask("user.suspend", "bob")
    first = books.ask("user.list", limit=2)
    rest = books.ask("user.list", after=first["next"])
    assert [each["authid"] for each in first["users"] + rest["users"]] == ["ann", "bob", "cat"]
    for selection, names in (
        ({"account": "acme"}, ["ann", "bob"]),
        ({"state": "suspended"}, ["bob"]),
        ({"realm": "elsewhere"}, []),
    ):
        assert [each["authid"] for each in books.ask("user.list", **selection)["users"]] == names


def test_they_are_as_they_were_after_a_restart(books):
    books.ask("user.set", "ann", "reader", ticket="t", scram=SCRAM, cryptosign=[PUBKEY])
    books.ask("user.set", "bob", "reader", ticket="t")
    books.ask("user.suspend", "bob")
    again = books.restarted()
    assert again.notes == []
    assert again.ask("user.list") == books.ask("user.list")
    assert (matches(again, "t"), find(again, "bob").holder.why_refused) == (True, "suspended")


def test_a_role_that_is_no_more_lets_nobody_in(books):
    common = {"ticket": bytes(48), "created": 1.0}
    record = UserRecord(realm="radio", authid="ann", role="gone", account="ann", **common)
    lost = UserRecord(realm="gone", authid="bob", role="reader", account="bob", **common)
    notes = books.users.load([record, lost])
    assert notes == [
        "user ann is let in nowhere: no role gone in radio",
        "user bob is let in nowhere: no role reader in gone",
    ]
    assert find(books) is None
    assert books.ask("user.resume", "ann") == INVALID_ARGUMENT
    assert books.ask("user.suspend", "ann")["state"] == "suspended"
    assert books.ask("user.delete", "bob", realm="gone")["ended"] == 0
    assert books.ask("user.set", "ann", "reader")["role"] == "reader"


def test_no_ticket_stays_in_memory(books):
    books.ask("user.set", "ann", "reader", ticket="a long ticket")
    assert matches(books, "a long ticket")
    assert all("a long ticket" not in repr(record) for record in books.keeper.load().users)
    assert all("a long ticket" not in repr(act) for act in books.keeper.acts)


def test_one_of_the_configuration_comes_before_that_of_the_store(books):
    fixed = UserRecord(realm="radio", authid="ann", role="writer", account="ann", created=1.0)
    holder = Holder("ann", books.table.keep("ann"))
    books.users.fix(fixed, Credentials(authid="ann", role="writer", permissions=ALLOW_NONE, holder=holder))
    stored = UserRecord(realm="radio", authid="ann", role="reader", account="ann", created=2.0)
    assert books.users.load([stored]) == ["user ann is the configuration's: that of the store is nobody"]
    assert find(books) is None
    for act, arguments in (("suspend", ()), ("set", ("reader",))):
        assert books.ask(f"user.{act}", "ann", *arguments) == INVALID_ARGUMENT


def test_the_name_of_a_key_is_no_users(books):
    record = KeyRecord(id="station", account="station", realm="radio", created=1.0, created_by="me")
    books.keys.fix(record, digest("secret"), None)
    assert books.ask("user.set", "station", "reader", ticket="t") == INVALID_ARGUMENT
