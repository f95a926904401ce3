"""How functions are told as data: everything that Python allows, and nothing that the router refuses."""

import enum
import functools
import inspect
import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client._proxy import bind
from radiod_client._signatures import described, read

from radiod.core.rpc.signatures import read_signature


class Color(enum.IntEnum):
    RED = 1


class Rude:
    def __repr__(self):
        raise ZeroDivisionError


def everything(a, /, b: int, *args: "float", c=1, d: Color = Color.RED, **kwargs) -> list[int]:
    """Does everything."""


def test_everything():
    assert described(everything) == {
        "parameters": [
            {"name": "a", "kind": "positional_only"},
            {"name": "b", "kind": "positional_or_keyword", "annotation": "int"},
            {"name": "args", "kind": "var_positional", "annotation": "float"},
            {"name": "c", "kind": "keyword_only", "default": 1},
            {
                "name": "d",
                "kind": "keyword_only",
                "default": None,
                "annotation": f"{__name__}.Color = <Color.RED: 1>",
            },
            {"name": "kwargs", "kind": "var_keyword"},
        ],
        "returns": "list[int]",
        "doc": "Does everything.",
    }


@pytest.mark.parametrize(
    "default",
    [
        math.nan,
        math.inf,
        2**53 + 1,
        (1, 2),
        [1, (2,)],
        {1: 2},
        {"a": object()},
        object(),
        Color.RED,
        np.float64(1.5),
        np.arange(3),
        "\ud800",
        ["\udfff"],
        b"bytes",
        Rude(),
        Rude,
        "x" * 5000,
        list(range(5000)),
        functools.reduce(lambda inner, _: [inner], range(100), []),
    ],
    ids=[
        "nan", "inf", "big", "tuple", "inner tuple", "key", "inner object", "object", "enum", "numpy",
        "array", "half", "inner half", "bytes", "rude", "class", "long", "long list", "deep",
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_as_text_and_the_parameter_stays_optional(default):
    def function(a, b: int = default):
        pass

    told = described(function)
    assert told["parameters"][1]["default"] is None
    assert told["parameters"][1]["annotation"].startswith("int = ")
    assert " at 0x" not in told["parameters"][1]["annotation"]
    assert read_signature("it", told)
    read(told).bind(1)
    with pytest.raises(TypeError):
        read(told).bind()


@pytest.mark.parametrize("default", [None, True, 0, -1.5, "é", [1, [None]], {"a": {"b": []}}], ids=repr)
def test_what_is_json_is_told(default):
    def function(a=default):
        pass

    assert described(function)["parameters"] == [
        {"name": "a", "kind": "positional_or_keyword", "default": default}
    ]


class Bound:
    def method(self, a):
        pass

    @classmethod
    def of_class(cls, a):
        pass

    @staticmethod
    def static(a):
        pass

    def __call__(self, a):
        pass


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        Bound().method,
        Bound.of_class,
        Bound.static,
        Bound(),
        decorated(lambda a: a),
        functools.partial(lambda x, a: a, 1),
    ],
    ids=["method", "class method", "static method", "object", "decorated", "partial"],
)
def test_self_is_gone_and_wrappers_are_looked_through(function):
    assert [each["name"] for each in described(function)["parameters"]] == ["a"]


def made(parameters):
    return eval(f"lambda {parameters}: 0")  # noqa: S307


def test_what_is_too_long_is_cut():
    function = made(", ".join(f"p{n}=None" for n in range(256)))
    function.__doc__ = "é" * 100_000
    function.__annotations__ = {f"p{n}": "x" * 500 for n in range(256)}
    told = described(function)
    assert read_signature("it", told)
    assert len(told["parameters"]) == 256
    assert set(told) == {"parameters"}
    assert described(made(", ".join(f"p{n}" for n in range(257)))) is None
    assert described(made("p" * 256)) is None
    assert described(made(", ".join(f"{'p' * 200}{n}=1" for n in range(100)))) is None
    short = described(lambda a: 0)
    assert len(short["parameters"]) == 1


def test_what_has_none():
    assert described(dict.fromkeys) is None or described(dict.fromkeys)["parameters"]
    assert described(type("Odd", (), {"__call__": 5, "__signature__": 7})()) is None


@given(st.integers(0, 2**32))
def test_what_is_told_binds_what_the_function_takes(seed):
    chance = random.Random(seed)
    kinds = ["a", "b=1", "*args", "c", "d=2", "**kwargs"] if chance.random() < 0.5 else ["a", "b=1"]
    function = made(", ".join(kinds))
    signature = read(json.loads(read_signature("it", described(function))))
    args = [1] * chance.randrange(4)
    kwargs = {name: 1 for name in "abcde" if chance.random() < 0.4}
    outcomes = []
    for attempt in (
        lambda: function(*args, **kwargs),
        lambda: bind("it", signature, args, kwargs),
        lambda: inspect.signature(function).bind(*args, **kwargs),
    ):
        try:
            attempt()
        except TypeError:
            outcomes.append(False)
        else:
            outcomes.append(True)
    assert len(set(outcomes)) == 1


@pytest.mark.parametrize(
    "told",
    [
        None,
        5,
        {},
        {"parameters": 5},
        {"parameters": [{}]},
        {"parameters": [{"name": "a", "kind": "any"}]},
        {"parameters": [{"name": "not a name", "kind": "keyword_only"}]},
        {"parameters": [{"name": "class", "kind": "keyword_only"}]},
        {"parameters": [{"name": "a", "kind": "keyword_only"}, {"name": "b", "kind": "positional_only"}]},
        {"parameters": [{"name": "a", "kind": "var_positional", "default": 1}]},
    ],
    ids=str,
)
def test_what_python_could_not_call_is_no_signature(told):
    assert read(told) is None
