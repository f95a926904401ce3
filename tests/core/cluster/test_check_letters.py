"""What is asked and answered about mirrors comes out as it went in."""

import pytest

from radiod.core.cluster.check_letters import (
    AskAll,
    AskSums,
    Finding,
    read_findings,
    read_question,
    read_sums,
    write,
    write_sums,
)
from radiod.core.cluster.sums import Sum


@pytest.mark.parametrize("letter", [AskAll(), AskSums("radio tables", ["sessions"]), AskSums("x", [])])
def test_questions(letter):
    assert read_question(write(letter)) == letter


def test_sums():
    assert read_sums(write_sums([Sum(3, 2**64 - 1), Sum(0, 0)])) == [(3, 2**64 - 1), (0, 0)]


def test_findings():
    found = [Finding("radio", "sessions", "b", -1, 4, False, ["node b is gone"])]
    assert read_findings(write(found)) == found


@pytest.mark.parametrize("read", [read_question, read_sums, read_findings])
@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\xa1x", b"\x91\x91\xa1\xff"])
def test_what_is_none_of_them_is_none(read, data):
    assert read(data) is None
