"""Real proxies in front of a real radiod, configured as docs/proxies.md says: its examples run here."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait
from support.config import configuration
from support.proxies import examples, haproxy, nginx
from support.running import Server, free_port, program, radiod, wait_until
from support.tls import certificate, for_threads
from websockets.sync.client import ClientConnection, connect

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
CLIENT = "127.0.0.2"
"""Where clients of these tests come from, so that the log can tell them from the proxy."""

SECONDS = 20
HELLO = [1, "radio", {"roles": {"subscriber": {}, "publisher": {}}}]
KEY = {"API-KEY": "sample-key"}
KEPT = """
realms.radio.cookie_lifetime_s = 60
realms.radio.channels.kept.history.size = 10
"""
PROGRAMS = {"nginx": "nginx-light", "haproxy": "haproxy", "caddy": "caddy", "apache2": "apache2-bin"}

pytestmark = pytest.mark.e2e


def needs(name: str) -> Any:
    package = PROGRAMS[name]
    return pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {package}"))


class Front:
    """A proxy in front of a radiod."""

    def __init__(self, server: Server, port: int, pem: Path | None) -> None:
        self.server = server
        self.port = port
        self.pem = pem
        self.http = requests.Session()
        self.http.mount("https://", _From())
        self.http.verify = str(pem)
        self.http.trust_env = False

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, self.url + path, timeout=SECONDS, **options)

    def publish(self, data: Any, channel: str = "sample_net") -> None:
        """Send one sample, through the proxy."""
        body = {"network": channel, "data": data}
        answer = self.request("POST", "/publish", json=body, headers=KEY)
        assert (answer.status_code, answer.json()) == (200, {"message": "OK"})

    def websocket(self, path: str, **options: Any) -> ClientConnection:
        """A WebSocket, through the proxy."""
        raw = socket.create_connection(("127.0.0.1", self.port), SECONDS, (CLIENT, 0))
        scheme, context = "ws", None
        if self.pem is not None:
            scheme, context = "wss", for_threads(self.pem)
            context.set_alpn_protocols(["http/1.1"])
        return connect(f"{scheme}://localhost:{self.port}{path}", sock=raw, ssl=context, **options)

    def peers(self) -> list[str]:
        """Where the sessions came from that the log tells of."""
        return re.findall(r" joined: .* from (\S+)", self.server.log.read_text())


class _From(requests.adapters.HTTPAdapter):
    """Connections from the client's own address."""

    def init_poolmanager(self, *args: Any, **options: Any) -> Any:
        return super().init_poolmanager(*args, source_address=(CLIENT, 0), **options)


def caddy(folder: Path, port: int, backend: int, pem: Path) -> list[str]:
    (example,) = examples("caddy")
    example = example.replace("radio.example.org {", f"https://localhost:{port} {{\n    tls {pem} {pem}")
    # On all addresses its port may be that of some client's connection.
    where = f"default_bind 127.0.0.1\nstorage file_system {folder}"
    settings = f"{{\nadmin off\n{where}\nauto_https off\nskip_install_trust\n}}\n"
    (folder / "Caddyfile").write_text(settings + example.replace("127.0.0.1:8080", f"127.0.0.1:{backend}"))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def apache2(folder: Path, port: int, backend: int, pem: Path) -> list[str]:
    (example,) = examples("apache")
    names = ("mpm_event", "authz_core", "headers", "ssl", "socache_shmcb", "proxy", "proxy_http")
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in names)
    (folder / "apache2.conf").write_text(
        f"{modules}\nServerName localhost\nServerRoot {folder}\nPidFile {folder}/apache2.pid\n"
        f"DefaultRuntimeDir {folder}\nErrorLog /dev/stderr\nListen 127.0.0.1:{port}\n"
        f"<VirtualHost *:{port}>\nSSLEngine on\nSSLCertificateFile {pem}\n"
        f"{example.replace('127.0.0.1:8080', f'127.0.0.1:{backend}')}</VirtualHost>\n"
    )
    return ["apache2", "-DFOREGROUND", "-f", str(folder / "apache2.conf")]


MAKERS = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy, "apache2": apache2}


@contextlib.contextmanager
def behind(name: str, folder: Path) -> Iterator[Front]:
    """A radiod as the documentation says, and the proxy ``name`` in front of it."""
    listen = examples("toml")[0]
    pem = certificate(folder)
    with radiod(folder, configuration(KEPT + listen)) as server:
        port = free_port()
        log = folder / f"{name}.log"
        with program(MAKERS[name](folder, port, server.port, pem), log) as process:
            wait_until(lambda: _listens(port), process, log)
            front = Front(server, port, pem)
            # HAProxy asks for a sign of life first.
            wait_until(lambda: front.request("GET", "/healthz").status_code == 200, process, log)
            yield front


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module", params=[needs(name) for name in MAKERS])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with behind(request.param, tmp_path_factory.mktemp(request.param)) as front:
        yield front


def join(socket: ClientConnection) -> None:
    socket.send(json.dumps(HELLO))
    assert json.loads(socket.recv(SECONDS))[0] == 2


def test_wamp_comes_through(front: Front) -> None:
    with front.websocket("/ws", subprotocols=["wamp.2.json"]) as socket:
        join(socket)
        socket.send(json.dumps([32, 1, {}, "sample_net"]))
        assert json.loads(socket.recv(SECONDS))[:2] == [33, 1]
        front.publish({"a": 1})
        assert json.loads(socket.recv(SECONDS))[4:] == [[{"a": 1}]]


def test_the_log_tells_the_real_client(front: Front) -> None:
    with front.websocket(
        "/ws", subprotocols=["wamp.2.json"], additional_headers={"X-Forwarded-For": "192.0.2.66"}
    ) as socket:
        join(socket)
    forged = {"X-Forwarded-For": "192.0.2.66", "Forwarded": "for=192.0.2.66"}
    opened = front.request("POST", "/lp/open", json={"protocols": ["wamp.2.json"]}, headers=forged).json()
    path = f"/lp/{opened['transport']}"
    assert front.request("POST", f"{path}/send", data=json.dumps(HELLO), headers=forged).status_code == 204
    assert front.request("POST", f"{path}/receive").json()[0] == 2
    front.request("POST", f"{path}/close")
    assert set(front.peers()) == {f"tcp:{CLIENT}"}


def test_a_plain_websocket_comes_through(front: Front) -> None:
    with front.websocket("/listen/sample_net") as socket:
        front.publish({"a": 2})
        assert json.loads(socket.recv(SECONDS)) == {"a": 2}


def test_lines_are_published_as_they_come(front: Front) -> None:
    with front.websocket("/listen/sample_net") as socket:

        def lines() -> Iterator[bytes]:
            for count in range(3):
                line = json.dumps({"network": "sample_net", "data": {"n": count}}).encode()
                # Apache passes nothing on before some kilobytes have come. Empty lines are no items.
                yield line + b"\n" * (1 << 17)
                assert json.loads(socket.recv(SECONDS)) == {"n": count}

        headers = {**KEY, "Content-Type": "application/x-ndjson", "Prefer": "return=minimal"}
        answer = front.request("POST", "/publish", data=lines(), headers=headers)
        assert answer.json() == {"items": 3, "failed": 0}


@pytest.mark.parametrize("media", ["text/event-stream", "application/x-ndjson"])
def test_a_stream_is_not_held_back(front: Front, media: str) -> None:
    with front.request("GET", "/listen/sample_net", headers={"Accept": media}, stream=True) as stream:
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines) in (b":", b"")
        for count in range(3):
            front.publish({"n": count})
            line = next(line for line in lines if b"{" in line)
            assert b'{"n": %d}' % count in line


def test_a_poll_is_answered_when_something_comes(front: Front) -> None:
    position = front.request("GET", "/listen/kept?wait=0").headers["X-Radiod-Position"]
    answers = []
    poll = threading.Thread(
        target=lambda: answers.append(front.request("GET", f"/listen/kept?after={position}&wait=20").json())
    )
    poll.start()
    front.publish({"a": 3}, "other_net")
    kept = {"topic": "kept", "args": [{"a": 3}]}
    with front.websocket("/ws", subprotocols=["wamp.2.json"]) as socket:
        join(socket)
        socket.send(json.dumps([16, 1, {"acknowledge": True}, "kept", kept["args"]]))
        assert json.loads(socket.recv(SECONDS))[0] == 17
    poll.join(SECONDS)
    assert [each["data"] for each in answers[0]] == [{"a": 3}]


def test_connections_to_radiod_are_used_again_and_websockets_get_through_all_the_same(front: Front) -> None:
    for _ in range(20):
        assert front.request("GET", "/healthz").status_code == 200
        with front.websocket("/listen/sample_net") as socket:
            front.publish({"a": 4})
            assert json.loads(socket.recv(SECONDS)) == {"a": 4}


def test_cookies_are_those_of_an_encrypted_page_of_this_server(front: Front) -> None:
    with front.websocket("/ws", subprotocols=["wamp.2.json"], origin=front.url) as socket:
        issued = socket.response.headers["Set-Cookie"]
    assert issued.startswith("__Host-radiod=")
    assert "; Secure" in issued
    with front.websocket("/ws", subprotocols=["wamp.2.json"], origin="https://elsewhere.example") as socket:
        assert "Set-Cookie" not in socket.response.headers


WAYS_ROUND = [
    "/publish", "/api/publish", "/publish/", "/publish/x", "/publish?x", "//publish", "///publish",
    "/x/../publish", "/publish/.", "/publish/..", "/%70ublish", "/publish%2f", "/publish%3f", "/publish%23",
    "/publish;x", "/PUBLISH", "/Publish", "/api/%70ublish", "/api//publish", "/api%2fpublish", "/./publish",
    "/publish%20", "/publish%00", "/%2fpublish", "/healthz/../publish", "/listen/../publish", "/%2e/publish",
    "/radio/publish", "/radio//publish", "/radio/../publish", "/radio/%2e%2e/publish", "/radio/%70ublish",
    "/radio/./publish", "/radio/x/../publish", "/radio%2fpublish", "/radio/%2fpublish", "/radio/publish/",
    "http://localhost/publish", "http://localhost//publish", "HTTP://LOCALHOST/publish", "publish", "*",
    "/publish#", "/publish\\", "\\publish", "/publish\t",
]  # fmt: skip


@pytest.mark.parametrize("name", [needs("nginx"), needs("haproxy")])
def test_a_path_that_is_denied_cannot_be_walked_around(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    body = b'{"network":"sample_net","data":{"a":1}}'
    with behind(name, tmp_path_factory.mktemp(f"denied-{name}")) as front:
        before = _events(front)
        for path in WAYS_ROUND:
            for method in (b"POST", b"PUT"):
                status = _raw(front, method, path.encode(), body)
                assert not status.startswith(b"2"), (path, status)
        assert _events(front) == before
        direct = requests.post(f"{front.server.url}/publish", data=body, headers=KEY, timeout=SECONDS)
        assert direct.status_code == 200
        assert _events(front) == before + 1


def _events(front: Front) -> int:
    channel = requests.get(f"{front.server.url}/channels/sample_net", timeout=SECONDS).json()
    return int(channel["events"])


def _raw(front: Front, method: bytes, path: bytes, body: bytes) -> bytes:
    """The status of one request whose path no library has tidied."""
    context = ssl.create_default_context(cafile=str(front.pem))
    with (
        socket.create_connection(("127.0.0.1", front.port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        fields = (
            b"Host: localhost\r\nAPI-KEY: sample-key\r\nContent-Length: %d\r\nConnection: close\r\n"
            % len(body)
        )
        secured.sendall(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, path, fields, body))
        answer = b""
        while b"\r\n" not in answer and (data := secured.recv(4096)):
            answer += data
    return answer.split()[1] if answer else b"closed"


@pytest.mark.parametrize("name", [needs("nginx")])
@pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason="needs chromium and chromium-driver")
def test_the_live_page_works_below_a_path(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.accept_insecure_certs = True
    profile = tmp_path_factory.mktemp("chromium")
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with behind(name, tmp_path_factory.mktemp("path")) as front:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
        try:
            driver.get(f"{front.url}/radio/#sample_net")
            mark = "return document.documentElement.dataset[arguments[0]]"
            wait = WebDriverWait(driver, 30)
            wait.until(lambda _: driver.execute_script(mark, "channel") == "sample_net")
            wait.until(lambda _: _readers(front) == 1)
            front.publish({"wind": 7.5})
            wait.until(lambda _: int(driver.execute_script(mark, "samples") or 0) == 1)
            snippet = "return document.querySelector('#snippet-curl').textContent"
            assert driver.execute_script(snippet).endswith(f" {front.url}/radio/listen/sample_net")
            assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium's
        finally:
            driver.quit()


def _readers(front: Front) -> int:
    return int(requests.get(f"{front.server.url}/channels/sample_net", timeout=SECONDS).json()["readers"])


@pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")
@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2", "send-proxy-v2 check"])
def test_the_proxy_protocol_tells_the_real_client_of_every_transport(tmp_path: Path, version: str) -> None:
    listen, example = examples("toml")[1], examples("haproxy")[2]
    backend, port = free_port(), free_port()
    doors = examples("toml")[0].replace("trusted_proxies", "# ") + listen.replace(":8081:", f":{backend}:")
    with radiod(tmp_path, configuration(doors, log_interval_s=0.1)) as server:
        example = example.replace(":8443", f"127.0.0.1:{port}").replace(":8081", f":{backend}")
        (tmp_path / "haproxy.cfg").write_text(example.replace("send-proxy-v2", version))
        log = tmp_path / "haproxy.log"
        with program(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")], log) as process:
            wait_until(lambda: _listens(port), process, log)
            front = Front(server, port, None)
            with front.websocket("/ws", subprotocols=["wamp.2.json"]) as websocket:
                join(websocket)
                front.http.mount("http://", _From())
                body = {"network": "sample_net", "data": {"a": 1}}
                answer = front.http.post(
                    f"http://localhost:{port}/publish", json=body, headers=KEY, timeout=SECONDS
                )
                assert answer.status_code == 200
            with socket.create_connection(("127.0.0.1", port), SECONDS, (CLIENT, 0)) as raw:
                raw.sendall(b"\x7f\xf1\x00\x00" + _rawsocket(json.dumps(HELLO).encode()))
                received = b""
                while b"[2," not in received:
                    data = raw.recv(4096)
                    assert data
                    received += data
            # A second line within the interval of the first is written when that ends.
            wait_until(lambda: len(front.peers()) == 2, server.process, server.log)
            assert all(peer.startswith(f"tcp:{CLIENT}:") for peer in front.peers())
        with socket.create_connection(("127.0.0.1", backend), SECONDS) as stranger:
            stranger.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stranger.recv(100) == b""
            where = f"refused tcp:127.0.0.1:{stranger.getsockname()[1]}: "
        wait_until(lambda: where in server.log.read_text(), server.process, server.log)
        assert f"{where}no PROXY protocol in front" in server.log.read_text()


def _rawsocket(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def test_the_examples_are_what_these_proxies_themselves_take_for_right(tmp_path: Path) -> None:
    if not shutil.which("nginx"):
        pytest.skip("needs nginx-light")
    command = nginx(tmp_path, free_port(), free_port(), certificate(tmp_path))
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert "[warn]" not in checked.stderr
    assert checked.returncode == 0, checked.stderr
