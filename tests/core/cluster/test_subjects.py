from hypothesis import example, given
from hypothesis import strategies as st
from support.cluster.engine import fits

from radiod.core.cluster.subjects import escape, listened, of_topic, unescape
from radiod.core.uris import check_uri, selects

components = st.text("ab*>é", min_size=1, max_size=3) | st.sampled_from(["*", ">", "a", "b", "ab"])
uris = st.lists(components, min_size=1, max_size=4).map(".".join)
patterns = st.one_of(
    uris.map(lambda uri: ("exact", uri)),
    st.tuples(uris, st.integers(0, 12)).map(lambda cut: ("prefix", cut[0][: cut[1]])),
    uris.map(lambda uri: ("prefix", uri + ".")),
    st.lists(components | st.just(""), min_size=1, max_size=4).map(lambda all: ("wildcard", ".".join(all))),
)


@given(uris, patterns)
@example("a.bc", ("prefix", "a.b"))
@example("a", ("prefix", ""))
@example("*.a", ("prefix", "*"))
@example("x.*", ("exact", "a.*"))
@example("*", ("wildcard", "*."))
def test_what_a_pattern_matches_is_heard_and_nothing_else_where_it_is_exact(topic, pattern):
    match, wanted = pattern
    check_uri(topic)
    check_uri(wanted, match)
    heard = fits(listened("r", match, wanted), of_topic("r", topic))
    if match == "prefix" and wanted and not wanted.endswith("."):
        assert heard >= selects(match, wanted, topic)
    else:
        assert heard == selects(match, wanted, topic)


@given(st.text(max_size=10), st.text(max_size=10))
@example("", "#")
@example("*", "#2a")
@example("a.b", "\ud800")
def test_any_name_is_one_token_and_can_be_read_again(name, other):
    token = escape(name)
    assert token
    assert token not in ("*", ">")
    assert "." not in token
    assert not any(ord(letter) <= 32 for letter in token)
    assert unescape(token) == name
    assert (token == escape(other)) == (name == other)


def test_names_are_written_as_they_always_were():
    """Nodes of several versions meet, and streams outlive all of them."""
    names = {"a.b": "a#2eb", "*": "#2a", "": "#", "é #": "é#20#23", "plain": "plain"}
    assert {name: escape(name) for name in names} == names
    assert [unescape(token) for token in names.values()] == list(names)
    assert of_topic("r", "a.*.é") == "r.a.#2a.é"
