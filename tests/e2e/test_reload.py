"""A configuration taken anew by real servers: by radioctl, by a signal, and with TLS."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import pytest
from support.running import ROOT, environment, free_port, radiod
from support.tls import Issued, for_threads
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

SECONDS = 20
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
        done = subprocess.run(
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


@pytest.mark.parametrize("kind", ["ssl", "tls", "beside"])
def test_a_new_certificate_is_shown_to_new_connections_and_closes_none(world, kind):
    folder, port, plain = world.folder, free_port(), free_port()
    (folder / "pems").mkdir()

    def write(issued, key=None):
        (folder / "cert.pem").write_bytes(issued.certificate_pem())
        (folder / "key.pem").write_bytes((key or issued).key_pem())
        both = (key or issued).key_pem() + issued.certificate_pem()
        (folder / "pems" / "localhost.pem").write_bytes(both)

    def shown():
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=SECONDS))

    def der(issued):
        return ssl.PEM_cert_to_DER_cert(issued.certificate_pem().decode())

    first, second, third = Issued("localhost"), Issued("localhost"), Issued("localhost")
    write(first)
    endpoint = {
        "ssl": f"ssl:{port}:privateKey={folder}/key.pem:certKey={folder}/cert.pem:interface=127.0.0.1",
        "tls": rf"tls:{folder}/pems:{port}:interface=\\:\\:ffff\\:127.0.0.1",
        "beside": f"tcp:{port}:interface=127.0.0.1",
    }[kind]
    beside = f'tls = {{certificate = "{folder}/cert.pem", key = "{folder}/key.pem"}}\n' * (kind == "beside")
    head = f'{listen(plain)}[[listen]]\nendpoint = "{endpoint}"\n{beside}'
    server = world.enter(radiod(folder, head + BASE, plain))
    reloaded = Reloaded(folder, server, head)
    (folder / "trusted.pem").write_bytes(first.certificate_pem())
    trusting = for_threads(folder / "trusted.pem")
    sockets = [
        world.enter(
            connect(
                f"wss://127.0.0.1:{port}/listen/news",
                ssl=trusting,
                server_hostname="localhost",
                open_timeout=SECONDS,
            )
        )
        for _ in range(20)
    ]
    assert shown() == der(first)
    write(second)
    assert reloaded.radioctl()[0] == 0
    assert shown() == der(second)
    write(third, key=first)
    status, _, err = reloaded.radioctl()
    assert status == 1
    assert "listen.[1]" in err
    assert shown() == der(second)
    reloaded.publish("feed-secret", n=1)
    assert [json.loads(one.recv(SECONDS)) for one in sockets] == [{"n": 1}] * 20
