"""Usage of all nodes, asked at one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.books import Keeper
from support.cluster.sharing import AccessWorld
from support.usage import OwnUsage

from radiod.access.shared.usage import PAGE, USAGE, SharedUsage, merged
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import UsageQuery, UsageRow
from radiod.core.promises import Promise
from radiod.errors import INVALID_ARGUMENT, Refused

HOUR = 3600


class UsageWorld(AccessWorld):
    def start(self, name, keeper=None, secrets=()):
        node = super().start(name, keeper, secrets)
        node.own = OwnUsage(node.keeper)
        node.usage = SharedUsage(node.own, node.cluster.nodes, node.cluster.claims, name)
        return node

    def usage(self, name, seconds=1, **query):
        found = []
        self.nodes[name].usage.usage(UsageQuery(**query)).then(found.append)
        self.wait(seconds)
        (page,) = found
        return page

    def count(self, name, *rows):
        self.nodes[name].keeper.count([row(*one) for one in rows])


def row(hour, account, channel="c", published=1):
    return UsageRow(hour=hour * HOUR, account=account, key="k", channel=channel, published=published)


@pytest.fixture
def world():
    return UsageWorld("a", "b", "c")


def published(page, *by):
    return [(*(row[name] for name in by), row["published"]) for row in page.rows]


def test_the_sums_are_those_of_all_nodes(world):
    world.count("a", (0, "acme", "x", 1), (1, "acme", "y", 2))
    world.count("b", (0, "acme", "x", 4))
    world.count("c", (1, "other", "y", 8))
    page = world.usage("b", by=("account",))
    assert published(page, "account") == [("acme", 7), ("other", 8)]
    assert (page.next, page.unanswered) == (None, ())
    assert published(world.usage("c", by=("hour",)), "hour") == [(0, 5), (HOUR, 10)]
    assert published(world.usage("a", account="other")) == [(8,)]
    assert published(world.usage("a", account="nobody")) == []


def test_pages_go_on_where_the_one_before_ended(world):
    names = [f"n{number:03}" for number in range(30)]
    for at, name in enumerate(names):
        world.count("abc"[at % 3], (0, name))
        world.count("abc"[at % 2], (0, name))
    rows, after = [], None
    while True:
        page = world.usage("a", by=("account",), limit=7, after=after)
        assert len(page.rows) <= 7
        rows += published(page, "account")
        after = page.next
        if after is None:
            break
    assert [name for name, _ in rows] == names
    assert sum(count for _, count in rows) == 30 + 20 - 10 + 10


def test_a_long_page_is_asked_for_in_several_rounds(world):
    for name in "abc":
        world.count(name, *((0, f"{name}{number:04}") for number in range(PAGE)))
    page = world.usage("a", by=("account",), limit=10_000)
    assert (len(page.rows), page.next) == (3 * PAGE, None)


def test_a_node_that_does_not_answer_is_named(world):
    for name in "abc":
        world.count(name, (0, "acme"))
    world["b"].own.failure = Refused(INVALID_ARGUMENT, "no")
    page = world.usage("a", by=("account",))
    assert (published(page, "account"), page.unanswered) == ([("acme", 2)], ("b",))
    world["b"].clock.pause()
    page = world.usage("a", by=("account",), seconds=15)
    assert (published(page, "account"), page.unanswered) == ([("acme", 2)], ("b",))


COUNTS = dict.fromkeys(
    ("published", "delivered", "dropped", "refused", "calls", "bytes_in", "bytes_out", "seconds"), 1
)


@pytest.mark.parametrize(
    "answer",
    [
        b"?",
        b"\x92\x90\xa1\xff",
        [[{}], None],
        [[{**COUNTS, "account": 7}], None],
        [[{**COUNTS, "account": "acme", "published": "1"}], None],
        [[{**COUNTS, "account": "acme"}] * 2, None],
        [[{**COUNTS, "account": "acme"}, {**COUNTS, "account": "aaa"}], None],
        [[{**COUNTS, "account": "a"}], "again and again, from the beginning"],
        [[{**COUNTS, "account": f"n{number:05}"} for number in range(PAGE + 1)], None],
    ],
)
def test_a_node_whose_answer_is_none_is_named(world, answer):
    data = answer if isinstance(answer, bytes) else msgspec.msgpack.encode(answer)
    world.count("a", (0, "acme"), (0, "other"))
    world["b"].cluster.nodes.take(USAGE, lambda node, asked: data)
    page = world.usage("a", by=("account",), limit=PAGE, after='["aaaa"]')
    assert (published(page, "account"), page.unanswered) == ([("acme", 1), ("other", 1)], ("b",))


def test_a_node_that_is_away_is_named_if_it_has_a_store():
    world = UsageWorld("a", "b", keepers={"b": Stored()})
    world.count("b", (0, "acme"))
    assert world.usage("a").unanswered == ()
    keeper = world.stop("b")
    world.wait(7)
    assert (world.usage("a").rows, world.usage("a").unanswered) == ([], ("b",))
    world.start("b", keeper)
    world.wait(3)
    page = world.usage("a")
    assert (published(page), page.unanswered) == ([(1,)], ())


def test_what_cannot_be_asked_is_refused(world):
    assert world.usage("a", by=("nonsense",)).uri == INVALID_ARGUMENT
    answers = []
    world["a"].usage._take(1, b"?").then(answers.append)
    assert isinstance(answers[0], Refused)


def test_too_many_questions_are_named_as_not_answered(world):
    refused = Promise()
    refused.settle(Refused(INVALID_ARGUMENT, "no"))
    world["a"].cluster.nodes.ask_all = lambda about, data, seconds: refused
    assert world.usage("a").unanswered == ("b", "c")


class Stored:
    """A store that is not memory, over one that is."""

    def __init__(self):
        self._keeper = Keeper()

    def __getattr__(self, name):
        return getattr(self._keeper, name)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 3),
        st.sampled_from("abcde"),
        st.sampled_from("xy"),
        st.integers(1, 9),
    ),
    max_size=40,
)


@given(
    ROWS,
    st.sampled_from([("account",), ("hour", "account"), ("account", "channel", "hour"), ()]),
    st.integers(1, 5),
)
def test_pages_of_several_stores_are_those_of_one_with_all_rows(rows, by, limit):
    stores, whole = [MemoryAccessStore() for _ in range(3)], MemoryAccessStore()
    sums = [{} for _ in range(4)]
    for store, hour, account, channel, count in rows:
        for each in (sums[store], sums[3]):
            each[hour, account, channel] = each.get((hour, account, channel), 0) + count
    for store, of in zip([*stores, whole], sums, strict=True):
        store.count([row(hour, account, channel, count) for (hour, account, channel), count in of.items()])

    def pages_of(ask):
        found, after = [], None
        while True:
            rows, after = ask(UsageQuery(by=by, limit=limit, after=after))
            assert len(rows) <= limit
            found += rows
            if after is None:
                return found

    def one(store, query):
        answer = []
        store.usage(query).then(answer.append)
        return answer[0]

    several = pages_of(lambda query: merged([one(store, query) for store in stores], by, limit))
    assert several == pages_of(lambda query: one(whole, query))
