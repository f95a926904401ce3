"""What clients, and callers of the core's parts, are told when something is refused, or when all is quiet."""

import pytest

from radiod.errors import PROTOCOL_VIOLATION, PeerError, Refused


def assert_error(answer, code, request, uri):
    """ERROR for that request, with one sentence for a human."""
    assert answer[:5] == [8, code, request, {}, uri]
    (sentence,) = answer[5]
    assert sentence.isprintable()
    assert len(answer) == 6


def assert_refused(uri, function, *arguments, **keywords):
    with pytest.raises(Refused) as refusal:
        function(*arguments, **keywords)
    assert refusal.value.uri == uri


def assert_protocol_violation(peer, *message):
    with pytest.raises(PeerError) as refusal:
        peer.send(*message)
    assert refusal.value.uri == PROTOCOL_VIOLATION
    assert peer.received() == []


def assert_silent(*peers):
    assert [peer.received() for peer in peers] == [[]] * len(peers)


def assert_aborted(peer, uri=PROTOCOL_VIOLATION):
    """The last message is ABORT, the connection ends, and nothing more is answered."""
    messages = peer.heard()
    assert messages, "no answer"
    code, details, reason = messages[-1]
    assert (code, reason) == (3, uri), messages
    assert isinstance(details["message"], str)
    assert peer.is_ended
    peer.say([32, 1, {}, "after.abort"])
    assert peer.heard() == []
