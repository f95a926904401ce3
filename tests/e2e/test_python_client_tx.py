"""The Python client's Twisted face against the real server; each test leaves the reactor as it found it."""

import contextlib
import json
import re
import subprocess
import sys
import time

import pytest
import pytest_twisted
from radiod_client import (
    CallError,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    Gap,
    LoginRefused,
    RadioError,
    RemoteError,
)
from radiod_client.tx import Radio
from support.config import configuration
from support.running import ROOT, environment, free_port, radiod
from support.tls import Issued
from twisted.internet import endpoints, reactor, ssl, task
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, gatherResults
from twisted.internet.protocol import Factory, Protocol

pytestmark = pytest.mark.e2e

SECONDS = 30
PYTHON = {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}", "PYTHONUNBUFFERED": "1"}
KEPT = """
[realms.radio.channels.kept]
history = { size = 10000 }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("tx"), configuration(KEPT)) as server:
        yield server


@pytest.fixture(autouse=True)
def clean():
    """What trial calls a dirty reactor: sockets and delayed calls that a test leaves."""
    before = left()
    yield
    assert left() <= before


def left():
    found = {*reactor.getDelayedCalls(), *reactor.getReaders(), *reactor.getWriters()}
    # The reactor's own, which come when it starts.
    return {each for each in found if "Waker" not in type(each).__name__}


@contextlib.asynccontextmanager
async def radios(server, **options):
    """Two of them: one for each serializer."""
    radio = Radio(server.url, timeout=SECONDS, **options)
    other = Radio(server.url, timeout=SECONDS, serializer="json")
    async with radio, other:
        yield radio, other


async def until(is_so):
    end = time.monotonic() + SECONDS
    while not await is_so():
        assert time.monotonic() < end
        await task.deferLater(reactor, 0.005)


async def cut(radio):
    """Break its connection, as a network does; it comes back by itself."""
    session = radio.session
    radio._inner.driver.transport.abort()
    await another_session(radio, session)


async def another_session(radio, session):
    async def is_open():
        return radio.session not in (session, None)

    await until(is_open)


async def numbers(listening, last):
    """Data and gaps up to this one."""
    found = []
    while not found or found[-1][0] != last:
        sample = await listening.get(SECONDS)
        found.append((sample.data, sample.gap))
    return found


class TestListening:
    @pytest_twisted.ensureDeferred
    async def test_deferreds_and_iteration(self, server):
        async with radios(server) as (radio, other):
            listening = await radio.channel("a").listen()
            first, second = listening.get(), listening.get()
            for n in range(4):
                await other.channel("a").publish(n)
            assert [(await first).data, (await second).data] == [0, 1]
            async for sample in listening:
                if sample.data == 3:
                    break
            assert listening.position == sample.position
            await listening.close()
            with pytest.raises(Disconnected):
                await listening.get()

    @pytest_twisted.inlineCallbacks
    def test_inline_callbacks(self, server):
        radio = yield Radio(server.url).connect()
        listening = yield radio.channel("inline").listen()
        other = yield Radio(server.url).connect()
        yield other.channel("inline").publish({"speed": 12})
        sample = yield listening.get(SECONDS)
        assert sample.data == {"speed": 12}
        yield gatherResults([radio.close(), other.close()])

    @pytest_twisted.ensureDeferred
    async def test_a_loop_that_is_left_listens_no_longer(self, server):
        async def play():
            async for sample in radio.channel("left").listen():
                return sample.data

        async def has(count):
            return await readers(other.channel("left")) == count

        async with radios(server) as (radio, other):
            playing = ensureDeferred(play())
            await until(lambda: has(1))
            await other.channel("left").publish(1)
            assert await playing == 1
            await until(lambda: has(0))

    @pytest_twisted.ensureDeferred
    async def test_no_sample_in_time_and_one_that_is_not_waited_for(self, server):
        async with radios(server) as (radio, other):
            listening = await radio.channel("quiet").listen()
            with pytest.raises(TimeoutError):
                await listening.get(0.05)
            given_up = listening.get()
            given_up.cancel()
            with pytest.raises(CancelledError):
                await given_up
            await other.channel("quiet").publish(1)
            assert (await listening.get(SECONDS)).data == 1

    @pytest_twisted.ensureDeferred
    async def test_a_refusal(self, server):
        async with radios(server) as (radio, _):
            with pytest.raises(CallError, match="not_authorized"):
                await radio.channel("forbidden").listen()

    @pytest_twisted.ensureDeferred
    async def test_callbacks_one_at_a_time_and_in_order(self, server):
        events, done = [], Deferred()

        def callback(sample):
            events.append(("begin", sample.data))
            later = task.deferLater(reactor, 0.001)
            later.addCallback(lambda _: events.append(("end", sample.data)))
            if sample.data == 2:
                later.addCallback(lambda _: 1 / 0)
            if sample.data == 4:
                later.addCallback(done.callback)
            return later

        async with radios(server) as (radio, other):
            await radio.channel("b").subscribe(callback)
            for n in range(5):
                await other.channel("b").publish(n)
            await done
            assert events == [(what, n) for n in range(5) for what in ("begin", "end")]
            assert radio.callback_errors == 1

    @pytest_twisted.ensureDeferred
    async def test_a_burst_is_one_turn_and_loses_nothing(self, server):
        async with radios(server) as (radio, other):
            listening = await radio.channel("burst").listen(size=5000, queue=5000)
            for n in range(3000):
                await other.channel("burst").publish(n, acknowledge=False)
            assert await numbers(listening, 2999) == [(n, None) for n in range(3000)]


class TestAsking:
    @pytest_twisted.ensureDeferred
    async def test_procedures_of_all_kinds(self, server):
        async def coroutine(a):
            await task.deferLater(reactor, 0)
            return a + 2

        async with radios(server) as (radio, other):
            await radio.register("plain", lambda a: a + 1)
            await radio.register("coroutine", coroutine)
            await radio.register("deferred", lambda a: task.deferLater(reactor, 0, lambda: a + 3))
            registered = await radio.register("fails", lambda: 1 / 0)
            for name, result in (("plain", 1), ("coroutine", 2), ("deferred", 3)):
                assert await other.call(name, 0) == result
            with pytest.raises(RemoteError, match="division"):
                await other.call("fails")
            await registered.close()
            with pytest.raises(CallError, match="no_such_procedure"):
                await other.call("fails")
            await cut(radio)
            await until(lambda: works(other, "plain", 1))

    @pytest_twisted.ensureDeferred
    async def test_cancel_reaches_the_callee(self, server):
        canceled, waiting = Deferred(), []

        def hang():
            waiting.append(Deferred(lambda _: canceled.callback(None)))
            return waiting[0]

        async def has_begun():
            return bool(waiting)

        async with radios(server) as (radio, other):
            await radio.register("hang", hang)
            call = other.call("hang")
            await until(has_begun)
            call.cancel()
            await canceled
            with pytest.raises(CancelledError):
                await call

    @pytest_twisted.ensureDeferred
    async def test_a_timeout_is_seconds(self, server):
        async with radios(server) as (radio, other):
            await radio.register("sleep", lambda: Deferred())
            with pytest.raises(CallTimeout):
                await other.call("sleep", timeout=0.2)

    @pytest_twisted.ensureDeferred
    async def test_what_cannot_be_said_leaves_the_session_alone(self, server):
        async with radios(server) as (radio, _):
            session = radio.session
            with pytest.raises(TypeError):
                await radio.channel("x").publish(object())
            assert await radio.channel("x").publish(1)
            assert radio.session == session

    @pytest_twisted.ensureDeferred
    async def test_a_channel_outlives_a_cut_and_is_ours_again(self, server):
        async with radios(server) as (radio, other):
            mine = await radio.create("mine", single_writer=True, history={"size": 10}, lifetime=100)
            assert await mine.extend(200) == mine.expires
            listening = await other.channel("mine").listen()
            await mine.publish(0)
            await cut(radio)
            await mine.publish(1)
            assert await numbers(listening, 1) == [(0, None), (1, None)]
            assert (await mine.latest()).data == 1
            assert [sample.data for sample in await mine.history()] == [0, 1]
            await mine.delete()
            with pytest.raises(CallError):
                await mine.info()


class TestWriting:
    @pytest_twisted.ensureDeferred
    async def test_a_writer_sends_only_what_is_wanted(self, server):
        async with radios(server) as (radio, other):
            async with radio.channel("demand").writer() as writer:
                assert await writer.put(0) is False
                waiting = writer.put(1, wait=True)
                listening = await other.channel("demand").listen()
                assert await waiting is True
                assert writer.wanted
                assert writer.readers == 1
                assert (await listening.get(SECONDS)).data == 1
                await listening.close()
            writer = await radio.channel("unheard").writer()
            assert await writer.wait_wanted(0.05) is False
            await writer.close()
            assert writer.is_closed

    @pytest_twisted.ensureDeferred
    async def test_a_stream(self, server):
        async with radios(server) as (radio, other):
            listening = await other.channel("run").listen()
            async with radio.channel("run").stream("first") as stream:
                await stream.put(1)
            seen = [await listening.get(SECONDS) for _ in range(2)]
            assert [(sample.data, sample.stream["id"]) for sample in seen] == [(1, "first"), (None, "first")]
            assert seen[1].stream["end"] is True


async def readers(channel):
    """How many listen; a topic whose events nobody counts is no channel."""
    try:
        return (await channel.info())["readers"]
    except CallError:
        return 0


async def works(radio, *call):
    try:
        await radio.call(*call)
    except CallError:
        return False
    return True


class Silent(Protocol):
    """Takes connections and says nothing."""

    def connectionMade(self):
        self.over = Deferred()
        self.factory.connections.append(self)

    def connectionLost(self, reason):
        self.over.callback(None)


class TestConnections:
    @pytest_twisted.ensureDeferred
    async def test_cuts_with_a_history_miss_nothing(self, server):
        async with radios(server) as (radio, other):
            listening = await radio.channel("kept").listen()
            for n in range(20):
                if n % 4 == 0:
                    await cut(radio)
                await other.channel("kept").publish(n)
            assert await numbers(listening, 19) == [(n, None) for n in range(20)]

    @pytest_twisted.ensureDeferred
    async def test_what_is_under_way_at_a_cut(self, server):
        states = []
        async with radios(server, on_state=states.append) as (radio, other):
            await other.register("hang", lambda: Deferred())
            call = radio.call("hang")
            # The call is on its way before this one is answered.
            await radio.call("radiod.echo", 1)
            radio._inner.driver.transport.abort()
            with pytest.raises(Disconnected):
                await call
            assert await radio.call("radiod.echo", 2) == 2
        assert states == ["connecting", "open", "waiting", "connecting", "open", "closed"]

    @pytest_twisted.ensureDeferred
    async def test_refused_for_good(self, server):
        with pytest.raises(LoginRefused):
            await Radio(server.url, authid="joe", ticket="wrong").connect()
        async with Radio(server.url, authid="joe", ticket="joe-ticket") as radio:
            assert radio.server["authid"] == "joe"
            assert radio.session

    @pytest_twisted.ensureDeferred
    async def test_nobody_or_something_else_there(self, server):
        for url, text in ((f"http://127.0.0.1:{free_port()}", "refused"), (f"{server.url}/nothing", "404")):
            with pytest.raises(ConnectFailed, match=text):
                await Radio(url).connect()

    @pytest_twisted.ensureDeferred
    async def test_a_server_that_never_answers_and_one_that_is_not_waited_for(self):
        connections = []
        factory = Factory.forProtocol(Silent)
        factory.connections = connections
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        url = f"http://127.0.0.1:{port.getHost().port}"
        with pytest.raises(ConnectFailed, match="no session within"):
            await Radio(url, connect_timeout=0.1).connect()
        for wait in (0, 0.05):
            given_up = Radio(url).connect()
            await task.deferLater(reactor, wait)
            given_up.cancel()
            with pytest.raises(CancelledError):
                await given_up
        await port.stopListening()
        await gatherResults([connection.over for connection in connections])

    @pytest_twisted.ensureDeferred
    async def test_before_and_behind(self, server):
        radio = Radio(server.url)
        assert radio.state == "new"
        with pytest.raises(Disconnected):
            await radio.call("radiod.echo")
        await radio.connect()
        with pytest.raises(RadioError, match="before"):
            await radio.connect()
        waiting = (await radio.channel("x").listen()).get()
        await radio.close()
        with pytest.raises(Disconnected):
            await waiting
        assert radio.state == "closed"

    @pytest_twisted.ensureDeferred
    async def test_close_from_inside_a_callback_and_one_that_hangs(self, server):
        closed = Deferred()

        async def callback(sample):
            await radio.close()
            closed.callback(radio.state)

        radio = await Radio(server.url).connect()
        async with Radio(server.url) as other:
            await radio.channel("closing").subscribe(callback)
            await radio.channel("hanging").subscribe(lambda sample: Deferred())
            for name in ("hanging", "closing"):
                await other.channel(name).publish(1)
            assert await closed == "closed"
            assert radio.callback_errors == 0

    @pytest_twisted.ensureDeferred
    async def test_another_endpoint(self, server, tmp_path):
        path = str(tmp_path / "radio.sock")
        with radiod(tmp_path, configuration(), None, "--listen", f"unix:{path}"):
            endpoint = endpoints.UNIXClientEndpoint(reactor, path)
            async with Radio("http://radio", endpoint=endpoint) as radio:
                assert await radio.call("radiod.echo", 1) == 1

    @pytest_twisted.ensureDeferred
    async def test_tls_and_a_certificate_that_is_for_somebody_else(self, tmp_path):
        ca = Issued("Test CA", is_ca=True)
        leaf = Issued("localhost", issuer=ca)
        for name, data in {"cert": leaf.certificate_pem(), "key": leaf.key_pem()}.items():
            (tmp_path / f"{name}.pem").write_bytes(data)
        port = free_port()
        endpoint = f"ssl:{port}:privateKey={tmp_path}/key.pem:certKey={tmp_path}/cert.pem:interface=127.0.0.1"
        trust = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(ca.certificate_pem())])

        def trusting(host):
            return ssl.optionsForClientTLS(host, trustRoot=trust)

        with radiod(tmp_path, configuration(), None, "--listen", endpoint):
            async with Radio(f"https://localhost:{port}", tls=trusting("localhost")) as radio:
                assert await radio.call("radiod.echo", 1) == 1
            with pytest.raises(ConnectFailed, match=r"certificate.*verify failed"):
                await Radio(f"https://localhost:{port}").connect()
            with pytest.raises(ConnectFailed, match=r"certificate.*127\.0\.0\.1"):
                await Radio(f"https://127.0.0.1:{port}", tls=trusting("127.0.0.1")).connect()


@pytest.mark.parametrize(
    ("how", "gap"), [("terminate", None), ("kill", Gap(None, "history"))], ids=["SIGTERM", "kill -9"]
)
@pytest_twisted.ensureDeferred
async def test_a_restart(tmp_path, how, gap):
    port = free_port()
    text = configuration(f"{KEPT}\n[store]\npath = {json.dumps(str(tmp_path / 'store.sqlite'))}")
    async with contextlib.AsyncExitStack() as stack:
        with radiod(tmp_path, text, port) as server:
            radio = await stack.enter_async_context(Radio(server.url, timeout=SECONDS))
            other = await stack.enter_async_context(Radio(server.url, timeout=SECONDS))
            listening = await radio.channel("kept").listen()
            for n in range(10):
                await other.channel("kept").publish(n)
            assert await numbers(listening, 9) == [(n, None) for n in range(10)]
            sessions = radio.session, other.session
            getattr(server.process, how)()
            server.process.wait(SECONDS)
        with radiod(tmp_path, text, port):
            for each, session in zip((radio, other), sessions, strict=True):
                await another_session(each, session)
            for n in range(10, 12):
                await other.channel("kept").publish(n)
            assert await numbers(listening, 11) == [(10, gap), (11, None)]


def test_trial_finds_a_clean_reactor(server, tmp_path):
    program = ROOT / "tests" / "e2e" / "clients" / "clean_reactor.py"
    command = [sys.executable, "-m", "twisted.trial", str(program)]
    variables = {**PYTHON, "RADIO_URL": server.url}
    ran = subprocess.run(
        command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS * 2
    )
    assert ran.returncode == 0, ran.stdout
    assert "successes=5" in ran.stdout


def test_the_readmes_lines(server):
    """And Twisted's own ``react``, which ends when they have ended."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "clients/python/README.md").read_text(), re.DOTALL)
    code = next(block for block in blocks if "radiod_client.tx" in block)
    code = code.replace("http://127.0.0.1:8080", server.url)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=PYTHON, text=True)
    publish = (
        "import sys; from radiod_client import Radio\n"
        "with Radio(sys.argv[1]) as radio:\n"
        "    while not radio.channel('sample_net').info()['readers']: pass\n"
        "    radio.channel('sample_net').publish({'speed': 12})\n"
    )
    try:
        subprocess.run([sys.executable, "-c", publish, server.url], env=PYTHON, check=True, timeout=SECONDS)
        assert process.stdout.readline() == "{'speed': 12}\n"
        process.send_signal(2)
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
