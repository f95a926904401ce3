import pytest

from radiod.core.histograms import Histogram
from radiod.metrics.exposition import COUNTER, GAUGE, HISTOGRAM, Family, text


def family(kind=COUNTER, labels=("realm",), help="Some words."):
    return Family("radiod_things_total", kind, help, labels)


def lines(*families):
    return text(families).decode().splitlines()


def test_each_series_is_a_line_below_what_its_family_is():
    things = family()
    things.set(3, "radio")
    things.set(0.25, "other")
    assert lines(things) == [
        "# HELP radiod_things_total Some words.",
        "# TYPE radiod_things_total counter",
        'radiod_things_total{realm="radio"} 3',
        'radiod_things_total{realm="other"} 0.25',
    ]


def test_a_family_without_series_is_not_told():
    assert lines(family()) == [""]
    assert len(family()) == 0


def test_several_figures_of_one_series_are_added():
    things = family()
    things.set(3, "radio")
    things.set(4, "radio")
    assert lines(things)[2] == 'radiod_things_total{realm="radio"} 7'
    assert len(things) == 1


def test_without_labels_there_are_no_braces():
    things = family(GAUGE, ())
    things.set(1)
    assert lines(things)[2] == "radiod_things_total 1"


def test_many_series_at_once():
    things = family(labels=("realm", "policy"))
    things.set_all({"ring": 1, "skip": 2}, "radio")
    assert lines(things)[2:] == [
        'radiod_things_total{realm="radio",policy="ring"} 1',
        'radiod_things_total{realm="radio",policy="skip"} 2',
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        ("ü.☃", "ü.☃"),
        ("\ud800", "?"),
        ('a"} 1\nforged_total 7', r"a\"} 1\nforged_total 7"),
    ],
)
def test_whatever_a_label_is_it_stays_one_label(value, told):
    things = family()
    things.set(1, value)
    assert lines(things)[2:] == [f'radiod_things_total{{realm="{told}"}} 1']


def test_help_is_one_line():
    things = family(help="two\nlines \\ and more")
    things.set(1, "radio")
    assert lines(things)[0] == r"# HELP radiod_things_total two\nlines \\ and more"


def test_the_buckets_of_a_histogram_add_up():
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.5, 0.5, 7.0):
        histogram.observe(seconds)
    things = Family("radiod_call_seconds", HISTOGRAM, "Time.", ("realm",))
    things.set(histogram, "radio")
    assert lines(things)[2:] == [
        'radiod_call_seconds_bucket{realm="radio",le="0.1"} 1',
        'radiod_call_seconds_bucket{realm="radio",le="1.0"} 3',
        'radiod_call_seconds_bucket{realm="radio",le="+Inf"} 4',
        'radiod_call_seconds_sum{realm="radio"} 8.05',
        'radiod_call_seconds_count{realm="radio"} 4',
    ]
