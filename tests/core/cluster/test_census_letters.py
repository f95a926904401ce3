import msgspec
import pytest

from radiod.core.cluster.census_letters import (
    Finding,
    Question,
    read_finding,
    read_question,
    write_finding,
    write_question,
)


def test_a_question_and_its_answer_are_read_as_they_were_written():
    question = Question("wamp.session.list", {"filter_authroles": ["a"]})
    assert read_question(write_question(question)) == question
    for finding in (Finding([1, 2**53]), Finding(None, "an.error", "why")):
        assert read_finding(write_finding(finding)) == finding


@pytest.mark.parametrize("read", [read_question, read_finding])
def test_what_is_neither_is_refused(read):
    with pytest.raises(msgspec.MsgspecError):
        read(b"\x01")
