"""The benchmark of HTTP runs. Its sizes here measure nothing: what it checks by the way is what counts."""

import json
import os
import subprocess
import sys

import pytest
from support.running import ROOT, environment
from support.sweeps import sweep

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECONDS = 120
FOLDER = ROOT / "benchmarks"
# fmt: off
SMALL = [
    "--repeat", "1", "--duration", "0.1", "--items", "2", "--listeners", "2", "--connections", "20",
    "--settle", "0", "--idle", "20", "--slow", "10", "--megabytes", "1",
]
# fmt: on


@pytest.fixture(scope="module", autouse=True)
def generator():
    subprocess.run(["make", "-C", str(FOLDER), "wsload"], check=True, capture_output=True)


@pytest.mark.parametrize("section", sweep(["publish", "upload", "slow", "memory", "streams"], 2))
def test_each_table_is_made_and_nothing_was_lost_for_it(tmp_path, section):
    rows = tmp_path / "rows"
    processors = sorted(os.sched_getaffinity(0))
    pinned = ["--server-cpu", str(processors[0]), "--load-cpu", str(processors[-1])]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "http.py"), "--only", section, *SMALL, *pinned, "--json", str(rows)],
        capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(rows.read_text())["results"][section]
    skipped = [line for line in done.stdout.splitlines() if "skipped, this server answers" in line]
    # What a server does not have is told; nothing else may be without rows.
    assert results or skipped
    assert all(len(rounds) == 1 for rounds in results.values())


def test_other_scripts_of_the_folder_import_pythons_http():
    done = subprocess.run(
        [sys.executable, "-c", "import http.client, urllib.request; print(http.__file__)"],
        capture_output=True, text=True, env=environment() | {"PYTHONPATH": str(FOLDER)}, check=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith("__init__.py")


def soak(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(FOLDER / "soak.py"), "--folder", str(folder), *arguments],
        capture_output=True, text=True, timeout=SECONDS, env=environment(), check=False,
    )  # fmt: skip


def test_a_short_soak_has_nothing_to_say_against_the_server(tmp_path):
    processors = sorted(os.sched_getaffinity(0))
    pinned = ["--server-cpu", str(processors[0]), "--load-cpu", str(processors[-1])]
    done = soak(tmp_path, "--hours", "0.002", "--every", "1", "--size", "0.3", *pinned)
    # Of so few seconds curves say nothing; what listeners missed does.
    assert "wrong:" not in done.stdout, done.stdout
    assert "resident memory" in done.stdout, done.stdout + done.stderr
    told = json.loads(done.stdout[: done.stdout.index("\n}") + 2])
    assert told["heard by WAMP"] > 0
    assert told["reloads"] > 0
    assert (tmp_path / "soak.csv").read_text().count("\n") > 5


@pytest.mark.parametrize(("growth", "status"), [(0.0, 0), (0.5, 0), (10.0, 1)])
def test_a_soak_fails_when_a_line_rises_above_its_bound(tmp_path, growth, status):
    fields = (
        "hours,resident_mib,descriptors,lag_ms,latency_p50_ms,latency_p99_ms,cpu_percent,connections,sessions,"
        "published,delivered,dropped,recovered,calls,reloads,failures"
    )
    # It warms up in the first half, which does not count.
    rows = [
        f"{n / 100},{70 + min(n, 50) / 2 + growth * max(0, n - 50) / 50},80,1,1,1,5,60,60,{n},{n},0,0,0,0,0"
        for n in range(101)
    ]
    samples = tmp_path / "samples.csv"
    samples.write_text("\n".join([fields, *rows, ""]))
    done = soak(tmp_path, "--judge", str(samples))
    assert done.returncode == status, done.stdout + done.stderr
    assert ("TOO MUCH" in done.stdout) is bool(status)
    picture = (tmp_path / "soak.svg").read_text()
    assert picture.startswith("<svg ")
    assert picture.count("<polyline") == 10
