"""What sessions leave is published once, whoever dies."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster import shared_testaments
from radiod.core.cluster.claim import LOST
from radiod.core.cluster.ports import Failure
from radiod.core.cluster.shared_testaments import RETRY_S, _Taking
from radiod.core.limits import Limits
from radiod.errors import CANCELED, CHANNEL_CLOSED, QUOTA, STORE_UNAVAILABLE

DEAD_S = 8.0
ADD = "wamp.session.add_testament"
FLUSH = "wamp.session.flush_testaments"


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


@pytest.fixture
def ears(world):
    """For each node what hands out what was heard there of ``last.words``."""
    peers = {name: world.listener(name, "last.words") for name in "abc"}
    return lambda name: [event[0] for event in peers[name].events()]


def leave_behind(world, name, *words, scope="destroyed"):
    session = world.caller(name, "author")
    for word in words:
        assert session.do(ADD, "last.words", [word], {}, scope=scope) is None
    return session


def claims(world, name="a"):
    return len(list(world[name].cluster.claims.of("radio testaments")))


def test_who_leaves_is_published_by_its_own_node_everywhere_once(world, ears):
    session = leave_behind(world, "b", "one", "two")
    session.do(ADD, "last.words", ["first"], {}, scope="detached")
    assert claims(world) == 1
    session.leave()
    world.turn()
    assert [ears(name) for name in "abc"] == [["first", "one", "two"]] * 3
    assert claims(world) == 0
    world.advance(DEAD_S)
    assert [ears(name) for name in "abc"] == [[]] * 3


def test_of_a_dead_node_are_published_by_one_of_the_others(world, ears):
    session = leave_behind(world, "b", "one", "two")
    session.do(ADD, "last.words", ["first"], {}, scope="detached")
    world.kill("b")
    world.advance(DEAD_S)
    assert [ears(name) for name in "ac"] == [["first", "one", "two"]] * 2
    assert claims(world) == 0


def test_of_a_server_that_stops_are_published_by_the_others(world, ears):
    leave_behind(world, "b", "bye")
    world["b"].realm.close()
    world["b"].cluster.stop()
    world.turn()
    world.advance(1)
    assert [ears(name) for name in "ac"] == [["bye"]] * 2


def test_tell_who_made_them(world):
    ear = world.listener("a", "last.words")
    session = world.caller("b", "author")
    session.do(ADD, "last.words", ["me"], {}, publish_options={"disclose_me": True})
    world.kill("b")
    world.advance(DEAD_S)
    (event,) = [one for one in [*ear.kept, *ear.received()] if one[0] == 36]
    told = {"publisher": session.id, "publisher_authid": "author", "publisher_authrole": "tester"}
    assert event[3] == told


def test_what_was_flushed_is_not_published(world, ears):
    session = leave_behind(world, "b", "one")
    session.do(ADD, "last.words", ["first"], {}, scope="detached")
    assert session.do(FLUSH) is None
    world.kill("b")
    world.advance(DEAD_S)
    assert [ears(name) for name in "ac"] == [["first"]] * 2


def test_who_flushes_all_has_no_claim(world, ears):
    session = leave_behind(world, "b", "one")
    assert session.do(FLUSH, "detached") is None
    assert claims(world) == 1
    assert session.do(FLUSH) is None
    assert claims(world) == 0
    session.leave()
    world.turn()
    assert ears("a") == []


def test_of_sessions_that_are_killed_with_all_others_nothing_is_published(world, ears):
    leave_behind(world, "b", "one")
    assert world.caller("b").do("wamp.session.kill_all") == 4
    world.turn()
    assert claims(world) == 0
    assert ears("a") == []


def test_of_a_node_that_was_taken_for_dead_are_published_once(world, ears):
    session = leave_behind(world, "b", "one")
    world.pause("b")
    world.advance(DEAD_S)
    assert [ears(name) for name in "ac"] == [["one"]] * 2
    world.resume("b")
    world.advance(DEAD_S)
    assert session.do(ADD, "last.words", ["two"], {}) is None
    session.leave()
    world.turn()
    assert [ears(name) for name in "ac"] == [["two"]] * 2


def test_of_those_whom_a_node_that_comes_back_as_another_has_not_heard_yet_are_theirs(world, ears):
    leave_behind(world, "b", "one")
    world.pause("c")
    world.advance(9)
    world.resume("c")
    world.advance(DEAD_S)
    assert [ears(name) for name in "abc"] == [[]] * 3
    assert claims(world) == 1


def test_that_nobody_has_published_are_claimed_anew_by_a_node_that_comes_back(world, ears):
    session = leave_behind(world, "b", "one")
    testaments = world["b"].realm.testaments
    world["b"].cluster.nodes._be_reborn("for the test")
    testaments._look(session.id)
    world.advance(2)
    # Its goodbye was heard first, or its claim was seen first: never both.
    heard = ears("a")
    session.leave()
    world.advance(2)
    assert heard + ears("a") == ["one"]


def test_that_survive_their_whole_cluster_are_published_by_the_next_node(world):
    leave_behind(world, "b", "one")
    for name in "abc":
        world.kill(name)
    world.start("d")
    world.advance(2)
    ear = world.listener("d", "last.words")
    world.advance(DEAD_S)
    assert ear.events() == [["one"]]
    assert claims(world, "d") == 0


def wipe_claims(world):
    """As if somebody had released them a moment ago."""
    claims = world.engine.streams["r-claims"]
    claims.records.clear()
    claims.last.clear()


def test_of_a_session_that_somebody_has_published_begin_anew(world, ears):
    session = leave_behind(world, "b", "one")
    wipe_claims(world)
    assert session.do(ADD, "last.words", ["two"], {}) is None
    session.leave()
    world.turn()
    assert [ears(name) for name in "abc"] == [["two"]] * 3


def test_that_somebody_has_published_are_not_published_again(world, ears):
    session = leave_behind(world, "b", "one")
    wipe_claims(world)
    session.leave()
    world.turn()
    assert [ears(name) for name in "abc"] == [[]] * 3


class TestOfALostStream:
    def test_are_claimed_again_by_their_own_node(self, world, ears):
        leave_behind(world, "b", "one", "two")
        world.engine.streams.clear()
        world.advance(30)
        assert claims(world) == 1
        world.kill("b")
        world.advance(DEAD_S)
        assert [ears(name) for name in "ac"] == [["one", "two"]] * 2

    def test_are_published_once_when_their_session_leaves_later(self, world, ears):
        session = leave_behind(world, "b", "one")
        world.engine.streams.clear()
        world.advance(30)
        session.leave()
        world.advance(DEAD_S)
        assert ([ears(name) for name in "abc"], claims(world)) == ([["one"]] * 3, 0)

    @pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 1.0, 5.0, 9.0, 12.0])
    def test_are_published_once_when_their_session_leaves_meanwhile(self, world, ears, seconds):
        session = leave_behind(world, "b", "one")
        world.engine.streams.clear()
        world.advance(seconds)
        session.leave()
        world.advance(60)
        assert ([ears(name) for name in "abc"], claims(world)) == ([["one"]] * 3, 0)

    @pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2505, 0.251, 0.2515, 0.252, 0.3])
    def test_are_published_once_when_another_node_has_made_it_anew(self, world, ears, seconds):
        session = leave_behind(world, "b", "one")
        world.engine.streams.clear()
        world["a"].cluster.claims.up()
        world.advance(seconds)
        session.leave()
        world.advance(1)
        assert [ears(name) for name in "abc"] == [["one"]] * 3
        world.advance(60)
        assert ([ears(name) for name in "abc"], claims(world)) == ([[]] * 3, 0)

    def test_are_published_once_when_that_is_known_while_they_are_given_up(self, world, ears):
        session = leave_behind(world, "b", "one")
        (claim,) = world["b"].cluster.claims.of("radio testaments")
        session.leave()
        world["b"].realm.testaments.released(claim._replace(end=LOST))
        world.turn()
        assert ([ears(name) for name in "abc"], claims(world)) == ([["one"]] * 3, 0)

    def test_are_published_once_when_they_could_not_be_given_up_before(self, world, ears):
        session = leave_behind(world, "b", "one")
        world.engine.elect(30)
        session.leave()
        world.advance(10.5)
        world.engine.streams.clear()
        world["b"].cluster.claims.up()
        world.advance(1)
        assert [ears(name) for name in "abc"] == [["one"]] * 3
        world.advance(60)
        assert ([ears(name) for name in "abc"], claims(world)) == ([[]] * 3, 0)

    @pytest.mark.parametrize("has_left", [False, True])
    def test_are_published_once_by_a_node_that_comes_back_as_a_new_one(self, world, ears, has_left):
        session = leave_behind(world, "b", "one")
        for name in "abc":
            world.engine.disconnect(name)
        if has_left:
            session.leave()
        world.advance(2 * DEAD_S)
        world.engine.streams.clear()
        for name in "abc":
            world.engine.connect(name)
        world.advance(30)
        assert claims(world) == (not has_left)
        if not has_left:
            session.leave()
        world.advance(DEAD_S)
        assert ([ears(name) for name in "abc"], claims(world)) == ([["one"]] * 3, 0)

    def test_are_not_lost_while_more_is_left_behind(self, world, ears):
        session = leave_behind(world, "b", "one")
        world.engine.streams.clear()
        session.request(48, {}, ADD, ["last.words", ["two"], {}])
        world.advance(60)
        assert claims(world) == 1
        session.leave()
        world.advance(DEAD_S)
        assert [ears(name) for name in "abc"] == [["one", "two"]] * 3

    def test_are_claimed_when_nodes_can_agree_again(self, world, ears):
        leave_behind(world, "b", "one")
        world.engine.streams.clear()
        while claims(world, "b"):
            world.advance(0.0001)
        world.engine.elect(15)
        world.advance(40)
        assert claims(world) == 1


def test_of_a_node_that_is_there_are_its_own(world, ears):
    session = leave_behind(world, "b", "one")
    world["a"].realm.testaments._look(session.id)
    world.advance(1)
    assert (claims(world), ears("a")) == (1, [])


def test_a_claim_that_nobody_can_read_is_counted(world, ears):
    session = leave_behind(world, "b", "one")
    claims, nodes = world["a"].cluster.claims, world["a"].cluster.nodes
    for key, value in (("x", b"?"), ("x", None), (str(session.id), b"?")):
        claims.update("radio testaments", key, lambda current, value=value: value)
        world.turn()
    assert nodes.malformed == 2
    session.leave()
    world.advance(DEAD_S)
    assert ears("a") == ["one"]


class TestInAPrivateChannel:
    """Other nodes know of it what its place is; who has come to it there knows its name."""

    CREATE = "radiod.channel.create"

    @pytest.fixture
    def author(self, world):
        """On b, who has made a private channel and goes without a word."""
        author = world.caller("b", "author")
        assert author.do(self.CREATE, "club", public=False, key="a secret", on_owner_leave="keep")
        return author

    def listener(self, world, name, key="a secret"):
        listener = world.caller(name)
        assert listener.ask(32, {"_radiod_key": key}, "club")[0] == 33
        return listener

    @pytest.mark.parametrize("options", [{}, {"_radiod_key": "a secret"}])
    def test_is_published_by_a_node_that_knows_it_and_by_no_other(self, world, author, options):
        outsiders = [world.listener(name, "club") for name in "ac"]
        member = self.listener(world, "c")
        assert author.do(ADD, "club", ["one"], {}, publish_options=options) is None
        assert author.do(ADD, "last.words", ["two"], {}) is None
        public = world.listener("a", "last.words")
        world.kill("b")
        world.advance(DEAD_S)
        assert member.events() == [["one"]]
        assert public.events() == [["two"]]
        assert [one.events() for one in outsiders] == [[], []]
        assert claims(world) == 0

    def test_is_published_by_its_own_node_as_long_as_that_lives(self, world, author):
        member = self.listener(world, "c")
        author.do(ADD, "club", ["one"], {})
        assert claims(world) == 1
        author.leave()
        world.turn()
        assert (member.events(), claims(world)) == ([["one"]], 0)

    def test_is_published_to_the_first_who_comes_where_nobody_knew_it(self, world, author):
        author.do(ADD, "club", ["one"], {})
        author.do(ADD, "last.words", ["two"], {})
        public = world.listener("a", "last.words")
        world.kill("b")
        world.advance(DEAD_S)
        assert (public.events(), claims(world)) == ([["two"]], 1)
        world.advance(60)
        member = self.listener(world, "c")
        world.advance(2 * RETRY_S + 1)
        assert (member.events(), claims(world)) == ([["one"]], 0)
        assert public.events() == []

    def test_is_forgotten_when_the_channel_has_ended_meanwhile(self, world):
        author = world.caller("b", "author")
        author.do(self.CREATE, "club", public=False, key="a secret", lifetime=30, on_owner_leave="keep")
        author.do(ADD, "club", ["one"], {})
        world.kill("b")
        world.advance(DEAD_S + RETRY_S)
        assert claims(world) == 1
        world.advance(40)
        assert claims(world) == 0

    def test_of_one_that_had_ended_already_it_stays_with_its_node(self, world, author):
        other = world.caller("b", "other")
        made = other.do(self.CREATE, "pub", public=False, key="x" * 20)
        other.do("radiod.channel.delete", "pub", made["control_key"])
        assert other.do(ADD, "pub", ["one"], {}) in (None, CHANNEL_CLOSED)
        assert claims(world) == 0
        other.leave()
        world.turn()
        assert claims(world) == 0

    def test_of_the_configuration_too(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare("club", key="a secret")
        author = world.caller("b", "author", memberships=("club",))
        member = self.listener(world, "c")
        author.do(ADD, "club", ["one"], {})
        world.kill("b")
        world.advance(DEAD_S)
        assert (member.events(), claims(world, "c")) == ([["one"]], 0)

    def test_shows_neither_name_nor_key_to_the_engine(self, world, author):
        author.do(ADD, "club", ["one"], {}, publish_options={"_radiod_key": "a secret"})
        author.do(ADD, "club", ["two"], {})
        records = [one.data for stream in world.engine.streams.values() for one in stream.records]
        assert any(b"one" in data and b"two" in data for data in records)
        assert not any(b"club" in data or b"a secret" in data for data in records)

    def test_with_a_key_that_nobody_has_is_forgotten(self, world):
        author = world.caller("b", "author")
        options = {"_radiod_key": "wrong" * 4}
        assert author.do(ADD, "club", ["one"], {}, publish_options=options) is None
        world.kill("b")
        world.advance(DEAD_S)
        assert claims(world) == 0


class TestWithoutAMajority:
    def test_what_could_not_be_taken_back_is_there(self, world):
        session = leave_behind(world, "b", "one")
        world.engine.elect(100)
        session.request(48, {}, FLUSH, [])
        world.advance(12)
        assert session.received()[0][4] == STORE_UNAVAILABLE
        assert len(world["b"].realm.testaments) == 1

    def test_none_can_be_made_or_taken_back(self, world):
        session = leave_behind(world, "b", "one")
        world.isolate("b")
        world.advance(4)
        assert session.do(ADD, "last.words", ["two"], {}) == STORE_UNAVAILABLE
        assert session.do(FLUSH) == STORE_UNAVAILABLE
        # What is not claimed can be flushed anywhere.
        assert session.do(FLUSH, "detached") is None

    def test_those_who_leave_are_published_by_the_others(self, world, ears):
        session = leave_behind(world, "b", "one")
        left = world.caller("b")
        left.ask(32, {}, "wamp.session.on_leave")
        world.isolate("b")
        world.advance(4)
        session.leave()
        world.turn()
        assert [event[0] for event in left.events()][-1:] == [session.id]
        assert ears("b") == []
        world.advance(DEAD_S)
        assert [ears(name) for name in "ac"] == [["one"]] * 2
        world.heal()
        world.advance(DEAD_S)
        assert [ears(name) for name in "abc"] == [[]] * 3

    def test_what_could_not_be_released_is_published_when_that_can_be_done(self, world, ears):
        session = leave_behind(world, "b", "one")
        world.disconnect("b")
        session.leave()
        world.advance(1)
        world.connect("b")
        world.advance(20)
        assert [ears(name) for name in "ac"] == [["one"]] * 2

    @pytest.mark.parametrize("dies", ["nobody", "b"])
    @pytest.mark.parametrize("is_heard", [True, False])
    def test_what_was_released_without_an_answer_is_published(self, world, ears, monkeypatch, dies, is_heard):
        # The engine has stored that it is released, and says so to nobody until we have given up.
        engine = world.engine
        take, republish = engine.take, engine._republish
        stored = []

        def take_unanswered(stream, asked):
            if stream.settings.name.endswith("-claims") and not stored:
                stored.append(asked)
                if not is_heard:
                    monkeypatch.setattr(engine, "_republish", lambda record: None)
                engine.store(stream, *asked.record)
                monkeypatch.setattr(engine, "_republish", republish)
                engine.elect(11)
                engine.after(1.0, lambda: asked.answer(Failure.UNKNOWN))
            else:
                take(stream, asked)

        session = leave_behind(world, "b", "one")
        monkeypatch.setattr(engine, "take", take_unanswered)
        if dies == "b":
            world.kill("b")
        else:
            session.leave()
        world.advance(40)
        assert [ears(name) for name in "ac"] == [["one"]] * 2
        assert claims(world) == 0

    def test_what_cannot_be_taken_back_stays(self, world, ears):
        session = leave_behind(world, "b", "one")
        world.engine.elect(11)
        session.request(48, {}, FLUSH, [])
        world.advance(12)
        assert session.received()[0][4] == STORE_UNAVAILABLE
        session.leave()
        world.turn()
        assert ears("a") == ["one"]

    def test_what_cannot_be_claimed_is_refused(self, world):
        session = world.caller("b", "author")
        world.engine.elect(100)
        session.request(48, {}, ADD, ["last.words", ["one"], {}])
        world.advance(12)
        assert session.received()[0][4] == STORE_UNAVAILABLE
        assert len(world["b"].realm.testaments) == 0


class TestBounds:
    def test_hold_for_many_that_are_made_at_once(self):
        world = DeskWorld("a", "b", options={"limits": Limits(max_testaments=2)})
        session = world.caller("a")
        for _ in range(3):
            session.request(48, {}, ADD, ["last.words", ["x"], {}])
        world.advance(0.2)
        assert [one[0] for one in session.received()] == [50, 50, 8]
        assert session.do(ADD, "last.words", ["x"], {}) == QUOTA

    @pytest.mark.interpreted
    def test_hold_for_what_is_claimed(self, world, monkeypatch):
        monkeypatch.setattr(shared_testaments, "MAX_CLAIM_BYTES", 100)
        assert leave_behind(world, "a").do(ADD, "last.words", ["x" * 100], {}) == QUOTA


def test_who_leaves_before_it_is_answered_leaves_nothing_more(world, ears):
    session = leave_behind(world, "b", "one")
    testaments = world["b"].realm.testaments
    outcomes = []
    (testament,) = testaments.of(session.session)
    for _ in range(2):
        testaments.add(session.session, testament).then(outcomes.append)
    session.leave()
    world.advance(1)
    assert [one.uri for one in outcomes] == [CANCELED, CANCELED]
    assert [ears(name) for name in "abc"] == [["one"]] * 3
    assert claims(world) == 0


def test_what_was_published_unseen_is_not_claimed_again(world, ears):
    """Another node has released the claim, and this one has not heard so yet."""
    session, other = leave_behind(world, "b", "one"), leave_behind(world, "b", "other")
    world["b"].cluster.claims.mirror._watchers.clear()
    for claim in list(world["a"].cluster.claims.of("radio testaments")):
        world["a"].cluster.claims.release(claim)
    world.turn()
    other.leave()
    assert session.do(ADD, "last.words", ["two"], {}) is None
    session.leave()
    world.turn()
    assert ears("a") == ["two"]


def test_nothing_is_done_about_what_another_node_minds(world, ears):
    session = leave_behind(world, "b", "one")
    world["a"].realm.testaments._look(session.id)
    world.advance(1)
    assert (claims(world), ears("a")) == (1, [])


def test_claims_that_nobody_can_read_are_left_alone(world):
    world["a"].cluster.claims.create("radio testaments", "5", b"nonsense")
    world.advance(RETRY_S * 3)
    world.kill("b")
    world.advance(DEAD_S)
    assert claims(world) == 1


def test_what_another_node_has_taken_meanwhile_is_left_to_it(world):
    author = world.caller("b", "author")
    author.do("radiod.channel.create", "club", public=False, key="a secret", on_owner_leave="keep")
    author.do(ADD, "club", ["one"], {})
    world.kill("b")
    world.advance(DEAD_S)
    testaments = world["a"].realm.testaments
    testaments._jobs.add(author.session.id, lambda: _Taking(author.session.id, testaments).begin())
    world.turn()
    assert claims(world) == 1
