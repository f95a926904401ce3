"""Series of the busiest topics: no counter falls, and the sum over all stays right."""

from hypothesis import given
from hypothesis import strategies as st

from radiod.core.delivery.totals import Totals
from radiod.metrics.busiest import OTHER, Busiest


def published(busiest, hidden=()):
    return {topic: counts[0] for topic, counts in busiest.choose(hidden).items()}


def publish(totals, **topics):
    for topic, count in topics.items():
        totals.of(topic).published += count


def test_all_have_a_series_while_there_is_room():
    totals = Totals()
    busiest = Busiest(totals, 2)
    publish(totals, a=3, b=4)
    assert published(busiest) == {"a": 3, "b": 4, OTHER: 0}


def test_the_busiest_have_one_and_the_rest_is_the_others():
    totals = Totals()
    busiest = Busiest(totals, 2)
    publish(totals, a=3, b=4, c=5, d=1)
    assert published(busiest) == {"b": 4, "c": 5, OTHER: 4}


def test_who_overtakes_counts_from_zero_and_who_falls_back_is_the_others_again():
    totals = Totals()
    busiest = Busiest(totals, 1)
    publish(totals, a=3, b=2)
    assert published(busiest) == {"a": 3, OTHER: 2}
    publish(totals, b=5)
    # b had been told as the others': its 7 stay there, and a's 3 come to them.
    assert published(busiest) == {"b": 0, OTHER: 10}
    publish(totals, b=1)
    assert published(busiest) == {"b": 1, OTHER: 10}


def test_what_is_hidden_is_told_as_the_others():
    totals = Totals()
    busiest = Busiest(totals, 5)
    publish(totals, a=3, secret=9)
    assert published(busiest, {"secret"}) == {"a": 3, OTHER: 9}
    assert published(busiest) == {"a": 3, "secret": 0, OTHER: 9}


def test_a_topic_of_the_others_name_is_one_of_them():
    totals = Totals()
    publish(totals, **{OTHER: 2, "a": 1})
    assert published(Busiest(totals, 5)) == {"a": 1, OTHER: 2}


def test_all_counts_are_told():
    totals = Totals()
    total = totals.of("a")
    total.published, total.delivered, total.dropped = 1, 2, 3
    assert Busiest(totals, 1).choose(()) == {"a": (1, 2, 3), OTHER: (0, 0, 0)}


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9), st.booleans()), max_size=60),
    st.integers(0, 4),
)
def test_no_counter_falls_while_it_is_told_and_nothing_is_lost(steps, size):
    totals = Totals(max_topics=5)
    busiest = Busiest(totals, size)
    before: dict[str, int] = {}
    whole = 0
    for topic, count, is_read in steps:
        publish(totals, **{topic: count})
        whole += count
        if is_read:
            now = published(busiest)
            assert sum(now.values()) == whole
            assert len(now) <= size + 1
            for name, value in before.items():
                assert name not in now or now[name] >= value, name
            before = now
