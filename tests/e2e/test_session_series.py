"""Sessions in series on one connection, with stock Autobahn|Python: its request ids go on counting."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.config import configuration
from support.running import environment, radiod

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients" / "autobahn_series.py"
SECONDS = 20


def test_each_session_of_a_series_can_call(tmp_path):
    with radiod(tmp_path, configuration()) as server:
        command = [sys.executable, str(CLIENT), str(server.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment())
        assert done.stdout.splitlines() == ["0", "1", "2", "disconnected"], done.stderr
        assert "protocol_violation" not in server.log.read_text()
