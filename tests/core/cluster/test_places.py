"""What nodes call their topics."""

from support.cluster.desks import DeskWorld

from radiod.core.cluster.places import Places, private_place
from radiod.core.ids import digest
from radiod.core.pubsub.topic_space import TopicRef


def test_a_private_place_tells_neither_name_nor_key_and_is_nobody_elses():
    place = private_place("song", digest("key"))
    assert place == private_place("song", digest("key"))
    assert place.startswith("#")
    assert "song" not in place
    assert len({place, private_place("song", digest("other")), private_place("other", digest("key"))}) == 3


def test_public_topics_are_called_by_their_names_and_private_channels_by_their_places():
    world = DeskWorld("a")
    realm = world["a"].realm
    public, other = realm.space.broker, realm.make_space(is_private=True).broker
    places = Places(public)
    assert places.of(public, "song") == "song"
    assert places.at("song") == TopicRef(public, "song")
    assert places.of(other, "song") is None
    assert places.at("#1") is None
    places.add("#1", TopicRef(other, "song"))
    assert places.of(other, "song") == "#1"
    assert places.at("#1") == TopicRef(other, "song")
    places.remove("#1")
    places.remove("#1")
    assert places.of(other, "song") is None
    assert places.at("#1") is None
