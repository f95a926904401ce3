"""``wamp.registration.*`` through the eyes of a client: every procedure, event and error."""

from datetime import UTC, datetime

import pytest
from support.arguments import WRONG_IDS, WRONG_TEXTS, TakesAnId

from radiod.errors import INVALID_ARGUMENT, NO_SUCH_REGISTRATION, NO_SUCH_SESSION


def now(world):
    date = datetime.fromtimestamp(world.clock.time(), UTC)
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TestIds(TakesAnId):
    missing = NO_SUCH_REGISTRATION

    @pytest.fixture(
        params=[
            "wamp.registration.get",
            "wamp.registration.list_callees",
            "wamp.registration.count_callees",
        ]
    )
    def procedure(self, request):
        return request.param


class TestRegistrationEvents:
    @pytest.fixture
    def watcher(self, world):
        kinds = ("create", "register", "unregister", "delete")
        return world.watch(*[f"wamp.registration.on_{kind}" for kind in kinds])

    @pytest.mark.parametrize(("match", "procedure"), [("exact", "p"), ("prefix", "p."), ("wildcard", "p.")])
    def test_tell_of_the_life_of_a_registration(self, world, watcher, alice, bob, match, procedure):
        id = alice.register(procedure, match=match, invoke="roundrobin")
        described = {
            "id": id,
            "created": now(world),
            "uri": procedure,
            "match": match,
            "invoke": "roundrobin",
        }
        assert watcher.told() == [
            ("wamp.registration.on_create", alice.id, described),
            ("wamp.registration.on_register", alice.id, id),
        ]
        assert bob.register(procedure, match=match, invoke="roundrobin") == id
        assert watcher.told() == [("wamp.registration.on_register", bob.id, id)]
        assert bob.call("wamp.registration.get", id) == [described]
        alice.answer(66, id)
        assert watcher.told() == [("wamp.registration.on_unregister", alice.id, id)]
        bob.leave()
        assert watcher.told() == [
            ("wamp.registration.on_unregister", bob.id, id),
            ("wamp.registration.on_delete", bob.id, id),
        ]

    @pytest.mark.parametrize("count", [1, 3])
    def test_tell_of_a_takeover_in_the_order_of_events(self, world, watcher, count):
        old = [world.join() for _ in range(count)]
        options = {"invoke": "first"} if count > 1 else {}
        for peer in old:
            before = peer.register("p", **options)
        watcher.told()
        taker = world.join()
        id = taker.register("p", force_reregister=True)
        assert watcher.told() == [
            *[("wamp.registration.on_unregister", peer.id, before) for peer in old],
            ("wamp.registration.on_delete", old[-1].id, before),
            (
                "wamp.registration.on_create",
                taker.id,
                {"id": id, "created": now(world), "uri": "p", "match": "exact", "invoke": "single"},
            ),
            ("wamp.registration.on_register", taker.id, id),
        ]

    def test_come_after_the_answer(self, alice):
        alice.subscribe("wamp.registration.", match="prefix")
        alice.request(64, {}, "p")
        registered = alice.received()
        assert [message[0] for message in registered] == [65, 36, 36]
        alice.request(66, registered[0][2])
        assert [message[0] for message in alice.received()] == [67, 36, 36]


class TestRegistrations:
    def test_are_listed_by_policy(self, admin, alice):
        exact = alice.register("p")
        prefix, wildcard = alice.register("p", match="prefix"), alice.register("p.", match="wildcard")
        assert admin.call("wamp.registration.list") == [
            {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}
        ]

    def test_are_looked_up_by_procedure_and_policy(self, admin, alice):
        exact, prefix = alice.register("p"), alice.register("p", match="prefix")
        assert admin.call("wamp.registration.lookup", "p") == [exact]
        assert admin.call("wamp.registration.lookup", "p", {"match": "prefix"}) == [prefix]
        assert admin.call("wamp.registration.lookup", "q") == [None]

    def test_are_matched_with_a_procedure(self, admin, alice):
        exact, all = alice.register("p"), alice.register("", match="prefix")
        assert admin.call("wamp.registration.match", "p") == [exact]
        assert admin.call("wamp.registration.match", "q") == [all]
        alice.leave()
        assert admin.call("wamp.registration.match", "q") == [None]

    def test_match_nothing_that_the_router_answers_itself(self, admin, alice):
        alice.register("", match="prefix")
        assert admin.call("wamp.registration.match", "wamp.session.count") == [None]
        assert admin.call("wamp.session.count") == [2]

    def test_have_callees(self, admin, alice, bob):
        id = alice.register("p", invoke="random")
        bob.register("p", invoke="random")
        assert admin.call("wamp.registration.list_callees", id) == [[alice.id, bob.id]]
        assert admin.call("wamp.registration.count_callees", id) == [2]

    @pytest.mark.parametrize(
        "options",
        [1, "prefix", [], True, {"match": "Prefix"}, {"match": None}, {"match": "x" * 999}],
    )
    def test_options_are_as_when_registering(self, admin, options):
        assert admin.call("wamp.registration.lookup", "a", options) == INVALID_ARGUMENT
        answer = admin.answer(48, {}, "wamp.registration.lookup", ["a", options])
        assert len(answer[5][0]) < 300

    @pytest.mark.parametrize("procedure", ["lookup", "match"])
    @pytest.mark.parametrize("topic", WRONG_TEXTS)
    def test_uris_are_texts(self, admin, procedure, topic):
        assert admin.call(f"wamp.registration.{procedure}", topic) == INVALID_ARGUMENT


class TestRemovingCallees:
    PROCEDURE = "wamp.registration.remove_callee"

    def test_tells_who_asked_to_be_told(self, world, admin):
        alice, bob = world.join(is_revocable=True), world.join()
        events = world.watch("wamp.registration.on_unregister", "wamp.registration.on_delete")
        id = alice.register("p", invoke="first")
        bob.register("p", invoke="first")
        assert admin.call(self.PROCEDURE, id, alice.id, reason="no more") == []
        assert alice.received() == [[67, 0, {"registration": id, "reason": "no more"}]]
        assert admin.call(self.PROCEDURE, id, bob.id) == []
        assert bob.received() == []
        assert [topic.rpartition("_")[2] for topic, *_ in events.told()] == ["unregister"] * 2 + ["delete"]

    def test_lets_it_answer_what_it_was_asked(self, world, admin, alice, bob):
        id = alice.register("p")
        request = bob.request(48, {}, "p")
        admin.call(self.PROCEDURE, id, alice.id)
        alice.send(70, 1, {}, ["r"])
        assert bob.received() == [[50, request, {}, ["r"]]]

    def test_from_who_has_none_is_refused(self, admin, alice, bob):
        id = alice.register("p")
        assert admin.call(self.PROCEDURE, id, bob.id) == NO_SUCH_REGISTRATION
        assert admin.call(self.PROCEDURE, id, 999) == NO_SUCH_SESSION
        assert admin.call(self.PROCEDURE, 999, alice.id) == NO_SUCH_REGISTRATION
        for wrong in WRONG_IDS:
            assert admin.call(self.PROCEDURE, wrong, alice.id) == INVALID_ARGUMENT
            assert admin.call(self.PROCEDURE, id, wrong) == INVALID_ARGUMENT
        for wrong in WRONG_TEXTS[1:]:
            assert admin.call(self.PROCEDURE, id, alice.id, wrong) == INVALID_ARGUMENT
        assert id in alice.registrations
