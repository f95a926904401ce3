"""How sessions end, and what they have: nothing is left, and everybody concerned is told."""

import pytest
from support.answers import assert_silent
from support.realms import Slow

from radiod.core.holders import Account, Holder
from radiod.core.realm.departures import TOLD_IN_A_STEP
from radiod.core.slices import SLICE_S


class TestSessions:
    def test_one_that_has_left_is_not_told_that_it_is_killed(self, world, alice):
        alice.leave()
        world.realm.departures.kill(alice.session, "a.reason", {})
        assert_silent(alice)

    def test_of_a_holder_end_with_it_and_are_told_why(self, world, alice):
        holder = Holder("k_1", Account("acme"))
        expelled = world.join(holder=holder)
        assert holder.connections == 1
        assert holder.end("revoked") == 1
        details = {"message": "access has ended: revoked"}
        assert expelled.received() == [[6, details, "radiod.close.revoked"]]
        assert (holder.connections, expelled.session.is_open, alice.session.is_open) == (0, False, True)

    def test_leave_no_trace(self, world, alice, bob):
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        bob.ask(64, 2, {}, "q")
        alice.send(48, 3, {}, "q")
        alice.send(48, 4, {}, "radiod.channel.create", ["channel"])
        alice.leave()
        alice.leave()
        bob.leave()
        assert not alice.session.is_open
        assert world.realm.sessions == {}
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (0, 0)
        assert (len(world.realm.channels), len(world.clock.timers)) == (0, 0)

    def test_are_all_closed_with_the_realm(self, world, alice, bob):
        alice.ask(64, 1, {}, "p")
        alice.send(48, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        world.listener("radiod.channel.on_delete").ask(48, 2, {}, "radiod.channel.create", ["a"])
        world.outbox.take()
        polite = world.join(wants_goodbye=True)
        world.realm.close()
        assert polite.received() == [[6, {}, "wamp.close.system_shutdown"]]
        for peer in (alice, bob):
            assert 6 not in [message[0] for message in peer.received()]
            assert peer.session in world.outbox.stopped
        assert all(world.outbox.is_closed(peer.session) for peer in (alice, bob, polite))
        assert world.realm.sessions == {}
        assert len(world.clock.timers) == 0

    def test_are_sent_what_waits_before_the_realm_closes(self, world, alice, bob):
        alice.ask(32, 1, {"_radiod_buffer": {"size": 1, "policy": "wait"}}, "a")
        world.outbox.block(alice.session)
        for number in (1, 2):
            bob.send(16, number, {"acknowledge": True}, "a", [number])
        assert [message[:2] for message in bob.received()] == [[17, 1]]
        world.realm.drain()
        world.clock.advance(0)
        assert [message[4] for message in alice.received()] == [[1], [2]]
        assert [message[:2] for message in bob.received()] == [[17, 2]]

    def test_are_told_when_to_come_back_each_another_time(self, world, alice, bob):
        polite = world.join(wants_goodbye=True)
        times = iter([1.5, 2.25, 2.0625])
        world.realm.close(lambda: next(times))
        assert polite.received() == [[6, {"_retry_after": 2.062}, "wamp.close.system_shutdown"]]
        assert world.outbox.retries == {alice.session: 1.5, bob.session: 2.25}

    def test_that_left_meanwhile_are_not_sent_away(self, world, alice, bob):
        class Leaving(list):
            """Bob's connection breaks while alice is told."""

            def append(self, session):
                super().append(session)
                bob.leave()

        world.outbox.stopped = Leaving()
        world.realm.close()
        assert world.outbox.stopped == [alice.session]

    def test_are_sent_away_one_by_one_behind_what_waits_for_them(self, world, alice, bob):
        alice.subscribe("a")
        world.outbox.block(alice.session)
        bob.send(16, 1, {}, "a", ["last"])
        world.realm.send_away(alice.session, 7.0)
        assert [message[4] for message in alice.received()] == [["last"]]
        assert world.outbox.retries == {alice.session: 7.0}
        assert (alice.session.is_open, bob.session.is_open) == (False, True)
        world.realm.send_away(alice.session, 9.0)
        assert world.outbox.retries == {alice.session: 7.0}

    def test_that_were_sent_away_leave_their_channels_until_the_server_stays(self, world):
        owner, watcher = world.caller(), world.caller()
        owner.call("radiod.channel.create", "a")
        world.realm.send_away(owner.session, 1.0)
        assert watcher.call("radiod.channel.get", "a")["name"] == "a"
        for _ in range(2):
            world.realm.stay()
            assert watcher.call("radiod.channel.get", "a") == "radiod.error.channel_closed"

    def test_leave_nothing_in_any_table(self, world, alice, bob):
        alice.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(alice.session)
        for number in (1, 2):
            bob.request(16, {"acknowledge": True, "_radiod_stream": {"id": 1}}, "a", [number])
        alice.call("radiod.channel.tune", "b", 3)
        alice.call("radiod.channel.create", "p", public=False)
        alice.call("radiod.channel.open_write", "c")
        alice.call("wamp.session.add_testament", "a", [], {})
        realm = world.realm
        tables = (
            realm.subscriptions,
            realm.testaments,
            realm.tuned,
            realm.streams,
            realm.memberships,
            realm.writers,
            realm.holdings,
            realm.dealer._calls,
        )
        alice.register("f")
        bob.request(48, {}, "f")
        assert 0 not in [len(table) for table in tables]
        alice.leave()
        bob.leave()
        assert [len(table) for table in tables] == [0] * len(tables)
        world.clock.advance(100)
        assert len(world.clock.timers) == 0

    def test_are_not_there_any_more_when_others_are_told(self, world, alice):
        """Whoever hears of it, and asks, finds nothing."""
        seen = []

        class Asking(Slow):
            def hides(self, topic):
                seen.append((list(world.realm.sessions), len(world.realm.dealer), alice.subscriptions))
                return False

        watcher = world.join(permissions=Asking())
        watcher.subscribe("wamp.subscription.", match="prefix")
        alice.subscribe("a")
        alice.register("p")
        seen.clear()
        alice.leave()
        assert seen
        assert all(one == ([watcher.id], 0, {}) for one in seen)

    def test_that_had_much_are_told_of_in_slices_and_are_gone_at_once(self, world, alice, bob):
        topics = ("wamp.subscription.on_delete", "wamp.registration.on_delete", "wamp.session.on_leave")
        watcher = world.watch(*topics)
        subscriptions = [alice.subscribe(f"a.{n}") for n in range(2 * TOLD_IN_A_STEP)]
        registrations = [alice.register(f"p.{n}") for n in range(2 * TOLD_IN_A_STEP)]
        world.clock.look_s = SLICE_S
        alice.leave()
        early = watcher.told()
        assert len(early) == TOLD_IN_A_STEP
        assert bob.answer(64, {}, "p.1")[0] == 65
        world.clock.advance(1)
        assert early + watcher.told() == [
            *((topics[0], alice.id, id) for id in subscriptions),
            *((topics[1], alice.id, id) for id in registrations),
            (topics[2], alice.id, "alice", "tester"),
        ]

    def test_that_are_all_killed_are_told_by_nobody(self, world, alice, bob):
        watcher = world.watch("a", "wamp.session.on_leave", "wamp.subscription.on_delete")
        alice.call("wamp.session.add_testament", "a", ["bye"], {})
        subscription = alice.subscribe("b")
        watcher.told()
        world.realm.departures.kill(alice.session, "a.reason", {"message": "m"}, is_everybody=True)
        assert alice.received() == [[6, {"message": "m"}, "a.reason"]]
        assert watcher.told() == [("wamp.subscription.on_delete", alice.id, subscription)]
        assert len(world.realm.testaments) == 0

    def test_keep_their_channels_when_the_server_stops(self, world, alice):
        alice.call("radiod.channel.create", "a")
        world.realm.close()
        assert "a" in world.realm.channels
        assert world.realm.sessions == {}


class TestRevoking:
    def test_a_subscription_is_told_to_its_session_if_it_asked_for_that(self, world):
        for is_revocable in (True, False):
            client = world.join(is_revocable=is_revocable)
            for reason, details in (("a.reason", {"reason": "a.reason"}), (None, {})):
                id = client.subscribe("a")
                subscription = world.realm.subscriptions.find(client.session, id)
                world.realm.departures.revoke_subscription(client.session, subscription, reason)
                told = [[35, 0, {"subscription": id, **details}]] if is_revocable else []
                assert client.received() == told
                assert client.subscriptions == {}

    def test_a_subscription_of_a_private_channel_ends_there(self, world, alice):
        channel = world.realm.lifecycle.declare("p", key="secret")
        id = alice.subscribe("p", _radiod_key="secret")
        alice.subscribe("q")
        subscription = world.realm.subscriptions.find(alice.session, id)
        world.realm.departures.revoke_subscription(alice.session, subscription, None)
        assert (len(channel.space.broker), len(world.realm.space.broker)) == (0, 1)

    @pytest.mark.parametrize(
        ("options", "is_told"),
        [({}, False), ({"is_revocable": True}, True), ({"features": "callee.registration_revocation"}, True)],
    )
    def test_a_registration_is_told_to_its_session_if_it_can_be(self, world, options, is_told):
        client = world.join(**options)
        watcher = world.watch("wamp.registration.on_unregister", "wamp.registration.on_delete")
        for reason, details in (("a.reason", {"reason": "a.reason"}), (None, {})):
            id = client.register("p")
            registration = world.realm.dealer.registrations.find(id)
            world.realm.departures.revoke_registration(client.session, registration, reason)
            assert client.received() == ([[67, 0, {"registration": id, **details}]] if is_told else [])
            assert client.registrations == {}
            assert [event[1:] for event in watcher.told()] == [(client.id, id)] * 2
