"""What is asked about sessions is asked of all nodes."""

import pytest
from support.cluster.calling import CallWorld
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.census import Census
from radiod.core.cluster.census_letters import (
    Finding,
    Piece,
    Question,
    read_finding,
    read_piece,
    write_finding,
    write_piece,
    write_question,
)
from radiod.core.cluster.pieces import ANSWER_S
from radiod.core.promises import Promise
from radiod.core.rights import Action
from radiod.errors import (
    CLOSE_KILLED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NETWORK_FAILURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    Refused,
)
from radiod.testing import Allow, FakeClock
from radiod.wire.codecs import Payload


@pytest.fixture
def three():
    return CallWorld()


@pytest.fixture
def people(three):
    """Name of the node -> a session there that everybody knows by it."""
    return {name: three[name].join(f"user-{name}", authrole=f"role-{name}") for name in "abc"}


def ask(client, procedure, *args, seconds=0.1, **kwargs):
    """What a call gives: list of results, and keywords; or the URI of the error."""
    client.requests += 1
    answers = client.ask(48, client.requests, {}, procedure, list(args), kwargs, seconds=seconds)
    assert len(answers) == 1, answers
    if answers[0][0] == 8:
        return answers[0][4]
    return answers[0][3], (answers[0][4] if len(answers[0]) > 4 else {})


class TestWhoIsThere:
    def test_is_counted_on_all_nodes(self, people):
        assert ask(people["b"], "wamp.session.count") == ([3], {})
        assert ask(people["b"], "wamp.session.count", ["role-a", "role-c"]) == ([2], {})

    def test_is_listed_of_all_nodes(self, people):
        (found,), _ = ask(people["c"], "wamp.session.list")
        assert sorted(found) == sorted(one.id for one in people.values())
        assert ask(people["c"], "wamp.session.list", ["role-a"])[0] == [[people["a"].id]]

    def test_is_described_wherever_it_is(self, people):
        for asker in people.values():
            for name, one in people.items():
                (described,), _ = ask(asker, "wamp.session.get", one.id)
                assert (described["session"], described["authid"]) == (one.id, f"user-{name}")

    def test_that_nobody_is_there_is_said(self, people):
        assert ask(people["a"], "wamp.session.get", 17) == NO_SUCH_SESSION

    @pytest.mark.parametrize("wrong", ["text", 0, None, 1.5])
    def test_wrong_arguments_are_refused_without_asking(self, people, wrong):
        people["a"].requests += 1
        sent = people["a"].node.port.sent
        people["a"].take()
        people["a"].send(48, people["a"].requests, {}, "wamp.session.get", [wrong])
        assert people["a"].take()[0][4] == INVALID_ARGUMENT
        assert people["a"].node.port.sent == sent

    def test_who_does_not_answer_is_named(self, three, people):
        three.cut("a", "b")
        given = ask(people["a"], "wamp.session.count", seconds=ANSWER_S + 0.5)
        assert given == ([2], {"unanswered": ["b"]})

    def test_a_session_that_may_be_where_nobody_answers_is_not_found_and_that_is_said(self, three, people):
        three.cut("a", "b")
        people["a"].requests += 1
        answers = people["a"].ask(
            48, people["a"].requests, {}, "wamp.session.get", [people["b"].id], seconds=ANSWER_S + 0.5
        )
        assert answers[0][4:] == [NO_SUCH_SESSION, [f"no session {people['b'].id}; b did not answer"]]


class TestKilling:
    def test_reaches_any_node(self, people):
        assert ask(people["a"], "wamp.session.kill", people["b"].id, message="go") == ([], {})
        assert people["b"].take() == [[6, {"message": "go"}, CLOSE_KILLED]]
        assert not people["b"].session.is_open

    def test_is_refused_as_at_the_node_of_the_session(self, people):
        assert ask(people["a"], "wamp.session.kill", people["b"].id, "no reason") == INVALID_URI
        assert people["b"].session.is_open

    def test_of_oneself_is_refused(self, people):
        assert ask(people["a"], "wamp.session.kill", people["a"].id) == NO_SUCH_SESSION

    def test_of_nobody_is_refused(self, people):
        assert ask(people["a"], "wamp.session.kill", 17) == NO_SUCH_SESSION

    def test_by_authid(self, three, people):
        others = [three[name].join("many") for name in "abc"]
        (killed,), _ = ask(people["a"], "wamp.session.kill_by_authid", "many")
        assert sorted(killed) == sorted(one.id for one in others)
        assert not any(one.session.is_open for one in others)

    def test_by_authrole(self, people):
        assert ask(people["a"], "wamp.session.kill_by_authrole", "role-c") == ([1], {})
        assert not people["c"].session.is_open

    def test_of_all_spares_who_asks(self, people):
        assert ask(people["a"], "wamp.session.kill_all") == ([2], {})
        assert [one.session.is_open for one in people.values()] == [True, False, False]


class TestRegistrations:
    def test_are_told_alike_on_all_nodes(self, three, people):
        id = people["a"].register("a.p", invoke="roundrobin")
        people["b"].register("a.p", invoke="roundrobin")
        callees = [people["a"].id, people["b"].id]
        for one in people.values():
            assert ask(one, "wamp.registration.list")[0] == [{"exact": [id], "prefix": [], "wildcard": []}]
            assert ask(one, "wamp.registration.lookup", "a.p")[0] == [id]
            assert ask(one, "wamp.registration.match", "a.p")[0] == [id]
            assert ask(one, "wamp.registration.list_callees", id)[0] == [callees]
            assert ask(one, "wamp.registration.count_callees", id)[0] == [2]
        described = [ask(one, "wamp.registration.get", id)[0][0] for one in people.values()]
        assert described == [described[0]] * 3
        assert described[0]["invoke"] == "roundrobin"

    def test_are_taken_from_callees_of_other_nodes(self, three, people):
        id = people["a"].register("a.p")
        given = ask(people["b"], "wamp.registration.remove_callee", id, people["a"].id, "a.reason")
        assert given == ([], {})
        assert three["c"].registrations == three["a"].registrations == {}
        assert people["a"].session.is_open
        again = ask(people["b"], "wamp.registration.remove_callee", id, people["a"].id)
        assert again in (NO_SUCH_REGISTRATION, NO_SUCH_SESSION)

    def test_are_taken_by_clients_that_write_large_ids_as_floats(self, three, people):
        id = people["a"].register("a.p")
        floats = float(id), float(people["a"].id)
        assert ask(people["b"], "wamp.registration.remove_callee", *floats) == ([], {})
        assert three["c"].registrations == three["a"].registrations == {}

    def test_that_somebody_may_not_know_of_are_taken_from_nobody(self, three, people):
        id = people["a"].register("a.p")
        blind = three["b"].join("blind", permissions=Allow(*Action, hidden=["a.p"]))
        given = ask(blind, "wamp.registration.remove_callee", id, people["a"].id)
        assert given == NO_SUCH_REGISTRATION
        assert three["b"].registrations != {}

    def test_are_taken_from_callees_of_ones_own_node(self, people):
        id = people["b"].register("a.p")
        assert ask(people["b"], "wamp.registration.remove_callee", id, people["b"].id) == ([], {})
        assert people["a"].node.registrations == {}

    def test_of_others_are_not_taken_from_a_callee_elsewhere_and_that_is_said(self, people):
        people["a"].register("a.p")
        id = people["b"].register("a.q")
        given = ask(people["b"], "wamp.registration.remove_callee", id, people["a"].id)
        assert given == NO_SUCH_REGISTRATION
        assert len(people["c"].node.registrations) == 2


@pytest.mark.parametrize(
    ("outcome", "finding"),
    [(Payload.of(7), Finding(7)), (Refused(NO_SUCH_SESSION, "why"), Finding(None, NO_SUCH_SESSION, "why"))],
)
def test_what_a_node_finds_later_is_answered_then(outcome, finding):
    peers, later, answers, clock = FakePeers(2), Promise(), [], FakeClock()
    census = Census("radio", peers, clock, clock.timers)
    census.offer({"a.procedure": ({}, lambda asker: later)})
    (handler,) = peers.handlers.values()
    handler(2, write_question(Question("a.procedure", {}))).then(answers.append)
    assert answers == []
    later.settle(outcome)
    assert [read_finding(read_piece(answer).data) for answer in answers] == [finding]


@pytest.mark.parametrize(
    "question",
    [
        b"?",
        write_question(Question("nobody.offers.it", {})),
        write_question(Question("wamp.session.get", {})),
        write_question(Question("wamp.session.get", {"session": 1, "more": 2})),
    ],
)
def test_what_nobody_asks_for_is_not_answered(three, question):
    census = three["a"].realm.census
    assert census._answer(three["b"].nodes.me, question) is None
    assert three["a"].nodes.malformed == 1


class TestWhatCannotBeRead:
    """Another node of the cluster answers, and nobody knows what."""

    @pytest.fixture
    def answer(self, three, people):
        """Have b answer with this."""

        def set_answer(data):
            three["b"].nodes.take("radio census", lambda node, question: data)

        return set_answer

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"?",
            write_piece(Piece(0, 1, b"?")),
            write_piece(Piece(0, 0, b"")),
            write_piece(Piece(0, 2**40, b"?")),
            *[
                write_piece(Piece(0, len(given), given))
                for given in map(write_finding, [Finding(None), Finding("many"), Finding([None])])
            ],
        ],
    )
    def test_is_as_if_it_had_not_come(self, three, people, answer, data):
        answer(data)
        for name, (given, *_) in {
            "count": ([2], {}),
            "list": (None, {}),
            "kill_all": ([1], {}),
        }.items():
            told, more = ask(people["a"], f"wamp.session.{name}")
            assert more == {"unanswered": ["b"]}
            assert given in (None, told)
        assert three["a"].nodes.malformed == (3 if data else 0)

    def test_is_said_where_nobody_else_knows(self, people, answer):
        answer(b"?")
        assert ask(people["a"], "wamp.session.get", people["b"].id) == NO_SUCH_SESSION

    @pytest.mark.parametrize("finding", [b"?", write_finding(Finding(None)), write_finding(Finding(7))])
    def test_is_no_answer_of_one(self, three, people, answer, finding):
        id = people["b"].register("a.p")
        answer(write_piece(Piece(0, len(finding), finding)))
        given = ask(people["a"], "wamp.registration.remove_callee", id, people["b"].id)
        assert given == NETWORK_FAILURE
        assert three["a"].nodes.malformed == 1


def test_a_node_that_is_alone_asks_nobody():
    world = CallWorld(1)
    assert ask(world["a"].join(), "wamp.session.count") == ([1], {})
