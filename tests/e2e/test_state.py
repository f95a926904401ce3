"""What goes on over a restart besides the listening, and what does not, as clients see it."""

import contextlib
import json
import signal
import socket
import threading
import urllib.error
import urllib.request
from functools import partial

import pytest
from support.config import configuration
from support.running import RADIOD, free_port, program, wait_until
from support.sockets import RawClient
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
CONFIG = configuration(
    """
[store]
path = "radiod.sqlite"

[realms.radio]
cookie_lifetime_s = 3600

[realms.radio.keys.caller]
key = "caller-key"
call = ["*"]

[realms.radio.channels.memory]
history = { size = 100 }

[realms.radio.channels.kept]
durable = true
history = { size = 10000 }
"""
)


class Place:
    """A folder with a configuration, and servers that run with it one after the other."""

    def __init__(self, folder, config=CONFIG):
        self.folder = folder
        self.port = free_port()
        self.log = folder / "log"
        self.file = folder / "radiod.toml"
        self.state = folder / "radiod.sqlite.state"
        self.endpoint = f"tcp:{self.port}:interface=127.0.0.1"
        self.file.write_text(config)
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def server(self):
        command = [*RADIOD, "run", "--config", str(self.file), "--listen", self.endpoint]
        with program(command, self.log) as process:
            wait_until(self.answers, process, self.log)
            yield process

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        process.wait(SECONDS)

    def answers(self):
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def ask(self, path, data=None, **headers):
        body = None if data is None else json.dumps(data).encode()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, body, fields), timeout=SECONDS
        ) as answer:
            answer.content = answer.read()
            return answer

    def position(self):
        return json.loads(self.ask("/listen/memory?last=1").content)[-1]["position"]

    def epoch(self):
        return self.position().split(":")[0]

    def warnings(self):
        return [line for line in self.log.read_text().splitlines() if "#warn" in line or "#error" in line]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def client(place):
    clients = []

    def join():
        clients.append(RawClient(place.port))
        return clients[-1]

    yield join
    for one in clients:
        one.close()


def publish(client, topic, value, **options):
    told = client.ask([16, None, {"acknowledge": True, **options}, topic, [value]])
    assert told[0] == 17, told


def call(client, procedure, **arguments):
    told = client.ask([48, None, {}, procedure, [], arguments])
    assert told[0] == 50, told
    return told[3][0] if told[3:] and told[3] else None


def end_of(call):
    """What a call comes to, in a thread that waits for it."""
    ends = []

    def wait():
        try:
            ends.append(call())
        except Exception as error:
            ends.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread, ends


class TestWhatGoesOn:
    def test_retained_events_channels_cookies_and_answers(self, place, client):
        with place.server() as first:
            one = client()
            publish(one, "weather", "rain", retain=True)
            made = call(
                one,
                "radiod.channel.create",
                name="own",
                lifetime=1000.0,
                on_owner_leave="keep",
                history={"size": 10},
            )
            publish(one, "own", 1)
            hidden = call(
                one,
                "radiod.channel.create",
                name="hidden",
                public=False,
                key="hidden-key",
                on_owner_leave="keep",
            )
            with connect(f"ws://127.0.0.1:{place.port}/ws", subprotocols=["wamp.2.json"]) as browser:
                browser.send(
                    json.dumps(
                        [1, "radio", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}]
                    )
                )
                browser.recv(SECONDS)
                browser.send(json.dumps([5, "joe-ticket", {}]))
                assert json.loads(browser.recv(SECONDS))[0] == 2
                cookie = browser.response.headers["Set-Cookie"].partition(";")[0]
            body = {"network": "sample_net", "data": {"n": 1}}
            headers = {"API_KEY": "sample-key", "Idempotency_Key": "one"}
            answered = place.ask("/publish", body, **headers)
            place.stop(first)
        with place.server():
            one = client()
            one.say([32, None, {"get_retained": True}, "weather"])
            assert one.hear()[0] == 33
            event = one.hear()
            assert (event[0], event[3]["retained"], event[4]) == (36, True, ["rain"])
            channel = call(one, "radiod.channel.get", name="own")
            assert channel["expires"] == pytest.approx(made["expires"], abs=2)
            assert call(one, "radiod.channel.history", name="own")["events"][0]["args"] == [1]
            call(one, "radiod.channel.extend", name="own", lifetime=5.0, control_key=made["control_key"])
            told = one.ask([48, None, {}, "radiod.channel.join", [], {"name": "hidden", "key": "wrong"}])
            assert told[4] == "radiod.error.bad_key"
            call(one, "radiod.channel.join", name="hidden", key="hidden-key")
            call(one, "radiod.channel.delete", name="hidden", control_key=hidden["control_key"])
            headers_of_browser = {"Cookie": cookie}
            with connect(
                f"ws://127.0.0.1:{place.port}/ws",
                subprotocols=["wamp.2.json"],
                additional_headers=headers_of_browser,
            ) as browser:
                browser.send(json.dumps([1, "radio", {"roles": {"caller": {}}, "authmethods": ["cookie"]}]))
                welcome = json.loads(browser.recv(SECONDS))
                assert welcome[0] == 2
                assert welcome[2]["authid"] == "joe"
            again = place.ask("/publish", body, **headers)
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.content == answered.content
        assert "hidden-key" not in place.log.read_text()

    def test_positions_of_channels_in_memory(self, place, client):
        with place.server() as first:
            publish(client(), "memory", 1)
            before = place.position()
            place.stop(first)
            assert place.state.exists()
        with place.server():
            publish(client(), "memory", 2)
            answer = place.ask(f"/listen/memory?after={before}")
            assert [event["data"] for event in json.loads(answer.content)] == [2]
            assert answer.headers["X-Radiod-Recovered"] is None


class TestWhoPublishesWhileItStops:
    def test_what_was_not_acknowledged_was_not_done(self, place, client):
        """Several publish to a durable channel, one event after the other: each is in time, or too late."""
        told = [0] * 4

        def publish_until_the_end(who, one):
            with contextlib.suppress(OSError, AssertionError):
                while True:
                    publish(one, "kept", [who, told[who] + 1])
                    told[who] += 1

        for _ in range(2):
            with place.server() as server:
                threads = [
                    end_of(partial(publish_until_the_end, who, client()))[0] for who in range(len(told))
                ]
                before = list(told)
                wait_until(lambda before=before: min(told) > min(before) + 5, server, place.log)
                place.stop(server)
                for thread in threads:
                    thread.join(SECONDS)
        with place.server():
            events = json.loads(place.ask("/listen/kept?last=1000").content)
            for who, count in enumerate(told):
                numbers = [event["data"][1] for event in events if event["data"][0] == who]
                assert numbers == list(range(1, count + 1))[-len(numbers) :]


class TestWhatEnds:
    def test_calls_end_and_testaments_are_for_nobody(self, place, client):
        with place.server() as first:
            callee, caller = client(), client()
            assert callee.ask([64, None, {}, "slow.answer"])[0] == 65
            call(callee, "wamp.session.add_testament", topic="memory", args=["testament"], kwargs={})
            caller.say([48, None, {}, "slow.answer"])
            assert callee.hear()[0] == 68
            waiting = end_of(lambda: place.ask("/call", {"procedure": "slow.answer"}, API_KEY="caller-key"))
            assert callee.hear()[0] == 68
            place.stop(first)
            told = caller.hear()
            assert (told[0], told[4]) == (8, "wamp.error.canceled")
            thread, ends = waiting
            thread.join(SECONDS)
            assert json.loads(ends[0].content)["error"] == "wamp.error.canceled"
        with place.server():
            one = client()
            told = one.ask([48, None, {}, "slow.answer"])
            assert told[4] == "wamp.error.no_such_procedure"
            assert call(one, "radiod.channel.history", name="memory")["events"] == []


class TestUsedOnce:
    def test_a_server_that_is_killed_leaves_new_epochs(self, place, client):
        with place.server() as first:
            publish(client(), "memory", 1)
            before = place.position()
            place.stop(first)
        with place.server() as second:
            assert place.epoch() == before.split(":")[0]
            assert not place.state.exists()
            place.stop(second, signal.SIGKILL)
        with place.server():
            publish(client(), "memory", 2)
            assert place.epoch() != before.split(":")[0]
            answer = place.ask(f"/listen/memory?after={before}")
            assert answer.headers["X-Radiod-Recovered"] == "false"

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda state: b"not a state",
            lambda state: state[:-40] + bytes(40),
            lambda state: state[:40] + bytes([state[40] ^ 1]) + state[41:],
        ],
        ids=["other", "end", "bit"],
    )
    def test_a_state_that_cannot_be_read_is_one_warning(self, place, client, spoil):
        with place.server() as first:
            for number in range(20):
                publish(client(), "memory", number)
            before = place.position()
            place.stop(first)
        place.state.write_bytes(spoil(place.state.read_bytes()))
        place.log.write_text("")
        with place.server():
            assert "state of the last server cannot be used" in place.log.read_text()
            assert place.log.read_text().count("cannot be used") == 1
            assert not place.state.exists()
            publish(client(), "memory", 2)
            answer = place.ask(f"/listen/memory?after={before}")
            assert answer.headers["X-Radiod-Recovered"] == "false"
        assert "Traceback" not in place.log.read_text()

    def test_without_a_store_it_is_where_it_is_asked_for(self, tmp_path):
        config = (
            CONFIG.replace('path = "radiod.sqlite"', 'path = ""') + '\n[operations]\nstate = "kept.state"\n'
        )
        config = config.replace("durable = true", "durable = false")
        place = Place(tmp_path, config)
        with place.server() as first:
            publish(RawClient(place.port), "memory", 1)
            before = place.position()
            place.stop(first)
        assert (tmp_path / "kept.state").stat().st_mode & 0o777 == 0o600
        with place.server():
            assert place.position() == before


class TestAHurriedStop:
    def test_the_state_is_left(self, place, client):
        with place.server() as first, socket.create_connection(("127.0.0.1", place.port)) as stuck:
            publish(client(), "memory", 1)
            before = place.position()
            # It never reads: the server would wait for it.
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            stuck.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
            first.send_signal(signal.SIGTERM)
            wait_until(lambda: "shutting down" in place.log.read_text(), first, place.log)
            first.send_signal(signal.SIGTERM)
            first.wait(SECONDS)
        with place.server():
            assert place.position() == before
