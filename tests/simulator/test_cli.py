"""``python -m simulator``: exit statuses, one line for every mistake, where the key may come from."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from support import nursery

from simulator import Simulator, Town
from simulator.__main__ import MAX_WARNINGS, main, warm_up
from simulator.network import Street
from simulator.stop import Stop

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "simulator"]
SMALL = ["--town", "grid:2x2"]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """No key in the environment; the signal handlers of the test run survive."""
    monkeypatch.delenv("RADIOD_KEY", raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def server():
    """A server that answers 200, or what ``server.answer`` says; ``server.keys`` are the keys it saw."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.keys.append(self.headers["API-KEY"])
            status, content = self.server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.keys = (200, b"{}"), []
    server.url = f"http://127.0.0.1:{server.server_port}/publish"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(*arguments, **environment):
    """(status, output lines, error lines) of a process of its own."""
    done = nursery.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def inside(capsys, *arguments):
    """The same within this process: quicker."""
    status = main([*SMALL, *arguments])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err.splitlines()


# --- Printing


def test_a_dry_run_prints_samples_as_lines_of_json():
    status, out, err = run("--town", "grid:3x4", "--dry-run", "--samples", "3")
    assert (status, err) == (0, [])
    samples = [json.loads(line) for line in out]
    assert [sample["time"] for sample in samples] == [0, 5, 10]
    assert {len(sample["n"]) for sample in samples} == {34}


def test_options_reach_the_simulator(capsys):
    options = ("--dry-run", "--samples", "2", "--network", "town", "--step", "10", "--warm-up", "600")
    status, out, err = inside(capsys, *options)
    assert (status, err) == (0, [])
    first, second = map(json.loads, out)
    assert (first["name"], first["step"], first["time"], second["time"]) == ("town", 10, 600, 610)
    _, again, _ = inside(capsys, *options)
    _, other, _ = inside(capsys, *options, "--seed", "5")
    assert again == out
    assert other != out


def test_a_dry_run_prints_the_legacy_format_too(capsys):
    _, out, _ = inside(capsys, "--dry-run", "--samples", "1", "--format", "legacy")
    assert set(json.loads(out[0])) == {"state", "timestamp"}


def test_a_reader_that_has_enough_ends_a_dry_run_quietly():
    with subprocess.Popen(
        [*COMMAND, "--dry-run"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert json.loads(process.stdout.readline())["time"] == 0
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 0


# --- Mistakes

WRONG = {
    "unknown option": (["--colour"], "unknown argument --colour"),
    "unknown word": (["town"], "unknown argument town"),
    "abbreviation": (["--net", "a"], "unknown argument --net"),
    "ambiguous abbreviation": (["--s", "1"], "unknown argument --s"),
    "value missing": (["--step"], "argument --step: expected one argument"),
    "value for a flag": (["--dry-run=1"], "argument --dry-run: ignored explicit argument '1'"),
    "no number": (["--speed", "fast"], "argument --speed: invalid float value: 'fast'"),
    "no whole number": (["--samples", "1.5"], "argument --samples: invalid int value: '1.5'"),
    "no such format": (["--format", "xml"], "argument --format: invalid choice: 'xml'"),
    "no town": (["--town", "Berlin"], "--town Berlin: expected grid:ROWSxCOLUMNS"),
    "no size": (["--town", "grid:3"], "--town grid:3: expected"),
    "negative size": (["--town", "grid:-3x4"], "--town grid:-3x4: expected"),
    "town too small": (["--town", "grid:1x9"], "2 to 300 rows and columns"),
    "town too large": (["--town", "grid:2x" + "9" * 5000], ""),
    "speed 0": (["--speed", "0"], "--speed must be above 0"),
    "speed no number": (["--speed", "nan"], "--speed must be above 0"),
    "negative samples": (["--samples", "-1"], "--samples"),
    "negative seed": (["--seed", "-1"], "--seed"),
    "endless step": (["--step", "inf"], "--step must be above 0 and at most 86400"),
    "step no number": (["--step", "nan"], "--step must be above 0 and at most 86400"),
    "step in between": (["--step", "1.5"], "step (1.5 s) must be a multiple of dt (1.0 s)"),
    "step 0": (["--step", "0"], "--step must be above 0"),
    "negative warm-up": (["--warm-up", "-1"], "--warm-up"),
    "endless warm-up": (["--warm-up", "inf"], "--warm-up"),
    "no key": ([], "an API key is needed: --key-file, RADIOD_KEY or --key"),
    "no key, and a long warm-up": (["--warm-up", "1e6"], "an API key is needed"),
    "empty key": (["--key", ""], "an API key is needed"),
    "key no header": (["--key", "a\nb"], "the API key must be ASCII"),
    "no key file": (["--key-file", "/nowhere"], "--key-file /nowhere: FileNotFoundError"),
    "no file": (["--key-file", "/"], "--key-file /: IsADirectoryError"),
    "no URL": (["--key", "k", "--url", "localhost"], "not an HTTP URL: localhost"),
    "no port": (["--key", "k", "--url", "http://localhost:http"], "Port"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_line_and_status_2(capsys, case):
    arguments, message = WRONG[case]
    status, out, (line,) = inside(capsys, *arguments)
    assert (status, out) == (2, [])
    assert line.startswith("simulator: ")
    assert message in line


def test_a_process_ends_with_status_2_and_one_line_too():
    assert run("--town", "grid:0x0", "--dry-run") == (
        2,
        [],
        ["simulator: a grid has 2 to 300 rows and columns"],
    )


# --- Publishing


@pytest.mark.parametrize("content", ["file-key\n", "file-key\r\n", "file-key"])
def test_the_key_may_come_from_a_file(capsys, server, tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content.encode())
    status, out, err = inside(capsys, "--url", server.url, "--samples", "1", "--key-file", str(path))
    assert (status, out, err) == (0, [], [])
    assert set(server.keys) == {"file-key"}


def test_the_key_may_come_from_the_environment(server):
    assert run(*SMALL, "--url", server.url, "--samples", "2", "--speed", "100", RADIOD_KEY="secret") == (
        0,
        [],
        [],
    )
    assert set(server.keys) == {"secret"}


def test_the_command_line_wins_over_the_environment_and_the_file_over_both(
    capsys, server, tmp_path, monkeypatch
):
    monkeypatch.setenv("RADIOD_KEY", "environment")
    inside(capsys, "--url", server.url, "--samples", "1", "--key", "given")
    assert set(server.keys) == {"given"}
    server.keys.clear()
    (tmp_path / "key").write_text("file")
    inside(
        capsys, "--url", server.url, "--samples", "1", "--key", "given", "--key-file", str(tmp_path / "key")
    )
    assert set(server.keys) == {"file"}


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff", b"two\nlines\n"])
def test_a_key_file_without_a_key_is_a_mistake(capsys, tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    status, _, (line,) = inside(capsys, "--key-file", str(tmp_path / "key"))
    assert status == 2
    assert "key" in line


def test_a_refusal_by_the_server_is_one_line_and_status_1(server):
    server.answer = (403, b'{"error": "You cannot broadcast\\nto this channel"}')
    assert run(*SMALL, "--url", server.url, RADIOD_KEY="secret") == (
        1,
        [],
        ["simulator: the server refuses: 403: You cannot broadcast to this channel"],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_broadcast_with_status_0(number):
    # Nobody listens there: the line that says so tells that it is running.
    with nursery.Popen(
        [*COMMAND, *SMALL, "--url", "http://127.0.0.1:9/publish", "--key", "k"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline().startswith("simulator: not published (ConnectionRefusedError")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert "Traceback" not in err


def test_a_signal_ends_a_dry_run_with_status_0():
    with nursery.Popen(
        [*COMMAND, *SMALL, "--dry-run"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        # Not communicate(): that would pass by what was read ahead with the first line.
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(30)
    assert (process.returncode, err) == (0, "")
    times = [json.loads(line)["time"] for line in [first, *out.splitlines()]]
    assert times == [5 * n for n in range(len(times))]


# --- Warming up


def test_a_long_warm_up_says_how_far_it_is(capsys):
    now = iter(range(0, 10_000, 2))
    warm_up(Simulator(Town.grid(2, 2)), 30.0, Stop(), lambda: next(now))
    assert capsys.readouterr().err.splitlines() == [
        "simulator: warm-up: 15 of 30 s",
        "simulator: warm-up: 30 of 30 s",
    ]


@pytest.mark.parametrize(("count", "more"), [(3, []), (12, ["simulator: and 2 more of the kind; "])])
def test_what_looks_wrong_in_a_town_is_said_but_not_for_ever(capsys, count, more):
    streets = [Street(id=f"s{n}", start="a", end=f"b{n}") for n in range(count)]
    ratios = {street.id: 1 / count for street in streets}
    warm_up(Simulator(Town.from_streets(streets, {}, {"a": ratios})), 0.0, Stop())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("simulator: street s0: it has no turns")
    assert len(lines) == min(count, MAX_WARNINGS) + len(more)
    assert all(line.startswith(start) for line, start in zip(lines[MAX_WARNINGS:], more, strict=True))
