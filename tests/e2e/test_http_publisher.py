"""HttpPublisher, blocking and on Twisted, against the real server: refusals, restarts, lost answers."""

import contextlib
import functools
import json
import os
import re
import ssl
import threading
import time

import pytest
import pytest_twisted
import requests
from radiod_client import ConnectFailed, Disconnected, HttpPublisher, PublishRefused, Radio, tx
from support.config import configuration
from support.running import ROOT, free_port, radiod
from support.swallowing import Swallowing
from support.tls import Issued
from twisted.internet import reactor, task
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThread
from zope.interface import implementer

pytestmark = pytest.mark.e2e

SECONDS = 30
KEY = {"API-KEY": "sample-key"}
CHANNELS = """
[realms.radio.keys.sample]
publish = ["sample_net", "kept.*", "log.*"]

[realms.radio.channels."kept.*"]
history = { size = 1000 }
"""
DURABLE = """
[realms.radio.channels."log.*"]
durable = true
history = { size = 1000 }
"""
REFUSED = [
    ("wrong", "sample_net", {}, (400, "API-KEY not valid")),
    ("sample-key", "forbidden", {}, (403, "You cannot broadcast to this channel")),
    ("sample-key", "sample_net", [1], (400, "Can only broadcast json data")),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("http"), configuration(CHANNELS)) as server:
        yield server


class Restarted:
    """A server that is stopped, one way or the other, and started again on its port."""

    def __init__(self, folder):
        self.port = free_port()
        store = json.dumps(str(folder / "store.sqlite"))
        self._how = (folder, configuration(f"{CHANNELS}{DURABLE}\n[store]\npath = {store}"), self.port)
        self._stack = contextlib.ExitStack()
        self._server = self._stack.enter_context(radiod(*self._how))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    @property
    def url(self):
        return self._server.url

    def restart(self, how):
        getattr(self._server.process, how)()
        self._server.process.wait(SECONDS)
        self._stack.close()
        self._server = self._stack.enter_context(radiod(*self._how))

    def numbers(self, network):
        """What the channel keeps."""
        url = f"{self.url}/listen/{network}"
        answer = requests.get(url, {"last": 1000, "wait": 0}, headers=KEY, timeout=SECONDS)
        assert answer.status_code in (200, 204), answer.text
        return [event["data"]["n"] for event in (answer.json() if answer.status_code == 200 else [])]


def publisher(server, network="sample_net", **options):
    return HttpPublisher(server.url, "sample-key", network, timeout=SECONDS, **options)


class TestBlocking:
    @pytest.mark.parametrize(("key", "network", "data", "said"), REFUSED)
    def test_refusals(self, server, key, network, data, said):
        with HttpPublisher(server.url, key, network) as publisher, pytest.raises(PublishRefused) as caught:
            publisher.publish(data)
        assert (caught.value.status, caught.value.text) == said

    def test_readers_over_one_connection(self, server):
        with publisher(server) as one, Radio(server.url) as radio:
            assert one.publish({"n": 0}) == 0
            with radio.channel("sample_net").listen() as listening:
                assert [one.publish({"n": n}) for n in range(20)] == [1] * 20
                assert [listening.get(SECONDS).data for _ in range(20)] == [{"n": n} for n in range(20)]
            assert one._connections == 1

    def test_a_child_has_a_connection_of_its_own(self, server):
        with publisher(server) as one:
            one.publish({"n": 0})
            pid = os.fork()
            if not pid:
                one.publish({"n": 1})
                os._exit(0 if one._connections == 2 else 1)
            assert os.waitpid(pid, 0)[1] == 0
            one.publish({"n": 2})
            assert one._connections == 1

    def test_run_and_stop(self, server):
        with publisher(server) as one:
            numbers = iter(range(1000000))
            ended = []
            thread = threading.Thread(
                target=lambda: ended.append(one.run(lambda: {"n": next(numbers)}, 0.005))
            )
            thread.start()
            with Radio(server.url) as radio, radio.channel("sample_net").listen() as listening:
                got = [listening.get(SECONDS).data["n"] for _ in range(10)]
            one.stop()
            thread.join(SECONDS)
            assert got == list(range(got[0], got[0] + 10))
            assert ended == [next(numbers)]

    def test_it_rests_while_nobody_listens(self, server):
        asked = []

        def source():
            asked.append(time.monotonic())
            return {"n": len(asked)}

        with publisher(server, "kept.a") as one:
            thread = threading.Thread(target=one.run, args=(source, 0.005), kwargs={"rest": True})
            thread.start()
            with Radio(server.url) as radio:
                assert asked == []
                with radio.channel("kept.a").listen() as listening:
                    assert [listening.get(SECONDS).data["n"] for _ in range(3)] == [1, 2, 3]
            one.stop()
            thread.join(SECONDS)

    def test_stop_ends_what_is_tried_again(self):
        one = HttpPublisher(f"http://127.0.0.1:{free_port()}", "key", "net", timeout=SECONDS)
        threading.Timer(0.1, one.stop).start()
        with pytest.raises(Disconnected, match="stopped"):
            one.publish({})
        one.close()

    @pytest.mark.soak
    @pytest.mark.parametrize(("how", "network"), [("terminate", "kept.a"), ("kill", "log.a")])
    def test_restarts_under_load_lose_and_repeat_nothing(self, tmp_path, how, network):
        count, stop = 0, threading.Event()

        def publish():
            nonlocal count
            while not stop.is_set():
                one.publish({"n": count})
                count += 1

        with Restarted(tmp_path) as server, publisher(server, network) as one:
            thread = threading.Thread(target=publish)
            thread.start()
            for _ in range(2):
                seen = count
                while count < seen + 20:
                    time.sleep(0.01)
                server.restart(how)
            seen = count
            while count < seen + 20:
                time.sleep(0.01)
            stop.set()
            thread.join(SECONDS)
            assert server.numbers(network) == list(range(count))


def test_the_readmes_lines(server):
    text = (ROOT / "clients/python/README.md").read_text()
    code = next(
        each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "HttpPublisher" in each
    )
    code = code.replace("http://127.0.0.1:8080", server.url).replace("demo-key", "sample-key")
    with Radio(server.url) as radio, radio.channel("sample_net").listen() as listening:
        exec(code, {})
        assert [listening.get(SECONDS).data["speed"] for _ in range(4)] == [12, 0, 1, 2]


class TestOnTwisted:
    @pytest.mark.parametrize(("key", "network", "data", "said"), REFUSED)
    @pytest_twisted.ensureDeferred
    async def test_refusals(self, server, key, network, data, said):
        async with tx.HttpPublisher(server.url, key, network) as publisher:
            with pytest.raises(PublishRefused) as caught:
                await publisher.publish(data)
        assert (caught.value.status, caught.value.text) == said

    @pytest_twisted.ensureDeferred
    async def test_readers_over_one_connection_in_order(self, server):
        before = set(reactor.getDelayedCalls())
        async with (
            tx.HttpPublisher(server.url, "sample-key", "sample_net") as one,
            tx.Radio(server.url) as radio,
        ):
            listening = await radio.channel("sample_net").listen()
            published = [one.publish({"n": n}) for n in range(20)]
            assert [await each for each in published] == [1] * 20
            assert [(await listening.get(SECONDS)).data for _ in range(20)] == [{"n": n} for n in range(20)]
            assert one._where.connections == 1
        assert set(reactor.getDelayedCalls()) <= before

    @pytest_twisted.ensureDeferred
    async def test_run_and_cancel(self, server):
        numbers = iter(range(1000000))
        async with (
            tx.HttpPublisher(server.url, "sample-key", "sample_net") as one,
            tx.Radio(server.url) as radio,
        ):
            listening = await radio.channel("sample_net").listen()
            running = one.run(lambda: task.deferLater(reactor, 0, lambda: {"n": next(numbers)}), 0.005)
            assert [(await listening.get(SECONDS)).data["n"] for _ in range(10)] == list(range(10))
            running.cancel()
            with pytest.raises(CancelledError):
                await running
            assert await one.run(({"n": n} for n in range(3)), 0) == 3

    @pytest.mark.soak
    @pytest_twisted.ensureDeferred
    async def test_a_restart_under_load_loses_and_repeats_nothing(self, tmp_path):
        with Restarted(tmp_path) as server:
            async with tx.HttpPublisher(server.url, "sample-key", "kept.a", timeout=SECONDS) as one:
                restarting = deferToThread(server.restart, "terminate")
                count = 0
                while not restarting.called or count < 50:
                    await one.publish({"n": count})
                    count += 1
                await restarting
            assert server.numbers("kept.a") == list(range(count))


@pytest.mark.parametrize(
    ("how", "heard"),
    [("terminate", {"kept": [0, 1, 2], "log": [0, 1, 2]}), ("kill", {"kept": [2], "log": [0, 1, 2]})],
    ids=["SIGTERM", "kill -9"],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_lost_while_the_server_ends(tmp_path, how, heard):
    """Nothing is there twice. Only of a killed server's memory nobody knows: that is told, and it goes on."""

    async def play(network, publish, proxy):
        await publish({"n": 0})
        proxy.swallow()
        lost = publish({"n": 1})
        await deferToThread(proxy.has_swallowed.wait, SECONDS)
        swallowed.append(proxy)
        if len(swallowed) == 4:
            await deferToThread(server.restart, how)
            for each in swallowed:
                each.go_on()
        if 1 in heard[network.partition(".")[0]]:
            await lost
        else:
            with pytest.raises(Disconnected, match="killed"):
                await lost
        await publish({"n": 2})

    swallowed, playing = [], []
    async with contextlib.AsyncExitStack() as stack:
        server = stack.enter_context(Restarted(tmp_path))
        for network in ("kept.a", "kept.b", "log.a", "log.b"):
            proxy = stack.enter_context(Swallowing(server.port))
            if network.endswith("a"):
                one = stack.enter_context(publisher(proxy, network))
                publish = functools.partial(deferToThread, one.publish)
            else:
                one = tx.HttpPublisher(proxy.url, "sample-key", network, timeout=SECONDS)
                publish = (await stack.enter_async_context(one)).publish
            playing.append(Deferred.fromCoroutine(play(network, publish, proxy)))
        for each in playing:
            await each
        for network in ("kept.a", "kept.b", "log.a", "log.b"):
            assert await deferToThread(server.numbers, network) == heard[network.partition(".")[0]]


@pytest_twisted.ensureDeferred
async def test_tls_and_a_certificate_that_is_for_somebody_else(tmp_path):
    leaf = Issued("localhost", issuer=Issued("Test CA", is_ca=True))
    for name, data in {"cert": leaf.certificate_pem(), "key": leaf.key_pem()}.items():
        (tmp_path / f"{name}.pem").write_bytes(data)
    port = free_port()
    endpoint = f"ssl:{port}:privateKey={tmp_path}/key.pem:certKey={tmp_path}/cert.pem:interface=127.0.0.1"
    with radiod(tmp_path, configuration(), None, "--listen", endpoint):
        url, blind = f"https://localhost:{port}", ssl.create_default_context()
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with HttpPublisher(url, "sample-key", "sample_net", tls=blind) as one:
            assert await deferToThread(one.publish, {"n": 1}) == 0
        with pytest.raises(ConnectFailed, match="certificate"):
            await deferToThread(HttpPublisher(url, "sample-key", "sample_net").publish, {"n": 1})
        with pytest.raises(ConnectFailed, match="certificate"):
            await tx.HttpPublisher(url, "sample-key", "sample_net").publish({"n": 1})


@pytest_twisted.ensureDeferred
async def test_nobody_there():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectFailed, match="refused"):
        HttpPublisher(url, "key", "net", timeout=0.5).publish({})
    with pytest.raises(ConnectFailed, match=r"refused|no connection"):
        await tx.HttpPublisher(url, "key", "net", timeout=0.5).publish({})


@implementer(IStreamClientEndpoint)
class Endless:
    """A connection that is never made."""

    def connect(self, factory):
        return Deferred()


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_never_made_is_no_doubt():
    one = tx.HttpPublisher("http://radio", "key", "net", timeout=0.5, endpoint=Endless())
    with pytest.raises(ConnectFailed, match="no connection within"):
        await one.publish({})
