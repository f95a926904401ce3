"""Every request of a connection is checked, its first like its later ones; what is refused is the last."""

import json
import re

import pytest
from support.attacks import ATTACKS, TAKEN, publish
from support.http import Answer
from support.memory import HEALTHY

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
BEFORE = {"first": b"", "behind a GET": GET, "behind a POST": publish("Content-Length: 34")}


@pytest.fixture
def wire(shared_world):
    wire = shared_world.connect()
    yield wire
    wire.hang_up()


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_could_be_read_differently_is_refused(wire, before, attack):
    for request in filter(None, [BEFORE[before]]):
        wire.send(request)
        assert Answer(wire.received()).status == 200
    # What is behind it would be somebody else's request, smuggled.
    wire.send(attack.data + GET)
    answer = Answer(wire.received())
    assert answer.status == attack.status
    assert answer.headers["Connection"] == "close"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert isinstance(json.loads(answer.body)["error"], str)
    assert wire.is_closed
    wire.send(GET)
    assert wire.received() == b""


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_what_the_standard_asks_for_is_taken_and_the_connection_goes_on(wire, before, case):
    for request in filter(None, [BEFORE[before]]):
        wire.send(request)
        wire.received()
    wire.send(case.data + GET)
    answers = wire.received()
    assert Answer(answers).status == case.status
    assert len(STATUS.findall(answers)) == 2
    assert answers.endswith(HEALTHY)
    assert not wire.is_closed


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused_however_it_is_cut(shared_world, attack):
    size = len(attack.data)
    for cut in {1, 2, size // 3, size // 2, size - 3, size - 1}:
        for before in (b"", GET):
            wire = shared_world.connect()
            wire.send(before + attack.data[:cut])
            wire.send(attack.data[cut:])
            wanted = [b"200"] * bool(before) + [b"%d" % attack.status]
            assert STATUS.findall(wire.received()) == wanted
            assert wire.is_closed


def test_expecting_to_go_on_is_answered_where_the_body_is_wanted(wire):
    wire.send(publish("Expect: 100-continue", "Content-Length: 34", body=b""))
    assert wire.received() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(publish()[-34:])
    assert Answer(wire.received()).status == 200
    # Not where it is there already, nor of old clients.
    wire.send(publish("Expect: 100-continue", "Content-Length: 34"))
    assert Answer(wire.received()).status == 200
    line = "POST /publish HTTP/1.0"
    wire.send(
        publish("Expect: 100-continue", "Content-Length: 34", "Connection: keep-alive", body=b"", line=line)
    )
    assert wire.received() == b""
