"""What only the router may call."""

import pytest

from radiod.auth.router_only import RouterOnly
from radiod.core.rights import Action
from radiod.testing import ALLOW_ALL, ALLOW_NONE
from radiod.wire.options import CallOptions

PROCEDURE = "com.example.authenticate"


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("uri", [PROCEDURE, "com.example.other"])
@pytest.mark.parametrize("permissions", [ALLOW_ALL, ALLOW_NONE])
def test_everything_but_the_call_is_as_before(action, uri, permissions):
    withheld = RouterOnly(permissions, PROCEDURE)
    assert withheld.may_hold_publishers is permissions.may_hold_publishers
    is_allowed = permissions.allows(action, uri) and (action, uri) != (Action.CALL, PROCEDURE)
    assert withheld.decide(None, action, uri, CallOptions()).is_allowed is is_allowed
    assert withheld.allows(action, uri) is is_allowed
    assert withheld.hides(uri) is permissions.hides(uri)
