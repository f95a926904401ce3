"""A request that is repeated is done once; memory is bounded, and nobody's share is another's loss."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from radiod.core.budgets.idempotency import OVERHEAD, SLICE, Answers, Kept, Running, idempotency_key
from radiod.errors import (
    IDEMPOTENCY_MISMATCH,
    INVALID_ARGUMENT,
    QUOTA,
    STILL_RUNNING,
    Refused,
    http_status,
)
from radiod.testing import FakeClock

KEEP = 600.0
PATH = "/publish"
ANSWER = (200, [(b"Content-Type", b"application/json")], b"{}")


class World:
    def __init__(self, **bounds):
        self.clock = FakeClock()
        self.answers = Answers(self.clock, self.clock.timers, KEEP, **bounds)

    def begin(self, key="k", body=b"{}", holder="feed", path=PATH):
        return self.answers.begin(holder, path, key, body)

    def answer(self, key="k", status=200, answer=ANSWER, size=0, **rest):
        running = self.begin(key, **rest)
        assert isinstance(running, Running)
        running.answered(status, answer, size)

    def is_kept(self, key="k", **rest):
        """Whether a repeated request is answered; one that is not is left as it was."""
        found = self.begin(key, **rest)
        if isinstance(found, Running):
            found.release()
        return isinstance(found, Kept)

    def refusal(self, **request):
        with pytest.raises(Refused) as refused:
            self.begin(**request)
        return refused.value.uri, http_status(refused.value)


@pytest.fixture
def world():
    return World()


class TestKeys:
    @pytest.mark.parametrize(
        ("value", "key"),
        [
            (b"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            (b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            (b'"a\\"b\\\\c"', 'a"b\\c'),
            (b'a"b', 'a"b'),
            (b"a\\b", "a\\b"),
            (b"~" * 255, "~" * 255),
            (b'"' + b"~" * 255 + b'"', "~" * 255),
            (b'"' + b'\\"' * 255 + b'"', '"' * 255),
        ],
    )
    def test_a_key_is_the_same_quoted_and_bare(self, value, key):
        assert idempotency_key(value) == key

    @pytest.mark.parametrize(
        "value",
        [
            b"", b'""', b'"', b'"a', b'"a"b', b'"a";p=1', b'"\\a"', b'"a\\"', b"a b", b'"a b"', b"a\tb",
            b"\x7f", b"\xc3\xa4", b"a\n", b'"a"\n', b"~" * 256, b'"' + b"~" * 256 + b'"', b"a, b",
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, value):
        with pytest.raises(Refused, match="1 to 255 visible ASCII characters") as refused:
            idempotency_key(value)
        assert refused.value.uri == INVALID_ARGUMENT

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
    def test_any_visible_text_can_be_quoted(self, text):
        quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        assert idempotency_key(quoted.encode()) == text


def test_a_repeated_request_gets_the_first_answer(world):
    world.answer()
    again = world.begin()
    assert isinstance(again, Kept)
    assert again.answer is ANSWER


def test_one_that_is_still_running_is_refused(world):
    world.begin()
    assert world.refusal() == (STILL_RUNNING, 409)


def test_another_body_is_refused_whether_the_first_is_answered_or_not(world):
    running = world.begin()
    assert world.refusal(body=b"{ }") == (IDEMPOTENCY_MISMATCH, 422)
    running.answered(200, ANSWER, 2)
    assert world.refusal(body=b"{ }") == (IDEMPOTENCY_MISMATCH, 422)
    assert world.is_kept()


@pytest.mark.parametrize("other", [{"holder": "other"}, {"path": "/call"}, {"key": "other"}])
def test_keys_of_others_and_of_other_paths_are_different(world, other):
    world.answer()
    assert not world.is_kept(**other)
    assert world.is_kept()


@pytest.mark.parametrize("status", [200, 207, 400, 403, 404, 409, 413, 422])
def test_final_answers_are_kept(world, status):
    world.answer(status=status)
    assert world.is_kept()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_answers_that_another_try_may_change_are_not(world, status):
    world.answer(status=status)
    assert not world.is_kept(body=b"another")
    assert len(world.answers) == world.answers.held == 0


def test_a_request_that_came_to_nothing_may_be_tried_again(world):
    running = world.begin()
    running.release()
    again = world.begin(body=b"another")
    assert isinstance(again, Running)


def test_a_request_ends_once(world):
    running = world.begin()
    running.answered(200, ANSWER, 2)
    running.answered(201, "other", 2)
    running.release()
    assert world.begin().answer is ANSWER
    other = world.begin("other")
    other.release()
    again = world.begin("other")
    other.answered(200, ANSWER, 2)
    assert world.refusal(key="other") == (STILL_RUNNING, 409)
    again.release()


def test_answers_are_kept_for_their_time_from_the_answer_on(world):
    running = world.begin()
    world.clock.advance(2 * KEEP)
    running.answered(200, ANSWER, 2)
    world.clock.advance(KEEP - 0.1)
    assert world.is_kept()
    world.clock.advance(0.1)
    assert not world.is_kept()


def test_what_nobody_asks_for_is_forgotten_without_being_asked(world):
    world.answer("a", holder="one")
    world.clock.advance(KEEP / 2)
    world.answer("b", holder="two")
    assert len(world.clock.timers) == 1
    world.clock.advance(KEEP / 2 + KEEP / 60)
    assert len(world.answers) == 1
    world.clock.advance(KEEP / 2)
    assert len(world.answers) == world.answers.held == 0
    world.clock.advance(KEEP)
    assert len(world.clock.timers) == 0
    world.answer("c")
    assert len(world.clock.timers) == 1


def test_many_are_forgotten_some_at_a_time(world):
    for holder in range(5):
        for key in range(SLICE // 2):
            world.answer(str(key), holder=holder)
    world.clock.advance(KEEP)
    assert len(world.answers) == 3 * SLICE // 2
    world.clock.advance(1)
    assert len(world.answers) == 0


def test_one_that_runs_outlives_the_forgetting(world):
    world.answer("a")
    running = world.begin("b")
    world.clock.advance(2 * KEEP)
    assert world.refusal(key="b") == (STILL_RUNNING, 409)
    running.answered(200, ANSWER, 2)
    assert world.is_kept("b")


def test_above_a_number_the_oldest_of_the_same_holder_goes():
    world = World(max_each=2)
    world.answer("x", holder="other")
    for key in "abc":
        world.answer(key)
    assert world.is_kept("x", holder="other")
    assert world.is_kept("b")
    assert world.is_kept("c")
    assert not world.is_kept("a")


def test_what_runs_does_not_go_but_is_refused_above_the_number():
    world = World(max_each=2)
    first = world.begin("a")
    world.begin("b")
    assert world.refusal(key="c") == (QUOTA, 429)
    assert isinstance(world.begin("c", holder="other"), Running)
    first.release()
    assert isinstance(world.begin("c"), Running)


def test_above_all_bytes_whoever_holds_most_loses_its_oldest():
    world = World(max_bytes=100_000)
    world.answer("small", holder="small")
    for key in range(40):
        world.answer(str(key), size=4000, holder="big")
        assert world.answers.held <= 100_000
    assert world.is_kept("small", holder="small")
    assert not world.is_kept("0", holder="big")
    assert world.is_kept("39", holder="big")
    assert world.answers.held > 90_000


def test_of_many_holders_with_little_one_may_lose_all():
    world = World(max_bytes=16 * 2000)
    for holder in range(40):
        world.answer(size=2000 - OVERHEAD - len(PATH) - 1, holder=holder)
        assert world.answers.held <= 16 * 2000
    assert len(world.answers) == 16


def test_an_answer_that_is_large_for_all_there_is_is_not_kept():
    world = World(max_bytes=100_000)
    world.answer(size=100_000 // 16)
    assert len(world.answers) == 0
    world.answer(size=100_000 // 16 - OVERHEAD - len(PATH) - 1)
    assert world.answers.held == 100_000 // 16


class Server(RuleBasedStateMachine):
    """Any requests: each is done at most once within its time as long as there is room, and bounds hold."""

    holders = st.sampled_from(["a", "b", "c"])
    keys = st.sampled_from(["1", "2", "3", "4"])
    bodies = st.sampled_from([b"x", b"y"])

    def __init__(self):
        super().__init__()
        self.world = World(max_each=3, max_bytes=16 * 1000)
        self.running = {}

    @rule(holder=holders, key=keys, body=bodies)
    def begin(self, holder, key, body):
        found = self.found(key, body, holder)
        if isinstance(found, Refused):
            mine = [one for one in self.running if one[0] == holder]
            expected = {STILL_RUNNING: (holder, key) in self.running, QUOTA: len(mine) == 3}
            assert expected.get(found.uri, True)
        elif isinstance(found, Running):
            assert (holder, key) not in self.running
            self.running[holder, key] = found, body
        else:
            assert found.answer == (holder, key, body)

    def found(self, *request):
        try:
            return self.world.begin(*request)
        except Refused as refusal:
            return refusal

    @precondition(lambda self: self.running)
    @rule(data=st.data(), status=st.sampled_from([200, 429]), size=st.integers(0, 600))
    def end(self, data, status, size):
        name = data.draw(st.sampled_from(list(self.running)))
        running, body = self.running.pop(name)
        running.answered(status, (*name, body), size)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data):
        self.running.pop(data.draw(st.sampled_from(list(self.running))))[0].release()

    @rule(seconds=st.sampled_from([1, KEEP / 3, KEEP]))
    def advance(self, seconds):
        self.world.clock.advance(seconds)

    @invariant()
    def bounds_hold(self):
        answers = self.world.answers
        assert answers.held <= 16 * 1000
        assert len(self.running) <= len(answers) <= 9
        assert (answers.held == 0) is (len(answers) == len(self.running))

    def teardown(self):
        for running, _ in self.running.values():
            running.release()
        self.world.clock.advance(2 * KEEP)
        assert len(self.world.answers) == self.world.answers.held == len(self.world.clock.timers) == 0


Server.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestServer = Server.TestCase


class TestAnotherProcess:
    """Answers that were given before a restart."""

    def stop(self, world, away=0.0, **bounds):
        after = World(**bounds)
        now = world.clock.seconds()
        for one in world.answers:
            left = one.kept.until - now - away
            kept = Kept(one.kept.digest, one.kept.answer, one.kept.size, after.clock.seconds() + left)
            after.answers.resume(one._replace(kept=kept))
        return after

    def test_a_request_that_was_answered_is_not_done_again(self, world):
        world.answer("a", size=10)
        world.answer("b", holder="other")
        world.begin("running")
        after = self.stop(world)
        assert after.begin("a").answer is ANSWER
        assert after.is_kept("b", holder="other")
        assert not after.is_kept("b")
        assert not after.is_kept("running")
        assert after.refusal(key="a", body=b"another") == (IDEMPOTENCY_MISMATCH, 422)
        assert after.answers.held == world.answers.held

    def test_it_is_kept_as_long_as_without_the_restart(self, world):
        world.answer("a")
        world.clock.advance(KEEP / 2)
        after = self.stop(world, away=100.0)
        after.clock.advance(KEEP / 2 - 101)
        assert after.is_kept("a")
        after.clock.advance(2)
        assert not after.is_kept("a")
        assert len(after.answers) == 0

    def test_what_is_too_old_is_left_out(self, world):
        world.answer("a")
        after = self.stop(world, away=KEEP)
        assert len(after.answers) == 0
        assert len(after.clock.timers) == 0

    def test_bounds_are_those_of_now(self, world):
        for key in "abc":
            world.answer(key, size=100)
        assert len(self.stop(world, max_each=2).answers) == 2
        assert len(self.stop(world, max_bytes=0).answers) == 0
