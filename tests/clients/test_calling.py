"""What is between a caller and the wire: a proxy's seconds and signatures, results that wait, threads."""

import inspect
import threading

import pytest
from radiod_client import CallCanceled, CallTimeout
from radiod_client._pool import Pool
from radiod_client._proxy import Signatures, bind, own_seconds, seconds_of
from radiod_client._results import MOST_WAITING, Results
from support.fake_radio import Client, Radio

SECONDS = 30
CALL = 48


class TestSignatures:
    TOLD = {"signature": {"parameters": [{"name": "a", "kind": "positional_only"}]}, "callees": 1}

    def test_they_are_known_for_a_minute_and_one_session(self):
        now = [0.0]
        signatures = Signatures(lambda: now[0])
        assert signatures.find("it", 1) is None
        signatures.learn("it", 1, self.TOLD)
        assert list(signatures.find("it", 1).signature.parameters) == ["a"]
        assert signatures.find("it", 2) is None
        now[0] = 61.0
        assert signatures.find("it", 1) is None

    def test_that_there_is_none_is_known_too_but_not_of_what_is_not_there(self):
        signatures = Signatures(lambda: 0.0)
        signatures.learn("it", 1, None)
        assert signatures.find("it", 1).signature is None
        signatures.learn("nobody", 1, {"signature": None, "callees": 0})
        assert signatures.find("nobody", 1) is None

    def test_not_more_than_a_thousand(self):
        signatures = Signatures(lambda: 0.0)
        for number in range(1001):
            signatures.learn(str(number), 1, self.TOLD)
        assert signatures.find("0", 1) is None
        assert signatures.find("1", 1) is not None


class TestSeconds:
    def test_they_are_taken_out(self):
        kwargs = {"tto": 5, "a": 1}
        assert own_seconds(None, kwargs, "tto") == 5
        assert kwargs == {"a": 1}
        assert own_seconds(None, {"tto": None}, "tto") is None
        assert own_seconds(None, {"tto": 1}, "deadline") is None

    def test_a_parameter_of_that_name_is_the_services(self):
        kwargs = {"tto": "mine"}
        assert own_seconds(inspect.signature(lambda tto: 0), kwargs, "tto") is None
        assert kwargs == {"tto": "mine"}
        assert own_seconds(inspect.signature(lambda **tto: 0), {"tto": 1}, "tto") == 1

    @pytest.mark.parametrize("value", ["1", None, True, [1], 0, -1, float("nan"), float("inf")], ids=repr)
    def test_what_is_no_time(self, value):
        with pytest.raises((TypeError, ValueError)):
            seconds_of(value)


def test_without_a_signature_everything_binds():
    bind("it", None, [1, 2], {"a": 3})


class TestResults:
    @pytest.fixture
    def client(self):
        radio = Radio()
        radio.silent = {CALL}
        return Client(radio).start()

    @pytest.fixture
    def results(self, client):
        results = Results()
        payload = client.core.codec.payload([])
        results.begin(client.core.requests, [{}, "it", payload], SECONDS)
        client.settle()
        return results

    def send(self, client, value, **details):
        client.connection.send(50, 1, details, [value])
        client.settle()

    def test_they_come_in_order_and_then_the_last(self, client, results):
        wakes = []
        assert results.take(lambda: wakes.append(1)) is None
        for number in range(3):
            self.send(client, number, progress=True)
        self.send(client, "end")
        assert wakes == [1]
        assert [results.take(print) for _ in range(5)] == [(0,), (1,), (2,), (), ()]
        assert results.result == "end"

    def test_whoever_closes_takes_no_more_and_the_callee_is_told(self, client, results):
        self.send(client, 1, progress=True)
        results.close()
        client.settle()
        self.send(client, 2, progress=True)
        assert results.take(print) == ()
        assert client.radio.asked[-1] == [49, 1, {"mode": "killnowait"}]

    def test_too_late(self, client, results):
        self.send(client, 1, progress=True)
        client.sleep(SECONDS + 1)
        assert results.take(print) == (1,)
        with pytest.raises(CallTimeout):
            results.take(print)

    def test_nothing_drops_out_but_the_call_ends(self, client, results):
        for number in range(MOST_WAITING + 1):
            self.send(client, number, progress=True)
        assert client.radio.asked[-1][0] == 49
        assert [results.take(print)[0] for _ in range(MOST_WAITING + 1)] == list(range(MOST_WAITING + 1))
        with pytest.raises(CallCanceled):
            results.take(print)


class TestThreads:
    def test_at_most_so_many_and_all_is_done(self):
        pool, release, done = Pool(3), threading.Event(), []
        names, lock = set(), threading.Lock()

        def work():
            with lock:
                names.add(threading.current_thread().name)
            release.wait(SECONDS)
            with lock:
                done.append(1)
                if len(done) == 20:
                    finished.set()

        finished = threading.Event()
        for _ in range(20):
            pool.submit(work)
        release.set()
        assert finished.wait(SECONDS)
        assert len(names) <= 3
        for thread in pool.close():
            thread.join(SECONDS)
            assert not thread.is_alive()

    def test_one_thread_serves_who_comes_one_by_one(self):
        pool = Pool(8)
        for _ in range(50):
            done = threading.Event()
            pool.submit(done.set)
            assert done.wait(SECONDS)
        threads = pool.close()
        assert len(threads) <= 8
        pool.submit(threads.clear)
        assert threads
