"""The R client against the real server: its own tests, the README, restarts, stalls, arrays, Ctrl-C."""

import base64
import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from radiod_client import CallError, Radio
from radiod_client.arrays import WRITTEN, encode
from support.config import configuration
from support.running import ROOT, environment, free_port, radiod

SECONDS = 60
PACKAGE = ROOT / "clients" / "r"
AGENT = ROOT / "tests" / "e2e" / "clients" / "radiod_agent.R"
PACKAGES = ("curl", "jsonlite", "testthat")

CONFIG = """
[realms.radio.keys.test]
key = "test-key"
publish = ["*"]
listen = ["*"]
call = ["*"]

[realms.radio.keys.narrow]
key = "narrow-key"
publish = ["test.*"]

[realms.radio.channels."test.kept"]
history = { size = 10000 }

[realms.radio.channels.kept]
history = { size = 10000 }

[realms.radio.channels.log]
durable = true

[realms.radio.channels.interrupted]
history = { size = 5 }

[realms.radio.channels.short]
history = { size = 5 }
"""

pytestmark = pytest.mark.e2e


def has_r():
    if shutil.which("Rscript") is None:
        return False
    wanted = f"for (one in c{PACKAGES}) library(one, character.only = TRUE)"
    return subprocess.run(["Rscript", "-e", wanted], capture_output=True, timeout=SECONDS).returncode == 0


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Where the package is installed, as its users install it."""
    if not has_r():
        pytest.skip(f"no language: R with {', '.join(PACKAGES)} is not installed")
    folder = tmp_path_factory.mktemp("library")
    command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={folder}", str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def variables(library):
    # The plainest of locales: what is UTF-8 must not depend on it.
    return {**environment(), "R_LIBS": str(library), "LC_ALL": "C"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("r"), config(tmp_path_factory.mktemp("store"))) as server:
        yield server


def config(folder):
    return configuration(f"{CONFIG}\n[store]\npath = {json.dumps(str(folder / 'store.sqlite'))}")


class Agent:
    """A program of R's that does as it is told."""

    def __init__(self, process):
        self.process = process
        self.is_busy = False
        self.samples = []
        self.warnings = []

    def begin(self, do, **task):
        self.is_busy = True
        self.samples, self.warnings = [], []
        self.process.stdin.write(json.dumps({"do": do, **task}) + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line, "the agent has ended"
        return json.loads(line)

    def sample(self):
        """The next one, as (data, lost)."""
        told = self.read()
        while "warning" in told:
            self.warnings.append(told)
            told = self.read()
        assert "sample" in told, told
        sample = told["sample"]
        return sample["data"], sample["lost"]

    def heard(self, count):
        return [self.sample() for _ in range(count)]

    def result(self):
        """What a task comes to; samples before it are kept."""
        while "sample" in (told := self.read()) or "warning" in told:
            if "sample" in told:
                self.samples.append(told["sample"])
            else:
                self.warnings.append(told)
        self.is_busy = False
        return told

    def do(self, do, **task):
        self.begin(do, **task)
        return self.result()

    def rest(self):
        """Whether it is ready for another test."""
        return not self.is_busy and self.process.poll() is None


@pytest.fixture(scope="module")
def pool(variables):
    """Agents that have nothing to do: each costs half a second to start."""
    with contextlib.ExitStack() as stack:
        idle = []

        def take():
            if idle:
                return idle.pop()
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            process = stack.enter_context(
                subprocess.Popen(["Rscript", str(AGENT)], **pipes, env=variables, text=True)
            )
            stack.callback(process.kill)
            agent = Agent(process)
            assert agent.read() == {"ready": True}
            return agent

        yield take, idle


@pytest.fixture
def agent(pool):
    take, idle = pool
    taken = []

    def start(url, key="test-key", silence=45):
        agent = take()
        taken.append(agent)
        # A test that waits for nothing fails, and does not hang.
        agent.timer = threading.Timer(2 * SECONDS, agent.process.kill)
        agent.timer.start()
        asked = {"url": url, "silence": silence, **({"key": key} if key else {})}
        assert agent.do("radio", **asked) == {"done": True}
        return agent

    yield start
    for one in taken:
        one.timer.cancel()
        if one.rest():
            idle.append(one)
        else:
            one.process.kill()


@pytest.fixture
def other(server):
    with Radio(server.url, timeout=SECONDS) as radio:
        yield radio


def wait_for(is_so):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def readers(radio, channel):
    """How many listen to it, also where nobody counts its events."""
    try:
        return radio.call(
            "wamp.subscription.count_subscribers", radio.call("wamp.subscription.lookup", channel)
        )
    except CallError:
        return 0


@pytest.mark.soak
def test_the_package_is_checked_without_a_note(tmp_path, server, variables):
    profile = tmp_path / "profile"
    # A registry that has nothing: it would be asked for what is here.
    (tmp_path / "registry" / "src" / "contrib").mkdir(parents=True)
    (tmp_path / "registry" / "src" / "contrib" / "PACKAGES").touch()
    profile.write_text(f'options(repos = c(CRAN = "{(tmp_path / "registry").as_uri()}"))\n')
    settings = {
        **variables,
        "RADIOD_TEST_URL": server.url,
        "R_PROFILE_USER": str(profile),
        "LC_ALL": "C.UTF-8",
    }
    run = {"cwd": tmp_path, "env": settings, "capture_output": True, "text": True, "timeout": 4 * SECONDS}
    built = subprocess.run(["R", "CMD", "build", str(PACKAGE)], **run)
    assert built.returncode == 0, built.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    checked = subprocess.run(["R", "CMD", "check", "--no-manual", archive.name], **run)
    tests = tmp_path / "radiod.Rcheck" / "tests"
    said = "".join(file.read_text() for file in tests.glob("*.Rout*"))
    assert checked.stdout.rstrip().endswith("Status: OK"), checked.stdout + said
    assert re.search(r"FAIL 0 \| WARN 0 \| SKIP 0 ", said), said


def test_the_five_lines_of_the_readme(server, other, variables):
    (lines,) = re.findall(r"```r\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)[:1]
    code = lines.replace("http://127.0.0.1:8080", server.url)
    assert len(code.strip().splitlines()) <= 5
    with subprocess.Popen(
        ["Rscript", "-e", code], stdout=subprocess.PIPE, env=variables, text=True
    ) as process:
        try:
            wait_for(lambda: readers(other, "sample_net") == 1)
            other.channel("sample_net").publish({"speed": 12})
            assert [process.stdout.readline() for _ in range(2)] == ["$speed\n", "[1] 12\n"]
            # As with Ctrl-C.
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) != 0
        finally:
            process.kill()


@pytest.mark.soak
@pytest.mark.parametrize("how", ["terminate", "kill"], ids=["SIGTERM", "kill -9"])
def test_a_restart_misses_and_repeats_nothing(tmp_path, agent, how):
    """Behind kill -9 what was in memory is gone, and nobody can know what was missed: that is told, too."""
    port, is_kind = free_port(), how == "terminate"
    kept = ["kept", "log"] if is_kind else ["log"]
    channels = ["kept", "log", "other"]
    agents = {}
    with radiod(tmp_path, config(tmp_path), port) as server, Radio(server.url) as publisher:
        for name in channels:
            agents[name] = agent(server.url)
            agents[name].begin(
                "listen", channel=name, n=40 if name in kept else 22 if name == "other" else 21
            )
        # One that is cut off before its first sample, and one that listens to several channels.
        publisher.channel("test.kept").publish("before")
        unheard, several, writer = agent(server.url), agent(server.url), agent(server.url)
        unheard.begin("listen", channel="test.kept", n=1)
        several.begin("listen", channel=["log", "test.kept"], n=43)
        for name, count in (("kept", 1), ("log", 2), ("other", 1), ("test.kept", 2)):
            wait_for(lambda name=name, count=count: readers(publisher, name) == count)
        assert writer.do("publish", channel="written", data={"n": 1}) == {"done": 0}
        for n in range(20):
            for name in channels:
                publisher.channel(name).publish(n)
        # What was published on a channel without history must have come before the server goes.
        assert agents["other"].heard(20) == [(n, 0) for n in range(20)]
        if not is_kind:
            assert agents["kept"].heard(20) == [(n, 0) for n in range(20)]
        getattr(server.process, how)()
        server.process.wait(SECONDS)
    # It is sent until there is a server.
    writer.begin("publish", channel="log", data={"n": 2})
    with radiod(tmp_path, config(tmp_path), port) as server, Radio(server.url) as publisher:
        assert "done" in writer.result()
        # Some before it is back, some behind.
        for n in range(20, 39):
            for name in kept:
                publisher.channel(name).publish(n)
        wait_for(lambda: readers(publisher, "other"))
        publisher.channel("other").publish(20)
        publisher.channel("other").publish(21)
        # Nobody can know what came on a channel without positions.
        assert agents["other"].heard(2) == [(20, "NA"), (21, 0)]
        on_log = [(n, 0) for n in range(20)] + [({"n": 2}, 0)] + [(n, 0) for n in range(20, 39)]
        assert agents["log"].heard(40) == on_log
        wait_for(lambda: readers(publisher, "test.kept") == 2)
        publisher.channel("test.kept").publish("behind")
        assert unheard.sample() == ("behind", 0 if is_kind else "NA")
        heard = several.heard(41)
        assert [one for one in heard if one[0] != "behind"] == on_log
        assert [lost for data, lost in heard if data == "behind"] == [0 if is_kind else "NA"]
        if is_kind:
            publisher.channel("kept").publish(39)
            assert agents["kept"].heard(40) == [(n, 0) for n in range(40)]
        else:
            wait_for(lambda: readers(publisher, "kept"))
            publisher.channel("kept").publish(20)
            assert agents["kept"].sample() == (20, "NA")


class TestSlowness:
    def test_who_is_slow_catches_up_out_of_the_history(self, server, other, agent):
        listener = agent(server.url)
        count = flood(other, "kept", listener, pause=1)
        heard = [listener.sample() for _ in range(count)]
        assert heard == [([n, PADDING], 0) for n in range(count)]

    @pytest.mark.soak
    def test_what_the_history_has_dropped_is_told(self, server, other, agent):
        listener = agent(server.url)
        count = flood(other, "short", listener, pause=1)
        assert_told(listener, count)

    @pytest.mark.soak
    def test_what_the_buffer_has_dropped_is_told(self, server, other, agent):
        listener = agent(server.url)
        count = flood(other, "kept", listener, pause=1, settings={"size": 10})
        assert_told(listener, count)

    @pytest.mark.soak
    def test_so_it_is_without_a_history(self, server, other, agent):
        listener = agent(server.url)
        count = flood(other, "nothing_kept", listener, pause=1)
        assert_told(listener, count)


PADDING = "x" * 8000


def flood(radio, channel, listener, pause, **task):
    """More than sockets and a buffer hold, while the listener is busy with its first. Returns: how many."""
    listener.begin("listen", channel=channel, slow_first=pause, **task)
    wait_for(lambda: readers(radio, channel) >= 1)
    count = 2000
    for n in range(count - 1):
        radio.channel(channel).publish([n, PADDING], acknowledge=n % 20 == 19)
    wait_for(lambda: readers(radio, channel) >= 1)
    radio.channel(channel).publish([count - 1, PADDING])
    return count


def assert_told(listener, count):
    expected = total = 0
    while expected < count:
        (n, _), lost = listener.sample()
        assert n == expected + lost
        total += lost
        expected = n + 1
    assert total > 0


def test_the_first_sample_after_a_window_tells_how_many_it_missed(server, other, agent):
    listener = agent(server.url)
    channel = other.channel("short")
    channel.publish("first")
    position = listener.do("latest", channel="short")["done"]["position"]
    for n in range(10):
        channel.publish(n)
    found = listener.do("history", channel="short", after=position)["done"]
    assert [(sample["data"], sample["lost"]) for sample in found] == [(5, 5), (6, 0), (7, 0), (8, 0), (9, 0)]
    listener.do("listen", channel="short", after=position, n=2)
    assert [(sample["data"], sample["lost"]) for sample in listener.samples] == [(5, 5), (6, 0)]


def test_ctrl_c_ends_a_listening_and_leaves_the_radio_usable(server, other, agent):
    listener = agent(server.url)
    # The second one is interrupted as soon as the server knows it: it opens yet, perhaps.
    for channel in ("quiet_one", "interrupted"):
        listener.begin("listen", channel=channel)
        wait_for(lambda channel=channel: readers(other, channel) == 1)
        listener.process.send_signal(signal.SIGINT)
        assert listener.result() == {"interrupted": True}
        # The connection is not left behind.
        wait_for(lambda channel=channel: readers(other, channel) == 0)
    assert listener.do("publish", channel="test.kept", data={"n": 1}) == {"done": 0}


class Stalling:
    """A proxy that passes everything on, until it does not."""

    def __init__(self, port):
        self._port = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self.is_stalled = False
        self.accepted = 0
        self._sockets = [self._door]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self._door.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._port))
                self.accepted += 1
                self._sockets += [near, far]
                for one, another in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._pass, args=(one, another, self.accepted), daemon=True
                    ).start()

    def _pass(self, source, sink, number):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.is_stalled and number <= self.stalled:
                    continue
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def stall(self):
        """The connections that are there, for good."""
        self.stalled = self.accepted
        self.is_stalled = True

    def close(self):
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.mark.soak
def test_a_line_that_is_dead_without_a_word_is_given_up(server, other, agent):
    with contextlib.closing(Stalling(server.port)) as proxy:
        listener = agent(f"http://127.0.0.1:{proxy.port}", silence=2)
        listener.begin("listen", channel="kept")
        wait_for(lambda: readers(other, "kept") == 1)
        other.channel("kept").publish("before")
        assert listener.sample() == ("before", 0)
        proxy.stall()
        other.channel("kept").publish("meanwhile")
        assert listener.sample() == ("meanwhile", 0)


def test_the_time_is_over_while_there_is_no_server(tmp_path, agent):
    with radiod(tmp_path, config(tmp_path)) as server, Radio(server.url) as publisher:
        listener = agent(server.url)
        listener.begin("listen", channel="kept", timeout=3)
        wait_for(lambda: readers(publisher, "kept") == 1)
        publisher.channel("kept").publish(1)
        sample = listener.read()["sample"]
        server.process.kill()
        server.process.wait(SECONDS)
        assert listener.result() == {"done": sample["position"]}
    assert "radiod_disconnected" in listener.warnings[0]["warning"]


class TestRequests:
    @pytest.mark.parametrize(
        ("key", "task", "status", "said"),
        [
            ("", {"channel": "test.a", "data": {"n": 1}}, 400, "API-KEY missing"),
            ("wrong", {"channel": "test.a", "data": {"n": 1}}, 400, "API-KEY not valid"),
            ("narrow-key", {"channel": "else", "data": {"n": 1}}, 403, "cannot broadcast"),
            ("narrow-key", {"channel": "else", "data": 1}, 200, "not_authorized"),
            ("test-key", {"channel": "no uri", "data": {"n": 1}}, 400, "URI"),
            ("test-key", {"channel": "test.a", "data": {"n": 1}, "channel_key": "x"}, 403, ""),
        ],
    )  # fmt: skip
    def test_refusals_are_conditions(self, server, agent, key, task, status, said):
        told = agent(server.url, key).do("publish", **task)
        assert "radiod_refused" in told["error"]
        assert (told["status"], said in told["message"]) == (status, True), told

    def test_a_call_that_takes_too_long(self, server, other, agent):
        release = threading.Event()
        other.register("test.slow", lambda: release.wait(SECONDS))
        told = agent(server.url).do("call", procedure="test.slow", timeout=0.3)
        release.set()
        assert {"radiod_timeout", "radiod_call_error"} < set(told["error"])
        assert told["uri"] == "wamp.error.timeout"

    def test_a_call_of_another_clients_procedure(self, server, other, agent):
        other.register("test.add", lambda a, b: a + b)
        assert agent(server.url).do("call", procedure="test.add", args={"a": 1, "b": 2}) == {"done": 3}


def ndjson(value):
    """As radiod says it in JSON, binary data in base64 behind a NUL; the agent leaves the NUL out."""
    return value | {"data": "\0" + base64.b64encode(value["data"]).decode()}


def decoded(agent, values):
    return agent.do("decode", values=values)["done"]


def number(told):
    return float.fromhex(told) if isinstance(told, str) else told


def numbers(found):
    """R's elements, in C order."""
    flat = [
        [float.fromhex(one) if isinstance(one, str) else one for one in listed(found, part)] for part in PARTS
    ]
    re, im, values = flat
    array = np.array(re) + 1j * np.array(im) if re else np.array(values)
    shape = found["dim"] if isinstance(found["dim"], list) else None
    if shape:
        array = array.reshape(shape, order="F")
    return array


PARTS = ("re", "im", "values")


def listed(found, part):
    value = found.get(part, [])
    return value if isinstance(value, list) else [value]


def some(rng, dtype, shape):
    numbers = rng.integers(0, 2 if dtype == "|b1" else 100, shape) * (1 if dtype == "|b1" else 1.25)
    return (numbers + (2j if dtype.startswith("<c") else 0)).astype(dtype)


class TestArrays:
    @pytest.mark.parametrize("compress", [False, True], ids=["raw", "zlib"])
    def test_every_type_and_shape(self, server, agent, compress):
        rng = np.random.default_rng(1)
        shapes = [(), (1,), (7,), (0,), (2, 3), (3, 0, 2), (2, 3, 4), (2, 1, 3, 2)]
        sent = [some(rng, dtype, shape) for dtype in WRITTEN.values() for shape in shapes]
        found = decoded(agent(server.url), [ndjson(encode(array, compress)) for array in sent])
        for array, one in zip(sent, found, strict=True):
            assert "error" not in one, (array.dtype, array.shape, one)
            if array.ndim > 1:
                assert one["dim"] == list(array.shape)
            got = numbers(one).reshape(array.shape)
            np.testing.assert_array_equal(got, array.astype(complex if array.dtype.kind == "c" else float))

    def test_the_edges_of_each_type(self, server, agent):
        kinds = [np.iinfo(dtype) for dtype in ("i1", "<i2", "<i4", "u1", "<u2", "<u4")]
        sent = [np.array([kind.min, kind.max], kind.dtype) for kind in kinds]
        sent += [np.array([-(2**53), 2**53, -1, 0], "<i8"), np.array([2**53, 2**32], "<u8")]
        sent += [np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308]), np.array([np.nan, 1e-45], "<f4")]
        every = np.arange(2**16, dtype="<u2").view("<f2")
        found = decoded(agent(server.url), [ndjson(encode(array)) for array in [*sent, every]])
        for array, one in zip([*sent, every], found, strict=True):
            np.testing.assert_array_equal(numbers(one), array.astype(float))

    def test_what_r_cannot_say_is_an_error(self, server, agent):
        sent = [np.array([2**53 + 1], "<i8"), np.array([-(2**53) - 1], "<i8"), np.array([2**64 - 1], "<u8")]
        for one in decoded(agent(server.url), [ndjson(encode(array)) for array in sent]):
            assert "beyond 2^53" in one["error"]

    def test_they_travel_in_samples_both_ways(self, server, other, agent):
        listener = agent(server.url)
        speed = np.arange(6.0).reshape(2, 3)
        other.channel("test.kept").publish({"time": 60, "speed": speed})
        assert listener.do("latest", channel="test.kept")["done"]["data"] == {
            "time": 60,
            "speed": speed.tolist(),
        }


def test_hostile_streams_cost_no_memory(server, agent):
    """Also one that is cut, with which R's own memDecompress never ends."""
    bomb = zlib.compress(bytes(200 * 2**20))
    base = encode(np.zeros(8, "u1"))
    listener = agent(server.url)
    values = [
        ndjson({**base, "enc": "zlib", "data": data})
        for data in (bomb, bomb[:-1], zlib.compress(bytes(8))[:-5])
    ]
    assert ["error" in one for one in decoded(listener, values)] == [True] * 3
    status = Path(f"/proc/{listener.process.pid}/status").read_text()
    assert int(re.search(r"VmHWM:\s+(\d+)", status)[1]) < 200 * 1024
