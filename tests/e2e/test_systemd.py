"""Sockets passed on as systemd does it: ``LISTEN_FDS``, and descriptors from 3 on."""

import socket
import stat
import subprocess
import sys
import urllib.request

import pytest
from support.running import ROOT, TWISTD, environment, program, wait_until

pytestmark = pytest.mark.e2e

SECONDS = 20
PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="http")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def passed_on(file, *endpoints):
    """The command, and options of its process, for a server that inherits ``file`` as socket ``http``."""
    listen = [word for endpoint in endpoints for word in ("--listen", endpoint)]
    launcher = [sys.executable, "-c", PASS_ON, str(file.fileno())]
    command = [*launcher, *TWISTD, "-n", "--pidfile=", "radiod", *listen]
    return command, {"pass_fds": [file.fileno()]}


@pytest.mark.parametrize("which", ["name=http", "index=0"])
@pytest.mark.parametrize("domain", ["INET", "UNIX"])
def test_an_inherited_socket_is_served_and_named(tmp_path, domain, which):
    path = tmp_path / "socket"
    with socket.socket(getattr(socket, f"AF_{domain}")) as listener:
        listener.bind(("127.0.0.1", 0) if domain == "INET" else str(path))
        listener.listen()
        # Who comes before the server does waits.
        early = socket.socket(listener.family)
        early.settimeout(SECONDS)
        early.connect(listener.getsockname())
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        command, options = passed_on(listener, f"systemd:domain={domain}:{which}")
        log = tmp_path / "log"
        with program(command, log, **options) as process, early:
            assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
            wait_until(lambda: "on the air" in log.read_text(), process, log)
            said = f"unix:{path}"
            if domain == "INET":
                said = "http://{}:{}/".format(*listener.getsockname())
                with urllib.request.urlopen(f"{said}healthz", timeout=SECONDS) as answer:
                    assert answer.status == 200
            assert f"on the air: {said};" in log.read_text()


@pytest.mark.parametrize("domain", ["INET", "INET6", "UNIX"])
def test_a_socket_stays_as_its_unit_has_made_it(tmp_path, domain):
    """Its mode, its name, and that it listens: clients wait for the next server, and are not refused."""
    path = tmp_path / "socket"
    places = {"INET": ("127.0.0.1", 0), "INET6": ("::1", 0), "UNIX": str(path)}
    with socket.socket(getattr(socket, f"AF_{domain}")) as listener:
        listener.bind(places[domain])
        if domain == "UNIX":
            path.chmod(0o600)
        listener.listen()
        command, options = passed_on(listener, f"systemd:domain={domain}:name=http")
        for log in (tmp_path / "first", tmp_path / "second"):
            with program(command, log, **options) as process:
                wait_until(lambda told=log: "on the air" in told.read_text(), process, log)
                assert domain != "UNIX" or stat.S_IMODE(path.stat().st_mode) == 0o600
                with socket.socket(listener.family) as client:
                    client.settimeout(SECONDS)
                    client.connect(listener.getsockname())
                    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
                process.terminate()
                assert process.wait(SECONDS) in (0, -15)
            assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("systemd:domain=INET:index=1", "no socket of index 1 was passed on; is the socket unit active?"),
        (
            "systemd:domain=INET:name=https",
            "no socket named 'https' was passed on; is the socket unit active?",
        ),
        ("systemd:domain=INET:name=http", "Socket operation on non-socket"),
    ],
)
def test_what_was_not_passed_on_or_is_no_socket_is_one_line(tmp_path, endpoint, message):
    with (tmp_path / "file").open("wb") as file:
        command, options = passed_on(file, endpoint)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=ROOT,
            env=environment(),
            **options,
        )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"radiod: listen.[0].endpoint: cannot listen on {endpoint!r}: ")
    assert line.endswith(message)
