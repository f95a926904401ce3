"""What an object offers: names, kinds, and what is refused at once."""

import functools

import pytest
from radiod_client import CallError, Service, ServiceError, current_call
from radiod_client.services import offer, offers


class Inner:
    def rpc_deep(self):
        pass


class Outer(Service):
    class rpc_made:
        def rpc_inside(self):
            pass

    rpc_shared = staticmethod(len)
    rpc_lambda = lambda self: 1  # noqa: E731

    def __init__(self):
        self.rpc_inner = Inner()
        self.rpc_partial = functools.partial(max, 1)

    def rpc_sync(self):
        pass

    async def rpc_async(self):
        pass

    async def rpc_agen(self):
        yield 1

    def rpc_gen(self):
        yield 1

    def other(self):
        pass

    @property
    def rpc_property(self):
        return self.other


def test_all_names():
    found = {each.procedure: each for each in offers(Outer(), "outer", True)}
    assert sorted(found) == [
        "rpc.outer.agen",
        "rpc.outer.async",
        "rpc.outer.gen",
        "rpc.outer.inner.deep",
        "rpc.outer.lambda",
        "rpc.outer.made.inside",
        "rpc.outer.partial",
        "rpc.outer.property",
        "rpc.outer.shared",
        "rpc.outer.sync",
    ]
    assert {name for name, each in found.items() if each.is_async} == {"rpc.outer.agen", "rpc.outer.async"}
    assert all(each.traceback for each in found.values())


def test_any_object_serves():
    assert [each.procedure for each in offers(Inner(), "x.y")] == ["rpc.x.y.deep"]


class Callable:
    async def __call__(self):
        pass


@pytest.mark.parametrize(
    "function",
    [Callable(), functools.partial(Callable()), Callable().__call__],
    ids=["object", "partial", "method"],
)
def test_coroutines_are_found_behind_objects_and_partials(function):
    assert offer("x", function).is_async


class Cyclic:
    def __init__(self):
        self.rpc_self = self


class Value:
    rpc_value = 5


@pytest.mark.parametrize(
    ("service", "name", "error"),
    [
        (object(), "x", ValueError),
        (Outer, "x", TypeError),
        (Cyclic(), "x", ValueError),
        (Value(), "x", TypeError),
        (Inner(), "", ValueError),
        (Inner(), "a b", ValueError),
        (Inner(), "a..b", ValueError),
        (Inner(), "a#", ValueError),
    ],
    ids=["nothing", "a class", "cycle", "a value", "no name", "space", "dots", "hash"],
)
def test_what_cannot_be_served(service, name, error):
    with pytest.raises(error):
        offers(service, name)


def test_what_cannot_be_registered():
    with pytest.raises(TypeError):
        offer("x", 5)


@pytest.mark.parametrize("uri", ["", "a b", "a..b", ".a", 5, "a#b"])
def test_a_service_error_needs_a_uri(uri):
    with pytest.raises(ValueError):
        ServiceError(uri)


def test_a_service_error_is_one_of_a_call():
    error = ServiceError("a.b", 1, x=2)
    assert isinstance(error, CallError)
    assert (error.uri, error.arguments, error.kwargs) == ("a.b", [1], {"x": 2})


def test_no_call_is_being_served():
    with pytest.raises(RuntimeError):
        current_call()
