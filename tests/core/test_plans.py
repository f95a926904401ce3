"""What a plan may say."""

import msgspec
import pytest

from radiod.core.plans import Plan


def test_what_is_absent_is_unlimited_and_not_told():
    assert msgspec.to_builtins(Plan()) == {}
    assert msgspec.to_builtins(Plan(publish_rate=10, connections=0)) == {"publish_rate": 10, "connections": 0}


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"publish_rate": 0}, "publish_rate"),
        ({"publish_rate": float("nan")}, "publish_rate"),
        ({"publish_burst": 0, "publish_rate": 1}, "publish_burst"),
        ({"publish_burst": 3}, "publish_burst needs a publish_rate"),
        ({"call_burst": 3}, "call_burst needs a call_rate"),
        ({"publish_day": -1}, "publish_day"),
        ({"connections": 1.5}, "connections"),
        ({"over": "stop"}, "over"),
        ({"history_seconds": 0}, "history_seconds"),
        ({"publish_minute": 1}, "publish_minute"),
    ],
)
def test_what_makes_no_sense_is_refused(limits, complaint):
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(limits, Plan)
