import pytest

from radiod.core.cluster.testament_records import read_estate, write_estate, write_rest
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
    estate = read_estate(write_estate(7, session, [("t", will)]))
    assert (estate.node, estate.session, estate.authid, estate.authrole) == (
        7,
        session.id,
        "author",
        "tester",
    )
    found = estate.wills[0].testament()
    assert (found.scope, found.topic, found.options, found.verdict) == ("detached", "t", options, verdict)
    assert found.payload.values() == (["x"], {"y": b"z"})


def test_a_key_is_not_written_and_what_is_left_of_an_estate_is_one(session):
    payload, verdict = Payload(CBOR, b"", b""), Verdict(is_allowed=True)
    options = PublishOptions(key="a secret")
    wills = [("#1", testaments.Testament("detached", "club", payload, options, verdict))] * 2
    data = write_estate(7, session, wills)
    assert b"club" not in data
    assert b"a secret" not in data
    assert options.key == "a secret"
    estate = read_estate(data)
    rest = read_estate(write_rest(estate, estate.wills[1:]))
    assert (rest.session, [will.topic for will in rest.wills]) == (session.id, ["#1"])


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff"])
def test_what_is_none_is_none(data):
    assert read_estate(data) is None
