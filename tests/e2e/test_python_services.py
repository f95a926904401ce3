"""Services of the Python client against the real server: functions, generators, proxies, cancels."""

import asyncio
import contextlib
import copy
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque

import pytest
from radiod_client import (
    CallCanceled,
    CallError,
    CallTimeout,
    Disconnected,
    Radio,
    RemoteError,
    Service,
    ServiceError,
    aio,
    current_call,
)
from support.config import configuration
from support.programs import Program
from support.running import ROOT, environment, free_port, radiod

pytestmark = pytest.mark.e2e

SECONDS = 30
BIG = 256 << 10
PYTHON = {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}", "PYTHONUNBUFFERED": "1"}


class Point:
    """What JSON cannot say."""


ORIGIN = Point()


class Trig:
    def rpc_half(self, x: float) -> float:
        return x / 2


class Calc(Service):
    """Every kind of function that can be called."""

    class rpc_const:
        def rpc_pi(self):
            return 3.14

    def __init__(self):
        self.rpc_trig = Trig()
        self.canceled = threading.Event()
        self.seen = threading.Event()
        self.made = 0

    def rpc_add(self, a: float, b: float = 0) -> float:
        """The sum."""
        return a + b

    async def rpc_mul(self, a, b):
        await asyncio.sleep(0)
        return a * b

    def rpc_late(self):
        return self.rpc_mul(6, 7)

    def rpc_count(self, n, result=None):
        try:
            yield from range(n)
        finally:
            self.canceled.set()
        return result

    async def rpc_acount(self, n):
        try:
            for number in range(n):
                yield number
                await asyncio.sleep(0)
        finally:
            self.canceled.set()

    def rpc_big(self, n):
        for number in range(n):
            self.made = number + 1
            yield bytes(BIG)

    async def rpc_abig(self, n):
        for number in range(n):
            self.made = number + 1
            yield bytes(BIG)

    async def rpc_greedy(self):
        try:
            while True:
                yield 1
        finally:
            self.canceled.set()

    def rpc_steps(self, n):
        for number in range(n):
            current_call().progress(number)
        return "done"

    def rpc_fail(self):
        raise ValueError("no such thing")

    def rpc_refuse(self):
        raise ServiceError("calc.error.refused", 1, [2], why="because")

    def rpc_inner(self):
        raise CallTimeout("wamp.error.timeout", ["of somebody else"])

    def rpc_leave(self):
        sys.exit(3)

    def rpc_tto(self, tto=0):
        return tto

    def rpc_point(self, point=ORIGIN):
        return point is ORIGIN

    def rpc_iter(self):
        return "a procedure of that name"

    def rpc_object(self):
        return object()

    def rpc_wait(self):
        self.seen.set()
        if current_call().canceled.wait(SECONDS):
            self.canceled.set()

    async def rpc_await(self):
        self.seen.set()
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            self.canceled.set()
            raise

    def rpc_details(self):
        return [current_call().procedure, current_call().wants_progress]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # Results that are larger than usual come from one process here, and all go back to it.
    text = configuration(max_backlog_bytes=1 << 30)
    with radiod(tmp_path_factory.mktemp("services"), text) as server:
        yield server


@pytest.fixture
def radio(server):
    with Radio(server.url, authid="joe", ticket="joe-ticket", timeout=SECONDS) as radio:
        yield radio


@pytest.fixture
def other(server):
    with Radio(server.url, serializer="json", timeout=SECONDS) as radio:
        yield radio


class InALoop:
    """The asyncio face, asked from a thread."""

    def __init__(self, url, **options):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.radio = self.do(self._connect(url, options))

    async def _connect(self, url, options):
        return await aio.Radio(url, **options).connect()

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS)

    def close(self):
        self.do(self.radio.close())
        assert not asyncio.all_tasks(self.loop)
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture(params=["blocking", "asyncio"])
def calc(request, server):
    """The service, offered by each face."""
    service, options = Calc(), {"authid": "joe", "ticket": "joe-ticket", "timeout": SECONDS}
    if request.param == "blocking":
        with Radio(server.url, **options) as radio:
            radio.serve(service, "calc")
            assert service.radio is radio
            yield service
    else:
        there = InALoop(server.url, **options)
        there.do(there.radio.serve(service, "calc"))
        assert service.radio is there.radio
        yield service
        there.close()


@pytest.fixture
def proxy(calc, other):
    return other.proxy("calc")


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def cut(radio):
    session, driver = radio.session, radio._radio._driver
    radio._later(driver.transport.abort)
    wait_for(lambda: radio.session not in (session, None) and radio.state == "open")


def calls_sent(radio):
    """How many requests this session has sent."""
    return radio._radio._driver.core.requests._session._count


class TestCalling:
    def test_functions_coroutines_and_what_is_nested(self, proxy):
        assert proxy.add(1, 2) == 3
        assert proxy.add(1, b=3) == 4
        assert proxy.mul(6, 7) == 42
        assert proxy.late() == 42
        assert proxy.trig.half(3) == 1.5
        assert proxy.const.pi() == 3.14
        assert proxy["iter"]() == "a procedure of that name"
        assert proxy.point() is True
        assert proxy.details() == ["rpc.calc.details", False]

    def test_wrong_arguments_are_a_type_error_and_nothing_is_sent(self, proxy, other):
        proxy.add(1)
        before = calls_sent(other)
        for wrong in (
            lambda: proxy.add(),
            lambda: proxy.add(1, 2, 3),
            lambda: proxy.add(1, c=2),
            lambda: proxy.add(1, tto="soon"),
        ):
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(ValueError, match="seconds"):
            proxy.add(1, tto=0)
        expected = "rpc.calc.add(a, b=0): missing a required argument: 'a'"
        with pytest.raises(TypeError, match=re.escape(expected)):
            proxy.add()
        assert calls_sent(other) == before
        with pytest.raises(TypeError):
            next(proxy.count.iter())

    def test_completion_knows_what_is_below(self, proxy):
        assert {"add", "trig", "const"} <= set(dir(proxy))
        assert "half" in dir(proxy.trig)
        assert "iter" in dir(proxy.add)

    def test_a_proxy_is_copied_and_looked_at_without_a_call(self, proxy, other):
        before = calls_sent(other)
        assert repr(copy.copy(proxy).add) == "<proxy of rpc.calc.add>"
        assert not hasattr(proxy, "_repr_html_")
        assert calls_sent(other) == before

    def test_a_signature_is_told(self, proxy, other):
        told = other.call("radiod.rpc.describe", "rpc.calc.add")["signature"]
        assert told["doc"] == "The sum."
        assert told["parameters"][1] == {
            "name": "b", "kind": "positional_or_keyword", "default": 0, "annotation": "float"
        }  # fmt: skip
        point = other.call("radiod.rpc.describe", "rpc.calc.point")["signature"]["parameters"][0]
        assert point["default"] is None
        assert re.fullmatch(r"= <.*Point object>", point["annotation"])

    def test_exceptions_arrive_with_type_and_message(self, proxy):
        with pytest.raises(RemoteError) as caught:
            proxy.fail()
        assert (caught.value.type, caught.value.message) == ("ValueError", "no such thing")
        assert caught.value.traceback == ""
        assert caught.value.uri == "wamp.error.runtime_error"

    def test_a_service_error_travels_as_its_uri(self, proxy):
        with pytest.raises(CallError) as caught:
            proxy.refuse()
        error = caught.value
        assert (error.uri, error.arguments, error.kwargs) == (
            "calc.error.refused", [1, [2]], {"why": "because"}
        )  # fmt: skip

    def test_the_failure_of_a_call_inside_is_not_that_of_the_call(self, proxy):
        with pytest.raises(RemoteError) as caught:
            proxy.inner()
        assert caught.value.type == "CallTimeout"

    def test_sys_exit_and_what_cannot_be_sent_are_told_and_the_service_lives(self, proxy):
        for name, kind in (("leave", "SystemExit"), ("object", "TypeError")):
            with pytest.raises(RemoteError) as caught:
                proxy[name]()
            assert caught.value.type == kind
        assert proxy.add(1) == 1

    def test_the_traceback_only_if_asked(self, radio, other):
        radio.serve(Calc(), "open", traceback=True)
        with pytest.raises(RemoteError) as caught:
            other.proxy("open").fail()
        assert "rpc_fail" in caught.value.traceback
        assert "ValueError: no such thing" in caught.value.traceback

    def test_procedures_without_a_signature_are_called_as_they_are(self, other, server):
        program = Program(server.port)
        program.register("foreign.add")

        def answer():
            program.give(program.asked(), 5)

        thread = threading.Thread(target=answer)
        thread.start()
        assert other.proxy("foreign", prefix="").add(1, anything=2) == 5
        thread.join()
        program.close()
        assert other.proxy("radiod", prefix="").echo(1) == 1

    def test_nobody_there(self, other):
        with pytest.raises(CallError, match="no_such_procedure"):
            other.proxy("nobody").add(1)

    def test_many_at_once(self, proxy):
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append(proxy.mul(n, 2))) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert sorted(results) == [2 * n for n in range(50)]


class TestSeconds:
    def test_tto_is_seconds_and_a_parameter_of_that_name_is_the_services(self, proxy, calc):
        assert proxy.add(1, 2, tto=SECONDS) == 3
        assert proxy.tto(tto=3) == 3
        assert proxy.tto.with_timeout(SECONDS)(tto=4) == 4
        begun = time.monotonic()
        with pytest.raises(CallTimeout):
            proxy.wait(tto=0.2)
        assert time.monotonic() - begun < 5
        assert calc.canceled.wait(SECONDS)

    def test_the_keyword_is_renamed(self, calc, other):
        proxy = other.proxy("calc", tto="deadline")
        with pytest.raises(CallTimeout):
            proxy["await"](deadline=0.2)
        assert calc.canceled.wait(SECONDS)
        with pytest.raises(TypeError):
            proxy.add(1, tto=1)

    def test_it_is_a_timeout_error_too(self, proxy):
        with pytest.raises(TimeoutError):
            proxy["await"].with_timeout(0.1)()


class TestProgress:
    def test_one_by_one(self, proxy):
        assert list(proxy.count.iter(3)) == [0, 1, 2]
        assert list(proxy.acount.iter(3)) == [0, 1, 2]
        iteration = proxy.count.iter(2, "the end")
        assert list(iteration) == [0, 1]
        assert iteration.result == "the end"
        iteration = proxy.steps.iter(3)
        assert list(iteration) == [0, 1, 2]
        assert iteration.result == "done"

    def test_a_caller_who_takes_one_result_gets_all(self, proxy):
        assert proxy.count(3) == [0, 1, 2]
        assert proxy.acount(3) == [0, 1, 2]
        assert proxy.count(3, "the end") == "the end"
        assert proxy.steps(3) == "done"

    def test_but_not_endlessly_many(self, proxy):
        with pytest.raises(CallError, match="one by one"):
            proxy.count(10_001)

    @pytest.mark.parametrize(
        ("name", "args"), [("count", [10**9]), ("acount", [10**9]), ("greedy", [])], ids=str
    )
    def test_a_break_closes_the_generator(self, proxy, calc, name, args):
        for number in proxy[name].iter(*args):
            if number in (1, 3):
                break
        assert calc.canceled.wait(SECONDS)

    def test_close_and_a_timeout_do_it_too(self, proxy, calc):
        with proxy.count.iter(10**9) as iteration:
            assert next(iteration) == 0
        assert calc.canceled.wait(SECONDS)
        assert list(iteration) == []
        calc.canceled.clear()
        with pytest.raises((CallTimeout, CallCanceled)):
            for _ in proxy.acount.iter(10**9, tto=0.3):
                pass
        assert calc.canceled.wait(SECONDS)

    def test_a_program_that_is_too_slow_is_told(self, proxy, calc):
        iteration = proxy.count.iter(10**9)
        # The generator has ended, since nobody takes its results.
        assert calc.canceled.wait(SECONDS)
        got = []
        with pytest.raises(CallCanceled, match="too slow"):
            deque(map(got.append, iteration), 0)
        assert got == list(range(len(got)))

    @pytest.mark.parametrize("name", ["big", "abig"])
    def test_a_generator_is_not_faster_than_its_line(self, server, calc, proxy, name):
        driver = calc.radio._radio.driver if isinstance(calc.radio, Radio) else calc.radio.driver
        iteration = proxy[name].iter(400)
        next(iteration)
        server.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: not driver.can_write.is_open)
            made = calc.made
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert made < 400
        with iteration:
            for _ in range(made):
                assert len(next(iteration)) == BIG

    def test_plain_calls(self, calc, other):
        got = []
        assert other.call("rpc.calc.count", 3, "end", on_progress=got.append) == "end"
        assert got == [0, 1, 2]
        assert list(other.iter("rpc.calc.count", 2)) == [0, 1]

        def fail(number):
            raise ZeroDivisionError

        calc.canceled.clear()
        with pytest.raises(ZeroDivisionError):
            other.call("rpc.calc.count", 10**9, on_progress=fail)
        assert calc.canceled.wait(SECONDS)


class TestCanceling:
    @pytest.mark.parametrize("name", ["wait", "await"])
    def test_the_callers_cancel_reaches_the_callee(self, server, calc, name):
        async def play():
            async with aio.Radio(server.url) as radio:
                task = asyncio.ensure_future(radio.proxy("calc")[name]())
                await asyncio.to_thread(calc.seen.wait, SECONDS)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await asyncio.to_thread(calc.canceled.wait, SECONDS)

        asyncio.run(play())

    @pytest.mark.parametrize("name", ["wait", "await"])
    def test_so_does_his_end(self, server, calc, name):
        caller = Radio(server.url, timeout=SECONDS).connect()
        ends = []

        def call():
            try:
                caller.proxy("calc")[name]()
            except Disconnected as error:
                ends.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert calc.seen.wait(SECONDS)
        caller.close()
        thread.join(SECONDS)
        assert calc.canceled.wait(SECONDS)
        assert len(ends) == 1

    @pytest.mark.parametrize("name", ["wait", "await"])
    def test_and_the_end_of_the_callees_connection(self, radio, other, name):
        service = Calc()
        radio.serve(service, "cut")
        ends = []

        def call():
            try:
                other.proxy("cut")[name]()
            except CallError as error:
                ends.append(error.uri)

        thread = threading.Thread(target=call)
        thread.start()
        assert service.seen.wait(SECONDS)
        cut(radio)
        assert service.canceled.wait(SECONDS)
        thread.join(SECONDS)
        assert ends == ["wamp.error.canceled"]

    def test_a_call_under_way_when_the_connection_breaks_ends_in_that(self, calc, other):
        ends = []

        def call():
            try:
                other.proxy("calc").wait()
            except Disconnected as error:
                ends.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert calc.seen.wait(SECONDS)
        cut(other)
        thread.join(SECONDS)
        assert len(ends) == 1
        iteration = other.proxy("calc").acount.iter(10)
        assert list(iteration) == list(range(10))

    def test_an_iteration_that_is_left_by_an_exception(self, server, calc):
        async def play():
            async with aio.Radio(server.url) as radio:
                with pytest.raises(ZeroDivisionError):
                    await radio.call("rpc.calc.acount", 10**9, on_progress=lambda number: 1 / 0)
                assert await asyncio.to_thread(calc.canceled.wait, SECONDS)
                calc.canceled.clear()
                async for _ in radio.proxy("calc").acount.iter(10**9):
                    break
                assert await asyncio.to_thread(calc.canceled.wait, SECONDS)
                assert [n async for n in radio.proxy("calc").count.iter(3)] == [0, 1, 2]
                with pytest.raises(TypeError):
                    await radio.proxy("calc").add()

        asyncio.run(play())


class TestServing:
    def test_it_comes_back_before_its_channels_samples(self, radio, other):
        service = Calc()
        radio.serve(service, "back")
        order = []
        radio.channel("back.samples").subscribe(lambda sample: order.append("sample"))
        registered = radio.register("back.procedure", lambda: order.append("call"))
        for _ in range(5):
            cut(radio)
            wait_for(lambda: _works(lambda: other.proxy("back").add(1)))
        assert other.proxy("back").add(1, 2) == 3
        registered.close()
        with pytest.raises(CallError, match="no_such_procedure"):
            other.call("back.procedure")

    def test_all_or_none(self, radio, other):
        other.register("rpc.taken.mul", lambda: 0)
        with pytest.raises(CallError, match="procedure_already_exists"):
            radio.serve(Calc(), "taken")
        with pytest.raises(CallError, match="no_such_procedure"):
            other.call("rpc.taken.add", 1, 2)

    def test_another_program_of_ours_may_take_over_and_keeps_it(self, server, radio, other):
        first = radio.serve(Calc(), "moved")
        with Radio(server.url, authid="joe", ticket="joe-ticket") as second:
            with pytest.raises(CallError, match="procedure_already_exists"):
                second.serve(Calc(), "moved")
            served = second.serve(Calc(), "moved", force=True)
            wait_for(lambda: first.procedures == [])
            cut(radio)
            assert len(served.procedures) == len([n for n in dir(Calc()) if n.startswith("rpc_")])
            assert other.proxy("moved").add(1, 2) == 3

    def test_it_ends(self, radio, other):
        served = radio.serve(Calc(), "short")
        assert "rpc.short.trig.half" in served.procedures
        served.close()
        assert served.procedures == []
        with pytest.raises(CallError, match="no_such_procedure"):
            other.proxy("short").add(1)

    def test_a_service_uses_its_radio(self, radio, other):
        class Publisher(Service):
            def rpc_publish(self, data):
                self.radio.channel("services.news").publish(data)

        radio.serve(Publisher(), "publisher")
        with other.channel("services.news").listen() as listening:
            other.proxy("publisher").publish({"new": True})
            assert listening.get(SECONDS).data == {"new": True}

    def test_nothing_is_left(self, server, other):
        before = threading.active_count(), len(os.listdir("/proc/self/fd"))
        with Radio(server.url) as radio:
            radio.serve(Calc(), "left")
            assert other.proxy("left").add(1) == 1
            assert other.proxy("left").mul(1, 1) == 1
            threads = []
            for name in ("wait", "await"):
                threads.append(threading.Thread(target=_works, args=(other.proxy("left")[name],)))
                threads[-1].start()
            wait_for(lambda: radio._radio.serving._running)
        for thread in threads:
            thread.join(SECONDS)
        wait_for(
            lambda: threading.active_count() <= before[0] and len(os.listdir("/proc/self/fd")) <= before[1]
        )

    def test_a_function_that_hangs_holds_up_no_end_of_the_program(self, server, other):
        code = f"""
import threading, time
from radiod_client import Radio
with Radio({server.url!r}) as radio:
    radio.register("hangs", lambda: time.sleep(3600))
    print("ready", flush=True)
    input()
"""
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=PYTHON, text=True
        )
        try:
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(CallTimeout):
                other.call("hangs", timeout=0.3)
            process.communicate("\n", timeout=SECONDS)
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("how", ["terminate", "kill"], ids=["SIGTERM", "kill -9"])
def test_a_restart_of_the_server(tmp_path, how):
    port = free_port()
    with contextlib.ExitStack() as stack:
        with radiod(tmp_path, configuration(), port) as server:
            options = {"authid": "joe", "ticket": "joe-ticket", "timeout": SECONDS}
            radio = stack.enter_context(Radio(server.url, **options))
            other = stack.enter_context(Radio(server.url, timeout=SECONDS))
            service = Calc()
            radio.serve(service, "calc")
            iteration = other.proxy("calc").acount.iter(10**9)
            assert next(iteration) == 0
            getattr(server.process, how)()
            server.process.wait(SECONDS)
            with pytest.raises((Disconnected, CallCanceled)):
                deque(iteration, 0)
            assert service.canceled.wait(SECONDS)
        with radiod(tmp_path, configuration(), port):
            wait_for(lambda: _works(lambda: other.proxy("calc").add(1)))
            assert list(other.proxy("calc").count.iter(3)) == [0, 1, 2]


@pytest.mark.parametrize("cuts", [15, pytest.param(1000, marks=pytest.mark.soak)])
def test_under_cuts_of_both_ends_every_call_ends_and_no_answer_is_anothers(server, radio, other, cuts):
    radio.serve(Calc(), "cuts")
    ends, stop = [], threading.Event()

    def call(number):
        while not stop.is_set():
            try:
                ends.append(other.proxy("cuts").add(number, 1) - number)
            except (CallError, Disconnected) as error:
                ends.append(type(error))

    threads = [threading.Thread(target=call, args=(number,)) for number in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for n in range(cuts):
        cut((radio, other)[n % 2])
    stop.set()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert set(ends) <= {1, Disconnected, CallError, CallCanceled}
    wait_for(lambda: _works(lambda: other.proxy("cuts").add(1)))
    assert radio._radio.serving._running == set()


def test_the_lines_of_the_readme(server):
    readme = (ROOT / "clients" / "python" / "README.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "Service" in block)
    code = code.replace("http://127.0.0.1:8080", server.url)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=PYTHON, text=True, timeout=SECONDS
    )
    assert done.stdout.split() == ["3", "0", "1", "2"], done.stderr


def test_stock_clients_call_ours_and_ours_call_theirs(server, calc, other):
    client = ROOT / "tests" / "e2e" / "clients" / "autobahn_services.py"
    command = [sys.executable, str(client), f"{server.url.replace('http', 'ws')}/ws"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True)
    try:
        assert json.loads(process.stdout.readline()) == {
            "sum": 3,
            "nested": 1.5,
            "coroutine": 42,
            "all": [0, 1, 2],
            "result": None,
            "progress": [0, 1, 2],
            "failed": [
                "wamp.error.runtime_error",
                ["no such thing"],
                {"type": "ValueError", "message": "no such thing"},
            ],
            "refused": ["calc.error.refused", [1, [2]], {"why": "because"}],
            "wrong": "TypeError",
            "late": "wamp.error.timeout",
        }
        assert calc.canceled.wait(SECONDS)
        stock = other.proxy("stock", prefix="")
        assert stock.add(1, b=2, tto=SECONDS) == 3
        iteration = stock.count.iter(3)
        assert (list(iteration), iteration.result) == ([0, 1, 2], "end")
        with pytest.raises(CallError):
            stock.add(1, 2, 3)
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


def _works(action):
    try:
        action()
    except (CallError, Disconnected):
        return False
    return True
