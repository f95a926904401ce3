"""What can be called, how, and who says so."""

from itertools import chain

import pytest

from radiod.core.rpc.registrations import MAX_SIGNATURES
from radiod.core.rpc.signatures import MAX_SIGNATURE
from radiod.errors import (
    INVALID_ARGUMENT,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    QUOTA,
)
from radiod.wire.codecs import CODECS

LIST = "radiod.rpc.list"
DESCRIBE = "radiod.rpc.describe"
DOCUMENT = "radiod.rpc.document"
ADD = {
    "parameters": [
        {"name": "a", "kind": "positional_or_keyword", "annotation": "float"},
        {"name": "b", "kind": "positional_or_keyword", "default": 1},
    ],
    "returns": "float",
    "doc": "The sum.",
}
LONG = {"parameters": [], "doc": "x" * (MAX_SIGNATURE - 100)}


def names(answer):
    return [entry["procedure"] for entry in answer["procedures"]]


class TestList:
    def test_nothing_is_registered(self, caller):
        assert caller.call(LIST) == {"procedures": [], "next": None}

    def test_each_registration_is_told_with_its_policies(self, world, caller):
        caller.register("rpc.b", invoke="roundrobin")
        world.join().register("rpc.b", invoke="roundrobin")
        caller.register("rpc.a", match="prefix")
        assert caller.call(LIST) == {
            "procedures": [
                {"procedure": "rpc.a", "match": "prefix", "invoke": "single", "callees": 1},
                {"procedure": "rpc.b", "match": "exact", "invoke": "roundrobin", "callees": 2},
            ],
            "next": None,
        }

    def test_only_those_of_a_prefix(self, caller):
        for name in ("a.b", "a.bc", "a.c", "b"):
            caller.register(name)
        assert names(caller.call(LIST, "a.b")) == ["a.b", "a.bc"]

    def test_pages_follow_each_other_without_gap_or_repeat(self, caller):
        for number in range(25):
            caller.register(f"p.{number:02}")
        seen, after = [], None
        for _ in range(3):
            page = caller.call(LIST, limit=10, after=after)
            seen.append(names(page))
            after = page["next"]
        assert [len(page) for page in seen] == [10, 10, 5]
        assert list(chain(*seen)) == [f"p.{number:02}" for number in range(25)]
        assert after is None

    def test_a_page_is_not_broken_inside_one_name(self, caller):
        for match in ("exact", "prefix", "wildcard"):
            caller.register("p.a", match=match)
        caller.register("p.b")
        page = caller.call(LIST, limit=1)
        assert names(page) == ["p.a"] * 3
        assert page["next"] == "p.a"
        assert names(caller.call(LIST, limit=1, after="p.a")) == ["p.b"]

    @pytest.mark.parametrize("limit", [0, 1001, -1, 1.5, True, "1", None, 2**70])
    def test_a_wrong_limit_is_refused(self, caller, limit):
        assert caller.call(LIST, limit=limit) == INVALID_ARGUMENT

    @pytest.mark.parametrize("wrong", [1, [], {}, b"a", True])
    @pytest.mark.parametrize("parameter", ["prefix", "after"])
    def test_what_is_no_text_is_refused(self, caller, parameter, wrong):
        assert caller.call(LIST, **{parameter: wrong}) == INVALID_ARGUMENT


class TestDescribe:
    def test_what_is_registered(self, caller):
        caller.register("rpc.me.add")
        assert caller.call(DESCRIBE, "rpc.me.add") == {
            "procedure": "rpc.me.add",
            "match": "exact",
            "invoke": "single",
            "callees": 1,
            "signature": None,
            "children": [],
        }

    def test_a_signature_that_came_with_the_registration(self, caller):
        caller.register("rpc.me.add", _radiod_signature=ADD)
        assert caller.call(DESCRIBE, "rpc.me.add")["signature"] == ADD

    @pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
    def test_a_signature_in_every_serializer(self, world, caller, codec):
        caller.register("rpc.me.add", _radiod_signature=ADD)
        assert world.caller(codec=codec).call(DESCRIBE, "rpc.me.add")["signature"] == ADD

    def test_the_pattern_that_would_answer(self, caller):
        caller.register("rpc.me", match="prefix", _radiod_signature=ADD)
        answer = caller.call(DESCRIBE, "rpc.me.anything")
        assert (answer["procedure"], answer["match"], answer["signature"]) == ("rpc.me", "prefix", ADD)

    def test_what_is_below_a_name(self, caller):
        for name in ("rpc.me.calc.sub", "rpc.me.calc.add", "rpc.me.calc", "rpc.me.calculate"):
            caller.register(name)
        caller.register("rpc.me.calc.add", match="prefix")
        answer = caller.call(DESCRIBE, "rpc.me.calc")
        assert answer["callees"] == 1
        assert answer["children"] == ["rpc.me.calc.add", "rpc.me.calc.sub"]

    def test_a_name_that_only_has_others_below_it(self, caller):
        caller.register("rpc.me.calc.add")
        assert caller.call(DESCRIBE, "rpc.me.calc") == {
            "procedure": "rpc.me.calc",
            "match": None,
            "invoke": None,
            "callees": 0,
            "signature": None,
            "children": ["rpc.me.calc.add"],
        }

    @pytest.mark.parametrize("name", ["rpc", "rpc.me.calc.ad", "rpc.me.calc.add.x", "", ".", "a\0b"])
    def test_nothing_there(self, caller, name):
        caller.register("other.me.calc.add")
        assert caller.call(DESCRIBE, name) == NO_SUCH_PROCEDURE

    @pytest.mark.parametrize("wrong", [None, 1, [], {}, b"a", True])
    def test_what_is_no_text_is_refused(self, caller, wrong):
        assert caller.call(DESCRIBE, wrong) == INVALID_ARGUMENT


class TestSignatures:
    @pytest.mark.parametrize("wrong", [1, "x", [], {}, {"parameters": 1}, {"parameters": [], "x": 1}])
    def test_a_malformed_one_is_refused_and_nothing_registered(self, caller, wrong):
        answer = caller.answer(64, {"_radiod_signature": wrong}, "rpc.me.add")
        assert answer[:2] == [8, 64]
        assert answer[4] == INVALID_ARGUMENT
        assert "_radiod_signature" in answer[5][0]
        assert caller.call(LIST)["procedures"] == []

    def test_a_callee_may_tell_later_tell_anew_and_tell_nothing_more(self, caller):
        caller.register("rpc.me.add")
        assert caller.call(DOCUMENT, "rpc.me.add", ADD) == {"procedure": "rpc.me.add"}
        assert caller.call(DESCRIBE, "rpc.me.add")["signature"] == ADD
        caller.call(DOCUMENT, "rpc.me.add", {"parameters": []})
        assert caller.call(DESCRIBE, "rpc.me.add")["signature"] == {"parameters": []}
        caller.call(DOCUMENT, "rpc.me.add", None)
        assert caller.call(DESCRIBE, "rpc.me.add")["signature"] is None

    def test_only_a_callee_may(self, world, caller):
        caller.register("rpc.me.add")
        assert world.caller().call(DOCUMENT, "rpc.me.add", ADD) == NO_SUCH_REGISTRATION
        assert caller.call(DOCUMENT, "rpc.me.other", ADD) == NO_SUCH_REGISTRATION
        assert caller.call(DOCUMENT, "a\0b", ADD) == NO_SUCH_REGISTRATION

    def test_a_malformed_one_leaves_the_last_one(self, caller):
        caller.register("rpc.me.add", _radiod_signature=ADD)
        assert caller.call(DOCUMENT, "rpc.me.add", {"parameters": 1}) == INVALID_ARGUMENT
        assert caller.call(DESCRIBE, "rpc.me.add")["signature"] == ADD

    def test_of_a_name_and_a_pattern_alike_the_name_is_meant(self, caller):
        caller.register("rpc.me", match="prefix")
        caller.call(DOCUMENT, "rpc.me", {"parameters": []})
        caller.register("rpc.me")
        caller.call(DOCUMENT, "rpc.me", ADD)
        assert caller.call(DESCRIBE, "rpc.me")["signature"] == ADD
        assert caller.call(DESCRIBE, "rpc.me.x")["signature"] == {"parameters": []}

    def test_of_several_callees_the_first_that_tells_anything_counts(self, world):
        first, second, third = (world.caller() for _ in range(3))
        first.register("rpc.add", invoke="random")
        second.register("rpc.add", invoke="random", _radiod_signature=ADD)
        third.register("rpc.add", invoke="random", _radiod_signature={"parameters": []})
        assert first.call(DESCRIBE, "rpc.add")["signature"] == ADD
        second.leave()
        assert first.call(DESCRIBE, "rpc.add")["signature"] == {"parameters": []}
        third.leave()
        assert first.call(DESCRIBE, "rpc.add")["signature"] is None

    def test_those_of_one_session_are_bounded_together(self, caller):
        count = MAX_SIGNATURES // MAX_SIGNATURE
        registrations = [caller.register(f"p.{n}", _radiod_signature=LONG) for n in range(count)]
        answer = caller.answer(64, {"_radiod_signature": LONG}, "p.more")
        assert answer[4] == QUOTA
        assert caller.call(DESCRIBE, "p.more") == NO_SUCH_PROCEDURE
        caller.register("p.more")
        assert caller.call(DOCUMENT, "p.more", LONG) == QUOTA
        caller.answer(66, registrations[0])
        assert caller.call(DOCUMENT, "p.more", LONG) == {"procedure": "p.more"}
