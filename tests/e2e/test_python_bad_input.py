"""The Python client where things go wrong: strange servers, callbacks that misbehave, forks and Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import msgspec
import numpy as np
import pytest
from radiod_client import ConnectFailed, Disconnected, LoginRefused, Radio, RadioError, aio
from support.access import KEYS
from support.config import configuration
from support.python_clients import PYTHON, SECONDS, cut, numbers, readers, run, wait_for
from support.running import radiod
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import serve

pytestmark = pytest.mark.e2e

BOSS = '[realms.radio.roles.open]\ncall = ["*", "radiod.admin.*"]\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    text = configuration(KEYS + BOSS + "[realms.radio.channels.kept]\nhistory = { size = 10000 }")
    with radiod(tmp_path_factory.mktemp("bad"), text) as server:
        yield server


@pytest.fixture
def radio(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


@pytest.fixture
def other(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


@contextlib.contextmanager
def strange_server(script, subprotocols=("wamp.2.msgpack",)):
    """One that lets everybody in and then does what ``script`` says with each connection. Yields: its URL."""

    def handle(connection):
        connection.recv()
        connection.send(msgspec.msgpack.encode([2, 123, {"realm": "radio", "roles": {}}]))
        script(connection)
        # Until the client has gone.
        with contextlib.suppress(ConnectionClosed):
            while msgspec.msgpack.decode(connection.recv())[0] != 6:
                pass
            connection.send(msgspec.msgpack.encode([6, {}, "wamp.close.goodbye_and_out"]))
            connection.recv()

    with serve(handle, "127.0.0.1", 0, subprotocols=list(subprotocols) or None) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{found.socket.getsockname()[1]}"
        finally:
            found.shutdown()
            thread.join(SECONDS)


@contextlib.contextmanager
def listener(script):
    """A plain socket: ``script`` has its first connection. Yields: its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    script(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(SECONDS)


def until_closed(connection):
    connection.settimeout(SECONDS)
    with contextlib.suppress(OSError):
        while connection.recv(65_536):
            pass


class TestServersThatAreNone:
    @pytest.mark.parametrize(
        "data",
        [
            b"\xff" * 100,
            Frame(Opcode.BINARY, b"\xc1").serialize(mask=False),
            Frame(Opcode.TEXT, b"[36,1,1,{}]").serialize(mask=False),
            Frame(Opcode.BINARY, msgspec.msgpack.encode([36])).serialize(mask=False),
            Frame(Opcode.BINARY, msgspec.msgpack.encode([2, 1, {}])).serialize(mask=False),
            b"\x82\x7f" + (2**40).to_bytes(8, "big"),
        ],
        ids=["noise", "no message", "text", "half a message", "two WELCOMEs", "a terabyte"],
    )
    def test_what_is_no_protocol_is_cut_off_and_tried_again(self, data):
        count = 0

        def script(connection):
            nonlocal count
            count += 1
            if count < 3:
                connection.socket.sendall(data)

        with strange_server(script) as url, Radio(url) as radio:
            wait_for(lambda: count == 3 and radio.state == "open")

    def test_a_frame_that_breaks_off(self):
        count = 0

        def script(connection):
            nonlocal count
            count += 1
            if count < 3:
                connection.socket.sendall(b"\x82\x7e\x10\x00half")
                connection.socket.shutdown(socket.SHUT_RDWR)

        with strange_server(script) as url, Radio(url) as radio:
            wait_for(lambda: count == 3 and radio.state == "open")

    def test_events_of_nobody_are_nothing(self):
        def script(connection):
            for _ in range(100):
                connection.send(msgspec.msgpack.encode([36, 77, 1, {}, [1]]))
            request = msgspec.msgpack.decode(connection.recv())
            connection.send(msgspec.msgpack.encode([50, request[1], {}, ["here"]]))

        with strange_server(script) as url, Radio(url) as radio:
            assert radio.call("anything") == "here"
            assert radio.session == 123

    @pytest.mark.parametrize("subprotocols", [(), ("wamp.2.json",)], ids=["none", "another"])
    def test_another_subprotocol(self, subprotocols):
        with (
            strange_server(lambda connection: None, subprotocols) as url,
            pytest.raises(ConnectFailed, match=r"WAMP|400"),
        ):
            Radio(url).connect()

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_never_answers(self, scheme):
        with listener(until_closed) as port:
            begun = time.monotonic()
            with pytest.raises(ConnectFailed, match=r"0\.3 s"):
                Radio(f"{scheme}://127.0.0.1:{port}", connect_timeout=0.3).connect()
            assert time.monotonic() - begun < SECONDS

    def test_one_that_does_not_say_welcome(self):
        with serve(lambda connection: until_closed(connection.socket), "127.0.0.1", 0) as found:
            thread = threading.Thread(target=found.serve_forever)
            thread.start()
            port = found.socket.getsockname()[1]
            with pytest.raises(ConnectFailed):
                Radio(f"http://127.0.0.1:{port}", connect_timeout=0.3).connect()
            found.shutdown()
            thread.join(SECONDS)

    @pytest.mark.parametrize(
        "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 503 No\r\n\r\n", b"x" * 70_000]
    )
    def test_something_else(self, answer):
        def script(connection):
            connection.recv(65_536)
            connection.sendall(answer)

        with listener(script) as port, pytest.raises(ConnectFailed):
            Radio(f"http://127.0.0.1:{port}", connect_timeout=5).connect()


class TestAccessThatEnds:
    def test_a_ticket_that_was_revoked(self, server, other):
        key = other.call("radiod.admin.key.issue", listen=["*"], call=["*"])
        with Radio(server.url, authid=key["id"], ticket=key["key"]) as radio:
            listening = radio.channel("kept").listen()
            other.call("radiod.admin.key.revoke", key["id"])
            with pytest.raises(LoginRefused, match="revoked"):
                listening.get(SECONDS)
            assert radio.state == "closed"
            with pytest.raises(LoginRefused):
                radio.call("radiod.echo", 1)
        with pytest.raises(LoginRefused, match="revoked"):
            Radio(server.url, authid=key["id"], ticket=key["key"]).connect()

    def test_one_that_is_over(self, server, other):
        key = other.call("radiod.admin.key.issue", listen=["*"], call=["*"], valid_until=1)
        with pytest.raises(LoginRefused, match="expired"):
            Radio(server.url, authid=key["id"], ticket=key["key"]).connect()


class TestCallbacks:
    def test_one_that_hangs_fills_its_queue_and_nothing_else(self, radio, other):
        release, got = threading.Event(), []

        def callback(sample):
            got.append((sample.data, sample.gap))
            release.wait(SECONDS)

        listening = radio.channel("kept").subscribe(callback, queue=5)
        other.channel("kept").publish(0)
        wait_for(lambda: got)
        for n in range(1, 21):
            other.channel("kept").publish(n, acknowledge=n == 20)
        # The network's thread goes on meanwhile.
        assert radio.call("radiod.echo", 1) == 1
        wait_for(lambda: listening._inbox._pending is not None and listening._inbox._pending.lost == 15)
        release.set()
        wait_for(lambda: got[-1][0] == 20)
        assert [data for data, _ in got] == [0, 16, 17, 18, 19, 20]
        assert got[1][1].lost == 15
        assert got[1][1].reason == "queue"
        listening.close()

    def test_one_that_hangs_holds_up_no_close(self, server, other):
        release = threading.Event()
        try:
            with Radio(server.url) as radio:
                for name in ("hang1", "hang2", "hang3"):
                    radio.channel(name).subscribe(lambda sample: release.wait(SECONDS))
                    other.channel(name).publish(1)
                begun = time.monotonic()
            assert time.monotonic() - begun < 15  # And not that for each.
        finally:
            release.set()

    def test_one_that_publishes_calls_and_listens(self, radio, other):
        done = []

        def callback(sample):
            radio.channel("answers").publish(sample.data + 1)
            done.append(radio.call("radiod.echo", sample.data))
            done.append(radio.channel("kept").info()["name"])
            with radio.channel("more").listen():
                pass

        with other.channel("answers").listen() as answers, radio.channel("questions").subscribe(callback):
            for n in range(3):
                other.channel("questions").publish(n)
            assert [answers.get(SECONDS).data for _ in range(3)] == [1, 2, 3]
            wait_for(lambda: len(done) == 6)
        assert done == [0, "kept", 1, "kept", 2, "kept"]

    def test_a_listening_that_is_closed_by_its_own_callback(self, radio, other):
        got = []
        mine = []

        def callback(sample):
            got.append(sample.data)
            mine[0].close()

        mine.append(radio.channel("once").subscribe(callback))
        other.channel("once").publish(1)
        wait_for(lambda: got)
        wait_for(lambda: readers(other.channel("once")) == 0)
        other.channel("once").publish(2)
        assert radio.call("radiod.echo", 1) == 1
        assert got == [1]

    def test_on_state_that_raises_and_closes(self, server, caplog):
        radio = None

        def on_state(state):
            if state == "open":
                radio.close()
            raise ZeroDivisionError

        radio = Radio(server.url, on_state=on_state)
        with contextlib.suppress(RadioError):
            radio.connect()
        wait_for(lambda: radio.state == "closed")
        wait_for(lambda: radio.callback_errors)

    def test_on_asyncio(self, server, other, caplog):
        async def play():
            async with aio.Radio(server.url, timeout=SECONDS) as radio:
                got, gate = [], asyncio.Event()

                async def slow(sample):
                    got.append((sample.data, sample.gap))
                    await gate.wait()
                    await radio.channel("answers").publish(sample.data)
                    if sample.data == 0:
                        raise ZeroDivisionError

                answers = await asyncio.to_thread(other.channel("answers").listen)
                await radio.channel("kept").subscribe(slow, queue=3)
                await asyncio.to_thread(other.channel("kept").publish, 0)
                await asyncio.to_thread(wait_for, lambda: got)
                for n in range(1, 8):
                    await asyncio.to_thread(other.channel("kept").publish, n)
                assert await radio.call("radiod.echo", 1) == 1
                gate.set()
                assert [(await asyncio.to_thread(answers.get, SECONDS)).data for _ in range(4)] == [
                    0,
                    5,
                    6,
                    7,
                ]
                assert radio.callback_errors == 1
                return got

        got = run(play())
        assert got[1][1].lost == 4
        assert "raised" in caplog.text


def test_arrays_anywhere_both_ways(radio, other):
    data = {"deep": [{"a": (np.arange(4, dtype="f4"), np.float32(0.5))}], "flags": np.array([True, False])}
    other.register("twice", lambda array, *, add=0: {"sum": array * 2 + add, "count": np.int16(array.size)})
    answer = radio.call("twice", np.arange(3), add=np.ones(3))
    assert (answer["sum"] == np.arange(3) * 2 + 1).all()
    assert answer["count"] == 3
    other.channel("kept").publish(data)
    got = radio.channel("kept").latest().data
    array, number = got["deep"][0]["a"]
    assert (array.dtype, array.tolist(), number) == (np.float32, [0, 1, 2, 3], 0.5)
    assert got["flags"].tolist() == [True, False]


class TestWhereItRuns:
    def test_in_a_cell_of_a_notebook_where_a_loop_is_running(self, server, other):
        async def cell():
            # As it stands, without await: the blocking face has a loop of its own.
            with Radio(server.url, timeout=SECONDS) as radio:
                listening = radio.channel("kept").listen()
                other.channel("kept").publish("cell")
                return listening.get(SECONDS).data

        assert run(cell()) == "cell"

    def test_in_many_threads(self, radio, other):
        with other.channel("threads").listen(queue=1000) as listening:

            def work(worker):
                for n in range(20):
                    assert radio.call("radiod.echo", [worker, n]) == [worker, n]
                    radio.channel("threads").publish([worker, n])

            threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
            for thread in threads:
                thread.start()
            got = [listening.get(SECONDS).data for _ in range(160)]
            for thread in threads:
                thread.join(SECONDS)
        for worker in range(8):
            assert [n for who, n in got if who == worker] == list(range(20))

    def test_one_listening_shared_by_threads_gives_each_sample_once(self, radio, other):
        got = []
        listening = radio.channel("kept").listen()

        def take():
            for sample in listening:
                if sample.data is None:
                    return
                got.append(sample.data)

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for n in range(50):
            other.channel("kept").publish(n)
        for _ in threads:
            other.channel("kept").publish(None)
        for thread in threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
        assert sorted(got) == list(range(50))

    def test_one_listening_shared_by_tasks_gives_each_sample_once(self, server, other):
        async def play():
            async with aio.Radio(server.url, timeout=SECONDS) as radio:
                listening = await radio.channel("kept").listen()

                async def take():
                    return [(await listening.get(SECONDS)).data for _ in range(10)]

                with pytest.raises(TimeoutError):
                    await listening.get(0.01)
                tasks = [asyncio.ensure_future(take()) for _ in range(3)]
                await asyncio.sleep(0)
                for n in range(30):
                    await asyncio.to_thread(other.channel("kept").publish, n)
                return [n for task in tasks for n in await task]

        assert sorted(run(play())) == list(range(30))

    def test_waiting_in_vain_leaves_nothing(self, radio):
        listening = radio.channel("quiet").listen()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                listening.get(0.001)
        with pytest.raises(TimeoutError):
            listening.get(0)
        assert listening._inbox._wakes == []

    def test_behind_a_fork(self, server, other):
        code = f"""
import os
from radiod_client import Radio, RadioError
with Radio({server.url!r}) as radio:
    listening = radio.channel("kept").listen()
    pid = os.fork()
    if not pid:
        told = 0
        for action in (lambda: radio.call("radiod.echo", 1), listening.get, lambda: next(listening),
                       lambda: radio.channel("x").listen(), lambda: radio.channel("x").publish(1)):
            try:
                action()
            except RadioError as error:
                told += "fork" in str(error)
        radio.close()
        with Radio({server.url!r}) as own:
            own.channel("kept").publish("of the child")
        os._exit(told)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), listening.get(30).data)
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env=PYTHON,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.stdout == "5 of the child\n", done.stderr

    @pytest.mark.parametrize(
        "what",
        [
            "next(radio.channel('ctrlc').listen())",
            "radio.call('hang')",
            "radio.channel('ctrlc2').writer().wait_wanted()",
        ],
        ids=["listening", "calling", "waiting for demand"],
    )
    def test_ctrl_c_ends_it_with_nothing_left(self, server, other, what):
        called = threading.Event()
        release = threading.Event()
        registered = other.register("hang", lambda: (called.set(), release.wait(SECONDS)))
        code = f"""
import threading
from radiod_client import Radio
try:
    with Radio({server.url!r}) as radio:
        print("ready", flush=True)
        {what}
finally:
    print(threading.active_count(), flush=True)
"""
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=PYTHON,
            text=True,
        )
        try:
            assert process.stdout.readline() == "ready\n"
            if "hang" in what:
                assert called.wait(SECONDS)
            elif "listen" in what:
                wait_for(lambda: readers(other.channel("ctrlc")))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            process.wait()
            release.set()
            registered.close()
        assert output == "1\n"
        assert "KeyboardInterrupt" in errors
        assert process.returncode == -signal.SIGINT

    def test_close_leaves_no_task_and_no_socket(self, server, other):
        before = len(os.listdir("/proc/self/fd"))

        async def play():
            radio = await aio.Radio(server.url).connect()
            await radio.channel("kept").subscribe(print)
            await radio.register("nothing", lambda: None)
            listening = await radio.channel("x").listen()
            async with radio.channel("x").writer():
                pass
            radio._driver.transport.abort()
            await radio.close()
            with pytest.raises(Disconnected):
                await listening.get()

        run(play())
        wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before)

    def test_while_it_tries_to_come_back(self, server):
        port_taken = socket.create_server(("127.0.0.1", 0))
        with strange_server(lambda connection: None) as url:
            radio = Radio(url).connect()
        wait_for(lambda: radio.state in ("waiting", "connecting"))
        before = time.monotonic()
        radio.close()
        assert time.monotonic() - before < 5
        assert radio.state == "closed"
        port_taken.close()


def test_a_listener_that_lasts_sees_order_over_cuts_of_everybody(radio, other):
    listening = radio.channel("kept").listen()
    for n in range(30):
        if n % 5 == 0:
            cut(other)
        if n % 7 == 0:
            cut(radio)
        other.channel("kept").publish(n)
    assert numbers(listening, 29) == [(n, None) for n in range(30)]
