"""A callee whose peer vanished comes back before the server knows, with stock Autobahn|Python."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.features import log_is_clean
from support.running import environment, program, radiod, wait_until

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).parent / "clients" / "autobahn_callee.py"
SECONDS = 20
CONFIG = """
[realms.radio]
anonymous = "program"

[realms.radio.roles.program]
call = ["*"]
register = ["*"]
"""
"""What programs may do that must not act on others."""


def command(server, *arguments):
    return [sys.executable, str(CLIENT), str(server.port), *arguments]


def called(server):
    done = subprocess.run(
        command(server, "call"), capture_output=True, text=True, timeout=SECONDS, env=environment()
    )
    return done.stdout.strip() or done.stderr


def test_a_callee_takes_its_procedure_back_from_its_half_open_session(tmp_path):
    with radiod(tmp_path, CONFIG) as server, ExitStack() as running:

        def serve(name):
            log = tmp_path / f"{name}.log"
            process = running.enter_context(program(command(server, "serve", name), log))
            wait_until(lambda: "ready" in log.read_text(), process, log)
            return process

        vanished = serve("before")
        assert called(server) == "before"
        # It neither reads nor answers, and its connection is not closed.
        vanished.send_signal(signal.SIGSTOP)
        running.callback(vanished.send_signal, signal.SIGCONT)
        serve("after")
        assert called(server) == "after"
        assert log_is_clean(server.log.read_text())
