"""The router's own events: for whom they are, and what they cost while nobody listens."""

import pytest
from support.realms import World

from radiod.core.pubsub.announcer import Announcer
from radiod.core.rights import Action
from radiod.core.sight import may_know_procedure
from radiod.testing import Allow, SequentialIds
from radiod.wire.options import PublishOptions, SubscribeOptions

TOPIC = "radiod.test.on_event"


class Counting(SequentialIds):
    """Ids that tell how many were used."""

    used = 0

    def next(self):
        self.used += 1
        return super().next()


class Radio(World):
    def __init__(self):
        super().__init__()
        self.ids = Counting()
        self.announcer = Announcer(self.realm.space.broker, self.ids)

    def listener(self, topic=TOPIC, match="exact", **options):
        client = self.join(**options)
        client.subscribe(topic, match=match)
        return client


@pytest.fixture
def radio():
    return Radio()


def told(client):
    """The positional arguments of each event that came."""
    return [event[4] if len(event) > 4 else [] for event in client.received()]


def test_everybody_who_listens_is_told_by_nobody(radio):
    listeners = [radio.listener(), radio.listener("radiod.", "prefix")]
    radio.announcer.announce(TOPIC, 1, {"k": 2})
    (exact,), (prefix,) = (client.received() for client in listeners)
    assert exact[3:] == [{}, [1, {"k": 2}]]
    assert prefix[3:] == [{"topic": TOPIC}, [1, {"k": 2}]]
    assert exact[2] == prefix[2]


def test_patterns_that_did_not_ask_for_the_routers_topics_are_told_nothing(radio):
    client = radio.listener("", "prefix")
    radio.announcer.announce(TOPIC)
    assert told(client) == []
    assert not radio.announcer.has_listeners(TOPIC)


def test_listeners_are_there_from_the_first_to_the_last(radio):
    assert not radio.announcer.has_listeners(TOPIC)
    client = radio.listener("radiod.", "prefix")
    assert radio.announcer.has_listeners(TOPIC)
    client.leave()
    assert not radio.announcer.has_listeners(TOPIC)


def test_without_a_listener_nothing_is_made_of_it(radio):
    radio.announcer.announce(TOPIC, object())
    assert radio.ids.used == 0
    radio.listener()
    radio.announcer.announce(TOPIC)
    assert radio.ids.used == 1


def test_it_is_for_those_whom_the_options_name(radio):
    alice, bob = radio.listener(), radio.listener()
    radio.announcer.announce(TOPIC, 1, options=PublishOptions(eligible=[bob.id]))
    assert (told(alice), told(bob)) == ([], [[1]])


def test_another_brokers_listeners_are_told_where_it_is_given(radio):
    private = radio.realm.make_space(is_private=True)
    public, member = radio.listener(), radio.join()
    private.subscribe(member.session, TOPIC, SubscribeOptions())
    radio.announcer.announce(TOPIC, 1, broker=private.broker)
    assert (told(public), told(member)) == ([], [[1]])
    radio.announcer.announce(TOPIC, 2)
    assert (told(public), told(member)) == ([[2]], [])


class TestAboutSomething:
    def test_goes_to_those_who_may_know_of_it(self, radio):
        free = radio.listener()
        blind = radio.listener(permissions=Allow(*Action, hidden=["a.secret"]))
        radio.announcer.announce(TOPIC, 1, about="a.secret")
        radio.announcer.announce(TOPIC, 2, about="a.open")
        radio.announcer.announce(TOPIC, 3)
        assert (told(free), told(blind)) == ([[1], [2], [3]], [[2], [3]])

    def test_is_known_as_it_is_said(self, radio):
        """A procedure is known to whoever may call it, if not listen to it."""
        caller = Allow(Action.CALL)
        listener = radio.listener(permissions=Allow(*Action))
        listener.session.principal = radio.join(permissions=caller).session.principal
        radio.announcer.announce(TOPIC, 1, about="a")
        radio.announcer.announce(TOPIC, 2, about="a", may_know=may_know_procedure)
        assert told(listener) == [[2]]

    def test_keeps_to_whom_the_options_name_as_well(self, radio):
        hidden = Allow(*Action, hidden=["a.secret"])
        alice, bob, carol = radio.listener(), radio.listener(permissions=hidden), radio.listener()
        options = PublishOptions(eligible=[alice.id, bob.id])
        radio.announcer.announce(TOPIC, 1, options=options, about="a.secret")
        assert (told(alice), told(bob), told(carol)) == ([[1]], [], [])
        assert options.exclude is None
