"""What ``make run`` runs waits for a source that works, however long its town takes, and for no other."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demo(monkeypatch):
    """The program as a module, with little patience."""
    spec = importlib.util.spec_from_file_location("demo_run", ROOT / "demo" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "START_SECONDS", 2.0)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    return module


@pytest.fixture
def answers():
    """A server that answers with what is last in the list. Yields: (URL, the list)."""
    given = [b'{"events":0,"readers":0}']

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(given[-1])

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", given
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(tmp_path):
    """Start a program that writes its lines into the log, one every 0.2 s. Returns: (process, log)."""
    started = []

    def start(text):
        log = tmp_path / "demo.log"
        with log.open("wb") as file:
            started.append(subprocess.Popen([sys.executable, "-u", "-c", text], stdout=file))
        return started[-1], str(log)

    yield start
    for process in started:
        process.kill()
        process.wait()


BUSY = "import time\nfor n in range(100): print('warm-up', n); time.sleep(0.2)"


def test_a_source_that_says_how_far_it_is_may_take_its_time(demo, answers, source, capsys):
    url, given = answers
    process, log = source(BUSY)
    threading.Timer(3.0, given.append, [b'{"events":1,"readers":0}']).start()
    begin = time.monotonic()
    assert demo.wait_for([process], log, url, b'"events":0,')
    assert time.monotonic() - begin > 2.9
    assert capsys.readouterr().out == f"still starting; {log} tells how far it is\n"


@pytest.mark.parametrize("text", ["import time; time.sleep(60)", "pass"], ids=["silent", "ended"])
def test_a_source_that_shows_no_life_is_given_up(demo, answers, source, text):
    process, log = source(text)
    assert not demo.wait_for([process], log, answers[0], b'"events":0,')


def test_nobody_waits_for_a_source_whose_server_has_ended(demo, answers, source):
    server, _ = source("pass")
    process, log = source(BUSY)
    assert not demo.wait_for([process, server], log, answers[0], b'"events":0,')


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("said", "given"),
    [("TOWN=grid:3x4", "--town 'grid:3x4' --nodes 1"), ("NODES=3", "--town 'grid:10x10' --nodes 3")],
)
def test_make_run_takes_a_town_and_a_number_of_nodes(said, given):
    # The tests may have been started by make themselves.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-n", "-o", ".venv/.run", "-o", ".venv/.nats", "run", said]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=own)
    assert told.stdout.strip().endswith(given)
