"""What one client writes reaches stock clients of every serializer, and nothing that it writes ends them."""

import contextlib
import json
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from support.payloads import FORMS, UNFIT
from support.running import environment
from support.sweeps import crossed

from radiod.wire.codecs import CBOR, CODECS, JSON, MSGPACK

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
PYTHON = [sys.executable, str(HERE / "clients" / "autobahn_listener.py")]
HAS_NODE = shutil.which("node") is not None and (HERE / "js" / "node_modules" / "wampy").is_dir()
needs_node = pytest.mark.skipif(not HAS_NODE, reason="node or its packages are missing")
SECONDS = 60
# Autobahn|JS wants the platform's WebSocket, which Node 20 has behind a flag.
NODE = ["node", "--experimental-websocket", "--no-warnings"]


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


@contextlib.contextmanager
def running(command, folder=HERE):
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def listener(server, client, serializer, topic, *more):
    """A client that listens already."""
    arguments = [serializer, str(server.port), topic, *more]
    if client == "python":
        command = [*PYTHON, *arguments]
    else:
        command = [*NODE, "listener.mjs", client, *arguments]
    with running(command, HERE / "js" if client != "python" else HERE) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


class RawSession:
    """A WAMP session over RawSocket that sends the bytes it is given."""

    def __init__(self, port, codec):
        self.codec = codec
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.sendall(bytes([0x7F, 0xF0 | codec.rawsocket_id, 0, 0]))
        assert self._read(4)[0] == 0x7F
        self.send(codec.dump([1, "radio", {"roles": {"publisher": {}}}]))
        assert self.receive()[0] == 2
        self.requests = 0

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the router closed the connection"
            data += piece
        return data

    def send(self, message):
        self.socket.sendall(struct.pack(">I", len(message)) + message)

    def receive(self):
        return self.codec.load(self._read(struct.unpack(">I", self._read(4))[0]))

    def publish(self, topic, args):
        """Publish these bytes, acknowledged. Returns: the answer."""
        self.requests += 1
        head = [16, self.requests, {"acknowledge": True}, topic]
        if self.codec is JSON:
            message = JSON.dump(head)[:-1] + b"," + args + b"]"
        else:
            dumped = self.codec.dump(head)
            message = bytes([dumped[0] + 1]) + dumped[1:] + args
        self.send(message)
        return self.receive()

    def close(self):
        self.socket.close()


ONE = {JSON: b"[%b]", MSGPACK: b"\x91%b", CBOR: b"\x81%b"}
CLIENTS = [("python", name) for name in CODECS] + [
    pytest.param(client, name, marks=needs_node) for client in ("autobahn", "wampy") for name in CODECS
]


@pytest.mark.parametrize(("client", "serializer"), CLIENTS)
def test_a_stock_client_hears_all_that_is_accepted_and_survives_all_that_is_sent(server, client, serializer):
    """The one test of what other people's decoders take: theirs."""
    topic = f"test.{client}.{serializer}"
    with listener(server, client, serializer, topic) as process:
        sessions = {codec: RawSession(server.port, codec) for codec in CODECS.values()}
        for what, source, data, *_ in FORMS:
            answer = sessions[source].publish(topic, ONE[source] % data)
            assert answer[0] == 17, (what, answer)
        for source, args, _ in UNFIT:
            answer = sessions[source].publish(topic, args)
            assert answer[:2] + answer[4:5] == [8, 16, "wamp.error.invalid_argument"]
        for codec, session in sessions.items():
            nested = ONE[codec]
            for _ in range(63):
                nested = nested.replace(b"%b", ONE[codec])
            assert session.publish(topic, nested % codec.dump(1))[0] == 17
        sessions[JSON].publish(topic, b'["end"]')
        line = process.stdout.readline()
        for session in sessions.values():
            session.close()
    assert json.loads(line) == {"heard": len(FORMS) + len(CODECS), "closed": None}


DATE = {"json": "'2026-11-27T01:02:03Z'", "msgpack": "Timestamp(seconds=1795741323, nanoseconds=0)",
        "cbor": "datetime.datetime(2026, 11, 27, 1, 2, 3, tzinfo=datetime.timezone.utc)"}  # fmt: skip


UNDEFINED = {"json": "None", "msgpack": "None", "cbor": "undefined"}


def published(server, client, serializer, topic):
    """Have a client in JavaScript publish. Returns: what became of each event, by its name."""
    command = [*NODE, "publisher.mjs", client, serializer, str(server.port), topic]
    done = subprocess.run(command, cwd=HERE / "js", capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def heard_by(process):
    """The events that a listener in Python printed, by their names, once it has heard the last."""
    lines = process.stdout.read().splitlines()
    (last,) = [json.loads(line) for line in lines if line.startswith("{")]
    assert last["closed"] is None
    return {line.split("'")[1]: line for line in lines if line.startswith("(")}


@needs_node
@pytest.mark.parametrize(("client", "speaker"), crossed(("autobahn", "wampy"), ("msgpack", "cbor")))
def test_what_javascript_writes_all_day_reaches_python(server, client, speaker):
    topic = f"test.{client}.{speaker}.to.python"
    with contextlib.ExitStack() as stack:
        listeners = {
            name: stack.enter_context(listener(server, "python", name, topic, "repr")) for name in CODECS
        }
        results = published(server, client, speaker, topic)
        heard = {name: heard_by(process) for name, process in listeners.items()}
    # A text that was cut within a character is written as U+FFFD by all but one of these.
    is_half = (client, speaker) == ("wampy", "cbor")
    assert results.pop("half") == ("wamp.error.invalid_argument" if is_half else "published")
    assert results == dict.fromkeys(("undefined", "sample", "date", "bytes", "large"), "published")
    for name, events in heard.items():
        undefined = UNDEFINED[name] if speaker == "cbor" else "None"
        assert events["undefined"] == f"('undefined', {undefined})"
        assert f"'list': [{undefined}, None, 1" in events["sample"]
        assert DATE[name] in events["date"]
        assert "b'\\x01\\x02\\x03'" in events["bytes"]
        assert "1e+300" in events["large"]


@needs_node
@pytest.mark.parametrize("client", ["autobahn", "wampy"])
def test_half_a_character_in_json_is_an_error_and_not_the_end(server, client):
    topic = f"test.{client}.half"
    with listener(server, "python", "json", topic, "repr") as process:
        results = published(server, client, "json", topic)
        heard = heard_by(process)
    assert results.pop("half") == "wamp.error.invalid_argument"
    # wampy looks at names itself.
    own = {
        "autobahn": "wamp.error.invalid_argument",
        "wampy": "UriError: Topic URI doesn't meet requirements!",
    }
    assert results.pop("half a name") == own[client]
    assert set(results.values()) == {"published"}
    assert set(heard) == set(results)
