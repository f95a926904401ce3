"""What watches the server: those who send clients, a real Prometheus with its rules, the dashboard."""

import contextlib
import json
import re
import resource
import subprocess
import time

import httpx
import pytest
from engine.nats.servers import Servers
from support.config import configuration
from support.programs import Failed, Program
from support.running import ROOT, radiod
from support.scrapes import Scrape, prometheus
from support.tls import Issued

from radiod.metrics.names import FAMILIES

pytestmark = pytest.mark.e2e

SECONDS = 60
PACKAGING = ROOT / "packaging"
ALERTS = PACKAGING / "alerts.yml"
NAME = re.compile(r"\b(?:radiod|process|python_gc)_[a-z_]+\b|\bup\b")

CONFIG = """
[realms.radio.channels.log]
durable = true

[realms.radio.keys.watcher]
key = "watcher-key"
metrics = true
"""


def readiness(server):
    answer = httpx.get(f"{server.url}/readyz", timeout=SECONDS)
    told = answer.json()
    assert told["ready"] is (answer.status_code == 200) is (not told["reasons"])
    assert ("Retry-After" in answer.headers) is (not told["ready"])
    return answer.status_code, told["reasons"]


def seconds_until(server, wanted):
    """How long it took until ``/readyz`` told this."""
    began = time.monotonic()
    while readiness(server) != wanted:
        assert time.monotonic() - began < SECONDS
        time.sleep(0.1)
    return time.monotonic() - began


def with_store(folder, text=""):
    return configuration(f"{CONFIG}\n{text}\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}")


class TestReadiness:
    def test_a_server_is_ready_when_it_is_up(self, tmp_path):
        with radiod(tmp_path, configuration()) as server:
            assert readiness(server) == (200, [])

    def test_a_full_disk_is_told_though_nobody_publishes_and_so_is_its_end(self, tmp_path):
        wal = tmp_path / "store.sqlite-wal"
        with radiod(tmp_path, with_store(tmp_path)) as server:
            assert readiness(server) == (200, [])
            limits = (wal.stat().st_size, resource.RLIM_INFINITY)
            # No file of the server may grow; its log is one that stays.
            before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
            assert seconds_until(server, (503, ["store: it does not write"])) < 5
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            with contextlib.closing(Program(server.port)) as program, pytest.raises(Failed) as failed:
                program.publish("log", 1)
            assert failed.value.uri == "radiod.error.unavailable"
            text = httpx.get(f"{server.url}/metrics", headers={"API-KEY": "watcher-key"}).text
            assert Scrape(text).value("radiod_store_failures_total") >= 2
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
            assert seconds_until(server, (200, [])) < 5
            with contextlib.closing(Program(server.port)) as program:
                program.publish("log", 2)

    def test_a_file_system_without_room_is_told_and_so_is_its_end(self, tmp_path):
        small = tmp_path / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=True)
        try:
            with radiod(tmp_path, with_store(small)) as server:
                assert readiness(server) == (200, [])
                fill(small / "filler")
                assert seconds_until(server, (503, ["store: it does not write"])) < 5
                assert httpx.get(f"{server.url}/healthz").status_code == 200
                (small / "filler").unlink()
                assert seconds_until(server, (200, [])) < 5
                with contextlib.closing(Program(server.port)) as program:
                    program.publish("log", 1)
        finally:
            subprocess.run(["umount", "--lazy", str(small)], check=True)


def fill(file):
    """Write until there is no more room."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def names_in(expression):
    """The metrics that an expression names; labels are in braces or in parentheses behind ``by``."""
    bare = re.sub(r"\{[^}]*\}|\bby \([^)]*\)", "", expression)
    return set(NAME.findall(bare))


def dashboard():
    """The dashboard's expressions, with values in the places of its variables."""
    board = json.loads((PACKAGING / "grafana.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    given = {"$__rate_interval": "5s", "$instance": ".*", "$realm": ".*"}
    for name, value in given.items():
        found = [expression.replace(name, value) for expression in found]
    assert not any("$" in expression for expression in found)
    return found


def alerts():
    """Each alert's name and its page."""
    return re.findall(r"- alert: (\w+)\n(?:.*\n)*?\s+runbook: \"(.+)\"", ALERTS.read_text())


def test_a_real_prometheus_reads_everything_that_dashboard_and_alerts_ask_for(tmp_path):
    with Servers(tmp_path / "nats") as nats:
        read_everything(tmp_path, f"[cluster]\nnats = {json.dumps(nats.urls)}\nreplicas = 1")


def read_everything(tmp_path, cluster):
    issued = Issued("radio.example")
    pem = tmp_path / "both.pem"
    pem.write_bytes(issued.key_pem() + issued.certificate_pem())
    text = with_store(
        tmp_path,
        f"""
        [[listen]]
        endpoint = "tcp:8080:interface=127.0.0.1"
        serve = ["radio", "metrics"]
        [[listen]]
        endpoint = "ssl:0:interface=127.0.0.1:privateKey={pem}"
        [otel]
        endpoint = "http://127.0.0.1:1"
        """
        + cluster,
    )
    with radiod(tmp_path, text) as server, prometheus(tmp_path, server.port, ALERTS) as watcher:
        with contextlib.closing(Program(server.port)) as program:
            program.listen("log", _radiod_position=True)
            program.publish("log", 1)
            watcher.wait_for('count_over_time(up{job="radiod"}[1m]) >= 5')
        assert watcher.query("min_over_time(up[1m])")[0]["value"][1] == "1"
        (target,) = watcher.get("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        there = set(watcher.get("label/__name__/values"))
        told = {name for name, _, _, _ in FAMILIES}
        assert {name for name in told if name not in there and f"{name}_count" not in there} == set()
        rules = watcher.get("rules")["groups"][0]["rules"]
        assert [rule["name"] for rule in rules] == [name for name, _ in alerts()]
        expressions = [*dashboard(), *(rule["query"] for rule in rules)]
        asked = set().union(*map(names_in, expressions))
        assert asked - there == set()
        # All that is told is shown.
        shown = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
        assert told - shown == set()
        for expression in expressions:
            watcher.query(expression)
        assert {rule["health"] for rule in rules} == {"ok"}
        # That of the certificate waits an hour before it fires.
        assert {alert["state"] for alert in watcher.get("alerts")["alerts"]} == {"pending"}


def promtool(*arguments):
    """Run from the folder of the rules."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=PACKAGING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_right_and_fire_when_they_should():
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts.test.yml")


def test_each_alert_is_tried_and_names_what_to_do():
    tried = (PACKAGING / "alerts.test.yml").read_text()
    page = (ROOT / "docs/operations.md").read_text()
    assert len(alerts()) == ALERTS.read_text().count("- alert:")
    for name, runbook in alerts():
        fires = f"alertname: {name}\n        exp_alerts:\n          - exp_labels"
        assert fires in tried, f"{name} is not shown to fire"
        assert f"alertname: {name}, exp_alerts: []" in tried, f"{name} is not shown to be quiet"
        assert runbook == f"docs/operations.md#{name.lower()}"
        assert f"#### {name}\n" in page, f"docs/operations.md does not say what to do about {name}"


def test_each_metric_is_documented():
    page = (ROOT / "docs/operations.md").read_text()
    rows = dict(re.findall(r"^\| `((?:radiod)_[a-z_]+)(?:\{[^`]*\})?` \| (.*)$", page, re.MULTILINE))
    assert {name for name, _, _, _ in FAMILIES} | {"radiod_gc_pause_seconds"} == set(rows)
    for name, _, _, labels in FAMILIES:
        told = f"`{name}{{{','.join(labels)}}}`" if labels else f"`{name}`"
        assert f"| {told} |" in page, told
