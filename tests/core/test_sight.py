"""What permissions hide is not there: each answer and each event, asked with and without what is hidden."""

import pytest
from support.realms import World

from radiod.core.rights import Action
from radiod.core.sight import may_know
from radiod.core.slices import SLICE_S
from radiod.errors import NO_SUCH_CHANNEL, NO_SUCH_PROCEDURE, NO_SUCH_REGISTRATION, NO_SUCH_SUBSCRIPTION
from radiod.testing import Allow

SECRET = "secret.plan"
BLIND = Allow(*Action, hidden=[SECRET])


@pytest.mark.parametrize(
    ("permissions", "is_known"),
    [
        (None, True),
        (Allow(Action.SUBSCRIBE), True),
        (Allow(Action.PUBLISH), True),
        (Allow(Action.CALL), False),
        (BLIND, False),
        (Allow(is_steward=True), True),
    ],
)
def test_who_may_listen_or_write_or_look_after_all_may_know_of_a_channel(permissions, is_known):
    assert may_know(permissions, SECRET) is is_known
    assert may_know(permissions, f"radiod.presence.{SECRET}") is is_known


class Theatre(World):
    """A realm where somebody uses a topic and a procedure, and ``blind`` may not know of one name."""

    def __init__(self, name):
        super().__init__()
        self.blind = self.caller("blind", permissions=BLIND)
        self.seeing = self.caller("seeing")
        self.alice = self.caller("alice")
        self.alice.call("radiod.channel.create", name)
        self.subscription = self.alice.subscribe(name)
        self.registration = self.alice.register(name)
        # By patterns that hide nothing by themselves.
        self.patterns = [
            self.alice.subscribe("secret", match="prefix"),
            self.alice.register("", match="prefix"),
        ]


@pytest.fixture
def theatre():
    return Theatre(SECRET)


def call(client, procedure, *args):
    """Answers of any number of values."""
    answer = client.answer(48, {}, procedure, list(args))
    return answer[4] if answer[0] == 8 else answer[3]


SUBSCRIPTION = ["get", "list_subscribers", "count_subscribers"]
REGISTRATION = ["get", "list_callees", "count_callees"]


class TestAnswers:
    @pytest.mark.parametrize("procedure", ["radiod.channel.get", "radiod.channel.stats"])
    def test_a_channel(self, theatre, procedure):
        assert theatre.seeing.call(procedure, SECRET)["name"] == SECRET
        assert theatre.blind.call(procedure, SECRET) == NO_SUCH_CHANNEL
        theatre.alice.leave()
        assert theatre.blind.call(procedure, SECRET) == NO_SUCH_CHANNEL

    def test_a_private_channel_that_it_has_joined_is_its_own(self, theatre):
        key = theatre.seeing.call("radiod.channel.create", SECRET, public=False)["key"]
        theatre.blind.call("radiod.channel.join", SECRET, key)
        assert theatre.blind.call("radiod.channel.get", SECRET)["public"] is False

    def test_the_list_of_channels_and_its_pages(self, theatre):
        for name in ("a", "z"):
            theatre.alice.call("radiod.channel.create", name)
        page = theatre.blind.call("radiod.channel.list", limit=1)
        assert (page["channels"][0]["name"], page["next"]) == ("a", "a")
        page = theatre.blind.call("radiod.channel.list", limit=1, after="a")
        assert (page["channels"][0]["name"], page["next"]) == ("z", None)
        assert len(theatre.seeing.call("radiod.channel.list")["channels"]) == 3

    def test_the_list_passes_what_is_hidden_in_slices(self):
        world = World()
        hidden = [f"b{number:03}" for number in range(200)]
        for name in ("a", *hidden, "c"):
            world.realm.channels.declare(name)
        blind = world.caller("blind", permissions=Allow(*Action, hidden=hidden))
        world.clock.look_s = SLICE_S / 4
        blind.request(48, {}, "radiod.channel.list", [])
        assert blind.received() == []
        world.clock.advance(1)
        ((_, _, _, (page,)),) = blind.received()
        assert [channel["name"] for channel in page["channels"]] == ["a", "c"]
        assert page["next"] is None

    @pytest.mark.parametrize("name", SUBSCRIPTION)
    def test_a_subscription(self, theatre, name):
        procedure = f"wamp.subscription.{name}"
        assert isinstance(call(theatre.seeing, procedure, theatre.subscription), list)
        assert call(theatre.blind, procedure, theatre.subscription) == NO_SUCH_SUBSCRIPTION
        assert call(theatre.blind, procedure, 2**50) == NO_SUCH_SUBSCRIPTION

    def test_finding_subscriptions(self, theatre):
        prefix, _ = theatre.patterns
        both = [theatre.subscription, prefix]
        for client, exact, found in ((theatre.seeing, both[:1], both), (theatre.blind, [], None)):
            assert call(client, "wamp.subscription.list") == [
                {"exact": exact, "prefix": [prefix], "wildcard": []}
            ]
            assert call(client, "wamp.subscription.lookup", SECRET) == (exact or [None])
            assert call(client, "wamp.subscription.match", SECRET) == [found]

    @pytest.mark.parametrize("name", REGISTRATION)
    def test_a_registration(self, theatre, name):
        procedure = f"wamp.registration.{name}"
        assert isinstance(call(theatre.seeing, procedure, theatre.registration), list)
        assert call(theatre.blind, procedure, theatre.registration) == NO_SUCH_REGISTRATION

    def test_finding_registrations(self, theatre):
        _, prefix = theatre.patterns
        for client, exact in ((theatre.seeing, [theatre.registration]), (theatre.blind, [])):
            assert call(client, "wamp.registration.list") == [
                {"exact": exact, "prefix": [prefix], "wildcard": []}
            ]
            assert call(client, "wamp.registration.lookup", SECRET) == (exact or [None])
            assert call(client, "wamp.registration.match", SECRET) == (exact or [None])

    def test_describing_procedures(self, theatre):
        names = [one["procedure"] for one in theatre.blind.call("radiod.rpc.list")["procedures"]]
        assert names == [""]
        assert theatre.blind.call("radiod.rpc.describe", SECRET) == NO_SUCH_PROCEDURE
        assert theatre.blind.call("radiod.rpc.describe", "secret")["children"] == []
        assert theatre.seeing.call("radiod.rpc.describe", "secret")["children"] == [SECRET]

    def test_what_a_client_has_registered(self, theatre):
        assert theatre.blind.call("radiod.client.get", theatre.alice.id)["procedures"] == [""]
        assert theatre.seeing.call("radiod.client.get", theatre.alice.id)["procedures"] == ["", SECRET]


EVENTS = [
    "radiod.channel.on_create",
    "radiod.channel.on_delete",
    *(f"wamp.subscription.on_{name}" for name in ("create", "subscribe", "unsubscribe", "delete")),
    *(f"wamp.registration.on_{name}" for name in ("create", "register", "unregister", "delete")),
]


@pytest.mark.parametrize("event", EVENTS)
def test_events_are_for_those_who_may_know(event):
    world = World()
    blind, seeing = world.join("blind", permissions=BLIND), world.join("seeing")
    for client in (blind, seeing, world.join("seeing")):
        client.subscribe(event)
    for name in (SECRET, "open"):
        alice = world.caller("alice")
        alice.call("radiod.channel.create", name)
        alice.subscribe(name)
        alice.register(name)
        alice.leave()
    assert len(seeing.received()) == 2
    assert len(blind.received()) == 1


def test_a_procedure_that_is_taken_over_is_told_to_those_who_may_know():
    world = World()
    blind, seeing = world.join("blind", permissions=BLIND), world.join("seeing")
    for client in (blind, seeing):
        for name in ("unregister", "delete"):
            client.subscribe(f"wamp.registration.on_{name}")
    world.join("alice").register(SECRET, force_reregister=True)
    world.join("alice").register(SECRET, force_reregister=True)
    assert len(seeing.received()) == 2
    assert blind.received() == []
