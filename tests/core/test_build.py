"""The build tells what it is."""

import inspect

from radiod.core.build import BUILD
from radiod.core.uris import is_pattern


def test_the_build_is_told_as_it_is():
    assert (BUILD == "python") is inspect.isfunction(is_pattern)
    assert BUILD in ("python", "compiled")
