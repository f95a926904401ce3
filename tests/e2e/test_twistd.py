"""twistd: starting, refusing to start, stopping."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import nursery
from support.config import configuration
from support.running import ROOT, TWISTD, environment, free_port, program, radiod, wait_until
from support.tls import certificate, for_threads
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from radiod.core.build import BUILD
from radiod.wire.replies import error_reply

pytestmark = pytest.mark.e2e

SECONDS = 20
HELLO = json.dumps([1, "radio", {"roles": {"subscriber": {}, "publisher": {}}}])


def run(*arguments, start=nursery.run):
    return start(
        [*TWISTD, *arguments], capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment()
    )


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def dial_ws():
    """Opens WebSockets, and closes them when the test is over."""
    with contextlib.ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(
            connect(url, compression=None, close_timeout=0.5, **options)
        )


def joined(dial_ws, url, **options):
    client = dial_ws(f"{url}/ws", subprotocols=["wamp.2.json"], **options)
    client.send(HELLO)
    assert json.loads(client.recv(SECONDS))[0] == 2
    return client


@pytest.mark.parametrize("mode", [["-n"], []], ids=["foreground", "daemon"])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "No such file or directory"),
        ("a = [", "not TOML: Invalid value"),
        ("port = 1", "port: unknown key"),
        ("[limits]\nmax_connections = 0", "limits.max_connections: Expected `int` >= 1"),
        (
            "[[listen]]\nendpoint = 'carrier:pigeon'",
            "listen.[0].endpoint: cannot listen on 'carrier:pigeon': unknown kind 'carrier'",
        ),
        (
            "[[listen]]\nendpoint = 'tcp:0:interface=127.0.0.1'\n[[listen]]\nendpoint = 'tcp:99999'",
            "listen.[1].endpoint: cannot listen on 'tcp:99999': port: '99999' is no number from 0 to 65535",
        ),
        (
            "[[listen]]\nendpoint = 'systemd:domain=INET:name=http'",
            "listen.[0].endpoint: cannot listen on 'systemd:domain=INET:name=http': no socket named 'http'",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_status_1(tmp_path, mode, config, message):
    file = tmp_path / "radiod.toml"
    if config is not None:
        file.write_text(config)
    done = run(
        *mode, f"--pidfile={tmp_path}/pid", f"--logfile={tmp_path}/log", "radiod", "--config", str(file)
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("radiod: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("mode", [["-n"], []], ids=["foreground", "daemon"])
def test_a_port_in_use_is_one_line_and_status_1(tmp_path, mode):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        done = run(
            *mode, f"--pidfile={tmp_path}/pid", f"--logfile={tmp_path}/log", "radiod", "--listen", endpoint
        )
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_daemon_answers_and_stops(tmp_path):
    port, pidfile = free_port(), tmp_path / "pid"
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    own = [f"--pidfile={pidfile}", f"--logfile={tmp_path}/log"]
    done = run(*own, "radiod", "--listen", endpoint, start=subprocess.run)
    assert (done.returncode, done.stderr) == (0, "")
    end = time.monotonic() + SECONDS
    while not answers(port):
        assert time.monotonic() < end, (tmp_path / "log").read_text()
        time.sleep(0.05)
    os.kill(int(pidfile.read_text()), signal.SIGTERM)
    while pidfile.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not answers(port)


def test_the_tac_file_runs_the_same_service(tmp_path):
    port = free_port()
    config = tmp_path / "radiod.toml"
    config.write_text(f'[[listen]]\nendpoint = "tcp:{port}:interface=127.0.0.1"\n')
    log = tmp_path / "log"
    command = ["env", f"RADIOD_CONFIG={config}", *TWISTD, "-n", "--pidfile=", "-y", str(ROOT / "radiod.tac")]
    with program(command, log) as process:
        wait_until(lambda: answers(port), process, log)


def test_the_start_is_one_line_that_says_what_is_served_where(tmp_path):
    with radiod(tmp_path, configuration()) as server:
        lines = [line for line in server.log.read_text().splitlines() if "on the air" in line]
        assert len(lines) == 1
        assert f"({BUILD}) on the air: http://127.0.0.1:{server.port}/; realms radio" in lines[0]


def test_sigterm_closes_after_what_is_queued_and_ends_soon(tmp_path, dial_ws):
    with radiod(tmp_path, configuration()) as server:
        client = joined(dial_ws, server.ws)
        client.send('[32,1,{},"a"]')
        client.send('[16,2,{"exclude_me":false},"a",["last"]]')
        # Once it has a listener more, the server has read all this; nobody has read the answers yet.
        listener = dial_ws(f"{server.ws}/listen/a")
        begin = time.monotonic()
        server.process.terminate()
        assert [json.loads(client.recv(SECONDS))[0] for _ in range(2)] == [33, 36]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd.code == 1012
        with pytest.raises(ConnectionClosed) as closed:
            listener.recv(SECONDS)
        assert closed.value.rcvd.code == 1001
        assert server.ended() == 0
        assert time.monotonic() - begin < 5


def test_sigterm_answers_every_long_poll_that_waits(tmp_path):
    def post(server, path, body=b""):
        request = urllib.request.Request(f"{server.url}/lp/{path}", body, method="POST")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.read()

    with radiod(tmp_path, configuration()) as server, ThreadPoolExecutor() as threads:
        member, stranger, absent = (
            json.loads(post(server, "open", b'{"protocols": ["wamp.2.json"]}'))["transport"] for _ in range(3)
        )
        for transport in (member, absent):
            post(server, f"{transport}/send", HELLO.encode())
            assert json.loads(post(server, f"{transport}/receive"))[0] == 2
        waiting = [threads.submit(post, server, f"{transport}/receive") for transport in (member, stranger)]
        time.sleep(0.2)
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 5
        assert [receive.result() for receive in waiting] == [b"", b""]
        assert "Traceback" not in server.log.read_text()


def test_sigterm_does_not_wait_for_those_who_do_not_read(tmp_path, dial_ws):
    with radiod(tmp_path, configuration()) as server:
        joined(dial_ws, server.ws)
        idle = dial(server.port)
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 5
        idle.close()


def test_no_secret_is_ever_logged(tmp_path):
    with radiod(tmp_path, configuration()) as server:
        for ticket in ("joe-ticket", "wrong-ticket"):
            with connect(f"{server.ws}/ws", subprotocols=["wamp.2.json"], compression=None) as client:
                roles = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": "joe"}
                client.send(json.dumps([1, "radio", roles]))
                client.recv(SECONDS)
                client.send(json.dumps([5, ticket, {}]))
                client.recv(SECONDS)
        for key in ("sample-key", "wrong-key"):
            with connect(f"{server.ws}/listen/a", additional_headers={"API-KEY": "sample-key"}):
                pass
            request = urllib.request.Request(f"{server.url}/publish", b"{}", {"API-KEY": key})
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=SECONDS)
            listen = urllib.request.Request(f"{server.url}/listen/a?last=1", headers={"API-KEY": "wrong-key"})
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(listen, timeout=SECONDS)
        assert server.stop() == 0
        log = server.log.read_text()
    assert "joined: joe as open by ticket" in log
    assert ", 'joe' by ticket in realm radio: wamp.error." in log
    assert ": API-KEY not valid" in log
    for secret in ("joe-ticket", "wrong-ticket", "sample-key", "wrong-key"):
        assert secret not in log
    assert "Traceback" not in log


def test_one_server_listens_on_tcp_tls_and_a_unix_socket(tmp_path, dial_ws):
    file, tls, path = certificate(tmp_path), free_port(), tmp_path / "socket"
    more = ["--listen", f"ssl:{tls}:privateKey={file}:interface=127.0.0.1", "--listen", f"unix:{path}"]
    with radiod(tmp_path, configuration(), None, *more) as server:
        context = for_threads(file)
        url = f"wss://localhost:{tls}"
        listener = dial_ws(f"{url}/listen/sample_net", ssl=context, sock=dial(tls))
        joined(dial_ws, url, ssl=context, sock=dial(tls))
        with context.wrap_socket(dial(tls), server_hostname="localhost") as raw:
            raw.sendall(b"\x7f\xf1\x00\x00")
            assert raw.recv(4) == b"\x7f\xb1\x00\x00"
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(path))
            body = b'{"network":"sample_net","data":{"big":"%b"}}' % (b"x" * 500_000)
            local.sendall(
                b"POST /publish HTTP/1.1\r\nHost: [::1]\r\nAPI-KEY: sample-key\r\nContent-Length: %d\r\n\r\n"
                % len(body)
            )
            local.sendall(body)
            assert local.recv(100).startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(listener.recv(SECONDS))["big"]) == 500_000
        assert server.stop() == 0


def test_connections_over_tls_are_closed_without_delay(tmp_path, dial_ws):
    file, tls = certificate(tmp_path), free_port()
    context = for_threads(file)
    more = ["--listen", f"ssl:{tls}:privateKey={file}:interface=127.0.0.1"]
    with radiod(tmp_path, configuration(), None, *more):
        started = time.monotonic()
        for path in ("ws", "listen/sample_net"):
            # Closing waits for the server's end of the connection.
            url, options = f"wss://localhost:{tls}/{path}", {"ssl": context, "sock": dial(tls)}
            with connect(url, subprotocols=["wamp.2.json"], close_timeout=5, **options):
                pass
        with context.wrap_socket(dial(tls), server_hostname="localhost") as raw:
            raw.sendall(b"\x7f\xf1\x00\x00" + b"\x00\x00\x00\x02[]")
            while raw.recv(1000):
                pass
        assert time.monotonic() - started < 1


def test_what_comes_over_tls_behind_a_refusal_is_ignored(tmp_path):
    file, tls = certificate(tmp_path), free_port()
    context = ssl.create_default_context(cafile=str(file))
    more = ["--listen", f"ssl:{tls}:privateKey={file}:interface=127.0.0.1"]
    refused = {
        b"FOO\r\n\r\n": error_reply(400, "Bad Request"),
        b"\x01": error_reply(400, "Bad Request"),
        b"\x7f\xf0\x00\x00": b"\x7f\x10\x00\x00",
    }
    with radiod(tmp_path, configuration(), None, *more) as server:
        for data, answer in refused.items():
            with context.wrap_socket(dial(tls), server_hostname="localhost") as client:
                client.sendall(data)
                assert client.recv(1000) == answer
                # Written although the server has closed its end; it must take it for nothing.
                for again in (b"\r\n\r\n", b"\x7f\xf1\x00\x00", data):
                    client.sendall(again)
                assert client.recv(1000) == b""
        assert server.stop() == 0
        log = server.log.read_text()
    assert "Traceback" not in log
    assert (log.count(": Bad Request"), log.count("RawSocket handshake 7f100000")) == (2, 1)


def dial(port):
    return socket.create_connection(("127.0.0.1", port), SECONDS)
