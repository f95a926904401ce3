"""Somebody else's program reads ``/openapi.json``, and asks a real server what it says and does not say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.openapi import CONFIG as CHANNELS
from support.running import ROOT, environment
from support.sweeps import sweep

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 600

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(shared_world):
    # A receive of a long-poll transport waits for this long.
    return shared_world.serve(CHANNELS, ping_interval_s=1)


CENTRIFUGO = "^/api/(?!publish$)"
WAYS = {
    # How a key is shown, and which paths it opens.
    "radiod": ("API-KEY: sample-key", "--exclude-path-regex"),
    "centrifugo": ("X-API-Key: sample-key", "--include-path-regex"),
}


def run(server, way, phases, examples):
    """What it says."""
    key, paths = WAYS[way]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"{server.url}/openapi.json", "-H", key, paths, CENTRIFUGO, "--no-color"),
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
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment()
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("examples", sweep([5, 50], 1))
@pytest.mark.parametrize("way", WAYS)
def test_what_the_document_says_is_so(server, way, examples):
    said = run(server, way, "examples,coverage,fuzzing", examples)
    selected, tested = re.search(r"Selected: (\d+)/", said)[1], re.search(r"Tested: (\d+)", said)[1]
    assert selected == tested


@pytest.mark.soak
def test_what_the_document_says_is_so_in_long_stories(server):
    run(server, "radiod", "stateful", 50)
