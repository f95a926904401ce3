"""The benchmark of HTTP runs. Its sizes here measure nothing: what it checks by the way is what counts."""

import json
import os
import subprocess
import sys

import pytest
from support.running import ROOT, environment

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


@pytest.mark.parametrize("section", ["publish", "streams", "memory", "slow", "upload"])
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
