"""Testaments: what each session leaves behind, in order and within bounds."""

import pytest
from support.realms import YES

from radiod.core.pubsub import testaments
from radiod.core.sessions.session import Session
from radiod.errors import QUOTA, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import JSON, NOTHING, Payload
from radiod.wire.options import PublishOptions


def will(scope, topic, payload=NOTHING, **options):
    return testaments.Testament(scope, topic, payload, PublishOptions(**options), YES)


class TestOfOneSession:
    @pytest.fixture
    def session(self):
        return Session(1, make_principal(), None)

    @pytest.fixture
    def table(self):
        return testaments.Testaments(9)

    def test_there_are_none_at_first_and_flushing_none_does_nothing(self, table, session):
        assert table.take(session) == []
        table.flush(session, "detached")
        assert len(table) == 0

    def test_detached_come_before_destroyed_each_in_the_order_added(self, table, session):
        for number, scope in enumerate(["destroyed", "detached", "destroyed", "detached"]):
            table.add(session, will(scope, f"t{number}"))
        assert [t.topic for t in table.take(session)] == ["t1", "t3", "t0", "t2"]

    def test_are_taken_once(self, table, session):
        table.add(session, will("detached", "a"))
        assert len(table) == 1
        assert len(table.take(session)) == 1
        assert (table.take(session), len(table)) == ([], 0)

    @pytest.mark.parametrize(("scope", "left"), [("detached", ["b"]), ("destroyed", ["a"])])
    def test_flushing_takes_those_of_one_scope(self, table, session, scope, left):
        table.add(session, will("detached", "a"))
        table.add(session, will("destroyed", "b"))
        table.flush(session, scope)
        assert [t.topic for t in table.take(session)] == left

    def test_flushing_the_last_leaves_nothing_in_the_table(self, table, session):
        table.add(session, will("detached", "a"))
        table.flush(session, "detached")
        assert len(table) == 0

    def test_there_may_be_so_many(self, session):
        table = testaments.Testaments(1)
        table.add(session, will("detached", "a"))
        with pytest.raises(Refused) as refusal:
            table.add(session, will("destroyed", "a"))
        assert refusal.value.uri == QUOTA
        assert len(table.take(session)) == 1

    def test_there_may_be_so_many_of_each_session(self, session):
        table, other = testaments.Testaments(1), Session(2, make_principal(), None)
        table.add(session, will("detached", "a"))
        table.add(other, will("detached", "b"))
        table.flush(other, "detached")
        assert [t.topic for t in table.take(session)] == ["a"]

    def test_their_bytes_are_bounded_together(self, table, session):
        half = testaments.MAX_BYTES // 2
        for _ in range(2):
            table.add(session, will("detached", "a", Payload(JSON, b"x" * half, b"")))
        for payload, options in ((Payload(JSON, b"x", b""), {}), (NOTHING, {"eligible": [1]})):
            with pytest.raises(Refused) as refusal:
                table.add(session, will("destroyed", "a", payload, **options))
            assert refusal.value.uri == QUOTA
        table.add(session, will("destroyed", "a"))
        assert len(table.take(session)) == 3
