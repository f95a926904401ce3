"""``python -m simulator --wamp``: the real program against the real server, heard and called by clients."""

import contextlib
import json
import signal
import sys
import time

import pytest
from radiod_client import Radio
from radiod_client.errors import CallError
from support.running import free_port, program, radiod, wait_until
from websockets.sync.client import connect

from simulator import Simulator, Town
from simulator.recording import Replay
from simulator.samples import Decoder
from simulator.source import Ended

pytestmark = pytest.mark.e2e

SECONDS = 30
CONFIG = """
[store]
path = ""

[realms.radio]
anonymous = "listener"

[realms.radio.roles.listener]
subscribe = ["*"]
call = ["*"]

[realms.radio.roles.source]
publish = ["town", "town.map"]
subscribe = ["radiod.*"]
call = ["radiod.*"]
register = ["town.control.*"]

[realms.radio.users.generator]
role = "source"
ticket = "a ticket"

[realms.radio.channels.town]
history = { size = 1000 }
"""


@pytest.fixture
def simulator(tmp_path):
    """Start the program: ``simulator(server, *arguments)``; it ends with the test."""
    (tmp_path / "ticket").write_text("a ticket\n")
    number = iter(range(100))

    with contextlib.ExitStack() as stack:

        def start(server, *arguments, ticket="ticket", network="town"):
            login = ["--wamp", server.ws, "--user", "generator", "--ticket-file", str(tmp_path / ticket)]
            town = [] if "--replay" in arguments else ["--town", "grid:3x3"]
            log = tmp_path / f"simulator-{next(number)}.log"
            process = stack.enter_context(
                program(
                    [sys.executable, "-m", "simulator", "--network", network, *town, *login, *arguments], log
                )
            )
            return process, log

        yield start


@pytest.fixture
def server(tmp_path):
    with radiod(tmp_path, CONFIG) as server:
        yield server


def state_of(radio):
    """What the source says of itself; None: it is not there yet."""
    with contextlib.suppress(CallError):
        return radio.call("town.control.state", timeout=SECONDS)


def retained(server, topic):
    """What a topic retains: the argument of its event."""
    with connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"]) as socket:
        socket.send(json.dumps([1, "radio", {"roles": {"subscriber": {}}}]))
        assert json.loads(socket.recv(SECONDS))[0] == 2
        socket.send(json.dumps([32, 1, {"get_retained": True}, topic]))
        assert json.loads(socket.recv(SECONDS))[0] == 33
        return json.loads(socket.recv(SECONDS))[4][0]


def test_nothing_is_sent_while_nobody_listens_though_time_goes_on(server, simulator):
    begun = time.monotonic()
    process, log = simulator(server, "--speed", "100", "--step", "5")
    with Radio(server.url) as radio:
        # A hundred samples, were anybody there.
        wait_until(lambda: (state_of(radio) or {"time": 0})["time"] > 500, process, log)
        events = radio.call("radiod.channel.history", "town")["events"]
        assert len(events) <= 1 + (time.monotonic() - begun) / 10


def test_always_means_always(server, simulator):
    process, log = simulator(server, "--speed", "100", "--always", "--samples", "30")
    assert process.wait(SECONDS) == 0
    with Radio(server.url) as radio:
        events = radio.call("radiod.channel.history", "town")["events"]
    assert [event["args"][0]["time"] for event in events] == [5 * number for number in range(30)]
    assert log.read_text() == ""


def test_who_comes_gets_a_sample_long_before_the_next_one_is_due(server, simulator):
    # A sample in 500 s: what comes sooner comes for the listener's sake.
    process, log = simulator(server, "--speed", "0.01", "--format", "delta")
    with Radio(server.url) as radio:
        wait_until(lambda: state_of(radio) is not None, process, log)
        with radio.channel("town").listen() as listening:
            sample = listening.get(timeout=SECONDS).data
    decoded = Decoder(Simulator(Town.grid(3, 3), "town").map()).decode(sample)
    assert decoded is not None
    assert decoded["name"] == "town"


def test_the_map_is_there_for_who_comes_late(server, simulator):
    process, log = simulator(server)
    with Radio(server.url) as radio:
        wait_until(lambda: state_of(radio) is not None, process, log)
    assert retained(server, "town.map") == Simulator(Town.grid(3, 3), "town").map()


def test_a_killed_server_gets_the_map_and_samples_again(tmp_path, simulator):
    port = free_port()
    with radiod(tmp_path, CONFIG, port) as server:
        process, log = simulator(server, "--speed", "50")
        with Radio(server.url) as radio:
            wait_until(lambda: state_of(radio) is not None, process, log)
            before = radio.call("town.control.state")["time"]
        server.process.kill()
        server.process.wait()
    assert process.poll() is None
    with radiod(tmp_path, CONFIG, port) as server, Radio(server.url) as radio:
        with radio.channel("town").listen() as listening:
            assert listening.get(timeout=SECONDS).data["time"] > before
        wait_until(lambda: state_of(radio) is not None, process, log)
    assert "simulator: not connected (" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_calls_pause_it_and_change_its_speed(server, simulator):
    process, log = simulator(server, "--speed", "100")
    with Radio(server.url) as radio:
        wait_until(lambda: state_of(radio) is not None, process, log)
        paused = radio.call("town.control.pause")
        assert set(paused) == {"paused", "speed", "time", "engine"}
        assert (paused["paused"], paused["speed"], paused["engine"]) == (True, 100, "ltm")
        assert radio.call("town.control.speed", 1000)["speed"] == 1000
        assert radio.call("town.control.state")["time"] == paused["time"]
        with radio.channel("town").listen() as listening:
            # Who comes while time stands still sees where it stands.
            assert listening.get(timeout=SECONDS).data["time"] == paused["time"]
            assert radio.call("town.control.resume")["paused"] is False
            while listening.get(timeout=SECONDS).data["time"] <= paused["time"]:
                pass


@pytest.mark.parametrize(
    ("procedure", "args", "message"),
    [
        ("speed", [], "missing"),
        ("speed", [0], "x: 0 is not above 0"),
        ("speed", [-1], "x: -1"),
        ("speed", ["fast"], "x: expected a number"),
        ("speed", [1e9], "at most"),
        ("speed", [True], "x: expected a number"),
        ("speed", [1, 2], "too many"),
        ("pause", [1], "too many"),
        ("state", [{}], "too many"),
    ],
)
def test_what_cannot_be_is_refused_as_wamp_says(tmp_path, on_air, procedure, args, message):
    with pytest.raises(CallError, match=message) as raised:
        on_air.call(f"town.control.{procedure}", *args)
    assert raised.value.uri == "wamp.error.invalid_argument"


@pytest.fixture(scope="module")
def on_air(tmp_path_factory):
    """A client of a server with a source."""
    folder = tmp_path_factory.mktemp("air")
    (folder / "ticket").write_text("a ticket")
    with radiod(folder, CONFIG) as server:
        login = ["--wamp", server.url, "--user", "generator", "--ticket-file", str(folder / "ticket")]
        command = [sys.executable, "-m", "simulator", "--town", "grid:3x3", "--network", "town", *login]
        with program(command, folder / "log") as process, Radio(server.url) as radio:
            wait_until(lambda: state_of(radio) is not None, process, folder / "log")
            yield radio


@pytest.mark.parametrize(
    ("ticket", "network", "message"),
    [
        ("a wrong one", "town", "the server refuses: wamp.error."),
        ("a ticket", "other", "the server refuses: wamp.error.not_authorized"),
    ],
)
def test_what_the_server_refuses_is_one_line_and_status_1(
    tmp_path, server, simulator, ticket, network, message
):
    (tmp_path / "given").write_text(ticket)
    process, log = simulator(server, ticket="given", network=network)
    assert process.wait(SECONDS) == 1
    (line,) = log.read_text().splitlines()
    assert line.startswith(f"simulator: {message}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_a_goodbye(server, simulator, number):
    process, log = simulator(server)
    with Radio(server.url) as radio:
        wait_until(lambda: state_of(radio) is not None, process, log)
    process.send_signal(number)
    assert process.wait(SECONDS) == 0
    assert log.read_text() == ""
    wait_until(lambda: "left: said goodbye" in server.log.read_text(), server.process, server.log)


def test_a_second_source_takes_the_controls_over(server, simulator):
    first, log = simulator(server, "--speed", "1")
    with Radio(server.url) as radio:
        wait_until(lambda: (state_of(radio) or {}).get("speed") == 1, first, log)
        second, log = simulator(server, "--speed", "2")
        wait_until(lambda: (state_of(radio) or {}).get("speed") == 2, second, log)


def test_a_recording_goes_on_while_the_server_is_killed_and_comes_back(tmp_path, simulator):
    port, file = free_port(), tmp_path / "record"
    with radiod(tmp_path, CONFIG, port) as server:
        process, log = simulator(server, "--speed", "100", "--record", str(file))
        with Radio(server.url) as radio:
            wait_until(lambda: state_of(radio) is not None, process, log)
        server.process.kill()
        server.process.wait()
    with radiod(tmp_path, CONFIG, port) as server, Radio(server.url) as radio:
        wait_until(lambda: state_of(radio) is not None, process, log)
        process.terminate()
        assert process.wait(SECONDS) == 0
    replay, times = Replay(file), []
    with contextlib.suppress(Ended):
        while True:
            times.append(replay.time)
            replay.next()
    assert times == [5 * number for number in range(len(times))]
    assert len(times) > 2


def test_a_replay_is_heard_like_the_town_itself(tmp_path, server, simulator):
    file = tmp_path / "record"
    process, log = simulator(server, "--speed", "1000", "--always", "--samples", "20", "--record", str(file))
    assert process.wait(SECONDS) == 0, log.read_text()
    recorded = Simulator(Town.grid(3, 3), "town")
    process, log = simulator(server, "--replay", str(file), "--speed", "1000", "--always")
    assert process.wait(SECONDS) == 0, log.read_text()
    with Radio(server.url) as radio:
        events = radio.call("radiod.channel.history", "town", limit=1000)["events"][-20:]
    for event in events:
        assert event["args"][0] == recorded.dump_state()
        recorded.next()
