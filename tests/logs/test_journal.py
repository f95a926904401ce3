"""The journal as an observer: a socket of the test's stands for it, as journald's would be there."""

import os
import socket

import pytest
from twisted.logger import LogLevel

from radiod.logs.journal import Journal, is_journal


def line(text):
    return {"log_text": text, "log_level": LogLevel.info, "log_time": 0.0}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "socket")


def listening(path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path)
    server.setblocking(False)
    return server


def test_a_line_is_one_datagram(path):
    with listening(path) as server:
        Journal([], path)(line("hello"))
        assert server.recv(4096).startswith(b"MESSAGE=hello\nPRIORITY=6\nSYSLOG_IDENTIFIER=radiod\n")


def test_a_journal_that_is_started_again_is_found(path):
    others = []
    with listening(path):
        journal = Journal([others.append], path)
    os.unlink(path)
    with listening(path) as server:
        journal(line("hello"))
        assert server.recv(4096).startswith(b"MESSAGE=hello\n")
    assert others == []


def test_without_a_journal_the_log_goes_on_where_it_was_and_says_so_once(path):
    others = []
    journal = Journal([others.append], path)
    journal(line("one"))
    journal(line("two"))
    said = f"the journal cannot be written to at {path}: the log goes on here"
    assert [event["log_text"] for event in others] == [said, "one", "two"]
    assert others[0]["event"] == "log_failed"
    with listening(path) as server:
        journal(line("three"))
        assert server.recv(4096).startswith(b"MESSAGE=three\n")
    journal(line("four"))
    assert [event["log_text"] for event in others][3:] == [said, "four"]


def test_it_waits_for_nobody(path):
    others = []
    with listening(path):
        journal = Journal([others.append], path)
        for number in range(2000):
            journal(line(f"{number} {'x' * 500}"))
        assert others


@pytest.mark.parametrize("which", ["right", "another", "none", "closed"])
def test_the_journal_is_known_by_the_number_of_its_stream(tmp_path, monkeypatch, which):
    with open(tmp_path / "file", "w") as file:
        known = os.fstat(file.fileno())
        stream = f"{known.st_dev}:{known.st_ino if which != 'another' else 0}"
        if which == "none":
            monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        else:
            monkeypatch.setenv("JOURNAL_STREAM", stream)
        number = file.fileno()
        if which == "closed":
            number = 1 << 20
        assert is_journal(number) == (which == "right")
