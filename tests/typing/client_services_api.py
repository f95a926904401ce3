"""What users of the Python client's services may write, in its faces; mypy reads this, nobody runs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, assert_type

from radiod_client import CurrentCall, Radio, Service, ServiceError, aio, current_call, tx
from radiod_client._blocking import Iteration, Proxy
from twisted.internet.defer import Deferred


class Calc(Service):
    def rpc_add(self, a: float, b: float = 0) -> float:
        assert_type(current_call(), CurrentCall)
        assert_type(current_call().canceled, threading.Event)
        assert_type(current_call().progress(1), bool)
        if a < 0:
            raise ServiceError("calc.error.range", a, least=0)
        return a + b

    def rpc_count(self, n: int) -> Iterator[int]:
        yield from range(n)


def blocking(radio: Radio) -> None:
    served = radio.serve(Calc(), "calc", traceback=True, force=True)
    assert_type(served.procedures, list[str])
    served.close()
    radio.register("add", lambda a, b: a + b).close()
    calc = radio.proxy("calc", tto="deadline", prefix="")
    assert_type(calc.add, Proxy)
    assert_type(calc.trig.sin.with_timeout(5), Proxy)
    assert_type(calc["add"](1, 2, tto=5), Any)
    assert_type(calc.count.iter(3), Iteration)
    with radio.iter("count", 3, timeout=1.5) as results:
        assert_type(list(results), list[Any])
        assert_type(results.result, Any)
    radio.call("count", 3, on_progress=print)
    radio.serve(Calc())  # type: ignore[call-arg]


async def asynchronous(radio: aio.Radio) -> None:
    served = await radio.serve(Calc(), "calc")
    await served.close()
    assert_type(await radio.proxy("calc").add(1, 2, tto=5), Any)
    async for result in radio.proxy("calc").count.iter(3):
        assert_type(result, Any)


def deferred(radio: tx.Radio) -> None:
    assert_type(radio.serve(Calc(), "calc"), Deferred[tx.Registered])
    assert_type(radio.proxy("calc").add(1, 2), Deferred[Any])
