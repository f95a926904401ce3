"""``radioctl key``, ``account``, ``plan``, ``user``."""

import pytest
from support.admin_server import Refuse

SECRET = "rdk_" + "a" * 49
KEY = {
    "id": "k_7Qm2xTz0Vb9c",
    "account": "acme",
    "realm": "town",
    "label": "dashboard",
    "publish": [],
    "listen": ["weather.*"],
    "call": [],
    "register": [],
    "origins": [],
    "addresses": [],
    "valid_from": None,
    "valid_until": 1830211200.0,
    "state": "active",
    "reason": "",
    "created": 1795694210.0,
    "secrets": [{"hint": "aaaa", "created": 1795694210.0, "expires": None, "last_used": None}],
    "sessions": 3,
}
ACCOUNT = {"id": "acme", "label": "ACME Ltd", "plan": "basic", "state": "active"}


def refuse(uri):
    """What answers so, whatever it is asked."""

    def answer(*_, **__):
        raise Refuse(uri, "the sentence")

    return answer


class TestASession:
    """The terminal session that is fixed: what a seller types on the first day, and reads."""

    def test_plan_set(self, run, server):
        server.answers["radiod.admin.plan.set"] = lambda **given: given
        limits = "publish_rate=10", "publish_burst=20", "deliver_month=1000000", "connections=5"
        done = run("plan", "set", "basic", *limits)
        assert done == (
            0,
            "basic   publish_rate 10/s · publish_burst 20 · deliver_month 1,000,000 · connections 5\n",
            "",
        )
        given = {"publish_rate": 10, "publish_burst": 20, "deliver_month": 1000000, "connections": 5}
        assert server.calls == [("radiod.admin.plan.set", [], {"name": "basic", **given})]

    def test_account_set(self, run, server):
        server.answers["radiod.admin.account.get"] = lambda id: ACCOUNT
        server.answers["radiod.admin.account.set"] = lambda **given: ACCOUNT
        assert run("account", "set", "acme", "--plan", "basic", "--label", "ACME Ltd") == (0, "", "")
        assert server.calls[0][2] == {"id": "acme", "plan": "basic", "label": "ACME Ltd"}

    def test_key_issue(self, run, server):
        server.answers["radiod.admin.key.issue"] = lambda **given: {**KEY, "key": SECRET, "signing": None}
        server.answers["radiod.admin.account.get"] = lambda id: ACCOUNT
        words = [
            "--account",
            "acme",
            "--listen",
            "weather.*",
            "--until",
            "2027-12-31",
            "--label",
            "dashboard",
        ]
        done = run("key", "issue", *words)
        assert done == (
            0,
            "k_7Qm2xTz0Vb9c  ACME Ltd, plan basic   listen weather.*   until 2027-12-31 00:00 UTC\n"
            f"{SECRET}  (shown once: only its hash is kept)\n",
            "",
        )
        assert server.calls[0][2] == {
            "account": "acme",
            "listen": ["weather.*"],
            "valid_until": 1830211200.0,
            "label": "dashboard",
        }

    def test_usage(self, run, server):
        row = {
            "account": "acme",
            "published": 0,
            "delivered": 412773,
            "dropped": 96,
            "refused": 0,
            "calls": 0,
        }
        row |= {"bytes_in": 0, "bytes_out": 61_234_567, "seconds": 1204.2 * 3600}
        server.answers["radiod.admin.usage"] = lambda **given: {"rows": [row], "next": None}
        done = run("usage", "--account", "acme", "--month", "2026-11")
        assert done.out == (
            "account  published  delivered   dropped  bytes out  hours connected\n"
            "acme             0    412,773        96    61.2 MB            1,204\n"
        )
        given = {"account": "acme", "since": 1793491200.0, "until": 1796083200.0, "by": ["account"]}
        assert server.calls[0][2] == {**given, "limit": 1000, "after": None}

    def test_key_revoke(self, run, server):
        server.answers["radiod.admin.key.revoke"] = lambda **given: {**given, "state": "revoked", "ended": 3}
        done = run("key", "revoke", KEY["id"], "--reason", "contract ended")
        assert done == (0, "k_7Qm2xTz0Vb9c revoked; 3 connections ended\n", "")
        assert server.calls[0][2] == {"id": KEY["id"], "reason": "contract ended"}


class TestKeys:
    def test_an_account_that_cannot_be_asked_about_is_told_by_its_id(self, run, server):
        server.answers["radiod.admin.key.issue"] = lambda **given: {**KEY, "key": SECRET, "signing": "s" * 43}
        done = run("key", "issue")
        assert done.out.startswith("k_7Qm2xTz0Vb9c  acme   listen weather.*")
        assert done.out.endswith(f"{'s' * 43}  (signing secret, shown once)\n")

    def test_nodes_that_do_not_answer_are_named(self, run, server):
        line = "radioctl: without what is open on nodes that do not answer: b\n"
        server.answers["radiod.admin.key.get"] = lambda **_: {**KEY, "unanswered": ["b"]}
        server.answers["radiod.admin.key.list"] = lambda **_: {"keys": [KEY], "unanswered": ["b"]}
        assert run("key", "get", KEY["id"]).err == line
        assert run("key", "list").err == line

    def test_the_list_goes_through_all_pages(self, run, server):
        def keys(after, limit, **given):
            number = int(after or 0)
            page = [{**KEY, "id": f"k_{n}"} for n in range(number, number + limit)]
            return {"keys": page, "next": str(number + limit) if number < 2000 else None}

        server.answers["radiod.admin.key.list"] = keys
        assert len(run("key", "list", "--json").json["keys"]) == 3000
        assert [call[2]["after"] for call in server.calls] == [None, "1000", "2000"]
        server.calls.clear()
        done = run("key", "list", "--account", "acme", "--state", "active", "--limit", "1")
        lines = done.out.splitlines()
        assert lines[0].split() == ["key", "account", "state", "label", "rights", "until", "open"]
        assert lines[1] == "k_0  acme     active  dashboard  listen weather.*  2027-12-31 00:00 UTC     3"
        asked = {"account": "acme", "state": "active", "limit": 1, "after": None}
        assert server.calls == [("radiod.admin.key.list", [], asked)]

    def test_get_shows_what_there_is_but_no_secret(self, run, server):
        server.answers["radiod.admin.key.get"] = lambda id: {**KEY, "reason": "why"}
        done = run("key", "get", "k")
        assert done.out.splitlines()[0] == KEY["id"]
        assert "  state      active (why)" in done.out
        assert "  secret     …aaaa, since 2026-11-26 11:56 UTC, never used" in done.out

    def test_update_sends_what_is_given_and_what_is_taken_away(self, run, server):
        server.answers["radiod.admin.key.update"] = lambda **given: KEY
        words = (
            "--publish",
            "a.*",
            "--publish",
            "b",
            "--no",
            "until",
            "--no",
            "origin",
            "--origin",
            "https://x",
        )
        assert run("key", "update", "k", *words).status == 0
        changes = {"publish": ["a.*", "b"], "valid_until": None, "origins": []}
        assert server.calls[0][2] == {"id": "k", **changes}
        assert run("key", "update", "k", "--no", "signing").status == 0
        assert server.calls[1][2] == {"id": "k", "signed": False}
        server.answers["radiod.admin.key.update"] = lambda **given: {**KEY, "signing": "s" * 43}
        assert f"{'s' * 43}  (signing secret, shown once)" in run("key", "update", "k", "--signed").out
        assert run("key", "update", "k").status == 2
        assert run("key", "update", "k", "--no", "account").status == 2

    def test_rotate_shows_the_new_secret_and_when_the_old_one_ends(self, run, server):
        answer = {"id": "k", "key": SECRET, "expires": 1795780610.0}
        server.answers["radiod.admin.key.rotate"] = lambda **given: answer
        done = run("key", "rotate", "k", "--overlap", "60")
        assert done.out == (
            "k has a new secret; the old ones end 2026-11-27 11:56 UTC\n"
            f"{SECRET}  (shown once: only its hash is kept)\n"
        )
        assert server.calls[0][2] == {"id": "k", "overlap": 60.0}

    @pytest.mark.parametrize("name", ["suspend", "resume"])
    def test_suspend_and_resume(self, run, server, name):
        state = {"suspend": "suspended", "resume": "active"}[name]
        server.answers[f"radiod.admin.key.{name}"] = lambda id, **_: {"id": id, "state": state, "ended": 1}
        assert run("key", name, "k").out == f"k {state}; 1 connection ended\n"

    def test_json_is_the_answer_as_it_came(self, run, server):
        server.answers["radiod.admin.key.get"] = lambda id: KEY
        assert run("key", "get", "k", "--json").json == KEY


class TestAccountsAndPlans:
    def test_a_list_of_accounts(self, run, server):
        server.answers["radiod.admin.account.list"] = lambda **_: {"accounts": [ACCOUNT], "next": None}
        assert run("account", "list").out.splitlines()[1] == "acme     ACME Ltd  basic  active"

    def test_one_account(self, run, server):
        server.answers["radiod.admin.account.get"] = lambda id: ACCOUNT
        assert run("account", "get", "acme").out == (
            "acme\n  label  ACME Ltd\n  plan   basic\n  state  active\n"
        )

    def test_suspend_and_resume(self, run, server):
        answer = {"id": "acme", "state": "suspended", "ended": 1200}
        server.answers["radiod.admin.account.suspend"] = lambda **given: answer
        server.answers["radiod.admin.account.resume"] = lambda id: ACCOUNT
        done = run("account", "suspend", "acme", "--reason", "unpaid")
        assert done.out == "acme suspended; 1,200 connections ended\n"
        assert server.calls[0][2] == {"id": "acme", "reason": "unpaid"}
        assert run("account", "resume", "acme").out == "acme active\n"

    @pytest.mark.parametrize(
        ("words", "plan", "label"),
        [
            (["--plan", "pro"], "pro", "ACME Ltd"),
            (["--label", "Acme"], "basic", "Acme"),
            (["--plan", ""], None, "ACME Ltd"),
            ([], "basic", "ACME Ltd"),
        ],
    )
    def test_what_is_not_given_stays_as_it_was(self, run, server, words, plan, label):
        server.answers["radiod.admin.account.get"] = lambda id: ACCOUNT
        server.answers["radiod.admin.account.set"] = lambda **given: ACCOUNT
        assert run("account", "set", "acme", *words).status == 0
        assert server.calls[-1][2] == {"id": "acme", "plan": plan, "label": label}

    def test_an_account_that_is_not_there_is_made(self, run, server):
        server.answers["radiod.admin.account.get"] = refuse("radiod.error.no_such_account")
        server.answers["radiod.admin.account.set"] = lambda **given: ACCOUNT
        assert run("account", "set", "acme").status == 0
        assert server.calls[-1][2] == {"id": "acme", "plan": None, "label": ""}

    def test_one_that_cannot_be_looked_at_is_not_changed(self, run, server):
        server.answers["radiod.admin.account.get"] = refuse("wamp.error.not_authorized")
        assert run("account", "set", "acme", "--plan", "pro").status == 1
        assert len(server.calls) == 1

    @pytest.mark.parametrize("limit", ["publish_rate", "=1", "10"])
    def test_a_limit_without_a_value_is_wrong_usage(self, run, server, limit):
        assert run("plan", "set", "basic", limit).status == 2
        assert server.calls == []

    def test_limits_are_numbers_words_and_tables(self, run, server):
        server.answers["radiod.admin.plan.set"] = lambda **given: given
        done = run(
            "plan", "set", "p", "over=thin", "self_rotate=true", 'price={"base": 10}', "publish_rate=0.5"
        )
        assert done.out == "p   over thin · self_rotate · price base 10 · publish_rate 0.5/s\n"

    def test_list_and_delete(self, run, server):
        plans = [{"name": "a", "limits": {"connections": 5}}, {"name": "b", "limits": {}}]
        server.answers["radiod.admin.plan.list"] = lambda: {"plans": plans}
        server.answers["radiod.admin.plan.delete"] = lambda name: {"name": name}
        assert run("plan", "list").out == "a   connections 5\nb   no limits\n"
        assert run("plan", "delete", "a") == (0, "", "")


class TestUsers:
    def test_a_ticket_comes_from_a_file_or_stdin_and_never_from_the_command_line(self, run, server, tmp_path):
        server.answers["radiod.admin.user.set"] = lambda **given: {"authid": given["authid"]}
        (tmp_path / "ticket").write_text("the ticket\n")
        assert run("user", "set", "joe", "--role", "writer", "--ticket-file", tmp_path / "ticket").status == 0
        words = ("user", "set", "joe", "--role", "writer", "--account", "acme", "--ticket-file", "-")
        assert run(*words, stdin="another\r\n").status == 0
        tickets = [call[2]["ticket"] for call in server.calls]
        assert tickets == ["the ticket", "another"]
        assert run("user", "set", "joe", "--role", "writer", "--ticket", "secret").status == 2

    def test_a_verifier_is_json_in_a_file(self, run, server, tmp_path):
        server.answers["radiod.admin.user.set"] = lambda **given: given
        (tmp_path / "scram").write_text('{"kdf": "pbkdf2"}')
        words = ("--scram-file", tmp_path / "scram", "--cryptosign", "aa", "--cryptosign", "bb")
        assert run("user", "set", "joe", "--role", "writer", *words).status == 0
        proofs = {"scram": {"kdf": "pbkdf2"}, "cryptosign": ["aa", "bb"]}
        assert server.calls[0][2] == {"authid": "joe", "role": "writer", **proofs}

    def test_without_a_terminal_there_is_nobody_to_ask(self, run, server):
        done = run("user", "set", "joe", "--role", "writer", "--ticket", stdin="x\n")
        assert done.status == 2
        assert "no terminal to ask" in done.err

    def test_list_suspend_and_delete(self, run, server):
        one = {"authid": "joe", "role": "writer", "account": "acme", "state": "active"}
        server.answers["radiod.admin.user.list"] = lambda **_: {"users": [one], "next": None}
        server.answers["radiod.admin.user.suspend"] = lambda **given: {
            **given,
            "state": "suspended",
            "ended": 1,
        }
        server.answers["radiod.admin.user.resume"] = lambda **given: {**given, "state": "active"}
        server.answers["radiod.admin.user.delete"] = lambda authid: {"authid": authid, "ended": 2}
        assert run("user", "list").out.splitlines()[1] == "joe   writer  acme     active"
        assert run("user", "suspend", "joe", "--reason", "why").out == "joe suspended; 1 connection ended\n"
        assert run("user", "resume", "joe").out == "joe active\n"
        assert run("user", "delete", "joe").out == "joe deleted; 2 connections ended\n"


class TestRefusals:
    def test_a_refusal_is_status_1_with_uri_and_sentence(self, run, server):
        def get(id):
            raise Refuse("radiod.error.no_such_key", f"there is no key {id}")

        server.answers["radiod.admin.key.get"] = get
        assert run("key", "get", "k") == (1, "", "radioctl: radiod.error.no_such_key: there is no key k\n")
        done = run("key", "get", "k", "--json")
        assert (done.status, done.out) == (1, "")
        assert done.err == '{"error":"radiod.error.no_such_key","message":"there is no key k"}\n'
