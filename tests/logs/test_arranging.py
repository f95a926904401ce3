"""Who writes the log in each format."""

import io
import json
import os

import pytest
from twisted.logger import LogLevel, textFileLogObserver

from radiod.logs.arranging import arranged
from radiod.logs.journal import Journal

LINE = {"log_text": "hello", "log_format": "{log_text}", "log_level": LogLevel.info, "log_time": 0.0}


@pytest.fixture
def file(tmp_path):
    with open(tmp_path / "log", "w") as file:
        yield file


@pytest.mark.parametrize("format", ["text", "auto"])
def test_text_is_what_was_there(format, file, monkeypatch):
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    observers = [textFileLogObserver(file), print]
    assert arranged(format, observers) == observers


def test_json_goes_to_the_same_file():
    file = io.StringIO()
    (observer,) = arranged("json", [textFileLogObserver(file)])
    observer(LINE)
    assert json.loads(file.getvalue())["text"] == "hello"


def test_those_without_a_file_stay():
    assert arranged("json", [print]) == arranged("journal", [print]) == [print]


def test_auto_is_the_journal_where_the_file_is_its(file, monkeypatch, tmp_path):
    known = os.fstat(file.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{known.st_dev}:{known.st_ino}")
    kept, journal = arranged("auto", [print, textFileLogObserver(file)], str(tmp_path / "nosuch"))
    assert kept is print
    assert isinstance(journal, Journal)
    journal(LINE)
    file.flush()
    assert (tmp_path / "log").read_text().count("\n") == 2


def test_the_journal_can_be_asked_for(file, tmp_path):
    (journal,) = arranged("journal", [textFileLogObserver(file)], str(tmp_path / "nosuch"))
    assert isinstance(journal, Journal)
