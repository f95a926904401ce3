"""Arguments of the router's own procedures: whatever clients give, a refusal is all that can come of it."""

import math

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.realms import World

from radiod.core.arguments import (
    REQUIRED,
    a_list,
    bind,
    dictionary,
    identifier,
    optional,
    struct,
    text,
    whole,
)
from radiod.core.history.bounds import HistoryBounds
from radiod.errors import (
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    FEATURE_NOT_SUPPORTED,
    HISTORY_UNAVAILABLE,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    Refused,
)
from radiod.testing import make_realm
from radiod.wire.codecs import CBOR
from radiod.wire.options import PublishOptions, RegisterOptions, SubscribeOptions


def refused(function, *arguments):
    """The refusal's text, once it is known to be of an argument."""
    with pytest.raises(Refused) as refusal:
        function(*arguments)
    assert refusal.value.uri == INVALID_ARGUMENT
    assert refusal.value.text.isprintable()
    assert len(refusal.value.text) < 300
    return refusal.value.text


class TestBind:
    SIGNATURE = {"name": REQUIRED, "size": 5, "more": None}

    @pytest.mark.parametrize(
        ("args", "kwargs", "bound"),
        [
            (["x"], {}, ["x", 5, None]),
            ([], {"name": "x"}, ["x", 5, None]),
            (["x", 1, 2], {}, ["x", 1, 2]),
            (["x"], {"more": 2}, ["x", 5, 2]),
            ([None], {"size": None}, [None, None, None]),
        ],
    )
    def test_matches_by_position_and_by_name(self, args, kwargs, bound):
        assert bind(self.SIGNATURE, args, kwargs) == dict(zip(self.SIGNATURE, bound, strict=True))

    @pytest.mark.parametrize(
        ("args", "kwargs", "complaint"),
        [
            ([], {}, "name is missing"),
            ([], {"size": 1}, "name is missing"),
            ([1, 2, 3, 4], {}, "at most 3 arguments, not 4"),
            (["x"], {"name": "y"}, "name was given twice"),
            (["x"], {"other": 1}, "no parameter 'other'; there are name, size, more"),
            (["x"], {"o" * 1000: 1}, "o" * 64),
            (["x"], {"a\nb\0": 1}, r"a\nb\x00"),
        ],
    )
    def test_refuses_what_does_not_match(self, args, kwargs, complaint):
        assert complaint in refused(bind, self.SIGNATURE, args, kwargs)

    def test_leaves_the_signature_as_it_is(self):
        bind(self.SIGNATURE, ["x", 1], {"more": 3})
        assert self.SIGNATURE == {"name": REQUIRED, "size": 5, "more": None}


NO_TEXTS = [None, True, 1, 1.5, b"a", [], {}]
NO_IDS = [None, True, False, "1", b"1", 0, -1, 0.0, 1.5, 2**53 + 1, 2.0**54, 10**400, 1e308, [], [1], {}]


class TestKinds:
    def test_text(self):
        assert text("x", "") == ""
        for value in NO_TEXTS:
            assert refused(text, "x", value) == "x must be a string"

    def test_identifier(self):
        for value in (1, 2**53, 1.0, float(2**53)):
            id = identifier("x", value)
            assert (id, type(id)) == (value, int)
        for value in [*NO_IDS, math.nan, math.inf, -math.inf]:
            assert refused(identifier, "x", value) == "x must be an id, an integer from 1 to 2**53"

    def test_list(self):
        assert a_list("x", [None]) == [None]
        for value in (None, 0, "", "x", b"", {}, ()):
            assert refused(a_list, "x", value) == "x must be a list"

    def test_dictionary(self):
        assert dictionary("x", {"a": None}) == {"a": None}
        for value in (None, 0, "", [], {1: 1}, {None: 1}, {"a": 1, b"b": 2}):
            assert refused(dictionary, "x", value) == "x must be a dictionary with strings for keys"

    def test_struct(self):
        assert struct("x", None, SubscribeOptions) == struct("x", {}, SubscribeOptions) == SubscribeOptions()
        assert struct("x", {"match": "prefix", "y": 1}, SubscribeOptions).match == "prefix"
        for value in (0, "", [], True, {1: 1}, {"match": 1}, {"match": None}, {"match": "\n" * 1000}):
            assert refused(struct, "x", value, SubscribeOptions).startswith("x: ")
        assert struct("x", {"exclude": [7.0, 8]}, PublishOptions).exclude == [7, 8]
        assert struct("x", {"concurrency": 7.0}, RegisterOptions).concurrency == 7
        assert struct("x", {"match": cbor2.undefined}, RegisterOptions) == RegisterOptions()
        for value in (7.5, 0.0, 1e300, math.inf, math.nan, [7.0]):
            assert refused(struct, "x", {"concurrency": value}, RegisterOptions).startswith("x: ")
        for value in ({"retain": 1}, {"retain": 1.0}, {"exclude": [0]}, {"exclude": [1.5]}):
            assert refused(struct, "x", value, PublishOptions).startswith("x: ")
        for value in (
            {"exclude": 7.0},
            {"eligible_authrole": [1.0]},
            {"exclude": [2**54]},
            {"eligible_authid": "x"},
        ):
            assert refused(struct, "x", value, PublishOptions).startswith("x: ")

    def test_optional(self):
        assert optional(text, "x", None) is None
        assert optional(text, "x", "") == ""
        assert refused(optional, text, "x", 0) == "x must be a string"


ALL = {name: signature for name, (signature, _) in make_realm().procedures.table.items()}

# Reasons that a well-formed argument may be refused for.
FAIR = {
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    NO_SUCH_REGISTRATION,
    HISTORY_UNAVAILABLE,
    BAD_NAME,
    BAD_KEY,
    NO_SUCH_CHANNEL,
    NO_SUCH_PROCEDURE,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    FEATURE_NOT_SUPPORTED,
}

# What clients might mean, near it, and far from it.
LIKELY = st.one_of(
    st.integers(1, 9),
    st.sampled_from(["a", "a.b", "c", "alice", "tester", "detached", "keep", "prefix", "", "wamp.x"]),
    st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+25:00", "0000-00-00T00:00:00Z"]),
    st.sampled_from([{"match": "prefix"}, {"match": 1}, {"acknowledge": True}, {"exclude": [1]}, ["tester"]]),
)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, -1, 2**53, 2**53 + 1, 2**64, -(2**64), 10**400, 1e308, -0.0]),
        st.floats(),
        st.text(max_size=9),
        st.binary(max_size=9),
        LIKELY,
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def calls(draw):
    procedure = draw(st.sampled_from(sorted(ALL)))
    names = list(ALL[procedure])
    count = draw(st.integers(0, len(names)))
    args = [draw(LIKELY | ANYTHING) for _ in range(count)]
    chosen = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    kwargs = {name: draw(LIKELY | ANYTHING) for name in chosen if name not in names[:count]}
    return procedure, args, kwargs


class Populated(World):
    """A realm in which there is something of everything; its clients' ids begin with 1."""

    def __init__(self):
        super().__init__()
        self.realm.space.histories.keep("a", HistoryBounds(size=9, seconds=9.0, bytes=999))
        self.caller = self.join("alice", codec=CBOR)
        self.others = [self.join("alice"), self.join("bob", "member")]
        for peer in self.others:
            peer.subscribe("a")
            peer.subscribe("a", match="prefix")
            peer.register("a", invoke="random")
            peer.register("b", match="prefix", invoke="last")
            peer.call("wamp.session.add_testament", "a", [1], {})
        self.caller.register("a", invoke="random")
        (created,) = self.others[0].call("radiod.channel.create", "c", lifetime=60)
        self.control_key = created["control_key"]
        self.others[0].call("radiod.channel.create", "p", public=False, key="key")
        self.others[0].request(16, {"retain": True}, "a", [1])
        self.caller.call("wamp.session.add_testament", "a", [1], {}, scope="detached")
        self.outbox.take()

    def state(self):
        realm = self.realm
        return (
            [
                (
                    id,
                    list(realm.testaments._by_session.get(one, ())),
                    realm.inbox._waiting.get(one),
                    dict(realm.memberships.of(one)),
                    realm.writers.opened(one),
                )
                for id, one in realm.sessions.items()
            ],
            [
                (one.id, one.topic, list(one.listeners))
                for match in ("exact", "prefix", "wildcard")
                for one in realm.space.broker.subscriptions(match)
            ],
            [
                (one.id, one.procedure, [(callee, callee.signature) for callee in one.callees])
                for match in ("exact", "prefix", "wildcard")
                for one in realm.dealer.registrations.of_policy(match)
            ],
            [(channel.name, channel.ends_at, channel.traffic.events) for channel in realm.channels],
            [record.publication for record in realm.space.histories.of("a")],
            len(self.clock.timers),
        )


RIGHT = {
    "name": "c",
    "key": "key",
    "channel": "a",
    "lifetime": 5,
    "session": 2,
    "subscription": 1,
    "registration": 1,
    "authid": "nobody",
    "authrole": "nobody",
    "topic": "a",
    "procedure": "a",
    "args": [],
    "kwargs": {},
    "id": 1,
    "signature": {"parameters": []},
}


@settings(max_examples=400)
@given(calls())
def test_whatever_arguments_are_given_a_refusal_changes_nothing(call):
    procedure, args, kwargs = call
    world = Populated()
    before = world.state()
    answer = world.caller.answer(48, {}, procedure, args, kwargs)
    if answer[0] == 8:
        assert answer[4] in FAIR
        assert len(answer[5][0]) < 1000
        assert answer[5][0].isprintable()
        assert world.state() == before
        assert world.outbox.take() == []
    else:
        assert answer[:3] == [50, world.caller.requests, {}]


@pytest.mark.parametrize("procedure", sorted(ALL))
@settings(max_examples=25)
@given(data=st.data())
def test_each_parameter_takes_anything_without_failing(procedure, data):
    """One parameter at a time, with all others right."""
    for name in ALL[procedure]:
        world = Populated()
        right = {**RIGHT, "control_key": world.control_key}
        required = {other: right[other] for other, default in ALL[procedure].items() if default is REQUIRED}
        before = world.state()
        answer = world.caller.answer(48, {}, procedure, [], {**required, name: data.draw(ANYTHING)})
        if answer[0] == 8:
            assert answer[4] in FAIR
            assert world.state() == before
        else:
            assert answer[:3] == [50, world.caller.requests, {}]


@pytest.mark.parametrize("value", [1, 7, 7.0, 10])
def test_a_whole_number_within_its_bounds(value):
    assert whole("n", value, 1, 10) == int(value)


@pytest.mark.parametrize("value", [0, 11, 1.5, math.nan, math.inf, True, "1", None, [], 10**400])
def test_what_is_no_whole_number_within_its_bounds(value):
    assert refused(whole, "n", value, 1, 10) == "n must be an integer from 1 to 10"
