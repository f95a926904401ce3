"""The pieces of the command ``radio`` that need no server: values, secrets, pace, charts, signals, notes."""

import io
import math
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from radiod_client import ConnectFailed, LoginRefused
from radiod_client.arrays import encode
from radiod_client.command.chart import chart
from radiod_client.command.credentials import secret
from radiod_client.command.ending import Ending, Stopped
from radiod_client.command.failures import Failed, Misused, exit_code, one_line
from radiod_client.command.options import parser
from radiod_client.command.plotting import Curves
from radiod_client.command.replaying import Pace
from radiod_client.command.terminal import Notes, Output, Rate
from radiod_client.command.values import value
from radiod_client.recordings.errors import NoFormat, RecordingError
from radiod_client.recordings.numbers import curves, plain
from radiod_client.recordings.records import Record
from radiod_client.samples import Gap


class TestValues:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("12", 12),
            ("-1.5e3", -1500.0),
            ("true", True),
            ("null", None),
            ('{"a": [1]}', {"a": [1]}),
            ('"12"', "12"),
            ("town", "town"),
            ("", ""),
            ("NaN", "NaN"),
            ('"\\u0000AAE="', b"\0\1"),
        ],
    )
    def test_json_or_text(self, text, meant):
        assert value(text) == meant

    @pytest.mark.parametrize("text", ["{speed: 1}", "[1,", '"a', ' {"a": NaN}'])
    def test_what_begins_like_json_has_to_be(self, text):
        with pytest.raises(Misused, match="no JSON"):
            value(text)


class TestSecrets:
    def test_from_a_file_or_the_environment(self, tmp_path, monkeypatch):
        (tmp_path / "ticket").write_text("joe-ticket\n")
        monkeypatch.setenv("RADIO_TICKET", "env-ticket")
        assert secret("--ticket", f"file:{tmp_path / 'ticket'}") == "joe-ticket"
        assert secret("--ticket", "env:RADIO_TICKET") == "env-ticket"
        assert secret("--ticket", None) is None

    @pytest.mark.parametrize("given", ["joe-ticket", "file:", "file:/nowhere", "env:NOT_THERE", "env:EMPTY"])
    def test_never_by_itself(self, given, monkeypatch):
        monkeypatch.setenv("EMPTY", "")
        with pytest.raises(Misused) as told:
            secret("--ticket", given)
        assert "joe-ticket" not in str(told.value)


class TestPace:
    @pytest.mark.parametrize(("speed", "waits"), [(1, [0, 1, 3]), (2, [0, 0.5, 1.5]), (0, [0, 0, 0])])
    def test_samples_are_due_as_they_were(self, speed, waits):
        pace = Pace(speed, lambda: 100.0)
        assert [pace.wait(Record(None, time, 0)) for time in (5.0, 6.0, 8.0)] == waits

    def test_late_ones_do_not_put_off_the_others(self):
        now = [0.0]
        pace = Pace(1, lambda: now[0])
        pace.wait(Record(None, 5.0, 0))
        now[0] = 2.5
        assert [pace.wait(Record(None, time, 0)) for time in (6.0, 8.0)] == [-1.5, 0.5]


class TestNumbers:
    @pytest.mark.parametrize("dtype", ["b1", "i1", "u2", "i4", "u8", "f2", "f4", "f8"])
    @pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3), (0, 2), (2, 3, 4)])
    @pytest.mark.parametrize("compress", [False, True])
    def test_arrays_are_the_same_with_numpy_and_without(self, dtype, shape, compress):
        array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
        assert plain({"a": [encode(array, compress)]}) == {"a": [array.tolist()]}
        assert plain(array) == array.tolist()

    @pytest.mark.parametrize(
        "change",
        [{"dtype": "<c8"}, {"shape": [9]}, {"shape": [-1]}, {"data": b"1"}, {"enc": "zlib"}, {"dtype": 3}],
    )
    def test_broken_ones_stay_as_they_are(self, change):
        broken = {**encode(np.arange(3.0)), **change}
        assert plain(broken) == broken

    def test_an_array_of_nothing_fills_no_memory(self):
        nothing = encode(np.zeros((0, 2)))
        nothing["shape"] = [2**40, 0]
        assert plain(nothing) == nothing
        assert plain(np.empty((2**40, 0))).shape == (2**40, 0)

    def test_what_can_be_drawn(self):
        data = {"speed": 1.5, "name": "a", "is_on": True, "row": [1, 2], "car": {"speed": 3}, "none": []}
        assert curves(data, []) == {"speed": 1.5, "row": [1, 2]}
        assert curves(data, ["car.speed", "row.1", "nowhere.x", "row.7"]) == {"car.speed": 3, "row.1": 2}
        assert curves(7, []) == {"data": 7}
        assert curves(np.arange(2.0), []) == {"data": [0.0, 1.0]}


class TestCharts:
    def test_a_line_goes_up(self):
        lines = chart([0, 1, 2, 3], 15, 4, "speed").splitlines()
        assert lines[0] == "speed  3"
        # Four points in two characters: each dot in its place.
        assert [line.partition("┤")[0].strip() for line in lines[1:]] == ["3", "", "0"]
        assert all(0x2800 <= ord(dot) <= 0x28FF for line in lines[1:] for dot in line.partition("┤")[2])

    @pytest.mark.parametrize(
        "values", [[], [math.nan], [5, 5], [1e308, -1e308], [1, math.nan, 2], [math.inf]]
    )
    def test_anything_can_be_drawn(self, values):
        for width, height in ((1, 1), (80, 24)):
            lines = chart(values, width, height).splitlines()
            assert max(map(len, lines)) <= max(width, 21)

    def test_a_gap_breaks_the_curve(self):
        drawn = Curves([], 10)
        drawn.add(Record("e:1", 1.0, {"speed": 1}))
        drawn.add(Record("e:5", 2.0, {"speed": 2, "row": [1, 2]}, Gap(3, "buffer")))
        assert [math.isnan(each) for each in drawn.values["speed"]] == [False, True, False]
        assert drawn.arrays == {"row": [1, 2]}
        assert "speed  2" in drawn.text(40, 20)

    def test_only_the_newest_are_kept(self):
        drawn = Curves(["n"], 3)
        for n in range(9):
            drawn.add(Record(None, float(n), {"n": n}))
        assert list(drawn.values["n"]) == [6, 7, 8]


class TestEnding:
    @staticmethod
    def ended(act):
        """What ``act`` does is ended by: the exit code."""
        with pytest.raises(Stopped) as stopped, Ending() as ending:
            act(ending)
        return stopped.value.code

    def test_a_signal_waits_for_what_is_held(self):
        done = []

        def act(ending):
            with ending.held():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("written")
            done.append("behind it")

        assert (self.ended(act), done) == (143, ["written"])

    def test_elsewhere_it_ends_at_once(self):
        def act(ending):
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()

        before = signal.getsignal(signal.SIGINT)
        assert self.ended(act) == 130
        assert signal.getsignal(signal.SIGINT) is before

    def test_held_in_held(self):
        done = []

        def act(ending):
            with ending.held():
                with ending.held():
                    os.kill(os.getpid(), signal.SIGINT)
                done.append("outer")

        assert (self.ended(act), done) == (130, ["outer"])


class TestNotes:
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def test_progress_only_where_somebody_sees_it(self):
        quiet, seen = io.StringIO(), self.Terminal()
        for stream in (quiet, seen):
            notes = Notes(stream)
            notes.show("1 sample")
            notes.say("done")
        assert quiet.getvalue() == "radio: done\n"
        assert seen.getvalue() == "\r\x1b[K1 sample\r\x1b[Kradio: done\n"

    def test_rates(self):
        rate = Rate()
        assert rate.text(0.0) == "0 samples, 0.0/s"
        for n in range(100):
            rate.add(20, n * 0.1)
        assert re.fullmatch(r"2,000 samples, (19|20)\d/s", rate.text(9.9))
        assert rate.text(60.0).endswith(" 0.4/s") or "samples" in rate.text(60.0)

    def test_a_closed_pipe_is_noticed_without_a_line(self):
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb", buffering=0) as stream:
            output = Output(stream)
            output.check()
            os.close(reader)
            with pytest.raises(BrokenPipeError):
                output.check()


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (Failed("a"), 1),
            (Misused("a"), 2),
            (NoFormat("a"), 2),
            (RecordingError("a"), 1),
            (ConnectFailed("a"), 3),
            (LoginRefused("a"), 4),
            (OSError(28, "No space left on device"), 1),
        ],
    )
    def test_exit_codes(self, error, code):
        assert exit_code(error) == code

    def test_one_line(self):
        assert one_line(ValueError("a\n  b")) == "a b"
        assert one_line(OSError(28, "No space left", "town.csv")) == "town.csv: No space left"
        assert one_line(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "listen",
        "listen http://a",
        "listen http://a b --count 0",
        "listen http://a b --count x",
        "listen http://a b --after e:1 --last 2",
        "replay a.csv http://a b --speed -1",
        "replay a.csv http://a b --speed nan",
        "call http://a b --timeout 0",
    ],
)
def test_wrong_command_lines(line, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line.split())
    assert ended.value.code == 2
    assert "radio" in capsys.readouterr().err


def test_importing_it_needs_none_of_the_extras():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'pyarrow', 'matplotlib']));"
        "from radiod_client.command.app import run; run(['--help'])"
    )
    folder = os.path.dirname(os.path.dirname(sys.modules["radiod_client"].__file__))
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": folder}, capture_output=True, timeout=60, check=True
    )
    assert b"exit codes" in told.stdout
