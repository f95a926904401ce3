"""Services and proxies of the Python client's Twisted face against the real server."""

import threading

import pytest
import pytest_twisted
from radiod_client import CallError, CallTimeout, RemoteError, Service, ServiceError, current_call
from radiod_client.tx import Radio
from support.config import configuration
from support.running import radiod
from twisted.internet import reactor, task
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks

pytestmark = pytest.mark.e2e

SECONDS = 30


class Calc(Service):
    def __init__(self):
        self.canceled = threading.Event()

    def rpc_add(self, a, b=0):
        return a + b

    def rpc_thread(self):
        return threading.current_thread() is threading.main_thread()

    def rpc_later(self, value):
        return task.deferLater(reactor, 0.01, lambda: value)

    @inlineCallbacks
    def rpc_inline(self, value):
        yield task.deferLater(reactor, 0)
        return value

    async def rpc_await(self, value):
        return await task.deferLater(reactor, 0, lambda: value)

    def rpc_count(self, n):
        try:
            yield from range(n)
        finally:
            self.canceled.set()
        return current_call().procedure

    async def rpc_acount(self, n):
        try:
            for number in range(n):
                yield number
                await task.deferLater(reactor, 0)
        finally:
            self.canceled.set()

    async def rpc_greedy(self):
        try:
            while True:
                yield 1
        finally:
            self.canceled.set()

    def rpc_wait(self):
        return Deferred(lambda _: self.canceled.set())

    def rpc_fail(self):
        raise ValueError("no")

    async def rpc_refuse(self):
        raise ServiceError("calc.error.refused", 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("services-tx"), configuration()) as server:
        yield server


async def until(is_so):
    for _ in range(SECONDS * 200):
        if is_so():
            return
        await task.deferLater(reactor, 0.005)
    raise AssertionError("it never was")


@pytest_twisted.ensureDeferred
async def test_all_of_it(server):
    service = Calc()
    async with Radio(server.url, timeout=SECONDS) as radio, Radio(server.url, timeout=SECONDS) as other:
        served = await radio.serve(service, "calc")
        assert service.radio is radio
        assert "rpc.calc.add" in served.procedures
        calc = other.proxy("calc")
        assert await calc.add(1, b=2) == 3
        assert await calc.thread()
        for name in ("later", "inline", "await"):
            assert await calc[name](7) == 7
        with pytest.raises(TypeError):
            await calc.add()
        with pytest.raises(RemoteError, match="no"):
            await calc.fail()
        with pytest.raises(CallError, match="refused"):
            await calc.refuse()
        iteration = calc.count.iter(3)
        assert [n async for n in iteration] == [0, 1, 2]
        assert iteration.result == "rpc.calc.count"
        assert [n async for n in calc.acount.iter(3)] == [0, 1, 2]
        got = []
        assert await other.call("rpc.calc.count", 2, on_progress=got.append) == "rpc.calc.count"
        assert got == [0, 1]
        await served.close()
        with pytest.raises(CallError, match="no_such_procedure"):
            await other.call("rpc.calc.add", 1)


@pytest_twisted.ensureDeferred
async def test_cancels_reach_the_callee(server):
    service = Calc()
    async with Radio(server.url, timeout=SECONDS) as radio, Radio(server.url, timeout=SECONDS) as other:
        await radio.serve(service, "calc")
        calc = other.proxy("calc")
        for name, args in (("count", [10**9]), ("acount", [10**9]), ("greedy", [])):
            async for number in calc[name].iter(*args):
                if number in (1, 3):
                    break
            await until(service.canceled.is_set)
            service.canceled.clear()
        with pytest.raises(CallTimeout):
            await calc.wait(tto=0.2)
        await until(service.canceled.is_set)
        service.canceled.clear()
        assert await calc.add(1) == 1
        call = calc.wait()
        await calc.add(2)
        call.cancel()
        with pytest.raises(CancelledError):
            await call
        await until(service.canceled.is_set)
