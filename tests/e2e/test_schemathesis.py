"""Somebody else's program reads ``/openapi.json``, and asks a real server what it says and does not say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import ROOT

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 300
KEPT = """
[realms.radio.channels.other_net]
history = { size = 100 }
"""

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(shared_world):
    # A receive of a long-poll transport waits for this long.
    return shared_world.serve(KEPT, ping_interval_s=1)


def run(server, phases, examples):
    """What it says. Hypothesis keeps what it found in a folder; it is not that of the other tests."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"{server.url}/openapi.json", "-H", "API-KEY: sample-key", "--no-color"),
        *(
            "--phases",
            phases,
            "--max-examples",
            str(examples),
            "--seed",
            "1",
            "--generation-database",
            "none",
        ),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_what_the_document_says_is_so(server):
    said = run(server, "examples,coverage,fuzzing", 25)
    selected, tested = re.search(r"Selected: (\d+)/", said)[1], re.search(r"Tested: (\d+)", said)[1]
    assert selected == tested


@pytest.mark.soak
def test_what_the_document_says_is_so_in_long_stories(server):
    run(server, "stateful,fuzzing", 500)
