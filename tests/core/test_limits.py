"""The bounds of a realm's tables."""

import pytest

from radiod.core.limits import Limits


def test_every_bound_has_a_default_that_is_a_bound():
    limits = Limits()
    assert all(0 < getattr(limits, name) < 2**31 for name in limits.__struct_fields__)


def test_a_bound_is_said_by_name_and_cannot_be_changed_later():
    with pytest.raises(TypeError):
        Limits(60.0)
    limits = Limits(max_channels=5)
    with pytest.raises(AttributeError):
        limits.max_channels = 6
    assert limits == Limits(max_channels=5) != Limits()
