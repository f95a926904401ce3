"""Dates: what is told can be read, and nothing else than RFC 3339."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.dates import date, moment


def test_a_date_is_told_in_utc_to_the_millisecond():
    assert date(1_000_000_000.25) == "2001-09-09T01:46:40.250Z"


@given(st.integers(0, 4_000_000_000_000))
def test_what_is_told_is_the_moment(milliseconds):
    assert moment(date(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=0.0006)


@pytest.mark.parametrize(
    "text", ["2001-09-09T03:46:40+02:00", "2001-09-09t01:46:40.000z", "2001-09-09 01:46:40Z"]
)
def test_a_moment_is_the_same_in_every_zone(text):
    assert moment(text) == 1_000_000_000


@pytest.mark.parametrize(
    "text",
    ["", "2001-09-09", "2001-09-09T01:46:40", "20010909T014640Z", "2001-13-09T01:46:40Z", "2001-W36-7"],
)
def test_what_is_no_date_with_its_zone_is_refused(text):
    with pytest.raises(ValueError):
        moment(text)
