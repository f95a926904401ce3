"""``clients/examples`` as their READMEs say: scripts, started as users start them."""

import ast
import contextlib
import csv
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support.running import ROOT, environment, free_port, radiod

pytestmark = pytest.mark.e2e

SECONDS = 30
EXAMPLES = ROOT / "clients" / "examples"
PYTHON = {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}"}


class Script:
    """A script that goes on, and what it has printed so far."""

    def __init__(self, path, *arguments):
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, str(path), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=PYTHON,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def interrupt(self):
        """Ctrl-C. Returns: its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)

    def close(self):
        """Whatever happened, it is gone."""
        self.process.kill()
        self.process.wait()
        self._thread.join(SECONDS)
        self.process.stdout.close()


@pytest.fixture
def script():
    with contextlib.ExitStack() as stack:

        def start(path, *arguments):
            one = Script(path, *arguments)
            stack.callback(one.close)
            return one

        yield start


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_measurement(tmp_path, script):
    folder, path = EXAMPLES / "measurement", tmp_path / "measurement.csv"
    with radiod(tmp_path, (folder / "radiod.toml").read_text()) as server:
        sampler = script(folder / "sampler.py", server.url)
        wait_for(lambda: sampler.lines == ["nobody listens: resting"])
        listeners = [
            script(folder / "recorder.py", server.url, path),
            script(folder / "analyser.py", server.url),
            script(folder / "display.py", server.url),
        ]
        _, analyser, display = listeners
        wait_for(lambda: "somebody listens: measuring" in sampler.lines)
        wait_for(lambda: any("mean" in line for line in analyser.lines) and len(display.lines) >= 2)
        # However late the recorder was: fifty a second are more than one.
        wait_for(lambda: path.read_text().count("\n") > 5 * (len(display.lines) + 3))
        for listener in listeners:
            assert listener.interrupt() == 0, listener.lines
        # All have gone: it is told, and rests.
        wait_for(lambda: sampler.lines[-1] == "nobody listens: resting")
        assert len(sampler.lines) == 3
        assert sampler.interrupt() == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row["n"]) for row in rows]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {row["missing"] for row in rows} == {"0"}
    shown = [int(line.partition(":")[0]) for line in display.lines]
    # Between two of them was most of a second.
    assert all(later > earlier for earlier, later in itertools.pairwise(shown))
    assert len(shown) < len(numbers) / 5


def test_article(tmp_path, script):
    folder, port = EXAMPLES / "article", free_port()
    config = (folder / "radiod.toml").read_text()
    with radiod(tmp_path, config, port) as server:
        listeners = [
            script(folder / "article_listener.py", f"{server.ws}/macro/sample/"),
            script(folder / "listener.py", server.url),
        ]
        generators = [
            script(folder / "article_generator.py", server.url, "sample-key"),
            script(folder / "generator.py", server.url, "sample-key"),
        ]
        # Each of both hears each of both: the one that has begun first is ahead.
        wait_for(lambda: all(len(stamps(listener)) > len(set(stamps(listener))) for listener in listeners))
        assert all(len(state) == 13 for state in map(states, listeners))
        wrong = script(folder / "generator.py", server.url, "another-key")
        assert wrong.process.wait(SECONDS) == 1
        wait_for(lambda: wrong.lines)
        assert wrong.lines[0].startswith("refused: ")
        # Theirs ends when there is no server.
        assert generators[0].interrupt() == 0
    heard = len(listeners[1].lines)
    with radiod(tmp_path, config, port):
        wait_for(lambda: len(listeners[1].lines) > heard)
        assert not [line for line in listeners[1].lines if "missing" in line]
        for each in (*listeners, generators[1]):
            assert each.interrupt() == 0, each.lines


def stamps(listener):
    """Timestamps of what a listener has printed."""
    return [ast.literal_eval(line)["timestamp"] for line in list(listener.lines)]


def states(listener):
    """The roads of the first sample."""
    return ast.literal_eval(listener.lines[0])["state"]


@pytest.mark.soak
def test_notebook(tmp_path, monkeypatch):
    folder = EXAMPLES / "notebook"
    notebook = nbformat.read(folder / "record.ipynb", as_version=4)
    monkeypatch.setenv("PYTHONPATH", PYTHON["PYTHONPATH"])
    # What a shell in the notebook finds as python.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    with radiod(tmp_path, (folder / "radiod.toml").read_text()) as server:
        monkeypatch.setenv("RADIO_URL", server.url)
        where = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=4 * SECONDS, resources=where).execute()
    printed = {
        cell.source.partition("\n")[0]: list(cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    listened = printed["radio = Radio(URL).connect()"][-1].data["text/plain"]
    assert listened.startswith("(dtype('float32'), ")
    assert any("image/png" in output.get("data", {}) for outputs in printed.values() for output in outputs)
    recorded = printed["from pathlib import Path"][-1].data["text/plain"]
    assert ast.literal_eval(recorded) == list(range(20))
