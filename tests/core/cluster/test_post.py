"""Letters of two nodes by hand; over the engine they are in ``test_nodes``."""

import pytest

from radiod.core.cluster.letters import Answer, Beat, Bye, Missed, Told, decode
from radiod.core.cluster.membership import Membership
from radiod.core.cluster.post import Post
from radiod.core.cluster.questions import MAX_OPEN
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, PeerError
from radiod.testing import FakeClock


class Sent:
    """A bus that notes letters; ``is_up``: whether it takes them."""

    def __init__(self):
        self.letters = []
        self.is_up = True

    def send(self, subject, data, reply=""):
        if self.is_up:
            self.letters.append((subject, decode(data)))
        return self.is_up

    def take(self):
        letters, self.letters = self.letters, []
        return [letter for _, letter in letters]


class Made:
    def __init__(self):
        self.clock, self.bus, self.gaps, self.malformed = FakeClock(), Sent(), [], []
        self.members = Membership(5.0, 0.0)
        self.post = Post(
            "r",
            1,
            self.members,
            self.clock,
            self.clock.timers,
            self.gaps.append,
            lambda *what: self.malformed.append(what),
        )
        self.post.bus = self.bus
        self.other = self.members.meet(2, "b", "", 0.0)
        self.members.let_in(self.other, 0.0)


@pytest.fixture
def made():
    return Made()


def test_letters_are_numbered_for_each_node(made):
    assert made.post.tell(2, "it", b"x")
    assert made.post.tell(2, "it", b"y")
    assert made.bus.letters == [
        ("r.node.2", Told(1, 1, "it", b"x")),
        ("r.node.2", Told(1, 2, "it", b"y")),
    ]


def test_what_cannot_be_sent_has_no_number(made):
    made.bus.is_up = False
    assert not made.post.tell(2, "it", b"x")
    made.bus.is_up = True
    assert made.post.tell(2, "it", b"y")
    assert made.bus.take() == [Told(1, 1, "it", b"y")]


def test_an_answer_that_cannot_be_sent_is_missed_by_the_other(made):
    later = Promise()
    made.post.take("it", lambda node, data: later)
    made.post.receive(made.other, Told(2, 1, "it", b"x", 7))
    made.bus.is_up = False
    later.settle(b"answer")
    made.bus.is_up = True
    made.post.tell(2, "it", b"y")
    assert made.bus.take() == [Told(1, 2, "it", b"y")]


def test_a_letter_that_came_is_not_taken_again(made):
    told = []
    made.post.take("it", lambda node, data: told.append(data))
    for _ in range(2):
        made.post.receive(made.other, Told(2, 1, "it", b"x"))
    assert told == [b"x"]


def test_what_is_missing_is_told_before_the_next_letter_is_taken(made):
    made.post.take("it", lambda node, data: made.gaps.append(data))
    answers = []
    made.post.ask(2, "other", b"", 5.0, answers.append)
    made.bus.take()
    made.post.receive(made.other, Told(2, 3, "it", b"x"))
    assert made.gaps == [2, b"x"]
    # The question may be answered yet.
    assert (made.bus.take(), answers) == ([Missed(1, 2, 1, 2)], [])
    assert made.post.lost == 2


def test_what_must_be_taken_in_is_taken_in_once_and_answered_each_time(made):
    told = []
    made.post.take("it", lambda node, data: told.append(data))
    made.post.receive(made.other, Told(2, 1, "it", b"x", 7, True))
    made.post.receive(made.other, Told(2, 2, "it", b"x", 7, True))
    assert told == [b"x"]
    assert made.bus.take() == [Answer(1, 1, 7, b""), Answer(1, 2, 7, b"")]


def test_nobody_answers_for_what_nobody_takes(made):
    made.post.receive(made.other, Told(2, 1, "other", b"x", 7))
    assert made.bus.take() == [Answer(1, 1, 7, b"")]


def test_a_late_answer_to_one_who_has_gone_is_dropped(made):
    later = Promise()
    made.post.take("it", lambda node, data: later)
    made.post.receive(made.other, Told(2, 1, "it", b"x", 7))
    made.members.bury(2)
    later.settle(b"answer")
    assert made.bus.take() == []


def test_a_node_that_has_stopped_says_nothing(made):
    made.post.bus = None
    made.post.listen()
    made.post.unlisten()
    made.post.spread(Bye(1))
    for say in (made.post.send, made.post.look_for):
        say(2, Beat(1, "a", 1, 0, "", {}))
    assert not made.post.tell(2, "it", b"x")
    assert made.bus.letters == []


def test_one_question_too_many_is_refused(made):
    for _ in range(MAX_OPEN):
        made.post.questions.begin(2, "it", b"", lambda answer: None, is_kept=True)
    answers, taken_in = [], []
    made.post.ask(2, "it", b"x", 5.0, answers.append)
    made.post.tell_surely(2, "it", b"x", taken_in.append)
    assert ([answer.uri for answer in answers], taken_in) == ([NETWORK_FAILURE], [2])
    assert made.bus.take() == []


def test_of_what_the_other_misses_questions_are_asked_again_or_end(made):
    answers, taken_in = [], []
    made.post.ask(2, "it", b"before", 5.0, answers.append)
    made.post.ask(2, "it", b"x", 5.0, answers.append)
    made.post.tell_surely(2, "it", b"y", taken_in.append)
    made.bus.take()
    made.post.receive(made.other, Missed(2, 1, 2, 3))
    assert [answer.text for answer in answers] == ["the way to node b broke"]
    assert made.bus.take() == [Told(1, 4, "it", b"y", 3, True)]
    made.post.receive(made.other, Answer(2, 2, 1, b"answer"))
    assert answers[1:] == [b"answer"]


def test_what_is_being_taken_in_is_answered_once_it_is(made):
    later = Promise()
    made.post.take("it", lambda node, data: later)
    for number in (1, 2):
        made.post.receive(made.other, Told(2, number, "it", b"x", 7, True))
    assert made.bus.take() == []
    later.settle(b"")
    assert made.bus.take() == [Answer(1, 1, 7, b"")]


def test_a_letter_that_breaks_the_protocol_is_malformed(made):
    def take(node, data):
        raise PeerError("there was no INVOCATION 7")

    made.post.take("part", take)
    made.post.receive(made.other, Told(2, 1, "part", b""))
    assert made.malformed == [("part", 2)]
