"""One event that is kept, and how much of a past is."""

import pytest

from radiod.core.history.events import Damaged, KeptEvent
from radiod.core.history.positions import Position
from radiod.wire.codecs import JSON, MSGPACK, Payload, Undecodable
from radiod.wire.options import PublishOptions


def kept(payload=None, options=None, **details):
    return KeptEvent(
        order=3,
        time=1.0,
        since=2.0,
        topic="a",
        epoch="now",
        seq=5,
        publication=9,
        publisher=7,
        payload=payload or Payload(JSON, b"[1]", b""),
        options=options or PublishOptions(),
        details=details,
    )


def test_it_tells_its_position_besides_what_everybody_learns():
    record = kept(publisher=1)
    assert record.position == Position("now", 5)
    assert record.told() == {"publisher": 1, "_seq": 5, "_epoch": "now"}
    assert record.details == {"publisher": 1}


def test_it_counts_for_its_payload_and_its_lists():
    assert kept().size == 3
    assert kept(Payload(JSON, b"[1]", b'{"a":1}')).size == 10
    lists = PublishOptions(exclude=[1, 2], eligible_authid=["x" * 500])
    assert kept(options=lists).size == 3 + lists.lists_size() > 503


def test_its_role_is_nobodys_unless_the_journal_is_to_know():
    assert kept().role == ""


@pytest.mark.parametrize("name", ["exclude", "eligible"])
@pytest.mark.parametrize("ids", [[], [1]])
def test_one_that_names_sessions_says_so_also_when_it_names_none(name, ids):
    assert kept(options=PublishOptions(**{name: ids})).names_sessions


@pytest.mark.parametrize(
    "name", ["exclude_authid", "eligible_authid", "exclude_authrole", "eligible_authrole"]
)
def test_one_that_names_people_does_not_name_sessions(name):
    assert not kept(options=PublishOptions(**{name: ["x"]})).names_sessions
    assert not kept().names_sessions


class TestPayloads:
    def test_what_the_live_one_is_transcoded_to_is_not_kept(self):
        payload = Payload(JSON, b"[1]", b"")
        record = kept(payload)
        payload.parts(MSGPACK)
        assert record.payload is not payload
        assert (record.payload.args, record.payload._other) == (b"[1]", None)

    def test_what_a_fresh_one_is_transcoded_to_goes_with_it(self):
        record = kept()
        fresh = record.fresh_payload()
        assert fresh.parts(MSGPACK) == Payload(JSON, b"[1]", b"").parts(MSGPACK)
        assert record.payload._other is None
        assert fresh.values() == ([1], {})

    def test_what_is_damaged_is_said_to_nobody(self):
        payload = Damaged(JSON, b"[1]", b"")
        for ask in (lambda: payload.parts(JSON), lambda: payload.parts(MSGPACK), payload.values):
            with pytest.raises(Undecodable, match="damaged"):
                ask()

    def test_what_is_damaged_stays_so_however_often_it_is_asked_for(self):
        record = kept(Damaged(JSON, b"[1]", b""))
        for payload in (record.payload, record.fresh_payload()):
            with pytest.raises(Undecodable):
                payload.values()
        assert record.size == 3
