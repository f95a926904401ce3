"""Which keys and users use most in the hour that runs."""

import pytest

from radiod.core.holders import Account, Holder
from radiod.errors import INVALID_ARGUMENT

HOUR = "radiod.admin.usage.hour"


@pytest.fixture
def ledger(world):
    return world.realm.ledger


def use(ledger, key, account, channel, **counts):
    line = ledger.line(Holder(key, Account(account)), channel)
    for name, count in counts.items():
        setattr(line, name, count)


def test_sums_by_key_the_busiest_first(ledger, operator):
    use(ledger, "k_1", "acme", "a", published=2, bytes_in=20)
    use(ledger, "k_1", "acme", "b", published=3, delivered=1, bytes_out=7)
    use(ledger, "k_1", "acme", "", seconds=1.25)
    use(ledger, "k_2", "acme", "a", calls=30)
    answer = operator.call(HOUR)
    assert [one["key"] for one in answer["keys"]][:2] == ["k_2", "k_1"]
    assert answer["keys"][1] == {
        "key": "k_1",
        "account": "acme",
        "channels": 2,
        "published": 5,
        "delivered": 1,
        "dropped": 0,
        "refused": 0,
        "calls": 0,
        "bytes_in": 20,
        "bytes_out": 7,
        "seconds": 1.25,
    }
    assert answer["hour"] == ledger.hour
    # The operator itself is nobody that is counted by name.
    assert answer["total"] == 3


def test_only_so_many_as_were_asked_for(ledger, operator):
    for number in range(5):
        use(ledger, f"k_{number}", "acme", "a", published=number + 1)
    answer = operator.call(HOUR, limit=2)
    assert [one["key"] for one in answer["keys"]] == ["k_4", "k_3"]
    assert answer["total"] == 6


@pytest.mark.parametrize("limit", [0, 1001, "1", None])
def test_a_wrong_limit_is_refused(operator, limit):
    assert operator.call(HOUR, limit=limit) == INVALID_ARGUMENT
