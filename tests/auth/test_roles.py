"""Static permissions."""

import pytest

from radiod.auth.roles import CACHE_SIZE, StaticPermissions
from radiod.core.ports import Action

ROLE = StaticPermissions(
    {Action.SUBSCRIBE: ("*",), Action.PUBLISH: ("a.b", "c.*", "d..f"), Action.CALL: ()}, ("x.*", "c.secret")
)


@pytest.mark.parametrize(
    ("action", "uri", "is_allowed"),
    [
        (Action.SUBSCRIBE, "anything", True),
        (Action.SUBSCRIBE, "x.anything", False),
        (Action.PUBLISH, "a.b", True),
        (Action.PUBLISH, "a.b.c", False),
        (Action.PUBLISH, "c.d.e", True),
        (Action.PUBLISH, "c", False),
        (Action.PUBLISH, "c.secret", False),
        (Action.PUBLISH, "d.e.f", True),
        (Action.PUBLISH, "d.e.e.f", False),
        (Action.CALL, "a.b", False),
        (Action.REGISTER, "a.b", False),
    ],
)
def test_a_pattern_allows_and_deny_wins(action, uri, is_allowed):
    assert ROLE.allows(action, uri) is is_allowed
    assert ROLE.allows(action, uri) is is_allowed


def test_remembered_decisions_are_bounded():
    for index in range(CACHE_SIZE + 10):
        assert ROLE.allows(Action.SUBSCRIBE, f"t{index}")
    assert len(ROLE._cache) <= CACHE_SIZE
