"""The memory keeper: what is written is there, in bounds."""

import pytest

from radiod.core.access.audit import START, follows
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import AccessStore
from radiod.core.access.records import (
    AccountRecord,
    Act,
    Dropped,
    KeyRecord,
    PlanRecord,
    Records,
    SecretRecord,
    UsageQuery,
    UsageRow,
    UserRecord,
)
from radiod.errors import FEATURE_NOT_SUPPORTED, INVALID_ARGUMENT, Refused

ACCOUNT = AccountRecord(id="acme", plan="basic", created=1.0)
PLAN = PlanRecord(name="basic", limits={"publish_rate": 1.0}, created=1.0)
KEY = KeyRecord(id="k_1", account="acme", realm="radio", listen=("a.*",), created=1.0, created_by="socket:0")
SECRET = SecretRecord(digest=bytes(32), key="k_1", hint="last", created=1.0)
USER = UserRecord(realm="radio", authid="joe", role="dj", account="acme", created=1.0)


def act(object="k_1", **detail):
    return Act(time=5.0, actor="joe", address="", action="key.issue", object=object, detail=detail)


def result_of(promise):
    outcomes = []
    promise.then(outcomes.append)
    (outcome,) = outcomes
    return outcome


@pytest.fixture
def store() -> AccessStore:
    return MemoryAccessStore()


def test_what_was_changed_is_there_in_the_order_of_coming(store):
    empty = Records(accounts=[], plans=[], keys=[], secrets=[], users=[])
    assert store.load() == empty
    other = AccountRecord(id="aaa", created=2.0)
    assert result_of(store.change([ACCOUNT, PLAN, KEY, SECRET, USER, other], act())) is None
    suspended = AccountRecord(id="acme", state="suspended", created=1.0)
    assert result_of(store.change([suspended], act())) is None
    assert store.load() == Records(
        accounts=[suspended, other], plans=[PLAN], keys=[KEY], secrets=[SECRET], users=[USER]
    )


def test_what_was_dropped_is_gone_and_dropping_it_again_is_nothing(store):
    store.change([ACCOUNT, PLAN, KEY, SECRET, USER], act())
    gone = [Dropped("plan", ("basic",)), Dropped("secret", (bytes(32),)), Dropped("user", ("radio", "joe"))]
    for _ in range(2):
        assert result_of(store.change(gone, act())) is None
        assert store.load() == Records(accounts=[ACCOUNT], plans=[], keys=[KEY], secrets=[], users=[])


def test_what_cannot_be_written_changes_nothing(store):
    refused = result_of(store.change([ACCOUNT], act(x="\ud800")))
    assert isinstance(refused, Refused)
    assert refused.uri == INVALID_ARGUMENT
    assert store.load().accounts == []
    assert result_of(store.audit(0, 100)) == []


def test_the_last_use_of_secrets_that_are_there(store):
    store.change([SECRET], act())
    store.used({bytes(32): 7200.0, b"x" * 32: 3600.0})
    assert [secret.last_used for secret in store.load().secrets] == [7200.0]


def test_the_audit_tells_what_was_done_in_order_and_by_pages(store):
    for number in range(5):
        store.change([], act(f"k_{number}", n=number))
    entries = result_of(store.audit(0, 100))
    assert [(entry.seq, entry.object, entry.detail) for entry in entries] == [
        (number + 1, f"k_{number}", {"n": number}) for number in range(5)
    ]
    assert entries[0].previous == START.hash
    assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
    assert result_of(store.audit(2, 2)) == entries[2:4]
    assert result_of(store.audit(5, 2)) == result_of(store.audit(2**64, 2)) == []
    assert result_of(store.audit(0, -1)) == []
    assert result_of(store.audit(-5, 1)) == entries[:1]


def test_the_audit_is_bounded_and_its_chain_goes_on():
    store = MemoryAccessStore(max_audit=3)
    for number in range(5):
        store.change([], act(f"k_{number}"))
    entries = result_of(store.audit(0, 100))
    assert [entry.seq for entry in entries] == [3, 4, 5]
    assert entries[1].previous == entries[0].hash
    assert result_of(store.audit(3, 100)) == entries[1:]
    assert not follows(START, ())


def usage(hour, channel="a", **counts):
    return UsageRow(hour=hour, account="acme", key="k_1", channel=channel, **counts)


def test_counting_the_same_again_changes_nothing(store):
    for _ in range(2):
        assert result_of(store.count([usage(0, published=1), usage(0, "b", published=2)])) is None
    store.count([usage(0, published=5)])
    rows, after = result_of(store.usage(UsageQuery(by=("channel",))))
    assert [(row["channel"], row["published"]) for row in rows] == [("a", 5), ("b", 2)]
    assert after is None
    rows, _ = result_of(store.usage(UsageQuery(channel="b")))
    assert [row["published"] for row in rows] == [2]


def test_a_question_that_makes_no_sense_is_refused(store):
    assert result_of(store.usage(UsageQuery(by=("year",)))).uri == INVALID_ARGUMENT


def hours(store):
    rows, _ = result_of(store.usage(UsageQuery(by=("hour",))))
    return [row["hour"] for row in rows]


def test_old_usage_is_forgotten(store):
    store.count([usage(0), usage(3600), usage(7200)])
    store.forget_usage(7200)
    assert hours(store) == [7200]


def test_usage_is_bounded_by_its_oldest_hours():
    store = MemoryAccessStore(max_usage=3)
    store.count([usage(0), usage(0, "b"), usage(3600)])
    assert hours(store) == [0, 3600]
    store.count([usage(3600, "b")])
    assert hours(store) == [3600]
    store.count([usage(3600, str(number)) for number in range(5)])
    assert hours(store) == [3600]


def test_there_is_nothing_to_copy(store):
    assert result_of(store.backup("x.sqlite")).uri == FEATURE_NOT_SUPPORTED
