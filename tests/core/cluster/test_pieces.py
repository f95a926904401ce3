import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster import pieces
from radiod.core.cluster.census_letters import Finding, More, read_piece, read_question, write_finding
from radiod.core.cluster.pieces import ANSWER_S, MOST_BYTES, PIECE_BYTES, WHOLE_S, Kept, Whole
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, QUOTA, Refused
from radiod.testing import FakeClock

LONG = Finding("x" * (3 * PIECE_BYTES))


class Asked(FakePeers):
    """Node 1, whose questions node 2 answers by ``kept``, or with a ``lie``, ``wait`` seconds later."""

    def __init__(self):
        super().__init__(2)
        self.clock = FakeClock()
        self.kept = Kept(self.clock, self.clock.timers)
        self.questions = []
        self.wait = 0.0
        self.lie = None
        self.given = []

    def ask(self, node, about, data, seconds):
        assert (node, about, seconds) == (2, "census", ANSWER_S)
        question = read_question(data)
        self.questions.append(question)
        answer = Promise()
        told = self.lie if self.lie is not None else self.kept.more(1, question) or b""
        self.clock.timers.at(self.clock.seconds() + self.wait, lambda: answer.settle(told))
        return answer

    def whole(self, finding=LONG):
        """Begin to take an answer, and have all of it within so much time as it takes."""
        whole = Whole("census", 2, self, self.clock, self.given.append)
        whole.take(self.kept.begin(1, finding))
        self.clock.advance(2 * WHOLE_S)
        return self.given


@pytest.fixture
def asked():
    return Asked()


def test_a_short_answer_goes_at_once(asked):
    assert asked.whole(Finding([1])) == [Finding([1])]
    assert (asked.questions, len(asked.kept)) == ([], 0)


def test_a_long_one_goes_in_pieces(asked):
    assert asked.whole() == [LONG]
    assert len(asked.questions) == 3
    assert len(asked.kept) == 0


def test_one_that_is_too_long_is_refused(asked):
    (finding,) = asked.whole(Finding("x" * MOST_BYTES))
    assert (finding.error, finding.text) == (QUOTA, f"the answer has more than {MOST_BYTES} bytes")


def test_one_that_takes_too_long_is_none(asked):
    asked.wait = WHOLE_S / 2
    assert asked.whole() == [None]
    assert len(asked.questions) == 2


def test_one_that_does_not_come_is_none(asked):
    whole = Whole("census", 2, asked, asked.clock, asked.given.append)
    whole.take(Refused(NETWORK_FAILURE, "late"))
    assert (asked.given, asked.malformed) == ([None], [])


def test_what_nobody_asks_for_is_not_kept_for_long(asked):
    piece = read_piece(asked.kept.begin(1, LONG))
    more = More(piece.number, PIECE_BYTES)
    asked.clock.advance(WHOLE_S)
    assert read_piece(asked.kept.more(1, more)).number == piece.number
    asked.clock.advance(ANSWER_S)
    assert asked.kept.more(1, more) is None
    assert asked.whole() == [LONG]


@pytest.mark.parametrize("at", [-1, 2**60])
def test_what_is_not_there_is_not_given(asked, at):
    piece = read_piece(asked.kept.begin(1, LONG))
    assert asked.kept.more(1, More(piece.number, at)) is None
    assert asked.kept.more(1, More(piece.number + 1, 0)) is None


def test_nobody_gets_what_is_for_another(asked):
    piece = read_piece(asked.kept.begin(1, LONG))
    assert asked.kept.more(3, More(piece.number, PIECE_BYTES)) is None


@pytest.mark.interpreted
def test_what_is_kept_has_a_bound_and_the_oldest_makes_room(asked, monkeypatch):
    size = len(write_finding(LONG))
    monkeypatch.setattr(pieces, "MOST_KEPT", 2 * size)
    first, *others = [read_piece(asked.kept.begin(1, LONG)) for _ in range(3)]
    assert len(asked.kept) == 2
    assert asked.kept.more(1, More(first.number, PIECE_BYTES)) is None
    assert all(asked.kept.more(1, More(one.number, PIECE_BYTES)) for one in others)


def test_one_whose_rest_is_gone_is_none_and_nobody_is_to_blame(asked):
    asked.lie = b""
    assert asked.whole() == [None]
    assert asked.malformed == []


@pytest.mark.parametrize("lie", [b"?", b"\x93\x09\xcd\x01\x00\xc4\x01x", b"\x93\x01\x00\xc4\x01x"])
def test_one_that_goes_on_otherwise_is_malformed(asked, lie):
    asked.lie = lie
    assert asked.whole() == [None]
    assert asked.malformed == [("census", 2)]
