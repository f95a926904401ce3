"""``radioctl check-config`` and ``restore``, ``usage`` in files, ``completion``."""

import time
from pathlib import Path

import click
import pytest
from support.tls import Issued

from radiod import command
from radiod.core.access.records import Act
from radiod.ctl.values import moment, month, size
from radiod.store.access import SqliteAccess
from radiod.store.sqlite import SqliteStore


class TestCheckConfig:
    def test_a_good_file(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "radiod.toml").write_text("[realms.radio]\nanonymous = 'listener'\n")
        assert run("check-config") == (0, "radiod.toml: a server can start with it\n", "")
        assert run("check-config", tmp_path / "radiod.toml", "--json").json["ok"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[limits]\nmax_connections = 0\n", "limits.max_connections: Expected `int` >= 1"),
            ("[realms.r.keys.k]\nkey_file = 'nowhere'\n", "realms.r.keys.k.key_file: "),
            ("[realms.r.channels.c]\ndurable = true\n", "realms.r.channels.c.durable: needs a store"),
            ("[admin]\nsockt = ''\n", "admin.sockt: unknown key; did you mean socket?"),
            ("[[listen]]\nendpoint = 'tcp:x'\n", "listen.[0].endpoint: cannot listen on 'tcp:x'"),
            ("[[listen]]\nendpoint = 'tcp:1'\ntls = {certificate = 'x', key = 'x'}\n", "listen.[0].tls: "),
        ],
    )
    def test_a_bad_one_is_one_line_and_status_1(self, run, tmp_path, text, told):
        file = tmp_path / "x.toml"
        file.write_text(text)
        done = run("check-config", file)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(f"radioctl: {file}: ")
        assert told in done.err
        assert done.err.count("\n") == 1
        assert run("--config", file, "check-config", "--json").status == 1

    def test_it_says_what_radiod_check_says(self, run, tmp_path, capsys):
        """Of good files, of those with a warning, and of bad ones."""
        pair = "[[listen]]\nendpoint = 'tcp:1'\ntls = {certificate = 'cert.pem', key = 'key.pem'}\n"
        for days, options in ((30, ()), (5, ()), (-1, ()), (30, ("--no-secrets",))):
            issued = Issued("localhost", days=days)
            (tmp_path / "cert.pem").write_bytes(issued.certificate_pem())
            (tmp_path / "key.pem").write_bytes(issued.key_pem())
            if options:
                (tmp_path / "key.pem").unlink()
            file = tmp_path / "x.toml"
            file.write_text(pair)
            done = run("check-config", file, *options)
            words = ["check", "--config", str(file), *options]
            if days < 0:
                with pytest.raises(SystemExit) as ended:
                    command.main(words)
                # The interpreter prints a text, and exits with 1.
                status, told = 1, ("", f"{ended.value.code}\n")
            else:
                status, told = command.main(words), capsys.readouterr()
            assert done == (status, told[0], told[1].replace("radiod: ", "radioctl: "))
            assert done.status == (1 if days < 0 else 0)
            assert ("warning: " in done.err) is (days == 5)


@pytest.fixture
def make_store(tmp_path):
    """Makes a store with one account in its audit, and closes it; open ones are closed with the test."""
    opened = []

    def make(name, action, *, stays_open=False):
        store = SqliteStore(str(tmp_path / name), lambda function, *args: function(*args))
        store.open()
        store.start()
        opened.append(store)
        act = Act(time=1.0, actor="a", address="unix", action=action, object="o")
        SqliteAccess(store).change([], act)
        if not stays_open:
            opened.remove(store)
            store.close(5)
        return store

    yield make
    for store in opened:
        store.close(5)


def actions(path):
    store = SqliteStore(str(path), lambda function, *args: function(*args))
    store.open()
    store.start()
    told = []
    SqliteAccess(store).audit(0, 10).then(told.append)
    store.close(5)
    return [entry.action for entry in told[0]]


class TestRestore:
    def test_it_takes_the_place_of_the_store_which_is_kept(self, run, tmp_path, make_store, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "radiod.toml").write_text("[store]\npath = 'data.sqlite'\n")
        make_store("backup.sqlite", "of.backup")
        make_store("data.sqlite", "of.store")
        done = run("restore", "backup.sqlite", "--yes", "--json")
        assert done.status == 0, done.err
        assert actions(tmp_path / "data.sqlite") == ["of.backup"]
        assert actions(done.json["before"]) == ["of.store"]

    def test_it_asks_first(self, run, tmp_path, make_store):
        make_store("backup.sqlite", "of.backup")
        words = ("restore", tmp_path / "backup.sqlite", "--store", tmp_path / "data.sqlite")
        assert run(*words, stdin="n\n").status == 1
        assert not (tmp_path / "data.sqlite").exists()
        assert run(*words, stdin="y\n").status == 0
        assert actions(tmp_path / "data.sqlite") == ["of.backup"]

    def test_a_damaged_backup_is_refused(self, run, tmp_path):
        (tmp_path / "backup.sqlite").write_bytes(b"nonsense" * 1000)
        done = run("restore", tmp_path / "backup.sqlite", "--store", tmp_path / "data.sqlite", "--yes")
        assert (done.status, done.out) == (1, "")
        assert not (tmp_path / "data.sqlite").exists()

    def test_without_a_store_it_is_wrong_usage(self, run, server):
        done = run("restore", "backup.sqlite", "--yes")
        assert done.status == 2
        assert "radiod.toml has no store" in done.err


class TestUsage:
    ROW = {
        **dict.fromkeys(("published", "delivered", "dropped", "refused", "calls", "bytes_in"), 1),
        "bytes_out": 2,
        "seconds": 3.5,
    }

    def test_csv(self, run, server):
        rows = [
            {"key": "k_1", "channel": "weather", **self.ROW},
            {"key": "k_1", "channel": "=1+1", **self.ROW},
        ]
        server.answers["radiod.admin.usage"] = lambda **_: {"rows": rows, "next": None}
        done = run("usage", "--by", "key", "--by", "channel", "--format", "csv")
        assert done.out == (
            "key,channel,published,delivered,dropped,refused,calls,bytes_in,bytes_out,seconds\n"
            "k_1,weather,1,1,1,1,1,1,2,3.5\n"
            "k_1,'=1+1,1,1,1,1,1,1,2,3.5\n"
        )

    def test_nodes_that_do_not_answer_are_named(self, run, server):
        rows = [{"account": "acme", **self.ROW}]
        told = {"rows": rows, "next": None, "unanswered": ["c", "b"]}
        server.answers["radiod.admin.usage"] = lambda **_: told
        for form in ("table", "csv", "jsonl"):
            done = run("usage", "--format", form)
            assert done.err == "radioctl: without what was used on nodes that do not answer: b, c\n"

    def test_jsonl_and_json(self, run, server):
        rows = [{"day": 1795651200, **self.ROW}] * 2
        server.answers["radiod.admin.usage"] = lambda **_: {"rows": rows, "next": None}
        assert len(run("usage", "--by", "day", "--format", "jsonl").out.splitlines()) == 2
        assert run("usage", "--by", "day", "--json").json == {"rows": rows}
        assert run("usage", "--by", "day").out.splitlines()[1].startswith("2026-11-26")

    @pytest.mark.parametrize(
        "words",
        [("--month", "2026-13"), ("--month", "2026-11", "--since", "+1d"), ("--by", "x"), ("--since", "x")],
    )
    def test_wrong_usage(self, run, server, words):
        assert run("usage", *words).status == 2

    def test_nothing_used_is_nothing_told(self, run, server):
        server.answers["radiod.admin.usage"] = lambda **_: {"rows": [], "next": None}
        assert run("usage") == (0, "", "")

    PRICED = {"price": {"base": 9.5, "delivered": 0.02, "seconds": 0.001}, "currency": "EUR"}

    def accounts(self, server, *rows):
        server.answers["radiod.admin.usage"] = lambda **_: {"rows": list(rows), "next": None}
        server.answers["radiod.admin.plan.list"] = lambda **_: {
            "plans": [{"name": "basic", "limits": self.PRICED}, {"name": "free", "limits": {}}]
        }
        known = [
            {"id": "acme", "label": "ACME Ltd", "plan": "basic"},
            {"id": "idle", "label": "", "plan": "basic"},
            {"id": "friend", "label": "", "plan": "free"},
            {"id": "lost", "label": "", "plan": None},
        ]
        server.answers["radiod.admin.account.list"] = lambda **_: {"accounts": known, "next": None}
        server.answers["radiod.admin.account.get"] = lambda id: {one["id"]: one for one in known}[id]

    def test_invoices_are_for_all_whose_plan_has_prices(self, run, server):
        self.accounts(server, {"account": "acme", **self.ROW, "delivered": 412_773, "seconds": 7200.0})
        done = run("usage", "--month", "2026-11", "--format", "invoice")
        assert done.out == (
            "acme  ACME Ltd  2026-11  plan basic\n"
            "what       quantity  unit          price        sum\n"
            "base              1  month          9.50       9.50\n"
            "delivered   412.773  1,000 events   0.02       8.26\n"
            "seconds       2.000  hour          0.001       0.00\n"
            "total                                     17.76 EUR\n"
            "\n"
            "idle  2026-11  plan basic\n"
            "what       quantity  unit          price       sum\n"
            "base              1  month          9.50      9.50\n"
            "delivered     0.000  1,000 events   0.02      0.00\n"
            "seconds       0.000  hour          0.001      0.00\n"
            "total                                     9.50 EUR\n"
        )

    def test_an_invoice_in_json_has_its_money_as_text(self, run, server):
        self.accounts(server)
        done = run("usage", "--month", "2026-11", "--account", "idle", "--format", "invoice", "--json")
        (bill,) = done.json["invoices"]
        assert (bill["account"], bill["currency"], bill["sum"]) == ("idle", "EUR", "9.50")
        assert bill["lines"][0] == {
            "what": "base",
            "quantity": "1",
            "unit": "month",
            "price": "9.50",
            "sum": "9.50",
        }

    def test_where_nothing_has_a_price_that_is_said(self, run, server):
        self.accounts(server)
        done = run("usage", "--month", "2026-11", "--account", "friend", "--format", "invoice")
        assert (done.status, done.out) == (0, "")
        assert done.err == "radioctl: nothing to pay: no plan of these accounts has a price\n"

    @pytest.mark.parametrize("words", [(), ("--since", "2026-11-01"), ("--month", "2026-11", "--by", "key")])
    def test_an_invoice_is_of_one_month(self, run, server, words):
        assert run("usage", "--format", "invoice", *words).status == 2


class TestAudit:
    def entries(self, after, limit):
        found = [
            {
                "seq": n,
                "time": 0.0,
                "actor": "a",
                "address": "unix",
                "action": "x",
                "object": "o",
                "detail": {},
            }
            for n in range(after + 1, min(after + limit, 2500) + 1)
        ]
        return {"entries": found, "next": found[-1]["seq"] if len(found) == limit else None}

    def test_the_last_ones(self, run, server):
        server.answers["radiod.admin.audit"] = self.entries
        told = run("audit", "--json").json["entries"]
        assert [entry["seq"] for entry in told] == list(range(2481, 2501))
        lines = run("audit", "--limit", "1").out.splitlines()
        assert lines == [
            "number  time                  who  from  did  to  with",
            " 2,500  1970-01-01 00:00 UTC  a    unix  x    o",
        ]

    def test_those_behind_one(self, run, server):
        server.answers["radiod.admin.audit"] = self.entries
        told = run("audit", "--after", "1000", "--limit", "1200", "--json").json["entries"]
        assert [entry["seq"] for entry in told] == list(range(1001, 2201))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    done = run("completion", shell)
    assert done.status == 0
    assert "_RADIOCTL_COMPLETE" in done.out


def test_help_names_every_command(run):
    words = run("--help").out.split()
    for name in ("key", "account", "plan", "user", "channel", "publish", "listen", "call", "usage", "audit"):
        assert name in words
    for name in ("stats", "top", "metrics", "debug", "check-config", "backup", "restore", "completion"):
        assert name in words


class TestDates:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("2027-12-31", 1830211200),
            ("2027-12-31T12:00", 1830254400),
            ("2027-12-31T12:00Z", 1830254400),
            ("2027-12-31T13:00+01:00", 1830254400),
        ],
    )
    def test_a_date_is_utc_unless_it_says_otherwise(self, text, seconds):
        assert moment(text) == seconds

    @pytest.mark.parametrize(
        ("text", "seconds"), [("+90d", 7776000), ("+2h", 7200), ("+5m", 300), ("+1w", 604800)]
    )
    def test_a_time_from_now(self, text, seconds):
        now = time.time()
        assert now + seconds <= moment(text) <= time.time() + seconds

    @pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "+", "+5", "+99999999999999d", "90d"])
    def test_anything_else_is_wrong_usage(self, text):
        with pytest.raises(click.BadParameter):
            moment(text)

    @pytest.mark.parametrize(
        ("text", "days"),
        [
            ("2026-11", 30),
            ("2026-12", 31),
            ("2027-02", 28),
            ("2028-02", 29),
            ("2027-01", 31),
            ("9999-12", 31),
        ],
    )
    def test_a_month_ends_where_the_next_begins(self, text, days):
        start, end = month(text)
        assert end - start == days * 86400


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (61_234_567, "61.2 MB"),
        (999_960_000, "1.0 GB"),
        (2e18, "2.0 EB"),
    ],
)
def test_sizes(count, told):
    assert size(count) == told


def test_a_backup_elsewhere_needs_a_whole_path(run, server):
    assert run("--url", "ws://127.0.0.1:9", "backup", "b.sqlite").status == 2
    assert run("--url", "ws://127.0.0.1:9", "backup", "/b.sqlite").status == 3
    server.answers["radiod.admin.backup"] = lambda path: {"path": path, "bytes": 12345}
    assert run("backup", "b.sqlite").out == f"{Path.cwd() / 'b.sqlite'}  12,345 bytes\n"
