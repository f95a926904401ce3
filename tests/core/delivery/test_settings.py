"""How one listener wants its events."""

import pytest

from radiod.core.delivery.settings import DEFAULTS, POLICIES, BufferSettings


@pytest.mark.parametrize(
    ("settings", "is_paced"),
    [({}, False), ({"every": 2}, True), ({"min_interval": 0.1}, True), ({"latest": True}, True)],
)
def test_what_spaces_events_out_makes_a_paced_listener(settings, is_paced):
    assert BufferSettings(**settings).is_paced is is_paced


@pytest.mark.parametrize("policy", POLICIES)
def test_some_policies_hold_publishers(policy):
    settings = BufferSettings(policy=policy)
    assert settings.holds_publishers is settings.is_paced is (policy in ("wait", "raise"))


def test_the_defaults_cannot_be_changed():
    with pytest.raises(AttributeError):
        DEFAULTS.size = 1
