"""How long ago something was, in another process."""

import pytest

from radiod.state import moments
from radiod.state.moments import Moment

THEN = Moment(time=1000.0, boot="this", up=50.0)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        pytest.param(Moment(1010.0, "this", 60.0), 10.0, id="both clocks went on"),
        pytest.param(Moment(5000.0, "this", 60.0), 10.0, id="the date was set"),
        pytest.param(Moment(5.0, "this", 60.0), 10.0, id="the date was set back"),
        pytest.param(Moment(1300.0, "another", 20.0), 300.0, id="the machine was started anew"),
        pytest.param(Moment(900.0, "another", 20.0), 0.0, id="and its date set back"),
        pytest.param(Moment(1010.0, "", 20.0), 10.0, id="in a chroot"),
    ],
)
def test_dates_count_only_where_no_clock_went_on(now, seconds):
    assert now.since(THEN) == seconds


def test_without_a_name_of_the_run_two_of_them_are_two():
    assert Moment(1010.0, "", 60.0).since(Moment(1000.0, "", 0.0)) == 10.0


def test_now_is_later_than_before():
    before = moments.now()
    assert moments.now().since(before) < 60
    assert before.time > 1.7e9
