"""``python -m simulator --wamp``: the real program against the real server, heard and called by clients."""

import contextlib
import itertools
import json
import signal
import socket
import sys
import time

import pytest
import requests
from radiod_client import Radio
from radiod_client.errors import CallError
from support.running import free_port, program, radiod, wait_until
from support.tls import certificate
from websockets.sync.client import connect

from simulator import Simulator, Town
from simulator.recording import Replay
from simulator.samples import Decoder
from simulator.source import Ended

pytestmark = pytest.mark.e2e

SECONDS = 30
NUMBERS = itertools.count(1)
CONFIG = """
[store]
path = ""

[realms.radio]
anonymous = "listener"

[realms.radio.roles.listener]
subscribe = ["*"]
call = ["*"]

[realms.radio.roles.source]
publish = ["town.*"]
subscribe = ["radiod.*"]
call = ["radiod.*"]
register = ["town.*"]

[realms.radio.users.generator]
role = "source"
ticket = "a ticket"

[realms.radio.keys.article]
key = "a-key"
publish = ["sample_net"]

[realms.radio.channels."town.*"]
history = { size = 1000 }
"""


class OnAir:
    """A source that is running: its network, process and log."""

    def __init__(self, name, process, log):
        self.name, self.process, self.log = name, process, log

    def call(self, radio, control, *args):
        return radio.call(f"{self.name}.control.{control}", *args, timeout=SECONDS)

    def state(self, radio):
        """What it says of itself; None: it is not there yet."""
        with contextlib.suppress(CallError):
            return self.call(radio, "state")

    def wait(self, is_so):
        wait_until(is_so, self.process, self.log)

    def history(self, radio):
        """The samples that its channel keeps."""
        events = radio.call("radiod.channel.history", self.name, limit=1000)["events"]
        return [event["args"][0] for event in events]


@contextlib.contextmanager
def on_air(server, folder, *arguments, ticket="a ticket", name=None, url=None):
    """A source on the air, by default with a name of its own."""
    name = name or f"town.n{next(NUMBERS)}"
    (folder / f"ticket-{name}").write_text(f"{ticket}\n")
    town = [] if "--replay" in arguments else ["--town", "grid:3x3"]
    login = [
        "--wamp",
        url or server.ws,
        "--user",
        "generator",
        "--ticket-file",
        str(folder / f"ticket-{name}"),
    ]
    log = folder / f"log-{name}-{next(NUMBERS)}"
    command = [sys.executable, "-m", "simulator", "--network", name, *town, *login, *arguments]
    with program(command, log) as process:
        yield OnAir(name, process, log)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with radiod(tmp_path_factory.mktemp("radiod"), CONFIG) as server:
        yield server


@pytest.fixture(scope="module")
def radio(server):
    with Radio(server.url) as radio:
        yield radio


@pytest.fixture(scope="module")
def town(server, radio, tmp_path_factory):
    """One for all tests that leave it as it was."""
    with on_air(server, tmp_path_factory.mktemp("town"), "--speed", "100") as town:
        town.wait(lambda: town.state(radio) is not None)
        yield town


def retained(server, topic):
    """What a topic retains: the argument of its event."""
    with connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"]) as peer:
        peer.send(json.dumps([1, "radio", {"roles": {"subscriber": {}}}]))
        assert json.loads(peer.recv(SECONDS))[0] == 2
        peer.send(json.dumps([32, 1, {"get_retained": True}, topic]))
        assert json.loads(peer.recv(SECONDS))[0] == 33
        return json.loads(peer.recv(SECONDS))[4][0]


# --- Who listens


def test_nothing_is_sent_while_nobody_listens_though_time_goes_on(server, radio, tmp_path):
    begun = time.monotonic()
    with on_air(server, tmp_path, "--speed", "200") as town:
        # A hundred samples, were anybody there.
        town.wait(lambda: (town.state(radio) or {"time": 0})["time"] > 500)
        assert len(town.history(radio)) <= 1 + (time.monotonic() - begun) / 10


def test_who_comes_gets_a_sample_long_before_the_next_one_is_due(server, radio, tmp_path):
    # A sample in 500 s: what comes sooner comes for the listener's sake.
    with on_air(server, tmp_path, "--speed", "0.01", "--format", "delta") as town:
        town.wait(lambda: town.state(radio) is not None)
        with radio.channel(town.name).listen() as listening:
            sample = listening.get(timeout=SECONDS).data
        decoded = Decoder(retained(server, f"{town.name}.map")).decode(sample)
    assert decoded is not None
    assert decoded["name"] == town.name


def test_the_map_is_there_for_who_comes_late(server, town):
    assert retained(server, f"{town.name}.map") == Simulator(Town.grid(3, 3), town.name).map()


def test_all_is_heard_of_always_and_of_its_replay_and_a_goodbye(server, radio, tmp_path):
    file = str(tmp_path / "record")
    with on_air(server, tmp_path, "--speed", "500", "--always", "--samples", "20", "--record", file) as town:
        assert town.process.wait(SECONDS) == 0
    with on_air(server, tmp_path, "--speed", "500", "--always", "--replay", file) as again:
        assert again.process.wait(SECONDS) == 0
    # The replay has the sample, too, that had been computed when the twenty were out.
    for heard in (town.history(radio), again.history(radio)[:20]):
        expected = Simulator(Town.grid(3, 3))
        # Dense samples of the command tell speeds, too.
        expected.tells = frozenset({"speeds"})
        for sample in heard:
            assert {**sample, "name": "sample_net"} == expected.dump_state()
            expected.next()
        assert len(heard) == 20
    assert town.log.read_text() + again.log.read_text() == ""
    wait_until(lambda: server.log.read_text().count("said goodbye") >= 2, server.process, server.log)


# --- Calls


def test_calls_pause_it_and_change_its_speed(radio, town):
    paused = town.call(radio, "pause")
    assert paused == {"paused": True, "speed": 100, "time": paused["time"], "engine": "ltm"}
    assert town.call(radio, "speed", 1000)["speed"] == 1000
    assert town.call(radio, "state")["time"] == paused["time"]
    with radio.channel(town.name).listen() as listening:
        # Who comes while time stands still sees where it stands.
        assert listening.get(timeout=SECONDS).data["time"] == paused["time"]
        assert town.call(radio, "resume")["paused"] is False
        while listening.get(timeout=SECONDS).data["time"] <= paused["time"]:
            pass
    town.call(radio, "speed", 100)


@pytest.mark.parametrize(
    ("procedure", "args", "message"),
    [
        ("speed", [], "missing"),
        ("speed", [0], "x: 0 is not above 0"),
        ("speed", ["fast"], "x: expected a number"),
        ("speed", [1, 2], "too many"),
        ("pause", [1], "too many"),
        ("state", [{}], "too many"),
    ],
)
def test_what_cannot_be_is_refused_as_wamp_says(radio, town, procedure, args, message):
    with pytest.raises(CallError, match=message) as raised:
        town.call(radio, procedure, *args)
    assert raised.value.uri == "wamp.error.invalid_argument"


@pytest.mark.parametrize(
    ("procedure", "args"),
    [
        ("set_demand", ["r0c0", 0.5]),
        ("set_demand", ["r0c0", None]),
        ("set_light", ["r0c1", 80, 5, {"r0c0-r0c1": [0, 30]}]),
        ("close_street", ["r0c0-r0c1"]),
        ("close_street", ["r0c0-r0c1", 90000, 90600.5]),
        ("open_street", ["r0c0-r0c1"]),
        ("set_capacity", ["r0c1-r0c2", 0.5]),
        ("set_phases", ["r0c1", [[["r0c0-r0c1", "r0c2-r0c1"], 30], [["r1c1-r0c1"], 20]]]),
    ],
)
def test_calls_change_the_town(radio, town, procedure, args):
    assert set(town.call(radio, procedure, *args)) == {"paused", "speed", "time", "engine"}


def test_calls_about_lights_tell_what_came_of_it(radio, town):
    assert town.call(radio, "set_reactive", None, "max-pressure")["lights"] == 5
    assert town.call(radio, "light", "r1c1")["light"]["kind"] == "max-pressure"
    assert town.call(radio, "set_reactive", None, "plan")["lights"] == 0
    assert town.call(radio, "set_wave", ["r1c0-r1c1", "r1c1-r1c2"], 60)["band"] == pytest.approx(27)
    light = town.call(radio, "light", "r1c1")["light"]
    assert (light["kind"], light["cycle"], len(light["greens"])) == ("plan", 60, 4)


@pytest.mark.parametrize(
    ("procedure", "args", "message"),
    [
        ("set_demand", ["nowhere", 1], "nowhere"),
        ("set_demand", ["r0c0", -1], "."),
        ("set_light", ["nowhere", 60, 0, {}], "nowhere"),
        ("set_light", ["r0c1", -5, 0, {}], "."),
        ("set_light", ["r0c1", 60, 0, {"x": [0, 9]}], "x"),
        ("close_street", ["nowhere"], "nowhere"),
        ("close_street", ["r0c0-r0c1", 50, 20], "."),
        ("open_street", ["nowhere"], "street nowhere: there is none of that name"),
        ("set_capacity", ["r0c0-r0c1", 1.5], "share of its capacity is 1.5; it must be from 0 to 1"),
        ("set_reactive", ["r1c1", "clever"], "there are actuated, max-pressure, plan"),
        ("set_wave", [["r0c0-r0c1", "r2c1-r2c2"]], "does not lead to street r2c1-r2c2"),
        ("light", ["nowhere"], "light nowhere: there is no junction of that name"),
    ],
)
def test_the_towns_own_refusals_are_wrong_arguments_too(radio, town, procedure, args, message):
    with pytest.raises(CallError, match=message) as raised:
        town.call(radio, procedure, *args)
    assert raised.value.uri == "wamp.error.invalid_argument"


@pytest.mark.soak
def test_a_second_source_takes_the_controls_over(server, radio, tmp_path):
    with on_air(server, tmp_path, "--speed", "1", name="town.two") as first:
        first.wait(lambda: (first.state(radio) or {}).get("speed") == 1)
        with on_air(server, tmp_path, "--speed", "2", name="town.two") as second:
            second.wait(lambda: (second.state(radio) or {}).get("speed") == 2)


# --- Servers that refuse, die, or are none


@pytest.mark.parametrize(
    ("ticket", "name", "message"),
    [
        ("a wrong one", "town.refused", "the server refuses: wamp.error."),
        ("a ticket", "other", "the server refuses: wamp.error.not_authorized"),
    ],
)
def test_what_the_server_refuses_is_one_line_and_status_1(server, tmp_path, ticket, name, message):
    with on_air(server, tmp_path, ticket=ticket, name=name) as town:
        assert town.process.wait(SECONDS) == 1
        (line,) = town.log.read_text().splitlines()
    assert line.startswith(f"simulator: {message}")


def test_a_killed_server_gets_all_again_and_the_recording_has_no_hole(tmp_path):
    port, file = free_port(), tmp_path / "record"
    with contextlib.ExitStack() as stack:
        with radiod(tmp_path, CONFIG, port) as server, Radio(server.url) as radio:
            arguments = ["--speed", "200", "--always", "--record", str(file)]
            town = stack.enter_context(on_air(server, tmp_path, *arguments))
            town.wait(lambda: town.state(radio) is not None)
            before = town.state(radio)["time"]
            server.process.kill()
            server.process.wait()
        with radiod(tmp_path, CONFIG, port) as server, Radio(server.url) as radio:
            with radio.channel(town.name).listen() as listening:
                assert listening.get(timeout=SECONDS).data["time"] >= before
            town.wait(lambda: (town.state(radio) or {"time": before})["time"] > before)
            town.process.send_signal(signal.SIGINT)
            assert town.process.wait(SECONDS) == 0
    assert "simulator: not connected (" in town.log.read_text()
    assert "Traceback" not in town.log.read_text()
    replay, times = Replay(file), []
    with contextlib.suppress(Ended):
        while True:
            times.append(replay.time)
            replay.next()
    assert times == [5 * number for number in range(len(times))]
    assert times[-1] > before


def test_a_signal_ends_it_while_there_is_no_server(tmp_path):
    log, url = tmp_path / "log", f"ws://127.0.0.1:{free_port()}"
    with program([sys.executable, "-m", "simulator", "--town", "grid:2x2", "--wamp", url], log) as process:
        wait_until(lambda: "not connected (ConnectionRefusedError" in log.read_text(), process, log)
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.soak
def test_what_is_no_wamp_server_is_said(tmp_path):
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        with program(
            [sys.executable, "-m", "simulator", "--town", "grid:2x2", "--wamp", url], log
        ) as process:
            server.settimeout(SECONDS)
            peer, _ = server.accept()
            peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            wait_until(lambda: "simulator: not connected (" in log.read_text(), process, log)
            peer.close()
    assert "404" in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.soak
@pytest.mark.parametrize("is_trusted", [True, False])
def test_over_tls_the_certificate_counts(tmp_path, monkeypatch, is_trusted):
    file, port = certificate(tmp_path), free_port()
    endpoint = f"ssl:{port}:interface=127.0.0.1:privateKey={file}:certKey={file}"
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with (
        radiod(tmp_path, CONFIG, None, "--listen", endpoint) as server,
        Radio(server.url) as radio,
        on_air(server, tmp_path, url=f"wss://localhost:{port}") as town,
    ):
        if is_trusted:
            town.wait(lambda: town.state(radio) is not None)
        else:
            town.wait(lambda: "not connected (" in town.log.read_text())
            assert "certificate verify failed" in town.log.read_text()


# --- The article's generator


@pytest.mark.parametrize("format", ["legacy", "dense", "q8"])
def test_the_articles_loop_works_as_it_was_printed(server, radio, format):
    simulator = Simulator(Town.grid(2, 2))
    with radio.channel("sample_net").listen() as listening:
        for _ in range(3):
            data = simulator.dump_state(format)
            answer = requests.post(
                f"{server.url}/publish",
                headers={"API-KEY": "a-key"},
                json={"network": simulator.name, "data": data},
                timeout=SECONDS,
            )
            assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
            simulator.next()
            heard = listening.get(timeout=SECONDS).data
            if format == "q8":
                # This client decodes arrays by itself.
                assert Decoder(simulator.map()).decode(heard) == Decoder(simulator.map()).decode(data)
            else:
                assert heard == data
