"""Stock WebSocket clients that offer compression by themselves: Node's (undici) and Python's ``websockets``.

Autobahn|Python and Chromium do as well; their own tests run with it.
"""

import json
import shutil
import subprocess

import pytest
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

TEXT = "a text that is long enough to be compressed, " * 10
NODE = """
const [port, text] = process.argv.slice(1);
const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, "wamp.2.json");
const send = (...message) => socket.send(JSON.stringify(message));
socket.onopen = () => send(1, "radio", { roles: { caller: {}, publisher: {}, subscriber: {} } });
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message[0] === 2) send(32, 1, {}, "test.node");
  if (message[0] === 33) send(16, 2, { exclude_me: false }, "test.node", [text]);
  if (message[0] === 36) send(48, 3, {}, "radiod.echo", message[4]);
  if (message[0] === 50) {
    console.log(JSON.stringify([socket.extensions, message[3]]));
    process.exit(0);
  }
};
socket.onclose = ({ code }) => console.log(JSON.stringify(["closed", code]));
"""


@pytest.fixture(scope="module")
def server(shared_world):
    return shared_world.serve()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_nodes_websocket(server):
    command = ["node", "--experimental-websocket", "--no-warnings", "-e", NODE, "--", str(server.port), TEXT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    extensions, arguments = json.loads(done.stdout)
    # Older versions of Node offer none.
    assert extensions == "" or extensions.startswith("permessage-deflate")
    assert arguments == [TEXT]


@pytest.mark.parametrize("subprotocol", ["wamp.2.json", "wamp.2.json.batched"])
def test_pythons_websockets(server, subprotocol):
    end = "\x1e" if subprotocol.endswith("batched") else ""
    with connect(f"{server.ws}/ws", subprotocols=[subprotocol]) as client:
        assert client.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        client.send(json.dumps([1, "radio", {"roles": {"caller": {}}}]) + end)
        assert json.loads(client.recv().removesuffix(end))[0] == 2
        for number in range(3):
            client.send(json.dumps([48, number + 1, {}, "radiod.echo", [TEXT, number]]) + end)
            assert json.loads(client.recv().removesuffix(end))[3] == [TEXT, number]


def test_a_plain_listener_with_compression(server):
    with (
        connect(f"{server.ws}/listen/test.plain") as listener,
        connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"]) as publisher,
    ):
        publisher.send(json.dumps([1, "radio", {"roles": {"publisher": {}}}]))
        publisher.recv()
        for number in range(2):
            publisher.send(json.dumps([16, number + 1, {}, "test.plain", [[TEXT, number]]]))
            assert json.loads(listener.recv()) == [TEXT, number]
