"""The account as its customer sees it: by program, as a file, and in a page's place."""

import json
from datetime import UTC, datetime

import pytest
from support import http
from support.access import issued_key
from support.http import Answer

from radiod.transport.clock import ReactorClock
from radiod.web.account import csv

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
CONFIG = """
[plans.basic]
publish_rate = 10
deliver_month = 1000000
self_rotate = true

[plans.fixed]
connections = 5

[accounts.acme]
plan = "basic"
label = "ACME Ltd"

[accounts.other]
plan = "fixed"
"""


@pytest.fixture
def world(world, monkeypatch):
    # From its first moment: what is counted belongs to a day.
    monkeypatch.setattr(ReactorClock, "time", lambda clock: NOON + clock.seconds())
    return world.start(CONFIG)


def ask(world, request):
    return Answer(world.ask(request).received())


def statement(world, key, *lines):
    return ask(world, http.get("/account", f"API-KEY: {key}", *lines))


def publish(world, key, times, data):
    for _ in range(times):
        body = {"network": "a", "data": data}
        assert ask(world, http.post("/publish", body, f"API-KEY: {key}")).status == 200


class TestStatement:
    def test_tells_plan_usage_and_keys_of_the_account_alone(self, world):
        one, two = issued_key(world, "acme", label="dashboard"), issued_key(world, "acme")
        stranger = issued_key(world, "other")
        publish(world, two["key"], 3, {"n": 1})
        publish(world, stranger["key"], 1, {"n": 1})
        told = statement(world, one["key"]).json
        assert told["account"] == "acme"
        assert told["plan"] == "basic"
        assert told["limits"] == {"publish_rate": 10, "deliver_month": 1_000_000, "self_rotate": True}
        assert told["used"]["day"] == told["used"]["month"] == {"published": 3, "delivered": 0, "bytes": 0}
        assert told["self_rotate"] is True
        assert [key["id"] for key in told["keys"]] == [one["id"], two["id"]]
        assert told["keys"][0]["label"] == "dashboard"
        assert told["keys"][0]["hint"] == one["key"][-4:]
        assert told["keys"][0]["last_used"] == NOON // 3600 * 3600
        assert told["keys"][1]["last_used"] == NOON // 3600 * 3600
        assert one["key"] not in json.dumps(told)

    def test_tells_when_periods_begin_anew(self, world):
        told = statement(world, issued_key(world, "acme")["key"]).json
        day, month = (datetime.fromtimestamp(told["resets"][name], UTC) for name in ("day", "month"))
        assert (day, month) == (datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))

    def test_counts_what_is_open(self, world):
        key = issued_key(world, "acme")["key"]
        world.ask(http.get("/listen/a", f"API-KEY: {key}", "Accept: text/event-stream"))
        assert statement(world, key).json["connections"] == 1

    def test_an_account_without_a_plan_has_no_limits(self, world):
        told = statement(world, issued_key(world)["key"]).json
        assert (told["plan"], told["limits"], told["self_rotate"]) == (None, {}, False)

    def test_a_browser_gets_the_page_and_a_program_in_it_the_statement(self, world):
        page = ask(world, http.get("/account", "Accept: text/html"))
        assert page.status == 200
        assert b"<title>Account" in page.body
        told = statement(world, issued_key(world, "acme")["key"], "Accept: text/html")
        assert told.json["account"] == "acme"

    def test_no_page_of_another_site_may_read_it(self, world):
        answer = statement(world, issued_key(world, "acme")["key"], "Origin: https://elsewhere.example")
        assert "Access-Control-Allow-Origin" not in answer.headers


class TestUsage:
    def test_is_a_file_of_one_month(self, world):
        key = issued_key(world, "acme")
        publish(world, key["key"], 2, {"n": 7})
        line = f"API-KEY: {key['key']}"
        answer = ask(world, http.get("/account/usage.csv?month=2026-11", line))
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="usage-2026-11.csv"'
        header, row = answer.body.decode().splitlines()
        columns = dict(zip(header.split(","), row.split(","), strict=True))
        assert columns["day"] == "2026-11-27"
        assert (columns["key"], columns["channel"]) == (key["id"], "a")
        assert (columns["published"], columns["bytes_in"]) == ("2", str(2 * len('[{"n": 7}]')))
        for month in ("2026-10", "1970-01", "9999-12"):
            nothing = ask(world, http.get(f"/account/usage.csv?month={month}", line))
            assert nothing.body.decode().splitlines() == [header]

    @pytest.mark.parametrize(
        "month", ["", "2026", "2026-13", "2026-11-27", "1969-12", "0000-01", "2026-1", "2026-11%0a"]
    )
    def test_needs_a_month(self, world, month):
        line = f"API-KEY: {issued_key(world, 'acme')['key']}"
        answer = ask(world, http.get(f"/account/usage.csv?month={month}", line))
        assert (answer.status, answer.json) == (400, {"error": "month must be as 2026-11"})

    def test_a_spreadsheet_carries_nothing_out(self):
        rows = [{"day": "2026-11-27", "key": "=1+1", "channel": 'a,"b"', "published": 1}]
        lines = csv(rows).decode().split("\r\n")
        assert lines[1] == '2026-11-27,\'=1+1,"a,""b""",1,,,,,,,'
        assert lines[2:] == [""]


class TestRotation:
    def rotate(self, world, key, **body):
        return ask(world, http.post("/account/rotate", body, f"API-KEY: {key}"))

    def test_gives_a_new_secret_and_lets_the_old_one_go_on(self, world):
        key = issued_key(world, "acme")
        new = self.rotate(world, key["key"], overlap=60).json
        assert (new["id"], new["expires"]) == (key["id"], pytest.approx(NOON + 60, abs=5))
        assert statement(world, key["key"]).status == statement(world, new["key"]).status == 200
        world.wait(61)
        assert statement(world, key["key"]).json == {"error": "API-KEY not valid", "reason": "rotated"}
        assert statement(world, new["key"]).status == 200

    def test_is_in_the_audit(self, world):
        key = issued_key(world, "acme")
        self.rotate(world, key["key"])
        entries = []
        world.radio.access.desk.store.audit(0, 10).then(entries.append)
        last = entries[0][-1]
        assert (last.actor, last.action, last.object) == (f"key:{key['id']}", "key.rotate", key["id"])

    def test_needs_a_plan_that_lets_it(self, world):
        for account in ("other", None):
            key = issued_key(world, account)
            answer = self.rotate(world, key["key"])
            assert (answer.status, answer.json) == (403, {"error": f"key {key['id']} may not rotate itself"})

    def test_a_key_of_the_configuration_is_changed_there(self, world):
        world.start(CONFIG + '[realms.radio.keys.fixed]\nkey = "fixed-key"\naccount = "acme"\n')
        assert self.rotate(world, "fixed-key").status == 403

    @pytest.mark.parametrize("overlap", [-1, 0.5, 2_592_001, "1", None, True])
    def test_takes_whole_seconds(self, world, overlap):
        assert self.rotate(world, issued_key(world, "acme")["key"], overlap=overlap).status == 400
