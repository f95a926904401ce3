"""``radiod.admin.plan.*``, as a session calls them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.realms import World

from radiod.access.changes import Desk
from radiod.access.plans import PlanBook
from radiod.access.procedures.plans import PlanProcedures
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.plans import Plan
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PLAN


def seller_of(world):
    book = PlanBook({"house": Plan()}, Desk(MemoryAccessStore()), world.clock)
    world.realm.procedures.table |= PlanProcedures(book).procedures
    return world.caller("seller")


@pytest.fixture
def seller():
    return seller_of(World())


def test_plans_are_set_listed_and_deleted(seller):
    told = seller.call("radiod.admin.plan.set", "basic", publish_rate=10, publish_burst=20, over="thin")
    assert told["limits"] == {"publish_rate": 10, "publish_burst": 20, "over": "thin"}
    assert told in seller.call("radiod.admin.plan.list")["plans"]
    assert seller.call("radiod.admin.plan.delete", "basic") == {"name": "basic"}
    assert seller.call("radiod.admin.plan.delete", "basic") == NO_SUCH_PLAN


@pytest.mark.parametrize(
    "kwargs", [{}, {"name": 3}, {"name": "a", "speed": 3}, {"name": "a", "connections": -1}]
)
def test_what_makes_no_sense_is_refused(seller, kwargs):
    assert seller.call("radiod.admin.plan.set", **kwargs) == INVALID_ARGUMENT


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(
    name=VALUES | st.just("basic"),
    limits=st.dictionaries(st.sampled_from(Plan.__struct_fields__), VALUES, max_size=3),
)
def test_whatever_is_given_is_answered(name, limits):
    seller = seller_of(World())
    answer = seller.call("radiod.admin.plan.set", name, **limits)
    assert answer == INVALID_ARGUMENT or answer["name"] == name
