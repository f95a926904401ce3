"""What waits for a webhook: bounded, in order, and the oldest goes, but for the one on its way."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from radiod.webhooks.waiting import MOST, MOST_BYTES, Letter, Waiting


def letters(waiting):
    return [letter.id for letter in waiting._letters]


def test_the_bounds_that_are_promised():
    assert (MOST, MOST_BYTES) == (1000, 16 * 1024 * 1024)


def test_the_oldest_goes():
    waiting = Waiting(most=2, most_bytes=10)
    assert [waiting.add(Letter(id, b"123")) for id in "abc"] == [0, 0, 1]
    assert letters(waiting) == ["b", "c"]
    assert waiting.add(Letter("d", b"1234567890")) == 2
    assert (letters(waiting), waiting.bytes) == (["d"], 10)
    assert waiting.add(Letter("e", b"12345678901")) == 2
    assert (letters(waiting), waiting.bytes, waiting.first) == ([], 0, None)


def test_what_is_on_its_way_stays():
    waiting = Waiting(most=2, most_bytes=10)
    waiting.add(Letter("a", b"12345678"))
    waiting.is_sending = True
    assert waiting.add(Letter("b", b"12")) == 0
    assert waiting.add(Letter("c", b"12")) == 1
    assert letters(waiting) == ["a", "c"]
    # There is room for nothing but what is on its way.
    assert waiting.add(Letter("d", b"123")) == 2
    assert letters(waiting) == ["a"]
    assert waiting.clear() == 1


class Model(RuleBasedStateMachine):
    """Against a plain list of (id, size)."""

    def __init__(self):
        super().__init__()
        self.waiting = Waiting(most=5, most_bytes=50)
        self.model = []
        self.count = self.gone = 0

    @rule(size=st.integers(0, 60))
    def add(self, size):
        self.count += 1
        self.model.append((str(self.count), size))
        given_up = 0
        while len(self.model) > 5 or sum(size for _, size in self.model) > 50:
            del self.model[1 if self.waiting.is_sending else 0]
            given_up += 1
        assert self.waiting.add(Letter(str(self.count), b"x" * size)) == given_up
        self.gone += given_up

    @precondition(lambda self: self.model)
    @rule()
    def send(self):
        self.waiting.is_sending = True

    @precondition(lambda self: self.waiting.is_sending)
    @rule(is_done=st.booleans())
    def answered(self, is_done):
        self.waiting.is_sending = False
        if is_done:
            self.waiting.done()
            self.model.pop(0)
            self.gone += 1

    @precondition(lambda self: not self.waiting.is_sending)
    @rule()
    def clear(self):
        assert self.waiting.clear() == len(self.model)
        self.gone += len(self.model)
        self.model.clear()

    @invariant()
    def is_the_same(self):
        assert letters(self.waiting) == [id for id, _ in self.model]
        assert self.waiting.bytes == sum(size for _, size in self.model) <= 50
        assert len(self.waiting) <= 5
        assert self.gone + len(self.model) == self.count


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=100, stateful_step_count=40)
