"""Every format of a recording: what is written comes back, it goes on where it was, half a line is mended."""

import csv
import json
import math
import resource
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radiod_client import Gap
from radiod_client.recordings import open_recording, read_recording
from radiod_client.recordings.errors import NoFormat, RecordingError
from radiod_client.recordings.ndjson_file import NdjsonRecording
from radiod_client.recordings.records import Record, Start

FORMATS = ["ndjson", "csv", "sqlite", "parquet"]
START = Start("town", "e:7", 1000.0)

# What JSON can say; Parquet has doubles, and no difference between null and nothing.
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
VALUES = st.recursive(
    SCALARS | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["speed", "name", "_position", "_data", "_more", "a,b", "x\ny", '"', ""]) | st.text()
DATA = VALUES | st.dictionaries(KEYS, VALUES, max_size=4)
GAPS = st.none() | st.builds(Gap, st.none() | st.integers(0, 9), st.sampled_from(["buffer", "history"]))


def recorded(path, *runs):
    """Write each run's records, one after the other, and close in between."""
    for run in runs:
        recording = open_recording(path)
        if recording.is_new:
            recording.begin(START)
        recording.write(run)
        recording.close()


def records(*values, first=8):
    return [Record(f"e:{first + n}", 1000.5 + n, value) for n, value in enumerate(values)]


def read(path):
    return list(read_recording(path))


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    return tmp_path / f"town.{request.param}"


class TestEveryFormat:
    def test_what_is_written_comes_back(self, path):
        written = records({"speed": 1.5, "name": "a", "is_on": True}, {"speed": 2.5, "other": [1]}, 5, "text")
        written[1].gap = Gap(3, "buffer")
        written[2].gap = Gap(None, "history")
        written[3].rest = {"args": ["text", 2], "kwargs": {"a": 1}}
        recorded(path, written)
        assert read(path) == written

    def test_a_later_run_goes_on(self, path):
        runs = [records({"speed": 1.0}), records({"speed": 2.0}, {"new": "x"}, first=9), records(3, first=11)]
        recorded(path, *runs)
        assert read(path) == [record for run in runs for record in run]
        recording = open_recording(path)
        assert (recording.is_new, recording.position) == (False, "e:11")
        recording.close()

    def test_it_knows_where_it_began_before_there_is_a_sample(self, path):
        recorded(path, [])
        assert read(path) == []
        recording = open_recording(path)
        assert (recording.is_new, recording.position) == (False, "e:7")
        recording.write(records({"speed": 1.0}))
        recording.close()
        assert read(path) == records({"speed": 1.0})

    def test_all_but_csv_know_their_channel(self, path):
        recorded(path, [])
        recording = open_recording(path)
        assert recording.channel == (None if path.suffix == ".csv" else "town")
        recording.close()

    def test_nobody_else_writes_meanwhile(self, path):
        recording = open_recording(path)
        recording.begin(START)
        with pytest.raises(RecordingError, match="another program is recording"):
            open_recording(path)
        recording.write(records({"speed": 1.0}))
        with pytest.raises(RecordingError, match="another program is recording"):
            open_recording(path)
        recording.close()
        open_recording(path).close()

    def test_it_can_be_read_meanwhile(self, path):
        recording = open_recording(path)
        recording.begin(START)
        recording.write(records({"speed": 1.0}))
        assert read(path) == records({"speed": 1.0})
        recording.close()

    def test_a_file_of_something_else_is_left_alone(self, path):
        path.write_bytes(b"a file of mine, and no recording\n")
        with pytest.raises(RecordingError, match="no "):
            open_recording(path)
        assert path.read_bytes() == b"a file of mine, and no recording\n"

    def test_one_that_is_not_there(self, path):
        with pytest.raises(FileNotFoundError):
            read(path)

    def test_nothing_is_left_beside_it(self, path):
        recorded(path, records({"a": 1.0}), records({"a": 2.0}, first=9))
        assert [each.name for each in path.parent.iterdir()] == [path.name]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_whatever_is_published_comes_back(suffix, data):
    written = [
        Record(f"e:{n}", n + 0.25, data.draw(DATA), data.draw(GAPS))
        for n in range(data.draw(st.integers(1, 4)))
    ]
    half = data.draw(st.integers(0, len(written)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"town.{suffix}"
        recorded(path, written[:half], written[half:])
        found = read(path)
    assert len(found) == len(written)
    for one, other in zip(found, written, strict=True):
        assert (one.position, one.time, one.gap) == (other.position, other.time, other.gap)
        if suffix == "parquet":
            assert without_nulls(one.data) == without_nulls(other.data)
        else:
            assert one.data == other.data


def without_nulls(data):
    """Parquet's columns have one word for null and for nothing; an empty object is nothing at all."""
    if isinstance(data, dict):
        return {key: value for key, value in data.items() if value is not None} or None
    return data


@pytest.mark.parametrize("suffix", ["ndjson", "csv"])
def test_half_a_line_at_the_end_is_mended_wherever_it_was_torn(tmp_path, suffix):
    path = tmp_path / f"town.{suffix}"
    written = records({"name": 'a "b"\r\n, c', "speed": 1.5}, {"name": "d", "extra": "e\nf"}, {"speed": 2})
    recorded(path, written)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in range(len(lines[0]) + len(lines[1]), len(whole) + 1):
        path.write_bytes(whole[:size])
        left = read(path)
        assert left == written[: len(left)]
        recording = open_recording(path)
        assert recording.position == left[-1].position
        recording.write(written[len(left) :])
        recording.close()
        assert path.read_bytes() == whole


def test_a_first_line_that_was_torn_is_as_if_it_were_never_written(tmp_path):
    path = tmp_path / "town.ndjson"
    path.write_bytes(b'{"channel":"to')
    recording = open_recording(path)
    assert recording.is_new
    recording.close()


class TestParquet:
    def test_a_run_that_was_killed_is_in_the_journal(self, tmp_path):
        path = tmp_path / "town.parquet"
        recorded(path, records({"speed": 1.0}))
        journal = NdjsonRecording(tmp_path / "town.parquet.journal")
        journal.begin(Start("town", "e:8", 5.0))
        journal.write(records({"speed": 2.0}, first=9))
        journal.close()
        with (tmp_path / "town.parquet.journal").open("ab") as file:
            file.write(b'{"position":"e:10","da')
        (tmp_path / ".town.parquet.new").write_bytes(b"half a file")
        both = records({"speed": 1.0}) + records({"speed": 2.0}, first=9)
        assert read(path) == both
        recording = open_recording(path)
        assert recording.position == "e:9"
        recording.close()
        assert read(path) == both
        assert [each.name for each in tmp_path.iterdir()] == [path.name]

    def test_killed_between_the_new_file_and_the_journals_end(self, tmp_path):
        path, journal = tmp_path / "town.parquet", tmp_path / "town.parquet.journal"
        recording = open_recording(path)
        recording.begin(START)
        recording.write(records({"speed": 1.0}))
        kept = journal.read_bytes()
        recording.close()
        journal.write_bytes(kept)
        assert read(path) == records({"speed": 1.0})
        recorded(path, records({"speed": 2.0}, first=9))
        assert read(path) == records({"speed": 1.0}) + records({"speed": 2.0}, first=9)

    def test_many_samples_are_many_groups(self, tmp_path, monkeypatch):
        monkeypatch.setattr("radiod_client.recordings.parquet_file.GROUP", 10)
        path = tmp_path / "town.parquet"
        written = records(*({"n": float(n)} for n in range(25)))
        recorded(path, written[:12], written[12:])
        assert read(path) == written

    def test_columns_have_types(self, tmp_path):
        import pyarrow.parquet

        path = tmp_path / "town.parquet"
        data = {"n": 1, "on": True, "name": "a", "list": [1, 2.5], "any": {"a": 1}}
        data |= {"grid": np.arange(6, dtype="f4").reshape(2, 3), "c": np.array([1j])}
        recorded(path, records(data))
        found = {field.name: str(field.type) for field in pyarrow.parquet.read_schema(path)}
        del found["_position"], found["_time"], found["_gap"], found["_lost"], found["_more"]
        assert found == {
            "n": "double",
            "on": "bool",
            "name": "string",
            "list": "list<item: double>" if "list<item" in found["list"] else "list<element: double>",
            "any": "string",
            "grid": found["grid"],
            "c": "string",
        }
        assert found["grid"].count("list<") == 2
        assert "float" in found["grid"]

    def test_what_does_not_fit_its_column_is_not_lost(self, tmp_path):
        path = tmp_path / "town.parquet"
        runs = [records({"n": 1.0}), records({"n": "many"}, {"n": [1]}, {"n": 2**60}, first=9)]
        recorded(path, *runs)
        assert read(path) == [record for run in runs for record in run]

    def test_without_pyarrow_one_line_names_the_extra(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        with pytest.raises(RecordingError, match=r"radiod-client\[parquet\]"):
            open_recording(tmp_path / "town.parquet")
        assert not list(tmp_path.iterdir())


class TestArrays:
    GRID = np.arange(6, dtype="<f4").reshape(2, 3)

    @pytest.mark.parametrize("suffix", ["ndjson", "sqlite"])
    def test_they_stay_arrays(self, tmp_path, suffix):
        path = tmp_path / f"town.{suffix}"
        recorded(path, records({"grid": self.GRID, "bytes": b"\0\1"}))
        (found,) = read(path)
        assert found.data["grid"] == {
            "_nd": 1,
            "dtype": "<f4",
            "shape": [2, 3],
            "data": self.GRID.tobytes(),
            "enc": "raw",
        }
        assert found.data["bytes"] == b"\0\1"

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_they_become_lists_of_numbers(self, tmp_path, suffix):
        path = tmp_path / f"town.{suffix}"
        recorded(path, records({"grid": self.GRID}))
        assert read(path)[0].data == {"grid": self.GRID.tolist()}

    def test_complex_ones_stay_arrays_everywhere(self, path):
        recorded(path, records({"c": np.array([1 + 2j])}))
        assert read(path)[0].data["c"]["dtype"] == "<c16"


class TestForOtherPrograms:
    def test_csv(self, tmp_path):
        path = tmp_path / "town.csv"
        written = records({"speed": 1.5, "name": "a,b"}, {"speed": 2, "name": "12", "more": None})
        written[1].gap = Gap(3, "reconnect")
        recorded(path, written)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows == [
            {
                "_position": "e:8", "_time": "1000.5", "_gap": "", "_lost": "",
                "speed": "1.5", "name": "a,b", "more": "", "_more": "",
            },
            {
                "_position": "e:9", "_time": "1001.5", "_gap": "reconnect", "_lost": "3",
                "speed": "2", "name": '"12"', "more": "null", "_more": "",
            },
        ]  # fmt: skip

    def test_ndjson(self, tmp_path):
        path = tmp_path / "town.ndjson"
        recorded(path, [Record("e:8", 1.5, {"speed": math.nan}, Gap(None, "history"))])
        assert [json.loads(line) for line in path.read_text().splitlines()] == [
            {"channel": "town", "position": "e:7", "time": 1000.0},
            {
                "position": "e:8",
                "time": 1.5,
                "gap": {"lost": None, "reason": "history"},
                "data": {"speed": None},
            },
        ]

    def test_sqlite(self, tmp_path):
        path = tmp_path / "town.sqlite"
        recorded(path, records({"speed": 1.5}))
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT json_extract(data, '$.speed') FROM samples").fetchall() == [
                (1.5,)
            ]
        database.close()

    def test_a_name_of_no_format(self, tmp_path):
        with pytest.raises(NoFormat, match=r"ends in \.ndjson, \.csv, \.sqlite, \.parquet"):
            open_recording(tmp_path / "town.txt")


FULL = """
import resource, sys
from pathlib import Path
from radiod_client.recordings import open_recording
from radiod_client.recordings.records import Record
recording = open_recording(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (recording._file.size + 30, resource.RLIM_INFINITY))
try:
    recording.write([Record("e:9", 1.0, "x" * 100)])
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recording.write([Record("e:9", 1.0, "y")])
recording.close()
"""


@pytest.mark.parametrize("suffix", ["ndjson", "csv"])
def test_where_the_disk_is_full_nothing_is_left_half(tmp_path, suffix):
    path = tmp_path / f"town.{suffix}"
    recorded(path, records("x"))
    import radiod_client

    told = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        env={"PYTHONPATH": str(next(iter(radiod_client.__path__)) + "/..")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == "File too large\n"
    assert [record.data for record in read(path)] == ["x", "y"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
