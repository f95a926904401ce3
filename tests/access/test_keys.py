"""Keys at run time: issued, changed, rotated, suspended, revoked, by dates, and after a restart."""

import gc
import itertools
import types

import pytest
from support.books import Books

from radiod.access.openings import MAX_SECRETS
from radiod.access.secrets import is_key_id, is_secret
from radiod.core.access.records import KeyRecord, SecretRecord
from radiod.core.ids import digest
from radiod.core.rights import Action
from radiod.errors import (
    INVALID_ARGUMENT,
    NO_SUCH_ACCOUNT,
    NO_SUCH_KEY,
    QUOTA,
    STORE_UNAVAILABLE,
    NoAccess,
)
from radiod.web.ongoing import Ongoing

HOUR = 3600.0


@pytest.fixture
def books():
    return Books()


def reason(books, key):
    """Why somebody who shows a key that was issued is not let in; empty: is; None: nobody knows it."""
    secret = key["key"] if isinstance(key, dict) else key
    try:
        found = books.ring.find(secret)
        if found is None:
            return None
        found.check(None, "192.0.2.1")
    except NoAccess as refusal:
        return refusal.reason
    return ""


def goodbyes(client):
    """What ended a session: GOODBYE's reasons, and what they say."""
    return [(message[2], message[1]) for message in client.received() if message[0] == 6]


class TestIssue:
    def test_a_key_is_shown_once(self, books):
        issued = books.issue(listen=["weather.*"], label="dashboard")
        assert is_key_id(issued["id"])
        assert is_secret(issued.pop("key"))
        assert issued.pop("signing") is None
        assert issued == {
            "id": issued["id"],
            "account": issued["id"],
            "realm": "radio",
            "label": "dashboard",
            "publish": [],
            "listen": ["weather.*"],
            "call": [],
            "register": [],
            "origins": [],
            "addresses": [],
            "valid_from": None,
            "valid_until": None,
            "state": "active",
            "reason": "",
            "created": books.clock.time(),
            "secrets": issued["secrets"],
            "sessions": 0,
        }
        assert books.ask("key.get", issued["id"]) == issued

    def test_its_secret_is_told_by_its_end(self, books):
        issued = books.issue()
        (secret,) = issued["secrets"]
        assert secret == {
            "hint": issued["key"][-4:],
            "created": books.clock.time(),
            "expires": None,
            "last_used": None,
        }

    def test_it_opens_what_its_patterns_say(self, books):
        issued = books.issue(publish=["a"], listen=["b.*"], call=["c"], register=["d"])
        key = books.ring.get(issued["key"])
        assert (key.id, key.realm, key.holder.id) == (issued["id"], books.realm, issued["id"])
        principal = key.principal
        assert (principal.authid, principal.authrole) == (issued["id"], f"key:{issued['id']}")
        assert (principal.authmethod, principal.authprovider) == ("key", "managed")
        rights = principal.permissions
        allowed = [
            (action, uri)
            for action, uri in itertools.product(Action, ("a", "b.x", "c", "d"))
            if rights.allows(action, uri)
        ]
        assert allowed == [("subscribe", "b.x"), ("publish", "a"), ("call", "c"), ("register", "d")]
        assert not rights.may_hold_publishers

    def test_it_is_a_member_of_private_channels_that_it_names(self, books):
        for patterns, memberships in (({"listen": ["vault"]}, ("vault",)), ({"listen": ["*"]}, ())):
            assert books.ring.get(books.issue(**patterns)["key"]).principal.memberships == memberships

    def test_it_may_sign(self, books):
        issued = books.issue(signed=True)
        assert issued["signing"].startswith("rds_")
        assert books.ring.signing_secret(issued["id"]) == issued["signing"]
        assert "signing" not in books.ask("key.get", issued["id"])

    def test_it_is_on_an_account_that_is_there(self, books):
        assert books.issue(account="acme") == NO_SUCH_ACCOUNT
        books.ask("account.set", "acme")
        issued = books.issue(account="acme")
        assert issued["account"] == "acme"
        assert books.ring.get(issued["key"]).holder.account is books.table.of("acme")

    def test_another_key_may_be_on_the_account_of_one_without(self, books):
        first = books.issue()
        assert books.ask("account.get", first["id"])["created"] == first["created"]
        assert books.issue(account=first["id"])["account"] == first["id"]

    def test_it_opens_nothing_before_it_is_written(self, books):
        books.keeper.is_held = True
        client = books.begin("key.issue")
        assert (client.received(), len(books.keys), list(books.ring)) == ([], 0, [])
        books.keeper.write()
        ((_, _, _, (answer,)),) = client.received()
        assert reason(books, answer) == ""

    def test_what_cannot_be_written_is_not_there(self, books):
        books.keeper.is_broken = True
        assert books.issue() == STORE_UNAVAILABLE
        assert (len(books.keys), list(books.ring), books.ask("account.list")["accounts"][1:]) == (0, [], [])

    def test_there_is_a_bound(self):
        books = Books(most=2)
        books.issue()
        books.issue()
        assert books.issue() == QUOTA

    def test_the_audit_tells_who_did_it_and_no_secret(self, books):
        issued = books.issue(listen=["a"], signed=True)
        (act,) = books.keeper.acts
        assert (act.actor, act.address, act.action, act.object) == ("boss", "", "key.issue", issued["id"])
        assert act.detail["listen"] == ["a"]
        assert act.detail["signed"] is True
        assert issued["key"] not in repr(act)
        assert issued["signing"] not in repr(act)


class TestUpdate:
    def test_only_what_is_given_changes(self, books):
        issued = books.issue(listen=["a"], label="old", addresses=["192.0.2.0/24"])
        changed = books.ask("key.update", issued["id"], label="new")
        assert changed == {**books.ask("key.get", issued["id"])}
        assert (changed["label"], changed["listen"], changed["addresses"]) == ("new", ["a"], ["192.0.2.0/24"])

    def test_none_takes_a_bound_away(self, books):
        issued = books.issue(valid_until=books.clock.time() + 10)
        assert books.ask("key.update", issued["id"], valid_until=None)["valid_until"] is None
        books.clock.advance(20)
        assert reason(books, issued) == ""

    def test_open_sessions_have_the_new_rights(self, books):
        issued = books.issue(listen=["a", "b"], publish=["a"])
        client = books.join(issued)
        client.subscribe("a")
        kept = client.subscribe("b")
        books.ask("key.update", issued["id"], listen=["b", "c"], publish=[])
        assert list(client.subscriptions) == [kept]
        assert client.answer(16, {"acknowledge": True}, "a")[4] == "wamp.error.not_authorized"
        client.subscribe("c")
        assert books.ring.get(issued["key"]).principal.permissions.allows("subscribe", "c")

    def test_sessions_with_less_than_the_key_do_not_get_more(self, books):
        issued = books.issue(listen=["a", "b"])
        client = books.join(issued)
        own = books.ring.get(books.issue(listen=["a"])["key"]).principal.permissions
        books.realm.revision.revise(client.session, own)
        books.ask("key.update", issued["id"], listen=["a", "b", "c"])
        assert client.session.principal.permissions is own

    def test_it_moves_to_another_account_with_what_it_has_open(self, books):
        books.ask("account.set", "acme")
        issued = books.issue()
        books.join(issued)
        assert books.ask("account.get", issued["id"])["connections"] == 1
        books.ask("key.update", issued["id"], account="acme")
        assert books.ask("account.get", issued["id"])["connections"] == 0
        assert books.ask("account.get", "acme")["connections"] == 1
        assert books.ask("key.update", issued["id"], account=None)["account"] == issued["id"]
        assert books.ask("key.update", issued["id"], account="nobody") == NO_SUCH_ACCOUNT

    def test_it_signs_or_no_more(self, books):
        issued = books.issue()
        signing = books.ask("key.update", issued["id"], signed=True)["signing"]
        assert books.ring.signing_secret(issued["id"]) == signing
        assert "signing" not in books.ask("key.update", issued["id"], label="x")
        assert books.ring.signing_secret(issued["id"]) == signing
        books.ask("key.update", issued["id"], signed=False)
        assert books.ring.signing_secret(issued["id"]) is None

    def test_places_change(self, books):
        issued = books.issue(addresses=["192.0.2.1"])
        books.ask("key.update", issued["id"], addresses=["198.51.100.1"])
        assert reason(books, issued) == "address"

    def test_it_may_not_end_before_it_begins(self, books):
        issued = books.issue(valid_from=100)
        assert books.ask("key.update", issued["id"], valid_until=100) == INVALID_ARGUMENT
        assert books.issue(valid_from=100, valid_until=99) == INVALID_ARGUMENT

    def test_nothing_changes_before_it_is_written(self, books):
        issued = books.issue(listen=["a"])
        books.keeper.is_held = True
        books.begin("key.update", issued["id"], listen=[])
        assert books.ask("key.get", issued["id"])["listen"] == ["a"]
        books.keeper.write()
        assert books.ask("key.get", issued["id"])["listen"] == []


class TestRotate:
    def test_the_old_secret_is_good_for_the_overlap(self, books):
        issued = books.issue()
        rotated = books.ask("key.rotate", issued["id"], overlap=60)
        assert set(rotated) == {"id", "key", "expires"}
        assert rotated["expires"] == books.clock.time() + 60
        assert (reason(books, issued), reason(books, rotated)) == ("", "")
        books.clock.advance(59.999)
        assert reason(books, issued) == ""
        books.clock.advance(0.001)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "")

    def test_without_overlap_it_is_over_at_once(self, books):
        issued = books.issue()
        rotated = books.ask("key.rotate", issued["id"], overlap=0)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "")
        assert [one["hint"] for one in books.ask("key.get", issued["id"])["secrets"]] == [rotated["key"][-4:]]

    def test_without_overlap_no_clock_brings_it_back(self, books):
        issued = books.issue()
        rotated = books.ask("key.rotate", issued["id"], overlap=0)
        books.clock.set_date(-86_400)
        books.clock.advance(1)
        again = books.restarted()
        again.clock.set_date(-86_400)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "")
        assert (reason(again, issued), reason(again, rotated)) == ("rotated", "")
        assert [one["hint"] for one in books.ask("key.get", issued["id"])["secrets"]] == [rotated["key"][-4:]]

    def test_a_day_is_usual(self, books):
        assert books.ask("key.rotate", books.issue()["id"])["expires"] == books.clock.time() + 86_400

    def test_nothing_else_changes(self, books):
        issued = books.issue(listen=["a"])
        client = books.join(issued)
        books.ask("key.rotate", issued["id"], overlap=0)
        assert client.session.is_open
        assert books.ask("key.get", issued["id"])["listen"] == ["a"]

    def test_a_later_rotation_prolongs_nothing(self, books):
        issued = books.issue()
        second = books.ask("key.rotate", issued["id"], overlap=10)
        books.ask("key.rotate", issued["id"], overlap=100)
        books.clock.advance(10)
        assert (reason(books, issued), reason(books, second)) == ("rotated", "")

    def test_old_secrets_are_bounded(self, books):
        issued = books.issue()
        secrets = [issued["key"]]
        for _ in range(3 * MAX_SECRETS):
            secrets.append(books.ask("key.rotate", issued["id"], overlap=0)["key"])
        told = [reason(books, secret) for secret in secrets]
        assert told == [None] * (2 * MAX_SECRETS) + ["rotated"] * MAX_SECRETS + [""]
        assert len(books.keeper.load().secrets) == MAX_SECRETS + 1

    def test_living_secrets_are_bounded(self, books):
        issued = books.issue()
        for _ in range(MAX_SECRETS - 1):
            books.ask("key.rotate", issued["id"])
        assert books.ask("key.rotate", issued["id"]) == QUOTA
        assert is_secret(books.ask("key.rotate", issued["id"], overlap=0)["key"])

    def test_two_at_once_leave_the_last(self, books):
        issued = books.issue()
        books.keeper.is_held = True
        clients = [books.begin("key.rotate", issued["id"], 0) for _ in range(2)]
        books.keeper.write()
        books.keeper.write()
        first, second = (client.received()[0][3][0]["key"] for client in clients)
        assert [reason(books, each) for each in (issued, first, second)] == ["rotated", "rotated", ""]

    def test_what_cannot_be_written_leaves_the_old_one(self, books):
        issued = books.issue()
        books.keeper.is_broken = True
        assert books.ask("key.rotate", issued["id"], overlap=0) == STORE_UNAVAILABLE
        assert reason(books, issued) == ""


class TestEnd:
    @pytest.mark.parametrize(("act", "state"), [("suspend", "suspended"), ("revoke", "revoked")])
    def test_nobody_is_let_in_and_all_ends(self, books, act, state):
        issued, other = books.issue(listen=["a"]), books.issue(listen=["a"])
        clients = [books.join(issued) for _ in range(3)]
        bystander = books.join(other)
        answer = books.ask(f"key.{act}", issued["id"], "contract ended")
        assert answer == {"id": issued["id"], "state": state, "ended": 3}
        for client in clients:
            ((said, details),) = goodbyes(client)
            assert said == f"radiod.close.{state}"
            assert state in details["message"]
        assert (reason(books, issued), reason(books, other)) == (state, "")
        assert bystander.session.is_open
        told = books.ask("key.get", issued["id"])
        assert (told["state"], told["reason"], told["sessions"]) == (state, "contract ended", 0)

    @pytest.mark.parametrize("act", ["suspend", "revoke"])
    def test_a_call_ends_though_no_connection_is_counted(self, books, act):
        issued, ended = books.issue(call=["p"]), []
        Ongoing(books.ring.get(issued["key"]).holder, ended.append)
        answer = books.ask(f"key.{act}", issued["id"])
        assert ([why.reason for why in ended], answer["ended"]) == ([answer["state"]], 1)

    @pytest.mark.parametrize("act", ["suspend", "revoke"])
    def test_it_acts_before_it_is_written_and_is_answered_after(self, books, act):
        issued = books.issue()
        client = books.join(issued)
        books.keeper.is_held = True
        boss = books.begin(f"key.{act}", issued["id"])
        assert reason(books, issued) == {"suspend": "suspended", "revoke": "revoked"}[act]
        assert not client.session.is_open
        assert boss.received() == []
        books.keeper.write()
        assert len(boss.received()) == 1

    def test_it_acts_even_if_it_cannot_be_written(self, books):
        issued = books.issue()
        books.keeper.is_broken = True
        assert books.ask("key.revoke", issued["id"]) == STORE_UNAVAILABLE
        assert reason(books, issued) == "revoked"
        assert books.ask("key.get", issued["id"])["state"] == "revoked"

    def test_a_suspended_key_is_let_in_again(self, books):
        issued = books.issue()
        books.ask("key.suspend", issued["id"], "late")
        resumed = books.ask("key.resume", issued["id"])
        assert (resumed["state"], resumed["reason"], reason(books, issued)) == ("active", "", "")

    def test_a_revoked_key_is_revoked_for_good(self, books):
        issued = books.issue()
        books.ask("key.revoke", issued["id"])
        for act in ("resume", "suspend", "rotate"):
            assert books.ask(f"key.{act}", issued["id"]) == INVALID_ARGUMENT
        assert books.ask("key.revoke", issued["id"])["ended"] == 0
        assert reason(books, issued) == "revoked"

    def test_a_resumption_that_was_asked_before_does_not_undo_an_end(self, books):
        issued = books.issue()
        books.ask("key.suspend", issued["id"])
        books.keeper.is_held = True
        books.begin("key.resume", issued["id"])
        books.begin("key.revoke", issued["id"])
        books.keeper.write()
        assert reason(books, issued) == "revoked"
        books.keeper.write()
        assert reason(books, issued) == "revoked"
        (kept,) = books.keeper.load().keys
        assert kept.state == "revoked"

    def test_nor_does_one_that_waits_for_its_turn(self, books):
        issued = books.issue()
        books.ask("key.suspend", issued["id"])
        books.keeper.is_held = True
        for act in ("update", "resume", "suspend"):
            books.begin(f"key.{act}", issued["id"])
        books.keeper.write(1)
        books.keeper.write(1)
        books.keeper.write(1)
        (kept,) = books.keeper.load().keys
        assert (kept.state, reason(books, issued)) == ("suspended", "suspended")

    def test_many_changes_of_one_key_wait_up_to_a_bound(self, books):
        issued = books.issue()
        books.keeper.is_held = True
        for _ in range(101):
            assert books.begin("key.resume", issued["id"]).received() == []
        assert books.ask("key.resume", issued["id"]) == QUOTA
        # What restricts is never refused.
        books.begin("key.revoke", issued["id"])
        assert reason(books, issued) == "revoked"

    def test_whoever_wants_to_know_is_told(self, books):
        told = []
        books.keys.on_end = lambda record, reason: told.append((record.id, reason))
        issued = books.issue()
        for act in ("suspend", "suspend", "resume", "suspend", "revoke", "revoke"):
            books.ask(f"key.{act}", issued["id"], *(["why"] if act != "resume" else []))
        assert told == [(issued["id"], reason) for reason in ("suspended", "suspended", "revoked")]

    def test_whoever_wants_to_know_is_told_of_dates_once(self, books):
        told = []
        books.keys.on_end = lambda record, reason: told.append((record.id, reason))
        now = books.clock.time()
        coming = books.issue(valid_from=now + 5, valid_until=now + 10)
        over = books.issue()
        books.ask("key.update", over["id"], valid_until=now - 1)
        assert told == [(over["id"], "expired")]
        books.clock.advance(10)
        books.keys.review()
        assert told[1:] == [(coming["id"], "expired")]
        again = books.restarted()
        again.keys.on_end = lambda record, reason: told.append((record.id, reason))
        again.clock.advance(10)
        assert len(told) == 2

    def test_it_has_ended_though_something_of_it_fails_to(self, books):
        told = []
        books.keys.on_end = lambda record, reason: told.append(reason)
        issued = books.issue(listen=["a"])
        holder = books.ring.get(issued["key"]).holder
        holder.enter("broken", lambda thing, reason: 1 / 0)
        client = books.join(issued)
        with pytest.raises(ZeroDivisionError):
            books.keys.find(issued["id"]).standing.set("suspended")
        assert (client.session.is_open, told) == (False, ["suspended"])


class TestDates:
    def test_a_key_ends_on_time(self, books):
        issued = books.issue(valid_until=books.clock.time() + 100.25)
        client = books.join(issued)
        books.clock.advance(100.249)
        assert reason(books, issued) == ""
        assert client.session.is_open
        books.clock.advance(0.001)
        assert reason(books, issued) == "expired"
        assert [said for said, _ in goodbyes(client)] == ["radiod.close.expired"]
        assert books.ask("key.get", issued["id"])["state"] == "active"

    def test_a_key_begins_on_time(self, books):
        issued = books.issue(valid_from=books.clock.time() + 10, valid_until=books.clock.time() + 20)
        assert reason(books, issued) == "not_yet_valid"
        books.clock.advance(10)
        assert reason(books, issued) == ""
        books.clock.advance(10)
        assert reason(books, issued) == "expired"

    def test_a_date_of_rfc_3339_will_do(self, books):
        assert books.issue(valid_until="2100-01-01T00:00:00Z")["valid_until"] == 4_102_444_800.0

    def test_a_clock_that_is_set_forward_ends_it_within_a_second(self, books):
        issued = books.issue(valid_until=books.clock.time() + 86_400)
        client = books.join(issued)
        books.clock.set_date(86_401)
        books.clock.advance(1)
        assert reason(books, issued) == "expired"
        assert not client.session.is_open

    def test_a_clock_that_is_set_back_brings_back_what_ended_too_early(self, books):
        issued = books.issue(valid_until=books.clock.time() + 10)
        rotated = books.ask("key.rotate", issued["id"], overlap=5)
        books.clock.set_date(86_400)
        books.clock.advance(1)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "expired")
        books.clock.set_date(-86_400)
        books.clock.advance(1)
        assert (reason(books, issued), reason(books, rotated)) == ("", "")
        books.clock.advance(3)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "")
        books.clock.advance(5)
        assert (reason(books, issued), reason(books, rotated)) == ("rotated", "expired")

    def test_a_new_date_counts_at_once(self, books):
        issued = books.issue()
        client = books.join(issued)
        books.ask("key.update", issued["id"], valid_until=books.clock.time())
        assert not client.session.is_open
        assert reason(books, issued) == "expired"
        books.ask("key.update", issued["id"], valid_until=books.clock.time() + 5)
        assert reason(books, issued) == ""

    def test_suspended_keys_stay_so_whatever_the_date(self, books):
        issued = books.issue(valid_from=books.clock.time() + 10)
        books.ask("key.suspend", issued["id"])
        books.clock.advance(10)
        assert reason(books, issued) == "suspended"

    def test_dates_that_change_all_the_time_leave_nothing_behind(self, books):
        issued = books.issue(valid_until=books.clock.time() + 1000)
        before = len(books.calendar)
        for number in range(100):
            books.ask("key.update", issued["id"], valid_until=books.clock.time() + 1000 + number)
        assert len(books.calendar) == before


class TestLists:
    def test_keys_are_listed_by_id_in_pages(self, books):
        ids = sorted(books.issue()["id"] for _ in range(5))
        first = books.ask("key.list", limit=2)
        second = books.ask("key.list", limit=3, after=first["next"])
        assert [key["id"] for key in first["keys"] + second["keys"]] == ids
        assert (first["next"], second["next"]) == (ids[1], None)
        assert first["keys"][0] == books.ask("key.get", ids[0])

    def test_keys_are_selected(self, books):
        books.ask("account.set", "acme")
        mine, other = books.issue(account="acme"), books.issue()
        books.ask("key.revoke", mine["id"])
        for selection, ids in (
            ({"account": "acme"}, [mine["id"]]),
            ({"state": "active"}, [other["id"]]),
            ({"state": "revoked", "account": "acme"}, [mine["id"]]),
            ({"account": "nobody"}, []),
        ):
            assert [key["id"] for key in books.ask("key.list", **selection)["keys"]] == ids

    @pytest.mark.parametrize("procedure", ["get", "update", "rotate", "suspend", "resume", "revoke"])
    def test_a_key_that_is_not_there_is_not_there(self, books, procedure):
        assert books.ask(f"key.{procedure}", "k_nobody") == NO_SUCH_KEY


class TestConfiguration:
    def fixed(self, id="station", **fields):
        record = {"account": id, "realm": "radio", "created": 1.0, "created_by": "configuration", **fields}
        return KeyRecord(id=id, **record)

    def test_its_keys_are_found_and_not_changed(self, books):
        books.keys.fix(self.fixed(listen=("a",)), digest("secret"), None)
        assert reason(books, "secret") == ""
        principal = books.ring.get("secret").principal
        assert (principal.authprovider, principal.permissions.may_hold_publishers) == ("static", True)
        for act in ("update", "rotate", "suspend", "resume", "revoke"):
            assert books.ask(f"key.{act}", "station") == INVALID_ARGUMENT

    def test_they_come_before_those_of_the_store(self, books):
        books.keys.fix(self.fixed(), digest("secret"), None)
        stored = SecretRecord(digest=digest("other"), key="station", hint="ther", created=2.0)
        notes = books.keys.load([self.fixed(label="stored")], [stored])
        assert notes == ["key station is the configuration's: that of the store opens nothing"]
        assert (reason(books, "secret"), reason(books, "other")) == ("", None)

    def test_two_realms_may_have_one_name(self, books):
        books.keys.fix(self.fixed(), digest("one"), None)
        books.keys.fix(self.fixed(realm="elsewhere"), digest("two"), None)
        listed = [(key["id"], key["realm"]) for key in books.ask("key.list")["keys"]]
        assert listed == [("station", "radio"), ("station", "elsewhere")]

    def test_their_use_is_told_and_not_written(self, books):
        books.keys.fix(self.fixed(), digest("secret"), None)
        books.ring.find("secret")
        books.keys.tell_used()
        assert books.ask("key.get", "station")["secrets"][0]["last_used"] is not None
        assert books.keeper.noted == []


class TestUse:
    def test_the_hour_of_the_last_use_is_told(self, books):
        issued, idle = books.issue(), books.issue()
        books.ring.find(issued["key"])
        books.keys.tell_used()
        hour = books.clock.time() // HOUR * HOUR
        assert books.ask("key.get", issued["id"])["secrets"][0]["last_used"] == hour
        assert books.ask("key.get", idle["id"])["secrets"][0]["last_used"] is None
        assert len(books.keeper.noted) == 1

    def test_it_is_written_once_an_hour(self, books):
        issued = books.issue()
        for _ in range(3):
            books.ring.find(issued["key"])
            books.keys.tell_used()
        assert len(books.keeper.noted) == 1
        books.clock.advance(HOUR)
        books.ring.find(issued["key"])
        books.keys.tell_used()
        assert len(books.keeper.noted) == 2


class TestRestart:
    def test_all_is_as_it_was(self, books):
        books.ask("account.set", "acme", label="ACME Ltd")
        issued = books.issue(account="acme", listen=["a"], signed=True, addresses=["192.0.2.1"])
        rotated = books.ask("key.rotate", issued["id"], overlap=60)
        suspended, revoked = books.issue(), books.issue()
        books.ask("key.suspend", suspended["id"], "late")
        books.ask("key.revoke", revoked["id"])
        books.ring.find(issued["key"])
        books.keys.tell_used()
        again = books.restarted()
        assert again.notes == []
        assert again.ask("key.list") == books.ask("key.list")
        assert again.ask("account.list") == books.ask("account.list")
        told = [reason(again, key) for key in (issued, rotated, suspended, revoked)]
        assert told == ["", "", "suspended", "revoked"]
        assert again.ring.signing_secret(issued["id"]) == issued["signing"]
        again.clock.advance(60)
        assert reason(again, issued) == "rotated"

    def test_time_passes_while_it_is_down(self, books):
        issued = books.issue(valid_until=books.clock.time() + 10)
        other = books.issue()
        books.ask("key.rotate", other["id"], overlap=5)
        books.clock.advance(11)
        again = books.restarted()
        assert (reason(again, issued), reason(again, other)) == ("expired", "rotated")

    def test_keys_of_a_realm_that_is_no_more_open_nothing(self, books):
        issued = books.issue()
        (record,) = books.keeper.load().keys
        books.keeper._keys[record.id] = type(record)(
            **{name: getattr(record, name) for name in record.__struct_fields__} | {"realm": "gone"}
        )
        again = books.restarted()
        assert again.notes == [f"key {issued['id']} opens nothing: there is no realm gone"]
        assert reason(again, issued) is None
        assert again.ask("key.get", issued["id"])["realm"] == "gone"
        again.ask("key.update", issued["id"], label="x")
        assert again.ask("key.revoke", issued["id"])["state"] == "revoked"


def test_no_secret_stays_in_memory(books):
    issued = books.issue(listen=["a"], label="a label that stays")
    rotated = books.ask("key.rotate", issued["id"], overlap=60)
    assert reason(books, issued) == reason(books, rotated) == ""
    assert reason(books, issued["key"] + "x") is None
    books.join(issued)
    texts = list(_texts(books))
    assert any("a label that stays" in text for text in texts)
    for secret in (issued["key"], rotated["key"]):
        assert not [text for text in texts if secret in text]


def _texts(root):
    """Every text that can be reached from something."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, str):
            yield thing
        elif isinstance(thing, bytes | bytearray):
            yield thing.decode("latin-1")
        elif isinstance(thing, types.FunctionType):
            inner = [thing.__closure__, thing.__defaults__]
        elif isinstance(thing, types.ModuleType | type):
            continue
        else:
            inner = gc.get_referents(thing)
        if not isinstance(thing, str | bytes | bytearray):
            fresh = [each for each in inner if id(each) not in seen]
            seen.update(map(id, fresh))
            waiting.extend(fresh)
