"""Lines as JSON and as the journal's entries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel

from radiod.logs.formats import MAX_LINE_BYTES, journal_entry, json_line
from radiod.logs.text import clean


def line(**told):
    return {"log_text": "text", "log_time": 1.5, "log_level": LogLevel.warn, "log_namespace": "a.b", **told}


def read(datagram):
    """The fields of an entry, as journald reads them."""
    fields = []
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        if b"=" in head:
            field, _, value = head.partition(b"=")
            datagram = rest
        else:
            field, size = head, int.from_bytes(rest[:8], "little")
            value, datagram = rest[8 : 8 + size], rest[8 + size :]
            assert datagram[:1] == b"\n"
            datagram = datagram[1:]
        fields.append((field.decode(), value.decode()))
    assert len(dict(fields)) == len(fields)
    return dict(fields)


def test_a_line_of_json():
    written = json_line(line(event="login_refused", authid="joe", tried="ticket", realm="radio", peer="unix"))
    assert written.endswith("}\n")
    assert json.loads(written) == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "warn",
        "event": "login_refused",
        "text": "text",
        "logger": "a.b",
        "authid": "joe",
        "method": "ticket",
        "realm": "radio",
        "peer": "unix",
    }


def test_an_entry_of_the_journal_has_no_time_of_its_own():
    entry = read(journal_entry(line(event="login_refused", authid="joe", session=5)))
    assert entry == {
        "MESSAGE": "text",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "radiod",
        "RADIOD_EVENT": "login_refused",
        "RADIOD_LOGGER": "a.b",
        "RADIOD_AUTHID": "joe",
        "RADIOD_SESSION": "5",
    }


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", "7"), ("info", "6"), ("warn", "4"), ("error", "3"), ("critical", "2")],
)
def test_priorities(level, priority):
    entry = line(log_level=LogLevel.levelWithName(level))
    assert read(journal_entry(entry))["PRIORITY"] == priority
    assert json.loads(json_line(entry))["level"] == level


def test_what_has_no_level_is_info():
    assert read(journal_entry(line(log_level=None)))["PRIORITY"] == "6"


def test_many_lines_are_one_field_and_one_line():
    text = "a\nPRIORITY=0\nRADIOD_EVENT=started"
    entry = read(journal_entry(line(log_text=text)))
    assert entry["MESSAGE"] == text
    assert entry["PRIORITY"] == "4"
    assert entry["RADIOD_EVENT"] == "other"
    assert json_line(line(log_text=text)).count("\n") == 1


texts = st.text(max_size=200)


@given(texts, texts, texts, texts)
def test_whatever_comes_is_one_line_or_entry_that_can_be_read(text, authid, realm, peer):
    event = line(log_text=clean(text * 20), authid=authid * 5, realm=realm * 5, peer=peer * 5, uri=text * 5)
    written = json_line(event)
    assert written.count("\n") == 1
    assert written[:-1].isprintable()
    assert len(written.encode()) <= MAX_LINE_BYTES
    assert json.loads(written)["text"] == event["log_text"]
    entry = read(journal_entry(event))
    assert entry["MESSAGE"] == event["log_text"]
    assert entry["SYSLOG_IDENTIFIER"] == "radiod"
