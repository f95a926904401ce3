import pytest

from radiod.core.cluster.testament_records import read_estate, write_estate
from radiod.core.pubsub import testaments
from radiod.core.rights import Disclose, Verdict
from radiod.testing import Peer, RecordingOutbox, make_realm
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.options import PublishOptions


@pytest.fixture
def session():
    outbox = RecordingOutbox()
    return Peer(make_realm(outbox), outbox, "author", "tester").session


def test_what_is_written_is_read(session):
    options = PublishOptions(exclude_me=False, eligible=[1, 2], exclude_authid=["x"])
    verdict = Verdict(is_allowed=True, disclose=Disclose.ALWAYS, trustlevel=3)
    payload = Payload(CBOR, CBOR.dump(["x"]), CBOR.dump({"y": b"z"}))
    will = testaments.Testament("detached", "t", payload, options, verdict)
    estate = read_estate(write_estate(7, session, [will]))
    assert (estate.node, estate.session, estate.authid, estate.authrole) == (
        7,
        session.id,
        "author",
        "tester",
    )
    found = estate.wills[0].testament()
    assert (found.scope, found.topic, found.options, found.verdict) == ("detached", "t", options, verdict)
    assert found.payload.values() == (["x"], {"y": b"z"})


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff"])
def test_what_is_none_is_none(data):
    assert read_estate(data) is None
