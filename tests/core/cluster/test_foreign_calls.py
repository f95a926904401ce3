import pytest

from radiod.core.cluster.call_letters import Declined, Failed, Yielded, pack
from radiod.core.cluster.foreign_calls import ForeignCall
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Result

PAYLOAD = Payload.of(1)


def make(details):
    told = []
    return ForeignCall(7, 3, details, PAYLOAD, {}, told.append), told


@pytest.mark.parametrize("is_sending", [True, False])
def test_says_itself_whether_more_is_to_come(is_sending):
    call, _ = make({"progress": True, "a": 1} if is_sending else {"a": 1})
    assert (call.is_sending, call.details) == (is_sending, {"a": 1})
    assert call.invocation_details() == ({"a": 1, "progress": True} if is_sending else {"a": 1})


def test_tells_its_node_what_came_of_it():
    call, told = make({})
    call.progress(Result(3, {"progress": True, "ppt_scheme": "x"}), PAYLOAD)
    call.answer(Result(3, {"ppt_scheme": "x"}), PAYLOAD)
    call.answer(Error(48, 3, {"enc_algo": "x"}, "an.error"), PAYLOAD)
    call.decline("an.error", "why")
    assert told == [
        Yielded(7, 3, True, {"ppt_scheme": "x"}, pack(PAYLOAD)),
        Yielded(7, 3, False, {"ppt_scheme": "x"}, pack(PAYLOAD)),
        Failed(7, 3, "an.error", {"enc_algo": "x"}, pack(PAYLOAD)),
        Declined(7, 3, "an.error", "why"),
    ]
