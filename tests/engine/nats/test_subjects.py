"""Topics as subjects: reversible, legal, and heard by whoever's pattern matches."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radiod.core.uris import check_uri, selects
from radiod.engine.nats.subjects import Topics, escape, hidden, is_wider, root, stream_name, unescape
from radiod.errors import Refused

TOPICS = Topics(root("radiod", "city", "radio.org", "e"))


def hears(subscription, subject):
    """NATS's own rule: whether a subscription brings a subject."""
    wanted, words = subscription.split(b"."), subject.split(b".")
    if wanted[-1] == b">":
        return len(words) >= len(wanted) and _all(wanted[:-1], words)
    return len(words) == len(wanted) and _all(wanted, words)


def _all(wanted, words):
    return all(want in (b"*", word) for want, word in zip(wanted, words, strict=False))


def is_legal(subject):
    return all(word and not set(word) & set(range(33)) for word in subject.split(b"."))


# Few letters, so that patterns match; and the ones that mean something to somebody.
components = st.text("ab*>é", min_size=1, max_size=3) | st.sampled_from(["*", ">", "a", "b", "ab"])
uris = st.lists(components, min_size=1, max_size=4).map(".".join)
patterns = st.one_of(
    uris.map(lambda uri: ("exact", uri)),
    st.tuples(uris, st.integers(0, 12)).map(lambda cut: ("prefix", cut[0][: cut[1]])),
    uris.map(lambda uri: ("prefix", uri + ".")),
    st.lists(components | st.just(""), min_size=1, max_size=4).map(lambda all: ("wildcard", ".".join(all))),
)


class TestTopics:
    @given(uris, patterns)
    @example("a.bc", ("prefix", "a.b"))
    @example("a", ("prefix", ""))
    @example("*.a", ("prefix", "*"))
    @example("x.*", ("exact", "a.*"))
    @example("*", ("wildcard", "*."))
    def test_what_a_pattern_matches_is_heard_and_nothing_else_where_it_is_exact(self, topic, pattern):
        match, wanted = pattern
        check_uri(topic)
        check_uri(wanted, match)
        heard = hears(TOPICS.pattern(match, wanted), TOPICS.subject(topic))
        if is_wider(match, wanted):
            assert heard >= selects(match, wanted, topic)
        else:
            assert heard == selects(match, wanted, topic)

    @given(uris | st.text(min_size=1, max_size=20))
    @example("a..b")
    @example("#2a")
    @example("\ud800")
    @example("a b\u00a0c")
    def test_any_name_is_legal_and_can_be_read_again(self, topic):
        subject = Topics(b"r").subject(topic)
        assert is_legal(subject)
        subject.decode()
        assert Topics(b"r").topic(subject) == topic

    @given(st.lists(st.text(max_size=10) | uris, min_size=1, max_size=4))
    def test_a_root_has_a_word_for_each_name(self, names):
        words = root(*names).split(b".")
        assert is_legal(root(*names))
        assert [unescape(word) for word in words] == names

    @given(st.text(max_size=10), st.text(max_size=10))
    def test_different_names_are_different_words(self, one, other):
        assert (escape(one) == escape(other)) == (one == other)

    @pytest.mark.parametrize(
        ("match", "wanted", "subject"),
        [
            ("exact", "a.b", b"r.a.b"),
            ("exact", "a.*", b"r.a.#2a"),
            ("exact", "a.*b", b"r.a.*b"),
            ("exact", ">", b"r.#3e"),
            ("exact", "straße.ü", "r.straße.ü".encode()),
            ("wildcard", "a..c", b"r.a.*.c"),
            ("wildcard", "", b"r.*"),
            ("wildcard", "a.*.", b"r.a.#2a.*"),
            ("prefix", "a.b.", b"r.a.b.>"),
            ("prefix", "a.b", b"r.a.>"),
            ("prefix", "a", b"r.>"),
            ("prefix", "", b"r.>"),
            ("prefix", "*.", b"r.#2a.>"),
        ],
    )
    def test_patterns_by_the_table(self, match, wanted, subject):
        assert Topics(b"r").pattern(match, wanted) == subject

    def test_those_that_bring_too_much_are_told(self):
        assert [is_wider("prefix", topic) for topic in ("a.b", "a", "a.", "")] == [True, True, False, False]
        assert not is_wider("wildcard", "a..")
        assert not is_wider("exact", "a")

    @pytest.mark.parametrize("subject", [b"r", b"q.a", b"ra.b"])
    def test_what_is_not_below_the_root_is_no_topic(self, subject):
        with pytest.raises(ValueError, match="not below"):
            Topics(b"r").topic(subject)

    def test_what_is_no_utf8_is_no_topic(self):
        with pytest.raises(ValueError, match="utf-8"):
            Topics(b"r").topic(b"r.\xff")

    def test_what_is_remembered_is_bounded(self):
        topics = Topics(b"r")
        for number in range(20_001):
            assert topics.subject(f"a.{number}") == b"r.a.%d" % number
        assert len(topics._known) <= 10_000

    def test_the_longest_uri_fits_into_a_line(self):
        longest = ".".join("*" * 128)
        assert len(longest) == 255
        check_uri(longest)
        with pytest.raises(Refused):
            check_uri(longest + "a")
        subject = Topics(root(*["x" * 60] * 3)).subject(longest)
        assert len(subject) < 2000
        assert len(Topics(b"r").subject("\U0001f4fb" * 255)) < 2000


class TestStreamName:
    lists = st.lists(st.text("a._-*é", max_size=3), min_size=1)

    @given(lists, lists)
    @example(["a", "b"], ["a-b"])
    @example(["_5f_"], ["_"])
    def test_different_names_are_different_streams(self, one, other):
        assert (stream_name(*one) == stream_name(*other)) == (one == other)
        assert all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in stream_name(*one))


class TestHidden:
    def test_neither_name_nor_key_shows(self):
        word = hidden("secret.channel", b"digest")
        assert is_legal(word)
        assert b"." not in word
        assert b"secret" not in word
        assert len({word, hidden("secret.channel", b"other"), hidden("other", b"digest")}) == 3
