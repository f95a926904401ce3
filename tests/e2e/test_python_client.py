"""The Python client against the real server: the README's lines, restarts, cuts, threads, what is left."""

import asyncio
import contextlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from radiod_client import (
    CallError,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    Gap,
    LoginRefused,
    Radio,
    RadioError,
    RemoteError,
    aio,
)
from support.config import configuration
from support.python_clients import PYTHON, SECONDS, cut, numbers, readers, wait_for
from support.running import ROOT, free_port, radiod
from support.tls import Issued

pytestmark = pytest.mark.e2e

KEY = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEY)).public_key().public_bytes_raw().hex()
USERS = f"""
[realms.radio.users.ann]
role = "open"
wampcra = {{ secret = "ann-secret" }}

[realms.radio.users.amy]
role = "open"
wampcra = {{ secret = "amy-secret", salt = "salt", iterations = 100, keylen = 32 }}

[realms.radio.users.kim]
role = "open"
cryptosign = ["{PUBLIC}"]
"""
CHANNELS = """
[realms.radio.channels.kept]
history = { size = 10000 }

[realms.radio.channels.log]
durable = true
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    text = configuration(USERS + CHANNELS.partition("[realms.radio.channels.log]")[0])
    with radiod(tmp_path_factory.mktemp("python"), text) as server:
        yield server


@pytest.fixture
def radio(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


@pytest.fixture
def other(server):
    with Radio(server.url, serializer="json", timeout=SECONDS) as radio:
        yield radio


@pytest.mark.parametrize("block", [0, 1], ids=["blocking", "asyncio"])
def test_the_five_lines_of_the_readme(server, other, block):
    lines = re.findall(r"```python\n(.*?)```", (ROOT / "clients/python/README.md").read_text(), re.DOTALL)[
        block
    ]
    code = lines.replace("http://127.0.0.1:8080", server.url)
    if block:
        first, _, rest = code.partition("\n")
        inside = "".join(f"    {line}\n" for line in rest.splitlines())
        code = f"import asyncio\n{first}\nasync def main():\n{inside}asyncio.run(main())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=PYTHON, text=True)
    try:
        wait_for(lambda: readers(other.channel("sample_net")) == 1)
        other.channel("sample_net").publish({"speed": 12})
        assert process.stdout.readline() == "{'speed': 12}\n"
        # As with Ctrl-C.
        process.send_signal(2)
        assert process.wait(SECONDS) != 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("how", "kept", "gap"),
    [("terminate", ["kept", "log", "other"], None), ("kill", ["log"], Gap(None, "reconnect"))],
    ids=["SIGTERM", "kill -9"],
)
def test_a_restart_misses_and_repeats_nothing(tmp_path, how, kept, gap):
    port = free_port()
    text = configuration(f"{CHANNELS}\n[store]\npath = {json.dumps(str(tmp_path / 'store.sqlite'))}")
    channels = ["kept", "log", "other"]
    with contextlib.ExitStack() as stack:
        with radiod(tmp_path, text, port) as server:
            radio = stack.enter_context(Radio(server.url, timeout=SECONDS))
            listening = {name: radio.channel(name).listen() for name in channels}
            with Radio(server.url) as publisher:
                for n in range(100):
                    for name in channels:
                        publisher.channel(name).publish(n, acknowledge=n == 99)
            # What was published on a channel without history must have come before the server goes.
            assert numbers(listening["other"], 99) == [(n, None) for n in range(100)]
            getattr(server.process, how)()
            server.process.wait(SECONDS)
        with radiod(tmp_path, text, port) as server, Radio(server.url) as publisher:
            # Some before it is back, some behind.
            for n in range(100, 150):
                publisher.channel("log").publish(n)
                publisher.channel("kept").publish(n)
            wait_for(lambda: readers(publisher.channel("other")))
            for n in range(100, 102):
                publisher.channel("other").publish(n)
            for name in set(kept) - {"other"}:
                assert numbers(listening[name], 149) == [(n, None) for n in range(150)]
            # Nothing was missed there; but behind a crash nobody can know.
            assert numbers(listening["other"], 101) == [(100, gap), (101, None)]


class TestCuts:
    def test_with_a_history_nothing_is_missed(self, radio, other):
        listening = radio.channel("kept").listen()
        for n in range(40):
            if n % 4 == 0:
                cut(radio)
            other.channel("kept").publish(n)
        assert numbers(listening, 39) == [(n, None) for n in range(40)]

    def test_without_one_told_losses_are_the_real_ones(self, radio, other):
        listening = radio.channel("uncounted").listen()
        count = 0
        for turn in range(10):
            other.channel("uncounted").publish(count)
            count += 1
            thread = threading.Thread(target=cut, args=(radio,))
            thread.start()
            for _ in range(turn):
                other.channel("uncounted").publish(count)
                count += 1
            thread.join()
            wait_for(lambda: radio._radio._driver.core.lasting.subscriptions["uncounted"]._id)
        other.channel("uncounted").publish(count)
        expected = 0
        for data, gap in numbers(listening, count):
            assert data == expected + (gap.lost if gap else 0)
            expected = data + 1
        assert expected == count + 1


class TestPublishing:
    def test_arrays_numbers_and_bytes_of_both_serializers(self, radio, other):
        data = {"a": np.arange(6.0).reshape(2, 3), "f": np.float32(1.5), "n": np.int64(3), "b": b"\x00\xff"}
        for publisher, listener in ((radio, other), (other, radio)):
            with listener.channel("arrays").listen() as listening:
                publisher.channel("arrays").publish(data)
                got = listening.get(SECONDS).data
            assert (got["a"] == data["a"]).all()
            assert (got["f"], got["n"], got["b"]) == (1.5, 3, b"\x00\xff")

    @pytest.mark.parametrize(
        "data", [object(), {"a": [object()]}, 2**80, "\ud800"], ids=["object", "inner object", "big", "half"]
    )
    def test_what_cannot_be_said_leaves_the_session_alone(self, radio, data):
        session = radio.session
        with pytest.raises((TypeError, ValueError)):
            radio.channel("x").publish(data)
        assert radio.channel("x").publish(1)
        assert radio.session == session

    def test_nan_is_no_json(self, other):
        with pytest.raises(ValueError, match="msgpack"):
            other.channel("x").publish([float("nan")])

    def test_without_acknowledgement(self, radio, other):
        with other.channel("x").listen() as listening:
            assert radio.channel("x").publish(7, acknowledge=False) is None
            assert listening.get(SECONDS).data == 7

    def test_a_refusal_has_its_uri(self, radio):
        with pytest.raises(CallError) as caught:
            radio.channel("forbidden").publish(1)
        assert caught.value.uri == "wamp.error.not_authorized"


class TestListening:
    def test_the_past(self, radio, other):
        other.channel("kept").publish("first")
        other.channel("kept").publish("second")
        latest = radio.channel("kept").latest()
        assert latest.data == "second"
        assert radio.channel("kept").history()[-1] == latest
        with radio.channel("kept").listen(last=1) as listening:
            assert listening.get(SECONDS).position == latest.position

    def test_a_loop_that_is_left_listens_no_longer(self, radio, other):
        threading.Timer(0.2, lambda: other.channel("left").publish(1)).start()
        for _ in radio.channel("left").listen():
            break
        wait_for(lambda: readers(other.channel("left")) == 0)

    def test_callbacks_that_raise_go_on(self, radio, other):
        got = []

        def callback(sample):
            got.append((sample.data, threading.current_thread().name))
            raise ZeroDivisionError

        with radio.channel("calls").subscribe(callback):
            for n in range(3):
                other.channel("calls").publish(n)
            wait_for(lambda: radio.callback_errors == 3)
        assert got == [(n, "radiod_client calls") for n in range(3)]

    def test_no_sample_in_time(self, radio):
        with radio.channel("quiet").listen() as listening, pytest.raises(TimeoutError):
            listening.get(0.05)

    def test_a_refusal(self, radio):
        with pytest.raises(CallError, match="not_authorized"):
            radio.channel("forbidden").listen()


class TestCreating:
    def test_a_channel_outlives_a_cut_and_is_ours_again(self, radio, other):
        mine = radio.create("mine", single_writer=True, history={"size": 10}, lifetime=100)
        assert mine.extend(200) == mine.expires
        with other.channel("mine").listen() as listening:
            for n in range(3):
                mine.publish(n)
                cut(radio)
            # Whoever publishes first behind a cut is the writer.
            mine.publish(3)
            with pytest.raises(CallError, match="not_authorized"):
                other.channel("mine").publish(0)
            assert numbers(listening, 3) == [(n, None) for n in range(4)]
        mine.delete()
        with pytest.raises(CallError, match=r"no_such_channel|channel_closed"):
            mine.info()

    def test_a_private_one_is_for_those_who_have_its_key(self, radio, other):
        mine = radio.create("secret", public=False, history={"size": 10})
        with pytest.raises(CallError, match="bad_key"):
            other.channel("secret", "wrong").listen()
        listening = other.channel("secret", mine.key).listen()
        cut(other)
        mine.publish(1)
        assert listening.get(SECONDS).data == 1


class TestCalls:
    def test_there_and_back(self, radio, other):
        radio.register("add", lambda a, b=0: a + b)
        assert other.call("add", 1, b=2) == 3
        cut(radio)
        wait_for(lambda: _works(lambda: other.call("add", 1)))

    def test_an_exception_arrives(self, radio, other):
        radio.register("divide", lambda a, b: a / b)
        with pytest.raises(RemoteError) as caught:
            other.call("divide", 1, 0)
        assert (caught.value.type, caught.value.message) == ("ZeroDivisionError", "division by zero")

    def test_a_timeout_is_seconds(self, radio, other):
        release = threading.Event()
        radio.register("sleep", lambda: release.wait(SECONDS))
        with pytest.raises(CallTimeout):
            other.call("sleep", timeout=0.2)
        release.set()


def _works(action):
    try:
        action()
    except CallError:
        return False
    return True


class TestConnecting:
    def test_nothing_is_left(self, server):
        before = threading.active_count(), len(os.listdir("/proc/self/fd"))
        states = []
        for _ in range(3):
            with Radio(server.url, on_state=states.append) as radio:
                radio.channel("x").subscribe(print)
        assert states == ["connecting", "open", "closed"] * 3
        wait_for(
            lambda: threading.active_count() <= before[0] and len(os.listdir("/proc/self/fd")) <= before[1]
        )

    def test_a_wrong_ticket_and_a_right_one(self, server):
        with pytest.raises(LoginRefused):
            Radio(server.url, authid="joe", ticket="wrong").connect()
        with Radio(server.url, authid="joe", ticket="joe-ticket") as radio:
            assert radio.server["authid"] == "joe"

    def test_secrets_and_keys_that_are_never_sent(self, server):
        for authid, secret in (("ann", "ann-secret"), ("amy", "amy-secret")):
            with Radio(server.url, authid=authid, secret=secret) as radio:
                assert radio.server["authmethod"] == "wampcra"
        with Radio(server.url, private_key=KEY) as radio:
            assert radio.server["authid"] == "kim"
        for wrong in ({"authid": "ann", "secret": "x"}, {"private_key": KEY[::-1]}):
            with pytest.raises(LoginRefused):
                Radio(server.url, **wrong).connect()

    @pytest.mark.parametrize(
        "wrong",
        [{"private_key": "00"}, {"ticket": "of nobody"}, {"serializer": "xml"}, {"url": "ftp://host"}],
        ids=str,
    )
    def test_what_cannot_be(self, wrong):
        with pytest.raises(ValueError):
            Radio(**{"url": "http://host", **wrong})

    def test_nobody_there(self):
        with pytest.raises(ConnectFailed):
            Radio(f"http://127.0.0.1:{free_port()}").connect()

    def test_something_else_there(self, server):
        with pytest.raises(ConnectFailed, match="404"):
            Radio(f"{server.url}/nothing").connect()

    def test_before_and_behind(self, server):
        radio = Radio(server.url)
        with pytest.raises(Disconnected):
            radio.call("radiod.echo")
        radio.connect().close()
        with pytest.raises(Disconnected):
            radio.channel("x").listen()

    def test_a_child_is_told(self, radio):
        pid = os.fork()
        if not pid:
            try:
                radio.call("radiod.echo", 1)
            except RadioError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(pid, 0)[1] == 0


def test_asyncio_does_the_same(server, other):
    async def play():
        async with aio.Radio(server.url) as radio:
            listening = await radio.channel("aio").listen()
            got = []
            await radio.channel("aio2").subscribe(lambda sample: got.append(sample.data))
            await asyncio.to_thread(other.channel("aio").publish, 1)
            assert (await listening.get(SECONDS)).data == 1
            await asyncio.to_thread(other.channel("aio2").publish, 2)
            radio._driver.transport.abort()
            with pytest.raises(Disconnected):
                await radio.call("radiod.echo", 3)
            assert await radio.call("radiod.echo", 3) == 3
            waiting = asyncio.ensure_future(listening.get())
            await asyncio.sleep(0)
            await radio.close()
            with pytest.raises(Disconnected):
                await waiting
            return got

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(play()) == [2]
        assert not asyncio.all_tasks(loop)
    finally:
        loop.close()


def test_a_procedure_that_hangs_holds_up_no_close(server, other):
    release = threading.Event()
    try:
        with Radio(server.url) as radio:
            radio.register("hang", lambda: release.wait(SECONDS))
            with pytest.raises(CallTimeout):
                other.call("hang", timeout=0.1)
            begun = time.monotonic()
        assert time.monotonic() - begun < 5
    finally:
        release.set()


def test_tls_and_a_certificate_that_is_for_somebody_else(tmp_path):
    ca = Issued("Test CA", is_ca=True)
    leaf = Issued("localhost", issuer=ca)
    for name, data in {
        "ca": ca.certificate_pem(),
        "cert": leaf.certificate_pem(),
        "key": leaf.key_pem(),
    }.items():
        (tmp_path / f"{name}.pem").write_bytes(data)
    port = free_port()
    endpoint = f"ssl:{port}:privateKey={tmp_path}/key.pem:certKey={tmp_path}/cert.pem:interface=127.0.0.1"
    with radiod(tmp_path, configuration(), None, "--listen", endpoint):
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with Radio(f"https://localhost:{port}", tls=trusting) as radio:
            assert radio.call("radiod.echo", 1) == 1
        with pytest.raises(ConnectFailed, match="certificate"):
            Radio(f"https://localhost:{port}").connect()
        with pytest.raises(ConnectFailed, match=r"certificate.*127\.0\.0\.1"):
            Radio(f"https://127.0.0.1:{port}", tls=trusting).connect()
        with pytest.raises(ConnectFailed):
            Radio(f"http://127.0.0.1:{port}", connect_timeout=2).connect()


def test_close_from_inside_a_callback(server, other):
    radio = Radio(server.url).connect()
    closed = threading.Event()
    radio.channel("closing").subscribe(lambda sample: (radio.close(), closed.set()))
    other.channel("closing").publish(1)
    assert closed.wait(SECONDS)
    assert radio.state == "closed"

    async def play():
        radio = await aio.Radio(server.url).connect()
        done = asyncio.Event()

        async def callback(sample):
            await radio.close()
            done.set()

        await radio.channel("closing").subscribe(callback)
        await asyncio.to_thread(other.channel("closing").publish, 1)
        await asyncio.wait_for(done.wait(), SECONDS)
        return radio.state

    assert asyncio.run(play()) == "closed"
