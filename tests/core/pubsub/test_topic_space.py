"""Places tell apart what has the same name."""

from radiod.core.pubsub.topic_space import Place
from radiod.testing import make_realm


def test_the_same_name_is_another_place_in_another_space():
    first, second = make_realm().desk.space, make_realm().desk.space
    assert first.at("a") == first.at("a") == Place(first.broker, "a")
    assert len({first.at("a"), first.at("b"), second.at("a"), first.at("a")}) == 3
