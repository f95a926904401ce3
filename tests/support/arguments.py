"""Arguments that no procedure takes, and tests that all which take an id have in common."""

import math

import pytest

from radiod.errors import INVALID_ARGUMENT

WRONG_IDS = [
    None,
    True,
    False,
    "1",
    0,
    -1,
    2**53 + 1,
    10**400,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    [],
    {},
    b"1",
]
WRONG_TEXTS = [None, 1, 1.5, True, [], {}, b"a"]


class TakesAnId:
    """Tests of procedures whose one argument is an id: fixtures are ``procedure`` and ``admin``, a client.

    ``missing``: the error where nothing has that id.
    """

    missing: str

    @pytest.mark.parametrize("id", WRONG_IDS, ids=lambda value: repr(value)[:12])
    def test_that_are_none_are_refused(self, admin, procedure, id):
        assert admin.call(procedure, id) == INVALID_ARGUMENT

    @pytest.mark.parametrize("id", [999, 999.0, 2**53, float(2**53)])
    def test_that_nothing_has_are_named_so(self, admin, procedure, id):
        assert admin.call(procedure, id) == self.missing

    def test_are_needed(self, admin, procedure):
        assert admin.call(procedure) == INVALID_ARGUMENT
