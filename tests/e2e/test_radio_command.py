"""The command ``radio`` as people start it, against the real server: restarts, kills, closed pipes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from radiod_client import Gap, Radio
from radiod_client.recordings import read_recording
from support import nursery
from support.config import configuration
from support.running import ROOT, environment, free_port, radiod

pytestmark = pytest.mark.e2e

SECONDS = 30
RADIO = [sys.executable, "-m", "radiod_client.command"]
PYTHON = {
    **environment(),
    "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}",
    "COLUMNS": "80",
    "LINES": "24",
    "PYTHONIOENCODING": "utf-8",
}
KEPT = """
[realms.radio.channels.kept]
history = { size = 10000 }
"""
CHANNELS = (
    KEPT
    + """
[realms.radio.channels.small]
history = { size = 10 }

[realms.radio.channels.log]
durable = true
history = { size = 10000 }
"""
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radio")
    store = f"\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}"
    with radiod(folder, configuration(CHANNELS + store)) as server:
        yield server


@pytest.fixture
def other(server):
    """Somebody else."""
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


def run(*arguments, code=0, text="", **options):
    """A run of the command to its end: stdout and stderr, as lines."""
    done = nursery.run(
        [*RADIO, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**PYTHON, **options},
    )
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


class Running:
    """A run that goes on."""

    def __init__(self, *arguments):
        self.process = nursery.Popen(
            [*RADIO, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=PYTHON,
            text=True,
        )

    def said(self, words):
        """Wait until it says so on stderr. Returns: the line."""
        for line in self.process.stderr:
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}: {self.process.wait(SECONDS)}")

    def ended(self, number=None):
        """End it by a signal, or wait. Returns: its exit code, and the rest of stdout and stderr."""
        if number is not None:
            self.process.send_signal(number)
        output, told = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, output, told


@pytest.fixture
def running():
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            one = Running(*arguments)
            stack.callback(one.process.wait)
            stack.callback(one.process.kill)
            return one

        yield start


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def data_of(path):
    return [record.data for record in read_recording(path)]


def has(path, count):
    """Whether so many samples are in a recording that is written just now."""
    try:
        return sum(1 for _ in read_recording(path)) >= count
    except (FileNotFoundError, ValueError):
        # Nothing is there yet, or it took another's place while it was read.
        return False


def count(n):
    """Tells how far it is."""
    yield from range(n)
    return "done"


class TestListening:
    def test_a_line_for_each_sample(self, server, other):
        position = other.channel("kept").info()["position"]
        for n in range(3):
            other.channel("kept").publish({"n": n, "at": np.float32([1, 2])})
        output, told = run("listen", server.url, "kept", "--after", position, "--count", 3)
        assert told == []
        lines = [json.loads(line) for line in output]
        assert [line["data"]["n"] for line in lines] == [0, 1, 2]
        assert lines[0]["data"]["at"]["data"] == "\0AACAPwAAAEA="
        epoch, _, seq = position.rpartition(":")
        assert [line["position"] for line in lines] == [f"{epoch}:{int(seq) + n}" for n in (1, 2, 3)]
        assert all(abs(line["time"] - time.time()) < 600 for line in lines)
        only, _ = run("listen", server.url, "kept", "--last", 2, "--count", 2, "--data")
        assert [json.loads(line)["n"] for line in only] == [1, 2]

    def test_what_is_missing_is_told(self, server, other):
        position = other.channel("small").info()["position"]
        epoch, _, seq = position.rpartition(":")
        for n in range(15):
            other.channel("small").publish(n)
        output, _ = run("listen", server.url, "small", "--after", position, "--count", 1)
        sample = json.loads(output[0])
        assert (sample["data"], sample["gap"]) == (5, {"lost": 5, "reason": "history"})
        _, told = run("listen", server.url, "small", "--after", position, "--count", 1, "--data")
        assert told == [f"radio: 5 samples are missing before {epoch}:{int(seq) + 6} (history)"]
        output, told = run("listen", server.url, "small", "--last", 100, "--count", 1, "--data")
        assert (output, told) == (["5"], [])

    def test_into_head(self, server, other, running):
        other.channel("kept").publish("first")
        listen = running("listen", server.url, "kept", "--last", 1)
        assert json.loads(listen.process.stdout.readline())["data"] == "first"
        # Nothing more is published: it ends all the same.
        listen.process.stdout.close()
        assert listen.process.wait(SECONDS) == 141
        assert listen.process.stderr.read() == ""

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_it_without_a_word(self, server, other, running, number, code):
        other.channel("kept").publish("first")
        listen = running("listen", server.url, "kept", "--last", 1)
        listen.process.stdout.readline()
        assert listen.ended(number) == (code, "", "")

    def test_a_signal_ends_it_while_the_server_answers_nothing(self, tmp_path, running):
        with radiod(tmp_path, configuration(KEPT)) as server:
            with Radio(server.url) as radio:
                radio.channel("kept").publish("first")
            listen = running("listen", server.url, "kept", "--last", 1)
            listen.process.stdout.readline()
            server.process.send_signal(signal.SIGSTOP)
            try:
                assert listen.ended(signal.SIGINT) == (130, "", "")
            finally:
                server.process.send_signal(signal.SIGCONT)


class TestPublishingAndCalling:
    def test_arguments_and_lines(self, server, other):
        with other.channel("kept").listen() as listening:
            run("publish", server.url, "kept", '{"speed": 12}')
            run("publish", server.url, "kept", "town")
            run("publish", server.url, "kept", "12", "--text")
            run("publish", server.url, "kept", text='{"a": 1}\n\n[2]\n')
            found = [listening.get(SECONDS).data for _ in range(5)]
        assert found == [{"speed": 12}, "town", "12", {"a": 1}, [2]]

    def test_arrays_go_through_a_pipe(self, server, other):
        sent = np.arange(4, dtype="f4")
        other.channel("kept").publish({"row": sent})
        line, _ = run("listen", server.url, "kept", "--last", 1, "--count", 1, "--data")
        with other.channel("kept").listen() as listening:
            run("publish", server.url, "kept", text=line[0])
            assert (listening.get(SECONDS).data["row"] == sent).all()

    def test_a_line_that_is_no_json_ends_it(self, server):
        _, told = run("publish", server.url, "kept", text="1\nx\n", code=2)
        assert told == ["radio: line 2: no JSON: 'x': Expecting value: line 1 column 1 (char 0)"]

    def test_calls(self, server, other):
        other.register("test.add", lambda a, b=0: a + b)
        assert run("call", server.url, "test.add", "1", "--kwarg", "b=2")[0] == ["3"]
        other.register("test.count", count)
        assert run("call", server.url, "test.count", "3")[0] == ["0", "1", "2", '"done"']
        _, told = run("call", server.url, "test.add", "1", "--kwarg", "b=x", code=1)
        assert len(told) == 1
        assert "TypeError" in told[0] or "unsupported operand" in told[0]

    def test_logins(self, server, tmp_path):
        ticket = tmp_path / "ticket"
        ticket.write_text("listener-ticket\n")
        login = ["--authid", "listener", "--ticket", f"file:{ticket}"]
        _, told = run("publish", server.url, "kept", "1", *login, code=1)
        assert told[0].startswith("radio: wamp.error.not_authorized")
        _, told = run("publish", server.url, "kept", "1", *login[:3], "env:WRONG", WRONG="x", code=4)
        assert len(told) == 1

    def test_a_private_channel(self, server, other):
        made = other.create("secret", public=False, history={"size": 10})
        key = {"RADIO_KEY": made.key}
        made.publish("hidden")
        past = ["--last", 1, "--count", 1, "--data"]
        output, _ = run("listen", server.url, "secret", "--key", "env:RADIO_KEY", *past, **key)
        assert output == ['"hidden"']
        made.delete()

    def test_nobody_there(self):
        url = f"http://127.0.0.1:{free_port()}"
        _, told = run("listen", url, "kept", code=3)
        assert len(told) == 1
        assert told[0].startswith(f"radio: no connection to {url}: ")


class TestRecording:
    @pytest.mark.parametrize(
        "suffixes",
        [("csv", "parquet"), pytest.param(("ndjson", "sqlite"), marks=pytest.mark.soak)],
        ids=", ".join,
    )
    def test_each_sample_once_over_kills_of_both(self, tmp_path, running, suffixes):
        port, folder = free_port(), tmp_path / "files"
        folder.mkdir()
        text = configuration(f"{CHANNELS}\n[store]\npath = {json.dumps(str(tmp_path / 'store.sqlite'))}")
        paths = [folder / f"log.{suffix}" for suffix in suffixes]

        def record(server):
            recorders = [running("record", server.url, "log", path) for path in paths]
            for recorder in recorders:
                recorder.said("behind")
            return recorders

        def publish(server, *numbers):
            with Radio(server.url, timeout=SECONDS) as radio:
                for n in range(*numbers):
                    radio.channel("log").publish({"n": n})

        with radiod(tmp_path, text, port) as server:
            recorders = record(server)
            publish(server, 100)
            wait_for(lambda: all(has(path, 100) for path in paths))
            for recorder in recorders:
                assert recorder.ended(signal.SIGKILL)[0] == -signal.SIGKILL
            publish(server, 100, 150)
            server.process.terminate()
            server.process.wait(SECONDS)
        with radiod(tmp_path, text, port) as server:
            recorders = record(server)
            publish(server, 150, 200)
            wait_for(lambda: all(has(path, 200) for path in paths))
            server.process.kill()
            server.process.wait(SECONDS)
        with radiod(tmp_path, text, port) as server:
            publish(server, 200, 250)
            wait_for(lambda: all(has(path, 250) for path in paths))
            for path, recorder in zip(paths, recorders, strict=True):
                code, _, told = recorder.ended(signal.SIGINT)
                assert code == 130
                assert f"{path}: 150 more samples, up to " in told
                assert "connected again" in told
        for path in paths:
            assert [(record.data, record.gap) for record in read_recording(path)] == [
                ({"n": n}, None) for n in range(250)
            ]
        # Nothing is left of the kills.
        assert sorted(each.name for each in folder.iterdir()) == sorted(path.name for path in paths)

    def test_a_history_that_was_left_is_told(self, server, other, tmp_path):
        path = tmp_path / "small.csv"
        other.channel("small").publish("first")
        run("record", server.url, "small", path, "--last", 1, "--count", 1)
        for n in range(15):
            other.channel("small").publish(n)
        _, told = run("record", server.url, "small", path, "--count", 10)
        assert "5 samples are missing before" in told[0]
        found = [(record.data, record.gap) for record in read_recording(path)]
        assert found[:3] == [("first", None), (5, Gap(5, "history")), (6, None)]

    def test_a_channel_without_a_history(self, server, other, tmp_path, running):
        path = tmp_path / "live.csv"
        for numbers in (range(3), range(5, 8)):
            recorder = running("record", server.url, "live", path)
            recorder.said("behind")
            for n in numbers:
                other.channel("live").publish({"n": n})
            wait_for(lambda numbers=numbers: numbers[-1] in [data["n"] for data in data_of(path)])
            assert recorder.ended(signal.SIGTERM)[0] == 143
            for n in (3, 4):
                # Nobody listens: what counts them is the position that was asked for once.
                other.channel("live").publish({"n": n})
        gaps = [record.gap for record in read_recording(path)]
        assert data_of(path) == [{"n": n} for n in (0, 1, 2, 5, 6, 7)]
        assert gaps == [None, None, None, Gap(2, "reconnect"), None, None]

    def test_a_file_of_another_channel(self, server, other, tmp_path):
        path = tmp_path / "kept.ndjson"
        other.channel("kept").publish(1)
        run("record", server.url, "kept", path, "--last", 1, "--count", 1)
        before = path.read_bytes()
        _, told = run("record", server.url, "small", path, code=2)
        assert told == [f"radio: {path} is a recording of kept"]
        _, told = run("record", server.url, "kept", path, "--last", 3, code=2)
        assert "goes on where it was" in told[0]
        _, told = run("record", server.url, "kept", tmp_path / "kept.xlsx", code=2)
        assert ".ndjson, .csv, .sqlite, .parquet" in told[0]
        assert path.read_bytes() == before

    def test_faster_than_it_can_be_written(self, server, other, tmp_path, running):
        """A recorder that stands still for a while finds what was dropped in the history."""
        path = tmp_path / "kept.ndjson"
        recorder = running("record", server.url, "kept", path)
        recorder.said("behind")
        recorder.process.send_signal(signal.SIGSTOP)
        text = "x" * 20_000
        for n in range(800):
            other.channel("kept").publish([n, text], acknowledge=n % 50 == 49)
        recorder.process.send_signal(signal.SIGCONT)
        wait_for(lambda: has(path, 800))
        code, _, told = recorder.ended(signal.SIGINT)
        assert (code, "missing" in told) == (130, False)
        assert [data[0] for data in data_of(path)] == list(range(800))


class TestReplaying:
    @pytest.mark.parametrize("suffix", ["sqlite", pytest.param("parquet", marks=pytest.mark.soak)])
    def test_a_recording_is_published_again(self, server, other, tmp_path, suffix):
        path = tmp_path / f"kept.{suffix}"
        sent = [{"n": float(n), "name": "a,b", "row": np.arange(3.0)} for n in range(4)]
        for data in sent:
            other.channel("kept").publish(data)
        run("record", server.url, "kept", path, "--last", 4, "--count", 4)
        with other.channel("again").listen() as listening:
            began = time.monotonic()
            _, told = run("replay", path, server.url, "again", "--speed", 1000)
            assert time.monotonic() - began < SECONDS
            assert told == [f"radio: 4 samples of {path} were published on again"]
            for data in sent:
                found = listening.get(SECONDS).data
                assert (found["n"], found["name"], list(found["row"])) == (data["n"], "a,b", [0, 1, 2])

    def test_gaps_of_the_recording_are_told(self, server, tmp_path):
        path = tmp_path / "made.ndjson"
        path.write_text('{"time": 1, "data": 1, "gap": {"lost": 3, "reason": "history"}}\n{"ti')
        _, told = run("replay", path, server.url, "again", "--speed", 0)
        assert told[0] == "radio: in the recording 3 samples are missing before this place (history)"
        path.write_text("\n")
        assert "line 1" in run("replay", path, server.url, "again", code=1)[1][0]
        assert "No such file" in run("replay", tmp_path / "no.csv", server.url, "again", code=1)[1][0]


class TestPlotting:
    def test_in_the_terminal(self, server, other):
        for n in range(50):
            other.channel("kept").publish({"speed": n % 7, "car": {"fuel": n}})
        output, _ = run("plot", server.url, "kept", "--last", 50, "--count", 50)
        assert output[0] == "speed  0"
        assert any(re.search("[\u2801-\u28ff]", line) for line in output)
        output, _ = run("plot", server.url, "kept", "--last", 5, "--count", 5, "--field", "car.fuel")
        assert output[0] == "car.fuel  49"

    def test_as_png(self, server, other, tmp_path):
        other.channel("kept").publish({"speed": 1, "row": np.arange(9.0)})
        path, png = tmp_path / "kept.sqlite", tmp_path / "kept.png"
        run("record", server.url, "kept", path, "--last", 1, "--count", 1)
        run("plot", path, "--png", png)
        assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"

    def test_nothing_to_draw(self, server, other, tmp_path):
        other.channel("kept").publish("text")
        arguments = ["plot", server.url, "kept", "--last", 1, "--count", 1]
        assert run(*arguments)[0] == ["no numbers in these samples: --field names some"]
        assert "nothing to draw" in run(*arguments, "--png", tmp_path / "a.png", code=1)[1][0]
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("matplotlib", ["plot", "a.ndjson", "--png", "a.png"], "plot"),
        ("pyarrow", ["record", "URL", "kept", "a.parquet"], "parquet"),
    ],
)
def test_an_extra_that_is_missing_is_named(server, tmp_path, package, arguments, extra):
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise ImportError")
    named = [each.replace("URL", server.url).replace("a.", f"{tmp_path}/a.") for each in arguments]
    _, told = run(*named, code=1, PYTHONPATH=os.pathsep.join([str(tmp_path), PYTHON["PYTHONPATH"]]))
    assert len(told) == 1
    assert told[0].endswith(f"pip install 'radiod-client[{extra}]'")
