"""What every family of procedures keeps to, so that calls can be bound and answered alike."""

import inspect

import pytest
from support.realms import World

from radiod.core.arguments import REQUIRED
from radiod.core.procedures.dispatch import Procedures
from radiod.core.procedures.family import Family
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.errors import NO_SUCH_PROCEDURE, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import CBOR, NOTHING, Payload

TABLE = World().realm.procedures.table
FAMILIES = {type(handler.__self__): handler.__self__ for _, handler in TABLE.values()}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=[kind.__name__ for kind in FAMILIES])
class TestFamilies:
    def test_answer_all_that_they_name_themselves(self, family):
        """Two that named the same procedure would hide each other."""
        assert family.procedures
        for name in family.procedures:
            assert TABLE[name][1].__self__ is family

    def test_belong_together_by_name(self, family):
        assert len({name.split(".")[0] for name in family.procedures}) == 1

    def test_handlers_take_the_caller_and_by_keyword_what_the_signature_says(self, family):
        for name, (signature, handler) in family.procedures.items():
            takes = inspect.signature(handler)
            takes.bind(None, **signature)
            caller, *rest = takes.parameters.values()
            assert caller.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD, name
            by_name = [one.name for one in rest if one.kind is inspect.Parameter.KEYWORD_ONLY]
            assert by_name == list(signature)[: len(by_name)], name
            assert all(one.kind is inspect.Parameter.VAR_KEYWORD for one in rest[len(by_name) :]), name
            assert all(one.default is inspect.Parameter.empty for one in rest), name

    def test_what_is_required_comes_first(self, family):
        """Or it could not be given by position alone."""
        for name, (signature, _) in family.procedures.items():
            required = [default is REQUIRED for default in signature.values()]
            assert required == sorted(required, reverse=True), name


CALLER = Session(1, make_principal(), None)


class Two:
    """A family whose answers are what the test wants."""

    def __init__(self, answer):
        self.procedures = {
            "a.answer": ({"value": 1}, lambda caller, *, value: answer(value)),
            "a.nothing": ({}, lambda caller: NOTHING),
        }


def call(family: Family, *args):
    return Procedures([family]).call(CALLER, "a.answer", Payload.of(*args))


@pytest.mark.parametrize(
    "answer",
    [lambda value: {"v": value}, lambda value: Payload.of({"v": value})],
    ids=["a dictionary", "a payload"],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["now", "later"])
def test_an_answer_is_a_dictionary_or_a_payload_perhaps_later(answer, is_late):
    if not is_late:
        assert call(Two(answer), 7).values() == ([{"v": 7}], {})
        return
    later, told = Promise(), []
    answered = call(Two(lambda value: later), 7)
    answered.then(told.append)
    assert told == []
    later.settle(answer(7))
    assert told[0].values() == ([{"v": 7}], {})


def test_what_a_handler_refuses_is_refused_now_or_later():
    def refuse(value):
        raise Refused("an.error", "no")

    with pytest.raises(Refused) as refusal:
        call(Two(refuse))
    assert refusal.value.uri == "an.error"
    later, told = Promise(), []
    call(Two(lambda value: later)).then(told.append)
    later.settle(Refused("another.error", "no"))
    assert [one.uri for one in told] == ["another.error"]


def test_families_are_one_table():
    procedures = Procedures([Two(lambda value: {}), OneMore()])
    assert list(procedures.table) == ["a.answer", "a.nothing", "b.more"]
    with pytest.raises(Refused) as refusal:
        procedures.call(CALLER, "b.nothing", Payload(CBOR, b"\x80", b""))
    assert refusal.value.uri == NO_SUCH_PROCEDURE


class OneMore:
    procedures = {"b.more": ({}, lambda caller: NOTHING)}
