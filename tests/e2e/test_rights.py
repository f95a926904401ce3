"""Who may come in and what they may do, decided by programs beside the real twistd."""

import contextlib
import http.server
import json
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from autobahn.wamp import auth
from support.running import free_port, program, radiod, wait_until
from support.tls import certificate, for_threads
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
ROLES = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}
SERVICE = Path(__file__).parent / "clients" / "rights_service.py"
CONFIG = """
[realms.radio]
anonymous = "guest"
cookie_lifetime_s = 3600

[realms.radio.roles.guest]
authorizer = "com.example.authorize"

[realms.radio.roles.member]
subscribe = ["*"]
publish = ["*"]
call = ["*"]

[realms.radio.roles.service]
register = ["com.example.authorize", "com.example.authenticate"]
publish = ["*"]

[realms.radio.users.service]
role = "service"
ticket = "service-ticket"

[realms.radio.dynamic]
methods = ["ticket", "wampcra"]
"""
PROCEDURE = 'procedure = "com.example.authenticate"\n'
ANN = {"role": "member", "secret": "anns-password", "salt": "salt", "iterations": 100, "keylen": 32}


class Client:
    """One raw WAMP session on a WebSocket; ``first``: the answer to its HELLO."""

    def __init__(self, socket, authmethods=("anonymous",), authid=None):
        self._socket = socket
        self._requests = 0
        self.cookie = socket.response.headers.get("Set-Cookie")
        details = {"roles": ROLES, "authmethods": [*authmethods], "authid": authid}
        self.first = self.ask([1, "radio", details])

    def ask(self, message):
        self._socket.send(json.dumps(message))
        return json.loads(self._socket.recv(SECONDS))

    def request(self, code, *rest):
        self._requests += 1
        return self.ask([code, self._requests, *rest])


@pytest.fixture
def join():
    """Opens sessions, and closes them when the test is over."""
    with contextlib.ExitStack() as stack:

        def join(url, *hello, **options):
            socket = connect(f"{url}/ws", subprotocols=["wamp.2.json"], close_timeout=1, **options)
            return Client(stack.enter_context(socket), *hello)

        yield join


@contextlib.contextmanager
def service(server, folder):
    """The program that authorizes and authenticates, once it has registered its procedures."""
    log = folder / "service.log"
    with program([sys.executable, str(SERVICE), str(server.port)], log) as process:
        wait_until(lambda: "registered" in log.read_text(), process, log)
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radiod")
    with radiod(folder, CONFIG + PROCEDURE) as server, service(server, folder):
        yield server
        assert "Traceback" not in server.log.read_text()


def login_wampcra(client, password):
    kind, _, extra = client.first
    assert kind == 4
    key = auth.derive_key(password, extra["salt"], extra["iterations"], extra["keylen"])
    return client.ask([5, auth.compute_wcs(key, extra["challenge"]).decode(), {}])


@pytest.mark.parametrize(("topic", "is_allowed"), [("open.news", True), ("closed.news", False)])
def test_an_authorizer_decides(server, join, topic, is_allowed):
    guest = join(server.ws)
    assert guest.first[0] == 2
    for code, answer in ((32, 33), (16, 17), (64, 65)):
        options = {"acknowledge": True} if code == 16 else {}
        reply = guest.request(code, options, topic)
        assert reply[0] == (answer if is_allowed else 8)
        assert is_allowed or reply[4] == "wamp.error.not_authorized"
    created = guest.request(48, {}, "radiod.channel.create", [f"{topic}.of.ours"])
    assert created[0] == (50 if is_allowed else 8)


def test_listeners_without_wamp_wait_for_the_authorizer(server):
    with connect(f"{server.ws}/listen/open.news", close_timeout=1):
        pass
    with pytest.raises(InvalidStatus, match="403"), connect(f"{server.ws}/listen/closed.news"):
        pass
    events = urllib.request.Request(f"{server.url}/listen/open.news", headers={"Accept": "text/event-stream"})
    with urllib.request.urlopen(events, timeout=SECONDS) as stream:
        assert stream.status == 200
    closed = urllib.request.Request(f"{server.url}/listen/closed", headers={"Accept": "text/event-stream"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(closed, timeout=SECONDS)


def test_without_its_authorizer_a_role_may_do_nothing(tmp_path, join):
    with radiod(tmp_path, CONFIG + PROCEDURE) as server:
        answer = join(server.ws).request(32, {}, "open.news")
        assert (answer[0], answer[4]) == (8, "wamp.error.authorization_failed")
        with service(server, tmp_path):
            assert join(server.ws).request(32, {}, "open.news")[0] == 33


@pytest.mark.parametrize(
    ("authid", "password", "kind"),
    [("ann", "anns-password", 2), ("ann", "wrong", 3), ("nobody", "anns-password", 3)],
)
def test_a_procedure_knows_users(server, join, authid, password, kind):
    client = join(server.ws, ["wampcra"], authid)
    answer = login_wampcra(client, password)
    assert answer[0] == kind
    if kind == 2:
        who = [answer[2][f"auth{what}"] for what in ("id", "role", "provider")]
        assert who == ["ann", "member", "dynamic"]
    else:
        assert answer[2] == "wamp.error.authentication_denied"


@pytest.mark.parametrize(("ticket", "kind"), [("anns-ticket", 2), ("wrong", 3)])
def test_a_procedure_checks_tickets(server, join, ticket, kind):
    client = join(server.ws, ["ticket"], "ann")
    assert client.ask([5, ticket, {}])[0] == kind


class Hook(http.server.BaseHTTPRequestHandler):
    """Knows ann; keeps what it was asked."""

    asked = []

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], question))
        body = json.dumps(ANN if question["authid"] == "ann" else None).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def hook():
    Hook.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/authenticate"
        listening.shutdown()
        thread.join()


def test_a_hook_knows_users(tmp_path, join, hook):
    (tmp_path / "token").write_text("hook-token\n")
    with radiod(tmp_path, f'{CONFIG}hook = "{hook}"\nhook_token_file = "token"\n') as server:
        for authid, password, kind in (("ann", "anns-password", 2), ("ann", "wrong", 3), ("eve", "x", 3)):
            assert login_wampcra(join(server.ws, ["wampcra"], authid), password)[0] == kind
        assert [question["authid"] for _, question in Hook.asked] == ["ann", "eve"]
        assert {token for token, _ in Hook.asked} == {"Bearer hook-token"}
        assert "hook-token" not in server.log.read_text()


def test_a_browser_comes_back_by_its_cookie(server, join):
    client = join(server.ws, ["wampcra"], "ann")
    assert login_wampcra(client, "anns-password")[0] == 2
    cookie = client.cookie.partition(";")[0]
    assert cookie.startswith("radiod=")
    back = join(server.ws, ["cookie", "wampcra"], additional_headers={"Cookie": cookie})
    assert [back.first[2][f"auth{what}"] for what in ("id", "role", "method")] == ["ann", "member", "cookie"]
    stranger = join(server.ws, ["cookie", "wampcra"], "ann")
    assert stranger.first[:2] == [4, "wampcra"]


def test_over_tls_the_cookie_is_for_tls_alone(tmp_path, join):
    file, tls = certificate(tmp_path), free_port()
    more = ["--listen", f"ssl:{tls}:privateKey={file}:interface=127.0.0.1"]
    with radiod(tmp_path, CONFIG + PROCEDURE, None, *more):
        context = for_threads(file)
        client = join(f"wss://127.0.0.1:{tls}", server_hostname="localhost", ssl=context)
        assert client.cookie.startswith("__Host-radiod=")
        assert client.cookie.endswith("; Secure")
