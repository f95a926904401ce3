"""A configuration taken anew by real servers: by radioctl, by a signal, and with TLS."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import pytest
from support import nursery
from support.memory import server_frames, upgrade
from support.passing import passed_on_by_name
from support.running import ROOT, Server, environment, free_port, program, radiod, wait_until
from support.sweeps import sweep
from support.tls import Issued
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
WEB_SOCKETS = 100
TEXT = 1
JS = ROOT / "tests" / "e2e" / "js"
BASE = """
[realms.radio]
anonymous = "listener"

[realms.radio.keys.feed]
key = "feed-secret"
publish = ["*"]

[realms.radio.channels.news]
history = {size = 100}
"""
OTHER = """
[realms.radio.keys.other]
key = "other-secret"
publish = ["*"]
listen = ["*"]
"""


def listen(*ports, more=""):
    return "".join(f'[[listen]]\nendpoint = "tcp:{port}:interface=127.0.0.1"\n{more}\n' for port in ports)


class Reloaded:
    """A server whose file changes."""

    def __init__(self, folder, server, head):
        self.server = server
        self.file = folder / f"radiod-{server.port}.toml"
        self.head = head

    def write(self, text, head=None):
        admin = f'\n[admin]\nsocket = "radiod-admin-{self.server.port}.sock"\n'
        self.file.write_text((self.head if head is None else head) + text + admin)

    def radioctl(self, *words):
        """(exit status, stdout, stderr) of ``radioctl reload``."""
        done = nursery.run(
            [sys.executable, "-m", "radiod.ctl", "--config", str(self.file), "reload", *words],
            **{"capture_output": True, "text": True, "timeout": SECONDS, "cwd": ROOT},
            env=environment(),
        )
        return done.returncode, done.stdout, done.stderr

    def publish(self, secret, **data):
        body = json.dumps({"network": "news", "data": data}).encode()
        asked = urllib.request.Request(f"{self.server.url}/publish", body, {"API-KEY": secret})
        try:
            return urllib.request.urlopen(asked, timeout=SECONDS).status
        except urllib.error.HTTPError as error:
            return error.code

    def wait_for_log(self, text):
        until = time.monotonic() + SECONDS
        while text not in self.server.log.read_text():
            assert time.monotonic() < until, self.server.log.read_text()
            time.sleep(0.02)


@pytest.fixture
def serve(world):
    def serve(port=None, head=None, text=BASE):
        port = port or free_port()
        head = listen(port) if head is None else head
        return Reloaded(world.folder, world.enter(radiod(world.folder, head + text, port)), head)

    return serve


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def test_radioctl_has_a_good_file_acted_by_and_a_bad_one_refused(serve):
    reloaded = serve()
    assert reloaded.radioctl() == (0, "nothing new\n", "")
    reloaded.write(BASE + OTHER)
    assert reloaded.radioctl() == (0, "realms.radio.keys.other  live\n", "")
    assert reloaded.publish("other-secret") == 200
    reloaded.write(BASE.replace("feed-secret", "new-secret") + "[limits]\nmax_channels = 7\n")
    status, out, err = reloaded.radioctl()
    assert (status, out) == (1, "")
    assert "reload_refused: limits.max_channels: only a restart" in err
    reloaded.write(BASE.replace("feed-secret", "new-secret") + "[realms.radio.users.ann]\nrole = 'nobody'\n")
    status, out, err = reloaded.radioctl("--json")
    assert (status, out) == (1, "")
    assert f"{reloaded.file}: realms.radio.users.ann.role: " in json.loads(err)["message"]
    assert (reloaded.publish("feed-secret"), reloaded.publish("new-secret")) == (200, 400)
    assert "Traceback" not in reloaded.server.log.read_text()


def test_a_signal_asks_the_same_and_the_log_has_the_answer(serve):
    reloaded = serve()
    reloaded.write(BASE + OTHER)
    os.kill(reloaded.server.process.pid, signal.SIGHUP)
    reloaded.wait_for_log("reload: realms.radio.keys.other")
    assert reloaded.publish("other-secret") == 200
    reloaded.write("not TOML")
    os.kill(reloaded.server.process.pid, signal.SIGHUP)
    reloaded.wait_for_log("reload refused: ")
    assert reloaded.publish("other-secret") == 200


def test_endpoints_come_and_go_and_those_that_stay_accept_all_the_time(serve):
    reloaded = serve()
    stays, comes = reloaded.server.port, free_port()
    with connect(f"ws://127.0.0.1:{stays}/listen/news", open_timeout=SECONDS) as early:
        reloaded.write(BASE, listen(stays, comes))
        assert reloaded.radioctl()[0] == 0
        with connect(f"ws://127.0.0.1:{comes}/listen/news", open_timeout=SECONDS) as late:
            reloaded.write(BASE, listen(stays))
            assert reloaded.radioctl()[0] == 0
            assert (accepts(stays), accepts(comes)) == (True, False)
            reloaded.publish("feed-secret", n=1)
            # Who came by an endpoint that is gone stays.
            assert json.loads(early.recv(SECONDS)) == json.loads(late.recv(SECONDS)) == {"n": 1}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        reloaded.write(BASE + OTHER, listen(stays, taken.getsockname()[1]))
        status, _, err = reloaded.radioctl()
        assert status == 1
        assert "listen.[1].endpoint: cannot listen on" in err
        assert reloaded.publish("other-secret") == 400
    reloaded.write(BASE, listen(stays, more='hosts = ["elsewhere.example"]'))
    assert "listen.[0].hosts  for new connections" in reloaded.radioctl()[1]
    assert reloaded.publish("feed-secret", n=2) == 421


class Shown:
    """A server with TLS, whose certificate changes: ``kind`` says how it is given."""

    def __init__(self, world, kind):
        folder, self.port, plain = world.folder, free_port(), free_port()
        (folder / "pems").mkdir()
        self.folder = folder
        self.write(Issued("localhost"))
        pair = f"privateKey={folder}/key.pem:certKey={folder}/cert.pem"
        endpoint = {
            "ssl": f"ssl:{self.port}:{pair}:interface=127.0.0.1",
            "tls": rf"tls:{folder}/pems:{self.port}:interface=\\:\\:ffff\\:127.0.0.1",
            "beside": f"tcp:{self.port}:interface=127.0.0.1",
            "systemd": "systemd:name=http",
        }[kind]
        beside = f'tls = {{certificate = "{folder}/cert.pem", key = "{folder}/key.pem"}}\n'
        head = f'{listen(plain)}[[listen]]\nendpoint = "{endpoint}"\n'
        head += beside * (kind in ("beside", "systemd"))
        if kind == "systemd":
            self.reloaded = self._passed_on(world, head, plain)
        else:
            self.reloaded = Reloaded(folder, world.enter(radiod(folder, head + BASE, plain)), head)

    def _passed_on(self, world, head, plain):
        """As systemd starts it: the socket is there before."""
        listener = world.enter(socket.create_server(("127.0.0.1", self.port)))
        log = self.folder / "log"
        reloaded = Reloaded(self.folder, Server(None, plain, log), head)
        reloaded.write(BASE)
        command, options = passed_on_by_name([listener], ["http"], "--config", str(reloaded.file))
        process = world.enter(program(command, log, **options))
        wait_until(lambda: "on the air" in log.read_text(), process, log)
        return reloaded

    def write(self, issued, key=None):
        self.issued = issued
        (self.folder / "cert.pem").write_bytes(issued.certificate_pem())
        (self.folder / "key.pem").write_bytes((key or issued).key_pem())
        both = (key or issued).key_pem() + issued.certificate_pem()
        (self.folder / "pems" / "localhost.pem").write_bytes(both)

    def serial(self):
        """What openssl says."""
        asked = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", "localhost"]
        shown = subprocess.run(asked, input=b"", capture_output=True, timeout=SECONDS, check=True).stdout
        asked = ["openssl", "x509", "-noout", "-serial"]
        told = subprocess.run(asked, input=shown, capture_output=True, timeout=SECONDS, check=True).stdout
        return int(told.decode().strip().removeprefix("serial="), 16)

    def trusting(self, *alpn):
        context = ssl.create_default_context(cadata=self.issued.certificate_pem().decode())
        context.set_alpn_protocols(list(alpn))
        return context

    def web_socket(self, context):
        """A listener, read and written in one thread: a hundred need no hundred threads."""
        plain = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        client = context.wrap_socket(plain, server_hostname="localhost")
        client.sendall(upgrade("/listen/news"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        return client

    def clients_are_served(self):
        """Those that people use, and that offer what Python does not unless told."""
        ca = self.folder / "trusted.pem"
        ca.write_bytes(self.issued.certificate_pem())
        url = f"https://localhost:{self.port}/healthz"
        asked = ["curl", "-4", "-sS", "--cacert", str(ca), "-o", os.devnull, "-w", "%{http_code}", url]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS)
        assert (done.stdout, done.stderr) == ("200", "")
        plain = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        with self.trusting("h2", "http/1.1").wrap_socket(plain, server_hostname="localhost") as client:
            assert client.selected_alpn_protocol() == "http/1.1"
        asked = ["node", "--no-warnings", "tls.mjs", str(self.port)]
        done = subprocess.run(
            asked,
            **{"cwd": JS, "capture_output": True, "text": True, "timeout": SECONDS},
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(ca)},
        )
        assert done.stdout, done.stderr
        assert json.loads(done.stdout)["ws"] == 2


def next_text(client):
    """The next text frame. Between them may be pings."""
    frames = []
    while not frames:
        data = client.recv(1000)
        assert data, "closed"
        frames = [payload.decode() for opcode, payload in server_frames(data)[0] if opcode == TEXT]
    return frames[0]


@pytest.mark.skipif(
    None in map(shutil.which, ("node", "curl", "openssl")) or not (JS / "node_modules" / "ws").is_dir(),
    reason="node, its packages, curl or openssl are missing",
)
@pytest.mark.parametrize("kind", sweep(["tls", "systemd", "ssl", "beside"], 2))
def test_a_new_certificate_is_shown_to_new_connections_and_closes_none(world, kind):
    shown = Shown(world, kind)
    first, second, third = shown.issued.certificate.serial_number, Issued("localhost"), Issued("localhost")
    context = shown.trusting("http/1.1")
    sockets = [world.enter(shown.web_socket(context)) for _ in range(WEB_SOCKETS)]
    assert shown.serial() == first
    shown.write(second)
    assert shown.reloaded.radioctl()[0] == 0
    assert shown.serial() == second.certificate.serial_number
    shown.clients_are_served()
    shown.write(third, key=second)
    status, _, err = shown.reloaded.radioctl()
    assert status == 1
    assert "listen.[1]" in err
    assert shown.serial() == second.certificate.serial_number
    assert shown.reloaded.publish("feed-secret", n=1) == 200
    # Who came before is there still.
    assert [next_text(one) for one in sockets] == ['{"n": 1}'] * WEB_SOCKETS
    assert "Traceback" not in shown.reloaded.server.log.read_text()
