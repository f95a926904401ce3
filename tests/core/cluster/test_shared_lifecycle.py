"""Channels of sessions, on all nodes: made at one, there at all; ended once, and told everywhere."""

import pytest
from support.cluster.desks import DeskWorld
from support.realms import Slow

from radiod.core.allowances import Allowances
from radiod.core.channels.registry import RETURN_S
from radiod.core.history.bounds import HistoryBounds
from radiod.core.holders import Account, Holder
from radiod.core.limits import Limits
from radiod.core.plans import Plan
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    CLOSE_SUPERSEDED,
    NO_SUCH_CHANNEL,
    QUOTA,
    STORE_UNAVAILABLE,
)

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
EXTEND = "radiod.channel.extend"
OPEN_WRITE = "radiod.channel.open_write"
GET = "radiod.channel.get"
ON_CREATE, ON_DELETE = "radiod.channel.on_create", "radiod.channel.on_delete"

HISTORY = {"history": {"size": 10}}


class Steward(Slow):
    """May act on what is other people's."""

    def may_act_on_others(self, procedure):
        return True


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def there(world, name="song"):
    """Whether there is such a public channel, on which all nodes agree."""
    found = {name in node.realm.channels for node in world.nodes.values()}
    assert len(found) == 1, found
    return found.pop()


def watchers(world, topic=ON_DELETE):
    return [world.listener(name, topic) for name in sorted(world.nodes)]


def told(listeners):
    return [listener.events() for listener in listeners]


def publish(caller, topic, *args, **options):
    answer = caller.ask(16, {"acknowledge": True, **options}, topic, list(args))
    return answer[0] if answer[0] == 17 else answer[4]


def answer_late(world, name, seconds):
    """What a node has stored is known to all others before it is answered."""
    port = world.engine.ports[name]
    append = port.append

    def append_late(stream, subject, data, done, **options):
        append(stream, subject, data, lambda told: world.engine.after(seconds, lambda: done(told)), **options)

    port.append = append_late


class TestCreating:
    def test_is_answered_when_all_nodes_have_it(self, world):
        for number in range(30):
            one, other = world.caller("abc"[number % 3]), world.caller("abc"[(number + 1) % 3])
            name = f"song.{number}"
            request = one.request(48, {}, CREATE, [name])
            while not (answer := [message for message in one.received() if request in message[1:3]]):
                world.advance(0.0001)
            assert answer[0][0] == 50, answer
            assert there(world, name)
            assert other.do(GET, name)["name"] == name

    def test_by_two_at_once_makes_one(self, world):
        callers = [world.caller(name) for name in "abcabc"]
        requests = [caller.request(48, {}, CREATE, ["song"]) for caller in callers]
        world.advance(1)
        answers = [caller.received()[0] for caller in callers]
        assert [answer[0] for answer in answers].count(50) == 1
        assert {answer[4] for answer in answers if answer[0] == 8} == {CHANNEL_EXISTS}
        assert len(requests) == 6
        assert there(world)

    def test_is_told_on_every_node_once(self, world):
        listeners = watchers(world, ON_CREATE)
        world.caller("a").do(CREATE, "song")
        world.turn()
        assert told(listeners) == [[[{"name": "song"}]]] * 3

    def test_under_the_name_of_a_channel_of_the_configuration_is_refused(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare("song")
        assert world.caller("a").do(CREATE, "song") == CHANNEL_EXISTS

    def test_is_refused_where_no_majority_is_reached(self, world):
        one = world.caller("a")
        world.isolate("a")
        world.advance(8)
        assert one.do(CREATE, "song") == STORE_UNAVAILABLE
        world.heal()
        world.advance(30)
        assert not there(world)

    def test_that_was_refused_while_it_was_unknown_whether_it_is_done_is_undone(self, world):
        one = world.caller("a")
        world.isolate("a")
        request = one.request(48, {}, CREATE, ["song"])
        world.advance(2)
        world.heal()
        world.advance(20)
        (answer,) = one.received()
        assert request in answer[1:3]
        assert there(world) is (answer[0] == 50)

    def test_of_a_session_that_leaves_meanwhile_comes_to_nothing(self, world):
        listeners = watchers(world, ON_CREATE)
        one = world.caller("a")
        one.request(48, {}, CREATE, ["song"], HISTORY)
        world["a"].realm.leave(one.session)
        world.advance(5)
        assert not there(world)
        assert told(listeners) == [[]] * 3
        assert not list(world["b"].cluster.claims.of("radio channels"))

    def test_of_a_session_that_leaves_meanwhile_ends_it_where_it_was_there_at_once(self, world):
        listeners = watchers(world)
        one = world.caller("a")
        one.request(48, {}, CREATE, ["song"])
        world["a"].realm.leave(one.session)
        world.advance(5)
        assert not there(world)
        assert told(listeners) == [[[{"name": "song", "reason": "deleted"}]]] * 3
        assert not list(world["b"].cluster.claims.of("radio channels"))

    def test_that_somebody_else_ends_before_it_is_answered_is_refused(self, world):
        steward = world.caller("b", permissions=Steward())
        answer_late(world, "a", 0.5)
        one = world.caller("a")
        request = one.request(48, {}, CREATE, ["song"])
        world.turn()
        assert there(world)
        assert steward.do(DELETE, "song") == {"name": "song"}
        world.advance(2)
        ((code, _, _, _, uri, *_),) = [message for message in one.received() if request in message[1:3]]
        assert (code, uri) == (8, CHANNEL_CLOSED)
        assert not there(world)

    def test_under_a_pattern_of_topics_that_tell_who_listens_tells_so(self, world):
        for node in world.nodes.values():
            node.realm.presence.show_matching(("song.*",))
        for name in ("song.one", "other"):
            world.caller("a").do(CREATE, name)
        shown = {channel.name: channel.settings.presence for channel in world["b"].realm.channels}
        assert shown == {"song.one": True, "other": False}

    def test_counts_for_the_account_of_whoever_does_until_it_ends(self, world):
        account = Account("firm")
        one = world.caller("a", holder=Holder("somebody", account))
        made = one.do(CREATE, "song")
        assert account.channels == 1
        world.caller("b").do(DELETE, "song", made["control_key"])
        world.turn()
        assert account.channels == 0

    def test_counts_once_against_a_plan_wherever_that_was(self, world):
        accounts = [Account("firm") for _ in "abc"]
        for account, node in zip(accounts, world.nodes.values(), strict=True):
            account.allowances = Allowances(Plan(channels=3), node.clock)
        a, b, c = [
            world.caller(name, holder=Holder("somebody", account))
            for name, account in zip("abc", accounts, strict=True)
        ]
        a.do(CREATE, "one")
        a.do(CREATE, "two")
        # As nodes tell each other once a second.
        for account in accounts[1:]:
            account.allowances.channels_elsewhere = 2
        assert isinstance(b.do(CREATE, "three"), dict)
        # Before a has heard of that: a claim of the same user's says so.
        assert accounts[0].allowances.channels_elsewhere == 0
        assert a.do(CREATE, "four") == QUOTA
        # Also what another key of the account has made counts.
        accounts[2].allowances.channels_elsewhere = 3
        other = world.caller("c", authid="another", holder=Holder("another", accounts[2]))
        assert other.do(CREATE, "four") == QUOTA
        # A node that is gone takes along what it has told, and not its claims.
        accounts[2].allowances.channels_elsewhere = 0
        assert c.do(CREATE, "four") == QUOTA

    def test_keeps_to_the_limits_of_a_session_also_while_others_are_made(self):
        world = DeskWorld("a", "b", options={"limits": Limits(max_channels_per_session=2)})
        one = world.caller("a")
        for number in range(4):
            one.request(48, {}, CREATE, [f"song.{number}"])
        world.advance(1)
        answers = one.received()
        assert sorted(answer[0] for answer in answers) == [8, 8, 50, 50]
        assert one.do(CREATE, "more") == QUOTA

    def test_keeps_to_the_limit_of_all_nodes(self):
        world = DeskWorld("a", "b", options={"limits": Limits(max_channels=1)})
        world.caller("a").do(CREATE, "song")
        assert world.caller("b").do(CREATE, "other") == QUOTA
        world.caller("a").do(CREATE, "hidden", public=False)
        assert world.caller("b").do(CREATE, "other", public=False) == QUOTA


class TestEnding:
    def test_by_the_control_key_from_another_node_is_told_on_every_node_once(self, world):
        listeners = watchers(world)
        made = world.caller("a").do(CREATE, "song")
        other = world.caller("b")
        assert other.do(DELETE, "song", "wrong") == BAD_KEY
        assert other.do(DELETE, "song", made["control_key"]) == {"name": "song"}
        world.turn()
        assert told(listeners) == [[[{"name": "song", "reason": "deleted"}]]] * 3
        assert not there(world)
        assert publish(world.caller("c"), "song") == CHANNEL_CLOSED
        assert other.do(DELETE, "song", made["control_key"]) == CHANNEL_CLOSED

    def test_a_name_is_free_again(self, world):
        made = world.caller("a").do(CREATE, "song")
        world.caller("b").do(DELETE, "song", made["control_key"])
        assert world.caller("c").do(CREATE, "song")["name"] == "song"
        assert publish(world.caller("a"), "song") == 17

    def test_at_its_time_is_told_on_every_node_once(self, world):
        listeners = watchers(world)
        owner = world.caller("a")
        made = owner.do(CREATE, "song", lifetime=60, on_owner_leave="keep")
        assert world.caller("b").do(GET, "song")["expires"] == made["expires"]
        world.advance(59)
        assert there(world)
        world.advance(3)
        assert told(listeners) == [[[{"name": "song", "reason": "expired"}]]] * 3

    def test_at_its_time_happens_though_the_first_to_say_so_is_dead(self, world):
        world.caller("a").do(CREATE, "song", lifetime=20, on_owner_leave="keep")
        first = min(world.nodes, key=lambda name: world[name].cluster.nodes.me)
        world.advance(17)
        world.kill(first)
        world.advance(6)
        assert not there(world)

    def test_when_the_owner_leaves_is_told_on_every_node_once(self, world):
        listeners = watchers(world)
        owner = world.caller("a")
        owner.do(CREATE, "song")
        owner.leave()
        world.advance(1)
        assert told(listeners) == [[[{"name": "song", "reason": "owner_left"}]]] * 3

    def test_when_the_owners_node_dies_is_told_on_every_node_once(self, world):
        listeners = [world.listener(name, ON_DELETE) for name in "bc"]
        owner = world.caller("a")
        owner.do(CREATE, "song")
        owner.do(CREATE, "stays", on_owner_leave="keep")
        owner.do(CREATE, "waits", on_owner_leave=20)
        world.kill("a")
        world.advance(10)
        assert told(listeners) == [[[{"name": "song", "reason": "owner_left"}]]] * 2
        assert there(world, "stays")
        assert there(world, "waits")
        world.advance(25)
        assert told(listeners) == [[[{"name": "waits", "reason": "owner_left"}]]] * 2

    def test_of_an_owner_whose_node_nobody_has_known(self, world):
        world.caller("a").do(CREATE, "song")
        for name in "abc":
            world.kill(name)
        for name in "bc":
            world.start(name)
        world.advance(4)
        assert there(world)
        world.advance(12)
        assert not there(world)

    def test_while_the_node_stops_waits_for_the_owner_to_come_to_another(self, world):
        listeners = [world.listener(name, ON_DELETE) for name in "bc"]
        owner = world.caller("a")
        made = owner.do(CREATE, "song")
        world["a"].realm.close()
        world.turn()
        world["a"].cluster.stop()
        world.kill("a")
        world.advance(10)
        again = world.caller("b")
        assert again.do(OPEN_WRITE, "song", control_key=made["control_key"])["active"] is False
        world.advance(100)
        assert told(listeners) == [[], []]
        assert there(world)
        again.leave()
        world.advance(3)
        assert not there(world)

    def test_one_that_waits_gives_way_to_another_of_its_user(self, world):
        listeners = [world.listener(name, ON_DELETE) for name in "bc"]
        world.caller("a").do(CREATE, "song")
        world["a"].realm.close()
        world.turn()
        assert world.caller("b", authrole="other").do(CREATE, "song") == CHANNEL_EXISTS
        assert world.caller("b").do(CREATE, "song")["name"] == "song"
        world.turn()
        assert told(listeners) == [[[{"name": "song", "reason": "owner_left"}]]] * 2
        assert there(world)

    def test_waits_where_no_majority_is_reached(self, world):
        listeners = watchers(world)
        world.caller("b").do(CREATE, "song", lifetime=20, on_owner_leave="keep")
        world.isolate("a")
        world.advance(25)
        assert told(listeners) == [[], *[[[{"name": "song", "reason": "expired"}]]] * 2]
        assert "song" in world["a"].realm.channels
        world.heal()
        world.advance(15)
        assert told(listeners) == [[[{"name": "song", "reason": "expired"}]], [], []]

    def test_of_whoever_was_sent_away_waits_though_nobody_more_is(self, world):
        owner = world.caller("a")
        owner.do(CREATE, "song")
        departures = world["a"].realm.departures
        departures.send_away(owner.session, 5.0)
        departures.stay()
        # It was told that it may come back, to another node perhaps.
        world.advance(RETURN_S - 2)
        assert there(world)
        world.advance(5)
        assert not there(world)

    def test_leaves_the_past_that_a_pattern_keeps_durably(self, world):
        bounds = HistoryBounds(size=10, seconds=1000.0, bytes=100_000, is_durable=True)
        for node in world.nodes.values():
            node.realm.space.histories.keep("song.*", bounds)
        made = world.caller("a").do(CREATE, "song.one")
        assert publish(world.caller("b"), "song.one", "old") == 17
        world.caller("c").do(DELETE, "song.one", made["control_key"])
        world.advance(10)
        assert world.caller("c").do(CREATE, "song.one")["name"] == "song.one"
        events = world.caller("b").do("radiod.channel.history", "song.one")["events"]
        assert [event["args"] for event in events] == [["old"]]

    def test_while_somebody_takes_its_slot_is_told_to_who_does(self, world):
        made = world.caller("a").do(CREATE, "song", single_writer=True)
        answer_late(world, "b", 0.5)
        heir = world.caller("b")
        request = heir.request(48, {}, OPEN_WRITE, ["song"], {"control_key": made["control_key"]})
        world.advance(0.6)
        world.caller("c").do(DELETE, "song", made["control_key"])
        world.advance(3)
        ((code, _, _, _, uri, *_),) = [message for message in heir.received() if request in message[1:3]]
        assert (code, uri) == (8, CHANNEL_CLOSED)

    def test_when_the_data_are_gone_is_told_as_lost(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare("declared")
        world.caller("a").do(CREATE, "song")
        world.caller("b").do(CREATE, "past", **HISTORY)
        listeners = watchers(world)
        world.engine.streams.clear()
        world.advance(30)
        gone = [[{"name": name, "reason": "lost"}] for name in ("song", "past")]
        assert [sorted(events, key=str) for events in told(listeners)] == [sorted(gone, key=str)] * 3
        assert there(world, "declared")
        assert world.caller("c").do(CREATE, "song")["name"] == "song"


class TestControlling:
    def test_the_end_is_moved_from_another_node(self, world):
        made = world.caller("a").do(CREATE, "song", lifetime=30, on_owner_leave="keep")
        extended = world.caller("b").do(EXTEND, "song", 100, made["control_key"])
        world.turn()
        assert world.caller("c").do(GET, "song")["expires"] == extended["expires"]
        world.advance(60)
        assert there(world)
        assert world.caller("c").do(EXTEND, "song", None, made["control_key"])["expires"] is None
        world.advance(200)
        assert there(world)

    def test_whoever_extends_one_that_waits_is_its_owner(self, world):
        owner = world.caller("a")
        made = owner.do(CREATE, "song", on_owner_leave=10)
        owner.leave()
        world.advance(5)
        other = world.caller("b")
        other.do(EXTEND, "song", None, made["control_key"])
        world.advance(30)
        assert there(world)
        assert {node.realm.channels.get("song").owner for node in world.nodes.values()} == {other.session.id}
        other.leave()
        world.advance(12)
        assert not there(world)

    def test_whoever_takes_over_is_its_owner_and_nobody_is_closed(self, world):
        owner = world.caller("a")
        made = owner.do(CREATE, "song")
        other = world.caller("b")
        assert other.do(OPEN_WRITE, "song", control_key=made["control_key"]) == {
            "active": False,
            "readers": 0,
        }
        owner.leave()
        world.advance(5)
        assert there(world)
        other.leave()
        world.advance(5)
        assert not there(world)

    def test_a_steward_ends_one_of_another_node(self, world):
        owner = world.caller("a")
        owner.do(CREATE, "song")
        steward = world.caller("b", permissions=Steward())
        assert steward.do(GET, "song")["owner"]["session"] == owner.session.id
        assert steward.do(DELETE, "song") == {"name": "song"}
        assert not there(world)
        assert steward.do(DELETE, "song") == CHANNEL_CLOSED

    def test_an_unknown_one_is_controlled_by_nobody(self, world):
        assert world.caller("b").do(EXTEND, "song", 5, "key") == NO_SUCH_CHANNEL

    def test_is_refused_where_no_majority_is_reached(self, world):
        made = world.caller("a").do(CREATE, "song", on_owner_leave="keep")
        other = world.caller("b")
        world.isolate("b")
        world.advance(8)
        for procedure, *rest in ((EXTEND, 5), (DELETE,)):
            assert other.do(procedure, "song", *rest, made["control_key"]) == STORE_UNAVAILABLE
        assert "song" in world["b"].realm.channels


class TestHistories:
    def test_begin_with_the_channel(self, world):
        made = world.caller("a").do(CREATE, "song", **HISTORY)
        assert publish(world.caller("b"), "song", "old") == 17
        world.caller("c").do(DELETE, "song", made["control_key"])
        assert world.caller("c").do(CREATE, "song", **HISTORY)["name"] == "song"
        assert publish(world.caller("a"), "song", "new") == 17
        late = world.caller("b")
        events = late.do("radiod.channel.history", "song")["events"]
        assert [event["args"] for event in events] == [["new"]]

    def test_go_with_the_channel(self, world):
        made = world.caller("a").do(CREATE, "song", **HISTORY)
        publish(world.caller("b"), "song", "old")
        world.caller("c").do(DELETE, "song", made["control_key"])
        world.advance(10)
        records = [one for stream in world.engine.streams.values() for one in stream.records]
        assert [one.subject for one in records if ".topic." in one.subject] == []

    def test_a_late_end_takes_nothing_of_the_next_one(self, world):
        made = world.caller("a").do(CREATE, "song", **HISTORY)
        world.caller("a").do(DELETE, "song", made["control_key"])
        world.caller("b").do(CREATE, "song", **HISTORY)
        publish(world.caller("b"), "song", "new")
        world.advance(10)
        events = world.caller("c").do("radiod.channel.history", "song")["events"]
        assert [event["args"] for event in events] == [["new"]]

    def test_positions_of_one_node_are_good_on_others(self, world):
        world.caller("a").do(CREATE, "song", durable=True, on_owner_leave="keep")
        listener = world.listener("b", "song")
        for number in range(3):
            publish(world.caller("a"), "song", number)
        first = next(message for message in [*listener.kept, *listener.received()] if message[0] == 36)[3]
        late = world.caller("c")
        answer = late.ask(32, {"_radiod_after": f"{first['_epoch']}:{first['_seq']}"}, "song")
        assert answer[0] == 33
        world.turn()
        assert late.events() == [[1], [2]]

    def test_what_is_retained_goes_with_the_channel(self, world):
        made = world.caller("a").do(CREATE, "song")
        publish(world.caller("a"), "song", "old", retain=True)
        world.caller("b").do(DELETE, "song", made["control_key"])
        world.advance(10)
        world.caller("b").do(CREATE, "song")
        late = world.listener("c", "song", get_retained=True)
        world.turn()
        assert late.events() == []


class TestANodeThatWasTakenForDead:
    def test_keeps_what_nobody_took(self, world):
        owner = world.caller("a")
        owner.do(CREATE, "stays", on_owner_leave="keep")
        owner.do(CREATE, "waits", on_owner_leave=60)
        world.isolate("a")
        world.advance(15)
        world.heal()
        world.advance(10)
        for node in world.nodes.values():
            assert node.realm.channels.get("stays").owner == owner.session.id
            assert node.realm.channels.get("waits").owner == owner.session.id
        world.advance(100)
        assert there(world, "waits")
        assert owner.session.is_open

    def test_hears_that_its_channels_have_ended(self, world):
        owner = world.caller("a")
        owner.do(CREATE, "song")
        listener = world.listener("a", ON_DELETE)
        world.isolate("a")
        world.advance(15)
        world.heal()
        world.advance(10)
        assert listener.events() == [[{"name": "song", "reason": "owner_left"}]]
        assert owner.session.is_open

    def test_closes_sessions_whose_channel_somebody_else_has(self, world):
        owner, heir = world.caller("a"), world.caller("a")
        owner.do(CREATE, "song")
        made = heir.do(CREATE, "waits", on_owner_leave=60)
        world.isolate("a")
        world.advance(15)
        assert world.caller("b").do(CREATE, "song")["name"] == "song"
        world.caller("b").do(EXTEND, "waits", None, made["control_key"])
        world.heal()
        world.advance(10)
        for session in (owner, heir):
            assert not session.session.is_open
            closed = [message for message in session.received() if message[0] == 6]
            assert closed[0][2] == CLOSE_SUPERSEDED
        assert there(world)

    def test_that_buried_the_others_says_that_its_owners_live(self, world):
        owner = world.caller("a")
        owner.do(CREATE, "song")
        former = world["a"].cluster.nodes.me
        world["a"].cluster.nodes._be_reborn("a test says so")
        world.advance(10)
        assert world["a"].cluster.nodes.me != former
        assert there(world)
        assert owner.session.is_open
