"""What permissions hide is not there."""

import pytest

from radiod.core.ports import Action
from radiod.core.sight import may_know
from radiod.testing import Allow


@pytest.mark.parametrize(
    ("permissions", "is_known"),
    [
        (None, True),
        (Allow(Action.SUBSCRIBE), True),
        (Allow(Action.PUBLISH), True),
        (Allow(Action.CALL), False),
        (Allow(*Action, hidden=["a"]), False),
        (Allow(is_steward=True), True),
    ],
)
def test_who_may_listen_or_write_or_look_after_all_may_know_of_a_channel(permissions, is_known):
    assert may_know(permissions, "a") is is_known
