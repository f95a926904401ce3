"""Recordings: what is played is what was recorded, also of one that was cut."""

import json
from argparse import Namespace

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.__main__ import main, print_samples
from simulator.recording import Recorded, Replay
from simulator.source import Ended
from simulator.stop import Stop

FORMATS = ["dense", "legacy", "q8", "q16", "delta"]


@pytest.fixture
def simulator():
    made = Simulator(Town.grid(3, 3), "town")
    made.run(300)
    return made


@pytest.fixture
def record(simulator, tmp_path):
    """Record so many samples in a format. Returns: (file, the dense samples)."""

    def make(format="dense", samples=8):
        path = tmp_path / f"{format}.town"
        recorded, expected = Recorded(simulator, path, format), []
        for _ in range(samples - 1):
            expected.append(recorded.dump_state())
            recorded.next()
        expected.append(recorded.dump_state())
        recorded.close()
        return path, expected

    return make


def play(replay, format="dense"):
    """All its samples, and what it says at the end."""
    samples = []
    try:
        while True:
            samples.append(replay.dump_state(format))
            replay.next()
    except Ended as ended:
        return samples, str(ended)


@pytest.mark.parametrize("format", ["dense", "legacy"])
def test_what_is_played_is_what_was_recorded(record, simulator, format):
    path, expected = record(format)
    assert play(Replay(path)) == (expected, "")
    assert Replay(path).map() == json.loads(json.dumps(simulator.map()))
    assert (Replay(path).name, Replay(path).step) == ("town", 5.0)


@pytest.mark.parametrize("format", ["q8", "q16", "delta"])
def test_small_formats_are_played_as_closely_as_they_tell(record, format):
    path, expected = record(format)
    samples, _ = play(Replay(path))
    for sample, dense in zip(samples, expected, strict=True):
        assert np.abs(np.array(sample["k"]) - dense["k"]).max() <= 0.125 / 510 + 1e-9
        assert (sample["green"], sample["time"]) == (dense["green"], dense["time"])


@pytest.mark.parametrize("played", FORMATS)
@pytest.mark.parametrize("recorded", ["dense", "q8"])
def test_any_recording_is_played_in_any_format(record, simulator, recorded, played):
    path, _ = record(recorded)
    replay, again = Replay(path), Replay(path)
    first, _ = play(replay, played)
    assert len(first) == 8
    assert set(first[0]) == set(simulator.dump_state(played))
    replay.forget_key()
    assert json.loads(json.dumps(play(again, played)[0])) == first


def test_closed_streets_are_played_too(tmp_path):
    town = Simulator(Town.grid(2, 2))
    town.close_street("r0c0-r0c1", None, 5)
    recorded = Recorded(town, tmp_path / "closed")
    recorded.next()
    recorded.close()
    replay = Replay(tmp_path / "closed")
    assert [replay.dump_state(format)["closed"] for format in ("dense", "q8", "delta")] == [[0]] * 3
    replay.next()
    assert "closed" not in replay.dump_state()


def test_another_network_may_be_named(record):
    path, _ = record()
    replay = Replay(path, "other")
    assert (replay.name, replay.map()["name"], replay.dump_state()["name"]) == ("other", "other", "other")


def test_an_unknown_format_is_refused(record):
    with pytest.raises(ValueError, match="no format 'xml'"):
        Replay(record()[0]).dump_state("xml")


def test_a_cut_recording_gives_its_whole_samples_and_says_where_it_is_cut(record):
    path, expected = record()
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    for whole in range(1, len(expected)):
        begin = sum(map(len, lines[: whole + 1]))
        for cut in (begin + 1, begin + len(lines[whole + 1]) // 2, begin + len(lines[whole + 1]) - 1):
            path.write_bytes(content[:cut])
            assert play(Replay(path)) == (
                expected[:whole],
                f"{path}:{whole + 2}: the recording is cut there",
            )
        path.write_bytes(content[:begin])
        assert play(Replay(path)) == (expected[:whole], "")


@pytest.mark.parametrize(
    "noise", [b"\0" * 50 + b"\n", b"{}\n", b"[1]\n", b'{"n": 1}\n', b"\xff\xfe\n", b"nonsense\n"]
)
def test_what_is_no_sample_ends_it_in_one_line(record, noise):
    path, expected = record(samples=3)
    path.write_bytes(path.read_bytes() + noise)
    assert play(Replay(path)) == (expected, f"{path}:5: the recording is cut there")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: no recording of a town"),
        (b"hello\n", ":1: no recording of a town"),
        (b"[]\n", ":1: no recording of a town"),
        (b'{"recording": 2, "map": {}}\n', ":1: no recording of a town"),
        (b'{"recording": 1, "map": {}}\n', ":1: no map of a town"),
        (b'{"recording": 1, "map": {"name": "a", "streets": []}}\n', ": there is no sample in it"),
        (b'{"recording": 1, "map": {"name": "a", "streets": []}}\n{"n', ":2: the recording is cut there"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(TownError) as raised:
        Replay(path)
    assert str(raised.value).startswith(f"{path}{message}")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TownError, match="No such file"):
        Replay(tmp_path / "nothing")


def test_no_recording_is_written_over(record, simulator):
    path, _ = record()
    before = path.read_bytes()
    with pytest.raises(TownError, match="there is something in this file already"):
        Recorded(simulator, path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_refused(simulator, tmp_path):
    with pytest.raises(TownError, match="No such file or directory"):
        Recorded(simulator, tmp_path / "none" / "file")


def test_a_full_disk_ends_the_recording_and_not_the_town(simulator, capsys):
    from pathlib import Path

    recorded = Recorded(simulator, Path("/dev/full"))
    for _ in range(3):
        recorded.next()
    recorded.close()
    assert capsys.readouterr().err == (
        "simulator: /dev/full: No space left on device; recorded no further than 300 s\n"
    )
    assert recorded.time == 315


def test_each_sample_is_in_the_file_before_the_next_is_computed(simulator, tmp_path):
    path = tmp_path / "file"
    recorded = Recorded(simulator, path)
    for number in range(1, 5):
        recorded.next()
        assert path.read_bytes().count(b"\n") == number + 1
    recorded.close()


# --- From the command line


def test_a_dry_run_records_and_plays(tmp_path, capsys):
    path = str(tmp_path / "file")
    assert main(["--town", "grid:2x2", "--dry-run", "--samples", "4", "--record", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["--replay", path, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:4] == lines
    assert err == ""


def test_a_cut_one_is_its_samples_and_one_line(tmp_path, capsys):
    path = tmp_path / "file"
    assert main(["--town", "grid:2x2", "--dry-run", "--samples", "4", "--record", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    path.write_bytes(path.read_bytes()[:-300])
    assert main(["--replay", str(path), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:3] == lines[:3]
    assert err.splitlines() == [f"simulator: {path}:{len(out.splitlines()) + 2}: the recording is cut there"]


def test_printing_ends_with_the_recording(record, capsys):
    path, expected = record()
    with pytest.raises(Ended):
        print_samples(Replay(path), Namespace(samples=0, format="dense"), Stop())
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
