"""TLS with the programs that people use; the certificate authority is made for the test.

Nearly all of them offer ALPN, which Python's ``ssl`` does not unless told: each must be served.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.webdriver.common.by import By
from support.config import configuration
from support.running import ROOT, Server, environment, free_port, radiod
from support.tls import Issued, certificate, for_threads, rsa_key
from websockets.sync.client import connect

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
JS = HERE / "js"
SECONDS = 30
ENDPOINTS = ["ssl", "tls", "haproxy:ssl"]

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (JS / "node_modules" / "autobahn").is_dir(),
    reason="node, or its packages, are missing",
)


class Tls:
    """A server with a TLS port of each kind, and what its clients need to trust it."""

    def __init__(self, server: Server, ports: dict[str, int], ca: Path, leaf: Issued) -> None:
        self.server = server
        self.ports = ports
        self.port = ports["ssl"]
        self.ca = ca
        self.leaf = leaf

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def context(self, *alpn: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def log_since(self, beginning: int) -> list[str]:
        """Lines about what was refused, behind the first so many characters of the log."""
        return [line for line in self.server.log.read_text()[beginning:].splitlines() if "refused " in line]


EVERY_LINE = "[limits]\nlog_interval_s = 0.1\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    root = Issued("radiod test authority", is_ca=True)
    between = Issued("radiod test intermediate", issuer=root, is_ca=True)
    leaf = Issued("localhost", issuer=between, key=rsa_key())
    (folder / "ca.pem").write_bytes(root.certificate_pem())
    (folder / "key.pem").write_bytes(leaf.key_pem())
    # As certbot writes it: the certificate, and what stands between it and the root.
    (folder / "fullchain.pem").write_bytes(leaf.certificate_pem() + between.certificate_pem())
    pems = folder / "pems"
    pems.mkdir()
    (pems / "localhost.pem").write_bytes(leaf.key_pem() + leaf.certificate_pem())
    (pems / "authorities.pem").write_bytes(root.certificate_pem() + between.certificate_pem())
    ports = {kind: free_port() for kind in ENDPOINTS}
    pair = f"privateKey={folder}/key.pem:certKey={folder}/fullchain.pem:interface=127.0.0.1"
    endpoints = [
        f"ssl:{ports['ssl']}:{pair}",
        rf"tls:{pems}:{ports['tls']}:interface=\:\:ffff\:127.0.0.1",
        f"haproxy:ssl:{ports['haproxy:ssl']}:{pair}",
    ]
    listen = [word for endpoint in endpoints for word in ("--listen", endpoint)]
    with radiod(folder, configuration(EVERY_LINE), None, *listen) as server:
        yield Tls(server, ports, folder / "ca.pem", leaf)
        assert "Traceback" not in server.log.read_text()


# --- HTTP clients


def curl(tls, *options, port=None):
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--cacert",
        str(tls.ca),
        "-4",
    ]
    url = f"https://localhost:{port or tls.port}/healthz"
    written = "%{http_version} %{http_code}"
    done = subprocess.run(
        [*command, *options, "--output", os.devnull, "--write-out", written, url],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
class TestCurl:
    @pytest.mark.parametrize(
        "options",
        [[], ["--http1.1"], ["--http2"], ["--no-alpn"], ["--tls-max", "1.2"]],
        ids=lambda options: " ".join(options),
    )
    def test_is_served(self, tls, options):
        assert curl(tls, *options) == (0, "1.1 200", "")

    def test_is_served_by_a_folder_of_certificates(self, tls):
        assert curl(tls, port=tls.ports["tls"]) == (0, "1.1 200", "")

    def test_is_served_behind_a_proxy_that_passes_tls_on(self, tls):
        # The PROXY protocol's line comes before TLS begins.
        assert curl(tls, "--haproxy-protocol", port=tls.ports["haproxy:ssl"]) == (0, "1.1 200", "")

    @pytest.mark.parametrize(
        "options",
        [
            ["--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0"],
            ["--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256"],
            ["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-SHA256"],
        ],
        ids=["TLS 1.1", "not forward secret", "not AEAD"],
    )
    def test_is_refused_with_less_than_tls_1_2_with_forward_secret_aead(self, tls, options):
        beginning = len(tls.server.log.read_text())
        code, written, _ = curl(tls, *options)
        assert (code, written) == (35, "0 000")
        (line,) = until(lambda: tls.log_since(beginning))
        assert "refused tcp:127.0.0.1:" in line
        assert "TLS handshake failed: " in line


def test_requests_is_served(tls):
    answer = requests.get(f"{tls.url}/healthz", verify=str(tls.ca), timeout=SECONDS)
    assert answer.json()["status"] == "ok"


def test_urllib_is_served(tls):
    with urllib.request.urlopen(f"{tls.url}/healthz", timeout=SECONDS, context=tls.context()) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], "http/1.1"),
        (["http/1.1", "h2"], "http/1.1"),
        (["h2"], None),
        (["wamp", "x" * 255], None),
    ],
    ids=["nothing", "http", "h2, http", "http, h2", "h2", "unknown"],
)
@pytest.mark.parametrize("kind", ["ssl", "tls"])
def test_of_alpn_http_is_chosen_where_it_is_offered_and_nothing_else_minds(tls, kind, offered, chosen):
    with dial(tls, tls.context(*offered), tls.ports[kind]) as client:
        assert client.selected_alpn_protocol() == chosen
        # RawSocket, whatever it said before.
        client.sendall(b"\x7f\xf1\x00\x00")
        assert client.recv(4) == b"\x7f\xb1\x00\x00"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_is_served(tls):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{tls.port}", "-alpn", "http/1.1"]
    trusted = ["-CAfile", str(tls.ca), "-servername", "localhost", "-verify_return_error"]
    done = subprocess.run([*command, *trusted], input="", capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "ALPN protocol: http/1.1" in done.stdout


def dial(tls, context, port=None):
    plain = socket.create_connection(("127.0.0.1", port or tls.port), SECONDS)
    return context.wrap_socket(plain, server_hostname="localhost")


# --- WAMP, streams, browsers


@pytest.mark.parametrize("framework", ["twisted", "asyncio"])
@pytest.mark.parametrize("transport", ["websocket", "rawsocket"])
def test_autobahn_python_works(tls, framework, transport):
    command = [sys.executable, str(HERE / "clients" / "autobahn_client.py"), framework, transport, "cbor"]
    done = subprocess.run(
        [*command, str(tls.port)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**environment(), "RADIOD_CA_FILE": str(tls.ca)},
    )
    assert done.stdout, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["left"] == "wamp.close.goodbye_and_out", seen
    assert (seen["payload"], seen["call"]) == (True, [5, 9])


def node(tls, *arguments):
    done = subprocess.run(
        ["node", "--no-warnings", *arguments],
        cwd=JS,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(tls.ca), "RADIOD_CA_FILE": str(tls.ca)},
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_node
def test_node_is_served(tls):
    assert node(tls, "tls.mjs", str(tls.port)) == {
        "fetch": 200,
        "https": 200,
        "ws": 2,
        "h2 and http": "http/1.1",
        "h2 alone": False,
    }


@needs_node
@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
def test_autobahn_js_works(tls, transport):
    seen = node(tls, "--experimental-websocket", "client.js", "json", transport, str(tls.port))
    assert seen["left"] == "wamp.close.goodbye_and_out", seen
    assert (seen["payload"], seen["call"]) == (True, [5, 9])


def test_websockets_hears_what_an_event_stream_hears(tls):
    options = {"ssl": for_threads(tls.ca), "sock": socket.create_connection(("127.0.0.1", tls.port))}
    options["ssl"].set_alpn_protocols(["http/1.1"])
    headers = {"Accept": "text/event-stream"}
    stream = requests.get(
        f"{tls.url}/listen/sample_net", headers=headers, verify=str(tls.ca), stream=True, timeout=SECONDS
    )
    with connect(f"wss://localhost:{tls.port}/listen/sample_net", **options) as listener, stream:
        requests.post(
            f"{tls.url}/publish",
            json={"network": "sample_net", "data": {"a": 1}},
            headers={"API-KEY": "sample-key"},
            verify=str(tls.ca),
            timeout=SECONDS,
        ).raise_for_status()
        assert json.loads(listener.recv(SECONDS)) == {"a": 1}
        heard = next(line for line in stream.iter_lines() if line.startswith(b"data: "))
        assert json.loads(heard.removeprefix(b"data: ")) == {"a": 1}


CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")


@pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason="needs the packages chromium and chromium-driver"
)
def test_chromium_shows_the_live_page(tls, tmp_path):
    public = tls.leaf.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = base64.b64encode(hashlib.sha256(public).digest()).decode()
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"):
        options.add_argument(switch)
    # Only for this certificate; Chromium takes authorities from the system alone.
    options.add_argument(f"--ignore-certificate-errors-spki-list={known}")
    options.add_argument(f"--user-data-dir={tmp_path}/profile")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        browser.set_page_load_timeout(SECONDS)
        browser.get(f"{tls.url}/")
        assert "radiod" in browser.title.lower() + browser.find_element(By.TAG_NAME, "body").text.lower()
        heard = browser.execute_async_script(
            """
            const done = arguments[arguments.length - 1];
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws", "wamp.2.json");
            socket.onopen = () => socket.send('[1,"radio",{"roles":{"subscriber":{}}}]');
            socket.onmessage = ({ data }) => done(JSON.parse(data)[0]);
            socket.onerror = () => done("error");
            """
        )
        assert heard == 2
    finally:
        browser.quit()


# --- handshakes that fail


def until(look):
    """What ``look`` returns, as soon as it is something; after a second, nothing."""
    end = time.monotonic() + 1
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def refused(tls, act):
    """What the log says of one connection on which ``act`` is done to a plain socket."""
    beginning = len(tls.server.log.read_text())
    with socket.create_connection(("127.0.0.1", tls.port), SECONDS) as client:
        with contextlib.suppress(OSError):
            act(client)
            # The server has closed it, and written its line before.
            while client.recv(1000):
                pass
        where = f"tcp:127.0.0.1:{client.getsockname()[1]}:"
    # What it was about an earlier connection does not count; that of this one is there when this is answered.
    requests.get(f"{tls.url}/healthz", verify=str(tls.ca), timeout=SECONDS)
    return until(
        lambda: [line.partition(where)[2].strip() for line in tls.log_since(beginning) if where in line]
    )


def half_a_hello(client):
    client.sendall(b"\x16\x03\x01\x00\xff")
    client.shutdown(socket.SHUT_WR)


def untrusting(client):
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLError):
        # A copy: the socket is closed with its wrapper.
        context.wrap_socket(client.dup(), server_hostname="localhost")


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (lambda client: client.sendall(b"GET / HTTP/1.1\r\n\r\n"), "TLS handshake failed: http request"),
        (lambda client: client.sendall(b"\x7f\xf1\x00\x00" * 4), "TLS handshake failed: "),
        (lambda client: client.sendall(bytes(100)), "TLS handshake failed: "),
        (half_a_hello, "TLS handshake failed: the peer hung up"),
        (untrusting, "TLS handshake failed: "),
    ],
    ids=["HTTP", "RawSocket", "zeros", "half", "untrusted"],
)
def test_a_handshake_that_fails_is_one_line_with_the_peer(tls, act, line):
    (found,) = refused(tls, act)
    assert found.startswith(line)
    assert len(found) > len("TLS handshake failed: ")


def test_a_handshake_that_was_done_has_not_failed_when_nothing_follows(tls):
    def shake_hands_and_go(client):
        # A copy: the socket is closed with its wrapper.
        tls.context().wrap_socket(client.dup(), server_hostname="localhost").close()
        client.shutdown(socket.SHUT_RDWR)

    assert refused(tls, shake_hands_and_go) == []


def test_who_only_looks_whether_the_port_is_open_is_not_worth_a_line(tls):
    assert refused(tls, lambda client: client.shutdown(socket.SHUT_WR)) == []


def test_a_handshake_that_never_ends_is_one_line(tmp_path):
    port = free_port()
    more = ["--listen", f"ssl:{port}:privateKey={certificate(tmp_path)}:interface=127.0.0.1"]
    with radiod(tmp_path, configuration(max_unauthenticated_seconds=0.5), None, *more) as server:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
            client.sendall(b"\x16\x03\x01\x00\xff")
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1000) == b""
        assert server.stop() == 0
        lines = [line for line in server.log.read_text().splitlines() if "refused" in line]
    assert len(lines) == 1
    assert "no TLS handshake in time" in lines[0]


def taken(port: int) -> socket.socket:
    """A connection that the server has taken: whoever waited for its start may not have gone yet."""
    end = time.monotonic() + SECONDS
    while True:
        client = socket.create_connection(("127.0.0.1", port), SECONDS)
        with contextlib.suppress(ConnectionError):
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if client.recv(1000).startswith(b"HTTP/1.1 200"):
                return client
        client.close()
        assert time.monotonic() < end


@pytest.mark.parametrize("kind", ["ssl", "haproxy:ssl"])
def test_connections_above_the_limit_are_closed_over_tls_too(tmp_path, kind):
    port = free_port()
    more = ["--listen", f"{kind}:{port}:privateKey={certificate(tmp_path)}:interface=127.0.0.1"]
    with radiod(tmp_path, configuration(max_connections=2), None, *more) as server:
        held = [taken(server.port) for _ in range(2)]
        # Of whoever came meanwhile.
        told = server.log.read_text().count(": 2 connections are open")
        # It may be closed before it is known to be open here.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), SECONDS) as client:
            client.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" if kind != "ssl" else b"\x16")
            assert client.recv(1000) == b""
        for client in held:
            client.close()
        assert server.stop() == 0
        log = server.log.read_text()
    assert "Traceback" not in log
    assert log.count(": 2 connections are open") == told + 1


def test_the_start_line_says_https(tls):
    (line,) = [line for line in tls.server.log.read_text().splitlines() if "on the air" in line]
    assert f"https://127.0.0.1:{tls.ports['ssl']}/" in line
    assert f"http://127.0.0.1:{tls.server.port}/" in line
    assert str(ROOT) not in line
