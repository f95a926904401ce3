from radiod.core.delivery.totals import Totals


def test_counts_by_topic():
    totals = Totals()
    totals.of("a").published += 2
    totals.of("a").delivered += 3
    totals.of("b").dropped += 1
    assert {topic: total.all for topic, total in totals.by_topic.items()} == {"a": (2, 3, 0), "b": (0, 0, 1)}
    assert totals.rest.all == (0, 0, 0)


def test_what_has_no_room_is_the_rest():
    totals = Totals(max_topics=2)
    for topic in ("a", "b", "c", "d", "a"):
        totals.of(topic).published += 1
    assert sorted(totals.by_topic) == ["a", "b"]
    assert totals.is_full
    assert totals.rest.published == 2


def test_shrinking_makes_room_and_loses_nothing():
    totals = Totals(max_topics=2)
    totals.of("a").delivered += 5
    totals.of("b").published += 7
    totals.of("b").dropped += 1
    totals.shrink({"a"})
    assert not totals.is_full
    assert totals.rest.all == (7, 0, 1)
    totals.of("b").published += 1
    assert totals.by_topic["b"].all == (1, 0, 0)
    assert totals.by_topic["a"].delivered == 5
